//! What guards do with a request before a model is chosen for it, and with its answer.

use std::sync::Arc;

use crate::conversation::{Answer, Choice, Finish};
use crate::dialect::texts::{self, Found, Side};
use crate::dialect::{Call, ClientDialect, Passage};
use crate::failure::Failure;
use crate::guard::{Asked, Fired, Passed};
use crate::json::Text;
use crate::policy::Plan;
use crate::redact::{self, Outcome, RuleId};
use crate::task::TaskKind;
use crate::usage::Usage;
use crate::usage::estimate::Input;

use super::admission::Denied;
use super::judged::Judging;
use super::opening::Opening;
use super::passing;
use super::redaction::{Screen, StreamMask};
use super::schemas::Schemas;

/// What guards have found in an exchange so far.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// In the policy's order.
    pub(super) fired: Vec<Fired>,
    /// The model that serves in place of the one that was asked for, and the guard for whose sake.
    pub(super) reroute: Option<(String, String)>,
    /// What looks at the answer.
    pub(super) watch: Option<Watch>,
    /// What the answer has to fit.
    pub(super) schemas: Option<Schemas>,
    /// The template that was filled in, `name@version`.
    pub(super) template: Option<String>,
    /// Who outside is asked; `None` where nobody is.
    pub(super) judging: Option<Box<Judging>>,
    /// About how many tokens the request has, where a guard has asked and nothing was changed.
    pub(super) input: Option<Input>,
}

/// What guards do with an answer.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    plan: Arc<Plan>,
    actions: Arc<[redact::Action]>,
    /// What was found in a stream so far.
    found: Outcome,
}

/// What guards have made of a whole answer.
#[derive(Debug)]
pub(super) enum Seen {
    /// It stays as it is.
    Unchanged,
    /// Something was replaced in it.
    Changed(Vec<u8>),
    /// It may not reach the client, and why.
    Withheld(Failure),
}

/// A request that guards refuse.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) failure: Failure,
    pub(super) fired: Vec<Fired>,
}

impl Guarded {
    /// Adds what a part of an answer has shown; each guard is named once for what it has found there.
    pub(super) fn add(&mut self, fired: Vec<Fired>) {
        for fired in fired {
            if !self.fired.contains(&fired) {
                self.fired.push(fired);
            }
        }
    }

    /// `name;action, …` of those that a client is told of; `None` where there are none.
    pub(super) fn header(&self) -> Option<String> {
        let told: Vec<_> =
            self.fired.iter().filter(|fired| !matches!(fired.action, "log" | "failed")).map(named).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// `name;action, …` of all of them.
pub(super) fn log_field(fired: &[Fired]) -> String {
    fired.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn named(fired: &Fired) -> String {
    format!("{};{}", fired.guard, fired.action)
}

impl Opening {
    /// Asks the policy's guards. Returns the body as it goes on.
    pub(super) fn guard(&self, call: &Call, body: Arc<Vec<u8>>) -> Result<(Arc<Vec<u8>>, Guarded), Denied> {
        let guards = &self.plan.guards;
        let filled = self.fill(call, &body)?;
        let (body, whole) = match &filled {
            Some(filled) => (&filled.named, &filled.whole),
            None => (&body, &body),
        };
        let template = filled.as_ref().map(|filled| filled.chosen.label());
        if guards.is_empty() {
            return Ok((Arc::clone(whole), Guarded { template, ..Guarded::default() }));
        }
        let task = ClientDialect::decode(call, whole)?;
        let asked = Asked {
            client: call.dialect,
            caller: self.caller.as_deref(),
            asking: &self.asking,
            task: &task,
            body,
            whole,
        };
        let verdict = guards.check(asked)?;
        if let Some(failure) = verdict.refusal {
            return Err(Denied::Guarded(Box::new(Refused { failure, fired: verdict.fired })));
        }
        let kept = verdict.body;
        let mut judging = Judging::new(self, asked, kept.as_deref().unwrap_or(body))?;
        let replaced = match (kept, &filled) {
            (Some(replaced), Some(filled)) => Some(filled.chosen.expand(call.dialect, &replaced)?),
            (replaced, _) => replaced,
        };
        let decorated = guards.decorate(Asked { whole: replaced.as_deref().unwrap_or(whole), ..asked })?;
        let changed = decorated.or(replaced);
        let input = verdict.input.filter(|_| changed.is_none());
        let body = changed.map_or_else(|| Arc::clone(whole), Arc::new);
        let actions = guards.of_answer(asked);
        let watch =
            actions.map(|actions| Watch { plan: Arc::clone(&self.plan), actions, found: Outcome::default() });
        let schemas = Schemas::of(&self.plan, asked);
        if let Some(judging) = &mut judging {
            judging.keep(self, &body);
        }
        Ok((
            body,
            Guarded {
                fired: verdict.fired,
                reroute: verdict.reroute,
                watch,
                schemas,
                template,
                judging,
                input,
            },
        ))
    }

    /// The same for a call that passes as it is, where its body has been read.
    pub(super) fn guard_passing(
        &self,
        passage: &Passage,
        content_type: &str,
        body: Arc<Vec<u8>>,
    ) -> Result<(Arc<Vec<u8>>, Guarded), Denied> {
        let guards = &self.plan.guards;
        let named = match guards.is_empty() {
            true => None,
            false => passing::model_named(passage, content_type, Some(&body))?,
        };
        let Some(named) = named else { return Ok((body, Guarded::default())) };
        let (caller, asking) = (self.caller.as_deref(), &self.asking);
        let passed = Passed { model: &named.model, caller, asking, content_type, body: &body };
        let verdict = guards.check_passing(passed)?;
        if let Some(failure) = verdict.refusal {
            return Err(Denied::Guarded(Box::new(Refused { failure, fired: verdict.fired })));
        }
        let body = verdict.body.map_or(body, Arc::new);
        Ok((body, Guarded { fired: verdict.fired, reroute: verdict.reroute, ..Guarded::default() }))
    }
}

impl Watch {
    fn replaces(&self) -> bool {
        self.actions.contains(&redact::Action::Mask)
    }

    fn screen(&self) -> Option<Screen> {
        let session = self.plan.guards.answer_session(&self.actions)?;
        Some(Screen::new(session, Arc::default(), true))
    }

    /// For a streamed answer.
    pub(super) fn stream(&self, client: ClientDialect, array: bool) -> Option<StreamMask> {
        Some(StreamMask::new(client, array, self.replaces(), self.screen()?).closing())
    }

    /// A whole answer for the client, in its own dialect.
    pub(super) fn whole(
        &self,
        client: ClientDialect,
        body: &[u8],
        found: &mut Vec<Fired>,
    ) -> Result<Seen, Failure> {
        if matches!(client.kind(), TaskKind::Embeddings | TaskKind::CountTokens) {
            // Numbers only.
            return Ok(Seen::Unchanged);
        }
        let Some(mut screen) = self.screen() else { return Ok(Seen::Unchanged) };
        let replaces = self.replaces();
        let changed = texts::walk(client, Side::Answer, body, &mut |_, found| {
            Ok(match found {
                // The chances of tokens would tell what was replaced.
                Found::Tokens => replaces.then(String::new),
                found => screen.whole(found),
            })
        });
        let changed = changed.map_err(|_| Failure::malformed("The provider's answer could not be read."))?;
        let (outcome, _) = screen.finish();
        found.extend(self.fired(&outcome));
        Ok(match (outcome.blocked, changed) {
            (Some(rule), _) => Seen::Withheld(self.withheld(rule)),
            (None, Some(changed)) => Seen::Changed(changed),
            (None, None) => Seen::Unchanged,
        })
    }

    fn fired(&self, found: &Outcome) -> Vec<Fired> {
        self.plan.guards.fired_in_answer(found)
    }

    /// The guards that have found something in a stream, now that this was found too.
    pub(super) fn add(&mut self, found: Outcome) -> Vec<Fired> {
        if found.counts.is_empty() {
            return Vec::new();
        }
        for (rule, count) in found.counts {
            let known = self.found.counts.entry(rule).or_default();
            *known = known.saturating_add(count);
        }
        self.fired(&self.found)
    }

    /// The failure in the place of an answer that may not reach the client.
    pub(super) fn withheld(&self, rule: RuleId) -> Failure {
        self.plan.guards.withheld(rule)
    }
}

/// An answer of which nothing is told but that it is withheld.
pub(super) fn empty_answer(model: &str, usage: Option<Usage>) -> Answer<'_> {
    let choice =
        Choice { index: 0, parts: Vec::new(), finish: Finish::ContentFilter, stop: None, logprobs: None };
    Answer { id: None, model: Some(Text::from(model)), choices: vec![choice], usage }
}
