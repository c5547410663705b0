//! What chat completions are read as, and what becomes of answers for their clients.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ChatEncoder, decode_request, encode_answer};
use crate::conversation::{
    Answer, Choice, Event, Finish, Maker, MediaSource, Part, Place, Signature, TokenChance, TokenLogprob,
    Tool, ToolCall, ToolChoice,
};
use crate::dialect::Asked;
use crate::failure::Failure;
use crate::json::Text;
use crate::usage::Usage;

fn others(request: &Value) -> Vec<String> {
    let mut request = request.clone();
    request["model"] = json!("m");
    if request.get("messages").is_none() {
        request["messages"] = json!([{"role": "user", "content": "x"}]);
    }
    let body = request.to_string();
    let request = decode_request(body.as_bytes()).expect("is a request");
    request
        .others
        .into_iter()
        .map(|other| format!("{}{}", other.path, if other.content { "!" } else { "" }))
        .collect()
}

fn asked(custom: &[&str], stream_usage: bool) -> Asked {
    let custom_tools = custom.iter().map(|name| (*name).to_owned()).collect();
    Asked { model: "asked".to_owned(), stream_usage, custom_tools, ..Asked::default() }
}

fn call(id: &'static str, name: &'static str, custom: bool, arguments: &'static str) -> ToolCall<'static> {
    ToolCall {
        id: Text::from(id),
        name: Text::from(name),
        arguments: Text::from(arguments),
        custom,
        signature: None,
        at: Place::default(),
    }
}

/// The chunks of a stream, each without what is the same in all.
fn stream(events: Vec<Event<'_>>, asked: Asked) -> Vec<Value> {
    let mut writer = ChatEncoder::new(asked, 7);
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    let text = String::from_utf8(out).expect("is text");
    let chunks = text.split_terminator("\n\n").map(|event| {
        let data = event.strip_prefix("data: ").expect("is data");
        serde_json::from_str(data).unwrap_or_else(|_| json!(data))
    });
    chunks.collect()
}

fn deltas(chunks: &[Value]) -> Vec<Value> {
    chunks
        .iter()
        .filter_map(|chunk| chunk.get("choices")?.get(0))
        .map(|choice| choice["delta"].clone())
        .collect()
}

#[test]
fn what_the_conversation_has_no_word_for_is_kept_with_its_path() {
    assert_eq!(others(&json!({"verbosity": "low", "stream_options": {"include_usage": true}})), [""; 0]);
    assert_eq!(
        others(&json!({"tools": [{"type": "custom", "custom": {"name": "a", "x": 1}}, {"type": "web"}]})),
        ["tools[0].custom.x", "tools[1].type!"]
    );
    let part =
        json!({"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}});
    assert_eq!(
        others(&json!({"messages": [{"role": "user", "content": [part]}], "prompt_cache_key": "k"})),
        ["prompt_cache_key", "messages[0].content[0].prompt_cache_breakpoint.ttl"]
    );
}

#[test]
fn custom_tools_are_read() {
    let body = json!({"model": "m", "messages": [
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "patch", "input": "x"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "y"},
    ], "tools": [{"type": "custom", "custom": {"name": "patch", "format": {"type": "text"}}},
        {"type": "custom", "custom": {"name": "words", "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a"}}}},
        {"type": "custom", "custom": {"name": "new", "format": {"type": "text", "x": 1}}},
    ], "tool_choice": {"type": "custom", "custom": {"name": "patch"}}})
    .to_string();
    let request = decode_request(body.as_bytes()).expect("is a request");
    assert_eq!(request.others, []);
    let [Part::ToolCall(call)] = request.messages[0].parts.as_slice() else { panic!("is a call") };
    assert_eq!((&*call.name, &*call.arguments, call.custom), ("patch", "x", true));
    let has_format = |tool: &Tool<'_>| tool.custom.map(|custom| custom.format.is_some());
    let formats: Vec<_> = request.tools.iter().map(has_format).collect();
    assert_eq!(formats, [Some(false), Some(true), Some(true)], "any text is what there is without a format");
    assert_eq!(request.tool_choice, Some(ToolChoice::Named(Text::from("patch"))));
}

#[test]
fn a_call_of_a_function_for_a_custom_tool_is_a_custom_call() {
    let parts = vec![
        Part::ToolCall(call("1", "patch", false, r#"{"input":"a \"b\""}"#)),
        Part::ToolCall(call("2", "patch", false, "not what was asked for")),
        Part::ToolCall(call("3", "patch", true, "text")),
        Part::ToolCall(call("4", "f", false, "{}")),
    ];
    let choices = vec![Choice { index: 0, parts, finish: Finish::ToolCalls, stop: None, logprobs: None }];
    let answer = Answer { choices, ..Answer::default() };
    let body: Value =
        serde_json::from_slice(&encode_answer(&answer, &asked(&["patch"], false), 7)).expect("is JSON");
    let custom = |id: &str, input: &str| json!({"id": id, "type": "custom", "custom": {"name": "patch", "input": input}});
    assert_eq!(
        body["choices"][0]["message"]["tool_calls"],
        json!([
            custom("1", "a \"b\""),
            custom("2", "not what was asked for"),
            custom("3", "text"),
            {"id": "4", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ])
    );
}

#[test]
fn a_streamed_call_for_a_custom_tool_is_written_once_it_is_complete() {
    let tool = |call, tool| Event::ToolCall { choice: 0, call, tool };
    let more = |call, json| Event::Arguments { choice: 0, call, json: Text::from(json) };
    let events = vec![
        Event::Start { id: Some(Text::from("c")), model: None },
        tool(0, call("1", "patch", false, "")),
        more(0, r#"{"input""#),
        more(0, r#":"ab"}"#),
        tool(1, call("2", "patch", true, "x")),
        more(1, "y"),
        tool(2, call("3", "f", false, "{")),
        more(2, "}"),
        tool(3, call("4", "patch", false, r#"{"input":"z"}"#)),
        Event::Finish { choice: 0, finish: Finish::ToolCalls, stop: None },
        Event::End,
    ];
    let chunks = stream(events, asked(&["patch"], false));
    let calls: Vec<_> =
        deltas(&chunks).iter().filter_map(|delta| delta["tool_calls"].get(0).cloned()).collect();
    assert_eq!(
        calls,
        [
            json!({"index": 0, "id": "1", "type": "custom", "custom": {"name": "patch", "input": "ab"}}),
            json!({"index": 1, "id": "2", "type": "custom", "custom": {"name": "patch", "input": "x"}}),
            json!({"index": 1, "custom": {"input": "y"}}),
            json!({"index": 2, "id": "3", "type": "function", "function": {"name": "f", "arguments": "{"}}),
            json!({"index": 2, "function": {"arguments": "}"}}),
            json!({"index": 3, "id": "4", "type": "custom", "custom": {"name": "patch", "input": "z"}}),
        ]
    );
    assert_eq!(chunks.last(), Some(&json!("[DONE]")));
}

#[test]
fn a_client_that_takes_calls_only_whole_gets_them_so() {
    let tool = |call, tool| Event::ToolCall { choice: 0, call, tool };
    let more = |call, json| Event::Arguments { choice: 0, call, json: Text::from(json) };
    let signed = ToolCall {
        signature: Some(Signature { maker: Maker::Gemini, value: Text::from("s") }),
        ..call("1", "f", false, "{")
    };
    let events = vec![
        Event::Start { id: Some(Text::from("c")), model: None },
        tool(0, signed),
        tool(1, call("2", "g", false, "")),
        more(1, "{\"b\":"),
        more(0, "}"),
        more(1, "2}"),
        Event::Finish { choice: 0, finish: Finish::ToolCalls, stop: None },
        Event::End,
    ];
    let chunks = stream(events, Asked { mistral: true, ..asked(&[], false) });
    let calls: Vec<_> =
        deltas(&chunks).iter().filter_map(|delta| delta["tool_calls"].get(0).cloned()).collect();
    let written = [
        json!({"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": {"thought_signature": "s"}}}),
        json!({"index": 1, "id": "2", "type": "function", "function": {"name": "g", "arguments": "{\"b\":2}"}}),
    ];
    assert_eq!(calls, written);
}

#[test]
fn what_mistrals_clients_say_is_understood() {
    assert_eq!(
        others(&json!({"safe_prompt": false, "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,QQ=="}]},
            {"role": "assistant", "content": "x", "prefix": false},
        ]})),
        Vec::<String>::new()
    );
    assert_eq!(
        others(
            &json!({"safe_prompt": true, "random_seed": 7, "messages": [{"role": "assistant", "content": "x", "prefix": true}]})
        ),
        ["random_seed", "safe_prompt", "messages[0].prefix"]
    );
    let body = r#"{"model":"m","tool_choice":"any","messages":[{"role":"user","content":[{"type":"image_url","image_url":"https://a/b.png"}]}]}"#;
    let request = decode_request(body.as_bytes()).expect("is a request");
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    assert!(
        matches!(&request.messages[0].parts[..], [Part::Media(media)] if matches!(&media.source, MediaSource::Url(url) if &**url == "https://a/b.png"))
    );
}

#[test]
fn choices_are_streamed_side_by_side() {
    let tokens = |token: &'static str| {
        vec![TokenLogprob {
            chosen: TokenChance { token: Text::from(token), logprob: -1.0 },
            top: Vec::new(),
        }]
    };
    let events = vec![
        Event::Start { id: None, model: None },
        Event::Logprobs { choice: 1, tokens: tokens("b") },
        Event::Logprobs { choice: 0, tokens: tokens("a") },
        Event::Text { choice: 0, text: Text::from("a") },
        Event::Text { choice: 1, text: Text::from("b") },
        Event::Usage(Usage { input: 1, output: 2, audio_input: 1, ..Usage::default() }),
        Event::Finish { choice: 1, finish: Finish::Length, stop: None },
        Event::Finish { choice: 0, finish: Finish::Stop, stop: None },
        Event::End,
    ];
    let chunks = stream(events, asked(&[], true));
    let told: Vec<_> = chunks
        .iter()
        .filter_map(|chunk| chunk.get("choices")?.get(0))
        .map(|choice| {
            (
                choice["index"].clone(),
                choice["delta"]["content"].clone(),
                choice["logprobs"]["content"][0]["token"].clone(),
            )
        })
        .collect();
    let null = Value::Null;
    assert_eq!(
        told,
        [
            (json!(0), json!(""), null.clone()),
            (json!(1), json!(""), null.clone()),
            (json!(0), json!("a"), json!("a")),
            (json!(1), json!("b"), json!("b")),
            (json!(1), null.clone(), null.clone()),
            (json!(0), null.clone(), null),
        ]
    );
    let usage = &chunks[chunks.len() - 2];
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["prompt_tokens_details"], json!({"audio_tokens": 1, "cached_tokens": 0}));
    assert_eq!((&usage["model"], &usage["created"]), (&json!("asked"), &json!(7)));
}

proptest! {
    #[test]
    fn no_request_makes_it_panic(at in 0_usize..600, byte: u8, bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let body = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]},{"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{"name":"f","input":"x"}}]},{"role":"tool","tool_call_id":"1","content":"y"}],"tools":[{"type":"custom","custom":{"name":"f"}}],"tool_choice":{"type":"custom","custom":{"name":"f"}},"stop":["x"],"stream_options":{"include_usage":true}}"#;
        let mut body = body.as_bytes().to_vec();
        let at = at % body.len();
        body[at] = byte;
        let _ = decode_request(&body);
        let _ = decode_request(&bytes);
    }

    #[test]
    fn any_order_of_events_is_a_proper_stream(kinds in prop::collection::vec(0_u8..7, 0..24)) {
        let mut events = vec![Event::Start { id: None, model: None }];
        let mut calls = [0_u32; 3];
        for (position, kind) in kinds.iter().enumerate() {
            let choice = (position % 3) as u32;
            let call_number = calls[position % 3];
            events.push(match kind {
                0 => Event::Text { choice, text: Text::from("x") },
                1 => Event::Reasoning { choice, text: Text::from("x") },
                2 => Event::Refusal { choice, text: Text::from("x") },
                3 if call_number > 0 => Event::Arguments { choice, call: call_number - 1, json: Text::from("{}") },
                4 => Event::Usage(Usage::default()),
                5 => Event::Logprobs { choice, tokens: Vec::new() },
                _ => {
                    calls[position % 3] += 1;
                    let name = if position % 2 == 0 { "patch" } else { "f" };
                    Event::ToolCall { choice, call: call_number, tool: call("i", name, false, "") }
                }
            });
        }
        let told: u32 = calls.iter().sum();
        events.push(if kinds.len() % 2 == 0 { Event::End } else { Event::Error(Failure::truncated()) });
        let is_whole = kinds.len() % 2 == 0;
        let chunks = stream(events, asked(&["patch"], true));
        let begun = deltas(&chunks).iter().filter(|delta| delta["tool_calls"][0].get("id").is_some()).count();
        if is_whole {
            prop_assert_eq!(begun as u32, told);
            prop_assert_eq!(chunks.last(), Some(&json!("[DONE]")));
        } else {
            prop_assert!(chunks.last().is_some_and(|chunk| chunk.get("error").is_some()));
        }
    }
}
