//! Anthropic's Messages API: what Claude is asked, and what it answers.
//!
//! Taken from the types of the official SDK (`anthropic` 2.11.0 on PyPI) and from Anthropic's API reference
//! (platform.claude.com: `api/messages`, `api/versioning`, `api/errors`, `build-with-claude/streaming`, `…/thinking`,
//! `…/effort`, `…/structured-outputs`, `…/handling-stop-reasons`); `docs/dialects.md` has the whole mapping.

mod answer;
pub mod client;
mod failure;
mod messages;
mod model;
mod request;
#[cfg(test)]
mod request_tests;
mod stream;

pub use stream::StreamReader;

pub(super) use failure::decode_failure;

use super::native::Adapted;
use super::{Call, Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};

/// Behind the endpoint's own path.
pub(super) const PATH: &str = "/v1/messages";

/// Says which version of the API a request is written for. The newest one is the rule.
const HEADERS: [(&str, &str); 1] = [("anthropic-version", "2026-10-21")];

/// The newest version has no sampling parameters: what carries one is written for the version before it. Nothing
/// else that is written or read here differs between the two.
const SAMPLING_HEADERS: [(&str, &str); 1] = [("anthropic-version", "2023-06-01")];

/// Writes a request.
pub(super) fn encode_task(
    task: &Task<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    match task {
        Task::Conversation(conversation) => request::encode_request(conversation, wanted, lacks),
        _ => Err(Failure::operator("not there yet")),
    }
}

/// Finds out what a request lacks, without writing it.
pub(super) fn check_task(task: &Task<'_>, wanted: Wanted<'_>, lacks: &mut Lacks) -> Result<(), Failure> {
    match task {
        Task::Conversation(conversation) => request::check_request(conversation, wanted, lacks),
        _ => Err(Failure::operator("not there yet")),
    }
}

/// Reads a whole answer.
pub(super) fn decode_outcome(kind: TaskKind, body: &[u8]) -> Result<Outcome<'_>, Failure> {
    match kind {
        TaskKind::Conversation => answer::decode_answer(body).map(Outcome::Conversation),
        _ => Err(Failure::operator("not there yet")),
    }
}

/// The request of a client of the same dialect.
pub(super) fn adapt(_: &Call, _: &[u8], _: &Task<'_>, _: Wanted<'_>) -> Result<Adapted, Failure> {
    Err(Failure::operator("not there yet"))
}
