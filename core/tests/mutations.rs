//! A thousand seeded mutations of each case's request, and of each vendor's answer, on the native core.
// A test stops where it can't go on.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use serde::de::IgnoredAny;
use serde_json::Value;
use sluice_core::shared::LocalMemory;
use support::{Answer, answer, open, plan};
use test_cases::{Body, mutate};

const MUTATIONS: usize = 1000;

/// Whatever a client gets is JSON, or a stream in which each event is.
fn assert_is_clean(label: &str, answer: &Answer, passes: bool) {
    let text = String::from_utf8_lossy(&answer.body);
    if text.starts_with("data: ") {
        // What passes as it is may hold comments and the vendor's own spacing, but no half event.
        for event in test_cases::events(&answer.body) {
            let whole = matches!(&event, Value::String(text) if text == "[DONE]") || event.is_object();
            assert!(whole || passes, "{label}: {event} in {text}");
        }
    } else if !passes {
        let body: Result<Value, _> = serde_json::from_slice(&answer.body);
        assert!(answer.body.is_empty() || body.is_ok(), "{label}: {text}");
    }
}

#[test]
fn no_mutation_of_a_request_does_harm() {
    let (mut served, mut refused) = (0, 0);
    for case in test_cases::chat() {
        let mut random = fastrand::Rng::with_seed(7);
        for exchange in &case.exchanges {
            let plan = plan(&case, exchange);
            for round in 0..MUTATIONS / case.exchanges.len() {
                let label = format!("{} at {}, round {round}", case.name, exchange.provider);
                let body = mutate::mutate(&case.request, &mut random);
                let reply = match open(&plan, &body) {
                    Ok(mut opened) => match opened.attempt(
                        exchange.provider,
                        1,
                        &LocalMemory::default(),
                        std::time::Duration::from_secs(support::NOW),
                    ) {
                        Ok((request, _)) => {
                            served += 1;
                            // A schema passes as it stands, so it is looked at no closer than the gateway does.
                            serde_json::from_slice::<IgnoredAny>(
                                request.body.as_deref().expect("has a body"),
                            )
                            .expect(&label);
                            continue;
                        }
                        Err(failure) => panic!("{label}: {failure:?}"),
                    },
                    Err(reply) => reply,
                };
                refused += 1;
                assert!((400..500).contains(&reply.status), "{label}: {}", reply.status);
                let body: Value = serde_json::from_slice(&reply.body).expect(&label);
                assert!(
                    body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()),
                    "{label}"
                );
            }
        }
    }
    assert!(served > 10_000 && refused > 10_000, "{served} served, {refused} refused");
}

#[test]
fn no_mutation_of_an_answer_does_harm() {
    let (mut good, mut failed) = (0, 0);
    for case in test_cases::chat() {
        for exchange in &case.exchanges {
            let Some(response) = &exchange.response else { continue };
            let plan = plan(&case, exchange);
            let mut random = fastrand::Rng::with_seed(11);
            for round in 0..MUTATIONS {
                let label = format!("{} at {}, round {round}", case.name, exchange.provider);
                let mut opened = open(&plan, &case.request).unwrap_or_else(|_| panic!("{label}: refused"));
                let (_, attempt) = opened
                    .attempt(
                        exchange.provider,
                        1,
                        &LocalMemory::default(),
                        std::time::Duration::from_secs(support::NOW),
                    )
                    .expect(&label);
                let bytes = mutate::mutate(&response.bytes, &mut random);
                let body = Body { bytes, stream: response.stream };
                let chunks = mutate::cut(&body.bytes, &mut random);
                let answer = answer(&mut opened, &attempt, exchange.status(), &body, &chunks);
                match answer.status {
                    200 => good += 1,
                    _ => failed += 1,
                }
                assert_is_clean(&label, &answer, exchange.provider == "openai");
            }
        }
    }
    assert!(good > 10_000 && failed > 10_000, "{good} good, {failed} failed");
}
