//! What signals find, and how long that takes.

use super::*;

fn scorer() -> Scorer {
    Scorer::new().expect("the rules are sound")
}

#[test]
fn every_step_is_a_concept_and_every_name_is_unique() {
    let concepts: Vec<&str> = FAMILIES
        .iter()
        .flat_map(|family| family.concepts)
        .map(|concept| concept.name)
        .chain(families::MARKS.iter().map(|mark| mark.0))
        .collect();
    let mut names = std::collections::HashSet::new();
    for signal in all_signals() {
        assert!(names.insert(signal.name), "{} stands there twice", signal.name);
        let steps: Vec<&str> = signal.steps.strip_prefix('~').unwrap_or(signal.steps).split(", ").collect();
        assert!(steps.len() <= signal::MAX_STEPS, "{}", signal.name);
        for step in steps {
            assert!(concepts.contains(&step), "{}: there is no concept `{step}`", signal.name);
        }
    }
}

#[test]
fn families_hit_and_miss() {
    let scorer = scorer();
    for family in FAMILIES {
        for (text, signal) in family.hits {
            let found = scorer.score(text);
            assert!(found.signals.contains(signal), "{text}: {found:?}");
        }
        for text in family.misses {
            let found = scorer.score(text);
            let own = |name: &&str| family.signals.iter().any(|signal| signal.name == *name);
            assert!(!found.signals.iter().any(own), "{text}: {found:?}");
        }
    }
}

/// Words of signals in many languages, cut and put together at random, with what may stand around them.
fn mixed_texts() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;

    let hits = FAMILIES.iter().flat_map(|family| family.hits).flat_map(|(text, _)| text.split(' '));
    let words: Vec<&'static str> = hits.collect();
    let filler = proptest::sample::select(vec![
        "",
        " ",
        ". ",
        "\n\n",
        "é",
        "ñ",
        "я",
        "漢",
        "x",
        "7",
        "_",
        "'",
        "prose goes on here ",
    ]);
    let word = (proptest::sample::select(words), filler, 0..6_usize).prop_map(|(word, filler, less)| {
        let kept = word.chars().count().saturating_sub(less.saturating_sub(3));
        let word: String = word.chars().take(kept).collect();
        format!("{word}{filler}")
    });
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest::proptest! {
    #[test]
    fn what_is_sifted_out_holds_no_concept(text in mixed_texts()) {
        let scorer = scorer();
        let words = Words::of(&text);
        let (mut sifting, mut states) = (Cache::default(), Cache::default());
        let places = scorer.sift(&mut sifting, &words.plain);
        let (mut near, mut everywhere) = (Vec::new(), Vec::new());
        scorer.find(&mut states, &words.plain, places.as_deref(), false, &mut near);
        scorer.find(&mut states, &words.plain, None, false, &mut everywhere);
        proptest::prop_assert_eq!(near, everywhere);
    }

    #[test]
    fn prose_is_cut_into_the_same_words_as_other_text(text in "([a-z]{1,5}[ .\n]{1,2}){0,30}") {
        // A word with a digit is no prose, and ends what was.
        let words = Words::of(&text);
        let apart: Vec<u8> = text.split_inclusive([' ', '.', '\n']).flat_map(|word| Words::of(&format!("{word} 0")).plain).collect();
        let letters = |text: &[u8]| text.iter().copied().filter(u8::is_ascii_lowercase).collect::<Vec<u8>>();
        proptest::prop_assert_eq!(letters(&words.plain), letters(&apart));
        proptest::prop_assert!(!words.plain.windows(2).any(|two| matches!(two, [b' ' | SENTENCE, b' ' | SENTENCE])));
    }
}
