//! OpenAI's models at Azure.

use super::Native;
use super::{Encoded, Lacks, Wanted, native::Adapted};
use crate::failure::Failure;
use crate::task::Task;

pub(crate) fn encode_task(_: &Task<'_>, _: Wanted<'_>, _: &mut Lacks) -> Result<Encoded, Failure> {
    Err(Failure::operator("not there yet"))
}

pub(crate) fn decode_failure(status: u16, _: &[u8]) -> Failure {
    super::provider_failure(status, None)
}

pub(crate) fn adapt(
    _: Native,
    _: &[u8],
    _: &Task<'_>,
    _: Wanted<'_>,
    _mixed: bool,
    _: &mut Lacks,
) -> Result<Adapted, Failure> {
    Err(Failure::operator("not there yet"))
}
