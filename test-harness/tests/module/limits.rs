//! Limits in the module: two workers that count as one, clients that leave, streams that are cut, and what is told of it.

use serde_json::{Value, json};
use test_harness::host::{Answer, Gateway, UpstreamRequest, Vendor};

use crate::support::{answer, ask, assert_no_secret, builder, error, events, everyone, hello, stream, words};

fn limited(limits: Value) -> Gateway {
    let mut policy = everyone();
    policy["limits"] = limits;
    policy["prices"] = json!({
        "gpt-4o-2024-11-20": {"input": 0.15, "output": 0.6},
        "claude-sonnet-4-5": {"input": 3, "output": 15},
        "gemini-2.5-flash": {"input": 0.3, "output": 2.5},
    });
    builder(policy.to_string()).start().unwrap()
}

fn send(gateway: &Gateway, model: &str) -> Answer {
    ask(gateway, &hello(model, false)).target(model, 1, answer(model)).send().unwrap()
}

fn requests(name: &str, limit: u64) -> Value {
    json!({"name": name, "unit": "requests", "per": "day", "limit": limit})
}

#[test]
fn workers_share_a_limit() {
    let first = limited(json!([requests("five", 5)]));
    let second = first.another_worker().unwrap();
    let left: Vec<_> = [&first, &second, &first, &second, &first]
        .map(|gateway| send(gateway, "openai").header("x-ratelimit-remaining-requests").unwrap().to_owned())
        .into();
    assert_eq!(left, ["4", "3", "2", "1", "0"]);
    for gateway in [&first, &second] {
        let refused = ask(gateway, &hello("openai", true)).send().unwrap();
        assert_eq!(refused.status(), 429);
        let error = error(&refused);
        assert_eq!(error["code"], "rate_limit_exceeded");
        assert!(
            error["message"].as_str().unwrap().starts_with("The limit 'five' (5 requests per day) is spent.")
        );
        // The day of the host's clock ends in 6400 seconds.
        assert_eq!(refused.header("retry-after"), Some("6400"));
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        assert!(refused.attempts().is_empty());
    }
    assert_eq!(first.metric("sluice_limit_refusals_total;limit=five"), Some(2));
    // The next day.
    first.advance(std::time::Duration::from_secs(6400)).unwrap();
    assert_eq!(send(&second, "openai").header("x-ratelimit-remaining-requests"), Some("4"));
}

#[test]
fn a_client_that_leaves_at_any_step_gives_its_place_back() {
    let gateway =
        limited(json!([{"name": "one", "unit": "concurrent", "limit": 1}, requests("many", 100_000)]));
    for model in ["openai", "claude", "gemini", "gpt-4o"] {
        for streamed in [false, true] {
            for steps in 0..40 {
                let request = ask(&gateway, &hello(model, streamed)).in_chunks_of(40);
                let request = match (model, streamed) {
                    ("gpt-4o", _) => request
                        .target("openai", 1, Vendor::json(503, "{}"))
                        .target("claude", 1, Vendor::resets())
                        .target("gemini", 1, if streamed { stream("gemini") } else { answer("gemini") }),
                    (_, true) => request.target(model, 1, stream(model).in_chunks_of(50)),
                    (_, false) => request.target(model, 1, answer(model).in_chunks_of(50)),
                };
                let mut exchange = request.open().unwrap();
                let went_on = (0..steps).all(|_| exchange.step().unwrap());
                if went_on {
                    exchange.client_leaves().unwrap();
                }
                drop(exchange);
                // There is room for one again, and for no other beside it.
                let one = ask(&gateway, &hello("claude", true)).target("claude", 1, Vendor::hangs());
                let mut one = one.open().unwrap();
                // Up to where only a timeout would go on.
                while !one.answer().attempts().first().is_some_and(UpstreamRequest::is_complete) {
                    assert!(one.step().unwrap());
                }
                let refused = send(&gateway, "claude");
                assert_eq!(refused.status(), 429, "{model}, streamed: {streamed}, left after {steps} steps");
                one.client_leaves().unwrap();
                if !went_on {
                    break;
                }
            }
        }
    }
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn whoever_leaves_is_charged_once_for_what_came() {
    let gateway = limited(json!([{"name": "much", "unit": "tokens", "per": "day", "limit": 1_000_000}]));
    let mut probe = hello("openai", false);
    probe["max_completion_tokens"] = 1.into();
    let remaining = || {
        let answer = ask(&gateway, &probe).target("openai", 1, answer("openai")).send().unwrap();
        answer.header("x-ratelimit-remaining-tokens").unwrap().parse::<u64>().unwrap()
    };
    let (at_first, mut used) = (remaining(), 7);
    let all = events("openai");
    for left in 1..all.len() {
        let before = tokens(&gateway);
        let mut exchange = ask(&gateway, &hello("openai", true))
            .target("openai", 1, Vendor::events(all[..left].to_vec()).then_hangs())
            .open()
            .unwrap();
        exchange.run().unwrap();
        exchange.client_leaves().unwrap();
        let answer = exchange.answer();
        let of_log = |name: &str| number(answer.filter_state(name));
        let charged = of_log("sluice_input_tokens") + of_log("sluice_output_tokens");
        assert_eq!(tokens(&gateway) - before, charged, "after {left} events");
        assert!((1..200).contains(&charged), "{charged} after {left} events");
        used += charged;
    }
    assert_eq!(remaining(), at_first - used, "the counter has it too, and nothing is held any more");
}

fn number(value: Option<&[u8]>) -> u64 {
    value.map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap())
}

/// What the metrics count of `openai`'s tokens.
fn tokens(gateway: &Gateway) -> u64 {
    let metric = |kind: &str| {
        gateway.metric(&format!("sluice_tokens_total;provider=openai;model=openai;team=;type={kind}"))
    };
    metric("input").unwrap_or(0) + metric("output").unwrap_or(0)
}

#[test]
fn a_stream_that_outgrows_its_limit_is_cut_and_the_provider_is_let_go() {
    let gateway = limited(json!([
        {"name": "words", "unit": "output_tokens", "per": "day", "limit": 600, "enforce": "mid_stream"},
        {"name": "one", "unit": "concurrent", "limit": 1},
    ]));
    let all = events("openai");
    let delta = |text: &str| {
        json!({
            "id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}],
        })
    };
    let much = format!("data: {}\n\n", delta(&"word ".repeat(40)));
    for model in ["openai", "gemini"] {
        let mut body = hello(model, true);
        body["max_completion_tokens"] = 20.into();
        let vendor = match model {
            "openai" => {
                let stream = std::iter::once(all[0].clone()).chain(std::iter::repeat_n(much.clone(), 60));
                Vendor::events(stream).then_hangs()
            }
            _ => {
                let text = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "word ".repeat(40)}]}, "index": 0}]});
                Vendor::events(std::iter::repeat_n(format!("data: {text}\n\n"), 60)).then_hangs()
            }
        };
        let answer = ask(&gateway, &body)
            .header("x-sluice-stream-cost", "true")
            .target(model, 1, vendor)
            .send()
            .unwrap();
        assert!(answer.was_reset(), "nothing else would end it: the vendor hangs");
        let text = answer.text();
        let (said, end) = text.split_once("data: {\"error\"").unwrap();
        assert!(end.contains("The limit 'words' (600 output tokens per day) is spent."), "{end}");
        assert!(end.contains("rate_limit_exceeded") && !end.contains("chat.completion.chunk"), "{end}");
        let comment = end.split_once("\n\n").unwrap().1;
        assert!(comment.starts_with(": x-sluice-cost-usd=0.00") && comment.ends_with("\n\n"), "{comment}");
        assert!(said.matches("word word").count() > 2);
        // The day has some room left, and the other limit has nothing of it.
        gateway.advance(std::time::Duration::from_secs(86_400)).unwrap();
    }
    let mut capped = hello("claude", false);
    capped["max_completion_tokens"] = 600.into();
    let next = ask(&gateway, &capped).target("claude", 1, answer("claude")).send().unwrap();
    assert_eq!(next.status(), 200, "{}", next.text());
    assert_eq!(gateway.open_streams(), 0);
    assert_no_secret(&gateway.log());
}

#[test]
fn costs_are_the_same_in_header_log_and_metric() {
    let gateway = limited(json!([]));
    for (model, nanos, usd) in [
        ("openai", 5 * 150 + 2 * 600, "0.00000195"),
        ("claude", 5 * 3000 + 2 * 15000, "0.000045"),
        ("gemini", 5 * 300 + 2 * 2500, "0.0000065"),
    ] {
        let answer = send(&gateway, model);
        assert_eq!(answer.header("x-sluice-cost-usd"), Some(usd));
        assert_eq!(number(answer.filter_state("sluice_cost_nanousd")), nanos);
        let name = format!("sluice_cost_nanousd_total;provider={model};model={model};team=");
        assert_eq!(gateway.metric(&name), Some(nanos));
    }
}

#[test]
fn a_spent_limit_reroutes_warns_and_alerts() {
    let limits = json!([
        {"name": "dear", "unit": "requests", "per": "day", "limit": 1, "models": ["claude"], "action": {"reroute": "gemini"}},
        {"name": "soft", "unit": "requests", "per": "day", "limit": 1, "models": ["openai"], "action": "warn", "alert_at": [0.5, 1]},
    ]);
    let gateway = limited(limits);
    assert_eq!(send(&gateway, "claude").header("x-sluice-rerouted"), None);
    let rerouted =
        ask(&gateway, &hello("claude", false)).target("gemini", 1, answer("gemini")).send().unwrap();
    assert_eq!((rerouted.status(), rerouted.header("x-sluice-rerouted")), (200, Some("dear;gemini")));
    assert_eq!(words(&rerouted), "word-of-model");
    assert_eq!(rerouted.filter_state("sluice_rerouted"), Some(b"dear".as_slice()));
    assert_eq!(send(&gateway, "openai").header("x-sluice-limit-warning"), None);
    assert_eq!(send(&gateway, "openai").header("x-sluice-limit-warning"), Some("soft"));
    for (metric, count) in [
        ("sluice_limit_reroutes_total;limit=dear", 1),
        ("sluice_limit_warnings_total;limit=soft", 1),
        ("sluice_limit_alerts_total;limit=soft;share=0.5", 1),
        ("sluice_limit_alerts_total;limit=soft;share=1", 1),
    ] {
        assert_eq!(gateway.metric(metric), Some(count), "{metric}");
    }
}
