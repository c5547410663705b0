//! The legacy Completions API: a prompt that goes on, without roles.
//!
//! At a provider that has no such API, one prompt is what a user says, and the answer's text goes on from it.

mod answer;
mod reader;
mod request;
mod stream;
#[cfg(test)]
mod tests;

pub use reader::StreamReader;
pub use stream::StreamWriter;

pub(crate) use answer::encode_answer;
pub(crate) use reader::decode_outcome;
pub(crate) use request::decode_request;

use crate::conversation::Field;

/// The name of a field, as a path from the body's root.
pub(crate) fn name(field: Field<'_>) -> String {
    let fixed = match field {
        Field::Messages => "prompt",
        Field::MessageContent(at) => return format!("prompt[{}]", at.item),
        Field::MaxTokens => "max_tokens",
        Field::Logprobs | Field::TopLogprobs => "logprobs",
        other => return super::chat::name(other),
    };
    fixed.to_owned()
}
