//! Streamed answers: `chat.completion.chunk` events, written for clients and read from providers.

use std::io::Write as _;

use serde::Serialize;

use crate::conversation::{Event, Finish, TokenLogprob};
use crate::usage::Usage;

use super::answer::{CompletionUsage, ExtraContent, Logprobs, extra_content, finish_reason};
use crate::dialect::openai::failure::encode_failure;

/// Writes the events of one streamed answer as server-sent events.
#[derive(Debug)]
pub struct ChatEncoder {
    created: u64,
    include_usage: bool,
    /// The model's name where the provider doesn't tell it.
    model: String,
    /// Everything of a chunk that comes before the choice's index; written once, as it never changes.
    head: Vec<u8>,
    /// The choices whose first chunk, with the role, has been written.
    begun: Vec<u32>,
    /// Chances that go with the next text: the choice, and the JSON of its `logprobs`.
    logprobs: Option<(u32, Vec<u8>)>,
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct ChunkHead<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
}

impl ChatEncoder {
    /// `now`: seconds since the Unix epoch. `include_usage`: whether the client asked for a chunk of the usage. `model`:
    /// what to call the model where the provider doesn't tell.
    pub fn new(now: u64, include_usage: bool, model: &str) -> Self {
        let model = model.to_owned();
        Self {
            created: now,
            include_usage,
            model,
            head: Vec::new(),
            begun: Vec::new(),
            logprobs: None,
            usage: None,
        }
    }

    /// Appends what one event becomes to `out`.
    pub fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                self.head = self
                    .chunk_head(id.as_deref().unwrap_or_default(), model.as_deref().unwrap_or(&self.model));
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
                let delta = ToolCallDelta {
                    index: call,
                    id: Some(&tool.id),
                    r#type: Some("function"),
                    function: FunctionDelta { name: Some(&tool.name), arguments: &tool.arguments },
                    extra_content: extra_content(&tool),
                };
                self.delta(choice, "tool_calls", &[delta], out);
            }
            Event::Arguments { choice, call, json } => {
                let function = FunctionDelta { name: None, arguments: &json };
                let delta =
                    ToolCallDelta { index: call, id: None, r#type: None, function, extra_content: None };
                self.delta(choice, "tool_calls", &[delta], out);
            }
            Event::Logprobs { choice, tokens } => self.hold_logprobs(choice, &tokens, out),
            // Chat completions have no place for what signs thinking, but in a tool call.
            Event::Signature { .. } | Event::HiddenReasoning { .. } => {}
            Event::Finish { choice, finish, .. } => {
                self.begin(choice, out);
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
        match self.logprobs.take_if(|(of, _)| *of == choice) {
            Some((_, logprobs)) => out.extend_from_slice(&logprobs),
            None => out.extend_from_slice(b"null"),
        }
        let _ = match finish {
            Some(finish) => write!(out, ",\"finish_reason\":\"{}\"}}]", finish_reason(finish)),
            None => write!(out, ",\"finish_reason\":null}}]"),
        };
        out.extend_from_slice(if self.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" });
    }

    fn hold_logprobs(&mut self, choice: u32, tokens: &[TokenLogprob<'_>], out: &mut Vec<u8>) {
        self.begin(choice, out);
        let json = serde_json::to_vec(&Logprobs::from(tokens)).unwrap_or_default();
        self.logprobs = Some((choice, json));
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(usage) = self.usage.filter(|_| self.include_usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],\"usage\":");
            let _ = serde_json::to_writer(&mut *out, &CompletionUsage::from(usage));
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

#[derive(Serialize)]
struct ToolCallDelta<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionDelta<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraContent<'a>>,
}

#[derive(Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}
