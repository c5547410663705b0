//! Texts by the line, for examples that other programs run: one JSON string on standard input, one JSON value on standard output.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Writes what `work` says of each text; at the end, on standard error, how fast it was.
pub fn each<F, S: Serialize>(mut work: impl FnMut(&str) -> F, mut said: impl FnMut(&str, F) -> S) {
    let (mut bytes, mut spent) = (0, Duration::ZERO);
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let text: String =
            serde_json::from_str(&line.expect("lines are UTF-8")).expect("each line is a string");
        let started = Instant::now();
        let found = work(&text);
        spent += started.elapsed();
        bytes += text.len();
        let line = serde_json::to_string(&said(&text, found)).expect("it is JSON");
        writeln!(out, "{line}").expect("it can be written");
    }
    eprintln!("{:.1} MB/s", bytes as f64 / 1e6 / spent.as_secs_f64());
}
