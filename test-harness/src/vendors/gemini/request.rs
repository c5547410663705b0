//! What Gemini accepts: the shape of the body in protobuf's words, then the rules, then what is asked.

use super::refusal;
use super::rules;
use super::shapes::BODY;
use crate::vendors::answer::{Ask, Format, IMAGE_TOKENS, Tool, ToolChoice, tokens};
use crate::vendors::dialect::{Received, Refusal, picture};
use crate::vendors::shape::{Decoder, Fault, Problem, Shape, check, indexed, snake};
use serde_json::{Value, json};

/// Reads a request for `model` as the vendor does.
pub fn read(received: &Received<'_>, model: &str, stream: bool, sse: bool) -> Result<Ask, Refusal> {
    let body: Value = serde_json::from_slice(received.body)
        .map_err(|error| refusal(400, &format!("Invalid JSON payload received. {error}"), Value::Null))?;
    if !body.is_object() {
        return Err(refusal(400, "Invalid JSON payload received. Expected an object.", Value::Null));
    }
    let (body, faults) = check(&BODY, &body, Decoder::Proto);
    // Protobuf reports what it can't read; the service checks bounds and presence after that.
    let (service, proto): (Vec<&Fault>, Vec<&Fault>) = faults
        .iter()
        .partition(|fault| matches!(fault.problem, Problem::Missing | Problem::Below(_) | Problem::Above(_)));
    if !proto.is_empty() {
        return Err(unreadable(&proto));
    }
    if let Some(fault) = service.first() {
        return Err(refusal(400, &out_of_bounds(fault), Value::Null));
    }
    rules::check(&body, model)?;
    Ok(ask(body, model, stream, sse))
}

fn unreadable(faults: &[&Fault]) -> Refusal {
    let word = |fault: &&Fault| {
        let place = indexed(&fault.path, snake);
        let found = &fault.found;
        match &fault.problem {
            Problem::Unknown => {
                let (place, name) = place.rsplit_once('.').unwrap_or(("", place.as_str()));
                // The name is quoted as sent, its place in snake case.
                let name = match fault.path.last() {
                    Some(crate::vendors::shape::Step::Key(sent)) => sent.as_str(),
                    _ => name,
                };
                let at = if place.is_empty() { String::new() } else { format!(" at '{place}'") };
                (
                    place.to_owned(),
                    format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field."),
                )
            }
            Problem::Kind if matches!(fault.shape, Shape::List(_)) => {
                let text = format!("Invalid value at '{place}' (repeated field), {found}");
                (place, text)
            }
            Problem::Encoding => {
                let text =
                    format!("Invalid value at '{place}' (TYPE_BYTES), Base64 decoding failed for {found}");
                (place, text)
            }
            _ => {
                let text = format!("Invalid value at '{place}' ({}), {found}", kind(fault.shape));
                (place, text)
            }
        }
    };
    let words: Vec<(String, String)> = faults.iter().map(word).collect();
    let message = words.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    let violations = words.iter().map(|(place, text)| {
        if place.is_empty() {
            json!({"description": text})
        } else {
            json!({"field": place, "description": text})
        }
    });
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": violations.collect::<Vec<_>>()
    }]);
    refusal(400, &message, details)
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "TYPE_BOOL",
        Shape::Integer(..) => "TYPE_INT32",
        Shape::Number(..) => "TYPE_FLOAT",
        Shape::Text => "TYPE_STRING",
        Shape::Base64 => "TYPE_BYTES",
        Shape::Choice(_) => "TYPE_ENUM",
        _ => "TYPE_MESSAGE",
    }
}

fn out_of_bounds(fault: &Fault) -> String {
    let place = format!("GenerateContentRequest.{}", indexed(&fault.path, snake));
    match fault.problem {
        Problem::Below(bound) => {
            format!("* {place}: must be greater than or equal to {bound}, but got {}\n", fault.found)
        }
        Problem::Above(bound) => {
            format!("* {place}: must be less than or equal to {bound}, but got {}\n", fault.found)
        }
        _ => format!("* {place}: {} is not specified\n", place.rsplit('.').next().unwrap_or_default()),
    }
}

fn ask(body: Value, model: &str, stream: bool, sse: bool) -> Ask {
    let config = &body["generationConfig"];
    let thinking = &config["thinkingConfig"];
    let off = thinking["thinkingBudget"] == json!(0) || thinking["thinkingLevel"] == "MINIMAL";
    let mut ask = Ask {
        model: model.to_owned(),
        stream,
        parallel: true,
        count: config["candidateCount"].as_u64().unwrap_or(1) as usize,
        max_tokens: config["maxOutputTokens"].as_u64(),
        reason: thinking.is_object() && !off,
        show_reasoning: thinking["includeThoughts"] == json!(true),
        logprobs: (config["responseLogprobs"] == json!(true))
            .then(|| config["logprobs"].as_u64().unwrap_or(0) as usize),
        ..Ask::default()
    };
    let stops = config["stopSequences"].as_array().into_iter().flatten();
    ask.stops = stops.filter_map(Value::as_str).map(str::to_owned).collect();
    let schema = config.get("responseJsonSchema").or(config.get("responseSchema"));
    ask.format = match schema {
        Some(schema) => Format::Schema(schema.clone()),
        None if config["responseMimeType"] == "application/json" => Format::Json,
        None => Format::Text,
    };
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let names = calling["allowedFunctionNames"].as_array().into_iter().flatten();
    let names: Vec<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    ask.choice = match calling["mode"].as_str() {
        Some("NONE") => ToolChoice::None,
        Some("ANY") if names.is_empty() => ToolChoice::Any,
        Some("ANY") => ToolChoice::Named(names),
        _ => ToolChoice::Auto,
    };
    for tool in body["tools"].as_array().into_iter().flatten() {
        for declaration in tool["functionDeclarations"].as_array().into_iter().flatten() {
            let name = declaration["name"].as_str().unwrap_or_default().to_owned();
            ask.input_tokens +=
                tokens(&name) + tokens(declaration["description"].as_str().unwrap_or_default());
            let schema = declaration.get("parametersJsonSchema").or(declaration.get("parameters"));
            ask.tools.push(Tool { name, schema: schema.cloned().unwrap_or(json!({"type": "object"})) });
        }
    }
    ask.system = texts(&body["systemInstruction"]);
    ask.input_tokens += tokens(&ask.system);
    for content in body["contents"].as_array().into_iter().flatten() {
        read_content(&mut ask, content);
    }
    ask.body = json!({ "sse": sse });
    ask
}

fn texts(content: &Value) -> String {
    let parts = content["parts"].as_array().into_iter().flatten();
    parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn read_content(ask: &mut Ask, content: &Value) {
    let text = texts(content);
    ask.input_tokens += tokens(&text);
    let mut results = Vec::new();
    let mut images = Vec::new();
    for part in content["parts"].as_array().into_iter().flatten() {
        if let Some(args) = part["functionCall"].get("args") {
            ask.input_tokens += tokens(&args.to_string());
        }
        let response = &part["functionResponse"]["response"];
        if response.is_object() {
            // The documented keys for a plain result.
            let plain = ["output", "result", "error"].iter().find_map(|key| response[*key].as_str());
            let result = plain.map_or_else(|| response.to_string(), str::to_owned);
            ask.input_tokens += tokens(&result);
            results.push(result);
        }
        let field = |name: &str, inner: &str| part[name][inner].as_str();
        if let (Some(kind), Some(data)) = (field("inlineData", "mimeType"), field("inlineData", "data")) {
            images.extend(picture(kind, data, true));
        }
        images.extend(field("fileData", "fileUri").map(str::to_owned));
    }
    ask.input_tokens += images.len() as u64 * IMAGE_TOKENS;
    if content["role"] == "model" {
        ask.results.clear();
        return;
    }
    if results.is_empty() || !text.is_empty() {
        ask.user = text;
        ask.images = images;
    }
    ask.results = results;
}
