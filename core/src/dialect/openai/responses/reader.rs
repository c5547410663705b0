//! Reads what providers answer while their bytes pass as they are: whole, and event by event.

use serde::Deserialize;

use crate::conversation::{Answer, Event, Finish, Maker, Place, Signature, ToolCall};
use crate::dialect::openai::failure::{WireError, streamed_failure};
use crate::dialect::openai::provider::read_tier;
use crate::dialect::provider_failure;
use crate::failure::Failure;
use crate::json::{self, Text, object};
use crate::task::Outcome;
use crate::usage::{ServiceTier, Usage};

/// The dialect has one answer to a request.
const CHOICE: u32 = 0;

object! {
    struct WireResponse<'a> {
        "id" => id: Text<'a>,
        "model" => model: Text<'a>,
        "usage" => usage: WireUsage,
        "service_tier" => service_tier: json::Raw<'a>,
        "error" => error: WireError<'a>,
        "incomplete_details" => incomplete: IncompleteDetails<'a>,
        ..
    }
}

object! {
    struct IncompleteDetails<'a> {
        "reason" => reason: Text<'a>,
        ..
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireUsage {
    input_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

object! {
    /// The data of an event of any type that is read.
    struct WireEvent<'a> {
        "type" => kind: Text<'a>,
        "response" => response: WireResponse<'a>,
        "delta" => delta: Text<'a>,
        "output_index" => position: u32,
        "item" => item: WireItem<'a>,
        "error" => error: WireError<'a>,
        "code" => code: json::Raw<'a>,
        "message" => message: Text<'a>,
        ..
    }
}

object! {
    struct WireItem<'a> {
        "type" => kind: Text<'a>,
        "call_id" => call_id: Text<'a>,
        "name" => name: Text<'a>,
        "encrypted_content" => encrypted_content: Text<'a>,
        ..
    }
}

/// Reads of a provider's whole answer what the gateway itself needs; its output stays in the bytes that pass.
pub(crate) fn decode_outcome(body: &[u8]) -> Result<Outcome<'_>, Failure> {
    let response: WireResponse<'_> =
        json::read(body).map_err(|_| Failure::malformed("The provider's answer could not be read."))?;
    if let Some(error) = response.error {
        return Err(failure(&error));
    }
    Ok(Outcome::Conversation(Answer {
        id: response.id,
        model: response.model,
        choices: Vec::new(),
        usage: response.usage.map(|usage| usage.served(read_tier(response.service_tier))),
    }))
}

object! {
    struct WireOutput<'a> {
        "output" => output: json::Raw<'a>,
        ..
    }
}

/// The output of a whole answer, as it is written.
pub(crate) fn output(body: &[u8]) -> Option<&str> {
    json::read::<WireOutput<'_>>(body).ok()?.output.map(|output| output.get())
}

/// Reads a provider's stream.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    /// After the end or an error: whatever follows is passed over.
    over: bool,
    /// The positions of the calls among the items, in the order of the calls.
    calls: Vec<u32>,
    /// How OpenAI says it serves the request.
    tier: ServiceTier,
}

type Emit<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader {
    /// Takes one event: its name, and its data.
    pub fn event(&mut self, name: &str, data: &str, emit: Emit<'_>) {
        // Most events repeat what others have said, or are of tools that the vendor runs itself.
        let is_read = matches!(
            name,
            "" | "error"
                | "response.created"
                | "response.output_item.added"
                | "response.output_item.done"
                | "response.output_text.delta"
                | "response.refusal.delta"
                | "response.reasoning_summary_text.delta"
                | "response.reasoning_text.delta"
                | "response.function_call_arguments.delta"
                | "response.custom_tool_call_input.delta"
                | "response.completed"
                | "response.incomplete"
                | "response.failed"
        );
        if self.over || !is_read || data.trim_ascii() == "[DONE]" {
            return;
        }
        match json::read::<WireEvent<'_>>(data.as_bytes()) {
            Ok(event) => self.take(name, event, emit),
            Err(_) => self.fail(Failure::malformed("The provider's stream could not be read."), emit),
        }
    }

    /// The stream has ended.
    pub fn end(&mut self, emit: Emit<'_>) {
        if !self.over {
            self.fail(Failure::truncated(), emit);
        }
    }

    /// How OpenAI has said so far that it serves the request.
    pub fn tier(&self) -> ServiceTier {
        self.tier
    }

    fn fail(&mut self, failure: Failure, emit: Emit<'_>) {
        self.over = true;
        emit(Event::Error(failure));
    }

    fn take(&mut self, name: &str, event: WireEvent<'_>, emit: Emit<'_>) {
        let kind = event.kind.as_deref().unwrap_or(name);
        if kind == "error" {
            let error =
                event.error.unwrap_or(WireError { message: event.message, kind: None, code: event.code });
            return self.fail(failure(&error), emit);
        }
        let response = event.response;
        // At first it may say what was asked for; its last word is what was done.
        if let Some(tier) = response.as_ref().and_then(|response| response.service_tier) {
            self.tier = read_tier(Some(tier));
        }
        match kind {
            "response.failed" => {
                let error = response.as_ref().and_then(|response| response.error.as_ref());
                let failure = error.map_or_else(|| provider_failure(500, None), failure);
                self.count(response.and_then(|response| response.usage), emit);
                return self.fail(failure, emit);
            }
            "response.completed" | "response.incomplete" => {
                let (id, model, usage, incomplete) = match response {
                    Some(response) => (response.id, response.model, response.usage, response.incomplete),
                    None => (None, None, None, None),
                };
                self.start(id, model, emit);
                let finish = match incomplete.and_then(|details| details.reason).as_deref() {
                    Some("content_filter") => Finish::ContentFilter,
                    Some(_) => Finish::Length,
                    None if kind == "response.incomplete" => Finish::Length,
                    None if self.calls.is_empty() => Finish::Stop,
                    None => Finish::ToolCalls,
                };
                emit(Event::Finish { choice: CHOICE, finish, stop: None });
                self.count(usage, emit);
                self.over = true;
                return emit(Event::End);
            }
            "response.created" => {
                let (id, model) = response.map(|response| (response.id, response.model)).unwrap_or_default();
                return self.start(id, model, emit);
            }
            _ => self.start(None, None, emit),
        }
        let choice = CHOICE;
        match (kind, event.delta, event.item) {
            ("response.output_text.delta", Some(text), _) => emit(Event::Text { choice, text }),
            ("response.refusal.delta", Some(text), _) => emit(Event::Refusal { choice, text }),
            ("response.reasoning_summary_text.delta" | "response.reasoning_text.delta", Some(text), _) => {
                emit(Event::Reasoning { choice, text });
            }
            (
                "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta",
                Some(json),
                _,
            ) => {
                let call = self.calls.iter().position(|position| Some(*position) == event.position);
                if let Some(call) = call.and_then(|call| u32::try_from(call).ok()) {
                    emit(Event::Arguments { choice, call, json });
                }
            }
            ("response.output_item.added", _, Some(item)) => self.begin(event.position, item, emit),
            ("response.output_item.done", _, Some(item)) => {
                if item.kind.as_deref() == Some("reasoning")
                    && let Some(value) = item.encrypted_content
                {
                    let hidden = Signature { maker: Maker::OpenAi, value };
                    emit(Event::HiddenReasoning { choice, hidden });
                }
            }
            _ => {}
        }
    }

    /// An item begins; of these, only calls are told by more than their parts.
    fn begin(&mut self, position: Option<u32>, item: WireItem<'_>, emit: Emit<'_>) {
        let custom = match item.kind.as_deref() {
            Some("function_call") => false,
            Some("custom_tool_call") => true,
            _ => return,
        };
        let Ok(call) = u32::try_from(self.calls.len()) else { return };
        self.calls.push(position.unwrap_or(u32::MAX));
        let tool = ToolCall {
            id: item.call_id.unwrap_or_default(),
            name: item.name.unwrap_or_default(),
            arguments: Text::default(),
            custom,
            signature: None,
            at: Place::default(),
        };
        emit(Event::ToolCall { choice: CHOICE, call, tool });
    }

    fn start(&mut self, id: Option<Text<'_>>, model: Option<Text<'_>>, emit: Emit<'_>) {
        if !std::mem::replace(&mut self.started, true) {
            emit(Event::Start { id, model });
        }
    }

    fn count(&mut self, usage: Option<WireUsage>, emit: Emit<'_>) {
        if let Some(usage) = usage {
            emit(Event::Usage(usage.served(self.tier)));
        }
    }
}

/// The failure that an error inside of an answer stands for: it has no status, so its code gives one.
fn failure(error: &WireError<'_>) -> Failure {
    let code = error.code.map(|code| code.get().trim_matches('"')).unwrap_or_default();
    let about_the_request = code.starts_with("invalid_")
        || code.starts_with("image_")
        || code.ends_with("_policy")
        || code.ends_with("_policy_violation")
        || matches!(
            code,
            "context_length_exceeded"
                | "unsupported_image_media_type"
                | "empty_image_file"
                | "failed_to_download_image"
        );
    match about_the_request {
        true => provider_failure(400, error.message.as_deref()),
        false => streamed_failure(error),
    }
}

impl WireUsage {
    fn served(self, tier: ServiceTier) -> Usage {
        Usage { tier, ..self.into() }
    }
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let details = usage.input_tokens_details.unwrap_or_default();
        let reasoning = usage.output_tokens_details.and_then(|details| details.reasoning_tokens);
        Self {
            input: usage.input_tokens.unwrap_or(0),
            cached_input: details.cached_tokens.unwrap_or(0),
            cache_write: details.cache_write_tokens.unwrap_or(0),
            output: usage.output_tokens.unwrap_or(0),
            reasoning: reasoning.unwrap_or(0),
            ..Self::default()
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
