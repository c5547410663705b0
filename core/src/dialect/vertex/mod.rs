//! Google Cloud's Vertex AI: Gemini in Gemini's format, Claude in Anthropic's, and Google's models for embeddings.
//!
//! The paths and bodies follow the official SDKs: `google-genai` 3.4.0 (`models.py`, `_transformers.py`) and `anthropic`
//! 2.11.0 (`lib/vertex`), both on PyPI, read on 2026-11-21; `docs/dialects/vertex.md` has the mapping.

mod embeddings;
mod path;

pub(crate) use path::is_claude;

use super::gemini::{self, Method, Platform};
use super::native::Adapted;
use super::{Call, Encoded, Lacks, Wanted, anthropic};
use crate::conversation::Field;
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};

/// Writes a request.
pub(crate) fn encode_task(
    task: &Task<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let (method, body) = match task {
        Task::Conversation(request) if is_claude(wanted.model) => {
            let body = anthropic::encode_body(request, wanted, anthropic::Form::Vertex, lacks)?;
            (claude_method(request.stream), body)
        }
        Task::CountTokens(request) if is_claude(wanted.model) => {
            let body = anthropic::encode_body(request, claude(wanted), anthropic::Form::VertexCount, lacks)?;
            return Ok(Encoded { path: path::count_claude(wanted.provider)?, body, headers: &[] });
        }
        Task::Conversation(request) => {
            (gemini_method(task)?, gemini::encode_request(request, wanted, Platform::Vertex, lacks)?)
        }
        Task::CountTokens(request) => {
            (gemini_method(task)?, gemini::encode_count(request, wanted, Platform::Vertex, lacks)?)
        }
        Task::Embeddings(_) if is_claude(wanted.model) => {
            return Err(Failure::invalid("Claude does no embeddings.", Some(lacks.name(Field::Model)))
                .code("unsupported_operation"));
        }
        Task::Embeddings(request) => embeddings::encode_request(request, wanted, lacks)?,
        Task::Rerank(_) => return Err(gemini::no_such_work()),
    };
    Ok(Encoded { path: path::path(wanted, method)?, body, headers: &[] })
}

/// Reads a whole answer.
pub(crate) fn decode_outcome<'a>(
    kind: TaskKind,
    model: &str,
    body: &'a [u8],
) -> Result<Outcome<'a>, Failure> {
    match kind {
        TaskKind::Embeddings => embeddings::decode_answer(body).map(Outcome::Embeddings),
        _ if is_claude(model) => anthropic::decode_outcome(kind, body),
        _ => gemini::decode_outcome(kind, body),
    }
}

/// Reads an error response. Google's own form and Anthropic's have their words in the same place.
pub(crate) fn decode_failure(status: u16, body: &[u8]) -> Failure {
    gemini::decode_failure(status, body)
}

/// The request of a client of Anthropic's dialect for Claude.
pub(crate) fn adapt_messages(
    call: &Call,
    body: &[u8],
    task: &Task<'_>,
    wanted: Wanted<'_>,
) -> Result<Adapted, Failure> {
    let version = anthropic::vertex_version(call.anthropic_version.as_deref());
    let (path, model) = match task {
        Task::CountTokens(_) => {
            let model = claude(wanted).model;
            (path::count_claude(wanted.provider)?, anthropic::ModelAt::Both { model, version })
        }
        _ => (path::path(wanted, claude_method(task.streams()))?, anthropic::ModelAt::Path { version }),
    };
    let body = anthropic::edit_body(body, task, model);
    Ok(Adapted { path, body, headers: &[], hides_usage: false })
}

/// The request of a client of Gemini's dialect for Gemini.
pub(crate) fn adapt_contents(
    _call: &Call,
    body: &[u8],
    task: &Task<'_>,
    wanted: Wanted<'_>,
) -> Result<Adapted, Failure> {
    let path = path::path(wanted, gemini_method(task)?)?;
    let body = gemini::adapt_body(body, task, wanted.model, Platform::Vertex)?;
    Ok(Adapted { path, body, headers: &[], hides_usage: false })
}

/// Anthropic's own answers are not Google's to understand.
fn claude_method(stream: bool) -> &'static str {
    if stream { ":streamRawPredict" } else { ":rawPredict" }
}

fn gemini_method(task: &Task<'_>) -> Result<&'static str, Failure> {
    Method::of(task).map(Method::word).ok_or_else(gemini::no_such_work)
}

/// The same, with the name that a body has for the model: without its publisher.
fn claude(wanted: Wanted<'_>) -> Wanted<'_> {
    let model = wanted.model.rsplit_once('/').map_or(wanted.model, |(_, name)| name);
    Wanted { model, ..wanted }
}

#[cfg(test)]
mod tests;
