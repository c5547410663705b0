//! `callers`: whom the gateway serves.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};

/// One entry of `callers.keys`.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    pub id: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    pub user: Option<String>,
    pub team: Option<String>,
    pub roles: Vec<String>,
    /// Since the Unix epoch; the key is refused from then on.
    pub expires: Option<Duration>,
    pub disabled: bool,
}

pub(super) fn read_callers(field: &Field<'_>, faults: &mut Faults) -> (bool, Vec<KeyEntry>) {
    let Some(mut fields) = Fields::of(field, faults) else { return Default::default() };
    let anonymous = fields
        .optional("anonymous")
        .and_then(|field| field.word(&[("deny", false), ("allow", true)], faults))
        .unwrap_or(false);
    for later in ["jwt", "source", "mtls"] {
        if let Some(field) = fields.optional(later) {
            field.not_yet_supported(faults);
        }
    }
    let mut keys: Vec<KeyEntry> = Vec::new();
    let mut ids = HashSet::new();
    let mut digests = HashSet::new();
    let items = fields.optional("keys").and_then(|field| field.list(faults)).unwrap_or_default();
    for item in &items {
        let Some(key) = read_key(item, faults) else { continue };
        if !ids.insert(key.id.clone()) {
            faults.add(format!("{}.id", item.path), format!("there is another key `{}`", key.id));
        }
        if !digests.insert(key.sha256) {
            faults.add(format!("{}.sha256", item.path), "another entry has the same key");
        }
        keys.push(key);
    }
    fields.finish(faults);
    (anonymous, keys)
}

fn read_key(field: &Field<'_>, faults: &mut Faults) -> Option<KeyEntry> {
    let mut fields = Fields::of(field, faults)?;
    let id = fields.required("id", faults).and_then(|field| field.text(faults));
    let sha256 = fields.required("sha256", faults).and_then(|field| read_digest(&field, faults));
    let user = fields.optional("user").and_then(|field| field.text(faults));
    let team = fields.optional("team").and_then(|field| field.text(faults));
    let roles = fields.optional("roles").and_then(|field| field.list(faults)).unwrap_or_default();
    let roles = roles.iter().filter_map(|role| role.text(faults)).map(str::to_owned).collect();
    let expires = fields.optional("expires").and_then(|field| read_instant(&field, faults));
    let disabled = fields.optional("disabled").and_then(|field| field.boolean(faults));
    if let Some(field) = fields.optional("models") {
        field.not_yet_supported(faults);
    }
    fields.finish(faults);
    Some(KeyEntry {
        id: id?.to_owned(),
        sha256: sha256?,
        user: user.map(str::to_owned),
        team: team.map(str::to_owned),
        roles,
        expires,
        disabled: disabled.unwrap_or(false),
    })
}

fn read_digest(field: &Field<'_>, faults: &mut Faults) -> Option<[u8; 32]> {
    let text = field.text(faults)?;
    let mut digest = [0; 32];
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    match digits {
        Some(digits) if digits.len() == 64 => {
            for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
            }
            Some(digest)
        }
        _ => {
            // Not shown: somebody may have put the key itself there.
            faults.add(&field.path, "has to be the SHA-256 of the key, 64 hexadecimal digits");
            None
        }
    }
}

/// An RFC 3339 instant in UTC, as the time since the Unix epoch.
fn read_instant(field: &Field<'_>, faults: &mut Faults) -> Option<Duration> {
    let text = field.text(faults)?;
    let instant = humantime::parse_rfc3339(text).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    if since.is_zero() {
        faults.add(&field.path, format!("`{text}` is not an instant such as 2027-01-01T00:00:00Z"));
        return None;
    }
    Some(since)
}
