//! What answers and streams become.

use proptest::prelude::*;

use super::{StreamReader, decode_outcome};
use crate::conversation::{Answer, Event, Finish, Maker, Part};
use crate::embeddings::Vector;
use crate::failure::Failure;
use crate::stream::{aws, sse};
use crate::task::{Outcome, TaskKind};
use crate::usage::Usage;

fn decode(body: &str) -> Result<Answer<'_>, Failure> {
    match decode_outcome(TaskKind::Conversation, CLAUDE, body.as_bytes())? {
        Outcome::Conversation(answer) => Ok(answer),
        other => panic!("{other:?}"),
    }
}

const CLAUDE: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

const ANSWER: &str = r#"{
    "output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "aGlkZGVu"}},
        {"text": "Hello"},
        {"citationsContent": {"content": [{"text": "cited"}], "citations": [{}]}},
        {"toolUse": {"toolUseId": "s1", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "s1", "content": []}},
        {"toolUse": {"toolUseId": "t1", "name": "f", "input": { "a": [1, "b c"] }}},
        {"novel": 7}
    ]}},
    "stopReason": "tool_use",
    "usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 42, "cacheReadInputTokens": 20,
              "cacheWriteInputTokens": 10, "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 6}]},
    "metrics": {"latencyMs": 3}
}"#;

#[test]
fn what_is_hidden_is_for_who_can_read_it() {
    for (model, maker) in [
        (CLAUDE, Maker::Anthropic),
        ("openai.gpt-oss-120b-1:0", Maker::Bedrock),
        ("us.amazon.nova-2-lite-v1:0", Maker::Bedrock),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", Maker::Bedrock),
    ] {
        let outcome = decode_outcome(TaskKind::Conversation, model, ANSWER.as_bytes()).expect("reads");
        let Outcome::Conversation(answer) = outcome else { panic!("{outcome:?}") };
        let mut makers: Vec<_> = answer.choices[0]
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning(reasoning) => reasoning.signature.as_ref().or(reasoning.hidden.as_ref()),
                _ => None,
            })
            .map(|signature| signature.maker)
            .collect();
        let mut reader = StreamReader::new(model);
        for data in [
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm"}}}"#,
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"sig"}}}"#,
            r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"aGlkZGVu"}}}"#,
            r#"{"contentBlockIndex":2,"delta":{"reasoningContent":{"redactedContent":"aGlkZGVu"}}}"#,
        ] {
            reader.event("contentBlockDelta", data, &mut |event| match event {
                Event::Signature { signature, .. } | Event::HiddenReasoning { hidden: signature, .. } => {
                    makers.push(signature.maker);
                }
                _ => {}
            });
        }
        assert_eq!(makers, [maker; 4], "{model}");
    }
}

#[test]
fn an_answer_is_read_part_by_part() {
    let answer = decode(ANSWER).expect("reads");
    let [choice] = &answer.choices[..] else { panic!("{answer:?}") };
    let [
        Part::Reasoning(shown),
        Part::Reasoning(hidden),
        Part::Text(text),
        Part::Text(cited),
        Part::ToolCall(call),
    ] = &choice.parts[..]
    else {
        panic!("{choice:?}")
    };
    assert_eq!((&*shown.text, shown.signature.as_ref().map(|signed| &*signed.value)), ("Hm", Some("sig")));
    assert_eq!((&*hidden.text, hidden.hidden.as_ref().map(|hidden| &*hidden.value)), ("", Some("aGlkZGVu")));
    assert_eq!((&**text, &**cited), ("Hello", "cited"));
    assert_eq!((&*call.id, &*call.name, &*call.arguments), ("t1", "f", r#"{"a":[1,"b c"]}"#));
    assert_eq!(choice.finish, Finish::ToolCalls);
    assert_eq!(
        answer.usage,
        Some(Usage {
            input: 35,
            cached_input: 20,
            cache_write: 10,
            cache_write_1h: 4,
            output: 7,
            ..Usage::default()
        })
    );
}

#[test]
fn every_reason_has_its_finish() {
    let answer =
        |reason: &str| format!(r#"{{"output":{{"message":{{"content":[]}}}},"stopReason":"{reason}"}}"#);
    for (reason, expected) in [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::Stop),
        ("novel", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("tool_use", Finish::ToolCalls),
        ("guardrail_intervened", Finish::ContentFilter),
        ("content_filtered", Finish::ContentFilter),
    ] {
        assert_eq!(decode(&answer(reason)).expect("reads").choices[0].finish, expected, "{reason}");
    }
    for reason in ["malformed_model_output", "malformed_tool_use"] {
        let failure = decode(&answer(reason)).unwrap_err();
        assert_eq!((failure.status, failure.code.as_deref()), (502, Some(reason)));
    }
}

#[test]
fn the_text_that_ended_an_answer_is_told() {
    let body = r#"{"output":{"message":{"content":[]}},"stopReason":"stop_sequence",
        "additionalModelResponseFields":{"stop_sequence":"END"}}"#;
    assert_eq!(decode(body).expect("reads").choices[0].stop.as_deref(), Some("END"));
    let body = body.replace(r#"{"stop_sequence":"END"}"#, r#"["x"]"#);
    assert_eq!(decode(&body).expect("reads").choices[0].stop, None);
}

#[test]
fn what_is_no_answer_is_a_failure() {
    for body in ["", "[]", "{}", r#"{"output":{}}"#, r#"{"output":{"message":{"content":[{"text":1}]}}}"#] {
        assert_eq!(decode(body).unwrap_err().code.as_deref(), Some("provider_malformed"), "{body}");
    }
    let nameless = r#"{"output":{"message":{"content":[{"toolUse":{"toolUseId":"t"}}]}}}"#;
    assert!(decode(nameless).is_err());
}

#[test]
fn counts_vectors_and_rankings_are_read() {
    let read = |kind, body: &'static str| decode_outcome(kind, "m", body.as_bytes());
    let Ok(Outcome::CountTokens(count)) = read(TaskKind::CountTokens, r#"{"inputTokens":12}"#) else {
        panic!()
    };
    assert_eq!((count.input, count.cached_input), (12, 0));
    for (body, vectors, tokens) in [
        (
            r#"{"embedding":[0.5,1],"inputTextTokenCount":3,"embeddingsByType":{"float":[0.5,1]}}"#,
            &["[0.5,1]"][..],
            Some(3),
        ),
        (
            r#"{"id":"x","embeddings":[[1],[2]],"texts":["a","b"],"response_type":"embeddings_floats"}"#,
            &["[1]", "[2]"],
            None,
        ),
        (r#"{"embeddings":{"float":[[1]]},"response_type":"embeddings_by_type"}"#, &["[1]"], None),
    ] {
        let Ok(Outcome::Embeddings(answer)) = read(TaskKind::Embeddings, body) else { panic!("{body}") };
        let read: Vec<_> = answer
            .vectors
            .iter()
            .map(|vector| match vector {
                Vector::Numbers(numbers) => numbers.get(),
                Vector::Base64(_) => panic!("{vector:?}"),
            })
            .collect();
        assert_eq!((&read[..], answer.usage.map(|usage| usage.input)), (vectors, tokens));
    }
    let body = r#"{"results":[{"index":2,"relevance_score":0.9},{"index":0,"relevance_score":1e-3}]}"#;
    let Ok(Outcome::Rerank(answer)) = read(TaskKind::Rerank, body) else { panic!() };
    assert_eq!(answer.results.iter().map(|ranked| ranked.index).collect::<Vec<_>>(), [2, 0]);
    for (kind, body) in [
        (TaskKind::CountTokens, "{}"),
        (TaskKind::Embeddings, "{}"),
        (TaskKind::Embeddings, r#"{"embedding":"x"}"#),
        (TaskKind::Embeddings, r#"{"embeddings":{"int8":[]}}"#),
        (TaskKind::Rerank, r#"{"results":[{"index":-1,"relevance_score":1}]}"#),
    ] {
        assert_eq!(read(kind, body).unwrap_err().code.as_deref(), Some("provider_malformed"), "{body}");
    }
}

/// What is emitted for events of these names and data, one line each.
fn read(events: &[(&str, &str)]) -> Vec<String> {
    let mut reader = StreamReader::new(CLAUDE);
    let mut lines = Vec::new();
    let mut emit = |event: Event<'_>| lines.push(line(event));
    for (name, data) in events {
        reader.event(name, data, &mut emit);
    }
    reader.end(&mut emit);
    lines
}

fn line(event: Event<'_>) -> String {
    match event {
        Event::Start { .. } => "start".to_owned(),
        Event::Text { text, .. } => format!("text {text}"),
        Event::Reasoning { text, .. } => format!("reasoning {text}"),
        Event::Signature { signature, .. } => format!("signature {}", signature.value),
        Event::HiddenReasoning { hidden, .. } => format!("hidden {}", hidden.value),
        Event::ToolCall { call, tool, .. } => {
            assert!(tool.arguments.is_empty());
            format!("call {call} {} {}", tool.id, tool.name)
        }
        Event::Arguments { call, json, .. } => format!("arguments {call} {json}"),
        Event::Finish { finish, stop, .. } => format!("finish {finish:?} {}", stop.unwrap_or_default()),
        Event::Usage(usage) => format!("usage {} {} {}", usage.input, usage.cached_input, usage.output),
        Event::Error(failure) => format!("error {} {}", failure.status, failure.code.unwrap_or_default()),
        Event::End => "end".to_owned(),
        other => panic!("{other:?}"),
    }
}

const STREAM: &[(&str, &str)] = &[
    ("messageStart", r#"{"role":"assistant","p":"abc"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"si"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"g"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"YQ=="}}}"#,
    ),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"Yg=="}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":"Hel"}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":"lo 😀"}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"citation":{"title":"t"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":""}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
    (
        "contentBlockStart",
        r#"{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"s","name":"g","type":"server_tool_use"}}}"#,
    ),
    ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{}"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":3}"#),
    ("contentBlockStart", r#"{"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":"{\"a\""}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":":1}"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":4}"#),
    ("contentBlockStart", r#"{"contentBlockIndex":5,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":5,"delta":{"toolUse":{"input":""}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":5}"#),
    ("novelEvent", "no JSON"),
    ("messageStop", r#"{"stopReason":"tool_use","additionalModelResponseFields":{"stop_sequence":"END"}}"#),
    (
        "metadata",
        r#"{"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":32,"cacheReadInputTokens":20},"metrics":{"latencyMs":1}}"#,
    ),
    ("contentBlockDelta", r#"{"contentBlockIndex":9,"delta":{"text":"late"}}"#),
];

const LINES: &[&str] = &[
    "start",
    "reasoning Hm",
    "signature sig",
    "hidden YWI=",
    "text Hel",
    "text lo 😀",
    "call 0 t1 f",
    "arguments 0 {\"a\"",
    "arguments 0 :1}",
    "call 1 t2 g",
    "arguments 1 {}",
    "finish ToolCalls END",
    "usage 25 20 7",
    "end",
];

#[test]
fn a_stream_is_read_event_by_event() {
    assert_eq!(read(STREAM), LINES);
}

#[test]
fn a_stream_may_be_cut_at_every_byte() {
    let bytes: Vec<u8> = STREAM
        .iter()
        .flat_map(|(name, data)| {
            aws::message(&[(":event-type", name), (":message-type", "event")], data.as_bytes())
        })
        .collect();
    for cut in 0..=bytes.len() {
        let mut decoder = aws::Decoder::new(1 << 16);
        let mut reader = StreamReader::new(CLAUDE);
        let mut lines = Vec::new();
        for chunk in [&bytes[..cut], &bytes[cut..]] {
            let mut take = |event: sse::Event<'_>| {
                reader.event(event.name, &event.data, &mut |event| lines.push(line(event)))
            };
            decoder.push(chunk, &mut take).expect("reads");
        }
        reader.end(&mut |event| lines.push(line(event)));
        assert_eq!(lines, LINES, "cut at {cut}");
    }
}

#[test]
fn an_exception_ends_the_stream() {
    let busy = ("exception:throttlingException", r#"{"message":"Too many"}"#);
    assert_eq!(read(&[busy, STREAM[0]]), ["error 429 rate_limit_exceeded"]);
    assert_eq!(read(&[STREAM[0], busy, STREAM[8]]), ["start", "error 429 rate_limit_exceeded"]);
    let denied = ("exception:accessDeniedException", r#"{"message":"arn:aws:iam::1"}"#);
    assert_eq!(read(&[denied]), ["error 502 provider_authentication"]);
}

#[test]
fn a_stream_without_its_end_is_an_error() {
    assert_eq!(read(&[]), ["error 502 stream_truncated"]);
    assert_eq!(read(&STREAM[..9]).last().map(String::as_str), Some("error 502 stream_truncated"));
    // The usage is missed, but the answer is whole.
    let stop = ("messageStop", r#"{"stopReason":"end_turn"}"#);
    assert_eq!(read(&[STREAM[8], stop]), ["start", "text Hel", "finish Stop ", "end"]);
    assert_eq!(read(&[STREAM[25], stop]), ["start", "usage 25 20 7", "finish Stop ", "end"]);
}

#[test]
fn blocks_that_were_left_open_end_with_the_answer() {
    let stop = ("messageStop", "{}");
    assert_eq!(
        read(&[STREAM[16], STREAM[20], STREAM[2], stop]),
        [
            "start",
            "call 0 t1 f",
            "call 1 t2 g",
            "signature si",
            "arguments 0 {}",
            "arguments 1 {}",
            "finish ToolCalls ",
            "end"
        ]
    );
}

#[test]
fn what_can_not_be_read_is_an_error() {
    for data in
        ["", "{", "[]", "{}", r#"{"contentBlockIndex":0}"#, r#"{"contentBlockIndex":0,"delta":{"text":1}}"#]
    {
        let lines = read(&[("contentBlockDelta", data), STREAM[8]]);
        assert_eq!(lines.last().map(String::as_str), Some("error 502 provider_malformed"), "{data}");
    }
    let nameless = ("contentBlockStart", r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t"}}}"#);
    assert_eq!(read(&[nameless]), ["start", "error 502 provider_malformed"]);
    let useless = ("messageStop", r#"{"stopReason":"malformed_tool_use"}"#);
    assert_eq!(read(&[useless]), ["start", "error 502 malformed_tool_use"]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for kind in TaskKind::ALL {
            let _ = decode_outcome(kind, "m", &bytes);
        }
        let _ = super::decode_failure(400, &bytes);
    }

    #[test]
    fn any_change_to_an_answer_is_read_or_refused(position in 0..ANSWER.len(), byte in any::<u8>(), length in 0_usize..20) {
        let mut bytes = ANSWER.as_bytes().to_vec();
        let end = (position + length).min(bytes.len());
        bytes.splice(position..end, [byte]);
        let _ = decode_outcome(TaskKind::Conversation, "m", &bytes);
    }

    #[test]
    fn any_change_to_a_stream_ends_it_once(order in proptest::collection::vec(0..STREAM.len(), 0..30), cut in 0_usize..80, which in 0_usize..30) {
        let mut reader = StreamReader::new(CLAUDE);
        let mut ends = 0;
        let mut emit = |event: Event<'_>| {
            assert_eq!(ends, 0, "nothing follows the end");
            ends += usize::from(matches!(event, Event::End | Event::Error(_)));
        };
        for (place, index) in order.iter().enumerate() {
            let (name, data) = STREAM[*index];
            let cut = if place == which { data.floor_char_boundary(cut.min(data.len())) } else { data.len() };
            reader.event(name, &data[..cut], &mut emit);
        }
        reader.end(&mut emit);
        prop_assert_eq!(ends, 1);
    }
}
