//! Guards: what prompts and answers may hold, and what is done where they don't keep to it.
//!
//! [`Guards`] are a policy's, compiled. [`Guards::check`] looks at a request before a model is chosen for it;
//! [`Guards::decorate`] then adds what the policy says in every system prompt.

mod answer_schema;
#[cfg(test)]
mod answer_schema_tests;
#[cfg(test)]
mod answer_tests;
pub mod injection;
pub mod judge;
mod passing;
#[cfg(test)]
mod passing_tests;
mod schema;
mod size;
mod system_prompt;
#[cfg(test)]
mod tests;
mod texts;

use std::sync::Arc;

use crate::access::{Asking, Patterns, When};
use crate::dialect::ClientDialect;
use crate::dialect::texts::{self as walker, Found, Source};
use crate::failure::{Blame, Failure};
use crate::identity::Caller;
use crate::policy::{GuardEntry, GuardKind};
use crate::redact::{self, Keys, Outcome, RuleId, Session};
use crate::task::Task;
use crate::usage::estimate::Input;
use injection::Scorer;

pub use passing::Passed;
pub use schema::Schema;
pub use system_prompt::Place;
pub(crate) use texts::words_pattern;

/// What is done where a guard finds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The client gets an error; a stream that has begun is ended.
    Refuse,
    /// It is served, and told so in a header.
    Warn,
    /// It is served, and nobody but the operator is told.
    Log,
    /// This comes in the place of what was found.
    Replace(String),
    /// The model of this name serves the request.
    Reroute(String),
}

/// A policy's guards, compiled.
#[derive(Debug, Default)]
pub struct Guards {
    guards: Vec<Guard>,
    texts: Option<texts::Rules>,
    scorer: Option<Scorer>,
    judges: Vec<judge::Judge>,
}

/// One guard.
#[derive(Debug)]
struct Guard {
    name: String,
    kind: GuardKind,
    request: bool,
    response: bool,
    sources: Vec<Source>,
    models: Patterns,
    when: When,
    action: Action,
}

/// A request that guards are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub client: ClientDialect,
    pub caller: Option<&'a Caller>,
    pub asking: &'a Asking,
    pub task: &'a Task<'a>,
    /// The client's body.
    pub body: &'a [u8],
    /// The same as models get it: with its template filled in.
    pub whole: &'a [u8],
}

/// A guard that has found something, and what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The guard's name.
    pub guard: String,
    /// The word for its action.
    pub action: &'static str,
}

/// What guards say of a request.
#[derive(Debug, Default)]
pub struct Verdict {
    /// In the policy's order.
    pub fired: Vec<Fired>,
    /// Why it is not served.
    pub refusal: Option<Failure>,
    /// The model that serves it, and the guard for whose sake.
    pub reroute: Option<(String, String)>,
    /// The request with what was replaced in it.
    pub body: Option<Vec<u8>>,
    /// About how many tokens it had, where that was asked.
    pub input: Option<Input>,
}

impl Action {
    /// The word for it in metrics, logs and headers.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Warn => "warn",
            Self::Log => "log",
            Self::Replace(_) => "replace",
            Self::Reroute(_) => "reroute",
        }
    }
}

impl Guards {
    /// An error says what is too much.
    pub(crate) fn new(entries: &[GuardEntry]) -> Result<Self, &'static str> {
        let scores = entries.iter().any(|entry| matches!(entry.kind, GuardKind::PromptInjection { .. }));
        Ok(Self {
            guards: entries.iter().map(Guard::new).collect(),
            texts: texts::Rules::new(entries)?,
            scorer: scores.then(Scorer::new).flatten(),
            judges: Vec::new(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.guards.is_empty()
    }

    /// The headers that conditions ask for.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.guards.iter().flat_map(|guard| guard.when.headers())
    }

    /// What the guards say of a request. An error means that it can't be read.
    pub fn check(&self, asked: Asked<'_>) -> Result<Verdict, Failure> {
        let asks: Vec<bool> = self.guards.iter().map(|guard| guard.request && guard.asks(asked)).collect();
        let mut fired = vec![false; self.guards.len()];
        let mut body = None;
        if self.guards.iter().zip(&asks).any(|(guard, asks)| *asks && guard.reads_texts()) {
            body = self.read(&asks, &mut fired, &|visit| {
                walker::walk(asked.client, walker::Side::Request, asked.body, visit)
            })?;
        }
        let mut input = None;
        for ((guard, asks), fired) in self.guards.iter().zip(&asks).zip(&mut fired) {
            *fired |= *asks
                && match &guard.kind {
                    GuardKind::PromptSize { tokens, messages, .. } => {
                        size::exceeds(asked.task, *tokens, *messages, &mut input)
                    }
                    GuardKind::SystemPrompt { text, place: Place::Require } => {
                        !system_prompt::is_there(asked, text)?
                    }
                    _ => false,
                };
        }
        Ok(Verdict { input, ..self.verdict(&fired, body) })
    }

    /// Reads all texts of a request, through which `walk` goes; returns it with what was replaced.
    fn read(&self, asks: &[bool], fired: &mut [bool], walk: &Walk<'_>) -> Result<Option<Vec<u8>>, Failure> {
        let mut found = self.texts.as_ref().map(|rules| rules.session());
        let mut characters = 0_u64;
        let mut passages = Passages::default();
        let mut visit = |place: &walker::Place<'_>, text: Found<'_>| {
            let (Found::Text(plain) | Found::Json(plain) | Found::Delta { text: plain, .. }) = text else {
                return Ok(None);
            };
            characters = characters.saturating_add(plain.chars().count() as u64);
            if self.scorer.is_some() {
                passages.add(place, plain);
            }
            let (Some(rules), Some(session)) = (&self.texts, &mut found) else { return Ok(None) };
            let applies = |guard: usize| {
                asks.get(guard).is_some_and(|asks| *asks)
                    && self.guards.get(guard).is_some_and(|guard| guard.sources.contains(&place.source))
            };
            session.set_actions(rules.actions(&self.guards, redact::Action::Warn, applies));
            Ok(replaced(session, text, plain))
        };
        let body = walk(&mut visit)?;
        for (number, (guard, asks)) in
            self.guards.iter().zip(asks).enumerate().filter(|(_, (_, asks))| **asks)
        {
            let hit = match &guard.kind {
                GuardKind::PromptInjection { threshold } => self.scorer.as_ref().is_some_and(|scorer| {
                    let of = |passage: &&Passage| guard.sources.contains(&passage.source);
                    passages
                        .0
                        .iter()
                        .filter(of)
                        .any(|passage| scorer.score(&passage.text).score >= *threshold)
                }),
                GuardKind::PromptSize { characters: Some(most), .. } => characters > *most,
                GuardKind::Words(_) | GuardKind::Pattern(_) | GuardKind::Topics { .. } => {
                    let counts = found.as_ref().map(|session| &session.outcome().counts);
                    match (&self.texts, counts) {
                        (Some(rules), Some(counts)) => rules.fires(number, &guard.kind, counts),
                        _ => false,
                    }
                }
                _ => false,
            };
            if let Some(fired) = fired.get_mut(number) {
                *fired |= hit && *asks;
            }
        }
        Ok(body)
    }

    /// What is done with what stands in the answer to a request; `None` where nothing is looked for in it.
    pub(crate) fn of_answer(&self, asked: Asked<'_>) -> Option<Arc<[redact::Action]>> {
        let asks =
            |guard: usize| self.guards.get(guard).is_some_and(|guard| guard.response && guard.asks(asked));
        let actions = self.texts.as_ref()?.actions(&self.guards, redact::Action::Block, asks);
        actions.iter().any(|action| *action != redact::Action::Off).then_some(actions)
    }

    /// What looks at the texts of an answer.
    pub(crate) fn answer_session(&self, actions: &Arc<[redact::Action]>) -> Option<Session> {
        let mut session = self.texts.as_ref()?.session();
        session.set_actions(Arc::clone(actions));
        Some(session)
    }

    /// The guards for which so much was found in an answer.
    pub(crate) fn fired_in_answer(&self, found: &Outcome) -> Vec<Fired> {
        let Some(rules) = &self.texts else { return Vec::new() };
        let fired = self.guards.iter().enumerate();
        fired
            .filter(|(number, guard)| guard.response && rules.fires(*number, &guard.kind, &found.counts))
            .map(|(_, guard)| Fired { guard: guard.name.clone(), action: guard.action.word() })
            .collect()
    }

    /// What a client gets in the place of an answer that this rule's guard refuses.
    pub(crate) fn withheld(&self, rule: RuleId) -> Failure {
        let guard = self.texts.as_ref().and_then(|rules| self.guards.get(rules.owner(rule)?));
        withheld_by(guard.map_or("", |guard| guard.name.as_str()))
    }

    fn verdict(&self, fired: &[bool], body: Option<Vec<u8>>) -> Verdict {
        let mut verdict = Verdict { body, ..Verdict::default() };
        for guard in self.guards.iter().zip(fired).filter(|(_, fired)| **fired).map(|(guard, _)| guard) {
            verdict.fired.push(Fired { guard: guard.name.clone(), action: guard.action.word() });
            match &guard.action {
                Action::Refuse => {
                    verdict.refusal.get_or_insert_with(|| guard.refusal());
                }
                Action::Reroute(model) if verdict.reroute.is_none() => {
                    verdict.reroute = Some((model.clone(), guard.name.clone()));
                }
                _ => {}
            }
        }
        verdict
    }

    /// The body with what the policy adds to system prompts; `None` where it adds nothing.
    pub fn decorate(&self, asked: Asked<'_>) -> Result<Option<Vec<u8>>, Failure> {
        let added = self.guards.iter().filter(|guard| guard.request && guard.asks(asked));
        let added = added.filter_map(|guard| match &guard.kind {
            GuardKind::SystemPrompt { text, place } => Some((*place, text.as_str())),
            _ => None,
        });
        system_prompt::decorate(asked, added)
    }
}

impl Guard {
    fn new(entry: &GuardEntry) -> Self {
        Self {
            name: entry.name.clone(),
            kind: entry.kind.clone(),
            request: entry.request,
            response: entry.response,
            sources: entry.sources.clone(),
            models: Patterns::new(&entry.models),
            when: When::new(&entry.when),
            action: entry.action.clone(),
        }
    }

    /// Whether it looks at this request.
    fn asks(&self, asked: Asked<'_>) -> bool {
        self.concerns(asked.task.model(), asked.caller, asked.asking)
    }

    fn concerns(&self, model: &str, caller: Option<&Caller>, asking: &Asking) -> bool {
        self.models.matches(model) && self.when.matches(caller, asking)
    }

    fn reads_texts(&self) -> bool {
        match &self.kind {
            GuardKind::Words(_)
            | GuardKind::Pattern(_)
            | GuardKind::Topics { .. }
            | GuardKind::PromptInjection { .. } => true,
            GuardKind::PromptSize { characters, .. } => characters.is_some(),
            GuardKind::SystemPrompt { .. } | GuardKind::AnswerSchema(_) | GuardKind::Judge(_) => false,
        }
    }

    /// What a client gets whose request this guard refuses. Nothing of the request is in it.
    fn refusal(&self) -> Failure {
        let (reason, code) = match &self.kind {
            GuardKind::PromptSize { .. } => ("The request is larger than the guard", "prompt_too_large"),
            GuardKind::SystemPrompt { .. } => (
                "The request has not the system prompt that is required by the guard",
                "system_prompt_required",
            ),
            _ => ("The request holds what is refused by the guard", "content_filter"),
        };
        let end = if matches!(self.kind, GuardKind::PromptSize { .. }) { " allows" } else { "" };
        Failure {
            blame: Blame::Policy,
            ..Failure::invalid(format!("{reason} '{}'{end}.", self.name), None).code(code)
        }
    }
}

/// What a client gets in the place of an answer that a guard refuses.
fn withheld_by(guard: &str) -> Failure {
    let message = format!("The answer holds what is refused by the guard '{guard}'.");
    Failure { blame: Blame::Policy, ..Failure::invalid(message, None).code("content_filter") }
}

/// Goes through the texts of a body, and returns it with what was put in their stead.
type Walk<'w> = dyn Fn(&mut walker::Visit<'_>) -> Result<Option<Vec<u8>>, Failure> + 'w;

/// The texts of each message together: what is cut into parts is read as one.
#[derive(Debug, Default)]
struct Passages(Vec<Passage>);

/// The texts of one message, of one source.
#[derive(Debug)]
pub(crate) struct Passage {
    message: String,
    pub(crate) source: Source,
    pub(crate) text: String,
}

impl Passage {
    /// A text of an answer's.
    pub(crate) fn of_answer(text: String) -> Self {
        Self { message: String::new(), source: Source::Assistant, text }
    }

    /// The same place with another text.
    pub(crate) fn with(&self, text: String) -> Self {
        Self { message: self.message.clone(), source: self.source, text }
    }
}

impl Passages {
    fn add(&mut self, place: &walker::Place<'_>, text: &str) {
        let path = place.path();
        // The values of a template's variables may come to stand beside each other.
        let of_template = path.starts_with("prompt.").then_some("prompt".len());
        let end = of_template.or_else(|| path.find(']')).unwrap_or(path.len());
        let message = path.get(..end).unwrap_or_default();
        match self.0.last_mut() {
            Some(last) if last.message == message && last.source == place.source => {
                last.text.push(' ');
                last.text.push_str(text);
            }
            _ => self.0.push(Passage {
                message: message.to_owned(),
                source: place.source,
                text: text.to_owned(),
            }),
        }
    }
}

/// What comes in the place of a text; `None` where it stays.
fn replaced(session: &mut Session, found: Found<'_>, text: &str) -> Option<String> {
    let is_json = matches!(found, Found::Json(_) | Found::Delta { json: true, .. });
    match is_json {
        true => session.mask_json(text),
        false => session.mask(text),
    }
}

/// A session that only finds: guards have no keys.
fn session(redactor: &Arc<redact::Redactor>) -> Session {
    Session::new(Arc::clone(redactor), Arc::default(), Keys::default())
}
