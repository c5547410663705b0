//! Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`.

use serde::Serialize;

use crate::dialect::provider_failure;
use crate::failure::{Failure, Kind};
use crate::json::{self, Raw, Text, object};

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
    struct WireBody<'a> {
        "error" => error: WireError<'a>,
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
    let message = json::read::<WireBody<'_>>(body).ok().and_then(|body| body.error?.message);
    provider_failure(status, message.as_deref())
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
    provider_failure(status, error.message.as_deref())
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
