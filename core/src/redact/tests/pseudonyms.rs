//! Values that are replaced for a conversation and given back.

use super::*;

fn conversation(number: u32) -> Session {
    let keys = Keys { conversation: number.to_be_bytes().to_vec(), ..keys() };
    Session::new(ALL.clone(), vec![Action::Pseudonym; ALL.len()].into(), keys)
}

fn restore(session: &Session, pieces: &[&str], escapes: Escapes) -> String {
    let mut out = String::new();
    let mut restorer = Restorer::new(escapes);
    for piece in pieces {
        restorer.push(session.pseudonyms(), piece, &mut out);
    }
    restorer.finish(session.pseudonyms(), &mut out);
    out
}

const TEXT: &str = "Jane (jane@example.com, +1 415 555 2671) pays with 4111 1111 1111 1111; her SSN is 536-90-4399. Again: jane@example.com";

#[test]
fn a_value_has_one_pseudonym_of_its_own_shape() {
    let mut session = conversation(1);
    let masked = mask(&mut session, TEXT);
    let (before, after) = masked.split_once("Again: ").unwrap();
    assert!(before.contains(after), "{masked}");
    assert!(after.ends_with("@pseudonym.invalid"), "{masked}");
    for part in ["+999", "[CREDIT_CARD_", "[US_SSN_"] {
        assert!(masked.contains(part), "{masked}");
    }
    for part in ["jane", "415", "4111", "536"] {
        assert!(!masked.contains(part), "{masked}");
    }
    assert_eq!(masked, mask(&mut conversation(1), TEXT), "the same conversation");
    assert_eq!(restore(&session, &[&masked], Escapes::Text), TEXT);
}

#[test]
fn a_thousand_conversations_are_restored_to_the_byte_and_none_restores_another() {
    let mut before: Option<(Session, String)> = None;
    for number in 0..1000 {
        let mut session = conversation(number);
        let text = format!("{TEXT}, and user{number}@example.org.");
        let masked = mask(&mut session, &text);
        assert_eq!(restore(&session, &[&masked], Escapes::Text), text);
        if number % 50 == 0 {
            let each: Vec<&str> = masked.split_inclusive(|_: char| true).collect();
            assert_eq!(restore(&session, &each, Escapes::Text), text);
        }
        if let Some((other, other_masked)) = before {
            assert_eq!(restore(&other, &[&masked], Escapes::Text), masked);
            assert_eq!(restore(&session, &[&other_masked], Escapes::Text), other_masked);
        }
        before = Some((session, masked));
    }
}

#[test]
fn a_pseudonym_is_known_however_a_model_writes_it() {
    let mut session = conversation(1);
    let card = mask(&mut session, "4111 1111 1111 1111");
    let phone = mask(&mut session, "+1 415 555 2671");
    let mail = mask(&mut session, "jane@example.com");
    let bare = card.trim_matches(['[', ']']);
    let digits = phone.strip_prefix("+999").unwrap();
    for (written, wanted) in [
        (format!("{card}'s"), "4111 1111 1111 1111's"),
        (format!("`{bare}`"), "`4111 1111 1111 1111`"),
        (bare.to_ascii_lowercase(), "4111 1111 1111 1111"),
        (card.replace('_', "\\_"), "4111 1111 1111 1111"),
        (format!("+999 {} {} {}", &digits[..3], &digits[3..6], &digits[6..]), "+1 415 555 2671"),
        (format!("<mailto:{}>", mail.to_ascii_uppercase()), "<mailto:jane@example.com>"),
    ] {
        assert_eq!(restore(&session, &[&written], Escapes::Text), wanted, "{written}");
    }
}

#[test]
fn only_the_beginning_of_a_pseudonym_is_held_back() {
    let mut session = conversation(1);
    let masked = mask(&mut session, "SSN 536-90-4399");
    let mut restorer = Restorer::default();
    let mut out = String::new();
    restorer.push(session.pseudonyms(), "usual text, [and brackets", &mut out);
    assert_eq!(out, "usual text, [and brackets");
    restorer.push(session.pseudonyms(), &masked[..masked.len() - 3], &mut out);
    assert_eq!(out, "usual text, [and bracketsSSN ");
    restorer.push(session.pseudonyms(), &masked[masked.len() - 3..], &mut out);
    assert_eq!(out, "usual text, [and bracketsSSN 536-90-4399");
}

#[test]
fn a_value_of_json_comes_back_in_json_and_in_text() {
    let custom = Custom::new("quoted", r#"Q"[a-z]+""#, &[], None).unwrap();
    let redactor = Arc::new(Redactor::new(vec![Selection::Custom(custom)]).unwrap());
    let mut session = session(&redactor, Action::Pseudonym);
    let arguments = r#"{"a":"x Q\"secret\" y"}"#;
    let mut masked = String::new();
    let mut masker = JsonMasker::default();
    masker.push(&mut session, arguments, &mut masked);
    masker.finish(&mut session, &mut masked);
    assert!(masked.starts_with(r#"{"a":"x [QUOTED_"#), "{masked}");
    assert_eq!(restore(&session, &[&masked], Escapes::Json), arguments);
    let pseudonym = masked.split(['[', ']']).nth(1).unwrap();
    assert_eq!(restore(&session, &[pseudonym], Escapes::Text), "Q\"secret\"");
    assert_eq!(mask(&mut session, "Q\"secret\""), format!("[{pseudonym}]"), "the same value in text");
}

proptest! {
    #[test]
    fn any_text_is_restored_in_whatever_pieces(text in text(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut session = conversation(1);
        let masked = mask(&mut session, &text);
        let restored = restore(&session, &[&masked], Escapes::Text);
        prop_assert_eq!(&restored, &restore(&session, &pieces(&masked, &cuts), Escapes::Text));
        // What was only a part of a finding, or has no end, is masked for good.
        let masks = |text: &str| rules().map(|rule| text.matches(&format!("[{}]", rule.label)).count()).sum::<usize>();
        if masks(&masked) == masks(&text) {
            prop_assert_eq!(restored, text);
        }
    }
}
