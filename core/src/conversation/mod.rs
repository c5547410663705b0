//! The canonical conversation: what every client's request becomes, and what every provider's is made from.

mod answer;
mod field;
mod signature;

use serde::{Deserialize, Serialize};

pub use answer::{Answer, Choice, Event, Finish, TokenChance, TokenLogprob};
pub use field::{Field, Place};
pub use signature::{Maker, Signature};

use crate::json::{Raw, Text, object};

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
    /// How many of the likeliest tokens are drawn from.
    pub top_k: Option<u64>,
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
    /// How to think, where the client says more than how much effort.
    pub thinking: Option<Thinking>,
    /// Whether the client wants to read the thinking; `None` leaves it to the vendor.
    pub show_thinking: Option<bool>,
    /// How long the answer should be, in OpenAI's words (`low`, `medium`, `high`).
    pub verbosity: Option<Text<'a>>,
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
    pub at: Place,
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
    /// What the vendor may keep for later requests ends here: behind the part before, or the message before where it is
    /// the first. Advice: a dialect without a word for it leaves it out and names it.
    CacheMark(CacheMark<'a>),
}

/// Where a prompt may be cached up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMark<'a> {
    /// How long, in Anthropic's words (`5m`, `1h`); the vendor's own default when `None`.
    pub ttl: Option<Text<'a>>,
    pub at: Place,
}

/// Thinking that a model has shown, or that it keeps to itself.
#[derive(Debug, Default)]
pub struct Reasoning<'a> {
    /// Empty where the vendor shows none of it.
    pub text: Text<'a>,
    /// By which the vendor knows its own thinking again.
    pub signature: Option<Signature<'a>>,
    /// The thinking itself, readable only by the vendor (Anthropic's `redacted_thinking`, OpenAI's `encrypted_content`).
    pub hidden: Option<Signature<'a>>,
    /// The vendor's id of this piece of thinking (OpenAI Responses `rs_…`).
    pub id: Option<Text<'a>>,
}

/// An image, a recording or a file.
#[derive(Debug)]
pub struct Media<'a> {
    pub kind: MediaKind,
    pub source: MediaSource<'a>,
    pub at: Place,
}

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    Image,
    Audio,
    Video,
    File,
}

impl MediaKind {
    /// What a medium of this type is (`image/png`).
    pub fn of(media_type: &str) -> Self {
        match media_type.split('/').next().unwrap_or_default() {
            "image" => Self::Image,
            "audio" => Self::Audio,
            "video" => Self::Video,
            _ => Self::File,
        }
    }
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
    /// Plain text in place, of a file.
    Text { text: Text<'a>, file_name: Option<Text<'a>> },
}

/// The assistant's wish to have a tool called.
#[derive(Debug)]
pub struct ToolCall<'a> {
    pub id: Text<'a>,
    pub name: Text<'a>,
    /// JSON text, as the model wrote it; it need not be valid. Of a [custom](Tool::custom) tool: free text.
    pub arguments: Text<'a>,
    /// Whether the tool is a custom one, so that `arguments` is no JSON.
    pub custom: bool,
    /// By which the vendor knows the thinking behind the call again.
    pub signature: Option<Signature<'a>>,
    pub at: Place,
}

/// What a tool answered.
#[derive(Debug)]
pub struct ToolResult<'a> {
    /// The id of the call.
    pub call: Text<'a>,
    /// Texts and media.
    pub parts: Vec<Part<'a>>,
    /// Whether the tool failed, by the client's word.
    pub failed: bool,
    pub at: Place,
}

/// A function that the model may call.
#[derive(Debug, Default)]
pub struct Tool<'a> {
    pub name: Text<'a>,
    pub description: Option<Text<'a>>,
    /// JSON Schema of its arguments; none when it takes nothing.
    pub parameters: Option<Raw<'a>>,
    /// Whether the arguments must obey the schema to the letter; `None` where the client doesn't say.
    pub strict: Option<bool>,
    /// A custom tool takes free text in place of arguments: [`Self::parameters`] is `None` then. A dialect without such
    /// tools offers a function with one string, [`Self::CUSTOM_INPUT`].
    pub custom: Option<CustomTool<'a>>,
    /// What the vendor may keep for later requests ends behind this tool.
    pub cache: Option<CacheMark<'a>>,
    pub at: Place,
}

/// What is special of a custom tool.
#[derive(Clone, Copy, Debug)]
pub struct CustomTool<'a> {
    /// The form of its text, in OpenAI's words (`{"type": "grammar", …}`); any text when `None`.
    pub format: Option<Raw<'a>>,
}

impl<'a> CustomTool<'a> {
    /// A tool with this form of text: `{"type": "text"}` says what holds without one.
    pub fn of(format: Option<Raw<'a>>) -> Self {
        object! {
            struct Typed<'a> {
                "type" => kind: Text<'a>,
                ..others
            }
        }
        let is_any_text = |format: &Raw<'a>| {
            format
                .read::<Typed<'a>>()
                .is_ok_and(|typed| typed.kind.as_deref() == Some("text") && typed.others.is_empty())
        };
        Self { format: format.filter(|format| !is_any_text(format)) }
    }
}

impl Tool<'_> {
    /// The one argument of a function that stands for a custom tool.
    pub const CUSTOM_INPUT: &'static str = "input";
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
    pub strict: Option<bool>,
}

/// How a model should think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// Not at all.
    Off,
    /// As it sees fit.
    Adaptive,
    /// With at most so many tokens.
    Budget(u64),
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
