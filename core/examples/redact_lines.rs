//! Finds what rules find in texts, one JSON string a line on standard input; a list of findings a line on standard output, as
//! `[[label, start, end], …]` in characters. Arguments are names of rules and packs: `redact_lines pii secrets`.
// A tool that runs on a developer's machine.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::expect_used)]

mod lines;

use std::sync::Arc;

use sluice_core::redact::{Action, Finding, Keys, Redactor, Rule, Selection, Session, select};

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
    let said = |text: &str, findings: Vec<Finding>| -> Vec<_> {
        let place = |at: usize| text.get(..at).map_or(0, |text| text.chars().count());
        let told = findings.iter().map(|finding| {
            (redactor.label(finding.rule).to_owned(), place(finding.span.start), place(finding.span.end))
        });
        told.collect()
    };
    lines::each(|text| session.find(text), said);
}
