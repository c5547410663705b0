//! Answers that fit a schema and answers that don't, whole and streamed, cut at every byte.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::tests::plan;
use crate::policy::{self, Plan};
use crate::shared::LocalMemory;
use crate::testing::streams::{Case, cases, client_gets, field};
use crate::testing::{header, sent};

/// A guard with the schema of an object with a number `n`.
fn guarded(action: &str) -> Arc<Plan> {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    plan(&json!([{"name": "form", "kind": "answer_schema", "schema": schema, "action": action}]))
}

fn plain() -> Arc<Plan> {
    plan(&json!([]))
}

/// What the client gets of a stream that comes whole.
fn streamed(case: &Case, plan: &Arc<Plan>, texts: &[&str]) -> (String, Option<String>, String) {
    let (got, failed, exchange) = client_gets(case, plan, &[(case.stream)(texts).as_bytes()]);
    (got, failed, field(&exchange))
}

#[test]
fn a_stream_that_fits_passes_as_it_is() {
    let texts = ["{\"n\"", ": 1", "2}\n"];
    for case in cases() {
        let expected = streamed(&case, &plain(), &texts).0;
        assert_eq!(
            streamed(&case, &guarded("refuse"), &texts),
            (expected, None, String::new()),
            "{}",
            case.path
        );
    }
}

#[test]
fn a_stream_that_does_not_fit_ends_as_one_that_is_withheld() {
    let guards = guarded("refuse");
    for case in cases() {
        let stream = (case.stream)(&["{\"n\": ", "\"one\"}", ""]);
        let bytes = stream.as_bytes();
        for cut in (0..=bytes.len()).step_by(3) {
            let (got, failed, exchange) = client_gets(&case, &guards, &[&bytes[..cut], &bytes[cut..]]);
            let at = format!("{} at {} cut at {cut}: {got}", case.path, case.provider);
            assert_eq!((failed, field(&exchange).as_str()), (None, "form;refuse"), "{at}");
            assert!(got.contains(case.withheld) && got.ends_with(case.last), "{at}");
            // Nothing says that it has ended well.
            for well in ["\"stop\"", "end_turn", "STOP", "response.completed"] {
                assert!(!got.contains(well), "{at}");
            }
            for data in
                got.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]")
            {
                serde_json::from_str::<Value>(data).unwrap_or_else(|error| panic!("{at} {data}: {error}"));
            }
        }
    }
}

#[test]
fn the_usage_that_comes_behind_the_end_is_charged() {
    for case in cases() {
        let stream = (case.stream)(&["no JSON"]);
        let (_, _, charged) = client_gets(&case, &guarded("refuse"), &[stream.as_bytes()]);
        let (_, _, plain) = client_gets(&case, &plain(), &[stream.as_bytes()]);
        assert_eq!(charged.usage(), plain.usage(), "{}", case.path);
    }
}

#[test]
fn a_warning_lets_everything_pass() {
    for case in cases() {
        let expected = streamed(&case, &plain(), &["no ", "JSON"]).0;
        assert_eq!(
            streamed(&case, &guarded("log"), &["no ", "JSON"]),
            (expected.clone(), None, "form;log".to_owned())
        );
        assert_eq!(
            streamed(&case, &guarded("warn"), &["no ", "JSON"]),
            (expected, None, "form;warn".to_owned())
        );
    }
}

/// A whole answer of OpenAI's, and what its client gets of it.
fn answered(guards: &Arc<Plan>, message: &Value) -> (String, Option<String>) {
    let body = json!({"model": "chat", "messages": [{"role": "user", "content": "hi"}]});
    let mut exchange = sent(guards, "/v1/chat/completions", &body).expect("is served");
    let (_, attempt) =
        exchange.attempt("openai", 1, &LocalMemory::default(), Duration::from_secs(7)).expect("can be sent");
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7});
    let body = json!({"id": "c1", "object": "chat.completion", "created": 7, "model": "gpt", "choices": [choice], "usage": usage});
    let body = body.to_string();
    let reply = attempt.whole(&mut exchange, 200, body.as_bytes(), 7);
    let got = reply.map_or(body, |reply| String::from_utf8(reply.body).expect("is text"));
    (got, header(&exchange, "x-sluice-guards"))
}

#[test]
fn whole_answers_are_judged_by_their_text() {
    let says = |text: &str| json!({"role": "assistant", "content": text});
    let guards = guarded("refuse");
    for text in ["{\"n\": 1}", " {\"m\": [], \"n\": -2.0}\n"] {
        let (got, told) = answered(&guards, &says(text));
        assert!(got.contains("\"stop\"") && told.is_none(), "{got}");
    }
    for text in
        ["", "1", "{\"n\": \"secret\"}", "{\"n\": 1", "```json\n{\"n\": 1}\n```", "Here it is: {\"n\": 1}"]
    {
        let (got, told) = answered(&guards, &says(text));
        assert!(got.contains("content_filter") && !got.contains("secret"), "{got}");
        assert_eq!(told.as_deref(), Some("form;refuse"), "{text}");
    }
    // No answer yet, or none at all.
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    for message in [
        json!({"role": "assistant", "content": "I'll look.", "tool_calls": [call]}),
        json!({"role": "assistant", "content": null, "refusal": "I can't."}),
    ] {
        let (got, told) = answered(&guards, &message);
        assert!(got.contains("\"stop\"") && told.is_none(), "{got}");
    }
    let (got, told) = answered(&guarded("warn"), &says("no JSON"));
    assert!(got.contains("no JSON"));
    assert_eq!(told.as_deref(), Some("form;warn"));
}

#[test]
fn what_other_guards_replace_is_judged_as_it_became() {
    let schema = json!({"type": "object", "properties": {"id": {"const": "[ticket]"}}});
    let guards = plan(&json!([
        {"name": "form", "kind": "answer_schema", "schema": schema},
        {"name": "tickets", "kind": "pattern", "pattern": "TICKET-[0-9]+", "on": "response", "action": {"replace": "[ticket]"}},
    ]));
    for case in cases() {
        let (got, failed, fired) = streamed(&case, &guards, &["{\"id\": \"TICK", "ET-12\"}", ""]);
        assert!(got.contains("[ticket]") && !got.contains(case.withheld), "{}: {got}", case.path);
        assert_eq!((failed, fired.as_str()), (None, "tickets;replace"));
    }
    assert!(
        answered(&guards, &json!({"role": "assistant", "content": "{\"id\": \"TICKET-1\"}"}))
            .0
            .contains("[ticket]")
    );
}

#[test]
fn a_text_that_is_refused_is_not_judged_again() {
    let guards = plan(&json!([
        {"name": "form", "kind": "answer_schema", "schema": {"type": "object"}},
        {"name": "secret", "kind": "words", "words": ["secret"], "on": "response"},
    ]));
    for case in cases() {
        let (got, failed, fired) = streamed(&case, &guards, &["{\"a\": \"b\", ", "\"c\": \"secret\"}"]);
        assert!(got.contains(case.withheld) && !got.contains("secret") && failed.is_none(), "{got}");
        assert_eq!(fired, "secret;refuse");
    }
}

#[test]
fn faults_have_their_places() {
    for (guard, fault) in [
        (json!({"schema": {"type": "int"}}), "guards[0].schema.type: `int` is no type of JSON Schema"),
        (
            json!({"schema": {"items": {"nope": 1}}}),
            "guards[0].schema.items.nope: is not a keyword that is known here",
        ),
        (json!({"schema": "x"}), "guards[0].schema: is no schema: an object, `true` or `false`"),
        (json!({}), "guards[0].schema: is missing"),
        (json!({"schema": {}, "on": "request"}), "guards[0].on: this kind of guard looks at answers only"),
        (
            json!({"schema": {}, "action": {"reroute": "chat"}}),
            "guards[0].action: an answer can't be rerouted: it is there already",
        ),
        (
            json!({"schema": {}, "sources": "user"}),
            "guards[0].sources: this kind of guard looks at no single texts",
        ),
    ] {
        let mut whole = json!({"name": "form", "kind": "answer_schema"});
        whole.as_object_mut().expect("is one").extend(guard.as_object().expect("is one").clone());
        let document = json!({
            "version": 1,
            "providers": {"openai": {"dialect": "openai", "endpoint": "https://api.openai.com/v1", "credential": "none"}},
            "models": {"chat": {"targets": [{"provider": "openai", "model": "gpt"}]}},
            "guards": [whole],
        });
        let faults = policy::load(document.to_string().as_bytes(), &|_| None).expect_err("is refused");
        assert_eq!(faults.to_string(), fault);
    }
}
