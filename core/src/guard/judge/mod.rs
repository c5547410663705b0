//! Outside judges: services that are asked about a text before it goes on. What each is asked, and how its answer reads.

mod chat;
mod fields;
mod moderation;
#[cfg(test)]
mod tests;
mod texts;
mod webhook;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Asked, Guards, Passage};
use crate::access::{Patterns, Place};
use crate::credential::{Authentication, Secret, Unsigned};
use crate::failure::{Blame, Failure};
use crate::identity::Caller;
use crate::policy::{
    Document, Faults, GuardKind, JudgeAsks, JudgeEntry, Provider, SourcePlace, Target, WindowEntry,
};
use crate::price::Pricing;
use crate::redact::Direction;
use crate::usage::Usage;

pub(crate) use texts::{Reader, of_answer, of_request};

/// A judge of a policy's.
#[derive(Debug)]
pub(crate) struct Judge {
    /// The guard that it is, by its position.
    guard: usize,
    service: Service,
    cluster: String,
    pub(crate) timeout: Duration,
    /// Whether what it gives no verdict on goes on.
    pub(crate) fails_open: bool,
    /// The windows in which it judges streams; `None` where it judges them as wholes.
    pub(crate) window: Option<WindowEntry>,
}

/// Whom it asks.
#[derive(Debug)]
enum Service {
    Moderation { target: Target, threshold: Option<u32>, categories: Categories },
    Chat { target: Target, instruction: String },
    Webhook { tls: bool, authority: String, path: String, authentication: Authentication },
}

/// The categories that matter.
#[derive(Debug)]
pub(super) struct Categories {
    patterns: Patterns,
    /// Those that every verdict has to speak of.
    named: Vec<String>,
    /// Whether the policy names none, so that all matter.
    all: bool,
}

/// Which texts a judge is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The guard's name.
    pub(crate) guard: &'a str,
    pub(crate) direction: Direction,
    /// The name that the client asked for.
    pub(crate) model: &'a str,
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) texts: &'a [Passage],
}

/// A request to a judge, by `POST`.
#[derive(Debug)]
pub struct Callout {
    /// Which of the exchange's questions it is.
    pub number: usize,
    /// The cluster that it goes to.
    pub cluster: String,
    /// All headers, pseudo-headers first.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub timeout: Duration,
}

/// What a judge has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) flagged: bool,
    /// What the judge has used, where it tells.
    pub(crate) usage: Option<Usage>,
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The texts hold what may not go to the judge.
    Blocked,
    Timeout,
    /// Its answer was an error, or somebody's on the way to it, or there was none.
    Error,
    /// Its answer is none to what it was asked.
    Malformed,
}

/// So much of an answer is read; a longer one is none.
pub const MAX_ANSWER: usize = 1 << 20;

/// What a service gets: its path behind the endpoint's, the body, and headers besides the credential.
struct Sent {
    path: String,
    body: Vec<u8>,
    headers: &'static [(&'static str, &'static str)],
}

impl Trouble {
    /// The word for it in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Malformed => "malformed",
        }
    }
}

impl Guards {
    /// The same, with the judges among them. A credential that can't be had is a fault.
    pub(crate) fn with_judges(
        mut self,
        document: &Document,
        providers: &HashMap<String, Arc<Provider>>,
        pricing: &mut Pricing<'_>,
        environment: &dyn Fn(&str) -> Option<String>,
        faults: &mut Faults,
    ) -> Self {
        for (guard, entry) in document.guards.iter().enumerate() {
            let GuardKind::Judge(judge) = &entry.kind else { continue };
            let mut secret = |name: &str| {
                let value = environment(name).map(|value| value.trim().to_owned()).unwrap_or_default();
                if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
                    let message = format!(
                        "the environment variable {name} is not set, or holds what no header can carry"
                    );
                    faults.add(format!("guards[{guard}].webhook.credential.env"), message);
                }
                Secret::new(format!("Bearer {value}"))
            };
            let Some(service) = Service::new(judge, providers, pricing, &mut secret) else { continue };
            self.judges.push(Judge {
                guard,
                service,
                cluster: judge.cluster(&entry.name),
                timeout: judge.timeout,
                fails_open: judge.fails_open,
                window: judge.window,
            });
        }
        self
    }

    /// The judge at this position.
    pub(crate) fn judge(&self, judge: usize) -> Option<&Judge> {
        self.judges.get(judge)
    }

    /// The guard that a judge is.
    pub(super) fn guard_of(&self, judge: usize) -> Option<&super::Guard> {
        self.guards.get(self.judge(judge)?.guard)
    }

    /// The name and the action of the guard that a judge is.
    pub(crate) fn judged_by(&self, judge: usize) -> Option<(&str, &super::Action)> {
        self.guard_of(judge).map(|guard| (guard.name.as_str(), &guard.action))
    }

    /// Those who are asked about a request, and those who are asked about its answer, by their positions.
    pub(crate) fn judges_of(&self, asked: Asked<'_>) -> (Vec<usize>, Vec<usize>) {
        let of = |looks: fn(&super::Guard) -> bool| {
            let judges = 0..self.judges.len();
            judges
                .filter(|judge| self.guard_of(*judge).is_some_and(|guard| looks(guard) && guard.asks(asked)))
                .collect()
        };
        (of(|guard| guard.request), of(|guard| guard.response))
    }

    /// What a client gets whose request or answer a judge has flagged.
    pub(crate) fn flagged(&self, judge: usize, direction: Direction) -> Failure {
        let Some(guard) = self.guard_of(judge) else { return Failure::operator("There is no such guard.") };
        match direction {
            Direction::Request => guard.refusal(),
            Direction::Response => super::withheld_by(&guard.name),
        }
    }

    /// What a client gets where a judge has given no verdict, and nothing passes without one.
    pub(crate) fn unjudged(&self, judge: usize) -> Failure {
        let name = self.guard_of(judge).map_or("", |guard| guard.name.as_str());
        let message = format!("The guard '{name}' gives no verdict now, and nothing passes without it.");
        Failure { blame: Blame::Policy, ..Failure::provider(503, message).code("guard_unavailable") }
    }
}

impl Service {
    fn new(
        entry: &JudgeEntry,
        providers: &HashMap<String, Arc<Provider>>,
        pricing: &mut Pricing<'_>,
        secret: &mut dyn FnMut(&str) -> Secret,
    ) -> Option<Self> {
        let mut target = |provider: &str, model: &str| {
            let provider = Arc::clone(providers.get(provider)?);
            let price = pricing.price((&*provider).into(), model, model);
            Some(Target { provider, occurrence: 1, model: model.to_owned(), price })
        };
        Some(match &entry.asks {
            JudgeAsks::Moderation { provider, model, threshold, categories } => Self::Moderation {
                target: target(provider, model.as_deref().unwrap_or_default())?,
                threshold: *threshold,
                categories: Categories::new(categories),
            },
            JudgeAsks::Chat { provider, model, instruction } => {
                Self::Chat { target: target(provider, model)?, instruction: instruction.clone() }
            }
            JudgeAsks::Webhook { place, path, credential } => {
                let (tls, authority) = match place {
                    SourcePlace::Endpoint(endpoint) => (endpoint.tls, endpoint.authority.clone()),
                    SourcePlace::Cluster(name) => (false, name.clone()),
                };
                let authentication = credential.as_deref().map_or(Authentication::None, |name| {
                    Authentication::Header { name: "authorization", value: secret(name) }
                });
                Self::Webhook { tls, authority, path: path.clone(), authentication }
            }
        })
    }

    fn target(&self) -> Option<&Target> {
        match self {
            Self::Moderation { target, .. } | Self::Chat { target, .. } => Some(target),
            Self::Webhook { .. } => None,
        }
    }
}

impl Categories {
    fn new(names: &[String]) -> Self {
        let named = names.iter().filter(|name| !name.contains('*')).cloned().collect();
        Self { patterns: Patterns::new(names), named, all: names.is_empty() }
    }
}

impl Judge {
    /// Where it sends texts, as conditions of redaction see it.
    pub(crate) fn place(&self) -> Place<'_> {
        self.service.target().map(Place::of).unwrap_or_default()
    }

    /// The name of the provider whose API it asks.
    pub(crate) fn provider(&self) -> &str {
        self.place().provider
    }

    /// What a usage of its own costs, in nano-dollars; `None` where nobody knows.
    pub(crate) fn cost(&self, usage: &Usage) -> Option<u64> {
        self.service.target()?.cost(usage)
    }

    /// Whether a guard's judge looks at texts of this source.
    pub(crate) fn looks_at(&self, guards: &Guards, passage: &Passage) -> bool {
        guards.guards.get(self.guard).is_some_and(|guard| guard.sources.contains(&passage.source))
    }

    /// The request by which it is asked, at `now` (since the Unix epoch). An error means that it can't be made.
    pub(crate) fn callout(
        &self,
        number: usize,
        question: Question<'_>,
        now: Duration,
    ) -> Result<Callout, Failure> {
        let (sent, endpoint, authentication) = match &self.service {
            Service::Moderation { target, .. } => (
                moderation::question(target, question),
                Some(&target.provider.endpoint),
                &target.provider.authentication,
            ),
            Service::Chat { target, instruction } => (
                chat::question(target, instruction, question)?,
                Some(&target.provider.endpoint),
                &target.provider.authentication,
            ),
            Service::Webhook { path, authentication, .. } => {
                (webhook::question(path, question), None, authentication)
            }
        };
        let (tls, authority, base) = match (&self.service, endpoint) {
            (Service::Webhook { tls, authority, .. }, _) => (*tls, authority.as_str(), ""),
            (_, Some(endpoint)) => (endpoint.tls, endpoint.authority.as_str(), endpoint.path.as_str()),
            (_, None) => (false, "", ""),
        };
        let path = format!("{base}{}", sent.path);
        let scheme = if tls { "https" } else { "http" };
        let unsigned = Unsigned { scheme, authority, path: &path, body: &sent.body };
        let credential = authentication.headers(unsigned, now)?;
        let own = [
            (":method", "POST"),
            (":scheme", scheme),
            (":authority", authority),
            (":path", &path),
            ("content-type", "application/json"),
            ("accept", "application/json"),
        ];
        let mut headers: Vec<_> = own
            .iter()
            .chain(sent.headers)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        headers.extend(credential.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(Callout { number, cluster: self.cluster.clone(), headers, body: sent.body, timeout: self.timeout })
    }

    /// What the body of its answer says of so many texts.
    pub(crate) fn verdict(&self, body: &[u8], texts: usize) -> Result<Verdict, Trouble> {
        let verdict = match &self.service {
            _ if body.len() > MAX_ANSWER => None,
            Service::Moderation { threshold, categories, .. } => {
                moderation::verdict(body, texts, *threshold, categories)
            }
            Service::Chat { target, .. } => chat::verdict(target, body),
            Service::Webhook { .. } => webhook::verdict(body),
        };
        verdict.ok_or(Trouble::Malformed)
    }
}
