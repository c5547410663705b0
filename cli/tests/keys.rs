//! `sluice keys`: what it makes is what a gateway accepts, and nothing of it is left where it doesn't belong.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails as a test does"
)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sluice_core::identity::bundle;
use sluice_core::policy::{self, Document};

fn keys(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.arg("keys").args(arguments).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command that has to succeed prints.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = keys(folder, arguments, "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_new_key_comes_with_the_entry_that_lets_it_in() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "new", "--id", "ci", "--user", "yes", "--team", "a: b", "--role", "dev", "--role", "ops", "--model",
        "gpt-*",
    ];
    let said = printed(folder.path(), &[&arguments[..], &["--expires", "2099-01-01T00:00:00Z"]].concat());
    let (key, entry) = said.split_once('\n').unwrap();
    assert!(key.starts_with("slc_") && key.len() == 53, "{key}");
    let read = policy::parse_keys(entry.as_bytes()).unwrap();
    let read = &read[0];
    assert_eq!(
        (read.id.as_str(), read.user.as_deref(), read.team.as_deref()),
        ("ci", Some("yes"), Some("a: b"))
    );
    assert_eq!(read.roles, ["dev", "ops"]);
    assert_eq!(read.models.as_deref(), Some(&["gpt-*".to_owned()][..]));
    assert!(read.expires.is_some() && !read.disabled);

    let checked = keys(folder.path(), &["check"], &format!("{key}\n"));
    assert!(checked.status.success());
    let digest: String = read.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text(&checked.stdout).trim(), digest);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a key is written nowhere");
}

#[test]
fn no_two_keys_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (printed(folder.path(), &["new"]), printed(folder.path(), &["new"]));
    assert_ne!(one.lines().next(), other.lines().next());
    assert_ne!(policy::parse_keys(one.split_once('\n').unwrap().1.as_bytes()).unwrap()[0].id, "");
}

#[test]
fn an_entry_that_a_policy_would_refuse_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["--expires", "soon"], ["--id", "jwt:eve"]] {
        let output = keys(folder.path(), &[&["new"][..], &arguments].concat(), "");
        assert!(!output.status.success());
        assert_eq!(text(&output.stdout), "", "no key is shown");
        assert!(
            text(&output.stderr).contains(arguments[0].trim_start_matches('-')),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn what_is_no_key_is_told_so_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for input in ["", "sk-secret-of-another", "slc_0123456789"] {
        let output = keys(folder.path(), &["check"], input);
        assert!(!output.status.success());
        assert!(input.is_empty() || !text(&output.stderr).contains(input));
    }
}

#[test]
fn a_bundle_is_accepted_by_whoever_has_the_public_key() {
    let folder = tempfile::tempdir().unwrap();
    let public = printed(folder.path(), &["keypair", "--private", "private.pem"]);
    let private = folder.path().join("private.pem");
    assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(&private).unwrap();
    assert!(!public.contains(secret.lines().nth(1).unwrap()));

    let again = keys(folder.path(), &["keypair", "--private", "private.pem"], "");
    assert!(!again.status.success(), "a key is never overwritten");
    assert_eq!(fs::read_to_string(&private).unwrap(), secret);

    let entry = printed(folder.path(), &["new", "--id", "ci"]);
    fs::write(folder.path().join("keys.yaml"), entry.split_once('\n').unwrap().1).unwrap();
    let sign = ["bundle", "keys.yaml", "--key", "private.pem", "--serial", "7"];
    let signed = printed(folder.path(), &[&sign[..], &["--expires", "2099-01-01T00:00:00Z"]].concat());
    assert_eq!(printed(folder.path(), &[&sign[..], &["-o", "bundle"]].concat()), "");

    let document = format!(
        "version: 1
providers: {{}}
models: {{}}
callers: {{source: {{cluster: keys, path: /keys, public_key: '{}'}}}}",
        public.trim()
    );
    let source = Document::parse(document.as_bytes()).unwrap().callers.source.unwrap();
    for bytes in [signed.into_bytes(), fs::read(folder.path().join("bundle")).unwrap()] {
        let read = bundle::open(&bytes, &source.public_keys).unwrap();
        assert_eq!((read.serial, read.len()), (7, 1));
    }
}

#[test]
fn serials_grow_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    printed(folder.path(), &["keypair", "--private", "private.pem"]);
    fs::write(folder.path().join("keys.yaml"), "keys: []").unwrap();
    let signed = printed(folder.path(), &["bundle", "keys.yaml", "--key", "private.pem"]);
    let header: serde_json::Value = serde_json::from_str(signed.lines().nth(1).unwrap()).unwrap();
    assert!(header["serial"].as_u64().unwrap() > 1_700_000_000);
}

#[test]
fn faults_of_a_list_of_keys_are_all_told_and_nothing_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    printed(folder.path(), &["keypair", "--private", "private.pem"]);
    fs::write(
        folder.path().join("keys.yaml"),
        "keys: [{id: a, sha256: slc_secret}, {id: b, team: x, extra: 1}]",
    )
    .unwrap();
    let output = keys(folder.path(), &["bundle", "keys.yaml", "--key", "private.pem"], "");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    for path in ["keys[0].sha256", "keys[1].sha256", "keys[1].extra"] {
        assert!(said.contains(&format!("keys.yaml: {path}: ")), "{said}");
    }
    assert!(!said.contains("slc_secret"));
}
