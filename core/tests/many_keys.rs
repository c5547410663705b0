//! What a hundred thousand keys cost: no more for a request than ten, and nothing by which known keys could be told from unknown ones.
// A test stops where it can't go on.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a test that measures")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sluice_core::exchange::{self, Head};
use sluice_core::identity::Origin;
use sluice_core::policy::{self, Plan};

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn plan(keys: usize) -> Arc<Plan> {
    let entry = |number: usize| {
        let digest: String =
            Sha256::digest(format!("key-{number}")).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut entry = json!({"id": format!("id-{number}"), "sha256": digest, "user": format!("user-{number}"), "team": format!("team-{}", number % 100)});
        match number {
            1 => entry["expires"] = json!("2020-01-01T00:00:00Z"),
            2 => entry["disabled"] = json!(true),
            _ => {}
        }
        entry
    };
    let document = json!({
        "version": 1,
        "providers": {"p": {"dialect": "openai", "endpoint": "http://p.test/v1", "credential": "none"}},
        "models": {"m": {"targets": [{"provider": "p", "model": "m"}]}},
        "callers": {"keys": (0..keys).map(entry).collect::<Vec<Value>>()},
    });
    Arc::new(
        policy::load(document.to_string().as_bytes(), &|_| None).unwrap_or_else(|faults| panic!("{faults}")),
    )
}

/// The time of one opening with this key, as undisturbed as it gets: the best of many rounds.
fn measure(plan: &Arc<Plan>, key: &dyn Fn(usize) -> String) -> Duration {
    const EACH: usize = 500;
    let heads: Vec<_> = (0..EACH)
        .map(|number| {
            [
                (":method", "POST".to_owned()),
                (":path", "/v1/chat/completions".to_owned()),
                ("authorization", format!("Bearer {}", key(number))),
            ]
            .map(|(name, value)| (name.to_owned(), value))
        })
        .collect();
    let round = || {
        let begun = Instant::now();
        for headers in &heads {
            let _ = black_box(exchange::open(plan, Head { headers, origin: Origin::default() }, NOW).is_ok());
        }
        begun.elapsed() / u32::try_from(EACH).unwrap()
    };
    (0..40).map(|_| round()).min().unwrap()
}

#[test]
fn a_request_costs_the_same_with_ten_keys_and_with_a_hundred_thousand() {
    let (few, many) = (plan(10), plan(100_000));
    // As many different keys as there are with the few: what differs is the size of the table, and not how warm it is.
    let one = measure(&few, &|number| format!("key-{}", 3 + number % 7));
    let other = measure(&many, &|number| format!("key-{}", 3 + number % 7));
    let spread = measure(&many, &|number| format!("key-{}", 3 + number * 199));
    println!(
        "one request: {one:?} with 10 keys, {other:?} with 100,000, {spread:?} with another of them each time"
    );
    assert!(other < one * 2 + Duration::from_micros(1), "{one:?} became {other:?}");
    assert!(spread < one * 3 + Duration::from_micros(2), "{one:?} became {spread:?}");
}

#[test]
fn a_refusal_takes_the_same_time_whether_the_key_is_known_or_not() {
    let plan = plan(1000);
    let unknown = measure(&plan, &|_| "key-x".to_owned());
    let expired = measure(&plan, &|_| "key-1".to_owned());
    let disabled = measure(&plan, &|_| "key-2".to_owned());
    println!("a refusal: {unknown:?} unknown, {expired:?} expired, {disabled:?} disabled");
    for known in [expired, disabled] {
        let apart = known.abs_diff(unknown);
        assert!(apart < Duration::from_micros(1) + unknown / 4, "{unknown:?} unknown, {known:?} known");
    }
}
