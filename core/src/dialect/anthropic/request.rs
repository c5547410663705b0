//! Writes a Messages request.

use serde::Serialize;

use crate::conversation::{Effort, Field, Format, JsonSchema, Part, Request, Role, Tool, ToolChoice};
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::Raw;

use super::messages::{Block, Messages, Turn, write_messages};
use super::model::{Family, Mode, Off};
use super::{HEADERS, SAMPLING_HEADERS};

/// The limit where neither client nor policy has one, in tokens: the most that every Claude on sale takes, so that no
/// answer is cut sooner than the vendor would cut it.
const DEFAULT_MAX_TOKENS: u64 = 64_000;

/// The least that thinking may be given, in tokens; the whole answer has to be allowed more.
const LEAST_BUDGET: u64 = 1_024;

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'r>>,
    messages: Vec<Turn<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolDefinition<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct ToolDefinition<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    input_schema: InputSchema<'r>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InputSchema<'r> {
    Given(Raw<'r>),
    /// A schema is demanded even of a tool that takes nothing.
    Nothing {
        r#type: &'static str,
        properties: Empty,
    },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Choice<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Thinking {
    Enabled {
        budget_tokens: u64,
    },
    /// Newer models leave the text of their thinking empty unless a summary is asked for.
    Adaptive {
        display: &'static str,
    },
    Disabled,
    BetweenTools,
}

#[derive(Serialize, Default)]
struct OutputConfig<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutputFormat<'r>>,
}

#[derive(Serialize)]
struct OutputFormat<'r> {
    r#type: &'static str,
    schema: Raw<'r>,
}

#[derive(Serialize)]
struct Metadata<'r> {
    user_id: &'r str,
}

impl OutputConfig<'_> {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

/// Writes the body of a request. What Claude has nothing for is left out and noted in `lacks`; a failure means that
/// the conversation contradicts itself.
pub(crate) fn encode_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let body = write_body(request, wanted, lacks)?;
    // They say which version of the API the body is written for.
    let headers = match (body.temperature, body.top_p) {
        (None, None) => &HEADERS,
        _ => &SAMPLING_HEADERS,
    };
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: super::PATH.to_owned(), body, headers })
}

/// Finds out what a request lacks, without writing it.
pub(crate) fn check_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<(), Failure> {
    write_body(request, wanted, lacks).map(drop)
}

fn write_body<'r>(
    request: &'r Request<'_>,
    wanted: Wanted<'r>,
    lacks: &mut Lacks,
) -> Result<Body<'r>, Failure> {
    let family = Family::of(wanted.model);
    lacks.others(&request.others);
    let Messages { system, turns: messages } = write_messages(request, lacks)?;
    note_what_no_model_has(request, lacks);
    let tool_choice = write_tool_choice(request, family, lacks);
    let (thinking, effort) = write_thinking(request, family, max_tokens(request, wanted), lacks);
    let (temperature, top_p) = write_sampling(request, family, thinking.as_ref(), lacks);
    Ok(Body {
        model: wanted.model,
        max_tokens: max_tokens(request, wanted),
        system,
        messages,
        tools: write_tools(request),
        tool_choice,
        thinking,
        output_config: OutputConfig { effort, format: write_format(&request.format, lacks) },
        temperature,
        top_p,
        stop_sequences: request.stop.iter().map(|stop| &**stop).filter(|stop| !stop.is_empty()).collect(),
        metadata: write_metadata(request, lacks),
        service_tier: write_service_tier(request, lacks),
        stream: request.stream,
    })
}

fn max_tokens(request: &Request<'_>, wanted: Wanted<'_>) -> u64 {
    request.max_tokens.or(wanted.default_max_tokens.map(u64::from)).unwrap_or(DEFAULT_MAX_TOKENS)
}

fn note_what_no_model_has(request: &Request<'_>, lacks: &mut Lacks) {
    let is_penalty = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    for (is_asked, name) in [
        (request.choices.is_some_and(|choices| choices != 1), Field::Choices),
        (request.seed.is_some(), Field::Seed),
        (is_penalty(request.presence_penalty), Field::PresencePenalty),
        (is_penalty(request.frequency_penalty), Field::FrequencyPenalty),
        (request.logprobs, Field::Logprobs),
        (request.top_logprobs.is_some_and(|count| count != 0), Field::TopLogprobs),
    ] {
        if is_asked {
            lacks.parameter(name);
        }
    }
}

fn write_tools<'r>(request: &'r Request<'_>) -> Vec<ToolDefinition<'r>> {
    let is_allowed = |tool: &Tool<'_>| match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
        _ => true,
    };
    let write = |tool: &'r Tool<'_>| ToolDefinition {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: match tool.parameters {
            Some(schema) if !is_empty_object(schema) => InputSchema::Given(schema),
            _ => InputSchema::Nothing { r#type: "object", properties: Empty {} },
        },
        strict: tool.strict == Some(true),
    };
    request.tools.iter().filter(|tool| is_allowed(tool)).map(write).collect()
}

fn is_empty_object(value: Raw<'_>) -> bool {
    let inner = value.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

fn forces_a_tool(request: &Request<'_>) -> bool {
    use ToolChoice::{Allowed, Named, Required};
    matches!(request.tool_choice, Some(Required | Named(_) | Allowed { required: true, .. }))
}

fn write_tool_choice<'r>(request: &'r Request<'_>, family: Family, lacks: &mut Lacks) -> Option<Choice<'r>> {
    let (kind, name) = match &request.tool_choice {
        Some(_) if forces_a_tool(request) && !family.forces_tools => {
            lacks.parameter(Field::ToolChoice);
            ("auto", None)
        }
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(&**name)),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => ("auto", None),
    };
    let disable_parallel_tool_use = request.parallel_tool_calls == Some(false) && kind != "none";
    // Without tools, what doesn't demand one asks for nothing; and Anthropic takes no choice among none.
    let asks_for_nothing = match kind {
        "auto" => request.tools.is_empty() || !disable_parallel_tool_use,
        "none" => request.tools.is_empty(),
        _ => false,
    };
    (!asks_for_nothing).then_some(Choice { r#type: kind, name, disable_parallel_tool_use })
}

/// How much to think: the type of thinking, and the level of effort.
fn write_thinking(
    request: &Request<'_>,
    family: Family,
    max_tokens: u64,
    lacks: &mut Lacks,
) -> (Option<Thinking>, Option<&'static str>) {
    let Some(effort) = request.effort else { return (None, None) };
    if effort == Effort::None {
        return match family.off {
            Off::Disabled => (Some(Thinking::Disabled), None),
            Off::BetweenTools => (Some(Thinking::BetweenTools), None),
            Off::Never => {
                lacks.parameter(Field::Effort);
                (None, None)
            }
        };
    }
    // Thinking excludes a call that is demanded. Where none can be demanded, it is the demand that is left out.
    let is_forced = forces_a_tool(request) && family.forces_tools;
    let is_budgeted = family.mode == Mode::Budget;
    if is_forced || (is_budgeted && max_tokens <= LEAST_BUDGET) {
        lacks.parameter(Field::Effort);
        return (None, None);
    }
    if is_budgeted && continues_without_thinking(request) {
        // Clients of other dialects never have such thinking to give: a refusal would end each of their loops.
        lacks.omission(Field::Effort);
        return (None, None);
    }
    match family.mode {
        Mode::Budget => {
            // Google's figures, for its own OpenAI-compatible endpoint: Anthropic has none.
            let budget = match effort {
                Effort::None | Effort::Minimal | Effort::Low => LEAST_BUDGET,
                Effort::Medium => 8_192,
                Effort::High | Effort::XHigh | Effort::Max => 24_576,
            };
            let budget_tokens = budget.min(max_tokens / 2).max(LEAST_BUDGET);
            (Some(Thinking::Enabled { budget_tokens }), None)
        }
        Mode::Adaptive => {
            let level = match effort {
                Effort::None | Effort::Minimal | Effort::Low => "low",
                Effort::Medium => "medium",
                Effort::XHigh if family.extra_high => "xhigh",
                Effort::High | Effort::XHigh => "high",
                Effort::Max => "max",
            };
            (Some(Thinking::Adaptive { display: "summarized" }), Some(level))
        }
    }
}

/// Whether the assistant's last turn called tools and holds no thinking of Claude's: with thinking by budget, Anthropic
/// refuses to go on with such a turn.
fn continues_without_thinking(request: &Request<'_>) -> bool {
    let last = request.messages.iter().rev().find(|message| message.role == Role::Assistant);
    let is_signed =
        |part: &Part<'_>| matches!(part, Part::Reasoning(reasoning) if reasoning.signature.is_some());
    last.is_some_and(|turn| {
        turn.parts.iter().any(|part| matches!(part, Part::ToolCall(_))) && !turn.parts.iter().any(is_signed)
    })
}

/// The temperature and the nucleus, where they ask for anything and can be had.
fn write_sampling(
    request: &Request<'_>,
    family: Family,
    thinking: Option<&Thinking>,
    lacks: &mut Lacks,
) -> (Option<f64>, Option<f64>) {
    let thinks = matches!(thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. }));
    let samples = family.samples && !thinks;
    let mut take = |value: Option<f64>, is_possible: bool, name| {
        // 1 is what happens without it.
        let asked = value.filter(|value| *value != 1.0)?;
        if !is_possible {
            lacks.parameter(name);
        }
        is_possible.then_some(asked)
    };
    let is_in_range = request.temperature.is_none_or(|value| (0.0..=1.0).contains(&value));
    let temperature = take(request.temperature, samples && is_in_range, Field::Temperature);
    // Anthropic takes one of the two.
    let top_p = take(request.top_p, samples && temperature.is_none(), Field::TopP);
    (temperature, top_p)
}

fn write_format<'r>(format: &'r Format<'_>, lacks: &mut Lacks) -> Option<OutputFormat<'r>> {
    match format {
        Format::Text => None,
        Format::Json => {
            // Structured output needs a closed schema; "any object" has none.
            lacks.parameter(Field::Format);
            None
        }
        Format::Schema(JsonSchema { description, schema, .. }) => {
            if description.as_deref().is_some_and(|text| !text.is_empty()) {
                lacks.parameter(Field::FormatDescription);
            }
            if schema.is_none() {
                lacks.parameter(Field::FormatSchema);
            }
            schema.map(|schema| OutputFormat { r#type: "json_schema", schema })
        }
    }
}

fn write_metadata<'r>(request: &'r Request<'_>, lacks: &mut Lacks) -> Option<Metadata<'r>> {
    let user = request.user.as_deref().filter(|user| !user.is_empty());
    let identifier = request.safety_identifier.as_deref().filter(|identifier| !identifier.is_empty());
    if identifier.is_some() && user.is_some() && user != identifier {
        lacks.parameter(Field::User);
    }
    identifier.or(user).map(|user_id| Metadata { user_id })
}

fn write_service_tier(request: &Request<'_>, lacks: &mut Lacks) -> Option<&'static str> {
    match request.service_tier.as_deref() {
        None | Some("" | "auto") => None,
        Some("default") => Some("standard_only"),
        Some(_) => {
            lacks.parameter(Field::ServiceTier);
            None
        }
    }
}
