//! The canonical conversation: what every client's request becomes, and what every provider's is made from.

mod answer;

use serde::{Deserialize, Serialize};

pub use answer::{Answer, Choice, Event, Finish, TokenChance, TokenLogprob};

use crate::json::{Raw, Text};

/// A request for the next turn of a conversation.
///
/// It borrows from the client's body. What the client did not say is `None` or empty; what it said and that means
/// nothing here stands in `others`, so that no dialect drops it without a word.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// The name that the client asked for.
    pub model: Text<'a>,
    /// In the client's order; never empty.
    pub messages: Vec<Message<'a>>,
    pub tools: Vec<Tool<'a>>,
    pub tool_choice: Option<ToolChoice<'a>>,
    pub parallel_tool_calls: Option<bool>,
    pub format: Format<'a>,
    /// The most tokens that the answer may have, thinking included.
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    pub seed: Option<i128>,
    /// Texts that end the answer.
    pub stop: Vec<Text<'a>>,
    /// How many answers are wanted; 1 when `None`.
    pub choices: Option<u32>,
    pub logprobs: bool,
    /// How many alternatives are wanted for each token.
    pub top_logprobs: Option<u32>,
    pub effort: Option<Effort>,
    /// Who the end user is, in the client's own words.
    pub user: Option<Text<'a>>,
    /// An opaque id of the end user, for the vendor's own watch over abuse.
    pub safety_identifier: Option<Text<'a>>,
    /// How urgent the request is, in OpenAI's words (`default`, `flex`, `priority`).
    pub service_tier: Option<Text<'a>>,
    pub stream: bool,
    /// Whether a stream ends with an event of its usage.
    pub stream_usage: bool,
    pub others: Vec<Other>,
}

/// Something that the client's dialect has and the conversation has no word for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Where it stands in the client's body (`logit_bias`, `messages[1].audio`).
    pub path: String,
    /// Whether it is part of what is said, rather than of how to answer: leaving it out would change the question.
    pub content: bool,
}

/// One message.
#[derive(Debug)]
pub struct Message<'a> {
    pub role: Role,
    /// Who among several of the same role speaks.
    pub name: Option<Text<'a>>,
    pub parts: Vec<Part<'a>>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The platform or the developer: instructions.
    System,
    User,
    Assistant,
    /// A tool that the assistant has called; its message holds [`Part::ToolResult`]s only.
    Tool,
}

/// A piece of a message.
#[derive(Debug)]
pub enum Part<'a> {
    Text(Text<'a>),
    /// The assistant declined, in these words.
    Refusal(Text<'a>),
    /// The assistant's thinking.
    Reasoning(Reasoning<'a>),
    Media(Media<'a>),
    ToolCall(ToolCall<'a>),
    ToolResult(ToolResult<'a>),
}

/// Thinking that a model has shown.
#[derive(Debug)]
pub struct Reasoning<'a> {
    pub text: Text<'a>,
    /// By which the vendor knows its own thinking again.
    pub signature: Option<Text<'a>>,
}

/// An image, a recording or a file.
#[derive(Debug)]
pub struct Media<'a> {
    pub kind: MediaKind,
    pub source: MediaSource<'a>,
    /// Where it stands in the client's body, to name it in an error.
    pub path: String,
}

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    Image,
    Audio,
    File,
}

/// Where a medium's bytes are.
#[derive(Debug)]
pub enum MediaSource<'a> {
    /// To be fetched by the provider.
    Url(Text<'a>),
    /// In place.
    Base64 { media_type: Text<'a>, data: Text<'a>, file_name: Option<Text<'a>> },
    /// Kept by the vendor under an id.
    File(Text<'a>),
}

/// The assistant's wish to have a tool called.
#[derive(Debug)]
pub struct ToolCall<'a> {
    pub id: Text<'a>,
    pub name: Text<'a>,
    /// JSON text, as the model wrote it; it need not be valid.
    pub arguments: Text<'a>,
    /// By which the vendor knows the thinking behind the call again.
    pub signature: Option<Text<'a>>,
}

/// What a tool answered.
#[derive(Debug)]
pub struct ToolResult<'a> {
    /// The id of the call.
    pub call: Text<'a>,
    /// Texts and media.
    pub parts: Vec<Part<'a>>,
}

/// A function that the model may call.
#[derive(Debug)]
pub struct Tool<'a> {
    pub name: Text<'a>,
    pub description: Option<Text<'a>>,
    /// JSON Schema of its arguments; none when it takes nothing.
    pub parameters: Option<Raw<'a>>,
    /// Whether the arguments must obey the schema to the letter.
    pub strict: bool,
}

/// Which tools may or must be called.
#[derive(Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    Auto,
    None,
    Required,
    Named(Text<'a>),
    /// Any of these; one of them has to be called when `required`.
    Allowed {
        names: Vec<Text<'a>>,
        required: bool,
    },
}

/// The form of the answer.
#[derive(Debug, Default)]
pub enum Format<'a> {
    #[default]
    Text,
    /// Any JSON object.
    Json,
    Schema(JsonSchema<'a>),
}

/// A JSON Schema for the answer.
#[derive(Debug)]
pub struct JsonSchema<'a> {
    pub name: Text<'a>,
    pub description: Option<Text<'a>>,
    pub schema: Option<Raw<'a>>,
    pub strict: bool,
}

/// How much a model should think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}
