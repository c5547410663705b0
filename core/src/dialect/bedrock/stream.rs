//! Reads a streamed answer, event by event.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::conversation::{Event, Finish, Maker, Signature};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};

use super::answer::{Counts, ToolUse, finish, stop_text};
use super::failure::{EXCEPTION, malformed, streamed_failure};
use super::model::Model;

/// Converse gives one answer only.
const CHOICE: u32 = 0;

/// Where a streamed answer is.
#[derive(Debug)]
pub struct StreamReader {
    /// Whose signatures the model gives.
    maker: Maker,
    started: bool,
    /// The answer has said why it stopped.
    finished: bool,
    /// The usage has been told.
    counted: bool,
    /// After the end or an error: whatever follows is passed over.
    ended: bool,
    /// The number of tool calls up to here.
    calls: u32,
    /// The tool calls that have not ended.
    open_calls: Vec<OpenCall>,
    /// The blocks without a meaning here that have not ended.
    open_others: Vec<u64>,
    /// What has come of the thinking of a block that has not ended, besides its text.
    thought: Option<Thought>,
}

/// A tool call whose arguments are still coming.
#[derive(Debug)]
struct OpenCall {
    /// The place of its block among all blocks.
    index: u64,
    /// Its place among the calls.
    call: u32,
    has_arguments: bool,
}

#[derive(Debug)]
struct Thought {
    /// The place of its block among all blocks.
    index: u64,
    signature: String,
    /// Bytes in base64, piece by piece.
    hidden: Vec<String>,
}

object! {
    /// The data of an event of any type.
    struct StreamEvent<'a> {
        "contentBlockIndex" => index: u64,
        "start" => start: BlockStart<'a>,
        "delta" => delta: Delta<'a>,
        "stopReason" => stop_reason: Text<'a>,
        "additionalModelResponseFields" => additional: Raw<'a>,
        "usage" => usage: Counts,
        ..
    }
}

object! {
    struct BlockStart<'a> {
        "toolUse" => tool_use: ToolUse<'a>,
        ..
    }
}

object! {
    struct Delta<'a> {
        "text" => text: Text<'a>,
        "toolUse" => tool_use: ToolDelta<'a>,
        "reasoningContent" => reasoning: ReasoningDelta<'a>,
        ..
    }
}

object! {
    struct ToolDelta<'a> {
        "input" => input: Text<'a>,
        ..
    }
}

object! {
    struct ReasoningDelta<'a> {
        "text" => text: Text<'a>,
        "signature" => signature: Text<'a>,
        "redactedContent" => redacted: Text<'a>,
        ..
    }
}

type Emit<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader {
    /// `model`: what the provider was asked for.
    pub(crate) fn new(model: &str) -> Self {
        Self {
            maker: Model::of(model).signs_as(),
            started: false,
            finished: false,
            counted: false,
            ended: false,
            calls: 0,
            open_calls: Vec::new(),
            open_others: Vec::new(),
            thought: None,
        }
    }

    /// Takes one event: its type (behind `exception:` for an exception), and its data.
    pub fn event(&mut self, name: &str, data: &str, emit: Emit<'_>) {
        if self.ended {
            return;
        }
        let read = match name.strip_prefix(EXCEPTION) {
            Some(kind) => Err(streamed_failure(kind, data)),
            None => self.take(name, data, emit),
        };
        if let Err(failure) = read {
            self.fail(failure, emit);
        }
    }

    /// The stream has ended.
    pub fn end(&mut self, emit: Emit<'_>) {
        if self.ended {
            return;
        }
        match self.finished {
            // The usage comes behind the end of the answer; without it the answer is still whole.
            true => self.complete(emit),
            false => self.fail(Failure::truncated(), emit),
        }
    }

    fn fail(&mut self, failure: Failure, emit: Emit<'_>) {
        self.ended = true;
        emit(Event::Error(failure));
    }

    fn complete(&mut self, emit: Emit<'_>) {
        self.ended = true;
        emit(Event::End);
    }

    fn take(&mut self, name: &str, data: &str, emit: Emit<'_>) -> Result<(), Failure> {
        // Types that come with future versions may have any shape.
        let is_known = matches!(
            name,
            "messageStart"
                | "contentBlockStart"
                | "contentBlockDelta"
                | "contentBlockStop"
                | "messageStop"
                | "metadata"
        );
        if !is_known {
            return Ok(());
        }
        let event: StreamEvent<'_> = json::read(data.as_bytes()).map_err(|_| malformed())?;
        if !self.started {
            self.started = true;
            emit(Event::Start { id: None, model: None });
        }
        match name {
            "contentBlockStart" => {
                let index = event.index.ok_or_else(malformed)?;
                self.begin_block(index, event.start.ok_or_else(malformed)?, emit)
            }
            "contentBlockDelta" => {
                let index = event.index.ok_or_else(malformed)?;
                self.change_block(index, event.delta.ok_or_else(malformed)?, emit);
                Ok(())
            }
            "contentBlockStop" => {
                self.end_block(event.index.ok_or_else(malformed)?, emit);
                Ok(())
            }
            "messageStop" => self.stop(event.stop_reason.as_deref(), event.additional, emit),
            "metadata" => {
                if let Some(counts) = event.usage {
                    emit(Event::Usage(counts.to_usage()));
                }
                self.counted = true;
                if self.finished {
                    self.complete(emit);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin_block(&mut self, index: u64, start: BlockStart<'_>, emit: Emit<'_>) -> Result<(), Failure> {
        let Some(tool_use) = start.tool_use.filter(|tool_use| !tool_use.is_the_vendors()) else {
            self.open_others.push(index);
            return Ok(());
        };
        let call = self.calls;
        self.calls = self.calls.saturating_add(1);
        let mut tool = tool_use.into_call()?;
        tool.arguments = Text::default();
        self.open_calls.push(OpenCall { index, call, has_arguments: false });
        emit(Event::ToolCall { choice: CHOICE, call, tool });
        Ok(())
    }

    fn change_block(&mut self, index: u64, delta: Delta<'_>, emit: Emit<'_>) {
        if self.open_others.contains(&index) {
            return;
        }
        say(delta.text, |text| Event::Text { choice: CHOICE, text }, emit);
        let open = self.open_calls.iter_mut().find(|open| open.index == index);
        let arguments = delta.tool_use.and_then(|tool_use| tool_use.input);
        if let (Some(open), Some(json)) = (open, arguments.filter(|json| !json.is_empty())) {
            open.has_arguments = true;
            emit(Event::Arguments { choice: CHOICE, call: open.call, json });
        }
        if let Some(reasoning) = delta.reasoning {
            say(reasoning.text, |text| Event::Reasoning { choice: CHOICE, text }, emit);
            if reasoning.signature.is_some() || reasoning.redacted.is_some() {
                self.end_thought(|thought| thought != index, emit);
                let fresh = || Thought { index, signature: String::new(), hidden: Vec::new() };
                let thought = self.thought.get_or_insert_with(fresh);
                thought.signature.push_str(reasoning.signature.as_deref().unwrap_or_default());
                thought.hidden.extend(reasoning.redacted.map(Text::into_owned));
            }
        }
    }

    /// A call without arguments has had no delta: `{}` is what they are.
    fn end_block(&mut self, index: u64, emit: Emit<'_>) {
        self.open_others.retain(|open| *open != index);
        self.end_thought(|thought| thought == index, emit);
        let Some(position) = self.open_calls.iter().position(|open| open.index == index) else { return };
        let open = self.open_calls.swap_remove(position);
        if !open.has_arguments {
            emit(Event::Arguments { choice: CHOICE, call: open.call, json: Text::from("{}") });
        }
    }

    /// The thinking of the open block is complete, if it is one of these.
    fn end_thought(&mut self, is_ended: impl FnOnce(u64) -> bool, emit: Emit<'_>) {
        let Some(thought) = self.thought.take_if(|thought| is_ended(thought.index)) else { return };
        let signature = |value: String| Signature { maker: self.maker, value: Text::from(value) };
        if let Some(hidden) = joined(thought.hidden) {
            emit(Event::HiddenReasoning { choice: CHOICE, hidden: signature(hidden) });
        }
        if !thought.signature.is_empty() {
            emit(Event::Signature { choice: CHOICE, signature: signature(thought.signature) });
        }
    }

    fn stop(
        &mut self,
        stop_reason: Option<&str>,
        additional: Option<Raw<'_>>,
        emit: Emit<'_>,
    ) -> Result<(), Failure> {
        if self.finished {
            return Ok(());
        }
        let finish = match finish(stop_reason)? {
            Finish::Stop if stop_reason.is_none() && self.calls > 0 => Finish::ToolCalls,
            finish => finish,
        };
        self.finished = true;
        self.end_thought(|_| true, emit);
        while let Some(index) = self.open_calls.first().map(|open| open.index) {
            self.end_block(index, emit);
        }
        emit(Event::Finish { choice: CHOICE, finish, stop: additional.and_then(stop_text) });
        if self.counted {
            self.complete(emit);
        }
        Ok(())
    }
}

/// The base64 of all bytes, which come in base64 piece by piece.
fn joined(mut pieces: Vec<String>) -> Option<String> {
    match pieces.len() {
        0 => None,
        1 => pieces.pop().filter(|piece| !piece.is_empty()),
        _ => {
            let decoded: Result<Vec<_>, _> =
                pieces.iter().map(|piece| BASE64_STANDARD.decode(piece)).collect();
            Some(decoded.map_or_else(|_| pieces.concat(), |bytes| BASE64_STANDARD.encode(bytes.concat())))
        }
    }
}

/// Emits text, unless there is none.
fn say<'a>(text: Option<Text<'a>>, event: impl FnOnce(Text<'a>) -> Event<'a>, emit: Emit<'_>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        emit(event(text));
    }
}
