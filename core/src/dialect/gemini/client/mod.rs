//! Google's Gemini API as clients speak it: `generateContent`, `streamGenerateContent` and `countTokens`.
//!
//! Names and types of fields, the paths and the spelling of what is sent follow the official SDK `google-genai` 3.4.0
//! (PyPI), its types and what it was seen to send; `docs/dialects/gemini.md` has the mapping.

mod answer;
mod call;
mod content;
mod failure;
mod name;
mod others;
mod request;
mod schema;
pub(super) mod signature;
mod stream;
mod wire;

pub(crate) use answer::{encode_answer, encode_count};
pub(crate) use call::call;
pub(crate) use failure::encode_failure;
pub(crate) use name::name;
pub(crate) use others::is_advice;
pub(crate) use request::{decode_count, decode_request};
pub use stream::StreamWriter;
