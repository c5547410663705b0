//! Writes a request for chat completions.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::messages::{ChatMessage, Shape, write_messages};
use super::model::Family;
use super::{is_openai, is_openai_made};
use crate::conversation::{Effort, Field, Format, JsonSchema, Request, Thinking, Tool, ToolChoice};
use crate::dialect::presets::Quirks;
use crate::dialect::ranges::{Range, Ranges};
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{Raw, Text, object};

/// A body, whose fields are written under the vendor's own names.
struct Body<'r> {
    quirks: Quirks,
    request: &'r Request<'r>,
    model: &'r str,
    messages: Vec<ChatMessage<'r>>,
    tools: Vec<ToolDefinition<'r>>,
    tool_choice: Option<Choice<'r>>,
    parallel_tool_calls: Option<bool>,
    max_tokens: Option<u64>,
    numbers: Numbers<'r>,
    effort: Option<Effort>,
    thinking: Option<Switch>,
}

/// What has a range, and is sent.
struct Numbers<'r> {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    stop: &'r [Text<'r>],
    choices: Option<u64>,
    top_logprobs: Option<u64>,
}

#[derive(Serialize)]
struct ToolDefinition<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Function<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<Custom<'r>>,
}

#[derive(Serialize)]
struct Function<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Parameters<'r> {
    Given(Raw<'r>),
    /// Those of a function that stands for a custom tool.
    Input(InputSchema),
}

#[derive(Serialize)]
struct InputSchema {
    r#type: &'static str,
    properties: InputProperties,
    required: [&'static str; 1],
    #[serde(rename = "additionalProperties")]
    additional_properties: bool,
}

#[derive(Serialize)]
struct InputProperties {
    input: InputType,
}

#[derive(Serialize)]
struct InputType {
    r#type: &'static str,
}

#[derive(Serialize)]
struct Custom<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<CustomFormat<'r>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum CustomFormat<'r> {
    /// As chat completions have it.
    Given(Raw<'r>),
    /// As the Responses API has it: its two fields stand one level deeper here.
    Grammar { r#type: &'static str, grammar: Grammar<'r> },
}

#[derive(Serialize)]
struct Grammar<'r> {
    definition: Text<'r>,
    syntax: Text<'r>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'r> {
    Word(&'static str),
    One(Chosen<'r>),
    Among { r#type: &'static str, allowed_tools: AllowedTools<'r> },
}

#[derive(Serialize)]
struct AllowedTools<'r> {
    mode: &'static str,
    tools: Vec<Chosen<'r>>,
}

#[derive(Serialize)]
struct Chosen<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Name<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<Name<'r>>,
}

#[derive(Serialize)]
struct Name<'r> {
    name: &'r str,
}

#[derive(Serialize)]
struct ResponseFormat<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<Schema<'r>>,
}

#[derive(Serialize)]
struct Schema<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Raw<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// Whether to think, where that is a field of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Switch {
    r#type: &'static str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// Writes the body of a request. What the provider has nothing for is left out and noted in `lacks`; a failure means
/// that the conversation contradicts itself.
pub(super) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let quirks = Quirks::of(wanted.provider);
    let family = family(wanted);
    lacks.others(&request.others);
    let shape = Shape {
        quirks,
        openai: is_openai_made(wanted.provider),
        custom_tools: family.custom_tools,
        breakpoints: family.breakpoints,
    };
    let messages = write_messages(request, shape, lacks)?;
    note_lacks(request, quirks, lacks);
    let (effort, thinking) = write_thinking(request, family, quirks, lacks);
    let tools = write_tools(request, shape, lacks);
    let body = Body {
        quirks,
        request,
        model: wanted.model,
        messages,
        tool_choice: write_choice(request, shape),
        parallel_tool_calls: request.parallel_tool_calls.filter(|_| !tools.is_empty()),
        tools,
        max_tokens: request.max_tokens.or(wanted.default_max_tokens.map(u64::from)),
        numbers: write_numbers(request, wanted, write_temperature(request, family, shape, lacks), lacks),
        effort,
        thinking,
    };
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: "/chat/completions".to_owned(), body, headers: &[] })
}

/// What is known of the model: names tell it of OpenAI's own only.
pub(super) fn family(wanted: Wanted<'_>) -> Family {
    let provider = wanted.provider;
    let family = Family::of(wanted.model);
    match provider.preset.is_none() && (is_openai(provider) || family.reasons.is_some()) {
        true => family,
        false => Family::foreign(),
    }
}

/// Notes what is asked for and not there.
fn note_lacks(request: &Request<'_>, quirks: Quirks, lacks: &mut Lacks) {
    let is_penalty = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let is_word = |word: &Option<Text<'_>>, nothing: &str| {
        word.as_deref().is_some_and(|word| !word.is_empty() && word != nothing)
    };
    if request.top_k.is_some() && !quirks.takes("top_k") {
        lacks.parameter(Field::TopK);
    }
    for (is_asked, name, field) in [
        (request.temperature.is_some(), "temperature", Field::Temperature),
        (request.top_p.is_some(), "top_p", Field::TopP),
        (is_penalty(request.presence_penalty), "presence_penalty", Field::PresencePenalty),
        (is_penalty(request.frequency_penalty), "frequency_penalty", Field::FrequencyPenalty),
        (request.seed.is_some(), "seed", Field::Seed),
        (!request.stop.is_empty(), "stop", Field::Stop),
        (request.choices.is_some_and(|choices| choices != 1), "n", Field::Choices),
        (request.logprobs, "logprobs", Field::Logprobs),
        (request.top_logprobs.is_some_and(|count| count != 0), "top_logprobs", Field::TopLogprobs),
        (is_word(&request.verbosity, "medium"), "verbosity", Field::Verbosity),
        (is_word(&request.user, ""), "user", Field::User),
        (is_word(&request.safety_identifier, ""), "safety_identifier", Field::SafetyIdentifier),
        (is_word(&request.service_tier, "auto"), "service_tier", Field::ServiceTier),
        (!matches!(request.format, Format::Text), "response_format", Field::Format),
        (request.parallel_tool_calls == Some(false), "parallel_tool_calls", Field::ParallelToolCalls),
    ] {
        if is_asked && quirks.lacks(name) {
            lacks.parameter(field);
        }
    }
    if format_kind(&request.format).is_some_and(|kind| quirks.lacks(kind)) {
        lacks.parameter(Field::Format);
    }
    let is_forced = !matches!(request.tool_choice, None | Some(ToolChoice::Auto));
    if is_forced && quirks.lacks("tool_choice") {
        lacks.parameter(Field::ToolChoice);
    }
}

/// 1 is what happens without it at OpenAI; elsewhere each model may have another default.
fn write_temperature(request: &Request<'_>, family: Family, shape: Shape, lacks: &mut Lacks) -> Option<f64> {
    let asked = request.temperature.filter(|value| *value != 1.0 || !shape.openai)?;
    if !family.samples {
        lacks.parameter(Field::Temperature);
        return None;
    }
    Some(asked)
}

/// The numbers for which the vendor has a field, each within its range.
fn write_numbers<'r>(
    request: &'r Request<'_>,
    wanted: Wanted<'_>,
    temperature: Option<f64>,
    lacks: &mut Lacks,
) -> Numbers<'r> {
    let quirks = Quirks::of(wanted.provider);
    let ranges = Ranges::of_openai(wanted.provider, is_openai_made(wanted.provider));
    let has = |name| quirks.word(name).is_some();
    let mut fit =
        |value: Option<f64>, range: Range, name, field| range.fit(value.filter(|_| has(name)), field, lacks);
    let temperature = fit(temperature, ranges.temperature, "temperature", Field::Temperature);
    let top_p = fit(request.top_p, ranges.top_p, "top_p", Field::TopP);
    let presence_penalty =
        fit(request.presence_penalty, ranges.penalties, "presence_penalty", Field::PresencePenalty);
    let frequency_penalty =
        fit(request.frequency_penalty, ranges.penalties, "frequency_penalty", Field::FrequencyPenalty);
    let top_k = request.top_k.filter(|_| quirks.takes("top_k"));
    let choices = request.choices.filter(|_| has("n")).map(u64::from);
    let top_logprobs = request.top_logprobs.filter(|_| has("top_logprobs")).map(u64::from);
    let stop = if has("stop") { &request.stop[..] } else { &[] };
    let kept = ranges.stop.fit_length(stop.len(), Field::Stop, lacks);
    Numbers {
        temperature,
        top_p,
        top_k: ranges.top_k.fit_whole(top_k, Field::TopK, lacks),
        presence_penalty,
        frequency_penalty,
        stop: stop.get(..kept).unwrap_or(stop),
        choices: ranges.choices.fit_whole(choices, Field::Choices, lacks),
        top_logprobs: ranges.top_logprobs.fit_whole(top_logprobs, Field::TopLogprobs, lacks),
    }
}

/// How much to think, and whether.
fn write_thinking(
    request: &Request<'_>,
    family: Family,
    quirks: Quirks,
    lacks: &mut Lacks,
) -> (Option<Effort>, Option<Switch>) {
    let is_off = request.thinking == Some(Thinking::Off) || request.effort == Some(Effort::None);
    if quirks.takes("thinking") {
        let switch = match (is_off, request.thinking) {
            (true, _) => Some(Switch { r#type: "disabled" }),
            (false, Some(Thinking::Adaptive | Thinking::Budget(_))) => Some(Switch { r#type: "enabled" }),
            (false, _) => None,
        };
        return (request.effort.or(effort_of(request.thinking)).filter(|_| !is_off), switch);
    }
    if quirks.word("reasoning_effort").is_none() {
        match (request.effort, request.thinking) {
            (Some(effort), _) if effort != Effort::None => lacks.parameter(Field::Effort),
            (None, Some(Thinking::Budget(_))) => lacks.omission(Field::Thinking),
            _ => {}
        }
        return (None, None);
    }
    if is_off {
        return match (family.reasons, family.off, request.effort) {
            // It doesn't think anyway.
            (Some(false), ..) => (None, None),
            (Some(true), Some(off), _) => (Some(off), None),
            (Some(true), None, _) => {
                lacks.parameter(if request.effort.is_some() { Field::Effort } else { Field::Thinking });
                (None, None)
            }
            (None, _, Some(effort)) => (Some(effort), None),
            // Most models of which nothing is known do not think, and would refuse to be told not to.
            (None, _, None) => {
                lacks.omission(Field::Thinking);
                (None, None)
            }
        };
    }
    match (family.reasons, request.effort, request.thinking) {
        (Some(false), Some(_), _) => {
            lacks.parameter(Field::Effort);
            (None, None)
        }
        (_, Some(effort), _) => (Some(effort), None),
        (Some(true), None, thinking) => (effort_of(thinking), None),
        // Agents of Anthropic's dialect ask every model to think: a refusal would end each of their loops.
        (_, None, Some(Thinking::Budget(_))) => {
            lacks.omission(Field::Thinking);
            (None, None)
        }
        _ => (None, None),
    }
}

/// The effort that comes nearest to a budget: the figures by which efforts become budgets elsewhere, read backwards.
fn effort_of(thinking: Option<Thinking>) -> Option<Effort> {
    match thinking? {
        Thinking::Budget(0..=2_048) => Some(Effort::Low),
        Thinking::Budget(0..=16_384) => Some(Effort::Medium),
        Thinking::Budget(_) => Some(Effort::High),
        Thinking::Off | Thinking::Adaptive => None,
    }
}

fn write_tools<'r>(request: &'r Request<'_>, shape: Shape, lacks: &mut Lacks) -> Vec<ToolDefinition<'r>> {
    let is_allowed = |tool: &Tool<'_>| match &request.tool_choice {
        // Only OpenAI takes the list of the allowed beside that of all.
        Some(ToolChoice::Allowed { names, .. }) => shape.openai || names.contains(&tool.name),
        _ => true,
    };
    let tools = request.tools.iter().filter(|tool| is_allowed(tool));
    tools.map(|tool| write_tool(tool, shape, lacks)).collect()
}

fn write_tool<'r>(tool: &'r Tool<'_>, shape: Shape, lacks: &mut Lacks) -> ToolDefinition<'r> {
    let name = &*tool.name;
    let description = tool.description.as_deref().filter(|text| !text.is_empty());
    let Some(custom) = tool.custom else {
        let parameters = tool.parameters.map(Parameters::Given);
        let strict = tool.strict.filter(|_| shape.quirks.word("tools[].function.strict").is_some());
        if tool.strict == Some(true) && strict.is_none() && shape.quirks.lacks("tools[].function.strict") {
            lacks.parameter(Field::ToolStrict(tool.at));
        }
        let function = Some(Function { name, description, parameters, strict });
        return ToolDefinition { r#type: "function", function, custom: None };
    };
    if shape.custom_tools {
        let custom = Some(Custom { name, description, format: custom.format.map(write_custom_format) });
        return ToolDefinition { r#type: "custom", function: None, custom };
    }
    let is_plain =
        |format: Raw<'_>| format.get().contains("\"text\"") && !format.get().contains("\"grammar\"");
    if custom.format.is_some_and(|format| !is_plain(format)) {
        lacks.omission(Field::ToolFormat(tool.at));
    }
    let function =
        Some(Function { name, description, parameters: Some(Parameters::Input(INPUT)), strict: None });
    ToolDefinition { r#type: "function", function, custom: None }
}

/// What a function takes that stands for a custom tool: [`Tool::CUSTOM_INPUT`].
const INPUT: InputSchema = InputSchema {
    r#type: "object",
    properties: InputProperties { input: InputType { r#type: "string" } },
    required: [Tool::CUSTOM_INPUT],
    additional_properties: false,
};

fn write_custom_format(format: Raw<'_>) -> CustomFormat<'_> {
    object! {
        struct Flat<'a> {
            "definition" => definition: Text<'a>,
            "syntax" => syntax: Text<'a>,
            ..
        }
    }
    match format.read::<Flat<'_>>() {
        Ok(Flat { definition: Some(definition), syntax: Some(syntax) }) => {
            CustomFormat::Grammar { r#type: "grammar", grammar: Grammar { definition, syntax } }
        }
        _ => CustomFormat::Given(format),
    }
}

/// Without tools, what doesn't demand one asks for nothing; and OpenAI takes no choice among none.
fn write_choice<'r>(request: &'r Request<'_>, shape: Shape) -> Option<Choice<'r>> {
    let has_tools = !request.tools.is_empty();
    let chosen = |name: &'r str| {
        let is_custom = |tool: &Tool<'_>| *tool.name == *name && tool.custom.is_some();
        match shape.custom_tools && request.tools.iter().any(is_custom) {
            true => Chosen { r#type: "custom", function: None, custom: Some(Name { name }) },
            false => Chosen { r#type: "function", function: Some(Name { name }), custom: None },
        }
    };
    match request.tool_choice.as_ref()? {
        ToolChoice::Auto => has_tools.then_some(Choice::Word("auto")),
        ToolChoice::None => has_tools.then_some(Choice::Word("none")),
        ToolChoice::Required => Some(Choice::Word("required")),
        ToolChoice::Named(name) => Some(Choice::One(chosen(name))),
        ToolChoice::Allowed { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            if !shape.openai {
                return Some(Choice::Word(mode));
            }
            let tools = names.iter().map(|name| chosen(name)).collect();
            Some(Choice::Among { r#type: "allowed_tools", allowed_tools: AllowedTools { mode, tools } })
        }
    }
}

/// The path by which a vendor may lack a form of the answer.
fn format_kind(format: &Format<'_>) -> Option<&'static str> {
    match format {
        Format::Text => None,
        Format::Json => Some("response_format.json_object"),
        Format::Schema(_) => Some("response_format.json_schema"),
    }
}

fn write_format<'r>(format: &'r Format<'_>) -> Option<ResponseFormat<'r>> {
    match format {
        Format::Text => None,
        Format::Json => Some(ResponseFormat { r#type: "json_object", json_schema: None }),
        Format::Schema(JsonSchema { name, description, schema, strict }) => {
            let json_schema = Schema {
                // OpenAI demands a name; other dialects have none.
                name: if name.is_empty() { "answer" } else { name },
                description: description.as_deref().filter(|text| !text.is_empty()),
                schema: *schema,
                strict: *strict,
            };
            Some(ResponseFormat { r#type: "json_schema", json_schema: Some(json_schema) })
        }
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = self.request;
        let mut map = Fields { map: serializer.serialize_map(None)?, quirks: self.quirks };

        map.put("model", Some(self.model))?;
        map.put("messages", Some(&self.messages))?;
        map.put("tools", (!self.tools.is_empty()).then_some(&self.tools))?;
        map.put("tool_choice", self.tool_choice.as_ref())?;
        map.put("parallel_tool_calls", self.parallel_tool_calls)?;
        let is_lacking = format_kind(&request.format).is_some_and(|kind| self.quirks.lacks(kind));
        map.put("response_format", write_format(&request.format).filter(|_| !is_lacking))?;
        map.put("max_completion_tokens", self.max_tokens)?;
        map.put("temperature", self.numbers.temperature)?;
        map.put("top_p", self.numbers.top_p)?;
        map.put("top_k", self.numbers.top_k)?;
        map.put("presence_penalty", self.numbers.presence_penalty)?;
        map.put("frequency_penalty", self.numbers.frequency_penalty)?;
        map.put("seed", request.seed)?;
        map.put("stop", (!self.numbers.stop.is_empty()).then_some(self.numbers.stop))?;
        map.put("n", self.numbers.choices)?;
        map.put("logprobs", request.logprobs.then_some(true))?;
        map.put("top_logprobs", self.numbers.top_logprobs)?;
        map.put("reasoning_effort", self.effort)?;
        map.put("thinking", self.thinking)?;
        map.put("verbosity", said(&request.verbosity))?;
        map.put("user", said(&request.user))?;
        map.put("safety_identifier", said(&request.safety_identifier))?;
        map.put("service_tier", said(&request.service_tier))?;
        map.put("stream", request.stream.then_some(true))?;
        map.put("stream_options", request.stream.then_some(StreamOptions { include_usage: true }))?;
        map.map.end()
    }
}

/// A map whose entries get the vendor's own names.
struct Fields<M> {
    map: M,
    quirks: Quirks,
}

impl<M: SerializeMap> Fields<M> {
    fn put<T: Serialize>(&mut self, name: &'static str, value: Option<T>) -> Result<(), M::Error> {
        match (value, self.quirks.word(name)) {
            (Some(value), Some(name)) => self.map.serialize_entry(name, &value),
            _ => Ok(()),
        }
    }
}

fn said<'r>(text: &'r Option<Text<'_>>) -> Option<&'r str> {
    text.as_deref().filter(|text| !text.is_empty())
}
