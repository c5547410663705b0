//! What can go wrong between a test and the module, with the log that explains it.
use std::fmt;

use super::log::LogEntry;

/// The module trapped inside a callback. The virtual machine is dead from then on, as in Envoy with `FAIL_RELOAD`.
#[derive(Clone, Debug)]
pub struct Trap {
    /// The export that was running, for example `proxy_on_request_headers`.
    pub callback: String,
    /// The engine's message, with the guest's backtrace where there is one.
    pub message: String,
    /// What the module logged up to the trap; the Rust SDK logs the panic message here.
    pub log: Vec<LogEntry>,
}

/// Why the host could not do what the test asked.
#[derive(Clone, Debug)]
pub enum HostError {
    /// The file could not be read, or is not a module that Envoy would load.
    Load(String),
    /// The module imports something that Envoy does not offer, or with another signature.
    Link(String),
    /// `proxy_on_vm_start` or `proxy_on_configure` answered false.
    Refused {
        /// The root that refused.
        root: String,
        /// `proxy_on_vm_start` or `proxy_on_configure`.
        callback: String,
        /// What the module logged until then: the reason stands here.
        log: Vec<LogEntry>,
    },
    /// The module trapped.
    Trap(Trap),
    /// The virtual machine died of an earlier trap; start a new one.
    Dead,
    /// The test's script does not fit what the module did, for example an attempt for which no target was named.
    Script(String),
    /// Nothing can move any more, and the client has no complete answer.
    Stalled(String),
    /// A `content-length` stands on a body of another length. On a real connection the rest of the body would be
    /// read as the next message.
    Framing(String),
}

impl HostError {
    /// The lines that the module logged before this error, or nothing.
    pub fn log(&self) -> &[LogEntry] {
        match self {
            Self::Refused { log, .. } | Self::Trap(Trap { log, .. }) => log,
            _ => &[],
        }
    }
}

impl From<Trap> for HostError {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}

fn write_log(f: &mut fmt::Formatter<'_>, log: &[LogEntry]) -> fmt::Result {
    log.iter().try_for_each(|entry| write!(f, "\n  [{:?}] {}", entry.level, entry.message))
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the module trapped in {}: {}", self.callback, self.message)?;
        write_log(f, &self.log)
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(message) => write!(f, "the module can't be loaded: {message}"),
            Self::Link(message) => write!(f, "the module can't be linked: {message}"),
            Self::Refused { root, callback, log } => {
                write!(f, "root `{root}` refused in {callback}; its log:")?;
                write_log(f, log)
            }
            Self::Trap(trap) => trap.fmt(f),
            Self::Dead => f.write_str("the virtual machine died of an earlier trap"),
            Self::Script(message) => write!(f, "the script does not fit: {message}"),
            Self::Stalled(message) => write!(f, "stalled: {message}"),
            Self::Framing(message) => write!(f, "framing: {message}"),
        }
    }
}

impl std::error::Error for Trap {}
impl std::error::Error for HostError {}
