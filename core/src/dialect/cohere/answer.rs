//! Reads a whole chat answer, and what it has in common with the events of a stream.

use serde::Deserialize;

use crate::conversation::{
    Answer, Choice, Finish, Part, Place, Reasoning, TokenChance, TokenLogprob, ToolCall,
};
use crate::dialect::provider_failure;
use crate::failure::Failure;
use crate::json::{self, Text, TextOr, object};
use crate::usage::Usage;

use super::failure::{failed, malformed};

object! {
    struct Completion<'a> {
        "id" => id: Text<'a>,
        "finish_reason" => finish_reason: Text<'a>,
        // An error has its words here.
        "message" => message: TextOr<'a, Message<'a>>,
        "usage" => usage: Counts,
        "logprobs" => logprobs: Vec<Logprob<'a>>,
        ..
    }
}

object! {
    struct Message<'a> {
        "content" => content: Vec<Item<'a>>,
        "tool_plan" => tool_plan: Text<'a>,
        "tool_calls" => tool_calls: Vec<WireCall<'a>>,
        ..
    }
}

object! {
    /// A piece of an answer's content, or more of one.
    pub(super) struct Item<'a> {
        "text" => text: Text<'a>,
        "thinking" => thinking: Text<'a>,
        ..
    }
}

object! {
    pub(super) struct WireCall<'a> {
        "id" => id: Text<'a>,
        "function" => function: WireFunction<'a>,
        ..
    }
}

object! {
    pub(super) struct WireFunction<'a> {
        "name" => name: Text<'a>,
        "arguments" => arguments: Text<'a>,
        ..
    }
}

object! {
    /// A piece of text with the logarithms of its tokens' probabilities; the tokens themselves are ids only.
    pub(super) struct Logprob<'a> {
        "text" => text: Text<'a>,
        "logprobs" => logprobs: Vec<f64>,
        ..
    }
}

/// What was used: once as it is billed, once as the model saw it, with what Cohere puts around the messages.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    billed_units: Option<Units>,
    tokens: Option<Units>,
    cached_tokens: Option<f64>,
}

/// Counts, which Cohere writes as numbers with or without a fraction.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Units {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
    search_units: Option<f64>,
}

impl Counts {
    /// The billed tokens; where none are billed, those that the model saw; nothing where neither is told.
    pub(super) fn usage(self) -> Option<Usage> {
        let count = |of: fn(Units) -> Option<f64>| {
            self.billed_units.and_then(of).or_else(|| self.tokens.and_then(of)).map(whole)
        };
        let (input, output) = (count(|units| units.input_tokens), count(|units| units.output_tokens));
        input.or(output)?;
        let input = input.unwrap_or(0);
        Some(Usage {
            input,
            cached_input: self.cached_tokens.map_or(0, whole).min(input),
            output: output.unwrap_or(0),
            ..Usage::default()
        })
    }

    /// The searches that are billed.
    pub(super) fn searches(self) -> Option<u64> {
        self.billed_units?.search_units.map(whole)
    }
}

/// A count as a whole number; what is none counts nothing.
fn whole(count: f64) -> u64 {
    // The conversion saturates: neither a negative number nor one that is none gets through.
    count as u64
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let completion: Completion<'_> = json::read(body).map_err(|_| malformed())?;
    let message = match completion.message.ok_or_else(malformed)? {
        TextOr::Text(error) => return Err(provider_failure(500, Some(&error))),
        TextOr::Other(message) => message,
    };
    let mut parts = Vec::new();
    let think = |text| Part::Reasoning(Reasoning { text, ..Reasoning::default() });
    parts.extend(some(message.tool_plan).map(think));
    for item in message.content.unwrap_or_default() {
        parts.extend(some(item.thinking).map(think));
        parts.extend(some(item.text).map(Part::Text));
    }
    let calls = message.tool_calls.unwrap_or_default();
    let has_calls = !calls.is_empty();
    for call in calls {
        let mut call = read_call(call)?;
        if call.arguments.is_empty() {
            call.arguments = Text::from("{}");
        }
        parts.push(Part::ToolCall(call));
    }
    let choice = Choice {
        index: 0,
        parts,
        finish: finish(completion.finish_reason.as_deref(), None, has_calls)?,
        stop: None,
        logprobs: completion.logprobs.map(|tokens| tokens.into_iter().map(read_logprob).collect()),
    };
    Ok(Answer {
        id: completion.id,
        model: None,
        choices: vec![choice],
        usage: completion.usage.and_then(Counts::usage),
    })
}

/// Text, unless it is empty.
pub(super) fn some(text: Option<Text<'_>>) -> Option<Text<'_>> {
    text.filter(|text| !text.is_empty())
}

pub(super) fn read_call(call: WireCall<'_>) -> Result<ToolCall<'_>, Failure> {
    let function = call.function.ok_or_else(malformed)?;
    Ok(ToolCall {
        id: call.id.ok_or_else(malformed)?,
        name: function.name.ok_or_else(malformed)?,
        arguments: function.arguments.unwrap_or_default(),
        custom: false,
        signature: None,
        at: Place::default(),
    })
}

/// A piece of several tokens counts as one: its probability is the product of theirs.
pub(super) fn read_logprob(logprob: Logprob<'_>) -> TokenLogprob<'_> {
    TokenLogprob {
        chosen: TokenChance {
            token: logprob.text.unwrap_or_default(),
            logprob: logprob.logprobs.unwrap_or_default().iter().sum(),
        },
        top: Vec::new(),
    }
}

/// Why an answer ended; a failure where it did not come to its end. `message`: what is said of that. Reasons that come
/// with future versions are no failures.
pub(super) fn finish(
    reason: Option<&str>,
    message: Option<&str>,
    has_calls: bool,
) -> Result<Finish, Failure> {
    Ok(match reason {
        Some("MAX_TOKENS" | "ERROR_LIMIT") => Finish::Length,
        Some("TOOL_CALL") => Finish::ToolCalls,
        Some("ERROR_TOXIC") => Finish::ContentFilter,
        Some(reason @ ("ERROR" | "TIMEOUT")) => return Err(failed(reason, message)),
        Some("COMPLETE" | "STOP_SEQUENCE") => Finish::Stop,
        _ if has_calls => Finish::ToolCalls,
        _ => Finish::Stop,
    })
}
