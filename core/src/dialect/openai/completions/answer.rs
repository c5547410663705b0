//! Whole answers in the form of a `text_completion`, and what they have in common with streamed ones.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::conversation::{Answer, Choice, Finish, Part, TokenChance, TokenLogprob};
use crate::dialect::Asked;
use crate::usage::Usage;

/// `L`: the chances of tokens, or their JSON.
#[derive(Serialize)]
pub(super) struct Completion<'a, L> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: Vec<CompletionChoice<'a, L>>,
    /// `Some(None)` is written as `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Option<CompletionUsage>>,
}

#[derive(Serialize)]
pub(super) struct CompletionChoice<'a, L> {
    pub(super) text: Cow<'a, str>,
    pub(super) index: u32,
    pub(super) logprobs: Option<L>,
    pub(super) finish_reason: Option<&'static str>,
}

/// The chances of tokens, a list for each thing that is known of them.
#[derive(Serialize)]
pub(super) struct Logprobs<'a> {
    tokens: Vec<&'a str>,
    token_logprobs: Vec<f64>,
    top_logprobs: Vec<Top<'a>>,
    /// Where each token begins in the choice's text, in characters.
    text_offset: Vec<usize>,
}

/// The likeliest tokens in one place, as an object of their chances.
struct Top<'a>(&'a [TokenChance<'a>]);

#[derive(Clone, Copy, Serialize)]
pub(super) struct CompletionUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Clone, Copy, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
}

#[derive(Clone, Copy, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

/// Writes a whole answer. `now`: seconds since the Unix epoch.
pub(crate) fn encode_answer(answer: &Answer<'_>, asked: &Asked, now: u64) -> Vec<u8> {
    let completion = Completion {
        id: answer.id.as_deref().unwrap_or_default(),
        object: "text_completion",
        created: now,
        model: answer.model.as_deref().unwrap_or(&asked.model),
        choices: answer.choices.iter().map(choice).collect(),
        usage: answer.usage.map(|usage| Some(usage.into())),
    };
    // Text and numbers always serialise.
    serde_json::to_vec(&completion).unwrap_or_default()
}

/// What is said, in one text: there is no place for thinking, and no tool was offered.
fn choice<'a>(choice: &'a Choice<'a>) -> CompletionChoice<'a, Logprobs<'a>> {
    let mut text = Cow::Borrowed("");
    for part in &choice.parts {
        match part {
            Part::Text(said) | Part::Refusal(said) if text.is_empty() => text = Cow::Borrowed(&**said),
            Part::Text(said) | Part::Refusal(said) => text.to_mut().push_str(said),
            _ => {}
        }
    }
    CompletionChoice {
        text,
        index: choice.index,
        logprobs: choice.logprobs.as_deref().map(|tokens| Logprobs::new(tokens, 0)),
        finish_reason: Some(finish_reason(choice.finish)),
    }
}

pub(super) fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        // Nothing here can be called.
        Finish::Stop | Finish::ToolCalls => "stop",
        Finish::Length => "length",
        Finish::ContentFilter => "content_filter",
    }
}

impl<'a> Logprobs<'a> {
    /// `offset`: where the first of the tokens begins.
    pub(super) fn new(tokens: &'a [TokenLogprob<'a>], offset: usize) -> Self {
        let offsets = tokens.iter().scan(offset, |next, token| {
            let start = *next;
            *next += token.chosen.token.chars().count();
            Some(start)
        });
        Self {
            tokens: tokens.iter().map(|token| &*token.chosen.token).collect(),
            token_logprobs: tokens.iter().map(|token| token.chosen.logprob).collect(),
            top_logprobs: tokens.iter().map(|token| Top(&token.top)).collect(),
            text_offset: offsets.collect(),
        }
    }
}

impl Serialize for Top<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (position, chance) in self.0.iter().enumerate() {
            // Two tokens of one spelling are one key: the likelier comes first.
            let is_first = !self.0.iter().take(position).any(|other| other.token == chance.token);
            if is_first {
                map.serialize_entry(&*chance.token, &chance.logprob)?;
            }
        }
        map.end()
    }
}

impl From<Usage> for CompletionUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: PromptDetails { cached_tokens: usage.cached_input },
            completion_tokens_details: CompletionDetails { reasoning_tokens: usage.reasoning },
        }
    }
}
