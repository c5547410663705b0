//! What a rule is: data, and functions that check what the patterns have found.

use std::ops::Range;

/// A kind of thing that is found in text.
#[derive(Debug)]
pub struct Rule {
    /// By which a policy names it.
    pub name: &'static str,
    /// What stands in the place of what was found, in brackets: `EMAIL`.
    pub label: &'static str,
    pub packs: &'static [Pack],
    /// Whether its packs bring it. A rule that is often wrong has to be named.
    pub on: bool,
    /// Which rule wins where two find the same text: the greater.
    pub rank: u8,
    pub patterns: &'static [Pattern],
}

/// Something is sure to be what it looks like: a checksum, or a prefix that a vendor made up for it.
pub const SURE: u8 = 3;
/// It has a shape of its own.
pub const SHAPED: u8 = 2;
/// The words around it tell what it is.
pub const NEAR: u8 = 1;
/// It could be many things.
pub const VAGUE: u8 = 0;

/// Rules that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pack {
    /// Personal data.
    Pii,
    /// Cardholder data.
    Pci,
    /// Identifiers of patients.
    Hipaa,
    /// Personal data as the European Union's law has it, with its countries' identifiers.
    Gdpr,
    /// Credentials.
    Secrets,
}

impl Pack {
    pub const ALL: [Self; 5] = [Self::Pii, Self::Pci, Self::Hipaa, Self::Gdpr, Self::Secrets];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pii => "pii",
            Self::Pci => "pci",
            Self::Hipaa => "hipaa",
            Self::Gdpr => "gdpr",
            Self::Secrets => "secrets",
        }
    }
}

/// One way in which a thing is written.
///
/// A match begins where a word begins, or with a character that belongs to no word, and ends where a word ends. It is no
/// longer than [`super::LONGEST_MATCH`] bytes.
#[derive(Debug)]
pub struct Pattern {
    /// In the syntax of `docs/adding-a-rule.md`, over normalised text.
    pub text: &'static str,
    pub check: Check,
    /// One of these words has to stand before the match, at most 64 bytes away; none: no matter.
    pub near: &'static [&'static str],
    /// Or one of these behind it, at most 12 bytes away.
    pub after: &'static [&'static str],
    /// None of these words may stand right before the match, within 24 bytes.
    pub unless: &'static [&'static str],
    /// The word has to be what the match is assigned to: `word = match`, `"word": "match"`.
    pub assigned: bool,
    /// With a digit and one of these characters before it, or behind it with another digit, it is part of something longer.
    pub apart: Apart,
    /// What belongs to the match beyond its end, however long it is.
    pub tail: Tail,
}

/// Characters that join digits to a longer number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Apart {
    pub before: &'static str,
    pub behind: &'static str,
}

/// Judges what a pattern has found.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    None,
    Whole(fn(&[u8]) -> bool),
    /// Says which part of it is meant.
    Part(fn(&[u8]) -> Option<Range<usize>>),
}

/// What belongs to a match beyond its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    None,
    /// Letters, digits and these characters.
    Word(&'static str),
    /// The lines of a PEM block, up to its end.
    Pem,
}

impl Pattern {
    pub const fn new(text: &'static str) -> Self {
        Self {
            text,
            check: Check::None,
            near: &[],
            after: &[],
            unless: &[],
            assigned: false,
            apart: Apart { before: "", behind: "" },
            tail: Tail::None,
        }
    }

    pub const fn check(self, check: fn(&[u8]) -> bool) -> Self {
        Self { check: Check::Whole(check), ..self }
    }

    pub const fn part(self, part: fn(&[u8]) -> Option<Range<usize>>) -> Self {
        Self { check: Check::Part(part), ..self }
    }

    pub const fn near(self, words: &'static [&'static str]) -> Self {
        Self { near: words, ..self }
    }

    pub const fn after(self, words: &'static [&'static str]) -> Self {
        Self { after: words, ..self }
    }

    pub const fn unless(self, words: &'static [&'static str]) -> Self {
        Self { unless: words, ..self }
    }

    pub const fn assigned(self, words: &'static [&'static str]) -> Self {
        Self { near: words, assigned: true, ..self }
    }

    pub const fn apart(self, before: &'static str, behind: &'static str) -> Self {
        Self { apart: Apart { before, behind }, ..self }
    }

    pub const fn tail(self, tail: Tail) -> Self {
        Self { tail, ..self }
    }
}

/// Texts with the parts marked that a rule has to find, and texts in which it may find nothing: `call «+1 415 555 2671»`.
#[cfg(test)]
pub struct Examples {
    pub hits: &'static [&'static str],
    pub misses: &'static [&'static str],
}
