//! What outside judges say of a request before a provider gets it, and of its answer before the client does.
//!
//! The host makes the callouts that [`Exchange::judge_request`] and [`Exchange::judge_answer`] ask for, all at once, tells
//! [`Exchange::judged`] of each answer, and then asks for the ruling. A stream that is judged in windows goes through
//! [`Exchange::judge_stream`] instead.

mod stream;
mod windows;
#[cfg(test)]
mod windows_tests;

use std::sync::Arc;
use std::time::Duration;

pub use stream::{Next, Portion};

use super::admission::Denied;
use super::guarded::{Guarded, Refused, empty_answer};
use super::opening::Opening;
use super::response::Form;
use super::{Bill, Exchange, Reply};
use crate::dialect::{self, ClientDialect};
use crate::failure::Failure;
use crate::guard::judge::{self, Callout, Judge, Question, Trouble, Verdict};
use crate::guard::{Action, Asked, Fired, Passage};
use crate::policy::{Plan, Target};
use crate::redact::{Direction, Session};
use crate::shared::SharedMemory;
use crate::task::{Outcome, TaskKind};
use crate::usage::metrics::{self, Measure};
use windows::Windows;

/// The judges of one exchange, by their positions among the policy's.
#[derive(Debug, Default)]
pub(super) struct Judging {
    of_request: Vec<usize>,
    of_answer: Vec<usize>,
    /// The request's texts, until they are judged.
    texts: Vec<Passage>,
    /// The request once more, where a verdict may give it to another model.
    again: Option<Box<(Opening, Arc<Vec<u8>>)>>,
    /// Those who are being asked.
    asked: Vec<Opinion>,
    /// What shapes an answer, for one that takes the place of a refused one.
    form: Option<dialect::Asked>,
    /// What is held of a stream, where it is judged in windows.
    windows: Option<Box<Windows>>,
    measures: Vec<Measure>,
}

/// One judge's verdict, or the lack of it.
#[derive(Debug)]
struct Opinion {
    judge: usize,
    since: Duration,
    /// How many texts it was asked about.
    texts: usize,
    /// `None` while it has not answered.
    verdict: Option<Result<Verdict, Trouble>>,
}

/// What all verdicts come to.
#[derive(Debug, Default)]
struct Ruling {
    /// In the policy's order.
    fired: Vec<Fired>,
    /// Why it does not go on, and whether that is a verdict.
    refusal: Option<(Failure, bool)>,
    /// The model that serves it, and the guard for whose sake.
    reroute: Option<(String, String)>,
}

/// What a judge gets of what it is asked about.
type CopyFor<'c> = dyn FnMut(&Exchange, &Judge) -> Result<Vec<Passage>, Trouble> + 'c;

/// The word for a judge that gives no verdict, in the place of an action's.
const FAILED: &str = "failed";

impl Judging {
    /// `None` where nobody is asked. `judged`: the request as the other guards have left it.
    pub(super) fn new(
        opening: &Opening,
        asked: Asked<'_>,
        judged: &[u8],
    ) -> Result<Option<Box<Self>>, Failure> {
        let guards = &opening.plan.guards;
        let (of_request, mut of_answer) = guards.judges_of(asked);
        if asked.task.kind() != TaskKind::Conversation {
            of_answer.clear();
        }
        if of_request.is_empty() && of_answer.is_empty() {
            return Ok(None);
        }
        let texts = match of_request.is_empty() {
            true => Vec::new(),
            false => judge::of_request(asked.client, judged)?,
        };
        Ok(Some(Box::new(Self { of_request, of_answer, texts, ..Self::default() })))
    }

    /// Keeps the request as it goes on, where a judge may give it to another model.
    pub(super) fn keep(&mut self, opening: &Opening, body: &Arc<Vec<u8>>) {
        let reroutes = |judge: &usize| {
            let guard = opening.plan.guards.judged_by(*judge);
            guard.is_some_and(|(_, action)| matches!(action, Action::Reroute(_)))
        };
        if self.of_request.iter().any(reroutes) {
            self.again = Some(Box::new((opening.clone(), Arc::clone(body))));
        }
    }

    fn ruling(&mut self, plan: &Plan, direction: Direction) -> Ruling {
        let mut ruling = Ruling::default();
        for opinion in std::mem::take(&mut self.asked) {
            let judge = opinion.judge;
            let (Some((guard, action)), Some(known)) =
                (plan.guards.judged_by(judge), plan.guards.judge(judge))
            else {
                continue;
            };
            let mut fire =
                |action: &'static str| ruling.fired.push(Fired { guard: guard.to_owned(), action });
            match opinion.verdict.unwrap_or(Err(Trouble::Error)) {
                Ok(Verdict { flagged: false, .. }) => {}
                Ok(_) => {
                    fire(action.word());
                    match action {
                        Action::Refuse => {
                            let refusal = || (plan.guards.flagged(judge, direction), true);
                            ruling.refusal.get_or_insert_with(refusal);
                        }
                        Action::Reroute(model) => {
                            ruling.reroute.get_or_insert_with(|| (model.clone(), guard.to_owned()));
                        }
                        _ => {}
                    }
                }
                Err(_) => {
                    fire(FAILED);
                    if !known.fails_open {
                        ruling.refusal.get_or_insert_with(|| (plan.guards.unjudged(judge), false));
                    }
                }
            }
        }
        ruling
    }
}

impl Exchange {
    /// Whether anybody judges the request.
    pub fn is_judged(&self) -> bool {
        self.guarded.judging.as_ref().is_some_and(|judging| !judging.of_request.is_empty())
    }

    /// Asks those who judge requests, at `now` (since the Unix epoch). `None`: nobody is to be asked. Where there is nothing to
    /// be called out, the ruling is there at once.
    pub fn judge_request(&mut self, now: Duration) -> Option<Vec<Callout>> {
        let judging = self.guarded.judging.as_mut()?;
        let judges = std::mem::take(&mut judging.of_request);
        let texts = std::mem::take(&mut judging.texts);
        let request = Direction::Request;
        self.ask(&judges, request, now, &mut |exchange, judge| exchange.copy_for(judge, request, &texts))
    }

    /// Whether anybody judges the answer: it is held until then.
    pub fn is_answer_judged(&self) -> bool {
        self.guarded.judging.as_ref().is_some_and(|judging| !judging.of_answer.is_empty())
    }

    /// Asks those who judge answers about a whole one in the client's dialect, or about the bytes of a whole stream. As
    /// [`Self::judge_request`].
    pub fn judge_answer(&mut self, body: &[u8], now: Duration) -> Option<Vec<Callout>> {
        let judges = std::mem::take(&mut self.guarded.judging.as_mut()?.of_answer);
        match judge::of_answer(self.client(), self.stream, body) {
            Ok(texts) => {
                let answer = Direction::Response;
                self.ask(&judges, answer, now, &mut |exchange, judge| {
                    exchange.copy_for(judge, answer, &texts)
                })
            }
            Err(_) => {
                let unread = |judge: usize| Opinion {
                    judge,
                    since: now,
                    texts: 0,
                    verdict: Some(Err(Trouble::Malformed)),
                };
                self.guarded.judging.as_mut()?.asked = judges.into_iter().map(unread).collect();
                Some(Vec::new())
            }
        }
    }

    /// Asks these judges, each about its copy of the texts. `None`: there is nothing to be judged.
    fn ask(
        &mut self,
        judges: &[usize],
        direction: Direction,
        now: Duration,
        copy: &mut CopyFor<'_>,
    ) -> Option<Vec<Callout>> {
        let (mut asked, mut callouts) = (Vec::new(), Vec::new());
        for judge in judges {
            let Some(known) = self.plan.guards.judge(*judge) else { continue };
            let copy = copy(self, known);
            let count = copy.as_ref().map_or(0, Vec::len);
            let verdict = match copy {
                // There is nothing to be judged.
                Ok(copy) if copy.is_empty() => continue,
                Ok(copy) => {
                    let question = Question {
                        guard: self.plan.guards.judged_by(*judge).map_or("", |(guard, _)| guard),
                        direction,
                        model: &self.model.name,
                        caller: self.caller.as_deref(),
                        texts: &copy,
                    };
                    match known.callout(asked.len(), question, now) {
                        Ok(callout) => {
                            callouts.push(callout);
                            None
                        }
                        Err(_) => Some(Err(Trouble::Error)),
                    }
                }
                Err(trouble) => Some(Err(trouble)),
            };
            asked.push(Opinion { judge: *judge, since: now, texts: count, verdict });
        }
        if asked.is_empty() {
            return None;
        }
        self.guarded.judging.as_mut()?.asked = asked;
        Some(callouts)
    }

    /// What a judge gets of the texts: what redaction lets a provider of its kind have.
    fn copy_for(
        &self,
        judge: &Judge,
        direction: Direction,
        texts: &[Passage],
    ) -> Result<Vec<Passage>, Trouble> {
        let guards = &self.plan.guards;
        let wanted = texts
            .iter()
            .filter(|passage| direction == Direction::Response || judge.looks_at(guards, passage));
        let mut session = self.session_for(judge);
        let copy = wanted.map(|passage| {
            let masked = session.as_mut().and_then(|session| session.mask(&passage.text));
            passage.with(masked.unwrap_or_else(|| passage.text.clone()))
        });
        let copy = copy.collect();
        match session.and_then(|session| session.outcome().blocked) {
            Some(_) => Err(Trouble::Blocked),
            None => Ok(copy),
        }
    }

    /// What goes to a judge goes through this; `None`: it goes as it is.
    fn session_for(&self, judge: &Judge) -> Option<Session> {
        let redaction = self.plan.redaction.as_ref()?;
        let choice = redaction.choose(self.caller.as_deref(), &self.asking, &self.model.name, judge.place());
        // Nothing is given back by a judge, so nobody has to know its pseudonyms again.
        redaction
            .looks(choice, Direction::Request)
            .then(|| redaction.session(choice, Direction::Request, &[]))
    }

    /// A judge has answered the question of this number with a status and a body, or not at all.
    pub fn judged(&mut self, number: usize, answer: Option<(u16, &[u8])>, now: Duration) {
        let plan = Arc::clone(&self.plan);
        let Some(judging) = self.guarded.judging.as_mut() else { return };
        let Some(opinion) = judging.asked.get_mut(number) else { return };
        let Some(judge) = plan.guards.judge(opinion.judge) else { return };
        let elapsed = now.saturating_sub(opinion.since);
        let verdict = match answer {
            Some((200, body)) => judge.verdict(body, opinion.texts),
            // Envoy answers in the stead of a judge that is silent. It counts from the beginning of a turn of its loop, so that its
            // time may be over a little before ours.
            Some((504, _)) | None if elapsed + judge.timeout / 10 >= judge.timeout => Err(Trouble::Timeout),
            _ => Err(Trouble::Error),
        };
        opinion.verdict = Some(verdict);
        let guard = plan.guards.judged_by(opinion.judge).map_or("", |(guard, _)| guard);
        judging.measures.push(metrics::judge_duration(guard, elapsed));
    }

    /// What the judges that were asked add to the metrics; each is there once, before the ruling.
    pub fn take_judge_measures(&mut self) -> Vec<Measure> {
        let plan = Arc::clone(&self.plan);
        let Some(judging) = self.guarded.judging.as_mut() else { return Vec::new() };
        for opinion in &judging.asked {
            let Some(judge) = plan.guards.judge(opinion.judge) else { continue };
            let guard = plan.guards.judged_by(opinion.judge).map_or("", |(guard, _)| guard);
            let (result, usage) = match opinion.verdict {
                Some(Ok(Verdict { flagged: true, usage })) => ("flagged", usage),
                Some(Ok(Verdict { usage, .. })) => ("passed", usage),
                Some(Err(trouble)) => (trouble.word(), None),
                None => (Trouble::Error.word(), None),
            };
            judging.measures.push(metrics::judge_call(guard, result));
            let cost = usage.and_then(|usage| judge.cost(&usage));
            judging.measures.extend(
                usage.iter().flat_map(|usage| metrics::judge_usage(guard, judge.provider(), usage, cost)),
            );
        }
        std::mem::take(&mut judging.measures)
    }

    /// What becomes of the request. `Some`: this exchange takes the place of the other, at another model. A reply ends it; nothing
    /// of its limits has been used then.
    pub fn rule_request(
        &mut self,
        memory: &dyn SharedMemory,
        now: Duration,
    ) -> Result<Option<Box<Self>>, Reply> {
        let plan = Arc::clone(&self.plan);
        let Some(judging) = self.guarded.judging.as_mut() else { return Ok(None) };
        let ruling = judging.ruling(&plan, Direction::Request);
        let again = judging.again.take();
        self.guarded.fired.extend(ruling.fired);
        if let Some((failure, _)) = ruling.refusal {
            self.withdraw(memory, now);
            let refused = Refused { failure, fired: self.guarded.fired.clone() };
            return Err(Reply::guarded(self.client(), &refused));
        }
        let (Some(reroute), Some(again), None) = (ruling.reroute, again, &self.guarded.reroute) else {
            return Ok(None);
        };
        self.withdraw(memory, now);
        let (opening, body) = *again;
        let guarded = Guarded { reroute: Some(reroute), ..std::mem::take(&mut self.guarded) };
        let fired = guarded.fired.clone();
        let client = opening.client();
        opening.admitted(Some(body), guarded, memory).map(|exchange| Some(Box::new(exchange))).map_err(
            |denied| {
                let refused = matches!(denied, Denied::Guarded(_));
                let reply = denied.reply(client, now);
                if refused { reply } else { Reply { guards: fired, ..reply } }
            },
        )
    }

    /// What takes the place of the answer; `None`: it goes on as it is. `now`: seconds since the Unix epoch.
    pub fn rule_answer(&mut self, now: u64) -> Option<Reply> {
        let plan = Arc::clone(&self.plan);
        let judging = self.guarded.judging.as_mut()?;
        let ruling = judging.ruling(&plan, Direction::Response);
        let form = judging.form.take();
        self.guarded.add(ruling.fired);
        let (failure, flagged) = ruling.refusal?;
        let client = self.client();
        let empty = || {
            let form = form.unwrap_or_default();
            let answer = empty_answer(&form.model, self.usage);
            client.encode(&Outcome::Conversation(answer), &form, now).ok()
        };
        // A stream of which nothing has gone to the client fails as a whole.
        match (flagged && !self.stream).then(empty).flatten() {
            Some(body) => Some(Reply::json(body)),
            None => Some(Reply::failure(client, &failure)),
        }
    }

    /// The call is not made: all that was taken of its limits is given back.
    pub fn withdraw(&mut self, memory: &dyn SharedMemory, now: Duration) {
        if let Some(reservation) = self.reservation.take() {
            self.plan.limits.cancel(memory, reservation, now);
        }
        self.bill.get_or_insert_with(Bill::default);
    }

    /// Keeps what an answer of this attempt would be shaped by.
    pub(super) fn keep_form(&mut self, form: &Form, target: &Target) {
        if let Some(judging) = &mut self.guarded.judging
            && !judging.of_answer.is_empty()
        {
            judging.form = Some(match form {
                Form::Translated(asked) => asked.clone(),
                _ => dialect::Asked { model: target.model.clone(), ..dialect::Asked::default() },
            });
        }
    }
}

impl Denied {
    /// What the client gets.
    pub(super) fn reply(self, client: ClientDialect, now: Duration) -> Reply {
        match self {
            Self::Failure(failure) => Reply::failure(client, &failure),
            Self::Spent(spent) => Reply::spent(client, &spent, now),
            Self::Guarded(refused) => Reply::guarded(client, &refused),
            Self::Blocked(failure, rule) => {
                Reply { blocked: Some(rule.into()), ..Reply::failure(client, &failure) }
            }
        }
    }
}
