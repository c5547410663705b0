//! Every decision of the Sluice AI gateway: bytes, the time and the environment come in, what to do comes out.
#![forbid(unsafe_code)]

pub mod access;
pub mod conversation;
pub mod credential;
pub mod dialect;
pub mod embeddings;
pub mod exchange;
pub mod failure;
pub mod guard;
pub mod identity;
mod json;
pub mod limit;
mod packed;
pub mod policy;
pub mod price;
pub mod redact;
pub mod rerank;
pub mod route;
pub mod shared;
pub mod stream;
pub mod task;
pub mod template;
#[cfg(test)]
mod testing;
pub mod usage;
