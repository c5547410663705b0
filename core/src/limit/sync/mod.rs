//! What a fleet's gateways use together: each tells a rate-limit service what it has counted, and takes back what all have.
//!
//! No call waits for it. A [`Syncer`] works beside the calls, on the counters that they use; the service adds up. What it
//! has said last is kept in shared memory where [`Limits::in_step`] has to know.

mod descriptor;
mod known;
mod merge;
mod outcome;
mod syncer;
pub mod synchronous;
#[cfg(test)]
mod tests;
pub mod wire;

use std::time::Duration;

pub use descriptor::{MOST, keys, service_unit};
pub use outcome::{Answer, Outcome, Trouble};
pub use syncer::{Ask, Next, Syncer};

use super::{Call, Limits};
use crate::access::Place;
use crate::failure::{Blame, Failure, Kind};
use crate::policy::{OnLost, SyncEntry};
use crate::shared::{SharedMemory, update};

/// How long the service may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Where the time of the service's last good word lies in shared memory, in nanoseconds since the Unix epoch.
const STATUS: &str = "sluice-limits-sync";
/// In seconds: a service that is well again is so for the next try.
const RETRY_AFTER: u64 = 1;

/// Whether the service's last good word is too old for calls to be admitted, or there has been none.
pub fn lost(memory: &dyn SharedMemory, entry: &SyncEntry, now: Duration) -> bool {
    if entry.on_lost != OnLost::Refuse || !entry.is_background() {
        return false;
    }
    let word = memory.get(STATUS).and_then(|(value, _)| Some(u64::from_be_bytes(value.try_into().ok()?)));
    word.is_none_or(|word| now.saturating_sub(Duration::from_nanos(word)) > entry.patience())
}

/// Notes that the service's word of this time was good.
fn heard(memory: &dyn SharedMemory, at: Duration) {
    let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
    // Nobody else writes it.
    let _ = update(memory, STATUS, 8, |_| Ok((Some(nanos.to_be_bytes().to_vec()), ())));
}

impl Limits {
    /// Refuses a call that a limit of the whole fleet holds for, where the policy wants that while nobody knows what the
    /// others have used. `places`: the targets that may serve it.
    pub fn in_step(
        &self,
        memory: &dyn SharedMemory,
        call: Call<'_>,
        places: &[Place<'_>],
        now: Duration,
    ) -> Result<(), Failure> {
        if !self.sync.as_ref().is_some_and(|entry| lost(memory, entry, now)) {
            return Ok(());
        }
        let Some((_, limit)) = self.of(call, places).find(|(_, limit)| limit.book.tells()) else {
            return Ok(());
        };
        Err(Failure {
            blame: Blame::Operator,
            status: 503,
            kind: Kind::Overloaded,
            code: Some("limits_unavailable".into()),
            message: format!(
                "What is left of the limit '{}' is not known: the gateway can't ask the service that keeps count.",
                limit.name
            )
            .into(),
            parameter: None,
            retry_after: Some(RETRY_AFTER),
        })
    }
}
