//! Bundles: what is read of them, what is refused, and how keys are found.

use std::collections::HashMap;

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::identity::KeySource as _;
use crate::policy::{SourceEntry, SourcePlace};

const NOW: Duration = Duration::from_secs(1_800_000_000);
const TICK: Duration = Duration::from_millis(500);

fn signer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn source() -> SourceEntry {
    SourceEntry {
        place: SourcePlace::Cluster("keys".to_owned()),
        path: "/keys".to_owned(),
        refresh: Duration::from_secs(30),
        public_keys: vec![signer().verifying_key()],
        stale: Some(Duration::from_secs(300)),
    }
}

fn entry(key: &str, id: &str) -> KeyEntry {
    KeyEntry {
        id: id.to_owned(),
        sha256: Sha256::digest(key).into(),
        user: Some("Zoë \"the\" tester\n".to_owned()),
        team: None,
        roles: vec!["ci".to_owned(), "dev".to_owned()],
        models: Some(vec!["gpt-*".to_owned()]),
        expires: Some(NOW),
        disabled: true,
    }
}

fn signed(payload: &[u8]) -> Vec<u8> {
    seal(&signer().sign(payload).to_bytes(), payload)
}

fn bundle_of(serial: u64, keys: &[KeyEntry]) -> Vec<u8> {
    signed(&payload(serial, None, keys).unwrap())
}

fn opened(bytes: &[u8]) -> Result<Bundle<'_>, Refusal> {
    open(bytes, &[signer().verifying_key()])
}

/// A bundle as it stands in shared data.
fn shared(bundle: &Bundle<'_>, status: &Status) -> HashMap<String, Vec<u8>> {
    let mut memory = HashMap::new();
    bundle
        .tables(|name, bytes| {
            assert!(memory.insert(name.to_owned(), bytes.to_vec()).is_none(), "{name} is written once");
            Ok::<_, ()>(())
        })
        .unwrap();
    memory.insert(STATUS.to_owned(), status.encode());
    memory
}

fn find(
    memory: &HashMap<String, Vec<u8>>,
    key: &str,
    now: Duration,
) -> Result<Option<std::sync::Arc<crate::identity::Caller>>, crate::failure::Failure> {
    let read = |name: &str| memory.get(name).cloned();
    BundleKeys { read: &read, source: &source(), now }.find(&Sha256::digest(key).into())
}

#[test]
fn every_field_of_a_key_comes_back() {
    let plain = KeyEntry {
        user: None,
        roles: Vec::new(),
        models: None,
        expires: None,
        disabled: false,
        team: Some("t".to_owned()),
        ..entry("b", "plain")
    };
    let keys = [entry("a", "full"), plain];
    let bytes = bundle_of(9, &keys);
    let bundle = opened(&bytes).unwrap();
    assert_eq!((bundle.serial, bundle.expires, bundle.len()), (9, None, 2));
    for key in &keys {
        let (_, line) = bundle.keys.iter().find(|(digest, _)| *digest == key.sha256).unwrap();
        let read = serde_json::from_slice::<Line<'_>>(line).unwrap().entry().unwrap();
        assert_eq!(format!("{read:?}"), format!("{key:?}"));
    }
}

#[test]
fn every_key_is_found_and_no_other() {
    let keys: Vec<_> =
        (0..5000).map(|number| entry(&format!("key {number}"), &format!("id {number}"))).collect();
    let bytes = bundle_of(1, &keys);
    let bundle = opened(&bytes).unwrap();
    let memory = shared(&bundle, &Status::of(&bundle, NOW));
    for number in 0..5000 {
        assert_eq!(find(&memory, &format!("key {number}"), NOW).unwrap().unwrap().id, format!("id {number}"));
        assert_eq!(find(&memory, &format!("other {number}"), NOW), Ok(None));
    }
}

#[test]
fn a_later_bundle_leaves_nothing_of_the_one_before() {
    let bytes = bundle_of(1, &(0..500).map(|n| entry(&format!("k{n}"), &n.to_string())).collect::<Vec<_>>());
    let first = opened(&bytes).unwrap();
    let mut memory = shared(&first, &Status::of(&first, NOW));
    let bytes = bundle_of(2, &[]);
    let second = opened(&bytes).unwrap();
    memory.extend(shared(&second, &Status::of(&second, NOW)));
    assert!((0..500).all(|n| find(&memory, &format!("k{n}"), NOW) == Ok(None)));
}

#[test]
fn keys_can_be_checked_only_while_their_bundle_is_in_force() {
    let bytes = signed(&payload(1, Some(NOW + Duration::from_secs(100)), &[entry("k", "k")]).unwrap());
    let bundle = opened(&bytes).unwrap();
    let after = |seconds| NOW + Duration::from_secs(seconds);
    let memory = shared(&bundle, &Status::of(&bundle, NOW));
    assert!(find(&memory, "k", after(99)).unwrap().is_some());
    assert_eq!(find(&memory, "k", after(100)).unwrap_err().status, 503, "its time has ended");

    let bytes = bundle_of(1, &[entry("k", "k")]);
    let bundle = opened(&bytes).unwrap();
    let memory = shared(&bundle, &Status::of(&bundle, NOW));
    assert!(find(&memory, "k", after(300)).unwrap().is_some());
    assert_eq!(find(&memory, "k", after(301)).unwrap_err().status, 503, "nobody has confirmed it");
    assert_eq!(find(&HashMap::new(), "k", NOW).unwrap_err().status, 503, "there is none");
}

#[test]
fn what_is_signed_and_faulty_is_refused() {
    let header = r#"{"format":"sluice-keys-1","serial":1}"#;
    let key = |id: &str, digit: &str| format!(r#"{{"id":"{id}","sha256":"{}"}}"#, digit.repeat(64));
    let (a, b) = (key("a", "a"), key("b", "b"));
    for (lines, refusal) in [
        (vec![header, &a, &b, ""], None),
        (vec![header, ""], None),
        (vec![header, &a], Some(Refusal::Malformed(3))),
        (vec![header, "", ""], Some(Refusal::Malformed(3))),
        (vec![header, &a, "{}", ""], Some(Refusal::Malformed(4))),
        (vec![header, &a, &key("b", "x"), ""], Some(Refusal::Malformed(4))),
        (vec![header, &key("", "a"), ""], Some(Refusal::Malformed(3))),
        (vec![header, &key("jwt:eve", "a"), ""], Some(Refusal::Malformed(3))),
        (vec![header, &a.replace('}', r#","limits":[]}"#), ""], Some(Refusal::Malformed(3))),
        (vec![header, &a.replace('}', r#","expires":"soon"}"#), ""], Some(Refusal::Malformed(3))),
        (vec![header, &a.replace('}', r#","disabled":1}"#), ""], Some(Refusal::Malformed(3))),
        (vec![header, &key(&"x".repeat(20_000), "a"), ""], Some(Refusal::Malformed(3))),
        (vec![header, &a, &key("b", "a"), ""], Some(Refusal::DuplicateKey)),
        (vec![header, &a, &key("b", "A"), ""], Some(Refusal::DuplicateKey)),
        (vec![header, &a, &key("a", "b"), ""], Some(Refusal::DuplicateId)),
        (vec![r#"{"format":"something-else","serial":1}"#, ""], Some(Refusal::Malformed(2))),
        (vec![r#"{"format":"sluice-keys-1"}"#, ""], Some(Refusal::Malformed(2))),
        (vec![r#"{"format":"sluice-keys-1","serial":-1}"#, ""], Some(Refusal::Malformed(2))),
        (vec![r#"{"format":"sluice-keys-1","serial":1,"expires":"x"}"#, ""], Some(Refusal::Malformed(2))),
        (vec![""], Some(Refusal::Malformed(2))),
    ] {
        let bytes = signed(lines.join("\n").as_bytes());
        assert_eq!(opened(&bytes).err(), refusal, "{lines:?}");
    }
}

#[test]
fn a_source_is_judged_by_what_is_in_force() {
    let mut refresher = Refresher::new(source());
    let [first, second, reused] =
        [(5, "a"), (6, "b"), (5, "c")].map(|(serial, key)| bundle_of(serial, &[entry(key, key)]));
    let expired = signed(&payload(9, Some(NOW), &[]).unwrap());
    let etag = || Some("\"1\"".to_owned());
    let tag =
        |headers: Vec<(&'static str, String)>| headers.into_iter().find(|(name, _)| *name == "if-none-match");

    let asked = refresher.ask(None, NOW, TICK).unwrap();
    assert_eq!(
        asked[..3],
        [(":method", "GET".into()), (":path", "/keys".into()), (":authority", "keys".into())]
    );
    assert_eq!(refresher.ask(None, NOW + Duration::from_secs(60), TICK), None, "one question at a time");
    let Outcome::New(_, status) = refresher.answered(Some(200), etag(), &first, None, NOW) else {
        panic!("the first bundle is accepted")
    };
    assert_eq!(Status::decode(&status.encode()).unwrap(), status);
    assert_eq!(
        refresher.ask(Some(&status), NOW, TICK),
        None,
        "it was asked for while nothing was in force: soon"
    );
    let later = NOW + Duration::from_secs(1);
    assert_eq!(tag(refresher.ask(Some(&status), later, TICK).unwrap()).unwrap().1, "\"1\"");

    let mut judge = |answer, body: &[u8]| match refresher.answered(answer, None, body, Some(&status), later) {
        Outcome::New(bundle, _) => format!("new {}", bundle.serial),
        Outcome::Same(same) => format!("same, at {}", (same.checked - NOW).as_secs()),
        Outcome::Failed(trouble) => trouble.word().to_owned(),
    };
    assert_eq!(judge(Some(304), b""), "same, at 1");
    assert_eq!(judge(Some(200), &first), "same, at 1");
    assert_eq!(judge(Some(304), b""), "status", "no version is known any more");
    assert_eq!(judge(Some(200), &second), "new 6");
    assert_eq!(judge(Some(200), &reused), "older");
    assert_eq!(judge(Some(200), &bundle_of(4, &[])), "older");
    assert_eq!(judge(Some(200), &expired), "expired");
    assert_eq!(judge(Some(500), &second), "status");
    assert_eq!(judge(None, b""), "unreachable");

    assert_eq!(refresher.ask(Some(&status), later + Duration::from_secs(29), TICK), None);
    let headers = refresher.ask(Some(&status), later + Duration::from_secs(30), TICK).unwrap();
    assert_eq!(tag(headers), None);
    let Outcome::New(..) = refresher.answered(Some(200), etag(), &second, Some(&status), later) else {
        panic!("a later bundle is accepted")
    };
    refresher.lost();
    let later = later + Duration::from_secs(60);
    assert_eq!(tag(refresher.ask(Some(&status), later, TICK).unwrap()), None, "it has to be sent again");
    assert!(refresher.note(Some(Trouble::Unreachable)));
    assert!(!refresher.note(Some(Trouble::Unreachable)));
    assert!(refresher.note(None));
}

#[test]
fn a_bundle_of_another_signer_is_refused() {
    let payload = payload(1, None, &[]).unwrap();
    let other = SigningKey::from_bytes(&[8; 32]);
    let bytes = seal(&other.sign(&payload).to_bytes(), &payload);
    assert_eq!(opened(&bytes).err(), Some(Refusal::Signature));
    assert!(open(&bytes, &[signer().verifying_key(), other.verifying_key()]).is_ok());
    assert_eq!(open(&bytes, &[]).err(), Some(Refusal::Signature));
}

proptest! {
    #[test]
    fn a_bundle_that_was_touched_is_refused(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let good = bundle_of(3, &[entry("a", "a"), entry("b", "b")]);
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(opened(&bytes).is_err());
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..400), signs in any::<bool>()) {
        let bytes = if signs { signed(&bytes) } else { bytes };
        let _ = opened(&bytes);
    }

    #[test]
    fn signed_lines_of_any_text_break_nothing(lines in prop::collection::vec("[\\[\\]{}\":,a-f0-9 \\\\]{0,80}", 0..6)) {
        let text = format!("{{\"format\":\"sluice-keys-1\",\"serial\":1}}\n{}\n", lines.join("\n"));
        let _ = opened(&signed(text.as_bytes()));
    }

    #[test]
    fn no_shared_data_breaks_the_look_up(table in prop::collection::vec(any::<u8>(), 0..200), count in 0..6_u8) {
        let mut table = table;
        if let Some(first) = table.first_mut() { *first = count; }
        for byte in table.iter_mut().take(4).skip(1) { *byte = 0; }
        let bytes = bundle_of(1, &[]);
        let bundle = opened(&bytes).unwrap();
        let status = Status::of(&bundle, NOW).encode();
        let read = |name: &str| Some(if name == STATUS { status.clone() } else { table.clone() });
        let found = BundleKeys { read: &read, source: &source(), now: NOW }.find(&[0; 32]);
        prop_assert!(!matches!(found, Ok(Some(_))));
    }
}
