//! `callers`: whom the gateway serves.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::access::read_names;
use super::jwt::{JwtEntry, read_jwt};
use super::source::{SourceEntry, read_source};
use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};

/// `callers`.
#[derive(Clone, Debug)]
pub struct CallersEntry {
    /// Whether a request without a credential is served.
    pub anonymous: bool,
    pub keys: Vec<KeyEntry>,
    /// Where further keys come from.
    pub source: Option<SourceEntry>,
    pub jwt: Option<JwtEntry>,
    pub mtls: Vec<CertificateEntry>,
    /// After how many bad credentials within a minute an address is told to wait; 0 for never.
    pub failures_per_minute: u32,
}

/// One entry of `callers.mtls`.
#[derive(Clone, Debug)]
pub struct CertificateEntry {
    pub name: CertificateName,
    /// By default the name that the certificate has.
    pub user: Option<String>,
    pub team: Option<String>,
    pub roles: Vec<String>,
    pub models: Option<Vec<String>>,
}

/// What a client's certificate has to be made out to; a `*` stands for characters of one part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateName {
    /// A URI such as `spiffe://prod/ns/*/sa/checkout`; parts end at slashes.
    Spiffe(String),
    /// A DNS name such as `*.svc.example.com`, in lower case; parts end at dots.
    Dns(String),
}

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
    /// The only models that it is for; any where `None`.
    pub models: Option<Vec<String>>,
}

/// How the names of callers begin that have no key, so that no key's id is one of them.
const RESERVED: [&str; 2] = [crate::identity::TOKEN_PREFIX, crate::identity::CERTIFICATE_PREFIX];
const DEFAULT_FAILURES_PER_MINUTE: u32 = 10;

impl Default for CallersEntry {
    fn default() -> Self {
        Self {
            anonymous: false,
            keys: Vec::new(),
            source: None,
            jwt: None,
            mtls: Vec::new(),
            failures_per_minute: DEFAULT_FAILURES_PER_MINUTE,
        }
    }
}

pub(super) fn read_callers(field: &Field<'_>, faults: &mut Faults) -> CallersEntry {
    let Some(mut fields) = Fields::of(field, faults) else { return CallersEntry::default() };
    let anonymous = fields
        .optional("anonymous")
        .and_then(|field| field.word(&[("deny", false), ("allow", true)], faults))
        .unwrap_or(false);
    let source = fields.optional("source").and_then(|field| read_source(&field, faults));
    let jwt = fields.optional("jwt").and_then(|field| read_jwt(&field, faults));
    let certificates = fields.optional("mtls").and_then(|field| field.list(faults)).unwrap_or_default();
    let mtls = certificates.iter().filter_map(|item| read_certificate(item, faults)).collect();
    let failures_per_minute =
        fields.optional("failures_per_minute").and_then(|field| field.integer(0..=1_000_000, faults));
    let keys = fields.optional("keys").map(|field| read_keys(&field, faults)).unwrap_or_default();
    fields.finish(faults);
    CallersEntry {
        anonymous,
        keys,
        source,
        jwt,
        mtls,
        failures_per_minute: failures_per_minute
            .and_then(|failures| u32::try_from(failures).ok())
            .unwrap_or(DEFAULT_FAILURES_PER_MINUTE),
    }
}

/// The entries of a list of keys.
pub(super) fn read_keys(field: &Field<'_>, faults: &mut Faults) -> Vec<KeyEntry> {
    let mut keys: Vec<KeyEntry> = Vec::new();
    let mut ids = HashSet::new();
    let mut digests = HashSet::new();
    for item in &field.list(faults).unwrap_or_default() {
        let Some(key) = read_key(item, faults) else { continue };
        if is_reserved_id(&key.id) {
            faults.add(format!("{}.id", item.path), "begins as the names of callers without a key do");
        }
        if !ids.insert(key.id.clone()) {
            faults.add(format!("{}.id", item.path), format!("there is another key `{}`", key.id));
        }
        if !digests.insert(key.sha256) {
            faults.add(format!("{}.sha256", item.path), "another entry has the same key");
        }
        keys.push(key);
    }
    keys
}

/// Whether a key's id is that of a caller without a key.
pub(crate) fn is_reserved_id(id: &str) -> bool {
    RESERVED.iter().any(|prefix| id.starts_with(prefix))
}

fn read_certificate(field: &Field<'_>, faults: &mut Faults) -> Option<CertificateEntry> {
    let mut fields = Fields::of(field, faults)?;
    let mut text = |name: &str, faults: &mut Faults| fields.optional(name)?.text(faults);
    let (spiffe, dns) = (text("spiffe", faults), text("dns", faults));
    let (user, team) = (text("user", faults), text("team", faults));
    let roles = read_roles(&mut fields, faults);
    let models = fields.optional("models").map(|field| read_names(&field, faults));
    fields.finish(faults);
    let name = match (spiffe, dns) {
        (Some(uri), None) if uri.starts_with("spiffe://") && uri.len() > "spiffe://".len() => {
            Some(CertificateName::Spiffe(uri.to_owned()))
        }
        (Some(_), None) => {
            faults.add(format!("{}.spiffe", field.path), "has to begin with spiffe:// and a trust domain");
            None
        }
        (None, Some(name)) if !name.is_empty() => Some(CertificateName::Dns(name.to_ascii_lowercase())),
        _ => {
            faults.add(&field.path, "needs `spiffe` or `dns`, one of them");
            None
        }
    };
    Some(CertificateEntry {
        name: name?,
        user: user.map(str::to_owned),
        team: team.map(str::to_owned),
        roles,
        models,
    })
}

fn read_roles(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let roles = fields.optional("roles").and_then(|field| field.list(faults)).unwrap_or_default();
    roles.iter().filter_map(|role| role.text(faults)).map(str::to_owned).collect()
}

fn read_key(field: &Field<'_>, faults: &mut Faults) -> Option<KeyEntry> {
    let mut fields = Fields::of(field, faults)?;
    let id = fields.required("id", faults).and_then(|field| field.text(faults));
    let sha256 = fields.required("sha256", faults).and_then(|field| read_digest(&field, faults));
    let user = fields.optional("user").and_then(|field| field.text(faults));
    let team = fields.optional("team").and_then(|field| field.text(faults));
    let roles = read_roles(&mut fields, faults);
    let expires = fields.optional("expires").and_then(|field| read_instant(&field, faults));
    let disabled = fields.optional("disabled").and_then(|field| field.boolean(faults));
    let models = fields.optional("models").map(|field| read_names(&field, faults));
    fields.finish(faults);
    Some(KeyEntry {
        id: id?.to_owned(),
        sha256: sha256?,
        user: user.map(str::to_owned),
        team: team.map(str::to_owned),
        roles,
        expires,
        disabled: disabled.unwrap_or(false),
        models,
    })
}

fn read_digest(field: &Field<'_>, faults: &mut Faults) -> Option<[u8; 32]> {
    let digest = parse_digest(field.text(faults)?);
    if digest.is_none() {
        // Not shown: somebody may have put the key itself there.
        faults.add(&field.path, "has to be the SHA-256 of the key, 64 hexadecimal digits");
    }
    digest
}

/// A SHA-256 from its 64 hexadecimal digits.
pub(crate) fn parse_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        for digit in pair {
            let digit = char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())?;
            *byte = *byte << 4 | digit;
        }
    }
    Some(digest)
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
