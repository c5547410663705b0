//! What a provider knows the gateway by, and how it goes onto a request.

mod aws;
mod google;

use std::fmt;
use std::time::Duration;

pub use aws::AwsKeys;
pub use google::ServiceAccount;

use crate::failure::Failure;

/// A credential, ready to be used.
#[derive(Debug)]
pub enum Authentication {
    /// The provider asks for none.
    None,
    /// One header, the same on every request.
    Header { name: &'static str, value: Secret },
    /// Signature version 4 of the request.
    Aws(AwsKeys),
    /// A token that the key of a Google service account signs.
    Google(Box<ServiceAccount>),
}

/// Text that no log, error or dump shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A request that is ready but for its credential.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    /// `https` or `http`.
    pub scheme: &'a str,
    pub authority: &'a str,
    /// With its query.
    pub path: &'a str,
    pub body: &'a [u8],
}

impl Authentication {
    /// The headers that carry the credential on this request, at `now` (since the Unix epoch).
    pub fn headers(
        &self,
        request: Unsigned<'_>,
        now: Duration,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Header { name, value } => Ok(vec![(name, value.expose().to_owned())]),
            Self::Aws(keys) => keys.sign(request, now),
            Self::Google(account) => account.token(now),
        }
    }
}

impl Secret {
    pub(crate) fn new(value: String) -> Self {
        Self(value)
    }

    /// The text itself, for the one header that it belongs in.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
