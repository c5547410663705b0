//! Google's Gemini API, as a provider: `generateContent` and `streamGenerateContent` of the Gemini Developer API, v1beta.
//!
//! Names and types of fields follow the official SDK `google-genai` 3.4.0 (PyPI; its `types.py`, `models.py`, `errors.py`),
//! read on 2026-11-21. What becomes what, and the vendor's pages behind it, stand in `docs/dialects/gemini.md`.

mod answer;
pub mod client;
mod count;
pub(super) mod embeddings;
mod failure;
mod message;
mod model;
mod native;
mod request;
mod stream;
mod wire;

use std::fmt::Write;

use super::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};

pub(super) use failure::decode_failure;
pub(super) use model::Platform;
pub(super) use native::{adapt, adapt_body};
pub(super) use request::{check_request, encode_count, encode_request};
pub use stream::StreamReader;

/// What is done with a model: the method behind the colon of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Generate,
    /// As server-sent events.
    Stream,
    Count,
    /// Embeddings of several contents.
    BatchEmbed,
}

impl Method {
    /// What is done for a task.
    pub(super) fn of(task: &Task<'_>) -> Option<Self> {
        match task {
            Task::Conversation(request) if request.stream => Some(Self::Stream),
            Task::Conversation(_) => Some(Self::Generate),
            Task::CountTokens(_) => Some(Self::Count),
            Task::Embeddings(_) => Some(Self::BatchEmbed),
            Task::Rerank(_) => None,
        }
    }

    /// With the colon before it, and its query.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Generate => ":generateContent",
            Self::Stream => ":streamGenerateContent?alt=sse",
            Self::Count => ":countTokens",
            Self::BatchEmbed => ":batchEmbedContents",
        }
    }
}

/// The path and query of a request.
pub(super) fn path(model: &str, method: Method) -> String {
    let (collection, name) = collection(model);
    let mut path = format!("/v1beta/{collection}/");
    write_segment(name, &mut path);
    path.push_str(method.word());
    path
}

/// The name of a model where a body has it.
fn resource(model: &str) -> String {
    let (collection, name) = collection(model);
    format!("{collection}/{name}")
}

/// `tunedModels/x` and `models/x` name a resource of their own collection, as in the SDK.
fn collection(model: &str) -> (&str, &str) {
    match model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
        _ => ("models", model),
    }
}

/// Appends a name as a segment of a path. Everything in it that could end the segment, or the path, is percent-encoded,
/// the colon before the method too.
pub(super) fn write_segment(name: &str, path: &mut String) {
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                path.push(char::from(byte))
            }
            // Writing to a String can't fail.
            _ => drop(write!(path, "%{byte:02X}")),
        }
    }
}

/// Writes a request.
pub(super) fn encode_task(
    task: &Task<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let (Some(method), platform) = (Method::of(task), Platform::Developer) else {
        return Err(no_such_work());
    };
    let body = match task {
        Task::Conversation(request) => encode_request(request, wanted, platform, lacks)?,
        Task::CountTokens(request) => encode_count(request, wanted, platform, lacks)?,
        Task::Embeddings(request) => embeddings::encode_request(request, wanted, lacks)?,
        Task::Rerank(_) => return Err(no_such_work()),
    };
    Ok(Encoded { path: path(wanted.model, method), body, headers: &[] })
}

/// Finds out what a request lacks, without writing it.
pub(super) fn check_task(task: &Task<'_>, wanted: Wanted<'_>, lacks: &mut Lacks) -> Result<(), Failure> {
    match task {
        Task::Conversation(request) | Task::CountTokens(request) => {
            check_request(request, wanted, Platform::Developer, lacks)
        }
        Task::Embeddings(_) | Task::Rerank(_) => encode_task(task, wanted, lacks).map(drop),
    }
}

/// Reads a whole answer.
pub(super) fn decode_outcome(kind: TaskKind, body: &[u8]) -> Result<Outcome<'_>, Failure> {
    match kind {
        TaskKind::Conversation => answer::decode_answer(body).map(Outcome::Conversation),
        TaskKind::CountTokens => count::decode_count(body).map(Outcome::CountTokens),
        TaskKind::Embeddings => embeddings::decode_answer(body).map(Outcome::Embeddings),
        TaskKind::Rerank => Err(no_such_work()),
    }
}

/// Whoever asks looks first at what the dialect serves.
pub(super) fn no_such_work() -> Failure {
    Failure::operator("Gemini does no reranking.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_stays_inside_its_segment() {
        use Method::{Count, Generate, Stream};
        assert_eq!(path("gemini-2.5-pro", Generate), "/v1beta/models/gemini-2.5-pro:generateContent");
        assert_eq!(path("gemini-2.5-pro", Count), "/v1beta/models/gemini-2.5-pro:countTokens");
        assert_eq!(
            path("tunedModels/mine-1", Stream),
            "/v1beta/tunedModels/mine-1:streamGenerateContent?alt=sse"
        );
        assert_eq!(path("models/gemini-x", Generate), "/v1beta/models/gemini-x:generateContent");
        assert_eq!(
            path("../files/a?key=b#c:d%é", Generate),
            "/v1beta/models/..%2Ffiles%2Fa%3Fkey%3Db%23c%3Ad%25%C3%A9:generateContent"
        );
        assert_eq!(path("tunedModels/a/b", Generate), "/v1beta/tunedModels/a%2Fb:generateContent");
    }
}
