//! What holds for limits together: exact whoever else takes at the same time, all of a call's limits or none of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::dialect::ClientDialect;
use crate::identity::Proof;
use crate::policy::WhenEntry;
use crate::shared::{LocalMemory, SharedMemory, Version};

const NOW: Duration = Duration::from_secs(1_806_500_000);

fn entry(name: &str, unit: Unit, limit: u64) -> LimitEntry {
    LimitEntry {
        name: name.to_owned(),
        unit,
        period: (unit != Unit::Concurrent).then_some(Period::Day),
        limit,
        burst: None,
        by: Vec::new(),
        models: vec!["*".to_owned()],
        when: WhenEntry::default(),
        action: Action::Refuse,
        alert_at: Vec::new(),
        mid_stream: false,
        zone: window::Zone::utc(),
    }
}

fn limits(entries: &[LimitEntry]) -> Limits {
    Limits::new(entries, None)
}

fn caller(user: &str, team: &str, roles: &[&str]) -> Caller {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    Caller::of_tests(Proof::Key, user, Some(user.to_owned()), Some(team.to_owned()), roles)
}

fn asking(tenant: &str) -> Asking {
    let headers = [("x-tenant".to_owned(), tenant.to_owned())];
    Asking::new(ClientDialect::OpenAiChat, "/v1/chat/completions", &headers, |_| true, NOW)
}

fn tokens(input: u64, output: u64) -> Option<Amounts> {
    Some(Amounts { input, output, nano_usd: (input + 4 * output) * 150 })
}

fn call<'a>(caller: &'a Caller, asking: &'a Asking) -> Call<'a> {
    Call { caller: Some(caller), asking, model: "gpt-4o" }
}

fn used(limits: &Limits, memory: &LocalMemory) -> Vec<(String, String, u64, u64)> {
    let counters = limits.counters(memory, NOW).into_iter();
    let mut all: Vec<_> = counters
        .map(|(position, subject, counter)| {
            let limit = limits.get(position).expect("is there");
            (limit.name.clone(), subject, counter.used(&limit.book.meter), counter.held())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn eight_workers_admit_exactly_as_many_as_fit() {
    let limits = limits(&[entry("tokens", Unit::Tokens, 5_000), entry("money", Unit::Usd, 1 << 50)]);
    let memory = LocalMemory::default();
    let (caller, asking) = (caller("u", "t", &[]), asking(""));
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    match limits.take(&memory, call(&caller, &asking), tokens(60, 40), NOW) {
                        Ok(reservation) => {
                            admitted.fetch_add(1, Ordering::Relaxed);
                            // Held until the end, so that nobody else gets its place.
                            std::mem::forget(reservation);
                        }
                        Err(spent) => assert_eq!(spent.name(), "tokens"),
                    }
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 50);
}

#[test]
fn eight_workers_lose_no_token_and_no_nano_dollar() {
    let mut by_team = entry("by-team", Unit::Usd, 1 << 50);
    by_team.by = vec![By::Team, By::Model];
    let limits =
        limits(&[entry("tokens", Unit::Tokens, 1 << 50), by_team, entry("at-once", Unit::Concurrent, 1000)]);
    let memory = LocalMemory::default();
    let asking = asking("");
    let (spent_tokens, spent_money) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for worker in 0..8_u64 {
            let (limits, memory, asking) = (&limits, &memory, &asking);
            let (spent_tokens, spent_money) = (&spent_tokens, &spent_money);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(worker);
                for _ in 0..300 {
                    let caller = caller("u", &format!("team-{}", random.u8(..5)), &[]);
                    let wished = tokens(random.u64(..900), random.u64(..900));
                    let reservation =
                        limits.take(memory, call(&caller, asking), wished, NOW).expect("has room");
                    let actual =
                        random.bool().then(|| tokens(random.u64(..900), random.u64(..900))).flatten();
                    let settled = limits.settle(memory, reservation, actual, NOW);
                    assert_eq!(settled, Settled::default());
                    let actual = actual.unwrap_or_default();
                    spent_tokens.fetch_add(actual.input + actual.output, Ordering::Relaxed);
                    spent_money.fetch_add(actual.nano_usd, Ordering::Relaxed);
                }
            });
        }
    });
    let all = used(&limits, &memory);
    let sum =
        |name: &str| all.iter().filter(|(limit, ..)| limit == name).map(|(_, _, used, _)| used).sum::<u64>();
    assert_eq!(sum("tokens"), spent_tokens.into_inner());
    assert_eq!(sum("by-team"), spent_money.into_inner());
    assert!(all.iter().all(|(.., held)| *held == 0), "{all:?}");
    assert_eq!(all.iter().filter(|(limit, ..)| limit == "by-team").count(), 5);
}

#[test]
fn a_refused_call_takes_nothing() {
    let limits = limits(&[
        entry("requests", Unit::Requests, 10),
        entry("small", Unit::OutputTokens, 100),
        entry("money", Unit::Usd, 1_000_000_000),
    ]);
    let memory = LocalMemory::default();
    let (caller, asking) = (caller("u", "t", &[]), asking(""));
    let spent = limits.take(&memory, call(&caller, &asking), tokens(5, 101), NOW).expect_err("is too much");
    assert_eq!(spent.name(), "small");
    let failure = spent.failure();
    assert_eq!((failure.status, failure.retry_after), (429, None));
    assert!(
        failure.message.contains("'small'") && failure.message.contains("101 output tokens"),
        "{}",
        failure.message
    );
    assert_eq!(used(&limits, &memory), []);
    let one = limits.take(&memory, call(&caller, &asking), tokens(5, 60), NOW).expect("has room");
    let failure =
        limits.take(&memory, call(&caller, &asking), tokens(5, 60), NOW).expect_err("is spent").failure();
    // The day ends at midnight.
    assert_eq!(failure.retry_after, Some(86_400 - NOW.as_secs() % 86_400));
    limits.cancel(&memory, one, NOW);
    assert_eq!(used(&limits, &memory), []);
}

#[test]
fn counters_are_by_what_the_limit_says() {
    let by = |name: &str, by: Vec<By>| LimitEntry { by, ..entry(name, Unit::Requests, 5) };
    let limits = limits(&[
        by("all", vec![]),
        by("role", vec![By::Role]),
        by("tenant", vec![By::Header("x-tenant".to_owned()), By::User]),
        by("provider", vec![By::Provider]),
    ]);
    let memory = LocalMemory::default();
    let asking = asking("a");
    for (user, roles) in [("u", vec!["dev", "ops"]), ("v", vec![])] {
        let caller = caller(user, "t", &roles);
        let mut reservation = limits.take(&memory, call(&caller, &asking), None, NOW).expect("has room");
        for provider in ["openai", "claude"] {
            let place = Place { provider, region: None };
            limits
                .take_for(&memory, call(&caller, &asking), place, None, NOW, &mut reservation)
                .expect("has room");
        }
        limits.settle(&memory, reservation, None, NOW);
    }
    let found: HashMap<(String, String), u64> = used(&limits, &memory)
        .into_iter()
        .map(|(limit, subject, used, _)| ((limit, subject), used))
        .collect();
    let expected = [
        ("all", "", 2),
        ("role", "dev", 1),
        ("role", "ops", 1),
        ("role", "", 1),
        ("tenant", "a\u{1f}u", 1),
        ("tenant", "a\u{1f}v", 1),
        ("provider", "openai", 2),
        ("provider", "claude", 2),
    ];
    let expected: HashMap<_, _> = expected
        .into_iter()
        .map(|(limit, subject, used)| ((limit.to_owned(), subject.to_owned()), used))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_limit_of_a_provider_is_held_for_the_one_that_is_tried() {
    let limits = limits(&[LimitEntry { by: vec![By::Provider], ..entry("money", Unit::Usd, 100_000) }]);
    let memory = LocalMemory::default();
    let (caller, asking) = (caller("u", "t", &[]), asking(""));
    let mut reservation =
        limits.take(&memory, call(&caller, &asking), tokens(100, 100), NOW).expect("has room");
    let (one, two) = (Place { provider: "one", region: None }, Place { provider: "two", region: None });
    limits
        .take_for(&memory, call(&caller, &asking), one, tokens(100, 100), NOW, &mut reservation)
        .expect("has room");
    assert!(limits.admit(&memory, call(&caller, &asking), one, tokens(100, 100), NOW).is_err());
    limits
        .take_for(&memory, call(&caller, &asking), two, tokens(100, 100), NOW, &mut reservation)
        .expect("has room");
    assert!(limits.admit(&memory, call(&caller, &asking), one, tokens(100, 100), NOW).is_ok(), "given back");
    limits.settle(&memory, reservation, tokens(10, 10), NOW);
    assert_eq!(used(&limits, &memory), [("money".to_owned(), "two".to_owned(), 7_500, 0)]);
}

#[test]
fn a_limit_that_warns_lets_pass_and_counts() {
    let mut warns = LimitEntry { action: Action::Warn, ..entry("warns", Unit::Tokens, 100) };
    warns.alert_at = vec![500, 1000];
    let limits = limits(&[warns]);
    let memory = LocalMemory::default();
    let (caller, asking) = (caller("u", "t", &[]), asking(""));
    let mut seen = Vec::new();
    for _ in 0..4 {
        let reservation =
            limits.take(&memory, call(&caller, &asking), tokens(40, 20), NOW).expect("only warns");
        let warned = reservation.warnings().len();
        let settled = limits.settle(&memory, reservation, tokens(40, 20), NOW);
        let shares: Vec<u16> = settled.alerts.iter().map(|alert| alert.share).collect();
        let over: u64 = settled.overshoot.iter().map(|(_, over)| over).sum();
        seen.push((warned, shares, over));
    }
    assert_eq!(seen, [(0, vec![500], 0), (1, vec![1000], 20), (1, vec![], 60), (1, vec![], 60)]);
}

#[test]
fn a_stream_gets_more_until_there_is_none() {
    let mut cuts = LimitEntry { mid_stream: true, ..entry("cuts", Unit::OutputTokens, 100) };
    cuts.by = vec![By::User];
    let limits = limits(&[cuts, entry("other", Unit::Tokens, 10)]);
    let memory = LocalMemory::default();
    let (caller, asking) = (caller("u", "t", &[]), asking(""));
    let mut reservation = limits.take(&memory, call(&caller, &asking), tokens(0, 10), NOW).expect("has room");
    assert!(limits.watches(&reservation));
    let grown = |output| Amounts { output, ..Amounts::default() };
    assert_eq!(limits.extend(&memory, &mut reservation, grown(90), NOW), Ok(()));
    let spent = limits.extend(&memory, &mut reservation, grown(101), NOW).expect_err("is too much");
    assert_eq!(spent.name(), "cuts");
    limits.settle(&memory, reservation, Some(grown(95)), NOW);
    let all = used(&limits, &memory);
    assert!(all.contains(&("cuts".to_owned(), "u".to_owned(), 95, 0)), "{all:?}");
}

/// Memory in which every write comes too late.
#[derive(Debug, Default)]
struct Contended(AtomicU64);

impl SharedMemory for Contended {
    fn get(&self, _: &str) -> Option<(Vec<u8>, Version)> {
        None
    }

    fn swap(&self, _: &str, _: Version, _: &[u8]) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        false
    }
}

#[test]
fn a_counter_that_can_not_be_changed_refuses_after_a_bounded_time() {
    let limits = limits(&[entry("tokens", Unit::Tokens, 100)]);
    let memory = Contended::default();
    let (caller, asking) = (caller("u", "t", &[]), asking(""));
    let failure =
        limits.take(&memory, call(&caller, &asking), tokens(1, 1), NOW).expect_err("is busy").failure();
    assert_eq!((failure.status, failure.code.as_deref()), (503, Some("limits_unavailable")));
    assert!(memory.0.load(Ordering::Relaxed) <= 100_000);
}

#[test]
fn counters_that_say_nothing_are_forgotten_and_full_slots_refuse() {
    let mut by_user = entry("by-user", Unit::Tokens, 100);
    by_user.by = vec![By::User];
    let limits = limits(&[by_user]);
    let memory = LocalMemory::default();
    let take = |user: &str, now: Duration| {
        let (caller, asking) = (caller(user, "t", &[]), asking(""));
        let taken = limits.take(&memory, call(&caller, &asking), tokens(10, 10), now)?;
        limits.settle(&memory, taken, tokens(10, 10), now);
        Ok::<_, Box<Spent>>(())
    };
    for user in 0..20_000 {
        take(&format!("user-{user}"), NOW).expect("has room");
    }
    assert_eq!(limits.counters(&memory, NOW).len(), 20_000);
    let tomorrow = NOW + Duration::from_secs(86_400);
    assert_eq!(limits.counters(&memory, tomorrow).len(), 0);
    for user in 0..20_000 {
        take(&format!("other-{user}"), tomorrow).expect("has room");
    }
    let size: usize = (0..4096)
        .filter_map(|slot| memory.get(&format!("sluice-limit/user/{slot}")))
        .map(|(value, _)| value.len())
        .sum();
    assert!(size > 20_000 * 30 && size < 20_000 * 70, "yesterday's are gone: {size} bytes");
}

#[test]
fn a_clock_that_was_far_ahead_shuts_nobody_out_though_every_call_is_refused() {
    const HOUR: Duration = Duration::from_secs(3600);
    // NOW is 13:33:20.
    let of = |period, unit: Unit, by: Vec<By>| {
        limits(&[LimitEntry { period: Some(period), by, ..entry("two", unit, 2) }])
    };
    for (period, next) in [
        (Period::Minute, NOW + Duration::from_secs(30)),
        (Period::Hour, NOW + HOUR / 2),
        (Period::Day, NOW + HOUR * 11),
        (Period::Month, NOW + HOUR * 11),
    ] {
        for by in [vec![], vec![By::Provider]] {
            let (limits, memory) = (of(period, Unit::OutputTokens, by), LocalMemory::default());
            let caller = caller("u", "t", &[]);
            let place = Place { provider: "p", region: None };
            let passes = |now: Duration| {
                let asking = Asking::new(ClientDialect::OpenAiChat, "/", &[], |_| true, now);
                let (call, amounts) = (call(&caller, &asking), tokens(0, 1));
                // As a call is admitted: what has no room is left out before anything is taken.
                limits.admit(&memory, call, place, amounts, now)?;
                let mut reservation = limits.take(&memory, call, amounts, now)?;
                limits.take_for(&memory, call, place, amounts, now, &mut reservation)?;
                limits.settle(&memory, reservation, amounts, now);
                Ok::<_, Box<Spent>>(())
            };
            let ahead = NOW + HOUR * 24 * 4000;
            assert_eq!(
                [passes(ahead).is_ok(), passes(ahead).is_ok(), passes(ahead).is_ok()],
                [true, true, false]
            );
            for second in 0..5 {
                assert!(passes(NOW + Duration::from_secs(second)).is_err(), "{period:?}");
            }
            assert!(passes(next).is_ok(), "{period:?} by {:?}", limits.iter().next().map(|limit| &limit.by));
        }
    }
}
