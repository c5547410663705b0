//! The policy document as its author wrote it: shape, ranges and references checked, nothing resolved.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Faults;
use super::fields::{Field, Fields};
use super::node::Node;
use super::plan::Endpoint;
use crate::dialect::ProviderDialect;

/// A policy document (version 1).
#[derive(Clone, Debug)]
pub struct Document {
    pub listen: Listen,
    pub providers: Vec<ProviderEntry>,
    pub models: Vec<ModelEntry>,
    /// Whether a request without a credential is served.
    pub anonymous: bool,
    pub keys: Vec<KeyEntry>,
}

/// `listen`: where `sluice render` and `sluice run` put the gateway.
#[derive(Clone, Debug)]
pub struct Listen {
    pub address: String,
    /// 0 for a free port.
    pub port: u16,
    /// Envoy's administration interface, always on the loopback address; 0 for a free port.
    pub admin_port: u16,
    /// The largest request or response body that is held, in bytes.
    pub max_body_bytes: u32,
}

/// One entry of `providers`.
#[derive(Clone, Debug)]
pub struct ProviderEntry {
    pub name: String,
    pub dialect: ProviderDialect,
    pub endpoint: Endpoint,
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

/// One entry of `models`.
#[derive(Clone, Debug)]
pub struct ModelEntry {
    /// The name that clients send.
    pub name: String,
    /// In the order in which they are tried.
    pub targets: Vec<TargetEntry>,
    pub unsupported: Unsupported,
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

/// One entry of `callers.keys`.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    pub id: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    pub user: Option<String>,
    pub team: Option<String>,
    pub roles: Vec<String>,
    /// Since the Unix epoch; the key is refused from then on.
    pub expires: Option<Duration>,
    pub disabled: bool,
}

const DEFAULT_ADDRESS: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 10000;
const DEFAULT_ADMIN_PORT: u16 = 9901;
const DEFAULT_MAX_BODY_BYTES: u32 = 16 << 20;
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Sections that are part of the language and not yet acted on.
const LATER: [&str; 6] = ["access", "limits", "prices", "redaction", "guards", "audit"];

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
    let listen = fields.optional("listen").and_then(|field| read_listen(&field, faults)).unwrap_or_default();

    let mut named = HashSet::new();
    let mut providers = Vec::new();
    if let Some(entries) = fields.required("providers", faults).and_then(|field| Fields::of(&field, faults)) {
        for (name, field) in entries.entries() {
            named.insert(name.to_owned());
            check_provider_name(name, &field, faults);
            providers.extend(read_provider(name, &field, faults));
        }
    }
    let mut models = Vec::new();
    if let Some(entries) = fields.required("models", faults).and_then(|field| Fields::of(&field, faults)) {
        for (name, field) in entries.entries() {
            check_model_name(name, &field, faults);
            models.extend(read_model(name, &field, &named, faults));
        }
    }
    let (anonymous, keys) =
        fields.optional("callers").map_or_else(Default::default, |field| read_callers(&field, faults));
    for name in LATER {
        if let Some(field) = fields.optional(name) {
            field.not_yet_supported(faults);
        }
    }
    fields.finish(faults);
    Some(Document { listen, providers, models, anonymous, keys })
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: DEFAULT_ADDRESS.to_owned(),
            port: DEFAULT_PORT,
            admin_port: DEFAULT_ADMIN_PORT,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
        }
    }
}

fn read_listen(field: &Field<'_>, faults: &mut Faults) -> Option<Listen> {
    let mut fields = Fields::of(field, faults)?;
    let mut listen = Listen::default();
    if let Some(field) = fields.optional("address")
        && let Some(address) = field.text(faults)
    {
        match address.parse::<std::net::IpAddr>() {
            Ok(_) => listen.address = address.to_owned(),
            Err(_) => faults.add(&field.path, format!("`{address}` is not an IP address")),
        }
    }
    let mut port = |name, into: &mut u16| {
        let port = fields.optional(name).and_then(|field| field.integer(0..=65535, faults));
        *into = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(*into);
    };
    port("port", &mut listen.port);
    port("admin_port", &mut listen.admin_port);
    if let Some(bytes) =
        fields.optional("max_body_bytes").and_then(|field| field.integer(1024..=1 << 30, faults))
    {
        listen.max_body_bytes = u32::try_from(bytes).unwrap_or(listen.max_body_bytes);
    }
    fields.finish(faults);
    Some(listen)
}

/// A provider's name becomes part of a cluster's name, a metric's label and a header's value.
fn check_provider_name(name: &str, field: &Field<'_>, faults: &mut Faults) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        faults.add(&field.path, "a provider's name has 1 to 64 letters, digits, `-`, `_` or `.`");
    }
}

/// A model's name becomes part of a cluster's name, a metric's label and a header's value.
fn check_model_name(name: &str, field: &Field<'_>, faults: &mut Faults) {
    if name.is_empty() || name.len() > 128 || !name.chars().all(|c| c.is_ascii_graphic()) {
        faults.add(&field.path, "a model's name has 1 to 128 visible ASCII characters");
    }
}

fn read_provider(name: &str, field: &Field<'_>, faults: &mut Faults) -> Option<ProviderEntry> {
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
    for later in ["api_version", "region"] {
        if let Some(field) = fields.optional(later) {
            field.not_yet_supported(faults);
        }
    }
    let endpoint = fields.required("endpoint", faults).and_then(|field| read_endpoint(&field, faults));
    let credential = fields.required("credential", faults).and_then(|field| read_credential(&field, faults));
    let connect_timeout = fields.optional("connect_timeout").and_then(|field| field.duration(faults));
    fields.finish(faults);
    Some(ProviderEntry {
        name: name.to_owned(),
        dialect: dialect?,
        endpoint: endpoint?,
        credential: credential?,
        connect_timeout: connect_timeout.unwrap_or(DEFAULT_CONNECT_TIMEOUT),
    })
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

fn read_model(
    name: &str,
    field: &Field<'_>,
    providers: &HashSet<String>,
    faults: &mut Faults,
) -> Option<ModelEntry> {
    let mut fields = Fields::of(field, faults)?;
    let mut targets = Vec::new();
    if let Some(field) = fields.required("targets", faults) {
        let items = field.list(faults).unwrap_or_default();
        if items.is_empty() && matches!(field.node, Node::List(_)) {
            faults.add(&field.path, "needs at least one target");
        }
        for item in items {
            targets.extend(read_target(&item, providers, faults));
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
    let default_max_tokens = fields
        .optional("default_max_tokens")
        .and_then(|field| field.integer(1..=u64::from(u32::MAX), faults));
    let attempt_timeout = fields.optional("attempt_timeout").and_then(|field| field.duration(faults));
    let idle_timeout = fields.optional("idle_timeout").and_then(|field| field.duration(faults));
    fields.finish(faults);
    Some(ModelEntry {
        name: name.to_owned(),
        targets,
        unsupported: unsupported.unwrap_or(Unsupported::Refuse),
        default_max_tokens: default_max_tokens.and_then(|tokens| u32::try_from(tokens).ok()),
        attempt_timeout: attempt_timeout.unwrap_or(DEFAULT_ATTEMPT_TIMEOUT),
        idle_timeout: idle_timeout.unwrap_or(DEFAULT_IDLE_TIMEOUT),
    })
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

fn read_callers(field: &Field<'_>, faults: &mut Faults) -> (bool, Vec<KeyEntry>) {
    let Some(mut fields) = Fields::of(field, faults) else { return Default::default() };
    let anonymous = fields
        .optional("anonymous")
        .and_then(|field| field.word(&[("deny", false), ("allow", true)], faults))
        .unwrap_or(false);
    for later in ["jwt", "source", "mtls"] {
        if let Some(field) = fields.optional(later) {
            field.not_yet_supported(faults);
        }
    }
    let mut keys: Vec<KeyEntry> = Vec::new();
    let mut ids = HashSet::new();
    let mut digests = HashSet::new();
    let items = fields.optional("keys").and_then(|field| field.list(faults)).unwrap_or_default();
    for item in &items {
        let Some(key) = read_key(item, faults) else { continue };
        if !ids.insert(key.id.clone()) {
            faults.add(format!("{}.id", item.path), format!("there is another key `{}`", key.id));
        }
        if !digests.insert(key.sha256) {
            faults.add(format!("{}.sha256", item.path), "another entry has the same key");
        }
        keys.push(key);
    }
    fields.finish(faults);
    (anonymous, keys)
}

fn read_key(field: &Field<'_>, faults: &mut Faults) -> Option<KeyEntry> {
    let mut fields = Fields::of(field, faults)?;
    let id = fields.required("id", faults).and_then(|field| field.text(faults));
    let sha256 = fields.required("sha256", faults).and_then(|field| read_digest(&field, faults));
    let user = fields.optional("user").and_then(|field| field.text(faults));
    let team = fields.optional("team").and_then(|field| field.text(faults));
    let roles = fields.optional("roles").and_then(|field| field.list(faults)).unwrap_or_default();
    let roles = roles.iter().filter_map(|role| role.text(faults)).map(str::to_owned).collect();
    let expires = fields.optional("expires").and_then(|field| read_instant(&field, faults));
    let disabled = fields.optional("disabled").and_then(|field| field.boolean(faults));
    if let Some(field) = fields.optional("models") {
        field.not_yet_supported(faults);
    }
    fields.finish(faults);
    Some(KeyEntry {
        id: id?.to_owned(),
        sha256: sha256?,
        user: user.map(str::to_owned),
        team: team.map(str::to_owned),
        roles,
        expires,
        disabled: disabled.unwrap_or(false),
    })
}

fn read_digest(field: &Field<'_>, faults: &mut Faults) -> Option<[u8; 32]> {
    let text = field.text(faults)?;
    let mut digest = [0; 32];
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    match digits {
        Some(digits) if digits.len() == 64 => {
            for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
            }
            Some(digest)
        }
        _ => {
            // Not shown: somebody may have put the key itself there.
            faults.add(&field.path, "has to be the SHA-256 of the key, 64 hexadecimal digits");
            None
        }
    }
}

/// An RFC 3339 instant in UTC, as the time since the Unix epoch.
fn read_instant(field: &Field<'_>, faults: &mut Faults) -> Option<Duration> {
    let text = field.text(faults)?;
    let instant = humantime::parse_rfc3339(text).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    if since.is_zero() {
        faults.add(&field.path, format!("`{text}` is not an instant such as 2027-01-01T00:00:00Z"));
        return None;
    }
    Some(since)
}
