//! Text as rules see it: without disguises, and with the way back to the original's bytes.
//!
//! Full-width and other scripts' digits, look-alike letters, accents, invisible characters, percent-encoding and backslash
//! escapes are undone. What can't be undone stays as its own UTF-8. A placeholder becomes one byte that no pattern matches.

mod fold;
#[cfg(test)]
mod tests;

pub use fold::fold;
use fold::is_invisible;

/// The byte that stands for a placeholder.
pub const BARRIER: u8 = 1;
/// The byte that stands for a character that was written as an escape and is no ASCII.
const OTHER: u8 = 0xC0;
/// The byte within such a character: no match ends before it.
const CONTINUATION: u8 = 0x80;
/// How many invisible characters in a row are looked past. With more of them, there are words on both sides.
const MAX_INVISIBLE: u8 = 16;
/// How many backslashes in a row are read together.
const MAX_BACKSLASHES: usize = 8;
/// How long a placeholder can be.
pub const MAX_PLACEHOLDER: usize = 64;

/// What backslashes mean in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// What they mean in most languages, as text often quotes some.
    Text,
    /// What they mean within a string of JSON: no escape is cut in two.
    Json,
}

/// Text, normalised as it comes.
#[derive(Debug)]
pub struct Normal {
    escapes: Escapes,
    bytes: Vec<u8>,
    /// Where the original is not the same bytes, in order.
    special: Vec<Special>,
    /// How many bytes of the original are normalised.
    read: usize,
    invisible: u8,
}

/// A place of the original, and what it became: at most one byte.
#[derive(Clone, Copy, Debug)]
struct Special {
    at: usize,
    visible: bool,
    start: usize,
    end: usize,
}

/// What stands at the beginning of some text.
enum Unit {
    /// As many bytes of the original, which mean this byte, or nothing that can be seen.
    Means(usize, Option<u8>),
    /// As many bytes, which stay as they are.
    Plain(usize),
    /// More text is needed to tell.
    Unfinished,
}

/// Tells how long the placeholder is that a text begins with.
pub trait Placeholders {
    /// `None`: there is none. `Some(0)`: the text may be the beginning of one.
    fn placeholder(&self, text: &[u8]) -> Option<usize>;
}

impl Normal {
    pub fn new(escapes: Escapes) -> Self {
        Self { escapes, bytes: Vec::new(), special: Vec::new(), read: 0, invisible: 0 }
    }

    /// The normalised text.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes of the original are normalised.
    pub fn read(&self) -> usize {
        self.read
    }

    /// Reads on in the original, of which what was read before is unchanged; `last` when nothing comes behind it.
    pub fn extend(&mut self, original: &str, placeholders: &impl Placeholders, last: bool) {
        let original = original.as_bytes();
        loop {
            let rest = original.get(self.read..).unwrap_or_default();
            let plain = rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len());
            self.plain(rest.get(..plain).unwrap_or_default());
            let rest = rest.get(plain..).unwrap_or_default();
            if rest.is_empty() {
                return;
            }
            match self.unit(rest, placeholders, last) {
                Unit::Unfinished => return,
                Unit::Plain(length) => self.plain(rest.get(..length).unwrap_or_default()),
                Unit::Means(length, meaning) => self.means(length, meaning),
            }
        }
    }

    /// Forgets what comes before the byte `at` of the normalised text, and before the byte `passed` of the original.
    pub fn forget(&mut self, at: usize, passed: usize) {
        self.bytes.drain(..at.min(self.bytes.len()));
        self.special.retain_mut(|special| {
            let kept = special.start >= passed;
            if kept {
                special.at -= at;
                special.start -= passed;
                special.end -= passed;
            }
            kept
        });
        self.read -= passed;
    }

    /// Where the byte `at` begins in the original.
    pub fn start_of(&self, at: usize) -> usize {
        match self.special_before(at) {
            None => at,
            Some(special) if special.visible && special.at == at => special.start,
            Some(special) => special.end + at - special.at - usize::from(special.visible),
        }
    }

    /// Where the byte `at` ends in the original. What can't be seen behind it isn't part of it.
    pub fn end_of(&self, at: usize) -> usize {
        match self.special_before(at) {
            None => at + 1,
            Some(special) if special.visible && special.at == at => special.end,
            Some(special) => special.end + at - special.at - usize::from(special.visible) + 1,
        }
    }

    /// The last special place at or before a byte; unseen ones that stand at it come before it.
    fn special_before(&self, at: usize) -> Option<&Special> {
        let count = self.special.partition_point(|special| special.at <= at);
        self.special.get(..count)?.last()
    }

    fn plain(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes.extend_from_slice(bytes);
            self.read += bytes.len();
            self.invisible = 0;
        }
    }

    fn means(&mut self, length: usize, meaning: Option<u8>) {
        let (start, end) = (self.read, self.read + length);
        let meaning = match meaning {
            None if self.invisible == MAX_INVISIBLE => Some(b' '),
            meaning => meaning,
        };
        self.invisible = if meaning.is_none() { self.invisible + 1 } else { 0 };
        self.special.push(Special { at: self.bytes.len(), visible: meaning.is_some(), start, end });
        self.bytes.extend(meaning);
        self.read = end;
    }

    fn unit(&self, text: &[u8], placeholders: &impl Placeholders, last: bool) -> Unit {
        let unit = match text.first() {
            Some(b'%') => percent(text),
            Some(b'\\') => self.backslash(text, last),
            Some(b'[' | b'+') => match placeholders.placeholder(text) {
                None => Unit::Plain(1),
                Some(0) => Unit::Unfinished,
                Some(length) => Unit::Means(length, Some(BARRIER)),
            },
            // Bytes that mean something to us must not come from outside.
            Some(&BARRIER) => Unit::Means(1, Some(b' ')),
            _ => character(text),
        };
        match unit {
            Unit::Unfinished if last => match (text.first(), self.escapes) {
                // Half an escape at the very end.
                (Some(b'\\'), Escapes::Json) => Unit::Means(text.len(), Some(b' ')),
                _ => Unit::Plain(1),
            },
            unit => unit,
        }
    }

    /// What a run of backslashes and the character behind it mean.
    fn backslash(&self, text: &[u8], last: bool) -> Unit {
        let run = text.iter().take(MAX_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
        let json = self.escapes == Escapes::Json;
        // Two of them mean one; only the last one can belong to what follows.
        let pair = |run: usize| if run >= 2 { Unit::Means(2, Some(b'\\')) } else { Unit::Plain(1) };
        let Some(&next) = text.get(run) else {
            // More of them, or what they escape, may follow.
            return match run == MAX_BACKSLASHES || last && run >= 2 {
                true => pair(run),
                false => Unit::Unfinished,
            };
        };
        if run == MAX_BACKSLASHES {
            return pair(run);
        }
        let odd = run % 2 == 1;
        match next {
            b'n' | b'r' | b't' => Unit::Means(run + 1, Some(b'\n')),
            b'"' if odd || !json => Unit::Means(run + 1, Some(b'"')),
            b'/' if odd => Unit::Means(run + 1, Some(b'/')),
            b'u' => match text.get(run + 1..run + 5) {
                None if !last
                    && text.get(run + 1..).is_some_and(|rest| rest.iter().all(u8::is_ascii_hexdigit)) =>
                {
                    Unit::Unfinished
                }
                digits => match digits.and_then(hexadecimal) {
                    Some(code) => Unit::Means(run + 5, code_point(code)),
                    None => pair(run),
                },
            },
            _ if run >= 2 => pair(run),
            // A character behind one backslash, which JSON would not have apart.
            _ if json && next.is_ascii() => Unit::Means(2, Some(b' ')),
            _ => Unit::Plain(1),
        }
    }
}

/// Bytes that may not mean themselves.
fn is_special(byte: u8) -> bool {
    SPECIAL.get(usize::from(byte)).copied().unwrap_or(true)
}

#[expect(clippy::indexing_slicing, reason = "the compiler makes it, and would say so")]
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        special[byte] = byte >= 128 || matches!(byte as u8, b'%' | b'\\' | b'[' | b'+' | BARRIER);
        byte += 1;
    }
    special
};

/// `%40`, also when its percent sign is encoded once more.
fn percent(text: &[u8]) -> Unit {
    let digits = match text {
        [_, b'2', b'5', rest @ ..] => {
            let twice = rest.get(..2).map(|digits| (5, digits));
            match twice.filter(|(_, digits)| decoded(digits).is_some()) {
                Some(found) => Some(found),
                None if rest.len() < 2 && rest.iter().all(u8::is_ascii_hexdigit) => return Unit::Unfinished,
                None => return Unit::Plain(1),
            }
        }
        _ => text.get(1..3).map(|digits| (3, digits)),
    };
    match digits {
        None if text.iter().skip(1).all(u8::is_ascii_hexdigit) => Unit::Unfinished,
        None => Unit::Plain(1),
        Some((length, digits)) => match decoded(digits) {
            Some(byte) => Unit::Means(length, Some(byte)),
            None => Unit::Plain(1),
        },
    }
}

fn decoded(digits: &[u8]) -> Option<u8> {
    hexadecimal(digits).and_then(|code| u8::try_from(code).ok()).filter(|byte| matches!(byte, b' '..=b'~'))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

/// What `\u` and four digits mean.
fn code_point(code: u32) -> Option<u8> {
    match char::from_u32(code) {
        Some('\0'..=' ') => Some(b' '),
        Some(character) if is_invisible(character) => None,
        Some(character) => Some(fold(character).unwrap_or(OTHER)),
        // Half of a pair: the second half is never cut off.
        None if code >= 0xDC00 => Some(CONTINUATION),
        None => Some(OTHER),
    }
}

/// A character that is no ASCII.
fn character(text: &[u8]) -> Unit {
    let length = match text.first() {
        Some(0xF0..) => 4,
        Some(0xE0..) => 3,
        _ => 2,
    };
    let character = text.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
    match character {
        None => Unit::Plain(1),
        Some(character) if is_invisible(character) => Unit::Means(length, None),
        Some(character) => match fold(character) {
            Some(byte) => Unit::Means(length, Some(byte)),
            None => Unit::Plain(length),
        },
    }
}
