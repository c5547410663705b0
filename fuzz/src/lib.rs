//! What the fuzz targets share: each takes bytes from outside through the core as the filters would.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::json;
use sluice_core::conversation::Event;
use sluice_core::dialect::{Asked, Call, ClientDialect, ClientStream, ProviderDialect, ProviderStream};
use sluice_core::exchange::{self, Head};
use sluice_core::policy::{self, Plan};
use sluice_core::shared::LocalMemory;
use sluice_core::stream::{aws, sse};
use sluice_core::task::TaskKind;

const NOW: u64 = 1_700_000_000;

/// A policy with a model for each provider's dialect, and `m`, which tries them all.
static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let provider = |dialect: ProviderDialect| {
        let mut entry = json!({"dialect": dialect.name(), "endpoint": "https://p.test", "credential": {"env": "KEY"}});
        if matches!(dialect, ProviderDialect::Bedrock | ProviderDialect::Vertex) {
            entry["region"] = json!("eu-central-1");
        }
        if dialect == ProviderDialect::Vertex {
            entry["project"] = json!("p");
        }
        (dialect.name().to_owned(), entry)
    };
    let targets: Vec<_> = ProviderDialect::ALL
        .iter()
        .map(|dialect| json!({"provider": dialect.name(), "model": model(*dialect)}))
        .collect();
    let models: serde_json::Map<_, _> = ["refuse", "drop"]
        .iter()
        .flat_map(|unsupported| {
            targets.iter().map(move |target| {
                let name = format!("{unsupported}-{}", target["provider"].as_str().unwrap_or_default());
                (name, json!({"targets": [target], "unsupported": unsupported}))
            })
        })
        .collect();
    let document = json!({
        "version": 1,
        "providers": ProviderDialect::ALL.into_iter().map(provider).collect::<serde_json::Map<_, _>>(),
        "models": models,
        "callers": {"anonymous": "allow"},
    });
    Arc::new(policy::load(document.to_string().as_bytes(), &|_| Some("key".to_owned())).expect("is a policy"))
});

fn model(dialect: ProviderDialect) -> &'static str {
    match dialect {
        ProviderDialect::OpenAi | ProviderDialect::AzureOpenAi => "gpt-5.5",
        ProviderDialect::Anthropic => "claude-sonnet-4-5",
        ProviderDialect::Gemini | ProviderDialect::Vertex => "gemini-2.5-flash",
        ProviderDialect::Bedrock => "anthropic.claude-sonnet-4-5-20250929-v1:0",
        ProviderDialect::Cohere => "command-a-03-2025",
    }
}

/// A client's request: read, and written for every provider, each time under a policy that refuses what a provider lacks
/// and under one that drops it.
pub fn request(path: &str, content_type: &str, body: &[u8]) {
    for dialect in ProviderDialect::ALL {
        for unsupported in ["refuse", "drop"] {
            let name = format!("{unsupported}-{}", dialect.name());
            let (path, body) = named(path, body, &name);
            let headers = [(":method", "POST"), (":path", &path), ("content-type", content_type)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            let opening = exchange::open(&PLAN, Head { headers: &headers, origin: sluice_core::identity::Origin::default() }, Duration::from_secs(NOW));
            let Ok(mut exchange) = opening.expect("is served").read(Some(body), &LocalMemory::default()) else { continue };
            let (request, _) =
                exchange.attempt(dialect.name(), 1, &LocalMemory::default(), Duration::from_secs(NOW)).expect("was prepared");
            if content_type == "application/json" && let Some(body) = request.body {
                serde_json::from_slice::<serde::de::IgnoredAny>(&body).expect("is JSON");
            }
        }
    }
}

/// The body (or path) with the model `m` under another name.
fn named(path: &str, body: &[u8], name: &str) -> (String, Vec<u8>) {
    let text = String::from_utf8_lossy(body);
    let body = match std::str::from_utf8(body) {
        Ok(_) => text.replacen("\"m\"", &format!("\"{name}\""), 1).into_bytes(),
        Err(_) => body.to_vec(),
    };
    (path.replace("/m:", &format!("/{name}:")), body)
}

/// A provider's answer, whole and as a stream that is cut in two, for a client of every dialect.
pub fn answer(dialect: ProviderDialect, bytes: &[u8]) {
    for kind in TaskKind::ALL {
        if let Ok(outcome) = dialect.decode(kind, model(dialect), bytes) {
            for client in CLIENTS.iter().filter(|client| client.kind() == kind) {
                if let Ok(body) = client.encode(&outcome, &asked(), NOW) {
                    serde_json::from_slice::<serde::de::IgnoredAny>(&body).expect("is JSON");
                }
            }
        }
    }
    let _ = dialect.decode_failure(400, bytes);
    let (first, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (usize::from(*first), rest));
    let cut = first.min(rest.len());
    for client in CLIENTS {
        let Some(writer) = client.stream(asked(), NOW) else { continue };
        stream(dialect.stream(model(dialect)), writer, dialect == ProviderDialect::Bedrock, &[&rest[..cut], &rest[cut..]]);
    }
}

/// A stream in the provider's own framing, through a reader and a client's writer; what it becomes is text.
pub fn stream(mut reader: ProviderStream, mut writer: ClientStream, is_aws: bool, chunks: &[&[u8]]) {
    let mut out = Vec::new();
    let mut over = false;
    let mut take = |event: Event<'_>| {
        assert!(!over, "nothing follows an end or an error");
        over = matches!(event, Event::End | Event::Error(_));
        writer.event(event, &mut out);
    };
    let mut events = |event: sse::Event<'_>| reader.event(event.name, &event.data, &mut take);
    if is_aws {
        let mut decoder = aws::Decoder::new(1 << 16);
        let _ = chunks.iter().try_for_each(|chunk| decoder.push(chunk, &mut events));
        let _ = decoder.finish(&mut events);
    } else {
        let mut decoder = sse::Decoder::new(1 << 16);
        let _ = chunks.iter().try_for_each(|chunk| decoder.push(chunk, &mut events));
        let _ = decoder.finish(&mut events);
    }
    reader.end(&mut take);
    String::from_utf8(out).expect("is text");
}

/// What a client asked for.
pub fn asked() -> Asked {
    Asked { model: "m".to_owned(), stream_usage: true, custom_tools: vec!["f".to_owned()], ..Asked::default() }
}

/// The clients that hold conversations.
pub const CLIENTS: [ClientDialect; 5] = [
    ClientDialect::OpenAiChat,
    ClientDialect::OpenAiResponses,
    ClientDialect::OpenAiCompletions,
    ClientDialect::Anthropic,
    ClientDialect::Gemini,
];

/// A client's body alone, for a path that has no provider behind it here.
pub fn decode(path: &str, body: &[u8]) {
    let call = Call::of("POST", path).expect("is served");
    if let Ok(task) = ClientDialect::decode(&call, body) {
        let _ = ClientDialect::asked(&call, &task, body, "m");
    }
}

/// A provider's whole answer or stream in the client's own dialect: what passes, and what is read of it, as the filters do.
pub fn passing(path: &str, bytes: &[u8]) {
    let (first, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let streams = first % 2 == 0;
    let body = json!({"model": "refuse-azure_openai", "input": "x", "prompt": "x", "stream": streams}).to_string();
    let body = match path {
        "/v1/responses" => body.replace("\"prompt\":\"x\",", ""),
        _ => body.replace("\"input\":\"x\",", ""),
    };
    let headers = [(":method", "POST"), (":path", path)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let opening = exchange::open(&PLAN, Head { headers: &headers, origin: sluice_core::identity::Origin::default() }, Duration::from_secs(NOW));
    let exchange = opening.expect("is served").read(Some(body.into_bytes()), &LocalMemory::default());
    let mut exchange = exchange.unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body)));
    let (_, attempt) = exchange.attempt("azure_openai", 1, &LocalMemory::default(), Duration::from_secs(NOW)).expect("is a target");
    let kind = if streams { "text/event-stream" } else { "application/json" };
    let header = |name: &str| (name == "content-type").then(|| kind.to_owned());
    match attempt.headers(&mut exchange, 200, &header, NOW) {
        exchange::Step::Stream(mut stream) => {
            let cut = usize::from(first).min(rest.len());
            let mut out = Vec::new();
            stream.push(&rest[..cut], &mut out);
            stream.push(&rest[cut..], &mut out);
            stream.end(&mut out);
        }
        _ => drop(attempt.whole(&mut exchange, 200, rest, NOW)),
    }
}

/// The same policy, with redaction.
static MASKING: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let document = json!({
        "version": 1,
        "providers": {"azure": {"dialect": "azure_openai", "endpoint": "https://p.test", "credential": {"env": "KEY"}}},
        "models": {"m": {"targets": [{"provider": "azure", "model": "gpt-5.5"}]}},
        "callers": {"anonymous": "allow"},
        "redaction": {"rules": ["pii", "secrets"], "request": "pseudonym", "key": {"env": "KEY"}},
    });
    let environment = |_: &str| Some("a key that is long enough".to_owned());
    Arc::new(policy::load(document.to_string().as_bytes(), &environment).expect("is a policy"))
});

/// A stream of a client's own dialect that is masked, whole and cut in two.
pub fn masked(path: &str, bytes: &[u8]) {
    let (first, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let run = |chunks: &[&[u8]]| {
        let text = "I am bob@example.com, +1 415 555 2671";
        let body = match path {
            "/v1/responses" => json!({"model": "m", "input": text, "stream": true}),
            _ => json!({"model": "m", "messages": [{"role": "user", "content": text}], "stream": true}),
        };
        let headers =
            [(":method", "POST"), (":path", path)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let head = Head { headers: &headers, origin: sluice_core::identity::Origin::default() };
        let opening = exchange::open(&MASKING, head, Duration::from_secs(NOW)).expect("is served");
        let memory = LocalMemory::default();
        let mut exchange = opening.read(Some(body.to_string().into_bytes()), &memory).expect("is a request");
        let (_, attempt) = exchange.attempt("azure", 1, &memory, Duration::from_secs(NOW)).expect("is a target");
        let header = |name: &str| (name == "content-type").then(|| "text/event-stream".to_owned());
        let exchange::Step::Stream(mut stream) = attempt.headers(&mut exchange, 200, &header, NOW) else {
            panic!("is a stream");
        };
        let mut out = Vec::new();
        for chunk in chunks {
            assert!(!stream.push(chunk, &mut out), "nothing passes by");
        }
        stream.end(&mut out);
        // Of what fails before its first event, the client gets an error in the place of all of it.
        match stream.held() {
            exchange::Held::Failed(_) => Vec::new(),
            _ => out,
        }
    };
    let cut = (rest.len() * usize::from(first)) / 255;
    assert_eq!(run(&[rest]), run(&[&rest[..cut], &rest[cut..]]));
}

/// A policy with a judge of each kind, asked about requests and answers.
static JUDGED: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let both = json!(["request", "response"]);
    let document = json!({
        "version": 1,
        "providers": {"p": {"dialect": "openai", "endpoint": "https://p.test", "credential": {"env": "KEY"}}},
        "models": {"m": {"targets": [{"provider": "p", "model": "gpt-5.5"}]}},
        "callers": {"anonymous": "allow"},
        "guards": [
            {"name": "a", "kind": "judge", "moderation": {"provider": "p", "threshold": 0.5, "categories": ["a*"]}, "on": both},
            {"name": "b", "kind": "judge", "chat": {"provider": "p", "model": "j", "instruction": "i"}, "on": both},
            {"name": "c", "kind": "judge", "webhook": {"url": "https://j.test"}, "on": both},
        ],
    });
    Arc::new(policy::load(document.to_string().as_bytes(), &|_| Some("key".to_owned())).expect("is a policy"))
});

/// Bytes as the answer of every judge, and as what judges are asked about: a stream of any client's, and a whole answer.
pub fn judge(bytes: &[u8]) {
    let now = Duration::from_secs(NOW);
    for stream in [false, true] {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": stream});
        let headers = [(":method", "POST"), (":path", "/v1/chat/completions")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let head = Head { headers: &headers, origin: sluice_core::identity::Origin::default() };
        let opening = exchange::open(&JUDGED, head, now).expect("is served");
        let memory = LocalMemory::default();
        let mut exchange = opening.read(Some(body.to_string().into_bytes()), &memory).expect("is a request");
        for callout in exchange.judge_request(now).expect("are asked") {
            serde_json::from_slice::<serde::de::IgnoredAny>(&callout.body).expect("is JSON");
            exchange.judged(callout.number, Some((200, bytes)), now);
        }
        let _ = exchange.rule_request(&memory, now);
        let Some(callouts) = exchange.judge_answer(bytes, now) else { continue };
        for callout in callouts {
            serde_json::from_slice::<serde::de::IgnoredAny>(&callout.body).expect("is JSON");
            exchange.judged(callout.number, Some((200, bytes)), now);
        }
        let _ = exchange.rule_answer(NOW);
    }
    judge_in_windows(bytes);
}

/// A policy with a judge of windows, without whose verdict streams pass.
static WINDOWED: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let document = json!({
        "version": 1,
        "providers": {"p": {"dialect": "openai", "endpoint": "https://p.test", "credential": {"env": "KEY"}}},
        "models": {"m": {"targets": [{"provider": "p", "model": "gpt-5.5"}]}},
        "callers": {"anonymous": "allow"},
        "guards": [{
            "name": "a", "kind": "judge", "webhook": {"url": "https://j.test"}, "on": "response",
            "stream": {"window": 50, "overlap": 20}, "on_failure": "pass",
        }],
        "redaction": {"rules": ["pii", "secrets"], "response": "off"},
    });
    Arc::new(policy::load(document.to_string().as_bytes(), &|_| Some("key".to_owned())).expect("is a policy"))
});

/// Bytes as a stream that is judged in windows, cut in two: they come out as they went in, and every question is JSON.
fn judge_in_windows(bytes: &[u8]) {
    let (first, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (usize::from(*first), rest));
    let cut = (rest.len() * first) / 255;
    let now = Duration::from_secs(NOW);
    for path in ["/v1/chat/completions", "/v1/responses"] {
        let body = match path {
            "/v1/responses" => json!({"model": "m", "input": "Hello", "stream": true}),
            _ => json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": true}),
        };
        let headers =
            [(":method", "POST"), (":path", path)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let head = Head { headers: &headers, origin: sluice_core::identity::Origin::default() };
        let opening = exchange::open(&WINDOWED, head, now).expect("is served");
        let memory = LocalMemory::default();
        let mut exchange = opening.read(Some(body.to_string().into_bytes()), &memory).expect("is a request");
        let mut out = Vec::new();
        for (part, is_end) in [(&rest[..cut], false), (&rest[cut..], true)] {
            let mut portion = exchange.judge_stream(part, is_end, now);
            loop {
                out.append(&mut portion.out);
                let exchange::Next::Ask(callouts) = portion.next else { break };
                for callout in callouts {
                    serde_json::from_slice::<serde::de::IgnoredAny>(&callout.body).expect("is JSON");
                    exchange.judged(callout.number, Some((200, bytes)), now);
                }
                portion = exchange.rule_stream(true, now);
            }
        }
        // The bytes may be a verdict that flags, and then something else takes their place.
        if exchange.guards().iter().all(|fired| fired.action != "refuse") {
            assert_eq!(out, rest);
        }
    }
}
