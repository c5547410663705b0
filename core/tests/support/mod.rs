#![allow(dead_code, reason = "each test uses its part")]
//! Plays exchanges on the native core, as the filters do, without a host.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sluice_core::exchange::{self, Attempt, Exchange, Head, Held, Reply, Step};
use sluice_core::identity::Origin;
use sluice_core::policy::{self, Plan};
use sluice_core::shared::LocalMemory;
use test_cases::{Body, ChatCase};

pub const NOW: u64 = 1_700_000_000;

/// A policy with the model of a case at one provider.
pub fn plan(case: &ChatCase, exchange: &test_cases::Exchange) -> Arc<Plan> {
    let provider = exchange.provider;
    let endpoint = if provider == "openai" { "http://provider.test/v1" } else { "http://provider.test" };
    let document = json!({
        "version": 1,
        "providers": {provider: {"dialect": provider, "endpoint": endpoint, "credential": {"env": "KEY"}}},
        "models": {"gpt-4o": case.model(exchange)},
        "callers": {"anonymous": "allow"},
    });
    let plan = policy::load(document.to_string().as_bytes(), &|_| Some("provider-key".to_owned()));
    Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")))
}

pub fn open(plan: &Arc<Plan>, body: &[u8]) -> Result<Exchange, Reply> {
    let headers =
        [(":method", "POST"), (":path", "/v1/chat/completions"), ("content-type", "application/json")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
    exchange::open(plan, Head { headers: &headers, origin: Origin::default() }, Duration::from_secs(NOW))?
        .read(Some(body.to_vec()), &LocalMemory::default())
}

/// What the client gets of one answer.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Plays a provider's answer through an attempt, in chunks.
pub fn answer(
    exchange: &mut Exchange,
    attempt: &Attempt,
    status: u16,
    body: &Body,
    chunks: &[&[u8]],
) -> Answer {
    let content_type = if body.stream { "text/event-stream" } else { "application/json" };
    let header = |name: &str| (name == "content-type").then(|| content_type.to_owned());
    match chunks {
        // Nothing came at all.
        [] => answer_in(exchange, attempt, status, &header, &[&body.bytes]),
        chunks => answer_in(exchange, attempt, status, &header, chunks),
    }
}

/// The same, for an answer with these headers.
pub fn answer_in(
    exchange: &mut Exchange,
    attempt: &Attempt,
    status: u16,
    header: &dyn Fn(&str) -> Option<String>,
    chunks: &[&[u8]],
) -> Answer {
    let whole = chunks.concat();
    let body = whole.as_slice();
    let reply = |reply: Reply| Answer {
        status: reply.status,
        headers: reply.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: reply.body,
    };
    let passed = |status, body: &[u8]| Answer { status, headers: Vec::new(), body: body.to_vec() };
    match attempt.headers(exchange, status, header, NOW) {
        Step::Pass(status) => passed(status, body),
        Step::Whole => match attempt.whole(exchange, status, body, NOW) {
            None => passed(status, body),
            Some(whole) => reply(whole),
        },
        Step::Stream(mut stream) => {
            let mut client = Vec::new();
            let mut out = Vec::new();
            for chunk in chunks {
                out.clear();
                match stream.push(chunk, &mut out) {
                    true => client.extend_from_slice(chunk),
                    false => client.extend_from_slice(&out),
                }
            }
            out.clear();
            stream.end(&mut out);
            client.extend_from_slice(&out);
            match stream.held() {
                Held::Begun => passed(status, &client),
                Held::Failed(failure) => reply(Reply::failure(exchange.client(), failure)),
                Held::Waiting => panic!("the stream ended and is still held"),
            }
        }
    }
}
