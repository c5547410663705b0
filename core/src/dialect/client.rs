//! The wire formats that clients speak: each function goes to the dialect's own folder.

use super::{Lacks, anthropic, gemini, openai, rerank};
use crate::conversation::{Event, Field, Media, MediaKind, MediaSource, Part};
use crate::failure::Failure;
use crate::rerank::Ranked;
use crate::task::{Outcome, Task, TaskKind};

/// The wire format that a client speaks, told by the method and path of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientDialect {
    /// `POST /v1/chat/completions`
    OpenAiChat,
    /// `POST /v1/responses`
    OpenAiResponses,
    /// `POST /v1/completions`
    OpenAiCompletions,
    /// `POST /v1/embeddings`
    OpenAiEmbeddings,
    /// `POST /v1/messages`
    Anthropic,
    /// `POST /v1/messages/count_tokens`
    AnthropicTokens,
    /// `POST /v1beta/models/<model>:generateContent` and `:streamGenerateContent`
    Gemini,
    /// `POST /v1beta/models/<model>:countTokens`
    GeminiTokens,
    /// `POST /v2/rerank`
    CohereRerank,
    /// `POST /v1/rerank`
    JinaRerank,
}

/// What a client calls: the dialect, and what its path says besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub dialect: ClientDialect,
    /// The model, where the path names it.
    pub model: Option<String>,
    /// Behind the path's question mark.
    pub query: Option<String>,
    /// Whether the path asks for a stream.
    pub stream: bool,
    /// Whether a stream is one JSON array in place of server-sent events (Gemini without `alt=sse`).
    pub array: bool,
    /// Whether the client is one of Mistral's SDKs, which speak OpenAI's dialect, but take a call in a stream only whole and want an
    /// id of vectors.
    pub mistral: bool,
    /// The version of Anthropic's API that the client names.
    pub anthropic_version: Option<String>,
}

/// What of a request shapes its answer, when the answer has to be translated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What to call the model where the provider doesn't tell.
    pub model: String,
    /// Whether a stream ends with its usage, in dialects where the client has a choice.
    pub stream_usage: bool,
    /// [`Call::array`]
    pub array: bool,
    /// [`Call::mistral`]
    pub mistral: bool,
    /// The names of the custom tools: a call of one of them is free text, though the provider may have been offered a function.
    pub custom_tools: Vec<String>,
    /// How many texts are to be embedded, or documents to be ranked; 0 for other work.
    pub items: usize,
    /// What the client's dialect itself keeps of the request for the answer, in a form of its own.
    pub echo: Vec<u8>,
}

/// Writes the events of one streamed answer for a client.
#[derive(Debug)]
pub enum ClientStream {
    Chat(openai::ChatEncoder),
    Responses(Box<openai::responses::StreamWriter>),
    Completions(openai::completions::StreamWriter),
    Anthropic(anthropic::client::StreamWriter),
    Gemini(gemini::client::StreamWriter),
}

impl Call {
    /// What a request's method and path (with its query) call, where it is something that is served.
    pub fn of(method: &str, path: &str) -> Option<Self> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if method != "POST" {
            return None;
        }
        let plain = |dialect| {
            Some(Self { query: (!query.is_empty()).then(|| query.to_owned()), ..Self::plain(dialect) })
        };
        match path {
            "/v1/chat/completions" | "/chat/completions" => plain(ClientDialect::OpenAiChat),
            "/v1/responses" | "/responses" => plain(ClientDialect::OpenAiResponses),
            "/v1/completions" | "/completions" => plain(ClientDialect::OpenAiCompletions),
            "/v1/embeddings" | "/embeddings" => plain(ClientDialect::OpenAiEmbeddings),
            "/v1/messages" => plain(ClientDialect::Anthropic),
            "/v1/messages/count_tokens" => plain(ClientDialect::AnthropicTokens),
            "/v2/rerank" => plain(ClientDialect::CohereRerank),
            "/v1/rerank" | "/rerank" => plain(ClientDialect::JinaRerank),
            _ => gemini::client::call(path, query),
        }
    }

    /// A call of which the path says nothing besides.
    pub(super) fn plain(dialect: ClientDialect) -> Self {
        Self {
            dialect,
            model: None,
            query: None,
            stream: false,
            array: false,
            mistral: false,
            anthropic_version: None,
        }
    }
}

impl ClientDialect {
    /// Every dialect that clients may speak.
    pub const ALL: [Self; 10] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::OpenAiCompletions,
        Self::OpenAiEmbeddings,
        Self::Anthropic,
        Self::AnthropicTokens,
        Self::Gemini,
        Self::GeminiTokens,
        Self::CohereRerank,
        Self::JinaRerank,
    ];

    /// The word for it in the policy document.
    pub fn word(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat_completions",
            Self::OpenAiResponses => "openai_responses",
            Self::OpenAiCompletions => "openai_completions",
            Self::OpenAiEmbeddings => "openai_embeddings",
            Self::Anthropic => "anthropic_messages",
            Self::AnthropicTokens => "anthropic_count_tokens",
            Self::Gemini => "gemini_generate_content",
            Self::GeminiTokens => "gemini_count_tokens",
            Self::CohereRerank => "cohere_rerank",
            Self::JinaRerank => "jina_rerank",
        }
    }

    /// The path that tells it, `<model>` standing for the model's name.
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAiChat => "/v1/chat/completions",
            Self::OpenAiResponses => "/v1/responses",
            Self::OpenAiCompletions => "/v1/completions",
            Self::OpenAiEmbeddings => "/v1/embeddings",
            Self::Anthropic => "/v1/messages",
            Self::AnthropicTokens => "/v1/messages/count_tokens",
            Self::Gemini => "/v1beta/models/<model>:generateContent",
            Self::GeminiTokens => "/v1beta/models/<model>:countTokens",
            Self::CohereRerank => "/v2/rerank",
            Self::JinaRerank => "/v1/rerank",
        }
    }

    /// The kind of work that it asks for.
    pub fn kind(self) -> TaskKind {
        match self {
            Self::OpenAiChat
            | Self::OpenAiResponses
            | Self::OpenAiCompletions
            | Self::Anthropic
            | Self::Gemini => TaskKind::Conversation,
            Self::AnthropicTokens | Self::GeminiTokens => TaskKind::CountTokens,
            Self::OpenAiEmbeddings => TaskKind::Embeddings,
            Self::CohereRerank | Self::JinaRerank => TaskKind::Rerank,
        }
    }

    /// Reads a client's body. A failure names the field that is wrong.
    pub fn decode<'a>(call: &'a Call, body: &'a [u8]) -> Result<Task<'a>, Failure> {
        Ok(match call.dialect {
            Self::OpenAiChat => Task::Conversation(openai::decode_request(body)?),
            Self::OpenAiResponses => Task::Conversation(openai::responses::decode_request(body)?),
            Self::OpenAiCompletions => Task::Conversation(openai::completions::decode_request(body)?),
            Self::OpenAiEmbeddings => Task::Embeddings(openai::embeddings::decode_request(body)?),
            Self::Anthropic => Task::Conversation(anthropic::client::decode_request(body)?),
            Self::AnthropicTokens => Task::CountTokens(anthropic::client::decode_request(body)?),
            Self::Gemini => Task::Conversation(gemini::client::decode_request(call, body)?),
            Self::GeminiTokens => Task::CountTokens(gemini::client::decode_count(call, body)?),
            Self::CohereRerank => Task::Rerank(rerank::decode_cohere(body)?),
            Self::JinaRerank => Task::Rerank(rerank::decode_jina(body)?),
        })
    }

    /// The client's own name of a field, as a path from the body's root.
    pub fn name(self, field: Field<'_>) -> String {
        match self {
            Self::OpenAiChat => openai::name(field),
            Self::OpenAiResponses => openai::responses::name(field),
            Self::OpenAiCompletions => openai::completions::name(field),
            Self::OpenAiEmbeddings => openai::embeddings::name(field),
            Self::Anthropic | Self::AnthropicTokens => anthropic::client::name(field),
            Self::Gemini | Self::GeminiTokens => gemini::client::name(field),
            Self::CohereRerank | Self::JinaRerank => rerank::name(field),
        }
    }

    /// Whether a field that the task has no word for only advises the vendor, and stands in nearly every request of the
    /// dialect's clients: refusing it would refuse them all.
    pub fn is_advice(self, path: &str) -> bool {
        match self {
            Self::OpenAiResponses => openai::responses::is_advice(path),
            Self::Gemini | Self::GeminiTokens => gemini::client::is_advice(path),
            Self::Anthropic | Self::AnthropicTokens => anthropic::client::is_advice(path),
            _ => false,
        }
    }

    /// What of a request shapes its answer. `model`: the provider's own name of the model.
    pub fn asked(call: &Call, task: &Task<'_>, body: &[u8], model: &str) -> Asked {
        let conversation = task.conversation();
        let custom = conversation.into_iter().flat_map(|request| &request.tools);
        Asked {
            model: model.to_owned(),
            stream_usage: conversation.is_some_and(|request| request.stream_usage),
            array: call.array,
            mistral: call.mistral,
            items: match task {
                Task::Embeddings(request) => request.inputs.len(),
                Task::Rerank(request) => request.documents.len(),
                Task::Conversation(_) | Task::CountTokens(_) => 0,
            },
            custom_tools: custom
                .filter(|tool| tool.custom.is_some())
                .map(|tool| tool.name.to_string())
                .collect(),
            echo: match call.dialect {
                Self::OpenAiResponses => openai::responses::echo(body),
                Self::OpenAiEmbeddings => openai::embeddings::echo(body),
                Self::CohereRerank | Self::JinaRerank => rerank::echo(body),
                _ => Vec::new(),
            },
        }
    }

    /// Whether an answer in this dialect has a place for a medium.
    pub fn shows(self, media: &Media<'_>) -> bool {
        let is_in_place = matches!(media.source, MediaSource::Base64 { .. });
        match self {
            Self::Gemini => is_in_place,
            Self::OpenAiResponses => is_in_place && media.kind == MediaKind::Image,
            _ => false,
        }
    }

    /// Writes a whole answer. `now`: seconds since the Unix epoch. An error means that the answer is not one to this
    /// request, or that it holds what the client's dialect has no place for.
    pub fn encode(self, outcome: &Outcome<'_>, asked: &Asked, now: u64) -> Result<Vec<u8>, Failure> {
        self.check(outcome, asked)?;
        Ok(match (self, outcome) {
            (Self::OpenAiChat, Outcome::Conversation(answer)) => openai::encode_answer(answer, asked, now),
            (Self::OpenAiResponses, Outcome::Conversation(answer)) => {
                openai::responses::encode_answer(answer, asked, now)
            }
            (Self::OpenAiCompletions, Outcome::Conversation(answer)) => {
                openai::completions::encode_answer(answer, asked, now)
            }
            (Self::Anthropic, Outcome::Conversation(answer)) => {
                anthropic::client::encode_answer(answer, asked)
            }
            (Self::Gemini, Outcome::Conversation(answer)) => gemini::client::encode_answer(answer, asked),
            (Self::AnthropicTokens, Outcome::CountTokens(count)) => anthropic::client::encode_count(*count),
            (Self::GeminiTokens, Outcome::CountTokens(count)) => gemini::client::encode_count(*count),
            (Self::OpenAiEmbeddings, Outcome::Embeddings(answer)) => {
                openai::embeddings::encode_answer(answer, asked, now)?
            }
            (Self::CohereRerank, Outcome::Rerank(answer)) => rerank::encode_cohere(answer, asked),
            (Self::JinaRerank, Outcome::Rerank(answer)) => rerank::encode_jina(answer, asked),
            _ => return Err(Failure::operator("The answer is not of the kind that was asked for.")),
        })
    }

    fn check(self, outcome: &Outcome<'_>, asked: &Asked) -> Result<(), Failure> {
        match outcome {
            Outcome::Conversation(answer) => {
                let mut parts = answer.choices.iter().flat_map(|choice| &choice.parts);
                let is_lost = |part: &Part<'_>| matches!(part, Part::Media(media) if !self.shows(media));
                if parts.any(is_lost) {
                    return Err(unsayable());
                }
            }
            Outcome::Embeddings(answer) if answer.vectors.len() != asked.items => {
                return Err(Failure::malformed("The provider's answer has not one vector for each text."));
            }
            Outcome::Rerank(answer) => {
                let is_known =
                    |ranked: &Ranked| usize::try_from(ranked.index).is_ok_and(|index| index < asked.items);
                if !answer.results.iter().all(is_known) {
                    return Err(Failure::malformed(
                        "The provider's answer ranks a document that was not sent.",
                    ));
                }
            }
            Outcome::Embeddings(_) | Outcome::CountTokens(_) => {}
        }
        Ok(())
    }

    /// Writes a failure as the body of an error response.
    pub fn encode_failure(self, failure: &Failure) -> Vec<u8> {
        match self {
            Self::OpenAiChat | Self::OpenAiResponses | Self::OpenAiCompletions | Self::OpenAiEmbeddings => {
                openai::encode_failure(failure)
            }
            Self::Anthropic | Self::AnthropicTokens => anthropic::client::encode_failure(failure),
            Self::Gemini | Self::GeminiTokens => gemini::client::encode_failure(failure),
            Self::CohereRerank => rerank::encode_cohere_failure(failure),
            Self::JinaRerank => rerank::encode_jina_failure(failure),
        }
    }

    /// Appends a failure that ends a stream which has begun, in a stream whose bytes are otherwise the provider's own.
    pub fn end_stream(self, failure: &Failure, out: &mut Vec<u8>) {
        match self {
            Self::OpenAiResponses => openai::responses::end_stream(failure, out),
            Self::Anthropic => anthropic::client::end_stream(failure, out),
            // The other streams are plain data events.
            _ => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&self.encode_failure(failure));
                out.extend_from_slice(b"\n\n");
            }
        }
    }

    /// Whether its official SDKs read a stream until the connection says that it is over, whatever event has said so before. To them a
    /// connection that breaks is an error then.
    pub fn is_read_to_its_end(self) -> bool {
        // Those that have `[DONE]` stop there.
        !matches!(self, Self::OpenAiChat | Self::OpenAiCompletions)
    }

    /// Appends a remark of ours to the end of a stream of server-sent events, in a form that the official SDKs pass over.
    pub fn remark(self, name: &str, value: &str, out: &mut Vec<u8>) {
        let text = match self {
            // Google's SDKs take whatever comes for JSON, comments too; of an object they read what they know.
            Self::Gemini => format!("data: {{\"{name}\":\"{value}\"}}\n\n"),
            _ => format!(": {name}={value}\n\n"),
        };
        out.extend_from_slice(text.as_bytes());
    }

    /// A writer for one streamed answer. `now`: seconds since the Unix epoch.
    pub fn stream(self, asked: Asked, now: u64) -> Option<ClientStream> {
        Some(match self {
            Self::OpenAiChat => ClientStream::Chat(openai::ChatEncoder::new(asked, now)),
            Self::OpenAiResponses => {
                ClientStream::Responses(Box::new(openai::responses::StreamWriter::new(asked, now)))
            }
            Self::OpenAiCompletions => {
                ClientStream::Completions(openai::completions::StreamWriter::new(asked, now))
            }
            Self::Anthropic => ClientStream::Anthropic(anthropic::client::StreamWriter::new(asked)),
            Self::Gemini => ClientStream::Gemini(gemini::client::StreamWriter::new(asked)),
            // These are answered whole.
            Self::OpenAiEmbeddings
            | Self::AnthropicTokens
            | Self::GeminiTokens
            | Self::CohereRerank
            | Self::JinaRerank => return None,
        })
    }
}

/// The failure of an answer that holds an image, or the like, which the client's dialect has no place for.
pub(crate) fn unsayable() -> Failure {
    Failure::provider(502, "The provider's answer holds media, which this API has no place for.")
        .code("unsupported_output")
}

impl ClientStream {
    /// Appends what one event becomes to `out`.
    pub fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.event(event, out),
            Self::Responses(writer) => writer.event(event, out),
            Self::Completions(writer) => writer.event(event, out),
            Self::Anthropic(writer) => writer.event(event, out),
            Self::Gemini(writer) => writer.event(event, out),
        }
    }

    /// The media type of the stream.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Gemini(writer) => writer.content_type(),
            _ => "text/event-stream",
        }
    }
}

impl Lacks {
    /// The names of this client's fields.
    pub fn name(&self, field: Field<'_>) -> String {
        self.client().name(field)
    }
}
