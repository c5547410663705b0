//! Streams that stay streams: flushed as they come, left by the client, ended by trailers; and bodies of megabytes.

use serde_json::json;
use test_harness::host::{HeaderMap, Outcome, UpstreamRequest, Vendor};

use crate::support::{
    answer, answer_body, ask, assert_no_secret, error, events, gateway, hello, stream, words,
};

const PROVIDERS: [&str; 3] = ["openai", "claude", "gemini"];

#[test]
fn a_stream_flows_chunk_by_chunk() {
    let gateway = gateway();
    for provider in PROVIDERS {
        let events = events(provider);
        let whole =
            ask(&gateway, &hello(provider, true)).target(provider, 1, stream(provider)).send().unwrap();
        assert!(whole.headers_after() <= 1, "{provider}: headers after {}", whole.headers_after());
        assert_eq!(whole.header("content-length"), None);
        // The event that brings a text brings it to the client before the next one comes.
        let mut brought = 0;
        for (position, event) in (1..).zip(&events) {
            let flushed = whole.chunks().iter().filter(|chunk| chunk.after == position);
            let text: String =
                flushed.map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()).collect();
            for word in ["Hel", "lo", "world"] {
                let quoted =
                    |text: &str| text.contains(&format!("\"{word}")) || text.contains(&format!(" {word}"));
                if quoted(event) {
                    assert!(quoted(&text), "{provider}: event {position} was held: {event} became {text}");
                    brought += 1;
                }
            }
        }
        assert!(brought > 0, "{provider}");
        assert_eq!(words(&whole), "Hello, world.");
        // The end comes with the vendor's last event and waits for nothing.
        let open = ask(&gateway, &hello(provider, true)).target(provider, 1, stream(provider).then_hangs());
        let mut open = open.open().unwrap();
        open.run().unwrap();
        assert!(provider == "gemini" || open.answer().text().ends_with("data: [DONE]\n\n"), "{provider}");
    }
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn a_client_that_leaves_takes_its_exchange_with_it() {
    let gateway = gateway();
    for provider in PROVIDERS {
        for chunks in 1..events(provider).len() {
            let request = ask(&gateway, &hello(provider, true)).target(provider, 1, stream(provider));
            let answer = request.client_leaves_after(chunks).send().unwrap();
            assert!(answer.was_reset());
            assert_eq!(answer.upstream(1).outcome, Outcome::Abandoned);
            assert_eq!(answer.filter_state("sluice_provider"), Some(provider.as_bytes()), "it was logged");
            assert_eq!(gateway.open_streams(), 0);
        }
    }
    // At every step of an exchange: in the request's body, while the vendor is waited for, in the answer.
    let mut left = 0;
    loop {
        let request = ask(&gateway, &hello("gpt-4o", true)).in_chunks_of(20);
        let request = request.target("openai", 1, Vendor::json(503, "{}").in_chunks_of(1));
        let mut exchange = request.target("claude", 1, stream("claude").in_chunks_of(50)).open().unwrap();
        let over = (0..left).any(|_| !exchange.step().unwrap());
        exchange.client_leaves().unwrap();
        drop(exchange);
        assert_eq!(gateway.open_streams(), 0, "left after {left} steps");
        if over {
            break;
        }
        left += 1;
    }
    assert!(left > 20, "{left}");
    assert_no_secret(&gateway.log());
    let next = ask(&gateway, &hello("claude", false)).target("claude", 1, answer("claude")).send().unwrap();
    assert_eq!(words(&next), "word-of-model");
}

/// What is held for clients that have gone is given back: the VM does not grow with them.
#[test]
fn nothing_is_left_of_a_thousand_clients_that_went_away() {
    let gateway = gateway();
    let long = json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "x".repeat(100_000)}]});
    let leave = || {
        let request = ask(&gateway, &long).target("openai", 1, Vendor::hangs());
        let mut exchange = request.open().unwrap();
        while !exchange.answer().attempts().first().is_some_and(UpstreamRequest::is_complete) {
            assert!(exchange.step().unwrap());
        }
        assert_eq!(gateway.open_streams(), 2);
        exchange.client_leaves().unwrap();
    };
    (0..100).for_each(|_| leave());
    let size = gateway.memory_size();
    (0..1000).for_each(|_| leave());
    assert_eq!((gateway.memory_size(), gateway.open_streams()), (size, 0));
}

fn trailers() -> HeaderMap {
    HeaderMap::of([("x-trailer", "of-client"), ("x-sluice-provider", "forged")])
}

#[test]
fn trailers_end_an_answer_as_well() {
    let gateway = gateway();
    for provider in PROVIDERS {
        for streamed in [false, true] {
            let vendor = || if streamed { stream(provider) } else { answer(provider) };
            let plain =
                ask(&gateway, &hello(provider, streamed)).target(provider, 1, vendor()).send().unwrap();
            for size in [1, 10, 100_000] {
                let vendor = vendor().in_chunks_of(size).trailers(trailers());
                let answer =
                    ask(&gateway, &hello(provider, streamed)).target(provider, 1, vendor).send().unwrap();
                // Only its end tells that a stream of Gemini's is whole, and behind trailers there is no place for a last word.
                let last = if (provider, streamed) == ("gemini", true) { "data: [DONE]\n\n" } else { "" };
                let expected = plain.text().strip_suffix(last).unwrap().to_owned();
                assert_eq!((answer.status(), answer.text()), (200, expected), "{provider} {streamed} {size}");
                assert!(answer.is_complete());
            }
        }
        let failing = Vendor::json(400, r#"{"error":{"message":"no"}}"#).trailers(trailers());
        let answer = ask(&gateway, &hello(provider, true)).target(provider, 1, failing).send().unwrap();
        assert_eq!((answer.status(), answer.json()["error"]["message"].as_str()), (400, Some("no")));
        let empty = Vendor::events([""; 0]).trailers(trailers());
        let answer = ask(&gateway, &hello(provider, true)).target(provider, 1, empty).send().unwrap();
        assert_eq!((answer.status(), error(&answer)["code"].as_str()), (502, Some("stream_truncated")));
    }
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn trailers_end_a_request_as_well() {
    let gateway = gateway();
    for provider in PROVIDERS {
        let plain =
            ask(&gateway, &hello(provider, false)).target(provider, 1, answer(provider)).send().unwrap();
        for size in [1, 10, 100_000] {
            let request = ask(&gateway, &hello(provider, false)).in_chunks_of(size).trailers(trailers());
            let answer = request.target(provider, 1, answer(provider)).send().unwrap();
            assert_eq!(
                (answer.status(), answer.body()),
                (200, plain.body()),
                "{provider} {size}: {}",
                answer.text()
            );
            let sent = answer.upstream(1);
            assert_eq!(sent.body(), plain.upstream(1).body());
            assert!(
                sent.trailers().is_none_or(HeaderMap::is_empty),
                "a client's trailers are not for vendors"
            );
        }
    }
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn bodies_of_three_megabytes_go_both_ways() {
    let gateway = gateway();
    let long = "0123456789abcde\n".repeat(3 << 16);
    let mut request = hello("gpt-4o", false);
    request["messages"][0]["content"] = json!(long);
    for provider in PROVIDERS {
        request["model"] = json!(provider);
        let escaped = json!(long).to_string();
        let body = answer_body(provider).replace("\"word-of-model\"", &escaped);
        assert!(body.len() > 3 << 20);
        let vendor = Vendor::json(200, body).in_chunks_of(16_384);
        let answer = ask(&gateway, &request).in_chunks_of(16_384).target(provider, 1, vendor).send().unwrap();
        assert_eq!(answer.status(), 200);
        assert!(words(&answer) == long, "{provider}: the answer's text changed");
        let sent = answer.upstream(1).json();
        let text = match provider {
            "gemini" => &sent["contents"][0]["parts"][0]["text"],
            "claude" => &sent["messages"][0]["content"][0]["text"],
            _ => &sent["messages"][0]["content"],
        };
        assert!(*text == json!(long), "{provider}: the request's text changed");
    }
    // Once more at another vendor: the body is still there for the second attempt.
    request["model"] = json!("gpt-4o");
    let answer = ask(&gateway, &request).target("openai", 1, Vendor::status(500)).target(
        "claude",
        1,
        answer("claude"),
    );
    let answer = answer.send().unwrap();
    assert_eq!(words(&answer), "word-of-model");
    assert!(answer.upstream(2).body().len() > 3 << 20);
}
