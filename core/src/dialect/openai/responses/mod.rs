//! The Responses API, as clients speak it, and as it passes between a client and a provider that both have it.

mod answer;
mod echo;
mod items;
mod name;
mod native;
mod others;
mod reader;
mod request;
mod seal;
mod wire;
mod writer;

pub use reader::StreamReader;
pub use writer::StreamWriter;

pub(crate) use answer::encode_answer;
pub(crate) use echo::echo;
pub(crate) use name::name;
pub(crate) use native::{clean_input, has_foreign};
pub(crate) use reader::{decode_outcome, output};
pub(crate) use request::{decode_request, is_advice};
pub(crate) use writer::end_stream;
