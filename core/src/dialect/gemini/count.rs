//! Reads how many tokens a request has.

use serde::Deserialize;

use crate::failure::Failure;
use crate::json;
use crate::task::TokenCount;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CountResponse {
    total_tokens: Option<u64>,
    cached_content_token_count: Option<u64>,
}

/// Reads a count, of the Gemini API's or of Vertex AI's.
pub fn decode_count(body: &[u8]) -> Result<TokenCount, Failure> {
    let malformed = || Failure::malformed("The provider's answer could not be read.");
    let response: CountResponse = json::read(body).map_err(|_| malformed())?;
    let input = response.total_tokens.ok_or_else(malformed)?;
    Ok(TokenCount { input, cached_input: response.cached_content_token_count.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read() {
        let count = decode_count(
            br#"{"totalTokens":31,"cachedContentTokenCount":4,"promptTokensDetails":[{"modality":"TEXT","tokenCount":31}]}"#,
        );
        assert_eq!(count, Ok(TokenCount { input: 31, cached_input: 4 }));
        let count = decode_count(br#"{"totalTokens":7,"totalBillableCharacters":20}"#);
        assert_eq!(count, Ok(TokenCount { input: 7, cached_input: 0 }));
        for body in [&b"{}"[..], b"", b"[]", br#"{"totalTokens":"x"}"#] {
            assert!(decode_count(body).is_err_and(|failure| failure.status == 502));
        }
    }
}
