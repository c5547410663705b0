//! The policy document as its author wrote it: shape, ranges and references checked, nothing resolved.

mod access;
mod callers;
mod guards;
mod judge;
mod jwt;
mod limits;
mod limits_sync;
mod listen;
mod models;
mod prices;
mod providers;
mod redaction;
mod source;
mod templates;

use std::collections::HashSet;

pub use access::{RequireEntry, RuleEntry, WhenEntry};
pub use callers::{CallersEntry, CertificateEntry, CertificateName, KeyEntry};
pub use guards::{GuardEntry, GuardKind};
pub use judge::{JudgeAsks, JudgeEntry, WindowEntry};
pub use jwt::JwtEntry;
pub use limits::LimitEntry;
pub use limits_sync::{OnLost, SyncCheck, SyncEntry};
pub use listen::Listen;
pub(super) use models::{DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_IDLE_TIMEOUT};
pub use models::{ModelEntry, OutOfRange, TargetEntry, Unsupported};
pub use prices::{PriceEntry, UnknownPrice};
pub(super) use providers::{AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN};
pub use providers::{Credential, ProviderEntry};
pub use redaction::{ExceptionEntry, RedactionEntry, RuleChoice, RuleUse};
pub use source::{SourceEntry, SourcePlace};
pub use templates::TemplateEntry;

pub(crate) use callers::{is_reserved_id, parse_digest};

use super::Faults;
use super::fields::{Field, Fields};
use super::node::Node;
use crate::dialect::ProviderDialect;

/// A policy document (version 1).
#[derive(Clone, Debug)]
pub struct Document {
    pub listen: Listen,
    pub providers: Vec<ProviderEntry>,
    pub models: Vec<ModelEntry>,
    pub callers: CallersEntry,
    /// Empty where whoever is served may use everything.
    pub access: Vec<RuleEntry>,
    pub limits: Vec<LimitEntry>,
    /// What models cost, over the built-in rate card.
    pub prices: Vec<PriceEntry>,
    /// As `Refuse` where it is not said.
    pub unknown_price: Option<UnknownPrice>,
    /// How a fleet's gateways learn of each other what has been used; each counts alone without it.
    pub limits_sync: Option<SyncEntry>,
    /// The provider that serves the calls that name no model (files, batches, fine-tuning).
    pub pass_through: Option<String>,
    /// In the order in which they are asked.
    pub guards: Vec<GuardEntry>,
    /// Prompts that callers use by name.
    pub templates: Vec<TemplateEntry>,
    /// What is looked for in texts, and what is done with it.
    pub redaction: Option<RedactionEntry>,
}

/// Sections that are part of the language and not yet acted on.
const LATER: [&str; 1] = ["audit"];

impl Document {
    /// Reads as much as can be read, and notes every fault on the way.
    pub(super) fn read(bytes: &[u8]) -> (Option<Self>, Faults) {
        let mut faults = Faults::default();
        let document = match Node::parse(bytes) {
            Ok(node) => read_document(&node, &mut faults),
            Err(message) => {
                faults.add("", message);
                None
            }
        };
        (document, faults)
    }
}

fn read_document(node: &Node, faults: &mut Faults) -> Option<Document> {
    let mut fields = Fields::of(&Field::root(node), faults)?;
    if let Some(version) = fields.required("version", faults) {
        version.integer(1..=1, faults);
    }
    let listen =
        fields.optional("listen").and_then(|field| listen::read_listen(&field, faults)).unwrap_or_default();

    let mut named = HashSet::new();
    let mut providers = Vec::new();
    if let Some(entries) = fields.required("providers", faults).and_then(|field| Fields::of(&field, faults)) {
        for (name, field) in entries.entries() {
            named.insert(name.to_owned());
            providers::check_provider_name(name, &field, faults);
            providers.extend(providers::read_provider(name, &field, faults));
        }
    }
    let mut models = Vec::new();
    if let Some(entries) = fields.required("models", faults).and_then(|field| Fields::of(&field, faults)) {
        for (name, field) in entries.entries() {
            models::check_model_name(name, &field, faults);
            models.extend(models::read_model(name, &field, &named, &providers, faults));
        }
    }
    let callers =
        fields.optional("callers").map(|field| callers::read_callers(&field, faults)).unwrap_or_default();
    let access = fields
        .optional("access")
        .map(|field| access::read_access(&field, &named, faults))
        .unwrap_or_default();
    let limits = fields
        .optional("limits")
        .map(|field| limits::read_limits(&field, &named, &models, faults))
        .unwrap_or_default();
    let guards = fields
        .optional("guards")
        .map(|field| guards::read_guards(&field, &named, &providers, &models, faults))
        .unwrap_or_default();
    let templates = fields
        .optional("templates")
        .map(|field| templates::read_templates(&field, &named, faults))
        .unwrap_or_default();
    let prices = fields.optional("prices").map(|field| prices::read_prices(&field, faults));
    let unknown_price =
        fields.optional("unknown_price").and_then(|field| prices::read_unknown_price(&field, faults));
    let limits_sync =
        fields.optional("limits_sync").and_then(|field| limits_sync::read_limits_sync(&field, faults));
    let pass_through =
        fields.optional("pass_through").and_then(|field| read_pass_through(&field, &providers, faults));
    let redaction =
        fields.optional("redaction").and_then(|field| redaction::read_redaction(&field, &named, faults));
    for name in LATER {
        if let Some(field) = fields.optional(name) {
            field.not_yet_supported(faults);
        }
    }
    fields.finish(faults);
    let prices = prices.unwrap_or_default();
    let document = Document {
        listen,
        providers,
        models,
        callers,
        access,
        limits,
        limits_sync,
        prices,
        unknown_price,
        pass_through,
        guards,
        templates,
        redaction,
    };
    crate::price::check_like(&document, faults);
    Some(document)
}

fn read_pass_through(field: &Field<'_>, providers: &[ProviderEntry], faults: &mut Faults) -> Option<String> {
    let mut fields = Fields::of(field, faults)?;
    let named = fields.required("provider", faults).and_then(|field| Some((field.text(faults)?, field)));
    fields.finish(faults);
    let (name, field) = named?;
    match providers.iter().find(|provider| provider.name == name) {
        None => faults.add(&field.path, format!("there is no provider `{name}`")),
        Some(provider) if provider.dialect != ProviderDialect::OpenAi => {
            faults.add(&field.path, format!("`{name}` is not of the dialect openai"));
        }
        Some(_) => {}
    }
    Some(name.to_owned())
}

/// The keys of a document that is a list of keys, or a map that has such a list as `keys`.
pub(super) fn read_key_list(bytes: &[u8]) -> (Vec<KeyEntry>, Faults) {
    let mut faults = Faults::default();
    let node = match Node::parse(bytes) {
        Ok(node) => node,
        Err(message) => {
            faults.add("", message);
            return (Vec::new(), faults);
        }
    };
    let root = Field::root(&node);
    let keys = match &node {
        Node::Map(_) => Fields::of(&root, &mut faults).map(|mut fields| {
            let list = fields.required("keys", &mut faults);
            let keys = list.map(|list| callers::read_keys(&list, &mut faults)).unwrap_or_default();
            fields.finish(&mut faults);
            keys
        }),
        _ => Some(callers::read_keys(&root, &mut faults)),
    };
    (keys.unwrap_or_default(), faults)
}
