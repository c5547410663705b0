use proptest::prelude::*;

use super::*;

fn events(stream: &[(&str, &str)]) -> Vec<String> {
    let mut reader = StreamReader::default();
    let mut seen = Vec::new();
    let mut emit = |event: Event<'_>| seen.push(format!("{event:?}"));
    for (name, data) in stream {
        reader.event(name, data, &mut emit);
    }
    reader.end(&mut emit);
    reader.end(&mut emit);
    seen
}

fn kinds(events: &[String]) -> Vec<&str> {
    events.iter().map(|event| event.split([' ', '(']).next().unwrap_or_default()).collect()
}

const CREATED: (&str, &str) = (
    "response.created",
    r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"gpt","output":[],"usage":null,"error":null}}"#,
);

#[test]
fn a_stream_is_followed_to_its_end() {
    let seen = events(&[
        CREATED,
        ("response.in_progress", "not read"),
        (
            "response.output_item.done",
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gA"}}"#,
        ),
        ("response.output_text.delta", r#"{"type":"response.output_text.delta","delta":"hi","logprobs":[]}"#),
        ("response.refusal.delta", r#"{"type":"response.refusal.delta","delta":"no"}"#),
        (
            "response.output_item.added",
            r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"custom_tool_call","call_id":"c","name":"p","input":""}}"#,
        ),
        (
            "",
            r#"{"type":"response.custom_tool_call_input.delta","output_index":2,"item_id":"ctc_1","delta":"x"}"#,
        ),
        ("response.web_search_call.searching", "{}"),
        (
            "response.completed",
            r#"{"type":"response.completed","response":{"id":"resp_1","output":[{"x":[]}],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":3},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":14}}}"#,
        ),
        ("response.output_text.delta", "after the end"),
    ]);
    let expected =
        ["Start", "HiddenReasoning", "Text", "Refusal", "ToolCall", "Arguments", "Finish", "Usage", "End"];
    assert_eq!(kinds(&seen), expected);
    assert!(seen[6].contains("ToolCalls"), "{}", seen[6]);
    let usage =
        Usage { input: 9, cached_input: 4, cache_write: 3, output: 5, reasoning: 2, ..Usage::default() };
    assert_eq!(seen[7], format!("{:?}", Event::Usage(usage)));
}

#[test]
fn a_stream_may_end_otherwise() {
    let incomplete = r#"{"response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#;
    let seen = events(&[CREATED, ("response.incomplete", incomplete)]);
    assert_eq!(kinds(&seen), ["Start", "Finish", "End"]);
    assert!(seen[1].contains("Length"));
    assert!(events(&[CREATED])[1].contains("stream_truncated"));
    assert!(events(&[CREATED, ("response.output_text.delta", "{")])[1].contains("provider_malformed"));
    let failed = r#"{"response":{"error":{"code":"rate_limit_exceeded","message":"slow"},"usage":{"input_tokens":1}}}"#;
    let seen = events(&[CREATED, ("response.failed", failed)]);
    assert_eq!(kinds(&seen), ["Start", "Usage", "Error"]);
    assert!(seen[2].contains("status: 429"), "{}", seen[2]);
}

#[test]
fn errors_have_the_status_that_their_words_give() {
    for (data, status) in [
        (r#"{"type":"error","code":"server_error","message":"m","param":null,"sequence_number":1}"#, 500),
        (r#"{"type":"error","code":"context_length_exceeded","message":"m"}"#, 400),
        (r#"{"type":"error","code":"image_too_large","message":"m"}"#, 400),
        (r#"{"type":"error","code":"insufficient_quota","message":"m"}"#, 429),
        (r#"{"type":"error","error":{"type":"invalid_request_error","code":null,"message":"m"}}"#, 400),
    ] {
        let seen = events(&[("error", data)]);
        assert_eq!(kinds(&seen), ["Error"]);
        assert!(seen[0].contains(&format!("status: {status}")) && seen[0].contains("\"m\""), "{}", seen[0]);
    }
}

#[test]
fn whole_answers_are_read_for_their_usage() {
    let body = br#"{"id":"resp_1","model":"gpt","output":[],"error":null,"usage":{"input_tokens":3,"output_tokens":2}}"#;
    let Ok(Outcome::Conversation(answer)) = decode_outcome(body) else { panic!("is an answer") };
    let usage = answer.usage.expect("is there");
    assert_eq!((answer.id.as_deref(), usage.input, usage.output), (Some("resp_1"), 3, 2));
    let failed = br#"{"id":"resp_1","error":{"code":"invalid_image","message":"no"},"usage":null}"#;
    assert_eq!(decode_outcome(failed).expect_err("has failed").status, 400);
    assert!(decode_outcome(b"<html>").expect_err("is none").is_malformed());
}

proptest! {
    #[test]
    fn no_event_does_harm(name in "(|error|response\\.(created|completed|failed|output_item\\.added|output_text\\.delta))", data in any::<String>()) {
        let seen = events(&[(&name, &data)]);
        prop_assert_eq!(seen.len(), 1);
    }

    #[test]
    fn no_answer_does_harm(body in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode_outcome(&body);
    }
}

#[test]
fn how_it_was_served_is_told_at_the_end() {
    let created = r#"{"type":"response.created","response":{"id":"r","service_tier":"auto"}}"#;
    let completed = r#"{"type":"response.completed","response":{"service_tier":"flex","usage":{"input_tokens":1,"output_tokens":1}}}"#;
    let mut reader = StreamReader::default();
    let mut tiers = Vec::new();
    for data in [created, completed] {
        reader.event("", data, &mut |event| {
            if let Event::Usage(usage) = event {
                tiers.push(usage.tier);
            }
        });
    }
    assert_eq!((tiers, reader.tier()), (vec![ServiceTier::Flex], ServiceTier::Flex));
    let whole =
        br#"{"id":"r","output":[],"service_tier":"priority","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let Ok(Outcome::Conversation(answer)) = decode_outcome(whole) else { panic!("reads") };
    assert_eq!(answer.usage.map(|usage| usage.tier), Some(ServiceTier::Priority));
}
