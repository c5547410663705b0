//! Chat completions as clients speak them.

mod answer;
mod name;
mod others;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

pub use stream::ChatEncoder;

pub(crate) use answer::encode_answer;
pub(crate) use name::name;
pub(crate) use request::decode_request;
pub(super) use request::read_url;
