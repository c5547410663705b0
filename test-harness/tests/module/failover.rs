//! One vendor after the other: what each is sent, what is left of the ones before, what the client is told.

use serde_json::json;
use test_harness::host::{Answer, Gateway, Outcome, Vendor};

use crate::support::{
    CHAT, SECRETS, answer, ask, assert_no_secret, builder, error, events, everyone, gateway, hello, stream,
    words,
};

/// Every header and the body of an attempt, as text.
fn everything_sent(answer: &Answer, attempt: usize) -> String {
    let request = answer.upstream(attempt);
    format!("{:?}\n{}", request.headers().unwrap().to_text(), String::from_utf8_lossy(request.body()))
}

#[test]
fn three_vendors_in_turn_and_none_sees_anothers_credential_nor_the_clients() {
    let gateway = gateway();
    for streamed in [false, true] {
        let last = if streamed { stream("gemini") } else { answer("gemini") };
        let answer = ask(&gateway, &hello("gpt-4o", streamed))
            .header("authorization", "Bearer key-of-caller")
            .header("openai-organization", "org-of-client")
            .header("openai-beta", "of-client")
            .header("cookie", "session=of-client")
            .header("x-sluice-route", "sluice-targets/claude")
            .header("x-sluice-provider", "forged")
            .header("x-envoy-max-retries", "0")
            .header("x-envoy-retriable-status-codes", "200")
            .target("openai", 1, Vendor::json(503, r#"{"error":{"message":"down"}}"#))
            .target("claude", 1, Vendor::json(529, "overloaded"))
            .target("gemini", 1, last)
            .send()
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!words(&answer).is_empty());
        assert_eq!(answer.header("x-sluice-provider"), Some("gemini"));
        assert_eq!(answer.header("x-sluice-failed"), Some("openai;503, claude;529"));

        let method = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
        let gemini = format!("/base/v1beta/models/gemini-2.5-flash:{method}");
        let expected = [
            ("openai", "/base/chat/completions", "authorization", "Bearer key-of-openai"),
            ("claude", "/base/v1/messages", "x-api-key", "key-of-claude"),
            ("gemini", gemini.as_str(), "x-goog-api-key", "key-of-gemini"),
        ];
        for (attempt, (provider, path, header, credential)) in (1..).zip(expected) {
            let sent = answer.upstream(attempt);
            assert_eq!((sent.provider.as_str(), sent.path()), (provider, Some(path)));
            assert_eq!(sent.header(":authority"), Some(format!("{provider}.test").as_str()));
            assert_eq!(sent.headers().unwrap().get_all(header), [credential.as_bytes()]);
            let all = everything_sent(&answer, attempt);
            let own = format!("key-of-{provider}");
            for secret in SECRETS.iter().filter(|secret| secret.starts_with("key-") && **secret != own) {
                assert!(!all.contains(secret), "{provider} was sent {secret}: {all}");
            }
            for absent in ["x-sluice-", "session=of-client", "org-of-client"] {
                assert!(!all.contains(absent), "{provider} was sent {absent}: {all}");
            }
            assert_eq!(sent.header("openai-beta"), (provider == "openai").then_some("of-client"));
            assert!(sent.json().is_object() && all.contains("word-of-client"));
        }
        assert_eq!(answer.upstream(1).json()["model"], "gpt-4o-2024-11-20");
        assert_eq!(answer.upstream(2).json()["model"], "claude-sonnet-4-5");
    }
    assert_no_secret(&gateway.log());
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn a_vendor_that_is_not_reached_cut_off_or_late_is_no_answer() {
    let gateway = gateway();
    let held = || Vendor::stream(200, "text/event-stream", [""; 0]).cut();
    for failing in [Vendor::refuses(), Vendor::resets(), Vendor::hangs(), held()] {
        let request = ask(&gateway, &hello("gpt-4o", true));
        let request = request.target("openai", 1, failing.clone()).target("claude", 1, failing);
        let answer = request.target("gemini", 1, stream("gemini")).send().unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("x-sluice-failed"), Some("openai;no-answer, claude;no-answer"));
    }
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn a_stream_whose_first_event_is_an_error_is_a_failed_attempt() {
    let gateway = gateway();
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let claude = || Vendor::events([format!("event: error\ndata: {overloaded}\n\n")]);
    let openai =
        || Vendor::events(["data: {\"error\":{\"message\":\"Down\",\"type\":\"server_error\"}}\n\n"]);
    let gemini = || {
        let body = json!({"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}});
        Vendor::events([format!("data: {body}\n\n")])
    };
    for size in [1, 7, 4096] {
        let request = ask(&gateway, &hello("gpt-4o", true));
        let request = request.target("openai", 1, openai().in_chunks_of(size));
        let request = request.target("claude", 1, claude().in_chunks_of(size));
        let answer = request.target("gemini", 1, stream("gemini")).send().unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert!(!words(&answer).is_empty());
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("x-sluice-failed"), Some("openai;500, claude;503"));
        assert!(matches!(&answer.upstream(1).outcome, Outcome::Retried(_)));
        assert!(!answer.text().contains("Overloaded") && !answer.text().contains("Down"));

        let request = ask(&gateway, &hello("gpt-4o", true));
        let request = request.target("openai", 1, openai().in_chunks_of(size));
        let request = request.target("claude", 1, claude().in_chunks_of(size));
        let answer = request.target("gemini", 1, gemini().in_chunks_of(size)).send().unwrap();
        assert_eq!((answer.status(), error(&answer)["message"].as_str()), (429, Some("Slow down")));
        assert_eq!(answer.header("x-sluice-failed"), Some("openai;500, claude;503, gemini;429"));
        assert_eq!(answer.header("x-sluice-provider"), Some("gemini"));
    }
}

/// A vendor may leave its connection open behind an error; the client need not wait for that.
#[test]
fn an_error_in_place_of_a_stream_does_not_wait_for_the_vendors_end() {
    let gateway = gateway();
    let event = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy\"}}\n\n";
    let request = ask(&gateway, &hello("claude", true));
    let answer = request.target("claude", 1, Vendor::events([event]).then_hangs()).send();
    let answer = answer.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((answer.status(), error(&answer)["message"].as_str()), (503, Some("Busy")));
}

#[test]
fn an_answer_of_another_kind_than_was_asked_for_is_a_failed_attempt() {
    let gateway = gateway();
    for (failing, streamed) in [(answer("openai"), true), (Vendor::json(200, "<html>"), false)] {
        let request = ask(&gateway, &hello("gpt-4o", streamed)).target("openai", 1, failing);
        let last = if streamed { stream("claude") } else { answer("claude") };
        let request = request.target("claude", 1, last).target("gemini", 1, Vendor::resets());
        let answer = request.send().unwrap();
        assert!([200, 502].contains(&answer.status()), "{}", answer.text());
        match answer.status() {
            200 => assert!(!words(&answer).is_empty()),
            _ => assert_eq!(error(&answer)["code"], "provider_malformed"),
        }
    }
}

#[test]
fn nothing_is_tried_again_once_a_stream_has_begun() {
    let gateway = gateway();
    let begun = Vendor::events(events("openai").into_iter().take(2));
    let answer = ask(&gateway, &hello("gpt-4o", true)).target("openai", 1, begun.clone()).send().unwrap();
    let data = test_cases::events(&answer.body());
    assert_eq!(data.last().unwrap()["error"]["code"], "stream_truncated", "{}", answer.text());
    assert_eq!((answer.status(), answer.attempts().len()), (200, 1));
    let answer = ask(&gateway, &hello("gpt-4o", true)).target("openai", 1, begun.cut()).send().unwrap();
    assert!(answer.was_reset() && answer.attempts().len() == 1);
    assert_eq!(gateway.open_streams(), 0);
}

/// What a request needs decides which targets it can be put to: `n` is not for Claude.
#[test]
fn targets_that_can_not_serve_a_request_are_not_tried() {
    let mut policy = everyone();
    policy["models"]["gpt-4o"]["unsupported"] = json!("refuse");
    let gateway = builder(policy.to_string()).start().unwrap();
    let mut two = hello("gpt-4o", false);
    two["n"] = json!(2);
    // Claude gives one answer only, so that Gemini is next.
    let request = ask(&gateway, &two).target("openai", 1, Vendor::json(503, "{}"));
    let answer = request.target("gemini", 1, answer("gemini")).send().unwrap();
    assert_eq!((answer.status(), answer.attempts().len()), (200, 2));
    assert_eq!(answer.header("x-sluice-failed"), Some("openai;503"));
    assert_eq!(words(&answer), "word-of-model");
}

#[test]
fn one_vendor_twice_in_a_model_is_two_targets() {
    let mut policy = everyone();
    policy["models"]["twice"] = json!({"targets": [
        {"provider": "claude", "model": "claude-opus-5"}, {"provider": "claude", "model": "claude-sonnet-4-5"},
    ]});
    let gateway = builder(policy.to_string()).start().unwrap();
    let request = ask(&gateway, &hello("twice", false)).target("claude", 1, Vendor::status(500));
    let answer = request.target("claude", 2, answer("claude")).send().unwrap();
    assert_eq!(words(&answer), "word-of-model");
    assert_eq!(answer.upstream(1).json()["model"], "claude-opus-5");
    assert_eq!(answer.upstream(2).json()["model"], "claude-sonnet-4-5");
    assert_eq!(answer.header("x-sluice-failed"), Some("claude;500"));
}

fn count(gateway: &Gateway, name: &str) -> u64 {
    gateway.metric(name).unwrap_or_else(|| panic!("no {name} in {:?}", gateway.process().metric_names()))
}

#[test]
fn requests_and_tokens_are_counted_by_provider_model_and_code() {
    let gateway = gateway();
    for _ in 0..3 {
        ask(&gateway, &hello("claude", false)).target("claude", 1, answer("claude")).send().unwrap();
    }
    let request = ask(&gateway, &hello("gpt-4o", false)).target("openai", 1, Vendor::status(500));
    let answer = request.target("claude", 1, answer("claude")).send().unwrap();
    assert_eq!(answer.filter_state("sluice_provider"), Some(&b"claude"[..]));
    assert_eq!(answer.filter_state("sluice_failed"), Some(&b"openai;500"[..]));
    assert_eq!(answer.filter_state("sluice_model"), Some(&b"gpt-4o"[..]));
    assert_eq!(answer.filter_state("sluice_input_tokens"), Some(&b"5"[..]));
    assert_eq!(answer.filter_state("sluice_output_tokens"), Some(&b"2"[..]));
    let limited = Vendor::json(429, "{}");
    ask(&gateway, &hello("gemini", false)).target("gemini", 1, limited).send().unwrap();
    ask(&gateway, &hello("no-such-model", false)).send().unwrap();
    ask(&gateway, &hello("claude", true)).target("claude", 1, stream("claude")).send().unwrap();

    let claude = "provider=claude;model=claude;team=";
    assert_eq!(count(&gateway, &format!("sluice_requests_total;{claude};code=200")), 4);
    assert_eq!(count(&gateway, "sluice_requests_total;provider=claude;model=gpt-4o;team=;code=200"), 1);
    assert_eq!(count(&gateway, "sluice_requests_total;provider=gemini;model=gemini;team=;code=429"), 1);
    assert_eq!(count(&gateway, "sluice_requests_total;provider=;model=;team=;code=404"), 1);
    // Three whole answers of 5 and 2, and the stream's 10 and 5.
    assert_eq!(count(&gateway, &format!("sluice_tokens_total;{claude};type=input")), 25);
    assert_eq!(count(&gateway, &format!("sluice_tokens_total;{claude};type=output")), 11);
    let durations = gateway.process().histogram(&format!("sluice_request_duration_milliseconds;{claude}"));
    assert_eq!(durations.unwrap().len(), 4);
    let names = gateway.process().metric_names();
    assert!(
        !names.iter().any(|name| name.contains("no-such-model")),
        "no client's word is a label: {names:?}"
    );
}

#[test]
fn callers_are_known_by_their_keys() {
    let mut policy = everyone();
    policy["callers"] = json!({"keys": [
        {"id": "ci", "sha256": SHA256_OF_CALLER, "team": "platform", "expires": "2023-11-14T23:00:00Z"},
        {"id": "other", "sha256": "0".repeat(64)},
    ]});
    let gateway = builder(policy.to_string()).start().unwrap();
    let request = |key: Option<&str>| {
        let request = ask(&gateway, &hello("openai", false)).target("openai", 1, answer("openai"));
        key.into_iter()
            .fold(request, |request, key| request.header("authorization", &format!("Bearer {key}")))
    };
    let served = request(Some("key-of-caller")).send().unwrap();
    assert_eq!((served.status(), words(&served).as_str()), (200, "word-of-model"));
    assert_eq!(served.filter_state("sluice_caller"), Some(&b"ci"[..]));
    assert_eq!(served.filter_state("sluice_team"), Some(&b"platform"[..]));
    assert_eq!(
        count(&gateway, "sluice_requests_total;provider=openai;model=openai;team=platform;code=200"),
        1
    );
    for key in [None, Some("key-of-calles"), Some("")] {
        let refused = request(key).send().unwrap();
        assert_eq!((refused.status(), refused.attempts().len()), (401, 0));
        assert!(error(&refused)["code"].as_str().unwrap().ends_with("_api_key"), "{}", refused.text());
    }
    // The clock stands at 22:13:20; the key ends at 23:00.
    gateway.advance(std::time::Duration::from_secs(3600)).unwrap();
    assert_eq!(request(Some("key-of-caller")).send().unwrap().status(), 401);
    let nothing = gateway.get("/v1/nothing").header("authorization", "Bearer x").send().unwrap();
    assert_eq!(nothing.status(), 401, "what there is, is told only to who is known");
    assert_eq!(gateway.post(CHAT).json("{").send().unwrap().status(), 401);
    assert_no_secret(&gateway.log());
}

/// `printf key-of-caller | sha256sum`
const SHA256_OF_CALLER: &str = "61fc8cbe81e1ba0c61219b8d1d607c1fe90c559b71d2043640069973ec04528d";
