//! Tokens that a Google service account signs for itself.
//!
//! A self-signed JWT with a scope is taken by Google Cloud's APIs in the place of an OAuth access token
//! (google.aip.dev/auth/4111), so that nobody has to be asked for one.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::Secret;
use crate::failure::Failure;

/// What a token allows: all that the account may do.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long a token lives; Google takes no longer one.
const LIFETIME: Duration = Duration::from_secs(3600);

/// How long before its end a token is not used any more: a request may be on its way for a while.
const MARGIN: Duration = Duration::from_secs(300);

/// A service account's key.
pub struct ServiceAccount {
    email: String,
    key_id: String,
    key: SigningKey<Sha256>,
    /// The token that was signed last: signing takes milliseconds.
    latest: Mutex<Option<Token>>,
}

struct Token {
    issued: Duration,
    header: Secret,
}

/// The JSON key file, as Google gives it out.
#[derive(Deserialize)]
struct KeyFile {
    r#type: Option<String>,
    client_email: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    /// Without an audience: Google wants either of them.
    scope: &'static str,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    /// Reads the JSON key file's text; an error says what is wrong with it, without any of it.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        // The parser's own words would quote the text.
        let file: KeyFile =
            serde_json::from_str(json).map_err(|_| "does not hold the JSON key file of a service account")?;
        if file.r#type.as_deref() != Some("service_account") {
            return Err("holds a JSON file that is not of the type service_account".to_owned());
        }
        let needed = |value: Option<String>, name: &str| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| format!("holds a key file without {name}"))
        };
        let key = needed(file.private_key, "private_key")?;
        let key = RsaPrivateKey::from_pkcs8_pem(&key)
            .map_err(|_| "holds a key file whose private_key is no RSA key in PKCS #8")?;
        Ok(Self {
            email: needed(file.client_email, "client_email")?,
            key_id: needed(file.private_key_id, "private_key_id")?,
            key: SigningKey::new(key),
            latest: Mutex::new(None),
        })
    }

    /// The header with a token that is valid at `now`.
    pub(super) fn token(&self, now: Duration) -> Result<Vec<(&'static str, String)>, Failure> {
        // Whoever panicked while holding the lock left a whole token, or none.
        let mut latest = self.latest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // A clock that has gone back makes a token one of the future, which Google refuses.
        let is_valid = |token: &Token| token.issued <= now && now + MARGIN < token.issued + LIFETIME;
        let token = match latest.take().filter(is_valid) {
            Some(token) => token,
            None => Token { issued: now, header: Secret::new(format!("Bearer {}", self.sign(now)?)) },
        };
        let header = token.header.expose().to_owned();
        *latest = Some(token);
        Ok(vec![("authorization", header)])
    }

    fn sign(&self, now: Duration) -> Result<String, Failure> {
        let header = Header { alg: "RS256", typ: "JWT", kid: &self.key_id };
        let (iat, exp) = (now.as_secs(), (now + LIFETIME).as_secs());
        let claims = Claims { iss: &self.email, sub: &self.email, scope: SCOPE, iat, exp };
        let signed = format!("{}.{}", encoded(&header)?, encoded(&claims)?);
        let signature = self.key.try_sign(signed.as_bytes()).map_err(|_| unsigned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
    }
}

fn encoded(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_vec(value).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| unsigned())
}

fn unsigned() -> Failure {
    Failure::operator("The gateway could not sign a token for the provider.")
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "google_tests.rs"]
mod tests;
