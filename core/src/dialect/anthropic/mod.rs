//! Anthropic's Messages API: what Claude is asked, and what it answers.
//!
//! Taken from the types of the official SDK (`anthropic` 2.11.0 on PyPI) and from Anthropic's API reference
//! (platform.claude.com: `api/messages`, `api/versioning`, `api/errors`, `build-with-claude/streaming`, `…/thinking`,
//! `…/effort`, `…/structured-outputs`, `…/handling-stop-reasons`); `docs/dialects/anthropic.md` has the whole mapping.

mod answer;
pub mod client;
mod failure;
mod messages;
mod model;
mod native;
mod request;
#[cfg(test)]
mod request_tests;
mod stream;

pub use stream::StreamReader;

pub(super) use answer::compact;
pub(super) use failure::decode_failure;
pub(super) use model::{Family, Mode};
pub(super) use native::{ModelAt, edit_body};
pub(super) use request::{DEFAULT_MAX_TOKENS, Form, Thinking, encode_body, write_sampling, write_thinking};

use super::native::Adapted;
use super::{Call, ClientDialect, Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};

/// Behind the endpoint's own path.
const PATH: &str = "/v1/messages";

/// Where tokens are counted.
const COUNT_PATH: &str = "/v1/messages/count_tokens";

/// Says which version of the API a request is written for. The newest one is the rule.
const HEADERS: [(&str, &str); 1] = [("anthropic-version", NEWEST_VERSION)];

const NEWEST_VERSION: &str = "2026-10-21";

/// The newest version has no sampling parameters: what carries one is written for the version before it. Nothing
/// else that is written or read here differs between the two.
const SAMPLING_HEADERS: [(&str, &str); 1] = [("anthropic-version", OLD_VERSION)];

const OLD_VERSION: &str = "2023-06-01";

/// Google Cloud's name of the version before the newest one. There the body tells it, not a header.
const OLD_VERTEX_VERSION: &str = "vertex-2023-10-16";

/// The version in a body for Google Cloud, by that which a client of Anthropic's own API has named. One that names none is an
/// old one.
pub(super) fn vertex_version(named: Option<&str>) -> &str {
    match named {
        None | Some(OLD_VERSION) => OLD_VERTEX_VERSION,
        Some(newer) => newer,
    }
}

/// Writes a request.
pub(super) fn encode_task(
    task: &Task<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    match task {
        Task::Conversation(conversation) => request::encode_request(conversation, wanted, lacks),
        Task::CountTokens(conversation) => request::encode_count(conversation, wanted, lacks),
        Task::Embeddings(_) | Task::Rerank(_) => Err(no_such_work()),
    }
}

/// Finds out what a request lacks, without writing it.
pub(super) fn check_task(task: &Task<'_>, wanted: Wanted<'_>, lacks: &mut Lacks) -> Result<(), Failure> {
    match task {
        Task::Conversation(conversation) => request::check_request(conversation, wanted, Form::Answer, lacks),
        Task::CountTokens(conversation) => request::check_request(conversation, wanted, Form::Count, lacks),
        Task::Embeddings(_) | Task::Rerank(_) => Err(no_such_work()),
    }
}

/// Reads a whole answer.
pub(super) fn decode_outcome(kind: TaskKind, body: &[u8]) -> Result<Outcome<'_>, Failure> {
    match kind {
        TaskKind::Conversation => answer::decode_answer(body).map(Outcome::Conversation),
        TaskKind::CountTokens => answer::decode_count(body).map(Outcome::CountTokens),
        TaskKind::Embeddings | TaskKind::Rerank => Err(no_such_work()),
    }
}

/// The request of a client of the same dialect: another model's name, and without the thinking of other makers.
pub(super) fn adapt(
    call: &Call,
    body: &[u8],
    task: &Task<'_>,
    wanted: Wanted<'_>,
) -> Result<Adapted, Failure> {
    let path = match call.dialect {
        ClientDialect::AnthropicTokens => COUNT_PATH,
        _ => PATH,
    };
    // Betas are also told by the query. Nothing else of it is of use, and there are clients that put keys there.
    let is_beta = |parameter: &&str| *parameter == "beta" || parameter.starts_with("beta=");
    let beta = call.query.as_deref().unwrap_or_default().split('&').find(is_beta);
    // A client that does not say which version its body is written for is an old one.
    Ok(Adapted {
        path: beta.map_or_else(|| path.to_owned(), |beta| format!("{path}?{beta}")),
        body: edit_body(body, task, ModelAt::Body(wanted.model)),
        headers: &SAMPLING_HEADERS,
        hides_usage: false,
    })
}

fn no_such_work() -> Failure {
    Failure::operator("Anthropic has no such operation.").code("unsupported_operation")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::ProviderDialect;
    use crate::policy::Provider;

    #[test]
    fn a_client_of_the_dialect_is_passed_on() {
        let body = br#"{"model":"a","messages":[{"role":"user","content":"Q"}]}"#;
        let provider = Provider::for_tests(ProviderDialect::Anthropic);
        let wanted = Wanted { model: "b", default_max_tokens: None, provider: &provider };
        for (path, expected) in [
            ("/v1/messages", "/v1/messages"),
            ("/v1/messages?key=secret&beta=true", "/v1/messages?beta=true"),
            ("/v1/messages/count_tokens?betamax=1", "/v1/messages/count_tokens"),
        ] {
            let call = Call::of("POST", path).expect("is served");
            let task = ClientDialect::decode(&call, body).expect("reads");
            let adapted = adapt(&call, body, &task, wanted).expect("can be passed");
            assert_eq!(adapted.path, expected);
            assert_eq!(adapted.headers, [("anthropic-version", "2023-06-01")]);
            let renamed = br#"{"model":"b","messages":[{"role":"user","content":"Q"}]}"#;
            assert_eq!(adapted.body.as_deref(), Some(&renamed[..]));
        }
    }

    #[test]
    fn a_count_is_read() {
        let outcome =
            decode_outcome(TaskKind::CountTokens, br#"{"input_tokens":7,"context_management":null}"#);
        assert!(matches!(outcome, Ok(Outcome::CountTokens(count)) if count.input == 7));
        for body in [&b"{}"[..], b"[]", br#"{"type":"error","error":{"type":"api_error","message":"No"}}"#] {
            assert!(decode_outcome(TaskKind::CountTokens, body).is_err());
        }
        assert!(decode_outcome(TaskKind::Embeddings, b"{}").is_err());
    }
}
