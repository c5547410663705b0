//! Google's Gemini API, as a provider: `generateContent` and `streamGenerateContent` of the Gemini Developer API, v1beta.
//!
//! Names and types of fields follow the official SDK `google-genai` 3.4.0 (PyPI; its `types.py`, `models.py`, `errors.py`),
//! read on 2026-11-21. What becomes what, and the vendor's pages behind it, stand in `docs/dialects.md`.

mod answer;
mod failure;
mod message;
mod model;
mod request;
mod stream;
mod wire;

use std::fmt::Write;

pub use answer::decode_answer;
pub use failure::decode_failure;
pub use request::{check_request, encode_request};
pub use stream::StreamReader;

/// What a client calls the parameters that Gemini has nothing for: the names of OpenAI Chat Completions.
mod parameter {
    pub const CHOICES: &str = "n";
    pub const FREQUENCY_PENALTY: &str = "frequency_penalty";
    pub const PARALLEL_TOOL_CALLS: &str = "parallel_tool_calls";
    pub const PRESENCE_PENALTY: &str = "presence_penalty";
    pub const REASONING_EFFORT: &str = "reasoning_effort";
    pub const SAFETY_IDENTIFIER: &str = "safety_identifier";
    pub const SCHEMA_DESCRIPTION: &str = "response_format.json_schema.description";
    pub const SEED: &str = "seed";
    pub const SERVICE_TIER: &str = "service_tier";
    pub const STOP: &str = "stop";
    pub const TEMPERATURE: &str = "temperature";
    pub const TOP_LOGPROBS: &str = "top_logprobs";
    pub const TOP_P: &str = "top_p";
    pub const USER: &str = "user";
}

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
