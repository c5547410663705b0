//! Documents good and bad, in each of their three forms.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::value::Kind;
use serde_json::{Value, json};

use super::*;
use crate::credential::Authentication;

const GOOD: &str = r#"
version: 1
providers:
  openai: {dialect: openai, endpoint: "https://api.openai.com/v1/", credential: {env: OPENAI_API_KEY}}
  local: {dialect: openai, endpoint: "http://[::1]:8000", credential: none, connect_timeout: 250ms}
models:
  gpt-4o:
    targets:
      - {provider: openai, model: gpt-4o-2024-11-20}
      - {provider: local, model: llama}
      - {provider: openai, model: gpt-4o-mini}
    attempt_timeout: 1m 30s
callers:
  keys: [{id: a, sha256: "0101010101010101010101010101010101010101010101010101010101010101", expires: "2027-01-01T00:00:00Z"}]
"#;

fn environment(name: &str) -> Option<String> {
    (name == "OPENAI_API_KEY").then(|| " sk-secret\n".to_owned())
}

fn faults(document: &str) -> Vec<String> {
    let error = load(document.as_bytes(), &environment).expect_err("has faults");
    error.0.iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect()
}

/// The same document as Envoy hands over a `google.protobuf.Struct`.
fn to_struct(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(value) => Kind::NumberValue(value.as_f64().expect("a double")),
        Value::String(value) => Kind::StringValue(value.clone()),
        Value::Array(items) => {
            Kind::ListValue(prost_types::ListValue { values: items.iter().map(to_struct).collect() })
        }
        Value::Object(fields) => Kind::StructValue(prost_types::Struct {
            fields: fields
                .iter()
                .map(|(name, value)| (name.clone(), to_struct(value)))
                .collect::<BTreeMap<_, _>>(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}

#[test]
fn a_document_becomes_a_plan() {
    let plan = load(GOOD.as_bytes(), &environment).expect("is good");
    let model = plan.model("gpt-4o").expect("is there");
    let targets: Vec<_> = model
        .targets
        .iter()
        .map(|target| (target.cluster(), target.model.as_str(), target.occurrence))
        .collect();
    assert_eq!(
        targets,
        [
            ("sluice-provider-openai".to_owned(), "gpt-4o-2024-11-20", 1),
            ("sluice-provider-local".to_owned(), "llama", 1),
            ("sluice-provider-openai/2".to_owned(), "gpt-4o-mini", 2),
        ]
    );
    assert_eq!(model.timeouts.attempt.as_secs(), 90);
    let openai = &model.targets[0].provider;
    assert_eq!(openai.endpoint.authority, "api.openai.com");
    assert_eq!(
        (openai.endpoint.port, openai.endpoint.path.as_str(), openai.endpoint.tls),
        (443, "/v1", true)
    );
    let Authentication::Header { name, value } = &openai.authentication else { panic!("has a credential") };
    assert_eq!((*name, value.expose()), ("authorization", "Bearer sk-secret"));
    let local = &model.targets[1].provider;
    assert_eq!((local.endpoint.host.as_str(), local.endpoint.authority.as_str()), ("::1", "[::1]:8000"));
}

#[test]
fn every_form_of_a_document_is_read_alike() {
    let yaml = load(GOOD.as_bytes(), &environment).expect("YAML");
    let value: Value = serde_saphyr::from_str(GOOD).expect("reads");
    let json = load(value.to_string().as_bytes(), &environment).expect("JSON");
    let Some(Kind::StructValue(message)) = to_struct(&value).kind else { panic!("a struct") };
    let protobuf = load(&message.encode_to_vec(), &environment).expect("a struct");
    let shown = |plan: &Plan| format!("{:?} {:?}", plan.listen, plan.model("gpt-4o"));
    assert_eq!(shown(&yaml), shown(&json));
    assert_eq!(shown(&yaml), shown(&protobuf));
}

#[test]
fn a_plan_shows_no_secret() {
    let document = r#"
version: 1
providers:
  openai: {dialect: openai, endpoint: "https://api.openai.com/v1", credential: {env: OPENAI}}
  claude: {dialect: anthropic, endpoint: "https://api.anthropic.com", credential: {env: ANTHROPIC}}
  amazon: {dialect: bedrock, endpoint: "https://bedrock-runtime.eu-central-1.amazonaws.com", region: eu-central-1, credential: {aws_env: true}}
models:
  chat: {targets: [{provider: openai, model: gpt-4o}, {provider: claude, model: claude-haiku-4-5}, {provider: amazon, model: amazon.nova-lite-v1:0}]}
callers: {anonymous: allow}
redaction: {rules: [pii], request: pseudonym, response: hash, key: {env: PSEUDONYMS}}
guards:
  - {name: moderated, kind: judge, moderation: {provider: openai}}
  - {name: asked, kind: judge, chat: {provider: claude, model: claude-haiku-4-5, instruction: "Judge."}}
  - {name: hooked, kind: judge, webhook: {url: "https://judge.example/v1", credential: {env: WEBHOOK}}}
"#;
    let asked = std::cell::RefCell::new(Vec::new());
    let secret = |name: &str| format!("hidden-{name}-0123456789abcdef0123456789abcdef");
    let plan = load(document.as_bytes(), &|name| {
        asked.borrow_mut().push(name.to_owned());
        Some(secret(name))
    });
    let plan = plan.unwrap_or_else(|faults| panic!("{faults}"));
    let asked = asked.into_inner();
    for name in ["OPENAI", "ANTHROPIC", "AWS_SECRET_ACCESS_KEY", "PSEUDONYMS", "WEBHOOK"] {
        assert!(asked.iter().any(|known| known == name), "{name} is in the plan: {asked:?}");
    }
    for shown in [format!("{plan:?}"), format!("{plan:#?}")] {
        for name in &asked {
            let bytes = format!("{:?}", format!("hidden-{name}").as_bytes());
            let found = shown.contains(&format!("hidden-{name}"))
                || shown.contains(bytes.trim_matches(['[', ']']))
                || shown.replace([' ', '\n'], "").contains(&bytes.trim_matches(['[', ']']).replace(' ', ""));
            assert!(!found, "{name}");
        }
    }
}

#[test]
fn all_faults_are_told_at_once_with_their_paths() {
    let document = json!({
        "version": 2,
        "listen": {"address": "localhost", "port": 70000, "ports": 1},
        "providers": {
            "a b": {"dialect": "openai", "endpoint": "https://h", "credential": "none"},
            "claude": {"dialect": "antropic", "endpoint": "ftp://h"},
            "leaky": {"dialect": "gemini", "endpoint": "https://user:hunter2@h/?q=1", "credential": "sk-in-the-file"},
            "unset": {"dialect": "gemini", "endpoint": "https://h", "credential": {"env": "NOT_SET"}},
            "cloud": {"dialect": "vertex", "endpoint": "https://h", "region": "e u", "api_version": "1", "credential": {"aws_env": true}},
        },
        "models": {
            "m": {"targets": [{"provider": "nobody", "model": "x"}, {"provider": "unset", "modle": "x"}]},
            "empty": {"targets": []},
            "late": {"targets": [{"provider": "unset", "model": "x"}], "strategy": "cheapest"},
            "promised": {
                "targets": [{"provider": "unset", "model": "x"}, {"provider": "unset", "model": "y"}],
                "clients": ["openai_embeddings", "cohere_rerank", "gemini", "openai_embeddings"],
                "out_of_range": "drop",
            },
            "unpromised": {"targets": [{"provider": "unset", "model": "x"}], "clients": []},
        },
        "callers": {
            "keys": [{"id": "k", "sha256": "abc"}, {"id": "jwt:k", "sha256": "02".repeat(32), "models": []}],
            "jwt": {"user": "{sub", "jwks_uri": "ftp://h", "issuers": []},
            "mtls": [{"spiffe": "prod/ns"}, {"team": "t"}, {"dns": "a", "spiffe": "spiffe://b"}],
            "failures_per_minute": -1,
        },
        "access": [
            {"allow": ["*"], "deny": ["*"]},
            {"when": {"teams": []}},
            {"deny": ["*"], "require": {"region": "eu"}},
            {"name": "twice", "allow": "m", "when": {"provider": "leaky", "providers": ["nobody", "l*"]}},
            {"name": "twice", "allow": "m", "when": {"dialects": "rest", "endpoints": ["v1/x"], "headers": {"authorization": "x", "a b": "y"}}},
            {"require": {}},
            {"allow": "*", "when": {"time": {"from": "8:00", "to": "25:00", "days": ["mon", "sunday"], "offset": "CET"}}},
            {"allow": "*", "when": {"time": {"from": "08:00", "to": "08:00"}}},
        ],
        "audit": {"sink": "x"},
        "guards": [],
        "colour": "red",
    });
    let found = faults(&document.to_string());
    let expected = [
        "version: has to lie between 1 and 1",
        "listen.address: `localhost` is not an IP address",
        "listen.port: has to lie between 0 and 65535",
        "listen.ports: is not a field of the policy document",
        "providers.a b: a provider's name has 1 to 64 letters, digits, `-`, `_` or `.`",
        "providers.claude.dialect: is `antropic`, but has to be one of `openai`, `azure_openai`, `anthropic`, `gemini`, `vertex`, `bedrock`, `cohere`",
        "providers.claude.endpoint: `ftp://h` has to begin with https:// or http://",
        "providers.claude.credential: is missing",
        "providers.leaky.endpoint: `h/?q=1` must not hold a user or password; use `credential`",
        "providers.leaky.credential: has to be `none` or name an environment variable: {env: NAME}",
        "providers.cloud.api_version: means nothing to a provider of this dialect",
        "providers.cloud.region: has letters, digits, `-`, `_`, `.` and `:` only",
        "providers.cloud.project: is missing",
        "providers.cloud.credential.aws_env: is true, and for the dialect bedrock only",
        "models.m.targets[0].provider: there is no provider `nobody`",
        "models.m.targets[1].model: is missing",
        "models.m.targets[1].modle: is not a field of the policy document",
        "models.empty.targets: needs at least one target",
        "models.late.strategy: is not yet supported by this version",
        "models.promised.clients[2]: is `gemini`, but has to be one of `openai_chat_completions`, `openai_responses`, `openai_completions`, `openai_embeddings`, `anthropic_messages`, `anthropic_count_tokens`, `gemini_generate_content`, `gemini_count_tokens`, `cohere_rerank`, `jina_rerank`",
        "models.promised.clients[3]: stands there twice",
        "models.promised.targets[0]: `unset` with the model `x` can't serve `cohere_rerank` (POST /v2/rerank), which `clients` asks for",
        "models.promised.targets[1]: `unset` with the model `y` can't serve `cohere_rerank` (POST /v2/rerank), which `clients` asks for",
        "models.promised.out_of_range: is `drop`, but has to be one of `refuse`, `clamp`",
        "models.unpromised.clients: is empty, so it asks for nothing; leave it out",
        "callers.keys[1].models: is empty, so nothing can match it; leave it out where it must not matter",
        "callers.keys[1].id: begins as the names of callers without a key do",
        "callers.jwt.user: `{sub` has a brace that is not closed",
        "callers.jwt.jwks_uri: is not an https:// or http:// address",
        "callers.jwt.issuers: is not a field of the policy document",
        "callers.mtls[0].spiffe: has to begin with spiffe:// and a trust domain",
        "callers.mtls[1]: needs `spiffe` or `dns`, one of them",
        "callers.mtls[2]: needs `spiffe` or `dns`, one of them",
        "callers.failures_per_minute: has to lie between 0 and 1000000",
        "access[0]: has `allow` and `deny`, but one rule does one of them",
        "access[1].when.teams: is empty, so nothing can match it; leave it out where it must not matter",
        "access[1]: needs `allow`, `deny` or `require`",
        "access[2]: `require` stands beside `allow` or alone, not beside `deny`",
        "access[3].when.provider: is not a field of the policy document",
        "access[3].when.providers: there is no provider `nobody`",
        "access[4].name: there is another rule `twice`",
        "access[4].when.dialects: `rest` is none of the clients' dialects `openai`, `anthropic`, `gemini`, `cohere`, `jina`",
        "access[4].when.endpoints: `v1/x` is not a path such as /v1/embeddings",
        "access[4].when.headers.authorization: is a header that no rule may ask for",
        "access[4].when.headers.a b: is not the name of a header",
        "access[5].require: needs `region` or `provider`",
        "access[6].when.time.from: `8:00` is not a time of the day such as \"08:30\"",
        "access[6].when.time.to: `25:00` is not a time of the day such as \"08:30\"",
        "access[6].when.time.days: `sunday` is not one of mon, tue, wed, thu, fri, sat, sun",
        "access[6].when.time.offset: `CET` is not a fixed distance from UTC such as \"+02:00\"",
        "access[7].when.time: ends when it begins, so nothing can match it",
        "callers.keys[0].sha256: has to be the SHA-256 of the key, 64 hexadecimal digits",
        "audit: is not yet supported by this version",
        "colour: is not a field of the policy document",
        "providers.unset.credential.env: the environment variable NOT_SET is not set",
    ];
    for fault in expected {
        assert!(found.iter().any(|found| found == fault), "`{fault}` is not among\n{}", found.join("\n"));
    }
    assert_eq!(found.len(), expected.len(), "{}", found.join("\n"));
    assert!(!found.join(" ").contains("sk-in-the-file") && !found.join(" ").contains("hunter2"));
}

/// What a model has to serve is held against each of its targets.
#[test]
fn a_promise_that_a_target_cannot_keep_is_a_fault() {
    const OPENAI: &str = "https://api.openai.com/v1";
    for (provider, model, kept, broken) in [
        (
            json!({"dialect": "openai", "endpoint": OPENAI}),
            "gpt-5.5",
            "anthropic_count_tokens",
            "jina_rerank",
        ),
        (
            json!({"dialect": "openai", "endpoint": "https://h/v1"}),
            "llama",
            "jina_rerank",
            "gemini_count_tokens",
        ),
        (json!({"preset": "groq"}), "llama", "openai_responses", "openai_embeddings"),
        (json!({"preset": "vllm"}), "llama", "cohere_rerank", "anthropic_count_tokens"),
        (json!({"dialect": "azure_openai"}), "gpt", "openai_embeddings", "anthropic_count_tokens"),
        (json!({"dialect": "anthropic"}), "claude", "openai_completions", "openai_embeddings"),
        (json!({"dialect": "gemini"}), "gemini", "openai_embeddings", "jina_rerank"),
        (json!({"dialect": "vertex"}), "gemini-x", "openai_embeddings", "cohere_rerank"),
        (json!({"dialect": "vertex"}), "claude-x", "gemini_generate_content", "openai_embeddings"),
        (json!({"dialect": "bedrock"}), "cohere.embed-v4:0", "openai_embeddings", "cohere_rerank"),
        (json!({"dialect": "bedrock"}), "amazon.nova-pro-v1:0", "anthropic_messages", "openai_embeddings"),
        (json!({"dialect": "cohere"}), "command-a", "openai_responses", "gemini_count_tokens"),
    ] {
        let mut entry =
            json!({"endpoint": "https://h", "credential": "none", "region": "eu", "project": "p"});
        for (field, value) in provider.as_object().expect("is an object") {
            entry[field] = value.clone();
        }
        if entry["dialect"] != "vertex" {
            entry.as_object_mut().expect("is an object").remove("project");
        }
        let document = |client: &str| {
            let targets = json!([{"provider": "p", "model": model}]);
            json!({"version": 1, "providers": {"p": entry}, "models": {"m": {"targets": targets, "clients": [client]}}})
                .to_string()
        };
        assert!(load(document(kept).as_bytes(), &environment).is_ok(), "{kept} with {model} at {provider}");
        let [fault] = &faults(&document(broken))[..] else { panic!("{broken} with {model} at {provider}") };
        let start =
            format!("models.m.targets[0]: `p` with the model `{model}` can't serve `{broken}` (POST /v");
        assert!(fault.starts_with(&start), "{fault}");
    }
}

#[test]
fn what_is_no_document_is_said_to_be_none() {
    assert!(faults("[]")[0].contains("expected a map, found a list"));
    assert!(faults("version: 1\nversion: 1")[0].contains("not YAML"));
    assert!(faults("{\"version\": 1, \"version\": 1}")[0].contains("twice"));
    assert!(load(b"\xff\xfe", &environment).expect_err("is none").0[0].message.contains("UTF-8"));
    assert!(faults("a: &a [*a]").len() == 1);
}

#[test]
fn addresses_are_read_or_refused() {
    for (address, reason) in [
        ("https://", "is not a URL"),
        ("api.openai.com", "has to begin with"),
        ("https://h:0", "no valid port"),
        ("https://h:99999", "no valid port"),
        ("https://h/v1#f", "query or fragment"),
        ("https://h/v1?x", "query or fragment"),
        ("https://:443", "no"),
    ] {
        let error = Endpoint::parse(address).expect_err(address);
        assert!(error.contains(reason), "{address}: {error}");
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = load(&bytes, &environment);
        }

        #[test]
        fn no_slip_in_a_good_document_makes_it_panic(at in 0..GOOD.len(), byte in 0_u8..128) {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = load(&bytes, &environment);
        }
    }
}

#[test]
fn faults_of_limits_are_told() {
    let limit = |more: &str| {
        let base = json!({"name": "l", "unit": "tokens", "per": "day", "limit": 5});
        let mut limit = base.as_object().expect("is one").clone();
        limit.extend(serde_json::from_str::<serde_json::Map<_, _>>(more).expect("is an object"));
        limit.retain(|_, value| !value.is_null());
        let mut document: serde_json::Value =
            serde_json::to_value(serde_saphyr::from_str::<serde_json::Value>(GOOD).expect("is a document"))
                .expect("is one");
        document["limits"] = json!([limit]);
        match load(document.to_string().as_bytes(), &environment) {
            Ok(_) => String::new(),
            Err(faults) => faults.to_string(),
        }
    };
    for (more, expected) in [
        (r#"{}"#, ""),
        (
            r#"{"unit": "usd", "limit": 25.5, "by": ["team", "header:X-Tenant"], "timezone": "Europe/Berlin"}"#,
            "",
        ),
        (r#"{"unit": "concurrent", "per": null, "limit": 5}"#, ""),
        (r#"{"per": "minute", "burst": 2, "alert_at": [0.5, 1], "action": "warn"}"#, ""),
        (r#"{"name": null}"#, "limits[0].name: is missing"),
        (
            r#"{"name": "a b"}"#,
            "limits[0].name: a limit's name has 1 to 64 letters, digits, `-`, `_` and `.`",
        ),
        (
            r#"{"unit": "token"}"#,
            "limits[0].unit: is `token`, but has to be one of `requests`, `tokens`, `input_tokens`, `output_tokens`, `usd`, `concurrent`",
        ),
        (r#"{"per": null}"#, "limits[0].per: is missing"),
        (r#"{"unit": "concurrent"}"#, "limits[0].per: has no meaning for calls at a time; leave it out"),
        (r#"{"limit": -1}"#, "limits[0].limit: has to lie between 0 and 9007199254740992"),
        (r#"{"limit": 1.5}"#, "limits[0].limit: expected an integer, found a number"),
        (r#"{"burst": 2}"#, "limits[0].burst: has a meaning for limits per second or minute only"),
        (
            r#"{"per": "minute", "timezone": "Europe/Berlin"}"#,
            "limits[0].timezone: has a meaning for the windows of a calendar only: per hour, day or month",
        ),
        (
            r#"{"timezone": "Europe/Nowhere"}"#,
            "limits[0].timezone: is no zone of the IANA database such as `Europe/Berlin`, nor an offset such as `+05:30`",
        ),
        (r#"{"by": ["team", "team"]}"#, "limits[0].by[1]: `team` stands there twice"),
        (
            r#"{"by": ["tenant"]}"#,
            "limits[0].by[0]: is `tenant`, but has to be one of `user`, `team`, `key`, `role`, `model`, `provider`, `header:<name>`",
        ),
        (r#"{"by": ["header:authorization"]}"#, "limits[0].by[0]: is a header that no rule may ask for"),
        (r#"{"action": {"reroute": "nobody"}}"#, "limits[0].action.reroute: there is no model `nobody`"),
        (r#"{"action": "stop"}"#, "limits[0].action: is `stop`, but has to be one of `refuse`, `warn`"),
        (
            r#"{"alert_at": [0.5, "x"]}"#,
            "limits[0].alert_at[1]: has to be a decimal such as 0.075: not negative, with at most nine digits on each side of the point and 15 in all",
        ),
        (
            r#"{"unit": "requests", "enforce": "mid_stream"}"#,
            "limits[0].enforce: a stream does not outgrow a limit of this unit",
        ),
        (
            r#"{"when": {"teams": []}}"#,
            "limits[0].when.teams: is empty, so nothing can match it; leave it out where it must not matter",
        ),
        (r#"{"colour": 1}"#, "limits[0].colour: is not a field of the policy document"),
    ] {
        assert_eq!(limit(more), expected, "{more}");
    }
}
