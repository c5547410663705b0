//! What the module wrote through `proxy_log`, standard output and standard error.

/// The levels of `proxy_log`, in Envoy's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// 0
    Trace,
    /// 1
    Debug,
    /// 2; also what a guest writes to standard output
    Info,
    /// 3
    Warn,
    /// 4; also what a guest writes to standard error
    Error,
    /// 5; the Rust SDK logs a panic at this level
    Critical,
}

/// One line of the module's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// How grave.
    pub level: LogLevel,
    /// The message, with invalid UTF-8 replaced.
    pub message: String,
}

impl LogLevel {
    /// The level of a number of the ABI; `None` above 5.
    pub fn from_abi(level: u32) -> Option<Self> {
        [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical]
            .get(level as usize)
            .copied()
    }
}
