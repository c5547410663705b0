//! The matrix: which client's call can be served where, and how.

use super::{Call, ClientDialect, Native, Preset, ProviderDialect, bedrock, openai, vertex};
use crate::policy::Endpoint;
use crate::task::TaskKind;

/// What becomes of a client's call at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Both sides speak one dialect: the client's bytes go, but for what must change.
    AsItIs,
    Translated,
    /// There is no such work there: the destination is passed over.
    Unsupported,
}

/// Where a call goes, as far as it decides whether it can be served there, and how.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    pub dialect: ProviderDialect,
    /// What is different about a vendor that is compatible with OpenAI.
    pub preset: Option<&'static Preset>,
    pub endpoint: &'a Endpoint,
    /// The provider's own name of the model.
    pub model: &'a str,
}

impl Support {
    /// What becomes of calls of this client's API. A single call may be translated though its API goes as it is
    /// ([`Call::array`]).
    pub fn of(client: ClientDialect, to: Destination<'_>) -> Self {
        let is_native = || Native::of(&Call::plain(client), to).is_some();
        match to.serves(client.kind()) {
            false => Self::Unsupported,
            true if is_native() => Self::AsItIs,
            true => Self::Translated,
        }
    }

    /// The word for it in the documentation.
    pub fn word(self) -> &'static str {
        match self {
            Self::AsItIs => "as it is",
            Self::Translated => "translated",
            Self::Unsupported => "–",
        }
    }
}

impl Destination<'_> {
    /// Whether it is OpenAI itself.
    pub(super) fn is_openai(self) -> bool {
        self.dialect == ProviderDialect::OpenAi && openai::is_host(&self.endpoint.host)
    }

    /// Whether it is Claude under Anthropic's format at Google Cloud.
    pub(super) fn is_claude_at_vertex(self) -> bool {
        self.dialect == ProviderDialect::Vertex && vertex::is_claude(self.model)
    }

    /// Whether there is a way to do this kind of work there. A provider of OpenAI's dialect of which nothing is known is
    /// taken to have what most servers have.
    fn serves(self, kind: TaskKind) -> bool {
        use ProviderDialect as At;
        let has = self.preset.map(|preset| preset.has);
        match (self.dialect, kind) {
            (_, TaskKind::Conversation) => true,
            (At::OpenAi, TaskKind::CountTokens) => self.is_openai(),
            (At::AzureOpenAi | At::Cohere, TaskKind::CountTokens) => false,
            (At::Anthropic | At::Gemini | At::Vertex | At::Bedrock, TaskKind::CountTokens) => true,
            (At::OpenAi, TaskKind::Embeddings) => has.is_none_or(|has| has.embeddings),
            (At::AzureOpenAi | At::Gemini | At::Cohere, TaskKind::Embeddings) => true,
            (At::Anthropic, TaskKind::Embeddings) => false,
            (At::Vertex, TaskKind::Embeddings) => !self.is_claude_at_vertex(),
            (At::Bedrock, TaskKind::Embeddings) => bedrock::embeds(self.model),
            (At::OpenAi, TaskKind::Rerank) => has.map_or(!self.is_openai(), |has| has.rerank),
            (At::Bedrock, TaskKind::Rerank) => bedrock::ranks(self.model),
            (At::Cohere, TaskKind::Rerank) => true,
            (At::AzureOpenAi | At::Anthropic | At::Gemini | At::Vertex, TaskKind::Rerank) => false,
        }
    }
}
