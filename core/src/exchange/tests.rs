//! Exchanges told as stories: who is asked, what each one gets, and what the client is told.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::identity::Origin;
use crate::policy;
use crate::shared::LocalMemory;

const NOW: u64 = 1_700_000_000;

fn plan(targets: &Value, unsupported: &str) -> Arc<Plan> {
    plan_of(&json!({"targets": targets, "unsupported": unsupported}))
}

fn plan_of(model: &Value) -> Arc<Plan> {
    let provider = |dialect: &str, env: &str| json!({"dialect": dialect, "endpoint": format!("https://{env}.test/base"), "credential": {"env": env}});
    let document = json!({
        "version": 1,
        "providers": {"openai": provider("openai", "o"), "claude": provider("anthropic", "c"), "gemini": provider("gemini", "g")},
        "models": {"chat": model},
        "callers": {"anonymous": "allow"},
    });
    Arc::new(
        policy::load(document.to_string().as_bytes(), &|name| Some(format!("key-{name}"))).expect("is good"),
    )
}

fn everyone() -> Value {
    json!([
        {"provider": "openai", "model": "gpt-4o"},
        {"provider": "claude", "model": "claude-sonnet-4-5"},
        {"provider": "gemini", "model": "gemini-2.5-flash"},
    ])
}

fn open_with(plan: &Arc<Plan>, body: &Value, more: &[(&str, &str)]) -> Result<Exchange, Reply> {
    let own =
        [(":method", "POST"), (":path", "/v1/chat/completions?x=1"), ("authorization", "Bearer client-key")];
    let headers: Vec<_> =
        own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    open(plan, Head { headers: &headers, origin: Origin::default() }, Duration::from_secs(NOW))?
        .read(Some(body.to_string().into_bytes()), &LocalMemory::default())
}

fn hello() -> Value {
    json!({"model": "chat", "messages": [{"role": "user", "content": "Hello"}]})
}

fn json_type(name: &str) -> Option<String> {
    (name == "content-type").then(|| "application/json".to_owned())
}

fn routing(exchange: &Exchange, name: &str) -> String {
    exchange.routing().into_iter().find(|(header, _)| *header == name).expect("is there").1
}

#[test]
fn each_attempt_carries_its_own_credential_and_nothing_of_another() {
    let client = [
        ("x-sluice-route", "elsewhere"),
        ("openai-organization", "org"),
        ("openai-beta", "b"),
        ("cookie", "c"),
        ("x-api-key", "client-key"),
    ];
    let mut exchange = open_with(&plan(&everyone(), "refuse"), &hello(), &client).expect("opens");
    assert_eq!(routing(&exchange, "x-sluice-route"), "sluice-targets/openai,claude,gemini");
    assert_eq!(routing(&exchange, "x-envoy-max-retries"), "2");
    for (provider, authority, path, credential) in [
        ("openai", "o.test", "/base/chat/completions", ("authorization", "Bearer key-o")),
        ("claude", "c.test", "/base/v1/messages", ("x-api-key", "key-c")),
        (
            "gemini",
            "g.test",
            "/base/v1beta/models/gemini-2.5-flash:generateContent",
            ("x-goog-api-key", "key-g"),
        ),
    ] {
        let (request, _) = exchange
            .attempt(provider, 1, &LocalMemory::default(), Duration::from_secs(NOW))
            .expect("can be asked");
        let values = |name: &str| -> Vec<&str> {
            request
                .headers
                .iter()
                .filter(|(header, _)| header == name)
                .map(|(_, value)| value.as_str())
                .collect()
        };
        assert_eq!(values(":authority"), [authority]);
        assert_eq!(values(":path"), [path]);
        let body = request.body.as_ref().expect("has a body");
        assert_eq!(values("content-length"), [body.len().to_string()]);
        assert_eq!(values(credential.0), [credential.1]);
        let credentials = request.headers.iter().filter(|(_, value)| value.contains("key"));
        assert_eq!(credentials.count(), 1, "{:?}", request.headers);
        assert!(!request.headers.iter().any(|(name, _)| is_internal(name)), "{:?}", request.headers);
        assert_eq!(values("openai-beta"), if provider == "openai" { vec!["b"] } else { vec![] });
        assert!(values("openai-organization").is_empty() && values("cookie").is_empty());
    }
}

#[test]
fn a_target_that_can_not_serve_is_left_out() {
    let plan = plan(&everyone(), "refuse");
    let two = json!({"model": "chat", "n": 2, "messages": [{"role": "user", "content": "Hello"}]});
    // openai and gemini can, claude between them can't.
    let mut exchange = open_with(&plan, &two, &[]).expect("opens");
    assert_eq!(routing(&exchange, "x-envoy-max-retries"), "1");
    assert_eq!(routing(&exchange, "x-sluice-route"), "sluice-targets/openai,gemini");
    assert_eq!(
        exchange
            .attempt("claude", 1, &LocalMemory::default(), Duration::from_secs(NOW))
            .expect_err("is left out")
            .status,
        500
    );
    assert!(exchange.attempt("gemini", 1, &LocalMemory::default(), Duration::from_secs(NOW)).is_ok());

    let claude_first = super::tests::plan(&json!([everyone()[1], everyone()[2], everyone()[0]]), "refuse");
    let exchange = open_with(&claude_first, &two, &[]).expect("opens");
    assert_eq!(routing(&exchange, "x-sluice-route"), "sluice-targets/gemini,openai");
    assert_eq!(routing(&exchange, "x-envoy-max-retries"), "1");

    let claude_only = super::tests::plan(&json!([everyone()[1]]), "refuse");
    let reply = open_with(&claude_only, &two, &[]).expect_err("nobody can");
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!((reply.status, &body["error"]["param"]), (400, &json!("n")));
}

#[test]
fn what_was_left_out_and_who_failed_is_said() {
    let seeded = json!({"model": "chat", "seed": 7, "messages": [{"role": "user", "content": "Hello"}]});
    let mut exchange = open_with(&plan(&everyone(), "drop"), &seeded, &[]).expect("opens");
    let (_, attempt) = exchange
        .attempt("openai", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    assert!(
        exchange.remarks().contains(&("x-sluice-failed", "openai;no-answer".to_owned())),
        "it has not answered yet"
    );
    assert!(
        matches!(attempt.headers(&mut exchange, 529, &|_| None, NOW), Step::Pass(503)),
        "a retry follows"
    );
    let (_, attempt) = exchange
        .attempt("claude", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    assert!(matches!(attempt.headers(&mut exchange, 200, &json_type, NOW), Step::Whole));
    let remarks = exchange.remarks();
    assert!(remarks.contains(&("x-sluice-failed", "openai;529".to_owned())), "{remarks:?}");
    assert!(remarks.contains(&("x-sluice-dropped", "seed".to_owned())), "{remarks:?}");
}

#[test]
fn a_number_out_of_a_targets_range_leaves_it_out_or_is_changed_and_said() {
    let warm =
        json!({"model": "chat", "temperature": 1.5, "messages": [{"role": "user", "content": "Hello"}]});
    let exchange = open_with(&plan(&everyone(), "drop"), &warm, &[]).expect("opens");
    assert_eq!(routing(&exchange, "x-sluice-route"), "sluice-targets/openai,gemini");

    let clamping = plan_of(&json!({"targets": everyone(), "out_of_range": "clamp"}));
    let mut exchange = open_with(&clamping, &warm, &[]).expect("opens");
    assert_eq!(routing(&exchange, "x-sluice-route"), "sluice-targets/openai,claude,gemini");
    for (provider, clamped) in [("openai", None), ("claude", Some("temperature")), ("gemini", None)] {
        exchange
            .attempt(provider, 1, &LocalMemory::default(), Duration::from_secs(NOW))
            .expect("can be asked");
        let remarks = exchange.remarks();
        let said = remarks.iter().find(|(name, _)| *name == "x-sluice-clamped");
        assert_eq!(said.map(|(_, value)| value.as_str()), clamped, "{provider}");
    }
}

#[test]
fn the_last_failure_reaches_the_client_in_its_own_dialect() {
    let mut exchange =
        open_with(&plan(&json!([everyone()[0], everyone()[1]]), "refuse"), &hello(), &[]).expect("opens");
    let (_, first) = exchange
        .attempt("openai", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    assert!(
        matches!(first.headers(&mut exchange, 401, &|_| None, NOW), Step::Pass(502)),
        "the next may have a better key"
    );
    let (_, last) = exchange
        .attempt("claude", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    assert!(matches!(last.headers(&mut exchange, 529, &json_type, NOW), Step::Whole));
    let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let reply = last.whole(&mut exchange, 529, body, NOW).expect("is rewritten");
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!((reply.status, &body["error"]["message"]), (503, &json!("Overloaded")));
    assert_eq!(exchange.failures(), "openai;401, claude;529");
}

#[test]
fn an_endpoint_that_is_no_target_is_the_operators_fault() {
    let mut exchange = open_with(&plan(&json!([everyone()[0]]), "refuse"), &hello(), &[]).expect("opens");
    let failure = exchange
        .attempt("gemini", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect_err("is no target");
    assert_eq!((failure.blame, failure.status), (crate::failure::Blame::Operator, 500));
}

#[test]
fn what_is_not_there_and_who_is_not_known_is_told() {
    let plan = plan(&everyone(), "refuse");
    let head = |path: &str, key: [&str; 2]| {
        let headers =
            [(":method", "POST"), (":path", path), ("authorization", key[0]), ("authorization", key[1])];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        open(&plan, Head { headers: &headers, origin: Origin::default() }, Duration::from_secs(NOW))
            .expect_err("is refused")
            .status
    };
    assert_eq!(head("/v1/nothing", ["Bearer a", "Bearer a"]), 404);
    assert_eq!(head("/v1/nothing", ["Bearer a", "Bearer b"]), 401);
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let document = json!({
        "version": 1,
        "listen": {"max_body_bytes": 1024},
        "providers": {"o": {"dialect": "openai", "endpoint": "http://o", "credential": "none"}},
        "models": {"chat": {"targets": [{"provider": "o", "model": "m"}]}},
        "callers": {"anonymous": "allow"},
    });
    let plan = Arc::new(policy::load(document.to_string().as_bytes(), &|_| None).expect("is good"));
    let long = json!({"model": "chat", "messages": [{"role": "user", "content": "x".repeat(1024)}]});
    assert_eq!(open_with(&plan, &long, &[]).expect_err("is too long").status, 413);
}

#[test]
fn what_nobody_tells_is_estimated_by_what_was_said() {
    let words = "The weather is fine today, and so it will be tomorrow. ".repeat(20);
    let truth = 261; // by o200k_base
    let asked = json!({"model": "chat", "messages": [{"role": "user", "content": [
        {"type": "text", "text": words},
        // The letters of a document are no text.
        {"type": "file", "file": {"filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{}", "QUJD".repeat(10_000))}},
    ]}]});
    let near = |tokens: u64, truth: u64| assert!(tokens.abs_diff(truth) <= truth / 5, "{tokens} for {truth}");
    let mut exchange = open_with(&plan(&everyone(), "refuse"), &asked, &[]).expect("opens");

    // An answer that passes as it is, its envelope counted too.
    let (_, attempt) = exchange
        .attempt("openai", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let message = json!({"role": "assistant", "content": words});
    let body = json!({"id": "a", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    assert_eq!(attempt.whole(&mut exchange, 200, body.to_string().as_bytes(), NOW), None);
    let usage = exchange.usage().expect("is estimated");
    assert!(usage.estimated);
    near(usage.input, truth + 7 + 1_500);
    near(usage.output, truth + 30);

    // One that is translated, counted as Claude does.
    let mut exchange = open_with(&plan(&json!([everyone()[1]]), "refuse"), &asked, &[]).expect("opens");
    let (_, attempt) = exchange
        .attempt("claude", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let body = json!({"id": "a", "type": "message", "role": "assistant", "model": "c", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": words}]});
    assert!(attempt.whole(&mut exchange, 200, body.to_string().as_bytes(), NOW).is_some());
    let usage = exchange.usage().expect("is estimated");
    assert!(usage.estimated);
    near(usage.input, (truth + 7) * 7 / 5 + 1_500);
    near(usage.output, truth * 7 / 5);
}
