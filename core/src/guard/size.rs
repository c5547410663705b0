//! How large a prompt may be.

use crate::task::Task;
use crate::usage::estimate::{self, Family, Input};

/// Whether a request has more tokens (estimated) or messages than it may have; `input` keeps the estimate.
pub(super) fn exceeds(
    task: &Task<'_>,
    tokens: Option<u64>,
    messages: Option<u64>,
    input: &mut Option<Input>,
) -> bool {
    let more = |count: u64, most: Option<u64>| most.is_some_and(|most| count > most);
    let count = task.conversation().map_or(0, |conversation| conversation.messages.len() as u64);
    let mut estimated = || input.get_or_insert_with(|| estimate::input(task)).tokens(Family::Common);
    more(count, messages) || tokens.is_some() && more(estimated(), tokens)
}
