//! Who may use what: ordered rules, of which the first that matches decides, for each target by itself.

mod check;
pub(crate) mod hours;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

pub use check::warnings;
pub use hours::Hours;
pub use pattern::{Glob, Patterns};

use crate::dialect::ClientDialect;
use crate::failure::{Blame, Failure, Kind};
use crate::identity::Caller;
use crate::policy::{Model, RuleEntry, Target};

/// The rules of a policy, compiled.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// The rules that are for certain callers only, by what those have.
    by_caller: HashMap<Trait, Vec<u32>>,
    /// The other rules that are for a model, by the models that there are.
    by_model: HashMap<String, Vec<u32>>,
    /// The rules that are for certain callers no more than for others.
    for_all: Vec<u32>,
    /// The headers that rules ask for.
    headers: HashSet<String>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Lets the targets be used that have what is required, and no others.
    Allow,
    Deny,
    /// Denies the targets that lack what is required; about the others the next rules decide.
    Require,
}

/// Something that a caller has and that rules ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Trait {
    Key(String),
    User(String),
    Team(String),
    Role(String),
}

#[derive(Debug)]
struct Rule {
    name: String,
    effect: Effect,
    models: Patterns,
    users: Option<Patterns>,
    teams: Option<Patterns>,
    roles: Option<Patterns>,
    keys: Option<Patterns>,
    dialects: Option<Patterns>,
    endpoints: Option<Patterns>,
    headers: Vec<(String, Glob)>,
    time: Option<Hours>,
    /// Of the target; a rule does not match others.
    providers: Option<Patterns>,
    /// Of the target; a rule does not match others.
    regions: Option<Patterns>,
    required_providers: Option<Patterns>,
    required_regions: Option<Patterns>,
}

/// What rules want to know of a request, besides its caller and its model.
#[derive(Clone, Debug)]
pub struct Asking {
    client: ClientDialect,
    /// The path without its query.
    path: String,
    /// Those that rules ask for.
    headers: Vec<(String, String)>,
    /// Since the Unix epoch.
    now: Duration,
}

/// What rules want to know of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place<'a> {
    provider: &'a str,
    region: Option<&'a str>,
}

/// Why nothing may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The caller's key is for other models.
    Credential,
    /// The rule of this name denies it.
    Rule(String),
    /// No rule allows it.
    NoRule,
}

impl Rules {
    pub(crate) fn new<'m>(entries: &[RuleEntry], models: impl Iterator<Item = &'m str>) -> Self {
        let mut rules = Self { rules: entries.iter().map(Rule::new).collect(), ..Self::default() };
        for (index, rule) in (0_u32..).zip(&rules.rules) {
            rules.headers.extend(rule.headers.iter().map(|(name, _)| name.clone()));
            match rule.traits() {
                Some(traits) => {
                    for each in traits {
                        rules.by_caller.entry(each).or_default().push(index);
                    }
                }
                None => rules.for_all.push(index),
            }
        }
        for model in models {
            let matching = rules.for_all.iter().copied().filter(|index| {
                usize::try_from(*index)
                    .ok()
                    .and_then(|index| rules.rules.get(index))
                    .is_some_and(|rule| rule.models.matches(model))
            });
            rules.by_model.insert(model.to_owned(), matching.collect());
        }
        rules
    }

    /// Keeps of a request's headers (names in lower case) and its path what rules want to know; `now` since the Unix epoch.
    pub fn asking(
        &self,
        client: ClientDialect,
        path: &str,
        headers: &[(String, String)],
        now: Duration,
    ) -> Asking {
        let path = path.split_once('?').map_or(path, |(path, _)| path).to_owned();
        let asked = headers.iter().filter(|(name, _)| self.headers.contains(name));
        Asking { client, path, headers: asked.cloned().collect(), now }
    }

    /// The positions of the model's targets that the caller may use, in the model's order; never none of them.
    pub fn targets(
        &self,
        caller: Option<&Caller>,
        asking: &Asking,
        model: &Model,
    ) -> Result<Vec<usize>, Denial> {
        let places: Vec<Place<'_>> = model.targets.iter().map(Place::of).collect();
        let verdicts = self.judge(caller, asking, &model.name, &places);
        let allowed: Vec<usize> =
            (0..).zip(&verdicts).filter(|(_, verdict)| verdict.is_ok()).map(|(at, _)| at).collect();
        match (allowed.is_empty(), verdicts.into_iter().next()) {
            (true, Some(Err(denial))) => Err(denial),
            _ => Ok(allowed),
        }
    }

    /// What stands against the use of a model that isn't there. It is judged as one whose only target has nothing that a rule
    /// could ask for, so that who may not use a model can't find out whether there is one.
    pub fn unknown(&self, caller: Option<&Caller>, asking: &Asking, model: &str) -> Result<(), Denial> {
        self.judge(caller, asking, model, &[Place::default()]).into_iter().next().unwrap_or(Ok(()))
    }

    fn judge(
        &self,
        caller: Option<&Caller>,
        asking: &Asking,
        model: &str,
        places: &[Place<'_>],
    ) -> Vec<Result<(), Denial>> {
        if caller.and_then(|caller| caller.models.as_ref()).is_some_and(|models| !models.matches(model)) {
            return vec![Err(Denial::Credential); places.len()];
        }
        if self.rules.is_empty() {
            return vec![Ok(()); places.len()];
        }
        let mut verdicts: Vec<Option<Result<(), Denial>>> = vec![None; places.len()];
        for rule in self.candidates(caller, model).filter(|rule| rule.matches(caller, asking, model)) {
            for (verdict, place) in verdicts.iter_mut().zip(places).filter(|(verdict, _)| verdict.is_none()) {
                *verdict = rule.decide(*place);
            }
            if verdicts.iter().all(Option::is_some) {
                break;
            }
        }
        verdicts.into_iter().map(|verdict| verdict.unwrap_or(Err(Denial::NoRule))).collect()
    }

    /// The rules that could match, in order: found by what the caller has and by the model, whatever other rules there are.
    fn candidates(&self, caller: Option<&Caller>, model: &str) -> impl Iterator<Item = &Rule> {
        let own = caller.into_iter().flat_map(Trait::of).filter_map(|each| self.by_caller.get(&each));
        let mut indices: Vec<u32> = own.flatten().copied().collect();
        indices.extend(self.by_model.get(model).unwrap_or(&self.for_all));
        indices.sort_unstable();
        indices.dedup();
        indices.into_iter().filter_map(|index| self.rules.get(usize::try_from(index).ok()?))
    }
}

impl Rule {
    fn new(entry: &RuleEntry) -> Self {
        let patterns = |names: &Option<Vec<String>>| names.as_ref().map(|names| Patterns::new(names));
        let when = &entry.when;
        Self {
            name: entry.name.clone(),
            effect: entry.effect,
            models: Patterns::new(&entry.models),
            users: patterns(&when.users),
            teams: patterns(&when.teams),
            roles: patterns(&when.roles),
            keys: patterns(&when.keys),
            dialects: patterns(&when.dialects),
            endpoints: patterns(&when.endpoints),
            headers: when.headers.iter().map(|(name, value)| (name.clone(), Glob::new(value))).collect(),
            time: when.time,
            providers: patterns(&when.providers),
            regions: patterns(&when.regions),
            required_providers: patterns(&entry.require.providers),
            required_regions: patterns(&entry.require.regions),
        }
    }

    /// What a caller has to have one of; `None` where any caller could match.
    fn traits(&self) -> Option<Vec<Trait>> {
        let of = |patterns: &Option<Patterns>, each: fn(String) -> Trait| -> Option<Vec<Trait>> {
            Some(patterns.as_ref()?.names()?.iter().cloned().map(each).collect())
        };
        of(&self.keys, Trait::Key)
            .or_else(|| of(&self.users, Trait::User))
            .or_else(|| of(&self.teams, Trait::Team))
            .or_else(|| of(&self.roles, Trait::Role))
    }

    /// Whether everything holds that the rule asks of the request.
    fn matches(&self, caller: Option<&Caller>, asking: &Asking, model: &str) -> bool {
        let is = |patterns: &Option<Patterns>, name: Option<&str>| {
            patterns.as_ref().is_none_or(|patterns| name.is_some_and(|name| patterns.matches(name)))
        };
        let roles = caller.map(|caller| caller.roles.as_slice()).unwrap_or_default();
        self.models.matches(model)
            && is(&self.keys, caller.and_then(Caller::key))
            && is(&self.users, caller.and_then(|caller| caller.user.as_deref()))
            && is(&self.teams, caller.and_then(|caller| caller.team.as_deref()))
            && self.roles.as_ref().is_none_or(|wanted| roles.iter().any(|role| wanted.matches(role)))
            && is(&self.dialects, Some(word(asking.client)))
            && is(&self.endpoints, Some(&asking.path))
            && self.time.is_none_or(|hours| hours.contains(asking.now))
            && self.headers.iter().all(|(name, glob)| {
                asking.headers.iter().any(|(header, value)| header == name && glob.matches(value))
            })
    }

    /// What the rule says of a target, if it decides.
    fn decide(&self, place: Place<'_>) -> Option<Result<(), Denial>> {
        let is = |patterns: &Option<Patterns>, name: Option<&str>| {
            patterns.as_ref().is_none_or(|patterns| name.is_some_and(|name| patterns.matches(name)))
        };
        let provider = (!place.provider.is_empty()).then_some(place.provider);
        if !is(&self.providers, provider) || !is(&self.regions, place.region) {
            return None;
        }
        let has = is(&self.required_providers, provider) && is(&self.required_regions, place.region);
        match (self.effect, has) {
            (Effect::Allow, true) => Some(Ok(())),
            (Effect::Require, true) => None,
            _ => Some(Err(Denial::Rule(self.name.clone()))),
        }
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

impl Trait {
    fn of(caller: &Caller) -> impl Iterator<Item = Self> {
        let key = caller.key().map(|key| Self::Key(key.to_owned()));
        let user = caller.user.clone().map(Self::User);
        let team = caller.team.clone().map(Self::Team);
        let roles = caller.roles.iter().cloned().map(Self::Role);
        key.into_iter().chain(user).chain(team).chain(roles)
    }
}

impl<'a> Place<'a> {
    fn of(target: &'a Target) -> Self {
        Self { provider: &target.provider.name, region: target.provider.region.as_deref() }
    }
}

impl Denial {
    /// What the client gets. It is the same whether there is such a model or not.
    pub fn failure(&self, model: &str) -> Failure {
        let model: String = model.chars().take(128).collect();
        let message = match self {
            Self::Credential => format!("Your credential is not for the model '{model}'."),
            Self::Rule(name) => format!("The access rule '{name}' does not let you use the model '{model}'."),
            Self::NoRule => format!("No access rule allows you to use the model '{model}'."),
        };
        Failure {
            blame: Blame::Policy,
            status: 403,
            kind: Kind::Permission,
            code: Some("access_denied".into()),
            message: message.into(),
            parameter: Some("model".to_owned()),
            retry_after: None,
        }
    }
}
