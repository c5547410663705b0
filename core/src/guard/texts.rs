//! Words, patterns and topics: what stands at places of texts, found by the rules' engine of redaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Action, Guard};
use crate::policy::{GuardEntry, GuardKind};
use crate::redact::{self, Custom, Redactor, RuleId, Selection, Session};

/// The rules of all guards of these kinds, searched in one pass.
#[derive(Debug)]
pub(super) struct Rules {
    redactor: Arc<Redactor>,
    /// For each rule: the guard, and the topic among the guard's.
    owners: Vec<(usize, usize)>,
}

/// How long one pattern gets that is made of words; more words make another pattern.
const CHUNK: usize = 1000;
/// How long a phrase may be, in bytes.
const MAX_PHRASE: usize = 100;

const TOO_MANY: &str = "the words and patterns of all guards together are too many";

impl Rules {
    /// `None` where no guard has any.
    pub(super) fn new(entries: &[GuardEntry]) -> Result<Option<Self>, &'static str> {
        let (mut selection, mut owners) = (Vec::new(), Vec::new());
        for (number, entry) in entries.iter().enumerate() {
            let instead = match &entry.action {
                Action::Replace(instead) => Some(instead.as_str()),
                _ => None,
            };
            let mut add = |topic: usize, pattern: &str| {
                let custom = Custom::guard(&entry.name, pattern, instead).map_err(|_| TOO_MANY)?;
                selection.push(Selection::Custom(custom));
                owners.push((number, topic));
                Ok::<(), &'static str>(())
            };
            match &entry.kind {
                GuardKind::Pattern(pattern) => add(0, pattern)?,
                GuardKind::Words(words) => chunks(words).iter().try_for_each(|pattern| add(0, pattern))?,
                GuardKind::Topics { topics, .. } => {
                    for (topic, (_, words)) in topics.iter().enumerate() {
                        chunks(words).iter().try_for_each(|pattern| add(topic, pattern))?;
                    }
                }
                _ => {}
            }
        }
        if selection.is_empty() {
            return Ok(None);
        }
        let redactor = Redactor::new(selection).ok_or(TOO_MANY)?;
        Ok(Some(Self { redactor: Arc::new(redactor), owners }))
    }

    pub(super) fn session(&self) -> Session {
        super::session(&self.redactor)
    }

    /// What is done with each rule's findings; `applies` says which guards look at the text. `refused`: what those have that refuse.
    pub(super) fn actions(
        &self,
        guards: &[Guard],
        refused: redact::Action,
        applies: impl Fn(usize) -> bool,
    ) -> Arc<[redact::Action]> {
        let of = |(guard, _): &(usize, usize)| match guards.get(*guard).map(|guard| &guard.action) {
            Some(_) if !applies(*guard) => redact::Action::Off,
            Some(Action::Replace(_)) => redact::Action::Mask,
            Some(Action::Refuse) => refused,
            Some(_) => redact::Action::Warn,
            None => redact::Action::Off,
        };
        self.owners.iter().map(of).collect()
    }

    /// The guard that a rule is of.
    pub(super) fn owner(&self, rule: RuleId) -> Option<usize> {
        self.owners.get(rule.index()).map(|(guard, _)| *guard)
    }

    /// Whether so many findings are enough for a guard.
    pub(super) fn fires(&self, guard: usize, kind: &GuardKind, counts: &BTreeMap<RuleId, u32>) -> bool {
        let least = match kind {
            GuardKind::Topics { at_least, .. } => *at_least,
            _ => 1,
        };
        let mut of_topics: BTreeMap<usize, u32> = BTreeMap::new();
        for (rule, count) in counts {
            if let Some((_, topic)) = self.owners.get(rule.index()).filter(|(owner, _)| *owner == guard) {
                *of_topics.entry(*topic).or_default() += count;
            }
        }
        of_topics.values().any(|count| *count >= least)
    }
}

/// Words as patterns.
fn chunks(words: &[String]) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    for word in words.iter().filter_map(|word| words_pattern(word).ok()) {
        match chunks.last_mut().filter(|last| last.len() + word.len() < CHUNK) {
            Some(last) => {
                last.push('|');
                last.push_str(&word);
            }
            None => chunks.push(format!("(?i){word}")),
        }
    }
    chunks
}

/// A word or phrase as a pattern, without regard to case; a `*` at its end stands for any ending. The error says why it is none.
pub(crate) fn words_pattern(phrase: &str) -> Result<String, &'static str> {
    let phrase = phrase.trim();
    let (phrase, open) = phrase.strip_suffix('*').map_or((phrase, false), |phrase| (phrase, true));
    if phrase.is_empty() || phrase.len() > MAX_PHRASE || phrase.chars().any(char::is_control) {
        return Err("a word or phrase has 1 to 100 bytes, and no character that controls");
    }
    let mut pattern = String::with_capacity(phrase.len() * 2);
    let mut space = false;
    for character in phrase.chars() {
        if character.is_whitespace() {
            space = true;
            continue;
        }
        if std::mem::take(&mut space) {
            pattern.push_str(r"\s{1,8}");
        }
        match character {
            _ if character.is_ascii_punctuation() => pattern.extend(['\\', character]),
            _ if character.is_ascii() => pattern.push(character),
            _ => either_case(character, &mut pattern),
        }
    }
    if open {
        pattern.push_str(r"\w{0,32}");
    }
    Ok(pattern)
}

/// A letter of Cyrillic or Greek in both its cases; the tables of all of Unicode's would be larger than all guards together.
fn either_case(character: char, pattern: &mut String) {
    let code = u32::from(character);
    let other = match character {
        'А'..='Я' | 'Α'..='Ω' => code + 32,
        'а'..='я' | 'α'..='ρ' | 'σ'..='ω' => code - 32,
        'Ѐ'..='Џ' => code + 80,
        'ѐ'..='џ' => code - 80,
        _ => code,
    };
    match char::from_u32(other).filter(|other| *other != character) {
        Some(other) => pattern.extend(['(', character, '|', other, ')']),
        None => pattern.push(character),
    }
}
