//! `providers`: vendors' APIs, where they are and what they ask for.

use std::time::Duration;

use crate::dialect::ProviderDialect;
use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;
use crate::policy::plan::Endpoint;

/// One entry of `providers`.
#[derive(Clone, Debug)]
pub struct ProviderEntry {
    pub name: String,
    pub dialect: ProviderDialect,
    pub endpoint: Endpoint,
    /// Where the provider keeps and computes, in a word of the vendor's or the operator's; access rules ask for it.
    pub region: Option<String>,
    pub credential: Credential,
    pub connect_timeout: Duration,
}

/// `credential` of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The provider asks for none.
    None,
    /// The value of this environment variable.
    Environment(String),
}

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A provider's name becomes part of a cluster's name, a metric's label and a header's value.
pub(super) fn check_provider_name(name: &str, field: &Field<'_>, faults: &mut Faults) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        faults.add(&field.path, "a provider's name has 1 to 64 letters, digits, `-`, `_` or `.`");
    }
}

pub(super) fn read_provider(name: &str, field: &Field<'_>, faults: &mut Faults) -> Option<ProviderEntry> {
    let mut fields = Fields::of(field, faults)?;
    let preset = fields.optional("preset");
    if let Some(preset) = &preset {
        preset.not_yet_supported(faults);
    }
    let dialect = match preset {
        Some(_) => fields.optional("dialect"),
        None => fields.required("dialect", faults),
    };
    let dialect = dialect.and_then(|field| read_dialect(&field, faults));
    if let Some(field) = fields.optional("api_version") {
        field.not_yet_supported(faults);
    }
    let region = fields.optional("region").and_then(|field| read_region(&field, faults));
    let endpoint = fields.required("endpoint", faults).and_then(|field| read_endpoint(&field, faults));
    let credential = fields.required("credential", faults).and_then(|field| read_credential(&field, faults));
    let connect_timeout = fields.optional("connect_timeout").and_then(|field| field.duration(faults));
    fields.finish(faults);
    Some(ProviderEntry {
        name: name.to_owned(),
        dialect: dialect?,
        endpoint: endpoint?,
        region,
        credential: credential?,
        connect_timeout: connect_timeout.unwrap_or(DEFAULT_CONNECT_TIMEOUT),
    })
}

fn read_region(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if text.is_empty() || !text.chars().all(plain) {
        faults.add(&field.path, "has letters, digits, `-`, `_`, `.` and `:` only");
        return None;
    }
    Some(text.to_owned())
}

fn read_dialect(field: &Field<'_>, faults: &mut Faults) -> Option<ProviderDialect> {
    const LATER: [&str; 4] = ["azure_openai", "vertex", "bedrock", "cohere"];
    if let Node::Text(word) = field.node
        && LATER.contains(&word.as_str())
    {
        field.not_yet_supported(faults);
        return None;
    }
    field.word(&ProviderDialect::ALL.map(|dialect| (dialect.name(), dialect)), faults)
}

fn read_endpoint(field: &Field<'_>, faults: &mut Faults) -> Option<Endpoint> {
    let text = field.text(faults)?;
    Endpoint::parse(text)
        .map_err(|reason| faults.add(&field.path, format!("`{}` {reason}", without_user(text))))
        .ok()
}

/// An address as it may be shown: whatever stands before an `@` could be a secret.
fn without_user(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, rest)| rest)
}

fn read_credential(field: &Field<'_>, faults: &mut Faults) -> Option<Credential> {
    if let Node::Text(word) = field.node {
        if word == "none" {
            return Some(Credential::None);
        }
        // The text itself is not shown: somebody may have put the secret there.
        faults.add(&field.path, "has to be `none` or name an environment variable: {env: NAME}");
        return None;
    }
    let mut fields = Fields::of(field, faults)?;
    if let Some(field) = fields.optional("aws_env") {
        field.not_yet_supported(faults);
        fields.finish(faults);
        return None;
    }
    let name = fields.required("env", faults);
    let name = name.and_then(|field| Some((field.text(faults)?, field)));
    fields.finish(faults);
    let (name, field) = name?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        faults.add(&field.path, "is not the name of an environment variable");
        return None;
    }
    Some(Credential::Environment(name.to_owned()))
}
