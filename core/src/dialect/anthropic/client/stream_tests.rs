//! Tests of answers, whole and streamed.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::conversation::{
    Answer, Choice, Event, Finish, Maker, Part, Place, Reasoning, Signature, TokenLogprob, ToolCall,
};
use crate::dialect::Asked;
use crate::dialect::anthropic::{StreamReader, decode_outcome};
use crate::failure::Failure;
use crate::json::Text;
use crate::task::{Outcome, TaskKind, TokenCount};
use crate::usage::{ServiceTier, Usage};

use super::{StreamWriter, encode_answer, encode_count};

const USAGE: Usage = Usage {
    input: 100,
    cached_input: 30,
    cache_write: 20,
    cache_write_1h: 5,
    output: 9,
    reasoning: 4,
    audio_input: 0,
    image_input: 0,
    audio_output: 0,
    image_output: 0,
    cached_audio_input: 0,
    searches: 0,
    tier: ServiceTier::Standard,
    estimated: false,
};

fn asked() -> Asked {
    Asked { model: "target".to_owned(), ..Asked::default() }
}

fn signature<'a>(maker: Maker, value: &'a str) -> Signature<'a> {
    Signature { maker, value: Text::from(value) }
}

fn tool<'a>(id: &'a str, arguments: &'a str, custom: bool, signature: Option<Signature<'a>>) -> ToolCall<'a> {
    let (id, name, arguments) = (Text::from(id), Text::from("f"), Text::from(arguments));
    ToolCall { id, name, arguments, custom, signature, at: Place::default() }
}

fn whole(parts: Vec<Part<'_>>, finish: Finish, stop: Option<&str>) -> Value {
    let choice = Choice { index: 0, parts, finish, stop: stop.map(Text::from), logprobs: None };
    let answer =
        Answer { id: Some(Text::from("id_1")), model: None, choices: vec![choice], usage: Some(USAGE) };
    serde_json::from_slice(&encode_answer(&answer, &asked())).expect("is JSON")
}

/// The name and the data of every event that these become.
fn streamed(events: Vec<Event<'_>>) -> Vec<(String, Value)> {
    let mut writer = StreamWriter::new(asked());
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    let text = String::from_utf8(out).expect("is text");
    let read = |event: &str| {
        let (name, data) = event.split_once('\n').expect("has two lines");
        let data: Value =
            serde_json::from_str(data.strip_prefix("data: ").expect("is data")).expect("is JSON");
        let name = name.strip_prefix("event: ").expect("is a name");
        assert_eq!(data["type"].as_str(), Some(name));
        (name.to_owned(), data)
    };
    text.split_terminator("\n\n").map(read).collect()
}

/// The same as lines: the name and what is special in the data.
fn lines(events: Vec<Event<'_>>) -> Vec<String> {
    let line = |(name, data): (String, Value)| {
        let index = data["index"].as_u64().map_or(String::new(), |index| format!(" {index}"));
        match &*name {
            "content_block_start" => format!("start{index} {}", data["content_block"]),
            "content_block_delta" => {
                let delta = data["delta"].as_object().expect("is an object");
                let (name, value) = delta.iter().find(|(name, _)| *name != "type").expect("has a value");
                format!("delta{index} {name} {value}")
            }
            "content_block_stop" => format!("stop{index}"),
            "message_delta" => format!("end {}", data["delta"]["stop_reason"].as_str().unwrap_or_default()),
            other => other.to_owned(),
        }
    };
    streamed(events).into_iter().map(line).collect()
}

fn start<'a>() -> Event<'a> {
    Event::Start { id: Some(Text::from("id_1")), model: Some(Text::from("model_1")) }
}

fn text(text: &str) -> Event<'_> {
    Event::Text { choice: 0, text: Text::from(text) }
}

fn reasoning(text: &str) -> Event<'_> {
    Event::Reasoning { choice: 0, text: Text::from(text) }
}

fn call<'a>(call: u32, tool: ToolCall<'a>) -> Event<'a> {
    Event::ToolCall { choice: 0, call, tool }
}

fn arguments(call: u32, json: &str) -> Event<'_> {
    Event::Arguments { choice: 0, call, json: Text::from(json) }
}

fn finish<'a>(finish: Finish) -> Event<'a> {
    Event::Finish { choice: 0, finish, stop: None }
}

#[test]
fn a_whole_answer_has_its_blocks_in_order() {
    let parts = vec![
        Part::Reasoning(Reasoning {
            text: Text::from("Hm."),
            signature: Some(signature(Maker::Anthropic, "s")),
            hidden: Some(signature(Maker::OpenAi, "h")),
            id: None,
        }),
        Part::Reasoning(Reasoning { text: Text::from("Unsigned."), ..Reasoning::default() }),
        Part::Text(Text::from("A")),
        Part::Text(Text::default()),
        Part::ToolCall(tool("a", r#"{"x": 1.0}"#, false, Some(signature(Maker::Gemini, "g")))),
        Part::ToolCall(tool("b", "", false, None)),
        Part::ToolCall(tool("c", "{broken", false, None)),
        Part::ToolCall(tool("d", "te\"xt", true, None)),
    ];
    let used = |id: &str, input: Value| json!({"type": "tool_use", "id": id, "name": "f", "input": input});
    let expected = json!({
        "id": "id_1", "type": "message", "role": "assistant", "model": "target",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "redacted_thinking", "data": "sluice.openai.h"},
            {"type": "thinking", "thinking": "Unsigned.", "signature": ""},
            {"type": "text", "text": "A"},
            {"type": "thinking", "thinking": "", "signature": "sluice.gemini.g"},
            used("a", json!({"x": 1.0})), used("b", json!({})), used("c", json!({"INVALID_JSON": "{broken"})),
            used("d", json!({"input": "te\"xt"})),
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {
            "input_tokens": 50, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
            "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4},
        },
    });
    assert_eq!(whole(parts, Finish::Stop, None), expected);
}

#[test]
fn every_end_has_its_reason() {
    let reason = |answer: &Value| answer["stop_reason"].as_str().map(str::to_owned);
    let said = || vec![Part::Text(Text::from("A"))];
    for (finish, stop, expected) in [
        (Finish::Stop, None, "end_turn"),
        (Finish::Stop, Some("END"), "stop_sequence"),
        (Finish::Length, None, "max_tokens"),
        (Finish::ToolCalls, None, "tool_use"),
        (Finish::ContentFilter, None, "refusal"),
    ] {
        let answer = whole(said(), finish, stop);
        assert_eq!(reason(&answer).as_deref(), Some(expected));
        assert_eq!(answer["stop_sequence"].as_str(), stop);
        assert_eq!(answer["stop_details"].is_object(), finish == Finish::ContentFilter);
    }
    let words = ["I ", "won't."].map(|words| Part::Refusal(Text::from(words)));
    let answer = whole(words.into(), Finish::Stop, None);
    assert_eq!(reason(&answer).as_deref(), Some("refusal"));
    let details = json!({"type": "refusal", "category": null, "explanation": "I won't."});
    assert_eq!((&answer["stop_details"], &answer["content"]), (&details, &json!([])));
}

#[test]
fn the_number_of_tokens_stands_alone() {
    assert_eq!(encode_count(TokenCount { input: 7, cached_input: 3 }), br#"{"input_tokens":7}"#);
}

#[test]
fn a_stream_has_one_block_after_the_other() {
    let events = vec![
        start(),
        reasoning("H"),
        reasoning("m"),
        Event::Signature { choice: 0, signature: signature(Maker::Anthropic, "s") },
        Event::HiddenReasoning { choice: 0, hidden: signature(Maker::Anthropic, "d") },
        text(""),
        text("A"),
        text("B"),
        Event::Signature { choice: 0, signature: signature(Maker::Gemini, "t") },
        call(0, tool("a", "", false, Some(signature(Maker::Gemini, "g")))),
        arguments(0, r#"{"x":"}"#),
        arguments(0, r#"\"]"}"#),
        call(1, tool("b", r#"{"y":[{}]}"#, false, None)),
        finish(Finish::ToolCalls),
        Event::Usage(USAGE),
        Event::End,
        text("late"),
    ];
    let thinking = r#"{"signature":"","thinking":"","type":"thinking"}"#;
    let used = |id: &str| format!(r#"{{"id":"{id}","input":{{}},"name":"f","type":"tool_use"}}"#);
    let expected = [
        "message_start",
        &format!("start 0 {thinking}"),
        r#"delta 0 thinking "H""#,
        r#"delta 0 thinking "m""#,
        r#"delta 0 signature "s""#,
        "stop 0",
        r#"start 1 {"data":"d","type":"redacted_thinking"}"#,
        "stop 1",
        r#"start 2 {"text":"","type":"text"}"#,
        r#"delta 2 text "A""#,
        r#"delta 2 text "B""#,
        "stop 2",
        &format!("start 3 {thinking}"),
        r#"delta 3 signature "sluice.gemini.t""#,
        "stop 3",
        &format!("start 4 {thinking}"),
        r#"delta 4 signature "sluice.gemini.g""#,
        "stop 4",
        &format!("start 5 {}", used("a")),
        r#"delta 5 partial_json "{\"x\":\"}""#,
        r#"delta 5 partial_json "\\\"]\"}""#,
        "stop 5",
        &format!("start 6 {}", used("b")),
        r#"delta 6 partial_json "{\"y\":[{}]}""#,
        "stop 6",
        "end tool_use",
        "message_stop",
    ];
    assert_eq!(lines(events), expected);
}

#[test]
fn calls_whose_arguments_come_in_turns_stay_open() {
    let events = vec![
        start(),
        call(0, tool("a", "", false, None)),
        arguments(0, "{"),
        call(1, tool("b", "", true, None)),
        arguments(1, "te\"x"),
        arguments(0, "}"),
        arguments(1, "t"),
        call(2, tool("c", "", false, None)),
        arguments(7, "{}"),
        finish(Finish::Stop),
        Event::End,
    ];
    let lines = lines(events);
    let without_starts: Vec<_> = lines.iter().filter(|line| !line.starts_with("start")).collect();
    let expected = [
        "message_start",
        r#"delta 0 partial_json "{""#,
        r#"delta 0 partial_json "}""#,
        "stop 0",
        r#"delta 1 partial_json "{\"input\":\"te\\\"xt\"}""#,
        "stop 1",
        "stop 2",
        "end tool_use",
        "message_stop",
    ];
    assert_eq!(without_starts, expected);
}

#[test]
fn usage_that_comes_early_stands_at_the_beginning() {
    let events = vec![start(), Event::Usage(USAGE), text("A"), finish(Finish::Length), Event::End];
    let events = streamed(events);
    let message = &events[0].1["message"];
    assert_eq!((&message["id"], &message["model"]), (&json!("id_1"), &json!("model_1")));
    assert_eq!(message["usage"]["input_tokens"], json!(50));
    assert_eq!((&message["stop_reason"], &message["content"]), (&Value::Null, &json!([])));
    let (name, last) = &events[events.len() - 2];
    let usage = json!({"input_tokens": 50, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30,
        "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}});
    let expected = json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens", "stop_sequence": null}, "usage": usage});
    assert_eq!((&**name, last), ("message_delta", &expected));
}

#[test]
fn a_stop_text_and_a_refusal_are_told_at_the_end() {
    let stop = Event::Finish { choice: 0, finish: Finish::Stop, stop: Some(Text::from("END")) };
    let events = streamed(vec![start(), text("A"), stop, Event::End]);
    let delta = &events[events.len() - 2].1["delta"];
    assert_eq!(delta, &json!({"stop_reason": "stop_sequence", "stop_sequence": "END"}));
    let words = Event::Refusal { choice: 0, text: Text::from("No.") };
    let events = streamed(vec![start(), words, finish(Finish::ContentFilter), Event::End]);
    let details = json!({"type": "refusal", "category": null, "explanation": "No."});
    assert_eq!(events[1].1["delta"]["stop_details"], details);
}

#[test]
fn an_error_ends_the_stream() {
    let events = vec![start(), text("A"), Event::Error(Failure::truncated()), Event::End];
    let last = streamed(events).pop().expect("there are some");
    let error = json!({"type": "api_error", "message": "The provider's stream ended early."});
    assert_eq!(last, ("error".to_owned(), json!({"type": "error", "error": error})));
}

#[test]
fn other_choices_and_chances_are_left_out() {
    let none: Vec<TokenLogprob<'_>> = Vec::new();
    let events = vec![
        start(),
        Event::Logprobs { choice: 0, tokens: none },
        Event::Text { choice: 1, text: Text::from("B") },
        text("A"),
        Event::Finish { choice: 1, finish: Finish::Length, stop: None },
        finish(Finish::Stop),
        Event::End,
    ];
    let starts = ["message_start", r#"start 0 {"text":"","type":"text"}"#, r#"delta 0 text "A""#];
    assert_eq!(lines(events), [&starts[..], &["stop 0", "end end_turn", "message_stop"]].concat());
}

/// An answer of the dialect comes back through its own reader and writer.
#[test]
fn a_whole_answer_comes_back_as_it_was() {
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "A"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, {"b": null}]}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {
            "input_tokens": 5, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 20,
            "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3},
        },
    });
    let bytes = body.to_string();
    let outcome = decode_outcome(TaskKind::Conversation, bytes.as_bytes()).expect("reads");
    let Outcome::Conversation(answer) = outcome else { panic!("{outcome:?}") };
    let written: Value = serde_json::from_slice(&encode_answer(&answer, &asked())).expect("is JSON");
    assert_eq!(written, body);
}

/// Feeds a stream of ours to the provider's reader, and what that emits to another writer.
fn again(events: &[(String, Value)]) -> Vec<u8> {
    let (mut reader, mut writer, mut out) = (StreamReader::default(), StreamWriter::new(asked()), Vec::new());
    for (name, data) in events {
        reader.event(name, &data.to_string(), &mut |event| writer.event(event, &mut out));
    }
    reader.end(&mut |event| writer.event(event, &mut out));
    out
}

fn some_event() -> impl Strategy<Value = u8> {
    0_u8..12
}

fn event_of<'a>(kind: u8, calls: &mut u32) -> Event<'a> {
    match kind {
        0 | 1 => text("A\n\"é"),
        2 | 3 => reasoning("R"),
        4 => Event::Signature { choice: 0, signature: signature(Maker::Anthropic, "s") },
        5 => Event::HiddenReasoning { choice: 0, hidden: signature(Maker::Gemini, "h") },
        6 => {
            *calls += 1;
            call(*calls - 1, tool("id", "", false, None))
        }
        7 => {
            *calls += 1;
            call(*calls - 1, tool("id", r#"{"x":1}"#, false, Some(signature(Maker::Gemini, "g"))))
        }
        8 => arguments(calls.saturating_sub(1), r#"{"a""#),
        9 => arguments(calls.saturating_sub(2), ":1}"),
        10 => Event::Usage(USAGE),
        _ => Event::Refusal { choice: 0, text: Text::from("No.") },
    }
}

proptest! {
    /// Whatever the order of events: each block begins once, changes while it is open, and ends once.
    #[test]
    fn every_stream_is_well_formed(kinds in proptest::collection::vec(some_event(), 0..30)) {
        let mut calls = 0;
        let mut events = vec![start()];
        events.extend(kinds.iter().map(|kind| event_of(*kind, &mut calls)));
        events.extend([finish(Finish::Stop), Event::End]);
        let written = streamed(events);
        let names: Vec<_> = written.iter().map(|(name, _)| &**name).collect();
        prop_assert_eq!(names.first(), Some(&"message_start"));
        prop_assert_eq!(&names[names.len() - 2..], ["message_delta", "message_stop"]);
        let (mut open, mut begun) = (Vec::new(), 0);
        for (name, data) in &written[1..written.len() - 2] {
            let index = data["index"].as_u64().expect("has an index");
            match &**name {
                "content_block_start" => {
                    prop_assert_eq!(index, begun);
                    begun += 1;
                    open.push(index);
                }
                "content_block_delta" => prop_assert!(open.contains(&index)),
                "content_block_stop" => {
                    prop_assert!(open.contains(&index));
                    open.retain(|open| *open != index);
                }
                _ => prop_assert!(false, "{}", name),
            }
        }
        prop_assert!(open.is_empty());
    }

    #[test]
    fn no_stream_makes_the_reader_panic(
        kinds in proptest::collection::vec(some_event(), 0..12),
        at in 0_usize..2_000,
        new in prop_oneof![Just("".to_owned()), Just("null".to_owned()), Just("9".to_owned()), "\\PC{0,6}"],
    ) {
        let mut calls = 0;
        let mut events = vec![start()];
        events.extend(kinds.iter().map(|kind| event_of(*kind, &mut calls)));
        events.extend([finish(Finish::Stop), Event::End]);
        let mut reader = StreamReader::default();
        let mut over = 0;
        let mut seen = 0;
        let mut emit = |event: Event<'_>| {
            assert_eq!(over, 0, "{event:?} after the end");
            over += usize::from(matches!(event, Event::End | Event::Error(_)));
        };
        for (name, data) in streamed(events) {
            let mut data = data.to_string();
            if (seen..seen + data.len()).contains(&at) && data.is_char_boundary(at - seen) {
                data.insert_str(at - seen, &new);
            }
            seen += data.len();
            reader.event(&name, &data, &mut emit);
        }
        reader.end(&mut emit);
        prop_assert_eq!(over, 1);
    }

    /// What a client gets of Claude's own stream, in which all thinking is signed, says what the stream said.
    #[test]
    fn a_stream_comes_back_as_it_was(kinds in proptest::collection::vec(0_u8..4, 0..20)) {
        let mut calls = 0;
        let mut events = vec![start(), Event::Usage(USAGE)];
        for kind in kinds {
            match kind {
                0 => events.push(text("A")),
                1 => events.extend([reasoning("R"), event_of(4, &mut calls)]),
                2 => events.push(event_of(5, &mut calls)),
                _ => {
                    events.push(call(calls, tool("id", r#"{"x":1}"#, false, None)));
                    calls += 1;
                }
            }
        }
        events.extend([finish(Finish::Stop), Event::End]);
        let first = streamed(events);
        let second = String::from_utf8(again(&first)).expect("is text");
        let second: Vec<Value> = second
            .split_terminator("\n\n")
            .filter_map(|event| serde_json::from_str(event.split_once("data: ")?.1).ok())
            .collect();
        let first: Vec<_> = first.into_iter().map(|(_, data)| data).collect();
        prop_assert_eq!(first, second);
    }
}
