//! Writes a chat request.

use serde::Serialize;

use crate::conversation::{
    Effort, Field, Format, JsonSchema, Request, Thinking as AskedThinking, Tool, ToolChoice,
};
use crate::dialect::ranges::COHERE;
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::Raw;

use super::messages::{Turn, write_messages};

/// Behind the endpoint's own path.
const PATH: &str = "/v2/chat";

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    messages: Vec<Turn<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolDefinition<'r>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict_tools: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    logprobs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct ToolDefinition<'r> {
    r#type: &'static str,
    function: Function<'r>,
}

#[derive(Serialize)]
struct Function<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    parameters: Parameters<'r>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Parameters<'r> {
    Given(Raw<'r>),
    /// A schema is demanded even of a tool that takes nothing.
    Nothing {
        r#type: &'static str,
        properties: Empty,
    },
    /// One string, for a custom tool.
    Custom {
        r#type: &'static str,
        properties: CustomProperties,
        required: [&'static str; 1],
    },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct CustomProperties {
    input: StringSchema,
}

#[derive(Serialize)]
struct StringSchema {
    r#type: &'static str,
}

#[derive(Serialize)]
struct ResponseFormat<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<Raw<'r>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Thinking {
    Enabled {
        #[serde(skip_serializing_if = "Option::is_none")]
        token_budget: Option<u64>,
    },
    Disabled,
}

/// Writes a request. What Cohere has nothing for is left out and noted in `lacks`; a failure means that the conversation
/// contradicts itself.
pub(super) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    lacks.others(&request.others);
    let messages = write_messages(request, lacks)?;
    note_what_cohere_lacks(request, lacks);
    let max_tokens = request.max_tokens.or(wanted.default_max_tokens.map(u64::from));
    let tools = write_tools(request, lacks);
    let body = Body {
        model: wanted.model,
        messages,
        strict_tools: request.tools.iter().any(|tool| tool.strict == Some(true)),
        tool_choice: write_tool_choice(request),
        response_format: write_format(request, lacks),
        tools,
        max_tokens,
        stop_sequences: write_stops(request, lacks),
        temperature: COHERE.temperature.fit(request.temperature, Field::Temperature, lacks),
        // Cohere takes 0.01 to 0.99: what lies beyond is as good as its nearest end.
        p: COHERE.top_p.fit(request.top_p, Field::TopP, lacks).map(|p| p.clamp(0.01, 0.99)),
        k: COHERE.top_k.fit_whole(request.top_k, Field::TopK, lacks),
        seed: write_seed(request, lacks),
        frequency_penalty: write_penalty(request.frequency_penalty, Field::FrequencyPenalty, lacks),
        presence_penalty: write_penalty(request.presence_penalty, Field::PresencePenalty, lacks),
        logprobs: request.logprobs,
        thinking: write_thinking(request, max_tokens),
        stream: request.stream,
    };
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: PATH.to_owned(), body, headers: &[] })
}

fn note_what_cohere_lacks(request: &Request<'_>, lacks: &mut Lacks) {
    let is_there = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    for (is_asked, field) in [
        (request.choices.is_some_and(|choices| choices != 1), Field::Choices),
        (request.top_logprobs.is_some_and(|count| count != 0), Field::TopLogprobs),
        (request.verbosity.as_deref().is_some_and(|word| !matches!(word, "" | "medium")), Field::Verbosity),
        (is_there(request.user.as_deref()), Field::User),
        (is_there(request.safety_identifier.as_deref()), Field::SafetyIdentifier),
        (
            // There is one tier only.
            request.service_tier.as_deref().is_some_and(|tier| !matches!(tier, "" | "auto" | "default")),
            Field::ServiceTier,
        ),
        (request.parallel_tool_calls == Some(false) && !request.tools.is_empty(), Field::ParallelToolCalls),
    ] {
        if is_asked {
            lacks.parameter(field);
        }
    }
    if request.show_thinking == Some(false) {
        // Thinking is shown always. Only who does not read it is concerned.
        lacks.omission(Field::Thinking);
    }
}

/// The tools that may be called. A choice among them, for which Cohere has no word, is made by offering no others.
fn write_tools<'r>(request: &'r Request<'_>, lacks: &mut Lacks) -> Vec<ToolDefinition<'r>> {
    let is_allowed = |tool: &Tool<'_>| match &request.tool_choice {
        Some(ToolChoice::Named(name)) => *name == tool.name,
        Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
        _ => true,
    };
    let marked = request.tools.iter().find_map(|tool| tool.cache.as_ref());
    if let Some(mark) = marked {
        lacks.omission(Field::CacheMark(mark.at));
    }
    let mut tools = Vec::new();
    for tool in request.tools.iter().filter(|tool| is_allowed(tool)) {
        if tool.custom.is_some_and(|custom| custom.format.is_some()) {
            lacks.omission(Field::ToolFormat(tool.at));
        }
        tools.push(ToolDefinition {
            r#type: "function",
            function: Function {
                name: &tool.name,
                description: tool.description.as_deref().filter(|text| !text.is_empty()),
                parameters: write_parameters(tool),
            },
        });
    }
    tools
}

fn write_parameters<'r>(tool: &Tool<'r>) -> Parameters<'r> {
    match (tool.parameters, tool.custom) {
        (_, Some(_)) => Parameters::Custom {
            r#type: "object",
            properties: CustomProperties { input: StringSchema { r#type: "string" } },
            required: [Tool::CUSTOM_INPUT],
        },
        (Some(schema), None) if !is_empty_object(schema) => Parameters::Given(schema),
        _ => Parameters::Nothing { r#type: "object", properties: Empty {} },
    }
}

fn is_empty_object(value: Raw<'_>) -> bool {
    let inner = value.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

fn write_tool_choice(request: &Request<'_>) -> Option<&'static str> {
    match request.tool_choice.as_ref()? {
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => None,
        ToolChoice::None => (!request.tools.is_empty()).then_some("NONE"),
        ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. } => {
            Some("REQUIRED")
        }
    }
}

fn write_format<'r>(request: &Request<'r>, lacks: &mut Lacks) -> Option<ResponseFormat<'r>> {
    let json_schema = match &request.format {
        Format::Text => return None,
        // Cohere takes no form of the answer beside tools.
        _ if !request.tools.is_empty() => {
            lacks.parameter(Field::Format);
            return None;
        }
        Format::Json => None,
        Format::Schema(JsonSchema { description, schema, .. }) => {
            if description.as_deref().is_some_and(|text| !text.is_empty()) {
                lacks.parameter(Field::FormatDescription);
            }
            *schema
        }
    };
    Some(ResponseFormat { r#type: "json_object", json_schema })
}

fn write_stops<'r>(request: &'r Request<'_>, lacks: &mut Lacks) -> Vec<&'r str> {
    let mut stops: Vec<_> = request.stop.iter().map(|stop| &**stop).filter(|stop| !stop.is_empty()).collect();
    stops.truncate(COHERE.stop.fit_length(stops.len(), Field::Stop, lacks));
    stops
}

/// A penalty above nothing; none is what happens without it.
fn write_penalty(value: Option<f64>, field: Field<'_>, lacks: &mut Lacks) -> Option<f64> {
    let is_penalty = |value: &f64| *value != 0.0;
    COHERE.penalties.fit(value.filter(is_penalty), field, lacks).filter(is_penalty)
}

fn write_seed(request: &Request<'_>, lacks: &mut Lacks) -> Option<u64> {
    let seed = request.seed?;
    let seed = u64::try_from(seed).ok();
    if seed.is_none() {
        lacks.parameter(Field::Seed);
    }
    seed
}

/// How to think. Models that can think do so without being asked; Cohere advises against a budget, so the higher efforts
/// have none.
fn write_thinking(request: &Request<'_>, max_tokens: Option<u64>) -> Option<Thinking> {
    let by_effort = |effort: Effort| {
        let budget = match effort {
            Effort::None => return Thinking::Disabled,
            // Google's figures, for its own OpenAI-compatible endpoint: Cohere has none.
            Effort::Minimal | Effort::Low => 1_024,
            Effort::Medium => 8_192,
            Effort::High | Effort::XHigh | Effort::Max => return Thinking::Enabled { token_budget: None },
        };
        let most = max_tokens.map_or(u64::MAX, |limit| (limit / 2).max(1));
        Thinking::Enabled { token_budget: Some(budget.min(most)) }
    };
    match (request.thinking, request.effort) {
        (Some(AskedThinking::Off | AskedThinking::Budget(0)), _) => Some(Thinking::Disabled),
        (Some(AskedThinking::Budget(tokens)), _) => Some(Thinking::Enabled { token_budget: Some(tokens) }),
        (_, Some(effort)) => Some(by_effort(effort)),
        (Some(AskedThinking::Adaptive), None) => Some(Thinking::Enabled { token_budget: None }),
        (None, None) => None,
    }
}
