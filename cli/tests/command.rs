//! The command as an operator meets it: what it prints, how it exits, and what it leaves behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

const POLICY: &str = "
version: 1
listen: {port: 0, admin_port: 0}
callers: {anonymous: allow}
providers:
  local: {dialect: openai, endpoint: 'http://127.0.0.1:9/v1', credential: {env: SLUICE_TEST_KEY}}
models:
  m: {targets: [{provider: local, model: m}]}
";

/// A folder with a policy document, and the command within it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.yaml"), policy).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command.args(arguments).current_dir(self.path());
        // The rendered configuration is written here, so that a test sees what is left of it.
        fs::create_dir_all(self.path().join("temporary")).unwrap();
        command.env("TMPDIR", self.path().join("temporary"));
        command.env_remove("SLUICE_WASM").env("SLUICE_TEST_KEY", "secret-of-the-test");
        command.stdin(Stdio::null());
        command
    }

    fn output(&self, arguments: &[&str]) -> (bool, String, String) {
        said(&self.command(arguments).output().unwrap())
    }

    /// `sluice run` with this module, and with the Envoy that the test has found.
    fn run(&self, envoy: &Path, module: &Path) -> Command {
        let mut command = self.command(&["run", "policy.yaml", "--concurrency", "1", "--wasm"]);
        command.arg(module).env("ENVOY", envoy).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path().join("temporary")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn said(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// A gateway that has said that it is ready.
struct Gateway {
    process: Child,
    listener: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    fn start(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
        let mut address = |prefix: &str| {
            let line = lines.next().expect("the gateway ended before it was ready");
            line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line}")).parse().unwrap()
        };
        let (listener, admin) = (address("listening on http://"), address("admin on http://"));
        Self { process, listener, admin }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// The processes whose parent is this one.
    fn children(&self) -> Vec<i32> {
        let id = self.process.id();
        let list = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        list.split_whitespace().map(|id| id.parse().unwrap()).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        }
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Whether the process has ended; one that nobody has waited for yet has ended too.
fn is_gone(id: i32) -> bool {
    match fs::read_to_string(format!("/proc/{id}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn check_names_every_fault_by_its_path() {
    let place =
        Place::new(&POLICY.replace("provider: local", "provider: other").replace("version: 1", "version: 7"));
    let (ok, out, err) = place.output(&["check", "policy.yaml"]);
    assert!(!ok);
    assert_eq!(out, "");
    assert!(err.contains("policy.yaml: version: has to lie between 1 and 1\n"), "{err}");
    assert!(
        err.contains("policy.yaml: models.m.targets[0].provider: there is no provider `other`\n"),
        "{err}"
    );
}

#[test]
fn check_refuses_a_model_whose_target_cannot_serve_what_it_has_to() {
    let at = "models.m.targets[0]: `local` with the model `";
    for (client, is_served) in [("anthropic_messages", true), ("gemini_count_tokens", false)] {
        let text = POLICY.replace("targets: [", &format!("clients: [{client}], targets: ["));
        assert_ne!(text, POLICY);
        let (ok, _, err) = Place::new(&text).output(&["check", "policy.yaml"]);
        assert_eq!(ok, is_served, "{err}");
        assert_eq!(err.contains(at), !is_served, "{err}");
    }
}

#[test]
fn check_sums_up_and_warns_of_a_credential_that_is_not_set() {
    let place = Place::new(POLICY);
    let (ok, out, err) = place.output(&["check", "policy.yaml"]);
    assert!(ok);
    assert_eq!(out, "ok: policy.yaml: 1 provider, 1 model with 1 target, 0 keys, 0 templates\n");
    assert_eq!(err, "");
    let without = place.command(&["check", "policy.yaml"]).env_remove("SLUICE_TEST_KEY").output().unwrap();
    let (ok, _, err) = said(&without);
    assert!(ok);
    assert!(err.contains("warning: policy.yaml: providers.local.credential.env: "), "{err}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (ok, _, err) = Place::new(POLICY).output(&["check", "other.yaml"]);
    assert!(!ok);
    assert!(err.starts_with("other.yaml: "), "{err}");
}

#[test]
fn render_writes_where_it_is_told_and_no_credential() {
    let place = Place::new(POLICY);
    fs::write(place.path().join("module.wasm"), "").unwrap();
    let (ok, out, err) = place.output(&["render", "policy.yaml", "--wasm", "module.wasm"]);
    assert!(ok, "{err}");
    let (ok, nothing, err) =
        place.output(&["render", "policy.yaml", "--wasm", "module.wasm", "-o", "envoy.yaml"]);
    assert!(ok, "{err}");
    assert_eq!(nothing, "");
    assert_eq!(fs::read_to_string(place.path().join("envoy.yaml")).unwrap(), out);
    assert!(out.contains("SLUICE_TEST_KEY") && !out.contains("secret-of-the-test"));
}

#[test]
fn a_format_that_is_still_to_come_is_said_to_be() {
    for format in ["istio", "envoy-gateway"] {
        let (ok, out, err) = Place::new(POLICY).output(&["render", "policy.yaml", "--format", format]);
        assert!(!ok);
        assert_eq!((out.as_str(), err.contains("not yet supported")), ("", true), "{err}");
    }
}

#[test]
fn a_module_that_is_not_there_is_asked_for() {
    let (ok, _, err) = Place::new(POLICY).output(&["render", "policy.yaml", "--wasm", "none.wasm"]);
    assert!(!ok);
    assert!(err.starts_with("--wasm names none.wasm, "), "{err}");
}

#[test]
fn run_names_missing_credentials_before_it_starts_anything() {
    let place = Place::new(POLICY);
    // An Envoy that doesn't exist: it must not even be looked for.
    let output =
        place.run(Path::new("/nonexistent"), Path::new("none.wasm")).env_remove("SLUICE_TEST_KEY").output();
    let (ok, out, err) = said(&output.unwrap());
    assert!(!ok);
    assert_eq!(out, "");
    assert_eq!(
        err,
        "policy.yaml: providers.local.credential.env: the environment variable SLUICE_TEST_KEY is not set\n"
    );
}

#[test]
fn run_says_what_is_wrong_with_the_variable_that_names_envoy() {
    let place = Place::new(POLICY);
    let module = common::idle_module(place.path());
    for (program, reason) in
        [("/nonexistent", "neither a file nor on PATH"), ("/bin/true", "no Envoy that runs here")]
    {
        let (ok, _, err) = said(&place.run(Path::new(program), &module).output().unwrap());
        assert!(!ok);
        assert!(err.contains(&format!("ENVOY names {program}, which is {reason}")), "{err}");
    }
}

#[test]
fn run_is_ready_when_it_says_so_and_leaves_nothing_behind() {
    let Some(envoy) = common::envoy() else { return };
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new(POLICY);
        let module = common::idle_module(place.path());
        let mut gateway = Gateway::start(place.run(&envoy.program, &module));
        assert!(get(gateway.admin, "/ready").contains("LIVE"));
        // No policy filter is at work, so no route is chosen; that Envoy answers is what counts.
        assert!(get(gateway.listener, "/").starts_with("HTTP/1.1 "));
        let children = gateway.children();
        assert_eq!(children.len(), 1);

        gateway.signal(signal);
        assert_eq!(gateway.process.wait().unwrap().code(), Some(0));
        assert!(children.iter().all(|id| is_gone(*id)));
        assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
    }
}

#[test]
fn the_configuration_is_private_and_holds_no_credential() {
    use std::os::unix::fs::PermissionsExt;
    let Some(envoy) = common::envoy() else { return };
    let place = Place::new(POLICY);
    let gateway = Gateway::start(place.run(&envoy.program, &common::idle_module(place.path())));
    let leftovers = place.leftovers();
    let [folder] = leftovers.as_slice() else { panic!("{leftovers:?}") };
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    let rendered = fs::read_to_string(folder.join("envoy.yaml")).unwrap();
    assert!(rendered.contains("SLUICE_TEST_KEY") && !rendered.contains("secret-of-the-test"));
    assert!(!get(gateway.admin, "/config_dump").contains("secret-of-the-test"));
}

#[test]
fn envoy_ends_when_the_command_is_killed() {
    let Some(envoy) = common::envoy() else { return };
    let place = Place::new(POLICY);
    let mut gateway = Gateway::start(place.run(&envoy.program, &common::idle_module(place.path())));
    let children = gateway.children();
    assert_eq!(children.len(), 1);
    gateway.signal(Signal::KILL);
    gateway.process.wait().unwrap();
    eventually("Envoy has ended", || children.iter().all(|id| is_gone(*id)));
}

#[test]
fn the_exit_status_is_envoy_s_own() {
    let Some(envoy) = common::envoy() else { return };
    let place = Place::new(POLICY);
    let mut gateway = Gateway::start(place.run(&envoy.program, &common::idle_module(place.path())));
    for child in gateway.children() {
        kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    }
    assert_eq!(gateway.process.wait().unwrap().code(), Some(128 + 9));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let Some(envoy) = common::envoy() else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let place = Place::new(&POLICY.replace("port: 0, admin", &format!("port: {port}, admin")));
    let (ok, out, err) =
        said(&place.run(&envoy.program, &common::idle_module(place.path())).output().unwrap());
    assert!(!ok);
    assert_eq!(out, "");
    assert!(err.starts_with("Envoy refused to start:\n  "), "{err}");
    assert!(err.contains(&format!("127.0.0.1:{port}")) && err.contains("Address already in use"), "{err}");
}

#[test]
fn what_the_module_refuses_is_said_in_its_own_words() {
    let Some(envoy) = common::envoy() else { return };
    let place = Place::new(POLICY);
    let module = common::refusing_module(place.path(), "models.m: is not to my taste");
    let (ok, out, err) = said(&place.run(&envoy.program, &module).output().unwrap());
    assert!(!ok);
    assert_eq!(
        (out.as_str(), err.as_str()),
        ("", "Envoy refused to start:\n  models.m: is not to my taste\n")
    );
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn further_arguments_reach_envoy() {
    let Some(envoy) = common::envoy() else { return };
    let place = Place::new(POLICY);
    let mut command = place.run(&envoy.program, &common::idle_module(place.path()));
    let (ok, _, err) = said(&command.args(["--", "--mode", "validate"]).output().unwrap());
    // It ends at once, which is not what a gateway should do.
    assert!(!ok);
    assert!(err.contains("Envoy ended before it was ready: exit status: 0"), "{err}");
}
