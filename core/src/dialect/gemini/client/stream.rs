//! Writes a streamed answer: each event is a whole response that holds what is new.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::conversation::{Event, Finish, Signature, ToolCall};
use crate::dialect::Asked;
use crate::failure::Failure;
use crate::usage::Usage;

use super::answer::{Candidate, Content, Ending, Logprobs, Part, Response, UsageMetadata};
use super::failure::encode_failure;
use super::signature;

/// Writes a streamed answer for a client: server-sent events, or one JSON array.
#[derive(Debug)]
pub struct StreamWriter {
    /// Whether the stream is one JSON array.
    array: bool,
    begun: bool,
    over: bool,
    model: String,
    id: Option<String>,
    usage: Option<Usage>,
    choices: Vec<Progress>,
}

/// How far a choice has come.
#[derive(Debug, Default)]
struct Progress {
    index: u32,
    /// A call whose arguments may not be complete: Gemini's calls come whole.
    held: Vec<HeldCall>,
    /// How many calls have been written.
    calls: u32,
    /// The words in which the model declined; they are said at the end.
    refusal: String,
    /// The chances of the text that comes next.
    logprobs: Option<Box<RawValue>>,
    is_malformed: bool,
    is_thinking: bool,
    finish: Option<Finish>,
}

#[derive(Debug)]
struct HeldCall {
    call: u32,
    id: String,
    name: String,
    arguments: String,
    signature: Option<String>,
}

impl StreamWriter {
    pub(crate) fn new(asked: Asked) -> Self {
        Self {
            array: asked.array,
            begun: false,
            over: false,
            model: asked.model,
            id: None,
            usage: None,
            choices: Vec::new(),
        }
    }

    /// Appends what one event becomes to `out`.
    pub fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => {
                self.id = id.map(|id| id.into_owned());
                if let Some(model) = model.filter(|model| !model.is_empty()) {
                    self.model = model.into_owned();
                }
            }
            Event::Text { choice, text } if !text.is_empty() => {
                let position = self.settled(choice, out);
                if let Some(progress) = self.choices.get_mut(position) {
                    progress.is_thinking = false;
                }
                self.part(position, Part::text(&text), out);
            }
            Event::Reasoning { choice, text } if !text.is_empty() => {
                let position = self.settled(choice, out);
                if let Some(progress) = self.choices.get_mut(position) {
                    progress.is_thinking = true;
                }
                self.part(position, Part::thought(&text), out);
            }
            Event::Text { .. } | Event::Reasoning { .. } => {}
            Event::Refusal { choice, text } => {
                if let Some(progress) = self.progress(choice) {
                    progress.refusal.push_str(&text);
                }
            }
            Event::Media { choice, media } => {
                let position = self.settled(choice, out);
                if let Some(progress) = self.choices.get_mut(position) {
                    progress.is_thinking = false;
                }
                if let Some(part) = Part::media(&media) {
                    self.part(position, part, out);
                }
            }
            Event::Signature { choice, signature } => self.signature(choice, Some(&signature), None, out),
            Event::HiddenReasoning { choice, hidden } => self.signature(choice, None, Some(&hidden), out),
            Event::ToolCall { choice, call, tool } => self.call(choice, call, tool, out),
            Event::Arguments { choice, call, json } => {
                let held = self
                    .progress(choice)
                    .and_then(|progress| progress.held.iter_mut().rev().find(|held| held.call == call));
                if let Some(held) = held {
                    held.arguments.push_str(&json);
                }
            }
            Event::Logprobs { choice, tokens } => {
                let written = serde_json::value::to_raw_value(&Logprobs::Tokens(&tokens)).ok();
                if let Some(progress) = self.progress(choice) {
                    progress.logprobs = written;
                }
            }
            Event::Finish { choice, finish, .. } => {
                let position = self.position(choice);
                self.flush(position, true, out);
                if let Some(progress) = self.choices.get_mut(position) {
                    progress.finish = Some(finish);
                }
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error(failure) => self.fail(&failure, out),
            Event::End => self.end(out),
        }
    }

    /// The media type of the stream.
    pub fn content_type(&self) -> &'static str {
        if self.array { "application/json" } else { "text/event-stream" }
    }

    fn signature(
        &mut self,
        choice: u32,
        signature: Option<&Signature<'_>>,
        hidden: Option<&Signature<'_>>,
        out: &mut Vec<u8>,
    ) {
        let position = self.settled(choice, out);
        let is_thinking = self.choices.get(position).is_some_and(|progress| progress.is_thinking);
        // Another vendor's belongs to a thought, Gemini's own to whatever stood before it.
        let is_thought = is_thinking || hidden.is_some() || signature.is_some_and(signature::is_foreign);
        let part = if is_thought { Part::thought("") } else { Part::text("") };
        let thought_signature = signature::write(signature, hidden, None);
        self.part(position, Part { thought_signature, ..part }, out);
    }

    fn call(&mut self, choice: u32, call: u32, tool: ToolCall<'_>, out: &mut Vec<u8>) {
        let position = self.settled(choice, out);
        let signature = signature::write(tool.signature.as_ref(), None, None).map(Cow::into_owned);
        if let Some(progress) = self.choices.get_mut(position) {
            progress.held.push(HeldCall {
                call,
                id: tool.id.into_owned(),
                name: tool.name.into_owned(),
                arguments: tool.arguments.into_owned(),
                signature,
            });
        }
    }

    /// A choice by its index, at the place where it is kept; a new one begins here.
    fn position(&mut self, index: u32) -> usize {
        self.choices.iter().position(|progress| progress.index == index).unwrap_or_else(|| {
            self.choices.push(Progress { index, ..Progress::default() });
            self.choices.len() - 1
        })
    }

    fn progress(&mut self, index: u32) -> Option<&mut Progress> {
        let position = self.position(index);
        self.choices.get_mut(position)
    }

    /// The same; calls before what comes now are written, where they are complete.
    fn settled(&mut self, index: u32, out: &mut Vec<u8>) -> usize {
        let position = self.position(index);
        self.flush(position, false, out);
        position
    }

    /// Writes the calls that are held. Before the end of the choice, arguments that are no object yet may go on.
    fn flush(&mut self, position: usize, at_end: bool, out: &mut Vec<u8>) {
        loop {
            let Some(progress) = self.choices.get_mut(position) else { return };
            let Some(held) = progress.held.first() else { return };
            let is_whole = held.arguments.ends_with('}')
                && crate::json::read::<crate::json::RawObject<'_>>(held.arguments.as_bytes()).is_ok();
            if !at_end && !is_whole {
                return;
            }
            let held = progress.held.remove(0);
            let count = progress.calls;
            progress.calls += 1;
            progress.is_thinking = false;
            let signature = held.signature.map(Cow::Owned);
            match Part::call(&held.id, &held.name, &held.arguments, signature, count) {
                Some(part) => self.part(position, part, out),
                None => progress.is_malformed = true,
            }
        }
    }

    fn part(&mut self, position: usize, part: Part<'_>, out: &mut Vec<u8>) {
        let Some(progress) = self.choices.get_mut(position) else { return };
        // The chances are those of the answer's own words.
        let is_text = part.text.is_some_and(|text| !text.is_empty()) && part.thought.is_none();
        let logprobs = progress.logprobs.take_if(|_| is_text);
        let candidate = Candidate {
            content: Content::new(vec![part]),
            finish_reason: None,
            finish_message: None,
            index: progress.index,
            logprobs_result: logprobs.map(Logprobs::Written),
        };
        self.write(vec![candidate], None, out);
    }

    /// The last event says why each choice ended, and what has been used: providers may tell that last.
    fn end(&mut self, out: &mut Vec<u8>) {
        let mut choices = std::mem::take(&mut self.choices);
        let candidates = choices
            .iter_mut()
            .map(|progress| {
                let refusal = Cow::Owned(std::mem::take(&mut progress.refusal));
                let finish = progress.finish.unwrap_or(Finish::Stop);
                let ending = Ending::of(finish, refusal, progress.is_malformed);
                Candidate {
                    content: Content::new(Vec::new()),
                    finish_reason: Some(ending.reason),
                    finish_message: ending.message,
                    index: progress.index,
                    logprobs_result: progress.logprobs.take().map(Logprobs::Written),
                }
            })
            .collect();
        self.write(candidates, self.usage.map(UsageMetadata::from), out);
        if self.array {
            out.push(b']');
        }
        self.over = true;
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.frame(&encode_failure(failure), out);
        if self.array {
            out.push(b']');
        }
        self.over = true;
    }

    fn write(&mut self, candidates: Vec<Candidate<'_>>, usage: Option<UsageMetadata>, out: &mut Vec<u8>) {
        let response = Response {
            candidates,
            usage_metadata: usage,
            model_version: &self.model,
            response_id: self.id.as_deref(),
        };
        // Text, numbers and JSON always serialise.
        let body = serde_json::to_vec(&response).unwrap_or_default();
        self.frame(&body, out);
    }

    fn frame(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let is_first = !std::mem::replace(&mut self.begun, true);
        match (self.array, is_first) {
            (true, true) => out.push(b'['),
            (true, false) => out.extend_from_slice(b",\r\n"),
            (false, _) => out.extend_from_slice(b"data: "),
        }
        out.extend_from_slice(body);
        if !self.array {
            out.extend_from_slice(b"\r\n\r\n");
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
