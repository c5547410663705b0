//! Rankings as clients ask for them, in the shapes of Cohere and of Jina.
//!
//! Taken from the types of Cohere's official SDK (`cohere` 7.3.1 on PyPI), from Jina's API reference (api.jina.ai) and from
//! what vLLM serves under both paths.

mod answer;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use answer::{encode_cohere, encode_cohere_failure, encode_jina, encode_jina_failure};
pub(crate) use request::{decode_cohere, decode_jina, echo};

use crate::conversation::Field;

/// The name of a field, as a path from the body's root; the two shapes agree on them.
pub(crate) fn name(field: Field<'_>) -> String {
    let fixed = match field {
        Field::Model => "model",
        Field::Query => "query",
        Field::Documents => "documents",
        Field::TopN => "top_n",
        Field::Path(path) => path,
        // Only requests of other kinds have these.
        other => return super::openai::name(other),
    };
    fixed.to_owned()
}
