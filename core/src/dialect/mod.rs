//! The wire formats, and the matrix of who can be served by whom: one folder for each dialect.
//!
//! | client ↓ provider → | `openai` | `anthropic` | `gemini` |
//! |---|---|---|---|
//! | OpenAI Chat Completions | untouched | translated | translated |

mod anthropic;
mod failures;
mod gemini;
mod lacks;
mod openai;

pub(crate) use failures::{is_about_the_gateway, provider_failure};
pub use lacks::Lacks;
pub use openai::ChatEncoder;

use crate::conversation::{Answer, Event, Request};
use crate::failure::Failure;
use crate::policy::{Authentication, Secret};

/// The wire format that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientDialect {
    /// `POST /v1/chat/completions`
    OpenAiChat,
}

/// The wire format that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderDialect {
    /// OpenAI's API, and whatever is compatible with it.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API (generateContent).
    Gemini,
}

/// What a target wants of a request, besides the conversation.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The provider's own name of the model.
    pub model: &'a str,
    /// The limit of tokens where the dialect requires one and the client gave none.
    pub default_max_tokens: Option<u32>,
}

/// A request as a provider gets it.
#[derive(Debug)]
pub struct Encoded {
    pub body: Vec<u8>,
    /// Headers that go with the body, besides the credential.
    pub headers: &'static [(&'static str, &'static str)],
}

impl ClientDialect {
    /// The dialect of a request's method and path (without the query), where it is one that is served.
    pub fn of(method: &str, path: &str) -> Option<Self> {
        match (method, path) {
            ("POST", "/v1/chat/completions" | "/chat/completions") => Some(Self::OpenAiChat),
            _ => None,
        }
    }

    /// Reads a client's body.
    pub fn decode(self, body: &[u8]) -> Result<Request<'_>, Failure> {
        match self {
            Self::OpenAiChat => openai::decode_request(body),
        }
    }

    /// Writes a whole answer. `now`: seconds since the Unix epoch.
    pub fn encode(self, answer: &Answer<'_>, now: u64) -> Vec<u8> {
        match self {
            Self::OpenAiChat => openai::encode_answer(answer, now),
        }
    }

    /// Writes a failure as the body of an error response.
    pub fn encode_failure(self, failure: &Failure) -> Vec<u8> {
        match self {
            Self::OpenAiChat => openai::encode_failure(failure),
        }
    }

    /// Whether the provider's dialect is the client's own, so that bodies pass as they are.
    pub fn is_native_to(self, provider: ProviderDialect) -> bool {
        match (self, provider) {
            (Self::OpenAiChat, ProviderDialect::OpenAi) => true,
            (Self::OpenAiChat, ProviderDialect::Anthropic | ProviderDialect::Gemini) => false,
        }
    }

    /// The same request for a provider of the client's own dialect, under the provider's name of the model; `None` when
    /// the client's bytes are just that. `mixed`: whether providers of other dialects may have answered before.
    pub fn adapt(self, body: &[u8], request: &Request<'_>, model: &str, mixed: bool) -> Option<Vec<u8>> {
        match self {
            Self::OpenAiChat => openai::adapt(body, request, model, mixed),
        }
    }
}

impl ProviderDialect {
    /// Every dialect that providers may have.
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    /// Every header in which some provider expects a credential; a request carries at most one of them.
    pub const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

    /// The word for it in the policy document.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The header that carries this credential.
    pub(crate) fn authentication(self, credential: &str) -> Authentication {
        let (header, value) = match self {
            Self::OpenAi => ("authorization", format!("Bearer {credential}")),
            Self::Anthropic => ("x-api-key", credential.to_owned()),
            Self::Gemini => ("x-goog-api-key", credential.to_owned()),
        };
        Authentication { header, value: Secret::new(value) }
    }

    /// The path, with its query, of a request for a model; it stands behind the endpoint's own path.
    pub fn path(self, model: &str, stream: bool) -> String {
        match self {
            Self::OpenAi => openai::PATH.to_owned(),
            Self::Anthropic => anthropic::PATH.to_owned(),
            Self::Gemini => gemini::path(model, stream),
        }
    }

    /// Writes a request. What the dialect can't do is left out and noted in `lacks`; an error means that the request
    /// contradicts itself (a tool's result without its call, an image that is not base64).
    pub fn encode(
        self,
        request: &Request<'_>,
        wanted: Wanted<'_>,
        lacks: &mut Lacks,
    ) -> Result<Encoded, Failure> {
        match self {
            Self::OpenAi => Err(no_translation()),
            Self::Anthropic => anthropic::encode_request(request, wanted, lacks),
            Self::Gemini => gemini::encode_request(request, wanted, lacks),
        }
    }

    /// Whether a request can be written: like [`encode`](Self::encode), but nothing is, so it costs less.
    pub fn check(self, request: &Request<'_>, wanted: Wanted<'_>, lacks: &mut Lacks) -> Result<(), Failure> {
        match self {
            Self::OpenAi => Err(no_translation()),
            Self::Anthropic => anthropic::check_request(request, wanted, lacks),
            Self::Gemini => gemini::check_request(request, wanted, lacks),
        }
    }

    /// Reads a whole successful answer. An error means that the body is not an answer of this dialect, or that it
    /// says that the request failed.
    pub fn decode(self, body: &[u8]) -> Result<Answer<'_>, Failure> {
        match self {
            Self::OpenAi => openai::decode_answer(body),
            Self::Anthropic => anthropic::decode_answer(body),
            Self::Gemini => gemini::decode_answer(body),
        }
    }

    /// Reads an error response: `status` is the provider's, the failure's is what the client gets.
    pub fn decode_failure(self, status: u16, body: &[u8]) -> Failure {
        match self {
            Self::OpenAi => openai::decode_failure(status, body),
            Self::Anthropic => anthropic::decode_failure(status, body),
            Self::Gemini => gemini::decode_failure(status, body),
        }
    }

    /// A reader for one streamed answer.
    pub fn stream(self) -> ProviderStream {
        match self {
            Self::OpenAi => ProviderStream::OpenAi(openai::ChunkReader::default()),
            Self::Anthropic => ProviderStream::Anthropic(Box::default()),
            Self::Gemini => ProviderStream::Gemini(Box::default()),
        }
    }
}

/// The one client dialect there is passes to OpenAI as it is.
fn no_translation() -> Failure {
    Failure::operator("No other dialect is translated to OpenAI's.")
}

/// Reads the server-sent events of one streamed answer.
#[derive(Debug)]
pub enum ProviderStream {
    OpenAi(openai::ChunkReader),
    Anthropic(Box<anthropic::StreamReader>),
    Gemini(Box<gemini::StreamReader>),
}

impl ProviderStream {
    /// Takes one server-sent event: its `event:` name (empty when it has none) and its data.
    ///
    /// After [`Event::Error`] or [`Event::End`] nothing more is emitted.
    pub fn event(&mut self, name: &str, data: &str, emit: &mut dyn FnMut(Event<'_>)) {
        match self {
            Self::OpenAi(reader) => reader.event(data, emit),
            Self::Anthropic(reader) => reader.event(name, data, emit),
            Self::Gemini(reader) => reader.event(data, emit),
        }
    }

    /// The stream has ended: emits what was missing, an error when the answer was not complete.
    pub fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        match self {
            Self::OpenAi(reader) => reader.end(emit),
            Self::Anthropic(reader) => reader.end(emit),
            Self::Gemini(reader) => reader.end(emit),
        }
    }
}
