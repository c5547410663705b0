//! What OpenAI accepts: the shape of the body in its words, then the rules, then what is asked.

use super::rules::{self, image, is_reasoning};
use super::shapes::BODY;
use super::{is_model, refusal, unknown_model};
use crate::vendors::answer::{Ask, Format, IMAGE_TOKENS, Tool, ToolChoice, compact, tokens};
use crate::vendors::dialect::{Received, Refusal};
use crate::vendors::shape::{Decoder, Fault, Problem, Shape, check, indexed, kind};
use serde_json::{Value, json};

/// Reads a request as the vendor does.
pub fn read(received: &Received<'_>) -> Result<Ask, Refusal> {
    let body: Value = serde_json::from_slice(received.body).map_err(|_| {
        let hint = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP \
             library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)";
        refusal(400, hint, None, None)
    })?;
    if !body.is_object() {
        return Err(refusal(400, "Invalid body: expected a JSON object.", None, Some("invalid_type")));
    }
    let (body, faults) = check(&BODY, &body, Decoder::Json);
    if let Some(fault) = faults.first() {
        return Err(word(fault));
    }
    let model = body["model"].as_str().unwrap_or_default();
    if model.is_empty() {
        return Err(refusal(400, "you must provide a model parameter", None, None));
    }
    if !is_model(model) && !received.any_model {
        return Err(unknown_model(model));
    }
    rules::settings(&body)?;
    rules::model(&body, model)?;
    rules::tools(&body)?;
    rules::format(&body)?;
    rules::messages(&body)?;
    Ok(ask(body))
}

/// A fault of shape in OpenAI's words.
fn word(fault: &Fault) -> Refusal {
    let place = indexed(&fault.path, str::to_owned);
    let param = Some(place.as_str());
    let invalid = |text: String, code: &str| refusal(400, &text, param, Some(code));
    match &fault.problem {
        Problem::Unknown => invalid(format!("Unknown parameter: '{place}'."), "unknown_parameter"),
        Problem::Missing => {
            invalid(format!("Missing required parameter: '{place}'."), "missing_required_parameter")
        }
        Problem::Kind => {
            let found = article(match kind(&fault.found) {
                "number" => "decimal",
                other => other,
            });
            let found = if fault.found.is_null() { "null".to_owned() } else { found };
            let expected = expected(fault.shape);
            let text = format!("Invalid type for '{place}': expected {expected}, but got {found} instead.");
            invalid(text, "invalid_type")
        }
        Problem::Value(allowed) => {
            let allowed: Vec<String> = allowed.iter().map(|one| format!("'{one}'")).collect();
            let listed = match allowed.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{}, and {last}", rest.join(", ")),
                _ => allowed.concat(),
            };
            let found = fault.found.as_str().unwrap_or_default();
            invalid(format!("Invalid value: '{found}'. Supported values are: {listed}."), "invalid_value")
        }
        Problem::Below(bound) => bounded(fault, &place, "below minimum", ">=", *bound, "below_min_value"),
        Problem::Above(bound) => bounded(fault, &place, "above maximum", "<=", *bound, "above_max_value"),
        Problem::Encoding => {
            invalid(format!("Invalid '{place}': expected a base64-encoded string."), "invalid_value")
        }
    }
}

fn bounded(fault: &Fault, place: &str, side: &str, sign: &str, bound: f64, code: &str) -> Refusal {
    let number = if matches!(fault.shape, Shape::Number(..)) { "decimal" } else { "integer" };
    let text = format!(
        "Invalid '{place}': {number} {side} value. Expected a value {sign} {bound}, but got {} instead.",
        fault.found
    );
    refusal(400, &text, Some(place), Some(&format!("{number}_{code}")))
}

fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Any => "a value".to_owned(),
        Shape::Bool => article("boolean"),
        Shape::Integer(..) => article("integer"),
        Shape::Number(..) => article("decimal"),
        Shape::Text | Shape::Choice(_) | Shape::Base64 => article("string"),
        Shape::Free | Shape::Record(_) | Shape::Map(_) | Shape::Tagged { .. } => article("object"),
        Shape::List(_) => article("array"),
        Shape::Nullable(inner) => expected(inner),
        Shape::Either(alternatives) => {
            let all: Vec<String> = alternatives.iter().map(|one| expected(one)).collect();
            format!("one of {}", all.join(" or "))
        }
    }
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// The texts of a message's content.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str().or(part["refusal"].as_str()));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn ask(body: Value) -> Ask {
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let effort = body["reasoning_effort"].as_str();
    let mut ask = Ask {
        stream: body["stream"] == json!(true),
        parallel: body["parallel_tool_calls"] != json!(false),
        count: body["n"].as_u64().unwrap_or(1) as usize,
        max_tokens: body["max_completion_tokens"].as_u64().or(body["max_tokens"].as_u64()),
        reason: is_reasoning(&model) && effort.is_some_and(|effort| effort != "none"),
        logprobs: (body["logprobs"] == json!(true))
            .then(|| body["top_logprobs"].as_u64().unwrap_or(0) as usize),
        model,
        ..Ask::default()
    };
    ask.stops = match &body["stop"] {
        Value::String(stop) => vec![stop.clone()],
        Value::Array(stops) => stops.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    ask.format = match body["response_format"]["type"].as_str() {
        Some("json_object") => Format::Json,
        Some("json_schema") => Format::Schema(body["response_format"]["json_schema"]["schema"].clone()),
        _ => Format::Text,
    };
    for tool in body["tools"].as_array().into_iter().flatten() {
        let kind = tool["type"].as_str().unwrap_or_default();
        let name = tool[kind]["name"].as_str().unwrap_or_default().to_owned();
        ask.input_tokens += tokens(&name) + tokens(tool[kind]["description"].as_str().unwrap_or_default());
        let schema = match &tool[kind]["parameters"] {
            Value::Null if kind == "function" => json!({"type": "object"}),
            other => other.clone(),
        };
        ask.tools.push(Tool { name, schema });
    }
    ask.choice = choice(&body["tool_choice"]);
    for message in body["messages"].as_array().into_iter().flatten() {
        read_message(&mut ask, message);
    }
    ask.body = body;
    ask
}

fn choice(choice: &Value) -> ToolChoice {
    let name = |value: &Value| value["name"].as_str().map(str::to_owned);
    match choice {
        Value::String(mode) if mode == "none" => ToolChoice::None,
        Value::String(mode) if mode == "required" => ToolChoice::Any,
        Value::Object(_) if choice["type"] == "allowed_tools" => {
            let allowed = &choice["allowed_tools"];
            let tools = allowed["tools"].as_array().into_iter().flatten();
            let names = tools.filter_map(|tool| name(&tool["function"]).or(name(&tool["custom"]))).collect();
            if allowed["mode"] == "required" { ToolChoice::Named(names) } else { ToolChoice::Auto }
        }
        Value::Object(_) => {
            ToolChoice::Named(name(&choice["function"]).or(name(&choice["custom"])).into_iter().collect())
        }
        _ => ToolChoice::Auto,
    }
}

fn read_message(ask: &mut Ask, message: &Value) {
    let text = text(&message["content"]);
    ask.input_tokens += tokens(&text);
    let role = message["role"].as_str().unwrap_or_default();
    if !matches!(role, "tool" | "function") {
        ask.results.clear();
    }
    match role {
        "system" | "developer" => {
            let gap = if ask.system.is_empty() { "" } else { "\n" };
            ask.system.push_str(&format!("{gap}{text}"));
        }
        "tool" | "function" => ask.results.push(text),
        "assistant" => {
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                let called = call["function"]["arguments"].as_str().or(call["custom"]["input"].as_str());
                ask.input_tokens += tokens(&compact(&json!(called.unwrap_or_default())));
            }
        }
        _ => {
            ask.images.clear();
            for part in message["content"].as_array().into_iter().flatten() {
                if part["type"] == "image_url" {
                    ask.images.extend(image(part["image_url"]["url"].as_str().unwrap_or_default()));
                    ask.input_tokens += IMAGE_TOKENS;
                }
            }
            ask.user = text;
        }
    }
}
