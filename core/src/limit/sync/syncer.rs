//! When the rate-limit service is asked for which counters, and what is done with its answers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::descriptor::{MOST, RATE_WINDOW, entries, quantum};
use super::merge::{Seen, Word, deepest, of_budget, of_rate, put};
use super::outcome::{Answer, Outcome, Trouble};
use super::{heard, known, wire};
use crate::limit::ledger::Urgency;
use crate::limit::subject::join;
use crate::limit::{Counter, Limit, Limits, Meter};
use crate::policy::{Document, SyncEntry};
use crate::shared::SharedMemory;

/// The most counters that one call asks for.
const BATCH: usize = 200;
/// The most counters that are asked for in one interval; those that have waited longest come first.
const ROUND: usize = 20_000;
/// So many counters are asked for in every interval, whoever uses them.
const FEW: usize = 1000;
/// Of more, those that nobody uses here are asked for every so many intervals.
const REST: u32 = 10;
/// And at least after this time.
const LEAST_REST: Duration = Duration::from_secs(10);
/// Gateways' clocks differ, and what is told may be on its way: so long after a window has ended, it is still asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Keeps counters in step with those of the other gateways, in rounds: in each, the service is told what it has not been, and
/// asked for all that matters, in calls one after another.
#[derive(Debug)]
pub struct Syncer {
    entry: SyncEntry,
    limits: Limits,
    /// The counters that the policy names: asked for until there has been one good round, and while there are few in all.
    known: Vec<Key>,
    /// Whether the policy names more counters than that.
    has_more: bool,
    seen: HashMap<Key, Seen>,
    /// The rest of the round.
    queue: VecDeque<Question>,
    /// What the call under way asks for.
    asked: Vec<Question>,
    round: Option<Round>,
    /// When the next round is due; at once where `None`.
    due: Option<Duration>,
    /// When the last good round began.
    good: Option<Duration>,
    /// What was last noted.
    trouble: Option<Trouble>,
}

/// A counter: its limit's position and what it counts.
type Key = (usize, String);

/// The round that is under way.
#[derive(Debug)]
struct Round {
    began: Duration,
    trouble: Option<Trouble>,
}

/// What the service is asked of one counter.
#[derive(Debug)]
struct Question {
    key: Key,
    window: u64,
    /// In the service's units.
    hits: u64,
    /// So much of what is untold here is told by it.
    told: u64,
    /// Whether the window before is asked for as well.
    before: bool,
}

/// A call to the service: the headers and body of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What is to be done after an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Ask(Ask),
    /// The round has ended.
    Over(Outcome),
}

impl Syncer {
    /// Knows nothing yet; `None` where the policy has the service not asked by the module, or has no limit that it could be
    /// asked for.
    pub fn new(document: &Document) -> Option<Self> {
        let entry = document.limits_sync.as_ref().filter(|entry| entry.is_background())?;
        let limits = Limits::of_document(document);
        limits.iter().find(|limit| limit.book.tells())?;
        let (known, has_more) = known::counters(document, &limits);
        Some(Self {
            entry: entry.clone(),
            limits,
            known,
            has_more,
            seen: HashMap::new(),
            queue: VecDeque::new(),
            asked: Vec::new(),
            round: None,
            due: None,
            good: None,
            trouble: None,
        })
    }

    pub fn entry(&self) -> &SyncEntry {
        &self.entry
    }

    /// When the last good round began, since the Unix epoch.
    pub fn good(&self) -> Option<Duration> {
        self.good
    }

    /// How many counters the service has spoken of lately.
    pub fn counters(&self) -> usize {
        self.seen.len()
    }

    /// Whether the policy names more counters than are asked for at the start.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// The first call of a round, if one is due at `now` (since the Unix epoch). `tick` is the time between two calls of this.
    pub fn begin(&mut self, memory: &dyn SharedMemory, now: Duration, tick: Duration) -> Option<Ask> {
        if self.round.is_some() || self.due.is_some_and(|due| now + tick / 2 < due) {
            return None;
        }
        self.due = Some(now + self.entry.interval);
        self.round = Some(Round { began: now, trouble: None });
        self.queue = self.questions(memory, now);
        self.call()
    }

    /// Takes the answer to the last call, or that there is none.
    pub fn answered(&mut self, memory: &dyn SharedMemory, answer: &Answer<'_>, now: Duration) -> Next {
        let asked = std::mem::take(&mut self.asked);
        let expected = asked.iter().map(|question| if question.before { 2 } else { 1 }).sum();
        match answer.statuses(expected) {
            Ok(statuses) => {
                let mut statuses = statuses.into_iter();
                for question in asked {
                    let current = statuses.next();
                    let before = if question.before { statuses.next() } else { None };
                    let heard = self.hear(memory, question, current, before, now);
                    self.note_failure(heard.err());
                }
                if let Some(ask) = self.call() {
                    return Next::Ask(ask);
                }
            }
            // Nothing was told: it is told again in the next round. Where only the answer was lost, it is told twice.
            Err(trouble) => self.note_failure(Some(trouble)),
        }
        Next::Over(self.end(memory))
    }

    fn note_failure(&mut self, trouble: Option<Trouble>) {
        if let (Some(round), Some(trouble)) = (&mut self.round, trouble) {
            round.trouble.get_or_insert(trouble);
        }
    }

    fn end(&mut self, memory: &dyn SharedMemory) -> Outcome {
        self.queue.clear();
        let Some(Round { began, trouble }) = self.round.take() else { return Outcome::default() };
        let mut outcome = Outcome { is_news: !alike(&self.trouble, &trouble), ..Outcome::default() };
        if trouble.is_none() {
            outcome.learned = self.good.is_none().then_some(self.seen.len());
            self.good = Some(began);
            heard(memory, began);
        }
        self.trouble.clone_from(&trouble);
        outcome.trouble = trouble;
        outcome
    }

    /// The next call of the round, if anything is left to ask.
    fn call(&mut self) -> Option<Ask> {
        let count = self.queue.len().min(BATCH);
        if count == 0 {
            return None;
        }
        self.asked = self.queue.drain(..count).collect();
        let mut descriptors = Vec::with_capacity(count);
        for question in &self.asked {
            let Some(limit) = self.limits.get(question.key.0) else { continue };
            let descriptor = |window: u64, hits: u64| wire::Descriptor {
                entries: entries(limit, &question.key.1, window),
                hits_addend: Some(hits),
            };
            descriptors.push(descriptor(question.window, question.hits));
            if question.before {
                descriptors.push(descriptor(question.window.saturating_sub(RATE_WINDOW), 0));
            }
        }
        let request = wire::Request { domain: self.entry.domain.clone(), descriptors };
        let headers = vec![
            (":method", "POST".to_owned()),
            (":path", wire::PATH.to_owned()),
            (":authority", self.entry.authority().to_owned()),
            ("content-type", "application/grpc".to_owned()),
            ("te", "trailers".to_owned()),
            ("grpc-timeout", format!("{}m", super::TIMEOUT.as_millis())),
        ];
        Some(Ask { headers, body: wire::frame(&request) })
    }

    /// What is to be asked for in a round that begins now.
    fn questions(&mut self, memory: &dyn SharedMemory, now: Duration) -> VecDeque<Question> {
        let rest = self.entry.interval.saturating_mul(REST).max(LEAST_REST);
        self.seen.retain(|_, seen| now.saturating_sub(seen.at) < rest.saturating_mul(3));
        let told: Vec<_> = self.limits.iter().enumerate().filter(|(_, limit)| limit.book.tells()).collect();
        let mut known = HashSet::new();
        let mut found = Vec::new();
        for (position, subject, counter) in self.limits.counters(memory, now) {
            let Some(limit) = self.limits.get(position).filter(|limit| limit.book.tells()) else { continue };
            let key = (position, subject);
            let question = self.question(limit, key.clone(), &counter, now);
            let is_due = question.hits > 0 || self.is_due(&key, limit, &counter, now, rest);
            found.push((question, is_due));
            known.insert(key);
        }
        let are_few = found.len() <= FEW;
        let are_all = self.good.is_none() || found.len().saturating_add(self.known.len()) <= FEW;
        let found = found.into_iter().filter(|(_, is_due)| are_few || *is_due);
        let mut found: Vec<_> = found.map(|(question, _)| question).collect();
        let mut others = if are_all { self.known.clone() } else { Vec::new() };
        let single = told.iter().filter(|(_, limit)| limit.by.is_empty());
        others.extend(single.map(|(position, _)| (*position, String::new())));
        if found.is_empty() && others.is_empty() {
            // The service is asked all the same: whether it is there may decide about calls.
            others.extend(told.first().map(|(position, limit)| (*position, join(&vec![""; limit.by.len()]))));
        }
        for key in others {
            if let (Some(limit), true) = (self.limits.get(key.0), known.insert(key.clone())) {
                let counter = limit.book.read(memory, &key.1, now);
                found.push(self.question(limit, key, &counter, now));
            }
        }
        if found.len() > ROUND {
            found.sort_by_cached_key(|question| self.seen.get(&question.key).map(|seen| seen.at));
            found.truncate(ROUND);
        }
        found.into()
    }

    fn question(&self, limit: &Limit, key: Key, counter: &Counter, now: Duration) -> Question {
        let quantum = quantum(limit);
        let untold = counter.untold();
        let (window, before, tellable) = match &limit.book.meter {
            meter @ Meter::Rate { .. } => {
                let window = now.as_secs() / RATE_WINDOW * RATE_WINDOW;
                let grace = GRACE.max(self.entry.interval.saturating_mul(3));
                let is_new = self.seen.get(&key).is_none_or(|seen| seen.window != window);
                let is_early = now.saturating_sub(Duration::from_secs(window)) < grace;
                // What was used long ago has drained: others need not hear of it.
                (window, is_new || is_early, untold.min(deepest(meter)))
            }
            Meter::Budget { .. } | Meter::Concurrency { .. } => (counter.since().as_secs(), false, untold),
        };
        // The service adds to what it has in 64 bits: far more than anything that is told at once.
        let hits = (tellable / quantum).min(u64::MAX >> 2);
        let told = if tellable < untold { untold - untold % quantum } else { hits.saturating_mul(quantum) };
        Question { key, window, hits, told, before }
    }

    /// Whether a counter is to be asked for though there is nothing to tell.
    fn is_due(&self, key: &Key, limit: &Limit, counter: &Counter, now: Duration, rest: Duration) -> bool {
        let Some(seen) = self.seen.get(key) else { return true };
        let meter = &limit.book.meter;
        matches!(meter, Meter::Rate { .. })
            || counter.held() > 0
            || counter.used(meter) != seen.used
            || now.saturating_sub(seen.at) >= rest
    }

    /// Takes over what the service says of one counter.
    fn hear(
        &mut self,
        memory: &dyn SharedMemory,
        question: Question,
        current: Option<wire::Status>,
        before: Option<wire::Status>,
        now: Duration,
    ) -> Result<(), Trouble> {
        let Some(limit) = self.limits.get(question.key.0) else { return Ok(()) };
        let (quantum, meter) = (quantum(limit), &limit.book.meter);
        let total = |status: Option<wire::Status>| {
            let unknown = || Trouble::Unknown(limit.name.clone());
            let status = status.ok_or_else(unknown)?;
            let most = status.current_limit.ok_or_else(unknown)?.requests_per_unit;
            // At its end it says no longer how much it has.
            let is_enough = status.limit_remaining > 0
                || u64::from(most) == MOST
                || u64::from(most).saturating_mul(quantum) >= meter.capacity();
            let told = u64::from(most.saturating_sub(status.limit_remaining)).saturating_mul(quantum);
            if is_enough { Ok(told) } else { Err(unknown()) }
        };
        let word = Word {
            window: question.window,
            total: total(current)?,
            mine: question.hits.saturating_mul(quantum),
            before: if question.before { Some(total(before)?) } else { None },
        };
        let seen = self.seen.get(&question.key);
        let is_rate = matches!(meter, Meter::Rate { .. });
        let mut kept = 0;
        let changed = limit.book.change(memory, &question.key.1, now, Urgency::Settling, |counter| {
            if !is_rate && counter.since().as_secs() != word.window {
                // The window is over, and what was untold of it is gone with it.
                return false;
            }
            counter.told(question.told);
            let news = match is_rate {
                true => of_rate(meter, &word, seen, counter.untold(), now),
                false => of_budget(&word, seen, counter.untold()),
            };
            kept = news.before;
            put(counter, meter, news) || question.told > 0
        });
        let (counter, _) = changed.map_err(|_| Trouble::Unwritable)?;
        let (window, total) = (word.window, word.total);
        let seen = Seen { window, total, before: kept, used: counter.used(meter), at: now };
        self.seen.insert(question.key, seen);
        Ok(())
    }
}

/// Whether two troubles are of one kind.
fn alike(one: &Option<Trouble>, other: &Option<Trouble>) -> bool {
    one.as_ref().map(Trouble::word) == other.as_ref().map(Trouble::word)
}
