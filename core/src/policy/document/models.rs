//! `models`: the names that clients send, and who answers for each.

use std::collections::HashSet;
use std::time::Duration;

use super::providers::ProviderEntry;
use crate::dialect::{ClientDialect, Destination, Support};
use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;

/// One entry of `models`.
#[derive(Clone, Debug)]
pub struct ModelEntry {
    /// The name that clients send.
    pub name: String,
    /// In the order in which they are tried.
    pub targets: Vec<TargetEntry>,
    /// The clients' APIs that every target can serve, which has been checked; others are served where they can be.
    pub clients: Vec<ClientDialect>,
    pub unsupported: Unsupported,
    pub out_of_range: OutOfRange,
    /// What is asked of a provider that requires a limit, when the client gives none; tokens.
    pub default_max_tokens: Option<u32>,
    /// How long one attempt may take until its answer begins.
    pub attempt_timeout: Duration,
    /// How long an answer may pause.
    pub idle_timeout: Duration,
}

/// One entry of a model's `targets`.
#[derive(Clone, Debug)]
pub struct TargetEntry {
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
}

/// What happens to a parameter that a provider can't do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// The request is refused by this target, and the parameter named.
    Refuse,
    /// The parameter is left out, and named in a header of the answer.
    Drop,
}

/// What happens to a number beyond what a provider takes, and to a list that is longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfRange {
    /// The request is refused by this target, and the parameter and the range are named.
    Refuse,
    /// The nearest that the provider takes is sent, and the parameter named in a header of the answer.
    Clamp,
}

pub(crate) const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);
pub(crate) const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// A model's name becomes part of a cluster's name, a metric's label and a header's value.
pub(super) fn check_model_name(name: &str, field: &Field<'_>, faults: &mut Faults) {
    if name.is_empty() || name.len() > 128 || !name.chars().all(|c| c.is_ascii_graphic()) {
        faults.add(&field.path, "a model's name has 1 to 128 visible ASCII characters");
    }
}

pub(super) fn read_model(
    name: &str,
    field: &Field<'_>,
    named: &HashSet<String>,
    providers: &[ProviderEntry],
    faults: &mut Faults,
) -> Option<ModelEntry> {
    let mut fields = Fields::of(field, faults)?;
    let clients = fields.optional("clients").map(|field| read_clients(&field, faults)).unwrap_or_default();
    let mut targets = Vec::new();
    if let Some(field) = fields.required("targets", faults) {
        let items = field.list(faults).unwrap_or_default();
        if items.is_empty() && matches!(field.node, Node::List(_)) {
            faults.add(&field.path, "needs at least one target");
        }
        for item in items {
            let target = read_target(&item, named, faults);
            if let Some(target) = &target {
                check_clients(&clients, target, &item, providers, faults);
            }
            targets.extend(target);
        }
    }
    if let Some(field) = fields.optional("strategy") {
        match field.node {
            Node::Text(word) if ["weighted", "cheapest", "fastest"].contains(&word.as_str()) => {
                field.not_yet_supported(faults);
            }
            _ => {
                field.word(&[("failover", ())], faults);
            }
        }
    }
    let unsupported = fields.optional("unsupported").and_then(|field| {
        field.word(&[("refuse", Unsupported::Refuse), ("drop", Unsupported::Drop)], faults)
    });
    let out_of_range = fields.optional("out_of_range").and_then(|field| {
        field.word(&[("refuse", OutOfRange::Refuse), ("clamp", OutOfRange::Clamp)], faults)
    });
    let default_max_tokens = fields
        .optional("default_max_tokens")
        .and_then(|field| field.integer(1..=u64::from(u32::MAX), faults));
    let attempt_timeout = fields.optional("attempt_timeout").and_then(|field| field.duration(faults));
    let idle_timeout = fields.optional("idle_timeout").and_then(|field| field.duration(faults));
    fields.finish(faults);
    Some(ModelEntry {
        name: name.to_owned(),
        targets,
        clients,
        unsupported: unsupported.unwrap_or(Unsupported::Refuse),
        out_of_range: out_of_range.unwrap_or(OutOfRange::Refuse),
        default_max_tokens: default_max_tokens.and_then(|tokens| u32::try_from(tokens).ok()),
        attempt_timeout: attempt_timeout.unwrap_or(DEFAULT_ATTEMPT_TIMEOUT),
        idle_timeout: idle_timeout.unwrap_or(DEFAULT_IDLE_TIMEOUT),
    })
}

fn read_clients(field: &Field<'_>, faults: &mut Faults) -> Vec<ClientDialect> {
    let words = ClientDialect::ALL.map(|client| (client.word(), client));
    let items = field.list(faults).unwrap_or_default();
    if items.is_empty() && matches!(field.node, Node::List(_)) {
        faults.add(&field.path, "is empty, so it asks for nothing; leave it out");
    }
    let mut clients = Vec::new();
    for item in items {
        match item.word(&words, faults) {
            Some(client) if clients.contains(&client) => faults.add(&item.path, "stands there twice"),
            Some(client) => clients.push(client),
            None => {}
        }
    }
    clients
}

/// What a target can't serve of what its model has to.
fn check_clients(
    clients: &[ClientDialect],
    target: &TargetEntry,
    field: &Field<'_>,
    providers: &[ProviderEntry],
    faults: &mut Faults,
) {
    // A provider that is not there, or has faults of its own, is told elsewhere.
    let Some(provider) = providers.iter().find(|provider| provider.name == target.provider) else { return };
    let to = Destination {
        dialect: provider.dialect,
        preset: provider.preset,
        endpoint: &provider.endpoint,
        model: &target.model,
    };
    for client in clients.iter().filter(|client| Support::of(**client, to) == Support::Unsupported) {
        let (provider, model) = (&target.provider, &target.model);
        let (word, path) = (client.word(), client.path());
        faults.add(
            &field.path,
            format!("`{provider}` with the model `{model}` can't serve `{word}` (POST {path}), which `clients` asks for"),
        );
    }
}

fn read_target(field: &Field<'_>, providers: &HashSet<String>, faults: &mut Faults) -> Option<TargetEntry> {
    let mut fields = Fields::of(field, faults)?;
    let provider = fields.required("provider", faults);
    let provider = provider.and_then(|field| Some((field.text(faults)?, field)));
    let model = fields.required("model", faults);
    let model = model.and_then(|field| Some((field.text(faults)?, field)));
    fields.finish(faults);
    if let Some((provider, field)) = &provider
        && !providers.contains(*provider)
    {
        faults.add(&field.path, format!("there is no provider `{provider}`"));
    }
    if let Some((model, field)) = &model
        && (model.is_empty() || !model.chars().all(|c| c.is_ascii_graphic()))
    {
        faults.add(&field.path, "a model's name has visible ASCII characters, and at least one");
    }
    Some(TargetEntry { provider: provider?.0.to_owned(), model: model?.0.to_owned() })
}
