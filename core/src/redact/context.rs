//! Words around a match.

use std::borrow::Cow;
use std::ops::Range;

/// How far before a match a word may stand, in bytes.
pub const BEFORE: usize = 64;
/// How much of the text before a match is looked at: the byte before a word says whether it begins there.
pub const LOOK: usize = BEFORE + 1;
/// How far behind a match a word may begin and end.
pub const BEHIND: usize = 12;
/// How far before a match a word may stand that speaks against it.
pub const AGAINST: usize = 24;

/// Words to be looked for. With `*` at its end, a word is the beginning of one.
///
/// Words begin and end at whatever is neither letter nor digit, and where a capital follows a small letter (`phoneNumber`).
#[derive(Debug)]
pub struct Words {
    /// In the order of their first letters.
    words: Vec<Cow<'static, str>>,
    /// How each of them begins, to tell most of them from a text at a glance.
    heads: Vec<Head>,
    /// Where the words of each first letter begin, and where they end.
    places: [u16; 28],
}

/// The first bytes of a text, as far as it has them.
#[derive(Clone, Copy, Debug)]
struct Head {
    bytes: u32,
    mask: u32,
}

impl Words {
    pub fn new(words: impl IntoIterator<Item = Cow<'static, str>>) -> Self {
        let first = |word: &Cow<'static, str>| word.bytes().next().map_or(0, letter);
        let mut sorted: Vec<Cow<'static, str>> = words.into_iter().collect();
        sorted.sort_unstable_by(|one, other| (first(one), one).cmp(&(first(other), other)));
        sorted.dedup();
        let places = std::array::from_fn(|letter| {
            u16::try_from(sorted.partition_point(|word| first(word) < letter)).unwrap_or(u16::MAX)
        });
        let heads = sorted.iter().map(|word| Head::of(word.trim_end_matches('*').as_bytes())).collect();
        Self { words: sorted, heads, places }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Cow<'static, str>> {
        self.words.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether one of them stands in a text.
    pub fn stand_in(&self, text: &[u8]) -> bool {
        self.any(text, 0, |_, _| true)
    }

    /// Whether one of them stands in the last bytes of a text, at most [`BEFORE`] of them.
    pub fn end(&self, text: &[u8], beginnings: Beginnings, most: usize) -> bool {
        beginnings.within(text.len(), most).any(|at| self.begin(text, at, |_, _| true))
    }

    /// Whether one of them ends a text, and then comes a colon or an equals sign: `"password": "`.
    pub fn are_assigned_to(&self, text: &[u8]) -> bool {
        assigned_to(text).is_some_and(|before| {
            self.any(before, before.len().saturating_sub(BEFORE), |length, rest| length == rest)
        })
    }

    /// Whether a word fits that begins in a text, at `from` or behind, by its length and by that of the text from it on.
    fn any(&self, text: &[u8], from: usize, fits: fn(usize, usize) -> bool) -> bool {
        (from..text.len()).any(|at| begins_word(text, at) && self.begin(text, at, fits))
    }

    /// Whether a word fits that begins at a place, at which words can begin.
    fn begin(&self, text: &[u8], at: usize, fits: fn(usize, usize) -> bool) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        let range = rest.first().and_then(|byte| self.of_first(*byte));
        let mut words = range.into_iter().flat_map(|range| self.like(range, rest));
        words.any(|word| word_at(rest, word).is_some_and(|length| fits(length, rest.len())))
    }

    /// Where the words are that begin with a letter; `None` where there are none.
    fn of_first(&self, byte: u8) -> Option<Range<usize>> {
        let letter = letter(byte);
        let range = usize::from(*self.places.get(letter)?)..usize::from(*self.places.get(letter + 1)?);
        (!range.is_empty()).then_some(range)
    }

    /// Those of some words whose first bytes are like a text's.
    fn like(&self, range: Range<usize>, text: &[u8]) -> impl Iterator<Item = &Cow<'static, str>> {
        let head = Head::of(text);
        let words = self.words.get(range.clone()).unwrap_or_default();
        let heads = self.heads.get(range).unwrap_or_default();
        words.iter().zip(heads).filter(move |(_, known)| known.is_like(head)).map(|(word, _)| word)
    }
}

/// Tells where words may begin, of many words: by three letters, most words of a text are told from all of them.
#[derive(Debug)]
pub struct Openings {
    words: Words,
    /// A bit for each three letters with which one of them begins.
    triples: Box<[u32; TRIPLES.div_ceil(32)]>,
}

/// How many there are of three letters, each one of the alphabet or whatever else.
const TRIPLES: usize = 27 * 27 * 27;

impl Openings {
    pub fn new(words: Words) -> Self {
        let mut triples = Box::new([0; TRIPLES.div_ceil(32)]);
        for word in words.iter() {
            let known: Vec<usize> = word.trim_end_matches('*').bytes().take(3).map(letter).collect();
            // A shorter word stands for all that begin with it.
            let behind = 27_usize.pow(3 - u32::try_from(known.len()).unwrap_or(3));
            let first = known.iter().fold(0, |sum, letter| sum * 27 + letter) * behind;
            for triple in first..first + behind {
                if let Some(bits) = triples.get_mut(triple / 32) {
                    *bits |= 1 << (triple % 32);
                }
            }
        }
        Self { words, triples }
    }

    /// How each of the words begins, as patterns.
    pub fn patterns(&self) -> impl Iterator<Item = String> {
        self.words.iter().map(|word| {
            let mut pattern = String::from("(?i)");
            for character in word.trim_end_matches('*').chars() {
                match character {
                    ' ' => pattern.push_str(r"[ _.\n-]"),
                    _ if character.is_ascii_punctuation() => pattern.extend(['\\', character]),
                    _ => pattern.push(character),
                }
            }
            pattern
        })
    }

    /// The last of these places of a text at which a word may begin: one does, or the text ends before that can be told.
    pub fn last(&self, text: &[u8], places: Range<usize>) -> Option<usize> {
        places
            .rev()
            .find(|at| begins_word(text, *at) && text.get(*at..).is_some_and(|rest| self.may_begin(rest)))
    }

    fn may_begin(&self, text: &[u8]) -> bool {
        if let [first, second, third, ..] = text {
            let triple = (letter(*first) * 27 + letter(*second)) * 27 + letter(*third);
            if self.triples.get(triple / 32).is_none_or(|bits| bits & 1 << (triple % 32) == 0) {
                return false;
            }
        }
        let range = text.first().and_then(|first| self.words.of_first(*first));
        let mut words = range.into_iter().flat_map(|range| self.words.like(range, text));
        words.any(|word| same(text, word.trim_end_matches('*').as_bytes()))
    }
}

impl Head {
    fn of(text: &[u8]) -> Self {
        text.iter().take(size_of::<u32>()).enumerate().fold(Self { bytes: 0, mask: 0 }, |head, (at, byte)| {
            let byte = match byte {
                b'_' | b'-' | b'.' | b'\n' => b' ',
                byte => byte.to_ascii_lowercase(),
            };
            Self { bytes: head.bytes | u32::from(byte) << (8 * at), mask: head.mask | 0xFF << (8 * at) }
        })
    }

    /// Whether one may be the beginning of the other, as [`same`] compares them.
    fn is_like(self, other: Self) -> bool {
        (self.bytes ^ other.bytes) & self.mask & other.mask == 0
    }
}

/// Where words can begin in the last [`BEFORE`] bytes of a text: a bit for each byte, the lowest for the last one.
#[derive(Clone, Copy, Debug)]
pub struct Beginnings(u64);

impl Beginnings {
    /// Of a text with one byte more than is asked about, if it has that many: it says whether a word begins behind it.
    pub fn of(text: &[u8]) -> Self {
        let places = (0..text.len().min(BEFORE)).filter(|back| begins_word(text, text.len() - 1 - back));
        Self(places.fold(0, |bits, back| bits | 1 << back))
    }

    /// The places among the last bytes of the text that they are of.
    fn within(self, length: usize, most: usize) -> impl Iterator<Item = usize> {
        let mut bits = if most < BEFORE { self.0 & ((1 << most) - 1) } else { self.0 };
        std::iter::from_fn(move || {
            let back = bits.checked_ilog2()?;
            bits ^= 1 << back;
            Some(length - 1 - back as usize)
        })
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::new([])
    }
}

/// The place of a letter in the alphabet; 26 for whatever else.
fn letter(byte: u8) -> usize {
    usize::from(LETTERS.get(usize::from(byte)).copied().unwrap_or(26))
}

/// [`letter`] of each byte.
#[expect(clippy::indexing_slicing, reason = "the compiler makes it, and would say so")]
const LETTERS: [u8; 256] = {
    let mut letters = [26; 256];
    let mut letter = 0;
    while letter < 26 {
        letters[(b'a' + letter) as usize] = letter;
        letters[(b'A' + letter) as usize] = letter;
        letter += 1;
    }
    letters
};

/// What a byte is to words.
#[expect(clippy::indexing_slicing, reason = "the compiler makes it, and would say so")]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' => IN_WORD | SMALL,
            b'A'..=b'Z' => IN_WORD | CAPITAL,
            b'0'..=b'9' => IN_WORD,
            0x80.. => OTHER,
            _ => 0,
        };
        byte += 1;
    }
    classes
};
/// A letter or a digit of ASCII.
const IN_WORD: u8 = 1;
const SMALL: u8 = 2;
const CAPITAL: u8 = 4;
/// Of another script.
const OTHER: u8 = 8;

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Whether a text begins with a word or a word with the text.
fn same(text: &[u8], word: &[u8]) -> bool {
    text.iter().zip(word).all(|(found, wanted)| {
        let found = found.to_ascii_lowercase();
        // A space in a word may be written in other ways: `api_key`, `api-key`.
        found == *wanted || *wanted == b' ' && matches!(found, b'_' | b'-' | b'.' | b'\n')
    })
}

/// What assigns a value to what stands before it.
pub const ASSIGNS: &[u8] = b":=>";
/// The same as a pattern.
pub const ASSIGNMENT: &str = "[:=>]";
/// How far before a value what assigns it can stand, in bytes.
pub const ASSIGNED: usize = 8;

/// The text before an assignment that ends it, if one does.
pub fn assigned_to(text: &[u8]) -> Option<&[u8]> {
    let text = trim_end(text, b" \t\"'`", 4);
    let before = trim_end(text, ASSIGNS, 3);
    let assigned = before.len() < text.len() && text.last() != Some(&b'>') || text.ends_with(b"=>");
    assigned.then(|| trim_end(before, b" \t\"'`]", 4))
}

fn trim_end<'a>(text: &'a [u8], bytes: &[u8], most: usize) -> &'a [u8] {
    let count = text.iter().rev().take(most).take_while(|byte| bytes.contains(byte)).count();
    text.get(..text.len() - count).unwrap_or_default()
}

fn begins_word(text: &[u8], at: usize) -> bool {
    let this = class(text.get(at).copied().unwrap_or(b' '));
    let before = class(at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or(b' '));
    this & (IN_WORD | OTHER) != 0 && (before & IN_WORD == 0 || before & SMALL != 0 && this & CAPITAL != 0)
}

/// How long a word is that a text begins with.
fn word_at(text: &[u8], word: &str) -> Option<usize> {
    let (word, prefix) = match word.strip_suffix('*') {
        Some(word) => (word.as_bytes(), true),
        None => (word.as_bytes(), false),
    };
    let found = text.get(..word.len())?;
    let ends = |next: u8| {
        !next.is_ascii_alphanumeric()
            || found.last().is_some_and(u8::is_ascii_lowercase) && next.is_ascii_uppercase()
    };
    if !same(found, word) {
        return None;
    }
    match prefix {
        true => {
            let rest = text.get(word.len()..).unwrap_or_default();
            Some(word.len() + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count())
        }
        false => text.get(word.len()).is_none_or(|next| ends(*next)).then_some(word.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_alone_or_begin_longer_ones() {
        let yes = [
            ("my SSN is ", "ssn"),
            ("userPhone: ", "phone"),
            ("phone_number=", "phone"),
            ("Phones ", "phone*"),
            ("API_KEY", "api key"),
            ("apiKey", "key"),
        ];
        let no = [("assn ", "ssn"), ("ssns", "ssn"), ("telephone", "phone"), ("", "ssn"), ("keyed", "key")];
        for (text, word) in yes {
            assert!(Words::new([word.into()]).stand_in(text.as_bytes()), "{text}");
        }
        for (text, word) in no {
            assert!(!Words::new([word.into()]).stand_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_word_is_assigned_to() {
        for text in [
            "password=",
            "\"password\": \"",
            "db.password = '",
            "PASSWORD:",
            "user_password => ",
            "env['password'] = '",
        ] {
            assert!(Words::new(["password".into()]).are_assigned_to(text.as_bytes()), "{text}");
        }
        for text in ["password ", "password is: ", "passwords=", "", "=", "password>", "password \""] {
            assert!(!Words::new(["password".into()]).are_assigned_to(text.as_bytes()), "{text}");
        }
    }

    proptest::proptest! {
        /// Tables tell the same as the words themselves do.
        #[test]
        fn the_last_beginning_is_where_a_word_or_the_rest_of_the_text_is_alike(
            text in "[ a-dA-D_é1]{0,40}",
            words in proptest::collection::vec("[a-d][a-d ]{0,4}[*]?", 0..8),
            from in 0_usize..50,
            to in 0_usize..50,
        ) {
            let text = text.as_bytes();
            let to = to.min(text.len());
            let begins = |at: usize| {
                let is_letter = |byte: u8| byte.is_ascii_alphanumeric();
                let this = text[at];
                (is_letter(this) || !this.is_ascii())
                    && at.checked_sub(1).map(|before| text[before]).is_none_or(|before| {
                        !is_letter(before) || before.is_ascii_lowercase() && this.is_ascii_uppercase()
                    })
            };
            let alike = |at: usize| {
                let known = words.iter().map(|word| word.trim_end_matches('*').as_bytes());
                known.into_iter().any(|word| same(&text[at..], word))
            };
            let expected = (from..to).rev().find(|at| begins(*at) && alike(*at));
            let words = Words::new(words.iter().cloned().map(Cow::Owned));
            let found = Openings::new(words).last(text, from..to);
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
