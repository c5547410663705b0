//! The module, policies for it, and what every answer has to be.

use std::path::Path;

use serde_json::{Value, json};
use test_cases::Body;
use test_harness::host::{Answer, Gateway, GatewayBuilder, LogEntry, Module, RequestBuilder, Vendor};

/// The time of day at which the cases' goldens were made.
pub const NOW: u64 = 1_700_000_000;

/// What no log line may hold: the providers' credentials, a caller's key, and the texts of requests and answers.
pub const SECRETS: [&str; 6] =
    ["key-of-openai", "key-of-claude", "key-of-gemini", "key-of-caller", "word-of-client", "word-of-model"];

pub const CHAT: &str = "/v1/chat/completions";

/// The built module.
pub fn module() -> Module {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/sluice.wasm");
    assert!(path.exists(), "{} is missing: run `make module`", path.display());
    Module::load(path).unwrap()
}

/// A policy with the three vendors. `gpt-4o` has all of them as targets, in this order; `openai`, `claude` and `gemini`
/// are models of one target each.
pub fn everyone() -> Value {
    let provider = |name: &str, dialect: &str| {
        json!({
            "dialect": dialect,
            "endpoint": format!("https://{name}.test/base"),
            "credential": {"env": format!("KEY_OF_{}", name.to_uppercase())},
        })
    };
    let targets =
        [("openai", "gpt-4o-2024-11-20"), ("claude", "claude-sonnet-4-5"), ("gemini", "gemini-2.5-flash")]
            .map(|(provider, model)| json!({"provider": provider, "model": model}));
    json!({
        "version": 1,
        "providers": {
            "openai": provider("openai", "openai"),
            "claude": provider("claude", "anthropic"),
            "gemini": provider("gemini", "gemini"),
        },
        "models": {
            "gpt-4o": {"targets": targets, "unsupported": "drop"},
            "openai": {"targets": [targets[0]], "unsupported": "drop"},
            "claude": {"targets": [targets[1]], "unsupported": "drop"},
            "gemini": {"targets": [targets[2]], "unsupported": "drop"},
        },
        "callers": {"anonymous": "allow"},
    })
}

/// A gateway that is not started, with the providers' credentials in its environment.
pub fn builder(policy: impl Into<Vec<u8>>) -> GatewayBuilder {
    ["openai", "claude", "gemini"]
        .into_iter()
        .fold(module().gateway().now(NOW), |builder, name| {
            builder.env(&format!("KEY_OF_{}", name.to_uppercase()), &format!("key-of-{name}"))
        })
        .policy(policy)
}

/// A gateway with the policy [`everyone`].
pub fn gateway() -> Gateway {
    builder(everyone().to_string()).start().unwrap()
}

/// A request for one word, from a model of the policy.
pub fn hello(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "word-of-client"}]})
}

/// A request with this body.
pub fn ask(gateway: &Gateway, body: &Value) -> RequestBuilder {
    gateway.post(CHAT).json(body.to_string())
}

/// A vendor's answer of one word, whole.
pub fn answer(provider: &str) -> Vendor {
    Vendor::json(200, answer_body(provider))
}

/// The body of [`answer`].
pub fn answer_body(provider: &str) -> String {
    let body = match provider {
        "openai" => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-11-20",
            "choices": [{
                "index": 0, "finish_reason": "stop", "logprobs": null,
                "message": {"role": "assistant", "content": "word-of-model", "refusal": null},
            }],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        }),
        "claude" => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
            "content": [{"type": "text", "text": "word-of-model"}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 5, "output_tokens": 2},
        }),
        _ => json!({
            "candidates": [{
                "content": {"role": "model", "parts": [{"text": "word-of-model"}]}, "finishReason": "STOP", "index": 0,
            }],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
            "modelVersion": "gemini-2.5-flash", "responseId": "r1",
        }),
    };
    body.to_string()
}

/// The events of a vendor's streamed answer of one word, each as its bytes.
pub fn events(provider: &str) -> Vec<String> {
    let dialect = if provider == "claude" { "anthropic" } else { provider };
    let cases = test_cases::chat();
    let text = cases.iter().find(|case| case.name == "stream-text").unwrap();
    let exchange = text.exchanges.iter().find(|exchange| exchange.provider == dialect).unwrap();
    let bytes = exchange.response.clone().unwrap().bytes;
    String::from_utf8(bytes).unwrap().split_inclusive("\n\n").map(str::to_owned).collect()
}

/// A vendor's answer of one word, as a stream that brings one event a chunk.
pub fn stream(provider: &str) -> Vendor {
    Vendor::events(events(provider))
}

/// A vendor's answer, in these chunks.
pub fn vendor(status: u16, body: &Body, headers: &[(&str, &str)], chunks: &[&[u8]]) -> Vendor {
    let named = headers.iter().find(|(name, _)| *name == "content-type");
    let own = if body.stream { "text/event-stream" } else { "application/json" };
    let start = Vendor::stream(status, named.map_or(own, |(_, value)| value), Vec::<Vec<u8>>::new());
    let start = headers
        .iter()
        .filter(|(name, _)| *name != "content-type")
        .fold(start, |vendor, (name, value)| vendor.header(name, value));
    chunks.iter().filter(|chunk| !chunk.is_empty()).fold(start, |vendor, chunk| vendor.chunk(*chunk))
}

/// The error in an answer, which has to be one in the client's dialect.
pub fn error(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    let error = answer.json()["error"].clone();
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", answer.text());
    assert!(error["type"].is_string(), "{}", answer.text());
    for field in ["param", "code"] {
        assert!(
            error.get(field).is_some_and(|value| value.is_null() || value.is_string()),
            "{}",
            answer.text()
        );
    }
    error
}

/// The text that an answer brings, whole or streamed.
pub fn words(answer: &Answer) -> String {
    let stream = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    match stream {
        false => answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned(),
        true => test_cases::events(&answer.body())
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
            .collect(),
    }
}

/// No line of a log tells a secret.
pub fn assert_no_secret(log: &[LogEntry]) {
    for entry in log {
        for secret in SECRETS {
            assert!(!entry.message.contains(secret), "the log tells `{secret}`: {}", entry.message);
        }
    }
}
