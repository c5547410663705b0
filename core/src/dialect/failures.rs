//! What a vendor's status means for the client, whatever the dialect.

use std::borrow::Cow;

use crate::failure::{Failure, Kind};

/// The most of a vendor's message that is passed on, in bytes.
const MAX_MESSAGE: usize = 2000;

/// The failure for the client when a provider answers with `status` and says `message`.
///
/// A provider's 401, 402 or 403 is about the gateway's own account: it would make the client doubt its own key, and its
/// words may hold a part of ours, so nothing of it is passed on.
pub(crate) fn provider_failure(status: u16, message: Option<&str>) -> Failure {
    let said = || match message {
        Some(message) if !message.is_empty() => Cow::Owned(shortened(message).to_owned()),
        _ => Cow::Owned(format!("The provider answered with status {status}.")),
    };
    match status {
        401 | 403 => Failure::provider(502, "The provider refused the gateway's credential.")
            .code("provider_authentication"),
        402 => Failure::provider(502, "The provider refused the gateway's account.").code("provider_billing"),
        404 => Failure::provider(404, said()).code("model_not_found"),
        429 => Failure::provider(429, said()).code("rate_limit_exceeded"),
        400 | 409 | 413 | 422 => Failure { kind: Kind::InvalidRequest, ..Failure::provider(status, said()) },
        408 => Failure::provider(504, said()),
        529 => Failure::provider(503, said()),
        500 | 502 | 503 | 504 => Failure::provider(status, said()),
        400..=499 => Failure::provider(400, said()),
        _ => Failure::provider(502, said()),
    }
}

/// Whether a provider's error response must not reach the client as it is, even in its own dialect.
pub(crate) fn is_about_the_gateway(status: u16) -> bool {
    matches!(status, 401..=403)
}

fn shortened(message: &str) -> &str {
    let end = (0..=MAX_MESSAGE.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    message.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_word_about_our_account_is_kept_from_the_client() {
        for status in [401, 402, 403] {
            let failure = provider_failure(status, Some("Incorrect API key provided: sk-ab***yz"));
            assert_eq!(failure.status, 502);
            assert!(!failure.message.contains("sk-ab"), "{}", failure.message);
        }
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let long = "ä".repeat(MAX_MESSAGE);
        let failure = provider_failure(500, Some(&long));
        assert_eq!(failure.message.len(), MAX_MESSAGE);
        assert_eq!(provider_failure(418, None).message, "The provider answered with status 418.");
    }
}
