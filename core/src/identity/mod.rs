//! Who calls: a credential becomes a caller, or is refused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::failure::{Blame, Failure, Kind};
use crate::policy::KeyEntry;

/// Everyone whom the policy knows.
#[derive(Debug)]
pub struct Callers {
    anonymous: bool,
    /// By the SHA-256 of the key: a look-up tells nothing of a key by the time that it takes.
    keys: HashMap<[u8; 32], Arc<Caller>>,
}

/// Somebody with a key.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    pub id: String,
    pub user: Option<String>,
    pub team: Option<String>,
    pub roles: Vec<String>,
    expires: Option<Duration>,
    disabled: bool,
}

/// The headers in which official SDKs send a key, each as far as it is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    pub authorization: Option<&'a str>,
    pub x_api_key: Option<&'a str>,
    pub api_key: Option<&'a str>,
    pub x_goog_api_key: Option<&'a str>,
}

impl Callers {
    pub(crate) fn new(anonymous: bool, keys: &[KeyEntry]) -> Self {
        let caller = |key: &KeyEntry| Caller {
            id: key.id.clone(),
            user: key.user.clone(),
            team: key.team.clone(),
            roles: key.roles.clone(),
            expires: key.expires,
            disabled: key.disabled,
        };
        Self { anonymous, keys: keys.iter().map(|key| (key.sha256, Arc::new(caller(key)))).collect() }
    }

    /// Who it is that presents these credentials at `now` (since the Unix epoch); `None` for somebody unknown, where
    /// the policy serves such. A key that the policy knows and that has ended is refused even then.
    pub fn identify(
        &self,
        credentials: Credentials<'_>,
        now: Duration,
    ) -> Result<Option<Arc<Caller>>, Failure> {
        let Some(key) = credentials.key()? else {
            return match self.anonymous {
                true => Ok(None),
                false => Err(refused(
                    "missing_api_key",
                    "No API key was sent. Send yours as `Authorization: Bearer …`.",
                )),
            };
        };
        let digest: [u8; 32] = Sha256::digest(key).into();
        match self.keys.get(&digest) {
            Some(caller) if caller.disabled => {
                Err(refused("invalid_api_key", "This API key has been disabled."))
            }
            Some(caller) if caller.expires.is_some_and(|expires| now >= expires) => {
                Err(refused("invalid_api_key", "This API key has expired."))
            }
            Some(caller) => Ok(Some(Arc::clone(caller))),
            None if self.anonymous => Ok(None),
            None => Err(refused("invalid_api_key", "This API key is not known here.")),
        }
    }
}

impl<'a> Credentials<'a> {
    /// The one key that was sent.
    fn key(self) -> Result<Option<&'a str>, Failure> {
        let bearer = match self.authorization {
            None => None,
            Some(value) => match value.split_once(' ') {
                Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Some(key.trim()),
                _ => {
                    return Err(refused(
                        "invalid_api_key",
                        "The authorization header is not of the form `Bearer …`.",
                    ));
                }
            },
        };
        let mut keys = [bearer, self.x_api_key, self.api_key, self.x_goog_api_key]
            .into_iter()
            .flatten()
            .filter(|key| !key.is_empty());
        let first = keys.next();
        match first {
            Some(first) if keys.any(|other| other != first) => Err(disagreement()),
            _ => Ok(first),
        }
    }
}

/// Two credentials were sent, and they are not the same.
pub(crate) fn disagreement() -> Failure {
    refused("invalid_api_key", "Two API keys were sent that disagree.")
}

fn refused(code: &'static str, message: &'static str) -> Failure {
    Failure {
        blame: Blame::Client,
        status: 401,
        kind: Kind::Authentication,
        code: Some(code.into()),
        message: message.into(),
        parameter: None,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn callers(anonymous: bool) -> Callers {
        let key = |id: &str, key: &str, expires: Option<u64>, disabled| KeyEntry {
            id: id.to_owned(),
            sha256: Sha256::digest(key).into(),
            user: None,
            team: None,
            roles: Vec::new(),
            expires: expires.map(Duration::from_secs),
            disabled,
        };
        let entries = [
            key("good", "k-good", Some(1_700_000_001), false),
            key("old", "k-old", Some(1_700_000_000), false),
            key("off", "k-off", None, true),
        ];
        Callers::new(anonymous, &entries)
    }

    fn bearer(value: &str) -> Credentials<'_> {
        Credentials { authorization: Some(value), ..Credentials::default() }
    }

    #[test]
    fn a_key_is_found_in_every_header_that_sdks_use() {
        let none = Credentials::default();
        for credentials in [
            bearer("Bearer k-good"),
            bearer("bearer  k-good"),
            Credentials { x_api_key: Some("k-good"), ..none },
            Credentials { api_key: Some("k-good"), ..none },
            Credentials { x_goog_api_key: Some("k-good"), ..none },
            Credentials { x_api_key: Some("k-good"), authorization: Some("Bearer k-good"), ..none },
        ] {
            let caller = callers(false).identify(credentials, NOW).expect("is known").expect("is a caller");
            assert_eq!(caller.id, "good");
        }
    }

    #[test]
    fn whoever_is_not_known_is_refused() {
        let none = Credentials::default();
        for (credentials, message) in [
            (none, "No API key"),
            (bearer("Bearer "), "No API key"),
            (bearer("Bearer k-other"), "not known"),
            (bearer("Basic k-good"), "form"),
            (bearer("k-good"), "form"),
            (bearer("Bearer k-old"), "expired"),
            (bearer("Bearer k-off"), "disabled"),
            (Credentials { x_api_key: Some("k-other"), ..bearer("Bearer k-good") }, "disagree"),
        ] {
            let failure = callers(false).identify(credentials, NOW).unwrap_err();
            assert_eq!(failure.status, 401);
            assert!(failure.message.contains(message), "{}", failure.message);
        }
    }

    #[test]
    fn anonymous_callers_are_served_where_the_policy_says_so() {
        assert_eq!(callers(true).identify(Credentials::default(), NOW), Ok(None));
        assert_eq!(callers(true).identify(bearer("Bearer sk-of-any-sdk"), NOW), Ok(None));
        assert_eq!(callers(true).identify(bearer("Bearer k-off"), NOW).unwrap_err().status, 401);
    }
}
