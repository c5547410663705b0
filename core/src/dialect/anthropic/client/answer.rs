//! Whole answers in the form of a `message`, and what they have in common with streams.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::conversation::{Answer, Choice, Finish, Maker, Part, Tool, ToolCall};
use crate::dialect::Asked;
use crate::json::{self, Raw};
use crate::task::TokenCount;
use crate::usage::Usage;

/// A message.
#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub id: &'a str,
    pub r#type: &'static str,
    pub role: &'static str,
    pub model: &'a str,
    pub content: Vec<Block<'a>>,
    pub stop_reason: Option<&'static str>,
    pub stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_details: Option<StopDetails<'a>>,
    pub usage: WireUsage,
}

/// A content block.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text { text: &'a str },
    Thinking { thinking: &'a str, signature: Cow<'a, str> },
    RedactedThinking { data: Cow<'a, str> },
    ToolUse { id: &'a str, name: &'a str, input: Input<'a> },
}

/// A call's arguments: always an object.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Input<'a> {
    Given(Raw<'a>),
    Nothing {},
    Custom(CustomInput<'a>),
    /// What the model wrote is no JSON object: it goes under the name that Anthropic's own documents give to such input.
    Invalid {
        #[serde(rename = "INVALID_JSON")]
        invalid: &'a str,
    },
}

/// The free text of a custom tool, as the argument of a function.
pub(super) struct CustomInput<'a>(pub &'a str);

impl Serialize for CustomInput<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(Tool::CUSTOM_INPUT, self.0)])
    }
}

/// What is said about a refusal.
#[derive(Serialize)]
pub(super) struct StopDetails<'a> {
    r#type: &'static str,
    /// Anthropic's own word for its reason; no other vendor tells one of them.
    category: Option<()>,
    explanation: Option<Cow<'a, str>>,
}

/// Anthropic counts what the cache has to do with apart from the rest of the input.
#[derive(Serialize)]
pub(super) struct WireUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<CacheCreation>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Serialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Serialize)]
struct OutputDetails {
    thinking_tokens: u64,
}

/// Writes a whole answer.
pub(crate) fn encode_answer(answer: &Answer<'_>, asked: &Asked) -> Vec<u8> {
    // The dialect has one answer only, and its clients can't ask for more.
    let choice = answer.choices.iter().min_by_key(|choice| choice.index);
    let refusal = choice.and_then(refusal);
    let calls =
        choice.is_some_and(|choice| choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_))));
    let stop = choice.and_then(|choice| choice.stop.as_deref());
    let finish = choice.map(|choice| choice.finish);
    let stop_reason = finish.map(|finish| stop_reason(finish, stop.is_some(), calls, refusal.is_some()));
    let message = Message {
        id: answer.id.as_deref().unwrap_or_default(),
        r#type: "message",
        role: "assistant",
        model: answer.model.as_deref().unwrap_or(&asked.model),
        content: choice.map(|choice| blocks(&choice.parts)).unwrap_or_default(),
        stop_reason,
        stop_sequence: stop.filter(|_| stop_reason == Some(STOP_SEQUENCE)),
        stop_details: stop_details(stop_reason, refusal),
        usage: WireUsage::whole(answer.usage.unwrap_or_default()),
    };
    // Text, numbers and JSON that has been read always serialise.
    serde_json::to_vec(&message).unwrap_or_default()
}

/// Writes the number of tokens.
pub(crate) fn encode_count(count: TokenCount) -> Vec<u8> {
    #[derive(Serialize)]
    struct Count {
        input_tokens: u64,
    }
    serde_json::to_vec(&Count { input_tokens: count.input }).unwrap_or_default()
}

pub(super) const STOP_SEQUENCE: &str = "stop_sequence";

const REFUSAL: &str = "refusal";

/// Why an answer ended, in the dialect's words. An answer that calls tools or that declines says so, whatever the vendor
/// calls its end.
pub(super) fn stop_reason(finish: Finish, at_stop: bool, calls: bool, refuses: bool) -> &'static str {
    match finish {
        Finish::ContentFilter => REFUSAL,
        Finish::Length => "max_tokens",
        _ if refuses => REFUSAL,
        Finish::ToolCalls => "tool_use",
        Finish::Stop if calls => "tool_use",
        Finish::Stop if at_stop => STOP_SEQUENCE,
        Finish::Stop => "end_turn",
    }
}

/// The words of a refusal: they stand in no block.
pub(super) fn stop_details<'a>(
    stop_reason: Option<&str>,
    explanation: Option<Cow<'a, str>>,
) -> Option<StopDetails<'a>> {
    (stop_reason == Some(REFUSAL) || explanation.is_some()).then_some(StopDetails {
        r#type: REFUSAL,
        category: None,
        explanation,
    })
}

fn refusal<'a>(choice: &'a Choice<'_>) -> Option<Cow<'a, str>> {
    let texts = choice.parts.iter().filter_map(|part| match part {
        Part::Refusal(text) if !text.is_empty() => Some(&**text),
        _ => None,
    });
    texts.fold(None, |joined: Option<Cow<'a, str>>, text| match joined {
        None => Some(Cow::Borrowed(text)),
        Some(joined) => Some(Cow::Owned(joined.into_owned() + text)),
    })
}

fn blocks<'a>(parts: &'a [Part<'_>]) -> Vec<Block<'a>> {
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Text(text) if !text.is_empty() => blocks.push(Block::Text { text }),
            Part::Reasoning(reasoning) => {
                let signature =
                    reasoning.signature.as_ref().map(|signature| signature.write(Maker::Anthropic));
                if !reasoning.text.is_empty() || signature.is_some() {
                    let signature = signature.unwrap_or_default();
                    blocks.push(Block::Thinking { thinking: &reasoning.text, signature });
                }
                let hidden = reasoning.hidden.as_ref();
                blocks.extend(
                    hidden.map(|hidden| Block::RedactedThinking { data: hidden.write(Maker::Anthropic) }),
                );
            }
            Part::ToolCall(call) => {
                blocks.extend(call_signature(call));
                blocks.push(Block::ToolUse { id: &call.id, name: &call.name, input: input(call) });
            }
            // Refusals have a place of their own; neither a model's answer nor this dialect's message has the others.
            Part::Text(_) | Part::Refusal(_) | Part::Media(_) | Part::ToolResult(_) | Part::CacheMark(_) => {}
        }
    }
    blocks
}

/// The signature of a tool call stands before it, as thinking without a text: clients give back thinking as it came.
pub(super) fn call_signature<'a>(call: &'a ToolCall<'_>) -> Option<Block<'a>> {
    let signature = call.signature.as_ref()?.write(Maker::Anthropic);
    Some(Block::Thinking { thinking: "", signature })
}

fn input<'a>(call: &'a ToolCall<'_>) -> Input<'a> {
    let arguments: &'a str = &call.arguments;
    match arguments.trim_ascii() {
        _ if call.custom => Input::Custom(CustomInput(arguments)),
        "" => Input::Nothing {},
        _ => match json::read::<Raw<'a>>(arguments.as_bytes()) {
            Ok(raw) if raw.get().starts_with('{') => Input::Given(raw),
            _ => Input::Invalid { invalid: arguments },
        },
    }
}

impl WireUsage {
    /// As a whole message has it, and the beginning of a stream.
    pub(super) fn whole(usage: Usage) -> Self {
        let kept = usage.cache_write_1h.min(usage.cache_write);
        let cache_creation = CacheCreation {
            ephemeral_5m_input_tokens: usage.cache_write - kept,
            ephemeral_1h_input_tokens: kept,
        };
        Self { cache_creation: Some(cache_creation), ..Self::from(usage) }
    }
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        let cached = usage.cached_input.saturating_add(usage.cache_write);
        Self {
            input_tokens: usage.input.saturating_sub(cached),
            cache_creation_input_tokens: usage.cache_write,
            cache_read_input_tokens: usage.cached_input,
            cache_creation: None,
            output_tokens: usage.output,
            output_tokens_details: (usage.reasoning > 0)
                .then_some(OutputDetails { thinking_tokens: usage.reasoning }),
        }
    }
}
