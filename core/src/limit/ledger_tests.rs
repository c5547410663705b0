//! Counters that lie together.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::super::counter::span;
use super::super::window::{Period, Zone};
use super::*;
use crate::shared::{LocalMemory, Version};

const NOW: Duration = Duration::from_secs(1_806_500_000);

fn budget(name: &str, by: &[By]) -> Book {
    Book::new(name, by, false, Meter::Budget { limit: 100, period: Period::Day, zone: Zone::utc() })
}

fn charge(memory: &dyn SharedMemory, books: &Books<'_>, subject: &str, amount: u64, now: Duration) -> bool {
    let charged = change_all(memory, books, subject, now, Urgency::Call, &mut |counters| {
        let mut each = books.iter().zip(counters);
        each.all(|(book, counter)| {
            let has_room = counter.has_room(&book.meter, amount);
            if has_room {
                counter.charge(&book.meter, amount);
            }
            has_room
        })
    });
    charged.expect("is not busy").1
}

fn used(memory: &dyn SharedMemory, book: &Book, subject: &str, now: Duration) -> u64 {
    book.read(memory, subject, now).used(&book.meter)
}

/// Memory that counts what is read and written.
#[derive(Debug, Default)]
struct Counting {
    memory: LocalMemory,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl SharedMemory for Counting {
    fn get(&self, name: &str) -> Option<(Vec<u8>, Version)> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.memory.get(name)
    }

    fn swap(&self, name: &str, version: Version, value: &[u8]) -> bool {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.memory.swap(name, version, value)
    }
}

#[test]
fn however_many_counters_lie_together_they_are_read_and_written_once() {
    let by = [By::Team];
    let all: Vec<_> = (0..10).map(|number| budget(&format!("limit-{number}"), &by)).collect();
    let books: Vec<_> = all.iter().collect();
    let memory = Counting::default();
    assert!(charge(&memory, &books, "team", 1, NOW));
    let before = (memory.reads.load(Ordering::Relaxed), memory.writes.load(Ordering::Relaxed));
    assert!(charge(&memory, &books, "team", 2, NOW));
    let after = (memory.reads.load(Ordering::Relaxed), memory.writes.load(Ordering::Relaxed));
    assert_eq!(after, (before.0 + 1, before.1 + 1));
    for book in &all {
        assert_eq!(used(&memory, book, "team", NOW), 3);
    }
}

#[test]
fn where_one_has_no_room_none_is_changed() {
    let by = [By::Team];
    let (first, second) = (budget("first", &by), budget("second", &by));
    let memory = LocalMemory::default();
    assert!(charge(&memory, &[&second], "team", 95, NOW));
    assert!(!charge(&memory, &[&first, &second], "team", 10, NOW));
    assert_eq!((used(&memory, &first, "team", NOW), used(&memory, &second, "team", NOW)), (0, 95));
    assert!(charge(&memory, &[&first, &second], "team", 5, NOW));
    assert_eq!((used(&memory, &first, "team", NOW), used(&memory, &second, "team", NOW)), (5, 100));
}

#[test]
fn limits_without_a_subject_and_those_by_something_else_lie_apart() {
    let books =
        [budget("a", &[]), budget("b", &[]), budget("c", &[By::Team]), budget("d", &[By::Team, By::User])];
    let shelves: std::collections::HashSet<_> = books.iter().map(Book::shelf).collect();
    assert_eq!(shelves.len(), books.len());
    // No name can be taken for what something counts by.
    assert_ne!(budget("team", &[]).shelf(), budget("x", &[By::Team]).shelf());
}

#[test]
fn a_limit_that_comes_back_finds_its_counters_and_one_that_stays_away_is_forgotten() {
    let by = [By::User];
    let (kept, gone) = (budget("kept", &by), budget("gone", &by));
    let memory = LocalMemory::default();
    assert!(charge(&memory, &[&kept, &gone], "u", 40, NOW));
    // A policy without it.
    assert!(charge(&memory, &[&kept], "u", 10, NOW));
    assert_eq!((used(&memory, &kept, "u", NOW), used(&memory, &gone, "u", NOW)), (50, 40));
    let later = NOW + Duration::from_secs(34 * 86_400);
    assert!(charge(&memory, &[&kept], "u", 1, later));
    let (slot, _) = memory.get(&kept.slot_name(kept.slot_of("u"))).expect("is there");
    let marks: Vec<_> = entries(&slot)
        .flat_map(|entry| marked(entry.counters).map(|each| each.mark).collect::<Vec<_>>())
        .collect();
    assert_eq!(marks, [kept.mark]);
}

#[test]
fn a_clock_that_was_ahead_takes_nothing_of_what_lies_beside_away() {
    let by = [By::User];
    let (first, beside) = (budget("first", &by), budget("beside", &by));
    let memory = LocalMemory::default();
    assert!(charge(&memory, &[&first, &beside], "u", 40, NOW));
    for days in [1, 30] {
        // Calls end that hold something of the first alone.
        assert!(charge(&memory, &[&first], "u", 1, NOW + Duration::from_secs(days * 86_400)));
        assert_eq!(used(&memory, &beside, "u", NOW), 40, "{days} days ahead, and back");
    }
}

#[test]
fn what_can_not_be_read_hides_nothing_that_is_written() {
    let memory = LocalMemory::default();
    let book = budget("b", &[By::User]);
    // A subject that can be read, and then a length of which nothing follows.
    memory.swap(&book.slot_name(book.slot_of("")), Version::ABSENT, &[0, 0, 9]);
    for count in 1..4 {
        assert!(charge(&memory, &[&book], "", 1, NOW));
        assert_eq!(used(&memory, &book, "", NOW), count);
    }
}

/// Something that happens to a counter: what, how much, and how many seconds later.
type Deed = (u8, u64, u64);

fn meters() -> impl Strategy<Value = Meter> {
    let amount = 1_u64..1000;
    prop_oneof![
        (amount.clone(), 1_u64..3600).prop_map(|(limit, seconds)| Meter::Rate {
            limit,
            burst: limit,
            period: Duration::from_secs(seconds)
        }),
        amount.clone().prop_map(|limit| Meter::Budget { limit, period: Period::Hour, zone: Zone::utc() }),
        amount.clone().prop_map(|limit| Meter::Budget { limit, period: Period::Lifetime, zone: Zone::utc() }),
        amount.prop_map(|limit| Meter::Concurrency { limit }),
    ]
}

proptest! {
    /// Whoever knows nothing of a counter's limit may forget it just when it says nothing.
    #[test]
    fn a_counter_is_forgotten_when_it_says_nothing_and_not_before(
        meter in meters(),
        deeds in proptest::collection::vec((0_u8..4, 0_u64..500, 0_u64..2000), 0..12),
        later in 0_u64..20_000,
    ) {
        let mut counter = Counter::default();
        let mut now = NOW;
        counter.advance(&meter, now);
        for (what, amount, seconds) in deeds as Vec<Deed> {
            now += Duration::from_secs(seconds);
            counter.advance(&meter, now);
            match (what, &meter) {
                (0, Meter::Rate { .. } | Meter::Budget { .. }) => counter.charge(&meter, amount),
                (1, _) => counter.hold(amount, span(now)),
                (2, _) => counter.release(amount, span(now)),
                _ => counter.forget_untold(),
            }
        }
        let idle_from = meter.idle_from(&counter);
        now += Duration::from_secs(later);
        counter.advance(&meter, now);
        prop_assert_eq!(counter.is_idle(), now.as_secs() >= idle_from, "{:?} {:?} {}", meter, counter, idle_from);
    }

    /// Whatever lies in a slot, it is read as far as it makes sense, and then written anew.
    #[test]
    fn what_is_no_slot_harms_nobody(bytes in proptest::collection::vec(any::<u8>(), 0..200), subject in "[a-c]{0,2}") {
        let memory = LocalMemory::default();
        let book = budget("b", &[By::User]);
        memory.swap(&book.slot_name(book.slot_of(&subject)), Version::ABSENT, &bytes);
        let before = used(&memory, &book, &subject, NOW);
        if charge(&memory, &[&book], &subject, 1, NOW) {
            prop_assert_eq!(used(&memory, &book, &subject, NOW), before + 1);
        }
    }
}
