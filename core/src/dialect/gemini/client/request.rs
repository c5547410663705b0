//! Reads a `generateContent` request into the canonical conversation.

use crate::conversation::{
    Effort, Field, Format, JsonSchema, Message, Place, Request, Role, Thinking, Tool, ToolChoice,
};
use crate::dialect::Call;
use crate::dialect::malformed::{malformed, missing};
use crate::failure::Failure;
use crate::json::{self, Raw, Text};

use super::content::Contents;
use super::name::{self, SYSTEM};
use super::others::Others;
use super::schema::json_schema;
use super::wire::{
    CallingConfig, Declaration, GenerateRequest, GenerationConfig, Number, ThinkingConfig, ToolConfig,
};

/// What the answer's schema is called at vendors that want a name for it; Gemini has none.
const SCHEMA_NAME: &str = "response";

/// Reads a request's body; a failure names the field that is wrong.
pub(crate) fn decode_request<'a>(call: &'a Call, body: &'a [u8]) -> Result<Request<'a>, Failure> {
    let wire: GenerateRequest<'_> = json::read(body).map_err(malformed)?;
    read_request(call, wire)
}

/// Reads the body of a request for the number of tokens: contents, or a whole request as for an answer.
pub(crate) fn decode_count<'a>(call: &'a Call, body: &'a [u8]) -> Result<Request<'a>, Failure> {
    let mut wire: GenerateRequest<'_> = json::read(body).map_err(malformed)?;
    let Some(counted) = wire.counted.take() else { return read_request(call, wire) };
    let mut counted: GenerateRequest<'_> = counted.read().map_err(malformed)?;
    // The model is the path's.
    counted.others.retain(|(name, _)| &**name != "model");
    read_request(call, counted)
}

fn read_request<'a>(call: &'a Call, wire: GenerateRequest<'a>) -> Result<Request<'a>, Failure> {
    let mut others = Others::default();
    others.add("", wire.others);
    if wire.counted.is_some() {
        others.note("generateContentRequest", true);
    }
    let contents = wire.contents.ok_or_else(|| missing("contents"))?;
    if contents.is_empty() {
        return Err(Failure::invalid_value("contents", "needs at least one content"));
    }
    let mut messages = Vec::with_capacity(contents.len() + 1);
    let mut reader = Contents::new(&mut others);
    if let Some(system) = wire.system {
        let parts = reader.system(system)?;
        let at = Place::item(SYSTEM as usize);
        if !parts.is_empty() {
            messages.push(Message { role: Role::System, name: None, parts, at });
        }
    }
    for (index, content) in contents.into_iter().enumerate() {
        reader.content(index, content, &mut messages)?;
    }
    let mut tools = Vec::new();
    for (index, tool) in wire.tools.unwrap_or_default().into_iter().enumerate() {
        others.add(&format!("tools[{index}]"), tool.others);
        for (position, declaration) in tool.functions.unwrap_or_default().into_iter().enumerate() {
            tools.push(read_tool(Place::part(index, position), declaration, &mut others)?);
        }
    }
    let mut request = Request {
        model: call.model.as_deref().unwrap_or_default().into(),
        messages,
        tools,
        tool_choice: wire
            .tool_config
            .map(|config| read_tool_config(config, &mut others))
            .transpose()?
            .flatten(),
        service_tier: wire.service_tier.and_then(|tier| read_service_tier(&tier, &mut others)),
        stream: call.stream,
        stream_usage: true,
        ..Request::default()
    };
    read_generation(wire.generation.unwrap_or_default(), &mut request, &mut others)?;
    request.others = others.into_inner();
    Ok(request)
}

fn read_tool<'a>(at: Place, declaration: Declaration<'a>, others: &mut Others) -> Result<Tool<'a>, Failure> {
    let path = name::tool(at);
    others.add(&path, declaration.others);
    let parameters = match (declaration.json_schema, declaration.parameters) {
        (Some(_), Some(_)) => {
            let reason = "stands beside parametersJsonSchema, which says the same";
            return Err(Failure::invalid_value(format!("{path}.parameters"), reason));
        }
        (Some(schema), None) => Some(schema.into()),
        (None, schema) => schema.map(|schema| Raw::from(schema).rewritten(json_schema)),
    };
    Ok(Tool {
        name: declaration.name.ok_or_else(|| missing(&format!("{path}.name")))?,
        description: declaration.description,
        parameters,
        at,
        ..Tool::default()
    })
}

fn read_tool_config<'a>(
    config: ToolConfig<'a>,
    others: &mut Others,
) -> Result<Option<ToolChoice<'a>>, Failure> {
    others.add("toolConfig", config.others);
    let Some(CallingConfig { mode, allowed, others: unread }) = config.calling else { return Ok(None) };
    others.add("toolConfig.functionCallingConfig", unread);
    let mut names = allowed.unwrap_or_default();
    let mode = mode.as_deref().unwrap_or_default().to_ascii_uppercase();
    Ok(match (mode.as_str(), names.len()) {
        ("" | "MODE_UNSPECIFIED", _) => None,
        // Names mean nothing to these two.
        ("AUTO", _) => Some(ToolChoice::Auto),
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", 0) => Some(ToolChoice::Required),
        ("ANY", 1) => names.pop().map(ToolChoice::Named),
        ("ANY", _) => Some(ToolChoice::Allowed { names, required: true }),
        // What it promises of the arguments is each tool's own matter elsewhere.
        ("VALIDATED", 0) => Some(ToolChoice::Auto),
        ("VALIDATED", _) => Some(ToolChoice::Allowed { names, required: false }),
        _ => {
            let path = name::name(Field::ToolChoice);
            return Err(Failure::invalid_value(path, "has to be one of AUTO, ANY, NONE, VALIDATED"));
        }
    })
}

fn read_generation<'a>(
    config: GenerationConfig<'a>,
    request: &mut Request<'a>,
    others: &mut Others,
) -> Result<(), Failure> {
    others.add("generationConfig", config.others);
    request.max_tokens = whole(config.max_tokens, Field::MaxTokens)?;
    request.choices = whole(config.candidates, Field::Choices)?;
    for (field, is_none) in
        [(Field::MaxTokens, request.max_tokens == Some(0)), (Field::Choices, request.choices == Some(0))]
    {
        if is_none {
            return Err(Failure::invalid_value(name::name(field), "has to be at least 1"));
        }
    }
    request.top_k = whole(config.top_k, Field::TopK)?;
    request.seed = whole::<i64>(config.seed, Field::Seed)?.map(i128::from);
    request.temperature = config.temperature.map(|number| number.0);
    request.top_p = config.top_p.map(|number| number.0);
    request.presence_penalty = config.presence_penalty.map(|number| number.0);
    request.frequency_penalty = config.frequency_penalty.map(|number| number.0);
    request.stop = config.stop.unwrap_or_default();
    request.logprobs = config.response_logprobs.unwrap_or(false);
    request.top_logprobs = whole(config.logprobs, Field::TopLogprobs)?;
    let schema = match (config.json_schema, config.schema) {
        (Some(_), Some(_)) => {
            let reason = "stands beside responseJsonSchema, which says the same";
            return Err(Failure::invalid_value("generationConfig.responseSchema", reason));
        }
        (Some(schema), None) => Some(schema),
        (None, schema) => schema.map(|schema| Raw::from(schema).rewritten(json_schema)),
    };
    request.format = match (config.media_type.as_deref().unwrap_or_default(), schema) {
        ("" | "application/json", Some(schema)) => Format::Schema(JsonSchema {
            name: SCHEMA_NAME.into(),
            description: None,
            schema: Some(schema),
            strict: None,
        }),
        ("application/json", None) => Format::Json,
        ("" | "text/plain", None) => Format::Text,
        _ => {
            others.note("generationConfig.responseMimeType", false);
            Format::Text
        }
    };
    match config.thinking {
        Some(thinking) => read_thinking(thinking, request, others),
        None => Ok(()),
    }
}

fn read_thinking(
    config: ThinkingConfig<'_>,
    request: &mut Request<'_>,
    others: &mut Others,
) -> Result<(), Failure> {
    const PATH: &str = "generationConfig.thinkingConfig";
    others.add(PATH, config.others);
    request.show_thinking = config.shown;
    let budget_path = || format!("{PATH}.thinkingBudget");
    let budget = config.budget.map(|number| number.whole::<i64>().ok_or_else(budget_path));
    request.thinking = match budget {
        None => None,
        Some(Ok(-1)) => Some(Thinking::Adaptive),
        Some(Ok(0)) => Some(Thinking::Off),
        Some(Ok(budget)) if budget > 0 => Some(Thinking::Budget(budget.unsigned_abs())),
        Some(_) => return Err(Failure::invalid_value(budget_path(), "has to be -1, or a number of tokens")),
    };
    request.effort = match config.level.as_deref().unwrap_or_default().to_ascii_uppercase().as_str() {
        "" | "THINKING_LEVEL_UNSPECIFIED" => None,
        "MINIMAL" => Some(Effort::Minimal),
        "LOW" => Some(Effort::Low),
        "MEDIUM" => Some(Effort::Medium),
        "HIGH" => Some(Effort::High),
        "XHIGH" => Some(Effort::XHigh),
        _ => {
            others.note(name::name(Field::Effort), false);
            None
        }
    };
    Ok(())
}

/// A whole number in range.
fn whole<T: TryFrom<i64>>(number: Option<Number>, field: Field<'_>) -> Result<Option<T>, Failure> {
    let Some(number) = number else { return Ok(None) };
    match number.whole() {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::invalid_value(name::name(field), "has to be a whole number in range")),
    }
}

/// Google's words for how urgent a request is, in OpenAI's.
fn read_service_tier(tier: &str, others: &mut Others) -> Option<Text<'static>> {
    Some(Text::from(match tier.to_ascii_lowercase().as_str() {
        "" | "unspecified" => return None,
        "standard" => "default",
        "flex" => "flex",
        "priority" => "priority",
        _ => {
            others.note("serviceTier", false);
            return None;
        }
    }))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
