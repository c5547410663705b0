//! Runs the matrix of every client's dialect at every provider's on the native core.
// A test stops where it can't go on.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sluice_core::exchange::{self, Exchange, Head, Reply};
use sluice_core::policy::{self, Plan};
use sluice_core::shared::LocalMemory;
use support::{Answer, NOW, answer_in};
use test_cases::Sent;
use test_cases::matrix::{Square, scenarios};

fn open(plan: &Arc<Plan>, square: &Square<'_>) -> Result<Exchange, Reply> {
    let headers =
        [(":method", "POST"), (":path", &square.client_path()), ("content-type", "application/json")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let opening = exchange::open(
        plan,
        Head { headers: &headers, origin: sluice_core::identity::Origin::default() },
        Duration::from_secs(NOW),
    )?;
    opening.read(Some(square.client_body()), &LocalMemory::default())
}

/// What the client gets of the provider's answer in these chunks.
fn play(plan: &Arc<Plan>, square: &Square<'_>, chunks: &[&[u8]]) -> Answer {
    let mut opened = open(plan, square).expect("opened before");
    let (_, attempt) = opened
        .attempt(square.provider_name, 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("attempted before");
    let header = |name: &str| match name {
        "content-type" => Some(square.content_type().to_owned()),
        name => square.provider.headers.get(name).cloned(),
    };
    answer_in(&mut opened, &attempt, square.status(), &header, chunks)
}

/// What is wrong with a square.
fn run(square: &Square<'_>) -> Vec<String> {
    let plan = policy::load(square.policy().to_string().as_bytes(), &|_| Some("provider-key".to_owned()));
    let plan = Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")));
    let mut opened = match open(&plan, square) {
        Err(reply) => return square.faults_of_refusal(reply.status, &reply.body),
        Ok(opened) => opened,
    };
    let (sent, attempt) = opened
        .attempt(square.provider_name, 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    drop(attempt);
    let path = sent.headers.iter().find(|(name, _)| name == ":path").map(|(_, value)| value.as_str());
    let remarks = opened.remarks();
    let remark = |name: &str| remarks.iter().find(|(header, _)| *header == name);
    let body = sent.body.as_deref().expect("has a body");
    let mut faults = square.faults_of_request(Sent { path, body });
    faults.extend(square.faults_of_changes(|name| remark(name).map(|(_, value)| value.as_str())));
    let response = square.response();
    let whole = play(&plan, square, &[&response.bytes]);
    faults.extend(square.faults_of_answer(whole.status, &whole.body));
    if square.stream && square.scenario.like.is_none() && faults.is_empty() {
        for cut in 0..=response.bytes.len() {
            let (first, second) = response.bytes.split_at(cut);
            assert_eq!(play(&plan, square, &[first, second]), whole, "{} cut at {cut}", square.label());
        }
        let single: Vec<&[u8]> = response.bytes.chunks(1).collect();
        assert_eq!(play(&plan, square, &single), whole, "{} byte by byte", square.label());
    }
    faults
}

#[test]
fn every_square() {
    let mut faults = Vec::new();
    let mut ran = 0;
    for scenario in scenarios() {
        for square in scenario.squares() {
            faults.extend(run(&square).iter().map(|fault| format!("{}: {fault}", square.label())));
            ran += 1;
        }
    }
    assert!(ran > 150, "only {ran} squares were found");
    assert!(faults.is_empty(), "{} faults in {ran} squares:\n{}", faults.len(), faults.join("\n"));
}
