//! Names as rules write them: exact, or with `*` for any characters.

use std::collections::HashSet;

/// A name with `*` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

/// Any of several names, some of them with `*`. Exact ones are looked up, so their number costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    exact: HashSet<String>,
    globs: Vec<Glob>,
}

/// What every text has that a pattern matches, by which patterns are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Anchor<'p> {
    /// The text is this.
    Whole(&'p str),
    /// It begins with the first and ends with the second, which don't overlap; one of them may be empty.
    Ends(&'p str, &'p str),
    /// This stands in it somewhere; it is not empty.
    Within(&'p str),
}

impl Glob {
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether `*` may stand for any characters.
    pub fn matches(&self, text: &str) -> bool {
        matches(self.0.as_bytes(), text.as_bytes())
    }

    /// `None` where the pattern says nothing but `*`.
    pub(super) fn anchor(&self) -> Option<Anchor<'_>> {
        let mut pieces = self.0.split('*');
        let start = pieces.next().unwrap_or_default();
        let Some(end) = pieces.next_back() else { return Some(Anchor::Whole(start)) };
        if !start.is_empty() || !end.is_empty() {
            return Some(Anchor::Ends(start, end));
        }
        let longest = pieces.max_by_key(|piece| piece.len());
        longest.filter(|piece| !piece.is_empty()).map(Anchor::Within)
    }

    /// Whether the parts between separators match one by one, so that `*` stands for characters of one part only.
    pub fn matches_parts(&self, text: &str, separator: char) -> bool {
        let mut parts = text.split(separator);
        let alike = self
            .0
            .split(separator)
            .all(|pattern| parts.next().is_some_and(|part| matches(pattern.as_bytes(), part.as_bytes())));
        alike && parts.next().is_none()
    }
}

/// The usual way: on a mismatch, the last `*` takes one character more. What an earlier one took can stay as it is, as the
/// later one may take anything.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), text.get(position)) {
            (Some(b'*'), _) => {
                retry = Some((at + 1, position));
                at += 1;
            }
            (Some(wanted), Some(found)) if wanted == found => (at, position) = (at + 1, position + 1),
            (None, None) => return true,
            _ => match retry {
                Some((after, taken)) if taken < text.len() => {
                    retry = Some((after, taken + 1));
                    (at, position) = (after, taken + 1);
                }
                _ => return false,
            },
        }
    }
}

impl Patterns {
    pub fn new<T: AsRef<str>>(names: &[T]) -> Self {
        let (globs, exact): (Vec<_>, Vec<_>) =
            names.iter().map(|name| name.as_ref().to_owned()).partition(|name| name.contains('*'));
        Self { exact: exact.into_iter().collect(), globs: globs.into_iter().map(Glob).collect() }
    }

    pub fn matches(&self, name: &str) -> bool {
        self.exact.contains(name) || self.globs.iter().any(|glob| glob.matches(name))
    }

    /// The anchors of which whatever is matched has one; `None` where a pattern says nothing but `*`.
    pub(super) fn anchors(&self) -> Option<Vec<Anchor<'_>>> {
        let exact = self.exact.iter().map(|name| Some(Anchor::Whole(name)));
        exact.chain(self.globs.iter().map(Glob::anchor)).collect()
    }

    /// Whether everything that `other` matches is matched, as far as the patterns' own text shows: a `*` of `other` is taken
    /// for a character that only a `*` can stand for.
    pub(super) fn cover(&self, other: &Self) -> bool {
        other.exact.iter().all(|name| self.matches(name))
            && other.globs.iter().all(|glob| self.globs.iter().any(|own| own.matches(&glob.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, yes, no) in [
            ("gpt-4o", vec!["gpt-4o"], vec!["gpt-4o-mini", "gpt-4", "", "*"]),
            ("*", vec!["", "a", "a/b"], vec![]),
            ("gpt-*", vec!["gpt-", "gpt-4o"], vec!["GPT-4", "a-gpt-4"]),
            ("*-mini", vec!["-mini", "gpt-mini-mini"], vec!["gpt-minix"]),
            ("a*b*c", vec!["abc", "aXbXbXc"], vec!["acb", "ab"]),
            ("**", vec!["", "a"], vec![]),
        ] {
            let glob = Glob::new(pattern);
            assert!(yes.iter().all(|text| glob.matches(text)), "{pattern}");
            assert!(!no.iter().any(|text| glob.matches(text)), "{pattern}");
        }
    }

    #[test]
    fn a_star_does_not_leave_its_part() {
        let glob = Glob::new("spiffe://prod/ns/*/sa/checkout");
        assert!(glob.matches_parts("spiffe://prod/ns/shop/sa/checkout", '/'));
        for other in [
            "spiffe://prod/ns/shop/x/sa/checkout",
            "spiffe://prod/ns/shop/sa/checkout/x",
            "spiffe://prod/ns/shop/sa",
            "spiffe://test/ns/shop/sa/checkout",
        ] {
            assert!(!glob.matches_parts(other, '/'), "{other}");
        }
        assert!(!Glob::new("*.svc.example").matches_parts("a.b.svc.example", '.'));
    }

    proptest! {
        #[test]
        fn a_star_matches_as_a_search_in_all_ways_does(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|taken| slow(rest, &text[taken..])),
                    Some((byte, rest)) => text.split_first().is_some_and(|(first, text)| first == byte && slow(rest, text)),
                }
            }
            prop_assert_eq!(Glob::new(pattern.as_str()).matches(&text), slow(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn what_covers_matches_all_that_is_covered(wide in "[ab*]{0,4}", narrow in "[ab*]{0,4}", text in "[ab]{0,6}") {
            let (wide, narrow) = (Patterns::new(&[wide]), Patterns::new(&[narrow]));
            prop_assert!(!wide.cover(&narrow) || !narrow.matches(&text) || wide.matches(&text));
        }
    }
}
