//! What a failure of Cohere's becomes for the client.

use crate::dialect::provider_failure;
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};

object! {
    /// Errors are `{"message"}`; those of proxies before the API have an `error` besides, or in its place.
    struct ErrorBody<'a> {
        "message" => message: Text<'a>,
        "error" => error: Raw<'a>,
        ..
    }
}

object! {
    struct InnerError<'a> {
        "message" => message: Text<'a>,
        ..
    }
}

/// Reads an error response.
pub(crate) fn decode_failure(status: u16, body: &[u8]) -> Failure {
    let body = json::read::<ErrorBody<'_>>(body).ok();
    let message = body.and_then(|body| {
        let inner = || {
            let error = body.error?;
            error.read::<Text<'_>>().ok().or_else(|| error.read::<InnerError<'_>>().ok()?.message)
        };
        body.message.or_else(inner)
    });
    let status = match status {
        // "Invalid token": about the gateway's credential, as 401 is.
        498 => 401,
        status => status,
    };
    provider_failure(status, message.as_deref())
}

/// What a body or an event that can't be read, or contradicts the format, becomes.
pub(super) fn malformed() -> Failure {
    Failure::malformed("The provider's answer could not be read.")
}

/// The failure of an answer that began and could not be completed.
pub(super) fn failed(reason: &str, message: Option<&str>) -> Failure {
    let status = if reason == "TIMEOUT" { 504 } else { 500 };
    Failure::provider(status, message.unwrap_or("The provider's answer failed.").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    #[test]
    fn the_words_of_an_error_are_passed_on() {
        let invalid =
            decode_failure(400, br#"{"id":"x","message":"invalid request: query must not be empty"}"#);
        assert_eq!(
            (invalid.status, invalid.kind, &*invalid.message),
            (400, Kind::InvalidRequest, "invalid request: query must not be empty")
        );
        assert_eq!(
            decode_failure(404, br#"{"message":"no such model"}"#).code.as_deref(),
            Some("model_not_found")
        );
        assert_eq!(decode_failure(429, b"{}").kind, Kind::RateLimit);
        for body in [&br#"{"error":"busy"}"#[..], br#"{"error":{"message":"busy"}}"#] {
            assert_eq!(&*decode_failure(503, body).message, "busy");
        }
        assert_eq!(&*decode_failure(500, b"<html>").message, "The provider answered with status 500.");
    }

    #[test]
    fn nothing_about_our_account_is_said() {
        for status in [401, 402, 403, 498] {
            let failure = decode_failure(status, br#"{"message":"invalid api token of Example Ltd"}"#);
            assert_eq!(failure.status, 502);
            assert!(!failure.message.contains("Example"), "{}", failure.message);
        }
    }
}
