//! Conditions on a request and its target: `when` of access rules and of limits.

use std::time::Duration;

use super::pattern::Anchor;
use super::{Glob, Hours, Patterns};
use crate::dialect::ClientDialect;
use crate::identity::Caller;
use crate::policy::{Target, WhenEntry};

/// `when`, compiled: all of what is there has to hold.
#[derive(Debug, Default)]
pub struct When {
    users: Option<Patterns>,
    teams: Option<Patterns>,
    roles: Option<Patterns>,
    keys: Option<Patterns>,
    dialects: Option<Patterns>,
    endpoints: Option<Patterns>,
    headers: Vec<(String, Glob)>,
    time: Option<Hours>,
    /// Of the target.
    providers: Option<Patterns>,
    /// Of the target.
    regions: Option<Patterns>,
}

/// What conditions ask for by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field<'w> {
    Key,
    User,
    Team,
    Role,
    Model,
    Header(&'w str),
    Endpoint,
    Dialect,
    /// Of the target.
    Provider,
    /// Of the target.
    Region,
}

/// What conditions want to know of a request, besides its caller and its model.
#[derive(Clone, Debug)]
pub struct Asking {
    client: ClientDialect,
    /// The path without its query.
    path: String,
    /// Those that conditions ask for.
    headers: Vec<(String, String)>,
    /// Since the Unix epoch.
    now: Duration,
}

/// What conditions want to know of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    pub provider: &'a str,
    pub region: Option<&'a str>,
}

impl When {
    pub fn new(entry: &WhenEntry) -> Self {
        let patterns = |names: &Option<Vec<String>>| names.as_ref().map(|names| Patterns::new(names));
        Self {
            users: patterns(&entry.users),
            teams: patterns(&entry.teams),
            roles: patterns(&entry.roles),
            keys: patterns(&entry.keys),
            dialects: patterns(&entry.dialects),
            endpoints: patterns(&entry.endpoints),
            headers: entry.headers.iter().map(|(name, value)| (name.clone(), Glob::new(value))).collect(),
            time: entry.time,
            providers: patterns(&entry.providers),
            regions: patterns(&entry.regions),
        }
    }

    /// The headers that are asked for.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// Whether anything is asked of the target.
    pub fn asks_of_target(&self) -> bool {
        self.providers.is_some() || self.regions.is_some()
    }

    /// Whether everything holds that is asked of the request.
    pub fn matches(&self, caller: Option<&Caller>, asking: &Asking) -> bool {
        let roles = caller.map(|caller| caller.roles.as_slice()).unwrap_or_default();
        is(self.keys.as_ref(), caller.and_then(Caller::key))
            && is(self.users.as_ref(), caller.and_then(|caller| caller.user.as_deref()))
            && is(self.teams.as_ref(), caller.and_then(|caller| caller.team.as_deref()))
            && self.roles.as_ref().is_none_or(|wanted| roles.iter().any(|role| wanted.matches(role)))
            && is(self.dialects.as_ref(), Some(word(asking.client)))
            && is(self.endpoints.as_ref(), Some(&asking.path))
            && self.time.is_none_or(|hours| hours.contains(asking.now))
            && self
                .headers
                .iter()
                .all(|(name, glob)| asking.header_values(name).any(|value| glob.matches(value)))
    }

    /// Whether everything holds that is asked of the target.
    pub fn matches_target(&self, place: Place<'_>) -> bool {
        place.is_of(self.providers.as_ref(), self.regions.as_ref())
    }

    /// When it may hold.
    pub(super) fn hours(&self) -> Option<Hours> {
        self.time
    }

    /// What is asked for by name, where these models are asked for too: each with the anchors of which the name has to have one.
    /// What any name satisfies is left out. What tells most callers and requests apart comes first.
    pub(super) fn asked<'w>(&'w self, models: &'w Patterns) -> Vec<(Field<'w>, Vec<Anchor<'w>>)> {
        let of_caller = [
            (Field::Key, &self.keys),
            (Field::User, &self.users),
            (Field::Team, &self.teams),
            (Field::Role, &self.roles),
        ];
        let others = [
            (Field::Provider, &self.providers),
            (Field::Region, &self.regions),
            (Field::Endpoint, &self.endpoints),
            (Field::Dialect, &self.dialects),
        ];
        let anchors = |(field, patterns): (Field<'w>, &'w Option<Patterns>)| {
            Some((field, patterns.as_ref()?.anchors()?))
        };
        let header = |(name, glob): &'w (String, Glob)| Some((Field::Header(name), vec![glob.anchor()?]));
        let model = models.anchors().map(|anchors| (Field::Model, anchors));
        let mut asked: Vec<_> = of_caller.into_iter().filter_map(anchors).collect();
        asked.extend(self.headers.iter().filter_map(header).chain(model));
        asked.extend(others.into_iter().filter_map(anchors));
        asked
    }
}

fn is(patterns: Option<&Patterns>, name: Option<&str>) -> bool {
    patterns.is_none_or(|patterns| name.is_some_and(|name| patterns.matches(name)))
}

impl Asking {
    /// Keeps of a request's headers (names in lower case) those that are `wanted`, and its path; `now` since the Unix epoch.
    pub fn new(
        client: ClientDialect,
        path: &str,
        headers: &[(String, String)],
        wanted: impl Fn(&str) -> bool,
        now: Duration,
    ) -> Self {
        let path = path.split_once('?').map_or(path, |(path, _)| path).to_owned();
        let asked = headers.iter().filter(|(name, _)| wanted(name));
        Self { client, path, headers: asked.cloned().collect(), now }
    }

    /// Every value of a header that was asked for.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The word in `when.dialects`.
    pub(super) fn dialect(&self) -> &'static str {
        word(self.client)
    }

    /// Each header that was asked for, and a value of it.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// When the request came, since the Unix epoch.
    pub fn now(&self) -> Duration {
        self.now
    }
}

/// The word for a client's dialect in `when.dialects`.
fn word(client: ClientDialect) -> &'static str {
    match client {
        ClientDialect::OpenAiChat
        | ClientDialect::OpenAiResponses
        | ClientDialect::OpenAiCompletions
        | ClientDialect::OpenAiEmbeddings => "openai",
        ClientDialect::Anthropic | ClientDialect::AnthropicTokens => "anthropic",
        ClientDialect::Gemini | ClientDialect::GeminiTokens => "gemini",
        ClientDialect::CohereRerank => "cohere",
        ClientDialect::JinaRerank => "jina",
    }
}

impl<'a> Place<'a> {
    pub fn of(target: &'a Target) -> Self {
        Self { provider: &target.provider.name, region: target.provider.region.as_deref() }
    }

    /// `None` where nobody serves.
    pub(super) fn provider(self) -> Option<&'a str> {
        (!self.provider.is_empty()).then_some(self.provider)
    }

    /// Whether this is one of these providers, and in one of these regions.
    pub(super) fn is_of(self, providers: Option<&Patterns>, regions: Option<&Patterns>) -> bool {
        is(providers, self.provider()) && is(regions, self.region)
    }
}
