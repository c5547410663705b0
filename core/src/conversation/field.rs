//! The parts of a request by which refusals name them; each client's dialect has its own word for each.

use super::MediaKind;

/// Where something stands in the client's body: positions in the lists that lead to it, outermost first, as that dialect
/// counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Of a message, an input item, a tool.
    pub item: u32,
    /// Of a part in it, a tool call in it.
    pub part: u32,
}

impl Place {
    /// The place of a whole item.
    pub fn item(item: usize) -> Self {
        Self::part(item, 0)
    }

    /// The place of a part of an item.
    pub fn part(item: usize, part: usize) -> Self {
        let narrow = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
        Self { item: narrow(item), part: narrow(part) }
    }
}

/// Something of a request that a provider may lack, or that may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    Model,
    Messages,
    MaxTokens,
    Temperature,
    TopP,
    TopK,
    PresencePenalty,
    FrequencyPenalty,
    Seed,
    Stop,
    Choices,
    Logprobs,
    TopLogprobs,
    /// How much to think, or whether.
    Effort,
    /// [`Request::thinking`](super::Request::thinking)
    Thinking,
    Verbosity,
    User,
    SafetyIdentifier,
    ServiceTier,
    /// The form of the answer.
    Format,
    FormatSchema,
    FormatDescription,
    Tools,
    Tool(Place),
    ToolStrict(Place),
    /// The form of a custom tool's text.
    ToolFormat(Place),
    ToolChoice,
    /// The tools among which a choice allows.
    AllowedTools,
    ParallelToolCalls,
    MessageName(Place),
    MessageContent(Place),
    Media(Place, MediaKind),
    /// The URL or the data of a medium.
    MediaSource(Place, MediaKind),
    /// The arguments of a call in the history.
    Arguments(Place),
    /// The id by which a result names its call.
    ResultCall(Place),
    /// That a tool failed.
    ResultFailed(Place),
    CacheMark(Place),
    /// The texts of a request for embeddings.
    Input,
    Dimensions,
    EncodingFormat,
    /// What a request for a ranking asks about.
    Query,
    Documents,
    TopN,
    /// By its path in the client's body.
    Path(&'a str),
}
