use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::{Maker, Part, Place};
use crate::dialect::openai::responses::decode_request;

fn asked() -> Asked {
    let echo = super::super::echo(b"{\"model\":\"m\",\"input\":\"x\",\n\"instructions\":\"be\"}");
    Asked { model: "m".to_owned(), custom_tools: vec!["apply_patch".to_owned()], echo, ..Asked::default() }
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text { choice: 0, text: text.into() }
}

fn think(text: &'static str) -> Event<'static> {
    Event::Reasoning { choice: 0, text: text.into() }
}

fn signature(maker: Maker) -> Signature<'static> {
    Signature { maker, value: Text::from("c2ln") }
}

fn call(
    call: u32,
    name: &'static str,
    arguments: &'static str,
    custom: bool,
    signed: bool,
) -> Event<'static> {
    let tool = ToolCall {
        id: format!("call_{call}").into(),
        name: name.into(),
        arguments: arguments.into(),
        custom,
        signature: signed.then(|| signature(Maker::Gemini)),
        at: Place::default(),
    };
    Event::ToolCall { choice: 0, call, tool }
}

fn arguments(call: u32, json: &'static str) -> Event<'static> {
    Event::Arguments { choice: 0, call, json: json.into() }
}

fn finish(finish: Finish) -> Event<'static> {
    Event::Finish { choice: 0, finish, stop: None }
}

fn start() -> Event<'static> {
    Event::Start { id: Some("msg_1".into()), model: Some("claude".into()) }
}

/// The data of the events that these become, each checked against its name.
fn written(events: Vec<Event<'_>>) -> Vec<Value> {
    let mut writer = StreamWriter::new(asked(), 7);
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    let out = String::from_utf8(out).expect("is text");
    let events = out.split_terminator("\n\n").map(|event| {
        let (name, data) = event.split_once('\n').expect("has two lines");
        let data: Value =
            serde_json::from_str(data.strip_prefix("data: ").expect("is data")).expect("is JSON");
        assert_eq!(data["type"], name.strip_prefix("event: ").expect("has a name"));
        data
    });
    events.collect()
}

/// Follows a stream as a client does, and checks that it keeps the rules; returns the last response.
fn followed(events: &[Value]) -> Value {
    let mut items: Vec<(Value, String, bool)> = Vec::new();
    let mut last = Value::Null;
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index, "{event}");
        assert_eq!(last, Value::Null, "nothing follows the last event: {event}");
        let kind = event["type"].as_str().expect("has a type");
        match index {
            0 => assert_eq!(kind, "response.created"),
            1 => assert_eq!(kind, "response.in_progress"),
            _ => {}
        }
        if event.get("response").is_some() {
            assert_eq!(event["response"]["instructions"], "be");
            if index > 1 {
                last = event["response"].clone();
            }
            continue;
        }
        let position = event["output_index"].as_u64().expect("is of an item") as usize;
        match kind {
            "response.output_item.added" => {
                assert_eq!(position, items.len());
                assert_eq!(event["item"]["status"], "in_progress");
                items.push((event["item"].clone(), String::new(), false));
                continue;
            }
            "response.output_item.done" => {
                let (begun, said, done) = &mut items[position];
                assert!(!std::mem::replace(done, true), "{event}");
                let item = &event["item"];
                for field in ["id", "type", "call_id", "name", "role"] {
                    assert_eq!(item[field], begun[field]);
                }
                let mut whole = String::new();
                for part in item["content"].as_array().into_iter().chain(item["summary"].as_array()).flatten()
                {
                    whole += part["text"].as_str().or(part["refusal"].as_str()).expect("has a text");
                }
                whole += item["arguments"].as_str().or(item["input"].as_str()).unwrap_or_default();
                assert_eq!(whole, *said);
                *begun = item.clone();
                continue;
            }
            _ => {}
        }
        let (item, said, done) = &mut items[position];
        assert!(!*done, "{event}");
        assert_eq!(event["item_id"], item["id"]);
        if kind.ends_with(".delta") {
            said.push_str(event["delta"].as_str().expect("is text"));
        }
    }
    let done: Vec<Value> = items.iter().filter(|(.., done)| *done).map(|(item, ..)| item.clone()).collect();
    assert_eq!(last["output"], Value::Array(done));
    if last["status"] != "failed" {
        assert!(items.iter().all(|(.., done)| *done));
    }
    last
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

#[test]
fn a_text_has_all_its_events() {
    let usage = Usage { input: 3, output: 2, ..Usage::default() };
    let events = written(vec![
        start(),
        text("hel"),
        text(""),
        text("lo"),
        finish(Finish::Stop),
        Event::Usage(usage),
        Event::End,
        text("after"),
    ]);
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds(&events), expected);
    let last = followed(&events);
    assert_eq!((&last["id"], &last["model"]), (&json!("resp_sluice_msg_1"), &json!("claude")));
    assert_eq!(last["output"][0]["content"][0]["text"], "hello");
    assert_eq!(last["usage"]["total_tokens"], 5);
    assert_eq!(events[6]["text"], "hello");
    assert_eq!(events[0]["response"]["status"], "in_progress");
}

#[test]
fn thinking_is_a_summary_with_its_seal() {
    let events = written(vec![
        start(),
        think("h"),
        think("m"),
        Event::Signature { choice: 0, signature: signature(Maker::Anthropic) },
        Event::HiddenReasoning { choice: 0, hidden: signature(Maker::Anthropic) },
        text("hi"),
        finish(Finish::Stop),
        Event::End,
    ]);
    let expected = [
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.output_item.done",
    ];
    assert_eq!(kinds(&events)[2..11], expected);
    let last = followed(&events);
    assert_eq!(last["output"][0]["summary"], json!([{"type": "summary_text", "text": "hm"}]));
    assert_eq!(last["output"][0]["encrypted_content"], "sluice-thinking:sluice.anthropic.c2ln");
    assert_eq!(last["output"][1]["encrypted_content"], "sluice.anthropic.c2ln");
}

#[test]
fn calls_may_come_side_by_side() {
    let events = written(vec![
        start(),
        think("hm"),
        call(0, "f", "", false, true),
        call(1, "apply_patch", "", false, false),
        arguments(0, "{\"a\""),
        arguments(1, "{\"input\":\"*** "),
        text("meanwhile"),
        arguments(0, ":1}"),
        arguments(1, "x\"}"),
        arguments(7, "nobody's"),
        call(2, "note", "free text", true, false),
        finish(Finish::ToolCalls),
        Event::End,
    ]);
    let last = followed(&events);
    let output = last["output"].as_array().expect("is a list");
    assert_eq!(output[0]["encrypted_content"], "sluice-call:sluice.gemini.c2ln");
    assert_eq!((&output[1]["type"], &output[1]["arguments"]), (&json!("function_call"), &json!("{\"a\":1}")));
    assert_eq!((&output[2]["type"], &output[2]["input"]), (&json!("custom_tool_call"), &json!("*** x")));
    assert_eq!(output[3]["content"][0]["text"], "meanwhile");
    assert_eq!((&output[4]["type"], &output[4]["input"]), (&json!("custom_tool_call"), &json!("free text")));
    assert_eq!(output[4]["call_id"], "call_2");
    let deltas: Vec<_> =
        events.iter().filter(|event| event["type"] == "response.custom_tool_call_input.delta").collect();
    assert_eq!(deltas.len(), 2, "the call that came as a function is told in one piece");
}

#[test]
fn chances_go_with_their_text() {
    let chance = |token: &'static str| TokenChance { token: token.into(), logprob: -1.0 };
    let tokens = |token| vec![TokenLogprob { chosen: chance(token), top: Vec::new() }];
    let events = written(vec![
        start(),
        Event::Logprobs { choice: 0, tokens: tokens("a") },
        text("a"),
        Event::Logprobs { choice: 0, tokens: tokens("b") },
        text("b"),
        finish(Finish::Stop),
        Event::End,
    ]);
    assert_eq!(events[4]["logprobs"][0]["token"], "a");
    assert_eq!(events[5]["logprobs"][0]["token"], "b");
    let last = followed(&events);
    assert_eq!(last["output"][0]["content"][0]["logprobs"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_is_cut_off_is_incomplete() {
    let events = written(vec![
        start(),
        text("a"),
        call(0, "f", "{", false, false),
        finish(Finish::Length),
        Event::End,
    ]);
    assert_eq!(kinds(&events).last(), Some(&"response.incomplete"));
    let last = followed(&events);
    assert_eq!(last["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(last["output"][0]["status"], "completed");
    assert_eq!(last["output"][1]["status"], "incomplete");
}

#[test]
fn a_failure_ends_the_stream() {
    let events = written(vec![
        start(),
        think("hm"),
        text("a"),
        Event::Error(Failure::provider(429, "slow down")),
        Event::End,
        text("b"),
    ]);
    assert_eq!(kinds(&events).last(), Some(&"response.failed"));
    let last = followed(&events);
    assert_eq!(last["error"], json!({"code": "rate_limit_exceeded", "message": "slow down"}));
    assert_eq!(last["output"].as_array().map(Vec::len), Some(1), "what is not complete is not in it");

    let mut out = Vec::new();
    end_stream(&Failure::truncated(), &mut out);
    let out = String::from_utf8(out).expect("is text");
    let data = out.strip_prefix("event: error\ndata: ").and_then(|rest| rest.strip_suffix("\n\n"));
    let data: Value = serde_json::from_str(data.expect("is one event")).expect("is JSON");
    assert_eq!((&data["type"], &data["code"]), (&json!("error"), &json!("stream_truncated")));
}

#[test]
fn other_choices_are_passed_over() {
    let other = Event::Text { choice: 1, text: "x".into() };
    let events = written(vec![start(), other, text("a"), finish(Finish::Stop), Event::End]);
    assert_eq!(followed(&events)["output"].as_array().map(Vec::len), Some(1));
}

/// One event of any sort; calls are numbered as they come.
fn any_event(kind: u8, calls: &mut u32) -> Event<'static> {
    match kind % 12 {
        0 | 1 => text("a\u{2028}\n"),
        2 => Event::Refusal { choice: 0, text: "no".into() },
        3 | 4 => think("hm"),
        5 => Event::Signature { choice: 0, signature: signature(Maker::Anthropic) },
        6 => Event::HiddenReasoning { choice: 0, hidden: signature(Maker::OpenAi) },
        7 | 8 => {
            *calls += 1;
            let name = if kind.is_multiple_of(2) { "apply_patch" } else { "f" };
            call(*calls - 1, name, if kind > 99 { "{\"input\":\"x\"}" } else { "" }, kind > 199, kind > 150)
        }
        9 => arguments(u32::from(kind) % (*calls + 1), "{\"input\":\"y\"}"),
        10 => Event::Usage(Usage::default()),
        _ => Event::Text { choice: u32::from(kind) % 2, text: "é".into() },
    }
}

proptest! {
    #[test]
    fn any_order_of_events_is_a_proper_stream(kinds in proptest::collection::vec(any::<u8>(), 0..30), end in 0_u8..4) {
        let mut calls = 0;
        let mut events: Vec<Event<'_>> = vec![start()];
        events.extend(kinds.iter().map(|kind| any_event(*kind, &mut calls)));
        match end {
            0 => events.push(Event::Error(Failure::truncated())),
            1 => events.push(Event::End),
            2 => events.extend([finish(Finish::Stop), Event::End]),
            _ => events.extend([finish(Finish::Length), Event::Usage(Usage::default()), Event::End]),
        }
        let last = followed(&written(events));
        // What has been said can be sent back.
        let body = json!({"model": "m", "input": last["output"]}).to_string();
        if last["output"] != json!([]) && last["status"] != "failed" {
            let request = decode_request(body.as_bytes());
            prop_assert!(request.is_ok_and(|request| request.others.is_empty()), "{}", body);
        }
    }
}

#[test]
fn a_streamed_turn_comes_back() {
    let events = written(vec![
        start(),
        think("hm"),
        Event::Signature { choice: 0, signature: signature(Maker::Anthropic) },
        text("a"),
        call(0, "f", "{}", false, true),
        finish(Finish::ToolCalls),
        Event::End,
    ]);
    let body = json!({"model": "m", "input": followed(&events)["output"]}).to_string();
    let request = decode_request(body.as_bytes()).expect("is a request");
    let parts = &request.messages[0].parts;
    assert!(
        matches!(&parts[..], [Part::Reasoning(reasoning), Part::Text(_), Part::ToolCall(call)]
            if reasoning.signature == Some(signature(Maker::Anthropic)) && &*reasoning.text == "hm"
                && call.signature == Some(signature(Maker::Gemini))),
        "{parts:?}"
    );
}
