//! Anthropic's rules beyond the shape: between settings, tools, and the turns of a conversation.

use super::invalid;
use crate::vendors::dialect::{Refusal, each_schema, is_name, picture};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::HashSet;

/// What every signature made by this mock begins with, before base64.
pub const SIGNATURE: &str = "mock-anthropic:";

fn fail(message: impl AsRef<str>) -> Result<(), Refusal> {
    Err(invalid(400, message.as_ref()))
}

/// A model's generation: 46 for `claude-sonnet-4-6`, 50 for `claude-opus-5`; the latest for names without numbers.
fn generation(model: &str) -> u32 {
    let mut numbers =
        model.split(['-', '.', '@']).filter_map(|part| part.parse::<u32>().ok()).filter(|n| *n < 100);
    numbers.next().map_or(99, |major| major * 10 + numbers.next().unwrap_or(0))
}

/// The rules between the settings.
pub fn settings(body: &Value, version: &str) -> Result<(), Refusal> {
    let model = body["model"].as_str().unwrap_or_default();
    let generation = generation(model);
    for name in ["temperature", "top_p", "top_k"] {
        if body.get(name).is_none() {
            continue;
        }
        if version != "2023-06-01" {
            fail(format!("{name}: Extra inputs are not permitted"))?;
        }
        if generation >= 47 {
            fail(format!("`{name}` is deprecated for this model."))?;
        }
    }
    if generation >= 41 && body.get("temperature").is_some() && body.get("top_p").is_some() {
        fail("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")?;
    }
    for stop in body["stop_sequences"].as_array().into_iter().flatten() {
        if stop.as_str().unwrap_or_default().trim().is_empty() {
            fail("stop_sequences: each stop sequence must contain non-whitespace")?;
        }
    }
    if body["metadata"]["user_id"].as_str().unwrap_or_default().chars().count() > 256 {
        fail("metadata.user_id: String should have at most 256 characters")?;
    }
    if let Some(schema) = body["output_config"]["format"].get("schema")
        && let Some(text) = schema_fault(schema)
    {
        fail(format!("output_config.format.schema: {text}"))?;
    }
    thinking(body, generation)
}

fn thinking(body: &Value, generation: u32) -> Result<(), Refusal> {
    let kind = body["thinking"]["type"].as_str().unwrap_or_default();
    let on = matches!(kind, "enabled" | "adaptive");
    if kind == "enabled" && generation >= 47 {
        fail(
            "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.",
        )?;
    }
    if kind == "adaptive" && generation < 46 {
        fail("adaptive thinking is not supported on this model")?;
    }
    if kind == "enabled" && body["max_tokens"].as_i64() <= body["thinking"]["budget_tokens"].as_i64() {
        fail(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
        )?;
    }
    if on && body["temperature"].as_f64().is_some_and(|value| value != 1.0) {
        fail("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")?;
    }
    if on && body.get("top_k").is_some() {
        fail("`top_k` must be unset when thinking is enabled or in adaptive mode.")?;
    }
    if on && matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool")) {
        fail("Thinking may not be enabled when tool_choice forces tool use.")?;
    }
    Ok(())
}

/// Why a schema is not fit for structured output: open objects, and keywords that the grammar can't hold.
fn schema_fault(schema: &Value) -> Option<String> {
    const UNSUPPORTED: &[&str] = &[
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "oneOf",
        "not",
        "if",
    ];
    let mut fault = None;
    each_schema(schema, &mut Vec::new(), &mut |schema, _| {
        if fault.is_some() {
            return;
        }
        let kind = schema["type"].as_str().unwrap_or("object");
        if let Some(keyword) = UNSUPPORTED.iter().find(|keyword| schema.get(**keyword).is_some()) {
            fault = Some(format!("For '{kind}' type, property '{keyword}' is not supported"));
        }
        let is_object = schema["type"] == "object" || schema.get("properties").is_some();
        if is_object && schema["additionalProperties"] != json!(false) {
            fault =
                Some("For 'object' type, 'additionalProperties' must be explicitly set to false".to_owned());
        }
    });
    fault
}

/// The rules for tools.
pub fn tools(body: &Value) -> Result<(), Refusal> {
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut names = HashSet::new();
    for (index, tool) in tools.iter().enumerate() {
        let name = tool["name"].as_str().unwrap_or_default();
        if !names.insert(name) {
            fail("tools: Tool names must be unique.")?;
        }
        let Some(schema) = tool.get("input_schema") else { continue };
        let place = format!("tools.{index}.custom");
        if !is_name(name, 128, "_-") {
            fail(format!("{place}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"))?;
        }
        match schema.get("type") {
            None => fail(format!("{place}.input_schema.type: Field required"))?,
            Some(kind) if kind != "object" => {
                fail(format!("{place}.input_schema.type: Input should be 'object'"))?
            }
            Some(_) => {}
        }
        if tool["strict"] == json!(true)
            && let Some(text) = schema_fault(schema)
        {
            fail(format!("{place}: {text}"))?;
        }
    }
    let choice = &body["tool_choice"];
    if choice.is_object() && tools.is_empty() {
        fail("tool_choice: may only be specified while providing tools.")?;
    }
    if let Some(name) = choice["name"].as_str()
        && !names.contains(name)
    {
        fail(format!("Tool '{name}' not found in provided tools"))?;
    }
    Ok(())
}

/// The rules for messages.
pub fn messages(body: &Value, version: &str) -> Result<(), Refusal> {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or_default();
    let generation = generation(model);
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else {
        return fail("messages: at least one message is required");
    };
    let marks = body.to_string().matches("\"cache_control\":{").count();
    if marks > 4 {
        fail(format!("A maximum of 4 blocks with cache_control may be provided. Found {marks}."))?;
    }
    for block in body["system"].as_array().into_iter().flatten() {
        filled(block, "system")?;
    }
    let role = |message: &Value| message["role"].as_str().unwrap_or_default().to_owned();
    if role(first) == "system" {
        fail(
            "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.",
        )?;
    }
    if role(first) != "user" {
        fail("messages: first message must use the \"user\" role")?;
    }
    for (index, message) in messages.iter().enumerate() {
        let before =
            index.checked_sub(1).and_then(|before| messages.get(before)).map(role).unwrap_or_default();
        if role(message) == "system" {
            if generation < 48 || model.contains("sonnet-5") && !model.contains("sonnet-5-5") {
                fail("role 'system' is not supported on this model")?;
            }
            if before != "user" || messages.get(index + 1).is_some_and(|next| role(next) != "assistant") {
                fail(format!(
                    "messages.{index}: role 'system' must follow a user message and precede an assistant message or the end"
                ))?;
            }
        }
        content(message, index, index + 1 == messages.len(), version)?;
    }
    if role(last) == "assistant" {
        if generation >= 46 {
            fail(
                "This model does not support assistant message prefill. The conversation must end with a user message.",
            )?;
        }
        if matches!(body["thinking"]["type"].as_str(), Some("enabled" | "adaptive")) {
            fail("messages: the final message may not have the `assistant` role when thinking is enabled")?;
        }
        if last_text(last).ends_with(char::is_whitespace) {
            fail("messages: final assistant content cannot end with trailing whitespace")?;
        }
    }
    pairs(body, messages)
}

fn last_text(message: &Value) -> &str {
    let blocks = message["content"].as_array().and_then(|blocks| blocks.last());
    message["content"]
        .as_str()
        .or_else(|| blocks.and_then(|block| block["text"].as_str()))
        .unwrap_or_default()
}

fn filled(block: &Value, place: &str) -> Result<(), Refusal> {
    let Some(text) = block["text"].as_str() else { return Ok(()) };
    if text.is_empty() {
        fail(format!("{place}: text content blocks must be non-empty"))?;
    }
    if text.trim().is_empty() {
        fail(format!("{place}: text content blocks must contain non-whitespace text"))?;
    }
    if block["cache_control"].is_object() && text.is_empty() {
        fail(format!("{place}: cache_control cannot be set for empty text blocks"))?;
    }
    Ok(())
}

/// The rules for one message's blocks.
fn content(message: &Value, index: usize, last: bool, version: &str) -> Result<(), Refusal> {
    let role = message["role"].as_str().unwrap_or_default();
    let empty = match &message["content"] {
        Value::String(text) => text.trim().is_empty(),
        other => other.as_array().is_none_or(Vec::is_empty),
    };
    if empty && !(last && role == "assistant") {
        fail(format!(
            "messages.{index}: all messages must have non-empty content except for the optional final assistant message"
        ))?;
    }
    let mut other_seen = false;
    for (at, block) in message["content"].as_array().into_iter().flatten().enumerate() {
        let kind = block["type"].as_str().unwrap_or_default();
        let place = format!("messages.{index}.content.{at}");
        let home = match kind {
            "text" => role,
            "image" | "search_result" | "tool_result" | "container_upload" => "user",
            // API version 2026-10-21 refuses documents in assistant messages.
            "document" => {
                if version == "2023-06-01" && role == "assistant" {
                    role
                } else {
                    "user"
                }
            }
            _ => "assistant",
        };
        if home != role {
            fail(format!("{place}: `{kind}` blocks can only be in `{home}` messages"))?;
        }
        match kind {
            "text" => {
                filled(block, "messages")?;
                let cited = block["citations"].as_array().is_some_and(|list| !list.is_empty());
                if cited && role == "user" && version != "2023-06-01" {
                    fail(format!("{place}.text.citations: citations are not permitted in `user` messages"))?;
                }
            }
            "image" => image(block, &place)?,
            "tool_result" => {
                if other_seen {
                    fail(format!(
                        "{place}: `tool_result` blocks must come before all other content of their message"
                    ))?;
                }
                for (inner, block) in block["content"].as_array().into_iter().flatten().enumerate() {
                    filled(block, "messages")?;
                    if block["type"] == "image" {
                        image(block, &format!("{place}.tool_result.content.{inner}"))?;
                    }
                }
            }
            "tool_use" => {
                if !is_name(block["id"].as_str().unwrap_or_default(), usize::MAX, "_-") {
                    fail(format!("{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"))?;
                }
                if !is_name(block["name"].as_str().unwrap_or_default(), 200, "_-") {
                    fail(format!(
                        "{place}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'"
                    ))?;
                }
            }
            "thinking" => {
                let signature = block["signature"].as_str().unwrap_or_default();
                let bytes = base64::engine::general_purpose::STANDARD.decode(signature).unwrap_or_default();
                if !bytes.starts_with(SIGNATURE.as_bytes()) {
                    fail(format!("{place}: Invalid `signature` in `thinking` block"))?;
                }
            }
            _ => {}
        }
        other_seen |= kind != "tool_result";
    }
    Ok(())
}

fn image(block: &Value, place: &str) -> Result<(), Refusal> {
    let source = &block["source"];
    let field = |name: &str| source[name].as_str().unwrap_or_default();
    match field("type") {
        "base64" if picture(field("media_type"), field("data"), false).is_none() => fail(format!(
            "{place}.image.source.base64: Image does not match the provided media type {}",
            field("media_type")
        )),
        "url" if !field("url").starts_with("https://") => fail("Only HTTPS URLs are supported."),
        _ => Ok(()),
    }
}

/// One turn: consecutive messages of one role, joined as the vendor joins them; `first` is the first one's place.
struct Turn<'a> {
    first: usize,
    role: &'a str,
    blocks: Vec<&'a Value>,
}

/// Each tool call is answered in the very next turn, and only calls are answered.
fn pairs(body: &Value, messages: &[Value]) -> Result<(), Refusal> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (first, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let blocks = message["content"].as_array().into_iter().flatten();
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => turns.push(Turn { first, role, blocks: blocks.collect() }),
        }
    }
    let mut seen = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    for turn in &turns {
        let mut results = HashSet::new();
        for (at, block) in turn.blocks.iter().enumerate().filter(|(_, block)| block["type"] == "tool_result")
        {
            let id = block["tool_use_id"].as_str().unwrap_or_default();
            if !open.contains(&id) {
                fail(format!(
                    "messages.{}.content.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
                    turn.first
                ))?;
            }
            if !results.insert(id) {
                fail(format!(
                    "messages.{}.content.{at}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}",
                    turn.first
                ))?;
            }
        }
        open.retain(|id| !results.contains(id));
        unanswered(&open, turn.first)?;
        open.clear();
        for block in turn.blocks.iter().filter(|block| block["type"] == "tool_use") {
            let id = block["id"].as_str().unwrap_or_default();
            if !seen.insert(id) {
                fail(format!("messages.{}: `tool_use` ids must be unique", turn.first))?;
            }
            open.push(id);
        }
    }
    unanswered(&open, messages.len())?;
    if body["thinking"]["type"] == "enabled" {
        let last = turns.iter().rev().find(|turn| turn.role == "assistant");
        let calls = |turn: &&Turn<'_>| turn.blocks.iter().any(|block| block["type"] == "tool_use");
        if let Some(turn) = last.filter(calls) {
            let found = turn.blocks.first().map(|block| block["type"].as_str().unwrap_or_default());
            if !matches!(found, Some("thinking" | "redacted_thinking")) {
                fail(format!(
                    "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). To avoid this requirement, disable `thinking`.",
                    turn.first,
                    found.unwrap_or_default()
                ))?;
            }
        }
    }
    Ok(())
}

fn unanswered(open: &[&str], next: usize) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    fail(format!(
        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        next.saturating_sub(1),
        open.join(", ")
    ))
}
