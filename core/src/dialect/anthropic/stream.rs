//! Reads a streamed answer, event by event.

use serde::Deserialize;

use crate::conversation::{Event, Finish, Place, ToolCall};
use crate::failure::Failure;
use crate::json::{self, Text};

use super::answer::{Block, Counts, Message, StopDetails, compact, finish, refusal, sign};
use super::failure::{ErrorObject, malformed};

/// Claude gives one answer only.
const CHOICE: u32 = 0;

/// Where a streamed answer is.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    finished: bool,
    /// After the end or an error: whatever follows is passed over.
    ended: bool,
    counts: Option<Counts>,
    /// The number of tool calls up to here.
    calls: u32,
    /// The tool calls that have not ended.
    open_calls: Vec<OpenCall>,
    /// The blocks of types without a meaning here that have not ended.
    open_others: Vec<u64>,
}

/// A tool call whose arguments are still coming.
#[derive(Debug)]
struct OpenCall {
    /// The place of its block among all blocks.
    index: u64,
    /// Its place among the calls.
    call: u32,
    /// The arguments that it began with, where they aren't empty; dropped once others come.
    initial: Option<String>,
    has_arguments: bool,
}

/// The data of an event of any type.
#[derive(Deserialize)]
struct StreamEvent<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    index: Option<u64>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    usage: Option<Counts>,
    #[serde(borrow)]
    error: Option<ErrorObject<'a>>,
}

/// The change to a block, or to the message.
#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_details: Option<StopDetails<'a>>,
    #[serde(borrow)]
    stop_sequence: Option<Text<'a>>,
}

type Emit<'e> = &'e mut dyn FnMut(Event<'_>);

impl StreamReader {
    /// Takes one event: its name, and its data.
    pub(crate) fn event(&mut self, name: &str, data: &str, emit: Emit<'_>) {
        // Types that come with future versions may have any shape; those without a name say their type in the data.
        let is_read = matches!(
            name,
            "" | "message_start"
                | "content_block_start"
                | "content_block_delta"
                | "content_block_stop"
                | "message_delta"
                | "message_stop"
                | "error"
        );
        if self.ended || !is_read {
            return;
        }
        let read = json::read::<StreamEvent<'_>>(data.as_bytes()).map_err(|_| malformed());
        if let Err(failure) = read.and_then(|event| self.take(name, event, emit)) {
            self.fail(failure, emit);
        }
    }

    /// The stream has ended.
    pub(crate) fn end(&mut self, emit: Emit<'_>) {
        if !self.ended {
            self.fail(Failure::truncated(), emit);
        }
    }

    fn fail(&mut self, failure: Failure, emit: Emit<'_>) {
        self.ended = true;
        emit(Event::Error(failure));
    }

    fn take(&mut self, name: &str, event: StreamEvent<'_>, emit: Emit<'_>) -> Result<(), Failure> {
        let kind = event.kind.as_deref().unwrap_or(name);
        match kind {
            "message_start" => {
                let message = event.message.ok_or_else(malformed)?;
                if !self.started {
                    self.started = true;
                    emit(Event::Start { id: message.id, model: message.model });
                }
                self.count(message.usage, emit);
            }
            "content_block_start" => {
                self.start(emit);
                let index = event.index.ok_or_else(malformed)?;
                self.begin_block(index, event.content_block.ok_or_else(malformed)?, emit)?;
            }
            "content_block_delta" => {
                self.start(emit);
                let index = event.index.ok_or_else(malformed)?;
                self.change_block(index, event.delta.ok_or_else(malformed)?, emit);
            }
            "content_block_stop" => self.end_block(event.index.ok_or_else(malformed)?, emit),
            "message_delta" => {
                self.start(emit);
                self.change_message(event.delta, event.usage, emit);
            }
            "message_stop" => {
                self.start(emit);
                self.finish(None, None, emit);
                self.ended = true;
                emit(Event::End);
            }
            "error" => {
                let unnamed = || Failure::provider(500, "The provider's stream failed.");
                return Err(event.error.map_or_else(unnamed, ErrorObject::into_failure));
            }
            _ => {}
        }
        Ok(())
    }

    /// The answer has begun, even where the vendor has not said so.
    fn start(&mut self, emit: Emit<'_>) {
        if !self.started {
            self.started = true;
            emit(Event::Start { id: None, model: None });
        }
    }

    fn begin_block(&mut self, index: u64, block: Block<'_>, emit: Emit<'_>) -> Result<(), Failure> {
        match &*block.kind {
            "text" => say(block.text, |text| Event::Text { choice: CHOICE, text }, emit),
            "thinking" => {
                say(block.thinking, |text| Event::Reasoning { choice: CHOICE, text }, emit);
                say(block.signature, |text| Event::Signature { choice: CHOICE, signature: sign(text) }, emit);
            }
            "redacted_thinking" => {
                say(
                    block.redacted(),
                    |text| Event::HiddenReasoning { choice: CHOICE, hidden: sign(text) },
                    emit,
                );
            }
            "tool_use" => {
                let call = self.calls;
                self.calls = self.calls.saturating_add(1);
                let initial = block.input.map(compact).filter(|input| &**input != "{}").map(Text::into_owned);
                self.open_calls.push(OpenCall { index, call, initial, has_arguments: false });
                let tool = ToolCall {
                    id: block.id.ok_or_else(malformed)?,
                    name: block.name.ok_or_else(malformed)?,
                    arguments: Text::default(),
                    signature: None,
                    custom: false,
                    at: Place::default(),
                };
                emit(Event::ToolCall { choice: CHOICE, call, tool });
            }
            _ => self.open_others.push(index),
        }
        Ok(())
    }

    fn change_block(&mut self, index: u64, delta: Delta<'_>, emit: Emit<'_>) {
        if self.open_others.contains(&index) {
            return;
        }
        match delta.kind.as_deref() {
            Some("text_delta") => say(delta.text, |text| Event::Text { choice: CHOICE, text }, emit),
            Some("thinking_delta") => {
                say(delta.thinking, |text| Event::Reasoning { choice: CHOICE, text }, emit)
            }
            Some("input_json_delta") => {
                let Some(open) = self.open_calls.iter_mut().find(|open| open.index == index) else { return };
                let Some(json) = delta.partial_json.filter(|json| !json.is_empty()) else { return };
                open.has_arguments = true;
                emit(Event::Arguments { choice: CHOICE, call: open.call, json });
            }
            Some("signature_delta") => {
                say(delta.signature, |text| Event::Signature { choice: CHOICE, signature: sign(text) }, emit);
            }
            // Citations have no place in the conversation.
            _ => {}
        }
    }

    /// A call without arguments has had no delta: its block began with all that there is.
    fn end_block(&mut self, index: u64, emit: Emit<'_>) {
        self.open_others.retain(|open| *open != index);
        let Some(position) = self.open_calls.iter().position(|open| open.index == index) else { return };
        let open = self.open_calls.swap_remove(position);
        if !open.has_arguments {
            let json = open.initial.map_or(Text::from("{}"), Text::from);
            emit(Event::Arguments { choice: CHOICE, call: open.call, json });
        }
    }

    fn change_message(&mut self, delta: Option<Delta<'_>>, usage: Option<Counts>, emit: Emit<'_>) {
        if let Some(delta) = delta
            && let Some(stop_reason) = delta.stop_reason.as_deref()
        {
            let words = refusal(Some(stop_reason), delta.stop_details);
            say(words, |text| Event::Refusal { choice: CHOICE, text }, emit);
            self.finish(Some(stop_reason), delta.stop_sequence, emit);
        }
        self.count(usage, emit);
    }

    fn finish(&mut self, stop_reason: Option<&str>, stop: Option<Text<'_>>, emit: Emit<'_>) {
        if !self.finished {
            self.finished = true;
            let finish = match stop_reason {
                None if self.calls > 0 => Finish::ToolCalls,
                _ => finish(stop_reason),
            };
            emit(Event::Finish { choice: CHOICE, finish, stop });
        }
    }

    fn count(&mut self, counts: Option<Counts>, emit: Emit<'_>) {
        if let Some(counts) = counts {
            let counts = counts.after(self.counts.unwrap_or_default());
            self.counts = Some(counts);
            emit(Event::Usage(counts.to_usage()));
        }
    }
}

/// Emits text, unless there is none.
fn say<'a>(text: Option<Text<'a>>, event: impl FnOnce(Text<'a>) -> Event<'a>, emit: Emit<'_>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        emit(event(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is emitted for events of these names and data, one line each.
    fn read(events: &[(&str, &str)]) -> Vec<String> {
        let mut reader = StreamReader::default();
        let mut lines = Vec::new();
        let mut emit = |event: Event<'_>| {
            lines.push(match event {
                Event::Start { id, model } => format!("start {id:?} {model:?}").replace("Text", ""),
                Event::Text { text, .. } => format!("text {text}"),
                Event::Refusal { text, .. } => format!("refusal {text}"),
                Event::Reasoning { text, .. } => format!("reasoning {text}"),
                Event::ToolCall { call, tool, .. } => format!("call {call} {} {}", tool.id, tool.name),
                Event::Arguments { call, json, .. } => format!("arguments {call} {json}"),
                Event::Signature { signature, .. } => format!("signature {}", signature.value),
                Event::HiddenReasoning { hidden, .. } => format!("hidden {}", hidden.value),
                Event::Finish { finish, stop: Some(stop), .. } => format!("finish {finish:?} at {stop}"),
                Event::Finish { finish, .. } => format!("finish {finish:?}"),
                Event::Usage(usage) => {
                    format!("usage {} {} {}", usage.input, usage.cached_input, usage.output)
                }
                Event::Error(failure) => format!("error {} {:?}", failure.status, failure.code.as_deref()),
                Event::End => "end".to_owned(),
                other => format!("{other:?}"),
            });
        };
        for (name, data) in events {
            reader.event(name, data, &mut emit);
        }
        reader.end(&mut emit);
        lines
    }

    const START: (&str, &str) = (
        "message_start",
        r#"{"type":"message_start","message":{"id":"m","model":"c","content":[],"stop_reason":null,
            "usage":{"input_tokens":5,"cache_read_input_tokens":20,"output_tokens":1}}}"#,
    );
    const STOP: (&str, &str) = ("message_stop", r#"{"type":"message_stop"}"#);
    const STARTED: [&str; 2] = [r#"start Some(("m")) Some(("c"))"#, "usage 25 20 1"];

    fn expect(events: &[(&str, &str)], lines: &[&str]) {
        let mut all = STARTED.to_vec();
        all.extend(lines);
        let events: Vec<_> = std::iter::once(START).chain(events.iter().copied()).collect();
        assert_eq!(read(&events), all);
    }

    #[test]
    fn calls_are_counted_apart_from_blocks() {
        let events = [
            (
                "content_block_start",
                r#"{"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            ),
            ("content_block_delta", r#"{"index":0,"delta":{"type":"thinking_delta","thinking":"Hm\n"}}"#),
            ("content_block_delta", r#"{"index":0,"delta":{"type":"signature_delta","signature":"s"}}"#),
            ("content_block_stop", r#"{"index":0}"#),
            (
                "content_block_start",
                r#"{"index":1,"content_block":{"type":"server_tool_use","id":"s","name":"web","input":{}}}"#,
            ),
            ("content_block_delta", r#"{"index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#),
            ("content_block_stop", r#"{"index":1}"#),
            ("ping", r#"{"type": "ping"}"#),
            (
                "content_block_start",
                r#"{"index":2,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}"#,
            ),
            (
                "content_block_start",
                r#"{"index":3,"content_block":{"type":"tool_use","id":"t2","name":"g","input":{}}}"#,
            ),
            ("content_block_delta", r#"{"index":3,"delta":{"type":"input_json_delta","partial_json":""}}"#),
            (
                "content_block_delta",
                r#"{"index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#,
            ),
            ("content_block_stop", r#"{"index":2}"#),
            ("content_block_stop", r#"{"index":3}"#),
            (
                "content_block_start",
                r#"{"index":4,"content_block":{"type":"tool_use","id":"t3","name":"h","input":{"b": 2}}}"#,
            ),
            ("content_block_stop", r#"{"index":4}"#),
            ("message_delta", r#"{"delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#),
            STOP,
            ("content_block_delta", r#"{"index":9,"delta":{"type":"text_delta","text":"late"}}"#),
        ];
        expect(
            &events,
            &[
                "reasoning Hm\n",
                "signature s",
                "call 0 t1 f",
                "call 1 t2 g",
                r#"arguments 1 {"a":1}"#,
                "arguments 0 {}",
                "call 2 t3 h",
                r#"arguments 2 {"b":2}"#,
                "finish ToolCalls",
                "usage 25 20 9",
                "end",
            ],
        );
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let events = [
            ("from_the_future", "no JSON"),
            ("", r#"{"type":"also_new","index":0}"#),
            ("content_block_start", r#"{"index":0,"content_block":{"type":"novel"}}"#),
            ("content_block_delta", r#"{"index":0,"delta":{"type":"text_delta","text":"x"}}"#),
            ("content_block_stop", r#"{"index":0}"#),
            ("content_block_start", r#"{"index":1,"content_block":{"type":"text","text":"a"}}"#),
            ("content_block_delta", r#"{"index":1,"delta":{"type":"citations_delta","citation":{}}}"#),
            ("", r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b"}}"#),
            ("message_delta", r#"{"delta":{"stop_reason":"refusal","stop_details":{"explanation":"No."}}}"#),
            STOP,
        ];
        expect(&events, &["text a", "text b", "refusal No.", "finish ContentFilter", "end"]);
    }

    #[test]
    fn hidden_thinking_and_the_stop_text_are_told() {
        let events = [
            (
                "content_block_start",
                r#"{"index":0,"content_block":{"type":"redacted_thinking","data":"abc"}}"#,
            ),
            ("content_block_stop", r#"{"index":0}"#),
            (
                "content_block_start",
                r#"{"index":1,"content_block":{"type":"thinking","thinking":"","signature":"s"}}"#,
            ),
            ("content_block_stop", r#"{"index":1}"#),
            ("message_delta", r#"{"delta":{"stop_reason":"stop_sequence","stop_sequence":"END"}}"#),
            STOP,
        ];
        expect(&events, &["hidden abc", "signature s", "finish Stop at END", "end"]);
    }

    #[test]
    fn an_error_ends_the_stream() {
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        expect(&[("error", overloaded), STOP], &["error 503 None"]);
        assert_eq!(read(&[("error", overloaded)]), ["error 503 None"]);
        expect(&[("error", "{}")], &["error 500 None"]);
    }

    #[test]
    fn a_stream_without_its_end_is_an_error() {
        expect(&[], &[r#"error 502 Some("stream_truncated")"#]);
        assert_eq!(read(&[]), [r#"error 502 Some("stream_truncated")"#]);
        let finish = ("message_delta", r#"{"delta":{"stop_reason":"end_turn"}}"#);
        expect(&[finish], &["finish Stop", r#"error 502 Some("stream_truncated")"#]);
    }

    #[test]
    fn what_can_not_be_read_is_an_error() {
        for data in ["", "{", "[]", r#"{"index":0}"#, r#"{"index":0,"delta":{"type":"text_delta","text":1}}"#]
        {
            expect(&[("content_block_delta", data), STOP], &[r#"error 502 Some("provider_malformed")"#]);
        }
        let nameless = r#"{"index":0,"content_block":{"type":"tool_use","id":"t","input":{}}}"#;
        expect(&[("content_block_start", nameless)], &[r#"error 502 Some("provider_malformed")"#]);
    }
}
