//! What whole answers of OpenAI and compatible vendors become.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{decode_native, decode_outcome};
use crate::conversation::{Answer, Finish, Part};
use crate::task::{Outcome, TaskKind, TokenCount};
use crate::usage::ServiceTier;

fn decoded(body: &Value) -> String {
    let body = body.to_string();
    match decode_outcome(TaskKind::Conversation, body.as_bytes()) {
        Ok(Outcome::Conversation(answer)) => summary(&answer),
        Ok(other) => panic!("{other:?}"),
        Err(failure) => format!("{} {}", failure.status, failure.message),
    }
}

fn summary(answer: &Answer<'_>) -> String {
    let choice = |choice: &crate::conversation::Choice<'_>| {
        let parts: Vec<_> = choice
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => format!("text {text}"),
                Part::Refusal(text) => format!("refusal {text}"),
                Part::Reasoning(reasoning) => format!("reasoning {}", reasoning.text),
                Part::ToolCall(call) => {
                    let kind = if call.custom { "custom" } else { "call" };
                    format!("{kind} {} {} {}", call.id, call.name, call.arguments)
                }
                other => panic!("{other:?}"),
            })
            .collect();
        format!("{}: {} | {:?}", choice.index, parts.join(", "), choice.finish)
    };
    answer.choices.iter().map(choice).collect::<Vec<_>>().join("; ")
}

fn completion(message: &Value, finish: &str) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": null}]})
}

#[test]
fn everything_an_answer_says_is_read() {
    let calls = json!([
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "free \"text\""}},
    ]);
    let message = json!({"role": "assistant", "content": "Hi", "refusal": "No", "reasoning_content": "Hm", "tool_calls": calls});
    assert_eq!(
        decoded(&completion(&message, "tool_calls")),
        "0: reasoning Hm, text Hi, refusal No, call a f {\"x\":1}, custom b g free \"text\" | ToolCalls"
    );
    let two = json!({"choices": [
        {"index": 1, "message": {"content": "b"}, "finish_reason": "length"},
        {"message": {"content": "a", "refusal": null, "annotations": []}, "finish_reason": "content_filter"},
    ]});
    assert_eq!(decoded(&two), "1: text b | Length; 1: text a | ContentFilter");
}

#[test]
fn vendors_own_forms_are_read() {
    for (message, finish, expected) in [
        (json!({"content": "x", "reasoning": "r"}), "stop", "0: reasoning r, text x | Stop"),
        (
            json!({"content": "x", "reasoning": "r", "reasoning_content": "r"}),
            "stop",
            "0: reasoning r, text x | Stop",
        ),
        (
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "x"}, {"type": "reference", "reference_ids": [1]}]}),
            "stop",
            "0: reasoning t, text x | Stop",
        ),
        (
            json!({"content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}),
            "stop",
            "0: call call_c1_0 f {\"a\":1} | ToolCalls",
        ),
        (json!({"content": "x"}), "eos_token", "0: text x | Stop"),
        (json!({"content": "x"}), "model_length", "0: text x | Length"),
        (json!({"content": "x"}), "error", "502 The provider's answer broke off."),
    ] {
        assert_eq!(decoded(&completion(&message, finish)), expected);
    }
    let filtered = json!({"choices": [{"index": 0, "finish_reason": "content_filter", "content_filter_results": {"hate": {"filtered": true}}}]});
    assert_eq!(decoded(&filtered), "0:  | ContentFilter");
}

#[test]
fn what_is_no_answer_is_a_failure() {
    for body in [
        json!({}),
        json!({"choices": []}),
        json!({"choices": [{"index": 0}]}),
        json!([]),
        json!({"choices": 1}),
    ] {
        assert_eq!(decoded(&body), "502 The provider's answer could not be read.");
    }
    assert_eq!(decoded(&json!({"error": {"message": "Sorry", "code": 429}})), "429 Sorry");
    assert_eq!(decoded(&json!({"error": "Sorry"})), "500 Sorry");
}

#[test]
fn logprobs_and_usage_are_read() {
    let mut body = completion(&json!({"content": "x"}), "stop");
    body["choices"][0]["logprobs"] = json!({"content": [{"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": [{"token": "y", "logprob": -1.5, "bytes": null}]}], "refusal": null});
    body["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    let text = body.to_string();
    let Ok(Outcome::Conversation(answer)) = decode_outcome(TaskKind::Conversation, text.as_bytes()) else {
        panic!("is an answer");
    };
    assert_eq!((answer.id.as_deref(), answer.model.as_deref()), (Some("c1"), Some("m")));
    let usage = answer.usage.expect("is told");
    assert_eq!((usage.input, usage.output), (3, 2));
    let tokens = answer.choices[0].logprobs.as_ref().expect("are told");
    assert_eq!((&*tokens[0].chosen.token, tokens[0].top[0].logprob), ("x", -1.5));
    assert_eq!(answer.choices[0].finish, Finish::Stop);
    // Logprobs of another form are passed over.
    body["choices"][0]["logprobs"] = json!(-0.25);
    assert_eq!(decoded(&body), "0: text x | Stop");
}

#[test]
fn an_answer_that_passes_is_not_taken_apart() {
    let odd =
        json!({"id": "c", "model": "m", "choices": {"odd": true}, "usage": {"prompt_tokens": 3}}).to_string();
    let Ok(Outcome::Conversation(answer)) = decode_native(TaskKind::Conversation, odd.as_bytes()) else {
        panic!("passes");
    };
    assert_eq!(answer.usage.map(|usage| usage.input), Some(3));
    assert!(decode_outcome(TaskKind::Conversation, odd.as_bytes()).is_err());
}

#[test]
fn a_count_is_read() {
    let read = |body: &str| match decode_outcome(TaskKind::CountTokens, body.as_bytes()) {
        Ok(Outcome::CountTokens(TokenCount { input, cached_input: 0 })) => Some(input),
        _ => None,
    };
    assert_eq!(read(r#"{"object":"response.input_tokens","input_tokens":11}"#), Some(11));
    assert_eq!(read(r#"{"object":"response","input_tokens":11}"#), None);
    assert_eq!(read("{}"), None);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(at in 0_usize..400, byte: u8, bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let calls = json!([{"id": "a", "index": 0, "function": {"name": "f", "arguments": "{}"}}]);
        let mut body = completion(&json!({"content": [{"type": "text", "text": "x"}], "tool_calls": calls}), "stop").to_string().into_bytes();
        let at = at % body.len();
        body[at] = byte;
        for kind in TaskKind::ALL {
            let _ = decode_outcome(kind, &body);
            let _ = decode_outcome(kind, &bytes);
            let _ = super::super::decode_failure(400, &body);
            let _ = super::super::decode_failure(400, &bytes);
        }
    }
}

#[test]
fn how_it_was_served_is_told() {
    for (word, tier) in [
        (json!("default"), ServiceTier::Standard),
        (json!("flex"), ServiceTier::Flex),
        (json!("priority"), ServiceTier::Priority),
        (json!("fast"), ServiceTier::Fast),
        (json!("batch"), ServiceTier::Batch),
        (json!("scale"), ServiceTier::Standard),
        (json!(null), ServiceTier::Standard),
        (json!({"x": 1}), ServiceTier::Standard),
    ] {
        let mut body = completion(&json!({"content": "Hi"}), "stop");
        body["service_tier"] = word.clone();
        body["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 1});
        let body = body.to_string();
        for decode in [decode_outcome, decode_native] {
            let Ok(Outcome::Conversation(answer)) = decode(TaskKind::Conversation, body.as_bytes()) else {
                panic!("{word}");
            };
            assert_eq!(answer.usage.map(|usage| usage.tier), Some(tier), "{word}");
        }
    }
}
