//! Streams of each dialect, with planted values cut at every byte.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::policy;

const TEXT: &str = "Dear Bob, write to bob.smith@example.com or call +1 415 555 2671, käse 😀.";
const MASKED: &str = "Dear Bob, write to [EMAIL] or call [PHONE], käse 😀.";
const ARGUMENTS: &str = r#"{"to": "bob.smith@example.com", "card": 4111111111111111, "x": [1, "é"]}"#;
const MASKED_ARGUMENTS: &str = r#"{"to": "[EMAIL]", "card": "[CREDIT_CARD]", "x": [1, "é"]}"#;

pub(super) fn plan(redaction: &Value) -> Arc<Plan> {
    let document = json!({
        "version": 1,
        "providers": {
            "cloud": {"dialect": "openai", "endpoint": "https://cloud.test", "credential": "none"},
            "local": {"dialect": "openai", "endpoint": "http://local.test", "credential": "none"},
            "claude": {"dialect": "anthropic", "endpoint": "https://claude.test", "credential": "none"},
        },
        "models": {
            "chat": {"targets": [{"provider": "cloud", "model": "gpt"}, {"provider": "local", "model": "llama"}, {"provider": "claude", "model": "claude"}]},
        },
        "callers": {"anonymous": "allow"},
        "redaction": redaction,
    });
    let environment = |_: &str| Some("a key that is long enough".to_owned());
    Arc::new(policy::load(document.to_string().as_bytes(), &environment).expect("is good"))
}

fn veil(redaction: &Value, request: &str) -> Veil {
    let plan = plan(redaction);
    let rules = plan.redaction.as_ref().expect("is there");
    let choice = rules.choose(
        None,
        &Asking::new(ClientDialect::OpenAiChat, "/", &[], |_| false, std::time::Duration::ZERO),
        "chat",
        Place::default(),
    );
    let mut session = rules.session(choice, Direction::Request, b"one");
    session.mask(request);
    let pseudonyms = Arc::new(session.into_pseudonyms());
    Veil { plan, choice, pseudonyms, conversation: [0; 32] }
}

fn masking() -> Veil {
    veil(&json!({"rules": ["pii", "secrets"], "response": "mask", "request": "off"}), "")
}

/// A stream of a text in these parts, as a vendor would write it.
fn stream(client: ClientDialect, parts: &[&str], arguments: &[&str]) -> String {
    let mut events: Vec<(String, Value)> = Vec::new();
    match client {
        ClientDialect::OpenAiChat => {
            let event = |delta: Value, finish: Value| {
                (
                    String::new(),
                    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]}),
                )
            };
            events.push(event(json!({"role": "assistant", "content": ""}), Value::Null));
            events.extend(parts.iter().map(|part| event(json!({"content": part}), Value::Null)));
            events.push(event(json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]}), Value::Null));
            events.extend(arguments.iter().map(|part| {
                event(json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}), Value::Null)
            }));
            events.push(event(json!({}), json!("stop")));
            events.push((String::new(), json!({"id": "c", "choices": [], "usage": {"total_tokens": 3}})));
        }
        ClientDialect::OpenAiCompletions => {
            events.extend(parts.iter().map(|part| {
                (
                    String::new(),
                    json!({"id": "c", "choices": [{"index": 0, "text": part, "finish_reason": null}]}),
                )
            }));
            events.push((
                String::new(),
                json!({"id": "c", "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}),
            ));
        }
        ClientDialect::Anthropic => {
            let mut add =
                |event: Value| events.push((event["type"].as_str().expect("typed").to_owned(), event));
            add(json!({"type": "message_start", "message": {"id": "m", "content": []}}));
            add(
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            );
            for part in parts {
                add(
                    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}),
                );
            }
            add(json!({"type": "content_block_stop", "index": 0}));
            add(
                json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}),
            );
            for part in arguments {
                add(
                    json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": part}}),
                );
            }
            add(json!({"type": "content_block_stop", "index": 1}));
            add(
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}}),
            );
            add(json!({"type": "message_stop"}));
        }
        ClientDialect::Gemini => {
            let event = |parts: Value| {
                (
                    String::new(),
                    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}], "modelVersion": "m"}),
                )
            };
            events.extend(parts.iter().map(|part| event(json!([{"text": part}]))));
            events.push(event(json!([{"functionCall": {"name": "f", "args": serde_json::from_str::<Value>(&arguments.concat()).expect("JSON")}}])));
            events.push((String::new(), json!({"candidates": [{"finishReason": "STOP", "index": 0}], "usageMetadata": {"totalTokenCount": 3}})));
        }
        ClientDialect::OpenAiResponses => {
            let mut number = -1;
            let mut add = |kind: &str, mut event: Value| {
                number += 1;
                event["type"] = json!(kind);
                event["sequence_number"] = json!(number);
                events.push((kind.to_owned(), event));
            };
            let (text, call) = (parts.concat(), arguments.concat());
            let item = json!({"id": "msg", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]});
            let tool = json!({"id": "fc", "type": "function_call", "call_id": "call", "name": "f", "arguments": call});
            add("response.created", json!({"response": {"id": "r", "output": []}}));
            add(
                "response.output_item.added",
                json!({"output_index": 0, "item": {"id": "msg", "type": "message", "content": []}}),
            );
            for part in parts {
                add(
                    "response.output_text.delta",
                    json!({"item_id": "msg", "output_index": 0, "content_index": 0, "delta": part, "logprobs": []}),
                );
            }
            add(
                "response.output_text.done",
                json!({"item_id": "msg", "output_index": 0, "content_index": 0, "text": text}),
            );
            add("response.output_item.done", json!({"output_index": 0, "item": item}));
            add(
                "response.output_item.added",
                json!({"output_index": 1, "item": {"id": "fc", "type": "function_call", "name": "f", "arguments": ""}}),
            );
            for part in arguments {
                add(
                    "response.function_call_arguments.delta",
                    json!({"item_id": "fc", "output_index": 1, "delta": part}),
                );
            }
            add(
                "response.function_call_arguments.done",
                json!({"item_id": "fc", "output_index": 1, "arguments": call}),
            );
            add("response.output_item.done", json!({"output_index": 1, "item": tool}));
            add(
                "response.completed",
                json!({"response": {"id": "r", "output": [item, tool], "usage": {"total_tokens": 3}}}),
            );
        }
        _ => {}
    }
    let lines = events.into_iter().map(|(name, data)| match name.as_str() {
        "" => format!("data: {data}\n\n"),
        name => format!("event: {name}\ndata: {data}\n\n"),
    });
    let mut text: String = lines.collect();
    if matches!(client, ClientDialect::OpenAiChat | ClientDialect::OpenAiCompletions) {
        text.push_str("data: [DONE]\n\n");
    }
    text
}

fn masked(veil: &Veil, client: ClientDialect, chunks: &[&[u8]]) -> String {
    let mut mask = veil.stream(client, false).expect("is there");
    let mut out = Vec::new();
    for chunk in chunks {
        mask.push(chunk, &mut out);
    }
    mask.end(&mut out);
    String::from_utf8(out).expect("is text")
}

fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("is JSON")).collect()
}

/// What a client's SDK puts together: the text, the arguments, and wholes that the stream says again.
fn joined(client: ClientDialect, stream: &str) -> (String, String, Vec<String>) {
    let (mut text, mut arguments, mut wholes) = (String::new(), String::new(), Vec::new());
    let str = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (position, event) in events(stream).iter().enumerate() {
        match client {
            ClientDialect::OpenAiChat => {
                let delta = &event["choices"][0]["delta"];
                text.push_str(&str(&delta["content"]));
                arguments.push_str(&str(&delta["tool_calls"][0]["function"]["arguments"]));
            }
            ClientDialect::OpenAiCompletions => text.push_str(&str(&event["choices"][0]["text"])),
            ClientDialect::Anthropic => {
                text.push_str(&str(&event["delta"]["text"]));
                arguments.push_str(&str(&event["delta"]["partial_json"]));
            }
            ClientDialect::Gemini => {
                for part in event["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
                    text.push_str(&str(&part["text"]));
                    if let Some(call) = part.get("functionCall") {
                        arguments = call["args"].to_string();
                        wholes.push(text.clone());
                    }
                }
            }
            _ => {
                assert_eq!(event["sequence_number"], position, "{event}");
                match event["type"].as_str().expect("typed") {
                    "response.output_text.delta" => text.push_str(&str(&event["delta"])),
                    "response.function_call_arguments.delta" => arguments.push_str(&str(&event["delta"])),
                    "response.output_text.done" => {
                        assert_eq!(event["text"], text.as_str());
                        wholes.push(str(&event["text"]));
                    }
                    "response.function_call_arguments.done" => {
                        assert_eq!(event["arguments"], arguments.as_str())
                    }
                    "response.completed" => {
                        wholes.push(str(&event["response"]["output"][0]["content"][0]["text"]));
                        assert_eq!(event["response"]["output"][1]["arguments"], arguments.as_str());
                    }
                    _ => {}
                }
            }
        }
    }
    (text, arguments, wholes)
}

const STREAMING: [ClientDialect; 5] = [
    ClientDialect::OpenAiChat,
    ClientDialect::OpenAiResponses,
    ClientDialect::OpenAiCompletions,
    ClientDialect::Anthropic,
    ClientDialect::Gemini,
];

fn check(client: ClientDialect, out: &str, what: &str) {
    for leak in ["bob.smith", "smith@", "example.com", "415", "2671", "411111", "1111111"] {
        assert!(!out.contains(leak), "{client:?} {what}: {leak} in {out}");
    }
    let (text, arguments, wholes) = joined(client, out);
    assert_eq!(text, MASKED, "{client:?} {what}");
    assert!(wholes.iter().all(|whole| whole == MASKED), "{client:?} {what}: {wholes:?}");
    match client {
        ClientDialect::OpenAiCompletions => {}
        ClientDialect::Gemini => {
            let expected: Value = serde_json::from_str(MASKED_ARGUMENTS).expect("JSON");
            assert_eq!(arguments, expected.to_string(), "{client:?} {what}");
        }
        _ => assert_eq!(arguments, MASKED_ARGUMENTS, "{client:?} {what}"),
    }
}

#[test]
fn planted_values_are_found_wherever_a_text_is_cut() {
    let veil = masking();
    for client in STREAMING {
        for cut in (0..=TEXT.len()).filter(|cut| TEXT.is_char_boundary(*cut)) {
            let at = ARGUMENTS.floor_char_boundary(cut.min(ARGUMENTS.len()));
            let parts = [&TEXT[..cut], &TEXT[cut..]];
            let arguments = [&ARGUMENTS[..at], &ARGUMENTS[at..]];
            let stream = stream(client, &parts, &arguments);
            check(client, &masked(&veil, client, &[stream.as_bytes()]), &format!("cut at {cut}"));
        }
        let each = |text: &'static str| -> Vec<&'static str> {
            text.char_indices().map(|(at, one)| &text[at..at + one.len_utf8()]).collect()
        };
        let stream = stream(client, &each(TEXT), &each(ARGUMENTS));
        check(client, &masked(&veil, client, &[stream.as_bytes()]), "character by character");
    }
}

#[test]
fn a_stream_cut_at_every_byte_gives_the_same_bytes() {
    let veil = masking();
    for client in STREAMING {
        let stream = stream(
            client,
            &["Dear Bob, write to bob.sm", "ith@example.com ", "now"],
            &["{\"a\": \"+1 415", " 555 2671\"}"],
        );
        let bytes = stream.as_bytes();
        let whole = masked(&veil, client, &[bytes]);
        for cut in 0..=bytes.len() {
            assert_eq!(masked(&veil, client, &[&bytes[..cut], &bytes[cut..]]), whole, "{client:?} at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(masked(&veil, client, &single), whole, "{client:?}");
    }
}

#[test]
fn a_stream_without_findings_passes_byte_for_byte_where_nothing_is_held() {
    let veil = veil(&json!({"rules": ["credit_card", "iban"]}), "");
    for client in STREAMING {
        let stream = stream(client, &["Hello. ", "How are you? "], &["{\"a\": ", "[1, 2], \"b\": \"c\"}"]);
        assert_eq!(masked(&veil, client, &[stream.as_bytes()]), stream, "{client:?}");
    }
}

#[test]
fn a_stream_that_breaks_off_says_all_it_held_and_no_more() {
    let veil = masking();
    for client in STREAMING {
        let stream = stream(client, &["Ask ", "bob.smith@exam"], &["{}"]);
        let upto = stream.find("bob.smith@exam").expect("is there");
        let upto = upto + stream[upto..].find("\n\n").expect("ends") + 2;
        let out = masked(&veil, client, &[&stream.as_bytes()[..upto]]);
        let mut text = String::new();
        for event in events(&out) {
            for path in [
                "/choices/0/delta/content",
                "/choices/0/text",
                "/delta/text",
                "/candidates/0/content/parts/0/text",
                "/delta",
            ] {
                text.push_str(event.pointer(path).and_then(Value::as_str).unwrap_or_default());
            }
        }
        // As the whole text would be masked.
        let mut screen = veil.screen().expect("is there");
        let expected = screen
            .whole(Found::Text("Ask bob.smith@exam"))
            .unwrap_or_else(|| "Ask bob.smith@exam".to_owned());
        assert_eq!(text, expected, "{client:?}");
    }
}

#[test]
fn what_a_stream_holds_comes_before_its_failure() {
    let veil = masking();
    let stream = "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"call 415\"}}]}\n\ndata: {\"error\":{\"message\":\"ask bob@example.com\"}}\n\n";
    let out = masked(&veil, ClientDialect::OpenAiChat, &[stream.as_bytes()]);
    assert_eq!(
        events(&out),
        [
            json!({"id": "a", "choices": [{"index": 0, "delta": {"content": "call "}}]}),
            json!({"id": "a", "choices": [{"index": 0, "delta": {"content": "415"}, "finish_reason": null}]}),
            json!({"error": {"message": "ask [EMAIL]"}}),
        ]
    );
}

#[test]
fn comments_usage_and_the_end_keep_their_places() {
    let veil = masking();
    let mut mask = veil.stream(ClientDialect::OpenAiChat, false).expect("is there");
    let mut out = Vec::new();
    mask.push(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a bob\"}}]}\n\n", &mut out);
    out.clear();
    mask.push(b": ping\n\n", &mut out);
    assert_eq!(out, b": ping\n\n");
    out.clear();
    mask.push(b"data: {\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\n", &mut out);
    assert_eq!(out, b"data: {\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\n");
    out.clear();
    mask.push(b"data: [DONE]\n\n", &mut out);
    let out = String::from_utf8(out).expect("is text");
    assert_eq!(
        out,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bob\"},\"finish_reason\":null}]}\n\ndata: [DONE]\n\n"
    );
}

#[test]
fn choices_and_calls_are_texts_of_their_own() {
    let veil = masking();
    let event = |choice: u32, delta: &str| {
        format!("data: {{\"choices\":[{{\"index\":{choice},\"delta\":{delta}}}]}}\n\n")
    };
    let stream = [
        event(1, r#"{"content":"bob@exam"}"#),
        event(0, r#"{"content":"ann@exam"}"#),
        event(0, r#"{"reasoning_content":"carl@exam"}"#),
        event(1, r#"{"content":"ple.com "}"#),
        event(0, r#"{"content":"ple.org "}"#),
        event(0, r#"{"reasoning_content":"ple.net "}"#),
        event(0, r#"{"tool_calls":[{"index":1,"function":{"arguments":"{\"a\":\"dan@ex"}},{"index":0,"function":{"arguments":"{\"b\":\"eve@ex"}}]}"#),
        event(0, r#"{"tool_calls":[{"index":0,"function":{"arguments":"ample.com\"}"}},{"index":1,"function":{"arguments":"ample.com\"}"}}]}"#),
    ]
    .concat();
    let out = masked(&veil, ClientDialect::OpenAiChat, &[stream.as_bytes()]);
    assert!(!out.contains("ple."), "{out}");
    let mut said = std::collections::BTreeMap::<String, String>::new();
    for event in events(&out) {
        let choice = &event["choices"][0];
        for field in ["content", "reasoning_content"] {
            if let Some(text) = choice["delta"][field].as_str() {
                said.entry(format!("{}{field}", choice["index"])).or_default().push_str(text);
            }
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let text = call["function"]["arguments"].as_str().expect("is text");
            said.entry(format!("call{}", call["index"])).or_default().push_str(text);
        }
    }
    let said: Vec<_> = said.iter().map(|(name, text)| (name.as_str(), text.trim())).collect();
    assert_eq!(
        said,
        [
            ("0content", "[EMAIL]"),
            ("0reasoning_content", "[EMAIL]"),
            ("1content", "[EMAIL]"),
            ("call0", r#"{"b":"[EMAIL]"}"#),
            ("call1", r#"{"a":"[EMAIL]"}"#),
        ]
    );
}

#[test]
fn chances_of_tokens_tell_nothing() {
    let veil = masking();
    let stream = "data: {\"choices\":[{\"index\":0,\"logprobs\":{\"content\":[{\"token\":\"bob@example.com\"}]},\"delta\":{\"content\":\"bob@example.com \"},\"finish_reason\":\"stop\"}]}\n\n";
    let out = masked(&veil, ClientDialect::OpenAiChat, &[stream.as_bytes()]);
    assert_eq!(
        events(&out)[0],
        json!({"choices": [{"index": 0, "logprobs": null, "delta": {"content": "[EMAIL] "}, "finish_reason": "stop"}]})
    );
    let whole =
        r#"{"choices":[{"logprobs":{"content":[{"token":"b"}]},"message":{"content":"bob@example.com"}}]}"#;
    let mut counts = Counts::default();
    let out = veil
        .whole(ClientDialect::OpenAiChat, whole.as_bytes(), &mut counts)
        .expect("reads")
        .expect("changes");
    assert_eq!(out, br#"{"choices":[{"logprobs":null,"message":{"content":"[EMAIL]"}}]}"#);
    assert_eq!(counts.line(&veil.plan), "email=1");
}

#[test]
fn pseudonyms_are_given_back_wherever_they_are_cut() {
    let rules = json!({"rules": ["email", "us_ssn"], "request": "pseudonym", "response": "off", "key": {"env": "KEY"}});
    let request = "I am bob.smith@example.com, my SSN is 536-90-4399.";
    let veil = veil(&rules, request);
    let plan = plan(&rules);
    let redaction = plan.redaction.as_ref().expect("is there");
    let sent = redaction.session(veil.choice, Direction::Request, b"one").mask(request).expect("changes");
    assert!(!sent.contains("bob.smith") && !sent.contains("4399"), "{sent}");
    let arguments = format!("{{\"note\": {}}}", json!(sent));
    for client in STREAMING {
        for cut in 0..=sent.len() {
            let at = cut.min(arguments.len());
            let stream = stream(client, &[&sent[..cut], &sent[cut..]], &[&arguments[..at], &arguments[at..]]);
            let out = masked(&veil, client, &[stream.as_bytes()]);
            let (text, given, wholes) = joined(client, &out);
            assert_eq!(text, request, "{client:?} cut at {cut}");
            assert!(wholes.iter().all(|whole| whole == request), "{client:?} {wholes:?}");
            if client != ClientDialect::OpenAiCompletions {
                let given: Value = serde_json::from_str(&given).expect("is JSON");
                assert_eq!(given, json!({"note": request}), "{client:?} cut at {cut}");
            }
        }
    }
}

#[test]
fn findings_are_counted_once() {
    let veil = masking();
    for client in STREAMING {
        let stream = stream(client, &[TEXT], &["{}"]);
        let mut mask = veil.stream(client, false).expect("is there");
        let mut out = Vec::new();
        mask.push(stream.as_bytes(), &mut out);
        mask.end(&mut out);
        let mut counts = Counts::default();
        counts.add(Direction::Response, mask.take_outcome());
        assert_eq!(counts.line(&veil.plan), "email=1, phone=1", "{client:?}");
    }
}

#[test]
fn what_is_blocked_is_never_said() {
    let veil = veil(&json!({"rules": ["email"], "request": "off", "response": "block"}), "");
    for client in STREAMING {
        let stream = stream(client, &["Hello. ", "Ask bob.sm", "ith@example.com ", "today"], &["{}"]);
        let mut mask = veil.stream(client, false).expect("is there");
        let mut out = Vec::new();
        mask.push(stream.as_bytes(), &mut out);
        mask.end(&mut out);
        let out = String::from_utf8(out).expect("is text");
        assert!(mask.blocked().is_some() && out.contains("Hello. "), "{client:?}: {out}");
        assert!(
            !out.contains("smith") && !out.contains("example") && !out.contains("today"),
            "{client:?}: {out}"
        );
    }
}

#[test]
fn an_array_of_geminis_stays_one() {
    let veil = masking();
    let element = |text: &str| {
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}]})
            .to_string()
    };
    let end = json!({"candidates": [{"finishReason": "STOP", "index": 0}]}).to_string();
    let stream = format!("[{},\r\n{},\r\n{end}]", element("Ask bob@exam"), element("ple.com or ann"));
    let bytes = stream.as_bytes();
    let run = |chunks: &[&[u8]]| {
        let mut mask = veil.stream(ClientDialect::Gemini, true).expect("is there");
        let mut out = Vec::new();
        chunks.iter().for_each(|chunk| mask.push(chunk, &mut out));
        mask.end(&mut out);
        String::from_utf8(out).expect("is text")
    };
    let whole = run(&[bytes]);
    let events: Vec<Value> = serde_json::from_str(&whole).expect("is JSON");
    let text: String = events
        .iter()
        .filter_map(|event| event.pointer("/candidates/0/content/parts/0/text")?.as_str())
        .collect();
    assert_eq!(text, "Ask [EMAIL] or ann");
    assert_eq!(events.last(), Some(&serde_json::from_str(&end).expect("JSON")));
    for cut in 0..=bytes.len() {
        assert_eq!(run(&[&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
    }
}

#[test]
fn json_in_a_text_stays_json_when_it_streams() {
    let veil = masking();
    let (json, expected) = (
        r#"{"card": 4111111111111111, "to": ["bob@example.com"]}"#,
        r#"{"card": "[CREDIT_CARD]", "to": ["[EMAIL]"]}"#,
    );
    for (text, expected) in [
        (json.to_owned(), expected.to_owned()),
        (format!(" \n{json}\nCall +1 415 555 2671."), format!(" \n{expected}\nCall [PHONE].")),
        ("{ {name}} is at [+1 415 555 2671]".to_owned(), "{ {name}} is at [[PHONE]]".to_owned()),
        ("[+1 415 555 2671] and 1".to_owned(), "[[PHONE]] and 1".to_owned()),
        ("{".to_owned(), "{".to_owned()),
    ] {
        for cut in 0..=text.len() {
            let stream = stream(ClientDialect::Anthropic, &[&text[..cut], &text[cut..]], &["{}"]);
            let out = masked(&veil, ClientDialect::Anthropic, &[stream.as_bytes()]);
            assert_eq!(joined(ClientDialect::Anthropic, &out).0, expected, "cut at {cut}");
        }
    }
}

#[test]
fn no_bytes_are_masked_otherwise_when_they_are_cut() {
    let veil = masking();
    let mut random = fastrand::Rng::with_seed(7);
    for client in STREAMING {
        let stream = stream(
            client,
            &["Ask bob.sm", "ith@example.com ", "or +1 415", " 555 2671"],
            &["{\"a\": [1, \"bob@exam", "ple.com\"]}"],
        );
        for _ in 0..300 {
            let mut bytes = stream.clone().into_bytes();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(0..bytes.len());
                match random.u8(0..3) {
                    0 => bytes[at] = random.u8(..),
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, *random.choice(b"\"\\{}[]:,\n\r d0").expect("is one")),
                }
            }
            let run = |chunks: &[&[u8]]| {
                let mut mask = veil.stream(client, false).expect("is there");
                let mut out = Vec::new();
                chunks.iter().for_each(|chunk| mask.push(chunk, &mut out));
                mask.end(&mut out);
                out
            };
            let cut = random.usize(0..=bytes.len());
            assert_eq!(
                run(&[&bytes]),
                run(&[&bytes[..cut], &bytes[cut..]]),
                "{}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}
