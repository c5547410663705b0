//! Guards of calls that pass as they are: all texts of a JSON body or a form are looked at.

use super::{Guards, Verdict};
use crate::access::Asking;
use crate::dialect::{boundary, texts};
use crate::failure::Failure;
use crate::identity::Caller;

/// A call that passes as it is.
#[derive(Clone, Copy, Debug)]
pub struct Passed<'a> {
    /// The model that it names.
    pub model: &'a str,
    pub caller: Option<&'a Caller>,
    pub asking: &'a Asking,
    pub content_type: &'a str,
    pub body: &'a [u8],
}

impl Guards {
    /// What the guards say of a call that passes. An error means that it can't be read.
    pub fn check_passing(&self, passed: Passed<'_>) -> Result<Verdict, Failure> {
        let asks = |guard: &super::Guard| {
            guard.request && guard.reads_texts() && guard.concerns(passed.model, passed.caller, passed.asking)
        };
        let asks: Vec<bool> = self.guards.iter().map(asks).collect();
        let mut fired = vec![false; asks.len()];
        if !asks.contains(&true) {
            return Ok(Verdict::default());
        }
        let body = self.read(&asks, &mut fired, &|visit| match boundary(passed.content_type) {
            Some(boundary) => texts::walk_form(boundary, passed.body, visit),
            None => texts::walk_passing(passed.body, visit),
        })?;
        Ok(self.verdict(&fired, body))
    }
}
