//! Errors in Anthropic's form: `{"type": "error", "error": {"type", "message"}}`.

use serde::Serialize;

use crate::failure::{Failure, Kind};

#[derive(Serialize)]
struct ErrorBody<'a> {
    r#type: &'static str,
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    r#type: &'static str,
    message: &'a str,
}

/// Writes a failure as a JSON body. The dialect has no place for a code or a parameter: the message names them.
pub(crate) fn encode_failure(failure: &Failure) -> Vec<u8> {
    let error = ErrorObject { r#type: word(failure.kind), message: &failure.message };
    // Text always serialises.
    serde_json::to_vec(&ErrorBody { r#type: "error", error }).unwrap_or_default()
}

/// Appends a failure that ends a stream which has begun.
pub(crate) fn end_stream(failure: &Failure, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    out.extend_from_slice(&encode_failure(failure));
    out.extend_from_slice(b"\n\n");
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest => "invalid_request_error",
        Kind::Authentication => "authentication_error",
        Kind::Permission => "permission_error",
        Kind::NotFound => "not_found_error",
        Kind::TooLarge => "request_too_large",
        Kind::RateLimit => "rate_limit_error",
        Kind::Quota => "billing_error",
        Kind::Timeout => "timeout_error",
        Kind::Overloaded => "overloaded_error",
        Kind::Server => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_word() {
        for (status, expected) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (413, "request_too_large"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
        ] {
            assert_eq!(word(Kind::of_status(status)), expected, "{status}");
        }
        assert_eq!(word(Kind::Quota), "billing_error");
    }

    #[test]
    fn a_stream_is_ended_by_an_event_of_its_own() {
        let mut out = Vec::new();
        end_stream(&Failure::provider(503, "Too \"much\"."), &mut out);
        let expected = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\
                        \"message\":\"Too \\\"much\\\".\"}}\n\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
