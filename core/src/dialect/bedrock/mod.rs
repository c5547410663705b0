//! Amazon Bedrock.

use super::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};

pub(crate) fn encode_task(_: &Task<'_>, _: Wanted<'_>, _: &mut Lacks) -> Result<Encoded, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn decode_outcome<'a>(_: TaskKind, _: &str, _: &'a [u8]) -> Result<Outcome<'a>, Failure> {
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
