//! How fast texts are masked with all rules on, in the best of twenty runs: `cargo run --release -p sluice-core --example redaction_speed`.
// A tool that runs on a developer's machine.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::expect_used)]

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sluice_core::redact::{Action, Keys, Masker, Redactor, Selection, Session, rules};

/// Texts of 64 KiB and a little more, by what is in them.
fn texts() -> Vec<(&'static str, String)> {
    let prose = "The committee met on Tuesday to talk about the new library. Nobody could say when it would open, as the roof, \
                 which had been repaired twice, still let the rain in; so they asked for another estimate and went home early. ";
    let personal = "Dear team, please call Jane at +1 (415) 555-2671 or write to jane.doe@example.com about invoice 2024-0173. Her card \
                    4111 1111 1111 1111 was declined, the IBAN is DE89 3704 0044 0532 0130 00, and her SSN 536-90-4399 is on file. ";
    let code = "fn main() -> Result<(), Error> {\n    let config = Config::load(\"/etc/app/config.toml\")?; // version 1.4.12, commit \
                da39a3ee5e6b4b0d\n    let total: u64 = items.iter().map(|item| item.price * 100).sum();\n    println!(\"{total}\");\n}\n";
    let numbers =
        "2024-01-15 10:20:30.123 1048576 99.95 17 1700000000 3.14159 192 4096 65536 20240115 000123 ";
    let bytes: Vec<u8> =
        (0..300_u32).map(|number| (number * number * 7 + number / 3).to_le_bytes()[0]).collect();
    let base64 = BASE64.encode(bytes);
    let worst = "1 ".repeat(50)
        + &"a.".repeat(50)
        + &"1-".repeat(50)
        + "card phone ssn account number passport 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 ";
    let repeated = |text: &str| text.repeat((1 << 16) / text.len() + 1);
    vec![
        ("prose without findings", repeated(prose)),
        ("a finding every 60 bytes", repeated(personal)),
        ("program text", repeated(code)),
        ("numbers", repeated(numbers)),
        ("base64", repeated(&base64)),
        ("Chinese", repeated("委员会星期二开会讨论新图书馆的事情，没有人知道它什么时候能开放。")),
        ("made to be slow", repeated(&worst)),
    ]
}

fn main() {
    let started = Instant::now();
    let redactor = Redactor::new(rules().filter(|rule| rule.on).map(Selection::BuiltIn).collect())
        .expect("the rules fit");
    println!("{} rules compiled in {:.1} ms", redactor.len(), started.elapsed().as_secs_f64() * 1e3);
    let redactor = Arc::new(redactor);
    let actions: Arc<[Action]> = vec![Action::Mask; redactor.len()].into();
    println!("{:28} {:>10} {:>12} {:>10}", "text", "MB/s", "in tokens", "findings");
    for (name, text) in texts() {
        let mut session = Session::new(redactor.clone(), actions.clone(), Keys::default());
        // The automaton's states are made on the way.
        session.mask(&text);
        let findings: u32 = session.take_outcome().counts.values().sum();
        let whole = rate(&text, || {
            session.mask(&text);
        });
        let pieces: Vec<&str> = pieces(&text);
        let streamed = rate(&text, || {
            let mut masker = Masker::default();
            let mut out = String::with_capacity(text.len());
            for piece in &pieces {
                masker.push(&mut session, piece, &mut out);
            }
            masker.finish(&mut session, &mut out);
        });
        println!("{name:28} {whole:10.1} {streamed:12.1} {findings:10}");
    }
}

/// Pieces of about four bytes, as models stream them.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.ceil_char_boundary(4.min(rest.len())));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

fn rate(text: &str, mut work: impl FnMut()) -> f64 {
    let seconds = (0..20).map(|_| {
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64()
    });
    text.len() as f64 / 1e6 / seconds.fold(f64::MAX, f64::min)
}
