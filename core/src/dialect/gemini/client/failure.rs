//! Writes errors: `{"error": {"code", "message", "status", "details"}}`, as `google.rpc.Status`.

use serde::Serialize;

use crate::failure::{Failure, Kind};

#[derive(Serialize)]
struct ErrorBody<'f> {
    error: Status<'f>,
}

#[derive(Serialize)]
struct Status<'f> {
    code: u16,
    message: &'f str,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail<'f>>,
}

#[derive(Serialize)]
#[serde(tag = "@type")]
enum Detail<'f> {
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    ErrorInfo { reason: String, domain: &'static str },
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest", rename_all = "camelCase")]
    BadRequest { field_violations: [Violation<'f>; 1] },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo", rename_all = "camelCase")]
    RetryInfo { retry_delay: String },
}

#[derive(Serialize)]
struct Violation<'f> {
    field: &'f str,
    description: &'f str,
}

/// Writes a failure as a JSON body.
pub(crate) fn encode_failure(failure: &Failure) -> Vec<u8> {
    let reason = failure.code.as_deref().map(str::to_ascii_uppercase);
    // The domain tells whose reasons these are: not Google's.
    let info = reason.map(|reason| Detail::ErrorInfo { reason, domain: "sluice" });
    let violation = failure.parameter.as_deref().map(|field| Detail::BadRequest {
        field_violations: [Violation { field, description: &failure.message }],
    });
    let retry = failure.retry_after.map(|seconds| Detail::RetryInfo { retry_delay: format!("{seconds}s") });
    let error = Status {
        code: failure.status,
        message: &failure.message,
        status: word(failure.kind),
        details: info.into_iter().chain(violation).chain(retry).collect(),
    };
    // Text and numbers always serialise.
    serde_json::to_vec(&ErrorBody { error }).unwrap_or_default()
}

/// `google.rpc.Code`
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::TooLarge => "INVALID_ARGUMENT",
        Kind::Authentication => "UNAUTHENTICATED",
        Kind::Permission => "PERMISSION_DENIED",
        Kind::NotFound => "NOT_FOUND",
        Kind::RateLimit | Kind::Quota => "RESOURCE_EXHAUSTED",
        Kind::Timeout => "DEADLINE_EXCEEDED",
        Kind::Overloaded => "UNAVAILABLE",
        Kind::Server => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::dialect::ProviderDialect;

    #[test]
    fn a_failure_is_a_status_with_its_details() {
        let failure = Failure {
            retry_after: Some(12),
            ..Failure::invalid("No.", Some("contents[0]".to_owned())).code("invalid_value")
        };
        let body = encode_failure(&failure);
        assert_eq!(
            serde_json::from_slice::<Value>(&body).expect("is JSON"),
            json!({"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT", "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "INVALID_VALUE", "domain": "sluice"},
                {"@type": "type.googleapis.com/google.rpc.BadRequest",
                 "fieldViolations": [{"field": "contents[0]", "description": "No."}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"},
            ]}})
        );
        // What we write, we read again.
        let read = ProviderDialect::Gemini.decode_failure(
            429,
            &encode_failure(&Failure { retry_after: Some(3), ..Failure::provider(429, "Slow.") }),
        );
        assert_eq!((read.status, &*read.message, read.retry_after), (429, "Slow.", Some(3)));
    }

    #[test]
    fn each_kind_has_its_word() {
        for (status, word) in [
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "NOT_FOUND"),
            (429, "RESOURCE_EXHAUSTED"),
            (503, "UNAVAILABLE"),
            (504, "DEADLINE_EXCEEDED"),
            (500, "INTERNAL"),
            (413, "INVALID_ARGUMENT"),
        ] {
            let body = encode_failure(&Failure::provider(status, "x"));
            let body: Value = serde_json::from_slice(&body).expect("is JSON");
            assert_eq!(body["error"]["status"], word);
            assert_eq!(body["error"].get("details"), None);
        }
    }
}
