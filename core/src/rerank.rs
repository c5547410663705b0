//! The canonical request for a ranking of documents, and its answer.

use crate::conversation::Other;
use crate::json::{Raw, Text};
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
