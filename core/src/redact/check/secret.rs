//! Keys and tokens: vendors' checksums, and what tells a secret from a word.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token whose last six digits of base 62 are the CRC-32 of what stands between its prefix and them: GitHub's and npm's.
pub fn crc_of_body(text: &[u8]) -> bool {
    let Some(underscore) = text.iter().rposition(|byte| *byte == b'_') else { return false };
    let body = text.get(underscore + 1..).unwrap_or_default();
    let Some((body, checksum)) = body.split_at_checked(body.len().saturating_sub(6)) else { return false };
    base62(checksum, false) == Some(u64::from(crc32fast::hash(body)))
}

/// A key of this gateway: the checksum is that of all before it.
pub fn crc_of_all(text: &[u8]) -> bool {
    let Some((body, checksum)) = text.split_at_checked(text.len().saturating_sub(6)) else { return false };
    base62(checksum, false) == Some(u64::from(crc32fast::hash(body)))
}

/// Digits of base 62, `0-9A-Za-z` in this order, or with the small letters first.
fn base62(digits: &[u8], small_first: bool) -> Option<u64> {
    digits.iter().try_fold(0, |value: u64, digit| {
        let (upper, lower) = if small_first { (36, 10) } else { (10, 36) };
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + upper,
            b'a'..=b'z' => digit - b'a' + lower,
            _ => return None,
        };
        Some(value * 62 + u64::from(digit))
    })
}

/// The beginning of a JSON web token: a header that decodes to an object with a member of JOSE's.
pub fn jose_header(text: &[u8]) -> bool {
    let Ok(header) = URL_SAFE_NO_PAD.decode(text.get(..text.len() / 4 * 4).unwrap_or_default()) else {
        return false;
    };
    let header: Vec<u8> = header.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    ["alg", "typ", "kid", "enc", "jku", "jwk", "x5t", "x5c", "x5u", "cty", "zip", "iss"]
        .iter()
        .any(|name| header.get(..5).is_some_and(|found| found == format!("{{\"{name}").as_bytes()))
}

/// The characters that make up a text at random need so many bits each.
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / length)
        .map(|share| -share * share.log2())
        .sum()
}

/// Whether a text is made up of letters, digits and signs without a pattern: no words, no numbering.
pub fn is_random(text: &[u8]) -> bool {
    let kinds = kinds(text);
    text.len() >= 16 && kinds >= 2 && entropy(text) >= 3.0 && text.iter().any(u8::is_ascii_digit)
}

fn kinds(text: &[u8]) -> usize {
    let kinds: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, u8::is_ascii_punctuation];
    kinds.iter().filter(|kind| text.iter().any(kind)).count()
}

/// What is assigned to a password: anything but a variable, an example or a word of a program.
pub fn password(text: &[u8]) -> bool {
    const WORDS: [&str; 22] = [
        "none",
        "null",
        "true",
        "false",
        "undefined",
        "string",
        "required",
        "optional",
        "password",
        "passwd",
        "secret",
        "changeme",
        "redacted",
        "example",
        "hidden",
        "empty",
        "default",
        "input",
        "process",
        "environ",
        "function",
        "getenv",
    ];
    let small = text.to_ascii_lowercase();
    let word = WORDS.iter().any(|word| small.starts_with(word.as_bytes()));
    let call = text.iter().any(|byte| matches!(byte, b'(' | b'{' | b'<' | b'[')) || text.starts_with(b"$");
    let masked = text.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_'));
    // A word alone is a type, a variable or prose.
    !word
        && !call
        && !masked
        && kinds(text) >= 2
        && text.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_punctuation())
        && !is_path(text)
}

/// What is assigned to a key or a token: random, or long.
pub fn token(text: &[u8]) -> bool {
    password(text)
        && (is_random(text)
            || text.len() >= 32 && entropy(text) >= 2.8 && text.iter().any(u8::is_ascii_digit))
}

/// Names that are joined, as programs have them: `settings.api_key`, `/etc/passwd`, `my-secret-name`.
fn is_path(text: &[u8]) -> bool {
    !text.iter().any(u8::is_ascii_digit)
        && text.split(|byte| b"._-/:@".contains(byte)).all(|name| name.iter().all(u8::is_ascii_alphabetic))
}

/// A hexadecimal or base-64 key: not one letter, not counted up.
pub fn key(text: &[u8]) -> bool {
    entropy(text) >= 2.5
}
