//! Who calls: a key, a token or a certificate becomes a caller, or is refused.

pub mod bundle;
mod claims;
mod credentials;
mod failures;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub use claims::Template;
pub use credentials::Credentials;
pub use failures::Failures;

use crate::access::{Glob, Patterns};
use crate::failure::{Blame, Failure, Kind};
use crate::policy::{
    CallersEntry, CertificateEntry, CertificateName, JwtEntry, KeyEntry, RuleEntry, SourceEntry,
};
use claims::{Fault, Token, is_token};

/// Everyone whom the policy knows.
#[derive(Debug)]
pub struct Callers {
    anonymous: bool,
    /// By the SHA-256 of the key: a look-up tells nothing of a key by the time that it takes.
    keys: HashMap<[u8; 32], Arc<Caller>>,
    source: Option<SourceEntry>,
    jwt: Option<JwtEntry>,
    certificates: Vec<CertificateEntry>,
    failures_per_minute: u32,
    /// The teams that the policy names.
    teams: HashSet<String>,
}

/// Somebody who has proven who he is.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// Unique among callers: the key's id, or a prefix that no key's id has and the user's or the certificate's name.
    pub id: String,
    pub proof: Proof,
    pub user: Option<String>,
    pub team: Option<String>,
    pub roles: Vec<String>,
    /// The only models that this credential is for.
    pub models: Option<Box<Patterns>>,
    expires: Option<Duration>,
    disabled: bool,
}

/// How a caller has proven who he is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Key,
    Token,
    Certificate,
}

/// How the id of a caller with a token begins.
pub const TOKEN_PREFIX: &str = "jwt:";
/// How the id of a caller with a certificate begins.
pub const CERTIFICATE_PREFIX: &str = "mtls:";

/// What the host knows of a request beside its headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// Who it comes from; asked only about whoever is refused.
    pub peer: Option<&'a dyn Peer>,
    /// The URI in the client's certificate, which the host has verified.
    pub certificate_uri: Option<&'a str>,
    /// The DNS name in the client's certificate, which the host has verified.
    pub certificate_dns: Option<&'a str>,
    /// The request's dynamic metadata: an encoded `envoy.config.core.v3.Metadata`.
    pub metadata: Option<&'a [u8]>,
    /// Keys from elsewhere than the policy document.
    pub keys: Option<&'a dyn KeySource>,
    /// Who has been refused; nobody is told to wait without it.
    pub failures: Option<&'a RefCell<Failures>>,
}

/// Who a request comes from.
pub trait Peer: std::fmt::Debug {
    /// The address, with its port or without.
    fn address(&self) -> Option<String>;
}

/// Keys from elsewhere than the policy document.
pub trait KeySource: std::fmt::Debug {
    /// Whose key has this SHA-256. An error is what the client is told when that can't be known at the moment.
    fn find(&self, sha256: &[u8; 32]) -> Result<Option<Arc<Caller>>, Failure>;
}

/// Why nobody was identified.
enum Refusal {
    /// Nothing was sent.
    Missing,
    /// What was sent is bad; such are counted.
    Bad(Failure),
    /// It can't be known at the moment whether what was sent is good.
    Unknowable(Failure),
}

impl Callers {
    pub(crate) fn new(entry: &CallersEntry, rules: &[RuleEntry]) -> Self {
        let of_callers =
            entry.keys.iter().map(|key| &key.team).chain(entry.mtls.iter().map(|entry| &entry.team));
        let of_rules = rules.iter().filter_map(|rule| rule.when.teams.as_ref()).flatten();
        let teams = of_callers.flatten().chain(of_rules).cloned().collect();
        Self {
            teams,
            anonymous: entry.anonymous,
            keys: entry.keys.iter().map(|key| (key.sha256, Arc::new(Caller::from(key)))).collect(),
            source: entry.source.clone(),
            jwt: entry.jwt.clone(),
            certificates: entry.mtls.clone(),
            failures_per_minute: entry.failures_per_minute,
        }
    }

    /// The keys from elsewhere, for [`Origin::keys`]: `read` gives a value of shared data, `now` is since the Unix epoch.
    pub fn bundle<'a>(
        &'a self,
        read: &'a dyn Fn(&str) -> Option<Vec<u8>>,
        now: Duration,
    ) -> Option<bundle::BundleKeys<'a>> {
        Some(bundle::BundleKeys { read, source: self.source.as_ref()?, now })
    }

    /// Whether [`Origin::metadata`] says anything about callers.
    pub fn read_metadata(&self) -> bool {
        self.jwt.is_some()
    }

    /// Whether the names of [`Origin`]'s certificate say anything about callers.
    pub fn read_certificates(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// The caller's team as metrics name it: one that stands nowhere in the policy is `other`, so that tokens don't make
    /// ever more metrics, which Envoy could not forget.
    pub fn team_label<'c>(&self, caller: &'c Caller) -> Option<&'c str> {
        let team = caller.team.as_deref()?;
        Some(if self.teams.contains(team) { team } else { "other" })
    }

    /// Who it is that presents these credentials at `now` (since the Unix epoch); `None` for somebody unknown, where
    /// the policy serves such.
    ///
    /// A key or a token decides, a certificate only where neither is sent. A credential that is bad is never passed over
    /// for another one, and a key that the policy knows and that has ended is refused even where anybody is served.
    pub fn identify(
        &self,
        credentials: Credentials<'_>,
        origin: Origin<'_>,
        now: Duration,
    ) -> Result<Option<Arc<Caller>>, Failure> {
        self.judge(credentials, origin, now).map_err(|refusal| match refusal {
            Refusal::Missing => {
                refused("missing_api_key", "No API key was sent. Send yours as `Authorization: Bearer …`.")
            }
            Refusal::Bad(failure) => self.count(failure, origin, now),
            Refusal::Unknowable(failure) => failure,
        })
    }

    /// Notes that a bad credential was sent, and makes of its refusal one to wait where it was one too many.
    ///
    /// Good credentials don't come here: a neighbour behind the same address has nothing to suffer.
    pub(crate) fn count(&self, failure: Failure, origin: Origin<'_>, now: Duration) -> Failure {
        if self.failures_per_minute == 0 {
            return failure;
        }
        let address = origin.peer.and_then(Peer::address);
        let (Some(failures), Some(address)) = (origin.failures, address) else { return failure };
        let wait = failures
            .try_borrow_mut()
            .ok()
            .and_then(|mut failures| failures.count(&address, self.failures_per_minute, now));
        match wait {
            None => failure,
            Some(seconds) => Failure {
                blame: Blame::Client,
                status: 429,
                kind: Kind::RateLimit,
                code: Some("too_many_failures".into()),
                message: "Too many bad credentials came from your address. Try again later.".into(),
                parameter: None,
                retry_after: Some(seconds),
            },
        }
    }

    fn judge(
        &self,
        credentials: Credentials<'_>,
        origin: Origin<'_>,
        now: Duration,
    ) -> Result<Option<Arc<Caller>>, Refusal> {
        let key = credentials.key().map_err(Refusal::Bad)?;
        let token = match (&self.jwt, origin.metadata) {
            (Some(jwt), Some(metadata)) => Token::read(metadata, &jwt.payload_metadata),
            _ => Token::Absent,
        };
        let Some(key) = key else {
            return match token {
                Token::Verified(claims) => self.bearer(&claims),
                Token::Failed(fault @ (Fault::Expired | Fault::Other)) => Err(Refusal::Bad(bad_token(fault))),
                Token::Absent | Token::Failed(Fault::Form) => match self.certified(origin) {
                    None if !self.anonymous => Err(Refusal::Missing),
                    caller => Ok(caller),
                },
            };
        };
        let key = key.as_ref();
        let digest: [u8; 32] = Sha256::digest(key).into();
        // Whoever has a good token doesn't depend on where keys come from.
        let elsewhere = origin.keys.filter(|_| !(is_token(key) && matches!(token, Token::Verified(_))));
        let known = match (self.keys.get(&digest), elsewhere) {
            (Some(caller), _) => Some(Arc::clone(caller)),
            (None, Some(source)) => source.find(&digest).map_err(Refusal::Unknowable)?,
            (None, None) => None,
        };
        match (known, token) {
            (Some(_), Token::Verified(_)) => Err(Refusal::Bad(disagreement())),
            (Some(caller), _) => caller.in_force(now).map(Some).map_err(Refusal::Bad),
            (None, Token::Verified(claims)) if is_token(key) => self.bearer(&claims),
            (None, Token::Verified(_)) => Err(Refusal::Bad(disagreement())),
            (None, Token::Failed(fault)) if is_token(key) => Err(Refusal::Bad(bad_token(fault))),
            (None, _) if self.anonymous => Ok(self.certified(origin)),
            (None, _) => Err(Refusal::Bad(refused("invalid_api_key", "This API key is not known here."))),
        }
    }

    /// Whom a verified token stands for.
    fn bearer(&self, claims: &prost_types::Struct) -> Result<Option<Arc<Caller>>, Refusal> {
        let nobody = || Refusal::Bad(refused("invalid_token", "This token does not say who its user is."));
        let jwt = self.jwt.as_ref().ok_or_else(nobody)?;
        let user = jwt.user.name(claims).ok_or_else(nobody)?;
        Ok(Some(Arc::new(Caller {
            id: format!("{TOKEN_PREFIX}{user}"),
            proof: Proof::Token,
            team: jwt.team.as_ref().and_then(|team| team.name(claims)),
            roles: jwt.roles.iter().flat_map(|role| role.names(claims)).collect(),
            user: Some(user),
            models: None,
            expires: None,
            disabled: false,
        })))
    }

    /// Whom a verified certificate stands for: the first entry that fits decides.
    fn certified(&self, origin: Origin<'_>) -> Option<Arc<Caller>> {
        let dns = origin.certificate_dns.map(str::to_ascii_lowercase);
        self.certificates.iter().find_map(|entry| {
            let name = match &entry.name {
                CertificateName::Spiffe(pattern) => {
                    origin.certificate_uri.filter(|uri| Glob::new(pattern).matches_parts(uri, '/'))
                }
                CertificateName::Dns(pattern) => {
                    dns.as_deref().filter(|name| Glob::new(pattern).matches_parts(name, '.'))
                }
            }?;
            if name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
                return None;
            }
            Some(Arc::new(Caller {
                id: format!("{CERTIFICATE_PREFIX}{name}"),
                proof: Proof::Certificate,
                user: Some(entry.user.clone().unwrap_or_else(|| name.to_owned())),
                team: entry.team.clone(),
                roles: entry.roles.clone(),
                models: entry.models.as_ref().map(|models| Box::new(Patterns::new(models))),
                expires: None,
                disabled: false,
            }))
        })
    }
}

/// A SPIFFE ID has at most 2048 bytes; names of callers go into logs and keys of limits.
const MAX_NAME_BYTES: usize = 512;

impl Caller {
    /// The id of the key that the caller has sent.
    pub fn key(&self) -> Option<&str> {
        (self.proof == Proof::Key).then_some(self.id.as_str())
    }

    #[cfg(test)]
    pub(crate) fn of_tests(
        proof: Proof,
        id: &str,
        user: Option<String>,
        team: Option<String>,
        roles: Vec<String>,
    ) -> Self {
        let id = id.to_owned();
        Self { id, proof, user, team, roles, models: None, expires: None, disabled: false }
    }

    /// The caller, unless his key has ended.
    fn in_force(self: Arc<Self>, now: Duration) -> Result<Arc<Self>, Failure> {
        match self.expires {
            _ if self.disabled => Err(refused("invalid_api_key", "This API key has been disabled.")),
            Some(expires) if now >= expires => Err(refused("invalid_api_key", "This API key has expired.")),
            _ => Ok(self),
        }
    }
}

impl From<&KeyEntry> for Caller {
    fn from(key: &KeyEntry) -> Self {
        Self {
            id: key.id.clone(),
            proof: Proof::Key,
            user: key.user.clone(),
            team: key.team.clone(),
            roles: key.roles.clone(),
            models: key.models.as_ref().map(|models| Box::new(Patterns::new(models))),
            expires: key.expires,
            disabled: key.disabled,
        }
    }
}

/// Two credentials were sent, and they are not the same.
pub(crate) fn disagreement() -> Failure {
    refused("invalid_api_key", "Two credentials were sent that disagree.")
}

fn bad_token(fault: Fault) -> Failure {
    match fault {
        Fault::Expired => refused("invalid_token", "This token has expired."),
        Fault::Form | Fault::Other => refused("invalid_token", "This token is not valid here."),
    }
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
