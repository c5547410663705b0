//! Streamed answers: `text_completion` events, written for clients.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};

use crate::conversation::{Event, Finish, TokenLogprob};
use crate::dialect::Asked;
use crate::dialect::openai::failure::encode_failure;
use crate::usage::Usage;

use super::answer::{Completion, CompletionChoice, Logprobs, finish_reason};

/// Writes the events of one streamed answer for a client.
#[derive(Debug)]
pub struct StreamWriter {
    id: String,
    model: String,
    created: u64,
    include_usage: bool,
    usage: Option<Usage>,
    choices: BTreeMap<u32, ChoiceState>,
}

/// Where one choice is.
#[derive(Debug, Default)]
struct ChoiceState {
    /// How many characters of its text have been written.
    written: usize,
    /// The JSON of chances that go with its next text.
    logprobs: Option<Box<RawValue>>,
}

impl StreamWriter {
    /// `now`: seconds since the Unix epoch.
    pub(crate) fn new(asked: Asked, now: u64) -> Self {
        Self {
            id: String::new(),
            model: asked.model,
            created: now,
            include_usage: asked.stream_usage,
            usage: None,
            choices: BTreeMap::new(),
        }
    }

    /// Appends what one event becomes to `out`.
    pub fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                self.id = id.map(|id| id.into_owned()).unwrap_or_default();
                if let Some(model) = model {
                    self.model = model.into_owned();
                }
            }
            Event::Text { choice, text } | Event::Refusal { choice, text } => {
                self.text(choice, &text, None, out);
            }
            Event::Logprobs { choice, tokens } => self.hold(choice, tokens),
            Event::Finish { choice, finish, .. } => self.text(choice, "", Some(finish), out),
            Event::Usage(usage) => self.usage = Some(usage),
            // There is no place for thinking, and no tool was offered.
            Event::Reasoning { .. }
            | Event::Signature { .. }
            | Event::HiddenReasoning { .. }
            | Event::Media { .. }
            | Event::ToolCall { .. }
            | Event::Arguments { .. } => {}
            Event::Error(failure) => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&encode_failure(&failure));
                out.extend_from_slice(b"\n\n");
            }
            Event::End => {
                if let Some(usage) = self.usage.filter(|_| self.include_usage) {
                    self.chunk(Vec::new(), Some(usage), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
        }
    }

    fn hold(&mut self, choice: u32, tokens: Vec<TokenLogprob<'_>>) {
        let state = self.choices.entry(choice).or_default();
        // Text and numbers always serialise.
        state.logprobs = to_raw_value(&Logprobs::new(&tokens, state.written)).ok();
    }

    fn text(&mut self, index: u32, text: &str, finish: Option<Finish>, out: &mut Vec<u8>) {
        let state = self.choices.entry(index).or_default();
        state.written += text.chars().count();
        let choice = CompletionChoice {
            text: Cow::Borrowed(text),
            index,
            logprobs: state.logprobs.take(),
            finish_reason: finish.map(finish_reason),
        };
        self.chunk(vec![choice], None, out);
    }

    fn chunk(
        &self,
        choices: Vec<CompletionChoice<'_, Box<RawValue>>>,
        usage: Option<Usage>,
        out: &mut Vec<u8>,
    ) {
        let chunk = Completion {
            id: &self.id,
            object: "text_completion",
            created: self.created,
            model: &self.model,
            choices,
            usage: self.include_usage.then(|| usage.map(Into::into)),
        };
        out.extend_from_slice(b"data: ");
        // Text and numbers always serialise.
        let _ = serde_json::to_writer(&mut *out, &chunk);
        out.extend_from_slice(b"\n\n");
    }
}
