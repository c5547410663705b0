//! Whole answers in the form of a `chat.completion`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::conversation::{Answer, Choice, Finish, Maker, Part, TokenChance, TokenLogprob, ToolCall};
use crate::dialect::provider_failure;
use crate::failure::Failure;
use crate::json::{self, Text, object};
use crate::usage::Usage;

use crate::dialect::openai::failure::WireError;

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<CompletionChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<CompletionUsage>,
}

#[derive(Serialize)]
struct CompletionChoice<'a> {
    index: u32,
    message: CompletionMessage<'a>,
    logprobs: Option<Logprobs<'a>>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct CompletionMessage<'a> {
    role: &'static str,
    content: Option<Cow<'a, str>>,
    refusal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CompletionToolCall<'a>>,
}

#[derive(Serialize)]
struct CompletionToolCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: CompletionFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraContent<'a>>,
}

#[derive(Serialize)]
struct CompletionFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// What Google's own OpenAI-compatible endpoint adds to a tool call.
#[derive(Serialize)]
pub(super) struct ExtraContent<'a> {
    google: GoogleContent<'a>,
}

#[derive(Serialize)]
struct GoogleContent<'a> {
    thought_signature: &'a str,
}

#[derive(Serialize)]
pub(super) struct Logprobs<'a> {
    content: Vec<ChosenLogprob<'a>>,
    refusal: Option<()>,
}

#[derive(Serialize)]
struct ChosenLogprob<'a> {
    #[serde(flatten)]
    chosen: Logprob<'a>,
    top_logprobs: Vec<Logprob<'a>>,
}

#[derive(Serialize)]
struct Logprob<'a> {
    token: &'a str,
    logprob: f64,
    /// Which bytes the token has: no vendor but OpenAI tells.
    bytes: Option<()>,
}

#[derive(Serialize)]
pub(super) struct CompletionUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

/// Writes a whole answer. `now`: seconds since the Unix epoch.
pub(crate) fn encode_answer(answer: &Answer<'_>, now: u64) -> Vec<u8> {
    let completion = Completion {
        id: answer.id.as_deref().unwrap_or_default(),
        object: "chat.completion",
        created: now,
        model: answer.model.as_deref().unwrap_or_default(),
        choices: answer.choices.iter().map(choice).collect(),
        usage: answer.usage.map(CompletionUsage::from),
    };
    // Text and numbers always serialise.
    serde_json::to_vec(&completion).unwrap_or_default()
}

fn choice<'a>(choice: &'a Choice<'a>) -> CompletionChoice<'a> {
    let mut message = CompletionMessage {
        role: "assistant",
        content: None,
        refusal: None,
        reasoning_content: None,
        tool_calls: Vec::new(),
    };
    for part in &choice.parts {
        match part {
            Part::Text(text) => append(&mut message.content, text),
            Part::Refusal(text) => append(&mut message.refusal, text),
            Part::Reasoning(reasoning) if reasoning.text.is_empty() => {}
            Part::Reasoning(reasoning) => append(&mut message.reasoning_content, &reasoning.text),
            Part::ToolCall(call) => message.tool_calls.push(tool_call(call)),
            // Neither a model's answer nor this dialect's message has these.
            Part::Media(_) | Part::ToolResult(_) | Part::CacheMark(_) => {}
        }
    }
    CompletionChoice {
        index: choice.index,
        message,
        logprobs: choice.logprobs.as_deref().map(Logprobs::from),
        finish_reason: finish_reason(choice.finish),
    }
}

/// The one signature that chat completions have a place for.
pub(super) fn extra_content<'a>(call: &'a ToolCall<'_>) -> Option<ExtraContent<'a>> {
    let signature = call.signature.as_ref().and_then(|signature| signature.of(Maker::Gemini));
    signature.map(ExtraContent::from)
}

/// Borrows a single text; only several are joined.
fn append<'a>(joined: &mut Option<Cow<'a, str>>, text: &'a str) {
    match joined {
        None => *joined = Some(Cow::Borrowed(text)),
        Some(joined) => joined.to_mut().push_str(text),
    }
}

fn tool_call<'a>(call: &'a ToolCall<'a>) -> CompletionToolCall<'a> {
    CompletionToolCall {
        id: &call.id,
        r#type: "function",
        function: CompletionFunction { name: &call.name, arguments: &call.arguments },
        extra_content: extra_content(call),
    }
}

pub(super) fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

impl<'a> From<&'a str> for ExtraContent<'a> {
    fn from(thought_signature: &'a str) -> Self {
        Self { google: GoogleContent { thought_signature } }
    }
}

impl<'a> From<&'a [TokenLogprob<'a>]> for Logprobs<'a> {
    fn from(tokens: &'a [TokenLogprob<'a>]) -> Self {
        let content = tokens.iter().map(|token| ChosenLogprob {
            chosen: Logprob::from(&token.chosen),
            top_logprobs: token.top.iter().map(Logprob::from).collect(),
        });
        Self { content: content.collect(), refusal: None }
    }
}

impl<'a> From<&'a TokenChance<'a>> for Logprob<'a> {
    fn from(chance: &'a TokenChance<'a>) -> Self {
        Self { token: &chance.token, logprob: chance.logprob, bytes: None }
    }
}

impl From<Usage> for CompletionUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached_input,
                cache_write_tokens: (usage.cache_write > 0).then_some(usage.cache_write),
            },
            completion_tokens_details: CompletionDetails { reasoning_tokens: usage.reasoning },
        }
    }
}

object! {
    /// As much of a whole answer as the gateway needs of it when its bytes pass as they are.
    struct WireCompletion<'a> {
        "id" => id: Text<'a>,
        "model" => model: Text<'a>,
        "usage" => usage: WireUsage,
        "error" => error: WireError<'a>,
        ..
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::dialect::openai) struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<WirePromptDetails>,
    completion_tokens_details: Option<WireCompletionDetails>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WirePromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireCompletionDetails {
    reasoning_tokens: Option<u64>,
}

/// Reads of a whole answer what the gateway itself needs; its choices stay in the bytes that pass.
pub(in crate::dialect::openai) fn decode_answer(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let completion: WireCompletion<'_> =
        json::read(body).map_err(|_| Failure::malformed("The provider's answer could not be read."))?;
    if let Some(error) = completion.error {
        return Err(provider_failure(500, error.message.as_deref()));
    }
    Ok(Answer {
        id: completion.id,
        model: completion.model,
        choices: Vec::new(),
        usage: completion.usage.map(Usage::from),
    })
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let (cached, written) = usage
            .prompt_tokens_details
            .map_or((None, None), |details| (details.cached_tokens, details.cache_write_tokens));
        Self {
            input: usage.prompt_tokens.unwrap_or(0),
            cached_input: cached.unwrap_or(0),
            cache_write: written.unwrap_or(0),
            output: usage.completion_tokens.unwrap_or(0),
            reasoning: usage
                .completion_tokens_details
                .and_then(|details| details.reasoning_tokens)
                .unwrap_or(0),
            ..Self::default()
        }
    }
}
