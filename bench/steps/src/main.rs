//! What the single steps of an exchange cost, natively and in V8: `make bench-core`.
// A tool that runs on a developer's machine, and stops where it can't go on.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use serde_json::{Value, json};
use sluice_core::exchange::{self, Attempt, Exchange, Head, Step};
use sluice_core::identity::Origin;
use sluice_core::policy::{self, Plan};
use sluice_core::redact::{Action, Keys, Masker, Redactor, Selection, Session, rules};
use sluice_core::shared::LocalMemory;

const DIALECTS: [&str; 4] = ["openai", "anthropic", "gemini", "bedrock"];
/// One that each of them serves with a temperature.
const MODELS: [&str; 4] =
    ["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash", "anthropic.claude-3-5-sonnet-20241022-v2:0"];
const KILOBYTES: [usize; 3] = [1, 16, 256];
const EVENTS: usize = 200;
const NOW: Duration = Duration::from_secs(1_806_500_000);
const PROSE: &str = "The committee met on Tuesday to talk about the new library. Nobody could say when it would open, as the roof, \
                     which had been repaired twice, still let the rain in; so they asked for another estimate and went home early. ";
const PERSONAL: &str = "Please call Jane at +1 (415) 555-2671 or write to jane.doe@example.com about invoice 2024-0173; her card \
                        4111 1111 1111 1111 was declined. ";

fn main() {
    divan::main();
}

/// From the client's headers and body to the request that a provider gets. At OpenAI's dialect the body is decoded and passes; at the
/// others it is translated too.
#[divan::bench(args = DIALECTS, consts = KILOBYTES)]
fn request_to<const KILOBYTES_EACH: usize>(bencher: Bencher, dialect: &str) {
    let (plan, body) = (plan(dialect, &[]), request(KILOBYTES_EACH, false));
    let memory = LocalMemory::default();
    bencher.counter(BytesCount::new(body.len())).with_inputs(|| body.clone()).bench_values(|body| {
        let mut exchange = open(&plan, body, &memory);
        let sent = exchange.attempt("p", 1, &memory, NOW).unwrap_or_else(|failure| panic!("{failure:?}"));
        (exchange, sent)
    });
}

/// An answer that is no stream, of 400 bytes of text.
#[divan::bench(args = DIALECTS)]
fn translate_answer(bencher: Bencher, dialect: &str) {
    let plan = plan(dialect, &[]);
    let answer = whole(dialect).to_string().into_bytes();
    bencher.counter(BytesCount::new(answer.len())).with_inputs(|| attempted(&plan, false)).bench_refs(
        |(exchange, attempt)| {
            let Step::Whole = attempt.headers(exchange, 200, &json_header, NOW.as_secs()) else {
                panic!("the answer is a stream");
            };
            black_box(attempt.whole(exchange, 200, &answer, NOW.as_secs()))
        },
    );
}

/// A stream, event by event as they arrive.
#[divan::bench(args = ["openai", "anthropic", "gemini"])]
fn translate_stream(bencher: Bencher, dialect: &str) {
    let plan = plan(dialect, &[]);
    let events = events(dialect);
    bencher.counter(ItemsCount::new(EVENTS)).with_inputs(|| attempted(&plan, true)).bench_refs(
        |(exchange, attempt)| {
            let Step::Stream(mut stream) = attempt.headers(exchange, 200, &sse_header, NOW.as_secs()) else {
                panic!("the answer is no stream");
            };
            let mut out = Vec::new();
            for event in &events {
                out.clear();
                black_box(stream.push(event, &mut out));
            }
            stream.end(&mut out);
        },
    );
}

/// A request of 1 KB from its headers to its end, with so many limits that hold.
#[divan::bench(args = [0, 1, 10, 100])]
fn limits_that_hold(bencher: Bencher, count: usize) {
    limits(bencher, count, json!({}));
}

/// The same with limits for others.
#[divan::bench(args = [10, 100, 1000])]
fn limits_for_others(bencher: Bencher, count: usize) {
    limits(bencher, count, json!({"teams": ["another"]}));
}

fn limits(bencher: Bencher, count: usize, when: Value) {
    let limits: Vec<Value> = (0..count)
        .map(|number| {
            let unit = if number.is_multiple_of(2) { "tokens" } else { "requests" };
            json!({"name": format!("limit-{number}"), "unit": unit, "per": "day", "limit": 1_u64 << 50, "when": when})
        })
        .collect();
    let (plan, body, memory) = (plan("openai", &limits), request(1, false), LocalMemory::default());
    bencher.with_inputs(|| body.clone()).bench_values(|body| {
        let mut exchange = open(&plan, body, &memory);
        exchange.close(&memory, NOW, false);
    });
}

/// A request with guards, and one with all packs of redaction, from its headers to what the provider gets; nothing is found in it.
#[divan::bench(args = ["nothing", "words", "prompt_injection", "redaction"], consts = [1, 16])]
fn request_through<const KILOBYTES_EACH: usize>(bencher: Bencher, what: &str) {
    let section = match what {
        "words" => {
            json!({"guards": [{"name": "w", "kind": "words", "words": ["project nightingale", "blackbird*"]}]})
        }
        "prompt_injection" => json!({"guards": [{"name": "i", "kind": "prompt_injection"}]}),
        "redaction" => {
            json!({"redaction": {"rules": ["pii", "secrets", "gdpr", "hipaa", "pci"], "request": "mask"}})
        }
        _ => json!({}),
    };
    let mut document = document("openai", &[], json!({"anonymous": "allow"}));
    for (name, value) in section.as_object().unwrap() {
        document[name] = value.clone();
    }
    let plan = Arc::new(policy::load(document.to_string().as_bytes(), &|_| Some("key".to_owned())).unwrap());
    let (body, memory) = (request(KILOBYTES_EACH, false), LocalMemory::default());
    bencher.counter(BytesCount::new(body.len())).with_inputs(|| body.clone()).bench_values(|body| {
        let mut exchange = open(&plan, body, &memory);
        let sent = exchange.attempt("p", 1, &memory, NOW).unwrap_or_else(|failure| panic!("{failure:?}"));
        (exchange, sent)
    });
}

/// A text of 64 KB with all rules that are on by default.
#[divan::bench(args = ["prose", "personal"])]
fn redact(bencher: Bencher, kind: &str) {
    let (mut session, text) = (session(), repeated(if kind == "prose" { PROSE } else { PERSONAL }, 1 << 16));
    session.mask(&text);
    bencher.counter(BytesCount::new(text.len())).bench_local(|| session.mask(&text));
}

/// The same in pieces of four bytes, as models stream them.
#[divan::bench(args = ["prose", "personal"])]
fn redact_stream(bencher: Bencher, kind: &str) {
    let (mut session, text) = (session(), repeated(if kind == "prose" { PROSE } else { PERSONAL }, 1 << 16));
    let pieces: Vec<&str> =
        text.as_bytes().chunks(4).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let mut masker = Masker::default();
        let mut out = String::with_capacity(text.len());
        for piece in &pieces {
            masker.push(&mut session, piece, &mut out);
        }
        masker.finish(&mut session, &mut out);
        out
    });
}

/// A policy's text with so many keys, to what requests are decided by.
#[divan::bench(args = [10, 1000, 100_000], sample_count = 5)]
fn load_policy_with_keys(bencher: Bencher, count: usize) {
    let keys: Vec<Value> = (0..count)
        .map(|number| json!({"id": format!("k-{number}"), "sha256": format!("{number:064x}")}))
        .collect();
    let text = document("openai", &[], json!({"keys": keys})).to_string();
    bencher.bench(|| policy::load(text.as_bytes(), &|_| Some("key".to_owned())).is_ok());
}

fn session() -> Session {
    let redactor = Redactor::new(rules().filter(|rule| rule.on).map(Selection::BuiltIn).collect());
    let redactor = Arc::new(redactor.expect("the rules fit"));
    let actions: Arc<[Action]> = vec![Action::Mask; redactor.len()].into();
    Session::new(redactor, actions, Keys::default())
}

fn document(dialect: &str, limits: &[Value], callers: Value) -> Value {
    let endpoint = if dialect == "openai" { "http://p.test/v1" } else { "http://p.test" };
    let mut provider = json!({"dialect": dialect, "endpoint": endpoint, "credential": {"env": "KEY"}});
    if dialect == "bedrock" {
        provider["region"] = json!("eu-central-1");
    }
    let model = DIALECTS.iter().zip(MODELS).find(|(known, _)| **known == dialect).map(|(_, model)| model);
    json!({
        "version": 1,
        "providers": {"p": provider},
        "models": {"m": {"targets": [{"provider": "p", "model": model}]}},
        "callers": callers,
        "limits": limits,
    })
}

fn plan(dialect: &str, limits: &[Value]) -> Arc<Plan> {
    let text = document(dialect, limits, json!({"anonymous": "allow"})).to_string();
    let plan = policy::load(text.as_bytes(), &|_| Some("provider-key".to_owned()));
    Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")))
}

/// A conversation in OpenAI's dialect, in turns of 2 KB.
fn request(kilobytes: usize, stream: bool) -> Vec<u8> {
    let text = repeated(PROSE, kilobytes << 10);
    let turns: Vec<Value> = text
        .as_bytes()
        .chunks(2048)
        .enumerate()
        .map(|(number, turn)| {
            let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
            json!({"role": role, "content": std::str::from_utf8(turn).unwrap()})
        })
        .chain([json!({"role": "user", "content": "And now?"})])
        .collect();
    json!({"model": "m", "max_tokens": 500, "temperature": 0.5, "stream": stream, "messages": turns})
        .to_string()
        .into_bytes()
}

fn repeated(text: &str, bytes: usize) -> String {
    let mut text = text.repeat(bytes / text.len() + 1);
    text.truncate(bytes);
    text
}

fn open(plan: &Arc<Plan>, body: Vec<u8>, memory: &LocalMemory) -> Exchange {
    let headers =
        [(":method", "POST"), (":path", "/v1/chat/completions"), ("content-type", "application/json")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
    exchange::open(plan, Head { headers: &headers, origin: Origin::default() }, NOW)
        .and_then(|opening| opening.read(Some(body), memory))
        .unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body)))
}

fn attempted(plan: &Arc<Plan>, stream: bool) -> (Exchange, Attempt) {
    let memory = LocalMemory::default();
    let mut exchange = open(plan, request(1, stream), &memory);
    let (_, attempt) = exchange.attempt("p", 1, &memory, NOW).unwrap_or_else(|failure| panic!("{failure:?}"));
    (exchange, attempt)
}

fn json_header(name: &str) -> Option<String> {
    (name == "content-type").then(|| "application/json".to_owned())
}

fn sse_header(name: &str) -> Option<String> {
    (name == "content-type").then(|| "text/event-stream".to_owned())
}

fn whole(dialect: &str) -> Value {
    let text = repeated(PROSE, 400);
    match dialect {
        "openai" => json!({
            "id": "c", "object": "chat.completion", "created": 1_763_683_200, "model": "gpt-4o-2024-11-20",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 200, "completion_tokens": 100, "total_tokens": 300},
        }),
        "anthropic" => json!({
            "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 200, "output_tokens": 100},
        }),
        "gemini" => json!({
            "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 200, "candidatesTokenCount": 100, "totalTokenCount": 300},
            "modelVersion": "gemini-2.5-flash", "responseId": "r",
        }),
        _ => json!({
            "metrics": {"latencyMs": 1}, "output": {"message": {"content": [{"text": text}], "role": "assistant"}},
            "stopReason": "end_turn", "usage": {"inputTokens": 200, "outputTokens": 100, "totalTokens": 300},
        }),
    }
}

/// A stream of so many events with text, and what stands around them.
fn events(dialect: &str) -> Vec<Vec<u8>> {
    let (begin, text, end): (&str, &str, &str) = match dialect {
        "openai" => (
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1763683200,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1763683200,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1763683200,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        ),
        "anthropic" => (
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":200,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}\n\n",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":200}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        _ => (
            "",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" word\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":200,\"candidatesTokenCount\":1,\"totalTokenCount\":201},\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"r\"}\n\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":200,\"candidatesTokenCount\":200,\"totalTokenCount\":400},\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"r\"}\n\n",
        ),
    };
    let texts = std::iter::repeat_n(text, EVENTS);
    std::iter::once(begin).chain(texts).chain([end]).map(|event| event.as_bytes().to_vec()).collect()
}
