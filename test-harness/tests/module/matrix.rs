//! The matrix of every client's dialect at every provider's, through the module; streams cut at every byte.

use std::collections::HashMap;

use test_cases::Sent;
use test_cases::matrix::{Square, scenarios};
use test_harness::host::{Answer, Gateway, Vendor};

use crate::support::{NOW, module};

fn start(square: &Square<'_>) -> Gateway {
    let policy = square.policy().to_string();
    module().gateway().env("KEY", "provider-key").now(NOW).policy(policy).start().unwrap()
}

fn play(gateway: &Gateway, square: &Square<'_>, chunks: &[&[u8]]) -> Answer {
    let vendor = Vendor::stream(square.status(), square.content_type(), Vec::<Vec<u8>>::new());
    let headers = &square.provider.headers;
    let vendor = headers.iter().fold(vendor, |vendor, (name, value)| vendor.header(name, value));
    let vendor =
        chunks.iter().filter(|chunk| !chunk.is_empty()).fold(vendor, |vendor, chunk| vendor.chunk(*chunk));
    let request = gateway.post(&square.client_path()).json(square.client_body());
    request
        .target(square.provider_name, 1, vendor)
        .send()
        .unwrap_or_else(|error| panic!("{}: {error}", square.label()))
}

#[test]
fn every_square() {
    let scenarios = scenarios();
    let mut gateways: HashMap<(&str, &str), Gateway> = HashMap::new();
    let mut faults = Vec::new();
    let (mut ran, mut cuts) = (0, 0);
    for square in scenarios.iter().flat_map(|scenario| scenario.squares()) {
        let key = (square.scenario.name.as_str(), square.provider_name);
        let gateway = gateways.entry(key).or_insert_with(|| start(&square));
        let response = square.response().bytes;
        let answer = play(gateway, &square, &[&response]);
        let mut found = match answer.attempts().first() {
            None => square.faults_of_refusal(answer.status(), &answer.body()),
            Some(sent) => {
                let sent = Sent { path: sent.path(), body: sent.body() };
                let mut found = square.faults_of_request(sent);
                found.extend(square.faults_of_changes(|name| answer.header(name)));
                found.extend(square.faults_of_answer(answer.status(), &answer.body()));
                found
            }
        };
        if !answer.is_complete() || answer.was_reset() {
            found.push("the answer does not come to its end".to_owned());
        }
        if square.stream && square.scenario.like.is_none() && found.is_empty() {
            for cut in 1..response.len() {
                let (first, second) = response.split_at(cut);
                let again = play(gateway, &square, &[first, second]);
                assert_eq!(again.body(), answer.body(), "{} cut at {cut}", square.label());
                cuts += 1;
            }
        }
        faults.extend(found.iter().map(|fault| format!("{}: {fault}", square.label())));
        ran += 1;
    }
    assert!(faults.is_empty(), "{} faults in {ran} squares:\n{}", faults.len(), faults.join("\n"));
    assert!(ran > 150 && cuts > 10_000, "only {ran} squares and {cuts} cuts");
    for ((scenario, provider), gateway) in gateways {
        assert_eq!(gateway.open_streams(), 0, "{scenario} {provider}");
        assert_eq!(gateway.log(), [], "{scenario} {provider}: nothing in a case is for the log");
    }
}
