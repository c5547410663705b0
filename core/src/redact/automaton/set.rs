//! Sets of bytes.

use crate::redact::normal::BARRIER;

/// A set of bytes, never with the one that stands for a placeholder: no match goes across one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set([u128; 2]);

impl Set {
    pub const fn range(low: u8, high: u8) -> Self {
        let mut set = Self([0; 2]);
        let mut byte = low;
        loop {
            set = set.with(byte);
            if byte >= high {
                return set;
            }
            byte += 1;
        }
    }

    pub fn of(bytes: &[u8]) -> Self {
        bytes.iter().fold(Self::default(), |set, byte| set.with(*byte))
    }

    pub fn digits() -> Self {
        Self::range(b'0', b'9')
    }

    pub fn words() -> Self {
        Self::digits().or(Self::range(b'a', b'z')).or(Self::range(b'A', b'Z')).with(b'_')
    }

    pub fn spaces() -> Self {
        Self::of(b" \t\n\r\x0b\x0c")
    }

    pub const fn with(self, byte: u8) -> Self {
        let Self([low, high]) = self;
        match byte {
            BARRIER => self,
            0..128 => Self([low | 1 << byte, high]),
            _ => Self([low, high | 1 << (byte - 128)]),
        }
    }

    pub const fn has(self, byte: u8) -> bool {
        let Self([low, high]) = self;
        match byte {
            0..128 => low >> byte & 1 == 1,
            _ => high >> (byte - 128) & 1 == 1,
        }
    }

    pub fn or(self, other: Self) -> Self {
        let (Self([low, high]), Self([other_low, other_high])) = (self, other);
        Self([low | other_low, high | other_high])
    }

    pub fn negated(self) -> Self {
        let Self([low, high]) = self;
        Self([!low & !(1 << BARRIER), !high])
    }

    /// With the other case of each letter.
    pub fn insensitive(self) -> Self {
        let Self([low, high]) = self;
        let upper = low & Self::letters(b'A');
        let lower = low & Self::letters(b'a');
        Self([low | upper << 32 | lower >> 32, high])
    }

    fn letters(first: u8) -> u128 {
        ((1 << 26) - 1) << first
    }
}
