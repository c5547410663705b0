//! A policy document turned into the complete bootstrap configuration of an Envoy.

mod access_log;
mod cluster;
mod judges;
mod jwt;
mod listener;
mod metrics;
mod rate_limit_filter;
mod ratelimit;
mod service;
mod side;
mod tree;
mod wasm;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use sluice_core::policy::{Document, Faults, Model, Plan};

pub use self::ratelimit::ratelimit;
use self::tree::{Tree, map, socket_address};

/// What a rendered configuration needs beyond the policy document: files on the machine where Envoy runs.
#[derive(Clone, Debug)]
pub struct Files {
    /// The module.
    pub wasm: PathBuf,
    /// The certificates of the authorities that servers' certificates are checked against, in PEM. Needed only where a
    /// provider, the source of keys or the keys of tokens are reached by https.
    pub ca_bundle: Option<PathBuf>,
}

/// Why nothing was rendered.
#[derive(Debug)]
pub enum Error {
    /// The document is faulty.
    Policy(Faults),
    /// Something is reached by https, and there is nothing to check its certificate against.
    NoCaBundle {
        /// What it is, by its place in the document.
        who: String,
    },
    /// An address in the document is of a form that no cluster can be made for.
    Address {
        /// Its place in the document.
        path: &'static str,
        /// Completes the sentence "the address …".
        reason: String,
    },
    /// A path that isn't Unicode can't stand in a YAML document.
    Path(PathBuf),
    /// The YAML writer failed.
    Yaml(String),
}

/// Everything that the parts of the configuration are made of.
struct Input<'a> {
    document: &'a Document,
    plan: Plan,
    /// The policy document as its author wrote it.
    text: &'a str,
    wasm: String,
    ca_bundle: Option<String>,
    /// The names of the environment variables that hold credentials.
    variables: BTreeSet<&'a str>,
}

impl Input<'_> {
    /// All models in the document's order, then the one that serves the calls that name none.
    fn models(&self) -> Vec<&Model> {
        let named = self.document.models.iter().filter_map(|entry| self.plan.model(&entry.name));
        named.chain(&self.plan.pass_through).map(|model| &**model).collect()
    }
}

/// The bootstrap configuration, as YAML. The same input gives the same text.
///
/// `text` is the policy document as it was written, and goes into the configuration as it stands. Credentials are
/// named there, never contained: Envoy hands their environment variables to the module.
///
/// # Errors
/// See [`Error`].
pub fn envoy(document: &Document, text: &str, files: &Files) -> Result<String, Error> {
    let input = Input {
        document,
        // Clusters and routes don't depend on credentials, and none of them may be read here. A key has a least length.
        plan: document.compile(&|_| Some("unread".repeat(4))).map_err(Error::Policy)?,
        text,
        wasm: utf8(&files.wasm)?,
        ca_bundle: files.ca_bundle.as_deref().map(utf8).transpose()?,
        variables: variables(document),
    };
    let listen = &document.listen;
    let mut clusters = cluster::clusters(&input)?;
    clusters.extend(judges::clusters(&input)?);
    clusters.extend(jwt::cluster(&input)?);
    clusters.extend(service::clusters(&input)?);
    let bootstrap = map! {
        "node": map! { "id": "sluice", "cluster": "sluice" },
        // Always on the loopback address: whoever reaches it controls the gateway.
        "admin": map! { "address": socket_address("127.0.0.1", listen.admin_port) },
        "stats_config": metrics::labels(),
        // V8 takes some thirty megabytes for compiling the module, once; the allocator would keep them.
        "memory_allocator_manager": map! {
            "bytes_to_release": 32_u32 << 20,
            "memory_release_interval": "5s",
        },
        "static_resources": map! {
            "listeners": [listener::listener(&input)],
            "clusters": clusters,
        },
    }
    .with_some("bootstrap_extensions", service::extension(&input).map(|extension| vec![extension]));
    bootstrap.to_yaml().map_err(|error| Error::Yaml(error.to_string()))
}

/// The environment variables that the document names.
pub fn variables(document: &Document) -> BTreeSet<&str> {
    let of_providers = document.providers.iter().flat_map(|provider| provider.credential.variables());
    let of_redaction = document.redaction.iter().filter_map(|redaction| redaction.key.as_deref());
    let of_judges = document.guards.iter().filter_map(|guard| guard.judge()?.credential());
    of_providers.chain(of_redaction).chain(of_judges).collect()
}

fn utf8(path: &Path) -> Result<String, Error> {
    path.to_str().map(str::to_owned).ok_or_else(|| Error::Path(path.to_owned()))
}

/// A duration as protobuf's JSON form has it.
fn seconds(duration: std::time::Duration) -> Tree {
    let millis = duration.subsec_millis();
    match millis {
        0 => format!("{}s", duration.as_secs()).into(),
        _ => format!("{}.{millis:03}s", duration.as_secs()).into(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(faults) => faults.fmt(f),
            Self::NoCaBundle { who } => write!(
                f,
                "{who} is reached by https, and no bundle of certificate authorities was found: \
                 install the system's (Debian: ca-certificates), or name one with --ca-bundle or SSL_CERT_FILE"
            ),
            Self::Address { path, reason } => write!(f, "{path}: the address {reason}"),
            Self::Path(path) => write!(f, "{} is not Unicode", path.display()),
            Self::Yaml(reason) => write!(f, "the configuration could not be written as YAML: {reason}"),
        }
    }
}

impl std::error::Error for Error {}
