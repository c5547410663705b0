//! What random exchanges are made of, and the books that are kept of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sluice_core::dialect::ClientDialect;
use sluice_core::policy::{self, Plan};
use sluice_core::usage::Usage;
use test_cases::matrix::frame;

pub const NOW: Duration = Duration::from_secs(1_806_500_000);

/// A provider, and its prices: hundred-millionths of a dollar for a thousand tokens.
#[derive(Debug)]
pub struct Provider {
    pub name: &'static str,
    dialect: &'static str,
    input: u64,
    cached: u64,
    written: u64,
    output: u64,
}

const fn provider(name: &'static str, dialect: &'static str, prices: [u64; 4]) -> Provider {
    let [input, cached, written, output] = prices;
    Provider { name, dialect, input, cached, written, output }
}

/// US dollars for a million tokens, times ten thousand: input, cached, written to the cache, output. Many of them make
/// fractions of a nano-dollar.
pub const PROVIDERS: [Provider; 7] = [
    provider("openai", "openai", [1_500, 750, 1_500, 6_000]),
    provider("azure", "azure_openai", [375, 125, 375, 1_111]),
    provider("claude", "anthropic", [30_003, 3_001, 37_507, 150_009]),
    provider("gemini", "gemini", [1_001, 253, 1_001, 4_007]),
    provider("vertex", "vertex", [999, 111, 999, 3_333]),
    provider("bedrock", "bedrock", [8_007, 803, 10_009, 40_001]),
    provider("cohere", "cohere", [25_001, 25_001, 25_001, 100_003]),
];

fn of(name: &str) -> &'static Provider {
    PROVIDERS.iter().find(|provider| provider.name == name).expect("is known")
}

fn decimal(price: u64) -> String {
    format!("{}.{:04}", price / 10_000, price % 10_000)
}

pub fn plan() -> Arc<Plan> {
    let mut providers = serde_json::Map::new();
    let mut prices = serde_json::Map::new();
    for Provider { name, dialect, input, cached, written, output } in &PROVIDERS {
        let version = if *dialect == "openai" { "/v1" } else { "" };
        let mut provider = json!({
            "dialect": dialect, "endpoint": format!("https://{name}.test{version}"), "credential": {"env": "KEY"},
        });
        match *dialect {
            "vertex" => (provider["region"], provider["project"]) = ("global".into(), "p".into()),
            "bedrock" => provider["region"] = "eu-central-1".into(),
            _ => {}
        }
        providers.insert((*name).to_owned(), provider);
        let price = json!({
            "input": decimal(*input), "cached_input": decimal(*cached), "cache_write": decimal(*written), "output": decimal(*output),
        });
        prices.insert(format!("m-{name}"), price);
    }
    let targets = |names: &[&str]| {
        let targets =
            names.iter().map(|name| json!({"provider": name, "model": format!("m-{name}")})).collect();
        json!({"targets": Value::Array(targets), "unsupported": "drop", "default_max_tokens": 300})
    };
    let every: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
    let team = |team: &str| {
        let digest: String =
            Sha256::digest(format!("key-{team}")).iter().map(|byte| format!("{byte:02x}")).collect();
        json!({"id": team, "sha256": digest, "team": team})
    };
    let much = 1_u64 << 50;
    let day = |name: &str, unit: &str, limit: Value| json!({"name": name, "unit": unit, "per": "day", "limit": limit});
    let with = |mut limit: Value, more: Value| {
        let (Value::Object(limit_fields), Value::Object(more)) = (&mut limit, more) else {
            panic!("objects")
        };
        limit_fields.extend(more);
        limit
    };
    let keys = ["blue", "red", "tight", "cut"].map(team);
    let document = json!({
        "version": 1,
        "providers": providers,
        "models": {
            "all": targets(&every), "chain": targets(&["azure", "bedrock", "vertex"]), "dear": targets(&["claude", "bedrock"]),
            "openai": targets(&["openai"]), "claude": targets(&["claude"]), "gemini": targets(&["gemini"]), "cohere": targets(&["cohere"]),
        },
        "prices": prices,
        "callers": {"keys": keys},
        "limits": [
            day("all-requests", "requests", much.into()),
            day("all-tokens", "tokens", much.into()),
            day("all-input", "input_tokens", much.into()),
            day("all-output", "output_tokens", much.into()),
            day("all-money", "usd", 1_000_000.into()),
            json!({"name": "all-at-once", "unit": "concurrent", "limit": 1000, "by": ["team"]}),
            with(day("money-by-team", "usd", 1_000_000.into()), json!({"by": ["team"]})),
            with(day("money-by-provider", "usd", 1_000_000.into()), json!({"by": ["provider"]})),
            with(day("requests-by-provider", "requests", much.into()), json!({"by": ["provider"]})),
            // It is spent after some thousand calls.
            with(day("tokens-tight", "tokens", 9_000_000.into()), json!({"when": {"teams": ["tight"]}})),
            with(day("money-red", "usd", 12.into()), json!({"when": {"teams": ["red"]}, "models": ["dear"], "action": {"reroute": "gemini"}})),
            with(day("output-cut", "output_tokens", 5_000_000.into()), json!({"when": {"teams": ["cut"]}, "enforce": "mid_stream"})),
        ],
    });
    let plan = policy::load(document.to_string().as_bytes(), &|_| Some("provider-key".to_owned()));
    Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")))
}

/// The path and body of a request in a random dialect.
pub fn request(random: &mut Rng, model: &str) -> (String, Vec<u8>) {
    let text = "Some words of a client. ".repeat(random.usize(1..12));
    let (stream, cap) = (random.bool(), random.u64(20..300));
    let messages = json!([{"role": "user", "content": text}]);
    let (path, body) = match random.u8(..4) {
        0 => {
            let mut body = json!({"model": model, "messages": messages, "stream": stream});
            if random.bool() {
                body["max_tokens"] = cap.into();
            }
            if stream && random.bool() {
                body["stream_options"] = json!({"include_usage": true});
            }
            ("/v1/chat/completions".to_owned(), body)
        }
        1 => (
            "/v1/messages".to_owned(),
            json!({"model": model, "max_tokens": cap, "messages": messages, "stream": stream}),
        ),
        2 => (
            "/v1/responses".to_owned(),
            json!({"model": model, "input": text, "stream": stream, "store": false}),
        ),
        _ => {
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let body = json!({"contents": [{"role": "user", "parts": [{"text": text}]}]});
            (format!("/v1beta/models/{model}:{method}"), body)
        }
    };
    (path, body.to_string().into_bytes())
}

/// What a provider tells that it has used, each count with its own details in it.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub input: u64,
    pub cached: u64,
    pub written: u64,
    pub output: u64,
}

impl Told {
    /// What that costs: worked out here, exactly, and rounded up once.
    pub fn nanos(self, provider: &str) -> u64 {
        let price = of(provider);
        let fresh = self.input - self.cached - self.written;
        let sum = fresh * price.input
            + self.cached * price.cached
            + self.written * price.written
            + self.output * price.output;
        sum.div_ceil(10)
    }
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The provider can't be reached, or breaks off before its answer.
    NoAnswer,
    /// The client has left before.
    Left,
    Answers,
}

/// An answer of a provider.
pub struct Answer {
    pub fate: Fate,
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// `None` where it doesn't tell.
    pub told: Option<Told>,
    /// How much of it comes.
    comes: usize,
    /// Whether its end is announced; otherwise it breaks off.
    pub ends: bool,
}

impl Answer {
    pub fn new(random: &mut Rng, provider: &str, client: ClientDialect, stream: bool) -> Self {
        let dialect = match (of(provider).dialect, client) {
            // These two answer in the client's own dialect.
            ("openai" | "azure_openai", ClientDialect::OpenAiResponses) => "responses",
            (dialect, _) => dialect,
        };
        let content_type = match (stream, dialect) {
            (false, _) => "application/json",
            (true, "bedrock") => "application/vnd.amazon.eventstream",
            (true, _) => "text/event-stream",
        };
        let fate = match random.u8(..100) {
            0..6 => Fate::NoAnswer,
            6..9 => Fate::Left,
            _ => Fate::Answers,
        };
        let plain = |status: u16, body: &str| Self {
            fate,
            status,
            content_type: "application/json",
            body: body.as_bytes().to_vec(),
            told: None,
            comes: body.len(),
            ends: true,
        };
        match random.u8(..100) {
            0..8 => {
                return plain(
                    *random.choice(&[429, 500, 503, 529]).unwrap(),
                    "{\"error\":{\"message\":\"down\"}}",
                );
            }
            8..11 => {
                return plain(400, "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}");
            }
            11..13 => return plain(200, "{\"broken\": ["),
            _ => {}
        }
        let tells = random.u8(..10) > 0;
        let told = told(random, dialect);
        let words = "Some words of a model. ".repeat(random.usize(1..20));
        let body = match stream {
            false => whole(dialect, &words, tells.then_some(told)).to_string().into_bytes(),
            true => {
                let mut events = events(random, dialect, &words, tells.then_some(told));
                match random.u8(..100) {
                    0..5 => events = vec![error(dialect)],
                    5..10 => {
                        events.truncate(random.usize(1..=events.len()));
                        events.push(error(dialect));
                    }
                    _ => {}
                }
                let is_bedrock_error = dialect == "bedrock" && events.iter().any(Value::is_null);
                events.retain(|event| !event.is_null());
                let mut body = frame(dialect, &events);
                if is_bedrock_error {
                    body.extend(b"this is no event of Amazon's at all");
                }
                body
            }
        };
        // Whoever doesn't announce an error has told in the end; the count of what was told holds for whole answers only.
        let is_whole = frame_is_whole(&body, dialect, stream);
        let (comes, ends) = match (stream, random.u8(..100)) {
            (true, 0..8) => (random.usize(1..=body.len()), true),
            (true, 8..20) => (random.usize(1..=body.len()), false),
            _ => (body.len(), true),
        };
        Self { fate, status: 200, content_type, told: (tells && is_whole).then_some(told), comes, ends, body }
    }

    /// Whether all of it comes.
    pub fn is_whole(&self) -> bool {
        self.ends && self.comes == self.body.len()
    }

    /// What comes of it, in random pieces.
    pub fn chunks(&self, random: &mut Rng) -> Vec<&[u8]> {
        let mut rest = &self.body[..self.comes];
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let (chunk, others) = rest.split_at(random.usize(1..=rest.len().min(700)));
            chunks.push(chunk);
            rest = others;
        }
        chunks
    }
}

/// Whether a stream has no error in it.
fn frame_is_whole(body: &[u8], dialect: &str, stream: bool) -> bool {
    let has = |needle: &[u8]| body.windows(needle.len()).any(|window| window == needle);
    !stream
        || !(has(b"\"error\"") || has(b"no event of Amazon's") || (dialect == "cohere" && has(b"\"ERROR\"")))
}

fn told(random: &mut Rng, dialect: &str) -> Told {
    let input = random.u64(10..3000);
    let cached = if random.bool() { random.u64(..input / 2) } else { 0 };
    let writes = matches!(dialect, "anthropic" | "bedrock") && random.bool();
    let written = if writes { random.u64(..input / 2) } else { 0 };
    let cached = if dialect == "cohere" { 0 } else { cached };
    Told { input, cached, written, output: random.u64(150..2500) }
}

fn usage(dialect: &str, told: Told) -> Value {
    let Told { input, cached, written, output } = told;
    match dialect {
        "anthropic" => json!({
            "input_tokens": input - cached - written, "cache_read_input_tokens": cached, "cache_creation_input_tokens": written,
            "output_tokens": output,
        }),
        "gemini" | "vertex" => json!({
            "promptTokenCount": input, "cachedContentTokenCount": cached, "candidatesTokenCount": output - 7,
            "thoughtsTokenCount": 7, "totalTokenCount": input + output,
        }),
        "bedrock" => json!({
            "inputTokens": input - cached - written, "outputTokens": output, "totalTokens": input + output,
            "cacheReadInputTokens": cached, "cacheWriteInputTokens": written,
        }),
        "responses" => json!({
            "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": {"cached_tokens": cached}, "output_tokens_details": {"reasoning_tokens": 5},
        }),
        "cohere" => json!({"billed_units": {"input_tokens": input, "output_tokens": output}}),
        _ => json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": {"cached_tokens": cached}, "completion_tokens_details": {"reasoning_tokens": 5},
        }),
    }
}

/// A whole answer.
fn whole(dialect: &str, words: &str, told: Option<Told>) -> Value {
    let (name, mut answer) = match dialect {
        "anthropic" => (
            "usage",
            json!({"id": "msg", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": words}], "stop_reason": "end_turn", "stop_sequence": null}),
        ),
        "gemini" | "vertex" => (
            "usageMetadata",
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": words}]}, "finishReason": "STOP", "index": 0}], "modelVersion": "m", "responseId": "r"}),
        ),
        "bedrock" => (
            "usage",
            json!({"output": {"message": {"role": "assistant", "content": [{"text": words}]}}, "stopReason": "end_turn", "metrics": {"latencyMs": 1}}),
        ),
        "cohere" => (
            "usage",
            json!({"id": "co", "message": {"role": "assistant", "content": [{"type": "text", "text": words}]}, "finish_reason": "COMPLETE"}),
        ),
        "responses" => (
            "usage",
            json!({"id": "resp", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": [{"type": "message", "id": "msg", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": words, "annotations": []}]}]}),
        ),
        _ => (
            "usage",
            json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": words, "refusal": null}, "logprobs": null, "finish_reason": "stop"}]}),
        ),
    };
    if let Some(told) = told {
        answer[name] = usage(dialect, told);
    }
    answer
}

/// The events of a streamed answer.
fn events(random: &mut Rng, dialect: &str, words: &str, told: Option<Told>) -> Vec<Value> {
    let pieces: Vec<&str> = words.split_inclusive(' ').collect();
    let size = random.usize(1..8);
    let pieces: Vec<String> = pieces.chunks(size).map(<[&str]>::concat).collect();
    let used = told.map(|told| usage(dialect, told));
    match dialect {
        "anthropic" => {
            let mut start = json!({"type": "message_start", "message": {"id": "msg", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null, "stop_sequence": null}});
            let mut end =
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}});
            if let (Some(mut used), Some(told)) = (used, told) {
                end["usage"] = json!({"output_tokens": told.output});
                used["output_tokens"] = 1.into();
                start["message"]["usage"] = used;
            }
            let begin = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
            let mut events = vec![start, json!({"type": "ping"}), begin];
            events.extend(pieces.iter().map(|piece| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})));
            events.extend([
                json!({"type": "content_block_stop", "index": 0}),
                end,
                json!({"type": "message_stop"}),
            ]);
            events
        }
        "gemini" | "vertex" => {
            let last = pieces.len() - 1;
            let event = |(position, piece): (usize, &String)| {
                let mut event = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": piece}]}, "index": 0}], "modelVersion": "m", "responseId": "r"});
                if position == last {
                    event["candidates"][0]["finishReason"] = "STOP".into();
                }
                if let (true, Some(used)) = (position == last, &used) {
                    event["usageMetadata"] = used.clone();
                }
                event
            };
            pieces.iter().enumerate().map(event).collect()
        }
        "bedrock" => {
            let mut events = vec![json!({"messageStart": {"role": "assistant"}})];
            events.extend(pieces.iter().map(
                |piece| json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": piece}}}),
            ));
            events.push(json!({"contentBlockStop": {"contentBlockIndex": 0}}));
            events.push(json!({"messageStop": {"stopReason": "end_turn"}}));
            events.extend(used.map(|used| json!({"metadata": {"usage": used, "metrics": {"latencyMs": 1}}})));
            events
        }
        "responses" => {
            let begun = json!({"id": "resp", "object": "response", "created_at": 1, "status": "in_progress", "model": "m", "output": []});
            let item = json!({"type": "message", "id": "msg", "status": "in_progress", "role": "assistant", "content": []});
            let part = json!({"type": "output_text", "text": "", "annotations": []});
            let mut events = vec![
                json!({"type": "response.created", "response": begun}),
                json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
                json!({"type": "response.content_part.added", "item_id": "msg", "output_index": 0, "content_index": 0, "part": part}),
            ];
            events.extend(pieces.iter().map(|piece| json!({"type": "response.output_text.delta", "item_id": "msg", "output_index": 0, "content_index": 0, "delta": piece})));
            events.push(json!({"type": "response.output_text.done", "item_id": "msg", "output_index": 0, "content_index": 0, "text": words}));
            events.push(json!({"type": "response.completed", "response": whole(dialect, words, told)}));
            events
        }
        "cohere" => {
            let mut events = vec![
                json!({"id": "co", "type": "message-start", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}),
                json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}),
            ];
            events.extend(pieces.iter().map(|piece| json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}})));
            let mut end = json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}});
            if let Some(used) = used {
                end["delta"]["usage"] = used;
            }
            events.extend([json!({"type": "content-end", "index": 0}), end]);
            events
        }
        _ => {
            let chunk = |choices: Value, used: Value| json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": used});
            let delta = |delta: Value, finish: Value| {
                chunk(
                    json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]),
                    Value::Null,
                )
            };
            let mut events =
                vec![delta(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null)];
            events.extend(pieces.iter().map(|piece| delta(json!({"content": piece}), Value::Null)));
            events.push(delta(json!({}), "stop".into()));
            events.extend(used.map(|used| chunk(json!([]), used)));
            events.push("[DONE]".into());
            events
        }
    }
}

/// An error as an event; `null` where the framing has none that is an object.
fn error(dialect: &str) -> Value {
    match dialect {
        "anthropic" => {
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
        }
        "gemini" | "vertex" => json!({"error": {"code": 503, "message": "down", "status": "UNAVAILABLE"}}),
        "bedrock" => Value::Null,
        "cohere" => json!({"type": "message-end", "delta": {"finish_reason": "ERROR"}}),
        "responses" => json!({"type": "error", "code": "server_error", "message": "down", "param": null}),
        _ => json!({"error": {"message": "down", "type": "server_error", "param": null, "code": null}}),
    }
}

/// What an account is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub team: String,
    pub provider: String,
    /// The name that clients send.
    pub model: String,
}

/// What has been used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    pub calls: u64,
    pub input: u64,
    pub output: u64,
    pub nanos: u64,
}

/// The books.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: HashMap<Key, Account>,
    /// By the limit's name.
    pub refused: HashMap<String, u64>,
    /// By the metric's name and the type of what it counts.
    pub metrics: HashMap<String, u64>,
    /// By the field's name.
    pub log: HashMap<&'static str, u64>,
    pub calls: u64,
    /// Exchanges of which the provider told what they used.
    pub told: u64,
    pub failovers: u64,
    pub overtaken: u64,
    pub cut: u64,
    pub headers: u64,
    pub comments: u64,
}

impl Ledger {
    pub fn enter(&mut self, key: Key, usage: &Usage, nanos: u64) {
        let account = self.accounts.entry(key).or_default();
        account.calls += 1;
        account.input += usage.input;
        account.output += usage.output;
        account.nanos += nanos;
    }

    pub fn of(&self, count: impl Fn(&Account) -> u64) -> u64 {
        self.of_those(|_| true, count)
    }

    /// Over these accounts.
    pub fn of_those(&self, whose: impl Fn(&Key) -> bool, count: impl Fn(&Account) -> u64) -> u64 {
        self.accounts.iter().filter(|(key, _)| whose(key)).map(|(_, account)| count(account)).sum()
    }

    pub fn sum(ledgers: Vec<Self>) -> Self {
        let mut total = Self::default();
        for ledger in ledgers {
            for (key, account) in ledger.accounts {
                let mine = total.accounts.entry(key).or_default();
                mine.calls += account.calls;
                mine.input += account.input;
                mine.output += account.output;
                mine.nanos += account.nanos;
            }
            for (name, count) in ledger.refused {
                *total.refused.entry(name).or_default() += count;
            }
            for (name, value) in ledger.metrics {
                *total.metrics.entry(name).or_default() += value;
            }
            for (name, value) in ledger.log {
                *total.log.entry(name).or_default() += value;
            }
            total.calls += ledger.calls;
            total.told += ledger.told;
            total.failovers += ledger.failovers;
            total.overtaken += ledger.overtaken;
            total.cut += ledger.cut;
            total.headers += ledger.headers;
            total.comments += ledger.comments;
        }
        total
    }
}

/// A decimal number of dollars as nano-dollars.
pub fn nanos(usd: &str) -> u64 {
    let (whole, rest) = usd.split_once('.').unwrap_or((usd, ""));
    assert!(rest.len() <= 9, "{usd}");
    whole.parse::<u64>().unwrap() * 1_000_000_000 + format!("{rest:0<9}").parse::<u64>().unwrap()
}
