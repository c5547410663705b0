//! What limits cost a request on the native core: `make limits-cost` prints it, and what they cost in Envoy.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a program that measures and prints"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use sluice_core::exchange::{self, Head};
use sluice_core::identity::Origin;
use sluice_core::policy::{self, Faults, Plan};
use sluice_core::shared::LocalMemory;

const NOW: Duration = Duration::from_secs(1_806_500_000);
const BODY: &[u8] = br#"{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"Say something in a sentence or two."}]}"#;

/// For which calls limits hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    None,
    /// For none either, by what stands in a header.
    NoHeader,
    /// For none, by a pattern.
    NoPattern,
    /// For none, by who serves.
    NoTarget,
    /// For none, by the hour: there are as many schedules as hours.
    NoHour,
    All,
}

const KINDS: [(&str, Holds); 6] = [
    ("none", Holds::None),
    ("header", Holds::NoHeader),
    ("pattern", Holds::NoPattern),
    ("target", Holds::NoTarget),
    ("hour", Holds::NoHour),
    ("all", Holds::All),
];

/// A policy with so many limits.
fn plan(count: usize, holds: Holds) -> Result<Arc<Plan>, Faults> {
    let limit = |number: usize| {
        let unit = if number.is_multiple_of(2) { "tokens" } else { "requests" };
        let name = format!("limit-{number}");
        let when = match holds {
            Holds::None => json!({"teams": [format!("team-{number}")]}),
            Holds::NoHeader => json!({"headers": {"x-tenant": format!("tenant-{number}")}}),
            Holds::NoPattern => json!({"headers": {"x-tenant": format!("tenant-{number}-*")}}),
            Holds::NoTarget => json!({"providers": [format!("provider-{number}")]}),
            // Now it is 13:33.
            Holds::NoHour => {
                let hour = number % 13;
                json!({"time": {"from": format!("{hour:02}:00"), "to": format!("{:02}:00", hour + 1)}})
            }
            Holds::All => json!({}),
        };
        json!({"name": name, "unit": unit, "per": "day", "limit": 1_u64 << 50, "when": when})
    };
    let provider = json!({"dialect": "openai", "endpoint": "http://p.test/v1", "credential": "none"});
    let others = if holds == Holds::NoTarget { count } else { 0 };
    let names = (0..others).map(|number| format!("provider-{number}"));
    let providers: Map<String, Value> =
        names.chain(["p".to_owned()]).map(|name| (name, provider.clone())).collect();
    let document = json!({
        "version": 1,
        "providers": providers,
        "models": {"m": {"targets": [{"provider": "p", "model": "m"}]}},
        "callers": {"anonymous": "allow"},
        "limits": (0..count).map(limit).collect::<Vec<Value>>(),
    });
    policy::load(document.to_string().as_bytes(), &|_| None).map(Arc::new)
}

/// The time of one request from its headers to its end, without its answer: the best of many rounds.
fn measure(plan: &Arc<Plan>, each: u32) -> Duration {
    let memory = LocalMemory::default();
    let headers = [
        (":method", "POST"),
        (":path", "/v1/chat/completions"),
        ("content-type", "application/json"),
        ("x-tenant", "tenant"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = || {
        let opening = exchange::open(plan, Head { headers: &headers, origin: Origin::default() }, NOW);
        let exchange = opening.and_then(|opening| opening.read(Some(BODY.to_vec()), &memory));
        match exchange {
            Ok(mut exchange) => exchange.close(&memory, NOW, false),
            Err(reply) => println!("refused with {}", reply.status),
        }
    };
    let round = || {
        let begun = Instant::now();
        (0..each).for_each(|_| request());
        begun.elapsed() / each
    };
    (0..30).map(|_| round()).min().unwrap_or_default()
}

fn main() -> Result<(), Faults> {
    let none = measure(&plan(0, Holds::All)?, 2000);
    println!("limits  matching  a request in microseconds  of it for limits");
    println!("{:>6}  {:>8}  {:>25.2}  {:>16}", 0, "", micros(none), "");
    for count in [1, 10, 100, 1000] {
        for (word, holds) in KINDS {
            let each = if holds == Holds::All && count > 10 { 20 } else { 2000 };
            let took = measure(&plan(count, holds)?, each);
            let added = took.saturating_sub(none);
            println!("{count:>6}  {word:>8}  {:>25.2}  {:>16.2}", micros(took), micros(added));
        }
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
