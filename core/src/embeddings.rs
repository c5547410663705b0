//! The canonical request for embeddings, and its answer.

use crate::conversation::Other;
use crate::json::{Raw, Text};
use crate::usage::Usage;

/// A request for the vectors of some texts; it borrows from the client's body.
#[derive(Debug, Default)]
pub struct Request<'a> {
    pub model: Text<'a>,
    /// In the client's order; never empty.
    pub inputs: Vec<Input<'a>>,
    /// How many numbers a vector has.
    pub dimensions: Option<u32>,
    /// What the vectors are for, in Cohere's words (`search_document`, `search_query`, `classification`, `clustering`).
    pub purpose: Option<Text<'a>>,
    pub user: Option<Text<'a>>,
    pub others: Vec<Other>,
}

/// One text.
#[derive(Debug)]
pub enum Input<'a> {
    Text(Text<'a>),
    /// The text as tokens of the vendor's own, a JSON array of integers.
    Tokens(Raw<'a>),
}

/// The vectors; they borrow from the provider's body.
#[derive(Debug, Default)]
pub struct Answer<'a> {
    /// The vendor's id of the answer.
    pub id: Option<Text<'a>>,
    /// The model that answered, by the vendor's own word.
    pub model: Option<Text<'a>>,
    /// One for each input, in the request's order.
    pub vectors: Vec<Vector<'a>>,
    pub usage: Option<Usage>,
}

/// A vector as the provider wrote it.
#[derive(Debug)]
pub enum Vector<'a> {
    /// A JSON array of numbers.
    Numbers(Raw<'a>),
    /// 32-bit floating-point numbers, little endian, in base64.
    Base64(Text<'a>),
}
