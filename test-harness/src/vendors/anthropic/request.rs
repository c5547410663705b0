//! What Anthropic accepts: the shape of the body in pydantic's words, then the rules, then what is asked.

use super::rules;
use super::shapes::BODY;
use super::{invalid, refusal};
use crate::vendors::answer::{Ask, Format, IMAGE_TOKENS, Tool, ToolChoice, tokens};
use crate::vendors::dialect::{Received, Refusal, picture};
use crate::vendors::shape::{Decoder, Fault, Problem, Shape, check, dotted};
use serde_json::{Value, json};

/// Reads a request as the vendor does under the API version `version`.
pub fn read(received: &Received<'_>, version: &str) -> Result<Ask, Refusal> {
    let body: Value = serde_json::from_slice(received.body)
        .map_err(|error| invalid(400, &format!("The request body is not valid JSON: {error}")))?;
    if !body.is_object() {
        return Err(invalid(400, "Input should be a valid dictionary"));
    }
    let (body, faults) = check(&BODY, &body, Decoder::Pydantic);
    if let Some(fault) = faults.first() {
        return Err(invalid(400, &word(fault)));
    }
    let model = body["model"].as_str().unwrap_or_default();
    if model.is_empty() {
        return Err(invalid(400, "model: String should have at least 1 character"));
    }
    if !model.starts_with("claude-") && !received.any_model {
        return Err(refusal(404, "not_found_error", &format!("model: {model}")));
    }
    rules::settings(&body, version)?;
    rules::tools(&body)?;
    rules::messages(&body, version)?;
    Ok(ask(body))
}

/// A fault of shape in pydantic's words.
fn word(fault: &Fault) -> String {
    let place = dotted(&fault.path);
    let text = match &fault.problem {
        Problem::Unknown => "Extra inputs are not permitted".to_owned(),
        Problem::Missing => "Field required".to_owned(),
        Problem::Kind => format!("Input should be {}", expected(fault.shape)),
        Problem::Value(allowed) => {
            let allowed: Vec<String> = allowed.iter().map(|one| format!("'{one}'")).collect();
            if let Shape::Tagged { key, .. } = fault.shape {
                // pydantic places this fault at the object, not at its tag.
                let place = place.rsplit_once('.').map_or("", |(object, _)| object);
                let found = fault.found.as_str().unwrap_or_default();
                let listed = allowed.join(", ");
                return format!(
                    "{place}: Input tag '{found}' found using '{key}' does not match any of the expected tags: {listed}"
                );
            }
            let listed = match allowed.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                _ => allowed.concat(),
            };
            format!("Input should be {listed}")
        }
        Problem::Below(bound) => format!("Input should be greater than or equal to {bound}"),
        Problem::Above(bound) => format!("Input should be less than or equal to {bound}"),
        Problem::Encoding => "Input should be valid base64".to_owned(),
    };
    format!("{place}: {text}")
}

fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "present",
        Shape::Bool => "a valid boolean",
        Shape::Integer(..) => "a valid integer",
        Shape::Number(..) => "a valid number",
        Shape::Text | Shape::Choice(_) | Shape::Base64 => "a valid string",
        Shape::Free | Shape::Record(_) | Shape::Map(_) | Shape::Tagged { .. } => "an object",
        Shape::List(_) => "a valid array",
        Shape::Nullable(inner) => expected(inner),
        Shape::Either(_) => "a valid string or array",
    }
}

fn ask(body: Value) -> Ask {
    let mut ask = Ask {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == json!(true),
        parallel: body["tool_choice"]["disable_parallel_tool_use"] != json!(true),
        count: 1,
        max_tokens: body["max_tokens"].as_u64(),
        reason: matches!(body["thinking"]["type"].as_str(), Some("enabled" | "adaptive")),
        show_reasoning: body["thinking"]["display"] != "omitted",
        ..Ask::default()
    };
    let stops = body["stop_sequences"].as_array().into_iter().flatten();
    ask.stops = stops.filter_map(Value::as_str).map(str::to_owned).collect();
    if let Some(schema) = body["output_config"]["format"].get("schema") {
        ask.format = Format::Schema(schema.clone());
    }
    ask.choice = match body["tool_choice"]["type"].as_str() {
        Some("none") => ToolChoice::None,
        Some("any") => ToolChoice::Any,
        Some("tool") => {
            ToolChoice::Named(body["tool_choice"]["name"].as_str().map(str::to_owned).into_iter().collect())
        }
        _ => ToolChoice::Auto,
    };
    for tool in body["tools"].as_array().into_iter().flatten() {
        let name = tool["name"].as_str().unwrap_or_default().to_owned();
        ask.input_tokens += tokens(&name) + tokens(tool["description"].as_str().unwrap_or_default());
        if let Some(schema) = tool.get("input_schema") {
            ask.tools.push(Tool { name, schema: schema.clone() });
        }
    }
    ask.system = blocks(&body["system"]).iter().map(text).collect::<Vec<_>>().join("\n");
    ask.input_tokens += tokens(&ask.system);
    for block in blocks(&body["system"]) {
        mark(&mut ask, &block);
    }
    for message in body["messages"].as_array().into_iter().flatten() {
        read_message(&mut ask, message);
    }
    ask.body = body;
    ask
}

/// A content as a list of blocks.
fn blocks(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(blocks) => blocks.clone(),
        _ => Vec::new(),
    }
}

/// The text of a block, of whatever kind.
fn text(block: &Value) -> String {
    match block["type"].as_str().unwrap_or_default() {
        "tool_result" => blocks(&block["content"]).iter().map(text).collect::<Vec<_>>().join("\n"),
        "tool_use" => block["input"].to_string(),
        "thinking" => block["thinking"].as_str().unwrap_or_default().to_owned(),
        _ => block["text"].as_str().unwrap_or_default().to_owned(),
    }
}

fn mark(ask: &mut Ask, block: &Value) {
    if block["cache_control"].is_object() {
        ask.marked_tokens += tokens(&text(block));
    }
}

fn read_message(ask: &mut Ask, message: &Value) {
    let blocks = blocks(&message["content"]);
    for block in &blocks {
        ask.input_tokens += tokens(&text(block));
        if block["type"] == "image" {
            ask.input_tokens += IMAGE_TOKENS;
        }
        mark(ask, block);
    }
    let of = |kind: &str| blocks.iter().filter(|block| block["type"] == kind).collect::<Vec<_>>();
    match message["role"].as_str() {
        Some("user") => {
            let results = of("tool_result");
            let texts: Vec<String> = of("text").into_iter().map(text).collect();
            ask.results = results.into_iter().map(text).collect();
            if ask.results.is_empty() || !texts.is_empty() {
                ask.user = texts.join("\n");
                ask.images = of("image").into_iter().filter_map(picture_of).collect();
            }
        }
        Some("system") => {
            let texts = blocks.iter().map(text).collect::<Vec<_>>().join("\n");
            ask.system.push_str(&texts);
        }
        _ => ask.results.clear(),
    }
}

fn picture_of(block: &Value) -> Option<String> {
    let source = &block["source"];
    let field = |name: &str| source[name].as_str().unwrap_or_default().to_owned();
    match source["type"].as_str()? {
        "base64" => picture(&field("media_type"), &field("data"), false),
        "url" => Some(field("url")),
        _ => Some(field("file_id")),
    }
}
