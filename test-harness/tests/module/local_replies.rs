//! Answers that no vendor made, Envoy's own among them: the client gets them in its own dialect.

use std::time::Duration;

use serde_json::json;
use test_harness::host::{Answer, FilterStream, Frame, HeaderMap, Side, Vendor};

use crate::support::{CHAT, answer, ask, assert_no_secret, builder, error, everyone, gateway, hello, module};

fn refused(answer: &Answer, status: u16, code: &str) {
    let error = error(answer);
    assert_eq!((answer.status(), error["code"].as_str()), (status, Some(code)), "{}", answer.text());
    assert!(answer.is_complete() && !answer.was_reset());
    let length = answer.body().len().to_string();
    assert!(answer.header("content-length").is_none_or(|declared| declared == length));
}

#[test]
fn a_request_larger_than_envoy_holds_is_413() {
    let gateway = gateway();
    let long = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "x".repeat(5000)}]});
    for size in [100, 4096, 6000] {
        let answer = ask(&gateway, &long).in_chunks_of(size).buffer_limit(4096).send().unwrap();
        refused(&answer, 413, "request_too_large");
        assert_eq!(error(&answer)["type"], "invalid_request_error");
    }
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn a_request_larger_than_the_policy_allows_is_413() {
    let mut policy = everyone();
    policy["listen"] = json!({"max_body_bytes": 1024});
    let gateway = builder(policy.to_string()).start().unwrap();
    let long = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "x".repeat(1024)}]});
    refused(&ask(&gateway, &long).send().unwrap(), 413, "request_too_large");
}

#[test]
fn an_answer_larger_than_the_policy_allows_is_502_and_larger_than_envoy_holds_too() {
    let mut policy = everyone();
    policy["listen"] = json!({"max_body_bytes": 1024});
    let gateway = builder(policy.to_string()).start().unwrap();
    for provider in ["openai", "claude", "gemini"] {
        let body = json!({"filler": "x".repeat(5000)}).to_string();
        for size in [100, 6000] {
            let long = Vendor::json(200, body.clone()).in_chunks_of(size);
            let answer =
                ask(&gateway, &hello(provider, false)).target(provider, 1, long.clone()).send().unwrap();
            refused(&answer, 502, "provider_answer_too_large");
            let request = ask(&gateway, &hello(provider, false)).buffer_limit(900);
            let answer = request.target(provider, 1, long).send().unwrap();
            refused(&answer, 502, "provider_answer_too_large");
        }
    }
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn no_vendor_to_be_reached_is_503() {
    let gateway = gateway();
    refused(
        &ask(&gateway, &hello("gpt-4o", true)).no_healthy_upstream().send().unwrap(),
        503,
        "provider_unreachable",
    );
    let request = ask(&gateway, &hello("gpt-4o", false)).target("openai", 1, Vendor::refuses());
    let request = request.target("claude", 1, Vendor::refuses()).target("gemini", 1, Vendor::resets());
    let answer = request.send().unwrap();
    refused(&answer, 503, "provider_unreachable");
    let failed = "openai;no-answer, claude;no-answer, gemini;no-answer";
    assert_eq!(answer.header("x-sluice-failed"), Some(failed));
    assert_eq!(answer.header("x-sluice-provider"), None);
    assert!(!answer.text().contains("upstream connect error"), "{}", answer.text());
}

#[test]
fn a_vendor_that_does_not_answer_in_time_is_504() {
    let gateway = gateway();
    let begun = gateway.process().now();
    let request = ask(&gateway, &hello("claude", false)).target("claude", 1, Vendor::hangs());
    refused(&request.send().unwrap(), 504, "provider_timeout");
    assert_eq!(gateway.process().now() - begun, Duration::from_secs(120), "attempt_timeout");
    // The headers came, and then nothing of a body that is held.
    let half = answer("claude").in_chunks_of(20).then_hangs();
    let request = ask(&gateway, &hello("claude", false)).target("claude", 1, half);
    refused(&request.route_timeout(Duration::from_secs(5)).send().unwrap(), 504, "provider_timeout");
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn what_is_asked_for_and_is_not_there_is_404() {
    let gateway = gateway();
    let requests = [gateway.get("/"), gateway.get(CHAT), gateway.post("/v1/nothing").json("{}")];
    for request in requests {
        refused(&request.send().unwrap(), 404, "unknown_url");
    }
    refused(&ask(&gateway, &hello("nobody", false)).send().unwrap(), 404, "model_not_found");
}

#[test]
fn a_request_without_a_body_is_400() {
    let answer = gateway().post(CHAT).send().unwrap();
    assert_eq!(answer.status(), 400);
    error(&answer);
}

#[test]
fn an_endpoint_that_is_no_target_of_the_model_is_the_operators_500() {
    let gateway = gateway();
    for (provider, occurrence) in [("nobody", 1), ("gemini", 1), ("claude", 2), ("", 0)] {
        let request = ask(&gateway, &hello("claude", false));
        let answer = request.target(provider, occurrence, answer("claude")).send().unwrap();
        assert_eq!((answer.status(), error(&answer)["type"].as_str()), (500, Some("server_error")));
        assert!(answer.upstream(1).headers().is_none(), "nothing was sent");
    }
    assert_eq!(gateway.open_streams(), 0);
}

/// The upstream filter in a VM of its own, or on a request that the policy filter never saw.
#[test]
fn a_provider_filter_without_an_exchange_sends_nothing() {
    let mut vm = module().vm().root("provider", []).start().unwrap();
    let headers = HeaderMap::of([
        (":method", "POST"),
        (":path", CHAT),
        (":authority", "gateway.test"),
        ("authorization", "Bearer key-of-caller"),
        ("x-sluice-exchange", "1"),
    ]);
    let mut filter = FilterStream::new(&mut vm, "provider", headers).unwrap();
    filter.request_headers(&mut vm, false).unwrap();
    filter.data(&mut vm, Side::Request, b"{}".to_vec(), true).unwrap();
    filter.run_actions(&mut vm).unwrap();
    let frames = filter.take_frames();
    let [Frame::LocalReply(reply)] = frames.as_slice() else { panic!("{frames:?}") };
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.code, body["error"]["type"].as_str()), (500, Some("server_error")));
    filter.close(&mut vm, false).unwrap();
    assert_no_secret(vm.log());
}

#[test]
fn a_client_can_not_pass_its_answer_off_as_a_vendors_nor_a_vendor_as_ours() {
    let gateway = gateway();
    let forged = answer("openai").header("x-sluice-provider", "forged").header("x-sluice-failed", "forged;1");
    let answer = ask(&gateway, &hello("openai", false)).target("openai", 1, forged).send().unwrap();
    assert_eq!(answer.headers().unwrap().get_all("x-sluice-provider"), [b"openai"]);
    assert_eq!(answer.header("x-sluice-failed"), None);
    let request = ask(&gateway, &hello("openai", false)).header("x-sluice-provider", "forged");
    refused(&request.no_healthy_upstream().send().unwrap(), 503, "provider_unreachable");
}
