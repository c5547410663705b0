//! What Gemini answers, as far as it is read: `GenerateContentResponse`, and the error in its place.

use serde::{Deserialize, Deserializer};

use crate::conversation::{Finish, TokenChance, TokenLogprob};
use crate::dialect::provider_failure;
use crate::failure::Failure;
use crate::json::{self, Fault, Raw, Text};
use crate::usage::Usage;

/// The chance of a token whose logarithm can't be written in JSON, as OpenAI has it.
const UNLIKELY: f64 = -9999.0;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response<'a> {
    #[serde(borrow)]
    pub candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    pub prompt_feedback: Option<PromptFeedback<'a>>,
    pub usage_metadata: Option<UsageMetadata>,
    #[serde(borrow)]
    pub model_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub response_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub error: Option<WireError<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate<'a> {
    #[serde(borrow)]
    pub content: Option<Content<'a>>,
    #[serde(borrow)]
    pub finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub finish_message: Option<Text<'a>>,
    /// Not there when it is 0.
    pub index: Option<u32>,
    #[serde(borrow)]
    pub logprobs_result: Option<LogprobsResult<'a>>,
}

#[derive(Deserialize)]
pub struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part<'a> {
    #[serde(borrow)]
    pub text: Option<Text<'a>>,
    /// Whether the text is a thought.
    pub thought: Option<bool>,
    #[serde(borrow)]
    pub thought_signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub function_call: Option<FunctionCall<'a>>,
    #[serde(borrow)]
    pub inline_data: Option<Blob<'a>>,
}

/// An image, or a recording, in base64.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob<'a> {
    #[serde(borrow)]
    pub mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub data: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub struct FunctionCall<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub args: Option<Raw<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogprobsResult<'a> {
    #[serde(borrow)]
    chosen_candidates: Option<Vec<Chance<'a>>>,
    #[serde(borrow)]
    top_candidates: Option<Vec<TopChances<'a>>>,
}

#[derive(Deserialize)]
struct TopChances<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<Chance<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chance<'a> {
    #[serde(borrow)]
    token: Option<Text<'a>>,
    /// A number; protobuf's JSON has the infinite ones as text.
    #[serde(borrow)]
    log_probability: Option<Raw<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromptFeedback<'a> {
    #[serde(borrow)]
    pub block_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub block_reason_message: Option<Text<'a>>,
}

/// Counts of tokens; in a stream, of all that has come so far.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageMetadata {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    #[serde(default, deserialize_with = "modalities")]
    prompt_tokens_details: Option<Modalities>,
    #[serde(default, deserialize_with = "modalities")]
    candidates_tokens_details: Option<Modalities>,
    #[serde(default, deserialize_with = "modalities")]
    cache_tokens_details: Option<Modalities>,
}

/// Of counted tokens, those that are not of text.
#[derive(Clone, Copy, Debug, Default)]
struct Modalities {
    audio: u64,
    image: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModalityCount<'a> {
    #[serde(borrow)]
    modality: Option<Text<'a>>,
    token_count: Option<u64>,
}

fn modalities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Modalities>, D::Error> {
    let counts = Option::<Vec<ModalityCount<'de>>>::deserialize(deserializer)?;
    Ok(counts.map(|counts| {
        let of = |modality: &str| {
            let counts = counts.iter().filter(|count| count.modality.as_deref() == Some(modality));
            counts.filter_map(|count| count.token_count).fold(0, u64::saturating_add)
        };
        Modalities { audio: of("AUDIO"), image: of("IMAGE") }
    }))
}

/// `google.rpc.Status`.
#[derive(Deserialize)]
pub struct WireError<'a> {
    pub code: Option<u16>,
    #[serde(borrow)]
    pub message: Option<Text<'a>>,
    #[serde(borrow)]
    details: Option<Vec<Detail<'a>>>,
}

/// Any of the details: `reason` is that of `google.rpc.ErrorInfo`, `retry_delay` that of `google.rpc.RetryInfo`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    retry_delay: Option<Text<'a>>,
}

/// Reads a response. Errors come as an array of one too.
pub fn read(bytes: &[u8]) -> Result<Response<'_>, Fault> {
    match bytes.trim_ascii_start().first() {
        Some(b'[') => json::read::<[Response<'_>; 1]>(bytes).map(|[response]| response),
        _ => json::read(bytes),
    }
}

impl<'a> Candidate<'a> {
    pub fn take_parts(&mut self) -> Vec<Part<'a>> {
        self.content.take().and_then(|content| content.parts).unwrap_or_default()
    }

    /// Why the candidate ended, where it has; a failure when nothing usable came of it.
    ///
    /// The reasons are those of `FinishReason`. A candidate that calls functions has `STOP` like any other.
    pub fn finish(&self) -> Result<Option<Finish>, Failure> {
        let Some(reason) = &self.finish_reason else { return Ok(None) };
        let code = match &**reason {
            "MAX_TOKENS" | "CONTINUATION" => return Ok(Some(Finish::Length)),
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR"
            | "ESCALATION"
            | "PUP_LIMITED_DISABLED" => return Ok(Some(Finish::ContentFilter)),
            "MALFORMED_FUNCTION_CALL" => "malformed_function_call",
            "MALFORMED_RESPONSE" => "malformed_response",
            "UNEXPECTED_TOOL_CALL" => "unexpected_tool_call",
            "TOO_MANY_TOOL_CALLS" => "too_many_tool_calls",
            "MISSING_THOUGHT_SIGNATURE" => "missing_thought_signature",
            _ => return Ok(Some(Finish::Stop)),
        };
        let message = self.finish_message.as_deref().filter(|message| !message.is_empty());
        Err(provider_failure(502, Some(message.unwrap_or("The model's answer was malformed."))).code(code))
    }
}

impl PromptFeedback<'_> {
    pub fn is_blocked(&self) -> bool {
        self.block_reason.is_some()
    }
}

impl WireError<'_> {
    /// Whether it is about the gateway's own key: Gemini says that with a status of 400.
    pub fn is_about_the_key(&self) -> bool {
        let mut details = self.details.iter().flatten();
        details.any(|detail| detail.reason.as_deref() == Some("API_KEY_INVALID"))
    }

    /// When to come back, in whole seconds, rounded up. A duration is written as seconds: `16.2s`.
    pub fn retry_after(&self) -> Option<u64> {
        let delay = self.details.iter().flatten().find_map(|detail| detail.retry_delay.as_deref())?;
        let (seconds, fraction) =
            delay.strip_suffix('s').map(|delay| delay.split_once('.').unwrap_or((delay, "")))?;
        let is_more = fraction.bytes().any(|digit| digit != b'0');
        seconds.parse::<u64>().ok()?.checked_add(u64::from(is_more))
    }
}

impl UsageMetadata {
    /// The counts of `self`, and those of `later` in the place of what both have. They only ever grow, so that one
    /// which is not repeated still holds.
    pub fn replaced_by(self, later: Self) -> Self {
        Self {
            prompt_token_count: later.prompt_token_count.or(self.prompt_token_count),
            cached_content_token_count: later.cached_content_token_count.or(self.cached_content_token_count),
            candidates_token_count: later.candidates_token_count.or(self.candidates_token_count),
            thoughts_token_count: later.thoughts_token_count.or(self.thoughts_token_count),
            tool_use_prompt_token_count: later
                .tool_use_prompt_token_count
                .or(self.tool_use_prompt_token_count),
            prompt_tokens_details: later.prompt_tokens_details.or(self.prompt_tokens_details),
            candidates_tokens_details: later.candidates_tokens_details.or(self.candidates_tokens_details),
            cache_tokens_details: later.cache_tokens_details.or(self.cache_tokens_details),
        }
    }
}

impl From<UsageMetadata> for Usage {
    /// Gemini's prompt has the cached tokens in it, its candidates don't have the thoughts.
    fn from(usage: UsageMetadata) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0).saturating_add(b.unwrap_or(0));
        let (prompt, answer) = (
            usage.prompt_tokens_details.unwrap_or_default(),
            usage.candidates_tokens_details.unwrap_or_default(),
        );
        Self {
            input: sum(usage.prompt_token_count, usage.tool_use_prompt_token_count),
            cached_input: usage.cached_content_token_count.unwrap_or(0),
            output: sum(usage.candidates_token_count, usage.thoughts_token_count),
            reasoning: usage.thoughts_token_count.unwrap_or(0),
            audio_input: prompt.audio,
            cached_audio_input: usage.cache_tokens_details.unwrap_or_default().audio,
            image_input: prompt.image,
            audio_output: answer.audio,
            image_output: answer.image,
            ..Self::default()
        }
    }
}

impl<'a> LogprobsResult<'a> {
    /// Each chosen token with those that stood beside it at the same step.
    pub fn into_tokens(self) -> Vec<TokenLogprob<'a>> {
        let mut tops = self.top_candidates.unwrap_or_default().into_iter();
        let chosen = self.chosen_candidates.unwrap_or_default().into_iter();
        chosen
            .map(|chosen| {
                let top = tops.next().and_then(|top| top.candidates).unwrap_or_default();
                let top = top.into_iter().map(TokenChance::from).collect();
                TokenLogprob { chosen: chosen.into(), top }
            })
            .collect()
    }
}

impl<'a> From<Chance<'a>> for TokenChance<'a> {
    fn from(chance: Chance<'a>) -> Self {
        let logprob = match chance.log_probability {
            // protobuf leaves out what is 0: the token was certain.
            None => 0.0,
            Some(number) => {
                number.get().parse().ok().filter(|logprob: &f64| logprob.is_finite()).unwrap_or(UNLIKELY)
            }
        };
        Self { token: chance.token.unwrap_or_default(), logprob }
    }
}
