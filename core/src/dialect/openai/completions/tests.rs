//! Tests of the legacy Completions API.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::{
    Answer, Choice, Event, Finish, Other, Part, Reasoning, Request, TokenChance, TokenLogprob,
};
use crate::dialect::Asked;
use crate::failure::Failure;
use crate::json::Text;
use crate::task::Outcome;
use crate::usage::Usage;

fn read(fields: &str) -> String {
    format!(r#"{{"model":"m",{fields}}}"#)
}

/// What the messages of a request say; nothing for one without a text.
fn prompts(request: &Request<'_>) -> Vec<String> {
    let said = |part: &Part<'_>| match part {
        Part::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    };
    request.messages.iter().map(|message| message.parts.iter().map(said).collect()).collect()
}

fn others<'a>(request: &'a Request<'_>) -> Vec<(&'a str, bool)> {
    request.others.iter().map(|Other { path, content }| (path.as_str(), *content)).collect()
}

#[test]
fn every_form_of_prompt_is_read() {
    for (prompt, said, is_one) in [
        (r#""a\n""#, vec!["a\n"], true),
        (r#"["a"]"#, vec!["a"], true),
        (r#"["a", "b"]"#, vec!["a", "b"], false),
        ("[1, 2]", vec![""], false),
        ("[[1], [2]]", vec![""], false),
        ("null", vec![""], false),
    ] {
        let body = read(&format!(r#""prompt":{prompt}"#));
        let request = decode_request(body.as_bytes()).expect("reads");
        assert_eq!(prompts(&request), said);
        assert_eq!(others(&request), if is_one { vec![] } else { vec![("prompt", true)] }, "{prompt}");
    }
    assert_eq!(others(&decode_request(br#"{"model":"m"}"#).expect("reads")), [("prompt", true)]);
    for (prompt, code) in [
        ("[]", "invalid_value"),
        ("{}", "invalid_type"),
        (r#"["a",1]"#, "invalid_type"),
        ("[-1]", "invalid_type"),
    ] {
        let body = read(&format!(r#""prompt":{prompt}"#));
        let failure = decode_request(body.as_bytes()).expect_err(prompt);
        assert_eq!(
            (failure.parameter.as_deref(), failure.code.as_deref()),
            (Some("prompt"), Some(code)),
            "{prompt}"
        );
    }
}

#[test]
fn nothing_that_is_said_is_lost() {
    let body = read(
        r#""prompt":"p","suffix":"s","max_tokens":5,"temperature":0.5,"top_p":0.25,"presence_penalty":1,
        "frequency_penalty":-1,"seed":-3,"stop":["x"],"n":2,"best_of":3,"echo":true,"logprobs":4,"user":"u","stream":true,
        "stream_options":{"include_usage":true,"include_obfuscation":false,"novel":1},"logit_bias":{"1":2},"metadata":{},"novel":[1]"#,
    );
    let request = decode_request(body.as_bytes()).expect("reads");
    assert_eq!((request.max_tokens, request.temperature, request.top_p), (Some(5), Some(0.5), Some(0.25)));
    assert_eq!(
        (request.presence_penalty, request.frequency_penalty, request.seed),
        (Some(1.0), Some(-1.0), Some(-3))
    );
    assert_eq!((&*request.stop[0], request.choices, request.user.as_deref()), ("x", Some(2), Some("u")));
    assert!(request.logprobs && request.stream && request.stream_usage);
    assert_eq!(request.top_logprobs, Some(4));
    let expected = [
        ("suffix", true),
        ("echo", false),
        ("best_of", false),
        ("logit_bias", false),
        ("novel", false),
        ("stream_options.novel", false),
    ];
    assert_eq!(others(&request), expected);
    let plain = read(r#""prompt":"p","suffix":"","echo":false,"n":2,"best_of":2,"stop":"x","logprobs":0"#);
    let request = decode_request(plain.as_bytes()).expect("reads");
    assert!(others(&request).is_empty());
    assert_eq!((request.logprobs, request.top_logprobs), (true, Some(0)));
}

#[test]
fn a_fault_is_named() {
    for (body, path) in [
        (r#"{"prompt":"p"}"#.to_owned(), "model"),
        (r#"{"model":"","prompt":"p"}"#.to_owned(), "model"),
        (read(r#""prompt":"p","n":0"#), "n"),
        (read(r#""prompt":"p","max_tokens":0"#), "max_tokens"),
        (read(r#""prompt":"p","temperature":"hot""#), "temperature"),
    ] {
        assert_eq!(decode_request(body.as_bytes()).expect_err(&body).parameter.as_deref(), Some(path));
    }
    assert!(decode_request(read(r#""prompt":"p","max_tokens":0,"echo":true"#).as_bytes()).is_ok());
}

fn tokens() -> Vec<TokenLogprob<'static>> {
    let chance = |token, logprob| TokenChance { token: Text::from(token), logprob };
    vec![
        TokenLogprob {
            chosen: chance("Ä", -0.5),
            top: vec![chance("Ä", -0.5), chance("B", -1.5), chance("B", -2.5)],
        },
        TokenLogprob { chosen: chance("b", -0.25), top: Vec::new() },
    ]
}

fn asked(stream_usage: bool) -> Asked {
    Asked { model: "target".to_owned(), stream_usage, ..Asked::default() }
}

#[test]
fn an_answer_is_written() {
    let thought = Reasoning { text: Text::from("hm"), ..Reasoning::default() };
    let parts = vec![Part::Reasoning(thought), Part::Text(Text::from("Ä")), Part::Text(Text::from("b"))];
    let choice = Choice { index: 1, parts, finish: Finish::ToolCalls, stop: None, logprobs: Some(tokens()) };
    let usage = Some(Usage { input: 3, cached_input: 1, output: 4, reasoning: 2, ..Usage::default() });
    let answer = Answer { id: Some(Text::from("a")), model: None, choices: vec![choice], usage };
    let written: Value = serde_json::from_slice(&encode_answer(&answer, &asked(false), 9)).expect("is JSON");
    let logprobs = json!({
        "tokens": ["Ä", "b"], "token_logprobs": [-0.5, -0.25], "top_logprobs": [{"Ä": -0.5, "B": -1.5}, {}], "text_offset": [0, 1],
    });
    let expected = json!({
        "id": "a", "object": "text_completion", "created": 9, "model": "target",
        "choices": [{"text": "Äb", "index": 1, "logprobs": logprobs, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 2}},
    });
    assert_eq!(written, expected);
}

/// The data of the events that a client gets.
fn streamed(events: Vec<Event<'_>>, stream_usage: bool) -> Vec<Value> {
    let mut writer = StreamWriter::new(asked(stream_usage), 9);
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    let text = String::from_utf8(out).expect("is text");
    let data = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").expect("is data"));
    data.map(|data| if data == "[DONE]" { json!(data) } else { serde_json::from_str(data).expect("is JSON") })
        .collect()
}

fn events<'a>() -> Vec<Event<'a>> {
    vec![
        Event::Start { id: Some(Text::from("a")), model: Some(Text::from("m")) },
        Event::Reasoning { choice: 0, text: Text::from("hm") },
        Event::Text { choice: 1, text: Text::from("ö") },
        Event::Logprobs { choice: 1, tokens: tokens() },
        Event::Usage(Usage { input: 1, ..Usage::default() }),
        Event::Text { choice: 1, text: Text::from("Äb") },
        Event::Finish { choice: 1, finish: Finish::Length, stop: None },
        Event::Usage(Usage { input: 3, output: 4, ..Usage::default() }),
        Event::End,
    ]
}

#[test]
fn a_stream_is_written() {
    let chunks = streamed(events(), false);
    assert_eq!(
        chunks[0],
        json!({
            "id": "a", "object": "text_completion", "created": 9, "model": "m",
            "choices": [{"text": "ö", "index": 1, "logprobs": null, "finish_reason": null}],
        })
    );
    assert_eq!(chunks[1]["choices"][0]["logprobs"]["text_offset"], json!([1, 2]));
    assert_eq!(
        chunks[2]["choices"][0],
        json!({"text": "", "index": 1, "logprobs": null, "finish_reason": "length"})
    );
    assert_eq!(chunks[3..], [json!("[DONE]")]);

    let chunks = streamed(events(), true);
    assert_eq!(chunks[0].get("usage"), Some(&Value::Null));
    assert_eq!((&chunks[3]["choices"], &chunks[3]["usage"]["total_tokens"]), (&json!([]), &json!(7)));
    assert_eq!(chunks[4..], [json!("[DONE]")]);

    let failed = streamed(vec![Event::Error(Failure::truncated())], false);
    assert_eq!(failed[0]["error"]["code"], "stream_truncated");
}

/// What is emitted for events of these data, one line each.
fn emitted(data: &[&str]) -> Vec<String> {
    let mut reader = StreamReader::default();
    let mut lines = Vec::new();
    let mut emit = |event: Event<'_>| {
        lines.push(match event {
            Event::Start { id, model } => {
                format!("start {} {}", id.expect("is there"), model.expect("is there"))
            }
            Event::Text { choice, text } => format!("text {choice} {text}"),
            Event::Finish { choice, finish, .. } => format!("finish {choice} {finish:?}"),
            Event::Usage(usage) => format!("usage {} {}", usage.input, usage.output),
            Event::Error(failure) => {
                format!("error {} {}", failure.status, failure.code.as_deref().unwrap_or(""))
            }
            Event::End => "end".to_owned(),
            other => format!("{other:?}"),
        });
    };
    for data in data {
        reader.event(data, &mut emit);
    }
    reader.end(&mut emit);
    lines
}

#[test]
fn what_passes_is_read_on_its_way() {
    let text = r#"{"id":"a","model":"m","choices":[{"index":0,"text":"x","logprobs":null,"finish_reason":null},{"index":1,"text":""}],"usage":null}"#;
    let ends = r#"{"id":"a","model":"m","choices":[{"index":1,"text":"y","finish_reason":"length"},{"index":0,"text":"","finish_reason":"stop"}]}"#;
    let usage = r#"{"id":"a","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
    let read = ["start a m", "text 0 x", "text 1 y", "finish 1 Length", "finish 0 Stop", "usage 3 4", "end"];
    assert_eq!(emitted(&[text, ends, usage, "[DONE]", text]), read);
    assert_eq!(emitted(&[text, ends, usage]), read);
    assert_eq!(emitted(&[text]), ["start a m", "text 0 x", "error 502 stream_truncated"]);
    assert_eq!(emitted(&["{"]), ["error 502 provider_malformed"]);
    assert_eq!(
        emitted(&[r#"{"error":{"message":"busy","type":"rate_limit_error"}}"#, text]),
        ["error 429 rate_limit_exceeded"]
    );

    let whole = br#"{"id":"a","model":"m","choices":[{"index":0,"text":"x","finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    let Outcome::Conversation(answer) = decode_outcome(whole).expect("reads") else { panic!("is an answer") };
    assert_eq!(answer.choices[0].finish, Finish::Length);
    assert!(matches!(&answer.choices[0].parts[..], [Part::Text(text)] if &**text == "x"));
    assert_eq!(answer.usage.map(|usage| (usage.input, usage.output)), Some((3, 4)));
    assert_eq!(decode_outcome(b"[]").expect_err("is none").status, 502);
    assert_eq!(&*decode_outcome(br#"{"error":"busy"}"#).expect_err("failed").message, "busy");
}

/// Whatever our writer writes, the reader of the same dialect reads again.
#[test]
fn a_stream_comes_back_as_it_was() {
    let mut writer = StreamWriter::new(asked(true), 9);
    let mut out = Vec::new();
    events().into_iter().for_each(|event| writer.event(event, &mut out));
    let text = String::from_utf8(out).expect("is text");
    let data: Vec<_> = text.split_terminator("\n\n").map(|event| &event["data: ".len()..]).collect();
    let lines = ["start a m", "text 1 ö", "text 1 Äb", "finish 1 Length", "usage 3 4", "end"];
    assert_eq!(emitted(&data), lines);
}

#[test]
fn fields_have_the_names_that_the_client_used() {
    use crate::conversation::{Field, Place};
    assert_eq!(name(Field::MaxTokens), "max_tokens");
    assert_eq!(name(Field::MessageContent(Place::item(1))), "prompt[1]");
    assert_eq!(name(Field::TopLogprobs), "logprobs");
    assert_eq!(name(Field::Seed), "seed");
}

proptest! {
    #[test]
    fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..48), position in any::<prop::sample::Index>()) {
        let mut body = br#"{"id":"a","model":"m","prompt":["a",[1]],"stop":["x"],"choices":[{"index":0,"text":"x"}],"usage":{"prompt_tokens":1}}"#.to_vec();
        let position = position.index(body.len());
        body.splice(position..=position, bytes);
        let _ = decode_request(&body);
        let _ = decode_outcome(&body);
        let mut reader = StreamReader::default();
        let mut over = 0;
        let mut emit = |event: Event<'_>| over += u32::from(matches!(event, Event::End | Event::Error(_)));
        reader.event(&String::from_utf8_lossy(&body), &mut emit);
        reader.end(&mut emit);
        prop_assert_eq!(over, 1);
    }
}
