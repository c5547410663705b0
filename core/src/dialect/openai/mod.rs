//! OpenAI's APIs: chat completions, responses, legacy completions and embeddings, as clients and providers speak them.
//!
//! Taken from the types of the official SDK (`openai` 3.52.0 on PyPI) and OpenAI's API reference; see
//! `docs/dialects/openai.md`.

pub mod chat;
pub mod completions;
pub mod embeddings;
mod failure;
mod native;
mod provider;
pub mod responses;

pub use chat::ChatEncoder;
pub use provider::ChunkReader;

pub(super) use chat::{decode_request, encode_answer, name};
pub(super) use failure::{decode_failure, encode_failure};
pub(super) use native::adapt;
pub(super) use provider::{decode_native, decode_outcome, encode_task, is_host};
