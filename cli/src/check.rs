//! What there is to say of a policy document that is free of faults.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use sluice_core::limit::Limits;
use sluice_core::limit::sync::synchronous;
use sluice_core::limit::window::Period;
use sluice_core::policy::{Credential, Document, Endpoint, JudgeAsks, SourcePlace, SyncCheck};

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
        .chain(document.guards.iter().filter_map(|guard| guard.judge()?.provider()))
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
    let callers = &document.callers;
    let nobody = callers.keys.is_empty() && callers.mtls.is_empty() && document.names_all_callers();
    if !callers.anonymous && nobody {
        warnings.push("callers: there is no key and `anonymous` is `deny`, so nobody is served".to_owned());
    }
    if callers.anonymous && !is_loopback(&document.listen.address) {
        warnings.push("callers.anonymous: whoever reaches the listener's address is served".to_owned());
    }
    warnings.extend(callers_from_elsewhere(document));
    warnings.extend(limits_of_the_fleet(document));
    warnings.extend(judges(document));
    warnings.extend(sluice_core::access::warnings(document));
    warnings.extend(sluice_core::price::warnings(document));
    warnings
}

/// What is probably not meant of outside judges.
fn judges(document: &Document) -> Vec<String> {
    let mut warnings = Vec::new();
    for (position, guard) in document.guards.iter().enumerate() {
        let Some(JudgeAsks::Webhook { place, credential, .. }) = guard.judge().map(|judge| &judge.asks)
        else {
            continue;
        };
        let path = format!("guards[{position}].webhook");
        match place {
            SourcePlace::Cluster(name) => warnings.push(format!(
                "{path}.cluster: `{name}` has to be among the clusters of your Envoy; `run` has none of that name"
            )),
            SourcePlace::Endpoint(endpoint) if !endpoint.tls && !is_loopback(&endpoint.host) => {
                let what = if credential.is_some() { "texts and the credential are" } else { "texts are" };
                warnings.push(format!("{path}.url: {what} sent unencrypted"));
            }
            SourcePlace::Endpoint(_) => {}
        }
    }
    warnings
}

/// What is probably not meant of keys and tokens that come from other servers.
fn callers_from_elsewhere(document: &Document) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(SourcePlace::Cluster(name)) = document.callers.source.as_ref().map(|source| &source.place) {
        warnings.push(format!(
            "callers.source.cluster: `{name}` has to be among the clusters of your Envoy; `run` has none of that name"
        ));
    }
    let jwks_uri = document.callers.jwt.as_ref().and_then(|jwt| jwt.jwks_uri.as_deref()).unwrap_or_default();
    let address = jwks_uri.split_once('?').map_or(jwks_uri, |(address, _)| address);
    if Endpoint::parse(address).is_ok_and(|endpoint| !endpoint.tls && !is_loopback(&endpoint.host)) {
        let path = "callers.jwt.jwks_uri";
        warnings.push(format!(
            "{path}: whoever is on the way to it by http:// can put his own keys in the place of the issuer's"
        ));
    }
    warnings
}

/// What is probably not meant of limits that a fleet has together.
fn limits_of_the_fleet(document: &Document) -> Vec<String> {
    let Some(sync) = &document.limits_sync else { return Vec::new() };
    let mut warnings = Vec::new();
    match &sync.place {
        SourcePlace::Cluster(name) => warnings.push(format!(
            "limits_sync.cluster: `{name}` has to be among the clusters of your Envoy; `run` has none of that name"
        )),
        SourcePlace::Endpoint(endpoint) if !endpoint.tls && !is_loopback(&endpoint.host) => warnings.push(
            "limits_sync.endpoint: whoever is on the way to it by http:// reads whose counters they are, and can change them"
                .to_owned(),
        ),
        SourcePlace::Endpoint(_) => {}
    }
    for (position, limit) in Limits::of_document(document).iter().enumerate() {
        let drains = match limit.period {
            Some(period @ (Period::Second | Period::Minute)) => period.length(),
            _ => None,
        };
        let alone = match (sync.check, limit.is_of_fleet()) {
            (SyncCheck::Background, true) if drains.is_some_and(|period| sync.interval > 2 * period) => {
                Some("is over before others hear of it in this `limits_sync.interval`")
            }
            (SyncCheck::Background, true) => None,
            (SyncCheck::Background, false) => Some("counts calls at a time"),
            (SyncCheck::Synchronous, _) => synchronous::lacks(limit),
        };
        warnings.extend(alone.map(|reason| {
            let name = &limit.name;
            format!("limits[{position}]: `{name}` {reason}, so it is each gateway's own and not the fleet's")
        }));
    }
    if document.limits.is_empty() {
        warnings.push("limits_sync: there are no limits".to_owned());
    }
    warnings
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Document { providers, models, callers, templates, .. } = self.0;
        let targets = models.iter().map(|model| model.targets.len()).sum();
        write!(
            f,
            "{}, {} with {}, {}, {}",
            Count(providers.len(), "provider"),
            Count(models.len(), "model"),
            Count(targets, "target"),
            Count(callers.keys.len(), "key"),
            Count(templates.len(), "template"),
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
    fn servers_of_keys_that_are_not_there_or_not_safe_are_noticed() {
        let callers = "callers:
  source: {cluster: keys, path: /keys, public_key: Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=}
  jwt: {issuer: i, audiences: [a], jwks_uri: 'http://login.example/keys?x=1'}";
        let text = OPEN.replace("callers: {anonymous: allow}", callers);
        let warnings = warnings(&document(&text), &|_| Some("set".to_owned()));
        for path in ["callers.source.cluster: ", "callers.jwt.jwks_uri: "] {
            assert!(warnings.iter().any(|warning| warning.starts_with(path)), "{warnings:?}");
        }
        assert!(!warnings.iter().any(|warning| warning.contains("nobody is served")), "{warnings:?}");
    }

    #[test]
    fn limits_that_a_fleet_does_not_have_together_are_noticed() {
        let limits = "
limits:
  - {name: day, unit: tokens, per: day, limit: 10}
  - {name: once, unit: concurrent, limit: 10}
  - {name: second, unit: requests, per: second, limit: 10}
  - {name: month, unit: tokens, per: month, limit: 10}
";
        let warned = |sync: &str| -> Vec<String> {
            let text = format!("{OPEN}{limits}limits_sync: {sync}\n");
            let warnings = warnings(&document(&text), &|_| Some("set".to_owned())).into_iter();
            warnings.filter_map(|warning| Some(warning.split_once(": ")?.0.to_owned())).collect()
        };
        let ours = |sync: &str| -> Vec<String> {
            warned(sync).into_iter().filter(|path| path.starts_with("limits")).collect()
        };
        assert_eq!(ours("{endpoint: 'http://127.0.0.1:1'}"), ["limits[1]"]);
        assert_eq!(ours("{cluster: rls, interval: 3s}"), ["limits_sync.cluster", "limits[1]", "limits[2]"]);
        assert_eq!(
            ours("{endpoint: 'http://rls', check: synchronous}"),
            ["limits_sync.endpoint", "limits[1]", "limits[3]"]
        );
        let alone = warnings(&document(&format!("{OPEN}limits_sync: {{cluster: rls}}\n")), &|_| None);
        assert!(alone.iter().any(|warning| warning == "limits_sync: there are no limits"), "{alone:?}");
    }

    #[test]
    fn what_is_sent_to_judges_in_the_open_is_noticed() {
        let guards = "
guards:
  - {name: a, kind: judge, chat: {provider: spare, model: m, instruction: i}}
  - {name: b, kind: judge, webhook: {url: 'http://judge.example/j'}}
  - {name: c, kind: judge, webhook: {url: 'http://judge.example/j', credential: {env: JUDGE}}}
  - {name: d, kind: judge, webhook: {url: 'http://127.0.0.1:9/j'}}
  - {name: e, kind: judge, webhook: {cluster: judge, path: /j}}
";
        let warnings = warnings(&document(&format!("{OPEN}{guards}")), &|_| Some("set".to_owned()));
        let ours: Vec<_> = warnings.iter().filter(|warning| warning.starts_with("guards")).collect();
        assert_eq!(
            ours,
            [
                "guards[1].webhook.url: texts are sent unencrypted",
                "guards[2].webhook.url: texts and the credential are sent unencrypted",
                "guards[4].webhook.cluster: `judge` has to be among the clusters of your Envoy; `run` has none of that name",
            ]
        );
        assert!(
            !warnings.iter().any(|warning| warning.contains("no model has it")),
            "a judge asks it: {warnings:?}"
        );
    }

    #[test]
    fn the_summary_counts() {
        let document = document(OPEN);
        assert_eq!(
            Summary(&document).to_string(),
            "3 providers, 1 model with 2 targets, 0 keys, 0 templates"
        );
    }
}
