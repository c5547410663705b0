//! Google Cloud's Vertex AI.

use super::{Call, Encoded, Lacks, Wanted, native::Adapted};
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

/// Whether a model is Claude, which Vertex AI serves in Anthropic's own format.
pub(crate) fn is_claude(model: &str) -> bool {
    model.starts_with("claude")
}

pub(crate) fn adapt_messages(_: &Call, _: &[u8], _: &Task<'_>, _: Wanted<'_>) -> Result<Adapted, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn adapt_contents(_: &Call, _: &[u8], _: &Task<'_>, _: Wanted<'_>) -> Result<Adapted, Failure> {
    Err(Failure::operator("not there yet"))
}
