//! Runs every test case on the native core: policy, exchange, dialects and streams as the filters use them, without a host.
// A test stops where it can't go on.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use sluice_core::shared::LocalMemory;
use support::{answer, open, plan};
use test_cases::{ChatCase, Sent};

fn run(case: &ChatCase, exchange: &test_cases::Exchange, cases: &[ChatCase], faults: &mut Vec<String>) {
    let label = |what: &str| format!("{} at {}: {what}", case.name, exchange.provider);
    let mut note = |found: Vec<String>| faults.extend(found.iter().map(|fault| label(fault)));
    let plan = plan(case, exchange);
    let opened = open(&plan, &case.request);
    if let Some(refused) = &exchange.expected.refused {
        return match opened {
            Ok(_) => note(vec!["was not refused".to_owned()]),
            Err(reply) => note(exchange.faults_of_refusal(refused, reply.status, &reply.body)),
        };
    }
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(reply) => {
            return note(vec![format!("refused: {}", String::from_utf8_lossy(&reply.body))]);
        }
    };
    let (request, attempt) = opened
        .attempt(exchange.provider, 1, &LocalMemory::default(), std::time::Duration::from_secs(support::NOW))
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    let header = |name: &str| {
        request.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    };
    let sent = Sent { path: header(":path"), body: request.body.as_deref().expect("has a body") };
    note(exchange.faults_of_request(case, sent, header));
    let remarks = opened.remarks();
    let remark = |name: &str| remarks.iter().find(|(header, _)| *header == name);
    note(exchange.faults_of_changes(|name| remark(name).map(|(_, value)| value.as_str())));

    let stream = opened.stream;
    let default = cases.iter().find(|case| case.name == if stream { "stream-text" } else { "text" });
    let body = exchange.response_or(default.expect("the default case"));
    let play = |chunks: &[&[u8]]| {
        let mut opened = open(&plan, &case.request).expect("opened before");
        let (_, attempt) = opened
            .attempt(
                exchange.provider,
                1,
                &LocalMemory::default(),
                std::time::Duration::from_secs(support::NOW),
            )
            .expect("attempted before");
        answer(&mut opened, &attempt, exchange.status(), &body, chunks)
    };
    drop(attempt);
    let whole = play(&[&body.bytes]);
    if exchange.response.is_some() {
        // The provider's own headers are the filter's to pass on; here they are taken as passed.
        let passed = |name: &str| exchange.expected.headers.get(name).map(String::as_str);
        let own = |name: &str| whole.headers.iter().find(|(header, _)| header == name);
        let header = |name: &str| passed(name).or_else(|| own(name).map(|(_, value)| value.as_str()));
        note(exchange.faults_of_answer(&body, whole.status, &whole.body, header));
    }
    if body.stream && faults.is_empty() {
        for cut in 0..=body.bytes.len() {
            let (first, second) = body.bytes.split_at(cut);
            assert_eq!(play(&[first, second]), whole, "{}", label(&format!("cut at {cut}")));
        }
        let single: Vec<&[u8]> = body.bytes.chunks(1).collect();
        assert_eq!(play(&single), whole, "{}", label("byte by byte"));
    }
}

#[test]
fn every_chat_case() {
    let cases = test_cases::chat();
    let mut faults = Vec::new();
    let mut ran = 0;
    for case in &cases {
        for exchange in &case.exchanges {
            let mut found = Vec::new();
            run(case, exchange, &cases, &mut found);
            faults.extend(found);
            ran += 1;
        }
    }
    assert!(ran > 300, "only {ran} exchanges were found");
    assert!(faults.is_empty(), "{} faults in {ran} exchanges:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_invalid_case() {
    let cases = test_cases::chat();
    let text = cases.iter().find(|case| case.name == "text").expect("the usual case");
    let plan = plan(text, &text.exchanges[0]);
    let mut faults = Vec::new();
    for case in test_cases::invalid() {
        match open(&plan, &case.request) {
            Ok(_) => faults.push(format!("{}: was not refused", case.name)),
            Err(reply) => {
                let found = case.faults(reply.status, &reply.body);
                faults.extend(found.iter().map(|fault| format!("{}: {fault}", case.name)));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
