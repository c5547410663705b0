//! Whatever happens in whatever order: nothing that was settled is lost, and no more passes than the bound.

use proptest::prelude::*;

use super::*;

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![3 => Just(Way::Good), 1 => Just(Way::Lost), 1 => Just(Way::Unanswered)]
}

proptest! {
    /// Whatever gets lost in whatever order, and whoever starts again with nothing: what was settled is counted by everybody
    /// in the end, and exactly so where no answer was lost.
    #[test]
    fn nothing_that_was_settled_is_lost(
        limit in prop_oneof![Just(TEAM_DAY), Just("{name: day, unit: tokens, per: hour, limit: 1000000}")],
        steps in proptest::collection::vec((0_usize..3, 0_u64..50, way(), 0_u8..12), 1..60),
    ) {
        let document = document(limit, "");
        let mut fleet: Vec<_> = (0..3).map(|_| Gateway::new(&document)).collect();
        let mut service = Service::default();
        let (mut settled, mut exact) = (0, true);
        let mut now = NOW;
        for (index, tokens, way, what) in steps {
            now += SECOND;
            prop_assert!(fleet[index].call("blue", tokens, now));
            settled += tokens;
            exact &= way != Way::Unanswered;
            fleet[index].sync(&mut service, way, now);
            if what == 0 && way == Way::Good {
                fleet[index] = Gateway::new(&document);
            }
        }
        for _ in 0..2 {
            now += SECOND * 10;
            for gateway in &mut fleet {
                prop_assert_eq!(gateway.sync(&mut service, Way::Good, now).trouble, None);
            }
        }
        let used: Vec<u64> = fleet.iter().map(|gateway| gateway.used("blue", now)).collect();
        prop_assert!(service.total("day") >= settled);
        prop_assert!(used.iter().all(|used| *used == service.total("day")), "{:?}", used);
        prop_assert!(!exact || service.total("day") == settled);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// All gateways together pass no more than the limit and what each of them can pass within an interval.
    #[test]
    fn the_overshoot_is_bounded(
        size in 1_usize..6,
        interval in 1_u64..5,
        rate in 1_u64..40,
        offsets in proptest::collection::vec(0_u64..5, 6),
        busy in proptest::collection::vec(any::<bool>(), 200),
    ) {
        let limit = 1000;
        let text = format!("{{name: day, unit: tokens, per: day, limit: {limit}}}");
        let mut fleet = fleet(size, &text, &format!(", interval: {interval}s"));
        let mut service = Service::default();
        let mut passed = 0;
        for (second, busy) in (0_u64..200).zip(busy) {
            let now = NOW + SECOND * u32::try_from(second).expect("is small");
            for (index, gateway) in fleet.iter_mut().enumerate() {
                if (second + offsets[index]) % interval == 0 {
                    gateway.sync(&mut service, Way::Good, now);
                }
                for _ in 0..rate {
                    passed += u64::from((busy || index == 0) && gateway.call("blue", 1, now));
                }
            }
        }
        let bound = limit + u64::try_from(size).expect("is small") * interval * rate;
        prop_assert!(passed <= bound, "{} of {}", passed, bound);
        prop_assert!(passed >= limit.min(200 * rate), "{}", passed);
    }

    /// A rate holds in the long run, however many gateways each use all that they can: what one has passed too much is a debt.
    #[test]
    fn a_rate_is_the_fleets_in_the_long_run(size in 1_usize..6, per in prop_oneof![Just(("minute", 60_u64)), Just(("second", 1))]) {
        let (per, length) = per;
        let limit = if length == 60 { 600 } else { 10 };
        let mut fleet = fleet(size, &format!("{{name: rate, unit: tokens, per: {per}, limit: {limit}}}"), "");
        let mut service = Service::default();
        let mut passed = 0;
        let seconds = 150;
        for second in 0..seconds {
            let now = NOW + SECOND * u32::try_from(second).expect("is small");
            for gateway in &mut fleet {
                gateway.sync(&mut service, Way::Good, now);
                for _ in 0..20 {
                    passed += u64::from(gateway.call("blue", 1, now));
                }
            }
        }
        // A full bucket, what drains meanwhile, and an interval of each gateway's.
        let bound = limit + limit * seconds / length + u64::try_from(size).expect("is small") * 20;
        prop_assert!(passed <= bound, "{} of {}", passed, bound);
        prop_assert!(passed >= bound * 9 / 10 - 120, "{} of {}", passed, bound);
    }
}
