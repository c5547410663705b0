//! What a failure of Anthropic's becomes for the client.

use serde::Deserialize;

use crate::dialect::provider_failure;
use crate::failure::Failure;
use crate::json::{self, Text};

/// The `error` of an error response and of an `error` event (`{"type": "error", "error": {"type", "message"}}`).
#[derive(Debug, Deserialize)]
pub(super) struct ErrorObject<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// Reads an error response.
///
/// The status decides, but what the gateway's own account is refused for is known by the word too: none of the
/// vendor's text about it reaches the client.
pub(crate) fn decode_failure(status: u16, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct ErrorResponse<'a> {
        #[serde(borrow)]
        error: Option<ErrorObject<'a>>,
    }
    let error = json::read::<ErrorResponse<'_>>(body).ok().and_then(|response| response.error);
    let kind = error.as_ref().and_then(|error| error.kind.as_deref());
    let status = match kind {
        Some("authentication_error" | "permission_error" | "billing_error") => status_of_kind(kind),
        _ => status,
    };
    provider_failure(status, error.and_then(|error| error.message).as_deref())
}

/// What a body or an event that can't be read, or contradicts the format, becomes.
pub(super) fn malformed() -> Failure {
    Failure::malformed("The provider's answer could not be read.")
}

impl ErrorObject<'_> {
    /// The failure that an error without a status is: in a stream, or in the body of a success.
    pub fn into_failure(self) -> Failure {
        provider_failure(status_of_kind(self.kind.as_deref()), self.message.as_deref())
    }
}

/// The status that comes with each type of error (`api/errors`).
fn status_of_kind(kind: Option<&str>) -> u16 {
    match kind {
        Some("invalid_request_error") => 400,
        Some("authentication_error") => 401,
        Some("billing_error") => 402,
        Some("permission_error") => 403,
        Some("not_found_error") => 404,
        Some("conflict_error") => 409,
        Some("request_too_large") => 413,
        Some("rate_limit_error") => 429,
        Some("timeout_error") => 504,
        Some("overloaded_error") => 529,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    fn body(kind: &str, message: &str) -> Vec<u8> {
        format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}","details":null}},"request_id":"req_1"}}"#)
            .into_bytes()
    }

    #[test]
    fn the_words_of_an_error_are_passed_on() {
        let overloaded = decode_failure(529, &body("overloaded_error", "Overloaded"));
        assert_eq!(
            (overloaded.status, overloaded.kind, &*overloaded.message),
            (503, Kind::Overloaded, "Overloaded")
        );
        // The status is the fact; the word is only another one for it.
        assert_eq!(decode_failure(404, &body("api_error", "No such model")).status, 404);
        assert_eq!(decode_failure(500, b"<html>").message, "The provider answered with status 500.");
    }

    #[test]
    fn an_error_without_a_status_has_that_of_its_type() {
        for (kind, status) in [
            ("invalid_request_error", 400),
            ("authentication_error", 502),
            ("billing_error", 502),
            ("permission_error", 502),
            ("not_found_error", 404),
            ("conflict_error", 409),
            ("request_too_large", 413),
            ("rate_limit_error", 429),
            ("timeout_error", 504),
            ("api_error", 500),
            ("overloaded_error", 503),
            ("novel_error", 500),
        ] {
            let error = ErrorObject { kind: Some(Text::from(kind)), message: None };
            assert_eq!(error.into_failure().status, status, "{kind}");
        }
    }

    #[test]
    fn nothing_about_our_account_is_said_whatever_the_status() {
        for kind in ["authentication_error", "permission_error", "billing_error"] {
            let failure = decode_failure(400, &body(kind, "key sk-ant-1 of Example Ltd"));
            assert_eq!(failure.status, 502);
            assert!(!failure.message.contains("Example"), "{}", failure.message);
        }
    }
}
