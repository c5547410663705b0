//! What holds for all rules, actions and ways of cutting a text.

mod actions;
mod json;
mod pseudonyms;

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::rules::EXAMPLES;
use super::*;

/// All rules at once, the ones that are off by default too.
static ALL: LazyLock<Arc<Redactor>> =
    LazyLock::new(|| Arc::new(Redactor::new(rules().map(Selection::BuiltIn).collect()).unwrap()));

fn keys() -> Keys {
    Keys { hash: b"hash".to_vec(), pseudonym: b"pseudonym".to_vec(), conversation: b"1".to_vec() }
}

fn session(redactor: &Arc<Redactor>, action: Action) -> Session {
    Session::new(redactor.clone(), vec![action; redactor.len()].into(), keys())
}

/// All rules but those that are off by default, and one that is named.
fn session_with(rule: Option<&str>, action: Action) -> Session {
    let on = |candidate: &&Rule| candidate.on || Some(candidate.name) == rule;
    let actions: Vec<_> = rules().map(|rule| if on(&rule) { action } else { Action::Off }).collect();
    Session::new(ALL.clone(), actions.into(), keys())
}

fn mask(session: &mut Session, text: &str) -> String {
    session.mask(text).unwrap_or_else(|| text.to_owned())
}

fn mask_in_pieces(session: &mut Session, pieces: &[&str]) -> String {
    let mut out = String::new();
    let mut masker = Masker::default();
    for piece in pieces {
        masker.push(session, piece, &mut out);
    }
    masker.finish(session, &mut out);
    assert_eq!(masker.held(), 0);
    out
}

/// The text without its marks, and what they mark.
fn unmarked(text: &str) -> (String, Vec<String>) {
    let marked = text.split('«').skip(1).map(|rest| rest.split('»').next().unwrap().to_owned()).collect();
    (text.replace(['«', '»'], ""), marked)
}

#[test]
fn every_rule_finds_its_hits_and_nothing_in_its_misses() {
    let mut faults = Vec::new();
    let families: Vec<&Rule> = rules().collect();
    let examples: Vec<_> = EXAMPLES.iter().flat_map(|family| family.iter()).collect();
    assert_eq!(families.len(), examples.len(), "each rule has its examples, in its file's order");
    for (rule, examples) in families.iter().zip(examples) {
        let mut session = session_with(Some(rule.name), Action::Mask);
        for hit in examples.hits {
            let (text, wanted) = unmarked(hit);
            let found: Vec<_> = session
                .find(&text)
                .into_iter()
                .map(|finding| (ALL.name(finding.rule).to_owned(), text[finding.span].to_owned()))
                .collect();
            let own: Vec<_> =
                found.iter().filter(|(name, _)| name == rule.name).map(|(_, text)| text.clone()).collect();
            if own != wanted {
                faults.push(format!("{}: {hit:?} has {found:?}", rule.name));
            }
        }
        for miss in examples.misses {
            let found = session.find(miss);
            if found.iter().any(|finding| ALL.name(finding.rule) == rule.name) {
                faults.push(format!("{}: {miss:?} is hit at {:?}", rule.name, &miss[found[0].span.clone()]));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Values and what stands around them, in ways that make rules overlap, fail late, or begin without ending.
fn text() -> impl Strategy<Value = String> {
    let values = [
        "jane@example.com",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "536-90-4399",
        "ssn",
        "SSN 536904399",
        "+1 415 555 2671",
        "(415) 555-2671",
        "01 42 68 53 00",
        "call",
        "phone:",
        "office",
        "order",
        "DE89 3704 0044 0532 0130 00",
        "203.0.113.7",
        "2001:db8::8a2e:370:7334",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-proj-abcdefghij1234567890_-ABCDEF",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA04up8hoqzS1\n",
        "-----END RSA PRIVATE KEY-----",
        "password=",
        "hunter2-x9",
        "postgres://app:s3cr3t!@db.example.com/app",
        "[EMAIL]",
        "[PHONE_bcdfghjkmn]",
        "+999123456789",
        "[EMAIL:h0123456789ab]",
        "[US_SSN",
        "Bearer ",
        "x7Kp2mQ9vL4nR8tW3yB6",
        "passport",
        "X1234567",
        "2024-01-15",
        "Mr. Smith",
        "12 Main Street",
        "00:1A:2B:3C:4D:5E",
        "token: '",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(values.to_vec()).prop_map(str::to_owned),
        4 => prop::sample::select(vec![" ", "-", ".", ":", "/", "\n", ", ", "\"", "=", "(", "+", "%20", "%", "\\n", "\\", "\u{200b}", "é", "项", "_"])
            .prop_map(str::to_owned),
        2 => "[0-9]{1,5}",
        2 => "[a-zA-Z]{1,6}",
        1 => "\\PC{1,3}",
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn pieces<'t>(text: &'t str, cuts: &[prop::sample::Index]) -> Vec<&'t str> {
    let mut cuts: Vec<usize> =
        cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|cut| text.is_char_boundary(*cut)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    cuts.into_iter().chain([text.len()]).map(|cut| &text[std::mem::replace(&mut from, cut)..cut]).collect()
}

fn action() -> impl Strategy<Value = Action> {
    prop::sample::select(vec![Action::Mask, Action::Partial, Action::Hash, Action::Pseudonym])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn cuts_change_nothing(text in text(), action in action(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut one = session(&ALL, action);
        let mut other = session(&ALL, action);
        let whole = mask(&mut one, &text);
        prop_assert_eq!(&whole, &mask_in_pieces(&mut other, &pieces(&text, &cuts)), "{:?}", pieces(&text, &cuts));
        prop_assert_eq!(one.outcome(), other.outcome());
        let each: Vec<&str> = text.split_inclusive(|_: char| true).collect();
        prop_assert_eq!(whole, mask_in_pieces(&mut session(&ALL, action), &each));
    }

    #[test]
    fn cuts_change_nothing_where_findings_are_far_apart(
        texts in proptest::collection::vec((text(), 0_usize..90), 1..4),
        action in action(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text: String = texts.iter().map(|(text, far)| format!("{text}{}", " and on".repeat(*far))).collect();
        let whole = mask(&mut session(&ALL, action), &text);
        prop_assert_eq!(whole, mask_in_pieces(&mut session(&ALL, action), &pieces(&text, &cuts)));
    }

    #[test]
    fn masked_text_masked_again_does_not_change(text in text(), action in action()) {
        let once = mask(&mut session(&ALL, action), &text);
        let twice = mask(&mut session(&ALL, action), &once);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn what_is_held_back_is_bounded(text in text(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut session = session(&ALL, Action::Mask);
        let mut masker = Masker::default();
        let mut out = String::new();
        for piece in pieces(&text.repeat(20), &cuts) {
            masker.push(&mut session, piece, &mut out);
            prop_assert!(masker.held() <= 5 * 16 * LONGEST_MATCH, "{}", masker.held());
        }
    }
}

#[test]
fn the_page_lists_every_rule() {
    let page = include_str!("../../../../docs/redaction.md");
    let rows: Vec<String> = page
        .lines()
        .filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 3)
        .map(|line| line.rsplit_once(" | ").unwrap().0.to_owned())
        .collect();
    let wanted: Vec<String> = rules()
        .map(|rule| {
            let packs: Vec<_> = rule.packs.iter().map(|pack| pack.name()).collect();
            let off = if rule.on { "" } else { "; only by name" };
            format!("| `{}` | `[{}]` | {}{off}", rule.name, rule.label, packs.join(", "))
        })
        .collect();
    assert_eq!(rows, wanted);
}

#[test]
fn what_begins_within_the_rest_of_another_finding_is_found() {
    // The password ends with the first dashes of the key, behind the token.
    let text = "password=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN%-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA04up8hoqzS1\n";
    let whole = mask(&mut session(&ALL, Action::Mask), text);
    assert!(!whole.contains("MIIEpAIBAAKCAQEA"), "{whole}");
    let each: Vec<&str> = text.split_inclusive(|_: char| true).collect();
    assert_eq!(whole, mask_in_pieces(&mut session(&ALL, Action::Mask), &each));
}
