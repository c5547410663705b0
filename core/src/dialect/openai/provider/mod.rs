//! OpenAI's APIs as providers speak them.

mod answer;
#[cfg(test)]
mod answer_tests;
mod embeddings;
mod messages;
mod model;
mod request;
#[cfg(test)]
mod request_tests;
mod rerank;
mod stream;
#[cfg(test)]
mod stream_tests;
mod tokens;
mod usage;
mod wire;

pub use stream::ChunkReader;

pub(in crate::dialect::openai) use messages::short_call_id;
pub(in crate::dialect) use usage::{WireUsage, read_tier};

use super::super::{Encoded, Lacks, ProviderDialect, Wanted};
use crate::failure::Failure;
use crate::policy::Provider;
use crate::task::{Outcome, Task, TaskKind};

/// Whether a provider is OpenAI itself, which has all of its APIs.
fn is_openai(provider: &Provider) -> bool {
    provider.dialect == ProviderDialect::OpenAi && is_host(&provider.endpoint.host)
}

/// Whether a host is OpenAI's own.
pub(crate) fn is_host(host: &str) -> bool {
    host == "api.openai.com" || host.ends_with(".api.openai.com")
}

/// Whether a provider runs OpenAI's own software: OpenAI, or Azure.
fn is_openai_made(provider: &Provider) -> bool {
    provider.dialect == ProviderDialect::AzureOpenAi || is_openai(provider)
}

/// Writes a request.
pub(crate) fn encode_task(
    task: &Task<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    match task {
        Task::Conversation(request) => request::encode(request, wanted, lacks),
        Task::CountTokens(request) => tokens::encode(request, wanted, lacks),
        Task::Embeddings(request) => embeddings::encode(request, wanted, lacks),
        Task::Rerank(request) => rerank::encode(request, wanted, lacks),
    }
}

/// Reads a whole answer.
pub(crate) fn decode_outcome(kind: TaskKind, body: &[u8]) -> Result<Outcome<'_>, Failure> {
    Ok(match kind {
        TaskKind::Conversation => Outcome::Conversation(answer::decode_answer(body)?),
        TaskKind::CountTokens => Outcome::CountTokens(tokens::decode(body)?),
        TaskKind::Embeddings => Outcome::Embeddings(embeddings::decode(body)?),
        TaskKind::Rerank => Outcome::Rerank(rerank::decode(body)?),
    })
}

/// Reads of a whole answer that passes as it is what the gateway itself needs.
pub(crate) fn decode_native(kind: TaskKind, body: &[u8]) -> Result<Outcome<'_>, Failure> {
    match kind {
        TaskKind::Conversation => answer::decode_head(body).map(Outcome::Conversation),
        _ => decode_outcome(kind, body),
    }
}
