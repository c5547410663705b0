//! What the service says of one counter, and what that makes of the counter here.
//!
//! The service's total has everything in it that anybody has told, this gateway too. Nothing of it is ever taken back from
//! a counter, so whatever is said twice, late or never can only make it count too much.

use std::time::Duration;

use super::descriptor::RATE_WINDOW;
use crate::limit::{Counter, Meter};

/// What was known of a counter when the service last spoke of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// When the window began that it spoke of, in seconds since the Unix epoch.
    pub window: u64,
    /// The service's total of that window, in the limit's units.
    pub total: u64,
    /// Of a rate: its total of the window before. Of a budget: what the service had counted in this window before it forgot.
    pub before: u64,
    /// What the counter here had then.
    pub used: u64,
    /// When, since the Unix epoch.
    pub at: Duration,
}

/// What the service says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// When the window began that was asked for, in seconds since the Unix epoch.
    pub window: u64,
    /// What it has now been told in all, in the limit's units.
    pub total: u64,
    /// Of these, what it was told by the same call.
    pub mine: u64,
    /// Its total of the window before, where that was asked for too.
    pub before: Option<u64>,
}

/// What comes of a word: how much of a counter is used at least, and what is used on top of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct News {
    pub at_least: u64,
    pub more: u64,
    /// To be kept until the service's next word.
    pub before: u64,
}

/// A service that has less than half of what it had has lost its memory, or has begun a window of its own; one that has a little
/// less has lost its last moments.
fn has_forgotten(word: &Word, seen: &Seen) -> bool {
    word.total.saturating_sub(word.mine).saturating_mul(2) < seen.total
}

/// Of a budget. The service knows all of it but what is `untold`.
pub(super) fn of_budget(word: &Word, seen: Option<&Seen>, untold: u64) -> News {
    let before = match seen.filter(|seen| seen.window == word.window) {
        Some(seen) if has_forgotten(word, seen) => seen.before.saturating_add(seen.total),
        Some(seen) => seen.before,
        None => 0,
    };
    News { at_least: before.saturating_add(word.total).saturating_add(untold), more: 0, before }
}

/// Of a rate, at `now`: what others have used since the last word. Without one, a bucket is as full as it may be at most
/// after what was used in this window and the one before.
pub(super) fn of_rate(meter: &Meter, word: &Word, seen: Option<&Seen>, untold: u64, now: Duration) -> News {
    let previous = word.window.saturating_sub(RATE_WINDOW);
    let others = |total: u64, known: u64, mine: u64| total.saturating_sub(known).saturating_sub(mine);
    match seen {
        Some(seen) if seen.window == word.window => {
            let known = if has_forgotten(word, seen) { 0 } else { seen.total };
            let before = word.before.unwrap_or(seen.before);
            let more = others(word.total, known, word.mine) + others(before, seen.before, 0);
            News { at_least: 0, more, before: before.max(seen.before) }
        }
        Some(seen) if seen.window == previous => {
            let before = word.before.unwrap_or(seen.total);
            let more = others(word.total, 0, word.mine) + others(before, seen.total, 0);
            News { at_least: 0, more, before: before.max(seen.total) }
        }
        _ => {
            let before = word.before.unwrap_or(0);
            let elapsed = now.saturating_sub(Duration::from_secs(word.window));
            let left = before.saturating_sub(drained(meter, elapsed));
            let level = left.saturating_add(word.total).saturating_add(untold);
            News { at_least: level.min(meter.capacity()), more: 0, before }
        }
    }
}

/// The most that a rate's bucket is made to hold: a debt that is not paid off after sixteen periods, or two minutes, is none
/// that a fleet can have.
pub(super) fn deepest(meter: &Meter) -> u64 {
    let Meter::Rate { burst, period, .. } = meter else { return u64::MAX };
    burst.saturating_add(drained(meter, Duration::from_secs(120).max(period.saturating_mul(16))))
}

fn drained(meter: &Meter, elapsed: Duration) -> u64 {
    let Meter::Rate { limit, period, .. } = meter else { return 0 };
    let units = u128::from(*limit) * elapsed.as_nanos() / period.as_nanos().max(1);
    u64::try_from(units).unwrap_or(u64::MAX)
}

/// Makes of a counter what is known now; returns whether that changes it.
pub(super) fn put(counter: &mut Counter, meter: &Meter, news: News) -> bool {
    let used = counter.used(meter);
    let wanted = used.saturating_add(news.more).min(deepest(meter)).max(news.at_least);
    let more = wanted.saturating_sub(used);
    counter.absorb(meter, more);
    more > 0
}
