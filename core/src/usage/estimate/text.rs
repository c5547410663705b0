//! About how many tokens a text has, counted character by character.

use super::table::{ASCII, CLASSES, OTHER_STARTS, PAIRS, RANGES, SURE, UNIT, WRITTEN};

/// Counts a text that comes in pieces, wherever it is cut.
///
/// Tokenizers differ, but all cut text in much the same places: before a space, between a word and a bracket, rarely inside a
/// common word. So each character adds how many tokens begin with one of its class behind one of the class before it, on
/// average. What is written in Latin letters is taken for English or for another language by the pairs of letters before.
///
/// Linear, without allocation; more text never makes fewer tokens.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    units: u64,
    /// The class of the last character.
    last: u8,
    /// How sure it is that the text is English, or that it is not where this is negative.
    english: i32,
}

/// About how many tokens a text has; at least one in any that is not empty.
pub fn text(text: &str) -> u64 {
    let mut counter = Counter::default();
    counter.push(text);
    counter.tokens()
}

/// The class of what stands before a text.
const START: u8 = (CLASSES - 1) as u8;

impl Default for Counter {
    fn default() -> Self {
        Self { units: 0, last: START, english: 0 }
    }
}

impl Counter {
    /// More of the text.
    pub fn push(&mut self, text: &str) {
        let Self { mut units, mut last, mut english } = *self;
        let mut add = |class: u8| {
            let pair = PAIRS.get(usize::from(last) * CLASSES + usize::from(class)).copied().unwrap_or(0);
            units += match english < 0 {
                true => u64::from(other_starts(last, class).unwrap_or(pair as u16)),
                false => u64::from(pair as u16),
            };
            english = (english + (pair >> 16)).clamp(-SURE, SURE);
            last = class;
        };
        let mut rest = text;
        loop {
            // Most text is ASCII, whose characters need no decoding.
            let length = rest.bytes().position(|byte| {
                let class = ASCII.get(usize::from(byte));
                class.map(|class| add(*class)).is_none()
            });
            let Some((_, behind)) = length.and_then(|length| rest.split_at_checked(length)) else { break };
            rest = behind.trim_start_matches(|character: char| {
                let is_other = !character.is_ascii();
                if is_other {
                    add(class(character));
                }
                is_other
            });
        }
        *self = Self { units, last, english };
    }

    /// Another text begins, in the language of the one before as far as is known.
    pub fn begin(&mut self) {
        self.last = START;
    }

    /// About how many tokens there have been; at least one once there was any text.
    pub fn tokens(&self) -> u64 {
        match self.units {
            0 => 0,
            units => ((units + UNIT / 2) / UNIT).max(1),
        }
    }
}

/// How many tokens begin with a class behind another one in other languages than English; `None` where that makes no difference.
fn other_starts(before: u8, own: u8) -> Option<u16> {
    let (before, own) = (usize::from(before), usize::from(own));
    let is_written = before < WRITTEN && own < WRITTEN;
    is_written.then(|| OTHER_STARTS.get(before * WRITTEN + own).copied().unwrap_or(0))
}

fn class(character: char) -> u8 {
    let code = u32::from(character);
    if let Some(class) = ASCII.get(code as usize) {
        return *class;
    }
    let behind = RANGES.partition_point(|(start, _)| *start <= code);
    behind.checked_sub(1).and_then(|index| RANGES.get(index)).map_or(0, |(_, class)| *class)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
