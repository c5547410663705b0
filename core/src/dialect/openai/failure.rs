//! Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`, and the forms of compatible vendors.

use serde::Serialize;

use crate::dialect::provider_failure;
use crate::failure::{Failure, Kind};
use crate::json::{self, Raw, Text, TextOr, object};

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

object! {
    /// The body of an error response. Where OpenAI has an object, some vendors have a text (Text Generation Inference,
    /// xAI); others have everything at the top (Mistral, SGLang), or FastAPI's `detail` (NVIDIA).
    struct WireBody<'a> {
        "error" => error: TextOr<'a, WireError<'a>>,
        "message" => message: Raw<'a>,
        "detail" => detail: Raw<'a>,
        "code" => code: Raw<'a>,
        ..
    }
}

object! {
    /// An error as vendors write it: compatible ones make `code` a number.
    pub(super) struct WireError<'a> {
        "message" => message: Text<'a>,
        "type" => kind: Text<'a>,
        "code" => code: Raw<'a>,
        ..
    }
}

object! {
    /// One of FastAPI's faults.
    struct Detail<'a> {
        "msg" => message: Text<'a>,
        ..
    }
}

/// Writes a failure as a JSON body.
pub(crate) fn encode_failure(failure: &Failure) -> Vec<u8> {
    let body = ErrorBody {
        error: ErrorObject {
            message: &failure.message,
            r#type: word(failure.kind),
            param: failure.parameter.as_deref(),
            code: failure.code.as_deref(),
        },
    };
    // Text and options always serialise.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Reads the error response of a provider.
pub(crate) fn decode_failure(status: u16, body: &[u8]) -> Failure {
    let Ok(body) = json::read::<WireBody<'_>>(body) else { return provider_failure(status, None) };
    let (message, code) = match body.error {
        Some(TextOr::Text(text)) => (Some(text), body.code),
        Some(TextOr::Other(error)) => (error.message, error.code),
        None => (body.message.or(body.detail).and_then(text_of), body.code),
    };
    coded(provider_failure(status, message.as_deref()), code)
}

/// The failure that an error inside of a successful answer stands for, whether it is an object or a text.
pub(super) fn answered_failure(error: &TextOr<'_, WireError<'_>>) -> Failure {
    match error {
        TextOr::Text(text) => provider_failure(500, Some(text)),
        TextOr::Other(error) => streamed_failure(error),
    }
}

/// The failure that an error inside of a stream stands for: it has no status, so its words give one.
pub(super) fn streamed_failure(error: &WireError<'_>) -> Failure {
    let code = error.code.map(|code| code.get().trim_matches('"')).unwrap_or_default();
    let words = [error.kind.as_deref().unwrap_or_default(), code];
    let is = |word: &str| words.contains(&word);
    let status = match code.parse::<u16>() {
        Ok(status @ 400..=599) => status,
        _ if ["rate_limit_error", "rate_limit_exceeded", "insufficient_quota"]
            .iter()
            .any(|word| is(word)) =>
        {
            429
        }
        _ if is("invalid_request_error") => 400,
        _ => 500,
    };
    coded(provider_failure(status, error.message.as_deref()), error.code)
}

/// With the vendor's word for what is wrong with the request, where that is one that clients act on.
fn coded(failure: Failure, code: Option<Raw<'_>>) -> Failure {
    const KNOWN: [&str; 3] = ["context_length_exceeded", "content_filter", "content_policy_violation"];
    let code = code.map(|code| code.get().trim_matches('"')).unwrap_or_default();
    match KNOWN.iter().find(|known| **known == code) {
        Some(known) if failure.kind == Kind::InvalidRequest => failure.code(*known),
        _ => failure,
    }
}

/// A text, or that of the first fault of a list.
fn text_of(raw: Raw<'_>) -> Option<Text<'_>> {
    match raw.read::<Text<'_>>() {
        Ok(text) => Some(text),
        Err(_) => raw.read::<Vec<Detail<'_>>>().ok()?.into_iter().next()?.message,
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::Authentication | Kind::Permission | Kind::NotFound | Kind::TooLarge => {
            "invalid_request_error"
        }
        Kind::RateLimit => "rate_limit_error",
        Kind::Quota => "insufficient_quota",
        Kind::Timeout | Kind::Overloaded | Kind::Server => "server_error",
    }
}
