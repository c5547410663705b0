//! Streamed answers as providers write them.

use crate::conversation::{Event, Finish};
use crate::dialect::openai::chat::WireUsage;
use crate::dialect::openai::failure::{WireError, streamed_failure};
use crate::failure::Failure;
use crate::json::{self, Text, object};

/// Reads of a provider's chunks what the gateway itself needs while their bytes pass as they are: whether they
/// begin, fail or end, and what they used.
#[derive(Debug, Default)]
pub struct ChunkReader {
    started: bool,
    over: bool,
    /// The choices that have not finished.
    open: Vec<u32>,
    finished: bool,
}

object! {
    struct Chunk<'a> {
        "id" => id: Text<'a>,
        "model" => model: Text<'a>,
        "choices" => choices: Vec<ChunkChoice<'a>>,
        "usage" => usage: WireUsage,
        "error" => error: WireError<'a>,
        ..
    }
}

object! {
    struct ChunkChoice<'a> {
        "index" => index: u32,
        "finish_reason" => finish_reason: Text<'a>,
        ..
    }
}

impl ChunkReader {
    /// Takes the data of one event.
    pub fn event(&mut self, data: &str, emit: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        if data.trim_ascii() == "[DONE]" {
            self.over = true;
            return emit(Event::End);
        }
        let chunk = match json::read::<Chunk<'_>>(data.as_bytes()) {
            Ok(chunk) => chunk,
            Err(_) => {
                return self.fail(Failure::malformed("The provider's stream could not be read."), emit);
            }
        };
        if let Some(error) = chunk.error {
            return self.fail(streamed_failure(&error), emit);
        }
        if !std::mem::replace(&mut self.started, true) {
            emit(Event::Start { id: chunk.id, model: chunk.model });
        }
        for choice in chunk.choices.unwrap_or_default() {
            self.follow(choice.index.unwrap_or(0), choice.finish_reason.as_deref(), emit);
        }
        if let Some(usage) = chunk.usage {
            emit(Event::Usage(usage.into()));
        }
    }

    /// The stream has ended. Some compatible servers leave out `[DONE]`; an answer whose choices have all finished
    /// is complete all the same.
    pub fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        match self.finished && self.open.is_empty() {
            true => {
                self.over = true;
                emit(Event::End);
            }
            false => self.fail(Failure::truncated(), emit),
        }
    }

    fn follow(&mut self, choice: u32, finish: Option<&str>, emit: &mut dyn FnMut(Event<'_>)) {
        let position = self.open.iter().position(|open| *open == choice);
        match (finish, position) {
            (None, None) => self.open.push(choice),
            (None, Some(_)) => {}
            (Some(word), position) => {
                position.map(|position| self.open.swap_remove(position));
                self.finished = true;
                let finish = match word {
                    "length" => Finish::Length,
                    "tool_calls" | "function_call" => Finish::ToolCalls,
                    "content_filter" => Finish::ContentFilter,
                    _ => Finish::Stop,
                };
                emit(Event::Finish { choice, finish, stop: None });
            }
        }
    }

    fn fail(&mut self, failure: Failure, emit: &mut dyn FnMut(Event<'_>)) {
        self.over = true;
        emit(Event::Error(failure));
    }
}
