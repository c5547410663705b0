//! Envoy's own log: held back while Envoy starts, passed on afterwards, and read for reasons if it refuses to start.

use std::io::{self, BufRead, BufReader, Write};
use std::process::ChildStderr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// The lines that are held back at most.
const MOST_LINES: usize = 1000;

/// What Envoy writes to its standard error.
pub(super) struct Log {
    held: Arc<Mutex<Option<Vec<String>>>>,
    reader: JoinHandle<()>,
}

impl Log {
    /// Reads the log in a thread of its own until it ends.
    pub(super) fn follow(stream: ChildStderr) -> Self {
        let held = Arc::new(Mutex::new(Some(Vec::new())));
        let shared = Arc::clone(&held);
        let reader = thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                match &mut *shared.lock().unwrap_or_else(PoisonError::into_inner) {
                    Some(lines) if lines.len() < MOST_LINES => {
                        lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                    }
                    Some(_) => {}
                    None => _ = io::stderr().write_all(&line),
                }
                line.clear();
            }
        });
        Self { held, reader }
    }

    /// Passes on what was held back, and from now on everything at once.
    pub(super) fn release(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for line in held.take().unwrap_or_default() {
            _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// What is still held back when Envoy has ended.
    pub(super) fn finish(self) -> Vec<String> {
        // It ends with the stream, and a stream ends with its last writer.
        _ = self.reader.join();
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

/// Why Envoy refused to start: what the module said if it said anything, else Envoy's own errors, else all lines.
pub(super) fn reasons(lines: &[String]) -> Vec<String> {
    let errors: Vec<Entry> =
        lines.iter().filter_map(|line| Entry::parse(line)).filter(|entry| entry.is_error).collect();
    // Envoy repeats every error when it gives up, and names the file of this process, which is no help.
    let by_module = distinct(errors.iter().filter_map(Entry::by_module));
    let by_envoy = distinct(errors.iter().filter_map(Entry::by_envoy));
    let last_words = distinct(errors.iter().filter_map(Entry::last_words));
    if let Some(reasons) = [by_module, by_envoy, last_words].into_iter().find(|reasons| !reasons.is_empty()) {
        return reasons;
    }
    lines.iter().filter(|line| !line.trim().is_empty()).cloned().collect()
}

/// The texts without repetitions, in order.
fn distinct<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.iter().any(|other| other == text) {
            seen.push(text.to_owned());
        }
    }
    seen
}

/// One entry of Envoy's log: `[time][thread][level][component] [file:line] text`.
struct Entry {
    is_error: bool,
    text: String,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let mut rest = line;
        let mut field = || {
            let (inside, after) = rest.trim_start().strip_prefix('[')?.split_once(']')?;
            rest = after;
            Some(inside)
        };
        let (_time, _thread, level, _component, _source) = (field()?, field()?, field()?, field()?, field()?);
        Some(Self { is_error: matches!(level, "error" | "critical"), text: rest.trim().to_owned() })
    }

    /// `wasm log <plugin> <root> <vm>: <text>`
    fn by_module(&self) -> Option<&str> {
        Some(self.text.strip_prefix("wasm log ")?.split_once(": ")?.1)
    }

    /// Anything but the [last words](Self::last_words).
    fn by_envoy(&self) -> Option<&str> {
        (!self.text.is_empty() && self.last_words().is_none()).then_some(&self.text)
    }

    /// ``error `<text>` initializing config '<file>'``, of which the end may be on a further line.
    fn last_words(&self) -> Option<&str> {
        Some(self.text.strip_prefix("error `")?.rsplit_once('`')?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &str = "[2026-01-01 00:00:00.1][1]";

    fn reasons_of(lines: &[&str]) -> Vec<String> {
        reasons(&lines.iter().map(|line| line.replace("FRAME", FRAME)).collect::<Vec<_>>())
    }

    #[test]
    fn the_module_s_own_words_come_alone() {
        let lines = [
            "FRAME[info][main] [source/server/server.cc:1] initializing",
            "FRAME[error][wasm] [source/extensions/common/wasm/context.cc:1157] wasm log sluice policy sluice: models.m.targets: is missing",
            "FRAME[error][wasm] [source/extensions/common/wasm/context.cc:1157] wasm log sluice policy sluice: version: is missing",
            "FRAME[error][wasm] [source/extensions/common/wasm/wasm.cc:104] Wasm VM failed Failed to configure base Wasm plugin",
            "FRAME[critical][main] [source/server/server.cc:449] error `Unable to create Wasm plugin sluice` initializing config 'x",
            "  /tmp/envoy.yaml'",
        ];
        assert_eq!(reasons_of(&lines), ["models.m.targets: is missing", "version: is missing"]);
    }

    #[test]
    fn envoy_s_error_comes_once_and_without_its_frame() {
        let lines = [
            "FRAME[warning][main] [source/server/server.cc:1] no limit",
            "FRAME[error][config] [source/common/listener.cc:1] cannot bind '127.0.0.1:1': Address already in use",
            "FRAME[critical][main] [source/server/server.cc:449] error `cannot bind '127.0.0.1:1': Address already in use` initializing config 'x'",
            "cannot bind '127.0.0.1:1': Address already in use",
        ];
        assert_eq!(reasons_of(&lines), ["cannot bind '127.0.0.1:1': Address already in use"]);
        assert_eq!(reasons_of(&lines[2..3]), ["cannot bind '127.0.0.1:1': Address already in use"]);
    }

    #[test]
    fn a_log_of_another_shape_is_given_whole() {
        assert_eq!(
            reasons_of(&["PARSE ERROR: no such option", "", "Usage:"]),
            ["PARSE ERROR: no such option", "Usage:"]
        );
    }
}
