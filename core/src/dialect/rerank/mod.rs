//! Rankings as clients ask for them, in the shapes of Cohere and of Jina.

use crate::conversation::Field;
use crate::dialect::Asked;
use crate::failure::Failure;
use crate::rerank::{Answer, Request};

pub(crate) fn decode_cohere(_: &[u8]) -> Result<Request<'_>, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn decode_jina(_: &[u8]) -> Result<Request<'_>, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn name(field: Field<'_>) -> String {
    format!("{field:?}")
}

/// What of the request stands in the answer too: the documents, if the client wants them back.
pub(crate) fn echo(_: &[u8]) -> Vec<u8> {
    Vec::new()
}

pub(crate) fn encode_cohere(_: &Answer<'_>, _: &Asked) -> Vec<u8> {
    Vec::new()
}

pub(crate) fn encode_jina(_: &Answer<'_>, _: &Asked) -> Vec<u8> {
    Vec::new()
}

pub(crate) fn encode_cohere_failure(_: &Failure) -> Vec<u8> {
    Vec::new()
}

pub(crate) fn encode_jina_failure(_: &Failure) -> Vec<u8> {
    Vec::new()
}
