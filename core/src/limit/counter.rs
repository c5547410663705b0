//! One counter: what has been used, and what is held by calls under way. Pure arithmetic, nothing of it rounded in anybody's
//! favour but the limit's.

use std::time::Duration;

use super::window::{Period, Zone};

/// How the counters of a limit count.
#[derive(Clone, Debug)]
pub enum Meter {
    /// A bucket that holds `burst` units and drains `limit` of them in a `period`, evenly: a rate.
    Rate { limit: u64, burst: u64, period: Duration },
    /// `limit` units in each window of the calendar, or ever: a budget.
    Budget { limit: u64, period: Period, zone: Zone },
    /// `limit` units at a time.
    Concurrency { limit: u64 },
}

/// The state of a counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Until when a bucket has drained, or when a budget's window began; nanoseconds since the Unix epoch.
    since: u64,
    /// When a budget's window ends, likewise; `u64::MAX` for never.
    until: u64,
    /// What has been used: units of a budget, or units × the period's nanoseconds of a bucket, so that it drains without
    /// rounding.
    used: u128,
    /// What calls under way hold, by when they began.
    held: Vec<Lease>,
    /// Of what has been used, how much no other replica has been told of.
    untold: u64,
}

/// What the calls hold that began in the same span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// Which span: [`span`].
    pub span: u32,
    pub amount: u64,
}

/// What a client may know of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub limit: u64,
    /// What is neither used nor held.
    pub remaining: u64,
    /// Until everything is free again if nothing more is used; `None` for never.
    pub reset: Option<Duration>,
}

/// Spans of time by which calls under way are told apart.
const SPAN: u64 = 512;
/// After so many spans (68 minutes) a call no longer holds anything: the worker that served it may be gone, with nobody left
/// to give back what it held.
const LASTS: u32 = 8;

/// The span of time of an instant (since the Unix epoch).
pub(super) fn span(now: Duration) -> u32 {
    u32::try_from(now.as_secs() / SPAN).unwrap_or(u32::MAX)
}

impl Meter {
    /// So many units may be used and held together.
    pub fn capacity(&self) -> u64 {
        match self {
            Self::Rate { burst, .. } => *burst,
            Self::Budget { limit, .. } | Self::Concurrency { limit } => *limit,
        }
    }

    /// What one unit counts in [`Counter::used`].
    fn scale(&self) -> u128 {
        match self {
            Self::Rate { period, .. } => period.as_nanos().max(1),
            Self::Budget { .. } | Self::Concurrency { .. } => 1,
        }
    }

    /// From when on a counter in this state says nothing, so that it may be forgotten: in seconds since the Unix epoch.
    pub(super) fn idle_from(&self, counter: &Counter) -> u64 {
        let used = match self {
            Self::Concurrency { .. } => 0,
            Self::Budget { .. } if counter.used == 0 && counter.untold == 0 => 0,
            Self::Budget { .. } => counter.until,
            Self::Rate { period, .. } => {
                let drained = nanos(counter.drained_to(self, 0));
                // So long is what is untold kept.
                let told = if counter.untold == 0 { 0 } else { nanos(*period).saturating_mul(2) };
                counter.since.saturating_add(drained.max(told))
            }
        };
        let held = counter.held.iter().map(|lease| u64::from(lease.span) + u64::from(LASTS) + 1).max();
        used.div_ceil(NANOS_PER_SECOND).max(held.unwrap_or(0) * SPAN)
    }
}

impl Counter {
    /// Goes on to `now` (since the Unix epoch). A clock that goes back opens no window anew and frees nothing; one that had
    /// gone far ahead by mistake does not leave a window behind that never ends.
    pub fn advance(&mut self, meter: &Meter, now: Duration) {
        let now_nanos = nanos(now);
        match meter {
            Meter::Rate { limit, period, .. } => {
                let elapsed = now_nanos.saturating_sub(self.since);
                self.used = self.used.saturating_sub(u128::from(*limit) * u128::from(elapsed));
                let ahead = self.since.saturating_sub(now_nanos);
                if elapsed > 0 || ahead > nanos(*period) {
                    self.since = now_nanos;
                }
                if elapsed > nanos(*period).saturating_mul(2) {
                    self.untold = 0;
                }
            }
            // Most calls find the window that they are in: the calendar is asked only where one has ended.
            Meter::Budget { .. } if (self.since..self.until).contains(&now_nanos) => {}
            Meter::Budget { period, zone, .. } => {
                let window = period.window(zone, now);
                let start = window.start.saturating_mul(NANOS_PER_SECOND);
                let until = window.end.map_or(u64::MAX, |end| end.saturating_mul(NANOS_PER_SECOND));
                let ahead = self.since.saturating_sub(now_nanos);
                let is_new = start > self.since || self.until == 0;
                if is_new {
                    *self = Self { held: std::mem::take(&mut self.held), ..Self::default() };
                }
                if is_new || period.length().is_some_and(|length| ahead > nanos(length)) {
                    (self.since, self.until) = (start, until);
                }
            }
            Meter::Concurrency { .. } => {}
        }
        let oldest = span(now).saturating_sub(LASTS);
        self.held.retain(|lease| lease.span >= oldest && lease.amount > 0);
    }

    /// Units in use, rounded up.
    pub fn used(&self, meter: &Meter) -> u64 {
        u64::try_from(self.used.div_ceil(meter.scale())).unwrap_or(u64::MAX)
    }

    /// Units that calls under way hold.
    pub fn held(&self) -> u64 {
        self.held.iter().fold(0, |sum, lease| sum.saturating_add(lease.amount))
    }

    /// Whether it says nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.used == 0 && self.held.is_empty() && self.untold == 0
    }

    /// When a budget's window began, since the Unix epoch.
    pub(super) fn since(&self) -> Duration {
        Duration::from_nanos(self.since)
    }

    /// What is told to nobody else yet.
    pub fn untold(&self) -> u64 {
        self.untold
    }

    /// Whether so many units more would be within the limit; no units are, as long as any are left.
    pub fn has_room(&self, meter: &Meter, amount: u64) -> bool {
        let taken = self.used(meter).saturating_add(self.held());
        taken.saturating_add(amount.max(1)) <= meter.capacity()
    }

    /// Holds units for a call that begins now; they are given back by [`settle`](Self::settle).
    pub(super) fn hold(&mut self, amount: u64, span: u32) {
        match self.held.iter_mut().find(|lease| lease.span == span) {
            Some(lease) => lease.amount = lease.amount.saturating_add(amount),
            None if amount > 0 => self.held.push(Lease { span, amount }),
            None => {}
        }
    }

    /// Gives back what a call held that began in this span.
    pub(super) fn release(&mut self, amount: u64, span: u32) {
        if let Some(lease) = self.held.iter_mut().find(|lease| lease.span == span) {
            lease.amount = lease.amount.saturating_sub(amount);
        }
        self.held.retain(|lease| lease.amount > 0);
    }

    /// Counts units as used.
    pub(super) fn charge(&mut self, meter: &Meter, amount: u64) {
        self.used = self.used.saturating_add(u128::from(amount).saturating_mul(meter.scale()));
        self.untold = self.untold.saturating_add(amount);
    }

    /// Takes back what was charged for a call that is not made.
    pub(super) fn refund(&mut self, meter: &Meter, amount: u64) {
        self.used = self.used.saturating_sub(u128::from(amount).saturating_mul(meter.scale()));
        self.untold = self.untold.saturating_sub(amount);
    }

    /// Takes over what others have used.
    pub(super) fn absorb(&mut self, meter: &Meter, amount: u64) {
        self.used = self.used.saturating_add(u128::from(amount).saturating_mul(meter.scale()));
    }

    /// Nobody is to be told of what has been used.
    pub(super) fn forget_untold(&mut self) {
        self.untold = 0;
    }

    /// So many of the untold units have been told.
    pub(super) fn told(&mut self, amount: u64) {
        self.untold = self.untold.saturating_sub(amount);
    }

    /// What a client may know, at `now`.
    pub fn standing(&self, meter: &Meter, now: Duration) -> Standing {
        let taken = self.used(meter).saturating_add(self.held());
        let reset = match meter {
            Meter::Rate { .. } => Some(self.drained_to(meter, 0)),
            Meter::Budget { .. } if self.until == u64::MAX => None,
            Meter::Budget { .. } => Some(Duration::from_nanos(self.until.saturating_sub(nanos(now)))),
            Meter::Concurrency { .. } => Some(Duration::ZERO),
        };
        Standing { limit: meter.capacity(), remaining: meter.capacity().saturating_sub(taken), reset }
    }

    /// How long until there is room for so many units, if nothing more is used and what is held stays held; `None` when
    /// there never will be.
    pub fn wait(&self, meter: &Meter, amount: u64, now: Duration) -> Option<Duration> {
        let amount = amount.max(1);
        if amount > meter.capacity() {
            return None;
        }
        match meter {
            Meter::Rate { .. } => {
                let room = meter.capacity().saturating_sub(self.held()).saturating_sub(amount);
                // Nothing drains until the clock is where it has been.
                let ahead = Duration::from_nanos(self.since.saturating_sub(nanos(now)));
                Some(ahead + self.drained_to(meter, room))
            }
            Meter::Budget { .. } => self.standing(meter, now).reset,
            Meter::Concurrency { .. } => Some(Duration::from_secs(1)),
        }
    }

    /// How long a bucket takes to drain to so many units.
    fn drained_to(&self, meter: &Meter, units: u64) -> Duration {
        let Meter::Rate { limit, .. } = meter else { return Duration::ZERO };
        let surplus = self.used.saturating_sub(u128::from(units).saturating_mul(meter.scale()));
        let nanos = surplus.div_ceil(u128::from((*limit).max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The form in which counters lie in shared memory.
mod bytes {
    use prost::encoding::{decode_varint, encode_varint};

    use super::{Counter, Lease};

    impl Counter {
        pub(in crate::limit) fn encode(&self, out: &mut Vec<u8>) {
            let (high, low) = ((self.used >> 64) as u64, self.used as u64);
            for number in [self.since, self.until, low, high, self.untold] {
                encode_varint(number, out);
            }
            for lease in &self.held {
                encode_varint(u64::from(lease.span), out);
                encode_varint(lease.amount, out);
            }
        }

        pub(in crate::limit) fn decode(mut bytes: &[u8]) -> Option<Self> {
            let mut number = || decode_varint(&mut bytes).ok();
            let (since, until) = (number()?, number()?);
            let (low, high, untold) = (number()?, number()?, number()?);
            let mut held = Vec::new();
            while let Some(span) = number() {
                held.push(Lease { span: u32::try_from(span).ok()?, amount: number()? });
            }
            Some(Self { since, until, used: u128::from(high) << 64 | u128::from(low), held, untold })
        }
    }
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
