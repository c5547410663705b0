//! Streamed answers: `chat.completion.chunk` events, written for clients and read from providers.

use std::io::Write as _;

use serde::Serialize;

use crate::conversation::{Event, Finish, TokenLogprob, ToolCall};
use crate::dialect::Asked;
use crate::usage::Usage;

use super::answer::{
    CompletionUsage, ExtraContent, GoogleContent, Logprobs, custom_input, extra_content, finish_reason,
    is_custom,
};
use crate::dialect::openai::failure::encode_failure;

/// Writes the events of one streamed answer as server-sent events.
#[derive(Debug)]
pub struct ChatEncoder {
    created: u64,
    asked: Asked,
    /// Everything of a chunk that comes before the choice's index; written once, as it never changes.
    head: Vec<u8>,
    /// The choices whose first chunk, with the role, has been written.
    begun: Vec<u32>,
    /// Chances that go with the next text of a choice: the JSON of its `logprobs`.
    logprobs: Vec<(u32, Vec<u8>)>,
    /// The calls of custom tools, by choice and call.
    customs: Vec<(u32, u32)>,
    /// Calls until they are complete: of functions that stand for custom tools, as only then their text is known, and all for a client
    /// that takes none but whole ones.
    held: Vec<HeldCall>,
    usage: Option<Usage>,
}

#[derive(Debug)]
struct HeldCall {
    choice: u32,
    call: u32,
    id: String,
    name: String,
    arguments: String,
    /// As it is written for the client.
    signature: Option<String>,
    /// Whether it is the call of a custom tool, which the provider knows as a function.
    custom: bool,
}

#[derive(Serialize)]
struct ChunkHead<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
}

impl ChatEncoder {
    /// `now`: seconds since the Unix epoch.
    pub fn new(asked: Asked, now: u64) -> Self {
        Self {
            created: now,
            asked,
            head: Vec::new(),
            begun: Vec::new(),
            logprobs: Vec::new(),
            customs: Vec::new(),
            held: Vec::new(),
            usage: None,
        }
    }

    /// Appends what one event becomes to `out`.
    pub fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                let model = model.as_deref().unwrap_or(&self.asked.model);
                self.head = self.chunk_head(id.as_deref().unwrap_or_default(), model);
                self.begin(0, out);
            }
            Event::Text { choice, text } => {
                self.begin(choice, out);
                self.delta(choice, "content", &*text, out);
            }
            Event::Refusal { choice, text } => {
                self.begin(choice, out);
                self.delta(choice, "refusal", &*text, out);
            }
            Event::Reasoning { choice, text } => {
                self.begin(choice, out);
                self.delta(choice, "reasoning_content", &*text, out);
            }
            Event::ToolCall { choice, call, tool } => {
                self.begin(choice, out);
                if !self.asked.mistral {
                    self.release(choice, out);
                }
                self.tool_call(choice, call, &tool, out);
            }
            Event::Arguments { choice, call, json } => self.arguments(choice, call, &json, out),
            Event::Logprobs { choice, tokens } => self.hold_logprobs(choice, &tokens, out),
            // Chat completions have no place for what signs thinking, but in a tool call.
            // An answer with media is a failure before it gets here.
            Event::Signature { .. } | Event::HiddenReasoning { .. } | Event::Media { .. } => {}
            Event::Finish { choice, finish, .. } => {
                self.begin(choice, out);
                self.release(choice, out);
                self.chunk(choice, b"{}", Some(finish), out);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error(failure) => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&encode_failure(&failure));
                out.extend_from_slice(b"\n\n");
            }
            Event::End => self.end(out),
        }
    }

    fn tool_call(&mut self, choice: u32, call: u32, tool: &ToolCall<'_>, out: &mut Vec<u8>) {
        let delta =
            ToolCallDelta { extra_content: extra_content(tool), ..ToolCallDelta::begin(call, &tool.id) };
        if tool.custom {
            self.customs.push((choice, call));
            let custom = Some(CustomDelta { name: Some(&tool.name), input: &tool.arguments });
            let delta = ToolCallDelta { r#type: Some("custom"), custom, ..delta };
            return self.delta(choice, "tool_calls", &[delta], out);
        }
        let custom = is_custom(&self.asked, &tool.name);
        if custom || self.asked.mistral {
            let (id, name) = (tool.id.to_string(), tool.name.to_string());
            let signature = extra_content(tool).map(|extra| extra.google.thought_signature.into_owned());
            let arguments = tool.arguments.to_string();
            self.held.push(HeldCall { choice, call, id, name, arguments, signature, custom });
            return;
        }
        let function = Some(FunctionDelta { name: Some(&tool.name), arguments: &tool.arguments });
        self.delta(
            choice,
            "tool_calls",
            &[ToolCallDelta { r#type: Some("function"), function, ..delta }],
            out,
        );
    }

    fn arguments(&mut self, choice: u32, call: u32, json: &str, out: &mut Vec<u8>) {
        if let Some(held) = self.held.iter_mut().find(|held| (held.choice, held.call) == (choice, call)) {
            return held.arguments.push_str(json);
        }
        let delta = ToolCallDelta { index: call, ..ToolCallDelta::default() };
        let delta = match self.customs.contains(&(choice, call)) {
            true => ToolCallDelta { custom: Some(CustomDelta { name: None, input: json }), ..delta },
            false => ToolCallDelta { function: Some(FunctionDelta { name: None, arguments: json }), ..delta },
        };
        self.delta(choice, "tool_calls", &[delta], out);
    }

    /// Writes the held calls of a choice, each whole, as another call begins or the choice ends.
    fn release(&mut self, choice: u32, out: &mut Vec<u8>) {
        let (ready, held) =
            std::mem::take(&mut self.held).into_iter().partition(|held| held.choice == choice);
        self.held = held;
        let ready: Vec<HeldCall> = ready;
        for call in ready {
            let name = Some(call.name.as_str());
            let signed =
                call.signature.as_deref().map(|text| GoogleContent { thought_signature: text.into() });
            let extra_content = signed.map(|google| ExtraContent { google });
            let delta = ToolCallDelta { extra_content, ..ToolCallDelta::begin(call.call, &call.id) };
            let input = custom_input(&call.arguments);
            let delta = match call.custom {
                true => {
                    let custom = Some(CustomDelta { name, input: &input });
                    ToolCallDelta { r#type: Some("custom"), custom, ..delta }
                }
                false => {
                    let function = Some(FunctionDelta { name, arguments: &call.arguments });
                    ToolCallDelta { r#type: Some("function"), function, ..delta }
                }
            };
            self.delta(choice, "tool_calls", &[delta], out);
        }
    }

    fn chunk_head(&self, id: &str, model: &str) -> Vec<u8> {
        let head = ChunkHead { id, object: "chat.completion.chunk", created: self.created, model };
        let mut bytes = b"data: ".to_vec();
        // Text and numbers always serialise.
        let _ = serde_json::to_writer(&mut bytes, &head);
        // The object goes on behind its last field.
        bytes.pop();
        bytes.extend_from_slice(b",\"choices\":[");
        bytes
    }

    /// Writes the chunk that opens a choice, once.
    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) {
        if !self.begun.contains(&choice) {
            self.begun.push(choice);
            self.chunk(choice, br#"{"role":"assistant","content":""}"#, None, out);
        }
    }

    fn delta<T: Serialize + ?Sized>(&mut self, choice: u32, field: &str, value: &T, out: &mut Vec<u8>) {
        self.open(choice, out);
        let _ = write!(out, "{{\"{field}\":");
        let _ = serde_json::to_writer(&mut *out, value);
        out.push(b'}');
        self.close(choice, None, out);
    }

    fn chunk(&mut self, choice: u32, delta: &[u8], finish: Option<Finish>, out: &mut Vec<u8>) {
        self.open(choice, out);
        out.extend_from_slice(delta);
        self.close(choice, finish, out);
    }

    fn open(&self, choice: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        let _ = write!(out, "{{\"index\":{choice},\"delta\":");
    }

    fn close(&mut self, choice: u32, finish: Option<Finish>, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"logprobs\":");
        match self.logprobs.iter().position(|(of, _)| *of == choice) {
            Some(position) => out.extend_from_slice(&self.logprobs.swap_remove(position).1),
            None => out.extend_from_slice(b"null"),
        }
        let _ = match finish {
            Some(finish) => write!(out, ",\"finish_reason\":\"{}\"}}]", finish_reason(finish)),
            None => write!(out, ",\"finish_reason\":null}}]"),
        };
        out.extend_from_slice(if self.asked.stream_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" });
    }

    fn hold_logprobs(&mut self, choice: u32, tokens: &[TokenLogprob<'_>], out: &mut Vec<u8>) {
        self.begin(choice, out);
        let json = serde_json::to_vec(&Logprobs::from(tokens)).unwrap_or_default();
        self.logprobs.retain(|(of, _)| *of != choice);
        self.logprobs.push((choice, json));
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        for choice in self.begun.clone() {
            self.release(choice, out);
        }
        if let Some(usage) = self.usage.filter(|_| self.asked.stream_usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],\"usage\":");
            let _ = serde_json::to_writer(&mut *out, &CompletionUsage::from(usage));
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

#[derive(Default, Serialize)]
struct ToolCallDelta<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<FunctionDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CustomDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraContent<'a>>,
}

#[derive(Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CustomDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    input: &'a str,
}

impl<'a> ToolCallDelta<'a> {
    fn begin(index: u32, id: &'a str) -> Self {
        Self { index, id: Some(id), ..Self::default() }
    }
}
