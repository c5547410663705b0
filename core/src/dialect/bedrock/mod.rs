//! Amazon Bedrock: conversations by Converse, embeddings and rankings by InvokeModel.
//!
//! Taken from the service model of the official SDK (`botocore` 1.44.5 on PyPI, `bedrock-runtime` 2023-09-30) and from
//! Amazon's Bedrock user guide; `docs/dialects/bedrock.md` has the whole mapping.

mod answer;
mod embeddings;
mod failure;
mod media;
mod messages;
mod model;
mod request;
#[cfg(test)]
mod request_tests;
mod rerank;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) use embeddings::embeds;
pub(crate) use failure::decode_failure;
pub(crate) use rerank::ranks;
pub use stream::StreamReader;

use serde::Serialize;

use super::{Encoded, Lacks, Wanted};
use crate::conversation::Field;
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};
use crate::usage::Usage;

/// Writes a request.
pub(crate) fn encode_task(
    task: &Task<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    match task {
        Task::Conversation(conversation) => request::encode_request(conversation, wanted, lacks),
        Task::CountTokens(conversation) => request::encode_count(conversation, wanted, lacks),
        Task::Embeddings(request) => embeddings::encode(request, wanted, lacks),
        Task::Rerank(request) => rerank::encode(request, wanted, lacks),
    }
}

/// Reads a whole answer.
pub(crate) fn decode_outcome<'a>(
    kind: TaskKind,
    model: &str,
    body: &'a [u8],
) -> Result<Outcome<'a>, Failure> {
    match kind {
        TaskKind::Conversation => {
            answer::decode_answer(body, model::Model::of(model).signs_as()).map(Outcome::Conversation)
        }
        TaskKind::CountTokens => answer::decode_count(body).map(Outcome::CountTokens),
        TaskKind::Embeddings => embeddings::decode(body).map(Outcome::Embeddings),
        TaskKind::Rerank => rerank::decode(body).map(Outcome::Rerank),
    }
}

/// What the headers of a response tell of its usage. InvokeModel counts in headers, for every model; what Converse answers has the
/// usage in its body.
pub(crate) fn header_usage(kind: TaskKind, header: &dyn Fn(&str) -> Option<String>) -> Option<Usage> {
    let count = |name: &str| header(name)?.trim().parse().ok();
    match kind {
        TaskKind::Conversation | TaskKind::CountTokens => None,
        TaskKind::Embeddings | TaskKind::Rerank => Some(Usage {
            input: count("x-amzn-bedrock-input-token-count")?,
            output: count("x-amzn-bedrock-output-token-count").unwrap_or(0),
            ..Usage::default()
        }),
    }
}

/// A request for an operation of a model.
fn encoded<T: Serialize>(model: &str, operation: &str, body: &T) -> Result<Encoded, Failure> {
    let body =
        serde_json::to_vec(body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: model::path(model, operation), body, headers: &[] })
}

/// The failure of work that InvokeModel has no common form for, and this model none that is known.
fn no_such_work(work: &str, wanted: Wanted<'_>, lacks: &Lacks) -> Failure {
    let message = format!("{} does no {work} with {}.", wanted.provider.name, wanted.model);
    Failure::invalid(message, Some(lacks.name(Field::Model))).code("unsupported_operation")
}
