//! What a text says in an encoding: base64, hexadecimal digits, letters moved by 13 places, or backwards.

use super::words::Words;

/// How a text was encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Base64,
    Hexadecimal,
    Rot13,
    Backwards,
}

/// The shortest run of characters that is decoded.
const SHORTEST: usize = 24;
/// So many words of the text's make it worth to read it in another way.
const ENOUGH: usize = 2;

impl How {
    /// Who hides an order knows that it is none of his to give.
    pub fn points(self) -> i32 {
        match self {
            Self::Base64 | Self::Hexadecimal => 200,
            Self::Rot13 | Self::Backwards => 300,
        }
    }
}

/// What a text says when it is decoded. Nothing that is decoded is decoded again, so it is never longer than the text.
pub fn decoded(text: &str, words: &Words) -> Vec<(String, How)> {
    let mut found = Vec::new();
    let (mut base64, mut hexadecimal) = (String::new(), String::new());
    for run in runs(text) {
        let decoded = match run.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => (from_hexadecimal(run), &mut hexadecimal),
            false => (from_base64(run), &mut base64),
        };
        if let (Some(plain), all) = decoded {
            all.push_str(&plain);
            all.push('\n');
        }
    }
    found.extend((!base64.is_empty()).then_some((base64, How::Base64)));
    found.extend((!hexadecimal.is_empty()).then_some((hexadecimal, How::Hexadecimal)));
    let (mut moved, mut turned) = (0, 0);
    for word in words.plain.split(|byte| matches!(byte, b' ' | b'\n')) {
        moved += usize::from(is_moved(word));
        turned += usize::from(is_turned(word));
    }
    if moved >= ENOUGH {
        found.push((text.chars().map(move_letter).collect(), How::Rot13));
    }
    if turned >= ENOUGH {
        found.push((text.chars().rev().collect(), How::Backwards));
    }
    found
}

/// The runs of characters that encodings are made of, which are long enough.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(last) = text.as_bytes().get(from + SHORTEST - 1..).and_then(<[u8]>::first) {
            // Where the last character of a run would stand that begins here: behind what is none, none has to be looked for.
            if !is_encoding(*last) {
                from += SHORTEST;
                continue;
            }
            let bytes = text.as_bytes();
            let before = bytes.get(from..from + SHORTEST).unwrap_or_default();
            if let Some(other) = before.iter().rposition(|byte| !is_encoding(*byte)) {
                from += other + 1;
                continue;
            }
            let rest = bytes.get(from + SHORTEST..).unwrap_or_default();
            let end = from + SHORTEST + rest.iter().take_while(|byte| is_encoding(**byte)).count();
            let run = text.get(from..end);
            from = end;
            return run;
        }
        None
    })
}

fn is_encoding(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// Common words of English, and those of orders, with their letters moved.
fn is_moved(word: &[u8]) -> bool {
    matches!(
        word,
        b"gur"
            | b"naq"
            | b"lbhe"
            | b"lbh"
            | b"vtaber"
            | b"cerivbhf"
            | b"vafgehpgvbaf"
            | b"flfgrz"
            | b"cebzcg"
            | b"erirny"
    )
}

/// The same words, backwards.
fn is_turned(word: &[u8]) -> bool {
    matches!(
        word,
        b"eht"
            | b"dna"
            | b"ruoy"
            | b"uoy"
            | b"erongi"
            | b"suoiverp"
            | b"snoitcurtsni"
            | b"metsys"
            | b"tpmorp"
            | b"laever"
    )
}

fn from_hexadecimal(run: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> = run
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
            _ => None,
        })
        .collect();
    readable(bytes?)
}

fn from_base64(run: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(run.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in run.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF).unwrap_or(0));
        }
    }
    readable(bytes)
}

/// Bytes as text, where they are words rather than data.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let data = text.chars().filter(|c| c.is_control() && !c.is_whitespace()).count();
    (data == 0 && text.contains(|c: char| c.is_ascii_alphabetic() || !c.is_ascii())).then_some(text)
}

fn move_letter(character: char) -> char {
    let moved = |first: u8| {
        let offset = u8::try_from(u32::from(character) - u32::from(first)).unwrap_or(0);
        char::from(first + (offset + 13) % 26)
    };
    match character {
        'a'..='z' => moved(b'a'),
        'A'..='Z' => moved(b'A'),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn runs_are_all_that_is_long_enough(text in "([a-f]{20,30}|[A-Za-z0-9+/=_-]{0,40}|[ .é]{0,3}){0,6}") {
            let expected: Vec<&str> = text
                .split(|c: char| !u8::try_from(c).is_ok_and(is_encoding))
                .filter(|run| run.len() >= SHORTEST)
                .collect();
            proptest::prop_assert_eq!(runs(&text).collect::<Vec<_>>(), expected);
        }
    }
}
