//! Reads what a provider answers to a request in this dialect, while its bytes pass as they are.

use crate::conversation::{Answer, Choice, Event, Finish, Part};
use crate::dialect::openai::failure::{WireError, answered_failure};
use crate::dialect::openai::provider::WireUsage;
use crate::failure::Failure;
use crate::json::{self, Text, TextOr, object};
use crate::task::Outcome;
use crate::usage::Usage;

object! {
    struct WireCompletion<'a> {
        "id" => id: Text<'a>,
        "model" => model: Text<'a>,
        "choices" => choices: Vec<WireChoice<'a>>,
        "usage" => usage: WireUsage,
        "error" => error: TextOr<'a, WireError<'a>>,
        ..
    }
}

object! {
    struct WireChoice<'a> {
        "index" => index: u32,
        "text" => text: Text<'a>,
        "finish_reason" => finish_reason: Text<'a>,
        ..
    }
}

/// Reads of a provider's whole answer what the gateway itself needs.
pub(crate) fn decode_outcome(body: &[u8]) -> Result<Outcome<'_>, Failure> {
    let completion: WireCompletion<'_> =
        json::read(body).map_err(|_| Failure::malformed("The provider's answer could not be read."))?;
    if let Some(error) = completion.error {
        return Err(answered_failure(&error));
    }
    let choices = completion.choices.unwrap_or_default().into_iter().map(|choice| Choice {
        index: choice.index.unwrap_or(0),
        finish: finish(choice.finish_reason.as_deref()),
        parts: choice.text.map(Part::Text).into_iter().collect(),
        stop: None,
        logprobs: None,
    });
    Ok(Outcome::Conversation(Answer {
        id: completion.id,
        model: completion.model,
        choices: choices.collect(),
        usage: completion.usage.map(Usage::from),
    }))
}

fn finish(reason: Option<&str>) -> Finish {
    match reason {
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}

/// Reads a provider's stream.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    over: bool,
    /// The choices that have not finished.
    open: Vec<u32>,
    finished: bool,
}

impl StreamReader {
    /// Takes the data of one event.
    pub fn event(&mut self, data: &str, emit: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        if data.trim_ascii() == "[DONE]" {
            self.over = true;
            return emit(Event::End);
        }
        let Ok(chunk) = json::read::<WireCompletion<'_>>(data.as_bytes()) else {
            return self.fail(Failure::malformed("The provider's stream could not be read."), emit);
        };
        if let Some(error) = chunk.error {
            return self.fail(answered_failure(&error), emit);
        }
        if !std::mem::replace(&mut self.started, true) {
            emit(Event::Start { id: chunk.id, model: chunk.model });
        }
        for choice in chunk.choices.unwrap_or_default() {
            self.choice(choice, emit);
        }
        if let Some(usage) = chunk.usage {
            emit(Event::Usage(usage.into()));
        }
    }

    /// The stream has ended. Some compatible servers leave out `[DONE]`; an answer whose choices have all finished
    /// is complete all the same.
    pub fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        match self.finished && self.open.is_empty() {
            true => {
                self.over = true;
                emit(Event::End);
            }
            false => self.fail(Failure::truncated(), emit),
        }
    }

    fn choice(&mut self, read: WireChoice<'_>, emit: &mut dyn FnMut(Event<'_>)) {
        let choice = read.index.unwrap_or(0);
        if let Some(text) = read.text.filter(|text| !text.is_empty()) {
            emit(Event::Text { choice, text });
        }
        let position = self.open.iter().position(|open| *open == choice);
        match (read.finish_reason, position) {
            (None, None) => self.open.push(choice),
            (None, Some(_)) => {}
            (Some(reason), position) => {
                position.map(|position| self.open.swap_remove(position));
                self.finished = true;
                emit(Event::Finish { choice, finish: finish(Some(&reason)), stop: None });
            }
        }
    }

    fn fail(&mut self, failure: Failure, emit: &mut dyn FnMut(Event<'_>)) {
        self.over = true;
        emit(Event::Error(failure));
    }
}
