//! Estimates the tokens of samples: JSON lines with a `text` come in, a number for each goes out; `bench/estimate` runs it.
//!
//! With how fast it is behind them, on standard error.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a tool at the core's side, not a part of it"
)]

use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use sluice_core::usage::estimate;

#[derive(serde::Deserialize)]
struct Sample {
    part: String,
    text: String,
}

fn main() -> io::Result<()> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let samples: Vec<Sample> = input.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for sample in samples.iter().filter(|sample| sample.part == "test") {
        writeln!(out, "{}", estimate::text(&sample.text))?;
    }
    // The best of several runs, as the machine may have other work too.
    let bytes: usize = samples.iter().map(|sample| sample.text.len()).sum();
    let run = || {
        let begin = Instant::now();
        black_box(samples.iter().map(|sample| estimate::text(black_box(&sample.text))).sum::<u64>());
        begin.elapsed()
    };
    let best = (0..10).map(|_| run()).min().unwrap_or(Duration::ZERO);
    eprintln!("{:.0} ns per kB", best.as_secs_f64() * 1e9 / (bytes as f64 / 1000.0));
    out.flush()
}
