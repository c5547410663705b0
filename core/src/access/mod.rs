//! Who may use what: ordered rules, of which the first that matches decides, for each target by itself.

mod check;
pub(crate) mod hours;
mod index;
mod lookup;
mod pattern;
#[cfg(test)]
mod tests;
mod when;

pub use check::warnings;
pub use hours::Hours;
pub use index::Index;
pub use pattern::{Glob, Patterns};
pub use when::{Asking, Place, When};

use crate::failure::{Blame, Failure, Kind};
use crate::identity::Caller;
use crate::policy::{Model, RuleEntry};

/// The rules of a policy, compiled.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    index: Index,
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

#[derive(Debug)]
struct Rule {
    name: String,
    effect: Effect,
    models: Patterns,
    when: When,
    /// Of the target; a rule does not match others.
    required_providers: Option<Patterns>,
    /// Of the target; a rule does not match others.
    required_regions: Option<Patterns>,
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
    pub(crate) fn new(entries: &[RuleEntry]) -> Self {
        let rules: Vec<Rule> = entries.iter().map(Rule::new).collect();
        let index = Index::new(rules.iter().map(|rule| (&rule.when, &rule.models)));
        Self { rules, index }
    }

    /// The headers that rules ask for.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| rule.when.headers())
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
        let candidates = self.candidates(caller, asking, model, places);
        for rule in candidates.filter(|rule| rule.matches(caller, asking, model)) {
            for (verdict, place) in verdicts.iter_mut().zip(places).filter(|(verdict, _)| verdict.is_none()) {
                *verdict = rule.decide(*place);
            }
            if verdicts.iter().all(Option::is_some) {
                break;
            }
        }
        verdicts.into_iter().map(|verdict| verdict.unwrap_or(Err(Denial::NoRule))).collect()
    }

    /// The rules that could match, in order.
    fn candidates(
        &self,
        caller: Option<&Caller>,
        asking: &Asking,
        model: &str,
        places: &[Place<'_>],
    ) -> impl Iterator<Item = &Rule> {
        let candidates = self.index.candidates(caller, asking, model, places).into_iter();
        candidates.filter_map(|index| self.rules.get(index))
    }
}

impl Rule {
    fn new(entry: &RuleEntry) -> Self {
        let patterns = |names: &Option<Vec<String>>| names.as_ref().map(|names| Patterns::new(names));
        Self {
            name: entry.name.clone(),
            effect: entry.effect,
            models: Patterns::new(&entry.models),
            when: When::new(&entry.when),
            required_providers: patterns(&entry.require.providers),
            required_regions: patterns(&entry.require.regions),
        }
    }

    /// Whether everything holds that the rule asks of the request.
    fn matches(&self, caller: Option<&Caller>, asking: &Asking, model: &str) -> bool {
        self.models.matches(model) && self.when.matches(caller, asking)
    }

    /// What the rule says of a target, if it decides.
    fn decide(&self, place: Place<'_>) -> Option<Result<(), Denial>> {
        if !self.when.matches_target(place) {
            return None;
        }
        let has = place.is_of(self.required_providers.as_ref(), self.required_regions.as_ref());
        match (self.effect, has) {
            (Effect::Allow, true) => Some(Ok(())),
            (Effect::Require, true) => None,
            _ => Some(Err(Denial::Rule(self.name.clone()))),
        }
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
