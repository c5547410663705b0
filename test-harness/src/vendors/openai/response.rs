//! OpenAI's answers: the completion in one part, and its chunks.

use crate::vendors::answer::{Answer, Ask, Call, End, Turn, compact, fragments, pieces};
use serde_json::{Value, json};

/// A `chat.completion`.
pub fn whole(ask: &Ask, answer: &Answer, index: u64) -> Value {
    let choices: Vec<Value> =
        answer.turns.iter().enumerate().map(|(n, turn)| choice(ask, turn, n, index)).collect();
    let mut out = envelope(ask, index, "chat.completion");
    out["choices"] = json!(choices);
    out["usage"] = usage(answer);
    out
}

/// The `chat.completion.chunk` events, `[DONE]` last.
pub fn events(ask: &Ask, answer: &Answer, index: u64, count: Option<usize>) -> Vec<String> {
    let options = &ask.body["stream_options"];
    let wants_usage = options["include_usage"] == json!(true);
    let obfuscated = options["include_obfuscation"] != json!(false);
    let mut out = Vec::new();
    let mut push = |choices: Value, usage: Option<Value>| {
        let mut chunk = envelope(ask, index, "chat.completion.chunk");
        chunk["choices"] = choices;
        if wants_usage {
            chunk["usage"] = usage.unwrap_or(Value::Null);
        }
        if obfuscated {
            // Random padding on the real thing.
            chunk["obfuscation"] = json!("mock");
        }
        out.push(format!("data: {chunk}\n\n"));
    };
    let choice = |n: usize, delta: Value, finish: Value, logprobs: Value| json!([{"index": n, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]);
    for (n, turn) in answer.turns.iter().enumerate() {
        let content = if turn.calls.is_empty() && turn.end != End::Refused { json!("") } else { Value::Null };
        push(
            choice(
                n,
                json!({"role": "assistant", "content": content, "refusal": null}),
                Value::Null,
                Value::Null,
            ),
            None,
        );
    }
    let parts: Vec<Vec<(Value, Value)>> =
        answer.turns.iter().map(|turn| deltas(ask, turn, index, count)).collect();
    // The choices take turns, as they do on the wire.
    for step in 0..parts.iter().map(Vec::len).max().unwrap_or(0) {
        for (n, parts) in parts.iter().enumerate() {
            if let Some((delta, logprobs)) = parts.get(step) {
                push(choice(n, delta.clone(), Value::Null, logprobs.clone()), None);
            }
        }
    }
    for (n, turn) in answer.turns.iter().enumerate() {
        push(choice(n, json!({}), json!(finish(turn)), Value::Null), None);
    }
    if wants_usage {
        push(json!([]), Some(usage(answer)));
    }
    out.push("data: [DONE]\n\n".to_owned());
    out
}

fn envelope(ask: &Ask, index: u64, object: &str) -> Value {
    let tier = ask.body["service_tier"].as_str().filter(|tier| *tier != "auto").unwrap_or("default");
    json!({
        "id": format!("chatcmpl-mock{index:06}"),
        "object": object,
        "created": 1_700_000_000 + index,
        "model": ask.model,
        "service_tier": tier,
        "system_fingerprint": "fp_mock"
    })
}

fn usage(answer: &Answer) -> Value {
    let output = answer.visible_tokens() + answer.reasoning_tokens();
    json!({
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": output,
        "total_tokens": answer.input_tokens + output,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.reasoning_tokens(),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0
        }
    })
}

fn choice(ask: &Ask, turn: &Turn, n: usize, index: u64) -> Value {
    let text = if turn.text.is_empty() && turn.end == End::Calls { Value::Null } else { json!(turn.text) };
    let refused = turn.end == End::Refused;
    let mut message = json!({
        "role": "assistant",
        "content": if refused { Value::Null } else { text.clone() },
        "refusal": if refused { text } else { Value::Null },
        "annotations": []
    });
    if !turn.calls.is_empty() {
        let calls = turn.calls.iter().enumerate();
        message["tool_calls"] = calls.map(|(at, call)| tool_call(ask, call, at, index)).collect();
    }
    json!({"index": n, "message": message, "logprobs": logprobs(ask, &turn.text), "finish_reason": finish(turn)})
}

fn is_custom(ask: &Ask, call: &Call) -> bool {
    ask.tools.iter().any(|tool| tool.name == call.name && tool.schema.is_null())
}

fn id(index: u64, at: usize) -> String {
    format!("call_mock{index:06}{at}")
}

fn tool_call(ask: &Ask, call: &Call, at: usize, index: u64) -> Value {
    let arguments = compact(&call.arguments);
    if is_custom(ask, call) {
        return json!({"id": id(index, at), "type": "custom", "custom": {"name": call.name, "input": arguments}});
    }
    json!({"id": id(index, at), "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

fn finish(turn: &Turn) -> &'static str {
    match turn.end {
        End::Done | End::Stop(_) | End::Refused => "stop",
        End::Length => "length",
        End::Calls => "tool_calls",
        End::Filtered => "content_filter",
    }
}

/// Each delta of a turn after its role, with its log probabilities.
fn deltas(ask: &Ask, turn: &Turn, index: u64, count: Option<usize>) -> Vec<(Value, Value)> {
    let field = if turn.end == End::Refused { "refusal" } else { "content" };
    let text = pieces(&turn.text, count).into_iter().map(|piece| {
        let logprobs = logprobs(ask, &piece);
        (json!({ field: piece }), logprobs)
    });
    let mut out: Vec<(Value, Value)> = text.collect();
    for (at, call) in turn.calls.iter().enumerate() {
        let custom = is_custom(ask, call);
        let (kind, field) = if custom { ("custom", "input") } else { ("function", "arguments") };
        let first = json!({
            "index": at, "id": id(index, at), "type": kind, kind: {"name": call.name, field: ""}
        });
        out.push((json!({"tool_calls": [first]}), Value::Null));
        for fragment in fragments(&compact(&call.arguments), count) {
            let next = json!({"index": at, kind: {field: fragment}});
            out.push((json!({"tool_calls": [next]}), Value::Null));
        }
    }
    out
}

/// One entry for each word of `text`, `null` when they weren't asked for.
fn logprobs(ask: &Ask, text: &str) -> Value {
    let Some(top) = ask.logprobs else { return Value::Null };
    let entry = |token: &str, rank: usize| {
        let logprob = -0.25 * (rank + 1) as f64;
        json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()})
    };
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let mut out = entry(word, 0);
        let other =
            |rank: usize| if rank == 0 { entry(word, 0) } else { entry(&format!("other{rank}"), rank) };
        out["top_logprobs"] = (0..top).map(other).collect();
        out
    });
    json!({"content": words.collect::<Vec<_>>(), "refusal": null})
}
