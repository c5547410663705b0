//! The canonical request for a ranking of documents, and its answer.

use std::borrow::Cow;

use crate::conversation::Other;
use crate::json::{Raw, Text, object};
use crate::usage::Usage;

/// A request to rank documents by how well they answer a query; it borrows from the client's body.
#[derive(Debug, Default)]
pub struct Request<'a> {
    pub model: Text<'a>,
    pub query: Text<'a>,
    /// In the client's order; never empty.
    pub documents: Vec<Document<'a>>,
    /// How many of the best are wanted; all when `None`.
    pub top_n: Option<u32>,
    /// How many tokens of each document count.
    pub max_tokens_per_document: Option<u64>,
    pub others: Vec<Other>,
}

/// A document.
#[derive(Debug)]
pub enum Document<'a> {
    Text(Text<'a>),
    /// A JSON object with several fields of text.
    Fields(Raw<'a>),
}

object! {
    /// What a document with several fields may have.
    struct Fields<'a> {
        "text" => text: Text<'a>,
        "image" => image: Raw<'a>,
        ..others
    }
}

impl Document<'_> {
    /// The document as a text. Of several fields Cohere wants YAML, of which JSON is a part; a single text is only that. `None` for
    /// one with an image.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        let raw = match self {
            Self::Text(text) => return Some(Cow::Borrowed(text)),
            Self::Fields(raw) => raw,
        };
        match raw.read::<Fields<'_>>() {
            Ok(Fields { image: Some(_), .. }) => None,
            Ok(Fields { text: Some(text), others, .. }) if others.is_empty() => Some(text.0),
            _ => Some(raw.text()),
        }
    }
}

/// The ranking; it borrows from the provider's body.
#[derive(Debug, Default)]
pub struct Answer<'a> {
    /// The vendor's id of the answer.
    pub id: Option<Text<'a>>,
    /// The model that answered, by the vendor's own word.
    pub model: Option<Text<'a>>,
    /// Best first.
    pub results: Vec<Ranked>,
    pub usage: Option<Usage>,
    /// How many searches the vendor charges for, where it charges by these.
    pub searches: Option<u64>,
}

/// A document's place in the ranking.
#[derive(Clone, Copy, Debug)]
pub struct Ranked {
    /// Its position among the request's documents.
    pub index: u32,
    /// How relevant it is: 0 to 1 at most vendors.
    pub score: f64,
}
