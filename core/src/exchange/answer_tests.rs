//! Answers told as stories: what a provider's headers and bodies become for clients of each dialect.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::identity::Origin;
use crate::policy;
use crate::shared::LocalMemory;

const NOW: u64 = 1_700_000_000;

fn plan(unsupported: &str) -> Arc<Plan> {
    let provider = |dialect: &str| json!({"dialect": dialect, "endpoint": format!("https://{dialect}.test"), "credential": {"env": "KEY"}});
    let mut bedrock = provider("bedrock");
    bedrock["region"] = json!("eu-central-1");
    let mut official = provider("openai");
    official["endpoint"] = json!("https://api.openai.com/v1");
    let model = |provider: &str, model: &str| json!({"targets": [{"provider": provider, "model": model}], "unsupported": unsupported});
    let document = json!({
        "version": 1,
        "providers": {"openai": provider("openai"), "gemini": provider("gemini"), "bedrock": bedrock, "official": official},
        "models": {
            "embed": model("bedrock", "cohere.embed-multilingual-v3"),
            "rank": model("bedrock", "cohere.rerank-v3-5:0"),
            "paint": model("gemini", "gemini-3-pro-image"),
            "chat": model("openai", "gpt-5.5"),
            "official": model("official", "gpt-5.5"),
            "llama": model("bedrock", "us.meta.llama3-3-70b-instruct-v1:0"),
            "voice": model("openai", "gpt-realtime"),
        },
        "callers": {"keys": [{"id": "me", "sha256": "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"}]},
    });
    Arc::new(
        policy::load(document.to_string().as_bytes(), &|_| Some("vendor-key".to_owned())).expect("is good"),
    )
}

fn open_at(
    path: &str,
    method: &str,
    more: &[(&str, &str)],
    body: Option<&Value>,
    unsupported: &str,
) -> Result<Exchange, Reply> {
    let headers: Vec<_> = [(":method", method), (":path", path)]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let head = Head { headers: &headers, origin: Origin::default() };
    open(&plan(unsupported), head, Duration::from_secs(NOW))?
        .read(body.map(|body| body.to_string().into_bytes()), &LocalMemory::default())
}

/// What becomes of a whole answer with these headers: the status, the body, and the exchange.
fn answer(path: &str, request: &Value, body: &str, headers: &[(&str, &str)]) -> (u16, Value, Exchange) {
    let (reply, exchange) = answered(path, request, body, headers);
    let reply = reply.expect("is translated");
    (reply.status, serde_json::from_slice(&reply.body).expect("JSON"), exchange)
}

/// The same; no reply where the provider's bytes pass as they are.
fn answered(path: &str, request: &Value, body: &str, headers: &[(&str, &str)]) -> (Option<Reply>, Exchange) {
    let key = [("authorization", "Bearer token")];
    let mut exchange = open_at(path, "POST", &key, Some(request), "refuse").expect("opens");
    let provider = exchange.model.targets[0].provider.name.clone();
    let (_, attempt) = exchange
        .attempt(&provider, 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let header = |name: &str| {
        let mut all = headers.iter().chain(&[("content-type", "application/json")]);
        all.find(|(header, _)| *header == name).map(|(_, value)| (*value).to_owned())
    };
    assert!(matches!(attempt.headers(&mut exchange, 200, &header, NOW), Step::Whole));
    (attempt.whole(&mut exchange, 200, body.as_bytes(), NOW), exchange)
}

#[test]
fn a_usage_that_stands_in_headers_alone_is_read() {
    let request = json!({"model": "embed", "input": ["a", "b"]});
    let body = r#"{"id":"e","embeddings":{"float":[[1,2],[3,4]]}}"#;
    let counted = [("x-amzn-bedrock-input-token-count", "17"), ("x-amzn-bedrock-output-token-count", "0")];
    let (_, answered, exchange) = answer("/v1/embeddings", &request, body, &counted);
    assert_eq!(answered["usage"]["prompt_tokens"], 17);
    let usage = exchange.usage().expect("is told");
    assert_eq!((usage.input, usage.output, usage.estimated), (17, 0, false));

    let (_, _, exchange) = answer("/v1/embeddings", &request, body, &[]);
    assert!(exchange.usage().expect("is estimated").estimated);
    let (_, _, exchange) =
        answer("/v1/embeddings", &request, body, &[("x-amzn-bedrock-input-token-count", "many")]);
    assert!(exchange.usage().expect("is estimated").estimated);

    let request = json!({"model": "rank", "query": "q", "documents": ["a", "b"]});
    let body = r#"{"results":[{"index":1,"relevance_score":0.5}]}"#;
    let (_, answered, exchange) = answer("/v1/rerank", &request, body, &counted);
    assert_eq!(
        (answered["usage"]["total_tokens"].as_u64(), exchange.usage().map(|usage| usage.input)),
        (Some(17), Some(17))
    );
    let (_, answered, _) = answer("/v1/rerank", &request, body, &[]);
    assert_eq!(answered.get("usage"), None, "nobody has told it");
}

/// Where nobody tells a usage, an answer that passes as it is counts by its words, not by what is around them.
#[test]
fn an_answer_without_usage_counts_by_what_it_says() {
    const WORDS: &str = "It was a dark and stormy night, and the rain fell in torrents.";
    let words = crate::usage::estimate::text(WORDS);
    let chat = json!({"model": "chat", "messages": [{"role": "user", "content": "Hello"}]});
    let zeros = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    let call = json!([{"id": "call_1", "type": "function", "function": {"name": "tell", "arguments": json!({"words": WORDS}).to_string()}}]);
    let count = |path: &str, request: &Value, body: Value| {
        let (reply, exchange) = answered(path, request, &body.to_string(), &[]);
        assert!(reply.is_none(), "{body} passes");
        let usage = exchange.usage().expect("is estimated");
        assert!(usage.estimated && usage.input > 0, "{usage:?}");
        usage.output
    };
    let whole = |message: Value, usage: &Value| {
        json!({"id": "a", "object": "chat.completion", "created": 1, "model": "gpt-5.5", "usage": usage,
            "system_fingerprint": "f".repeat(100), "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    };
    for usage in [&Value::Null, &zeros] {
        let said = whole(json!({"role": "assistant", "content": WORDS}), usage);
        assert_eq!(count("/v1/chat/completions", &chat, said), words);
        let called = whole(json!({"role": "assistant", "content": null, "tool_calls": call}), usage);
        let tokens = count("/v1/chat/completions", &chat, called);
        assert!((words + 5..words + 30).contains(&tokens), "{tokens} of a call with {words}");
    }
    // A form that nobody knows is not free.
    let strange = count("/v1/chat/completions", &chat, json!({"id": "a", "model": "m", "words": WORDS}));
    assert!((words..words + 30).contains(&strange), "{strange}");

    let request = json!({"model": "official", "input": "Hello"});
    let echo = "What it was asked for is repeated in such an answer. ".repeat(50);
    let body = json!({"id": "resp_1", "object": "response", "model": "gpt-5.5", "status": "completed", "instructions": echo,
        "output": [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": WORDS, "annotations": []}]}]});
    let tokens = count("/v1/responses", &request, body);
    assert!((words..words + 60).contains(&tokens), "{tokens}");
}

#[test]
fn an_answer_to_something_else_is_malformed() {
    let rank = json!({"model": "rank", "query": "q", "documents": ["a", "b"]});
    let embed = json!({"model": "embed", "input": ["a", "b"]});
    for (path, request, body) in [
        (
            "/v1/rerank",
            &rank,
            r#"{"results":[{"index":0,"relevance_score":1},{"index":2,"relevance_score":0.5}]}"#,
        ),
        ("/v2/rerank", &rank, r#"{"results":[{"index":4294967295,"relevance_score":1}]}"#),
        ("/v1/embeddings", &embed, r#"{"embeddings":[[1,2]]}"#),
        ("/v1/embeddings", &embed, r#"{"embeddings":[[1,2],[1,2],[1,2]]}"#),
    ] {
        let (status, answered, _) = answer(path, request, body, &[]);
        assert_eq!(status, 502, "{body}: {answered}");
    }
    let good = r#"{"results":[{"index":1,"relevance_score":1},{"index":0,"relevance_score":0.5}]}"#;
    assert_eq!(answer("/v2/rerank", &rank, good, &[]).0, 200);
}

const PAINTED: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Here:"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},"finishReason":"STOP"}],"responseId":"r"}"#;

fn paint(path: &str) -> Value {
    match path {
        "/v1/responses" => json!({"model": "paint", "input": "a cat"}),
        "/v1/completions" => json!({"model": "paint", "prompt": "a cat"}),
        _ => json!({"model": "paint", "max_tokens": 99, "messages": [{"role": "user", "content": "a cat"}]}),
    }
}

#[test]
fn an_image_in_an_answer_is_shown_or_told_of() {
    let (status, answered, _) = answer("/v1/responses", &paint("/v1/responses"), PAINTED, &[]);
    assert_eq!(status, 200);
    let image = &answered["output"][1];
    assert_eq!((&image["type"], &image["result"]), (&json!("image_generation_call"), &json!("iVBO")));
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/messages"] {
        let (status, answered, _) = answer(path, &paint(path), PAINTED, &[]);
        assert_eq!(status, 502, "{path}: {answered}");
        assert!(answered["error"]["message"].as_str().expect("a message").contains("media"), "{answered}");
    }
}

/// What a client gets of Gemini's stream of these events: whether it began, and the bytes.
fn streamed(path: &str, request: &Value, events: &[&str]) -> (Held, String, u16) {
    let key = [("authorization", "Bearer token")];
    let mut exchange = open_at(path, "POST", &key, Some(request), "refuse").expect("opens");
    let (_, attempt) = exchange
        .attempt("gemini", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let header = |name: &str| (name == "content-type").then(|| "text/event-stream".to_owned());
    let Step::Stream(mut stream) = attempt.headers(&mut exchange, 200, &header, NOW) else {
        panic!("streams")
    };
    let mut out = Vec::new();
    for event in events {
        stream.push(format!("data: {event}\r\n\r\n").as_bytes(), &mut out);
    }
    stream.end(&mut out);
    let status = match stream.held() {
        Held::Failed(failure) => failure.status,
        _ => 200,
    };
    let begun = match stream.held() {
        Held::Failed(failure) => Held::Failed(failure.clone()),
        Held::Begun => Held::Begun,
        Held::Waiting => Held::Waiting,
    };
    (begun, String::from_utf8(out).expect("is text"), status)
}

#[test]
fn an_image_in_a_stream_is_shown_or_told_of() {
    let text = r#"{"candidates":[{"content":{"parts":[{"text":"Here:"}]}}],"responseId":"r"}"#;
    let image = r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},"finishReason":"STOP"}]}"#;
    let mut request = paint("/v1/responses");
    request["stream"] = json!(true);
    let (_, out, _) = streamed("/v1/responses", &request, &[text, image]);
    assert!(
        out.contains("response.image_generation_call.completed") && out.contains("response.completed"),
        "{out}"
    );
    assert!(out.contains(r#""result":"iVBO""#), "{out}");

    // Gemini's own clients may want their streams as one array, which is translated.
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "a cat"}]}]});
    let (_, out, _) = streamed("/v1beta/models/paint:streamGenerateContent", &contents, &[text, image]);
    let all: Value = serde_json::from_str(&out).expect("is an array");
    assert_eq!(
        all[1]["candidates"][0]["content"]["parts"],
        json!([{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}])
    );

    for path in ["/v1/chat/completions", "/v1/completions", "/v1/messages"] {
        let mut request = paint(path);
        request["stream"] = json!(true);
        let (held, out, _) = streamed(path, &request, &[text, image, text]);
        assert_eq!(held, Held::Begun);
        let (before, error) = out.split_once("\"error\"").expect("ends in an error");
        assert!(before.contains("Here:") && error.contains("media"), "{path}: {out}");
        assert!(
            !error.contains("Here:") && !error.contains("[DONE]") && !error.contains("message_stop"),
            "{path}: {out}"
        );
    }
}

#[test]
fn a_failed_result_is_named_where_it_can_not_be_told() {
    let loop_of = |model: &str| {
        json!({"model": model, "max_tokens": 99, "tools": [{"name": "f", "input_schema": {"type": "object"}}], "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ENOENT", "is_error": true}]},
        ]})
    };
    for (model, provider) in [("chat", "openai"), ("llama", "bedrock")] {
        for policy in ["refuse", "drop"] {
            let key = [("x-api-key", "token")];
            let mut exchange =
                open_at("/v1/messages", "POST", &key, Some(&loop_of(model)), policy).expect("agents go on");
            let _ = exchange
                .attempt(provider, 1, &LocalMemory::default(), Duration::from_secs(NOW))
                .expect("can be asked");
            let dropped = ("x-sluice-dropped", "messages[2].content[0].is_error".to_owned());
            assert_eq!(exchange.remarks().last(), Some(&dropped), "{model}");
        }
    }
}

#[test]
fn a_sockets_key_is_a_credential_and_goes_nowhere() {
    let path = "/v1/realtime?model=voice";
    let socket = |protocols: &'static str| {
        vec![("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-protocol", protocols)]
    };
    let offered = "realtime, openai-insecure-api-key.token, openai-organization.org-1, other.secret, openai-beta.realtime-v1";
    let mut exchange = open_at(path, "GET", &socket(offered), None, "refuse").expect("opens");
    let (request, attempt) = exchange
        .attempt("openai", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let protocols: Vec<_> =
        request.headers.iter().filter(|(name, _)| name == "sec-websocket-protocol").collect();
    assert_eq!(
        protocols,
        [&("sec-websocket-protocol".to_owned(), "realtime, openai-beta.realtime-v1".to_owned())]
    );
    assert!(!format!("{:?}", request.headers).contains("insecure"), "{:?}", request.headers);
    let credential = ("authorization".to_owned(), "Bearer vendor-key".to_owned());
    assert!(request.headers.contains(&credential));

    let answered = |theirs: &[(&str, &str)]| {
        let theirs = theirs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let headers = attempt.headers_for_client(theirs, 101, &[], Length::Unknown);
        let chosen = headers.into_iter().filter(|(name, _)| name == "sec-websocket-protocol");
        chosen.map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(answered(&[("upgrade", "websocket")]), ["realtime"], "a browser waits for one");
    assert_eq!(
        answered(&[("sec-websocket-protocol", "openai-beta.realtime-v1")]),
        ["openai-beta.realtime-v1"]
    );

    for protocols in [
        "realtime",
        "openai-insecure-api-key.wrong",
        "openai-insecure-api-key.token, openai-insecure-api-key.wrong",
    ] {
        assert_eq!(
            open_at(path, "GET", &socket(protocols), None, "refuse").expect_err("is refused").status,
            401
        );
    }
    // Who opens no socket has no protocols.
    let no_socket = [("sec-websocket-protocol", offered)];
    assert_eq!(open_at(path, "GET", &no_socket, None, "refuse").expect_err("is refused").status, 401);

    // Who offers nothing is told nothing.
    let key = [("authorization", "Bearer token"), ("upgrade", "websocket")];
    let mut exchange = open_at(path, "GET", &key, None, "refuse").expect("opens");
    let (_, attempt) = exchange
        .attempt("openai", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let headers = attempt.headers_for_client(Vec::new(), 101, &[], Length::Unknown);
    assert!(!headers.iter().any(|(name, _)| name == "sec-websocket-protocol"));
}
