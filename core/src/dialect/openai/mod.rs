//! OpenAI's Chat Completions: what clients speak, and what OpenAI and those compatible with it answer.
//!
//! Taken from the types of the official SDK (`openai` 3.52.0 on PyPI) and OpenAI's API reference; see
//! `docs/dialects.md`.

mod answer;
mod failure;
mod native;
mod others;
mod request;
mod stream;
mod wire;

pub use stream::{ChatEncoder, ChunkReader};

pub(super) use answer::{decode_answer, encode_answer};
pub(super) use failure::{decode_failure, encode_failure};
pub(super) use native::adapt;
pub(super) use request::decode_request;

/// Behind an endpoint that ends in `/v1`.
pub(super) const PATH: &str = "/chat/completions";
