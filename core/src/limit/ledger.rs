//! The counters of all limits in shared memory: exact across workers, bounded in number, forgotten when they say nothing.
//!
//! Counters lie in slots, chosen by whom they count. A slot is one value: whom, and a counter for each limit that counts by the
//! same, so that a call takes of all of them at once. Shared memory forgets no name, so the number of slots is fixed; what lies in
//! them comes and goes.

use std::time::Duration;

use super::counter::{Counter, Meter};
use super::slot::{Entry, Mark, entries, find, marked, write_counter, write_entry};
use super::subject::By;
use crate::shared::{Busy, SharedMemory, update};

/// Slots of the limits that count by the same.
const SLOTS: u32 = 4096;
/// The most bytes of a slot: some thousand counters.
const MAX_SLOT_BYTES: usize = 64 * 1024;
/// How often a change is tried before a call is refused for it.
const ATTEMPTS: u32 = 64;
/// How often a change is tried that must not be lost.
const SETTLING_ATTEMPTS: u32 = 4096;

/// For so long a counter that says nothing stays beside others of its subject, in seconds: a clock that was ahead for a moment must
/// not have taken what was used away when it is back.
const REMEMBERED: u64 = 32 * 86_400;

/// Where the counters of one limit lie, and how they count.
#[derive(Debug)]
pub struct Book {
    /// What it counts by, in words. A limit that counts everything together has a place of its own, in which it meets no other.
    shelf: String,
    /// Unique among limits.
    mark: Mark,
    slots: u32,
    /// Whether other replicas are told of what is used.
    tells: bool,
    pub meter: Meter,
}

/// The counters of limits that count by the same.
pub(super) type Books<'b> = [&'b Book];

/// How a change of a counter may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// A call waits for it.
    Call,
    /// It must not be lost.
    Settling,
}

impl Book {
    /// `name`: unique among limits. `tells`: other replicas are told of what is used.
    pub fn new(name: &str, by: &[By], tells: bool, meter: Meter) -> Self {
        let words: Vec<String> = by.iter().map(By::word).collect();
        let (shelf, slots) = match by {
            [] => (format!("={name}"), 1),
            _ => (words.join(","), SLOTS),
        };
        Self { shelf, mark: Mark::of(name), slots, tells, meter }
    }

    /// Whether other replicas are told of what is used.
    pub(super) fn tells(&self) -> bool {
        self.tells
    }

    /// Where its counters lie: together with those of books of the same shelf.
    pub(super) fn shelf(&self) -> &str {
        &self.shelf
    }

    /// A counter as it stands at `now`.
    pub fn read(&self, memory: &dyn SharedMemory, subject: &str, now: Duration) -> Counter {
        read_all(memory, &[self], subject, now).pop().unwrap_or_default()
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
        let mut change = |counters: &mut [Counter]| counters.first_mut().is_some_and(&mut change);
        let (counters, changed) = change_all(memory, &[self], subject, now, urgency, &mut change)?;
        Ok((counters.into_iter().next().unwrap_or_default(), changed))
    }

    /// This limit's among the counters of one subject, as it stands at `now`, and whether it stood far ahead of the clock and has
    /// been put back. That has to be kept, also where a call is refused: else it would be put back for each one, and never go on
    /// from there.
    fn counter(&self, counters: &[u8], now: Duration) -> (Counter, bool) {
        let own = marked(counters).find(|each| each.mark == self.mark);
        let mut counter = own.and_then(|own| Counter::decode(own.counter)).unwrap_or_default();
        let stood = counter.since();
        counter.advance(&self.meter, now);
        let is_put_back = counter.since() < stood;
        (counter, is_put_back)
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

    fn slot_of(&self, subject: &str) -> u32 {
        crc32fast::hash(subject.as_bytes()) % self.slots
    }

    fn slot_name(&self, slot: u32) -> String {
        format!("sluice-limit/{}/{slot}", self.shelf)
    }

    fn index_name(&self) -> String {
        format!("sluice-limit/{}/slots", self.shelf)
    }
}

/// Every counter that says something, in no order: whose in `books` it is, what it counts, and itself. The books
/// are of one [shelf](Book::shelf).
pub(super) fn all(
    memory: &dyn SharedMemory,
    books: &Books<'_>,
    now: Duration,
) -> Vec<(usize, String, Counter)> {
    let Some(first) = books.first() else { return Vec::new() };
    let index = memory.get(&first.index_name()).map(|(value, _)| value).unwrap_or_default();
    let used = (0..first.slots).filter(|slot| {
        let byte = usize::try_from(slot / 8).ok().and_then(|byte| index.get(byte));
        byte.is_some_and(|byte| byte & (1 << (slot % 8)) != 0)
    });
    let mut counters = Vec::new();
    for slot in used {
        let Some((value, _)) = memory.get(&first.slot_name(slot)) else { continue };
        for entry in entries(&value) {
            for each in marked(entry.counters) {
                let Some(at) = books.iter().position(|book| book.mark == each.mark) else { continue };
                let Some((book, mut counter)) = books.get(at).zip(Counter::decode(each.counter)) else {
                    continue;
                };
                counter.advance(&book.meter, now);
                if !counter.is_idle() {
                    counters.push((at, entry.subject.to_owned(), counter));
                }
            }
        }
    }
    counters
}

/// The counters of one subject as they stand at `now`; the books are of one [shelf](Book::shelf).
pub(super) fn read_all(
    memory: &dyn SharedMemory,
    books: &Books<'_>,
    subject: &str,
    now: Duration,
) -> Vec<Counter> {
    let Some(first) = books.first() else { return Vec::new() };
    let slot =
        memory.get(&first.slot_name(first.slot_of(subject))).map(|(value, _)| value).unwrap_or_default();
    let known = find(&slot, subject).map(|entry| entry.counters).unwrap_or_default();
    let (counters, put_back) = counters_of(books, known, now);
    if put_back {
        // Where there is no room, nobody changes them otherwise.
        let _ = change_all(memory, books, subject, now, Urgency::Call, &mut |_| false);
    }
    counters
}

/// Changes the counters of one subject as they stand at `now`, all at once; the books are of one [shelf](Book::shelf).
/// `false` from `change` leaves all as they were. Returns the counters afterwards and whether they were changed.
pub(super) fn change_all(
    memory: &dyn SharedMemory,
    books: &Books<'_>,
    subject: &str,
    now: Duration,
    urgency: Urgency,
    change: &mut dyn FnMut(&mut [Counter]) -> bool,
) -> Result<(Vec<Counter>, bool), Busy> {
    let Some(first) = books.first() else { return Ok((Vec::new(), false)) };
    let attempts = match urgency {
        Urgency::Call => ATTEMPTS,
        Urgency::Settling => SETTLING_ATTEMPTS,
    };
    let slot = first.slot_of(subject);
    update(memory, &first.slot_name(slot), attempts, |value| {
        let entry = find(value, subject);
        let known = entry.as_ref().map(|entry| entry.counters).unwrap_or_default();
        let (mut counters, put_back) = counters_of(books, known, now);
        let mut unchanged = put_back.then(|| counters.clone());
        let is_changed = change(&mut counters);
        let kept = match (is_changed, &mut unchanged) {
            (true, _) => &mut counters,
            (false, Some(unchanged)) => unchanged,
            (false, None) => return Ok((None, (counters, false))),
        };
        if value.is_empty() {
            first.note(memory, slot)?;
        }
        let mut all = Vec::with_capacity(known.len() + 64 * books.len());
        keep_others(known, books, now, &mut all);
        for (book, counter) in books.iter().zip(kept) {
            if !book.tells {
                counter.forget_untold();
            }
            write_counter(book.mark, book.meter.idle_from(counter), counter, &mut all);
        }
        let mut new = Vec::with_capacity(value.len() + subject.len() + 64 * books.len());
        // First, so that it is found whatever stands behind it.
        write_entry(subject, &all, &mut new);
        match &entry {
            Some(Entry { place, .. }) => {
                new.extend_from_slice(value.get(..place.start).unwrap_or_default());
                new.extend_from_slice(value.get(place.end..).unwrap_or_default());
            }
            // A new one is the time to forget others.
            None => keep_living(value, now, &mut new),
        }
        let fits = first.slots == 1 || new.len() <= MAX_SLOT_BYTES || urgency == Urgency::Settling;
        if fits { Ok((Some(new), (counters, is_changed))) } else { Err(Busy) }
    })
}

/// The counters of one subject as they stand at `now`, and whether any has been put back.
fn counters_of(books: &Books<'_>, known: &[u8], now: Duration) -> (Vec<Counter>, bool) {
    let mut any = false;
    let counters = books.iter().map(|book| {
        let (counter, is_put_back) = book.counter(known, now);
        any |= is_put_back;
        counter
    });
    (counters.collect(), any)
}

/// What becomes of a slot's other subjects.
fn keep_living(slot: &[u8], now: Duration, out: &mut Vec<u8>) {
    for entry in entries(slot) {
        if marked(entry.counters).any(|each| each.idle_from > now.as_secs()) {
            out.extend_from_slice(slot.get(entry.place).unwrap_or_default());
        }
    }
}

/// What becomes of a subject's counters of other limits; some of them may be no longer in the policy.
fn keep_others(counters: &[u8], books: &Books<'_>, now: Duration, out: &mut Vec<u8>) {
    for each in marked(counters) {
        let is_remembered = each.idle_from.saturating_add(REMEMBERED) > now.as_secs();
        if is_remembered && books.iter().all(|book| book.mark != each.mark) {
            out.extend_from_slice(each.bytes);
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
