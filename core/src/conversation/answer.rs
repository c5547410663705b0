//! What a provider answers, whole or event by event.

use crate::failure::Failure;
use crate::json::Text;
use crate::usage::Usage;

use super::{Media, Part, Signature, ToolCall};

/// A whole answer; it borrows from the provider's body.
#[derive(Debug, Default)]
pub struct Answer<'a> {
    /// The vendor's id of the answer.
    pub id: Option<Text<'a>>,
    /// The model that answered, by the vendor's own word.
    pub model: Option<Text<'a>>,
    pub choices: Vec<Choice<'a>>,
    pub usage: Option<Usage>,
}

/// One of the answers that were asked for.
#[derive(Debug)]
pub struct Choice<'a> {
    pub index: u32,
    /// Texts, refusals, reasoning, media in place and tool calls, in the order in which they were produced.
    pub parts: Vec<Part<'a>>,
    pub finish: Finish,
    /// The stop text that ended it, where the vendor tells.
    pub stop: Option<Text<'a>>,
    pub logprobs: Option<Vec<TokenLogprob<'a>>>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done, or met a stop text.
    Stop,
    /// It reached the limit of tokens.
    Length,
    /// It wants tools to be called.
    ToolCalls,
    /// The vendor held something back, or the model declined.
    ContentFilter,
}

/// A token of an answer with its chance.
#[derive(Debug)]
pub struct TokenLogprob<'a> {
    pub chosen: TokenChance<'a>,
    /// The likeliest tokens in its place, likeliest first.
    pub top: Vec<TokenChance<'a>>,
}

/// A token and the natural logarithm of its probability.
#[derive(Debug)]
pub struct TokenChance<'a> {
    pub token: Text<'a>,
    pub logprob: f64,
}

/// One step of a streamed answer.
#[derive(Debug)]
pub enum Event<'a> {
    /// The answer begins. Always the first event, unless that is an error.
    Start { id: Option<Text<'a>>, model: Option<Text<'a>> },
    /// More of a choice's text.
    Text { choice: u32, text: Text<'a> },
    /// More of the words in which the model declines.
    Refusal { choice: u32, text: Text<'a> },
    /// More of the model's thinking.
    Reasoning { choice: u32, text: Text<'a> },
    /// Signs the thinking before it, of which no text need have been shown; that piece of thinking is complete.
    Signature { choice: u32, signature: Signature<'a> },
    /// A piece of thinking that only its maker can read, whole.
    HiddenReasoning { choice: u32, hidden: Signature<'a> },
    /// An image or the like, whole.
    Media { choice: u32, media: Media<'a> },
    /// A tool call begins; `call` counts the calls of this choice from 0. Its arguments may be whole already, or follow.
    ToolCall { choice: u32, call: u32, tool: ToolCall<'a> },
    /// More of a tool call's arguments, as JSON text.
    Arguments { choice: u32, call: u32, json: Text<'a> },
    /// The chances of the tokens of the text that comes next.
    Logprobs { choice: u32, tokens: Vec<TokenLogprob<'a>> },
    /// A choice ends; `stop` is the stop text that ended it, where the vendor tells.
    Finish { choice: u32, finish: Finish, stop: Option<Text<'a>> },
    /// What has been used up to here: each one replaces the one before.
    Usage(Usage),
    /// The answer failed; nothing follows.
    Error(Failure),
    /// The answer is complete; nothing follows.
    End,
}
