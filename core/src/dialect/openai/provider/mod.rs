//! OpenAI's APIs as providers speak them.

mod stream;

pub use stream::ChunkReader;

use super::super::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::policy::Provider;
use crate::task::{Outcome, Task, TaskKind};

/// Whether a provider is OpenAI itself, which has all of its APIs.
pub(crate) fn is_openai(provider: &Provider) -> bool {
    let host = provider.endpoint.host.as_str();
    host == "api.openai.com" || host.ends_with(".api.openai.com")
}

pub(crate) fn encode_task(_: &Task<'_>, _: Wanted<'_>, _: &mut Lacks) -> Result<Encoded, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn decode_outcome(_: TaskKind, body: &[u8]) -> Result<Outcome<'_>, Failure> {
    super::chat::decode_answer(body).map(Outcome::Conversation)
}
