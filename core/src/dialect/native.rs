//! Requests for providers of the client's own dialect: the client's bytes, but for what must change.

use super::{
    Call, ClientDialect, Destination, Lacks, ProviderDialect, ProviderStream, Wanted, anthropic, azure,
    gemini, openai, vertex,
};
use crate::failure::Failure;
use crate::task::{Outcome, Task, TaskKind};
use crate::usage::estimate;

/// How a client's own dialect is spoken at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Native {
    /// Chat completions.
    Chat,
    Responses,
    Completions,
    /// Embeddings and rankings, which have one form only.
    Plain,
    /// Anthropic's messages, and the counting of their tokens.
    Messages,
    /// Gemini's contents, and the counting of their tokens.
    Contents,
}

/// A request in the client's own dialect.
#[derive(Debug)]
pub(crate) struct Adapted {
    /// With its query; it stands behind the endpoint's own path.
    pub(crate) path: String,
    /// `None` when the client's bytes are just what the provider has to get.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Whether the provider was asked for a usage that the client did not ask for.
    pub(crate) hides_usage: bool,
}

impl Native {
    /// How this call is understood there as it is; `None` where it has to be translated.
    pub(crate) fn of(call: &Call, to: Destination<'_>) -> Option<Self> {
        use ClientDialect as Client;
        use ProviderDialect as At;
        let has = to.preset.map(|preset| preset.has);
        let claude = to.is_claude_at_vertex();
        match (call.dialect, to.dialect) {
            (Client::OpenAiChat, At::OpenAi | At::AzureOpenAi) => Some(Self::Chat),
            (Client::OpenAiResponses, At::OpenAi) => match has {
                Some(has) => has.responses.then_some(Self::Responses),
                None => to.is_openai().then_some(Self::Responses),
            },
            (Client::OpenAiResponses, At::AzureOpenAi) => Some(Self::Responses),
            (Client::OpenAiCompletions, At::OpenAi) => {
                has.is_none_or(|has| has.completions).then_some(Self::Completions)
            }
            (Client::OpenAiCompletions, At::AzureOpenAi) => Some(Self::Completions),
            (Client::OpenAiEmbeddings, At::OpenAi | At::AzureOpenAi) => Some(Self::Plain),
            (Client::JinaRerank, At::OpenAi) | (Client::CohereRerank, At::Cohere) => Some(Self::Plain),
            (Client::Anthropic | Client::AnthropicTokens, At::Anthropic) => Some(Self::Messages),
            (Client::Anthropic | Client::AnthropicTokens, At::Vertex) if claude => Some(Self::Messages),
            // A stream as one JSON array is taken apart event by event, and no provider is asked for one.
            (Client::Gemini | Client::GeminiTokens, At::Gemini) if !call.array => Some(Self::Contents),
            (Client::Gemini | Client::GeminiTokens, At::Vertex) if !call.array && !claude => {
                Some(Self::Contents)
            }
            _ => None,
        }
    }

    /// Reads of a whole answer what the gateway itself needs.
    pub(crate) fn decode<'a>(
        self,
        client: ClientDialect,
        provider: ProviderDialect,
        body: &'a [u8],
    ) -> Result<Outcome<'a>, Failure> {
        match self {
            Self::Responses => openai::responses::decode_outcome(body),
            Self::Completions => openai::completions::decode_outcome(body),
            Self::Messages => anthropic::decode_outcome(client.kind(), body),
            Self::Contents => gemini::decode_outcome(client.kind(), body),
            Self::Chat | Self::Plain if provider == ProviderDialect::Cohere => {
                super::cohere::decode_outcome(client.kind(), body)
            }
            Self::Chat | Self::Plain => openai::decode_native(client.kind(), body),
        }
    }

    /// About how many tokens a whole answer has of which [`decode`](Self::decode) has read no words; zero where none are found.
    pub(crate) fn said(self, provider: ProviderDialect, body: &[u8]) -> u64 {
        match self {
            Self::Chat => match provider.decode(TaskKind::Conversation, "", body) {
                Ok(Outcome::Conversation(answer)) => estimate::output(&answer),
                _ => 0,
            },
            // With the frames of its items, and without what it repeats of the request.
            Self::Responses => openai::responses::output(body).map_or(0, estimate::text),
            _ => 0,
        }
    }

    /// A reader for one streamed answer.
    pub(crate) fn stream(self) -> Option<ProviderStream> {
        Some(match self {
            Self::Chat => ProviderStream::OpenAi(Box::default()),
            Self::Responses => ProviderStream::Responses(Box::default()),
            Self::Completions => ProviderStream::Completions(openai::completions::StreamReader::default()),
            Self::Messages => ProviderStream::Anthropic(Box::default()),
            Self::Contents => ProviderStream::Gemini(Box::default()),
            Self::Plain => return None,
        })
    }
}

/// Makes the request for a provider of the client's own dialect. `mixed`: whether providers of other dialects may have
/// answered before, so that what only our answers have comes back in the history.
pub(crate) fn adapt(
    native: Native,
    call: &Call,
    body: &[u8],
    task: &Task<'_>,
    wanted: Wanted<'_>,
    mixed: bool,
    lacks: &mut Lacks,
) -> Result<Adapted, Failure> {
    match (native, wanted.provider.dialect) {
        (Native::Messages, ProviderDialect::Vertex) => vertex::adapt_messages(call, body, task, wanted),
        (Native::Messages, _) => anthropic::adapt(call, body, task, wanted),
        (Native::Contents, ProviderDialect::Vertex) => vertex::adapt_contents(call, body, task, wanted),
        (Native::Contents, _) => gemini::adapt(body, task, wanted),
        (_, ProviderDialect::AzureOpenAi) => azure::adapt(native, body, task, wanted, mixed, lacks),
        (Native::Plain, ProviderDialect::Cohere) => super::cohere::adapt(body, task, wanted),
        _ => openai::adapt(native, body, task, wanted, mixed, lacks),
    }
}
