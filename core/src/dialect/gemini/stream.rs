//! Reads a streamed answer: each event is a whole response that holds what is new, and counts that hold for all so far.

use crate::conversation::{Event, Finish};
use crate::failure::Failure;
use crate::json::Text;

use super::answer::{read_call, read_media, signature};
use super::failure::misplaced;
use super::wire::{self, Candidate, Part, PromptFeedback, UsageMetadata};

/// The most choices that are followed; Gemini gives 8.
const MAX_CHOICES: usize = 128;

/// Reads the events of one streamed answer.
#[derive(Debug, Default)]
pub struct StreamReader {
    started: bool,
    /// An end or an error has been emitted.
    over: bool,
    /// The answer's id, for the calls that have none.
    id: Option<String>,
    usage: UsageMetadata,
    choices: Vec<Progress>,
}

/// How far a choice has come.
#[derive(Debug)]
struct Progress {
    index: u32,
    calls: u32,
    finished: bool,
}

impl StreamReader {
    /// Takes the data of one event.
    pub fn event(&mut self, data: &str, emit: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        if let Err(failure) = self.read(data, emit) {
            self.over = true;
            emit(Event::Error(failure));
        }
    }

    /// The stream has ended. Gemini has no event for that: an answer is complete when each of its choices has said
    /// why it ended.
    pub fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        match !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finished) {
            true => emit(Event::End),
            false => emit(Event::Error(Failure::truncated())),
        }
    }

    fn read(&mut self, data: &str, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Failure> {
        let response = wire::read(data.as_bytes()).map_err(|_| malformed())?;
        if let Some(error) = &response.error {
            return Err(misplaced(error));
        }
        let candidates = response.candidates.unwrap_or_default();
        // Looked at before anything is said: as the first event, a failure can still be met by another provider.
        let failure = candidates.iter().find_map(|candidate| candidate.finish().err());
        if failure.is_none() && !std::mem::replace(&mut self.started, true) {
            self.id = response.response_id.as_deref().map(str::to_owned);
            emit(Event::Start { id: response.response_id, model: response.model_version });
        }
        if let Some(usage) = response.usage_metadata.filter(|_| self.started) {
            self.usage = self.usage.replaced_by(usage);
            emit(Event::Usage(self.usage.into()));
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let is_empty = candidates.is_empty();
        for candidate in candidates {
            self.candidate(candidate, emit)?;
        }
        match response.prompt_feedback.filter(|feedback| is_empty && feedback.is_blocked()) {
            Some(feedback) => self.block(&feedback, emit),
            None => Ok(()),
        }
    }

    fn candidate(
        &mut self,
        mut candidate: Candidate<'_>,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Failure> {
        let choice = candidate.index.unwrap_or(0);
        let finish = candidate.finish()?;
        let mut parts = candidate.take_parts();
        parts.retain(says_something);
        let id = self.id.as_deref();
        let progress = progress(&mut self.choices, choice)?;
        if progress.finished {
            // Nothing more can be said to the client of this choice, and nothing may be lost.
            return if parts.is_empty() { Ok(()) } else { Err(malformed()) };
        }
        let mut tokens = candidate.logprobs_result.map(wire::LogprobsResult::into_tokens);
        let has_text = parts.iter().any(is_text);
        for part in parts {
            // The chances go before the text; where there is none, before whatever else there is.
            if let Some(tokens) = tokens.take_if(|_| is_text(&part) || !has_text) {
                emit(Event::Logprobs { choice, tokens });
            }
            if let Some(call) = part.function_call {
                let position = progress.calls;
                progress.calls += 1;
                let tool = read_call(call, part.thought_signature, id, position);
                emit(Event::ToolCall { choice, call: position, tool });
                continue;
            }
            let is_text = is_text(&part);
            if let Some(media) = read_media(part.inline_data, part.thought) {
                emit(Event::Media { choice, media });
            }
            let text = part.text.unwrap_or_default();
            match is_text {
                _ if text.is_empty() => {}
                true => emit(Event::Text { choice, text }),
                false => emit(Event::Reasoning { choice, text }),
            }
            if let Some(signature) = signature(part.thought_signature) {
                emit(Event::Signature { choice, signature });
            }
        }
        if let Some(tokens) = tokens {
            emit(Event::Logprobs { choice, tokens });
        }
        let Some(finish) = finish else { return Ok(()) };
        let refusal =
            candidate.finish_message.filter(|text| finish == Finish::ContentFilter && !text.is_empty());
        if let Some(text) = refusal {
            emit(Event::Refusal { choice, text });
        }
        let finish = match finish {
            Finish::Stop if progress.calls > 0 => Finish::ToolCalls,
            finish => finish,
        };
        progress.finished = true;
        emit(Event::Finish { choice, finish, stop: None });
        Ok(())
    }

    /// The prompt was blocked: every choice that is not finished ends here, the first when there is none yet.
    fn block(
        &mut self,
        feedback: &PromptFeedback<'_>,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Failure> {
        if self.choices.is_empty() {
            progress(&mut self.choices, 0)?;
        }
        for progress in self.choices.iter_mut().filter(|choice| !choice.finished) {
            let choice = progress.index;
            if let Some(text) = feedback.block_reason_message.as_deref().filter(|text| !text.is_empty()) {
                emit(Event::Refusal { choice, text: text.into() });
            }
            progress.finished = true;
            emit(Event::Finish { choice, finish: Finish::ContentFilter, stop: None });
        }
        Ok(())
    }
}

/// A choice by its index; a new one begins here.
fn progress(choices: &mut Vec<Progress>, index: u32) -> Result<&mut Progress, Failure> {
    let position = choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
        choices.push(Progress { index, calls: 0, finished: false });
        choices.len() - 1
    });
    choices.get_mut(position).filter(|_| position < MAX_CHOICES).ok_or_else(malformed)
}

/// Text, a medium, a call or a signature; other parts have no place in a stream of ours.
fn says_something(part: &Part<'_>) -> bool {
    let has = |text: &Option<Text<'_>>| text.as_ref().is_some_and(|text| !text.is_empty());
    part.function_call.is_some()
        || part.inline_data.is_some()
        || has(&part.text)
        || has(&part.thought_signature)
}

/// Of a part that says something: whether it is the answer's own words.
fn is_text(part: &Part<'_>) -> bool {
    let has_text = part.text.as_ref().is_some_and(|text| !text.is_empty());
    has_text && part.function_call.is_none() && part.thought != Some(true)
}

fn malformed() -> Failure {
    Failure::malformed("The provider's stream could not be read.")
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
