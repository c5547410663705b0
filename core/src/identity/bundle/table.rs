//! Bundles in shared data: many small tables that are read where they lie, so that no worker has to take in a whole one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Bundle, Line, SIGNATURE_BYTES};
use crate::failure::{Blame, Failure, Kind};
use crate::identity::{Caller, KeySource};
use crate::policy::SourceEntry;

/// The name in shared data under which the [`Status`] of the bundle in force stands.
pub const STATUS: &str = "sluice.keys";

/// Keys are spread over this many tables by the first bits of their digests. The number never changes: shared data
/// forgets no name, and a reader must not look for a key in a table of another spread.
const TABLES: u16 = 4096;

const DIGEST_BYTES: usize = 32;
const WORD_BYTES: usize = size_of::<u32>();

/// Which bundle is in force, and how well that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub serial: u64,
    /// Since the Unix epoch.
    pub expires: Option<Duration>,
    /// When the source last said that this is the bundle, since the Unix epoch, in whole seconds.
    pub checked: Duration,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

/// The keys of the bundle in force, as a worker looks them up.
pub struct BundleKeys<'a> {
    /// Reads shared data.
    pub read: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    pub source: &'a SourceEntry,
    /// Since the Unix epoch.
    pub now: Duration,
}

impl Status {
    const BYTES: usize = 3 * size_of::<u64>() + SIGNATURE_BYTES;

    pub(super) fn of(bundle: &Bundle<'_>, now: Duration) -> Self {
        let checked = Duration::from_secs(now.as_secs());
        Self { serial: bundle.serial, expires: bundle.expires, checked, signature: bundle.signature }
    }

    /// The same at `now`, when the source has confirmed it.
    pub(super) fn confirmed(&self, now: Duration) -> Self {
        Self { checked: Duration::from_secs(now.as_secs()), ..self.clone() }
    }

    /// As it stands in shared data.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        let seconds = |instant: Duration| instant.as_secs().to_le_bytes();
        bytes.extend_from_slice(&self.serial.to_le_bytes());
        bytes.extend_from_slice(&self.expires.map_or([0xff; size_of::<u64>()], seconds));
        bytes.extend_from_slice(&seconds(self.checked));
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads what [`Status::encode`] has written.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |position: usize| {
            let start = position * size_of::<u64>();
            let bytes = bytes.get(start..start + size_of::<u64>())?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let expires = number(1)?;
        Some(Self {
            serial: number(0)?,
            expires: (expires != u64::MAX).then(|| Duration::from_secs(expires)),
            checked: Duration::from_secs(number(2)?),
            signature: bytes.get(3 * size_of::<u64>()..)?.try_into().ok()?,
        })
    }

    /// Whether keys of this bundle may still be served at `now`.
    pub fn in_force(&self, source: &SourceEntry, now: Duration) -> bool {
        let expired = self.expires.is_some_and(|expires| now >= expires);
        let stale = source.stale.is_some_and(|stale| now.saturating_sub(self.checked) > stale);
        !expired && !stale
    }
}

impl Bundle<'_> {
    /// Hands over every table by its name in shared data, the empty ones too: they take the place of older ones.
    ///
    /// A table is the number of its keys, their digests in ascending order, the ends of their lines, and the lines.
    ///
    /// # Errors
    /// Those of `write`, the first of which ends it.
    pub fn tables<E>(&self, mut write: impl FnMut(&str, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut rest = self.keys.as_slice();
        let mut bytes = Vec::new();
        for table in 0..TABLES {
            let count = rest.partition_point(|(digest, _)| table_of(digest) <= table);
            let (keys, others) = rest.split_at(count);
            rest = others;
            bytes.clear();
            bytes.extend_from_slice(&word(count));
            keys.iter().for_each(|(digest, _)| bytes.extend_from_slice(digest));
            let mut end = 0;
            for (_, line) in keys {
                end += line.len();
                bytes.extend_from_slice(&word(end));
            }
            keys.iter().for_each(|(_, line)| bytes.extend_from_slice(line));
            write(&name(table), &bytes)?;
        }
        Ok(())
    }
}

impl KeySource for BundleKeys<'_> {
    fn find(&self, sha256: &[u8; 32]) -> Result<Option<Arc<Caller>>, Failure> {
        let status = (self.read)(STATUS).and_then(|bytes| Status::decode(&bytes));
        if !status.is_some_and(|status| status.in_force(self.source, self.now)) {
            return Err(unavailable());
        }
        let table = (self.read)(&name(table_of(sha256))).ok_or_else(unavailable)?;
        let Some(line) = find(&table, sha256) else { return Ok(None) };
        let line: Line<'_> = serde_json::from_slice(line).map_err(|_| unavailable())?;
        let key = line.entry().ok_or_else(unavailable)?;
        Ok(Some(Arc::new(Caller::from(&key))))
    }
}

impl fmt::Debug for BundleKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BundleKeys")
    }
}

/// It is not known at the moment whether a key is good. A client with a good one should come again.
fn unavailable() -> Failure {
    Failure {
        blame: Blame::Operator,
        status: 503,
        kind: Kind::Overloaded,
        code: Some("keys_unavailable".into()),
        message: "API keys can't be checked at the moment.".into(),
        parameter: None,
        retry_after: Some(5),
    }
}

/// A key's line in a table.
fn find<'t>(table: &'t [u8], sha256: &[u8; 32]) -> Option<&'t [u8]> {
    let count = number(table.get(..WORD_BYTES)?)?;
    let (digests, rest) = table.get(WORD_BYTES..)?.split_at_checked(count.checked_mul(DIGEST_BYTES)?)?;
    let (digests, _) = digests.as_chunks::<DIGEST_BYTES>();
    let position = digests.binary_search(sha256).ok()?;
    let (ends, lines) = rest.split_at_checked(count.checked_mul(WORD_BYTES)?)?;
    let (ends, _) = ends.as_chunks::<WORD_BYTES>();
    let start = match position.checked_sub(1) {
        None => 0,
        Some(before) => number(ends.get(before)?)?,
    };
    lines.get(start..number(ends.get(position)?)?)
}

fn table_of(digest: &[u8; 32]) -> u16 {
    let [first, second, ..] = *digest;
    u16::from_be_bytes([first, second]) / (u16::MAX / TABLES + 1)
}

fn name(table: u16) -> String {
    format!("{STATUS}/{table:03x}")
}

fn word(number: usize) -> [u8; WORD_BYTES] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

fn number(word: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(word.try_into().ok()?)).ok()
}
