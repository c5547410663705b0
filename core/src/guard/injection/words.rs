//! Text as signals see it: words in lower case with one space between them, sentences with a line's end.

use crate::redact::Escapes;
use crate::redact::normal::{Normal, Placeholders};

/// What stands between two sentences.
pub const SENTENCE: u8 = b'\n';
/// So many letters that stand alone, one after the other, are one word with spaces in it.
const SPACED: usize = 4;

/// The words of a text.
#[derive(Debug, Default)]
pub struct Words {
    /// Undisguised, in lower case, its punctuation kept: what forged delimiters are looked for in.
    pub marked: Vec<u8>,
    /// Words only.
    pub plain: Vec<u8>,
    /// What letters that stood alone say together.
    pub spaced: Vec<u8>,
}

/// There are none here: text that a client sends has no placeholder of ours.
struct Bare;

impl Placeholders for Bare {
    fn placeholder(&self, _: &[u8]) -> Option<usize> {
        None
    }
}

impl Words {
    pub fn of(text: &str) -> Self {
        let mut normal = Normal::new(Escapes::Text);
        normal.extend(&lower(text), &Bare, true);
        let marked = normal.bytes().to_ascii_lowercase();
        let mut words = Self { plain: Vec::with_capacity(marked.len()), ..Self::default() };
        let mut alone = 0;
        let mut rest = marked.as_slice();
        while let Some(byte) = rest.first() {
            let (prose, behind) = rest.split_at_checked(prose(rest)).unwrap_or((&[], rest));
            if !prose.is_empty() {
                words.plain.extend_from_slice(prose);
                words.join(0, &[]);
                alone = 0;
                rest = behind;
                continue;
            }
            let letters = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            let (length, ends) = match letters {
                0 => match separator(rest) {
                    Some((length, ends)) => (length, Some(ends || is_end(*byte, rest))),
                    None => (word(rest, 1), None),
                },
                letters => (word(rest, letters), None),
            };
            let (unit, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            match ends {
                Some(ends) => words.separate(ends),
                None => {
                    alone = if length == 1 { alone + 1 } else { 0 };
                    words.push(unit, length == letters);
                    words.join(alone, unit);
                }
            }
            rest = behind;
        }
        words.marked = marked;
        words
    }

    fn separate(&mut self, sentence: bool) {
        match self.plain.last_mut() {
            Some(last @ b' ') if sentence => *last = SENTENCE,
            None | Some(&mut (b' ' | SENTENCE)) => {}
            Some(_) => self.plain.push(if sentence { SENTENCE } else { b' ' }),
        }
    }

    /// `letters`: it is made of nothing else.
    fn push(&mut self, word: &[u8], letters: bool) {
        match letters {
            true => self.plain.extend_from_slice(word),
            false if is_leet(word) => {
                let mut last = 0;
                for byte in word {
                    last = unleet(*byte, last);
                    self.plain.push(last);
                }
            }
            false if word.contains(&b'\'') => self.plain.extend(word.iter().filter(|byte| **byte != b'\'')),
            false => self.plain.extend_from_slice(word),
        }
    }

    /// Keeps what letters say that stand alone: the last `alone` words have one letter each.
    fn join(&mut self, alone: usize, word: &[u8]) {
        match alone {
            0 if self.spaced.last().is_some_and(|last| *last != b' ') => self.spaced.push(b' '),
            SPACED => {
                let letters = self.plain.iter().rev().filter(|byte| !matches!(**byte, b' ' | SENTENCE));
                let mut letters: Vec<u8> = letters.take(SPACED).copied().collect();
                letters.reverse();
                self.spaced.append(&mut letters);
            }
            _ if alone > SPACED => self.spaced.extend_from_slice(word),
            _ => {}
        }
    }
}

/// How much of a text's beginning is words of Latin letters with one space behind each: as it is, it is what is wanted.
fn prose(text: &[u8]) -> usize {
    let (mut length, mut letters) = (0, 0);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' => letters += 1,
            // Letters that stand alone may be a word together.
            b' ' if letters > 1 => (length, letters) = (at + 1, 0),
            _ => break,
        }
    }
    length
}

/// Capital letters of Greek and Cyrillic, which look like Latin ones more often than small ones do.
fn lower(text: &str) -> std::borrow::Cow<'_, str> {
    let shift = |character: char| match character {
        'Α'..='Ω' | 'А'..='Я' => 32,
        'Ѐ'..='Џ' => 80,
        _ => 0,
    };
    match memchr::memchr2(0xCE, 0xD0, text.as_bytes()) {
        None => text.into(),
        Some(_) => text
            .chars()
            .map(|character| char::from_u32(u32::from(character) + shift(character)).unwrap_or(character))
            .collect::<String>()
            .into(),
    }
}

/// How long the separator is that a text begins with, and whether it ends a sentence by itself.
fn separator(text: &[u8]) -> Option<(usize, bool)> {
    match text {
        [b'a'..=b'z' | b'0'..=b'9' | b'\'', ..] => None,
        [b'@' | b'$', next, ..] if next.is_ascii_alphanumeric() => None,
        [0..0x80, ..] => Some((1, false)),
        // The marks of Chinese and Japanese.
        [0xE3, 0x80, 0x80..=0x9F, ..] => Some((3, matches!(text.get(2), Some(0x82)))),
        // Punctuation, arrows, boxes and the like; Arabic and Hindi marks; emoji.
        [0xE2, 0x80..=0xAF, _, ..] => Some((3, false)),
        [0xC2, 0x80..=0xBF, ..] | [0xD8, 0x8C | 0x9B, ..] => Some((2, false)),
        [0xD8, 0x9F, ..] => Some((2, true)),
        [0xE0, 0xA5, 0xA4 | 0xA5, ..] => Some((3, true)),
        [0xF0, 0x9F, _, _, ..] => Some((4, false)),
        _ => None,
    }
}

/// Whether a separator of ASCII ends a sentence: it does before a space, or at the end.
fn is_end(byte: u8, text: &[u8]) -> bool {
    match byte {
        b'.' | b'!' | b'?' | b';' => text.get(1).is_none_or(u8::is_ascii_whitespace),
        b'\n' => text.get(1) == Some(&b'\n'),
        _ => false,
    }
}

/// How long the word is that a text begins with; so much of it is known.
fn word(text: &[u8], known: usize) -> usize {
    let mut at = known;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if separator(rest).is_some() {
            break;
        }
        at += 1;
    }
    at
}

/// Whether digits stand for letters: several of them, or one between letters.
fn is_leet(word: &[u8]) -> bool {
    let stands_in = |byte: &u8| matches!(byte, b'0' | b'1' | b'3' | b'4' | b'5' | b'7' | b'@' | b'$');
    let letters = word.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let digits = word.iter().filter(|byte| stands_in(byte)).count();
    // Digits that end a word are a number: gpt4, rot13.
    let inside = word.windows(2).any(|two| matches!(two, [a, b] if stands_in(a) && b.is_ascii_lowercase()));
    letters + digits == word.len()
        && inside
        && (digits > 1 || word.first().is_some_and(u8::is_ascii_lowercase))
        && digits <= letters + 1
}

fn unleet(byte: u8, last: u8) -> u8 {
    match byte {
        b'0' => b'o',
        b'1' if last == b'i' => b'l',
        b'1' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'7' => b't',
        other => other,
    }
}
