//! Scripted behaviours: what a test can make a vendor do instead of answering well.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;

/// One entry of a vendor's queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What to do.
    pub behaviour: Behaviour,
    /// For how many requests; 0 means for all from now on.
    #[serde(default = "once")]
    pub times: u64,
}

const fn once() -> u64 {
    1
}

impl From<Behaviour> for Script {
    fn from(behaviour: Behaviour) -> Self {
        Script { behaviour, times: once() }
    }
}

/// What a vendor does with one request. In JSON each is an object whose `kind` is the variant's name in snake case.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// Answers as without a script: the way to place a good answer between faults.
    Normal {},
    /// Answers well, with this content in the vendor's own form.
    Content(Content),
    /// Refuses with a status.
    Status {
        /// The status.
        status: u16,
        /// Headers to add, such as `retry-after`.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body: a string is sent as it is, anything else as JSON. Default: the vendor's own error for that status.
        #[serde(default)]
        body: Option<Value>,
    },
    /// Resets the TCP connection once the request has arrived.
    Reset {},
    /// Reads the request and never answers.
    Hang {},
    /// Answers well at this pace.
    Slow(Pace),
    /// Sends an error event inside a 200 stream; without a stream, the same error as a plain status.
    StreamError {
        /// The events to send before it.
        #[serde(default)]
        after_events: usize,
        /// The error's status.
        #[serde(default = "overloaded")]
        status: u16,
        /// Gemini only: wrapped in an SSE `data:` line. Google sends the bare JSON.
        #[serde(default)]
        as_data: bool,
    },
    /// Ends the response early. Without a stream, `after_events` counts the halves of the body.
    Cut {
        /// The events to send before.
        #[serde(default)]
        after_events: usize,
        /// How it ends.
        #[serde(default)]
        how: Cut,
    },
    /// Sends exactly this.
    Raw {
        /// The status.
        #[serde(default = "fine")]
        status: u16,
        /// The headers, all of them. Without `content-length` the body is chunked.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body's bytes, each written by itself.
        #[serde(default)]
        chunks: Vec<Chunk>,
        /// The pause between chunks.
        #[serde(default)]
        gap_ms: u64,
        /// How it ends.
        #[serde(default)]
        how: Cut,
    },
    /// Sends JSON that is none: the whole body, or the second event of a stream.
    Malformed {},
}

const fn overloaded() -> u16 {
    503
}

const fn fine() -> u16 {
    200
}

/// How a response ends before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The HTTP body ends as it should, without the vendor's last events.
    #[default]
    End,
    /// The connection closes cleanly (FIN), without the end of the HTTP body.
    Close,
    /// The connection is reset (RST).
    Reset,
}

/// Some bytes of a raw response.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chunk {
    /// As text.
    Text(String),
    /// In base64.
    Base64(String),
}

/// A vendor's pace, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Before the response's head.
    pub head_ms: u64,
    /// Between the head and the first event; without a stream it is added to `head_ms`.
    pub first_ms: u64,
    /// Between two events.
    pub gap_ms: u64,
    /// Into how many pieces a stream cuts each text; by default one for each word.
    pub pieces: Option<usize>,
}

/// The content of a scripted answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Content {
    /// The text.
    pub text: String,
    /// The reasoning before it.
    pub reasoning: Option<String>,
    /// The tool calls after it.
    pub calls: Vec<ScriptedCall>,
    /// Why it ends; by default `stop`, or the vendor's word for tool calls when there are any.
    pub finish: Option<Ending>,
}

/// One scripted tool call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments, an object.
    pub arguments: Value,
}

/// Why a scripted answer ends; each vendor has its own word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is complete.
    Stop,
    /// It ran into the token limit.
    Length,
    /// The vendor's filter cut it (Anthropic: `refusal`; Gemini: `SAFETY`).
    ContentFilter,
    /// The model refused: OpenAI's `refusal` field, elsewhere as for the filter.
    Refusal,
}

/// A vendor's scripts, first in first out.
#[derive(Debug, Default)]
pub struct Queue(VecDeque<Script>);

impl Queue {
    /// Adds one at the end.
    pub fn push(&mut self, script: Script) {
        self.0.push_back(script);
    }

    /// The behaviour for the next request.
    pub fn take(&mut self) -> Behaviour {
        let Some(first) = self.0.front_mut() else { return Behaviour::Normal {} };
        let behaviour = first.behaviour.clone();
        match first.times {
            0 => {}
            1 => {
                self.0.pop_front();
            }
            _ => first.times -= 1,
        }
        behaviour
    }

    /// What is queued.
    pub fn pending(&self) -> Vec<Script> {
        self.0.iter().cloned().collect()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Behaviour {
    /// The variant's name as JSON has it.
    pub fn name(&self) -> &'static str {
        match self {
            Behaviour::Normal {} => "normal",
            Behaviour::Content(_) => "content",
            Behaviour::Status { .. } => "status",
            Behaviour::Reset {} => "reset",
            Behaviour::Hang {} => "hang",
            Behaviour::Slow(_) => "slow",
            Behaviour::StreamError { .. } => "stream_error",
            Behaviour::Cut { .. } => "cut",
            Behaviour::Raw { .. } => "raw",
            Behaviour::Malformed {} => "malformed",
        }
    }
}
