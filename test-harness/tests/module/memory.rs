//! Ten thousand exchanges in one VM: its memory stops growing.

use fastrand::Rng;
use serde_json::json;
use test_harness::host::{Gateway, Vendor};

use crate::support::{answer, ask, events, gateway, hello};

/// One of every sort of exchange, with bodies of up to some kilobytes.
fn exchange(gateway: &Gateway, number: usize, random: &mut Rng, streams: &[Vendor; 3]) {
    let provider = ["openai", "claude", "gemini"][number % 3];
    let stream = streams[number % 3].clone();
    let mut body = hello(provider, number.is_multiple_of(2));
    body["messages"][0]["content"] = json!("x".repeat(random.usize(1..20_000)));
    let request = |body| ask(gateway, body);
    match number % 10 {
        0 | 2 | 4 => request(&body).target(provider, 1, stream.in_chunks_of(random.usize(20..500))),
        6 => request(&body).target(provider, 1, stream.split_at(300)).client_leaves_after(1),
        8 => {
            body["model"] = json!("gpt-4o");
            let request = request(&body).target("openai", 1, Vendor::status(503));
            request.target("claude", 1, Vendor::resets()).target("gemini", 1, Vendor::json(429, "{}"))
        }
        9 => gateway.post("/v1/chat/completions").json("{\"model\":"),
        _ => request(&body).target(provider, 1, answer(provider)),
    }
    .send()
    .unwrap();
}

#[test]
fn ten_thousand_exchanges_need_no_more_memory_than_a_thousand() {
    let gateway = gateway();
    let mut random = Rng::with_seed(1);
    let streams = ["openai", "claude", "gemini"].map(|provider| Vendor::events(events(provider)));
    (0..1000).for_each(|number| exchange(&gateway, number, &mut random, &streams));
    let size = gateway.memory_size();
    (1000..10_000).for_each(|number| exchange(&gateway, number, &mut random, &streams));
    assert_eq!(gateway.memory_size(), size);
    assert!(size < 16 << 20, "{size} bytes");
    assert_eq!((gateway.open_streams(), gateway.process().metric_names().len() < 100), (0, true));
}
