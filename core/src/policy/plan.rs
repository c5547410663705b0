//! The policy as compiled: what requests are decided by, with every reference resolved.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::Faults;
use super::document::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, Credential, DEFAULT_ATTEMPT_TIMEOUT,
    DEFAULT_IDLE_TIMEOUT, Document, Listen, ModelEntry, OutOfRange, ProviderEntry, RedactionEntry,
    Unsupported,
};
use crate::access::{Asking, Rules};
use crate::credential::{Authentication, AwsKeys, Secret, ServiceAccount};
use crate::dialect::{ClientDialect, Destination, Preset, ProviderDialect};
use crate::guard::Guards;
use crate::identity::{Caller, Callers};
use crate::limit::Limits;
use crate::price::{Most, Price, Pricing};
use crate::redact::Redaction;
use crate::template::Templates;
use crate::usage::{ServiceTier, Usage};

/// A compiled policy.
#[derive(Debug)]
pub struct Plan {
    pub listen: Listen,
    pub callers: Callers,
    pub access: Rules,
    pub limits: Limits,
    pub guards: Guards,
    /// Prompts that callers use by name.
    pub templates: Templates,
    /// What is done with personal data and secrets; `None` where nothing is looked for.
    pub redaction: Option<Redaction>,
    providers: HashMap<String, Arc<Provider>>,
    models: HashMap<String, Arc<Model>>,
    /// Who serves the calls that name no model: a model without a name, of one target.
    pub pass_through: Option<Arc<Model>>,
    /// The headers that conditions ask for.
    headers: HashSet<String>,
}

/// A vendor's API at one address, with the credential that it asks for.
#[derive(Debug)]
pub struct Provider {
    pub name: String,
    pub dialect: ProviderDialect,
    /// What is different about a vendor that is compatible with OpenAI.
    pub preset: Option<&'static Preset>,
    pub endpoint: Endpoint,
    pub authentication: Authentication,
    pub api_version: Option<String>,
    /// Where the provider keeps and computes, in a word of the vendor's or the operator's; access rules ask for it.
    pub region: Option<String>,
    pub project: Option<String>,
    pub connect_timeout: Duration,
    /// Whether HTTP/2 is spoken where the endpoint offers it.
    pub http2: bool,
}

/// Where a provider's API is: `http` or `https`, host, port and the path before the API's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub tls: bool,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    /// As the `:authority` of requests: without the scheme's own port.
    pub authority: String,
    /// Without a slash at its end; empty for the root.
    pub path: String,
}

/// A model under the name that clients send.
#[derive(Debug)]
pub struct Model {
    pub name: String,
    /// In the order in which they are tried; never empty.
    pub targets: Vec<Target>,
    pub unsupported: Unsupported,
    pub out_of_range: OutOfRange,
    pub default_max_tokens: Option<u32>,
    pub timeouts: Timeouts,
}

/// One place that can answer for a model.
#[derive(Debug)]
pub struct Target {
    pub provider: Arc<Provider>,
    /// 1 where the provider stands for the first time in this model's targets, 2 for the second time, and so on.
    pub occurrence: u32,
    /// The provider's own name of the model.
    pub model: String,
    /// What a usage costs here; `None` where nobody knows, and the policy has nothing in its place.
    pub price: Option<Arc<Price>>,
}

/// How long a model's attempts may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until an answer begins.
    pub attempt: Duration,
    /// Between two parts of an answer.
    pub idle: Duration,
}

impl Plan {
    /// The model of this name.
    pub fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.get(name)
    }

    /// Keeps of a request what conditions want to know: `headers` with names in lower case, `now` since the Unix epoch.
    pub fn asking(
        &self,
        client: ClientDialect,
        path: &str,
        headers: &[(String, String)],
        now: Duration,
    ) -> Asking {
        Asking::new(client, path, headers, |name| self.headers.contains(name), now)
    }

    /// All models, in no order.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }

    /// The models that a caller may use, in no order: what a list of models shows him.
    pub fn models_for(&self, caller: Option<&Caller>, asking: &Asking) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values().filter(move |model| self.access.targets(caller, asking, model).is_ok())
    }

    /// All providers, in no order.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }
}

#[cfg(test)]
impl Provider {
    /// A provider of this dialect for unit tests, without a credential.
    pub(crate) fn for_tests(dialect: ProviderDialect) -> Self {
        Self {
            name: dialect.name().to_owned(),
            dialect,
            preset: None,
            endpoint: Endpoint::parse("https://provider.test").expect("is an address"),
            authentication: Authentication::None,
            api_version: None,
            region: Some("eu-central-1".to_owned()),
            project: Some("project-1".to_owned()),
            connect_timeout: Duration::from_secs(1),
            http2: true,
        }
    }
}

impl Target {
    /// The target's name among clusters: its provider's, and which of that provider's occurrences it is.
    pub(crate) fn name(&self) -> String {
        match self.occurrence {
            1 => self.provider.name.clone(),
            // A provider's name has no slash, so this is no other one's first occurrence.
            occurrence => format!("{}/{occurrence}", self.provider.name),
        }
    }

    /// What a usage costs here, in nano-dollars; `None` where nobody knows the price.
    pub fn cost(&self, usage: &Usage) -> Option<u64> {
        self.price.as_ref().map(|price| price.cost(usage, usage.tier).0)
    }

    /// The most that a call costs here that uses no more than this, in nano-dollars.
    pub fn most(&self, expected: &Most, tier: ServiceTier) -> Option<u64> {
        self.price.as_ref().map(|price| price.most(expected, tier).0)
    }

    /// What decides which calls can be served here, and how.
    pub fn destination(&self) -> Destination<'_> {
        let Provider { dialect, preset, ref endpoint, .. } = *self.provider;
        Destination { dialect, preset, endpoint, model: &self.model }
    }

    /// The cluster that Envoy sends this target's attempts to.
    pub fn cluster(&self) -> String {
        format!("sluice-provider-{}", self.name())
    }
}

impl Endpoint {
    /// Reads an address; the error completes the sentence "`address` …".
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("is not a URL: {error}"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("has to begin with https:// or http://".to_owned()),
        };
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("must not hold a user or password; use `credential`".to_owned());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("must not have a query or fragment".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("has no host".to_owned());
        }
        let own_port = if tls { 443 } else { 80 };
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" => own_port,
            port => port
                .strip_prefix(':')
                .and_then(|port| port.parse::<u16>().ok())
                .filter(|port| *port != 0)
                .ok_or("has no valid port")?,
        };
        let authority = match port == own_port {
            true => authority.host().to_owned(),
            false => format!("{}:{port}", authority.host()),
        };
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { tls, host: host.to_owned(), port, authority, path })
    }
}

/// Compiles a document; the plan is there when the faults that are noted are of credentials only.
pub(super) fn compile(
    document: &Document,
    environment: &dyn Fn(&str) -> Option<String>,
    faults: &mut Faults,
) -> Option<Plan> {
    let mut providers = HashMap::new();
    for entry in &document.providers {
        let authentication = authenticate(entry, environment, faults);
        let provider = Provider {
            name: entry.name.clone(),
            dialect: entry.dialect,
            preset: entry.preset,
            endpoint: entry.endpoint.clone(),
            authentication,
            api_version: entry.api_version.clone(),
            region: entry.region.clone(),
            project: entry.project.clone(),
            connect_timeout: entry.connect_timeout,
            http2: entry.http2,
        };
        providers.insert(entry.name.clone(), Arc::new(provider));
    }
    let mut pricing = Pricing::of(document);
    let models: HashMap<String, Arc<Model>> = document
        .models
        .iter()
        .map(|entry| Some((entry.name.clone(), Arc::new(resolve(entry, &providers, &mut pricing)?))))
        .collect::<Option<_>>()?;
    let callers = Callers::new(&document.callers, &document.access);
    let access = Rules::new(&document.access);
    let pass_through = document.pass_through.as_ref().and_then(|name| {
        let provider = Arc::clone(providers.get(name)?);
        Some(Arc::new(Model {
            name: String::new(),
            targets: vec![Target { provider, occurrence: 1, model: String::new(), price: pricing.assumed() }],
            unsupported: Unsupported::Refuse,
            out_of_range: OutOfRange::Refuse,
            default_max_tokens: None,
            timeouts: Timeouts { attempt: DEFAULT_ATTEMPT_TIMEOUT, idle: DEFAULT_IDLE_TIMEOUT },
        }))
    });
    let sync = document.limits_sync.as_ref();
    let limits = Limits::new(&document.limits, sync);
    let guards = Guards::new(&document.guards).unwrap_or_else(|fault| {
        faults.add("guards", fault);
        Guards::default()
    });
    let guards = guards.with_judges(document, &providers, &mut pricing, environment, faults);
    let redaction = document.redaction.as_ref().and_then(|entry| redact(entry, environment, faults));
    let templates = Templates::new(&document.templates);
    let of_exceptions = redaction.iter().flat_map(Redaction::headers);
    let headers = access.headers().chain(limits.headers()).chain(guards.headers()).chain(of_exceptions);
    let headers = headers.chain(templates.headers());
    let headers = headers.map(str::to_owned).collect();
    Some(Plan {
        listen: document.listen.clone(),
        callers,
        access,
        limits,
        guards,
        templates,
        redaction,
        providers,
        models,
        pass_through,
        headers,
    })
}

/// How long the key of hashes and pseudonyms is at least, in bytes.
const MIN_KEY: usize = 16;

fn redact(
    entry: &RedactionEntry,
    environment: &dyn Fn(&str) -> Option<String>,
    faults: &mut Faults,
) -> Option<Redaction> {
    let secret = entry.key.as_ref().map(|name| {
        let value = environment(name).unwrap_or_default();
        if value.trim().len() < MIN_KEY {
            let message = format!("the environment variable {name} has to hold {MIN_KEY} bytes or more");
            faults.add("redaction.key.env", message);
        }
        value.trim().to_owned()
    });
    let redaction = Redaction::new(entry, secret.unwrap_or_default().as_bytes());
    if redaction.is_none() {
        faults.add("redaction.rules", "are too many, or too large together");
    }
    redaction
}

/// The credential's secrets come from the environment; what is missing or can't be one is a fault.
fn authenticate(
    entry: &ProviderEntry,
    environment: &dyn Fn(&str) -> Option<String>,
    faults: &mut Faults,
) -> Authentication {
    let field = match &entry.credential {
        Credential::AwsEnvironment => "aws_env",
        Credential::ServiceAccount(_) => "service_account_env",
        Credential::None | Credential::Environment(_) => "env",
    };
    let path = format!("providers.{}.credential.{field}", entry.name);
    let variable =
        |name: &str| environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let needed = |name: &str, faults: &mut Faults| {
        let value = variable(name);
        match &value {
            None => faults.add(&path, format!("the environment variable {name} is not set")),
            Some(value) if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => {
                faults.add(&path, format!("the environment variable {name} holds what no header can carry"));
            }
            Some(_) => {}
        }
        value
    };
    match &entry.credential {
        Credential::None => Authentication::None,
        Credential::Environment(name) => needed(name, faults)
            .map_or(Authentication::None, |credential| entry.dialect.authentication(&credential)),
        Credential::AwsEnvironment => {
            let id = needed(AWS_ACCESS_KEY_ID, faults);
            let key = needed(AWS_SECRET_ACCESS_KEY, faults);
            let (Some(id), Some(key)) = (id, key) else { return Authentication::None };
            Authentication::Aws(AwsKeys {
                access_key_id: Secret::new(id),
                secret_access_key: Secret::new(key),
                session_token: variable(AWS_SESSION_TOKEN).map(Secret::new),
                region: entry.region.clone().unwrap_or_default(),
            })
        }
        Credential::ServiceAccount(name) => {
            let Some(json) = variable(name) else {
                faults.add(&path, format!("the environment variable {name} is not set"));
                return Authentication::None;
            };
            match ServiceAccount::parse(&json) {
                Ok(account) => Authentication::Google(Box::new(account)),
                Err(reason) => {
                    faults.add(&path, format!("the environment variable {name} {reason}"));
                    Authentication::None
                }
            }
        }
    }
}

fn resolve(
    entry: &ModelEntry,
    providers: &HashMap<String, Arc<Provider>>,
    pricing: &mut Pricing<'_>,
) -> Option<Model> {
    let mut occurrences: HashMap<&str, u32> = HashMap::new();
    let mut targets = Vec::with_capacity(entry.targets.len());
    for target in &entry.targets {
        let provider = providers.get(&target.provider)?;
        let occurrence = occurrences.entry(&target.provider).or_default();
        *occurrence += 1;
        targets.push(Target {
            provider: Arc::clone(provider),
            occurrence: *occurrence,
            model: target.model.clone(),
            price: pricing.price((&**provider).into(), &target.model, &entry.name),
        });
    }
    Some(Model {
        name: entry.name.clone(),
        targets,
        unsupported: entry.unsupported,
        out_of_range: entry.out_of_range,
        default_max_tokens: entry.default_max_tokens,
        timeouts: Timeouts { attempt: entry.attempt_timeout, idle: entry.idle_timeout },
    })
}
