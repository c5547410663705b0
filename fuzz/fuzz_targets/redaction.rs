//! Masking: the same whole and cut, unchanged when it is done again, JSON that stays JSON, and values that come back.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sluice_core::redact::{
    Action, Escapes, JsonMasker, Keys, Masker, Redactor, Restorer, Selection, Session, rules,
};

static ALL: LazyLock<Arc<Redactor>> = LazyLock::new(|| {
    Arc::new(Redactor::new(rules().map(Selection::BuiltIn).collect()).expect("the rules fit"))
});

fn session(action: Action) -> Session {
    let keys = Keys { hash: vec![1], pseudonym: vec![2], conversation: vec![3] };
    Session::new(ALL.clone(), vec![action; ALL.len()].into(), keys)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([kind, cut], rest)) = bytes.split_first_chunk() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let action = [Action::Mask, Action::Partial, Action::Hash, Action::Pseudonym, Action::Warn]
        [usize::from(*kind) % 5];
    let cut = text.floor_char_boundary(text.len() * usize::from(*cut) / 255);
    let pieces = [&text[..cut], &text[cut..]];

    let masked = |pieces: &[&str]| {
        let (mut session, mut masker, mut out) = (session(action), Masker::default(), String::new());
        pieces.iter().for_each(|piece| masker.push(&mut session, piece, &mut out));
        masker.finish(&mut session, &mut out);
        (out, session)
    };
    let mut of_whole = session(action);
    let whole = of_whole.mask(text).unwrap_or_else(|| text.to_owned());
    let (in_pieces, of_pieces) = masked(&pieces);
    assert_eq!(whole, in_pieces);
    assert_eq!(of_whole.outcome(), of_pieces.outcome());
    assert_eq!(whole, masked(&[&whole]).0);

    let json = |pieces: &[&str]| {
        let (mut session, mut masker, mut out) = (session(action), JsonMasker::default(), String::new());
        pieces.iter().for_each(|piece| masker.push(&mut session, piece, &mut out));
        masker.finish(&mut session, &mut out);
        out
    };
    let whole_json = json(&[text]);
    assert_eq!(whole_json, json(&pieces));
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if text.trim_start().starts_with(['{', '[', '"']) && is_json(text) {
        assert!(is_json(&whole_json), "{whole_json}");
    }

    let restored = |pieces: &[&str]| {
        let (mut restorer, mut out) = (Restorer::new(Escapes::Text), String::new());
        pieces.iter().for_each(|piece| restorer.push(of_whole.pseudonyms(), piece, &mut out));
        restorer.finish(of_whole.pseudonyms(), &mut out);
        out
    };
    let cut = whole.floor_char_boundary(cut.min(whole.len()));
    assert_eq!(restored(&[&whole]), restored(&[&whole[..cut], &whole[cut..]]));
});
