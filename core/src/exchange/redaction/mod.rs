//! Redaction of one exchange: what each target gets of the request, and what the client gets of the answer.
//!
//! It speaks the client's dialect only. A request is masked before it is read, and an answer when it is ready for the client,
//! so that whatever lies between gets what was masked, whichever provider it is for.

mod screen;
mod stream;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::admission::Denied;
use super::attempt::gone;
use super::passing;
use super::prepare::{self, Prepared};
use crate::access::{Asking, Place};
use crate::dialect::texts::{self, Found, Side, Source};
use crate::dialect::{By, Call, ClientDialect, Passage, Service};
use crate::failure::{Blame, Failure};
use crate::identity::Caller;
use crate::policy::{Model, Plan, Target};
use crate::redact::{Choice, Direction, Outcome, Pseudonyms, Redaction, RuleId};
use crate::task::TaskKind;
pub(super) use screen::{Flow, Screen};
pub(super) use stream::StreamMask;

/// What was found, by direction and rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(BTreeMap<(Direction, RuleId), u32>);

/// The requests that are made of one client's request: one for each table of actions that holds for some target.
#[derive(Debug)]
pub(super) struct Masks {
    plan: Arc<Plan>,
    form: Form,
    content_type: String,
    body: Option<Arc<Vec<u8>>>,
    caller: Option<Arc<Caller>>,
    asking: Asking,
    made: RefCell<Vec<(Choice, Result<Masked, Failure>)>>,
    /// The rule that has first found what may not go on.
    blocked: RefCell<Option<String>>,
}

/// What a request's body is.
#[derive(Clone, Debug)]
enum Form {
    Task(ClientDialect),
    /// Of an API that passes: JSON, or a form with this boundary.
    Json,
    Multipart(String),
    /// Nobody reads it.
    Unread {
        /// Whether there is any.
        content: bool,
    },
}

/// A request as some targets get it.
#[derive(Clone, Debug)]
pub(super) struct Masked {
    pub body: Option<Arc<Vec<u8>>>,
    pseudonyms: Arc<Pseudonyms>,
    conversation: [u8; 32],
    found: Outcome,
}

/// What is done with the answer of one attempt.
#[derive(Clone, Debug)]
pub(super) struct Veil {
    plan: Arc<Plan>,
    choice: Choice,
    pseudonyms: Arc<Pseudonyms>,
    conversation: [u8; 32],
}

/// Walks through the texts of a body.
type Walk<'w> = dyn FnMut(&mut texts::Visit<'_>) -> Result<Option<Vec<u8>>, Failure> + 'w;

impl Masks {
    /// `None` where the policy looks for nothing.
    pub(super) fn new(
        plan: &Arc<Plan>,
        service: &Service,
        content_type: &str,
        body: Option<&Arc<Vec<u8>>>,
        caller: Option<&Arc<Caller>>,
        asking: &Asking,
    ) -> Option<Self> {
        plan.redaction.as_ref()?;
        let form = match service {
            Service::Task(call) => Form::Task(call.dialect),
            Service::Models(_) => return None,
            Service::Passage(passage) => Form::of(passage, content_type),
        };
        Some(Self {
            plan: Arc::clone(plan),
            form,
            content_type: content_type.to_owned(),
            body: body.map(Arc::clone),
            caller: caller.map(Arc::clone),
            asking: asking.clone(),
            made: RefCell::default(),
            blocked: RefCell::default(),
        })
    }

    /// Makes the request for a target.
    pub(super) fn prepare(&self, call: &Call, model: &Model, target: &Target) -> Result<Prepared, Failure> {
        let body = self.for_target(model, target)?.body.ok_or_else(gone)?;
        prepare::prepare(call, model, target, &ClientDialect::decode(call, &body)?, &body)
    }

    /// Whether one could be made.
    pub(super) fn check(&self, call: &Call, model: &Model, target: &Target) -> Result<(), Failure> {
        let body = self.for_target(model, target)?.body.ok_or_else(gone)?;
        prepare::check(call, model, target, &ClientDialect::decode(call, &body)?, &body)
    }

    /// Makes the request of an API that passes.
    pub(super) fn prepare_passing(
        &self,
        passage: &Passage,
        model: &Model,
        target: &Target,
    ) -> Result<Prepared, Failure> {
        let body = self.for_target(model, target)?.body;
        // The model's name may stand elsewhere than in the client's body.
        let named = passing::model_named(passage, &self.content_type, body.as_ref())?;
        passing::prepare(passage, target, named.as_ref(), body.as_ref())
    }

    fn choice(&self, model: &Model, target: &Target) -> Option<(&Redaction, Choice)> {
        let redaction = self.plan.redaction.as_ref()?;
        let place = Place::of(target);
        Some((redaction, redaction.choose(self.caller.as_deref(), &self.asking, &model.name, place)))
    }

    /// What a target gets of the request. An error means that it may not get it.
    pub(super) fn for_target(&self, model: &Model, target: &Target) -> Result<Masked, Failure> {
        let Some((redaction, choice)) = self.choice(model, target) else {
            return Err(Failure::operator("The policy has no redaction."));
        };
        let mut made = self.made.borrow_mut();
        if let Some((_, masked)) = made.iter().find(|(known, _)| *known == choice) {
            return masked.clone();
        }
        let masked = self.mask(redaction, choice);
        made.push((choice, masked.clone()));
        masked
    }

    fn mask(&self, redaction: &Redaction, choice: Choice) -> Result<Masked, Failure> {
        let body = self.body.as_ref().map_or(&[][..], |body| body.as_slice());
        let refuses = redaction.refuse_unreadable && redaction.looks(choice, Direction::Request);
        let conversation = match (&self.form, redaction.gives_back(choice)) {
            (Form::Task(dialect), true) => self.conversation(redaction, *dialect, body)?,
            _ => [0; 32],
        };
        let session = redaction.session(choice, Direction::Request, &conversation);
        let mut screen = Screen::new(session, Arc::default(), redaction.looks(choice, Direction::Request));
        let mut visit = |place: &texts::Place<'_>, found: Found<'_>| match found {
            Found::Unreadable if refuses => Err(unreadable(&place.path())),
            found => Ok(screen.whole(found)),
        };
        let changed = match &self.form {
            _ if !redaction.looks(choice, Direction::Request) => None,
            Form::Task(dialect) => texts::walk(*dialect, Side::Request, body, &mut visit)?,
            Form::Json => texts::walk_passing(body, &mut visit)?,
            Form::Multipart(boundary) => texts::walk_form(boundary, body, &mut visit)?,
            Form::Unread { content: true } if refuses => return Err(unreadable("body")),
            Form::Unread { .. } => None,
        };
        let (found, pseudonyms) = screen.finish();
        if let Some(rule) = found.blocked {
            self.blocked.borrow_mut().get_or_insert_with(|| redaction.name(rule).to_owned());
            return Err(blocked(redaction.name(rule), "request"));
        }
        let body = changed.map(Arc::new).or_else(|| self.body.as_ref().map(Arc::clone));
        Ok(Masked { body, pseudonyms: Arc::new(pseudonyms), conversation, found })
    }

    /// What tells a conversation from others: who leads it, and how it begins. Its later turns begin so too.
    fn conversation(
        &self,
        redaction: &Redaction,
        dialect: ClientDialect,
        body: &[u8],
    ) -> Result<[u8; 32], Failure> {
        let mut beginning: Option<String> = None;
        texts::walk(dialect, Side::Request, body, &mut |place, found| {
            if let (Found::Text(text) | Found::Json(text), Source::User, None) =
                (found, place.source, &beginning)
            {
                beginning = Some(text.to_owned());
            }
            Ok(None)
        })?;
        let caller = self.caller.as_deref().map_or("", |caller| caller.id.as_str());
        Ok(redaction.conversation(caller, beginning.as_deref().unwrap_or_default()))
    }

    /// What is done with the answer of a target that has got this; `None` where nothing is.
    pub(super) fn veil(&self, model: &Model, target: &Target, masked: &Masked) -> Option<Veil> {
        let (redaction, choice) = self.choice(model, target)?;
        let looks = redaction.looks(choice, Direction::Response);
        (looks || !masked.pseudonyms.is_empty()).then(|| Veil {
            plan: Arc::clone(&self.plan),
            choice,
            pseudonyms: Arc::clone(&masked.pseudonyms),
            conversation: masked.conversation,
        })
    }

    /// There will be no other attempt.
    pub(super) fn forget(&mut self) {
        self.body = None;
        self.made.borrow_mut().clear();
    }
}

impl Form {
    fn of(passage: &Passage, content_type: &str) -> Self {
        match (&passage.by, crate::dialect::boundary(content_type)) {
            (By::Body, Some(boundary)) => Self::Multipart(boundary.to_owned()),
            (By::Body, None) => Self::Json,
            (By::Query { .. }, _) => Self::Unread { content: true },
            (By::Policy, _) => Self::Unread { content: passage.method == "POST" },
        }
    }
}

impl Masked {
    /// What was found in it.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        counts.add(Direction::Request, self.found.clone());
        counts
    }
}

impl Veil {
    /// Whether the answer's texts are changed by it, or only looked at.
    fn replaces(&self) -> bool {
        self.redaction().is_some_and(|redaction| redaction.replaces(self.choice, Direction::Response))
    }

    fn redaction(&self) -> Option<&Redaction> {
        self.plan.redaction.as_ref()
    }

    fn screen(&self) -> Option<Screen> {
        let redaction = self.redaction()?;
        let looks = redaction.looks(self.choice, Direction::Response);
        let session = redaction.session(self.choice, Direction::Response, &self.conversation);
        Some(Screen::new(session, Arc::clone(&self.pseudonyms), looks))
    }

    /// For a streamed answer.
    pub(super) fn stream(&self, client: ClientDialect, array: bool) -> Option<StreamMask> {
        Some(StreamMask::new(client, array, self.replaces(), self.screen()?))
    }

    /// The whole answer for the client, in its own dialect; `None`: it stays as it is. An error takes its place.
    pub(super) fn whole(
        &self,
        client: ClientDialect,
        body: &[u8],
        counts: &mut Counts,
    ) -> Result<Option<Vec<u8>>, Failure> {
        if matches!(client.kind(), TaskKind::Embeddings | TaskKind::CountTokens) {
            // Numbers only.
            return Ok(None);
        }
        self.walk(counts, &mut |visit| texts::walk(client, Side::Answer, body, visit))
    }

    /// The same, of an API whose answers pass as they are; what is no JSON is text as a whole, or a stream of events.
    pub(super) fn passing(
        &self,
        client: ClientDialect,
        body: &[u8],
        counts: &mut Counts,
    ) -> Result<Option<Vec<u8>>, Failure> {
        if body.starts_with(b"data:") || body.starts_with(b"event:") {
            let Some(mut stream) = self.stream(client, false) else { return Ok(None) };
            let mut out = Vec::new();
            stream.push(body, &mut out);
            stream.end(&mut out);
            counts.add(Direction::Response, stream.take_outcome());
            return stream.blocked().map_or(Ok(Some(out)), |rule| Err(self.withheld(rule)));
        }
        if crate::json::read::<crate::json::Raw<'_>>(body).is_ok() {
            return self.walk(counts, &mut |visit| texts::walk_passing(body, visit));
        }
        let Ok(text) = std::str::from_utf8(body) else { return Ok(None) };
        let Some(mut screen) = self.screen() else { return Ok(None) };
        let changed = screen.whole(Found::Text(text));
        self.settle(screen, counts)?;
        Ok(changed.map(String::into_bytes))
    }

    fn walk(&self, counts: &mut Counts, walk: &mut Walk<'_>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(mut screen) = self.screen() else { return Ok(None) };
        let mut tokens = false;
        let changed = walk(&mut |_, found| {
            tokens |= found == Found::Tokens;
            Ok(screen.whole(found))
        });
        // What is no JSON has no text that a client of the dialect would read.
        let changed = changed.map_err(|_| Failure::malformed("The provider's answer could not be read."))?;
        self.settle(screen, counts)?;
        if changed.is_none() || !tokens || !self.replaces() {
            return Ok(changed);
        }
        // Tokens would tell what was replaced.
        let Some(mut screen) = self.screen() else { return Ok(changed) };
        walk(&mut |_, found| {
            Ok(match found {
                Found::Tokens => Some(String::new()),
                found => screen.whole(found),
            })
        })
    }

    fn settle(&self, screen: Screen, counts: &mut Counts) -> Result<(), Failure> {
        let (found, _) = screen.finish();
        let blocked = found.blocked;
        counts.add(Direction::Response, found);
        blocked.map_or(Ok(()), |rule| Err(self.withheld(rule)))
    }

    /// A failure whose words may be a provider's.
    pub(super) fn failure(&self, failure: &mut Failure) {
        if let Some(mut screen) = self.screen()
            && let Some(message) = screen.whole(Found::Text(&failure.message))
        {
            failure.message = message.into();
        }
    }

    /// The failure in the place of an answer that may not reach the client.
    pub(super) fn withheld(&self, rule: RuleId) -> Failure {
        blocked(self.redaction().map_or("", |redaction| redaction.name(rule)), "answer")
    }
}

impl Counts {
    pub(super) fn add(&mut self, direction: Direction, found: Outcome) {
        for (rule, count) in found.counts {
            let known = self.0.entry((direction, rule)).or_default();
            *known = known.saturating_add(count);
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        for (key, count) in other.0 {
            let known = self.0.entry(key).or_default();
            *known = known.saturating_add(count);
        }
    }

    /// Each rule's name with what it has found in a direction.
    pub(super) fn iter<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a str, Direction, u32)> {
        self.0.iter().filter_map(|((direction, rule), count)| {
            Some((plan.redaction.as_ref()?.name(*rule), *direction, *count))
        })
    }

    /// Each rule with what it has found in both directions: `email=2, iban=1`.
    pub(super) fn line(&self, plan: &Plan) -> String {
        let mut sums: BTreeMap<RuleId, u32> = BTreeMap::new();
        for ((_, rule), count) in &self.0 {
            let sum = sums.entry(*rule).or_default();
            *sum = sum.saturating_add(*count);
        }
        let Some(redaction) = &plan.redaction else { return String::new() };
        let each = sums.into_iter().map(|(rule, count)| format!("{}={count}", redaction.name(rule)));
        each.collect::<Vec<_>>().join(", ")
    }
}

/// The same denial, with the rule for whose sake it is, if it is for one's.
pub(super) fn told(masks: Option<&Masks>, denied: Denied) -> Denied {
    let rule = masks.and_then(|masks| masks.blocked.borrow().clone());
    match (denied, rule) {
        (Denied::Failure(failure), Some(rule)) if failure.code.as_deref() == Some(BLOCKED) => {
            Denied::Blocked(Box::new(failure), rule)
        }
        (denied, _) => denied,
    }
}

const BLOCKED: &str = "content_blocked";

/// The policy lets nothing pass that this rule finds; what it was, nobody is told.
fn blocked(rule: &str, what: &str) -> Failure {
    let message = format!("The {what} has content that the rule '{rule}' blocks.");
    Failure { blame: Blame::Policy, ..Failure::invalid(message, None) }.code(BLOCKED)
}

fn unreadable(path: &str) -> Failure {
    let message = format!(
        "Unreadable content: '{path}' can't be searched for personal data, and the policy refuses such."
    );
    Failure { blame: Blame::Policy, ..Failure::invalid(message, Some(path.to_owned())) }
        .code("content_unreadable")
}
