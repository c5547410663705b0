//! Bundles: keys as a signed document, which a gateway fetches while it runs.
//!
//! A bundle is lines of text: the Ed25519 signature in base64 over all that follows its line; a header, as JSON; then
//! one key a line, as JSON with the fields of `callers.keys[]`.

mod refresh;
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

pub use refresh::{Outcome, Refresher, TIMEOUT, Trouble};
pub use table::{BundleKeys, STATUS, Status};

use crate::policy::KeyEntry;

/// The largest bundle that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The longest line of a bundle, in bytes.
const MAX_LINE_BYTES: usize = 16 << 10;
/// What the header says that this is, so that nothing else that was signed with the same key passes for a bundle.
const FORMAT: &str = "sluice-keys-1";

/// A bundle whose signature and every line are good.
#[derive(Debug)]
pub struct Bundle<'b> {
    /// Larger in each later bundle.
    pub serial: u64,
    /// Since the Unix epoch; the bundle is refused, and no longer in force, from then on.
    pub expires: Option<Duration>,
    signature: [u8; SIGNATURE_BYTES],
    /// By the keys' digests, in ascending order.
    keys: Vec<([u8; 32], &'b [u8])>,
}

const SIGNATURE_BYTES: usize = 64;

/// Why a bundle is not accepted. No variant shows anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Larger than [`MAX_BYTES`].
    TooLarge,
    /// Nobody of those who may has signed it.
    Signature,
    /// It can't be read, at this line (from 1).
    Malformed(usize),
    /// Two lines have the same key.
    DuplicateKey,
    /// Two keys have the same id.
    DuplicateId,
    /// It is older than the one in force.
    Older,
    /// It has the serial of the one in force, and is another one.
    SerialReused,
    /// Its time has ended.
    Expired,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Header<'b> {
    #[serde(borrow)]
    format: Cow<'b, str>,
    serial: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    expires: Option<Cow<'b, str>>,
}

/// A key's line. A field that is not known may be a restriction, so it is refused.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line<'b> {
    #[serde(borrow)]
    id: Cow<'b, str>,
    #[serde(borrow)]
    sha256: Cow<'b, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'b, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    team: Option<Cow<'b, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Cow<'b, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    models: Option<Vec<Cow<'b, str>>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    expires: Option<Cow<'b, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
}

/// What is signed: the bundle without its signature's line. Keys keep their order.
///
/// # Errors
/// Never for what a policy document can hold.
pub fn payload(
    serial: u64,
    expires: Option<Duration>,
    keys: &[KeyEntry],
) -> Result<Vec<u8>, serde_json::Error> {
    let header =
        Header { format: FORMAT.into(), serial, expires: expires.map(|expires| instant(expires).into()) };
    let mut bytes = serde_json::to_vec(&header)?;
    for key in keys {
        bytes.push(b'\n');
        serde_json::to_writer(&mut bytes, &Line::of(key))?;
    }
    bytes.push(b'\n');
    Ok(bytes)
}

/// The bundle: a payload under the signature of just its bytes.
pub fn seal(signature: &[u8; SIGNATURE_BYTES], payload: &[u8]) -> Vec<u8> {
    let mut bundle = STANDARD.encode(signature).into_bytes();
    bundle.push(b'\n');
    bundle.extend_from_slice(payload);
    bundle
}

/// Reads a bundle; nothing of it is looked at before its signature is found to be one of `signers`'.
///
/// # Errors
/// Every [`Refusal`] but those that need to know of another bundle or of the time.
pub fn open<'b>(bytes: &'b [u8], signers: &[VerifyingKey]) -> Result<Bundle<'b>, Refusal> {
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::TooLarge);
    }
    let (signature, payload) = split(bytes).ok_or(Refusal::Malformed(1))?;
    let signature: [u8; SIGNATURE_BYTES] = STANDARD
        .decode(signature)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Refusal::Malformed(1))?;
    let sealed = Signature::from_bytes(&signature);
    if !signers.iter().any(|signer| signer.verify_strict(payload, &sealed).is_ok()) {
        return Err(Refusal::Signature);
    }
    let (header, mut rest) = split(payload).ok_or(Refusal::Malformed(2))?;
    let header: Header<'_> = serde_json::from_slice(header).map_err(|_| Refusal::Malformed(2))?;
    let expires = header.expires.as_deref().map(parse_instant);
    if header.format != FORMAT || expires == Some(None) {
        return Err(Refusal::Malformed(2));
    }
    let mut keys = Vec::new();
    let mut ids = HashSet::new();
    for number in 3.. {
        if rest.is_empty() {
            break;
        }
        let malformed = || Refusal::Malformed(number);
        let (line, others) =
            split(rest).filter(|(line, _)| line.len() <= MAX_LINE_BYTES).ok_or_else(malformed)?;
        rest = others;
        let read: Line<'_> = serde_json::from_slice(line).map_err(|_| malformed())?;
        let key = read.entry().ok_or_else(malformed)?;
        keys.push((key.sha256, line));
        if !ids.insert(key.id) {
            return Err(Refusal::DuplicateId);
        }
    }
    keys.sort_unstable_by_key(|(digest, _)| *digest);
    if keys.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
        return Err(Refusal::DuplicateKey);
    }
    Ok(Bundle { serial: header.serial, expires: expires.flatten(), signature, keys })
}

impl Bundle<'_> {
    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has no key, which is how all are revoked.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl<'b> Line<'b> {
    fn of(key: &'b KeyEntry) -> Self {
        Self {
            id: key.id.as_str().into(),
            sha256: key.sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
            user: key.user.as_deref().map(Cow::Borrowed),
            team: key.team.as_deref().map(Cow::Borrowed),
            roles: key.roles.iter().map(|role| role.as_str().into()).collect(),
            models: key
                .models
                .as_ref()
                .map(|models| models.iter().map(|model| model.as_str().into()).collect()),
            expires: key.expires.map(|expires| instant(expires).into()),
            disabled: key.disabled,
        }
    }

    fn entry(&self) -> Option<KeyEntry> {
        let expires = self.expires.as_deref().map(parse_instant);
        if self.id.is_empty() || crate::policy::is_reserved_id(&self.id) || expires == Some(None) {
            return None;
        }
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let texts = |texts: &[Cow<'_, str>]| texts.iter().map(|text| text.clone().into_owned()).collect();
        Some(KeyEntry {
            id: self.id.clone().into_owned(),
            sha256: crate::policy::parse_digest(&self.sha256)?,
            user: text(&self.user),
            team: text(&self.team),
            roles: texts(&self.roles),
            models: self.models.as_deref().map(texts),
            expires: expires.flatten(),
            disabled: self.disabled,
        })
    }
}

/// The first line without its end, and all behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

fn instant(since: Duration) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

/// An RFC 3339 instant in UTC, as the time since the Unix epoch.
pub fn parse_instant(text: &str) -> Option<Duration> {
    humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "it is larger than {MAX_BYTES} bytes"),
            Self::Signature => f.write_str("its signature is none of `callers.source.public_key`"),
            Self::Malformed(line) => write!(f, "its line {line} can't be read"),
            Self::DuplicateKey => f.write_str("two of its lines have the same key"),
            Self::DuplicateId => f.write_str("two of its keys have the same id"),
            Self::Older => f.write_str("it is older than the one in force"),
            Self::SerialReused => f.write_str("it has the serial of the one in force, and is another one"),
            Self::Expired => f.write_str("its time has ended"),
        }
    }
}
