//! Gemini's rules beyond the shape: settings by model, declarations and their schemas, and the turns of a conversation.

use super::refusal;
use crate::vendors::dialect::{Refusal, each_schema, is_name, picture};
use crate::vendors::shape::decode;
use serde_json::{Value, json};
use std::collections::HashSet;

/// What every thought signature made by this mock begins with, before base64.
pub const SIGNATURE: &str = "mock-gemini:";
/// What the vendor takes in place of a signature for calls that another model made (ai.google.dev, thought signatures).
const STAND_INS: &[&str] = &["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

fn fail(message: impl AsRef<str>) -> Result<(), Refusal> {
    Err(refusal(400, message.as_ref(), Value::Null))
}

/// A model's generation: 25 for `gemini-2.5-flash`, 30 for `gemini-3-pro`, the latest for names without a number.
fn generation(model: &str) -> u32 {
    let mut parts = model.split('-').skip(1);
    let number = parts.next().unwrap_or_default();
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(major), Ok(minor)) => major * 10 + minor.min(9),
        _ => 99,
    }
}

/// All rules.
pub fn check(body: &Value, model: &str) -> Result<(), Refusal> {
    let generation = generation(model);
    settings(body, model, generation)?;
    tools(body)?;
    let contents = body["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
    if contents.is_empty() {
        fail("* GenerateContentRequest.contents: contents is not specified\n")?;
    }
    for (index, content) in contents.iter().enumerate() {
        let role = content["role"].as_str().unwrap_or("user");
        if !matches!(role, "user" | "model") {
            fail("Please use a valid role: user, model.")?;
        }
        parts(content, &format!("contents[{index}]"))?;
    }
    if body["systemInstruction"].is_object() {
        parts(&body["systemInstruction"], "system_instruction")?;
        let instruction = body["systemInstruction"]["parts"].as_array().into_iter().flatten();
        if instruction.into_iter().any(|part| part.get("text").is_none()) {
            fail("System instruction only supports text parts.")?;
        }
    }
    turns(contents)?;
    if generation >= 30 { signatures(contents) } else { Ok(()) }
}

fn settings(body: &Value, model: &str, generation: u32) -> Result<(), Refusal> {
    let config = &body["generationConfig"];
    if config["stopSequences"].as_array().is_some_and(|stops| stops.len() > 5) {
        fail(
            "* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences are supported\n",
        )?;
    }
    if config.get("logprobs").is_some() && config["responseLogprobs"] != json!(true) {
        fail("logprobs can only be set when response_logprobs is true.")?;
    }
    let mime = config["responseMimeType"].as_str().unwrap_or_default();
    let allowed =
        ["", "text/plain", "application/json", "application/xml", "application/yaml", "text/x.enum"];
    if !allowed.contains(&mime) {
        let listed = allowed.get(1..).unwrap_or_default().join(", ");
        fail(format!(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are {listed}.\n"
        ))?;
    }
    let schemas =
        ["responseSchema", "responseJsonSchema"].iter().filter(|name| config.get(**name).is_some()).count();
    if schemas == 2 {
        fail("response_schema and response_json_schema cannot both be set.")?;
    }
    if schemas == 1 && !matches!(mime, "application/json" | "text/x.enum") {
        fail(
            "response_schema is only supported when response_mime_type is application/json or text/x.enum.",
        )?;
    }
    schema(&config["responseSchema"], "generation_config.response_schema", false)?;
    let declares =
        body["tools"].as_array().into_iter().flatten().any(|tool| tool.get("functionDeclarations").is_some());
    if declares && mime == "application/json" && generation < 30 {
        fail("Function calling with a response mime type: 'application/json' is unsupported")?;
    }
    let thinking = &config["thinkingConfig"];
    let budget = thinking["thinkingBudget"].as_i64();
    if budget.is_some() && thinking.get("thinkingLevel").is_some() {
        fail("You can only set only one of thinking budget and thinking level.")?;
    }
    if thinking.get("thinkingLevel").is_some() && generation < 30 {
        fail("Thinking level is not supported for this model.")?;
    }
    if thinking.is_object() && generation < 25 {
        fail("Unable to submit request because thinking is not supported by this model.")?;
    }
    let (low, high) = if model.contains("pro") { (128, 32768) } else { (0, 24576) };
    if let Some(budget) = budget.filter(|budget| *budget >= 0 && generation == 25) {
        if budget == 0 && low > 0 {
            fail("Budget 0 is invalid. This model only works in thinking mode.")?;
        }
        if budget < low || budget > high {
            fail(format!(
                "The thinking budget {budget} is invalid. Please choose a value between {low} and {high}."
            ))?;
        }
    }
    Ok(())
}

fn tools(body: &Value) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    for (index, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        if tool.as_object().is_some_and(serde_json::Map::is_empty) {
            fail(format!(
                "* GenerateContentRequest.tools[{index}].tool_type: required one_of 'tool_type' must have one initialized field\n"
            ))?;
        }
        for (at, declaration) in tool["functionDeclarations"].as_array().into_iter().flatten().enumerate() {
            let place = format!("tools[{index}].function_declarations[{at}]");
            let name = declaration["name"].as_str().unwrap_or_default();
            let first = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            if !first || !is_name(name, 64, "_.:-") {
                fail(format!(
                    "* GenerateContentRequest.{place}.name: Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.\n"
                ))?;
            }
            if !names.insert(name) {
                fail(format!("Duplicate function declaration found: {name}"))?;
            }
            for pair in [["parameters", "parametersJsonSchema"], ["response", "responseJsonSchema"]] {
                if pair.iter().all(|field| declaration.get(*field).is_some()) {
                    fail(format!(
                        "* GenerateContentRequest.{place}: {} and {} are mutually exclusive\n",
                        pair[0], pair[1]
                    ))?;
                }
            }
            schema(&declaration["parameters"], &format!("{place}.parameters"), true)?;
        }
    }
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let allowed = calling["allowedFunctionNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !allowed.is_empty() && !matches!(calling["mode"].as_str(), Some("ANY" | "VALIDATED")) {
        fail(
            "* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: may only be set when the mode is ANY or VALIDATED\n",
        )?;
    }
    if let Some(name) = allowed.iter().find(|name| !names.contains(name.as_str().unwrap_or_default())) {
        fail(format!(
            "* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: function {name} is not declared\n"
        ))?;
    }
    if calling["mode"] == "ANY" && names.is_empty() {
        fail("Function calling mode is ANY but no function declarations are provided.")?;
    }
    Ok(())
}

/// The rules for a schema of Google's kind. `closed`: an object must say its properties.
fn schema(schema: &Value, place: &str, closed: bool) -> Result<(), Refusal> {
    let mut fault = None;
    each_schema(schema, &mut Vec::new(), &mut |schema, steps| {
        let mut at = format!("GenerateContentRequest.{place}");
        for step in steps {
            match step.as_str() {
                "properties" | "anyOf" => {
                    at.push_str(&format!(".{}", if step == "anyOf" { "any_of" } else { step }))
                }
                "items" => at.push_str(".items"),
                name => at.push_str(&format!("[{name}]")),
            }
        }
        let kind = schema["type"].as_str().unwrap_or_default();
        let properties = schema["properties"].as_object();
        let undefined = schema["required"].as_array().into_iter().flatten().enumerate().find(|(_, name)| {
            !properties.is_some_and(|properties| properties.contains_key(name.as_str().unwrap_or_default()))
        });
        let format = schema["format"].as_str().unwrap_or_default();
        let text = if kind.is_empty() && schema.get("anyOf").is_none() {
            Some(format!("* {at}.type: must be specified\n"))
        } else if closed && kind == "OBJECT" && properties.is_none_or(serde_json::Map::is_empty) {
            Some(format!("* {at}.properties: should be non-empty for OBJECT type\n"))
        } else if let Some((index, _)) = undefined {
            Some(format!("* {at}.required[{index}]: property is not defined\n"))
        } else if kind == "ARRAY" && schema.get("items").is_none() {
            Some(format!("* {at}.items: missing field.\n"))
        } else if schema.get("enum").is_some() && kind != "STRING" {
            Some(format!("* {at}.enum: only allowed for STRING type\n"))
        } else if kind == "STRING" && !matches!(format, "" | "enum" | "date-time") {
            Some(format!("* {at}.format: only 'enum' and 'date-time' are supported for STRING type\n"))
        } else {
            None
        };
        if fault.is_none() {
            fault = text;
        }
    });
    fault.map_or(Ok(()), fail)
}

fn parts(content: &Value, place: &str) -> Result<(), Refusal> {
    const DATA: &[&str] = &[
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    ];
    let parts = content["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if parts.is_empty() {
        fail(format!("* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n"))?;
    }
    for (index, part) in parts.iter().enumerate() {
        let place = format!("{place}.parts[{index}]");
        match DATA.iter().filter(|name| part.get(**name).is_some()).count() {
            0 => fail(format!(
                "* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field\n"
            ))?,
            1 => {}
            _ => fail(format!(
                "Invalid value at '{place}' (oneof), oneof field 'data' is already set. Cannot set it twice."
            ))?,
        }
        for name in ["functionCall", "functionResponse"] {
            let inner = &part[name];
            if inner.is_object() && inner["name"].as_str().unwrap_or_default().is_empty() {
                fail(format!(
                    "* GenerateContentRequest.{place}.{}.name: Name cannot be empty.\n",
                    crate::vendors::shape::snake(name)
                ))?;
            }
        }
        if part["functionResponse"].is_object() && !part["functionResponse"]["response"].is_object() {
            fail(format!(
                "* GenerateContentRequest.{place}.function_response.response: must be specified\n"
            ))?;
        }
        let inline = &part["inlineData"];
        if inline.is_object() {
            let mime = inline["mimeType"].as_str().unwrap_or_default();
            let picture_type =
                ["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"].contains(&mime);
            let other = mime.starts_with("audio/")
                || mime.starts_with("video/")
                || mime.starts_with("text/")
                || mime == "application/pdf";
            if !picture_type && !other {
                fail(format!("Unsupported MIME type: {mime}"))?;
            }
            if picture_type && picture(mime, inline["data"].as_str().unwrap_or_default(), true).is_none() {
                fail(
                    "Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
                )?;
            }
        }
        if let Some(uri) = part["fileData"]["fileUri"].as_str()
            && !uri.starts_with("https://")
        {
            fail(format!("Invalid or unsupported file uri: {uri}"))?;
        }
    }
    Ok(())
}

/// How many parts of a content hold `name`.
fn count(content: &Value, name: &str) -> usize {
    content["parts"].as_array().into_iter().flatten().filter(|part| part.get(name).is_some()).count()
}

fn turns(contents: &[Value]) -> Result<(), Refusal> {
    let mut calls = 0;
    let mut before = "";
    for content in contents {
        let role = content["role"].as_str().unwrap_or("user");
        let (asked, answered) = (count(content, "functionCall"), count(content, "functionResponse"));
        if asked > 0 && role != "model" || answered > 0 && role == "model" {
            fail(
                "Please ensure that function calls are in a model turn and function responses in a user turn.",
            )?;
        }
        if asked > 0 && before != "user" {
            fail(
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
            )?;
        }
        if answered > 0 && calls == 0 {
            fail("Please ensure that function response turn comes immediately after a function call turn.")?;
        }
        if calls > 0 && answered != calls {
            fail(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
            )?;
        }
        calls = asked;
        before = role;
    }
    if calls > 0 {
        fail("Please ensure that function call turn is followed by a function response turn.")?;
    }
    if before == "model" {
        fail("Please ensure that multiturn requests end with a user turn or a function response turn.")?;
    }
    Ok(())
}

/// From Gemini 3 on, the first call of each step of the current turn carries the signature that came with it.
fn signatures(contents: &[Value]) -> Result<(), Refusal> {
    let new_turn = |content: &Value| {
        content["role"].as_str().unwrap_or("user") == "user" && count(content, "functionResponse") == 0
    };
    let start = contents.iter().rposition(new_turn).unwrap_or(0);
    for (index, content) in contents.iter().enumerate() {
        let parts = content["parts"].as_array().into_iter().flatten();
        let mut first_call = true;
        for (position, part) in parts.enumerate() {
            let signature = part["thoughtSignature"].as_str();
            if let Some(name) = part["functionCall"]["name"].as_str() {
                if first_call && index > start && signature.is_none() {
                    fail(format!(
                        "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:{name}` , position {}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                        position + 1
                    ))?;
                }
                first_call = false;
            }
            if let Some(signature) = signature
                && !STAND_INS.contains(&signature)
            {
                let bytes = decode(signature, true).unwrap_or_default();
                let stand_in = STAND_INS.iter().any(|one| one.as_bytes() == bytes);
                if !bytes.starts_with(SIGNATURE.as_bytes()) && !stand_in {
                    fail("Corrupted thought signature.")?;
                }
            }
        }
    }
    Ok(())
}
