//! The wire formats that providers speak: each function goes to the dialect's own folder.

use super::{Lacks, anthropic, azure, bedrock, cohere, gemini, openai, vertex};
use crate::conversation::Event;
use crate::credential::{Authentication, Secret};
use crate::failure::Failure;
use crate::policy::Provider;
use crate::task::{Outcome, Task, TaskKind};
use crate::usage::{ServiceTier, Usage};

/// The wire format that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderDialect {
    /// OpenAI's API, and whatever is compatible with it.
    OpenAi,
    /// OpenAI's models at Azure: the same bodies under paths with a deployment and a version.
    AzureOpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API (generateContent).
    Gemini,
    /// Google Cloud's Vertex AI: Gemini, and Claude under Anthropic's format.
    Vertex,
    /// Amazon Bedrock: Converse, and InvokeModel for embeddings.
    Bedrock,
    /// Cohere's API, version 2.
    Cohere,
}

/// What a target wants of a request, besides the task.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The provider's own name of the model.
    pub model: &'a str,
    /// The limit of tokens where the dialect requires one and the client gave none.
    pub default_max_tokens: Option<u32>,
    pub provider: &'a Provider,
}

/// A request as a provider gets it, by `POST`.
#[derive(Debug)]
pub struct Encoded {
    /// With its query; it stands behind the endpoint's own path.
    pub path: String,
    pub body: Vec<u8>,
    /// Headers that go with the body, besides the credential.
    pub headers: &'static [(&'static str, &'static str)],
}

/// Reads the events of one streamed answer.
#[derive(Debug)]
pub enum ProviderStream {
    OpenAi(Box<openai::ChunkReader>),
    Responses(Box<openai::responses::StreamReader>),
    Completions(openai::completions::StreamReader),
    Anthropic(Box<anthropic::StreamReader>),
    Gemini(Box<gemini::StreamReader>),
    Bedrock(Box<bedrock::StreamReader>),
    Cohere(Box<cohere::StreamReader>),
}

impl ProviderDialect {
    /// Every dialect that providers may have.
    pub const ALL: [Self; 7] = [
        Self::OpenAi,
        Self::AzureOpenAi,
        Self::Anthropic,
        Self::Gemini,
        Self::Vertex,
        Self::Bedrock,
        Self::Cohere,
    ];

    /// Every header in which some provider expects a credential; a request carries at most one of them.
    pub const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

    /// The word for it in the policy document.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::AzureOpenAi => "azure_openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
        }
    }

    /// The header that carries this credential.
    pub(crate) fn authentication(self, credential: &str) -> Authentication {
        let (name, value) = match self {
            // Bedrock's own API keys are bearer tokens, as are Google Cloud's access tokens.
            Self::OpenAi | Self::Vertex | Self::Bedrock | Self::Cohere => {
                ("authorization", format!("Bearer {credential}"))
            }
            Self::AzureOpenAi => ("api-key", credential.to_owned()),
            Self::Anthropic => ("x-api-key", credential.to_owned()),
            Self::Gemini => ("x-goog-api-key", credential.to_owned()),
        };
        Authentication::Header { name, value: Secret::new(value) }
    }

    /// Writes a request. What the dialect can't do is left out and noted in `lacks`; an error means that the request
    /// contradicts itself (a tool's result without its call, an image that is not base64), or that the dialect does not
    /// do such work at all.
    pub fn encode(self, task: &Task<'_>, wanted: Wanted<'_>, lacks: &mut Lacks) -> Result<Encoded, Failure> {
        match self {
            Self::OpenAi => openai::encode_task(task, wanted, lacks),
            Self::AzureOpenAi => azure::encode_task(task, wanted, lacks),
            Self::Anthropic => anthropic::encode_task(task, wanted, lacks),
            Self::Gemini => gemini::encode_task(task, wanted, lacks),
            Self::Vertex => vertex::encode_task(task, wanted, lacks),
            Self::Bedrock => bedrock::encode_task(task, wanted, lacks),
            Self::Cohere => cohere::encode_task(task, wanted, lacks),
        }
    }

    /// Whether a request can be written: like [`encode`](Self::encode), but nothing is, so it costs less.
    pub fn check(self, task: &Task<'_>, wanted: Wanted<'_>, lacks: &mut Lacks) -> Result<(), Failure> {
        match self {
            Self::Anthropic => anthropic::check_task(task, wanted, lacks),
            Self::Gemini => gemini::check_task(task, wanted, lacks),
            _ => self.encode(task, wanted, lacks).map(drop),
        }
    }

    /// Reads a whole successful answer for work of this kind. An error means that the body is not an answer of this
    /// dialect, or that it says that the request failed. `model`: what the provider was asked for.
    pub fn decode<'a>(self, kind: TaskKind, model: &str, body: &'a [u8]) -> Result<Outcome<'a>, Failure> {
        match self {
            Self::OpenAi | Self::AzureOpenAi => openai::decode_outcome(kind, body),
            Self::Anthropic => anthropic::decode_outcome(kind, body),
            Self::Gemini => gemini::decode_outcome(kind, body),
            Self::Vertex => vertex::decode_outcome(kind, model, body),
            Self::Bedrock => bedrock::decode_outcome(kind, model, body),
            Self::Cohere => cohere::decode_outcome(kind, body),
        }
    }

    /// What the headers of a successful response tell of its usage, where its body may not; `header` looks one up.
    pub fn header_usage(self, kind: TaskKind, header: &dyn Fn(&str) -> Option<String>) -> Option<Usage> {
        match self {
            Self::Bedrock => bedrock::header_usage(kind, header),
            _ => None,
        }
    }

    /// Reads an error response: `status` is the provider's, the failure's is what the client gets.
    pub fn decode_failure(self, status: u16, body: &[u8]) -> Failure {
        match self {
            Self::OpenAi => openai::decode_failure(status, body),
            Self::AzureOpenAi => azure::decode_failure(status, body),
            Self::Anthropic => anthropic::decode_failure(status, body),
            Self::Gemini => gemini::decode_failure(status, body),
            Self::Vertex => vertex::decode_failure(status, body),
            Self::Bedrock => bedrock::decode_failure(status, body),
            Self::Cohere => cohere::decode_failure(status, body),
        }
    }

    /// A reader for one streamed answer. `model`: what the provider was asked for.
    pub fn stream(self, model: &str) -> ProviderStream {
        match self {
            Self::OpenAi | Self::AzureOpenAi => ProviderStream::OpenAi(Box::default()),
            Self::Anthropic => ProviderStream::Anthropic(Box::default()),
            Self::Gemini => ProviderStream::Gemini(Box::default()),
            Self::Vertex if vertex::is_claude(model) => ProviderStream::Anthropic(Box::default()),
            Self::Vertex => ProviderStream::Gemini(Box::default()),
            Self::Bedrock => ProviderStream::Bedrock(Box::new(bedrock::StreamReader::new(model))),
            Self::Cohere => ProviderStream::Cohere(Box::default()),
        }
    }
}

impl ProviderStream {
    /// How the provider has said so far that it serves the request, where it doesn't say that with the usage.
    pub fn tier(&self) -> ServiceTier {
        match self {
            Self::OpenAi(reader) => reader.tier(),
            Self::Responses(reader) => reader.tier(),
            _ => ServiceTier::Standard,
        }
    }

    /// Takes one event: its name (empty when it has none) and its data. The events of a stream of Amazon's are named by
    /// their `:event-type`, or by `exception:` and their `:exception-type`.
    ///
    /// After [`Event::Error`] or [`Event::End`] nothing more is emitted.
    pub fn event(&mut self, name: &str, data: &str, emit: &mut dyn FnMut(Event<'_>)) {
        match self {
            Self::OpenAi(reader) => reader.event(data, emit),
            Self::Responses(reader) => reader.event(name, data, emit),
            Self::Completions(reader) => reader.event(data, emit),
            Self::Anthropic(reader) => reader.event(name, data, emit),
            Self::Gemini(reader) => reader.event(data, emit),
            Self::Bedrock(reader) => reader.event(name, data, emit),
            Self::Cohere(reader) => reader.event(name, data, emit),
        }
    }

    /// The stream has ended: emits what was missing, an error when the answer was not complete.
    pub fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        match self {
            Self::OpenAi(reader) => reader.end(emit),
            Self::Responses(reader) => reader.end(emit),
            Self::Completions(reader) => reader.end(emit),
            Self::Anthropic(reader) => reader.end(emit),
            Self::Gemini(reader) => reader.end(emit),
            Self::Bedrock(reader) => reader.end(emit),
            Self::Cohere(reader) => reader.end(emit),
        }
    }
}
