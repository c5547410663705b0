//! A client's stream put together: what it comes to is the answer that the client would have got whole.

use serde_json::{Map, Value, json};

/// The whole answer that a stream of this client's dialect comes to.
pub fn fold(client: &str, stream: &[u8]) -> Value {
    let events = crate::events(stream);
    match client {
        "openai_chat" => fold_chunks(&events, "chat.completion"),
        "openai_completions" => fold_chunks(&events, "text_completion"),
        "openai_responses" => {
            let last = events.iter().rev().find(|event| event["response"].is_object());
            last.map_or(Value::Null, |event| event["response"].clone())
        }
        "anthropic" => fold_message(&events),
        "gemini" => fold_contents(&events),
        other => panic!("{other} has no streams"),
    }
}

fn fold_chunks(events: &[Value], object: &str) -> Value {
    assert_eq!(events.last(), Some(&json!("[DONE]")), "the stream is complete");
    let mut whole = Map::new();
    let mut choices: Vec<Value> = Vec::new();
    for event in events.iter().filter(|event| event.is_object()) {
        for field in ["id", "created", "model"] {
            whole.insert(field.to_owned(), event[field].clone());
        }
        if event["usage"].is_object() {
            whole.insert("usage".to_owned(), event["usage"].clone());
        }
        for chunk in event["choices"].as_array().into_iter().flatten() {
            let index = chunk["index"].as_u64().expect("an index") as usize;
            while choices.len() <= index {
                choices.push(json!({"index": choices.len(), "logprobs": null, "finish_reason": null}));
            }
            let choice = &mut choices[index];
            if !chunk["finish_reason"].is_null() {
                choice["finish_reason"] = chunk["finish_reason"].clone();
            }
            match object {
                "text_completion" => append(choice, "text", &chunk["text"]),
                _ => fold_delta(choice, &chunk["delta"]),
            }
        }
    }
    whole.insert("object".to_owned(), json!(object));
    whole.insert("choices".to_owned(), Value::Array(choices));
    Value::Object(whole)
}

fn fold_delta(choice: &mut Value, delta: &Value) {
    if choice["message"].is_null() {
        choice["message"] = json!({"role": "assistant", "content": null, "refusal": null});
    }
    let message = &mut choice["message"];
    for field in ["content", "refusal", "reasoning_content"] {
        if delta[field].as_str().is_some_and(|text| !text.is_empty()) {
            append(message, field, &delta[field]);
        }
    }
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let index = call["index"].as_u64().expect("an index") as usize;
        if message["tool_calls"].is_null() {
            message["tool_calls"] = json!([]);
        }
        let calls = message["tool_calls"].as_array_mut().expect("calls");
        if calls.len() == index {
            let mut first = call.clone();
            first.as_object_mut().expect("a call").remove("index");
            calls.push(first);
        } else {
            append(&mut calls[index]["function"], "arguments", &call["function"]["arguments"]);
        }
    }
}

fn fold_message(events: &[Value]) -> Value {
    assert_eq!(
        events.last().map(|event| &event["type"]),
        Some(&json!("message_stop")),
        "the stream is complete"
    );
    let mut message = Value::Null;
    let mut partial = String::new();
    for event in events {
        let index = event["index"].as_u64().unwrap_or(0) as usize;
        match event["type"].as_str().expect("a type") {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let blocks = message["content"].as_array_mut().expect("blocks");
                assert_eq!(blocks.len(), index, "blocks come in order");
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = &mut message["content"][index];
                let delta = &event["delta"];
                match delta["type"].as_str().expect("a type") {
                    "text_delta" => append(block, "text", &delta["text"]),
                    "thinking_delta" => append(block, "thinking", &delta["thinking"]),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "input_json_delta" => partial.push_str(delta["partial_json"].as_str().expect("text")),
                    other => panic!("an unknown delta: {other}"),
                }
            }
            "content_block_stop" => {
                let json = std::mem::take(&mut partial);
                if !json.is_empty() {
                    message["content"][index]["input"] = serde_json::from_str(&json).expect("JSON");
                }
            }
            "message_delta" => {
                for (name, value) in event["delta"].as_object().expect("a delta") {
                    message[name] = value.clone();
                }
                for (name, value) in event["usage"].as_object().into_iter().flatten() {
                    message["usage"][name] = value.clone();
                }
            }
            "message_stop" | "ping" => {}
            other => panic!("an unknown event: {other}"),
        }
    }
    message
}

fn fold_contents(events: &[Value]) -> Value {
    let mut whole = json!({"candidates": []});
    for event in events {
        for (name, value) in event.as_object().expect("an object") {
            if name != "candidates" {
                whole[name] = value.clone();
            }
        }
        for candidate in event["candidates"].as_array().into_iter().flatten() {
            let index = candidate["index"].as_u64().unwrap_or(0) as usize;
            let candidates = whole["candidates"].as_array_mut().expect("candidates");
            if candidates.len() == index {
                let mut first = candidate.clone();
                if first["content"].is_null() {
                    first["content"] = json!({"role": "model", "parts": []});
                }
                candidates.push(first);
                continue;
            }
            let target = &mut candidates[index];
            for (name, value) in candidate.as_object().expect("an object") {
                if name != "content" {
                    target[name] = value.clone();
                }
            }
            for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
                let parts = target["content"]["parts"].as_array_mut().expect("parts");
                match parts.last_mut() {
                    Some(last)
                        if last["text"].is_string()
                            && part["text"].is_string()
                            && last["thought"] == part["thought"]
                            // A signature ends what it signs.
                            && !last["thoughtSignature"].is_string() =>
                    {
                        append(last, "text", &part["text"]);
                        if part["thoughtSignature"].is_string() {
                            last["thoughtSignature"] = part["thoughtSignature"].clone();
                        }
                    }
                    _ => parts.push(part.clone()),
                }
            }
        }
    }
    // A last part without text only says that the stream is over.
    for candidate in whole["candidates"].as_array_mut().expect("candidates") {
        if let Some(parts) = candidate["content"]["parts"].as_array_mut()
            && parts.len() > 1
        {
            parts.retain(|part| part["text"] != "" || part["thoughtSignature"].is_string());
        }
    }
    whole
}

fn append(object: &mut Value, field: &str, more: &Value) {
    let more = more.as_str().unwrap_or_default();
    let text = object[field].as_str().unwrap_or_default();
    object[field] = json!(format!("{text}{more}"));
}
