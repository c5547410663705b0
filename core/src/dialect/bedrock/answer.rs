//! Reads a whole answer, and what an answer and the events of a stream have in common.

use serde::Deserialize;

use crate::conversation::{Answer, Choice, Finish, Maker, Part, Place, Reasoning, Signature, ToolCall};
use crate::dialect::anthropic::compact;
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};
use crate::task::TokenCount;
use crate::usage::Usage;

use super::failure::malformed;

object! {
    struct Converse<'a> {
        "output" => output: Output<'a>,
        "stopReason" => stop_reason: Text<'a>,
        "usage" => usage: Counts,
        "additionalModelResponseFields" => additional: Raw<'a>,
        ..
    }
}

object! {
    struct Output<'a> {
        "message" => message: Message<'a>,
        ..
    }
}

object! {
    struct Message<'a> {
        "content" => content: Vec<Block<'a>>,
        ..
    }
}

object! {
    /// A content block: one of its fields is there.
    struct Block<'a> {
        "text" => text: Text<'a>,
        "reasoningContent" => reasoning: ReasoningContent<'a>,
        "toolUse" => tool_use: ToolUse<'a>,
        "citationsContent" => cited: CitationsContent<'a>,
        ..
    }
}

object! {
    struct ReasoningContent<'a> {
        "reasoningText" => shown: ReasoningText<'a>,
        "redactedContent" => redacted: Text<'a>,
        ..
    }
}

object! {
    struct ReasoningText<'a> {
        "text" => text: Text<'a>,
        "signature" => signature: Text<'a>,
        ..
    }
}

object! {
    /// A call, whole or as a stream begins with it.
    pub(super) struct ToolUse<'a> {
        "toolUseId" => id: Text<'a>,
        "name" => name: Text<'a>,
        "input" => input: Raw<'a>,
        "type" => kind: Text<'a>,
        ..
    }
}

object! {
    struct CitationsContent<'a> {
        "content" => content: Vec<CitedText<'a>>,
        ..
    }
}

object! {
    struct CitedText<'a> {
        "text" => text: Text<'a>,
        ..
    }
}

object! {
    struct StopField<'a> {
        "stop_sequence" => stop: Text<'a>,
        ..
    }
}

/// Counts of tokens. What the cache has to do with is counted apart from the rest of the input.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<CacheDetail>>,
}

/// How many of the written tokens are kept how long.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetail {
    ttl: Option<String>,
    input_tokens: Option<u64>,
}

impl Counts {
    pub fn to_usage(&self) -> Usage {
        let cached_input = self.cache_read_input_tokens.unwrap_or(0);
        let cache_write = self.cache_write_input_tokens.unwrap_or(0);
        let hour = self.cache_details.iter().flatten().filter(|detail| detail.ttl.as_deref() == Some("1h"));
        let hour = hour.fold(0, |sum: u64, detail| sum.saturating_add(detail.input_tokens.unwrap_or(0)));
        Usage {
            input: self.input_tokens.unwrap_or(0).saturating_add(cached_input).saturating_add(cache_write),
            cached_input,
            cache_write,
            cache_write_1h: hour.min(cache_write),
            output: self.output_tokens.unwrap_or(0),
            ..Usage::default()
        }
    }
}

impl<'a> ToolUse<'a> {
    /// Whether Bedrock runs the tool itself, so that nobody is asked to.
    pub fn is_the_vendors(&self) -> bool {
        self.kind.as_deref() == Some("server_tool_use")
    }

    /// The call, with what is there of its arguments.
    pub fn into_call(self) -> Result<ToolCall<'a>, Failure> {
        Ok(ToolCall {
            id: self.id.ok_or_else(malformed)?,
            name: self.name.ok_or_else(malformed)?,
            arguments: self.input.map_or_else(Text::default, compact),
            custom: false,
            signature: None,
            at: Place::default(),
        })
    }
}

/// Reads a whole answer. `maker`: whose signatures its model gives.
pub(super) fn decode_answer(body: &[u8], maker: Maker) -> Result<Answer<'_>, Failure> {
    let answer: Converse<'_> = json::read(body).map_err(|_| malformed())?;
    let message = answer.output.and_then(|output| output.message).ok_or_else(malformed)?;
    let mut parts = Vec::new();
    for block in message.content.unwrap_or_default() {
        read_block(block, maker, &mut parts)?;
    }
    let stop_reason = answer.stop_reason.as_deref();
    let finish = finish(stop_reason)?;
    let stop = answer.additional.and_then(stop_text);
    Ok(Answer {
        id: None,
        model: None,
        choices: vec![Choice { index: 0, parts, finish, stop, logprobs: None }],
        usage: answer.usage.map(|counts| counts.to_usage()),
    })
}

/// Reads how many tokens a request has.
pub(super) fn decode_count(body: &[u8]) -> Result<TokenCount, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Count {
        input_tokens: u64,
    }
    let count: Count = json::read(body).map_err(|_| malformed())?;
    Ok(TokenCount { input: count.input_tokens, cached_input: 0 })
}

/// The parts that a block is; none for kinds that the conversation has no word for: what the vendor's own tools do.
fn read_block<'a>(block: Block<'a>, maker: Maker, parts: &mut Vec<Part<'a>>) -> Result<(), Failure> {
    let is_there = |text: &Text<'_>| !text.is_empty();
    parts.extend(block.text.filter(is_there).map(Part::Text));
    if let Some(cited) = block.cited {
        let texts = cited.content.into_iter().flatten().filter_map(|content| content.text);
        parts.extend(texts.filter(is_there).map(Part::Text));
    }
    if let Some(reasoning) = block.reasoning {
        let shown = reasoning.shown.map(|shown| (shown.text.unwrap_or_default(), shown.signature));
        let (text, signed) = shown.unwrap_or_default();
        let signature = |value| Signature { maker, value };
        let reasoning = Reasoning {
            text,
            signature: signed.filter(is_there).map(signature),
            hidden: reasoning.redacted.filter(is_there).map(signature),
            id: None,
        };
        if !reasoning.text.is_empty() || reasoning.signature.is_some() || reasoning.hidden.is_some() {
            parts.push(Part::Reasoning(reasoning));
        }
    }
    if let Some(tool_use) = block.tool_use.filter(|tool_use| !tool_use.is_the_vendors()) {
        let mut call = tool_use.into_call()?;
        if call.arguments.is_empty() {
            call.arguments = Text::from("{}");
        }
        parts.push(Part::ToolCall(call));
    }
    Ok(())
}

/// Why an answer ended. Reasons that come with future versions are no failures; what the vendor itself calls malformed is.
pub(super) fn finish(stop_reason: Option<&str>) -> Result<Finish, Failure> {
    Ok(match stop_reason {
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("tool_use") => Finish::ToolCalls,
        Some("guardrail_intervened" | "content_filtered" | "refusal") => Finish::ContentFilter,
        Some("malformed_model_output") => return Err(useless("malformed_model_output")),
        Some("malformed_tool_use") => return Err(useless("malformed_tool_use")),
        // `end_turn` and `stop_sequence`.
        _ => Finish::Stop,
    })
}

fn useless(reason: &'static str) -> Failure {
    Failure::provider(502, "The model's answer was malformed.").code(reason)
}

/// The stop text that ended an answer, where it was asked for.
pub(super) fn stop_text(additional: Raw<'_>) -> Option<Text<'_>> {
    additional.read::<StopField<'_>>().ok()?.stop
}
