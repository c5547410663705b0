//! Many exchanges at once in one VM, a step of one after a step of another.

use fastrand::Rng;
use test_harness::host::{Answer, Gateway, RequestBuilder, Vendor};

use crate::support::{answer, ask, assert_no_secret, error, gateway, hello, stream, words};

/// A story that ends in its own way.
fn begin(gateway: &Gateway, story: usize, size: usize) -> RequestBuilder {
    let provider = ["openai", "claude", "gemini"][story % 3];
    let ask = |model: &str, streamed: bool| {
        let mut body = hello(model, streamed);
        body["messages"][0]["content"] = format!("Story {story} of many").into();
        ask(gateway, &body).in_chunks_of(size)
    };
    match story % 6 {
        0..3 => ask(provider, true).target(provider, 1, stream(provider).in_chunks_of(size)),
        3 => ask(provider, false).target(provider, 1, answer(provider).in_chunks_of(size)),
        4 => ask("gpt-4o", true)
            .target("openai", 1, Vendor::json(503, "{}"))
            .target("claude", 1, Vendor::resets())
            .target("gemini", 1, stream("gemini").in_chunks_of(size)),
        _ => ask("gpt-4o", false)
            .target("openai", 1, Vendor::json(429, "{}").header("retry-after", "3"))
            .target("claude", 1, Vendor::json(529, "{}").in_chunks_of(1))
            .target("gemini", 1, Vendor::json(500, "{}")),
    }
}

/// What the client and the vendors got.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    sent: Vec<Vec<u8>>,
}

fn seen(answer: &Answer) -> Seen {
    Seen {
        status: answer.status(),
        headers: answer.headers().unwrap().to_text(),
        body: answer.body(),
        sent: answer.attempts().iter().map(|request| request.body().to_vec()).collect(),
    }
}

#[test]
fn sixty_exchanges_step_by_step_get_what_each_gets_alone() {
    let gateway = gateway();
    for seed in 0..10 {
        let mut random = Rng::with_seed(seed);
        let size = random.usize(5..80);
        let mut open: Vec<_> =
            (0..60).map(|story| (story, begin(&gateway, story, size).open().unwrap())).collect();
        let mut most = 0;
        let mut left = 0;
        while !open.is_empty() {
            let chosen = random.usize(..open.len());
            let (story, exchange) = &mut open[chosen];
            // Some clients do not wait.
            if *story % 10 == 9 && random.u8(..30) == 0 {
                exchange.client_leaves().unwrap();
                left += 1;
                open.swap_remove(chosen);
                continue;
            }
            if exchange.step().unwrap() {
                most = most.max(gateway.open_streams());
                continue;
            }
            let answer = exchange.answer();
            let alone = begin(&gateway, *story, size).send().unwrap();
            assert_eq!(seen(&answer), seen(&alone), "story {story} of seed {seed}");
            match *story % 6 {
                5 => assert_eq!(
                    (answer.status(), error(&answer)["type"].as_str()),
                    (500, Some("server_error"))
                ),
                _ => assert!(!words(&answer).is_empty()),
            }
            open.swap_remove(chosen);
        }
        assert!(most > 60, "only {most} streams were open at once");
        assert!(left > 0 || seed > 0, "nobody left");
        assert_eq!(gateway.open_streams(), 0);
    }
    assert_no_secret(&gateway.log());
}

#[test]
fn workers_of_one_process_count_together() {
    let first = gateway();
    let second = first.another_worker().unwrap();
    for gateway in [&first, &second, &second] {
        ask(gateway, &hello("claude", false)).target("claude", 1, answer("claude")).send().unwrap();
    }
    let name = "sluice_requests_total;provider=claude;model=claude;team=;code=200";
    assert_eq!(first.metric(name), Some(3));
}
