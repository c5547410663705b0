//! Scores texts for prompt injection, one JSON string a line on standard input; on standard output `[score, [signal, …]]` a line.
// A tool that runs on a developer's machine.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::expect_used)]

use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use sluice_core::guard::injection::Scorer;

fn main() {
    let scorer = Scorer::new().expect("the rules are sound");
    let (mut bytes, mut seconds) = (0, 0.0);
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let text: String =
            serde_json::from_str(&line.expect("lines are UTF-8")).expect("each line is a string");
        let started = Instant::now();
        let found = scorer.score(&text);
        seconds += started.elapsed().as_secs_f64();
        bytes += text.len();
        let line = serde_json::to_string(&(found.score, found.signals)).expect("it is JSON");
        writeln!(out, "{line}").expect("it can be written");
    }
    eprintln!("{:.1} MB/s", bytes as f64 / 1e6 / seconds);
}
