//! Money and prices as whole numbers, read from decimals without a detour through floating point.

use std::fmt;

/// An amount of money in billionths of a US dollar. All amounts there can be are below 18.5 billion dollars, where sums stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(pub u64);

/// Digits behind the point of an amount or a price.
const FRACTION: usize = 9;
/// Digits before it: a million tokens for less than a billion dollars.
const WHOLE: usize = 9;
/// Digits in all, but for zeros at either end: as many as every double keeps, and protobuf documents know only doubles.
const SIGNIFICANT: usize = 15;

impl NanoUsd {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(u64::MAX);

    /// Reads an amount in US dollars, as [`parse_decimal`] does.
    pub fn parse(text: &str) -> Option<Self> {
        parse_decimal(text).map(Self)
    }

    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for NanoUsd {
    /// In US dollars, exact, with no more digits than there are: `12.5`, `0.000000001`, `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNIT: u64 = 1_000_000_000;
        let (whole, fraction) = (self.0 / UNIT, self.0 % UNIT);
        match fraction {
            0 => write!(f, "{whole}"),
            _ => write!(f, "{whole}.{}", format!("{fraction:09}").trim_end_matches('0')),
        }
    }
}

/// Reads a decimal such as `25`, `2.50` or `0.0375` as billionths.
///
/// `None` for what is no decimal without a sign or exponent, or has more than nine digits on a side of the point or 15 in
/// all; zeros that mean nothing don't count.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction.trim_end_matches('0')),
        None => (text, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let significant = match (whole, fraction) {
        ("", fraction) => fraction.trim_start_matches('0').len(),
        (whole, "") => whole.trim_end_matches('0').len(),
        (whole, fraction) => whole.len() + fraction.len(),
    };
    if whole.len() > WHOLE || fraction.len() > FRACTION || significant > SIGNIFICANT {
        return None;
    }
    let digits = whole.bytes().chain(fraction.bytes().chain(std::iter::repeat(b'0')).take(FRACTION));
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, nanos) in [
            ("0", 0),
            ("0.0", 0),
            ("25", 25_000_000_000),
            ("25.0", 25_000_000_000),
            ("00012.50", 12_500_000_000),
            ("0.075", 75_000_000),
            ("0.000000001", 1),
            ("0.00000000100", 1),
            ("123456789.123456", 123_456_789_123_456_000),
            ("999999999", 999_999_999_000_000_000),
            ("123456.123456789", 123_456_123_456_789),
        ] {
            assert_eq!(parse_decimal(text), Some(nanos), "{text}");
        }
        for text in [
            "",
            ".",
            ".5",
            "5.",
            "-1",
            "+1",
            "1e3",
            "1_000",
            "1,5",
            " 1",
            "NaN",
            "inf",
            "0.0000000001",
            "1000000000",
            "1.2.3",
            "1234567.123456789",
            "٣",
        ] {
            assert_eq!(parse_decimal(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_with_the_digits_that_they_have() {
        for (nanos, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (37_500, "0.0000375"),
            (1_000_000_000, "1"),
            (12_500_000_000, "12.5"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(NanoUsd(nanos).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(nanos in 0..1_000_000_000_000_000_u64) {
            let amount = NanoUsd(nanos);
            prop_assert_eq!(NanoUsd::parse(&amount.to_string()), Some(amount));
        }

        /// A number in YAML, JSON or protobuf arrives as the nearest double: its shortest decimal is the one that was written.
        #[test]
        fn a_double_of_fifteen_digits_gives_them_back(digits in 0..1_000_000_000_000_000_u64) {
            let written = format!("{}.{:06}", digits / 1_000_000, digits % 1_000_000);
            let double: f64 = written.parse().expect("is a number");
            prop_assert_eq!(parse_decimal(&double.to_string()), parse_decimal(&written));
        }
    }
}
