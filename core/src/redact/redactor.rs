//! A policy's rules, compiled.

use std::borrow::Cow;
use std::sync::Mutex;

use super::automaton::{Automaton, Cache, Set};
use super::context::{Openings, Words};
use super::custom::Custom;
use super::normal::{BARRIER, MAX_PLACEHOLDER, Placeholders};
use super::rule::{Apart, Check, Pattern, Rule, Tail};

/// Which of a redactor's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub(super) u16);

impl RuleId {
    /// Its place in the selection.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A rule to be compiled.
#[derive(Debug)]
pub enum Selection {
    BuiltIn(&'static Rule),
    Custom(Custom),
}

/// Rules that search text together, in one pass.
#[derive(Debug)]
pub struct Redactor {
    pub(super) rules: Vec<Compiled>,
    pub(super) shapes: Vec<Shape>,
    /// The patterns by what has to stand before them, as [`Gate`] has it.
    pub(super) automata: [Automaton; GATES],
    /// Which shape each pattern of an automaton is.
    pub(super) numbers: [Vec<u16>; GATES],
    /// What each byte can begin: a bit for each gate, and [`WORD`].
    pub(super) beginnings: [u8; 256],
    /// One of these has to stand before the patterns of [`Gate::Near`].
    pub(super) words: Openings,
    caches: Mutex<Caches>,
}

/// The states of each gate's automaton.
pub(super) type Caches = [Cache; GATES];

/// What has to stand before a pattern's match. Where it doesn't, the pattern isn't looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Whatever does.
    Open,
    /// A word, somewhere near.
    Near,
    /// A word to which the match is assigned.
    Assigned,
}

pub(super) const GATES: usize = 3;

/// A letter, a digit or an underscore.
pub(super) const WORD: u8 = 1 << GATES;

impl Gate {
    pub const ALL: [Self; GATES] = [Self::Open, Self::Near, Self::Assigned];

    pub fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A rule as its findings need it.
#[derive(Debug)]
pub(super) struct Compiled {
    pub name: Cow<'static, str>,
    pub label: Cow<'static, str>,
    pub rank: u8,
    /// What comes in the place of what it finds, where that is not the label in brackets.
    pub instead: Option<String>,
}

/// A pattern as its findings need it.
#[derive(Debug)]
pub(super) struct Shape {
    pub rule: u16,
    pub check: Check,
    pub near: Words,
    pub after: Words,
    pub unless: Words,
    pub gate: Gate,
    pub apart: Apart,
    pub tail: Option<End>,
}

/// Where a tail ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// At the first byte that isn't one of these.
    Set(Set),
    Pem,
}

impl End {
    /// Of two matches that go on from one place, both are taken out: as far as either goes.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Set(one), Self::Set(other)) => Self::Set(one.or(other)),
            (Self::Pem, _) | (_, Self::Pem) => Self::Pem,
        }
    }
}

impl Redactor {
    /// Compiles rules. What finds the same text is told apart by their ranks, and then by their order.
    ///
    /// `None` when they are too many; each alone was found to be small enough.
    pub fn new(selection: Vec<Selection>) -> Option<Self> {
        let mut rules = Vec::new();
        let mut shapes = Vec::new();
        let mut texts: [Vec<Cow<'static, str>>; GATES] = Default::default();
        let mut numbers: [Vec<u16>; GATES] = Default::default();
        let mut add = |shape: Shape, text: Cow<'static, str>| {
            let gate = shape.gate as usize;
            texts.get_mut(gate)?.push(text);
            numbers.get_mut(gate)?.push(u16::try_from(shapes.len()).ok()?);
            shapes.push(shape);
            Some(())
        };
        for (number, selected) in selection.into_iter().enumerate() {
            let rule = u16::try_from(number).ok()?;
            match selected {
                Selection::BuiltIn(built_in) => {
                    for pattern in built_in.patterns {
                        add(Shape::new(rule, pattern), Cow::Borrowed(pattern.text))?;
                    }
                    rules.push(Compiled {
                        name: Cow::Borrowed(built_in.name),
                        label: Cow::Borrowed(built_in.label),
                        rank: built_in.rank,
                        instead: None,
                    });
                }
                Selection::Custom(custom) => {
                    let (compiled, shape, text) = custom.compiled(rule);
                    add(shape, Cow::Owned(text))?;
                    rules.push(compiled);
                }
            }
        }
        let compiled = |texts: &[Cow<'static, str>]| Automaton::new(texts.iter().map(AsRef::as_ref)).ok();
        let [open, near, assigned] = &texts;
        let automata = [compiled(open)?, compiled(near)?, compiled(assigned)?];
        let beginnings = beginnings(&automata);
        let near = shapes.iter().filter(|shape: &&Shape| shape.gate == Gate::Near);
        let words = Openings::new(Words::new(near.flat_map(|shape| shape.near.iter().cloned())));
        Some(Self { rules, shapes, automata, numbers, beginnings, words, caches: Mutex::default() })
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// A rule's name, for logs, metrics and refusals.
    pub fn name(&self, rule: RuleId) -> &str {
        self.rules.get(rule.index()).map_or("", |rule| &rule.name)
    }

    /// What stands in brackets in the place of what a rule finds.
    pub fn label(&self, rule: RuleId) -> &str {
        self.rules.get(rule.index()).map_or("", |rule| &rule.label)
    }

    /// What comes in the place of what a rule finds, where that is not its label.
    pub(super) fn instead(&self, rule: RuleId) -> Option<&str> {
        self.rules.get(rule.index())?.instead.as_deref()
    }

    /// The rules by their order in the selection.
    pub fn ids(&self) -> impl Iterator<Item = RuleId> + use<> {
        (0..self.rules.len()).filter_map(|index| u16::try_from(index).ok().map(RuleId))
    }

    /// What a byte can begin and is.
    pub(super) fn flags(&self, byte: u8) -> u8 {
        self.beginnings.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// The gates behind which a pattern can begin with a byte. Whether a word is near is asked only where that matters.
    pub(super) fn gates(&self, byte: u8, near: impl FnOnce() -> bool) -> u8 {
        let flags = self.flags(byte) & !WORD;
        match flags & Gate::Near.bit() != 0 && !near() {
            true => flags & !Gate::Near.bit(),
            false => flags,
        }
    }

    /// The first place from `at` on at which a rule may find something, or a placeholder stands; `before` is the byte before.
    pub(super) fn next_beginning(&self, text: &[u8], at: usize, before: Option<u8>) -> usize {
        let mut word = before.is_some_and(|byte| self.flags(byte) & WORD != 0);
        let rest = text.get(at..).unwrap_or_default();
        for (offset, byte) in rest.iter().enumerate() {
            let flags = self.flags(*byte);
            let within = word && flags & WORD != 0;
            if flags & !WORD != 0 && !within || *byte == BARRIER {
                return at + offset;
            }
            word = flags & WORD != 0;
        }
        text.len()
    }

    /// Lends the automata's states.
    pub(super) fn with_caches<T>(&self, work: impl FnOnce(&mut Caches) -> T) -> T {
        // Whoever panicked has left states that are all true.
        let mut caches = self.caches.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut caches)
    }
}

impl Shape {
    fn new(rule: u16, pattern: &Pattern) -> Self {
        let words =
            |words: &'static [&'static str]| Words::new(words.iter().map(|word| Cow::Borrowed(*word)));
        Self {
            rule,
            check: pattern.check,
            near: words(pattern.near),
            after: words(pattern.after),
            unless: words(pattern.unless),
            gate: match (pattern.assigned, pattern.near.is_empty() || !pattern.after.is_empty()) {
                (true, _) => Gate::Assigned,
                // What stands behind the match can do instead of the word.
                (false, true) => Gate::Open,
                (false, false) => Gate::Near,
            },
            apart: pattern.apart,
            tail: match pattern.tail {
                Tail::None => None,
                Tail::Word(others) => Some(End::Set(Set::words().or(Set::of(others.as_bytes())))),
                Tail::Pem => Some(End::Pem),
            },
        }
    }
}

fn beginnings(automata: &[Automaton; GATES]) -> [u8; 256] {
    let words = Set::words();
    let firsts = automata.each_ref().map(Automaton::first_bytes);
    std::array::from_fn(|byte| {
        let byte = u8::try_from(byte).unwrap_or(0);
        // No match begins within a character.
        if matches!(byte, 0x80..=0xBF) {
            return 0;
        }
        let gates = Gate::ALL.into_iter().zip(&firsts).filter(|(_, firsts)| firsts.has(byte));
        let word = if words.has(byte) { WORD } else { 0 };
        gates.fold(word, |flags, (gate, _)| flags | gate.bit())
    })
}

/// Where the pseudonyms of e-mail addresses live: a domain that can't exist.
pub(super) const PSEUDONYM_DOMAIN: &str = "@pseudonym.invalid";
/// How a phone number's pseudonym begins: a country code that is nobody's.
pub(super) const PSEUDONYM_PHONE: &str = "+999";
/// How many digits follow it.
pub(super) const PSEUDONYM_DIGITS: usize = 9;
/// How many letters the other pseudonyms' codes have.
pub(super) const PSEUDONYM_LETTERS: usize = 10;
/// How many digits of a hash are shown.
pub(super) const HASH_DIGITS: usize = 12;

impl Placeholders for Redactor {
    fn placeholder(&self, text: &[u8]) -> Option<usize> {
        let text = text.get(..text.len().min(MAX_PLACEHOLDER))?;
        if text.starts_with(b"+") {
            let phone = exactly(text, PSEUDONYM_PHONE.as_bytes(), PSEUDONYM_DIGITS, u8::is_ascii_digit, b"");
            let domain = PSEUDONYM_DOMAIN.as_bytes();
            return phone.or_else(|| exactly(text, b"+", PSEUDONYM_LETTERS, u8::is_ascii_lowercase, domain));
        }
        let inner = text.get(1..)?;
        let mut unfinished = None;
        // What has no label leaves no placeholder.
        for rule in self.rules.iter().filter(|rule| !rule.label.is_empty()) {
            let label = rule.label.as_bytes();
            let Some(rest) = inner.strip_prefix(label) else {
                if label.starts_with(inner) {
                    unfinished = Some(0);
                }
                continue;
            };
            let before = 1 + label.len();
            let forms = [
                exactly(rest, b"", 0, u8::is_ascii_digit, b"]"),
                exactly(rest, b":h", HASH_DIGITS, u8::is_ascii_hexdigit, b"]"),
                exactly(rest, b":*", 4, u8::is_ascii_alphanumeric, b"]"),
                exactly(rest, b"_", PSEUDONYM_LETTERS, u8::is_ascii_lowercase, b"]"),
            ];
            for form in forms {
                match form {
                    Some(0) => unfinished = Some(0),
                    Some(length) => return Some(before + length),
                    None => {}
                }
            }
        }
        unfinished
    }
}

/// How long a text's beginning is that has a prefix, as many bytes of a kind, and a suffix; 0 while it may still come.
fn exactly(text: &[u8], prefix: &[u8], count: usize, kind: fn(&u8) -> bool, suffix: &[u8]) -> Option<usize> {
    let length = prefix.len() + count + suffix.len();
    let fits = text.iter().take(length).enumerate().all(|(at, byte)| match prefix.get(at) {
        Some(wanted) => byte == wanted,
        None if at < prefix.len() + count => kind(byte),
        None => suffix.get(at - prefix.len() - count) == Some(byte),
    });
    match fits {
        false => None,
        true if text.len() < length => Some(0),
        true => Some(length),
    }
}
