//! What a failure of Bedrock's becomes for the client.

use crate::dialect::provider_failure;
use crate::failure::Failure;
use crate::json::{self, Text, object};

object! {
    /// The body of an error response, and the data of an exception in a stream. Which of Amazon's front ends refused a
    /// request decides how the message is spelled, and whether the type is in the body.
    struct Exception<'a> {
        "message" => message: Text<'a>,
        "Message" => other_message: Text<'a>,
        "__type" => kind: Text<'a>,
        ..
    }
}

/// What comes with the name of an event that is an exception.
pub(super) const EXCEPTION: &str = "exception:";

/// What a body or an event that can't be read, or contradicts the format, becomes.
pub(super) fn malformed() -> Failure {
    Failure::malformed("The provider's answer could not be read.")
}

/// Reads an error response.
///
/// The status decides, but what the gateway's own account is refused for is known by the type too: none of the vendor's
/// text about it reaches the client.
pub(crate) fn decode_failure(status: u16, body: &[u8]) -> Failure {
    let exception = json::read::<Exception<'_>>(body).ok();
    let kind = exception.as_ref().and_then(|exception| exception.kind.as_deref());
    // `com.amazon.coral.service#UnrecognizedClientException`
    let kind = kind.map(|kind| kind.rsplit('#').next().unwrap_or_default());
    failure(status_of(kind.unwrap_or_default(), status), exception)
}

/// The failure that an exception within a stream is. `kind`: its type (`throttlingException`).
pub(super) fn streamed_failure(kind: &str, data: &str) -> Failure {
    failure(status_of(kind, 500), json::read(data.as_bytes()).ok())
}

fn failure(status: u16, exception: Option<Exception<'_>>) -> Failure {
    let message = exception.and_then(|exception| exception.message.or(exception.other_message));
    match status {
        // The model failed at its work: no fault of the request's.
        424 => provider_failure(502, message.as_deref()),
        status => provider_failure(status, message.as_deref()),
    }
}

/// The status that comes with a type of exception; `otherwise` for types that are told by their status well enough.
fn status_of(kind: &str, otherwise: u16) -> u16 {
    // Streams begin the word with a small letter.
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    let account = [
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "IncompleteSignatureException",
        "MissingAuthenticationTokenException",
        "ExpiredTokenException",
        "OptInRequired",
        "NotAuthorized",
    ];
    match () {
        () if account.into_iter().any(is) => 403,
        () if is("ValidationException") => 400,
        () if is("ResourceNotFoundException") => 404,
        () if is("ModelTimeoutException") => 408,
        () if is("ModelErrorException") || is("ModelStreamErrorException") => 424,
        () if is("ThrottlingException") || is("ModelNotReadyException") => 429,
        () if is("ServiceUnavailableException") => 503,
        () if is("InternalServerException") => 500,
        () => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    #[test]
    fn an_error_response_keeps_its_status_and_words() {
        for (status, body, expected) in [
            (400, r#"{"message":"Bad temperature"}"#, (400, Kind::InvalidRequest, "Bad temperature")),
            (404, r#"{"Message":"No such model"}"#, (404, Kind::NotFound, "No such model")),
            (408, r#"{"message":"Slow"}"#, (504, Kind::Timeout, "Slow")),
            (424, r#"{"message":"Broke"}"#, (502, Kind::Server, "Broke")),
            (429, r#"{"message":"Too many"}"#, (429, Kind::RateLimit, "Too many")),
            (503, "<html>", (503, Kind::Overloaded, "The provider answered with status 503.")),
        ] {
            let failure = decode_failure(status, body.as_bytes());
            assert_eq!((failure.status, failure.kind, &*failure.message), expected);
        }
    }

    #[test]
    fn nothing_about_our_account_is_said() {
        let words = r#"{"Message":"User: arn:aws:iam::123456789012:user/x is not authorized"}"#;
        let typed =
            r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"token AKIA1"}"#;
        for (status, body) in [(403, words), (400, typed), (401, words)] {
            let failure = decode_failure(status, body.as_bytes());
            assert_eq!((failure.status, failure.code.as_deref()), (502, Some("provider_authentication")));
            assert!(!failure.message.contains("arn:") && !failure.message.contains("AKIA"));
        }
    }

    #[test]
    fn an_exception_in_a_stream_has_the_status_of_its_type() {
        for (kind, status) in [
            ("internalServerException", 500),
            ("modelStreamErrorException", 502),
            ("validationException", 400),
            ("throttlingException", 429),
            ("serviceUnavailableException", 503),
            ("modelTimeoutException", 504),
            ("accessDeniedException", 502),
            ("novelException", 500),
        ] {
            let failure = streamed_failure(kind, r#"{"message":"Words"}"#);
            assert_eq!(failure.status, status, "{kind}");
            assert_eq!(failure.message == "Words", kind != "accessDeniedException", "{kind}");
        }
        assert_eq!(streamed_failure("x", "").message, "The provider answered with status 500.");
    }
}
