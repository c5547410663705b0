//! The form of keys: made so that a scanner that finds one knows it for one, without asking anybody.
//!
//! `slc_`, then 256 random bits as 43 digits of base 62, then the CRC-32 of all before it as 6 digits of base 62. The
//! digits are `0-9A-Za-z` in this order, the most significant first.

/// How every key begins.
const PREFIX: &str = "slc_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// As many as 256 bits need: 62^43 is just above 2^256.
const SECRET_DIGITS: usize = 43;
/// As many as 32 bits need.
const CHECKSUM_DIGITS: usize = 6;

/// The key of these bits.
pub fn token(bits: &[u8; 32]) -> String {
    let mut key = PREFIX.to_owned();
    key.push_str(&base62(bits, SECRET_DIGITS));
    let checksum = checksum(&key);
    key.push_str(&checksum);
    key
}

/// Whether this can be a key of ours. Whether any gateway knows it is another question.
pub fn is_well_formed(key: &str) -> bool {
    let Some(split) = key.len().checked_sub(CHECKSUM_DIGITS) else { return false };
    let Some((secret, sum)) = key.split_at_checked(split) else { return false };
    let digits = secret.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == SECRET_DIGITS
        && digits.bytes().all(|byte| DIGITS.contains(&byte))
        && checksum(secret) == sum
}

fn checksum(text: &str) -> String {
    base62(&crc32fast::hash(text.as_bytes()).to_be_bytes(), CHECKSUM_DIGITS)
}

/// A big-endian number in base 62, with zeros before it.
fn base62(number: &[u8], digits: usize) -> String {
    let mut number = number.to_vec();
    let mut text: Vec<u8> = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut rest: usize = 0;
        for byte in &mut number {
            let value = rest << 8 | usize::from(*byte);
            *byte = u8::try_from(value / DIGITS.len()).unwrap_or(u8::MAX);
            rest = value % DIGITS.len();
        }
        text.extend(DIGITS.get(rest));
    }
    text.iter().rev().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        assert_eq!(base62(&[0], 3), "000");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[62], 2), "10");
        assert_eq!(base62(&[1, 0], 2), "48");
        // 2^32 - 1, by hand: 4·62^5 + 42·62^4 + 41·62^3 + 7·62^2 + 58·62 + 3.
        assert_eq!(base62(&[0xff; 4], CHECKSUM_DIGITS), "4gfFC3");
        assert_eq!(base62(&[0xff; 32], SECRET_DIGITS + 1).chars().next(), Some('0'), "43 digits are enough");
    }

    #[test]
    fn a_key_is_known_for_one() {
        let key = token(&[7; 32]);
        assert_eq!(key.len(), 53);
        assert!(is_well_formed(&key));
        assert!(is_well_formed(&token(&[0; 32])));
    }

    #[test]
    fn one_wrong_character_makes_it_no_key() {
        let key = token(&[0x5a; 32]);
        for position in 0..key.len() {
            let mut wrong = key.clone().into_bytes();
            wrong[position] = if wrong[position] == b'x' { b'y' } else { b'x' };
            assert!(!is_well_formed(std::str::from_utf8(&wrong).unwrap()), "position {position}");
        }
        for wrong in ["", "slc_", &key[1..], &key[..52], "sk-proj-0123456789", "slc_ä", &format!("{key}0")] {
            assert!(!is_well_formed(wrong), "{wrong}");
        }
    }
}
