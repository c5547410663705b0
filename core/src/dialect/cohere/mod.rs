//! Cohere's API, version 2: chat, embeddings and rankings.
//!
//! Taken from the types of the official SDK (`cohere` 7.3.1 on PyPI) and from Cohere's documents (docs.cohere.com:
//! `v2/docs/streaming`, `v2/docs/tool-use-streaming`, `docs/reasoning`, `docs/tool-use-usage-patterns`, `reference/errors`);
//! `docs/dialects/cohere.md` has the whole mapping.

mod answer;
mod embed;
mod failure;
mod messages;
mod request;
#[cfg(test)]
mod request_tests;
mod rerank;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::StreamReader;

pub(super) use failure::decode_failure;

use super::native::Adapted;
use super::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};

/// Writes a request.
pub(super) fn encode_task(
    task: &Task<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    match task {
        Task::Conversation(conversation) => request::encode(conversation, wanted, lacks),
        Task::Embeddings(embeddings) => embed::encode(embeddings, wanted, lacks),
        Task::Rerank(ranking) => rerank::encode(ranking, wanted, lacks),
        Task::CountTokens(_) => Err(counts_no_tokens()),
    }
}

/// Reads a whole answer.
pub(super) fn decode_outcome(kind: TaskKind, body: &[u8]) -> Result<Outcome<'_>, Failure> {
    match kind {
        TaskKind::Conversation => answer::decode(body).map(Outcome::Conversation),
        TaskKind::Embeddings => embed::decode(body).map(Outcome::Embeddings),
        TaskKind::Rerank => rerank::decode(body).map(Outcome::Rerank),
        TaskKind::CountTokens => Err(counts_no_tokens()),
    }
}

/// The request of a client of the same dialect, which there is for rankings only.
pub(super) fn adapt(body: &[u8], task: &Task<'_>, wanted: Wanted<'_>) -> Result<Adapted, Failure> {
    rerank::adapt(body, task, wanted)
}

fn counts_no_tokens() -> Failure {
    // Cohere's own endpoint for this splits one text, without roles and tools: it would count something else.
    Failure::invalid("Cohere counts no tokens of conversations.", None).code("unsupported_operation")
}
