use proptest::prelude::*;

use super::*;

#[test]
fn tables_are_whole() {
    assert_eq!(PAIRS.len(), CLASSES * CLASSES);
    assert_eq!(OTHER_STARTS.len(), WRITTEN * WRITTEN);
    assert!(RANGES.is_sorted_by_key(|(start, _)| *start) && RANGES[0].0 == 0x80);
    let classes = ASCII.iter().chain(RANGES.iter().map(|(_, class)| class));
    assert!(classes.into_iter().all(|class| usize::from(*class) < CLASSES - 1));
}

/// Texts whose tokens were counted with o200k_base (OpenAI's since GPT-4o), and how far the estimate may be from them in
/// percent.
#[test]
fn estimates_are_near_what_a_tokenizer_counts() {
    let known = [
        (
            "The quick brown fox jumps over the lazy dog, and nobody knows why it would do such a thing again.",
            22,
            15,
        ),
        (
            "Please summarise the following report for the board of directors. Keep it under two hundred words, \
             mention the three largest risks, and finish with a recommendation.",
            31,
            15,
        ),
        ("fn main() {\n    let numbers = vec![1, 2, 3];\n    println!(\"{}\", numbers.len());\n}\n", 25, 25),
        ("{\"name\":\"get_weather\",\"arguments\":{\"city\":\"Berlin\",\"unit\":\"celsius\"}}", 17, 30),
        (
            "Die Katze sitzt auf dem Dach und wartet darauf, dass endlich jemand nach Hause kommt und ihr etwas zu \
             fressen gibt.",
            24,
            40,
        ),
        ("今天天气很好我们一起去公园散步吧", 12, 30),
        ("Сегодня хорошая погода, пойдём гулять в парк.", 14, 30),
    ];
    for (sample, truth, percent) in known {
        let estimate = text(sample);
        let (least, most) = (truth * (100 - percent) / 100, truth * (100 + percent) / 100);
        assert!((least..=most).contains(&estimate), "{estimate} for {truth}: {sample}");
    }
}

#[test]
fn what_is_dense_has_more_tokens() {
    let of = |unit: &str| text(&unit.repeat(600 / unit.len() + 1)[..600]);
    let (prose, base64) =
        (of("this is what people write to each other every day, "), of("k9QzX+7aLr2/PpWq5TgB0nHc"));
    assert!(base64 > 2 * prose, "{prose} {base64}");
    assert!(of("1029384756,") * 2 > 3 * prose);
}

#[test]
fn any_text_has_a_token_and_none_has_none() {
    assert_eq!(text(""), 0);
    for some in [" ", "\n", "a", "\u{0}", "é", "猫", "🦀", "\u{e000}", "\u{10ffff}", "\u{7f}"] {
        assert!((1..=6).contains(&text(some)), "{some:?}: {}", text(some));
    }
}

#[test]
fn each_text_begins_anew() {
    let mut apart = Counter::default();
    for _ in 0..1_000 {
        apart.push("yes");
        apart.begin();
    }
    assert!(apart.tokens() >= 900, "{}", apart.tokens());
}

/// Anything, with the sorts of text that tables tell apart well mixed in.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,40}",
        "([a-z]{1,9} ){0,12}",
        "([A-Za-z0-9+/]{4}){0,12}",
        "[ \\t\\n{}:,\"0-9a-z\u{400}-\u{4ff}\u{4e00}-\u{9fff}\u{1f300}-\u{1f64f}]{0,60}",
    ]
}

proptest! {
    #[test]
    fn wherever_a_text_is_cut_it_has_the_same_tokens(
        text in any_text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
        cuts.sort_unstable();
        let (mut counter, mut from) = (Counter::default(), 0);
        for cut in cuts.into_iter().chain([text.len()]) {
            counter.push(&text[from..cut]);
            from = cut;
        }
        prop_assert_eq!(counter.tokens(), super::text(&text));
    }

    #[test]
    fn more_text_never_has_fewer_tokens_nor_more_than_its_bytes(one in any_text(), more in any_text()) {
        let whole = text(&format!("{one}{more}"));
        prop_assert!(whole >= text(&one));
        prop_assert!(whole <= (one.len() + more.len()) as u64 + 1);
    }
}
