//! Reads whole chat completions.

use super::usage::{WireUsage, read_tier};
use super::wire::{self, Said, WireCall, WirePiece};
use crate::conversation::{Answer, Choice, Finish, Part, Place, Reasoning, ToolCall};
use crate::dialect::openai::failure::{WireError, answered_failure};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, TextOr, object};

object! {
    /// As much of an answer as the gateway needs of it when its bytes pass as they are.
    struct WireHead<'a> {
        "id" => id: Text<'a>,
        "model" => model: Text<'a>,
        "usage" => usage: WireUsage,
        "service_tier" => service_tier: Raw<'a>,
        "error" => error: TextOr<'a, WireError<'a>>,
        ..
    }
}

object! {
    struct WireCompletion<'a> {
        "id" => id: Text<'a>,
        "model" => model: Text<'a>,
        "choices" => choices: Vec<WireChoice<'a>>,
        "usage" => usage: WireUsage,
        "service_tier" => service_tier: Raw<'a>,
        "error" => error: TextOr<'a, WireError<'a>>,
        ..
    }
}

object! {
    struct WireChoice<'a> {
        "index" => index: u32,
        "message" => message: WireMessage<'a>,
        "finish_reason" => finish_reason: Text<'a>,
        "logprobs" => logprobs: Raw<'a>,
        ..
    }
}

object! {
    #[derive(Default)]
    struct WireMessage<'a> {
        "content" => content: TextOr<'a, Vec<WirePiece<'a>>>,
        "refusal" => refusal: Text<'a>,
        "reasoning_content" => reasoning_content: Text<'a>,
        "reasoning" => reasoning: Raw<'a>,
        "tool_calls" => tool_calls: Vec<WireCall<'a>>,
        "images" => images: Raw<'a>,
        ..
    }
}

/// Reads of a whole answer what the gateway itself needs; its choices stay in the bytes that pass.
pub(super) fn decode_head(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let head: WireHead<'_> = json::read(body).map_err(|_| unreadable())?;
    if let Some(error) = head.error {
        return Err(answered_failure(&error));
    }
    let usage = head.usage.map(|usage| usage.served(read_tier(head.service_tier)));
    Ok(Answer { id: head.id, model: head.model, choices: Vec::new(), usage })
}

/// Reads a whole answer.
pub(super) fn decode_answer(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let completion: WireCompletion<'_> = json::read(body).map_err(|_| unreadable())?;
    if let Some(error) = completion.error {
        return Err(answered_failure(&error));
    }
    let tier = read_tier(completion.service_tier);
    let choices = completion.choices.filter(|choices| !choices.is_empty()).ok_or_else(unreadable)?;
    let id = completion.id.filter(|id| !id.is_empty());
    let choices = choices
        .into_iter()
        .enumerate()
        .map(|(position, choice)| read_choice(position, choice, id.as_deref()))
        .collect::<Result<_, _>>()?;
    Ok(Answer {
        id,
        model: completion.model.filter(|model| !model.is_empty()),
        choices,
        usage: completion.usage.map(|usage| usage.served(tier)),
    })
}

fn unreadable() -> Failure {
    Failure::malformed("The provider's answer could not be read.")
}

/// The failure of an answer that ended as one.
pub(super) fn broken_off() -> Failure {
    Failure::provider(502, "The provider's answer broke off.")
}

/// The id of a call that the vendor gave none, by its place among the answer's calls.
pub(super) fn made_call_id(answer: Option<&str>, call: usize) -> Text<'static> {
    Text::from(format!("call_{}_{call}", answer.unwrap_or_default()))
}

fn read_choice<'a>(
    position: usize,
    choice: WireChoice<'a>,
    answer: Option<&str>,
) -> Result<Choice<'a>, Failure> {
    // Azure leaves out a message that its filters have taken.
    let is_filtered = choice.finish_reason.as_deref() == Some("content_filter");
    let message = match choice.message {
        None if is_filtered => WireMessage::default(),
        message => message.ok_or_else(unreadable)?,
    };
    let mut parts = Vec::new();
    let reasoning = |text| Part::Reasoning(Reasoning { text, ..Reasoning::default() });
    parts.extend(wire::reasoning(message.reasoning_content, message.reasoning).map(reasoning));
    for said in message.content.map(wire::said).unwrap_or_default() {
        parts.push(match said {
            Said::Text(text) => Part::Text(text),
            Said::Refusal(text) => Part::Refusal(text),
            Said::Reasoning(text) => reasoning(text),
        });
    }
    parts.extend(message.refusal.filter(|text| !text.is_empty()).map(Part::Refusal));
    parts.extend(wire::images(message.images).into_iter().map(Part::Media));
    let calls = message.tool_calls.unwrap_or_default();
    let has_calls = !calls.is_empty();
    for (call, wire) in calls.into_iter().enumerate() {
        parts.push(Part::ToolCall(read_call(call, wire, answer)?));
    }
    let finish = match choice.finish_reason.as_deref() {
        Some(word) => wire::finish(word, has_calls).ok_or_else(broken_off)?,
        None if has_calls => Finish::ToolCalls,
        None => Finish::Stop,
    };
    Ok(Choice {
        index: choice.index.unwrap_or(u32::try_from(position).unwrap_or(u32::MAX)),
        parts,
        finish,
        stop: None,
        logprobs: choice.logprobs.and_then(wire::logprobs),
    })
}

fn read_call<'a>(position: usize, wire: WireCall<'a>, answer: Option<&str>) -> Result<ToolCall<'a>, Failure> {
    let id = wire.id.filter(|id| !id.is_empty()).unwrap_or_else(|| made_call_id(answer, position));
    let (name, arguments, custom) = match (wire.function, wire.custom) {
        (None, Some(custom)) => (custom.name, custom.input.unwrap_or_default(), true),
        (Some(function), _) => (function.name, wire::arguments(function.arguments), false),
        (None, None) => (None, Text::default(), false),
    };
    let name = name.ok_or_else(unreadable)?;
    Ok(ToolCall { id, name, arguments, custom, signature: None, at: Place::default() })
}
