//! The legacy Completions API.

use crate::conversation::{Answer, Event, Field, Request};
use crate::dialect::Asked;
use crate::failure::Failure;
use crate::task::Outcome;

pub(crate) fn decode_request(_: &[u8]) -> Result<Request<'_>, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn name(field: Field<'_>) -> String {
    super::chat::name(field)
}

pub(crate) fn encode_answer(_: &Answer<'_>, _: &Asked, _: u64) -> Vec<u8> {
    Vec::new()
}

/// Reads of a provider's whole answer what the gateway itself needs.
pub(crate) fn decode_outcome(_: &[u8]) -> Result<Outcome<'_>, Failure> {
    Err(Failure::operator("not there yet"))
}

/// Writes a streamed answer for a client.
#[derive(Debug)]
pub struct StreamWriter {}

impl StreamWriter {
    pub(crate) fn new(_: Asked, _: u64) -> Self {
        Self {}
    }

    pub fn event(&mut self, _: Event<'_>, _: &mut Vec<u8>) {}
}

/// Reads a provider's stream.
#[derive(Debug, Default)]
pub struct StreamReader {}

impl StreamReader {
    pub fn event(&mut self, _: &str, _: &mut dyn FnMut(Event<'_>)) {}

    pub fn end(&mut self, _: &mut dyn FnMut(Event<'_>)) {}
}
