//! Anthropic's answers: the message in one part, and its events.

use super::rules::SIGNATURE;
use crate::vendors::answer::{Answer, Ask, End, Turn, compact, fragments, pieces};
use base64::Engine as _;
use serde_json::{Value, json};

/// A `message`.
pub fn whole(ask: &Ask, answer: &Answer, index: u64) -> Value {
    let Some(turn) = answer.turns.first() else { return Value::Null };
    let mut out = envelope(ask, index);
    let content: Vec<Value> = blocks(ask, turn, index).into_iter().map(|block| block.whole).collect();
    let (reason, sequence) = stop(turn);
    out["content"] = json!(content);
    out["stop_reason"] = json!(reason);
    out["stop_sequence"] = sequence;
    out["stop_details"] = details(turn);
    out["usage"] = usage(answer, answer.visible_tokens() + answer.reasoning_tokens());
    out
}

/// The events from `message_start` to `message_stop`.
pub fn events(ask: &Ask, answer: &Answer, index: u64, count: Option<usize>) -> Vec<String> {
    let Some(turn) = answer.turns.first() else { return Vec::new() };
    let mut out = Vec::new();
    let mut push = |data: Value| {
        let name = data["type"].as_str().unwrap_or_default().to_owned();
        out.push(format!("event: {name}\ndata: {data}\n\n"));
    };
    let mut message = envelope(ask, index);
    // The first event counts the input, and of the output what there is when it leaves.
    message["usage"] = usage(answer, 1);
    push(json!({"type": "message_start", "message": message}));
    let blocks = blocks(ask, turn, index);
    if blocks.is_empty() {
        push(json!({"type": "ping"}));
    }
    for (at, block) in blocks.into_iter().enumerate() {
        push(json!({"type": "content_block_start", "index": at, "content_block": block.start}));
        if at == 0 {
            push(json!({"type": "ping"}));
        }
        let kind = block.start["type"].as_str().unwrap_or_default();
        let (delta, field) = match kind {
            "thinking" => ("thinking_delta", "thinking"),
            "tool_use" => ("input_json_delta", "partial_json"),
            _ => ("text_delta", "text"),
        };
        let mut parts =
            if kind == "tool_use" { fragments(&block.text, count) } else { pieces(&block.text, count) };
        if kind == "tool_use" {
            parts.insert(0, String::new());
        }
        for part in parts {
            push(json!({"type": "content_block_delta", "index": at, "delta": {"type": delta, field: part}}));
        }
        if kind == "thinking" {
            let delta = json!({"type": "signature_delta", "signature": block.whole["signature"]});
            push(json!({"type": "content_block_delta", "index": at, "delta": delta}));
        }
        push(json!({"type": "content_block_stop", "index": at}));
    }
    let (reason, sequence) = stop(turn);
    let mut usage = usage(answer, answer.visible_tokens() + answer.reasoning_tokens());
    for only_at_start in ["cache_creation", "service_tier", "inference_geo"] {
        usage.as_object_mut().map(|usage| usage.remove(only_at_start));
    }
    let delta = json!({"stop_reason": reason, "stop_sequence": sequence, "stop_details": details(turn)});
    push(json!({"type": "message_delta", "delta": delta, "usage": usage}));
    push(json!({"type": "message_stop"}));
    out
}

/// One content block: complete, as its start event has it, and the text that its deltas carry.
struct Block {
    whole: Value,
    start: Value,
    text: String,
}

fn blocks(ask: &Ask, turn: &Turn, index: u64) -> Vec<Block> {
    let mut out = Vec::new();
    if let Some(reasoning) = &turn.reasoning {
        let shown = if ask.show_reasoning { reasoning.clone() } else { String::new() };
        let signature = base64::engine::general_purpose::STANDARD.encode(format!("{SIGNATURE}{index}"));
        out.push(Block {
            whole: json!({"type": "thinking", "thinking": shown, "signature": signature}),
            start: json!({"type": "thinking", "thinking": "", "signature": ""}),
            text: shown,
        });
    }
    if !turn.text.is_empty() {
        out.push(Block {
            whole: json!({"type": "text", "text": turn.text, "citations": null}),
            start: json!({"type": "text", "text": "", "citations": null}),
            text: turn.text.clone(),
        });
    }
    for (at, call) in turn.calls.iter().enumerate() {
        let id = format!("toolu_mock{index:06}{at}");
        let caller = json!({"type": "direct"});
        out.push(Block {
            whole: json!({
                "type": "tool_use", "id": id, "name": call.name, "input": call.arguments, "caller": caller
            }),
            start: json!({"type": "tool_use", "id": id, "name": call.name, "input": {}, "caller": caller}),
            text: compact(&call.arguments),
        });
    }
    out
}

fn envelope(ask: &Ask, index: u64) -> Value {
    json!({
        "id": format!("msg_mock{index:06}"),
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "stop_details": null
    })
}

fn stop(turn: &Turn) -> (&'static str, Value) {
    match &turn.end {
        End::Done => ("end_turn", Value::Null),
        End::Length => ("max_tokens", Value::Null),
        End::Stop(sequence) => ("stop_sequence", json!(sequence)),
        End::Calls => ("tool_use", Value::Null),
        End::Filtered | End::Refused => ("refusal", Value::Null),
    }
}

fn details(turn: &Turn) -> Value {
    match turn.end {
        End::Filtered | End::Refused => json!({"type": "refusal", "category": null, "explanation": null}),
        _ => Value::Null,
    }
}

/// Anthropic's `input_tokens` leaves out what was read from or written to the cache.
fn usage(answer: &Answer, output: u64) -> Value {
    json!({
        "input_tokens": answer.input_tokens - answer.cached_tokens - answer.written_tokens,
        "cache_creation_input_tokens": answer.written_tokens,
        "cache_read_input_tokens": answer.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": answer.written_tokens,
            "ephemeral_1h_input_tokens": 0
        },
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": answer.reasoning_tokens().min(output)},
        "service_tier": "standard",
        "inference_geo": "not_available"
    })
}
