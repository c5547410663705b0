//! Google's Gemini API, as a provider: `generateContent` and `streamGenerateContent` of the Gemini Developer API, v1beta.
//!
//! Names and types of fields follow the official SDK `google-genai` 3.4.0 (PyPI; its `types.py`, `models.py`, `errors.py`),
//! read on 2026-11-21. What becomes what, and the vendor's pages behind it, stand in `docs/dialects.md`.

mod answer;
pub mod client;
mod failure;
mod message;
mod model;
mod request;
mod stream;
mod wire;

use std::fmt::Write;

use super::native::Adapted;
use super::{Call, Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};

pub(super) use failure::decode_failure;
pub use stream::StreamReader;

/// The path and query of a request.
///
/// `tunedModels/x` and `models/x` name a resource of their own collection, as in the SDK. Everything in a name that
/// could end its segment, or the path, is percent-encoded, the colon before the method too.
pub fn path(model: &str, stream: bool) -> String {
    let (collection, name) = match model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
        _ => ("models", model),
    };
    let mut path = format!("/v1beta/{collection}/");
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(byte))
            }
            // Writing to a String can't fail.
            _ => drop(write!(path, "%{byte:02X}")),
        }
    }
    path.push_str(if stream { ":streamGenerateContent?alt=sse" } else { ":generateContent" });
    path
}

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
pub(super) fn adapt(_: &Call, _: &Task<'_>, _: Wanted<'_>) -> Result<Adapted, Failure> {
    Err(Failure::operator("not there yet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_stays_inside_its_segment() {
        assert_eq!(path("gemini-2.5-pro", false), "/v1beta/models/gemini-2.5-pro:generateContent");
        assert_eq!(
            path("tunedModels/mine-1", true),
            "/v1beta/tunedModels/mine-1:streamGenerateContent?alt=sse"
        );
        assert_eq!(path("models/gemini-x", false), "/v1beta/models/gemini-x:generateContent");
        assert_eq!(
            path("../files/a?key=b#c:d%é", false),
            "/v1beta/models/..%2Ffiles%2Fa%3Fkey%3Db%23c%3Ad%25%C3%A9:generateContent"
        );
        assert_eq!(path("tunedModels/a/b", false), "/v1beta/tunedModels/a%2Fb:generateContent");
    }
}
