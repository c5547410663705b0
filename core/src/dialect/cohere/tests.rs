//! Tests of Cohere's API: what requests become, and what its answers and streams become.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::{Event, Finish, Part, Request};
use crate::dialect::{ClientDialect, ProviderDialect};
use crate::embeddings;
use crate::json::{self as reading, Text};
use crate::policy::Provider;
use crate::rerank::{Document, Request as Ranking};

/// What a task becomes: the path and the body, with what is lacking.
pub(super) fn written(task: &Task<'_>, client: ClientDialect) -> Result<(String, Value, Lacks), Failure> {
    let provider = Provider::for_tests(ProviderDialect::Cohere);
    let wanted = Wanted { model: "target", default_max_tokens: None, provider: &provider };
    let mut lacks = Lacks::new(client);
    let encoded = encode_task(task, wanted, &mut lacks)?;
    assert!(encoded.headers.is_empty());
    Ok((encoded.path, serde_json::from_slice(&encoded.body).expect("is JSON"), lacks))
}

#[test]
fn tokens_of_conversations_are_not_counted() {
    let failure =
        written(&Task::CountTokens(Request::default()), ClientDialect::AnthropicTokens).expect_err("is none");
    assert_eq!(failure.code.as_deref(), Some("unsupported_operation"));
}

#[test]
fn an_answer_is_read() {
    let body = br#"{"id":"a1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"plan","content":[
        {"type":"thinking","thinking":"hm"},{"type":"text","text":"yes"}],"citations":[{"start":0}],"tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},
        "usage":{"billed_units":{"input_tokens":5,"output_tokens":7.0},"tokens":{"input_tokens":71,"output_tokens":9},"cached_tokens":64},
        "logprobs":[{"text":"yes","token_ids":[1,2],"logprobs":[-0.5,-0.25]}]}"#;
    let Outcome::Conversation(answer) = decode_outcome(TaskKind::Conversation, body).expect("reads") else {
        panic!("is a conversation");
    };
    let choice = &answer.choices[0];
    let [Part::Reasoning(plan), Part::Reasoning(thought), Part::Text(text), Part::ToolCall(call)] =
        &choice.parts[..]
    else {
        panic!("{:?}", choice.parts);
    };
    assert_eq!((&*plan.text, &*thought.text, &**text), ("plan", "hm", "yes"));
    assert_eq!((&*call.id, &*call.name, &*call.arguments), ("c1", "f", "{}"));
    assert_eq!((answer.id.as_deref(), choice.finish), (Some("a1"), Finish::ToolCalls));
    let usage = answer.usage.expect("is told");
    assert_eq!((usage.input, usage.cached_input, usage.output), (5, 5, 7));
    assert_eq!(choice.logprobs.as_ref().expect("are there")[0].chosen.logprob, -0.75);
}

#[test]
fn every_reason_has_its_finish() {
    for (reason, expected) in [
        ("COMPLETE", Ok(Finish::Stop)),
        ("STOP_SEQUENCE", Ok(Finish::Stop)),
        ("MAX_TOKENS", Ok(Finish::Length)),
        ("TOOL_CALL", Ok(Finish::ToolCalls)),
        ("ERROR_TOXIC", Ok(Finish::ContentFilter)),
        ("NOVEL", Ok(Finish::Stop)),
        ("ERROR", Err(500)),
        ("TIMEOUT", Err(504)),
    ] {
        let body = format!(r#"{{"finish_reason":"{reason}","message":{{}}}}"#);
        let outcome = decode_outcome(TaskKind::Conversation, body.as_bytes());
        let finish = outcome.map_err(|failure| failure.status).map(|outcome| match outcome {
            Outcome::Conversation(answer) => answer.choices[0].finish,
            other => panic!("{other:?}"),
        });
        assert_eq!(finish, expected, "{reason}");
    }
}

#[test]
fn what_is_no_answer_is_the_providers_fault() {
    for kind in [TaskKind::Conversation, TaskKind::Embeddings, TaskKind::Rerank] {
        for body in [
            &b"{}"[..],
            b"[]",
            b"",
            br#"{"message":{"tool_calls":[{"id":"x"}]}}"#,
            br#"{"embeddings":{}}"#,
            br#"{"results":[{}]}"#,
        ] {
            let failure = decode_outcome(kind, body).expect_err("is none");
            assert_eq!(failure.code.as_deref(), Some("provider_malformed"), "{kind:?}");
        }
    }
    let failure = decode_outcome(TaskKind::Conversation, br#"{"message":"internal"}"#).expect_err("failed");
    assert_eq!((failure.status, &*failure.message), (500, "internal"));
}

/// What is emitted for events of these names and data, one line each.
fn streamed(events: &[(&str, &str)]) -> Vec<String> {
    let mut reader = StreamReader::default();
    let mut lines = Vec::new();
    let mut emit = |event: Event<'_>| {
        lines.push(match event {
            Event::Start { id, .. } => format!("start {}", id.as_deref().unwrap_or("?")),
            Event::Text { text, .. } => format!("text {text}"),
            Event::Reasoning { text, .. } => format!("reasoning {text}"),
            Event::ToolCall { call, tool, .. } => {
                format!("call {call} {} {} {}", tool.id, tool.name, tool.arguments)
            }
            Event::Arguments { call, json, .. } => format!("arguments {call} {json}"),
            Event::Logprobs { tokens, .. } => format!("logprob {}", tokens[0].chosen.logprob),
            Event::Finish { finish, .. } => format!("finish {finish:?}"),
            Event::Usage(usage) => format!("usage {} {}", usage.input, usage.output),
            Event::Error(failure) => {
                format!("error {} {}", failure.status, failure.code.as_deref().unwrap_or(&failure.message))
            }
            Event::End => "end".to_owned(),
            other => format!("{other:?}"),
        });
    };
    for (name, data) in events {
        reader.event(name, data, &mut emit);
    }
    reader.end(&mut emit);
    lines
}

const START: (&str, &str) = (
    "message-start",
    r#"{"id":"a1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
);

#[test]
fn a_stream_is_read() {
    let events = [
        START,
        (
            "content-start",
            r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}"#,
        ),
        (
            "content-delta",
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}"#,
        ),
        ("content-end", r#"{"type":"content-end","index":0}"#),
        (
            "content-start",
            r#"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
        ),
        (
            "content-delta",
            r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"yes"}}},"logprobs":{"text":"yes","token_ids":[1],"logprobs":[-0.5]}}"#,
        ),
        ("citation-start", "no JSON"),
        ("content-end", r#"{"type":"content-end","index":1}"#),
        (
            "message-end",
            r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":3,"output_tokens":4},"tokens":{"input_tokens":70,"output_tokens":6}}}}"#,
        ),
        ("", "[DONE]"),
    ];
    let lines = ["start a1", "reasoning hm", "logprob -0.5", "text yes", "usage 3 4", "finish Stop", "end"];
    assert_eq!(streamed(&events), lines);
    // Without names, the data say what they are.
    let unnamed: Vec<_> =
        events.iter().filter(|(name, _)| *name != "citation-start").map(|(_, data)| ("", *data)).collect();
    assert_eq!(streamed(&unnamed), lines);
}

#[test]
fn calls_of_a_stream_are_counted() {
    let events = [
        START,
        ("tool-plan-delta", r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}"#),
        (
            "tool-call-start",
            r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c1","type":"function","function":{"name":"f","arguments":""}}}}}"#,
        ),
        (
            "tool-call-delta",
            r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\""}}}}}"#,
        ),
        (
            "tool-call-delta",
            r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":":1}"}}}}}"#,
        ),
        ("tool-call-end", r#"{"type":"tool-call-end","index":0}"#),
        (
            "tool-call-start",
            r#"{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"c2","type":"function","function":{"name":"g"}}}}}"#,
        ),
        ("tool-call-end", r#"{"type":"tool-call-end","index":1}"#),
        (
            "tool-call-start",
            r#"{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"c3","function":{"name":"h"}}}}}"#,
        ),
        ("message-end", r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}"#),
    ];
    let lines = [
        "start a1",
        "reasoning I will",
        "call 0 c1 f ",
        r#"arguments 0 {"a""#,
        "arguments 0 :1}",
        "call 1 c2 g ",
        "arguments 1 {}",
        "call 2 c3 h ",
        "arguments 2 {}",
        "finish ToolCalls",
        "end",
    ];
    assert_eq!(streamed(&events), lines);
}

#[test]
fn a_stream_that_fails_is_an_error() {
    let failed = r#"{"type":"message-end","delta":{"error":"out of memory","finish_reason":"ERROR","usage":{"tokens":{"input_tokens":3,"output_tokens":4}}}}"#;
    assert_eq!(
        streamed(&[START, ("message-end", failed)]),
        ["start a1", "usage 3 4", "error 500 out of memory"]
    );
    assert_eq!(streamed(&[START]), ["start a1", "error 502 stream_truncated"]);
    assert_eq!(streamed(&[]), ["error 502 stream_truncated"]);
    assert_eq!(streamed(&[("", r#"{"message":"busy"}"#), START]), ["error 500 busy"]);
    for data in
        ["", "{", "[]", r#"{"type":"content-delta"}"#, r#"{"type":"content-delta","delta":{"message":1}}"#]
    {
        assert_eq!(
            streamed(&[("content-delta", data), START]).last().map(String::as_str),
            Some("error 502 provider_malformed")
        );
    }
    let nameless = r#"{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"c"}}}}"#;
    assert_eq!(
        streamed(&[START, ("tool-call-start", nameless)]),
        ["start a1", "error 502 provider_malformed"]
    );
}

#[test]
fn texts_are_embedded_whole_or_not_at_all() {
    let request = |inputs| embeddings::Request {
        model: Text::from("m"),
        inputs,
        dimensions: Some(256),
        ..Default::default()
    };
    let text = |text| embeddings::Input::Text(Text::from(text));
    let write = |request| written(&Task::Embeddings(request), ClientDialect::OpenAiEmbeddings);
    let (path, body, lacks) = write(request(vec![text("a"), text("b")])).expect("writes");
    assert_eq!(path, "/v2/embed");
    assert_eq!(
        body,
        json!({"model": "target", "texts": ["a", "b"], "input_type": "search_document", "output_dimension": 256,
            "embedding_types": ["float"], "truncate": "NONE"})
    );
    assert!(lacks.parameters().is_empty() && lacks.contents().is_empty());
    let query = embeddings::Request {
        purpose: Some(Text::from("search_query")),
        user: Some(Text::from("u")),
        ..request(vec![text("a")])
    };
    let (_, body, lacks) = write(query).expect("writes");
    assert_eq!((&body["input_type"], lacks.parameters()), (&json!("search_query"), &["user".to_owned()][..]));
    let tokens = embeddings::Input::Tokens(reading::read(b"[1]").expect("is JSON"));
    assert_eq!(write(request(vec![tokens])).expect("writes").2.contents(), ["input"]);
    let many = (0..97).map(|_| text("a")).collect();
    assert_eq!(write(request(many)).expect_err("are too many").parameter.as_deref(), Some("input"));
}

#[test]
fn vectors_are_read() {
    for (embeddings, is_numbers) in
        [(r#"{"float":[[0.5,1],[2]]}"#, true), (r#"{"base64":["AAAA","BBBB"]}"#, false)]
    {
        let body = format!(
            r#"{{"id":"e","embeddings":{embeddings},"texts":["a"],"meta":{{"billed_units":{{"input_tokens":4}}}}}}"#
        );
        let Outcome::Embeddings(answer) =
            decode_outcome(TaskKind::Embeddings, body.as_bytes()).expect("reads")
        else {
            panic!("are embeddings");
        };
        assert_eq!(answer.vectors.len(), 2);
        assert_eq!(matches!(answer.vectors[0], embeddings::Vector::Numbers(_)), is_numbers);
        assert_eq!(answer.usage.map(|usage| (usage.input, usage.output)), Some((4, 0)));
    }
}

#[test]
fn documents_are_ranked_as_texts() {
    let fields = |json: &'static str| Document::Fields(reading::read(json.as_bytes()).expect("is JSON"));
    let request = |documents| Ranking {
        model: Text::from("m"),
        query: Text::from("q"),
        documents,
        top_n: Some(2),
        max_tokens_per_document: Some(9),
        others: Vec::new(),
    };
    let write = |request| written(&Task::Rerank(request), ClientDialect::JinaRerank).expect("writes");
    let documents = vec![
        Document::Text(Text::from("a")),
        fields(r#"{"text":"b"}"#),
        fields(r#"{"title": "c", "text":"d"}"#),
    ];
    let (path, body, lacks) = write(request(documents));
    assert_eq!(path, "/v2/rerank");
    assert_eq!(
        body,
        json!({"model": "target", "query": "q", "documents": ["a", "b", r#"{"title": "c", "text":"d"}"#], "top_n": 2,
            "max_tokens_per_doc": 9})
    );
    assert!(lacks.contents().is_empty());
    assert_eq!(write(request(vec![fields(r#"{"image":"x"}"#)])).2.contents(), ["documents"]);

    let body = br#"{"id":"r","results":[{"index":1,"relevance_score":0.98},{"index":0,"relevance_score":1}],"meta":{"billed_units":{"search_units":1}}}"#;
    let Outcome::Rerank(answer) = decode_outcome(TaskKind::Rerank, body).expect("reads") else {
        panic!("is a ranking");
    };
    assert_eq!((answer.results[0].index, answer.results[0].score), (1, 0.98));
    assert_eq!((answer.searches, answer.usage), (Some(1), None));
}

#[test]
fn only_the_model_of_a_native_request_changes() {
    let body = br#"{ "model" : "m", "query":"q","documents":[{"model":"x"}],"novel": 1.0 }"#;
    let request = crate::dialect::rerank::decode_cohere(body).expect("reads");
    let task = Task::Rerank(request);
    let provider = Provider::for_tests(ProviderDialect::Cohere);
    let adapted = |model| {
        let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
        let adapted = adapt(body, &task, wanted).expect("adapts");
        assert_eq!(adapted.path, "/v2/rerank");
        adapted.body.map(|body| String::from_utf8(body).expect("is text"))
    };
    assert_eq!(adapted("m"), None);
    let expected = r#"{ "model" : "n\"", "query":"q","documents":[{"model":"x"}],"novel": 1.0 }"#;
    assert_eq!(adapted("n\"").as_deref(), Some(expected));
}

proptest! {
    #[test]
    fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..48), position in any::<prop::sample::Index>()) {
        let bodies = [
            r#"{"id":"a","finish_reason":"COMPLETE","message":{"content":[{"text":"x"}],"tool_calls":[{"id":"c","function":{"name":"f"}}]},"usage":{"tokens":{"input_tokens":1e99}}}"#,
            r#"{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":-1}}}"#,
            r#"{"results":[{"index":1,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1}}}"#,
            r#"{"type":"content-delta","delta":{"message":{"content":{"text":"x"}}}}"#,
            r#"{"type":"tool-call-start","index":9,"delta":{"message":{"tool_calls":{"id":"c","function":{"name":"f"}}}}}"#,
        ];
        for body in bodies {
            let mut body = body.as_bytes().to_vec();
            let position = position.index(body.len());
            body.splice(position..=position, bytes.iter().copied());
            for kind in TaskKind::ALL {
                let _ = decode_outcome(kind, &body);
            }
            let _ = decode_failure(400, &body);
            let mut reader = StreamReader::default();
            let text = String::from_utf8_lossy(&body);
            let mut over = 0;
            let mut emit = |event: Event<'_>| over += u32::from(matches!(event, Event::End | Event::Error(_)));
            reader.event("", &text, &mut emit);
            reader.event("", &text, &mut emit);
            reader.end(&mut emit);
            prop_assert_eq!(over, 1);
        }
    }
}
