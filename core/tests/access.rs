//! Runs every access case on the native core.
// A test stops where it can't go on.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "cases are files")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sluice_core::exchange::{self, Exchange, Head, Reply};
use sluice_core::identity::Origin;
use sluice_core::policy::{self, Plan};
use sluice_core::shared::LocalMemory;

fn cases() -> Vec<(String, Value)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../test-cases/access"));
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            cases.push((name, serde_saphyr::from_str(&text).unwrap()));
        }
    }
    cases.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(cases.len() >= 5, "{} cases were found", cases.len());
    cases
}

fn plan(case: &Value) -> Arc<Plan> {
    let provider = |region: Option<&str>| json!({"dialect": "openai", "endpoint": "http://provider.test/v1", "credential": "none", "region": region});
    let models: Value = case["models"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, providers)| {
            let targets: Vec<_> = providers
                .as_array()
                .unwrap()
                .iter()
                .map(|provider| json!({"provider": provider, "model": "m"}))
                .collect();
            (name.clone(), json!({"targets": targets}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let keys: Vec<Value> = case["callers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, fields)| {
            let digest: String =
                Sha256::digest(format!("key-of-{name}")).iter().map(|byte| format!("{byte:02x}")).collect();
            let mut entry = fields.clone();
            entry["id"] = json!(name);
            entry["sha256"] = json!(digest);
            entry
        })
        .collect();
    let document = json!({
        "version": 1,
        "providers": {"eu": provider(Some("eu-west")), "us": provider(Some("us-east")), "here": provider(None)},
        "models": models,
        "callers": {"anonymous": "allow", "keys": keys},
        "access": case["access"],
    });
    let plan = policy::load(document.to_string().as_bytes(), &|_| None);
    Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")))
}

fn open(plan: &Arc<Plan>, request: &Value) -> Result<Exchange, Reply> {
    let mut headers = vec![
        (":method".to_owned(), "POST".to_owned()),
        (":path".to_owned(), "/v1/chat/completions?x=1".to_owned()),
    ];
    if let Some(caller) = request["caller"].as_str() {
        headers.push(("authorization".to_owned(), format!("Bearer key-of-{caller}")));
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap().to_owned()));
    }
    let now = request["at"].as_str().map_or(Duration::from_secs(1_700_000_000), |at| {
        humantime::parse_rfc3339(at).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap()
    });
    let body = json!({"model": request["model"], "messages": [{"role": "user", "content": "Hello"}]});
    let opening = exchange::open(plan, Head { headers: &headers, origin: Origin::default() }, now)?;
    opening.read(Some(body.to_string().into_bytes()), &LocalMemory::default())
}

/// What was decided, in the words of a case.
fn decision(opened: Result<Exchange, Reply>) -> Value {
    let reply = match opened {
        Ok(exchange) => {
            let routing = exchange.routing();
            let route = routing.iter().find(|(name, _)| *name == exchange::ROUTE_HEADER).unwrap();
            let targets: Vec<_> = route.1.strip_prefix("sluice-targets/").unwrap().split(',').collect();
            return json!({"targets": targets});
        }
        Err(reply) => reply,
    };
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let message = body["error"]["message"].as_str().unwrap();
    match (reply.status, body["error"]["code"].as_str().unwrap()) {
        (404, "model_not_found") => json!({"unknown": true}),
        (403, "access_denied") if message.starts_with("No access rule") => json!({"denied": true}),
        (403, "access_denied") if message.starts_with("Your credential") => json!({"denied": "credential"}),
        (403, "access_denied") => json!({"denied": message.split('\'').nth(1).unwrap()}),
        (status, code) => panic!("{status} {code}: {message}"),
    }
}

#[test]
fn every_access_case() {
    let mut faults = Vec::new();
    for (name, case) in cases() {
        let plan = plan(&case);
        for request in case["requests"].as_array().unwrap() {
            let decision = decision(open(&plan, request));
            let (field, decided) = decision.as_object().unwrap().iter().next().unwrap();
            if request[field] != *decided {
                faults.push(format!("{name}: {request}\n  but it was decided: {decision}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_model_that_is_hidden_is_refused_like_one_that_is_not_there() {
    let (_, case) = cases().into_iter().find(|(name, _)| name == "hidden").unwrap();
    let plan = plan(&case);
    for caller in ["ci", "eu", "narrow"] {
        for (there, not_there) in [("claude-opus", "claude-nothing"), ("gpt-4o", "gpt-nothing")] {
            let ask = |model: &str| open(&plan, &json!({"caller": caller, "model": model}));
            if let (Err(one), Err(other)) = (ask(there), ask(not_there)) {
                let text =
                    |reply: &Reply, model: &str| String::from_utf8_lossy(&reply.body).replace(model, "…");
                assert_eq!((one.status, text(&one, there)), (other.status, text(&other, not_there)));
            }
        }
    }
}
