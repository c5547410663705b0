//! OpenAI's Chat Completions and model list, after the types of the official Python SDK `openai` 3.52.0 and the API reference.

mod request;
mod response;
mod rules;
mod shapes;

use super::answer::{Answer, Ask};
use super::dialect::{Dialect, Payload, Received, Refusal, Verdict, bearer, edge_page, header, is_json};
use serde_json::{Value, json};

/// The vendor.
pub struct OpenAi;

/// The models that the list shows; any name of the vendor's style is accepted.
const MODELS: &[&str] =
    &["gpt-4o", "gpt-4o-mini", "gpt-4o-2024-11-20", "gpt-4.1", "gpt-5", "gpt-6-astra", "o3", "o4-mini"];

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "OpenAI"
    }

    fn judge(&self, received: &Received<'_>) -> Result<Verdict, Refusal> {
        authenticate(received)?;
        let path = received.path;
        match (received.method.as_str(), path) {
            ("GET", "/v1/models") => Ok(Verdict::Json(json!({
                "object": "list", "data": MODELS.iter().map(|id| model(id)).collect::<Vec<_>>()
            }))),
            ("GET", _) if path.starts_with("/v1/models/") => {
                let id = path.trim_start_matches("/v1/models/");
                if is_model(id) { Ok(Verdict::Json(model(id))) } else { Err(unknown_model(id)) }
            }
            ("POST", "/v1/chat/completions") => {
                if !is_json(received.headers) {
                    let sent = header(received.headers, "content-type").unwrap_or_default();
                    let message = format!(
                        "Unsupported content type: '{sent}'. This API method only accepts 'application/json' requests, \
                         but you specified the header 'Content-Type: {sent}'."
                    );
                    return Err(refusal(415, &message, None, Some("unsupported_content_type")));
                }
                request::read(received).map(|ask| Verdict::Chat(Box::new(ask)))
            }
            (_, "/v1/chat/completions") => {
                let message = format!(
                    "Not allowed to {} on /v1/chat/completions (HINT: Perhaps you meant to use a different HTTP method?)",
                    received.method
                );
                Err(refusal(405, &message, None, None))
            }
            (method, _) => Err(refusal(404, &format!("Invalid URL ({method} {path})"), None, None)),
        }
    }

    fn error(&self, status: u16, message: Option<&str>) -> Refusal {
        let (text, kind, code) = match status {
            401 => (
                "Incorrect API key provided: sk-mock. You can find your API key at https://platform.openai.com/account/api-keys.",
                "invalid_request_error",
                Some("invalid_api_key"),
            ),
            403 => (
                "Country, region, or territory not supported",
                "request_forbidden",
                Some("unsupported_country_region_territory"),
            ),
            404 => (
                "The model `gpt-none` does not exist or you do not have access to it.",
                "invalid_request_error",
                Some("model_not_found"),
            ),
            408 => ("Request timed out.", "timeout", None),
            413 => ("Request body is too large.", "invalid_request_error", Some("request_too_large")),
            429 => (
                "Rate limit reached for requests. Please try again in 1s.",
                "requests",
                Some("rate_limit_exceeded"),
            ),
            503 => (
                "The engine is currently overloaded, please try again later.",
                "service_unavailable_error",
                Some("server_is_overloaded"),
            ),
            400..=499 => ("The request is invalid.", "invalid_request_error", None),
            _ => (
                "The server had an error while processing your request. Sorry about that!",
                "server_error",
                None,
            ),
        };
        let message = message.unwrap_or(text);
        let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
        let payload = if matches!(status, 502 | 504) { edge_page(status) } else { Payload::Json(body) };
        Refusal { status, message: message.to_owned(), headers: Vec::new(), payload }
    }

    fn headers(&self, index: u64) -> Vec<(String, String)> {
        let headers = [
            ("x-request-id", format!("req_mock{index:06}")),
            ("openai-version", "2020-10-01".to_owned()),
            ("openai-organization", "org-mock".to_owned()),
            ("openai-processing-ms", "1".to_owned()),
            ("x-ratelimit-limit-requests", "10000".to_owned()),
            ("x-ratelimit-remaining-requests", "9999".to_owned()),
        ];
        headers.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    fn stream_type(&self, _: &Ask) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn answer(&self, ask: &Ask, answer: &Answer, index: u64) -> Value {
        response::whole(ask, answer, index)
    }

    fn events(&self, ask: &Ask, answer: &Answer, index: u64, pieces: Option<usize>) -> Vec<String> {
        response::events(ask, answer, index, pieces)
    }

    fn stream_error(&self, refusal: &Refusal, _: bool) -> String {
        let body = match &refusal.payload {
            Payload::Json(body) => body.clone(),
            Payload::Html(_) => json!({"error": {
                "message": refusal.message, "type": "server_error", "param": null, "code": null
            }}),
        };
        format!("data: {body}\n\n")
    }

    fn largest_body(&self) -> usize {
        64 << 20
    }
}

/// A refusal with its place.
pub(super) fn refusal(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Refusal {
    let kind = "invalid_request_error";
    let body = json!({"error": {"message": message, "type": kind, "param": param, "code": code}});
    Refusal { status, message: message.to_owned(), headers: Vec::new(), payload: Payload::Json(body) }
}

/// Whether the vendor has models of such a name.
fn is_model(name: &str) -> bool {
    let reasoning =
        name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    reasoning || ["gpt-", "chatgpt-", "codex-", "ft:"].iter().any(|start| name.starts_with(start))
}

fn unknown_model(name: &str) -> Refusal {
    let message = format!("The model `{name}` does not exist or you do not have access to it.");
    refusal(404, &message, None, Some("model_not_found"))
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "system"})
}

fn authenticate(received: &Received<'_>) -> Result<(), Refusal> {
    let Some(key) = bearer(received.headers).filter(|key| !key.is_empty()) else {
        let message = "You didn't provide an API key. You need to provide your API key in an Authorization header using \
             Bearer auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from \
             https://platform.openai.com/account/api-keys.";
        return Err(refusal(401, message, None, None));
    };
    let ours = key.starts_with("sk-") && !key.starts_with("sk-ant-");
    if ours || received.keys.iter().any(|other| other == key) {
        return Ok(());
    }
    let shown: String = key.chars().take(4).collect();
    let message = format!(
        "Incorrect API key provided: {shown}***. You can find your API key at https://platform.openai.com/account/api-keys."
    );
    Err(refusal(401, &message, None, Some("invalid_api_key")))
}
