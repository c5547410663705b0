//! Google's Gemini API as clients speak it.

use crate::conversation::{Answer, Event, Field, Request};
use crate::dialect::{Asked, Call};
use crate::failure::Failure;
use crate::task::TokenCount;

/// What a path calls: `/v1beta/models/<model>:generateContent` and its like.
pub(crate) fn call(_path: &str, _query: &str) -> Option<Call> {
    None
}

pub(crate) fn decode_request<'a>(_: &'a Call, _: &'a [u8]) -> Result<Request<'a>, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn decode_count<'a>(_: &'a Call, _: &'a [u8]) -> Result<Request<'a>, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn name(field: Field<'_>) -> String {
    format!("{field:?}")
}

pub(crate) fn encode_answer(_: &Answer<'_>, _: &Asked) -> Vec<u8> {
    Vec::new()
}

pub(crate) fn encode_count(_: TokenCount) -> Vec<u8> {
    Vec::new()
}

pub(crate) fn encode_failure(_: &Failure) -> Vec<u8> {
    Vec::new()
}

/// Writes a streamed answer for a client: server-sent events, or one JSON array.
#[derive(Debug)]
pub struct StreamWriter {}

impl StreamWriter {
    pub(crate) fn new(_: Asked) -> Self {
        Self {}
    }

    pub fn event(&mut self, _: Event<'_>, _: &mut Vec<u8>) {}

    pub fn content_type(&self) -> &'static str {
        "text/event-stream"
    }
}
