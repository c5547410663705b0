//! What the tables of dialects are made of.

use super::{Side, Source, anthropic, gemini, openai, tape};
use crate::dialect::ClientDialect;

/// What a field is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Is {
    /// Nothing of it is text: a word of the protocol, an id, an opaque token, the name of a model or a tool.
    Skip,
    /// All of it is.
    Text,
    /// An object of the client's or the model's own shape: all of it is content, its names and its numbers too.
    Json,
    /// A JSON schema: its words and names are text, and the values that it gives are content.
    Schema,
    /// A part of a text that comes in parts; all that is within it is.
    Delta,
    /// The same, where the text is JSON.
    DeltaJson,
    /// Content in base 64, or a text if its sibling `type` says so.
    Base64,
    /// A URL of data or of something elsewhere.
    Link,
    /// The id of something that lies elsewhere.
    File,
    /// The chances of a text's tokens.
    Tokens,
    /// An object, or a list of such.
    Of(&'static Table),
    /// The same, where the texts are somebody else's.
    From(Source, &'static Table),
}

/// The fields of an object. Names are compared without case and underscores.
#[derive(Debug)]
pub(super) struct Table {
    fields: &'static [(&'static str, Is)],
    /// Where the fields are that are not among these.
    base: Option<&'static Table>,
    /// The others, and what stands in the place of the object if that is a string.
    pub rest: Is,
    pub origin: Origin,
}

/// Whose the texts of an object are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// His whose the texts around it are.
    Around,
    /// Its `role` or its `type` says so.
    ByRole,
    /// A tool's, if it has a member of this name.
    IfThere(&'static str),
}

impl PartialEq for Is {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Is {
    pub(super) fn from(self, source: Source) -> (Self, Source) {
        match self {
            Self::From(source, table) => (Self::Of(table), source),
            Self::Schema => (self, Source::ToolDefinition),
            is => (is, source),
        }
    }
}

impl Table {
    pub(super) const fn new(fields: &'static [(&'static str, Is)]) -> Self {
        Self { fields, base: None, rest: Is::Text, origin: Origin::Around }
    }

    /// What another table says of the fields that this one doesn't have.
    pub(super) const fn base(self, base: &'static Self) -> Self {
        Self { base: Some(base), ..self }
    }

    pub(super) const fn rest(self, rest: Is) -> Self {
        Self { rest, ..self }
    }

    pub(super) const fn origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    pub(super) fn field(&self, name: &str) -> Is {
        let field = self.fields.iter().find(|(field, _)| tape::same_name(field, name));
        match (field, self.base) {
            (Some((_, is)), _) => *is,
            (None, Some(base)) => base.field(name),
            (None, None) => self.rest,
        }
    }

    /// The table of a dialect's bodies.
    pub(super) fn of(dialect: ClientDialect, side: Side) -> &'static Self {
        use ClientDialect as Client;
        match (dialect, side) {
            (Client::OpenAiChat, Side::Request) => &openai::CHAT,
            (Client::OpenAiCompletions, Side::Request) => &openai::COMPLETIONS,
            (Client::OpenAiChat | Client::OpenAiCompletions, Side::Answer) => &openai::COMPLETION,
            (Client::OpenAiChat | Client::OpenAiCompletions, Side::Event) => &openai::CHUNK,
            (Client::OpenAiResponses, Side::Request | Side::Answer) => &openai::RESPONSE,
            (Client::OpenAiResponses, Side::Event) => &openai::RESPONSE_EVENT,
            (Client::OpenAiEmbeddings, Side::Request) => &openai::EMBEDDINGS,
            (Client::OpenAiEmbeddings, _) => &openai::VECTORS,
            (Client::Anthropic | Client::AnthropicTokens, Side::Request) => &anthropic::REQUEST,
            (Client::Anthropic | Client::AnthropicTokens, Side::Answer) => &anthropic::MESSAGE,
            (Client::Anthropic | Client::AnthropicTokens, Side::Event) => &anthropic::EVENT,
            (Client::Gemini | Client::GeminiTokens, Side::Request) => &gemini::REQUEST,
            (Client::Gemini | Client::GeminiTokens, Side::Answer) => &gemini::ANSWER,
            (Client::Gemini | Client::GeminiTokens, Side::Event) => &gemini::EVENT,
            (Client::CohereRerank | Client::JinaRerank, Side::Request) => &RERANK,
            (Client::CohereRerank | Client::JinaRerank, _) => &RANKING,
        }
    }
}

/// A field whose object has nothing to skip but its type.
pub(super) static TYPED: Table = Table::new(&[("type", Is::Skip)]);

/// Which tool is to be called: a word, or a name with its kind.
pub(super) static NAMED: Table = Table::new(&[
    ("type", Is::Skip),
    ("name", Is::Skip),
    ("mode", Is::Skip),
    ("server_label", Is::Skip),
    ("function", Is::Of(&NAMED)),
    ("custom", Is::Of(&NAMED)),
    ("allowed_tools", Is::Of(&NAMED)),
    ("tools", Is::Of(&NAMED)),
]);

/// An error, in any dialect.
pub(super) static ERROR: Table = Table::new(&[("type", Is::Skip), ("code", Is::Skip), ("status", Is::Skip)]);

/// The call of an API that passes as it is.
pub(super) static PASSING: Table = Table::new(&[
    ("model", Is::Skip),
    ("prompt", Is::From(Source::User, &PASSED)),
    ("input", Is::From(Source::User, &PASSED)),
    ("instructions", Is::From(Source::User, &PASSED)),
    ("b64_json", Is::Skip),
    ("response_format", Is::Skip),
    ("image_url", Is::Link),
    ("file_id", Is::File),
    ("id", Is::Skip),
    ("logprobs", Is::Tokens),
    ("error", Is::Of(&ERROR)),
]);

/// What a user says in such a call: a text, or parts of one.
static PASSED: Table = Table::new(&[]).base(&PASSING);

/// A request for a ranking.
static RERANK: Table = Table::new(&[
    ("model", Is::Skip),
    ("query", Is::From(Source::User, &DOCUMENT)),
    ("documents", Is::From(Source::User, &DOCUMENT)),
    ("rank_fields", Is::Skip),
]);

static DOCUMENT: Table = Table::new(&[]);

/// A ranking.
static RANKING: Table = Table::new(&[
    ("id", Is::Skip),
    ("model", Is::Skip),
    ("object", Is::Skip),
    ("results", Is::Of(&RANKED)),
    ("error", Is::Of(&ERROR)),
]);

static RANKED: Table = Table::new(&[("document", Is::Json)]);
