//! What a client wants of a model, and what comes of it: one variant for each kind of work.

use crate::conversation::{self, Answer, Other};
use crate::embeddings;
use crate::rerank;
use crate::usage::Usage;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// The next turn of a conversation.
    Conversation,
    /// How many tokens a conversation has.
    CountTokens,
    Embeddings,
    Rerank,
}

/// What a client wants; it borrows from the client's body.
#[derive(Debug)]
pub enum Task<'a> {
    Conversation(conversation::Request<'a>),
    CountTokens(conversation::Request<'a>),
    Embeddings(embeddings::Request<'a>),
    Rerank(rerank::Request<'a>),
}

/// A whole successful answer; it borrows from the provider's body.
#[derive(Debug)]
pub enum Outcome<'a> {
    Conversation(Answer<'a>),
    CountTokens(TokenCount),
    Embeddings(embeddings::Answer<'a>),
    Rerank(rerank::Answer<'a>),
}

/// How many tokens a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCount {
    /// All of them.
    pub input: u64,
    /// Of these, those that the vendor has in its cache.
    pub cached_input: u64,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Conversation, Self::CountTokens, Self::Embeddings, Self::Rerank];
}

impl<'a> Task<'a> {
    /// Which kind it is.
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Conversation(_) => TaskKind::Conversation,
            Self::CountTokens(_) => TaskKind::CountTokens,
            Self::Embeddings(_) => TaskKind::Embeddings,
            Self::Rerank(_) => TaskKind::Rerank,
        }
    }

    /// The name of the model that the client asked for.
    pub fn model(&self) -> &str {
        match self {
            Self::Conversation(request) | Self::CountTokens(request) => &request.model,
            Self::Embeddings(request) => &request.model,
            Self::Rerank(request) => &request.model,
        }
    }

    /// The conversation, where it is about one.
    pub fn conversation(&self) -> Option<&conversation::Request<'a>> {
        match self {
            Self::Conversation(request) | Self::CountTokens(request) => Some(request),
            Self::Embeddings(_) | Self::Rerank(_) => None,
        }
    }

    /// Whether the client wants a stream.
    pub fn streams(&self) -> bool {
        matches!(self, Self::Conversation(request) if request.stream)
    }

    /// What the client's dialect has and the task has no word for.
    pub fn others(&self) -> &[Other] {
        match self {
            Self::Conversation(request) | Self::CountTokens(request) => &request.others,
            Self::Embeddings(request) => &request.others,
            Self::Rerank(request) => &request.others,
        }
    }
}

impl Outcome<'_> {
    /// What the provider says has been used.
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Self::Conversation(answer) => answer.usage,
            // Counting is free everywhere.
            Self::CountTokens(_) => None,
            Self::Embeddings(answer) => answer.usage,
            Self::Rerank(answer) => answer.usage,
        }
    }
}
