//! Anthropic's Messages, API versions 2023-06-01 and 2026-10-21, after the types of the official Python SDK
//! `anthropic` 2.11.0 and platform.claude.com.

mod request;
mod response;
mod rules;
mod shapes;

use super::answer::{Answer, Ask};
use super::dialect::{Dialect, Payload, Received, Refusal, Verdict, bearer, edge_page, header, is_json};
use serde_json::{Value, json};

/// The vendor.
pub struct Anthropic;

/// The API versions in use; the later one knows no sampling parameters.
pub(super) const VERSIONS: &[&str] = &["2023-06-01", "2026-10-21"];

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "Anthropic"
    }

    fn judge(&self, received: &Received<'_>) -> Result<Verdict, Refusal> {
        if received.path != "/v1/messages" {
            return Err(self.error(404, Some("Not found")));
        }
        if received.method != "POST" {
            return Err(invalid(405, "Method Not Allowed"));
        }
        authenticate(received)?;
        let Some(version) = header(received.headers, "anthropic-version") else {
            return Err(invalid(400, "anthropic-version: header is required"));
        };
        if !VERSIONS.contains(&version) {
            return Err(invalid(
                400,
                &format!("anthropic-version: \"{version}\" is not a valid API version"),
            ));
        }
        if !is_json(received.headers) {
            return Err(invalid(400, "Invalid content type: expected application/json"));
        }
        request::read(received, version).map(|ask| Verdict::Chat(Box::new(ask)))
    }

    fn error(&self, status: u16, message: Option<&str>) -> Refusal {
        let (kind, text) = match status {
            401 => ("authentication_error", "invalid x-api-key"),
            402 => ("billing_error", "Your credit balance is too low to access the Anthropic API."),
            403 => {
                ("permission_error", "Your API key does not have permission to use the specified resource.")
            }
            404 => ("not_found_error", "model: claude-none"),
            408 => ("timeout_error", "Request timed out"),
            409 => ("conflict_error", "The request conflicts with another one."),
            413 => ("request_too_large", "Request exceeds the maximum size"),
            429 => (
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 50 requests per minute.",
            ),
            504 => ("timeout_error", "The request timed out while it was processed."),
            529 => ("overloaded_error", "Overloaded"),
            400..=499 => ("invalid_request_error", "The request is invalid."),
            _ => ("api_error", "Internal server error"),
        };
        let refusal = refusal(status, kind, message.unwrap_or(text));
        if status == 502 { Refusal { payload: edge_page(status), ..refusal } } else { refusal }
    }

    fn headers(&self, index: u64) -> Vec<(String, String)> {
        let headers = [
            ("request-id", format!("req_mock{index:06}")),
            ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000".to_owned()),
            ("anthropic-ratelimit-requests-limit", "4000".to_owned()),
            ("anthropic-ratelimit-requests-remaining", "3999".to_owned()),
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
            Payload::Html(_) => {
                json!({"type": "error", "error": {"type": "api_error", "message": refusal.message}})
            }
        };
        format!("event: error\ndata: {body}\n\n")
    }

    fn malformed_event(&self) -> String {
        "event: content_block_delta\ndata: {\"broken\n\n".to_owned()
    }

    fn largest_body(&self) -> usize {
        32 << 20
    }
}

/// An error in Anthropic's form.
pub(super) fn refusal(status: u16, kind: &str, message: &str) -> Refusal {
    let body =
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_mock"});
    Refusal { status, message: message.to_owned(), headers: Vec::new(), payload: Payload::Json(body) }
}

/// An `invalid_request_error`.
pub(super) fn invalid(status: u16, message: &str) -> Refusal {
    refusal(status, "invalid_request_error", message)
}

/// The key comes as `x-api-key`, or as a bearer token (what the SDKs send since API version 2026-10-21); `x-api-key` wins.
fn authenticate(received: &Received<'_>) -> Result<(), Refusal> {
    let own = header(received.headers, "x-api-key");
    let message = match own.or(bearer(received.headers)) {
        None => "x-api-key header is required",
        Some(key) if key.starts_with("sk-ant-") || received.keys.iter().any(|other| other == key) => {
            return Ok(());
        }
        Some(_) if own.is_some() => "invalid x-api-key",
        Some(_) => "Invalid bearer token",
    };
    Err(refusal(401, "authentication_error", message))
}
