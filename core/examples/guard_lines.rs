//! Scores texts for prompt injection, one JSON string a line on standard input; on standard output `[score, [signal, …]]` a line.
// A tool that runs on a developer's machine.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::expect_used)]

mod lines;

use sluice_core::guard::injection::Scorer;

fn main() {
    let scorer = Scorer::new().expect("the rules are sound");
    lines::each(|text| scorer.score(text), |_, found| (found.score, found.signals));
}
