//! Finds personal data and secrets in text, whole or as it streams, and puts something else in their place.
//!
//! A [`Redactor`] is a policy's rules, compiled once. A [`Session`] is what one exchange does with what they find; all its texts
//! share it. Each text has a [`Masker`], or a [`JsonMasker`] where it is JSON. What an answer has to get back, a [`Restorer`]
//! gives back.

mod action;
pub(crate) mod automaton;
mod check;
mod cluster;
mod context;
mod custom;
mod json;
mod masker;
pub(crate) mod normal;
mod plan;
mod pseudonym;
mod redactor;
mod rule;
mod rules;
mod scan;
mod session;
mod sieve;
#[cfg(test)]
mod tests;

pub use action::Action;
pub use custom::{Custom, CustomFault, VALIDATORS};
pub use json::JsonMasker;
pub use masker::Masker;
pub use normal::Escapes;
pub use plan::{Choice, Direction, Redaction};
pub use pseudonym::{Pseudonyms, Restorer};
pub use redactor::{Redactor, RuleId, Selection};
pub use rule::{Pack, Rule};
pub use rules::{rules, select};
pub use session::{Finding, Keys, Outcome, Session};

/// How long a match can be, in bytes of normalised text: what a [`Masker`] holds back at most, and hardly ever does. An
/// original byte is mostly one of them; a disguised character can take up to 12, and the invisible ones around it up to 64.
pub const LONGEST_MATCH: usize = 256;
