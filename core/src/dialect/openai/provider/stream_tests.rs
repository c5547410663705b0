//! What streams of OpenAI and compatible vendors become.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::ChunkReader;
use crate::conversation::Event;
use crate::usage::ServiceTier;

fn short(event: &Event<'_>) -> String {
    match event {
        Event::Start { id, model } => {
            format!("start {} {}", id.as_deref().unwrap_or("-"), model.as_deref().unwrap_or("-"))
        }
        Event::Text { choice, text } => format!("{choice} text {text}"),
        Event::Refusal { choice, text } => format!("{choice} refusal {text}"),
        Event::Reasoning { choice, text } => format!("{choice} reasoning {text}"),
        Event::ToolCall { choice, call, tool } => {
            let kind = if tool.custom { "custom" } else { "call" };
            format!("{choice} {kind} {call} {} {} {}", tool.id, tool.name, tool.arguments)
        }
        Event::Arguments { choice, call, json } => format!("{choice} more {call} {json}"),
        Event::Logprobs { choice, tokens } => format!("{choice} logprobs {}", tokens.len()),
        Event::Finish { choice, finish, .. } => format!("{choice} {finish:?}"),
        Event::Usage(usage) => format!("usage {} {}", usage.input, usage.output),
        Event::Error(failure) => format!("error {} {}", failure.status, failure.message),
        Event::End => "end".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn read(chunks: &[&str]) -> Vec<String> {
    let mut reader = ChunkReader::default();
    let mut events = Vec::new();
    for chunk in chunks {
        reader.event(chunk, &mut |event| events.push(short(&event)));
    }
    reader.end(&mut |event| events.push(short(&event)));
    events
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        .to_string()
}

/// The events between the start and the end of an answer with these deltas.
fn events(deltas: &[Value]) -> Vec<String> {
    let mut chunks: Vec<_> = deltas.iter().map(|delta| chunk(delta, None)).collect();
    chunks.push(chunk(&json!({}), Some("stop")));
    chunks.push("[DONE]".to_owned());
    let events = read(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(events.first().map(String::as_str), Some("start c m"));
    assert_eq!(events.last().map(String::as_str), Some("end"));
    events[1..events.len() - 1].to_vec()
}

fn call(index: Option<u32>, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    let mut call = json!({"function": {"arguments": arguments}});
    if let Some(index) = index {
        call["index"] = json!(index);
    }
    if let Some(id) = id {
        call["id"] = json!(id);
    }
    if let Some(name) = name {
        call["function"]["name"] = json!(name);
    }
    json!({"tool_calls": [call]})
}

#[test]
fn texts_reasoning_and_refusals_are_read() {
    let deltas = [
        json!({"role": "assistant", "content": "", "refusal": null}),
        json!({"reasoning_content": "a"}),
        json!({"reasoning": "b"}),
        json!({"reasoning": "c", "reasoning_content": "c"}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "d"}]}, {"type": "text", "text": "e"}]}),
        json!({"content": "f"}),
        json!({"refusal": "g"}),
    ];
    assert_eq!(
        events(&deltas),
        [
            "0 reasoning a",
            "0 reasoning b",
            "0 reasoning c",
            "0 reasoning d",
            "0 text e",
            "0 text f",
            "0 refusal g",
            "0 Stop"
        ]
    );
}

#[test]
fn tool_calls_are_read_however_vendors_number_them() {
    let openai = [
        call(Some(0), Some("x"), Some("f"), ""),
        call(Some(0), None, None, "{}"),
        call(Some(1), Some("y"), Some("g"), "{"),
        call(Some(1), None, None, "}"),
    ];
    let expected = ["0 call 0 x f ", "0 more 0 {}", "0 call 1 y g {", "0 more 1 }", "0 ToolCalls"];
    assert_eq!(events(&openai), expected);
    let repeating = [
        call(Some(0), Some("x"), Some("f"), ""),
        call(Some(0), Some("x"), Some("f"), "{}"),
        call(Some(1), Some("y"), Some("g"), "{"),
        call(Some(1), Some("y"), None, "}"),
    ];
    assert_eq!(events(&repeating), expected);
    let whole = [call(Some(0), Some("x"), Some("f"), "{}"), call(Some(0), Some("y"), Some("g"), "{}")];
    assert_eq!(events(&whole), ["0 call 0 x f {}", "0 call 1 y g {}", "0 ToolCalls"]);
    let unnumbered = [
        call(None, Some("x"), Some("f"), "{"),
        call(None, None, None, "}"),
        call(None, None, Some("g"), "{}"),
    ];
    assert_eq!(
        events(&unnumbered),
        ["0 call 0 x f {", "0 more 0 }", "0 call 1 call_c_1 g {}", "0 ToolCalls"]
    );
    let late = [call(Some(0), Some("x"), None, "{"), call(Some(0), None, Some("f"), "}")];
    assert_eq!(events(&late), ["0 call 0 x f {}", "0 ToolCalls"]);
}

#[test]
fn custom_calls_are_read() {
    let custom =
        |custom: Value| json!({"tool_calls": [{"index": 0, "id": "x", "type": "custom", "custom": custom}]});
    let deltas = [
        custom(json!({"name": "f", "input": ""})),
        json!({"tool_calls": [{"index": 0, "custom": {"input": "\"a"}}]}),
        json!({"tool_calls": [{"index": 0, "custom": {"input": "b"}}]}),
    ];
    assert_eq!(events(&deltas), ["0 custom 0 x f ", "0 more 0 \"a", "0 more 0 b", "0 ToolCalls"]);
}

#[test]
fn usage_is_read_wherever_it_stands() {
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 2});
    let last = json!({"id": "c", "choices": [], "usage": usage}).to_string();
    let text = chunk(&json!({"content": "x"}), None);
    let stop = chunk(&json!({}), Some("stop"));
    let expected = ["start c m", "0 text x", "0 Stop", "usage 3 2", "end"];
    assert_eq!(read(&[&text, &stop, &last, "[DONE]"]), expected);
    assert_eq!(read(&[&text, &stop, &last]), expected);
    for field in ["usage", "x_groq"] {
        let mut with: Value = serde_json::from_str(&stop).expect("is JSON");
        with[field] = if field == "usage" { usage.clone() } else { json!({"id": "req", "usage": usage}) };
        assert_eq!(read(&[&text, &with.to_string(), "[DONE]"]), expected);
    }
}

#[test]
fn several_choices_and_logprobs_are_read() {
    let both = json!({"id": "c", "model": "m", "choices": [
        {"index": 1, "delta": {"content": "b"}, "logprobs": {"content": [{"token": "b", "logprob": -1.0, "top_logprobs": []}]}},
        {"index": 0, "delta": {"content": "a"}, "logprobs": 1.5},
    ]})
    .to_string();
    let ends =
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string();
    let expected = ["start c m", "1 logprobs 1", "1 text b", "0 text a", "0 Stop"];
    let mut all = expected.map(str::to_owned).to_vec();
    all.push("error 502 The provider's stream ended early.".to_owned());
    assert_eq!(read(&[&both, &ends]), all);
}

#[test]
fn what_azures_filters_say_first_begins_nothing() {
    let filters = json!({"id": "", "model": "", "choices": [], "prompt_filter_results": []}).to_string();
    let text = chunk(&json!({"content": "x"}), Some("content_filter"));
    assert_eq!(read(&[&filters, &text, "[DONE]"]), ["start c m", "0 text x", "0 ContentFilter", "end"]);
}

#[test]
fn failures_end_it() {
    let text = chunk(&json!({"content": "x"}), None);
    let more = chunk(&json!({"content": "y"}), None);
    for (bad, expected) in [
        (json!({"error": {"message": "No", "type": "rate_limit_error"}}).to_string(), "error 429 No"),
        (json!({"error": {"message": "No", "code": 503}}).to_string(), "error 503 No"),
        (json!({"error": "No"}).to_string(), "error 500 No"),
        (json!({"x_groq": {"error": "No"}}).to_string(), "error 500 No"),
        (chunk(&json!({}), Some("error")), "error 502 The provider's answer broke off."),
        ("{".to_owned(), "error 502 The provider's stream could not be read."),
    ] {
        assert_eq!(read(&[&text, &bad, &more, "[DONE]"]), ["start c m", "0 text x", expected]);
    }
    assert_eq!(read(&[]), ["error 502 The provider's stream ended early."]);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(chunks in prop::collection::vec(prop::sample::select(vec![
        r#"{"choices":[{"delta":{"tool_calls":[{"index":4294967295,"function":{"arguments":"x"}}]}}]}"#,
        r#"{"choices":[{"index":3,"delta":{"tool_calls":[{"id":"a","function":{"name":"f"}},{"custom":{"name":"g","input":"x"}},{}]}}]}"#,
        r#"{"choices":[{"index":3,"finish_reason":"stop"}],"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615,"completion_tokens_details":{"reasoning_tokens":18446744073709551615}}}"#,
        r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":"x"}],"reasoning":[]}}]}"#,
        "[DONE]", "null", "{}", "\u{feff}{}",
    ]), 0..6), noise in ".*") {
        let mut all: Vec<&str> = chunks;
        all.insert(all.len() / 2, &noise);
        let events = read(&all);
        let is_last = |event: &String| event == "end" || event.starts_with("error");
        prop_assert_eq!(events.iter().filter(|event| is_last(event)).count(), 1);
        prop_assert!(events.last().is_some_and(is_last));
    }
}

#[test]
fn the_last_word_on_the_tier_stands_with_the_usage() {
    let tiers = |chunks: &[&str]| {
        let mut reader = ChunkReader::default();
        let mut tiers = Vec::new();
        for chunk in chunks {
            reader.event(chunk, &mut |event| {
                if let Event::Usage(usage) = event {
                    tiers.push(usage.tier);
                }
            });
        }
        (tiers, reader.tier())
    };
    let begun = r#"{"id":"c","service_tier":"priority","choices":[{"delta":{"content":"a"}}]}"#;
    let usage = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let changed = r#"{"id":"c","service_tier":"default","choices":[]}"#;
    let odd = r#"{"id":"c","service_tier":[1],"choices":[]}"#;
    assert_eq!(tiers(&[begun, usage]), (vec![ServiceTier::Priority], ServiceTier::Priority));
    assert_eq!(tiers(&[begun, changed, usage]), (vec![ServiceTier::Standard], ServiceTier::Standard));
    assert_eq!(tiers(&[odd, usage]), (vec![ServiceTier::Standard], ServiceTier::Standard));
    // It broke off before its usage.
    assert_eq!(tiers(&[begun]), (vec![], ServiceTier::Priority));
}
