//! What text is normalised to, and where its bytes come from.

use proptest::prelude::*;

use super::*;

struct Labels;

impl Placeholders for Labels {
    fn placeholder(&self, text: &[u8]) -> Option<usize> {
        let wanted = b"[X]";
        let length = text.len().min(wanted.len());
        match text[..length] == wanted[..length] {
            true if length == wanted.len() => Some(length),
            true => Some(0),
            false => None,
        }
    }
}

fn normal(escapes: Escapes, pieces: &[&str]) -> Normal {
    let mut normal = Normal::new(escapes);
    let mut text = String::new();
    for piece in pieces {
        text.push_str(piece);
        normal.extend(&text, &Labels, false);
    }
    normal.extend(&text, &Labels, true);
    assert_eq!(normal.read(), text.len());
    normal
}

fn normalised(escapes: Escapes, text: &str) -> String {
    normal(escapes, &[text]).bytes().iter().map(|byte| char::from(*byte)).collect()
}

#[test]
fn disguises_are_undone() {
    for (text, plain) in [
        ("plain", "plain"),
        ("４１１１", "4111"),
        ("٤١", "41"),
        ("jаne", "jane"),
        ("ｊａｎｅ＠ｘ", "jane@x"),
        ("𝐣𝐚𝟏", "ja1"),
        ("j\u{200b}a\u{ad}n\u{fe0f}e", "jane"),
        ("cafe\u{301} Ångström ß", "cafe Angstrom s"),
        ("a\u{a0}b–c·d", "a b-c.d"),
        ("a%40b", "a@b"),
        ("a%2540b", "a@b"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("%C3%A9", "%C3%A9"),
        ("a\\nb\\\\nc", "a\nb\nc"),
        ("\\u0040\\u0061", "@a"),
        ("say \\\"x\\\"", "say \"x\""),
        ("C:\\Users\\bob", "C:\\Users\\bob"),
        ("a[X]b[Y]", "a\x01b[Y]"),
        ("a\x01b", "a b"),
        ("[X", "[X"),
        ("\\", "\\"),
    ] {
        assert_eq!(normalised(Escapes::Text, text), plain, "{text:?}");
    }
    // Other scripts stay as they are.
    assert_eq!(normal(Escapes::Text, &["项目"]).bytes(), "项目".as_bytes());
}

#[test]
fn many_invisible_characters_part_words() {
    let text = format!("4{}1", "\u{200b}".repeat(40));
    assert_eq!(normalised(Escapes::Text, &text), "4  1");
}

#[test]
fn an_escape_of_json_is_one_byte() {
    for (text, plain) in
        [(r"a\\b", "a\\b"), (r"a\bc", "a c"), (r"\\\\n", "\n"), (r"\/x", "/x"), (r#"\\\""#, "\"")]
    {
        assert_eq!(normalised(Escapes::Json, text), plain, "{text:?}");
    }
    let normal = normal(Escapes::Json, &[r"\ud83d\ude00"]);
    assert_eq!(normal.bytes(), [0xC0, 0x80]);
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z0-9 ]{1,4}",
        "[%\\\\\\[\\]+X]{1,3}",
        "%[0-9A-F]{2}",
        "%25[0-9]{2}",
        "\\\\u00[0-9a-f]{2}",
        "\\\\[nrt\"/u\\\\b]",
        "\u{200b}{1,20}",
        "[аеé４Å项]",
        "\\[X\\]",
        "\\PC",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn cuts_change_nothing_and_bytes_keep_their_places(text in texts(), json in any::<bool>(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let escapes = if json { Escapes::Json } else { Escapes::Text };
        let whole = normal(escapes, &[&text]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([text.len()]) {
            pieces.push(&text[from..cut]);
            from = cut;
        }
        let cut = normal(escapes, &pieces);
        prop_assert_eq!(whole.bytes(), cut.bytes());
        let mut end = 0;
        for at in 0..whole.bytes().len() {
            let span = whole.start_of(at)..whole.end_of(at);
            prop_assert_eq!(span.clone(), cut.start_of(at)..cut.end_of(at));
            // In order, without overlaps, and all of the text between them is invisible.
            prop_assert!(span.start >= end && span.end > span.start && span.end <= text.len());
            end = span.end;
        }
        // Forgetting changes no place.
        for count in 0..whole.bytes().len() {
            let mut rest = normal(escapes, &[&text]);
            let passed = rest.start_of(count);
            rest.forget(count, passed);
            for at in count..whole.bytes().len() {
                prop_assert_eq!(rest.start_of(at - count) + passed, whole.start_of(at));
                prop_assert_eq!(rest.end_of(at - count) + passed, whole.end_of(at));
            }
        }
    }
}
