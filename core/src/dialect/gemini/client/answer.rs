//! Writes a whole answer, and the objects that a stream's events are made of too.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::conversation::{self, Answer, Finish, Media, MediaSource, TokenChance, TokenLogprob};
use crate::dialect::Asked;
use crate::json::{self, Raw, RawObject};
use crate::task::TokenCount;
use crate::usage::Usage;

use super::signature;

/// `GenerateContentResponse`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'r> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) candidates: Vec<Candidate<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<UsageMetadata>,
    pub(super) model_version: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_id: Option<&'r str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'r> {
    pub(super) content: Content<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_message: Option<Cow<'r, str>>,
    pub(super) index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs_result: Option<Logprobs<'r>>,
}

#[derive(Serialize)]
pub(super) struct Content<'r> {
    pub(super) parts: Vec<Part<'r>>,
    role: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<FunctionCall<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inline_data: Option<Blob<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<Cow<'r, str>>,
}

/// An image, or a recording, in base64.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'r> {
    mime_type: &'r str,
    data: &'r str,
}

#[derive(Serialize)]
pub(super) struct FunctionCall<'r> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'r str,
    name: &'r str,
    args: Arguments<'r>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Arguments<'r> {
    Object(Raw<'r>),
    None {},
}

/// The chances of tokens: of a whole answer's, or as they were written when they came.
pub(super) enum Logprobs<'r> {
    Tokens(&'r [TokenLogprob<'r>]),
    Written(Box<serde_json::value::RawValue>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogprobsResult<'r> {
    chosen_candidates: Vec<Chance<'r>>,
    top_candidates: Vec<Top<'r>>,
}

#[derive(Serialize)]
struct Top<'r> {
    candidates: Vec<Chance<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Chance<'r> {
    token: &'r str,
    log_probability: f64,
}

/// Google counts the thoughts apart from the rest of the answer.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageMetadata {
    prompt_token_count: u64,
    candidates_token_count: u64,
    #[serde(skip_serializing_if = "is_none")]
    thoughts_token_count: u64,
    #[serde(skip_serializing_if = "is_none")]
    cached_content_token_count: u64,
    total_token_count: u64,
    #[serde(skip_serializing_if = "Modalities::is_empty")]
    prompt_tokens_details: Modalities,
    #[serde(skip_serializing_if = "Modalities::is_empty")]
    candidates_tokens_details: Modalities,
}

/// Tokens by what they are of; nothing is said where all are of text.
#[derive(Clone, Copy)]
struct Modalities {
    text: u64,
    audio: u64,
    image: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Modality {
    modality: &'static str,
    token_count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    total_tokens: u64,
    #[serde(skip_serializing_if = "is_none")]
    cached_content_token_count: u64,
}

/// Writes a whole answer.
pub(crate) fn encode_answer(answer: &Answer<'_>, asked: &Asked) -> Vec<u8> {
    let response = Response {
        candidates: answer.choices.iter().map(candidate).collect(),
        usage_metadata: answer.usage.map(UsageMetadata::from),
        model_version: answer.model.as_deref().unwrap_or(&asked.model),
        response_id: answer.id.as_deref(),
    };
    // Text, numbers and JSON always serialise.
    serde_json::to_vec(&response).unwrap_or_default()
}

/// Writes how many tokens a request has.
pub(crate) fn encode_count(count: TokenCount) -> Vec<u8> {
    let count = Count { total_tokens: count.input, cached_content_token_count: count.cached_input };
    serde_json::to_vec(&count).unwrap_or_default()
}

fn candidate<'r>(choice: &'r conversation::Choice<'r>) -> Candidate<'r> {
    let (mut parts, mut refusal, mut is_malformed, mut calls) = (Vec::new(), Cow::Borrowed(""), false, 0);
    for part in &choice.parts {
        match part {
            conversation::Part::Text(text) => parts.push(Part::text(text)),
            conversation::Part::Refusal(text) => refusal += &**text,
            conversation::Part::Reasoning(reasoning) => parts.push(Part {
                thought_signature: signature::of_reasoning(reasoning),
                ..Part::thought(&reasoning.text)
            }),
            conversation::Part::ToolCall(call) => {
                let signature = signature::write(call.signature.as_ref(), None, None);
                match Part::call(&call.id, &call.name, &call.arguments, signature, calls) {
                    Some(part) => parts.push(part),
                    None => is_malformed = true,
                }
                calls += 1;
            }
            conversation::Part::Media(media) => parts.extend(Part::media(media)),
            // No answer has these.
            conversation::Part::ToolResult(_) | conversation::Part::CacheMark(_) => {}
        }
    }
    let ending = Ending::of(choice.finish, refusal, is_malformed);
    Candidate {
        content: Content::new(parts),
        finish_reason: Some(ending.reason),
        finish_message: ending.message,
        index: choice.index,
        logprobs_result: choice.logprobs.as_deref().map(Logprobs::Tokens),
    }
}

/// Why a candidate ended, in Google's words.
pub(super) struct Ending<'r> {
    pub(super) reason: &'static str,
    pub(super) message: Option<Cow<'r, str>>,
}

impl<'r> Ending<'r> {
    /// `is_malformed`: whether a function was called with what is no object.
    pub(super) fn of(finish: Finish, refusal: Cow<'r, str>, is_malformed: bool) -> Self {
        if is_malformed {
            let message = "The arguments of a function call are no JSON object.".into();
            return Self { reason: "MALFORMED_FUNCTION_CALL", message: Some(message) };
        }
        let message = Some(refusal).filter(|refusal| !refusal.is_empty());
        let reason = match finish {
            Finish::Length => "MAX_TOKENS",
            Finish::ContentFilter => "SAFETY",
            // Google's own answers have such words only where something was held back.
            Finish::Stop | Finish::ToolCalls if message.is_some() => "SAFETY",
            Finish::Stop | Finish::ToolCalls => "STOP",
        };
        Self { reason, message }
    }
}

impl<'r> Content<'r> {
    pub(super) fn new(parts: Vec<Part<'r>>) -> Self {
        Self { parts, role: "model" }
    }
}

impl<'r> Part<'r> {
    pub(super) fn text(text: &'r str) -> Self {
        Self { text: Some(text), ..Self::default() }
    }

    pub(super) fn thought(text: &'r str) -> Self {
        Self { text: Some(text), thought: Some(true), ..Self::default() }
    }

    /// A medium that is in place.
    pub(super) fn media(media: &'r Media<'_>) -> Option<Self> {
        let MediaSource::Base64 { media_type, data, .. } = &media.source else { return None };
        let inline_data = Some(Blob { mime_type: media_type, data });
        Some(Self { inline_data, ..Self::default() })
    }

    /// A call, unless its arguments are no object. `position`: among those of its candidate.
    ///
    /// Gemini signs the first of parallel calls. Where another model made it, Google's own sign for that stands there, so
    /// that Gemini itself would take the call in a history.
    pub(super) fn call(
        id: &'r str,
        name: &'r str,
        arguments: &'r str,
        signature: Option<Cow<'r, str>>,
        position: u32,
    ) -> Option<Self> {
        let args = match arguments.trim().is_empty() {
            true => Arguments::None {},
            false => Arguments::Object(json::read::<RawObject<'_>>(arguments.as_bytes()).ok()?.into()),
        };
        Some(Self {
            function_call: Some(FunctionCall { id, name, args }),
            thought_signature: signature.or((position == 0).then_some(Cow::Borrowed(signature::NONE))),
            ..Self::default()
        })
    }
}

impl Serialize for Logprobs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tokens = match self {
            Self::Written(written) => return written.serialize(serializer),
            Self::Tokens(tokens) => tokens,
        };
        let top = |token: &TokenLogprob<'_>| !token.top.is_empty();
        let result = LogprobsResult {
            chosen_candidates: tokens.iter().map(|token| Chance::from(&token.chosen)).collect(),
            top_candidates: match tokens.iter().any(top) {
                true => tokens
                    .iter()
                    .map(|token| Top { candidates: token.top.iter().map(Chance::from).collect() })
                    .collect(),
                false => Vec::new(),
            },
        };
        result.serialize(serializer)
    }
}

impl<'r> From<&'r TokenChance<'_>> for Chance<'r> {
    fn from(chance: &'r TokenChance<'_>) -> Self {
        Self { token: &chance.token, log_probability: chance.logprob }
    }
}

impl From<Usage> for UsageMetadata {
    fn from(usage: Usage) -> Self {
        let shown = usage.output.saturating_sub(usage.reasoning);
        let modalities = |all: u64, audio: u64, image: u64| Modalities {
            text: all.saturating_sub(audio).saturating_sub(image),
            audio,
            image,
        };
        Self {
            prompt_token_count: usage.input,
            candidates_token_count: shown,
            thoughts_token_count: usage.reasoning,
            cached_content_token_count: usage.cached_input,
            total_token_count: usage.input.saturating_add(usage.output),
            prompt_tokens_details: modalities(usage.input, usage.audio_input, usage.image_input),
            candidates_tokens_details: modalities(shown, usage.audio_output, usage.image_output),
        }
    }
}

impl Modalities {
    fn is_empty(&self) -> bool {
        self.audio == 0 && self.image == 0
    }
}

impl Serialize for Modalities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = [("TEXT", self.text), ("AUDIO", self.audio), ("IMAGE", self.image)];
        let counted = counts.into_iter().filter(|(_, count)| *count > 0);
        serializer.collect_seq(counted.map(|(modality, token_count)| Modality { modality, token_count }))
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
