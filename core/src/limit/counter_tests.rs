//! What holds for a counter whatever comes: nothing passes above its limit, nothing is free twice, nothing gets stuck.

use proptest::prelude::*;

use super::*;

const MINUTE: Meter = Meter::Rate { limit: 7, burst: 7, period: Duration::from_secs(60) };

fn budget(period: Period) -> Meter {
    Meter::Budget { limit: 100, period, zone: Zone::utc() }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 2027-03-31T23:59:50Z.
const EVENING: u64 = 1_806_537_590;

fn at(meter: &Meter, counter: &mut Counter, now: Duration) -> u64 {
    counter.advance(meter, now);
    counter.used(meter)
}

#[test]
fn a_bucket_drains_without_rounding() {
    let mut counter = Counter::default();
    counter.advance(&MINUTE, seconds(EVENING));
    counter.charge(&MINUTE, 7);
    assert!(!counter.has_room(&MINUTE, 1));
    assert_eq!(counter.wait(&MINUTE, 1, seconds(EVENING)), Some(Duration::from_nanos(8_571_428_572)));
    let mut stepwise = counter.clone();
    for step in 1..=60_000 {
        stepwise.advance(&MINUTE, seconds(EVENING) + Duration::from_millis(step));
    }
    assert_eq!((at(&MINUTE, &mut counter, seconds(EVENING + 60)), stepwise.used(&MINUTE)), (0, 0));
    let mut counter = Counter::default();
    counter.advance(&MINUTE, seconds(EVENING));
    counter.charge(&MINUTE, 7);
    let freed = seconds(EVENING) + Duration::from_nanos(8_571_428_572);
    counter.advance(&MINUTE, freed - Duration::from_nanos(1));
    assert!(!counter.has_room(&MINUTE, 1), "a nanosecond early");
    counter.advance(&MINUTE, freed);
    assert!(counter.has_room(&MINUTE, 1));
}

#[test]
fn a_window_ends_and_what_is_held_stays_held() {
    let meter = budget(Period::Day);
    let mut counter = Counter::default();
    counter.advance(&meter, seconds(EVENING));
    counter.charge(&meter, 60);
    counter.hold(40, span(seconds(EVENING)));
    assert!(!counter.has_room(&meter, 1));
    assert_eq!(counter.wait(&meter, 1, seconds(EVENING)), Some(seconds(10)));
    assert_eq!(at(&meter, &mut counter, seconds(EVENING + 10)), 0);
    assert!(counter.has_room(&meter, 60) && !counter.has_room(&meter, 61), "a call of yesterday holds 40");
    counter.release(40, span(seconds(EVENING)));
    counter.charge(&meter, 15);
    assert_eq!(counter.standing(&meter, seconds(EVENING + 10)).remaining, 85);
}

#[test]
fn a_clock_that_goes_back_frees_nothing_and_leaves_nothing_stuck() {
    for period in [Period::Hour, Period::Day, Period::Month] {
        let meter = budget(period);
        let mut counter = Counter::default();
        counter.advance(&meter, seconds(EVENING + 20));
        counter.charge(&meter, 70);
        assert_eq!(at(&meter, &mut counter, seconds(EVENING)), 70, "{period:?}: back into the old window");
        assert_eq!(
            at(&meter, &mut counter, seconds(EVENING + 30)),
            70,
            "{period:?}: and in the new one again"
        );
        // Three years ahead by mistake, and back.
        let ahead = EVENING + 3 * 366 * 86_400;
        counter.advance(&meter, seconds(ahead));
        counter.charge(&meter, 90);
        assert_eq!(at(&meter, &mut counter, seconds(EVENING + 40)), 90, "{period:?}");
        let next = EVENING + 40 + 32 * 86_400;
        assert_eq!(at(&meter, &mut counter, seconds(next)), 0, "{period:?}: the window has ended");
    }
    let mut counter = Counter::default();
    counter.advance(&MINUTE, seconds(EVENING + 3600));
    counter.charge(&MINUTE, 7);
    assert_eq!(at(&MINUTE, &mut counter, seconds(EVENING)), 7);
    assert_eq!(
        at(&MINUTE, &mut counter, seconds(EVENING + 60)),
        0,
        "not stuck until the clock is there again"
    );
    let mut counter = Counter::default();
    counter.advance(&MINUTE, seconds(EVENING + 30));
    counter.charge(&MINUTE, 7);
    let wait = counter.wait(&MINUTE, 1, seconds(EVENING + 30)).expect("ends");
    assert_eq!(at(&MINUTE, &mut counter, seconds(EVENING + 10)), 7);
    let longer = counter.wait(&MINUTE, 1, seconds(EVENING + 10));
    assert_eq!(longer, Some(wait + seconds(20)), "nothing drains until the clock is there again");
}

#[test]
fn what_a_lost_worker_held_is_free_after_an_hour() {
    let meter = Meter::Concurrency { limit: 2 };
    let mut counter = Counter::default();
    counter.hold(2, span(seconds(EVENING)));
    counter.advance(&meter, seconds(EVENING + 60 * 60));
    assert!(!counter.has_room(&meter, 1));
    counter.advance(&meter, seconds(EVENING + 80 * 60));
    assert!(counter.has_room(&meter, 2));
    // Its late end takes nothing from others.
    counter.hold(2, span(seconds(EVENING + 80 * 60)));
    counter.release(2, span(seconds(EVENING)));
    assert!(!counter.has_room(&meter, 1));
}

#[test]
fn a_lifetime_never_ends() {
    let meter = budget(Period::Lifetime);
    let mut counter = Counter::default();
    counter.advance(&meter, seconds(EVENING));
    counter.charge(&meter, 100);
    assert_eq!(at(&meter, &mut counter, seconds(EVENING * 2)), 100);
    assert_eq!(counter.wait(&meter, 1, seconds(EVENING)), None);
}

fn meter() -> impl Strategy<Value = Meter> {
    let period =
        prop_oneof![Just(Period::Hour), Just(Period::Day), Just(Period::Month), Just(Period::Lifetime)];
    let berlin = Zone::parse("Europe/Berlin").expect("is a zone");
    prop_oneof![
        (1_u64..1000, 1_u64..1000).prop_map(|(limit, burst)| Meter::Rate {
            limit,
            burst,
            period: Duration::from_secs(60)
        }),
        (1_u64..1000, period).prop_map(move |(limit, period)| Meter::Budget {
            limit,
            period,
            zone: berlin.clone()
        }),
        (1_u64..1000).prop_map(|limit| Meter::Concurrency { limit }),
    ]
}

proptest! {
    #[test]
    fn bytes_keep_everything(since: u64, until: u64, high: u64, low: u64, untold: u64, held in proptest::collection::vec((any::<u32>(), 1_u64..), 0..9)) {
        let held = held.into_iter().map(|(span, amount)| Lease { span, amount }).collect();
        let counter = Counter { since, until, used: u128::from(high) << 64 | u128::from(low), held, untold };
        let mut bytes = Vec::new();
        counter.encode(&mut bytes);
        prop_assert_eq!(Counter::decode(&bytes), Some(counter));
    }

    #[test]
    fn no_bytes_are_too_strange(bytes: Vec<u8>) {
        let _ = Counter::decode(&bytes);
    }

    /// Whatever calls come and whenever they end: what is admitted never exceeds the limit, and with every call ended nothing
    /// is held.
    #[test]
    fn what_is_admitted_fits(meter in meter(), calls in proptest::collection::vec((0_u64..400, 0_u64..300, 0_u64..300, any::<bool>()), 1..60)) {
        let mut counter = Counter::default();
        let mut now = seconds(EVENING - 7000);
        let mut open: Vec<(u64, u64, u32)> = Vec::new();
        for (pause, reserve, actual, ends) in calls {
            now += seconds(pause);
            counter.advance(&meter, now);
            if ends && !open.is_empty() {
                let (reserved, actual, span) = open.remove(0);
                counter.release(reserved, span);
                if !matches!(meter, Meter::Concurrency { .. }) {
                    counter.charge(&meter, actual.min(reserved));
                }
            }
            if counter.has_room(&meter, reserve) {
                counter.hold(reserve, span(now));
                open.push((reserve, actual, span(now)));
                prop_assert!(counter.used(&meter) + counter.held() <= meter.capacity());
            } else {
                let wait = counter.wait(&meter, reserve, now);
                let is_endless = matches!(&meter, Meter::Budget { period: Period::Lifetime, .. });
                let never = reserve > meter.capacity() || is_endless;
                prop_assert!(wait.is_some_and(|wait| wait > Duration::ZERO) || never || counter.held() > 0, "no wait is told");
            }
        }
        for (reserved, _, span) in open {
            counter.release(reserved, span);
        }
        prop_assert_eq!(counter.held(), 0);
    }
}
