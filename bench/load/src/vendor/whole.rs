//! Answers that are no streams.

use serde_json::{Value, json};

use super::{Api, Behaviour};

/// The whole message, with its head.
pub fn answer(api: Api, behaviour: Behaviour) -> Vec<u8> {
    let body = body(api, behaviour).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

fn body(api: Api, behaviour: Behaviour) -> Value {
    let text = text(behaviour.bytes);
    let tokens = behaviour.bytes / 4;
    match api {
        Api::OpenAi => json!({
            "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_763_683_200, "model": "gpt-4o-2024-11-20",
            "choices": [{
                "index": 0, "message": {"role": "assistant", "content": text, "refusal": null, "annotations": []},
                "logprobs": null, "finish_reason": "stop",
            }],
            "usage": {
                "prompt_tokens": 200, "completion_tokens": tokens, "total_tokens": 200 + tokens,
                "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
            },
            "service_tier": "default", "system_fingerprint": "fp_bench",
        }),
        Api::Anthropic => json!({
            "id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 200, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": tokens},
        }),
        Api::Gemini => json!({
            "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 200, "candidatesTokenCount": tokens, "totalTokenCount": 200 + tokens},
            "modelVersion": "gemini-2.5-flash", "responseId": "bench",
        }),
        Api::Bedrock => json!({
            "metrics": {"latencyMs": 1},
            "output": {"message": {"content": [{"text": text}], "role": "assistant"}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 200, "outputTokens": tokens, "totalTokens": 200 + tokens},
        }),
        Api::Embeddings => {
            let value = |number: usize| (number * 7919 % 20_011) as f64 / 100_003.0 - 0.1;
            let vector = |index: usize| {
                let from = index * behaviour.dimensions;
                let values: Vec<f64> = (from..from + behaviour.dimensions).map(value).collect();
                json!({"object": "embedding", "index": index, "embedding": values})
            };
            let vectors: Vec<Value> = (0..behaviour.vectors).map(vector).collect();
            json!({
                "object": "list", "data": vectors, "model": "text-embedding-3-small",
                "usage": {"prompt_tokens": 2000, "total_tokens": 2000},
            })
        }
    }
}

/// Prose without anything that redaction would look for twice.
fn text(bytes: usize) -> String {
    const PROSE: &str = "The committee met on Tuesday to talk about the new library, which was to open in the spring. Nobody could say \
                         when the roof would be finished, so they asked for another estimate and went home early.\n";
    PROSE.chars().cycle().take(bytes).collect()
}
