//! Rules that a policy brings.

use std::borrow::Cow;

use super::automaton::{Automaton, Fault};
use super::check;
use super::context::Words;
use super::redactor::{Compiled, Gate, Shape};
use super::rule::{Apart, Check, SHAPED, SURE};

/// A rule of a policy's own.
#[derive(Clone, Debug)]
pub struct Custom {
    name: String,
    label: String,
    pattern: String,
    context: Vec<String>,
    check: Check,
    /// What comes in the place of a finding, where that is not the label.
    instead: Option<String>,
}

/// Why a rule can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomFault {
    /// Its name has something else than small letters, digits and underscores, doesn't begin with a letter, or is too long.
    Name,
    /// Its pattern: at which of its bytes, and what is wrong there.
    Pattern { at: usize, message: &'static str },
    /// No validator has this name.
    Validator,
    /// A context word is empty or no ASCII.
    Context,
}

/// Says whether what a pattern matched is what it seems to be.
pub type Validator = fn(&[u8]) -> bool;

/// The validators that a policy can name.
pub const VALIDATORS: &[(&str, Validator)] = &[
    ("luhn", check::digits::luhn),
    ("mod97", check::digits::mod97),
    ("verhoeff", check::digits::verhoeff),
    ("entropy", check::secret::is_random),
];

/// How long a custom rule's name can be.
const MAX_NAME: usize = 40;

impl Custom {
    /// `name` is written `employee_id`; its placeholder is `[EMPLOYEE_ID]`. With words of context, one of them has to stand
    /// before a match. `validator` is one of [`VALIDATORS`].
    pub fn new(
        name: &str,
        pattern: &str,
        context: &[&str],
        validator: Option<&str>,
    ) -> Result<Self, CustomFault> {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !name.starts_with(|first: char| first.is_ascii_lowercase())
            || !name.bytes().all(letters)
            || name.len() > MAX_NAME
        {
            return Err(CustomFault::Name);
        }
        Automaton::weigh(pattern).map_err(|Fault { at, message }| CustomFault::Pattern { at, message })?;
        if context.iter().any(|word| word.trim_matches(['*', ' ']).is_empty() || !word.is_ascii()) {
            return Err(CustomFault::Context);
        }
        let check = match validator {
            None => Check::None,
            Some(name) => {
                let known = VALIDATORS.iter().find(|(known, _)| *known == name);
                Check::Whole(known.ok_or(CustomFault::Validator)?.1)
            }
        };
        Ok(Self {
            name: name.to_owned(),
            label: name.to_ascii_uppercase(),
            pattern: pattern.to_owned(),
            context: context.iter().map(|word| word.to_ascii_lowercase()).collect(),
            check,
            instead: None,
        })
    }

    /// A rule of a guard: it has any name and no label, so that no text looks like a placeholder of its own, and what it finds becomes
    /// `instead`, where that is said.
    pub(crate) fn guard(name: &str, pattern: &str, instead: Option<&str>) -> Result<Self, CustomFault> {
        Automaton::weigh(pattern).map_err(|Fault { at, message }| CustomFault::Pattern { at, message })?;
        Ok(Self {
            name: name.to_owned(),
            label: String::new(),
            pattern: pattern.to_owned(),
            context: Vec::new(),
            check: Check::None,
            instead: instead.map(str::to_owned),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn compiled(self, rule: u16) -> (Compiled, Shape, String) {
        let rank = if matches!(self.check, Check::None) { SHAPED } else { SURE };
        let compiled = Compiled {
            name: Cow::Owned(self.name),
            label: Cow::Owned(self.label),
            rank,
            instead: self.instead,
        };
        let gate = if self.context.is_empty() { Gate::Open } else { Gate::Near };
        let shape = Shape {
            rule,
            check: self.check,
            near: Words::new(self.context.into_iter().map(Cow::Owned)),
            after: Words::default(),
            unless: Words::default(),
            gate,
            apart: Apart::default(),
            tail: None,
        };
        (compiled, shape, self.pattern)
    }
}

impl std::fmt::Display for CustomFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name => write!(
                f,
                "a rule's name has small letters, digits and underscores, begins with a letter, and is no longer than {MAX_NAME}"
            ),
            Self::Pattern { at, message } => write!(f, "the pattern, at its byte {at}: {message}"),
            Self::Validator => {
                let names: Vec<_> = VALIDATORS.iter().map(|(name, _)| *name).collect();
                write!(f, "there is no such validator; there are {}", names.join(", "))
            }
            Self::Context => write!(f, "a word of context is ASCII and not empty"),
        }
    }
}
