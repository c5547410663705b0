//! Writes a Messages request.

use serde::Serialize;

use crate::conversation::{
    self, Effort, Field, Format, JsonSchema, Maker, Part, Reasoning, Request, Role, Signature, Tool,
    ToolChoice,
};
use crate::dialect::ranges::{ANTHROPIC, Range};
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::Raw;

use super::messages::{Block, CacheControl, Messages, Turn, write_messages};
use super::model::{Family, Mode, Off};
use super::{HEADERS, SAMPLING_HEADERS};

/// The limit where neither client nor policy has one, in tokens: the most that every Claude on sale takes, so that no
/// answer is cut sooner than the vendor would cut it.
pub(in crate::dialect) const DEFAULT_MAX_TOKENS: u64 = 64_000;

/// The least that thinking may be given, in tokens; the whole answer has to be allowed more.
const LEAST_BUDGET: u64 = 1_024;

/// What a body is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Form {
    /// An answer, from Anthropic's own API.
    Answer,
    /// The number of its tokens; what only shapes an answer is left out.
    Count,
    /// An answer, from Google Cloud: the model is named by the path, the version by the body.
    Vertex,
    /// The number of its tokens, from Google Cloud: model and version are named by the body.
    VertexCount,
}

#[derive(Serialize)]
struct Body<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    anthropic_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl<'r>>,
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
    /// Of a function that stands for a custom tool.
    Custom {
        r#type: &'static str,
        properties: CustomInput,
        required: [&'static str; 1],
    },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct CustomInput {
    input: StringSchema,
}

#[derive(Serialize)]
struct StringSchema {
    r#type: &'static str,
}

#[derive(Serialize)]
struct Choice<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

/// How to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::dialect) enum Thinking {
    Enabled {
        budget_tokens: u64,
        /// Left to the model, which shows it, unless the client wants none of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
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

/// Writes a request. What Claude has nothing for is left out and noted in `lacks`; a failure means that the conversation
/// contradicts itself.
pub(crate) fn encode_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let body = write_body(request, wanted, Form::Answer, lacks)?;
    // They say which version of the API the body is written for.
    let headers = match body.samples() {
        false => &HEADERS,
        true => &SAMPLING_HEADERS,
    };
    Ok(Encoded { path: super::PATH.to_owned(), body: serialize(&body)?, headers })
}

/// Writes a request for the number of tokens.
pub(crate) fn encode_count(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let body = encode_body(request, wanted, Form::Count, lacks)?;
    Ok(Encoded { path: super::COUNT_PATH.to_owned(), body, headers: &HEADERS })
}

/// Writes the body of a request alone, for whichever platform serves Claude.
pub(in crate::dialect) fn encode_body(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    form: Form,
    lacks: &mut Lacks,
) -> Result<Vec<u8>, Failure> {
    serialize(&write_body(request, wanted, form, lacks)?)
}

/// Finds out what a request lacks, without writing it.
pub(crate) fn check_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    form: Form,
    lacks: &mut Lacks,
) -> Result<(), Failure> {
    write_body(request, wanted, form, lacks).map(drop)
}

fn serialize(body: &Body<'_>) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|_| Failure::operator("The request could not be written."))
}

impl Body<'_> {
    fn samples(&self) -> bool {
        self.temperature.is_some() || self.top_p.is_some() || self.top_k.is_some()
    }
}

fn write_body<'r>(
    request: &'r Request<'_>,
    wanted: Wanted<'r>,
    form: Form,
    lacks: &mut Lacks,
) -> Result<Body<'r>, Failure> {
    let family = Family::of(wanted.model);
    lacks.others(&request.others);
    let Messages { system, turns: messages } = write_messages(request, lacks)?;
    let max_tokens = max_tokens(request, wanted);
    let tool_choice = write_tool_choice(request, family, lacks);
    let (thinking, effort) = write_thinking(request, family, max_tokens, lacks);
    let body = Body {
        anthropic_version: (form == Form::VertexCount).then_some(super::NEWEST_VERSION),
        model: (form != Form::Vertex).then_some(wanted.model),
        max_tokens: None,
        system,
        messages,
        tools: write_tools(request, lacks),
        tool_choice,
        thinking,
        output_config: OutputConfig { effort, format: write_format(&request.format, lacks) },
        temperature: None,
        top_p: None,
        top_k: None,
        stop_sequences: Vec::new(),
        metadata: None,
        service_tier: None,
        stream: false,
    };
    if matches!(form, Form::Count | Form::VertexCount) {
        return Ok(body);
    }
    note_what_no_model_has(request, lacks);
    let sampling = write_sampling(request, family, thinking.as_ref(), lacks);
    let body = Body {
        max_tokens: Some(max_tokens),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: request.stop.iter().map(|stop| &**stop).filter(|stop| !stop.is_empty()).collect(),
        metadata: write_metadata(request, lacks),
        service_tier: write_service_tier(request, lacks),
        stream: request.stream,
        ..body
    };
    let version = match body.samples() {
        false => super::NEWEST_VERSION,
        true => super::OLD_VERTEX_VERSION,
    };
    Ok(Body { anthropic_version: (form == Form::Vertex).then_some(version), ..body })
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
        (request.verbosity.as_deref().is_some_and(|word| !matches!(word, "" | "medium")), Field::Verbosity),
    ] {
        if is_asked {
            lacks.parameter(name);
        }
    }
}

fn write_tools<'r>(request: &'r Request<'_>, lacks: &mut Lacks) -> Vec<ToolDefinition<'r>> {
    let is_allowed = |tool: &&'r Tool<'_>| match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
        _ => true,
    };
    request.tools.iter().filter(is_allowed).map(|tool| write_tool(tool, lacks)).collect()
}

fn write_tool<'r>(tool: &'r Tool<'_>, lacks: &mut Lacks) -> ToolDefinition<'r> {
    let input_schema = match (tool.custom, tool.parameters) {
        (Some(custom), _) => {
            if custom.format.is_some() {
                // Claude can't be held to a grammar; it knows the tool's description.
                lacks.omission(Field::ToolFormat(tool.at));
            }
            let properties = CustomInput { input: StringSchema { r#type: "string" } };
            InputSchema::Custom { r#type: "object", properties, required: [Tool::CUSTOM_INPUT] }
        }
        (None, Some(schema)) if !is_empty_object(schema) => InputSchema::Given(schema),
        _ => InputSchema::Nothing { r#type: "object", properties: Empty {} },
    };
    ToolDefinition {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema,
        strict: tool.strict == Some(true),
        cache_control: tool.cache.as_ref().map(CacheControl::from),
    }
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
pub(in crate::dialect) fn write_thinking(
    request: &Request<'_>,
    family: Family,
    max_tokens: u64,
    lacks: &mut Lacks,
) -> (Option<Thinking>, Option<&'static str>) {
    use conversation::Thinking::{Adaptive, Budget, Off as NoThinking};
    let effort = request.effort.filter(|effort| *effort != Effort::None);
    match (request.thinking, request.effort) {
        (Some(NoThinking | Budget(0)), _) => without_thinking(effort, family, Field::Thinking, lacks),
        (None, Some(Effort::None)) => without_thinking(None, family, Field::Effort, lacks),
        // It thinks anyway, and some models show none of it unless they are told to.
        (None, None) if family.thinks_unasked && request.show_thinking == Some(true) => {
            (Some(Thinking::Adaptive { display: "summarized" }), None)
        }
        (None, None) => (None, None),
        (thinking @ (None | Some(Adaptive | Budget(_))), _) => {
            let field = if thinking.is_some() { Field::Thinking } else { Field::Effort };
            // Thinking excludes a call that is demanded. Where none can be demanded, it is the demand that is left out.
            let is_forced = forces_a_tool(request) && family.forces_tools;
            let is_budgeted = family.mode == Mode::Budget;
            if is_forced || (is_budgeted && max_tokens <= LEAST_BUDGET) {
                lacks.parameter(field);
                return (None, None);
            }
            if is_budgeted && continues_without_thinking(request) {
                // Clients of other dialects never have such thinking to give: a refusal would end each of their loops.
                lacks.omission(field);
                return (None, None);
            }
            let is_hidden = request.show_thinking == Some(false);
            match (family.mode, thinking) {
                (Mode::Budget, thinking) => {
                    let budget_tokens = match thinking {
                        Some(Budget(tokens)) => {
                            if effort.is_some() {
                                // The budget says the same thing more exactly.
                                lacks.omission(Field::Effort);
                            }
                            tokens.clamp(LEAST_BUDGET, max_tokens - 1)
                        }
                        _ => budget(effort).min(max_tokens / 2).max(LEAST_BUDGET),
                    };
                    (Some(Thinking::Enabled { budget_tokens, display: is_hidden.then_some("omitted") }), None)
                }
                (Mode::Adaptive, thinking) => {
                    let display = if is_hidden { "omitted" } else { "summarized" };
                    let effort = match thinking {
                        Some(Budget(tokens)) => effort.or(Some(effort_of(tokens))),
                        _ => effort,
                    };
                    (Some(Thinking::Adaptive { display }), effort.map(|effort| level(effort, family)))
                }
            }
        }
    }
}

fn without_thinking(
    effort: Option<Effort>,
    family: Family,
    field: Field<'static>,
    lacks: &mut Lacks,
) -> (Option<Thinking>, Option<&'static str>) {
    let thinking = match family.off {
        Off::Disabled => Some(Thinking::Disabled),
        Off::BetweenTools => Some(Thinking::BetweenTools),
        Off::Never => {
            lacks.parameter(field);
            None
        }
    };
    let effort = match family.mode {
        Mode::Budget => {
            if effort.is_some() {
                lacks.omission(Field::Effort);
            }
            None
        }
        // More effort than `high` can't be had without thinking.
        Mode::Adaptive if thinking == Some(Thinking::Disabled) => {
            effort.map(|effort| effort.min(Effort::High))
        }
        Mode::Adaptive => effort,
    };
    (thinking, effort.map(|effort| level(effort, family)))
}

/// The budget that stands for an effort, in tokens. Google's figures, for its own OpenAI-compatible endpoint: Anthropic has
/// none. Claude's own effort is high where nothing is said.
fn budget(effort: Option<Effort>) -> u64 {
    match effort.unwrap_or(Effort::High) {
        Effort::None | Effort::Minimal | Effort::Low => LEAST_BUDGET,
        Effort::Medium => 8_192,
        Effort::High | Effort::XHigh | Effort::Max => 24_576,
    }
}

/// The effort that stands for a budget: the same figures, read the other way.
fn effort_of(budget: u64) -> Effort {
    match budget {
        _ if budget <= LEAST_BUDGET => Effort::Low,
        _ if budget <= 8_192 => Effort::Medium,
        _ => Effort::High,
    }
}

fn level(effort: Effort, family: Family) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::XHigh if family.extra_high => "xhigh",
        Effort::High | Effort::XHigh => "high",
        Effort::Max => "max",
    }
}

/// Whether the assistant's last turn called tools and holds no thinking of Claude's: with thinking by budget, Anthropic
/// refuses to go on with such a turn.
fn continues_without_thinking(request: &Request<'_>) -> bool {
    let last = request.messages.iter().rev().find(|message| message.role == Role::Assistant);
    let of_claude = |signature: &Option<Signature<'_>>| {
        signature.as_ref().is_some_and(|signature| signature.maker == Maker::Anthropic)
    };
    let is_signed = |part: &Part<'_>| {
        matches!(part, Part::Reasoning(Reasoning { signature, hidden, .. })
            if of_claude(signature) || of_claude(hidden))
    };
    last.is_some_and(|turn| {
        turn.parts.iter().any(|part| matches!(part, Part::ToolCall(_))) && !turn.parts.iter().any(is_signed)
    })
}

/// How tokens are drawn.
pub(in crate::dialect) struct Sampling {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
}

/// The temperature, the nucleus and the number of candidates, where they ask for anything and can be had.
pub(in crate::dialect) fn write_sampling(
    request: &Request<'_>,
    family: Family,
    thinking: Option<&Thinking>,
    lacks: &mut Lacks,
) -> Sampling {
    let thinks = matches!(thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. }));
    let samples = family.samples && !thinks;
    // 1 is what happens without it.
    let asks = |value: &f64| *value != 1.0;
    let mut take = |value: Option<f64>, is_possible: bool, range: Range, name| {
        let asked = value.filter(asks)?;
        if !is_possible {
            lacks.parameter(name);
            return None;
        }
        range.fit(Some(asked), name, lacks).filter(asks)
    };
    let temperature = take(request.temperature, samples, ANTHROPIC.temperature, Field::Temperature);
    // Anthropic takes one of the two.
    let top_p = take(request.top_p, samples && temperature.is_none(), ANTHROPIC.top_p, Field::TopP);
    if request.top_k.is_some() && !samples {
        lacks.parameter(Field::TopK);
    }
    Sampling { temperature, top_p, top_k: request.top_k.filter(|_| samples) }
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
