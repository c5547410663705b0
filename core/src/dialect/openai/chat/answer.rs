//! Whole answers in the form of a `chat.completion`.

use std::borrow::Cow;

use serde::Serialize;

use crate::conversation::{Answer, Choice, Finish, Maker, Part, TokenChance, TokenLogprob, Tool, ToolCall};
use crate::dialect::Asked;
use crate::json::{self, Text, object};
use crate::usage::Usage;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<CompletionFunction<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CompletionCustom<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraContent<'a>>,
}

#[derive(Serialize)]
struct CompletionFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CompletionCustom<'a> {
    name: &'a str,
    input: Cow<'a, str>,
}

/// What Google's own OpenAI-compatible endpoint adds to a tool call.
#[derive(Serialize)]
pub(super) struct ExtraContent<'a> {
    pub(super) google: GoogleContent<'a>,
}

#[derive(Serialize)]
pub(super) struct GoogleContent<'a> {
    pub(super) thought_signature: Cow<'a, str>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<u64>,
    cached_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
}

#[derive(Serialize)]
struct CompletionDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<u64>,
    reasoning_tokens: u64,
}

/// Writes a whole answer. `now`: seconds since the Unix epoch.
pub(crate) fn encode_answer(answer: &Answer<'_>, asked: &Asked, now: u64) -> Vec<u8> {
    let completion = Completion {
        id: answer.id.as_deref().unwrap_or_default(),
        object: "chat.completion",
        created: now,
        model: answer.model.as_deref().unwrap_or_default(),
        choices: answer.choices.iter().map(|choice| write_choice(choice, asked)).collect(),
        usage: answer.usage.map(CompletionUsage::from),
    };
    // Text and numbers always serialise.
    serde_json::to_vec(&completion).unwrap_or_default()
}

fn write_choice<'a>(choice: &'a Choice<'a>, asked: &Asked) -> CompletionChoice<'a> {
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
            Part::ToolCall(call) => message.tool_calls.push(tool_call(call, asked)),
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
    let thought_signature = call.signature.as_ref()?.write(Maker::Gemini);
    Some(ExtraContent { google: GoogleContent { thought_signature } })
}

/// Whether the client has a custom tool of this name.
pub(super) fn is_custom(asked: &Asked, name: &str) -> bool {
    asked.custom_tools.iter().any(|tool| tool == name)
}

/// The text for a custom tool that the provider was offered a function for: that of the function's one argument, or
/// whatever the model wrote in its place.
pub(super) fn custom_input(arguments: &str) -> Cow<'_, str> {
    object! {
        struct Arguments<'a> {
            "input" => input: Text<'a>,
            ..
        }
    }
    debug_assert_eq!(Tool::CUSTOM_INPUT, "input");
    match json::read::<Arguments<'_>>(arguments.as_bytes()) {
        Ok(Arguments { input: Some(input) }) => input.0,
        _ => Cow::Borrowed(arguments),
    }
}

/// Borrows a single text; only several are joined.
fn append<'a>(joined: &mut Option<Cow<'a, str>>, text: &'a str) {
    match joined {
        None => *joined = Some(Cow::Borrowed(text)),
        Some(joined) => joined.to_mut().push_str(text),
    }
}

fn tool_call<'a>(call: &'a ToolCall<'a>, asked: &Asked) -> CompletionToolCall<'a> {
    let (id, name, extra_content) = (&*call.id, &*call.name, extra_content(call));
    let input = match call.custom {
        true => Some(Cow::Borrowed(&*call.arguments)),
        false => is_custom(asked, name).then(|| custom_input(&call.arguments)),
    };
    match input {
        Some(input) => {
            let custom = Some(CompletionCustom { name, input });
            CompletionToolCall { id, r#type: "custom", function: None, custom, extra_content }
        }
        None => {
            let function = Some(CompletionFunction { name, arguments: &call.arguments });
            CompletionToolCall { id, r#type: "function", function, custom: None, extra_content }
        }
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
        let some = |count| Some(count).filter(|count| *count > 0);
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: PromptDetails {
                audio_tokens: some(usage.audio_input),
                cached_tokens: usage.cached_input,
                image_tokens: some(usage.image_input),
                cache_write_tokens: some(usage.cache_write),
            },
            completion_tokens_details: CompletionDetails {
                audio_tokens: some(usage.audio_output),
                reasoning_tokens: usage.reasoning,
            },
        }
    }
}
