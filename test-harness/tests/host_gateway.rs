//! The mechanism around a module: router, attempts, retries, local replies. A small guest plays both roots, and
//! request headers tell it what to do.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
mod host_guest;

use std::time::Duration;

use host_guest::{messages, module};
use test_harness::host::{
    CalloutReply, Exchange, Gateway, HeaderMap, HostError, Outcome, Process, RequestBuilder, Vendor,
};

const GUEST: &str = r#"
    (func $is (param $context i32) (param $root i32) (result i32)
      (i32.eq (i32.load8_u (i32.add (i32.const 4096) (local.get $context))) (local.get $root)))
    (func $has (param $map i32) (param i32 i32) (result i32)
      (i32.eqz (call $get_header_map_value (local.get $map) (local.get 1) (local.get 2) (i32.const 16) (i32.const 20))))
    (func (export "proxy_on_context_create") (param i32 i32)
      (i32.store8 (i32.add (i32.const 4096) (local.get 0)) (local.get 1)))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
      (i32.or (i32.eq (local.get 0) (i32.const 2)) (i32.gt_u (local.get 1) (i32.const 3))))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (if (call $is (local.get 0) (i32.const 1)) (then
        (if (call $has (i32.const 0) @{x-deny}) (then
          (drop (call $send_local_response (i32.const 403) @{} @{denied} @{} (i32.const -1)))))
        (if (call $has (i32.const 0) @{x-judge}) (then
          (drop (call $http_call @{judge} @{\03\00\00\00\05\00\00\00\01\00\00\00\07\00\00\00\03\00\00\00\0a\00\00\00\01\00\00\00:path\00/\00:method\00GET\00:authority\00h\00}
            @{} @{} (i32.const 0) (i32.const 24)))
          (i32.store (i32.const 28) (local.get 0))))
        (if (i32.eqz (call $has (i32.const 0) @{x-lost})) (then
          (drop (call $replace_header_map_value (i32.const 0) @{x-sluice-route} @{model}))))
        (return (i32.or (call $has (i32.const 0) @{x-judge}) (i32.eqz (local.get 2))))))
      (if (call $has (i32.const 0) @{x-trap}) (then unreachable))
      (if (call $has (i32.const 0) @{x-provider-deny}) (then
        (drop (call $send_local_response (i32.const 400) @{} @{unsupported} @{} (i32.const -1)))))
      (if (call $has (i32.const 0) @{x-no-path}) (then
        (drop (call $remove_header_map_value (i32.const 0) @{:path}))
        (return (i32.const 0))))
      (if (i32.eqz (call $has (i32.const 0) @{x-grow})) (then
        (drop (call $remove_header_map_value (i32.const 0) @{content-length}))))
      (drop (call $get_property @{xds\00upstream_host_metadata\00filter_metadata\00sluice\00provider} (i32.const 16) (i32.const 20)))
      (drop (call $replace_header_map_value (i32.const 0) @{:path} (i32.load (i32.const 16)) (i32.load (i32.const 20))))
      (drop (call $add_header_map_value (i32.const 0) @{x-tried} (i32.load (i32.const 16)) (i32.load (i32.const 20))))
      (drop (call $set_property @{served} (i32.load (i32.const 16)) (i32.load (i32.const 20))))
      (i32.const 0))
    (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
      (if (call $is (local.get 0) (i32.const 1)) (then
        (if (call $has (i32.const 0) @{x-empty}) (then
          (drop (call $set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0x7fffffff) @{}))))
        (return (i32.or (call $has (i32.const 0) @{x-judge}) (i32.eqz (local.get 2))))))
      (if (local.get 2) (then (drop (call $set_buffer_bytes (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) @{+}))))
      (i32.const 0))
    (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
      (drop (call $set_effective_context (i32.load (i32.const 28))))
      (drop (call $continue_stream (i32.const 0))))
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
      (if (call $is (local.get 0) (i32.const 1)) (then
        (drop (call $log (i32.const 2) @{policy response}))
        (if (i32.eqz (call $has (i32.const 2) @{x-sluice-provider})) (then
          (drop (call $add_header_map_value (i32.const 2) @{x-by-envoy} @{1}))))
        (return (i32.const 0))))
      (drop (call $replace_header_map_value (i32.const 2) @{x-sluice-provider} @{p}))
      (call $has (i32.const 2) @{x-look}))
    (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
      (if (i32.and (call $is (local.get 0) (i32.const 2)) (call $has (i32.const 2) @{x-look})) (then
        (drop (call $replace_header_map_value (i32.const 2) @{:status} @{503}))))
      (i32.const 0))
    (func $name (param $context i32)
      (if (call $is (local.get $context) (i32.const 1)) (then (drop (call $log (i32.const 2) @{policy})))
        (else (drop (call $log (i32.const 2) @{provider})))))
    (func (export "proxy_on_log") (param i32)
      (call $name (local.get 0)) (drop (call $log (i32.const 2) @{log})))
    (func (export "proxy_on_delete") (param i32)
      (call $name (local.get 0)) (drop (call $log (i32.const 2) @{delete})))"#;

fn gateway() -> Gateway {
    module(GUEST).gateway().cluster("judge").policy("good").start().unwrap()
}

fn ask(gateway: &Gateway) -> RequestBuilder {
    gateway
        .post("/v1")
        .header("x-envoy-retry-on", "retriable-status-codes,connect-failure,reset")
        .header("x-envoy-retriable-status-codes", "503,429")
}

fn run(request: RequestBuilder) -> Exchange {
    let mut exchange = request.open().unwrap();
    exchange.run().unwrap();
    exchange
}

#[test]
fn a_failure_goes_on_to_the_next_target_with_the_pristine_body() {
    let gateway = gateway();
    let answer = ask(&gateway)
        .body("question")
        .target("openai", 1, Vendor::json(503, "{}"))
        .target("claude", 1, Vendor::json(200, r#"{"a":1}"#))
        .send()
        .unwrap();
    assert_eq!((answer.status(), answer.json()["a"].as_i64()), (200, Some(1)));
    assert_eq!(answer.header("x-sluice-provider"), Some("p"));
    assert_eq!(answer.header("x-by-envoy"), None);
    assert_eq!((answer.upstream(1).path(), answer.upstream(2).path()), (Some("openai"), Some("claude")));
    assert_eq!(
        (answer.upstream(1).body(), answer.upstream(2).body()),
        (&b"question+"[..], &b"question+"[..])
    );
    let tried = answer.upstream(2).headers().unwrap().get_all("x-tried");
    assert_eq!(tried, [&b"openai"[..], b"claude"], "one header map for all attempts");
    assert_eq!(answer.upstream(1).header("x-envoy-retry-on"), None, "the router takes its headers");
    assert_eq!(answer.upstream(1).outcome, Outcome::Retried("503".to_owned()));
    assert_eq!(answer.upstream(2).outcome, Outcome::Answered);
    assert_eq!(answer.filter_state("served"), Some(&b"claude"[..]));
    let order = "provider delete policy response provider delete policy log policy delete";
    assert_eq!(
        messages(answer.log()).join(" "),
        order,
        "an upstream filter goes before the last data come down"
    );
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn a_body_that_the_policy_filter_empties_is_filled_by_each_attempt() {
    let request = ask(&gateway()).header("x-empty", "1").body("question");
    let answer =
        request.target("a", 1, Vendor::status(503)).target("b", 1, Vendor::status(200)).send().unwrap();
    assert_eq!((answer.upstream(1).body(), answer.upstream(2).body()), (&b"+"[..], &b"+"[..]));
}

#[test]
fn the_last_failure_reaches_the_client_and_so_does_one_that_is_not_retried() {
    let gateway = gateway();
    let answer = ask(&gateway)
        .target("a", 1, Vendor::status(503))
        .target("b", 1, Vendor::json(429, "last"))
        .send()
        .unwrap();
    assert_eq!((answer.status(), answer.text().as_str(), answer.attempts().len()), (429, "last", 2));
    let answer = gateway.post("/").target("a", 1, Vendor::status(503)).send().unwrap();
    assert_eq!((answer.status(), answer.attempts().len()), (503, 1));
    let error = ask(&gateway).target("a", 1, Vendor::status(503)).send().unwrap_err();
    assert!(matches!(error, HostError::Script(_)), "{error}");
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn a_stream_is_flushed_chunk_by_chunk() {
    let gateway = gateway();
    let events = Vendor::events(["data: 1\n\n", "data: 2\n\n", "data: [DONE]\n\n"]);
    let answer = ask(&gateway).target("a", 1, events.clone()).send().unwrap();
    let flushed: Vec<(usize, usize)> =
        answer.chunks().iter().map(|chunk| (chunk.after, chunk.bytes.len())).collect();
    assert_eq!((answer.headers_after(), flushed), (0, vec![(1, 9), (2, 9), (3, 14)]));
    for size in 1..=events.body_size() {
        let answer = ask(&gateway).target("a", 1, events.clone().in_chunks_of(size)).send().unwrap();
        assert_eq!(answer.text(), "data: 1\n\ndata: 2\n\ndata: [DONE]\n\n");
    }
    let answer = ask(&gateway).target("a", 1, events.split_at(5).end_with_last_chunk()).send().unwrap();
    assert_eq!(answer.chunks().iter().map(|chunk| chunk.bytes.len()).collect::<Vec<_>>(), [5, 27]);
}

#[test]
fn a_status_that_the_upstream_filter_changes_can_make_a_retry() {
    let answer = ask(&gateway())
        .target("a", 1, Vendor::events(["data: error\n\n"]).header("x-look", "1"))
        .target("b", 1, Vendor::events(["data: fine\n\n"]))
        .send()
        .unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "data: fine\n\n"));
    assert_eq!(answer.upstream(1).outcome, Outcome::Retried("503".to_owned()));
}

#[test]
fn connections_that_fail_are_retried_then_answered_by_envoy_through_the_policy_filter() {
    let gateway = gateway();
    let answer =
        ask(&gateway).target("a", 1, Vendor::refuses()).target("b", 1, Vendor::status(204)).send().unwrap();
    assert_eq!((answer.status(), answer.is_complete()), (204, true));
    let answer = ask(&gateway)
        .header("x-envoy-max-retries", "1")
        .target("a", 1, Vendor::resets())
        .target("b", 1, Vendor::resets())
        .send()
        .unwrap();
    assert_eq!((answer.status(), answer.header("x-by-envoy")), (503, Some("1")));
    assert!(answer.text().ends_with("retried and the latest reset reason: connection termination"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
}

#[test]
fn timeouts_move_the_clock_and_end_in_504() {
    let gateway = gateway();
    let before = gateway.process().now();
    let answer = ask(&gateway)
        .header("x-envoy-upstream-rq-per-try-timeout-ms", "1500")
        .target("a", 1, Vendor::hangs())
        .target("b", 1, Vendor::hangs())
        .send()
        .unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (504, "upstream request timeout"));
    assert_eq!(gateway.process().now() - before, Duration::from_secs(3));
    let answer = gateway
        .get("/")
        .route_timeout(Duration::from_secs(9))
        .target("a", 1, Vendor::hangs())
        .send()
        .unwrap();
    assert_eq!(answer.status(), 504);
    let error = gateway.get("/").target("a", 1, Vendor::hangs()).send().unwrap_err();
    assert!(matches!(error, HostError::Stalled(_)), "{error}");
}

#[test]
fn a_response_that_breaks_off_is_reset() {
    let gateway = gateway();
    let answer = ask(&gateway).target("a", 1, Vendor::events(["data: 1\n\n"]).cut()).send().unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "data: 1\n\n"));
    assert!(answer.was_reset() && !answer.is_complete());
    assert_eq!(answer.upstream(1).outcome, Outcome::Failed("connection termination".to_owned()));
    let held = Vendor::events::<&str>([]).header("x-look", "1").cut();
    let answer = ask(&gateway).target("a", 1, held).target("b", 1, Vendor::status(200)).send().unwrap();
    assert_eq!((answer.status(), answer.attempts().len()), (200, 2), "the router had seen no headers");
}

#[test]
fn local_replies_pass_the_policy_filters_own_response_callbacks() {
    let gateway = gateway();
    let answer = ask(&gateway).header("x-deny", "1").body("question").send().unwrap();
    assert_eq!(
        (answer.status(), answer.text().as_str(), answer.header("x-by-envoy")),
        (403, "denied", Some("1"))
    );
    assert_eq!(answer.attempts().len(), 0);
    let answer =
        ask(&gateway).header("x-provider-deny", "1").target("a", 1, Vendor::status(200)).send().unwrap();
    assert_eq!(
        (answer.status(), answer.text().as_str(), answer.header("x-by-envoy")),
        (400, "unsupported", Some("1"))
    );
    assert_eq!(answer.upstream(1).headers(), None);
    assert_eq!(answer.header("x-sluice-provider"), None, "the upstream filter does not see its own answer");
    let answer = ask(&gateway).header("x-no-path", "1").target("a", 1, Vendor::status(200)).send().unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (503, "missing required header: :path"));
    let answer = ask(&gateway).header("x-lost", "1").send().unwrap();
    assert_eq!((answer.status(), answer.body().len(), answer.header("x-by-envoy")), (503, 0, Some("1")));
    let answer = ask(&gateway).no_healthy_upstream().send().unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (503, "no healthy upstream"));
    let answer = ask(&gateway).buffer_limit(3).body_in_chunks(["ab", "cd"]).send().unwrap();
    assert_eq!((answer.status(), answer.header("x-by-envoy")), (413, Some("1")));
    assert_eq!(gateway.open_streams(), 0);
}

#[test]
fn a_declared_length_that_is_not_the_bodys_is_an_error() {
    let gateway = gateway();
    let request = ask(&gateway).header("x-grow", "1").body("question").target("a", 1, Vendor::status(200));
    let error = request.send().unwrap_err();
    assert_eq!(error.to_string(), "framing: the request of attempt 1 declares 8 bytes and has 9");
    let wrong = Vendor::json(200, "{}").chunk("more");
    let error = ask(&gateway).target("a", 1, wrong).send().unwrap_err();
    assert_eq!(error.to_string(), "framing: the client's response declares 2 bytes and has 6");
}

#[test]
fn a_client_that_leaves_is_logged_by_the_policy_filter_only() {
    let gateway = gateway();
    let request = ask(&gateway).target("a", 1, Vendor::events(["1", "2", "3"])).client_leaves_after(2);
    let answer = request.send().unwrap();
    assert!(answer.was_reset());
    assert_eq!(answer.text(), "12");
    assert_eq!(answer.upstream(1).outcome, Outcome::Abandoned);
    let log = messages(answer.log()).join(" ");
    assert_eq!(log, "policy response policy log policy delete provider delete");
    drop(run(ask(&gateway).target("a", 1, Vendor::events(["1"]).then_hangs())));
    assert_eq!(gateway.open_streams(), 0, "an exchange that is dropped is as one that the client left");
}

#[test]
fn a_trap_gives_the_client_a_bare_503_and_a_restart_serves_on() {
    let gateway = gateway();
    let mut exchange =
        ask(&gateway).header("x-trap", "1").target("a", 1, Vendor::status(200)).open().unwrap();
    let error = loop {
        if let Err(error) = exchange.step() {
            break error;
        }
    };
    assert!(matches!(error, HostError::Trap(_)), "{error}");
    assert_eq!((exchange.answer().status(), exchange.answer().body().len()), (503, 0));
    assert!(gateway.is_dead());
    assert!(matches!(ask(&gateway).send(), Err(HostError::Dead)));
    gateway.restart().unwrap();
    let answer = ask(&gateway).target("a", 1, Vendor::status(200)).send().unwrap();
    assert_eq!(answer.status(), 200);
}

#[test]
fn a_callout_holds_the_request_until_it_is_answered() {
    let gateway = gateway();
    let request =
        || ask(&gateway).header("x-judge", "1").body("question").target("a", 1, Vendor::status(200));
    let answer = request().on_callout("judge", |_| CalloutReply::status(200, "")).send().unwrap();
    assert_eq!((answer.status(), answer.upstream(1).body()), (200, &b"question+"[..]));
    let mut exchange = run(request());
    assert!(!exchange.is_over());
    assert!(matches!(exchange.step(), Err(HostError::Stalled(_))));
    gateway.answer_callout(gateway.callouts()[0].token, CalloutReply::Failure).unwrap();
    exchange.run().unwrap();
    assert!(exchange.is_over());
    assert_eq!(exchange.answer().status(), 200);
}

#[test]
fn exchanges_stand_open_side_by_side_and_requests_arrive_in_any_chunks() {
    let gateway = gateway();
    let stream = || Vendor::events(["1"]).then_hangs();
    let (first, second) =
        (run(ask(&gateway).target("a", 1, stream())), run(ask(&gateway).target("b", 1, stream())));
    assert_eq!((first.answer().text(), second.answer().text()), ("1".to_owned(), "1".to_owned()));
    assert_eq!(gateway.open_streams(), 4);
    for size in 1..=8 {
        for request in
            [ask(&gateway), ask(&gateway).end_with_last_chunk(), ask(&gateway).without_content_length()]
        {
            let request = request.body("question").in_chunks_of(size).target("a", 1, Vendor::status(200));
            assert_eq!(request.send().unwrap().upstream(1).body(), b"question+");
        }
    }
    let request =
        ask(&gateway).body("q").trailers(HeaderMap::of([("t", "1")])).target("a", 1, Vendor::status(200));
    assert_eq!(request.send().unwrap().upstream(1).trailers().unwrap().get("t"), Some("1"));
}

#[test]
fn a_refused_policy_is_an_error_and_workers_share_a_process() {
    let module = module(GUEST);
    let error = module.gateway().policy("bad").start().err().unwrap();
    assert!(matches!(&error, HostError::Refused { root, .. } if root == "policy"), "{error}");
    let process = Process::new();
    let gateway = module.gateway().process(&process).now(5).policy("good").start().unwrap();
    let other = gateway.another_worker().unwrap();
    process.set_shared_data("sluice", "k", b"v");
    assert_eq!(
        (gateway.shared_data("k"), other.shared_data("k")),
        (Some(b"v".to_vec()), Some(b"v".to_vec()))
    );
    assert_eq!(other.process().now(), Duration::from_secs(5));
    assert!(gateway.memory_size() > 0);
}
