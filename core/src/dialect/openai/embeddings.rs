//! The Embeddings API.

use crate::conversation::Field;
use crate::dialect::Asked;
use crate::embeddings::{Answer, Request};
use crate::failure::Failure;

pub(crate) fn decode_request(_: &[u8]) -> Result<Request<'_>, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn name(field: Field<'_>) -> String {
    super::chat::name(field)
}

/// Whether the client wants its vectors in base64, for the answer.
pub(crate) fn echo(_: &[u8]) -> Vec<u8> {
    Vec::new()
}

pub(crate) fn encode_answer(_: &Answer<'_>, _: &Asked) -> Result<Vec<u8>, Failure> {
    Err(Failure::operator("not there yet"))
}
