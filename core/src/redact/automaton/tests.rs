//! The automaton against the regex crate's semantics, and patterns that are refused.

use proptest::prelude::*;
use regex::bytes::RegexBuilder;

use super::*;

/// The ends of all matches that begin at a text's beginning.
fn ends(pattern: &str, text: &[u8]) -> Vec<usize> {
    let automaton = Automaton::new([pattern]).unwrap();
    let mut cache = Cache::default();
    let mut state = automaton.start(&mut cache);
    let mut ends = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        state = automaton.next(&mut cache, state, *byte);
        if !automaton.matches(&cache, state).is_empty() {
            ends.push(at + 1);
        }
        if state.is_dead() {
            break;
        }
    }
    ends
}

fn ends_of_regex(pattern: &str, text: &[u8]) -> Vec<usize> {
    let regex = RegexBuilder::new(&format!("^(?:{pattern})$")).unicode(false).build().unwrap();
    (1..=text.len()).filter(|end| regex.is_match(&text[..*end])).collect()
}

#[test]
fn patterns_mean_what_they_mean_to_the_regex_crate() {
    let texts: [&[u8]; 9] =
        [b"abc", b"aaaa", b"AbC12", b"1-2-3", b"a.b\\c", b"x\ny", b"[]{}()", b"\tq _", b"caf"];
    for pattern in [
        "abc",
        "a*",
        "a+",
        "a{2,3}",
        "a{2,}",
        "(?:a|b|c)+",
        "[a-c]+",
        "[^a]+",
        r"\d+(?:-\d+)*",
        r"\w+",
        r"\S+\s\S+",
        "(?i)ABC",
        "(?i:a)bC",
        r"a\.b\\c",
        r"[\]\[{}()]+",
        r"\x61+",
        ".+",
        r"[\w.-]+",
        r"\W+",
        r"\D{2}",
        "[a-]+",
        "(?:a(?:b(?:c)?)?)?.",
    ] {
        for text in texts {
            assert_eq!(ends(pattern, text), ends_of_regex(pattern, text), "{pattern} {text:?}");
        }
    }
}

#[test]
fn many_patterns_run_as_one() {
    let automaton = Automaton::new(["ab", "a[bc]", "abc?d"]).unwrap();
    let mut cache = Cache::default();
    let mut state = automaton.start(&mut cache);
    let mut found = Vec::new();
    for byte in b"abd" {
        state = automaton.next(&mut cache, state, *byte);
        found.push(automaton.matches(&cache, state).to_vec());
    }
    assert_eq!(found, [vec![], vec![0, 1], vec![2]]);
    assert!(automaton.next(&mut cache, state, b'x').is_dead());
}

#[test]
fn what_is_wrong_with_a_pattern_is_said_with_its_place() {
    for (pattern, at, message) in [
        ("a(b", 1, "not closed"),
        ("ab)", 2, "closes nothing"),
        ("[a", 0, "not closed"),
        ("[z-a]", 3, "ends before"),
        ("*a", 0, "nothing before"),
        ("a**", 2, "follows another"),
        ("a+?", 2, "lazy"),
        ("a{3,2}", 1, "smaller"),
        ("a{x}", 1, "no count"),
        ("a{999}", 1, "too often"),
        ("^a", 0, "anywhere"),
        ("(?=a)", 0, "there are only"),
        (r"(a)\1", 3, "could not be fast"),
        (r"\p{L}", 0, "Unicode"),
        (r"a\bc", 1, "beginning or the end"),
        (r"\q", 0, "not known"),
        ("[д]", 1, "ASCII only"),
        ("a*", 0, "matches nothing at all"),
        ("(?:a{500}){500}", 0, "too large"),
    ] {
        let fault = Automaton::weigh(pattern).unwrap_err();
        assert_eq!(fault.at, at, "{pattern}: {}", fault.message);
        assert!(fault.message.contains(message), "{pattern}: {}", fault.message);
    }
    assert!(Automaton::weigh(&"(".repeat(100_000)).is_err());
    assert!(Automaton::weigh(&format!("{}a{}", "(?:".repeat(30), "){512}".repeat(30))).is_err());
    assert!(Automaton::weigh(r"\bEMP-\d{6}\b").is_ok());
}

#[test]
fn letters_that_are_no_ascii_can_be_written() {
    assert_eq!(ends("(?:д|ж)+", "дж".as_bytes()), [2, 4]);
    assert_eq!(ends("项目-\\d", "项目-1".as_bytes()), [8]);
}

fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["[abc]", "(?:a|bc)", "[a-c]{1,2}", "[^a]", r"\d", "(?i:b)", "."])
        .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|nodes| nodes.concat()),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("(?:{one}|{other})")),
            (inner.clone(), prop::sample::select(vec!["*", "+", "?", "{1,3}", "{0,2}", "{2,}"]))
                .prop_map(|(node, times)| format!("(?:{node}){times}")),
        ]
    })
}

/// A pattern that needs some text.
fn certain() -> impl Strategy<Value = String> {
    pattern().prop_map(|pattern| format!("(?:{pattern})[abc]"))
}

proptest! {
    #[test]
    fn any_pattern_means_what_it_means_to_the_regex_crate(pattern in pattern(), text in "[abcB1\\-]{0,12}") {
        prop_assert_eq!(ends(&pattern, text.as_bytes()), ends_of_regex(&pattern, text.as_bytes()));
    }

    /// Sifting may stop where nothing ends that is wanted, but nowhere does it miss anything.
    #[test]
    fn sifting_stops_at_every_end(patterns in proptest::collection::vec(certain(), 1..4), sign in certain(), text in "[abcB1 _\\-]{0,24}") {
        let all = patterns.iter().map(String::as_str);
        let automaton = Automaton::with_signs(all, [sign.as_str()]).unwrap();
        let text = text.as_bytes();
        let mut cache = Cache::default();
        let mut sifting = automaton.begin_sifting(&mut cache, 1 << 20).unwrap();
        let mut stops = Vec::new();
        let mut at = 0;
        while at < text.len() {
            at += automaton.sift(&mut cache, &mut sifting, &text[at..]).unwrap();
            stops.extend(automaton.sifted(&cache, &sifting).iter().map(|number| (usize::from(*number), at)));
        }
        for start in 0..text.len() {
            let within = start > 0 && Set::words().has(text[start - 1]) && Set::words().has(text[start]);
            for (number, pattern) in patterns.iter().filter(|_| !within).chain([&sign]).enumerate() {
                let number = if within { patterns.len() } else { number };
                for end in ends(pattern, &text[start..]) {
                    prop_assert!(stops.contains(&(number, start + end)), "{pattern} {start} {end}: {stops:?}");
                }
            }
        }
    }

    /// What a place promises is what a search from there finds.
    #[test]
    fn a_prospect_is_a_match_or_may_become_one(pattern in certain(), text in "[abcB1\\-]{0,12}") {
        let automaton = Automaton::new([pattern.as_str()]).unwrap();
        let prospect = automaton.prospect(&mut Cache::default(), text.as_bytes());
        prop_assert_eq!(prospect == Prospect::Match, !ends(&pattern, text.as_bytes()).is_empty());
        if prospect == Prospect::Nothing {
            let longer = text + "abcabc";
            prop_assert!(ends(&pattern, longer.as_bytes()).is_empty());
        }
    }

    #[test]
    fn no_text_is_a_pattern_that_panics(pattern in ".{0,40}") {
        let _ = Automaton::weigh(&pattern);
    }
}
