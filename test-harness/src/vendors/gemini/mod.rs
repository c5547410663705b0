//! Gemini's generateContent and streamGenerateContent (Gemini Developer API), after the types and converters of the
//! official Python SDK `google-genai` 3.4.0 and ai.google.dev.

mod request;
mod response;
mod rules;
mod shapes;

use super::answer::{Answer, Ask};
use super::dialect::{Dialect, Payload, Received, Refusal, Verdict, bearer, edge_page, header, is_json};
use serde_json::{Value, json};

/// The vendor.
pub struct Gemini;

impl Dialect for Gemini {
    fn name(&self) -> &'static str {
        "Gemini"
    }

    fn judge(&self, received: &Received<'_>) -> Result<Verdict, Refusal> {
        let rest = received.path.strip_prefix("/v1beta/").or(received.path.strip_prefix("/v1/"));
        let target = rest.and_then(|rest| rest.strip_prefix("models/")).and_then(|rest| rest.split_once(':'));
        let Some((model, method @ ("generateContent" | "streamGenerateContent"))) = target else {
            return Err(Refusal { payload: Payload::Html(NOT_FOUND.to_owned()), ..self.error(404, None) });
        };
        if received.method != "POST" {
            return Err(Refusal { payload: Payload::Html(NOT_FOUND.to_owned()), ..self.error(404, None) });
        }
        authenticate(received)?;
        if !is_json(received.headers) {
            return Err(refusal(400, "Invalid content type: expected application/json.", Value::Null));
        }
        let known = ["gemini-", "gemma-", "learnlm-"].iter().any(|start| model.starts_with(start));
        if !known && !received.any_model {
            let text = format!(
                "models/{model} is not found for API version v1beta, or is not supported for {method}. Call ListModels to see the list of available models and their supported methods."
            );
            return Err(refusal(404, &text, Value::Null));
        }
        let stream = method == "streamGenerateContent";
        let sse = query(received.query, "alt") == Some("sse");
        request::read(received, model, stream, sse).map(|ask| Verdict::Chat(Box::new(ask)))
    }

    fn error(&self, status: u16, message: Option<&str>) -> Refusal {
        let (text, details) = match status {
            401 => (UNAUTHENTICATED, Value::Null),
            403 => ("The caller does not have permission", Value::Null),
            404 => (
                "models/gemini-none is not found for API version v1beta, or is not supported for generateContent.",
                Value::Null,
            ),
            408 => ("The request timed out.", Value::Null),
            429 => (
                "You exceeded your current quota, please check your plan and billing details.\nPlease retry in 1s.",
                json!([
                    {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
                        "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
                        "quotaId": "GenerateRequestsPerMinutePerProjectPerModel"
                    }]},
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
                ]),
            ),
            503 => (
                "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.",
                Value::Null,
            ),
            504 => ("The request timed out. Please try again.", Value::Null),
            400..=499 => ("Request contains an invalid argument.", Value::Null),
            _ => (
                "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
                Value::Null,
            ),
        };
        let refusal = refusal(status, message.unwrap_or(text), details);
        if status == 502 { Refusal { payload: edge_page(status), ..refusal } } else { refusal }
    }

    fn headers(&self, _: u64) -> Vec<(String, String)> {
        let headers = [
            ("vary", "Origin, X-Origin, Referer"),
            ("server", "scaffolding on HTTPServer2"),
            ("x-xss-protection", "0"),
            ("x-content-type-options", "nosniff"),
        ];
        headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    fn json_type(&self) -> &'static str {
        "application/json; charset=UTF-8"
    }

    fn stream_type(&self, ask: &Ask) -> &'static str {
        if ask.body["sse"] == json!(true) { "text/event-stream" } else { self.json_type() }
    }

    fn answer(&self, ask: &Ask, answer: &Answer, index: u64) -> Value {
        response::whole(ask, answer, index)
    }

    fn events(&self, ask: &Ask, answer: &Answer, index: u64, pieces: Option<usize>) -> Vec<String> {
        response::events(ask, answer, index, pieces)
    }

    fn stream_error(&self, refusal: &Refusal, as_data: bool) -> String {
        let body = match &refusal.payload {
            Payload::Json(body) => body.clone(),
            Payload::Html(_) => {
                json!({"error": {"code": 500, "message": refusal.message, "status": "INTERNAL"}})
            }
        };
        if as_data {
            return format!("data: {body}\r\n\r\n");
        }
        // Google appends the bare error to the stream.
        format!("{}\n", serde_json::to_string_pretty(&body).unwrap_or_default())
    }

    fn malformed_event(&self) -> String {
        "data: {\"broken\r\n\r\n".to_owned()
    }

    fn largest_body(&self) -> usize {
        20 << 20
    }

    fn too_large(&self) -> Refusal {
        refusal(400, "Request payload size exceeds the limit: 20971520 bytes.", Value::Null)
    }
}

const NOT_FOUND: &str = "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p>The requested URL was not found on this server.\n";

const UNAUTHENTICATED: &str = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";

/// An error in Google's form; `details` is `null` or a list.
pub(super) fn refusal(status: u16, message: &str, details: Value) -> Refusal {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        402..=498 => "FAILED_PRECONDITION",
        _ => "INTERNAL",
    };
    let mut error = json!({"code": status, "message": message, "status": name});
    if !details.is_null() {
        error["details"] = details;
    }
    let payload = Payload::Json(json!({ "error": error }));
    Refusal { status, message: message.to_owned(), headers: Vec::new(), payload }
}

/// The one value of a query parameter.
fn query<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn authenticate(received: &Received<'_>) -> Result<(), Refusal> {
    let key = header(received.headers, "x-goog-api-key").or(query(received.query, "key"));
    let Some(key) = key else {
        if bearer(received.headers).is_some() {
            return Err(refusal(401, UNAUTHENTICATED, Value::Null));
        }
        let text = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.";
        return Err(refusal(403, text, Value::Null));
    };
    let ours = key.starts_with("AIza") || key.starts_with("AQ.");
    if ours || received.keys.iter().any(|other| other == key) {
        return Ok(());
    }
    let text = "API key not valid. Please pass a valid API key.";
    let details = json!([
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"}
        },
        {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": text}
    ]);
    Err(refusal(400, text, details))
}
