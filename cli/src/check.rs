//! What there is to say of a policy document that is free of faults.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use sluice_core::policy::{Credential, Document};

/// How much a document holds, in one line.
pub struct Summary<'a>(pub &'a Document);

/// What is allowed but probably not meant, one sentence each, in the document's order.
///
/// `environment` returns the value of an environment variable; the values are looked at, never shown.
pub fn warnings(document: &Document, environment: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Err(faults) = document.compile(environment) {
        warnings.extend(faults.0.iter().map(|fault| format!("{}: {}", fault.path, fault.message)));
    }
    let used: BTreeSet<&str> = document
        .models
        .iter()
        .flat_map(|model| &model.targets)
        .map(|target| target.provider.as_str())
        .collect();
    for provider in &document.providers {
        let path = format!("providers.{}", provider.name);
        if !used.contains(provider.name.as_str()) {
            warnings.push(format!("{path}: no model has it as a target"));
        }
        let secret = provider.credential != Credential::None;
        if secret && !provider.endpoint.tls && !is_loopback(&provider.endpoint.host) {
            warnings.push(format!("{path}.endpoint: the credential is sent unencrypted"));
        }
    }
    if !document.anonymous && document.keys.is_empty() {
        warnings.push("callers: there is no key and `anonymous` is `deny`, so nobody is served".to_owned());
    }
    if document.anonymous && !is_loopback(&document.listen.address) {
        warnings.push("callers.anonymous: whoever reaches the listener's address is served".to_owned());
    }
    warnings
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Document { providers, models, keys, .. } = self.0;
        let targets = models.iter().map(|model| model.targets.len()).sum();
        write!(
            f,
            "{}, {} with {}, {}",
            Count(providers.len(), "provider"),
            Count(models.len(), "model"),
            Count(targets, "target"),
            Count(keys.len(), "key"),
        )
    }
}

/// A number of things of one kind, in words.
struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, noun) = self;
        write!(f, "{number} {noun}{}", if *number == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    const OPEN: &str = "
version: 1
listen: {address: 0.0.0.0}
callers: {anonymous: allow}
providers:
  spare: {dialect: openai, endpoint: 'https://spare.example/v1', credential: none}
  plain: {dialect: openai, endpoint: 'http://plain.example/v1', credential: {env: PLAIN_KEY}}
  local: {dialect: openai, endpoint: 'http://127.0.0.1:8000/v1', credential: {env: LOCAL_KEY}}
models:
  m: {targets: [{provider: plain, model: a}, {provider: local, model: b}]}
";

    #[test]
    fn each_slip_is_named_once() {
        let set = |name: &str| (name == "LOCAL_KEY").then(|| "secret".to_owned());
        assert_eq!(
            warnings(&document(OPEN), &set),
            [
                "providers.plain.credential.env: the environment variable PLAIN_KEY is not set",
                "providers.spare: no model has it as a target",
                "providers.plain.endpoint: the credential is sent unencrypted",
                "callers.anonymous: whoever reaches the listener's address is served",
            ]
        );
    }

    #[test]
    fn a_gateway_that_serves_nobody_is_noticed() {
        let closed = OPEN.replace("callers: {anonymous: allow}", "");
        let warnings = warnings(&document(&closed), &|_| Some("set".to_owned()));
        assert!(warnings.iter().any(|warning| warning.contains("nobody is served")), "{warnings:?}");
    }

    #[test]
    fn the_summary_counts() {
        let document = document(OPEN);
        assert_eq!(Summary(&document).to_string(), "3 providers, 1 model with 2 targets, 0 keys");
    }
}
