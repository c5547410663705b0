//! Writes a request: everything but its messages.

use serde::Serialize;

use crate::conversation::{self, Effort, Field, Format, Request, Tool, ToolChoice};
use crate::dialect::ranges::GEMINI;
use crate::dialect::{Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{Raw, Text};

use super::message::{Content, Messages, Part};
use super::model::{Model, Platform, Thinking};

/// Writes the body of a request for an answer. What Gemini has nothing for is noted in `lacks`.
///
/// An error is the client's: a tool's result without its call, arguments that are no JSON object, nothing said.
pub fn encode_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    platform: Platform,
    lacks: &mut Lacks,
) -> Result<Vec<u8>, Failure> {
    write(&body(request, wanted, platform, lacks)?)
}

/// Writes the body of a request for the number of tokens; what is lacking is noted as for an answer.
pub fn encode_count(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    platform: Platform,
    lacks: &mut Lacks,
) -> Result<Vec<u8>, Failure> {
    let mut body = body(request, wanted, platform, lacks)?;
    if platform == Platform::Vertex {
        // There the request for a count has fields of its own for what counts, and no others.
        (body.tool_config, body.generation_config, body.service_tier) = (None, None, None);
        return write(&body);
    }
    body.model = Some(super::resource(wanted.model));
    write(&CountRequest { generate_content_request: body })
}

/// Finds out what a request lacks, without writing it.
pub fn check_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    platform: Platform,
    lacks: &mut Lacks,
) -> Result<(), Failure> {
    body(request, wanted, platform, lacks).map(drop)
}

pub fn write(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|_| Failure::operator("The request could not be written."))
}

fn body<'r>(
    request: &'r Request<'_>,
    wanted: Wanted<'_>,
    platform: Platform,
    lacks: &mut Lacks,
) -> Result<Body<'r>, Failure> {
    let model = Model::named(wanted.model, platform);
    note_lacks(request, lacks);
    let messages = Messages::read(request, model, lacks)?;
    let generation = generation(request, wanted, model, lacks);
    Ok(Body {
        model: None,
        system_instruction: (!messages.system.is_empty()).then_some(Instruction { parts: messages.system }),
        contents: messages.contents,
        tools: (!request.tools.is_empty()).then(|| [tools(request, lacks)]),
        tool_config: tool_config(request, lacks)?
            .map(|function_calling_config| ToolConfig { function_calling_config }),
        generation_config: (!generation.is_empty()).then_some(generation),
        service_tier: request.service_tier.as_deref().and_then(|tier| service_tier(tier, lacks)),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountRequest<'r> {
    generate_content_request: Body<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'r> {
    /// Where the path alone doesn't say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
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
    parameters_json_schema: Option<Schema<'r>>,
}

/// What a function takes.
#[derive(Serialize)]
#[serde(untagged)]
enum Schema<'r> {
    Own(Raw<'r>),
    /// That of a function which stands for a custom tool.
    Custom(CustomSchema),
}

/// An object with one text, [`Tool::CUSTOM_INPUT`].
#[derive(Serialize)]
struct CustomSchema {
    r#type: &'static str,
    properties: CustomProperties,
    required: [&'static str; 1],
}

#[derive(Serialize)]
struct CustomProperties {
    input: StringSchema,
}

#[derive(Serialize)]
struct StringSchema {
    r#type: &'static str,
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
    top_k: Option<u64>,
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
    thinking_budget: Option<i64>,
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
                top_k: None,
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
        temperature: GEMINI.temperature.fit(
            sent(asks(request.temperature, 1.0), model.samples, Field::Temperature, lacks),
            Field::Temperature,
            lacks,
        ),
        top_p: GEMINI.top_p.fit(
            sent(asks(request.top_p, 1.0), model.samples, Field::TopP, lacks),
            Field::TopP,
            lacks,
        ),
        top_k: sent(request.top_k, model.samples, Field::TopK, lacks),
        seed: request.seed.and_then(|seed| narrow(seed, lacks)),
        presence_penalty: GEMINI.penalties.fit(
            sent(penalty(request.presence_penalty), model.samples, Field::PresencePenalty, lacks),
            Field::PresencePenalty,
            lacks,
        ),
        frequency_penalty: GEMINI.penalties.fit(
            sent(penalty(request.frequency_penalty), model.samples, Field::FrequencyPenalty, lacks),
            Field::FrequencyPenalty,
            lacks,
        ),
        response_logprobs: request.logprobs.then_some(true),
        logprobs: top_logprobs.filter(|_| request.logprobs),
        response_mime_type,
        response_json_schema,
        thinking_config: thinking_config(request, model.thinking, lacks),
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
    let kept = GEMINI.stop.fit_length(texts.len(), Field::Stop, lacks);
    texts.get(..kept).unwrap_or(texts)
}

/// Gemini's seed has 32 bits; cutting a longer one would make other seeds the same.
fn narrow(seed: i128, lacks: &mut Lacks) -> Option<i32> {
    let seed = i32::try_from(seed).ok();
    if seed.is_none() {
        lacks.parameter(Field::Seed);
    }
    seed
}

/// How to think, in the words that the model takes.
fn thinking_config(request: &Request<'_>, takes: Thinking, lacks: &mut Lacks) -> Option<ThinkingConfig> {
    use conversation::Thinking as Asked;
    let nothing = ThinkingConfig { include_thoughts: None, thinking_budget: None, thinking_level: None };
    // Who asks for thinking wants to see it, unless he says that he doesn't.
    let shown =
        ThinkingConfig { include_thoughts: request.show_thinking.unwrap_or(true).then_some(true), ..nothing };
    let is_off = |field: Field<'static>, lacks: &mut Lacks| match takes {
        Thinking::Budget { can_be_off: true, .. } => {
            Some(ThinkingConfig { thinking_budget: Some(0), ..nothing })
        }
        Thinking::Budget { .. } | Thinking::Level => {
            lacks.parameter(field);
            None
        }
    };
    match (takes, request.thinking, request.effort) {
        (_, Some(Asked::Off), _) => is_off(Field::Thinking, lacks),
        (_, _, Some(Effort::None)) => is_off(Field::Effort, lacks),
        // At most so many tokens, and no model takes more than its own most.
        (Thinking::Budget { most, .. }, Some(Asked::Budget(budget)), _) => {
            Some(ThinkingConfig { thinking_budget: Some(budget.min(most.into()) as i64), ..shown })
        }
        (Thinking::Budget { .. }, _, Some(effort)) => {
            Some(ThinkingConfig { thinking_budget: Some(budget(effort)), ..shown })
        }
        // -1: as the model sees fit.
        (Thinking::Budget { .. }, Some(Asked::Adaptive), None) => {
            Some(ThinkingConfig { thinking_budget: Some(-1), ..shown })
        }
        (Thinking::Level, _, Some(effort)) => {
            Some(ThinkingConfig { thinking_level: Some(level(effort)), ..shown })
        }
        (Thinking::Level, Some(Asked::Budget(budget)), None) => {
            let effort = match budget {
                ..4096 => Effort::Low,
                4096..16384 => Effort::Medium,
                _ => Effort::High,
            };
            Some(ThinkingConfig { thinking_level: Some(level(effort)), ..shown })
        }
        (Thinking::Level, Some(Asked::Adaptive), None) => shown.include_thoughts.map(|_| shown),
        (_, None, None) => (request.show_thinking == Some(true))
            .then_some(ThinkingConfig { include_thoughts: Some(true), ..nothing }),
    }
}

/// Google's own budgets for its OpenAI-compatible endpoint.
fn budget(effort: Effort) -> i64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High | Effort::XHigh | Effort::Max => 24_576,
    }
}

/// Google's own levels for its OpenAI-compatible endpoint: no other is taken by every model.
fn level(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::High | Effort::XHigh | Effort::Max => "HIGH",
    }
}

fn tools<'r>(request: &'r Request<'r>, lacks: &mut Lacks) -> Tools<'r> {
    let declaration = |tool: &'r Tool<'r>| FunctionDeclaration {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema: match &tool.custom {
            Some(custom) => {
                if custom.format.is_some() {
                    lacks.omission(Field::ToolFormat(tool.at));
                }
                let properties = CustomProperties { input: StringSchema { r#type: "string" } };
                let required = [Tool::CUSTOM_INPUT];
                Some(Schema::Custom(CustomSchema { r#type: "object", properties, required }))
            }
            None => tool.parameters.filter(|schema| !is_empty_object(*schema)).map(Schema::Own),
        },
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
    if request.verbosity.as_ref().is_some_and(|verbosity| &**verbosity != "medium") {
        lacks.parameter(Field::Verbosity);
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
