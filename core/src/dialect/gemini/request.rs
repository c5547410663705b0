//! Writes a request: everything but its messages.

use serde::Serialize;

use crate::conversation::{Effort, Field, Format, Request, Tool, ToolChoice};
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{Raw, Text};

use super::message::{Content, Messages, Part};
use super::model::{Model, Thinking};

/// The most texts that `stopSequences` takes, by the API's reference.
const MAX_STOP_SEQUENCES: usize = 5;

/// Writes a request's body. What Gemini has nothing for is noted in `lacks`.
///
/// An error is the client's: a tool's result without its call, arguments that are no JSON object, nothing said.
pub fn encode_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let body = write_body(request, wanted, lacks)?;
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: super::path(wanted.model, request.stream), body, headers: &[] })
}

/// Finds out what a request lacks, without writing it.
pub fn check_request(request: &Request<'_>, wanted: Wanted<'_>, lacks: &mut Lacks) -> Result<(), Failure> {
    write_body(request, wanted, lacks).map(drop)
}

fn write_body<'r>(
    request: &'r Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Body<'r>, Failure> {
    let model = Model::named(wanted.model);
    note_lacks(request, lacks);
    let messages = Messages::read(request, model, lacks)?;
    let generation = generation(request, wanted, model, lacks);
    Ok(Body {
        system_instruction: (!messages.system.is_empty()).then_some(Instruction { parts: messages.system }),
        contents: messages.contents,
        tools: (!request.tools.is_empty()).then(|| [tools(request)]),
        tool_config: tool_config(request, lacks)?
            .map(|function_calling_config| ToolConfig { function_calling_config }),
        generation_config: (!generation.is_empty()).then_some(generation),
        service_tier: request.service_tier.as_deref().and_then(|tier| service_tier(tier, lacks)),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction<'r>>,
    contents: Vec<Content<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tools<'r>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<GenerationConfig<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
struct Instruction<'r> {
    parts: Vec<Part<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'r> {
    function_declarations: Vec<FunctionDeclaration<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionDeclaration<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<Raw<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'r> {
    function_calling_config: FunctionCallingConfig<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCallingConfig<'r> {
    mode: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allowed_function_names: &'r [Text<'r>],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'r [Text<'r>],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Raw<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

impl GenerationConfig<'_> {
    /// Whether it says nothing at all. The pattern names every field, so that none can be forgotten.
    fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                candidate_count: None,
                stop_sequences: [],
                max_output_tokens: None,
                temperature: None,
                top_p: None,
                seed: None,
                presence_penalty: None,
                frequency_penalty: None,
                response_logprobs: None,
                logprobs: None,
                response_mime_type: None,
                response_json_schema: None,
                thinking_config: None,
            }
        )
    }
}

fn generation<'r>(
    request: &'r Request<'r>,
    wanted: Wanted<'_>,
    model: Model,
    lacks: &mut Lacks,
) -> GenerationConfig<'r> {
    let penalty = |penalty: Option<f64>| penalty.filter(|&penalty| penalty != 0.0);
    // 1 is sent where it can be, as not every model has it for its default; where it can't, it asks for nothing.
    let asks = |value: Option<f64>, nothing| value.filter(|&value| model.samples || value != nothing);
    let (response_mime_type, response_json_schema) = match &request.format {
        Format::Text => (None, None),
        Format::Json => (Some("application/json"), None),
        Format::Schema(schema) => {
            if schema.description.as_ref().is_some_and(|description| !description.is_empty()) {
                lacks.parameter(Field::FormatDescription);
            }
            (Some("application/json"), schema.schema)
        }
    };
    let top_logprobs = request.top_logprobs.filter(|&count| count > 0);
    if top_logprobs.is_some() && !request.logprobs {
        lacks.parameter(Field::TopLogprobs);
    }
    GenerationConfig {
        candidate_count: sent(
            request.choices.filter(|&count| count != 1),
            model.gives_several,
            Field::Choices,
            lacks,
        ),
        stop_sequences: stop(&request.stop, lacks),
        max_output_tokens: request.max_tokens.or(wanted.default_max_tokens.map(u64::from)),
        temperature: sent(asks(request.temperature, 1.0), model.samples, Field::Temperature, lacks),
        top_p: sent(asks(request.top_p, 1.0), model.samples, Field::TopP, lacks),
        seed: request.seed.and_then(|seed| narrow(seed, lacks)),
        presence_penalty: sent(
            penalty(request.presence_penalty),
            model.samples,
            Field::PresencePenalty,
            lacks,
        ),
        frequency_penalty: sent(
            penalty(request.frequency_penalty),
            model.samples,
            Field::FrequencyPenalty,
            lacks,
        ),
        response_logprobs: request.logprobs.then_some(true),
        logprobs: top_logprobs.filter(|_| request.logprobs),
        response_mime_type,
        response_json_schema,
        thinking_config: request.effort.and_then(|effort| thinking_config(effort, model.thinking, lacks)),
    }
}

/// A value that only some models take, for one that does.
fn sent<T>(value: Option<T>, is_taken: bool, name: Field<'static>, lacks: &mut Lacks) -> Option<T> {
    if value.is_some() && !is_taken {
        lacks.parameter(name);
    }
    value.filter(|_| is_taken)
}

fn stop<'r>(texts: &'r [Text<'r>], lacks: &mut Lacks) -> &'r [Text<'r>] {
    if texts.len() <= MAX_STOP_SEQUENCES {
        return texts;
    }
    lacks.parameter(Field::Stop);
    &[]
}

/// Gemini's seed has 32 bits; cutting a longer one would make other seeds the same.
fn narrow(seed: i128, lacks: &mut Lacks) -> Option<i32> {
    let seed = i32::try_from(seed).ok();
    if seed.is_none() {
        lacks.parameter(Field::Seed);
    }
    seed
}

/// The budgets and levels are Google's own for its OpenAI-compatible endpoint.
fn thinking_config(effort: Effort, thinking: Thinking, lacks: &mut Lacks) -> Option<ThinkingConfig> {
    let config = |thinking_budget, thinking_level| {
        Some(ThinkingConfig { include_thoughts: Some(true), thinking_budget, thinking_level })
    };
    match (thinking, effort) {
        (Thinking::Budget { can_be_off: true }, Effort::None) => {
            Some(ThinkingConfig { include_thoughts: None, thinking_budget: Some(0), thinking_level: None })
        }
        (Thinking::Budget { can_be_off: false } | Thinking::Level, Effort::None) => {
            lacks.parameter(Field::Effort);
            None
        }
        (Thinking::Budget { .. }, Effort::Minimal | Effort::Low) => config(Some(1024), None),
        (Thinking::Budget { .. }, Effort::Medium) => config(Some(8192), None),
        (Thinking::Budget { .. }, Effort::High | Effort::XHigh | Effort::Max) => config(Some(24576), None),
        (Thinking::Level, Effort::Minimal | Effort::Low) => config(None, Some("LOW")),
        (Thinking::Level, Effort::Medium) => config(None, Some("MEDIUM")),
        (Thinking::Level, Effort::High | Effort::XHigh | Effort::Max) => config(None, Some("HIGH")),
    }
}

fn tools<'r>(request: &'r Request<'r>) -> Tools<'r> {
    let declaration = |tool: &'r Tool<'r>| FunctionDeclaration {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema: tool.parameters.filter(|schema| !is_empty_object(*schema)),
    };
    Tools { function_declarations: request.tools.iter().map(declaration).collect() }
}

/// A function that takes nothing is declared without a schema: `{}` is not one of an object.
fn is_empty_object(schema: Raw<'_>) -> bool {
    let inside = schema.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inside.is_some_and(|inside| inside.trim().is_empty())
}

fn tool_config<'r>(
    request: &'r Request<'r>,
    lacks: &Lacks,
) -> Result<Option<FunctionCallingConfig<'r>>, Failure> {
    // AUTO promises nothing about the schema; VALIDATED is AUTO that obeys it, for all tools at once.
    let is_strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    let (mode, allowed_function_names): (_, &[Text<'_>]) = match &request.tool_choice {
        None | Some(ToolChoice::Auto) if is_strict => ("VALIDATED", &[]),
        None | Some(ToolChoice::Auto) => return Ok(None),
        // A configuration without declarations is refused, and with no tools there is nothing to forbid.
        Some(ToolChoice::None) if request.tools.is_empty() => return Ok(None),
        Some(ToolChoice::None) => ("NONE", &[]),
        Some(ToolChoice::Required) => ("ANY", &[]),
        Some(ToolChoice::Named(name)) => ("ANY", std::slice::from_ref(name)),
        // No names at all would allow every tool.
        Some(ToolChoice::Allowed { names, .. }) if names.is_empty() => {
            return Err(lacks.invalid_value(Field::AllowedTools, "allows no tool"));
        }
        Some(ToolChoice::Allowed { names, required: true }) => ("ANY", names),
        Some(ToolChoice::Allowed { names, required: false }) => ("VALIDATED", names),
    };
    Ok(Some(FunctionCallingConfig { mode, allowed_function_names }))
}

/// OpenAI's words for how urgent a request is, in Gemini's.
fn service_tier(tier: &str, lacks: &mut Lacks) -> Option<&'static str> {
    match tier {
        "auto" | "" => None,
        "default" => Some("standard"),
        "flex" => Some("flex"),
        "priority" | "fast" => Some("priority"),
        _ => {
            lacks.parameter(Field::ServiceTier);
            None
        }
    }
}

/// Notes what has no place here, whatever its value.
fn note_lacks(request: &Request<'_>, lacks: &mut Lacks) {
    lacks.others(&request.others);
    if request.parallel_tool_calls == Some(false) {
        lacks.parameter(Field::ParallelToolCalls);
    }
    for (name, value) in [(Field::User, &request.user), (Field::SafetyIdentifier, &request.safety_identifier)]
    {
        if value.as_ref().is_some_and(|value| !value.is_empty()) {
            lacks.parameter(name);
        }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
