//! `providers`: vendors' APIs, where they are and what they ask for.

use std::time::Duration;

use crate::dialect::{PRESETS, Preset, ProviderDialect};
use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;
use crate::policy::plan::Endpoint;

/// One entry of `providers`.
#[derive(Clone, Debug)]
pub struct ProviderEntry {
    pub name: String,
    pub dialect: ProviderDialect,
    /// What is different about a vendor that is compatible with OpenAI.
    pub preset: Option<&'static Preset>,
    pub endpoint: Endpoint,
    pub credential: Credential,
    /// Of the API, where its path or query names one (`azure_openai`).
    pub api_version: Option<String>,
    /// Where the provider keeps and computes: the cloud's own word (`bedrock`, `vertex`), or the operator's; access rules
    /// ask for it.
    pub region: Option<String>,
    /// The Google Cloud project (`vertex`).
    pub project: Option<String>,
    pub connect_timeout: Duration,
    /// Whether HTTP/2 is spoken where the endpoint offers it. A WebSocket (realtime) needs HTTP/1.1.
    pub http2: bool,
}

/// `credential` of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The provider asks for none.
    None,
    /// The value of this environment variable.
    Environment(String),
    /// AWS's own environment variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary keys,
    /// `AWS_SESSION_TOKEN`.
    AwsEnvironment,
    /// The key of a Google service account: this environment variable holds the JSON key file's text.
    ServiceAccount(String),
}

impl Credential {
    /// The environment variables that it is read from.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Environment(name) | Self::ServiceAccount(name) => vec![name],
            Self::AwsEnvironment => vec![AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN],
        }
    }
}

/// AWS's own names of what a key is made of.
pub(crate) const AWS_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
pub(crate) const AWS_SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
pub(crate) const AWS_SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

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
    let preset = fields.optional("preset").and_then(|field| read_preset(&field, faults));
    let dialect = match preset {
        Some(_) => fields.optional("dialect"),
        None => fields.required("dialect", faults),
    };
    let dialect = dialect.and_then(|field| read_dialect(&field, preset, faults));
    let dialect = dialect.or_else(|| preset.map(|_| ProviderDialect::OpenAi));
    let endpoint = match preset {
        Some(_) => fields.optional("endpoint"),
        None => fields.required("endpoint", faults),
    };
    let endpoint = match (endpoint, preset) {
        (Some(field), _) => read_endpoint(&field, faults),
        (None, Some(preset)) => Endpoint::parse(preset.endpoint).ok(),
        (None, None) => None,
    };
    let credential = match preset {
        Some(preset) if preset.open => fields.optional("credential"),
        _ => fields.required("credential", faults),
    };
    let is_left_out = credential.is_none();
    let credential = credential.and_then(|field| read_credential(&field, dialect, faults));
    let credential =
        credential.or_else(|| preset.filter(|preset| preset.open && is_left_out).map(|_| Credential::None));
    let mut own = |name: &str, dialects: &[ProviderDialect], needed: bool, faults: &mut Faults| {
        let is_own = dialect.is_some_and(|dialect| dialects.contains(&dialect));
        let value = match is_own && needed {
            true => fields.required(name, faults),
            false => fields.optional(name),
        }?;
        if dialect.is_some() && !is_own {
            faults.add(&value.path, "means nothing to a provider of this dialect");
            return None;
        }
        let text = value.text(faults)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        if text.is_empty() || !text.chars().all(plain) {
            faults.add(&value.path, "has letters, digits, `-`, `_`, `.` and `:` only");
            return None;
        }
        Some(text.to_owned())
    };
    use ProviderDialect::{AzureOpenAi, Bedrock, Vertex};
    let api_version = own("api_version", &[AzureOpenAi], false, faults);
    let is_cloud = dialect.is_some_and(|dialect| matches!(dialect, Bedrock | Vertex));
    let region = own("region", &ProviderDialect::ALL, is_cloud, faults);
    let project = own("project", &[Vertex], true, faults);
    let connect_timeout = fields.optional("connect_timeout").and_then(|field| field.duration(faults));
    let http2 = fields.optional("http2").and_then(|field| field.boolean(faults));
    fields.finish(faults);
    Some(ProviderEntry {
        name: name.to_owned(),
        dialect: dialect?,
        preset,
        endpoint: endpoint?,
        credential: credential?,
        api_version,
        region,
        project,
        connect_timeout: connect_timeout.unwrap_or(DEFAULT_CONNECT_TIMEOUT),
        http2: http2.unwrap_or(true),
    })
}

fn read_preset(field: &Field<'_>, faults: &mut Faults) -> Option<&'static Preset> {
    let name = field.text(faults)?;
    let preset = Preset::named(name);
    if preset.is_none() {
        let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        faults.add(&field.path, format!("there is no preset `{name}`; there are {}", names.join(", ")));
    }
    preset
}

fn read_dialect(
    field: &Field<'_>,
    preset: Option<&'static Preset>,
    faults: &mut Faults,
) -> Option<ProviderDialect> {
    let dialect = field.word(&ProviderDialect::ALL.map(|dialect| (dialect.name(), dialect)), faults)?;
    if preset.is_some() && dialect != ProviderDialect::OpenAi {
        faults.add(&field.path, "a preset is of the dialect openai");
    }
    Some(dialect)
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

fn read_credential(
    field: &Field<'_>,
    dialect: Option<ProviderDialect>,
    faults: &mut Faults,
) -> Option<Credential> {
    if let Node::Text(word) = field.node {
        if word == "none" {
            return Some(Credential::None);
        }
        // The text itself is not shown: somebody may have put the secret there.
        faults.add(&field.path, "has to be `none` or name an environment variable: {env: NAME}");
        return None;
    }
    let mut fields = Fields::of(field, faults)?;
    let is_of = |of: ProviderDialect| dialect.is_none_or(|dialect| dialect == of);
    if let Some(field) = fields.optional("aws_env") {
        let wanted = field.boolean(faults)?;
        if !wanted || !is_of(ProviderDialect::Bedrock) {
            faults.add(&field.path, "is true, and for the dialect bedrock only");
            return None;
        }
        fields.finish(faults);
        return Some(Credential::AwsEnvironment);
    }
    if let Some(field) = fields.optional("service_account_env") {
        if !is_of(ProviderDialect::Vertex) {
            faults.add(&field.path, "is for the dialect vertex only");
            return None;
        }
        let name = read_variable(&field, faults);
        fields.finish(faults);
        return name.map(Credential::ServiceAccount);
    }
    let name = fields.required("env", faults).and_then(|field| read_variable(&field, faults));
    fields.finish(faults);
    name.map(Credential::Environment)
}

pub(super) fn read_variable(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let name = field.text(faults)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        faults.add(&field.path, "is not the name of an environment variable");
        return None;
    }
    Some(name.to_owned())
}
