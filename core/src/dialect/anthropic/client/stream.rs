//! Streamed answers: the events of a message, written for clients.

use std::borrow::Cow;

use serde::Serialize;

use crate::conversation::{Event, Finish, Maker, Signature, ToolCall};
use crate::dialect::Asked;
use crate::json::Text;
use crate::usage::Usage;

use super::answer::{
    Block, CustomInput, Input, Message, STOP_SEQUENCE, StopDetails, WireUsage, call_signature, stop_details,
    stop_reason,
};
use super::failure::end_stream;

/// Writes the events of one streamed answer as server-sent events.
///
/// Blocks come one after the other, as Anthropic has them. Only calls whose arguments come in turns stay open side by side;
/// each change names its block by its index.
#[derive(Debug, Default)]
pub struct StreamWriter {
    /// The model's name where the provider doesn't tell it.
    model: String,
    /// The id and the model, until the first event that follows: its usage may come at once, and belongs to the beginning.
    start: Option<(String, String)>,
    begun: bool,
    usage: Usage,
    /// The index of the next block.
    next: u32,
    /// The text or the thinking that is being written.
    open: Option<(Kind, u32)>,
    /// The calls that have not ended.
    calls: Vec<OpenCall>,
    called: bool,
    refusal: String,
    finish: Option<(Finish, Option<String>)>,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

/// A tool call whose arguments are still coming.
#[derive(Debug)]
struct OpenCall {
    call: u32,
    index: u32,
    arguments: Arguments,
}

/// The arguments of a call up to here.
#[derive(Debug)]
enum Arguments {
    Json(Scan),
    /// The text of a custom tool: it is one string of JSON, so it is held until it is whole.
    Custom(String),
}

/// Finds the end of a JSON object that comes in pieces.
#[derive(Debug, Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
    whole: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireEvent<'a> {
    MessageStart { message: Message<'a> },
    ContentBlockStart { index: u32, content_block: Block<'a> },
    ContentBlockDelta { index: u32, delta: Delta<'a> },
    ContentBlockStop { index: u32 },
    MessageDelta { delta: MessageChange<'a>, usage: WireUsage },
    MessageStop {},
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: Cow<'a, str> },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
}

#[derive(Serialize)]
struct MessageChange<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<StopDetails<'a>>,
}

impl StreamWriter {
    /// A writer for one answer.
    pub(crate) fn new(asked: Asked) -> Self {
        Self { model: asked.model, ..Self::default() }
    }

    /// Appends what one event becomes to `out`.
    pub fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => {
                let text = |text: Option<Text<'_>>| text.map(Text::into_owned);
                let model = text(model).unwrap_or_else(|| std::mem::take(&mut self.model));
                self.start = Some((text(id).unwrap_or_default(), model));
            }
            Event::Usage(usage) => {
                self.usage = usage;
                if self.start.is_some() {
                    self.begin(out);
                }
            }
            Event::Error(failure) => {
                self.over = true;
                end_stream(&failure, out);
            }
            Event::End => self.end(out),
            // The dialect has one answer only, and its clients can't ask for more.
            Event::Text { choice: 1.., .. }
            | Event::Refusal { choice: 1.., .. }
            | Event::Reasoning { choice: 1.., .. }
            | Event::Signature { choice: 1.., .. }
            | Event::HiddenReasoning { choice: 1.., .. }
            | Event::ToolCall { choice: 1.., .. }
            | Event::Arguments { choice: 1.., .. }
            | Event::Finish { choice: 1.., .. } => {}
            // An answer with media is a failure before it gets here.
            Event::Logprobs { .. } | Event::Media { .. } => {}
            Event::Text { text, .. } => self.say(Kind::Text, &text, out),
            Event::Reasoning { text, .. } => self.say(Kind::Thinking, &text, out),
            Event::Refusal { text, .. } => {
                self.begin(out);
                self.refusal.push_str(&text);
            }
            Event::Signature { signature, .. } => self.sign(&signature, out),
            Event::HiddenReasoning { hidden, .. } => {
                self.begin(out);
                self.close(out);
                self.whole(Block::RedactedThinking { data: hidden.write(Maker::Anthropic) }, out);
            }
            Event::ToolCall { call, tool, .. } => self.call(call, &tool, out),
            Event::Arguments { call, json, .. } => self.argue(call, &json, out),
            Event::Finish { finish, stop, .. } => {
                self.begin(out);
                self.finish = Some((finish, stop.map(Text::into_owned)));
            }
        }
    }

    /// Writes the beginning of the message, once.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let (id, model) =
            self.start.take().unwrap_or_else(|| (String::new(), std::mem::take(&mut self.model)));
        let message = Message {
            id: &id,
            r#type: "message",
            role: "assistant",
            model: &model,
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            stop_details: None,
            usage: WireUsage::whole(self.usage),
        };
        write(&WireEvent::MessageStart { message }, out);
    }

    /// Writes more of a text or of thinking.
    fn say(&mut self, kind: Kind, text: &str, out: &mut Vec<u8>) {
        self.begin(out);
        if text.is_empty() {
            return;
        }
        let index = match self.open {
            Some((open, index)) if open == kind => index,
            _ => {
                self.close(out);
                let block = match kind {
                    Kind::Text => Block::Text { text: "" },
                    Kind::Thinking => Block::Thinking { thinking: "", signature: Cow::Borrowed("") },
                };
                let index = self.start_block(block, out);
                self.open = Some((kind, index));
                index
            }
        };
        let delta = match kind {
            Kind::Text => Delta::Text { text },
            Kind::Thinking => Delta::Thinking { thinking: text },
        };
        write(&WireEvent::ContentBlockDelta { index, delta }, out);
    }

    /// Signs the thinking that is open, and ends it; what there is nothing open for gets a block without a text.
    fn sign(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        if !matches!(self.open, Some((Kind::Thinking, _))) {
            self.close(out);
            let block = Block::Thinking { thinking: "", signature: Cow::Borrowed("") };
            let index = self.start_block(block, out);
            self.open = Some((Kind::Thinking, index));
        }
        if let Some((_, index)) = self.open {
            let delta = Delta::Signature { signature: signature.write(Maker::Anthropic) };
            write(&WireEvent::ContentBlockDelta { index, delta }, out);
        }
        self.close(out);
    }

    fn call(&mut self, call: u32, tool: &ToolCall<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        self.called = true;
        if let Some(Block::Thinking { signature, .. }) = call_signature(tool) {
            let index = self.start_block(Block::Thinking { thinking: "", signature: Cow::Borrowed("") }, out);
            write(&WireEvent::ContentBlockDelta { index, delta: Delta::Signature { signature } }, out);
            write(&WireEvent::ContentBlockStop { index }, out);
        }
        let block = Block::ToolUse { id: &tool.id, name: &tool.name, input: Input::Nothing {} };
        let index = self.start_block(block, out);
        let arguments = match tool.custom {
            true => Arguments::Custom(String::new()),
            false => Arguments::Json(Scan::default()),
        };
        self.calls.push(OpenCall { call, index, arguments });
        self.argue(call, &tool.arguments, out);
    }

    /// Writes more of a call's arguments; a call whose object is whole is ended.
    fn argue(&mut self, call: u32, json: &str, out: &mut Vec<u8>) {
        let Some(position) = self.calls.iter().position(|open| open.call == call) else { return };
        let Some(open) = self.calls.get_mut(position) else { return };
        if json.is_empty() {
            return;
        }
        let is_whole = match &mut open.arguments {
            Arguments::Custom(text) => {
                text.push_str(json);
                false
            }
            Arguments::Json(scan) => {
                let delta = Delta::InputJson { partial_json: json };
                write(&WireEvent::ContentBlockDelta { index: open.index, delta }, out);
                scan.push(json)
            }
        };
        if is_whole {
            self.calls.remove(position).end(out);
        }
    }

    /// A block with all that it will ever have.
    fn whole(&mut self, block: Block<'_>, out: &mut Vec<u8>) {
        let index = self.start_block(block, out);
        write(&WireEvent::ContentBlockStop { index }, out);
    }

    fn start_block(&mut self, content_block: Block<'_>, out: &mut Vec<u8>) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        write(&WireEvent::ContentBlockStart { index, content_block }, out);
        index
    }

    /// Ends the text or the thinking that is open.
    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some((_, index)) = self.open.take() {
            write(&WireEvent::ContentBlockStop { index }, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        self.begin(out);
        self.close(out);
        for call in std::mem::take(&mut self.calls) {
            call.end(out);
        }
        let (finish, stop) = self.finish.take().unwrap_or((Finish::Stop, None));
        let refusal = Some(&*self.refusal).filter(|words| !words.is_empty());
        let reason = stop_reason(finish, stop.is_some(), self.called, refusal.is_some());
        let delta = MessageChange {
            stop_reason: reason,
            stop_sequence: stop.as_deref().filter(|_| reason == STOP_SEQUENCE),
            stop_details: stop_details(Some(reason), refusal.map(Cow::Borrowed)),
        };
        write(&WireEvent::MessageDelta { delta, usage: self.usage.into() }, out);
        write(&WireEvent::MessageStop {}, out);
    }
}

impl OpenCall {
    fn end(self, out: &mut Vec<u8>) {
        let index = self.index;
        if let Arguments::Custom(text) = self.arguments {
            let json = serde_json::to_string(&CustomInput(&text)).unwrap_or_default();
            let delta = Delta::InputJson { partial_json: &json };
            write(&WireEvent::ContentBlockDelta { index, delta }, out);
        }
        write(&WireEvent::ContentBlockStop { index }, out);
    }
}

impl Scan {
    /// Takes more of the text; returns whether the object, or the array, is whole.
    fn push(&mut self, json: &str) -> bool {
        for byte in json.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if !self.in_string => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
        self.whole
    }
}

/// Writes one event under the name of its type.
fn write(event: &WireEvent<'_>, out: &mut Vec<u8>) {
    let name = match event {
        WireEvent::MessageStart { .. } => "message_start",
        WireEvent::ContentBlockStart { .. } => "content_block_start",
        WireEvent::ContentBlockDelta { .. } => "content_block_delta",
        WireEvent::ContentBlockStop { .. } => "content_block_stop",
        WireEvent::MessageDelta { .. } => "message_delta",
        WireEvent::MessageStop {} => "message_stop",
    };
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Text and numbers always serialise.
    let _ = serde_json::to_writer(&mut *out, event);
    out.extend_from_slice(b"\n\n");
}
