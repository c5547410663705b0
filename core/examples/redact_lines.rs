//! Finds what rules find in texts, one JSON string a line on standard input; a list of findings a line on standard output, as
//! `[[label, start, end], …]` in characters. Arguments are names of rules and packs: `redact_lines pii secrets`.
// A tool that runs on a developer's machine.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::expect_used)]

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use sluice_core::redact::{Action, Keys, Redactor, Rule, Selection, Session, select};

fn main() {
    let mut chosen: Vec<&'static Rule> = Vec::new();
    for name in std::env::args().skip(1) {
        for rule in select(&name).expect("rules and packs have other names") {
            if !chosen.iter().any(|known| known.name == rule.name) {
                chosen.push(rule);
            }
        }
    }
    let redactor =
        Redactor::new(chosen.into_iter().map(Selection::BuiltIn).collect()).expect("the rules fit");
    let redactor = Arc::new(redactor);
    let mut session =
        Session::new(redactor.clone(), vec![Action::Mask; redactor.len()].into(), Keys::default());
    let (mut bytes, mut seconds) = (0, 0.0);
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let text: String =
            serde_json::from_str(&line.expect("lines are UTF-8")).expect("each line is a string");
        let started = Instant::now();
        let findings = session.find(&text);
        seconds += started.elapsed().as_secs_f64();
        bytes += text.len();
        let place = |at: usize| text.get(..at).map_or(0, |text| text.chars().count());
        let findings: Vec<_> = findings
            .iter()
            .map(|finding| (redactor.label(finding.rule), place(finding.span.start), place(finding.span.end)))
            .collect();
        let line = serde_json::to_string(&findings).expect("it is JSON");
        writeln!(out, "{line}").expect("it can be written");
    }
    eprintln!("{:.1} MB/s", bytes as f64 / 1e6 / seconds);
}
