//! What guards do with answers, whole and streamed, cut at every byte.

use serde_json::{Value, json};

use super::tests::plan;
use crate::shared::LocalMemory;
use crate::testing::streams::{cases, client_gets, field};
use crate::testing::{NOW, header, sent};

#[test]
fn a_stream_is_withheld_from_the_first_word_that_is_refused() {
    let guards = plan(
        &json!([{"name": "nightingale", "kind": "words", "words": ["project nightingale"], "on": ["response"]}]),
    );
    for case in cases() {
        let stream = (case.stream)(&["We call it Project ", "Night", "ingale, you see."]);
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            let (got, failed, exchange) = client_gets(&case, &guards, &[&bytes[..cut], &bytes[cut..]]);
            let at = format!("{} at {} cut at {cut}: {got}", case.path, case.provider);
            assert!(!got.contains("ight") && !got.contains("roject") && !got.contains("you see"), "{at}");
            assert_eq!(field(&exchange), "nightingale;refuse", "{at}");
            match failed {
                // Where nothing has gone yet, it is an error with a status of its own.
                Some(message) => assert!(message.contains("'nightingale'") && got.is_empty(), "{at}"),
                None => assert!(got.contains(case.withheld) && got.ends_with(case.last), "{at}"),
            }
        }
    }
}

#[test]
fn every_event_of_a_withheld_stream_is_json_and_blocks_are_closed() {
    let guards = plan(&json!([{"name": "a", "kind": "words", "words": ["secret"], "on": ["response"]}]));
    for case in cases() {
        let stream = (case.stream)(&["Well then, ", "a secret!"]);
        let (got, failed, _) = client_gets(&case, &guards, &[stream.as_bytes()]);
        assert_eq!(failed, None);
        if got.starts_with('[') {
            serde_json::from_str::<Value>(&got).expect("is JSON");
        }
        for data in
            got.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]")
        {
            serde_json::from_str::<Value>(data).unwrap_or_else(|error| panic!("{data}: {error}"));
        }
        assert_eq!(
            got.matches("content_block_start\"").count(),
            got.matches("content_block_stop\"").count(),
            "{got}"
        );
        assert!(got.contains("Well then,"), "{}: {got}", case.path);
    }
}

#[test]
fn what_is_replaced_in_a_stream_is_nowhere_in_it() {
    let guards = plan(&json!([
        {"name": "tickets", "kind": "pattern", "pattern": "TICKET-[0-9]+", "on": ["response"], "action": {"replace": "[ticket]"}},
        {"name": "quiet", "kind": "topics", "topics": {"fruit": ["apple", "pear"]}, "at_least": 2, "on": ["request", "response"], "action": "log"},
    ]));
    for case in cases() {
        let stream = (case.stream)(&["apple and TICK", "ET-12", "34 and pear", "."]);
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            let (got, failed, exchange) = client_gets(&case, &guards, &[&bytes[..cut], &bytes[cut..]]);
            assert!(
                failed.is_none() && !got.contains("TICK") && !got.contains("1234"),
                "{} {cut}: {got}",
                case.path
            );
            assert!(got.contains("[ticket]"), "{} {cut}: {got}", case.path);
            let mut fired: Vec<_> = field(&exchange).split(", ").map(str::to_owned).collect();
            fired.sort();
            assert_eq!(fired, ["quiet;log", "tickets;replace"], "{}", case.path);
        }
    }
}

#[test]
fn streams_that_hold_nothing_pass_as_they_are() {
    let guards = plan(&json!([{"name": "a", "kind": "words", "words": ["secret"], "on": ["response"]}]));
    for case in cases() {
        let stream = (case.stream)(&["Nothing ", "to see ", "here."]);
        let (plain, ..) = client_gets(&case, &plan(&json!([])), &[stream.as_bytes()]);
        let (got, failed, exchange) = client_gets(&case, &guards, &[stream.as_bytes()]);
        assert_eq!((got, failed, field(&exchange)), (plain, None, String::new()), "{}", case.path);
    }
}

#[test]
fn whole_answers_are_withheld_or_changed() {
    let guards = plan(&json!([
        {"name": "nightingale", "kind": "words", "words": ["project nightingale"], "on": ["response"]},
        {"name": "tickets", "kind": "pattern", "pattern": "TICKET-[0-9]+", "on": ["response"], "action": {"replace": "[ticket]"}},
        {"name": "warned", "kind": "words", "words": ["gossip"], "on": ["response"], "action": "warn"},
    ]));
    let answer = |provider: &str, text: &str| match provider {
        "openai" => {
            json!({"id": "c1", "object": "chat.completion", "created": 7, "model": "gpt", "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null}, "logprobs": null, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
        }
        "claude" => {
            json!({"id": "m1", "type": "message", "role": "assistant", "model": "sonnet", "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 4}})
        }
        _ => {
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}})
        }
    };
    for mut case in cases() {
        if case.provider == "openai" && case.path == "/v1/responses" {
            continue;
        }
        if case.path.starts_with("/v1beta") {
            case.path = if case.provider == "gemini" {
                "/v1beta/models/gemini:generateContent"
            } else {
                "/v1beta/models/claude:generateContent"
            };
        } else {
            case.body["stream"] = false.into();
        }
        let got = |text: &str| {
            let mut exchange = sent(&guards, case.path, &case.body).expect("is served");
            let (_, attempt) =
                exchange.attempt(case.provider, 1, &LocalMemory::default(), NOW).expect("can be sent");
            let body = answer(case.provider, text).to_string();
            let reply = attempt.whole(&mut exchange, 200, body.as_bytes(), 7);
            let body = reply.map_or(body, |reply| {
                assert_eq!(reply.status, 200);
                String::from_utf8(reply.body).expect("is text")
            });
            (body, header(&exchange, "x-sluice-guards"), exchange.usage().expect("is known").output)
        };
        let (withheld, guards, output) = got("Project Nightingale it is.");
        assert!(withheld.contains(case.withheld) && !withheld.contains("ight"), "{} {withheld}", case.path);
        assert!(
            !withheld.contains("\"model\":\"\"") && !withheld.contains("\"modelVersion\":\"\""),
            "{withheld}"
        );
        assert_eq!((guards.as_deref(), output), (Some("nightingale;refuse"), 4));
        let (changed, guards, _) = got("It is TICKET-12.");
        assert!(changed.contains("It is [ticket]."), "{} {changed}", case.path);
        assert_eq!(guards.as_deref(), Some("tickets;replace"));
        let (told, guards, _) = got("Some gossip.");
        assert!(told.contains("Some gossip."), "{told}");
        assert_eq!(guards.as_deref(), Some("warned;warn"));
    }
}
