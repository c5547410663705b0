//! Writes a Converse request, and the counting of its tokens.

use std::borrow::Cow;

use serde::Serialize;

use crate::conversation::{Effort, Field, Format, JsonSchema, Request, Thinking as Wish};
use crate::dialect::anthropic::{self, Mode, Thinking};
use crate::dialect::ranges::BEDROCK;
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;

use super::encoded;
use super::messages::{Block, Marks, Messages, Turn, write_messages};
use super::model::{Model, name, without_area};
use super::tools::{NativeChoice, ToolConfig, write_tools};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'r> {
    #[serde(flatten)]
    said: Said<'r>,
    #[serde(skip_serializing_if = "InferenceConfig::is_empty")]
    inference_config: InferenceConfig<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_response_field_paths: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    request_metadata: Metadata<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<ServiceTier>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'r>,
}

/// What has tokens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'r> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'r>>,
    messages: Vec<Turn<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'r>>,
    #[serde(skip_serializing_if = "Additional::is_empty")]
    additional_model_request_fields: Additional<'r>,
}

#[derive(Serialize)]
struct CountBody<'r> {
    input: CountInput<'r>,
}

#[derive(Serialize)]
struct CountInput<'r> {
    converse: Said<'r>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'r str>,
}

/// What a family of models takes besides, in its own words.
#[derive(Serialize, Default)]
struct Additional<'r> {
    /// Claude's.
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    /// Claude's.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<NativeChoice<'r>>,
    /// Claude's.
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    /// Nova's.
    #[serde(rename = "inferenceConfig", skip_serializing_if = "Option::is_none")]
    nova_inference: Option<NovaInference>,
    /// Nova's.
    #[serde(rename = "reasoningConfig", skip_serializing_if = "Option::is_none")]
    nova_reasoning: Option<NovaReasoning>,
    /// That of OpenAI's models with open weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    /// That of OpenAI's other models.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<OpenAiReasoning>,
}

#[derive(Serialize)]
struct OpenAiReasoning {
    effort: Effort,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NovaInference {
    top_k: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NovaReasoning {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_reasoning_effort: Option<&'static str>,
}

/// Words by which an operator can find requests in the logs of invocations.
#[derive(Serialize, Default)]
struct Metadata<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'r str>,
}

#[derive(Serialize)]
struct ServiceTier {
    r#type: &'static str,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct OutputConfig<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<TextFormat<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
}

#[derive(Serialize)]
struct TextFormat<'r> {
    r#type: &'static str,
    structure: Structure<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Structure<'r> {
    json_schema: SchemaDefinition<'r>,
}

#[derive(Serialize)]
struct SchemaDefinition<'r> {
    /// JSON in a string.
    schema: Cow<'r, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
}

impl InferenceConfig<'_> {
    fn is_empty(&self) -> bool {
        self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop_sequences.is_empty()
    }
}

impl Additional<'_> {
    fn is_empty(&self) -> bool {
        self.thinking.is_none()
            && self.tool_choice.is_none()
            && self.top_k.is_none()
            && self.nova_inference.is_none()
            && self.nova_reasoning.is_none()
            && self.reasoning_effort.is_none()
            && self.reasoning.is_none()
    }
}

impl Metadata<'_> {
    fn is_empty(&self) -> bool {
        self.user.is_none() && self.safety_identifier.is_none()
    }
}

impl OutputConfig<'_> {
    fn is_empty(&self) -> bool {
        self.text_format.is_none() && self.effort.is_none()
    }
}

/// Writes the request for an answer. What Bedrock or the model has nothing for is left out and noted in `lacks`; a
/// failure means that the conversation contradicts itself.
pub(super) fn encode_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let model = Model::of(wanted.model);
    let (mut said, thinking) = write_said(request, wanted, model, lacks)?;
    note_what_no_model_has(request, lacks);
    let mut inference_config = InferenceConfig {
        max_tokens: max_tokens(request, wanted, model, &thinking),
        stop_sequences: write_stops(request, lacks),
        ..InferenceConfig::default()
    };
    write_sampling(request, model, &mut said.additional_model_request_fields, &mut inference_config, lacks);
    let body = Body {
        // Which of the texts ended the answer is not told unasked.
        additional_model_response_field_paths: (matches!(model, Model::Claude(_))
            && !inference_config.stop_sequences.is_empty())
        .then_some(["/stop_sequence"]),
        said,
        inference_config,
        request_metadata: write_metadata(request, lacks),
        service_tier: write_service_tier(request, lacks),
        output_config: OutputConfig {
            text_format: write_format(&request.format, lacks),
            effort: thinking.effort,
        },
    };
    let operation = if request.stream { "converse-stream" } else { "converse" };
    encoded(wanted.model, operation, &body)
}

/// Writes the request for the number of tokens; what only shapes an answer is left out.
pub(super) fn encode_count(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let (said, _) = write_said(request, wanted, Model::of(wanted.model), lacks)?;
    // Counting knows models only, no inference profiles.
    let model = match name(wanted.model) == wanted.model {
        true => without_area(wanted.model),
        false => wanted.model,
    };
    encoded(model, "count-tokens", &CountBody { input: CountInput { converse: said } })
}

/// How to think, as far as it is not said among the additional fields.
struct Effortful {
    effort: Option<&'static str>,
    /// Whether tokens are set apart for thinking.
    is_budgeted: bool,
}

fn write_said<'r>(
    request: &'r Request<'_>,
    wanted: Wanted<'_>,
    model: Model,
    lacks: &mut Lacks,
) -> Result<(Said<'r>, Effortful), Failure> {
    lacks.others(&request.others);
    let mut marks = Marks::of(model);
    let Messages { system, turns: messages } = write_messages(request, model, &mut marks, lacks)?;
    let (tool_config, tool_choice) = write_tools(request, model, &mut marks, lacks);
    let mut additional = Additional { tool_choice, ..Additional::default() };
    let thinking = write_thinking(request, wanted, model, &mut additional, lacks);
    let said = Said { system, messages, tool_config, additional_model_request_fields: additional };
    Ok((said, thinking))
}

fn max_tokens(request: &Request<'_>, wanted: Wanted<'_>, model: Model, thinking: &Effortful) -> Option<u64> {
    let told = request.max_tokens.or(wanted.default_max_tokens.map(u64::from));
    match model {
        // A budget has to fit into the limit, so there has to be one.
        Model::Claude(_) if thinking.is_budgeted => told.or(Some(anthropic::DEFAULT_MAX_TOKENS)),
        _ => told,
    }
}

/// How much to think, in the words of the family.
fn write_thinking(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    model: Model,
    additional: &mut Additional<'_>,
    lacks: &mut Lacks,
) -> Effortful {
    let mut effortful = Effortful { effort: None, is_budgeted: false };
    let is_off = match request.thinking {
        Some(thinking) => matches!(thinking, Wish::Off | Wish::Budget(0)),
        None => request.effort == Some(Effort::None),
    };
    match model {
        Model::Claude(family) => {
            let limit = request.max_tokens.or(wanted.default_max_tokens.map(u64::from));
            let limit = limit.unwrap_or(anthropic::DEFAULT_MAX_TOKENS);
            let (thinking, effort) = anthropic::write_thinking(request, family, limit, lacks);
            effortful.is_budgeted = thinking.is_some() && family.mode == Mode::Budget;
            additional.thinking = thinking;
            effortful.effort = effort;
        }
        Model::Nova { thinks: true } if is_off => {
            additional.nova_reasoning =
                Some(NovaReasoning { r#type: "disabled", max_reasoning_effort: None });
        }
        Model::Nova { thinks: true } => {
            additional.nova_reasoning = level(request, lacks)
                .map(|level| NovaReasoning { r#type: "enabled", max_reasoning_effort: Some(level) });
        }
        // It doesn't think anyway.
        Model::Nova { thinks: false } if is_off => {}
        Model::OpenAi { is_open: true } if !is_off => additional.reasoning_effort = level(request, lacks),
        Model::OpenAi { is_open: false } if request.thinking.is_none() => {
            // There is nothing above `xhigh`.
            additional.reasoning =
                request.effort.map(|effort| OpenAiReasoning { effort: effort.min(Effort::XHigh) });
        }
        Model::Opaque if !is_off && request.thinking.is_none() => {
            effortful.effort = request.effort.map(word);
        }
        Model::Nova { .. } | Model::OpenAi { .. } | Model::Other | Model::Opaque => {
            if request.thinking.is_some() {
                lacks.parameter(Field::Thinking);
            }
            if request.effort.is_some() {
                lacks.parameter(Field::Effort);
            }
        }
    }
    effortful
}

/// The nearest of three levels that a request for thinking means.
fn level(request: &Request<'_>, lacks: &mut Lacks) -> Option<&'static str> {
    let effort = match (request.effort.filter(|effort| *effort != Effort::None), request.thinking) {
        (Some(effort), _) => effort,
        (None, Some(Wish::Budget(..=1_024))) => Effort::Low,
        (None, Some(Wish::Budget(..=8_192))) => Effort::Medium,
        (None, Some(Wish::Budget(_))) => Effort::High,
        (None, Some(Wish::Adaptive)) => {
            lacks.parameter(Field::Thinking);
            return None;
        }
        (None, Some(Wish::Off) | None) => return None,
    };
    Some(match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh | Effort::Max => "high",
    })
}

fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
    }
}

fn write_stops<'r>(request: &'r Request<'_>, lacks: &mut Lacks) -> Vec<&'r str> {
    let mut stops: Vec<_> = request.stop.iter().map(|stop| &**stop).filter(|stop| !stop.is_empty()).collect();
    stops.truncate(BEDROCK.stop.fit_length(stops.len(), Field::Stop, lacks));
    stops
}

/// How tokens are drawn, where it can be told.
fn write_sampling(
    request: &Request<'_>,
    model: Model,
    additional: &mut Additional<'_>,
    config: &mut InferenceConfig<'_>,
    lacks: &mut Lacks,
) {
    if let Model::Claude(family) = model {
        let sampling = anthropic::write_sampling(request, family, additional.thinking.as_ref(), lacks);
        config.temperature = sampling.temperature;
        config.top_p = sampling.top_p;
        additional.top_k = sampling.top_k;
        return;
    }
    config.temperature = BEDROCK.temperature.fit(request.temperature, Field::Temperature, lacks);
    config.top_p = BEDROCK.top_p.fit(request.top_p, Field::TopP, lacks);
    match (model, request.top_k) {
        (_, None) => {}
        (Model::Nova { .. }, Some(top_k)) => additional.nova_inference = Some(NovaInference { top_k }),
        (_, Some(_)) => lacks.parameter(Field::TopK),
    }
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

fn write_format<'r>(format: &'r Format<'_>, lacks: &mut Lacks) -> Option<TextFormat<'r>> {
    match format {
        Format::Text => None,
        Format::Json => {
            // There is no form for "any object".
            lacks.parameter(Field::Format);
            None
        }
        Format::Schema(JsonSchema { name, description, schema, .. }) => {
            let Some(schema) = schema else {
                lacks.parameter(Field::FormatSchema);
                return None;
            };
            let json_schema = SchemaDefinition {
                schema: schema.text(),
                name,
                description: description.as_deref().filter(|text| !text.is_empty()),
            };
            Some(TextFormat { r#type: "json_schema", structure: Structure { json_schema } })
        }
    }
}

/// Who the end user is. Where it has characters that Bedrock refuses it is left out: clients that always send such ids
/// could not be served at all.
fn write_metadata<'r>(request: &'r Request<'_>, lacks: &mut Lacks) -> Metadata<'r> {
    let mut write = |value: &'r Option<_>, field| {
        let value: Option<&'r str> = value.as_ref().map(|value: &crate::json::Text<'_>| &**value);
        let value = value.filter(|value| !value.is_empty())?;
        if !is_metadata(value) {
            lacks.omission(field);
            return None;
        }
        Some(value)
    };
    Metadata {
        user: write(&request.user, Field::User),
        safety_identifier: write(&request.safety_identifier, Field::SafetyIdentifier),
    }
}

fn is_metadata(value: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || " \t\n\r:_@$#=/+,-.".contains(c);
    value.len() <= 256 && value.chars().all(is_known)
}

fn write_service_tier(request: &Request<'_>, lacks: &mut Lacks) -> Option<ServiceTier> {
    let r#type = match request.service_tier.as_deref() {
        None | Some("" | "auto") => return None,
        Some("default") => "default",
        Some("flex") => "flex",
        Some("priority" | "fast") => "priority",
        Some(_) => {
            lacks.parameter(Field::ServiceTier);
            return None;
        }
    };
    Some(ServiceTier { r#type })
}
