//! Cohere's API, version 2.

use super::{Encoded, Lacks, Wanted, native::Adapted};
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};

pub(crate) fn encode_task(_: &Task<'_>, _: Wanted<'_>, _: &mut Lacks) -> Result<Encoded, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn decode_outcome(_: TaskKind, _: &[u8]) -> Result<Outcome<'_>, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn decode_failure(status: u16, _: &[u8]) -> Failure {
    super::provider_failure(status, None)
}

/// Reads a streamed answer.
#[derive(Debug, Default)]
pub struct StreamReader {}

impl StreamReader {
    pub fn event(&mut self, _: &str, _: &str, _: &mut dyn FnMut(crate::conversation::Event<'_>)) {}

    pub fn end(&mut self, _: &mut dyn FnMut(crate::conversation::Event<'_>)) {}
}

pub(crate) fn adapt(_: &[u8], _: &Task<'_>, _: Wanted<'_>) -> Result<Adapted, Failure> {
    Err(Failure::operator("not there yet"))
}
