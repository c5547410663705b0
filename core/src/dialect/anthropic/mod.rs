//! Anthropic's Messages API: what Claude is asked, and what it answers.
//!
//! Taken from the types of the official SDK (`anthropic` 2.11.0 on PyPI) and from Anthropic's API reference
//! (platform.claude.com: `api/messages`, `api/versioning`, `api/errors`, `build-with-claude/streaming`, `…/thinking`,
//! `…/effort`, `…/structured-outputs`, `…/handling-stop-reasons`); `docs/dialects.md` has the whole mapping.

mod answer;
mod failure;
mod messages;
mod model;
mod request;
#[cfg(test)]
mod request_tests;
mod stream;

pub use stream::StreamReader;

pub(super) use answer::decode_answer;
pub(super) use failure::decode_failure;
pub(super) use request::{check_request, encode_request};

/// Behind the endpoint's own path.
pub(super) const PATH: &str = "/v1/messages";

/// Says which version of the API a request is written for. The newest one is the rule.
const HEADERS: [(&str, &str); 1] = [("anthropic-version", "2026-10-21")];

/// The newest version has no sampling parameters: what carries one is written for the version before it. Nothing
/// else that is written or read here differs between the two.
const SAMPLING_HEADERS: [(&str, &str); 1] = [("anthropic-version", "2023-06-01")];
