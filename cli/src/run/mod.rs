//! Runs Envoy as a child: starts it, says when it is ready, passes signals on, and leaves nothing behind.

mod admin;
mod log;

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::admin::Admin;
use self::log::Log;
use crate::envoy::Envoy;

/// How Envoy is started.
#[derive(Clone, Debug, Default)]
pub struct EnvoyOptions {
    /// The number of worker threads; one per processor if not given.
    pub concurrency: Option<u32>,
    /// The level of Envoy's own log.
    pub log_level: String,
    /// Further arguments.
    pub arguments: Vec<OsString>,
}

/// How often the child, the signals and the admin interface are looked at.
const TICK: Duration = Duration::from_millis(20);

/// How long Envoy may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(10);

/// How often a start that takes long is mentioned.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs Envoy with this configuration until it ends, by itself or because this process was told to.
///
/// Prints `listening on http://HOST:PORT` and `admin on http://HOST:PORT` on standard output once requests are
/// answered. The result is Envoy's own status, 0 after a clean stop.
///
/// # Errors
/// Says why Envoy could not be started, or refused to.
pub fn run(envoy: &Envoy, configuration: &str, options: &EnvoyOptions) -> Result<ExitCode, String> {
    // Private to this user, and gone when this function returns.
    let mut builder = tempfile::Builder::new();
    let private = builder.prefix("sluice-").permissions(Permissions::from_mode(0o700));
    let folder = private.tempdir().map_err(|error| error.to_string())?;
    let bootstrap = folder.path().join("envoy.yaml");
    fs::write(&bootstrap, configuration).map_err(|error| format!("{}: {error}", bootstrap.display()))?;
    let address = folder.path().join("admin");

    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(|error| error.to_string())?;
    let mut command = command(envoy, &bootstrap, &address, options);
    let child = command.spawn().map_err(|error| format!("{}: {error}", envoy.program.display()))?;
    let mut child = Owned(child);
    let log = child.0.stderr.take().map(Log::follow);

    let mut admin: Option<Admin> = None;
    let mut ready = false;
    let mut told = Instant::now();
    let mut deadline: Option<Instant> = None;
    loop {
        if let Some(status) = child.0.try_wait().map_err(|error| error.to_string())? {
            let said = log.map(Log::finish).unwrap_or_default();
            return match ready || deadline.is_some() {
                true => Ok(exit_code(status)),
                false => Err(refusal(status, &said)),
            };
        }
        if signals.pending().next().is_some() && deadline.is_none() {
            child.terminate();
            deadline = Some(Instant::now() + GRACE);
        }
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            // A child that doesn't listen to reason is ended by the drop.
            return Err("Envoy did not end when it was told to, and was killed".to_owned());
        }
        if !ready && deadline.is_none() {
            admin = admin.or_else(|| Admin::from_file(&address));
            if let Some(addresses) = admin.as_ref().and_then(Admin::ready) {
                announce(addresses.listener, addresses.admin)?;
                ready = true;
                if let Some(log) = &log {
                    log.release();
                }
            } else if told.elapsed() > PATIENCE {
                _ = writeln!(io::stderr(), "still waiting for Envoy to be ready");
                told = Instant::now();
            }
        }
        thread::sleep(TICK);
    }
}

/// A child that doesn't outlive its owner.
struct Owned(Child);

impl Owned {
    /// Asks the child to end.
    fn terminate(&self) {
        let id = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // It may have ended in the meantime; it is not waited for yet, so its id is no other process's.
            _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            _ = self.0.kill();
            _ = self.0.wait();
        }
    }
}

fn command(envoy: &Envoy, bootstrap: &Path, address: &Path, options: &EnvoyOptions) -> Command {
    let mut command = Command::new(&envoy.program);
    command.arg("--config-path").arg(bootstrap);
    command.arg("--admin-address-path").arg(address);
    // Several gateways may run on one machine; none takes over from another.
    command.arg("--disable-hot-restart");
    command.args(["--log-level", &options.log_level]);
    if let Some(workers) = options.concurrency {
        command.args(["--concurrency", &workers.to_string()]);
    }
    command.args(&options.arguments);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    // A group of its own, so that a terminal's interrupt reaches it through this process, and once.
    command.process_group(0);
    end_with_parent(&mut command);
    command
}

/// Makes the kernel end the child when this process is killed and can't do so itself.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn end_with_parent(command: &mut Command) {
    let request =
        || Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?);
    // SAFETY: what runs between fork and exec is one system call; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(request) };
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}

fn announce(listener: SocketAddr, admin: SocketAddr) -> Result<(), String> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on http://{listener}\nadmin on http://{admin}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("standard output: {error}"))
}

/// Envoy's status as this process's own; a shell's convention for a child that a signal ended.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn refusal(status: ExitStatus, said: &[String]) -> String {
    let reasons = log::reasons(said);
    match reasons.is_empty() {
        true => format!("Envoy ended before it was ready: {status}"),
        false => format!("Envoy refused to start:\n  {}", reasons.join("\n  ")),
    }
}
