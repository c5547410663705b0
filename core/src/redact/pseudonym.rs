//! Placeholders that stand for values within a conversation, and the way back.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::normal::Escapes;
use super::redactor::{PSEUDONYM_DIGITS, PSEUDONYM_DOMAIN, PSEUDONYM_LETTERS, PSEUDONYM_PHONE};
use super::session::{Keys, keyed};

/// Consonants: no word comes of them.
const LETTERS: &[u8; 20] = b"bcdfghjkmnpqrstvwxzl";

/// Which value each pseudonym of a conversation stands for.
///
/// An e-mail address becomes one (`+kfqwzrtbnm@pseudonym.invalid`), a phone number becomes one with a country code that is
/// nobody's (`+999123456789`), everything else a word with its kind in it (`[US_SSN_kfqwzrtbnm]`).
#[derive(Default)]
pub struct Pseudonyms {
    values: Vec<Value>,
    by_value: HashMap<(String, String), usize>,
    /// The ways in which a pseudonym may be written, in small letters. None is the beginning of another.
    forms: BTreeMap<Vec<u8>, usize>,
    longest: usize,
}

struct Value {
    original: String,
    pseudonym: String,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pseudonyms({})", self.values.len())
    }
}

impl Pseudonyms {
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Gives the values back in a whole text. `None`: it stays as it is.
    pub fn restore(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut restorer = Restorer::default();
        restorer.push(self, text, &mut out);
        restorer.finish(self, &mut out);
        (out != text).then_some(out)
    }

    /// The pseudonym of a value.
    pub(super) fn of(&mut self, label: &str, original: &str, keys: &Keys) -> &str {
        let key = (label.to_owned(), original.to_owned());
        let number = match self.by_value.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.values.len();
                self.add(label, original, keys);
                self.by_value.insert(key, number);
                number
            }
        };
        self.values.get(number).map_or("", |value| &value.pseudonym)
    }

    fn add(&mut self, label: &str, original: &str, keys: &Keys) {
        let mut attempt: u32 = 0;
        loop {
            let parts = [&keys.conversation, label.as_bytes(), original.as_bytes(), &attempt.to_be_bytes()];
            let forms = forms(label, &keyed(&keys.pseudonym, &parts));
            // Two values of one conversation share no pseudonym.
            if forms.iter().any(|form| self.forms.contains_key(form.to_ascii_lowercase().as_bytes())) {
                attempt += 1;
                continue;
            }
            for form in &forms {
                self.longest = self.longest.max(form.len());
                self.forms.insert(form.to_ascii_lowercase().into_bytes(), self.values.len());
            }
            let pseudonym = forms.into_iter().next().unwrap_or_default();
            self.values.push(Value { original: original.to_owned(), pseudonym });
            return;
        }
    }

    /// What a text begins with, in small letters: a pseudonym and how long it is, or perhaps the beginning of one.
    fn at(&self, text: &[u8]) -> At<'_> {
        let mut below =
            self.forms.range::<[u8], _>((std::ops::Bound::Unbounded, std::ops::Bound::Included(text)));
        if let Some((form, number)) = below.next_back()
            && text.starts_with(form)
            && let Some(value) = self.values.get(*number)
        {
            return At::Pseudonym(form.len(), &value.original);
        }
        let mut from =
            self.forms.range::<[u8], _>((std::ops::Bound::Included(text), std::ops::Bound::Unbounded));
        match from.next() {
            Some((form, _)) if form.starts_with(text) => At::Beginning,
            _ => At::Nothing,
        }
    }
}

enum At<'a> {
    Pseudonym(usize, &'a str),
    Beginning,
    Nothing,
}

/// The ways in which a pseudonym may be written, ours first.
fn forms(label: &str, digest: &[u8; 32]) -> Vec<String> {
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    if label == "PHONE" {
        let digits = format!("{:0width$}", number % 10_u64.pow(9), width = PSEUDONYM_DIGITS);
        let groups: Vec<_> = digits.as_bytes().chunks(3).map(String::from_utf8_lossy).collect();
        let mut forms = vec![format!("{PSEUDONYM_PHONE}{digits}")];
        for joint in [" ", "-", "."] {
            forms.push(format!("{PSEUDONYM_PHONE}{joint}{}", groups.join(joint)));
            forms.push(format!("{PSEUDONYM_PHONE}{joint}{digits}"));
        }
        return forms;
    }
    let mut rest = number;
    let code: String = (0..PSEUDONYM_LETTERS)
        .map(|_| {
            let letter = LETTERS.get((rest % 20) as usize).copied().unwrap_or(b'b');
            rest /= 20;
            char::from(letter)
        })
        .collect();
    match label {
        "EMAIL" => vec![format!("+{code}{PSEUDONYM_DOMAIN}"), format!("{code}{PSEUDONYM_DOMAIN}")],
        // Models leave the brackets out, and escape underscores for Markdown.
        _ => {
            let escaped = label.replace('_', "\\_");
            vec![
                format!("[{label}_{code}]"),
                format!("{label}_{code}"),
                format!("[{escaped}\\_{code}]"),
                format!("\\[{escaped}\\_{code}\\]"),
            ]
        }
    }
}

/// Gives values back in one text, in whatever pieces it comes.
///
/// It holds back only what is the beginning of a pseudonym of the conversation.
#[derive(Debug)]
pub struct Restorer {
    held: String,
    escapes: Escapes,
}

impl Default for Restorer {
    fn default() -> Self {
        Self::new(Escapes::Text)
    }
}

impl Restorer {
    /// In strings of JSON, values are written with JSON's escapes.
    pub fn new(escapes: Escapes) -> Self {
        Self { held: String::new(), escapes }
    }

    /// Takes more of the text; adds to `out` what is settled by it.
    pub fn push(&mut self, pseudonyms: &Pseudonyms, text: &str, out: &mut String) {
        if pseudonyms.is_empty() && self.held.is_empty() {
            out.push_str(text);
            return;
        }
        self.held.push_str(text);
        self.advance(pseudonyms, out, false);
    }

    /// The text has come to its end; adds the rest to `out`.
    pub fn finish(&mut self, pseudonyms: &Pseudonyms, out: &mut String) {
        if !self.held.is_empty() {
            self.advance(pseudonyms, out, true);
        }
    }

    fn advance(&mut self, pseudonyms: &Pseudonyms, out: &mut String, last: bool) {
        let small = self.held.to_ascii_lowercase().into_bytes();
        let begins = |byte: u8| {
            let from = pseudonyms
                .forms
                .range::<[u8], _>((std::ops::Bound::Included(&[byte][..]), std::ops::Bound::Unbounded));
            from.take(1).any(|(form, _)| form.first() == Some(&byte))
        };
        let firsts: [bool; 128] = std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(begins));
        let (mut at, mut emitted) = (0, 0);
        while let Some(byte) = small.get(at) {
            if !firsts.get(usize::from(*byte)).copied().unwrap_or(false) {
                at += 1;
                continue;
            }
            let window = small.get(at..small.len().min(at + pseudonyms.longest)).unwrap_or_default();
            match pseudonyms.at(window) {
                At::Pseudonym(length, original) => {
                    out.push_str(self.held.get(emitted..at).unwrap_or_default());
                    match self.escapes {
                        Escapes::Text => out.push_str(original),
                        Escapes::Json => push_escaped(original, out),
                    }
                    at += length;
                    emitted = at;
                }
                At::Beginning if !last && at + window.len() == small.len() => break,
                _ => at += 1,
            }
        }
        out.push_str(self.held.get(emitted..at).unwrap_or_default());
        self.held.drain(..at);
    }
}

fn push_escaped(text: &str, out: &mut String) {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    out.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
}
