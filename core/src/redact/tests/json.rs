//! JSON that stays JSON.

use serde_json::Value;

use super::*;

fn mask_json(session: &mut Session, pieces: &[&str]) -> String {
    let mut out = String::new();
    let mut masker = JsonMasker::default();
    for piece in pieces {
        masker.push(session, piece, &mut out);
    }
    masker.finish(session, &mut out);
    assert_eq!(masker.held(), 0);
    out
}

#[test]
fn strings_and_numbers_are_masked_where_they_stand() {
    for (text, wanted) in [
        (r#"{"to": "jane@example.com", "n": 17, "ok":true}"#, r#"{"to": "[EMAIL]", "n": 17, "ok":true}"#),
        (r#"{"card":4111111111111111}"#, r#"{"card":"[CREDIT_CARD]"}"#),
        (r#"{"ssn":"536904399"}"#, r#"{"ssn":"[US_SSN]"}"#),
        (r#"{"password":"hunter2-x9"}"#, r#"{"password":"[PASSWORD]"}"#),
        (r#"[["jane\u0040example.com\n","é\u00e9\/"]]"#, r#"[["[EMAIL]\n","é\u00e9\/"]]"#),
        (r#"{"jane@example.com":1}"#, r#"{"[EMAIL]":1}"#),
        (r#"{"a":"{\"to\":\"jane@example.com\"}"}"#, r#"{"a":"{\"to\":\"[EMAIL]\"}"}"#),
        (r#"{"a":"x\\"}"#, r#"{"a":"x\\"}"#),
        (r#""jane@example.com""#, r#""[EMAIL]""#),
        ("call +14155552671", "call [PHONE]"),
        (r#"{"to":"jane@exam"#, r#"{"to":"jane@exam"#),
        ("", ""),
        (" \n", " \n"),
    ] {
        assert_eq!(mask_json(&mut session_with(None, Action::Mask), &[text]), wanted);
    }
}

#[test]
fn nothing_is_found_across_strings() {
    let text = r#"["4111 1111","1111 1111"]"#;
    assert_eq!(mask_json(&mut session(&ALL, Action::Mask), &[text]), text);
}

#[test]
fn a_word_that_a_context_begins_within_is_none() {
    let text = r#"{"hunter2-x9Bearer hunter2-x900000,  0000": 4.056758476818237e-254, "b": "AaB000011123eyJhbGciOiJIUzI1NiJ9"}"#;
    let whole = mask_json(&mut session(&ALL, Action::Mask), &[text]);
    for cut in 0..text.len() {
        let pieces = [&text[..cut], &text[cut..]];
        assert_eq!(mask_json(&mut session(&ALL, Action::Mask), &pieces), whole, "cut at {cut}");
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => text().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::from(4_111_111_111_111_111_u64)),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((text(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn json_stays_json_however_it_is_cut(value in json(), pretty in any::<bool>(), action in action(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        if !pretty {
            // As many writers do it.
            text = text.replace('@', "\\u0040").replace('/', "\\/");
        }
        let whole = mask_json(&mut session(&ALL, action), &[&text]);
        if value.is_object() || value.is_array() || value.is_string() {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&whole).is_ok(), "{} became {}", text, whole);
        }
        prop_assert_eq!(&whole, &mask_json(&mut session(&ALL, action), &pieces(&text, &cuts)));
        prop_assert_eq!(&whole, &mask_json(&mut session(&ALL, action), &[&whole]));
    }
}
