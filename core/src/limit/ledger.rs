//! The counters of all limits in shared memory: exact across workers, bounded in number, forgotten when they say nothing.
//!
//! The counters of a limit lie in slots, chosen by what they count by. A slot is one value: a list of counters, each with the name
//! of what it counts. Shared memory forgets no name, so their number is fixed; a slot's counters come and go.

use std::time::Duration;

use super::counter::{Counter, Meter};
use crate::shared::{Busy, SharedMemory, update};

/// Slots of a limit that counts by something.
const SLOTS: u32 = 1024;
/// The most bytes of a slot: some thousand counters.
const MAX_SLOT_BYTES: usize = 64 * 1024;
/// How often a change is tried before a call is refused for it.
const ATTEMPTS: u32 = 64;
/// How often a change is tried that must not be lost.
const SETTLING_ATTEMPTS: u32 = 4096;

/// Where the counters of one limit lie, and how they count.
#[derive(Debug)]
pub struct Book {
    /// Unique among limits.
    name: String,
    slots: u32,
    /// Whether other replicas are told of what is used.
    tells: bool,
    pub meter: Meter,
}

/// How a change of a counter may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// A call waits for it.
    Call,
    /// It must not be lost.
    Settling,
}

impl Book {
    /// `single`: the limit has one counter only. `tells`: other replicas are told of what is used.
    pub fn new(name: &str, single: bool, tells: bool, meter: Meter) -> Self {
        Self { name: name.to_owned(), slots: if single { 1 } else { SLOTS }, tells, meter }
    }

    /// Whether other replicas are told of what is used.
    pub(super) fn tells(&self) -> bool {
        self.tells
    }

    /// A counter as it stands at `now`.
    pub fn read(&self, memory: &dyn SharedMemory, subject: &str, now: Duration) -> Counter {
        let slot = memory.get(&self.slot_name(self.slot_of(subject))).map(|(value, _)| value);
        let found = slot
            .as_deref()
            .and_then(|slot| find(slot, subject).and_then(|(_, bytes)| Counter::decode(bytes)));
        let mut counter = found.unwrap_or_default();
        if self.advance(&mut counter, now) {
            // Where there is no room, nobody changes it otherwise.
            let _ = self.change(memory, subject, now, Urgency::Call, |_| false);
        }
        counter
    }

    /// Returns whether the counter stood far ahead of the clock, and has been put back. That has to be kept, also where a call
    /// is refused: else it would be put back for each one, and never go on from there.
    fn advance(&self, counter: &mut Counter, now: Duration) -> bool {
        let stood = counter.since();
        counter.advance(&self.meter, now);
        counter.since() < stood
    }

    /// Changes a counter as it stands at `now`; `false` from `change` leaves it as it was. Returns the counter afterwards and
    /// whether it was changed.
    pub(super) fn change(
        &self,
        memory: &dyn SharedMemory,
        subject: &str,
        now: Duration,
        urgency: Urgency,
        mut change: impl FnMut(&mut Counter) -> bool,
    ) -> Result<(Counter, bool), Busy> {
        let attempts = match urgency {
            Urgency::Call => ATTEMPTS,
            Urgency::Settling => SETTLING_ATTEMPTS,
        };
        let slot = self.slot_of(subject);
        update(memory, &self.slot_name(slot), attempts, |value| {
            let place = find(value, subject);
            let mut counter =
                place.as_ref().and_then(|(_, bytes)| Counter::decode(bytes)).unwrap_or_default();
            let is_put_back = self.advance(&mut counter, now);
            let is_changed = change(&mut counter);
            if !is_changed && !is_put_back {
                return Ok((None, (counter, false)));
            }
            if !self.tells {
                counter.forget_untold();
            }
            if value.is_empty() {
                self.note(memory, slot)?;
            }
            let mut new = Vec::with_capacity(value.len() + subject.len() + 48);
            match place {
                Some((at, _)) => {
                    new.extend_from_slice(value.get(..at.start).unwrap_or_default());
                    new.extend_from_slice(value.get(at.end..).unwrap_or_default());
                }
                // A new one is the time to forget others.
                None => self.keep_living(value, now, &mut new),
            }
            write(subject, &counter, &mut new)?;
            let fits = new.len() <= MAX_SLOT_BYTES || urgency == Urgency::Settling;
            if fits { Ok((Some(new), (counter, is_changed))) } else { Err(Busy) }
        })
    }

    /// Every counter that says something, in no order.
    pub fn all(&self, memory: &dyn SharedMemory, now: Duration) -> Vec<(String, Counter)> {
        let index = memory.get(&self.index_name()).map(|(value, _)| value).unwrap_or_default();
        let used = (0..self.slots).filter(|slot| {
            let byte = usize::try_from(slot / 8).ok().and_then(|byte| index.get(byte));
            byte.is_some_and(|byte| byte & (1 << (slot % 8)) != 0)
        });
        let mut counters = Vec::new();
        for slot in used {
            let Some((value, _)) = memory.get(&self.slot_name(slot)) else { continue };
            for (subject, _, bytes) in entries(&value) {
                let Some(mut counter) = Counter::decode(bytes) else { continue };
                if self.meter.is_idle(&counter, now) {
                    continue;
                }
                counter.advance(&self.meter, now);
                counters.push((subject.to_owned(), counter));
            }
        }
        counters
    }

    /// Notes that a slot is in use, so that [`all`](Self::all) finds it.
    fn note(&self, memory: &dyn SharedMemory, slot: u32) -> Result<(), Busy> {
        update(memory, &self.index_name(), SETTLING_ATTEMPTS, |value| {
            let mut bits = value.to_vec();
            bits.resize(usize::try_from(self.slots.div_ceil(8)).unwrap_or(0), 0);
            if let Some(byte) = usize::try_from(slot / 8).ok().and_then(|byte| bits.get_mut(byte)) {
                *byte |= 1 << (slot % 8);
            }
            Ok((Some(bits), ()))
        })
    }

    fn keep_living(&self, value: &[u8], now: Duration, out: &mut Vec<u8>) {
        for (_, at, bytes) in entries(value) {
            let idle = Counter::decode(bytes).is_none_or(|counter| self.meter.is_idle(&counter, now));
            if !idle {
                out.extend_from_slice(value.get(at).unwrap_or_default());
            }
        }
    }

    fn slot_of(&self, subject: &str) -> u32 {
        crc32fast::hash(subject.as_bytes()) % self.slots
    }

    fn slot_name(&self, slot: u32) -> String {
        format!("sluice-limit/{}/{slot}", self.name)
    }

    fn index_name(&self) -> String {
        format!("sluice-limit/{}/slots", self.name)
    }
}

/// The entries of a slot: whom each counts, its place in the slot, and its counter's bytes. Each is two lengths of two bytes, the
/// subject, the counter.
fn entries(slot: &[u8]) -> impl Iterator<Item = (&str, std::ops::Range<usize>, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let length = |at: usize| {
            let bytes = slot.get(at..at + 2)?.try_into().ok()?;
            Some(usize::from(u16::from_le_bytes(bytes)))
        };
        let start = at;
        let (subject_length, counter_length) = (length(at)?, length(at + 2)?);
        let middle = start + 4 + subject_length;
        let end = middle + counter_length;
        let subject = std::str::from_utf8(slot.get(start + 4..middle)?).ok()?;
        let counter = slot.get(middle..end)?;
        at = end;
        Some((subject, start..end, counter))
    })
}

fn find<'s>(slot: &'s [u8], subject: &str) -> Option<(std::ops::Range<usize>, &'s [u8])> {
    entries(slot).find(|(entry, _, _)| *entry == subject).map(|(_, at, bytes)| (at, bytes))
}

fn write(subject: &str, counter: &Counter, out: &mut Vec<u8>) -> Result<(), Busy> {
    let mut bytes = Vec::with_capacity(48);
    counter.encode(&mut bytes);
    for length in [subject.len(), bytes.len()] {
        out.extend_from_slice(&u16::try_from(length).map_err(|_| Busy)?.to_le_bytes());
    }
    out.extend_from_slice(subject.as_bytes());
    out.extend_from_slice(&bytes);
    Ok(())
}
