//! What is done with what was found.

use super::*;

#[test]
fn each_action_has_its_form() {
    let text = "Write to jane@example.com about 4111 1111 1111 1111.";
    for (action, wanted) in [
        (Action::Off, text),
        (Action::Warn, text),
        (Action::Mask, "Write to [EMAIL] about [CREDIT_CARD]."),
        (Action::Block, "Write to [EMAIL] about [CREDIT_CARD]."),
        (Action::Partial, "Write to [EMAIL:*ecom] about [CREDIT_CARD:*1111]."),
    ] {
        let mut session = session(&ALL, action);
        assert_eq!(mask(&mut session, text), wanted);
        assert_eq!(session.outcome().blocked.is_some(), action == Action::Block);
        let found: u32 = session.outcome().counts.values().sum();
        assert_eq!(found, if action == Action::Off { 0 } else { 2 });
    }
    assert!(Action::ALL.iter().all(|action| Action::from_name(action.name()) == Some(*action)));
}

#[test]
fn a_short_value_shows_nothing_of_itself() {
    assert_eq!(mask(&mut session(&ALL, Action::Partial), "CVV: 123"), "CVV: [CARD_SECURITY_CODE]");
}

#[test]
fn a_hash_is_the_same_however_the_value_is_written_and_another_by_another_key() {
    let mut one = session(&ALL, Action::Hash);
    let first = mask(&mut one, "4111 1111 1111 1111");
    assert_eq!(first, mask(&mut one, "4111-1111-1111-1111"));
    assert_eq!(first.len(), "[CREDIT_CARD:h]".len() + 12);
    assert_ne!(first, mask(&mut one, "5555555555554444"));
    let other = Keys { hash: b"other".to_vec(), ..keys() };
    let mut other = Session::new(ALL.clone(), vec![Action::Hash; ALL.len()].into(), other);
    assert_ne!(first, mask(&mut other, "4111 1111 1111 1111"));
}

#[test]
fn warnings_count_each_value_once_and_hide_no_other_rule() {
    let actions =
        rules().map(|rule| if rule.name == "url" { Action::Warn } else { Action::Mask }).collect::<Vec<_>>();
    let mut session = Session::new(ALL.clone(), actions.into(), keys());
    let text = "see https://example.com/?mail=jane@example.com and https://example.org/x";
    assert_eq!(mask(&mut session, text), "see https://example.com/?mail=[EMAIL] and https://example.org/x");
    let counts: Vec<_> =
        session.outcome().counts.iter().map(|(rule, count)| (ALL.name(*rule), *count)).collect();
    assert!(counts.contains(&("url", 2)) && counts.contains(&("email", 1)), "{counts:?}");
}

#[test]
fn actions_can_change_between_request_and_answer() {
    let mut session = session(&ALL, Action::Mask);
    session.mask("jane@example.com");
    let outcome = session.take_outcome();
    assert_eq!(outcome.counts.len(), 1);
    session.set_actions(vec![Action::Off; ALL.len()].into());
    assert_eq!(session.mask("jane@example.com"), None);
    assert_eq!(*session.outcome(), Outcome::default());
}

#[test]
fn findings_have_their_places_in_the_original() {
    let text = "é j\u{200b}ane％40example.com".replace('％', "%") + " [EMAIL] ４１１１ 1111 1111 1111";
    let found = session(&ALL, Action::Mask).find(&text);
    let found: Vec<_> =
        found.into_iter().map(|finding| (ALL.label(finding.rule), &text[finding.span])).collect();
    assert_eq!(found, [("EMAIL", "j\u{200b}ane%40example.com"), ("CREDIT_CARD", "４１１１ 1111 1111 1111")]);
}

#[test]
fn nothing_of_what_was_found_can_be_printed() {
    let mut session = session(&ALL, Action::Pseudonym);
    session.mask("jane@example.com");
    let printed = format!("{session:?}");
    assert!(!printed.contains("jane"), "{printed}");
    assert!(!printed.contains("112, 115, 101"), "the key: {printed}");
}

#[test]
fn a_rule_of_a_policy_is_a_rule() {
    let custom = Custom::new("employee_id", r"\bEMP-\d{6}\b", &[], None).unwrap();
    let near = Custom::new("badge", r"\d{5}", &["badge"], None).unwrap();
    let checked = Custom::new("voucher", r"V\d{10}", &[], Some("luhn"));
    assert!(checked.is_ok());
    let redactor = Arc::new(Redactor::new(vec![Selection::Custom(custom), Selection::Custom(near)]).unwrap());
    let mut session = session(&redactor, Action::Mask);
    assert_eq!(
        mask(&mut session, "EMP-123456, EMP-1234567, badge 12345, 12345 12345x"),
        "[EMPLOYEE_ID], EMP-1234567, badge [BADGE], [BADGE] 12345x"
    );
    assert_eq!(
        redactor.ids().map(|rule| redactor.name(rule).to_owned()).collect::<Vec<_>>(),
        ["employee_id", "badge"]
    );
}

#[test]
fn a_custom_rule_that_can_not_be_had_is_told_why() {
    for (name, pattern, context, validator, wanted) in [
        ("Bad", "a", "", None, "small letters"),
        ("a", "a(", "", None, "at its byte 1: this parenthesis is not closed"),
        ("a", "(?:a{500}){500}", "", None, "too large"),
        ("a", "a", "", Some("lun"), "luhn, mod97"),
        ("a", "a", "слово", None, "ASCII"),
    ] {
        let context = if context.is_empty() { vec![] } else { vec![context] };
        let fault = Custom::new(name, pattern, &context, validator).unwrap_err().to_string();
        assert!(fault.contains(wanted), "{fault}");
    }
}

#[test]
fn names_mean_rules_and_packs() {
    let names = |name: &str| select(name).unwrap().iter().map(|rule| rule.name).collect::<Vec<_>>();
    assert_eq!(names("email"), ["email"]);
    assert_eq!(names("person_name"), ["person_name"]);
    assert_eq!(names("secret"), names("secrets"));
    assert!(names("pci").contains(&"credit_card") && !names("pci").contains(&"email"));
    assert!(!names("pii").contains(&"person_name"));
    assert!(select("emails").is_none());
    for rule in rules() {
        assert!(
            rule.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        );
        assert_eq!(
            rules().filter(|other| other.name == rule.name || other.label == rule.label).count(),
            1,
            "{}",
            rule.name
        );
    }
}

#[test]
fn a_long_secret_is_taken_out_as_it_comes() {
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n".repeat(500)
    );
    let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", "eyJz".repeat(3000), "abcd".repeat(100));
    for (secret, label) in [(key, "[PRIVATE_KEY]"), (token, "[JWT]")] {
        let mut session = session(&ALL, Action::Partial);
        let mut masker = Masker::default();
        let mut out = String::from("x ");
        for piece in secret.as_bytes().chunks(7) {
            masker.push(&mut session, std::str::from_utf8(piece).unwrap(), &mut out);
            assert!(masker.held() <= LONGEST_MATCH, "{}", masker.held());
            assert!("x ".len() + label.len() >= out.len());
        }
        masker.push(&mut session, ", then", &mut out);
        masker.finish(&mut session, &mut out);
        assert_eq!(out, format!("x {label}, then"));
    }
}

#[test]
fn what_holds_nothing_flows() {
    let mut session = session_with(None, Action::Mask);
    let mut masker = Masker::default();
    let mut out = String::new();
    let text =
        "The committee met on Tuesday; nobody could say when 17 or 2024 of them would come. 图书馆 – é!";
    for character in text.chars() {
        masker.push(&mut session, character.encode_utf8(&mut [0; 4]), &mut out);
        // A word at most, and a number with what may join it to another.
        assert!(masker.held() <= 12, "{} are held after {out:?}", masker.held());
    }
}

#[test]
fn what_fuzzing_has_found_stays_mended() {
    let text = "call[passw15 555 264399\", password=nhteru2-x9us_s+9\0\0\0ter2-x9s+9$-012-784#45678\0\0\0\0\0\0\0\090GB";
    for action in [Action::Mask, Action::Pseudonym] {
        let once = mask(&mut session(&ALL, action), text);
        assert!(!once.contains("nhteru2"), "{once}");
        assert_eq!(mask(&mut session(&ALL, action), &once), once);
        for (cut, _) in text.char_indices() {
            let (begin, end) = text.split_at(cut);
            assert_eq!(mask_in_pieces(&mut session(&ALL, action), &[begin, end]), once, "cut at {cut}");
        }
    }
}
