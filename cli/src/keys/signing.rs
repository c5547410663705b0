//! Bundles of keys, and who signs them. Private keys are PKCS#8 in PEM, as other tools make and read them.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use sluice_core::identity::bundle::{payload, seal};
use sluice_core::policy;

/// What stands before the 32 bytes of an Ed25519 key in PKCS#8 (RFC 8410).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// A new pair of keys.
pub struct Pair {
    /// PKCS#8 in PEM; signs bundles.
    pub private: String,
    /// 32 bytes in base64; for `callers.source.public_key`.
    pub public: String,
}

impl Pair {
    /// Makes a pair from the operating system's random bits.
    ///
    /// # Errors
    /// The system has none.
    pub fn new() -> Result<Self, String> {
        let seed = super::random()?;
        let mut der = PKCS8.to_vec();
        der.extend_from_slice(&seed);
        Ok(Self {
            private: format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der)),
            public: STANDARD.encode(SigningKey::from_bytes(&seed).verifying_key().as_bytes()),
        })
    }
}

/// Reads a private key.
///
/// # Errors
/// It is none. The message shows nothing of it.
pub fn private_key(pem: &str) -> Result<SigningKey, String> {
    let body = pem.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let body: String = body.unwrap_or_default().split_whitespace().collect();
    let der = STANDARD.decode(body).unwrap_or_default();
    let seed: Option<[u8; 32]> = der.strip_prefix(&PKCS8).and_then(|seed| seed.try_into().ok());
    let seed = seed.ok_or("is no Ed25519 private key (PKCS#8 in PEM, unencrypted)")?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Signs a bundle of the keys in `document`, which is a list as `callers.keys` has it, or a map with such a list as `keys`.
/// `expires` is since the Unix epoch.
///
/// # Errors
/// Every fault of the document, a line each.
pub fn bundle(
    document: &[u8],
    serial: u64,
    expires: Option<Duration>,
    signer: &SigningKey,
) -> Result<Vec<u8>, String> {
    let keys = policy::parse_keys(document).map_err(|faults| faults.to_string())?;
    let payload = payload(serial, expires, &keys).map_err(|error| error.to_string())?;
    Ok(seal(&signer.sign(&payload).to_bytes(), &payload))
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_comes_back_as_the_one_of_its_public_key() {
        let pair = Pair::new().unwrap();
        let read = private_key(&pair.private).unwrap();
        assert_eq!(STANDARD.encode(read.verifying_key().as_bytes()), pair.public);
        assert!(!format!("{pair:?}").contains(pair.private.lines().nth(1).unwrap()));
    }

    #[test]
    fn a_private_key_of_another_tool_is_read() {
        // From RFC 8410, section 10.3.
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let public = private_key(pem).unwrap().verifying_key();
        assert_eq!(STANDARD.encode(public.as_bytes()), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for text in ["", "secret", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", &"A".repeat(64)]
        {
            assert!(private_key(text).is_err(), "{text}");
        }
    }
}
