//! Regular expressions of JSON Schema: the part of ECMA-262's that can be matched in linear time.

mod syntax;

use syntax::{Assertion, Expression};

/// A regular expression, as states that are followed all at once.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    states: Vec<State>,
    start: usize,
}

#[derive(Clone, Debug)]
enum State {
    /// A character of one of these ranges leads on; of none of them where `negated`.
    Characters {
        ranges: Vec<(char, char)>,
        negated: bool,
        next: usize,
    },
    Split(usize, usize),
    Assert(Assertion, usize),
    Match,
    /// A place whose state is still to be made.
    Open,
}

/// How much one pattern may take.
const MAX_STATES: usize = 2_000;

const TOO_LARGE: &str = "is too large a pattern: repeat less, or less often";

impl Pattern {
    /// The error completes the sentence "the pattern …".
    pub(super) fn new(text: &str) -> Result<Self, &'static str> {
        let expression = syntax::parse(text)?;
        let mut pattern = Self { states: Vec::new(), start: 0 };
        let end = pattern.push(State::Match)?;
        pattern.start = pattern.build(&expression, end)?;
        Ok(pattern)
    }

    fn push(&mut self, state: State) -> Result<usize, &'static str> {
        if self.states.len() >= MAX_STATES {
            return Err(TOO_LARGE);
        }
        self.states.push(state);
        Ok(self.states.len() - 1)
    }

    /// Builds an expression in front of the state `next`; returns where it begins.
    fn build(&mut self, expression: &Expression, next: usize) -> Result<usize, &'static str> {
        match expression {
            Expression::Characters { ranges, negated } => {
                self.push(State::Characters { ranges: ranges.clone(), negated: *negated, next })
            }
            Expression::Assert(assertion) => self.push(State::Assert(*assertion, next)),
            Expression::All(all) => all.iter().rev().try_fold(next, |next, one| self.build(one, next)),
            Expression::Any(any) => {
                let mut start = None;
                for one in any.iter().rev() {
                    let one = self.build(one, next)?;
                    start = Some(match start {
                        None => one,
                        Some(others) => self.push(State::Split(one, others))?,
                    });
                }
                Ok(start.unwrap_or(next))
            }
            Expression::Repeat(repeated, least, most) => {
                let mut start = next;
                match most {
                    None => {
                        start = self.push(State::Open)?;
                        let body = self.build(repeated, start)?;
                        if let Some(state) = self.states.get_mut(start) {
                            *state = State::Split(body, next);
                        }
                    }
                    Some(most) => {
                        for _ in *least..*most {
                            let body = self.build(repeated, start)?;
                            start = self.push(State::Split(body, next))?;
                        }
                    }
                }
                for _ in 0..*least {
                    let states = self.states.len();
                    start = self.build(repeated, start)?;
                    // Nothing, however often, is nothing.
                    if states == self.states.len() {
                        break;
                    }
                }
                Ok(start)
            }
        }
    }

    /// Whether it is found anywhere in a text. `work` is told how many states were looked at; it ends the search with `None`.
    pub(super) fn is_in(&self, text: &str, work: &mut dyn FnMut(usize) -> bool) -> Option<bool> {
        let mut marks = vec![usize::MAX; self.states.len()];
        let (mut now, mut open): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut before = None;
        for (round, after) in text.chars().map(Some).chain([None]).enumerate() {
            open.push(self.start);
            let mut seen = 0;
            let mut next = Vec::new();
            while let Some(number) = open.pop().or_else(|| now.pop()) {
                match marks.get_mut(number) {
                    Some(mark) if *mark != round => *mark = round,
                    _ => continue,
                }
                seen += 1;
                match self.states.get(number)? {
                    State::Match => return Some(true),
                    State::Split(one, other) => open.extend([*one, *other]),
                    State::Assert(assertion, then) if assertion.holds(before, after) => open.push(*then),
                    State::Characters { ranges, negated, next: then } => {
                        let is_in =
                            |c: char| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
                        if after.is_some_and(|c| is_in(c) != *negated) {
                            next.push(*then);
                        }
                    }
                    State::Assert(..) | State::Open => {}
                }
            }
            if !work(seen) {
                return None;
            }
            now = next;
            before = after;
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).expect("is known").is_in(text, &mut |_| true).expect("is not ended")
    }

    #[test]
    fn patterns_are_found_as_the_regex_crate_finds_them() {
        let patterns = [
            "",
            "a",
            "^a",
            "a$",
            "^a$",
            "^$",
            "a|b|",
            "^(a|bc)+$",
            "a*",
            "^a*$",
            "(?:ab){2}",
            "^a{2,3}$",
            "^a{2,}$",
            "[a-c]+x",
            "[^a-c]",
            r"^\d{4}-\d{2}-\d{2}$",
            r"\w+@\w+\.\w{2,}",
            r"^[\w.+-]+$",
            r"\bfoo\b",
            r"\Boo",
            r"^\s*$",
            r"\S",
            r"\D",
            r"\W",
            "^.$",
            "ä|ß",
            "^[à-ü]+$",
            "a+?b",
            "(a+)+b",
            "((a|b)*c|d)+$",
            r"[\]\\^-]",
            r"\u0041",
            r"\x41\t",
            "^(a?){20}a{20}$",
            "(^a|b$)",
            "x*",
            "(?i)a",
        ];
        let texts = [
            "",
            "a",
            "b",
            "abc",
            "aa",
            "aaa",
            "aaaa",
            "abab",
            "xyz",
            "cx",
            "2026-11-21",
            "12026-11-21",
            "joe@example.org",
            "foo",
            "food",
            "a foo b",
            " \t\n",
            "\u{a0}",
            "é",
            "ä",
            "ß",
            "A\t",
            "]",
            "\\",
            "^",
            "-",
            "ab\n",
            "\n",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "abcabcd",
            "😀",
            "_",
            "a.b+c-d",
        ];
        for pattern in patterns {
            let theirs = pattern.replace(r"\u0041", "A").replace(r"\d", "[0-9]").replace(r"\D", "[^0-9]");
            let ascii = theirs.replace(r"[\w.+-]", "[A-Za-z0-9_.+-]");
            let ascii = ascii.replace(r"\W", "[^A-Za-z0-9_]").replace(r"\w", "[A-Za-z0-9_]");
            let ascii = ascii.replace(r"\b", r"(?-u:\b)").replace(r"\B", r"(?-u:\B)");
            let Ok(theirs) = regex::Regex::new(&ascii) else { continue };
            let Ok(ours) = Pattern::new(pattern) else {
                assert_eq!(pattern, "(?i)a", "is refused");
                continue;
            };
            for text in texts {
                // The regex crate's half-word boundaries may not stand within a character.
                let ours = ours.is_in(text, &mut |_| true).expect("is not ended");
                // ECMA-262's dot takes no end of a line, the crate's only no line feed.
                assert_eq!(ours, theirs.is_match(text), "{pattern:?} in {text:?}");
            }
        }
    }

    #[test]
    fn what_could_not_be_kept_fast_or_is_not_known_is_refused() {
        for pattern in [
            r"(a)\1",
            "(?=a)",
            "(?!a)",
            "(?<=a)b",
            r"\k<a>",
            r"\p{L}",
            "(",
            ")",
            "a)",
            "[a",
            "[b-a]",
            "*",
            "a**",
            "a{2",
            "a{3,2}",
            "a{1,5000}",
            "(a{500}){500}",
            "\\",
            r"\u12",
            r"\xg0",
            r"\q",
            "{",
            "(?i)a",
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
        let deep = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(Pattern::new(&deep).is_err());
    }

    #[test]
    fn no_text_makes_it_slow() {
        let text = "a".repeat(20_000);
        for pattern in ["(a+)+b", "(a|a)*b", "(a*)*b", "^(a?){100}a{100}$"] {
            let states = Pattern::new(pattern).expect("is known").states.len();
            let mut work = 0;
            let pattern = Pattern::new(pattern).expect("is known");
            pattern.is_in(&text, &mut |seen| {
                work += seen;
                true
            });
            assert!(work <= (text.len() + 1) * states, "{work}");
        }
        let mut left = 1_000_usize;
        let ended = Pattern::new("(a+)+b").expect("is known").is_in(&text, &mut |seen| {
            left = left.saturating_sub(seen);
            left > 0
        });
        assert_eq!(ended, None);
    }

    #[test]
    fn the_characters_of_ecmascript_are_those_of_ecmascript() {
        assert!(found(r"^\s$", "\u{feff}") && found(r"^\s$", "\u{2028}") && !found(r"^\s$", "\u{85}"));
        assert!(!found("^.$", "\u{2028}") && !found("^.$", "\r") && found("^.$", "\u{85}"));
        assert!(!found(r"^\d$", "٣") && !found(r"^\w$", "é"));
        assert!(found(r"^\u{1F600}$", "😀") && found(r"^\ud83d\ude00$", "😀") && found(r"^\/\-$", "/-"));
        assert!(found("^[^]$", "\n") && !found("[]", "a"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whatever_is_taken_means_the_same(pattern in r"[ab(|)*+?.^$\[\]{}12,]{0,12}", text in "[ab12.]{0,8}") {
            let Ok(ours) = Pattern::new(&pattern) else { return Ok(()) };
            // Classes within classes, and an empty class, are the crate's alone.
            if pattern.contains('[') && regex::Regex::new(&pattern).is_err() {
                return Ok(());
            }
            let Ok(theirs) = regex::Regex::new(&pattern) else { return Ok(()) };
            prop_assume!(!pattern.contains("[[") && !pattern.contains("[^[") && !pattern.contains("[]") && !pattern.contains("[^]"));
            let nested = pattern.split('[').skip(1).any(|class| class.split(']').count() > 2 || class.contains("&&"));
            prop_assume!(!nested && pattern.matches('[').count() <= 1);
            prop_assert_eq!(ours.is_in(&text, &mut |_| true), Some(theirs.is_match(&text)));
        }
    }
}
