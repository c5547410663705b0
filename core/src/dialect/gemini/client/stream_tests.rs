use serde_json::{Value, json};

use super::*;
use crate::conversation::{Maker, Place, TokenChance, TokenLogprob};
use crate::dialect::gemini::StreamReader;

fn tool(id: &'static str, arguments: &'static str) -> ToolCall<'static> {
    let (id, name, arguments) = (id.into(), "f".into(), arguments.into());
    ToolCall { id, name, arguments, custom: false, signature: None, at: Place::default() }
}

fn write(array: bool, events: Vec<Event<'_>>) -> String {
    let mut writer = StreamWriter::new(Asked { model: "asked".to_owned(), array, ..Asked::default() });
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    writer.event(Event::Text { choice: 0, text: "late".into() }, &mut out);
    writer.event(Event::End, &mut out);
    String::from_utf8(out).expect("is text")
}

fn events(text: &str) -> Vec<Value> {
    let events = text.split("\r\n\r\n").filter(|event| !event.is_empty());
    let data = events.map(|event| event.strip_prefix("data: ").expect("is an event"));
    data.map(|data| serde_json::from_str(data).expect("is JSON")).collect()
}

fn start() -> Event<'static> {
    Event::Start { id: Some("r1".into()), model: Some("m".into()) }
}

fn finish(choice: u32, finish: Finish) -> Event<'static> {
    Event::Finish { choice, finish, stop: None }
}

/// The parts of a stream's events, and the last event.
fn parts(events: &[Value]) -> (Vec<Value>, Value) {
    let parts = events.iter().flat_map(|event| event["candidates"].as_array().into_iter().flatten());
    let parts = parts.flat_map(|candidate| candidate["content"]["parts"].as_array().into_iter().flatten());
    (parts.cloned().collect(), events.last().cloned().unwrap_or_default())
}

#[test]
fn an_answer_with_thoughts_and_calls() {
    let text = write(
        false,
        vec![
            start(),
            Event::Usage(Usage { input: 5, ..Usage::default() }),
            Event::Reasoning { choice: 0, text: "hm".into() },
            Event::Signature {
                choice: 0,
                signature: Signature { maker: Maker::Gemini, value: "QUJD".into() },
            },
            Event::Text { choice: 0, text: "".into() },
            Event::Text { choice: 0, text: "a".into() },
            Event::ToolCall { choice: 0, call: 0, tool: tool("1", "") },
            Event::Arguments { choice: 0, call: 0, json: "{\"x\"".into() },
            Event::ToolCall { choice: 0, call: 1, tool: tool("2", "") },
            Event::Arguments { choice: 0, call: 0, json: ":1}".into() },
            Event::Text { choice: 0, text: "b".into() },
            finish(0, Finish::ToolCalls),
            Event::Usage(Usage { input: 5, output: 3, reasoning: 1, ..Usage::default() }),
            Event::End,
        ],
    );
    let (parts, last) = parts(&events(&text));
    assert_eq!(
        parts,
        [
            json!({"text": "hm", "thought": true}),
            json!({"text": "", "thought": true, "thoughtSignature": "QUJD"}),
            json!({"text": "a"}),
            // Whole, it goes before what comes then; a call that may go on waits.
            json!({"functionCall": {"id": "1", "name": "f", "args": {"x": 1}}, "thoughtSignature": signature::NONE}),
            json!({"text": "b"}),
            json!({"functionCall": {"id": "2", "name": "f", "args": {}}}),
        ]
    );
    assert_eq!(
        last,
        json!({"candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 8},
            "modelVersion": "m", "responseId": "r1"})
    );
}

#[test]
fn choices_keep_apart() {
    let text = write(
        false,
        vec![
            start(),
            Event::Text { choice: 1, text: "b".into() },
            Event::Refusal { choice: 0, text: "I ".into() },
            Event::Refusal { choice: 0, text: "won't.".into() },
            finish(1, Finish::Length),
            Event::ToolCall { choice: 2, call: 0, tool: tool("1", "[") },
            finish(2, Finish::ToolCalls),
            finish(0, Finish::Stop),
            Event::End,
        ],
    );
    let (_, last) = parts(&events(&text));
    let endings: Vec<_> = last["candidates"]
        .as_array()
        .expect("is there")
        .iter()
        .map(|candidate| {
            (
                candidate["index"].clone(),
                candidate["finishReason"].clone(),
                candidate["finishMessage"].clone(),
            )
        })
        .collect();
    assert_eq!(
        endings,
        [
            (json!(1), json!("MAX_TOKENS"), json!(null)),
            (json!(0), json!("SAFETY"), json!("I won't.")),
            (
                json!(2),
                json!("MALFORMED_FUNCTION_CALL"),
                json!("The arguments of a function call are no JSON object.")
            ),
        ]
    );
}

#[test]
fn chances_come_with_their_text() {
    let tokens =
        || vec![TokenLogprob { chosen: TokenChance { token: "a".into(), logprob: -0.5 }, top: Vec::new() }];
    let text = write(
        false,
        vec![
            start(),
            Event::Logprobs { choice: 0, tokens: tokens() },
            Event::Reasoning { choice: 0, text: "hm".into() },
            Event::Text { choice: 0, text: "a".into() },
            finish(0, Finish::Stop),
            Event::End,
        ],
    );
    let events = events(&text);
    let result = json!({"chosenCandidates": [{"token": "a", "logProbability": -0.5}], "topCandidates": []});
    assert_eq!(events[0]["candidates"][0].get("logprobsResult"), None);
    assert_eq!(events[1]["candidates"][0]["logprobsResult"], result);
}

#[test]
fn an_array_is_one_json_text_however_it_ends() {
    let complete =
        vec![start(), Event::Text { choice: 0, text: "a".into() }, finish(0, Finish::Stop), Event::End];
    let read = |text: &str| serde_json::from_str::<Vec<Value>>(text).expect("is an array");
    assert_eq!(read(&write(true, complete)).len(), 2);
    let error = || Event::Error(Failure::truncated());
    let broken = read(&write(true, vec![start(), Event::Text { choice: 0, text: "a".into() }, error()]));
    assert_eq!((broken.len(), &broken[1]["error"]["code"]), (2, &json!(502)));
    assert_eq!(read(&write(true, vec![error()])).len(), 1);
    assert_eq!(read(&write(true, vec![start(), Event::End])).len(), 1);
    let events = events(&write(false, vec![start(), error()]));
    assert_eq!((events.len(), &events[0]["error"]["status"]), (1, &json!("INTERNAL")));
    let writer = |array| StreamWriter::new(Asked { array, ..Asked::default() });
    assert_eq!(
        (writer(true).content_type(), writer(false).content_type()),
        ("application/json", "text/event-stream")
    );
}

/// What a provider of this dialect streams reaches a client of the same dialect, by way of the canonical events.
#[test]
fn a_stream_survives_the_way_through_the_canonical_events() {
    let sent = [
        json!({"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}], "role": "model"}, "index": 0}], "modelVersion": "m", "responseId": "r"}),
        json!({"candidates": [{"content": {"parts": [{"text": "a"}], "role": "model"}, "index": 0}]}),
        json!({"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "QUJD"}], "role": "model"}, "index": 0}]}),
        json!({"candidates": [{"content": {"parts": [{"functionCall": {"id": "1", "name": "f", "args": {"x": [1, "é"]}}, "thoughtSignature": "REVG"}], "role": "model"}, "index": 0}]}),
        json!({"candidates": [{"content": {"parts": [], "role": "model"}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 8}}),
    ];
    let mut reader = StreamReader::default();
    let mut writer = StreamWriter::new(Asked::default());
    let mut out = Vec::new();
    for event in &sent {
        reader.event(&event.to_string(), &mut |event| writer.event(event, &mut out));
    }
    reader.end(&mut |event| writer.event(event, &mut out));
    let mut received = events(std::str::from_utf8(&out).expect("is text"));
    for event in &mut received {
        assert_eq!((&event["modelVersion"], &event["responseId"]), (&json!("m"), &json!("r")));
        let event = event.as_object_mut().expect("is an object");
        event.remove("modelVersion");
        event.remove("responseId");
    }
    let mut sent = sent.to_vec();
    for event in &mut sent {
        let event = event.as_object_mut().expect("is an object");
        event.remove("modelVersion");
        event.remove("responseId");
    }
    assert_eq!(received, sent);
}
