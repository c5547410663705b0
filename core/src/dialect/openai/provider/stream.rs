//! Streamed answers as providers write them.

use super::answer::{broken_off, made_call_id};
use super::usage::{WireUsage, read_tier};
use super::wire::{self, Said, WireCall, WirePiece};
use crate::conversation::{Event, Place, ToolCall};
use crate::dialect::openai::failure::{WireError, answered_failure};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, TextOr, object};
use crate::usage::ServiceTier;

/// Reads the chunks of one streamed answer.
#[derive(Debug, Default)]
pub struct ChunkReader {
    /// The vendor's id of the answer, once it has begun.
    id: Option<String>,
    over: bool,
    choices: Vec<ChoiceState>,
    /// How the vendor says it serves the request.
    tier: ServiceTier,
}

/// What is known of one of the answers.
#[derive(Debug)]
struct ChoiceState {
    index: u32,
    finished: bool,
    calls: Vec<CallState>,
}

/// What is known of a tool call; its place in the list is the number that its events have.
#[derive(Debug)]
struct CallState {
    /// The vendor's number for it.
    index: Option<u32>,
    id: String,
    /// Whether it has been told: it has a name.
    begun: bool,
    /// Arguments that came before its name.
    early: String,
}

object! {
    struct Chunk<'a> {
        "id" => id: Text<'a>,
        "model" => model: Text<'a>,
        "choices" => choices: Vec<ChunkChoice<'a>>,
        "usage" => usage: WireUsage,
        "service_tier" => service_tier: Raw<'a>,
        "x_groq" => x_groq: XGroq<'a>,
        "error" => error: TextOr<'a, WireError<'a>>,
        ..
    }
}

object! {
    /// Where Groq told the usage before it had OpenAI's place for it.
    struct XGroq<'a> {
        "usage" => usage: WireUsage,
        "error" => error: Text<'a>,
        ..
    }
}

object! {
    struct ChunkChoice<'a> {
        "index" => index: u32,
        "delta" => delta: Delta<'a>,
        "finish_reason" => finish_reason: Text<'a>,
        "logprobs" => logprobs: Raw<'a>,
        ..
    }
}

object! {
    #[derive(Default)]
    struct Delta<'a> {
        "content" => content: TextOr<'a, Vec<WirePiece<'a>>>,
        "refusal" => refusal: Text<'a>,
        "reasoning_content" => reasoning_content: Text<'a>,
        "reasoning" => reasoning: Raw<'a>,
        "tool_calls" => tool_calls: Vec<WireCall<'a>>,
        "images" => images: Raw<'a>,
        ..
    }
}

impl ChunkReader {
    /// Takes the data of one event.
    pub fn event(&mut self, data: &str, emit: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        if data.trim_ascii() == "[DONE]" {
            self.over = true;
            return emit(Event::End);
        }
        let chunk = match json::read::<Chunk<'_>>(data.as_bytes()) {
            Ok(chunk) => chunk,
            Err(_) => {
                return self.fail(Failure::malformed("The provider's stream could not be read."), emit);
            }
        };
        if let Some(error) = chunk.error {
            return self.fail(answered_failure(&error), emit);
        }
        let (groq, error) = chunk.x_groq.map_or((None, None), |groq| (groq.usage, groq.error));
        if let Some(error) = error {
            return self.fail(answered_failure(&TextOr::Text(error)), emit);
        }
        if chunk.service_tier.is_some() {
            self.tier = read_tier(chunk.service_tier);
        }
        let usage = chunk.usage.or(groq);
        let choices = chunk.choices.unwrap_or_default();
        if self.id.is_none() {
            let id = chunk.id.filter(|id| !id.is_empty());
            // Azure begins with a chunk that says nothing but what its filters found in the prompt.
            if id.is_none() && choices.is_empty() && usage.is_none() {
                return;
            }
            self.id = Some(id.as_deref().unwrap_or_default().to_owned());
            emit(Event::Start { id, model: chunk.model.filter(|model| !model.is_empty()) });
        }
        for choice in choices {
            self.choice(choice, emit);
            if self.over {
                return;
            }
        }
        if let Some(usage) = usage {
            emit(Event::Usage(usage.served(self.tier)));
        }
    }

    /// The stream has ended. Some compatible servers leave out `[DONE]`; an answer whose choices have all finished
    /// is complete all the same.
    pub fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        match !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finished) {
            true => {
                self.over = true;
                emit(Event::End);
            }
            false => self.fail(Failure::truncated(), emit),
        }
    }

    /// How the vendor has said so far that it serves the request.
    pub fn tier(&self) -> ServiceTier {
        self.tier
    }

    fn choice(&mut self, chunk: ChunkChoice<'_>, emit: &mut dyn FnMut(Event<'_>)) {
        let choice = chunk.index.unwrap_or(0);
        let answer = self.id.as_deref();
        let state = match self.choices.iter().position(|state| state.index == choice) {
            Some(position) => self.choices.get_mut(position),
            None => {
                self.choices.push(ChoiceState { index: choice, finished: false, calls: Vec::new() });
                self.choices.last_mut()
            }
        };
        let Some(state) = state else { return };
        let delta = chunk.delta.unwrap_or_default();
        if let Some(tokens) = chunk.logprobs.and_then(wire::logprobs) {
            emit(Event::Logprobs { choice, tokens });
        }
        if let Some(text) = wire::reasoning(delta.reasoning_content, delta.reasoning) {
            emit(Event::Reasoning { choice, text });
        }
        for said in delta.content.map(wire::said).unwrap_or_default() {
            emit(match said {
                Said::Text(text) => Event::Text { choice, text },
                Said::Refusal(text) => Event::Refusal { choice, text },
                Said::Reasoning(text) => Event::Reasoning { choice, text },
            });
        }
        if let Some(text) = delta.refusal.filter(|text| !text.is_empty()) {
            emit(Event::Refusal { choice, text });
        }
        for media in wire::images(delta.images) {
            emit(Event::Media { choice, media });
        }
        for call in delta.tool_calls.unwrap_or_default() {
            state.call(call, answer, emit);
        }
        // An empty word is none.
        let Some(word) = chunk.finish_reason.filter(|word| !word.is_empty()) else { return };
        if std::mem::replace(&mut state.finished, true) {
            return;
        }
        match wire::finish(&word, !state.calls.is_empty()) {
            Some(finish) => emit(Event::Finish { choice, finish, stop: None }),
            None => self.fail(broken_off(), emit),
        }
    }

    fn fail(&mut self, failure: Failure, emit: &mut dyn FnMut(Event<'_>)) {
        self.over = true;
        emit(Event::Error(failure));
    }
}

impl ChoiceState {
    /// More of a tool call. Some vendors repeat the id and the name with each piece, some give the whole of several
    /// calls the same number, some give none.
    fn call(&mut self, wire: WireCall<'_>, answer: Option<&str>, emit: &mut dyn FnMut(Event<'_>)) {
        let id = wire.id.filter(|id| !id.is_empty());
        let (name, arguments, custom) = match (wire.function, wire.custom) {
            (None, Some(custom)) => (custom.name, custom.input.unwrap_or_default(), true),
            (Some(function), _) => (function.name, wire::arguments(function.arguments), false),
            (None, None) => (None, Text::default(), wire.kind.as_deref() == Some("custom")),
        };
        let name = name.filter(|name| !name.is_empty());
        let is_same = |call: &CallState| match (&id, &name, wire.index) {
            (Some(id), Some(_), index) => {
                call.id == **id && index.is_none_or(|index| call.index == Some(index))
            }
            (_, _, Some(index)) => call.index == Some(index),
            (Some(id), None, None) => call.id == **id,
            // A name without an id or a number begins a call of its own.
            (None, Some(_), None) => false,
            (None, None, None) => true,
        };
        let position = match self.calls.iter().rposition(is_same) {
            Some(position) => position,
            None => {
                let position = self.calls.len();
                let id = match &id {
                    Some(id) => id.to_string(),
                    None => made_call_id(answer, position).into_owned(),
                };
                self.calls.push(CallState { index: wire.index, id, begun: false, early: String::new() });
                position
            }
        };
        let choice = self.index;
        let call = u32::try_from(position).unwrap_or(u32::MAX);
        let Some(state) = self.calls.get_mut(position) else { return };
        match (state.begun, name) {
            (true, _) if arguments.is_empty() => {}
            (true, _) => emit(Event::Arguments { choice, call, json: arguments }),
            (false, None) => state.early.push_str(&arguments),
            (false, Some(name)) => {
                state.begun = true;
                let arguments = match state.early.is_empty() {
                    true => arguments,
                    false => Text::from(std::mem::take(&mut state.early) + &arguments),
                };
                let id = Text::from(state.id.as_str());
                let tool = ToolCall { id, name, arguments, custom, signature: None, at: Place::default() };
                emit(Event::ToolCall { choice, call, tool });
            }
        }
    }
}
