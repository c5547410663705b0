//! What one exchange does with what is found in its texts.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::action::Action;
use super::json::JsonMasker;
use super::masker::Masker;
use super::normal::Escapes;
use super::pseudonym::Pseudonyms;
use super::redactor::{HASH_DIGITS, Redactor, RuleId};

/// The keys by which values get hashes and pseudonyms. Who has them can try values, so they are secrets.
#[derive(Clone, Default)]
pub struct Keys {
    pub hash: Vec<u8>,
    pub pseudonym: Vec<u8>,
    /// What tells the conversation from others: its pseudonyms are its own.
    pub conversation: Vec<u8>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

/// A text that a rule has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: RuleId,
    /// Where it stands in its text, in bytes.
    pub span: Range<usize>,
}

/// What was found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How often each rule has found something.
    pub counts: BTreeMap<RuleId, u32>,
    /// The first rule that has found something with which the text must not go on.
    pub blocked: Option<RuleId>,
}

/// What one exchange does with what is found in its texts.
#[derive(Debug)]
pub struct Session {
    redactor: Arc<Redactor>,
    actions: Arc<[Action]>,
    keys: Keys,
    outcome: Outcome,
    pseudonyms: Pseudonyms,
    findings: Option<Vec<Finding>>,
}

/// What is to be replaced.
pub(super) struct Place<'a> {
    pub original: &'a str,
    pub normal: &'a [u8],
    pub span: Range<usize>,
    /// Whether it is the whole value, so that it can be told from others.
    pub whole: bool,
    pub escapes: Escapes,
}

impl Session {
    /// `actions` has one for each rule of the redactor; a rule without one is off.
    pub fn new(redactor: Arc<Redactor>, actions: Arc<[Action]>, keys: Keys) -> Self {
        Self {
            redactor,
            actions,
            keys,
            outcome: Outcome::default(),
            pseudonyms: Pseudonyms::default(),
            findings: None,
        }
    }

    /// From now on other actions hold: those for answers, after those for requests. Texts that are under way keep nothing
    /// of the old ones but what they have already found.
    pub fn set_actions(&mut self, actions: Arc<[Action]>) {
        self.actions = actions;
    }

    /// The outcome so far, which begins anew.
    pub fn take_outcome(&mut self) -> Outcome {
        std::mem::take(&mut self.outcome)
    }

    /// What was found so far is to be taken for this.
    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// What was replaced by pseudonyms, at the end.
    pub fn into_pseudonyms(self) -> Pseudonyms {
        self.pseudonyms
    }

    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What was replaced by pseudonyms so far.
    pub fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    /// Masks a whole text. `None`: it stays as it is.
    pub fn mask(&mut self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        Masker::default().end(self, text, &mut out);
        (out != text).then_some(out)
    }

    /// Masks a whole text of JSON. `None`: it stays as it is.
    pub fn mask_json(&mut self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut masker = JsonMasker::default();
        masker.push(self, text, &mut out);
        masker.finish(self, &mut out);
        (out != text).then_some(out)
    }

    /// What is found in a whole text, whatever is done with it.
    pub fn find(&mut self, text: &str) -> Vec<Finding> {
        self.findings = Some(Vec::new());
        self.mask(text);
        self.findings.take().unwrap_or_default()
    }

    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.redactor
    }

    pub(super) fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn action(&self, rule: u16) -> Action {
        self.actions.get(usize::from(rule)).copied().unwrap_or_default()
    }

    /// Whether a rule's findings stay.
    pub(super) fn only_counts(&self, rule: u16) -> bool {
        self.action(rule) == Action::Warn
    }

    pub(super) fn count(&mut self, rule: u16, span: Range<usize>) {
        let rule = RuleId(rule);
        *self.outcome.counts.entry(rule).or_default() += 1;
        if let Some(findings) = &mut self.findings {
            findings.push(Finding { rule, span });
        }
    }

    /// Writes what comes in a place's stead.
    // Kept apart from the search, which mostly finds nothing.
    #[inline(never)]
    pub(super) fn replace(&mut self, rule: u16, place: &Place<'_>, out: &mut String) {
        self.count(rule, place.span.clone());
        let action = self.action(rule);
        if action == Action::Block {
            self.outcome.blocked.get_or_insert(RuleId(rule));
        }
        let redactor = Arc::clone(&self.redactor);
        let label = redactor.label(RuleId(rule));
        if let Some(instead) = redactor.instead(RuleId(rule)) {
            out.push_str(instead);
            return;
        }
        match action {
            Action::Pseudonym if place.whole => {
                let original = match place.escapes {
                    Escapes::Text => place.original.to_owned(),
                    Escapes::Json => unescaped(place.original),
                };
                let pseudonym = self.pseudonyms.of(label, &original, &self.keys);
                out.push_str(pseudonym);
            }
            Action::Hash if place.whole => {
                out.push('[');
                out.push_str(label);
                out.push_str(":h");
                push_hash(&self.keys.hash, label, place.normal, out);
                out.push(']');
            }
            Action::Partial if place.whole => {
                let signs = || place.normal.iter().filter(|byte| byte.is_ascii_alphanumeric());
                let count = signs().count();
                out.push('[');
                out.push_str(label);
                if count >= 8 {
                    out.push_str(":*");
                    out.extend(signs().skip(count - 4).map(|byte| char::from(*byte)));
                }
                out.push(']');
            }
            _ => {
                out.push('[');
                out.push_str(label);
                out.push(']');
            }
        }
    }
}

/// The keyed hash of a value, however its digits were grouped and its letters were written.
fn push_hash(key: &[u8], label: &str, value: &[u8], out: &mut String) {
    let value: Vec<u8> =
        value.iter().filter(|byte| !b" -".contains(byte)).map(u8::to_ascii_lowercase).collect();
    let digest = keyed(key, &[label.as_bytes(), &value]);
    for digit in digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(HASH_DIGITS) {
        out.extend(char::from_digit(u32::from(digit), 16));
    }
}

/// HMAC-SHA-256 over parts, none of which can be taken for a part of another.
pub(super) fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The text of a string of JSON, without its quotation marks.
fn unescaped(text: &str) -> String {
    match text.contains('\\') {
        true => serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned()),
        false => text.to_owned(),
    }
}
