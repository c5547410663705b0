//! Prompt injection: how much a text tries to give orders that its reader has not to take, as a score.
//!
//! A text is undisguised, cut into words and looked through for concepts ("ignore", "previous", "instructions") in many
//! languages; signals are concepts near each other. Each signal has points, and a text's score is their sum. What is encoded
//! in it is decoded and looked through as well. All of this takes time in proportion to the text.

mod decode;
mod families;
mod signal;
#[cfg(test)]
mod tests;
mod words;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::redact::automaton::{Automaton, Cache, Prospect};
use signal::{Hit, Signals};
use words::{SENTENCE, Words};

pub use families::FAMILIES;
pub use signal::{Concept, Family, Signal};

/// A score of certainty.
pub const CERTAIN: u32 = 1000;
/// How long a phrase can be, in bytes.
const LONGEST: usize = 96;
/// So many units after the first signal, another one belongs to another text: what a long document says here and there does
/// not add up.
const WINDOW: u32 = 800;

/// All signals, made ready once.
#[derive(Debug)]
pub struct Scorer {
    words: Automaton,
    marks: Automaton,
    /// The bytes with which a mark can begin.
    begins_mark: [bool; 256],
    /// How many concepts are made of words; those behind them are made of marks.
    word_count: u16,
    signals: Signals,
    /// The same, as they are written.
    all: Vec<&'static Signal>,
    caches: Mutex<Caches>,
}

/// The states of the automata.
#[derive(Debug, Default)]
struct Caches {
    sifting: Cache,
    words: Cache,
    marks: Cache,
}

/// What was found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// From 0 to [`CERTAIN`].
    pub score: u32,
    /// The signals' names.
    pub signals: Vec<&'static str>,
}

fn all_signals() -> impl Iterator<Item = &'static Signal> {
    FAMILIES.iter().flat_map(|family| family.signals)
}

impl Scorer {
    /// `None` never happens: the rules are fixed, and a test reads them.
    pub fn new() -> Option<Self> {
        let concepts = || FAMILIES.iter().flat_map(|family| family.concepts);
        let patterns: Vec<String> = concepts().map(Concept::pattern).collect();
        let names: Vec<&str> =
            concepts().map(|concept| concept.name).chain(families::MARKS.iter().map(|mark| mark.0)).collect();
        let marks = Automaton::new(families::MARKS.iter().map(|mark| mark.1)).ok()?;
        let begin = marks.first_bytes();
        Some(Self {
            words: Automaton::with_signs(patterns.iter().map(String::as_str), []).ok()?,
            begins_mark: std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(|byte| begin.has(byte))),
            marks,
            word_count: u16::try_from(patterns.len()).ok()?,
            signals: Signals::new(all_signals(), &names),
            all: all_signals().collect(),
            caches: Mutex::default(),
        })
    }

    /// How much a text looks like an injection, and why.
    pub fn score(&self, text: &str) -> Findings {
        let words = Words::of(text);
        let mut best = self.of_words(&words, 0);
        for (decoded, how) in decode::decoded(text, &words) {
            let found = self.of_words(&Words::of(&decoded), how.points());
            if found.score > best.score {
                best = found;
            }
        }
        best
    }

    /// `bonus`: points on top of any signal's.
    fn of_words(&self, words: &Words, bonus: i32) -> Findings {
        let mut hits = Vec::new();
        // Whoever panicked has left states that are all true.
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        let Caches { sifting, words: plain, marks } = &mut *caches;
        self.marks.relieve(marks);
        let places = self.sift(sifting, &words.plain);
        self.find(plain, &words.plain, places.as_deref(), false, &mut hits);
        self.find(plain, &words.spaced, None, true, &mut hits);
        self.find_marks(marks, &words.marked, &mut hits);
        drop(caches);
        if hits.is_empty() {
            return Findings::default();
        }
        hits.sort_unstable_by_key(|hit| u64::from(hit.start) << 32 | u64::from(hit.end));
        self.weigh(&self.signals.fired(&hits), bonus)
    }

    /// Where concepts may begin, in order and apart: a text is told from all of them in one pass, but for what stands out. `None`:
    /// anywhere.
    fn sift(&self, cache: &mut Cache, text: &[u8]) -> Option<Vec<Range<usize>>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        let mut sifting = self.words.begin_sifting(cache, text.len())?;
        let mut rest = text;
        while !rest.is_empty() {
            let count = self.words.sift(cache, &mut sifting, rest)?;
            rest = rest.get(count..).unwrap_or_default();
            let end = text.len() - rest.len();
            if self.words.sifted(cache, &sifting).is_empty() {
                continue;
            }
            let start = end.saturating_sub(LONGEST);
            match places.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                _ => places.push(start..end),
            }
        }
        Some(places)
    }

    /// Finds concepts at the beginnings of words, or `anywhere`; `places`: where they may begin.
    fn find(
        &self,
        cache: &mut Cache,
        text: &[u8],
        places: Option<&[Range<usize>]>,
        anywhere: bool,
        hits: &mut Vec<Hit>,
    ) {
        let everywhere = 0..text.len();
        let places = places.unwrap_or(std::slice::from_ref(&everywhere));
        let end = places.last().map_or(0, |place| place.end);
        let mut places = places.iter().peekable();
        let mut unit = 0;
        let mut previous = GAP;
        for (at, byte) in text.iter().enumerate().take(end) {
            let class = class(*byte);
            let before = std::mem::replace(&mut previous, class);
            // Within a word of Latin letters.
            if before | class == 0 && !anywhere {
                continue;
            }
            unit += u32::from(class & UNITS);
            if !begins(before, class) && !anywhere {
                continue;
            }
            while places.next_if(|place| place.end <= at).is_some() {}
            if places.peek().is_none_or(|place| at < place.start) {
                continue;
            }
            let rest = text.get(at..).unwrap_or_default();
            let rest = rest.get(..LONGEST).unwrap_or(rest);
            #[cfg(test)]
            steps::count();
            // Most words begin no concept.
            if self.words.prospect(cache, rest) == Prospect::Match {
                self.run(cache, text, at, unit, anywhere, hits);
            }
        }
    }

    /// Finds the concepts that begin at a place.
    fn run(
        &self,
        cache: &mut Cache,
        text: &[u8],
        from: usize,
        start: u32,
        anywhere: bool,
        hits: &mut Vec<Hit>,
    ) {
        let text = text.get(from..).unwrap_or_default();
        let mut state = self.words.start(cache);
        let mut unit = start;
        let first = hits.len();
        for (at, byte) in text.iter().enumerate().take(LONGEST) {
            #[cfg(test)]
            steps::count();
            state = self.words.next(cache, state, *byte);
            if state.is_dead() {
                return;
            }
            match *byte {
                b' ' => unit += 2,
                _ if at > 0 && class(*byte) & UNSPACED != 0 => unit += u32::from(class(*byte) & UNITS),
                _ => {}
            }
            if !state.accepts() {
                continue;
            }
            let next = text.get(at + 1).copied().unwrap_or(SENTENCE);
            if !anywhere && !is_boundary(class(*byte), class(next)) {
                continue;
            }
            for concept in self.words.matches(cache, state) {
                let hit = Hit { concept: *concept, start, end: unit };
                match hits.iter_mut().skip(first).find(|hit| hit.concept == *concept) {
                    Some(shorter) => *shorter = hit,
                    None => hits.push(hit),
                }
            }
        }
    }

    fn find_marks(&self, cache: &mut Cache, text: &[u8], hits: &mut Vec<Hit>) {
        let mut unit = 0;
        let mut previous = b'\n';
        for (at, byte) in text.iter().enumerate() {
            unit += if byte.is_ascii_whitespace() { 2 } else { 0 };
            let before = std::mem::replace(&mut previous, *byte);
            if !self.begins_mark.get(usize::from(*byte)).copied().unwrap_or(false) {
                continue;
            }
            // `list[inst]` is program text.
            let is_index = *byte == b'[' && before.is_ascii_alphanumeric();
            let begins = before == b'\n' || !byte.is_ascii_alphanumeric() && *byte != b' ' && !is_index;
            if !begins {
                continue;
            }
            let mut state = self.marks.start(cache);
            for byte in text.iter().skip(at).take(LONGEST) {
                #[cfg(test)]
                steps::count();
                state = self.marks.next(cache, state, *byte);
                if state.is_dead() {
                    break;
                }
                if let [mark, ..] = self.marks.matches(cache, state) {
                    hits.push(Hit { concept: self.word_count + mark, start: unit, end: unit });
                    break;
                }
            }
        }
    }

    /// The points of signals that stand near each other, where they are most.
    fn weigh(&self, fired: &[(u16, u32)], bonus: i32) -> Findings {
        let of = |signal: u16| self.all.get(usize::from(signal)).map_or(0, |signal| i32::from(signal.points));
        let (mut sum, mut best) = (0, (0, 0..0));
        let mut first = 0;
        for (last, (signal, place)) in fired.iter().enumerate() {
            sum += of(*signal);
            while let Some((passed, _)) = fired.get(first).filter(|(_, begun)| begun + WINDOW < *place) {
                sum -= of(*passed);
                first += 1;
            }
            if sum > best.0 {
                best = (sum, first..last + 1);
            }
        }
        let (sum, range) = best;
        let score = if sum > 0 { sum + bonus } else { 0 };
        let signals = fired.get(range).unwrap_or_default().iter();
        Findings {
            score: u32::try_from(score).unwrap_or(0).min(CERTAIN),
            signals: signals
                .filter_map(|(signal, _)| Some(self.all.get(usize::from(*signal))?.name))
                .collect(),
        }
    }
}

/// What a byte is to words, and how many units of text it adds.
#[expect(clippy::indexing_slicing, reason = "the compiler makes it, and would say so")]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' => GAP | 2,
            SENTENCE => GAP | 6,
            0x80..0xC0 => OTHER | WITHIN,
            // Chinese and Japanese characters begin with these,
            0xE3..=0xE9 => OTHER | UNSPACED | 1,
            // and Korean ones with these; in all of them a word can begin within what has no spaces.
            0xEA..=0xED => OTHER | UNSPACED,
            0xC0.. => OTHER,
            _ => 0,
        };
        byte += 1;
    }
    classes
};
/// The bits of a class that are its units.
const UNITS: u8 = 7;
/// Between words.
const GAP: u8 = 8;
/// Of no ASCII character.
const OTHER: u8 = 16;
/// Not the first byte of a character.
const WITHIN: u8 = 32;
const UNSPACED: u8 = 64;

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Whether a word can end with a byte of one class and another begin with the next: scripts without spaces have that anywhere.
fn is_boundary(before: u8, after: u8) -> bool {
    (before | after) & GAP != 0 || after & UNSPACED != 0 || before & OTHER != 0 && after & OTHER == 0
}

/// Whether a word can begin with a byte of a class.
fn begins(before: u8, class: u8) -> bool {
    class & (GAP | WITHIN) == 0 && is_boundary(before, class)
}

/// How much work was done, for the tests: a clock would tell how busy the machine is.
#[cfg(test)]
pub(super) mod steps {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub fn count() {
        STEPS.set(STEPS.get() + 1);
    }

    pub fn take() -> usize {
        STEPS.take()
    }
}
