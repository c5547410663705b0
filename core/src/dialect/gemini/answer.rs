//! Reads a whole answer.

use std::borrow::Cow;

use crate::conversation::{
    self, Answer, Choice, Finish, Maker, Media, MediaKind, MediaSource, Place, Reasoning, Signature, ToolCall,
};
use crate::failure::Failure;
use crate::json::{Raw, Text};

use super::failure::misplaced;
use super::wire::{self, Blob, Candidate, FunctionCall, Part};

/// Reads a whole successful answer. An error means that it is none, or that nothing usable came of it.
pub fn decode_answer(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let malformed = |message| Failure::malformed(message);
    let response = wire::read(body).map_err(|_| malformed("The provider's answer could not be read."))?;
    if let Some(error) = &response.error {
        return Err(misplaced(error));
    }
    let id = response.response_id;
    let candidates = response.candidates.unwrap_or_default().into_iter();
    let mut choices: Vec<_> =
        candidates.map(|candidate| choice(candidate, id.as_deref())).collect::<Result<_, _>>()?;
    if choices.is_empty() {
        let blocked = response.prompt_feedback.filter(|feedback| feedback.is_blocked());
        let blocked = blocked.ok_or_else(|| malformed("The provider's answer holds no candidate."))?;
        let parts = blocked.block_reason_message.into_iter().filter_map(refusal).collect();
        choices.push(Choice { index: 0, parts, finish: Finish::ContentFilter, logprobs: None, stop: None });
    }
    Ok(Answer { id, model: response.model_version, choices, usage: response.usage_metadata.map(Into::into) })
}

fn choice<'a>(mut candidate: Candidate<'a>, response: Option<&str>) -> Result<Choice<'a>, Failure> {
    // A whole answer has ended, whether it says why or not.
    let finish = candidate.finish()?.unwrap_or(Finish::Stop);
    let (mut parts, mut calls) = (Vec::new(), 0);
    for part in candidate.take_parts() {
        calls += u32::from(read_part(part, response, calls, &mut parts));
    }
    if finish == Finish::ContentFilter {
        parts.extend(candidate.finish_message.and_then(refusal));
    }
    let finish = match finish {
        Finish::Stop if calls > 0 => Finish::ToolCalls,
        finish => finish,
    };
    let logprobs = candidate.logprobs_result.map(wire::LogprobsResult::into_tokens);
    Ok(Choice { index: candidate.index.unwrap_or(0), parts, finish, logprobs, stop: None })
}

/// Reads a part, where it is one that an answer can hold; returns whether it is a call. `calls`: how many came before it
/// in its choice.
fn read_part<'a>(
    part: Part<'a>,
    response: Option<&str>,
    calls: u32,
    parts: &mut Vec<conversation::Part<'a>>,
) -> bool {
    if let Some(call) = part.function_call {
        let call = read_call(call, part.thought_signature, response, calls);
        parts.push(conversation::Part::ToolCall(call));
        return true;
    }
    let signature = signature(part.thought_signature);
    if let Some(media) = read_media(part.inline_data, part.thought) {
        parts.push(conversation::Part::Media(media));
    }
    let text = part.text.unwrap_or_default();
    if part.thought == Some(true) && !(text.is_empty() && signature.is_none()) {
        parts.push(conversation::Part::Reasoning(Reasoning { text, signature, ..Reasoning::default() }));
        return false;
    }
    if !text.is_empty() {
        parts.push(conversation::Part::Text(text));
    }
    // The signature of the answer's own words stands for the thinking behind them.
    if signature.is_some() {
        parts.push(conversation::Part::Reasoning(Reasoning { signature, ..Reasoning::default() }));
    }
    false
}

/// A part's medium, where there is one. What a thought shows is a draft, and stays one: thinking is words.
pub fn read_media<'a>(blob: Option<Blob<'a>>, thought: Option<bool>) -> Option<Media<'a>> {
    let Blob { mime_type, data } = blob.filter(|_| thought != Some(true))?;
    let (media_type, data) = (mime_type?, data.filter(|data| !data.is_empty())?);
    let kind = MediaKind::of(&media_type);
    let source = MediaSource::Base64 { media_type, data, file_name: None };
    Some(Media { kind, source, at: Place::default() })
}

/// A part's signature, where there is one.
pub fn signature(value: Option<Text<'_>>) -> Option<Signature<'_>> {
    let value = value.filter(|value| !value.is_empty())?;
    Some(Signature { maker: Maker::Gemini, value })
}

/// Reads a function call; `position` counts the calls of its choice. One without an id gets one that is the same
/// however often the answer is read.
pub fn read_call<'a>(
    call: FunctionCall<'a>,
    signed: Option<Text<'a>>,
    response: Option<&str>,
    position: u32,
) -> ToolCall<'a> {
    let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| match response {
        Some(response) => format!("call_{response}_{position}").into(),
        None => format!("call_{position}").into(),
    });
    let arguments = call.args.map_or(Text::from("{}"), |args| Text(compact(args)));
    ToolCall {
        id,
        name: call.name.unwrap_or_default(),
        arguments,
        custom: false,
        signature: signature(signed),
        at: Place::default(),
    }
}

fn refusal(text: Text<'_>) -> Option<conversation::Part<'_>> {
    (!text.is_empty()).then_some(conversation::Part::Refusal(text))
}

/// A value's text without the white space between its tokens.
fn compact(value: Raw<'_>) -> Cow<'_, str> {
    let (mut compacted, mut kept) = (String::new(), 0);
    let (mut in_string, mut escaped) = (false, false);
    let text = value.get();
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => {
                compacted.push_str(text.get(kept..position).unwrap_or_default());
                kept = position + 1;
            }
            _ => {}
        }
    }
    match kept {
        0 => Cow::Borrowed(text),
        kept => {
            compacted.push_str(text.get(kept..).unwrap_or_default());
            Cow::Owned(compacted)
        }
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
