//! Anthropic's Messages API as clients speak it.

mod answer;
mod failure;
mod name;
mod others;
mod request;
#[cfg(test)]
mod request_tests;
mod stream;
#[cfg(test)]
mod stream_tests;
mod wire;

pub use stream::StreamWriter;

pub(crate) use answer::{encode_answer, encode_count};
pub(crate) use failure::{encode_failure, end_stream};
pub(crate) use name::name;
pub(crate) use others::is_advice;
pub(crate) use request::decode_request;
