//! OpenAI's models at Azure: OpenAI's bodies, under paths that name a deployment and a version.
//!
//! Paths as the official SDK has them (`AzureOpenAI` of `openai` 3.52.0, `lib/azure.py`), and Azure's pages on the life cycle
//! of its API versions; see `docs/dialects/openai.md`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::native::Adapted;
use super::openai;
use super::{Encoded, Lacks, Native, Wanted};
use crate::failure::Failure;
use crate::policy::Provider;
use crate::task::Task;

/// The last version with a date that is generally available; `v1` came after it.
const DEFAULT_VERSION: &str = "2024-10-21";

/// What a deployment's name may have in a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Writes a request.
pub(crate) fn encode_task(
    task: &Task<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let encoded = openai::encode_task(task, wanted, lacks)?;
    Ok(Encoded { path: path(&encoded.path, wanted.model, wanted.provider), ..encoded })
}

/// Reads an error response. What Azure's filters refuse has the code `content_filter`.
pub(crate) fn decode_failure(status: u16, body: &[u8]) -> Failure {
    openai::decode_failure(status, body)
}

/// The client's own bytes, but for what must change.
pub(crate) fn adapt(
    native: Native,
    body: &[u8],
    task: &Task<'_>,
    wanted: Wanted<'_>,
    mixed: bool,
    lacks: &mut Lacks,
) -> Result<Adapted, Failure> {
    let adapted = openai::adapt(native, body, task, wanted, mixed, lacks)?;
    Ok(Adapted { path: path(&adapted.path, wanted.model, wanted.provider), ..adapted })
}

/// The path and query of one of OpenAI's APIs (`/chat/completions`).
///
/// Under a version with a date, a deployment is part of the path; the Responses API has only the newer form, without
/// either.
fn path(api: &str, deployment: &str, provider: &Provider) -> String {
    let version = provider.api_version.as_deref().unwrap_or(DEFAULT_VERSION);
    let is_dated = version.starts_with(|c: char| c.is_ascii_digit());
    let names_v1 = provider.endpoint.path.ends_with("/openai/v1");
    let query = match version {
        "preview" => "?api-version=preview",
        _ => "",
    };
    match (names_v1, is_dated && api != "/responses") {
        (true, _) => format!("{api}{query}"),
        (false, false) => format!("/openai/v1{api}{query}"),
        (false, true) => {
            let deployment = utf8_percent_encode(deployment, SEGMENT);
            format!("/openai/deployments/{deployment}{api}?api-version={version}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Message, Part, Place, Request, Role};
    use crate::dialect::{ClientDialect, ProviderDialect};
    use crate::json::Text;

    fn provider(version: Option<&str>) -> Provider {
        let mut provider = Provider::for_tests(ProviderDialect::AzureOpenAi);
        provider.api_version = version.map(str::to_owned);
        provider
    }

    #[test]
    fn a_deployment_and_a_version_make_the_path() {
        for (api, version, expected) in [
            (
                "/chat/completions",
                None,
                "/openai/deployments/my%2Fown/chat/completions?api-version=2024-10-21",
            ),
            (
                "/embeddings",
                Some("2025-04-01-preview"),
                "/openai/deployments/my%2Fown/embeddings?api-version=2025-04-01-preview",
            ),
            ("/responses", Some("2024-10-21"), "/openai/v1/responses"),
            ("/responses", Some("preview"), "/openai/v1/responses?api-version=preview"),
            ("/chat/completions", Some("v1"), "/openai/v1/chat/completions"),
        ] {
            assert_eq!(path(api, "my/own", &provider(version)), expected);
        }
        let mut v1 = provider(None);
        v1.endpoint.path = "/openai/v1".to_owned();
        assert_eq!(path("/chat/completions", "my-own", &v1), "/chat/completions");
    }

    #[test]
    fn old_versions_are_not_asked_what_they_do_not_know() {
        let message = Message {
            role: Role::User,
            name: None,
            parts: vec![Part::Text(Text::from("x"))],
            at: Place::default(),
        };
        let request =
            Request { messages: vec![message], max_tokens: Some(5), stream: true, ..Request::default() };
        let task = Task::Conversation(request);
        for (version, expected) in [
            ("2024-06-01", r#""max_tokens":5,"stream":true}"#),
            (
                "2024-10-21",
                r#""max_completion_tokens":5,"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
        ] {
            let provider = provider(Some(version));
            let wanted = Wanted { model: "m", default_max_tokens: None, provider: &provider };
            let mut lacks = Lacks::new(ClientDialect::Anthropic);
            let encoded = encode_task(&task, wanted, &mut lacks).expect("is good");
            let body = String::from_utf8(encoded.body).expect("is text");
            assert!(body.ends_with(expected), "{body}");
        }
    }

    #[test]
    fn what_the_filters_refuse_is_told_as_that() {
        let body = br#"{"error":{"message":"The response was filtered.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}"#;
        let failure = decode_failure(400, body);
        assert_eq!((failure.status, failure.code.as_deref()), (400, Some("content_filter")));
        assert_eq!(failure.message, "The response was filtered.");
        let missing = decode_failure(404, br#"{"error":{"code":"DeploymentNotFound","message":"x"}}"#);
        assert_eq!(missing.code.as_deref(), Some("model_not_found"));
        let key =
            decode_failure(401, br#"{"statusCode":401,"message":"Access denied due to invalid key abc."}"#);
        assert!(!key.message.contains("abc"));
    }
}
