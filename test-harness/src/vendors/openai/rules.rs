//! OpenAI's rules beyond the shape: between settings, by model, for tools, formats, and the turns of a conversation.

use super::refusal;
use crate::vendors::dialect::{Refusal, each_schema, is_name, picture};
use serde_json::{Value, json};

fn fail(message: &str, param: &str, code: Option<&str>) -> Result<(), Refusal> {
    Err(refusal(400, message, Some(param), code))
}

/// The rules between the settings.
pub fn settings(body: &Value) -> Result<(), Refusal> {
    let set = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    if set("max_tokens") && set("max_completion_tokens") {
        let text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        fail(text, "max_tokens", Some("invalid_parameter_combination"))?;
    }
    if set("stream_options") && body["stream"] != json!(true) {
        fail(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "stream_options",
            None,
        )?;
    }
    if set("top_logprobs") && body["logprobs"] != json!(true) {
        fail(
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
            "top_logprobs",
            None,
        )?;
    }
    if let Some(stops) = body["stop"].as_array()
        && stops.len() > 4
    {
        let text = format!(
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length {} instead.",
            stops.len()
        );
        fail(&text, "stop", Some("array_above_max_length"))?;
    }
    if let Some(metadata) = body["metadata"].as_object() {
        if metadata.len() > 16 {
            let text = format!(
                "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with {} properties instead.",
                metadata.len()
            );
            fail(&text, "metadata", Some("object_above_max_properties"))?;
        }
        for (key, value) in metadata {
            if key.chars().count() > 64 || value.as_str().unwrap_or_default().chars().count() > 512 {
                let text = format!("Invalid 'metadata.{key}': string too long.");
                fail(&text, &format!("metadata.{key}"), Some("string_above_max_length"))?;
            }
        }
    }
    let audio = body["modalities"].as_array().is_some_and(|list| list.contains(&json!("audio")));
    if audio && !set("audio") {
        fail("Missing required parameter: 'audio'.", "audio", Some("missing_required_parameter"))?;
    }
    Ok(())
}

/// The rules that depend on the model: reasoning models take no sampling parameters.
pub fn model(body: &Value, model: &str) -> Result<(), Refusal> {
    let effort = body["reasoning_effort"].as_str();
    if !is_reasoning(model) {
        if effort.is_some() {
            let text = "Unrecognized request argument supplied: reasoning_effort";
            return Err(refusal(400, text, None, None));
        }
        return Ok(());
    }
    if !body["max_tokens"].is_null() {
        let text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        fail(text, "max_tokens", Some("unsupported_parameter"))?;
    }
    if model.starts_with("gpt-6.2") && matches!(effort, Some("none" | "minimal" | "max")) {
        let text = format!(
            "Unsupported value: 'reasoning_effort' does not support '{}' with this model. Supported values are: 'low', 'medium', 'high', and 'xhigh'.",
            effort.unwrap_or_default()
        );
        fail(&text, "reasoning_effort", Some("unsupported_value"))?;
    }
    // Without reasoning the sampling parameters work.
    if effort == Some("none") {
        return Ok(());
    }
    let defaults =
        [("temperature", 1.0), ("top_p", 1.0), ("presence_penalty", 0.0), ("frequency_penalty", 0.0)];
    for (name, default) in defaults {
        if body[name].as_f64().is_some_and(|value| value != default) {
            let text = format!(
                "Unsupported value: '{name}' does not support {} with this model. Only the default ({default}) value is supported.",
                body[name]
            );
            fail(&text, name, Some("unsupported_value"))?;
        }
    }
    let mut unsupported = vec!["logprobs", "top_logprobs", "logit_bias"];
    if model.starts_with("o3") || model.starts_with("o4") {
        unsupported.push("stop");
    }
    for name in unsupported {
        if !body[name].is_null() && body[name] != json!(false) {
            let text = format!("Unsupported parameter: '{name}' is not supported with this model.");
            fail(&text, name, Some("unsupported_parameter"))?;
        }
    }
    Ok(())
}

/// Whether a model reasons.
pub fn is_reasoning(model: &str) -> bool {
    let numbered =
        model.strip_prefix("gpt-").and_then(|rest| rest.chars().next()).and_then(|one| one.to_digit(10));
    model.starts_with('o') || numbered.is_some_and(|generation| generation >= 5) && !model.contains("chat")
}

/// The rules for tools and the choice among them.
pub fn tools(body: &Value) -> Result<(), Refusal> {
    let tools = body["tools"].as_array().map(Vec::as_slice);
    for name in ["tool_choice", "parallel_tool_calls"] {
        let given = body.get(name).is_some_and(|value| *value != json!("none"));
        if given && tools.is_none() {
            let text =
                format!("Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.");
            fail(&text, name, None)?;
        }
    }
    let Some(tools) = tools else { return Ok(()) };
    if tools.is_empty() {
        let text = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        fail(text, "tools", Some("empty_array"))?;
    }
    if tools.len() > 128 {
        let text = format!(
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length {} instead.",
            tools.len()
        );
        fail(&text, "tools", Some("array_above_max_length"))?;
    }
    for (index, tool) in tools.iter().enumerate() {
        let kind = tool["type"].as_str().unwrap_or_default();
        let inner = &tool[kind];
        let name = inner["name"].as_str().unwrap_or_default();
        let place = format!("tools[{index}].{kind}");
        pattern(name, &format!("{place}.name"))?;
        let parameters = &inner["parameters"];
        let place = format!("{place}.parameters");
        let wrong = |text: &str| {
            let text = format!("Invalid schema for function '{name}': {text}");
            fail(&text, &place, Some("invalid_function_parameters"))
        };
        if let Some(schema) = parameters.as_object() {
            let kind = schema.get("type").cloned().unwrap_or(json!("None"));
            // An empty schema stands for no parameters.
            if !schema.is_empty() && kind != "object" {
                let kind = kind.as_str().unwrap_or_default();
                wrong(&format!(
                    "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
                ))?;
            }
        }
        if inner["strict"] == json!(true)
            && let Some(text) = strict_fault(parameters)
        {
            wrong(&text)?;
        }
    }
    let chosen = &body["tool_choice"];
    let kind = chosen["type"].as_str().unwrap_or_default();
    if let Some(name) = chosen[kind]["name"].as_str()
        && !tools.iter().any(|tool| tool[kind]["name"] == name)
    {
        let text = format!("Tool choice '{name}' not found in 'tools' parameter.");
        fail(&text, "tool_choice", Some("invalid_value"))?;
    }
    Ok(())
}

fn pattern(name: &str, place: &str) -> Result<(), Refusal> {
    if name.len() > 64 {
        let text = format!(
            "Invalid '{place}': string too long. Expected a string with maximum length 64, but got a string with length {} instead.",
            name.len()
        );
        return fail(&text, place, Some("string_above_max_length"));
    }
    if !is_name(name, 64, "_-") {
        let text = format!(
            "Invalid '{place}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return fail(&text, place, Some("invalid_value"));
    }
    Ok(())
}

/// Why a schema is not fit for strict mode: every object closed, every property required.
fn strict_fault(schema: &Value) -> Option<String> {
    let mut fault = None;
    each_schema(schema, &mut Vec::new(), &mut |schema, place| {
        let place: Vec<String> = place.iter().map(|step| format!("'{step}'")).collect();
        let context = format!("In context=({})", place.join(", "));
        let properties = schema["properties"].as_object();
        if fault.is_some() || schema["type"] != "object" && properties.is_none() {
            return;
        }
        if schema["additionalProperties"] != json!(false) {
            fault = Some(format!(
                "{context}, 'additionalProperties' is required to be supplied and to be false."
            ));
            return;
        }
        let required = schema["required"].as_array();
        let missing = properties.into_iter().flatten().find(|(name, _)| {
            !required.is_some_and(|required| required.iter().any(|one| one == name.as_str()))
        });
        if let Some((name, _)) = missing {
            fault = Some(format!(
                "{context}, 'required' is required to be supplied and to be an array including every key in properties. Missing '{name}'."
            ));
        }
    });
    fault
}

/// The rules for `response_format`.
pub fn format(body: &Value) -> Result<(), Refusal> {
    let format = &body["response_format"];
    if format["type"] == "json_object" && !body["messages"].to_string().to_ascii_lowercase().contains("json")
    {
        let text = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
        fail(text, "messages", None)?;
    }
    if format["type"] != "json_schema" {
        return Ok(());
    }
    let name = format["json_schema"]["name"].as_str().unwrap_or_default();
    pattern(name, "response_format.json_schema.name")?;
    let Some(schema) = format["json_schema"].get("schema") else {
        let place = "response_format.json_schema.schema";
        return fail(
            &format!("Missing required parameter: '{place}'."),
            place,
            Some("missing_required_parameter"),
        );
    };
    let strict = format["json_schema"]["strict"] == json!(true);
    let kind = schema["type"].as_str().unwrap_or("None");
    let text = if strict && kind != "object" {
        Some(format!("schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."))
    } else {
        strict.then(|| strict_fault(schema)).flatten()
    };
    match text {
        Some(text) => {
            let text = format!("Invalid schema for response_format '{name}': {text}");
            fail(&text, "response_format", None)
        }
        None => Ok(()),
    }
}

/// The rules for messages: calls are answered, and only calls.
pub fn messages(body: &Value) -> Result<(), Refusal> {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    if messages.is_empty() {
        let text = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        fail(text, "messages", Some("empty_array"))?;
    }
    // The calls of the last assistant message that have no result yet, with that message's place.
    let mut open: (usize, Vec<&str>) = (0, Vec::new());
    let unanswered = |open: &(usize, Vec<&str>)| {
        let text = format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
             The following tool_call_ids did not have response messages: {}",
            open.1.join(", ")
        );
        fail(&text, &format!("messages.[{}].role", open.0 + 1), None)
    };
    let mut after_calls = false;
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            if !after_calls {
                let text = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                fail(text, &format!("messages.[{index}].role"), None)?;
            }
            let Some(place) = open.1.iter().position(|one| *one == id) else {
                let text = format!(
                    "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
                );
                return fail(&text, &format!("messages.[{index}].tool_call_id"), None);
            };
            open.1.remove(place);
            continue;
        }
        if !open.1.is_empty() {
            unanswered(&open)?;
        }
        after_calls = false;
        if role == "assistant" {
            assistant(message, index)?;
            if let Some(calls) = message["tool_calls"].as_array() {
                open = (index, calls.iter().filter_map(|call| call["id"].as_str()).collect());
                after_calls = true;
            }
        }
        if role == "user" {
            user(message, index)?;
        }
    }
    if open.1.is_empty() { Ok(()) } else { unanswered(&open) }
}

fn assistant(message: &Value, index: usize) -> Result<(), Refusal> {
    let has = |name: &str| !message[name].is_null();
    if has("tool_calls") && message["tool_calls"].as_array().is_some_and(Vec::is_empty) {
        let place = format!("messages[{index}].tool_calls");
        let text = format!(
            "Invalid '{place}': empty array. Expected an array with minimum length 1, but got an empty array instead."
        );
        fail(&text, &place, Some("empty_array"))?;
    }
    if !["content", "tool_calls", "function_call", "refusal", "audio"].iter().any(|name| has(name)) {
        let text = "Invalid value for 'content': expected a string, got null.";
        fail(text, &format!("messages.[{index}].content"), None)?;
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let kind = call["type"].as_str().unwrap_or_default();
        pattern(
            call[kind]["name"].as_str().unwrap_or_default(),
            &format!("messages[{index}].tool_calls[0].{kind}.name"),
        )?;
    }
    Ok(())
}

fn user(message: &Value, index: usize) -> Result<(), Refusal> {
    let parts = message["content"].as_array();
    if parts.is_some_and(Vec::is_empty) {
        let text = "Invalid value for 'content': expected a non-empty array of content parts.";
        fail(text, &format!("messages.[{index}].content"), None)?;
    }
    for part in parts.into_iter().flatten() {
        if part["type"] == "image_url" {
            image(part["image_url"]["url"].as_str().unwrap_or_default())?;
        }
        let file = &part["file"];
        if part["type"] == "file" && file["file_id"].is_null() == file["file_data"].is_null() {
            let text = "Invalid file: exactly one of 'file_id' and 'file_data' must be given.";
            fail(text, &format!("messages.[{index}].content"), Some("invalid_value"))?;
        }
    }
    Ok(())
}

/// A picture's description.
pub fn image(url: &str) -> Result<String, Refusal> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(url.to_owned());
    }
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let Some((media_type, data)) = inline else {
        let text = "Invalid image URL: expected a valid URL or a base64-encoded data URL of the form 'data:image/png;base64,…'.";
        return Err(refusal(400, text, Some("url"), Some("invalid_image_url")));
    };
    let supported = ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&media_type);
    picture(media_type, data, false).filter(|_| supported).ok_or_else(|| {
        let text = "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp'].";
        refusal(400, text, None, Some("invalid_image_format"))
    })
}
