//! Checksums over digits, and what they are built from.

/// The values of the digits of a text, without whatever stands between them. A letter isn't left out: there is no value then.
pub fn values(text: &[u8]) -> Option<Vec<u32>> {
    let mut values = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'0'..=b'9' => values.push(u32::from(byte - b'0')),
            byte if byte.is_ascii_alphabetic() => return None,
            _ => {}
        }
    }
    Some(values)
}

/// The values of exactly so many digits.
pub fn exactly<const N: usize>(text: &[u8]) -> Option<[u32; N]> {
    values(text)?.try_into().ok()
}

/// The letters and digits of a text, letters as capitals.
pub fn signs(text: &[u8]) -> Vec<u8> {
    text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
}

/// The sum of digits, each times its weight.
pub fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// The number that digits are.
pub fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// Whether all digits are the same.
pub fn is_uniform(digits: &[u32]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

/// ISO/IEC 7812's check digit, of at least two digits that aren't all zero.
pub fn luhn(text: &[u8]) -> bool {
    values(text).is_some_and(|digits| is_luhn(&digits))
}

pub fn is_luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    digits.len() >= 2 && sum > 0 && sum.is_multiple_of(10)
}

/// ISO 7064's MOD 97-10 over letters and digits: the remainder is 1.
pub fn mod97(text: &[u8]) -> bool {
    let signs = signs(text);
    signs.len() >= 4 && remainder97(signs.iter().copied()) == Some(1)
}

/// The remainder of 97, letters being 10 to 35.
pub fn remainder97(signs: impl Iterator<Item = u8>) -> Option<u32> {
    signs.into_iter().try_fold(0, |remainder, sign| {
        let value = char::from(sign).to_digit(36)?;
        let shift = if value > 9 { 100 } else { 10 };
        Some((remainder * shift + value) % 97)
    })
}

/// Verhoeff's check digit.
pub fn verhoeff(text: &[u8]) -> bool {
    const PERMUTED: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    // The multiplication of the dihedral group of order ten.
    let times = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - 5 + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let Some(digits) = values(text) else { return false };
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        let permuted =
            (0..place % 8).fold(*digit, |digit, _| PERMUTED.get(digit as usize).copied().unwrap_or(0));
        times(sum, permuted)
    });
    digits.len() >= 2 && sum == 0
}

/// Whether day and month can be those of a date.
pub fn is_day(month: u32, day: u32) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_checksum_finds_one_wrong_digit_and_two_that_changed_places() {
        type Case = (fn(&[u8]) -> bool, &'static [u8]);
        let cases: [Case; 2] = [(luhn, b"79927398713"), (verhoeff, b"2363")];
        for (check, valid) in cases {
            assert!(check(valid));
            for place in 0..valid.len() {
                for digit in b'0'..=b'9' {
                    let mut changed = valid.to_vec();
                    changed[place] = digit;
                    assert_eq!(check(&changed), changed == valid);
                }
            }
        }
        assert!(mod97(b"3214282912345698765432161182"));
        assert!(!mod97(b"3214282912345698765432161183"));
        assert!(!luhn(b"0000000000000000"));
        assert!(!luhn(b"7992739871a3"));
    }
}
