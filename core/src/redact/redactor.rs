//! A policy's rules, compiled.

use std::borrow::Cow;
use std::sync::Mutex;

use super::LONGEST_MATCH;
use super::automaton::{Automaton, Cache, Prospect, Set};
use super::context::{self, Openings, Words};
use super::custom::Custom;
use super::normal::{BARRIER, MAX_PLACEHOLDER, Placeholders};
use super::rule::{Apart, Check, Pattern, Rule, Tail};
use super::sieve::{Sieve, Signs};

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
    /// What each byte can begin: a bit for each gate, [`WORD`] and [`ASSIGNS`].
    pub(super) beginnings: [u8; 256],
    /// One of these has to stand before the patterns of [`Gate::Near`].
    pub(super) words: Openings,
    /// The words, and assignments, as the automaton of [`Gate::Open`] tells them besides its patterns.
    signs: Signs,
    caches: Mutex<Caches>,
}

/// The states of each gate's automaton, and those of sifting.
pub(super) type Caches = [Cache; GATES + 1];

/// Where something is to be looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    pub text: &'a [u8],
    pub at: usize,
    /// The byte before that place.
    pub before: Option<u8>,
    /// Up to where a word may be near that stands before the text.
    pub reach: usize,
    pub sieve: &'a Sieve,
    /// Whether the text has come to its end.
    pub last: bool,
}

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
/// What assigns a value to what stands before it.
const ASSIGNS: u8 = WORD << 1;
const GATE_BITS: u8 = Gate::ALL_BITS;

impl Gate {
    pub const ALL: [Self; GATES] = [Self::Open, Self::Near, Self::Assigned];
    pub const ALL_BITS: u8 = (1 << GATES) - 1;

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
        let gated = shapes.iter().filter(|shape: &&Shape| shape.gate == Gate::Near);
        let words = Openings::new(Words::new(gated.flat_map(|shape| shape.near.iter().cloned())));
        let mut patterns: Vec<String> = words.patterns().collect();
        let signs = Signs { first: open.len(), assignment: open.len() + patterns.len() };
        patterns.push(context::ASSIGNMENT.to_owned());
        let texts = open.iter().map(AsRef::as_ref);
        let open = Automaton::with_signs(texts, patterns.iter().map(String::as_str)).ok()?;
        let automata = [open, compiled(near)?, compiled(assigned)?];
        let beginnings = beginnings(&automata);
        Some(Self { rules, shapes, automata, numbers, beginnings, words, signs, caches: Mutex::default() })
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

    /// What of a whole text has to be searched, from a place on.
    pub(super) fn sieve(&self, caches: &mut Caches, text: &[u8], from: usize) -> Sieve {
        let [open, ..] = &self.automata;
        let [.., cache] = caches;
        Sieve::of(open, self.signs, cache, text, from)
    }

    /// The first place from `search.at` on at which a rule may find something, and behind which gates; or at which a placeholder
    /// stands, behind none. That what is to be near is near may still have to be looked for.
    pub(super) fn next_prospect(&self, caches: &mut Caches, search: &Search<'_>) -> (usize, u8) {
        let Search { text, at, before, reach, sieve, last } = *search;
        let mut word = before.is_some_and(|byte| self.flags(byte) & WORD != 0);
        // What is assigned to may stand before.
        let mut assigned = at + context::ASSIGNED;
        let mut from = at;
        while from < text.len() {
            let (places, gates) = sieve.next(from, reach, text.len());
            let passed = text.get(from..places.start).unwrap_or_default();
            if let Some(offset) = memchr::memchr(BARRIER, passed) {
                return (from + offset, 0);
            }
            if let Some(byte) = passed.last() {
                word = self.flags(*byte) & WORD != 0;
                assigned = places.start + context::ASSIGNED;
            }
            from = places.end;
            let rest = text.get(places.start..).unwrap_or_default();
            for (offset, byte) in rest.iter().enumerate().take(places.len()) {
                let at = places.start + offset;
                let flags = self.flags(*byte);
                let within = word && flags & WORD != 0;
                word = flags & WORD != 0;
                if flags & gates == 0 || within {
                    match *byte {
                        BARRIER => return (at, 0),
                        _ if flags & ASSIGNS != 0 => assigned = at + context::ASSIGNED,
                        _ => {}
                    }
                    continue;
                }
                let possible = flags & gates & if at > assigned { !Gate::Assigned.bit() } else { GATE_BITS };
                if flags & ASSIGNS != 0 {
                    assigned = at + context::ASSIGNED;
                }
                let found = self.prospects(caches, rest.get(offset..).unwrap_or_default(), possible, last);
                if found != 0 {
                    return (at, found);
                }
            }
        }
        (text.len(), 0)
    }

    /// Those of the gates behind which a match may begin where a text does.
    fn prospects(&self, caches: &mut Caches, text: &[u8], gates: u8, last: bool) -> u8 {
        let open = !last && text.len() <= LONGEST_MATCH;
        let text = text.get(..LONGEST_MATCH).unwrap_or(text);
        let mut left = 0;
        for ((gate, automaton), cache) in Gate::ALL.into_iter().zip(&self.automata).zip(caches) {
            if gates & gate.bit() == 0 {
                continue;
            }
            match automaton.prospect(cache, text) {
                Prospect::Match => left |= gate.bit(),
                Prospect::Unfinished if open => left |= gate.bit(),
                Prospect::Unfinished | Prospect::Nothing => {}
            }
        }
        left
    }

    /// The gates behind which a pattern can begin with a byte.
    pub(super) fn gates(&self, byte: u8) -> u8 {
        self.flags(byte) & GATE_BITS
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
        let assigns = if context::ASSIGNS.contains(&byte) { ASSIGNS } else { 0 };
        gates.fold(word | assigns, |flags, (gate, _)| flags | gate.bit())
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
