//! Reads errors: `{"error": {"code", "message", "status", "details"}}`, also as an array of one.

use crate::dialect::provider_failure;
use crate::failure::Failure;

use super::wire::{self, WireError};

/// Reads an error response. `status` is the provider's, the failure's is what the client gets.
pub fn decode_failure(status: u16, body: &[u8]) -> Failure {
    match wire::read(body).ok().and_then(|response| response.error) {
        Some(error) => failure_of(&error, status),
        None => provider_failure(status, None),
    }
}

/// The failure of an error that stands where an answer should be: its code is the status.
pub fn misplaced(error: &WireError<'_>) -> Failure {
    failure_of(error, error.code.filter(|code| (400..=599).contains(code)).unwrap_or(500))
}

fn failure_of(error: &WireError<'_>, status: u16) -> Failure {
    if error.is_about_the_key() {
        return provider_failure(401, None);
    }
    let message = error.message.as_deref().filter(|message| !names_a_key(message));
    Failure { retry_after: error.retry_after(), ..provider_failure(status, message) }
}

/// Google's words on quota and consumers may name the key that was used.
fn names_a_key(message: &str) -> bool {
    message.contains("api_key:") || message.contains("AIza")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    #[test]
    fn an_error_keeps_its_status_and_words() {
        let body =
            br#"{"error":{"code":429,"message":"You exceeded your quota.","status":"RESOURCE_EXHAUSTED",
            "details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"32.5s"}]}}"#;
        let failure = decode_failure(429, body);
        assert_eq!((failure.status, failure.kind), (429, Kind::RateLimit));
        assert_eq!(failure.code.as_deref(), Some("rate_limit_exceeded"));
        assert_eq!(failure.message, "You exceeded your quota.");
        assert_eq!(failure.retry_after, Some(33));
    }

    #[test]
    fn delays_are_rounded_up() {
        let seconds = |delay: &str| {
            let body = format!(r#"{{"error":{{"details":[{{"reason":"x"}},{{"retryDelay":"{delay}"}}]}}}}"#);
            decode_failure(429, body.as_bytes()).retry_after
        };
        assert_eq!(seconds("7s"), Some(7));
        assert_eq!(seconds("7.000s"), Some(7));
        assert_eq!(seconds("0.000000001s"), Some(1));
        for malformed in ["", "s", "7", "-1s", "18446744073709551615.1s"] {
            assert_eq!(seconds(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn an_array_of_one_is_read() {
        let failure = decode_failure(503, br#" [{"error":{"code":503,"message":"Overloaded."}}]"#);
        assert_eq!((failure.status, &*failure.message), (503, "Overloaded."));
    }

    #[test]
    fn our_own_key_is_the_gateways_business() {
        let invalid = br#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT",
            "details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#;
        let suspended =
            br#"{"error":{"code":403,"message":"Consumer 'api_key:AIzaSecret' has been suspended."}}"#;
        for failure in [decode_failure(400, invalid), decode_failure(403, suspended)] {
            assert_eq!(failure.status, 502);
            assert_eq!(failure.code.as_deref(), Some("provider_authentication"));
            assert_eq!(failure.message, "The provider refused the gateway's credential.");
        }
        let quota =
            br#"{"error":{"code":429,"message":"Quota exceeded for consumer 'api_key:AIzaSecret'."}}"#;
        assert_eq!(decode_failure(429, quota).message, "The provider answered with status 429.");
    }

    #[test]
    fn what_cannot_be_read_has_its_status_still() {
        for body in [&b"<html>"[..], b"", b"[]", b"{}", br#"{"error":"no"}"#, br#"[{"error":{}},{}]"#] {
            let failure = decode_failure(500, body);
            assert_eq!(failure.message, "The provider answered with status 500.");
        }
    }
}
