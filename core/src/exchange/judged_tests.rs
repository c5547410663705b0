//! What outside judges do to exchanges: who is asked and when, what follows, and what it costs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::exchange::{Attempt, Exchange, Head, Reply, open};
use crate::guard::judge::Callout;
use crate::identity::Origin;
use crate::policy::{self, Plan};
use crate::shared::LocalMemory;
use crate::usage::metrics::Measure;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn plan(guards: &Value, more: &Value) -> Arc<Plan> {
    let mut document = json!({
        "version": 1,
        "providers": {
            "openai": {"dialect": "openai", "endpoint": "https://api.openai.com/v1", "credential": "none"},
            "claude": {"dialect": "anthropic", "endpoint": "https://c.test", "credential": "none"},
        },
        "models": {
            "chat": {"targets": [{"provider": "openai", "model": "gpt"}]},
            "other": {"targets": [{"provider": "claude", "model": "sonnet"}], "default_max_tokens": 10},
        },
        "callers": {"anonymous": "allow"},
        "guards": guards,
    });
    for (name, value) in more.as_object().expect("are fields") {
        document[name] = value.clone();
    }
    Arc::new(policy::load(document.to_string().as_bytes(), &|_| None).expect("is good"))
}

fn webhook(name: &str, more: &Value) -> Value {
    let mut guard =
        json!({"name": name, "kind": "judge", "webhook": {"url": format!("http://{name}.test/")}});
    for (name, value) in more.as_object().expect("are fields") {
        guard[name] = value.clone();
    }
    guard
}

fn sent(plan: &Arc<Plan>, memory: &LocalMemory, body: &Value) -> Result<Exchange, Reply> {
    let headers = [(":method", "POST"), (":path", "/v1/chat/completions")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    open(plan, Head { headers: &headers, origin: Origin::default() }, NOW)?
        .read(Some(body.to_string().into_bytes()), memory)
}

fn chat(text: &str) -> Value {
    json!({"model": "chat", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}]})
}

fn texts(callout: &Callout) -> Value {
    let body: Value = serde_json::from_slice(&callout.body).expect("is JSON");
    body["texts"].clone()
}

const ALLOW: Option<(u16, &[u8])> = Some((200, br#"{"action":"allow"}"#));
const REFUSE: Option<(u16, &[u8])> = Some((200, br#"{"action":"refuse","reason":"secret"}"#));

/// Answers every callout in this way, last one first.
fn answer(exchange: &mut Exchange, callouts: &[Callout], answers: &[Option<(u16, &[u8])>]) -> Vec<Measure> {
    for callout in callouts.iter().rev() {
        exchange.judged(callout.number, answers[callout.number], NOW + Duration::from_millis(120));
    }
    exchange.take_judge_measures()
}

fn names(measures: &[Measure]) -> Vec<&str> {
    measures.iter().map(|measure| measure.name.as_str()).collect()
}

fn error(reply: &Reply) -> (u16, String, String) {
    let body: Value = serde_json::from_slice(&reply.body).expect("is JSON");
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    (reply.status, text("code"), text("message"))
}

#[test]
fn all_are_asked_at_once_and_the_first_of_the_policy_is_named() {
    let guards =
        json!([webhook("a", &json!({"action": "warn"})), webhook("b", &json!({})), webhook("c", &json!({}))]);
    let memory = LocalMemory::default();
    let mut exchange = sent(&plan(&guards, &json!({})), &memory, &chat("Hello")).expect("is read");
    assert!(exchange.is_judged());
    let callouts = exchange.judge_request(NOW).expect("are asked");
    assert!(!exchange.is_judged() && exchange.judge_request(NOW).is_none(), "once");
    assert_eq!(
        callouts.iter().map(|callout| callout.cluster.as_str()).collect::<Vec<_>>(),
        ["sluice-judge-webhook/a", "sluice-judge-webhook/b", "sluice-judge-webhook/c"]
    );
    assert_eq!(
        texts(&callouts[0]),
        json!([{"source": "user", "text": "Hello"}]),
        "no system prompts unless asked for"
    );
    let measures = answer(&mut exchange, &callouts, &[REFUSE, REFUSE, REFUSE]);
    assert!(names(&measures).contains(&"sluice_judge_calls_total;guard=a;type=flagged"), "{measures:?}");
    assert_eq!(
        measures
            .iter()
            .filter(|measure| measure.name.starts_with("sluice_judge_duration"))
            .map(|measure| measure.value)
            .collect::<Vec<_>>(),
        [120; 3]
    );
    let Err(reply) = exchange.rule_request(&memory, NOW) else { panic!("it is refused") };
    assert_eq!(
        error(&reply),
        (400, "content_filter".to_owned(), "The request holds what is refused by the guard 'b'.".to_owned())
    );
    assert_eq!(reply.guards_field(), "a;warn, b;refuse, c;refuse");
    assert!(exchange.take_judge_measures().is_empty());
}

#[test]
fn who_lets_pass_is_not_seen() {
    let guards = json!([webhook("a", &json!({})), webhook("b", &json!({"action": "log"}))]);
    let memory = LocalMemory::default();
    let mut exchange = sent(&plan(&guards, &json!({})), &memory, &chat("Hello")).expect("is read");
    let callouts = exchange.judge_request(NOW).expect("are asked");
    answer(&mut exchange, &callouts, &[ALLOW, REFUSE]);
    assert!(matches!(exchange.rule_request(&memory, NOW), Ok(None)));
    assert_eq!(
        exchange.guards().iter().map(|fired| (fired.guard.as_str(), fired.action)).collect::<Vec<_>>(),
        [("b", "log")]
    );
    assert!(!exchange.remarks().iter().any(|(name, _)| *name == "x-sluice-guards"));
    assert!(exchange.attempt("openai", 1, &memory, NOW).is_ok());
}

#[test]
fn without_a_verdict_nothing_passes_but_where_the_policy_says_so() {
    let memory = LocalMemory::default();
    let nonsense: Option<(u16, &[u8])> = Some((200, b"{}"));
    for (answered, kind) in
        [(None, "error"), (nonsense, "malformed"), (Some((500, &br#"{"action":"allow"}"#[..])), "error")]
    {
        let guards = json!([webhook("open", &json!({"on_failure": "pass"})), webhook("closed", &json!({}))]);
        let plan = plan(&guards, &json!({}));
        let mut exchange = sent(&plan, &memory, &chat("Hello")).expect("is read");
        let callouts = exchange.judge_request(NOW).expect("are asked");
        let measures = answer(&mut exchange, &callouts, &[answered, ALLOW]);
        assert!(
            names(&measures).contains(&format!("sluice_judge_calls_total;guard=open;type={kind}").as_str()),
            "{measures:?}"
        );
        assert!(matches!(exchange.rule_request(&memory, NOW), Ok(None)));
        assert!(
            !exchange.remarks().iter().any(|(name, _)| *name == "x-sluice-guards"),
            "nobody else's business"
        );

        let mut exchange = sent(&plan, &memory, &chat("Hello")).expect("is read");
        let callouts = exchange.judge_request(NOW).expect("are asked");
        answer(&mut exchange, &callouts, &[ALLOW, answered]);
        let Err(reply) = exchange.rule_request(&memory, NOW) else { panic!("it is refused") };
        let (status, code, message) = error(&reply);
        assert_eq!((status, code.as_str()), (503, "guard_unavailable"));
        assert!(message.contains("'closed'"), "{message}");
        assert_eq!(reply.guards_field(), "closed;failed");
    }
    // One that has not been heard of within its time.
    let mut exchange =
        sent(&plan(&json!([webhook("a", &json!({}))]), &json!({})), &memory, &chat("a")).expect("is read");
    exchange.judge_request(NOW).expect("is asked");
    exchange.judged(0, Some((504, b"upstream request timeout")), NOW + Duration::from_secs(2));
    exchange.judged(9, ALLOW, NOW);
    assert!(
        names(&exchange.take_judge_measures()).contains(&"sluice_judge_calls_total;guard=a;type=timeout")
    );
}

#[test]
fn nobody_is_asked_who_has_nothing_to_judge() {
    let memory = LocalMemory::default();
    let local =
        json!({"name": "local", "kind": "words", "words": ["rose"], "action": {"replace": "[flower]"}});
    let denied = json!({"name": "denied", "kind": "words", "words": ["thorn"]});
    let plan = plan(
        &json!([
            webhook("system", &json!({"sources": ["system"], "models": ["chat"]})),
            webhook("tools", &json!({"sources": ["tool_result"]})),
            webhook("others", &json!({"models": ["other"]})),
            local,
            denied,
        ]),
        &json!({}),
    );
    assert_eq!(
        sent(&plan, &memory, &chat("a thorn")).expect_err("is refused").guards_field(),
        "denied;refuse"
    );
    let mut exchange = sent(&plan, &memory, &chat("a rose")).expect("is read");
    let callouts = exchange.judge_request(NOW).expect("is asked");
    assert_eq!(
        callouts.iter().map(texts).collect::<Vec<_>>(),
        [json!([{"source": "system", "text": "be brief"}])]
    );

    let body = json!({"model": "other", "messages": [{"role": "user", "content": "a rose"}]});
    let mut exchange = sent(&plan, &memory, &body).expect("is read");
    let callouts = exchange.judge_request(NOW).expect("is asked");
    assert_eq!(
        callouts.iter().map(texts).collect::<Vec<_>>(),
        [json!([{"source": "user", "text": "a [flower]"}])]
    );
    let body = json!({"model": "other", "messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": " "}]});
    let mut exchange = sent(&plan, &memory, &body).expect("is read");
    assert!(exchange.judge_request(NOW).is_none());
}

/// How much of the first limit is used, and how much is held.
fn books(plan: &Plan, memory: &LocalMemory) -> (u64, u64) {
    let limit = plan.limits.iter().next().expect("there is one");
    let counter = limit.book.read(memory, "", NOW);
    (counter.used(&limit.book.meter), counter.held())
}

#[test]
fn what_is_refused_has_used_nothing() {
    for unit in ["requests", "tokens"] {
        let limits = json!({"limits": [{"name": "l", "unit": unit, "per": "day", "limit": 100_000}]});
        let plan = plan(&json!([webhook("a", &json!({}))]), &limits);
        let memory = LocalMemory::default();
        let mut exchange = sent(&plan, &memory, &chat("Hello")).expect("is read");
        assert_ne!(books(&plan, &memory), (0, 0), "what it may need is held while it is judged");
        let callouts = exchange.judge_request(NOW).expect("is asked");
        answer(&mut exchange, &callouts, &[REFUSE]);
        assert!(exchange.rule_request(&memory, NOW).is_err());
        assert_eq!(books(&plan, &memory), (0, 0), "{unit}");
        exchange.close(&memory, NOW, true);
        assert_eq!(books(&plan, &memory), (0, 0), "{unit}");

        // The client has gone.
        let mut exchange = sent(&plan, &memory, &chat("Hello")).expect("is read");
        exchange.judge_request(NOW).expect("is asked");
        exchange.withdraw(&memory, NOW);
        exchange.close(&memory, NOW, true);
        assert_eq!(books(&plan, &memory), (0, 0), "{unit}");
    }
}

#[test]
fn a_verdict_may_give_the_request_to_another_model() {
    let limits =
        json!({"limits": [{"name": "l", "unit": "requests", "per": "day", "limit": 1, "models": ["other"]}]});
    let plan = plan(&json!([webhook("a", &json!({"action": {"reroute": "other"}}))]), &limits);
    let memory = LocalMemory::default();
    let ask = || {
        let mut exchange = sent(&plan, &memory, &chat("Hello")).expect("is read");
        let callouts = exchange.judge_request(NOW).expect("is asked");
        answer(&mut exchange, &callouts, &[REFUSE]);
        exchange.rule_request(&memory, NOW)
    };
    let mut other = ask().expect("is served").expect("by another one");
    assert_eq!(other.model.name, "other");
    assert!(other.remarks().contains(&("x-sluice-rerouted", "a;other".to_owned())));
    assert!(!other.is_judged(), "it has been");
    assert!(other.attempt("claude", 1, &memory, NOW).is_ok());
    let Err(reply) = ask() else { panic!("that model's limit is spent") };
    assert_eq!((reply.status, reply.guards_field().as_str()), (429, "a;reroute"));
}

#[test]
fn judges_get_what_redaction_lets_them_have() {
    let redaction = json!({"redaction": {
        "rules": ["email", {"rule": "iban", "action": "block"}], "response": "off",
        "exceptions": [{"when": {"providers": ["openai"]}, "request": "off"}],
    }});
    let trusted = json!({"name": "trusted", "kind": "judge", "moderation": {"provider": "openai"}});
    let plan = plan(&json!([webhook("a", &json!({"on_failure": "pass"})), trusted]), &redaction);
    let memory = LocalMemory::default();
    let mut exchange = sent(&plan, &memory, &chat("I am bob@example.com")).expect("is read");
    let callouts = exchange.judge_request(NOW).expect("are asked");
    assert_eq!(texts(&callouts[0])[0]["text"], "I am [EMAIL]");
    let moderated: Value = serde_json::from_slice(&callouts[1].body).expect("is JSON");
    assert_eq!(moderated["input"], json!(["I am bob@example.com"]), "an exception holds for it");

    let mut exchange = sent(&plan, &memory, &chat("DE89 3704 0044 0532 0130 00")).expect("is read");
    let callouts = exchange.judge_request(NOW).expect("are asked");
    assert_eq!(callouts.iter().map(|callout| callout.number).collect::<Vec<_>>(), [1]);
    exchange.judged(1, Some((200, br#"{"results":[{"flagged":false}]}"#)), NOW);
    assert!(
        names(&exchange.take_judge_measures()).contains(&"sluice_judge_calls_total;guard=a;type=blocked")
    );
    assert!(matches!(exchange.rule_request(&memory, NOW), Ok(None)));
}

fn answered(exchange: &mut Exchange, memory: &LocalMemory, text: &str) -> (Attempt, String) {
    let (_, attempt) = exchange.attempt("openai", 1, memory, NOW).expect("can be sent");
    let header = |name: &str| (name == "content-type").then(|| "application/json".to_owned());
    attempt.headers(exchange, 200, &header, NOW.as_secs());
    let body = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "gpt",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    })
    .to_string();
    assert_eq!(attempt.whole(exchange, 200, body.as_bytes(), NOW.as_secs()), None);
    (attempt, body)
}

#[test]
fn an_answer_is_judged_and_withheld() {
    let guards = json!([
        webhook("a", &json!({"on": ["response"]})),
        webhook("b", &json!({"on": ["request", "response"], "action": "warn"}))
    ]);
    let plan = plan(&guards, &json!({}));
    let memory = LocalMemory::default();
    for (answers, kept) in [([ALLOW, REFUSE], true), ([REFUSE, REFUSE], false)] {
        let mut exchange = sent(&plan, &memory, &chat("Hello")).expect("is read");
        let callouts = exchange.judge_request(NOW).expect("b is asked");
        answer(&mut exchange, &callouts, &[ALLOW]);
        assert!(matches!(exchange.rule_request(&memory, NOW), Ok(None)));
        assert!(exchange.is_answer_judged());
        let (_, body) = answered(&mut exchange, &memory, "a secret");
        let callouts = exchange.judge_answer(body.as_bytes(), NOW).expect("are asked");
        assert!(!exchange.is_answer_judged());
        assert_eq!(texts(&callouts[0]), json!([{"source": "assistant", "text": "a secret"}]));
        answer(&mut exchange, &callouts, &answers);
        let reply = exchange.rule_answer(NOW.as_secs());
        assert_eq!(reply.is_none(), kept);
        if let Some(reply) = reply {
            let body: Value = serde_json::from_slice(&reply.body).expect("is JSON");
            assert_eq!((reply.status, &body["choices"][0]["finish_reason"]), (200, &json!("content_filter")));
            assert_eq!((&body["model"], &body["usage"]["total_tokens"]), (&json!("gpt"), &json!(12)));
            assert!(!body.to_string().contains("secret"), "{body}");
        }
        let told = if kept { "b;warn" } else { "a;refuse, b;warn" };
        assert!(exchange.remarks().contains(&("x-sluice-guards", told.to_owned())));
        exchange.close(&memory, NOW, false);
        assert_eq!(exchange.usage().map(|usage| usage.output), Some(5), "what was produced is charged");
    }
}

#[test]
fn an_answer_that_can_not_be_read_has_no_verdict() {
    let plan = plan(&json!([webhook("a", &json!({"on": ["response"]}))]), &json!({}));
    let memory = LocalMemory::default();
    let mut exchange = sent(&plan, &memory, &chat("Hello")).expect("is read");
    assert!(!exchange.is_judged() && exchange.judge_request(NOW).is_none());
    answered(&mut exchange, &memory, "a");
    assert!(exchange.judge_answer(b"{", NOW).expect("is ruled").is_empty());
    let reply = exchange.rule_answer(NOW.as_secs()).expect("is replaced");
    assert_eq!(error(&reply).1, "guard_unavailable");

    // Of a stream nothing has gone to the client: it gets an error.
    let mut body = chat("Hello");
    body["stream"] = json!(true);
    let mut exchange = sent(&plan, &memory, &body).expect("is read");
    let event = r#"data: {"choices":[{"index":0,"delta":{"content":"a secret"}}]}"#;
    let callouts =
        exchange.judge_answer(format!("{event}\n\ndata: [DONE]\n\n").as_bytes(), NOW).expect("is asked");
    answer(&mut exchange, &callouts, &[REFUSE]);
    let reply = exchange.rule_answer(NOW.as_secs()).expect("is replaced");
    assert_eq!((error(&reply).0, error(&reply).1.as_str()), (400, "content_filter"));
}

#[test]
fn a_models_tokens_are_the_judges_own() {
    let judge = json!({"name": "m", "kind": "judge", "chat": {"provider": "openai", "model": "gpt-4o-mini", "instruction": "i"}});
    let plan = plan(&json!([judge]), &json!({"prices": {"gpt-4o-mini": {"input": 1, "output": 2}}}));
    let memory = LocalMemory::default();
    let mut exchange = sent(&plan, &memory, &chat("Hello")).expect("is read");
    let callouts = exchange.judge_request(NOW).expect("is asked");
    let said = br#"{"id":"c","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"{\"flagged\":false}"}}],"usage":{"prompt_tokens":70,"completion_tokens":5,"total_tokens":75}}"#;
    let measures = answer(&mut exchange, &callouts, &[Some((200, said))]);
    let of = |name: &str| measures.iter().find(|measure| measure.name == name).map(|measure| measure.value);
    assert_eq!(of("sluice_judge_calls_total;guard=m;type=passed"), Some(1));
    assert_eq!(of("sluice_judge_tokens_total;provider=openai;guard=m;type=input"), Some(70));
    assert_eq!(of("sluice_judge_tokens_total;provider=openai;guard=m;type=output"), Some(5));
    assert_eq!(of("sluice_judge_cost_nanousd_total;provider=openai;guard=m"), Some(80_000));
    assert_eq!(exchange.usage(), None, "nobody's limits are charged");
}
