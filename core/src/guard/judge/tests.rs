//! How judges' answers read, and what they are asked.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::chat::read;
use super::*;
use crate::dialect::ClientDialect;
use crate::dialect::texts::Source;
use crate::policy;

/// A policy of one judge at `p`, a provider of this dialect.
fn plan(dialect: &str, asks: &Value) -> policy::Plan {
    let mut guard = json!({"name": "j", "kind": "judge", "timeout": "3s"});
    for (name, value) in asks.as_object().expect("are fields") {
        guard[name] = value.clone();
    }
    let mut provider =
        json!({"dialect": dialect, "endpoint": "https://p.test/base", "credential": {"env": "KEY"}});
    if matches!(dialect, "bedrock" | "vertex") {
        provider["region"] = json!("eu-central-1");
    }
    if dialect == "vertex" {
        provider["project"] = json!("p");
    }
    let document = json!({
        "version": 1, "providers": {"p": provider}, "models": {"m": {"targets": [{"provider": "p", "model": "m"}]}},
        "guards": [guard],
    });
    policy::load(document.to_string().as_bytes(), &|_| Some("secret".to_owned())).expect("is good")
}

fn passage(source: Source, text: &str) -> Passage {
    Passage { message: String::new(), source, text: text.to_owned() }
}

fn asked(plan: &policy::Plan, texts: &[Passage]) -> Callout {
    let question = Question { guard: "j", direction: Direction::Request, model: "m", caller: None, texts };
    let judge = plan.guards.judge(0).expect("is there");
    judge.callout(7, question, Duration::from_secs(1_700_000_000)).expect("can be asked")
}

fn chat() -> Value {
    json!({"chat": {"provider": "p", "model": "haiku", "instruction": "No poems."}})
}

/// What a model of each dialect answers with, around a text.
fn said(dialect: &str, text: &str) -> Value {
    match dialect {
        "anthropic" => {
            json!({"id": "m", "type": "message", "role": "assistant", "model": "haiku", "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn", "usage": {"input_tokens": 70, "output_tokens": 5}})
        }
        "gemini" | "vertex" => {
            json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 70, "candidatesTokenCount": 5, "totalTokenCount": 75}})
        }
        "bedrock" => {
            json!({"output": {"message": {"role": "assistant", "content": [{"text": text}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 70, "outputTokens": 5, "totalTokens": 75}, "metrics": {"latencyMs": 1}})
        }
        "cohere" => {
            json!({"id": "c", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": text}]},
            "usage": {"billed_units": {"input_tokens": 70, "output_tokens": 5}, "tokens": {"input_tokens": 70, "output_tokens": 5}}})
        }
        _ => {
            json!({"id": "c", "object": "chat.completion", "created": 1, "model": "haiku", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}], "usage": {"prompt_tokens": 70, "completion_tokens": 5, "total_tokens": 75}})
        }
    }
}

#[test]
fn a_model_of_every_dialect_can_judge() {
    for dialect in ["openai", "azure_openai", "anthropic", "gemini", "vertex", "bedrock", "cohere"] {
        let plan = plan(dialect, &chat());
        let callout = asked(&plan, &[passage(Source::User, "a \"rose\" <|end|>")]);
        assert_eq!((callout.number, callout.cluster.as_str()), (7, "sluice-judge/p"));
        assert_eq!(callout.timeout, Duration::from_secs(3));
        let header = |name: &str| callout.headers.iter().find(|(header, _)| header == name);
        let path = header(":path").map(|(_, path)| path.as_str()).expect("has a path");
        assert!(path.starts_with("/base/"), "{path}");
        assert_eq!(
            header(":authority").map(|(_, authority)| authority.as_str()),
            Some("p.test"),
            "{dialect}"
        );
        let secrets = callout.headers.iter().filter(|(_, value)| value.contains("secret"));
        assert_eq!(secrets.count(), 1, "{dialect}");
        let body = String::from_utf8(callout.body).expect("is text");
        let body: Value = serde_json::from_str(&body).expect("is JSON");
        let body = body.to_string();
        assert!(body.contains("No poems.") && !body.contains('<'), "{body}");
        // The text stands in a string of JSON in a string of JSON.
        assert!(body.contains(r#"a \\\"rose\\\" \\u003c|end|>"#), "{body}");

        let judge = plan.guards.judge(0).expect("is there");
        for (text, flagged) in [(r#"{"flagged": true}"#, true), (r#"{"flagged":false}"#, false)] {
            let verdict = judge.verdict(said(dialect, text).to_string().as_bytes(), 1).expect("is one");
            assert_eq!(verdict.flagged, flagged, "{dialect}");
            let usage = verdict.usage.expect("is told");
            assert_eq!((usage.input, usage.output), (70, 5), "{dialect}");
        }
        assert_eq!(judge.verdict(said(dialect, "No.").to_string().as_bytes(), 1), Err(Trouble::Malformed));
        assert_eq!(judge.verdict(b"{}", 1), Err(Trouble::Malformed));
    }
}

#[test]
fn a_models_word_is_read_to_the_letter() {
    for (said, verdict) in [
        (r#"{"flagged": true}"#, Some(true)),
        (" \n{\"flagged\": false}\n", Some(false)),
        ("```json\n{\"flagged\": true}\n```", Some(true)),
        ("```\n{\"flagged\": false}\n```", Some(false)),
        ("safe", Some(false)),
        ("Safe\n", Some(false)),
        ("unsafe", Some(true)),
        ("unsafe\nS1,S2", Some(true)),
        ("safe\nunsafe", None),
        ("safely", None),
        ("safe {\"flagged\": true}", None),
        ("unsafe to say", None),
        (r#"{"flagged": null}"#, None),
        (r#"{"flagged": "false"}"#, None),
        (r#"{"flagged": 0}"#, None),
        (r#"{"flagged": false, "flagged": true}"#, None),
        (r#"{"flagged": false, "but": 1}"#, None),
        (r#"{"flagged": false} {"flagged": true}"#, None),
        (r#"Here: {"flagged": false}"#, None),
        ("<think>well</think>{\"flagged\": false}", None),
        ("{}", None),
        ("", None),
        ("```", None),
        ("``````", None),
    ] {
        assert_eq!(read(said), verdict, "{said}");
    }
}

#[test]
fn an_answer_that_did_not_end_by_itself_is_no_verdict() {
    let plan = plan("openai", &chat());
    let judge = plan.guards.judge(0).expect("is there");
    let whole = said("openai", r#"{"flagged":false}"#);
    for (place, value) in [
        ("/choices/0/finish_reason", json!("length")),
        ("/choices/0/finish_reason", json!("content_filter")),
        ("/choices/0/message", json!({"role": "assistant", "content": null, "refusal": "I won't."})),
        ("/choices", json!([])),
    ] {
        let mut other = whole.clone();
        *other.pointer_mut(place).expect("is there") = value;
        assert_eq!(judge.verdict(other.to_string().as_bytes(), 1), Err(Trouble::Malformed), "{place}");
    }
}

#[test]
fn moderations_are_asked_and_read() {
    let asks = |fields: Value| {
        let mut asks = json!({"provider": "p"});
        for (name, value) in fields.as_object().expect("are fields") {
            asks[name] = value.clone();
        }
        plan("openai", &json!({"moderation": asks}))
    };
    let texts: Vec<_> = (0..40).map(|number| passage(Source::User, &format!("t{number}"))).collect();
    let callout = asked(&asks(json!({"model": "omni"})), &texts);
    let body: Value = serde_json::from_slice(&callout.body).expect("is JSON");
    let input = body["input"].as_array().expect("is a list");
    assert_eq!((body["model"].as_str(), input.len()), (Some("omni"), moderation::MAX_TEXTS));
    assert_eq!(input[31], "t31\n\nt32\n\nt33\n\nt34\n\nt35\n\nt36\n\nt37\n\nt38\n\nt39");
    let body: Value = serde_json::from_slice(&asked(&asks(json!({})), &texts[..1]).body).expect("is JSON");
    assert_eq!(body, json!({"input": ["t0"]}));

    let result = |flagged: Value, violence: Value, score: Value| json!({"flagged": flagged, "categories": {"violence": violence, "hate/x": false}, "category_scores": {"violence": score, "hate/x": 0.2}});
    let calm = result(json!(false), json!(false), json!(0.1));
    let wild = result(json!(true), json!(true), json!(0.5));
    for (fields, results, verdict) in [
        (json!({}), json!([calm]), Some(false)),
        (json!({}), json!([wild]), Some(true)),
        (json!({"threshold": 0.5}), json!([wild]), Some(true)),
        (json!({"threshold": 0.501}), json!([wild]), Some(false)),
        (json!({"categories": ["violence"]}), json!([wild]), Some(true)),
        (json!({"categories": ["hate*"]}), json!([wild]), Some(false)),
        (json!({"categories": ["hate*"], "threshold": 0.2}), json!([wild]), Some(true)),
        // A category that is named has to be there; one that the model doesn't know is `null`.
        (json!({"categories": ["rudeness"]}), json!([wild]), None),
        (
            json!({"categories": ["violence"]}),
            json!([result(json!(true), Value::Null, Value::Null)]),
            Some(false),
        ),
        (json!({"threshold": 0.5}), json!([result(json!(true), json!(true), Value::Null)]), Some(false)),
        (json!({"threshold": 0.5}), json!([result(json!(true), json!(true), json!("0.9"))]), None),
        (json!({"categories": ["violence"]}), json!([result(json!(true), json!("yes"), json!(1))]), None),
        // Mistral's say nothing of the whole.
        (json!({}), json!([{"categories": {"pii": true}}]), Some(true)),
        (json!({}), json!([{"categories": {}}]), None),
        (json!({}), json!([{}]), None),
        (json!({}), json!([calm, calm]), None),
        (json!({}), json!([]), None),
    ] {
        let plan = asks(fields.clone());
        let judge = plan.guards.judge(0).expect("is there");
        let body = json!({"results": results}).to_string();
        let read = judge.verdict(body.as_bytes(), 1).map(|verdict| verdict.flagged);
        assert_eq!(read, verdict.ok_or(Trouble::Malformed), "{fields} {results}");
    }
    let plan = asks(json!({}));
    let judge = plan.guards.judge(0).expect("is there");
    let two = json!({"results": [calm, wild]}).to_string();
    assert_eq!(judge.verdict(two.as_bytes(), 2).map(|verdict| verdict.flagged), Ok(true));
    assert_eq!(judge.verdict(two.as_bytes(), 3), Err(Trouble::Malformed));
}

#[test]
fn a_webhook_says_one_of_two_words() {
    let plan =
        plan("openai", &json!({"webhook": {"url": "http://h.test:81/a?b=1", "credential": {"env": "KEY"}}}));
    let callout = asked(&plan, &[passage(Source::ToolResult, "x"), passage(Source::User, "y")]);
    let header = |name: &str| {
        callout.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    };
    assert_eq!((header(":authority"), header(":path")), (Some("h.test:81"), Some("/a?b=1")));
    assert_eq!(header("authorization"), Some("Bearer secret"));
    let body: Value = serde_json::from_slice(&callout.body).expect("is JSON");
    assert_eq!(
        body,
        json!({"version": 1, "guard": "j", "direction": "request", "model": "m", "caller": null,
            "texts": [{"source": "tool_result", "text": "x"}, {"source": "user", "text": "y"}]})
    );
    let judge = plan.guards.judge(0).expect("is there");
    for (body, verdict) in [
        (r#"{"action": "allow"}"#, Some(false)),
        (r#"{"action": "refuse", "reason": "because"}"#, Some(true)),
        (r#"{"action": "Allow"}"#, None),
        (r#"{"action": "allow", "action": "refuse"}"#, None),
        (r#"{"action": null}"#, None),
        ("[]", None),
        ("", None),
        ("\u{1}", None),
    ] {
        let read = judge.verdict(body.as_bytes(), 1).map(|verdict| verdict.flagged);
        assert_eq!(read, verdict.ok_or(Trouble::Malformed), "{body}");
    }
    let long = format!(r#"{{"action": "allow"{}}}"#, " ".repeat(MAX_ANSWER));
    assert_eq!(judge.verdict(long.as_bytes(), 1), Err(Trouble::Malformed));
}

#[test]
fn a_credential_that_is_not_there_is_a_fault() {
    let document = json!({
        "version": 1, "providers": {}, "models": {},
        "guards": [{"name": "j", "kind": "judge", "webhook": {"url": "https://h.test", "credential": {"env": "KEY"}}}],
    });
    let load = |value: Option<&str>| {
        policy::load(document.to_string().as_bytes(), &|_| value.map(str::to_owned)).map(drop)
    };
    assert!(load(Some("k")).is_ok());
    for value in [None, Some(""), Some("a\nb")] {
        let faults = load(value).expect_err("is refused").to_string();
        assert!(faults.starts_with("guards[0].webhook.credential.env: "), "{faults}");
        assert!(!faults.contains("a\nb"), "{faults}");
    }
}

/// The texts of a stream, whatever form it has.
fn texts_of(client: ClientDialect, stream: &str) -> Vec<String> {
    let passages = of_answer(client, true, stream.as_bytes()).expect("can be read");
    passages.into_iter().map(|passage| passage.text).collect()
}

#[test]
fn the_parts_of_a_stream_are_one_text() {
    let event = |value: Value| format!("data: {value}\n\n");
    let chunk = |index: u32, delta: Value| event(json!({"choices": [{"index": index, "delta": delta}]}));
    let stream = [
        chunk(0, json!({"role": "assistant", "content": ""})),
        chunk(0, json!({"content": "Hel"})),
        chunk(1, json!({"content": "Oth"})),
        chunk(0, json!({"content": "lo"})),
        chunk(1, json!({"content": "er"})),
        chunk(
            0,
            json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}),
        ),
        chunk(0, json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":"}}]})),
        chunk(0, json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"b\"}"}}]})),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let texts = texts_of(ClientDialect::OpenAiChat, &stream);
    assert!(texts.contains(&"Hello".to_owned()) && texts.contains(&"Other".to_owned()), "{texts:?}");
    assert!(texts.contains(&r#"{"a":"b"}"#.to_owned()), "{texts:?}");

    let delta = |index: u32, delta: Value| {
        format!(
            "event: content_block_delta\n{}",
            event(json!({"type": "content_block_delta", "index": index, "delta": delta}))
        )
    };
    let stream = [
        delta(0, json!({"type": "thinking_delta", "thinking": "Hm"})),
        delta(0, json!({"type": "thinking_delta", "thinking": "m."})),
        delta(1, json!({"type": "text_delta", "text": "Hel"})),
        delta(1, json!({"type": "text_delta", "text": "lo"})),
    ]
    .concat();
    assert_eq!(texts_of(ClientDialect::Anthropic, &stream), ["Hmm.", "Hello"]);

    let delta = |delta: &str| {
        event(
            json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": delta}),
        )
    };
    let done = event(
        json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello"}),
    );
    let created = event(json!({"type": "response.created", "response": {"instructions": "be brief"}}));
    let stream = [created, delta("Hel"), delta("lo"), done].concat();
    assert_eq!(texts_of(ClientDialect::OpenAiResponses, &stream), ["Hello"]);

    let part = |text: &str| json!({"candidates": [{"index": 0, "content": {"parts": [{"text": text}]}}]});
    let events = format!("{}{}", event(part("Hel")), event(part("lo")));
    let list = format!("[{},\r\n{}]", part("Hel"), part("lo"));
    assert_eq!(texts_of(ClientDialect::Gemini, &events), ["Hello"]);
    assert_eq!(texts_of(ClientDialect::Gemini, &list), ["Hello"]);

    // What the vendor says of the usage is nobody's to judge.
    let usage = json!({"usageMetadata": {"promptTokensDetails": [{"modality": "TEXT"}]}});
    assert_eq!(texts_of(ClientDialect::Gemini, &format!("{events}{}", event(usage))), ["Hello"]);
    let begun =
        json!({"type": "message_start", "message": {"content": [], "usage": {"inference_geo": "eu"}}});
    assert!(texts_of(ClientDialect::Anthropic, &event(begun)).is_empty());

    for broken in ["data: {\n\n", "[{]", "data: \u{1}\n\n"] {
        assert!(of_answer(ClientDialect::Gemini, true, broken.as_bytes()).is_err(), "{broken}");
    }
}

proptest! {
    /// Whatever a judged text says, it is one string of the question, and all of it.
    #[test]
    fn a_text_can_not_leave_its_place(text in "\\PC*", more in any::<String>()) {
        let texts = [passage(Source::User, &text), passage(Source::Other, &more)];
        let callout = asked(&plan("openai", &chat()), &texts);
        let body: Value = serde_json::from_slice(&callout.body).expect("is JSON");
        let messages = body["messages"].as_array().expect("is a list");
        prop_assert_eq!(messages.len(), 2);
        let question = messages[1]["content"].as_str().expect("is text");
        prop_assert!(!question.contains('<'));
        let question: Value = serde_json::from_str(question).expect("is JSON");
        prop_assert_eq!(&question["texts"], &json!([{"source": "user", "text": text}, {"source": "other", "text": more}]));
    }

    /// What is read as a verdict that lets pass is one that says so.
    #[test]
    fn nothing_else_is_a_pass(said in "[ -~\n]{0,40}") {
        if read(&said) == Some(false) {
            let plain = said.trim().trim_matches('`').trim_start_matches("json").trim().to_owned();
            let json: Option<Value> = serde_json::from_str(&plain).ok();
            prop_assert!(plain.eq_ignore_ascii_case("safe") || json == Some(json!({"flagged": false})), "{}", said);
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), texts in 0_usize..40) {
        for asks in [chat(), json!({"moderation": {"provider": "p", "threshold": 0.5}}), json!({"webhook": {"url": "http://h.test"}})] {
            let plan = plan("openai", &asks);
            let _ = plan.guards.judge(0).expect("is there").verdict(&bytes, texts);
        }
        for dialect in ClientDialect::ALL {
            let _ = of_answer(dialect, true, &bytes);
        }
    }
}
