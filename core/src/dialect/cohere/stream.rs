//! Reads a streamed answer, event by event.

use crate::conversation::{Event, ToolCall};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};

use super::answer::{Counts, Item, Logprob, WireCall, finish, read_call, read_logprob, some};
use super::failure::malformed;
use crate::dialect::provider_failure;

/// Cohere gives one answer only.
const CHOICE: u32 = 0;

type Emit<'e> = &'e mut dyn FnMut(Event<'_>);

/// Where a streamed answer is.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    /// After the end or an error: whatever follows is passed over.
    ended: bool,
    /// The number of tool calls up to here.
    calls: u32,
    /// The tool calls that have not ended.
    open: Vec<OpenCall>,
}

/// A tool call whose arguments are still coming.
#[derive(Debug)]
struct OpenCall {
    /// What the vendor calls it by.
    index: u64,
    /// Its place among the calls.
    call: u32,
    has_arguments: bool,
}

object! {
    struct StreamEvent<'a> {
        "type" => kind: Text<'a>,
        "id" => id: Text<'a>,
        "index" => index: u64,
        // One field can have another form in another event.
        "delta" => delta: Raw<'a>,
        "logprobs" => logprobs: Logprob<'a>,
        // There only where an error stands in place of an event.
        "message" => message: Text<'a>,
        ..
    }
}

object! {
    struct ContentDelta<'a> {
        "message" => message: ContentMessage<'a>,
        ..
    }
}

object! {
    struct ContentMessage<'a> {
        "content" => content: Item<'a>,
        "tool_plan" => tool_plan: Text<'a>,
        ..
    }
}

object! {
    struct CallDelta<'a> {
        "message" => message: CallMessage<'a>,
        ..
    }
}

object! {
    struct CallMessage<'a> {
        "tool_calls" => call: WireCall<'a>,
        ..
    }
}

object! {
    struct EndDelta<'a> {
        "error" => error: Text<'a>,
        "finish_reason" => finish_reason: Text<'a>,
        "usage" => usage: Counts,
        ..
    }
}

impl StreamReader {
    /// Takes one event: its name, and its data.
    pub fn event(&mut self, name: &str, data: &str, emit: Emit<'_>) {
        // Types that come with future versions may have any shape; those without a name say their type in the data.
        let is_read = matches!(
            name,
            "" | "message-start"
                | "content-start"
                | "content-delta"
                | "tool-plan-delta"
                | "tool-call-start"
                | "tool-call-delta"
                | "tool-call-end"
                | "message-end"
                | "error"
        );
        if self.ended || !is_read || data.trim_ascii() == "[DONE]" {
            return;
        }
        let read = json::read::<StreamEvent<'_>>(data.as_bytes()).map_err(|_| malformed());
        if let Err(failure) = read.and_then(|event| self.take(name, event, emit)) {
            self.fail(failure, emit);
        }
    }

    /// The stream has ended.
    pub fn end(&mut self, emit: Emit<'_>) {
        if !self.ended {
            self.fail(Failure::truncated(), emit);
        }
    }

    fn fail(&mut self, failure: Failure, emit: Emit<'_>) {
        self.ended = true;
        emit(Event::Error(failure));
    }

    fn take(&mut self, name: &str, event: StreamEvent<'_>, emit: Emit<'_>) -> Result<(), Failure> {
        let kind = match event.kind.as_deref() {
            Some(kind) => kind,
            None if !matches!(name, "" | "error") => name,
            None if event.message.is_some() || name == "error" => {
                return Err(provider_failure(500, event.message.as_deref()));
            }
            None => return Ok(()),
        };
        match kind {
            "message-start" => self.start(event.id, emit),
            "content-start" | "content-delta" | "tool-plan-delta" => {
                self.start(None, emit);
                let delta: ContentDelta<'_> = read(event.delta)?;
                if let Some(message) = delta.message {
                    say(message, event.logprobs, emit);
                }
            }
            "tool-call-start" => {
                self.start(None, emit);
                let delta: CallDelta<'_> = read(event.delta)?;
                let call = delta.message.and_then(|message| message.call).ok_or_else(malformed)?;
                self.begin_call(event.index, read_call(call)?, emit);
            }
            "tool-call-delta" => {
                let delta: CallDelta<'_> = read(event.delta)?;
                let function = delta.message.and_then(|message| message.call?.function);
                self.continue_call(event.index, function.and_then(|function| some(function.arguments)), emit);
            }
            "tool-call-end" => self.end_call(event.index, emit),
            "message-end" => {
                self.start(None, emit);
                self.end_message(event.delta.map_or_else(|| json::read(b"{}"), Raw::read), emit)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The answer has begun, even where the vendor has not said so.
    fn start(&mut self, id: Option<Text<'_>>, emit: Emit<'_>) {
        if !self.started {
            self.started = true;
            emit(Event::Start { id, model: None });
        }
    }

    fn begin_call(&mut self, index: Option<u64>, tool: ToolCall<'_>, emit: Emit<'_>) {
        let call = self.calls;
        self.calls = self.calls.saturating_add(1);
        let index = index.unwrap_or(u64::from(call));
        self.open.push(OpenCall { index, call, has_arguments: !tool.arguments.is_empty() });
        emit(Event::ToolCall { choice: CHOICE, call, tool });
    }

    fn continue_call(&mut self, index: Option<u64>, arguments: Option<Text<'_>>, emit: Emit<'_>) {
        let Some(json) = arguments else { return };
        let open = match index {
            Some(index) => self.open.iter_mut().rfind(|open| open.index == index),
            None => self.open.last_mut(),
        };
        if let Some(open) = open {
            open.has_arguments = true;
            emit(Event::Arguments { choice: CHOICE, call: open.call, json });
        }
    }

    /// A call without arguments has had no delta.
    fn end_call(&mut self, index: Option<u64>, emit: Emit<'_>) {
        let position = match index {
            Some(index) => self.open.iter().rposition(|open| open.index == index),
            None => self.open.len().checked_sub(1),
        };
        let Some(position) = position else { return };
        let open = self.open.swap_remove(position);
        if !open.has_arguments {
            emit(Event::Arguments { choice: CHOICE, call: open.call, json: Text::from("{}") });
        }
    }

    fn end_message(
        &mut self,
        delta: Result<EndDelta<'_>, json::Fault>,
        emit: Emit<'_>,
    ) -> Result<(), Failure> {
        let delta = delta.map_err(|_| malformed())?;
        if let Some(usage) = delta.usage.and_then(Counts::usage) {
            emit(Event::Usage(usage));
        }
        let error = some(delta.error);
        let reason = match (&error, delta.finish_reason.as_deref()) {
            (Some(_), None) => Some("ERROR"),
            (_, reason) => reason,
        };
        let finish = finish(reason, error.as_deref(), self.calls > 0)?;
        while !self.open.is_empty() {
            self.end_call(None, emit);
        }
        self.ended = true;
        emit(Event::Finish { choice: CHOICE, finish, stop: None });
        emit(Event::End);
        Ok(())
    }
}

fn read<'a, T: serde::Deserialize<'a>>(delta: Option<Raw<'a>>) -> Result<T, Failure> {
    delta.ok_or_else(malformed)?.read().map_err(|_| malformed())
}

fn say(message: ContentMessage<'_>, logprobs: Option<Logprob<'_>>, emit: Emit<'_>) {
    if let Some(text) = some(message.tool_plan) {
        emit(Event::Reasoning { choice: CHOICE, text });
    }
    let Some(content) = message.content else { return };
    if let Some(text) = some(content.thinking) {
        emit(Event::Reasoning { choice: CHOICE, text });
    }
    if let Some(text) = some(content.text) {
        if let Some(logprobs) = logprobs {
            emit(Event::Logprobs { choice: CHOICE, tokens: vec![read_logprob(logprobs)] });
        }
        emit(Event::Text { choice: CHOICE, text });
    }
}
