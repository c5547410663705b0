//! Where clients put their key, and that it is one key only.

use std::borrow::Cow;

use super::{disagreement, refused};
use crate::failure::Failure;

/// The places in which official SDKs and documents send a key, each as far as it is there.
#[derive(Clone, Debug, Default)]
pub struct Credentials<'a> {
    pub authorization: Option<&'a str>,
    pub x_api_key: Option<&'a str>,
    pub api_key: Option<&'a str>,
    pub x_goog_api_key: Option<&'a str>,
    /// The query of a path where Google's API takes a key as the parameter `key`.
    pub query: Option<&'a str>,
    /// What a WebSocket's client offers to speak (`sec-websocket-protocol`): browsers can send a key nowhere else.
    pub protocols: Vec<&'a str>,
}

/// How OpenAI's clients in browsers offer their key.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// What SDKs that insist on a key are given where a certificate is the credential.
const NO_KEY: &str = "none";

impl<'a> Credentials<'a> {
    /// The query of a request's path (`:path`), where it may hold a key: on the paths of Google's API.
    pub fn query_of(path: &'a str) -> Option<&'a str> {
        let (path, query) = path.split_once('?')?;
        (path.starts_with("/v1beta/") || path.starts_with("/v1/models/")).then_some(query)
    }

    /// The one key that was sent, wherever it stands and however often.
    pub(super) fn key(self) -> Result<Option<Cow<'a, str>>, Failure> {
        let bearer = self.authorization.map(bearer).transpose()?;
        let headers = [bearer, self.x_api_key, self.api_key, self.x_goog_api_key];
        let parameters = self.query.into_iter().flat_map(|query| query.split('&'));
        let parameters = parameters.filter_map(|parameter| parameter.strip_prefix("key=")).map(decode);
        let protocols = self.protocols.into_iter().flat_map(|protocols| protocols.split(','));
        let offered = protocols.filter_map(|protocol| protocol.trim().strip_prefix(KEY_PROTOCOL));
        let given = headers.into_iter().flatten().chain(offered);
        let keys = given.map(|key| Ok(Cow::Borrowed(key))).chain(parameters);
        let mut found: Option<Cow<'a, str>> = None;
        for key in keys {
            let key = key?;
            match &found {
                _ if key.is_empty() || key == NO_KEY => {}
                Some(first) if *first != key => return Err(disagreement()),
                _ => found = Some(key),
            }
        }
        Ok(found)
    }
}

fn bearer(value: &str) -> Result<&str, Failure> {
    match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(key.trim()),
        _ => Err(refused("invalid_api_key", "The authorization header is not of the form `Bearer …`.")),
    }
}

/// The text of a parameter whose reserved characters are written as `%` and two hexadecimal digits.
fn decode(text: &str) -> Result<Cow<'_, str>, Failure> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let byte = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(unreadable)?;
        bytes.push(byte);
        bytes.extend(part.bytes().skip(2));
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| unreadable())
}

fn unreadable() -> Failure {
    refused("invalid_api_key", "The parameter `key` can't be read.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(query: &str) -> String {
        let credentials =
            Credentials { query: Some(query), x_goog_api_key: Some("k/1"), ..Credentials::default() };
        credentials
            .key()
            .map_or_else(|failure| failure.message.into_owned(), |key| key.unwrap_or_default().into_owned())
    }

    #[test]
    fn a_key_in_the_query_counts_like_one_in_a_header() {
        for same in ["", "key=k%2f1", "key=k/1&alt=sse", "alt=sse&key=k%2F1&key=", "monkey=x", "key=none"] {
            assert_eq!(key(same), "k/1", "{same}");
        }
        for other in ["key=k", "key=k/1&key=k", "key=K/1", "key=k+1", "key=k%2f1%00"] {
            assert!(key(other).contains("disagree"), "{other}");
        }
        for bad in ["key=%", "key=%2", "key=%zz", "key=%+1", "key=%ff", "key=é%2"] {
            assert!(key(bad).contains("can't be read"), "{bad}");
        }
    }

    #[test]
    fn a_key_among_a_sockets_protocols_counts_too() {
        let key = |protocols: &[&'static str], authorization| {
            let credentials =
                Credentials { protocols: protocols.to_vec(), authorization, ..Credentials::default() };
            credentials
                .key()
                .map(|key| key.unwrap_or_default().into_owned())
                .map_err(|failure| failure.status)
        };
        let one = "realtime, openai-insecure-api-key.k-1.x ,openai-beta.realtime-v1";
        assert_eq!(key(&[one], None), Ok("k-1.x".to_owned()));
        assert_eq!(key(&[one], Some("Bearer k-1.x")), Ok("k-1.x".to_owned()));
        assert_eq!(key(&["realtime", "openai-insecure-api-key.k"], None), Ok("k".to_owned()));
        assert_eq!(key(&["realtime"], None), Ok(String::new()));
        assert_eq!(key(&[one, "openai-insecure-api-key.k"], None), Err(401));
        assert_eq!(key(&[one], Some("Bearer k")), Err(401));
    }

    #[test]
    fn only_paths_of_googles_api_have_a_key_in_their_query() {
        for path in ["/v1beta/models/m:generateContent?key=k", "/v1beta/models?key=k", "/v1/models/m:x?key=k"]
        {
            assert_eq!(Credentials::query_of(path), Some("key=k"));
        }
        for path in ["/v1/chat/completions?key=k", "/v1beta/models", "/v1/models?key=k"] {
            assert_eq!(Credentials::query_of(path), None);
        }
    }
}
