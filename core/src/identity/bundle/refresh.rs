//! When a source is asked for its bundle, and what its answer means for the bundle in force.

use std::fmt;
use std::time::Duration;

use super::{Bundle, Refusal, Status, open};
use crate::policy::SourceEntry;

/// How often a source is asked while no bundle is in force.
const RETRY: Duration = Duration::from_secs(1);
/// How long a source may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of a source between two answers.
#[derive(Debug)]
pub struct Refresher {
    source: SourceEntry,
    /// The version of the bundle in force, by the source's own word.
    etag: Option<String>,
    /// When it is to be asked next; at once where `None`.
    due: Option<Duration>,
    /// Asked, and not yet answered.
    waiting: bool,
    trouble: Option<Trouble>,
}

/// What an answer changes.
#[derive(Debug)]
pub enum Outcome<'b> {
    /// A new bundle comes into force. Its tables are to be written first, then its status.
    New(Bundle<'b>, Status),
    /// The bundle in force is still the one; its status is to be written.
    Same(Status),
    /// Nothing changes.
    Failed(Trouble),
}

/// Why a source's answer is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It could not be asked, or didn't answer.
    Unreachable,
    /// It answered with this status.
    Status(u16),
    /// Its bundle was refused.
    Refused(Refusal),
    /// Its bundle could not be put into shared data.
    Unwritable,
}

impl Refresher {
    /// Knows nothing yet.
    pub fn new(source: SourceEntry) -> Self {
        Self { source, etag: None, due: None, waiting: false, trouble: None }
    }

    pub fn source(&self) -> &SourceEntry {
        &self.source
    }

    /// The headers of a request to the source, if one is due at `now`.
    ///
    /// `tick` is the time between two calls of this.
    pub fn ask(
        &mut self,
        status: Option<&Status>,
        now: Duration,
        tick: Duration,
    ) -> Option<Vec<(&'static str, String)>> {
        if self.waiting || self.due.is_some_and(|due| now + tick / 2 < due) {
            return None;
        }
        self.waiting = true;
        let in_force = status.is_some_and(|status| status.in_force(&self.source, now));
        let pause = if in_force { self.source.refresh } else { self.source.refresh.min(RETRY) };
        self.due = Some(now + pause);
        let (authority, path) = self.source.target();
        let mut headers =
            vec![(":method", "GET".to_owned()), (":path", path), (":authority", authority.to_owned())];
        // Without a status, the bundle that the version names is not in force here.
        if let (Some(etag), Some(_)) = (&self.etag, status) {
            headers.push(("if-none-match", etag.clone()));
        }
        Some(headers)
    }

    /// Takes the source's answer: its status (`None` for no answer), its `etag` and its body.
    pub fn answered<'b>(
        &mut self,
        answer: Option<u16>,
        etag: Option<String>,
        body: &'b [u8],
        in_force: Option<&Status>,
        now: Duration,
    ) -> Outcome<'b> {
        self.waiting = false;
        let outcome = match (answer, in_force) {
            (None, _) => Outcome::Failed(Trouble::Unreachable),
            (Some(200), in_force) => self.judge(body, in_force, now),
            (Some(304), Some(in_force)) if self.etag.is_some() => Outcome::Same(in_force.confirmed(now)),
            (Some(status), _) => Outcome::Failed(Trouble::Status(status)),
        };
        match (&outcome, answer) {
            (Outcome::Failed(_), _) => {}
            (_, Some(200)) => self.etag = etag,
            _ => {}
        }
        outcome
    }

    fn judge<'b>(&self, body: &'b [u8], in_force: Option<&Status>, now: Duration) -> Outcome<'b> {
        let refused = |refusal| Outcome::Failed(Trouble::Refused(refusal));
        let bundle = match open(body, &self.source.public_keys) {
            Ok(bundle) => bundle,
            Err(refusal) => return refused(refusal),
        };
        if bundle.expires.is_some_and(|expires| now >= expires) {
            return refused(Refusal::Expired);
        }
        let status = Status::of(&bundle, now);
        match in_force {
            Some(current) if bundle.serial < current.serial => refused(Refusal::Older),
            Some(current) if bundle.serial > current.serial => Outcome::New(bundle, status),
            Some(current) if bundle.signature == current.signature => Outcome::Same(status),
            Some(_) => refused(Refusal::SerialReused),
            None => Outcome::New(bundle, status),
        }
    }

    /// What was accepted could not be put into force: the source is to send it again.
    pub fn lost(&mut self) {
        self.etag = None;
    }

    /// Notes how the source is, and says whether that is news for the operator's log.
    pub fn note(&mut self, trouble: Option<Trouble>) -> bool {
        std::mem::replace(&mut self.trouble, trouble) != trouble
    }
}

impl Trouble {
    /// One word, for a label of metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Status(_) => "status",
            Self::Refused(Refusal::Signature) => "signature",
            Self::Refused(Refusal::Older | Refusal::SerialReused) => "older",
            Self::Refused(Refusal::Expired) => "expired",
            Self::Refused(_) => "malformed",
            Self::Unwritable => "unwritable",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the source of keys can't be reached"),
            Self::Status(status) => write!(f, "the source of keys answers with the status {status}"),
            Self::Refused(refusal) => write!(f, "the bundle of keys is refused: {refusal}"),
            Self::Unwritable => f.write_str("the bundle of keys can't be put into shared data"),
        }
    }
}
