//! What unit tests of several modules need: a policy, requests to it, and what is sent for them.

pub(crate) mod streams;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::exchange::{Exchange, Head, Reply, open};
use crate::identity::Origin;
use crate::policy::{self, Plan};
use crate::shared::LocalMemory;

pub(crate) const NOW: Duration = Duration::from_secs(1_700_000_000);

/// A policy document with these sections: `chat` and `other` are models at OpenAI, `claude` and `gemini` at the vendors of these names.
pub(crate) fn document(sections: &Value) -> Value {
    let mut document = json!({
        "version": 1,
        "providers": {
            "openai": {"dialect": "openai", "endpoint": "https://api.openai.com/v1", "credential": "none"},
            "claude": {"dialect": "anthropic", "endpoint": "https://c.test", "credential": "none"},
            "gemini": {"dialect": "gemini", "endpoint": "https://g.test", "credential": "none"},
        },
        "models": {
            "chat": {"targets": [{"provider": "openai", "model": "gpt"}]},
            "claude": {"targets": [{"provider": "claude", "model": "sonnet"}]},
            "gemini": {"targets": [{"provider": "gemini", "model": "flash"}]},
            "other": {"targets": [{"provider": "openai", "model": "small"}]},
        },
        "callers": {"anonymous": "allow"},
    });
    document.as_object_mut().expect("is one").extend(sections.as_object().expect("is one").clone());
    document
}

pub(crate) fn plan_with(sections: &Value) -> Arc<Plan> {
    let document = document(sections).to_string();
    Arc::new(policy::load(document.as_bytes(), &|_| None).unwrap_or_else(|faults| panic!("{faults}")))
}

pub(crate) fn sent_with(
    plan: &Arc<Plan>,
    path: &str,
    body: &Value,
    more: &[(&str, &str)],
) -> Result<Exchange, Reply> {
    let own = [(":method", "POST"), (":path", path)];
    let headers: Vec<_> =
        own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    open(plan, Head { headers: &headers, origin: Origin::default() }, NOW)?
        .read(Some(body.to_string().into_bytes()), &LocalMemory::default())
}

pub(crate) fn sent(plan: &Arc<Plan>, path: &str, body: &Value) -> Result<Exchange, Reply> {
    sent_with(plan, path, body, &[])
}

/// The body that a provider gets.
pub(crate) fn upstream(exchange: &mut Exchange, provider: &str) -> Value {
    let (request, _) = exchange.attempt(provider, 1, &LocalMemory::default(), NOW).expect("can be sent");
    serde_json::from_slice(&request.body.expect("has a body")).expect("is JSON")
}

/// A header that the client gets.
pub(crate) fn header(exchange: &Exchange, name: &str) -> Option<String> {
    exchange.remarks().into_iter().find(|(header, _)| *header == name).map(|(_, value)| value)
}
