//! How much may be used: taken before a call as much as it may need, settled after it by what it has used.
//!
//! A limit has a counter for each caller, model or whatever it counts [`by`](By). Counters lie in [shared memory](ledger), so a
//! limit is exact across workers. What a call takes is a [`Reservation`].

mod counter;
pub mod headers;
#[cfg(test)]
mod index_tests;
mod ledger;
pub mod report;
mod reservation;
mod slot;
mod subject;
pub mod sync;
mod taking;
#[cfg(test)]
mod tests;
pub mod typical;
pub mod window;

pub use counter::{Counter, Meter, Standing};
pub use ledger::Book;
pub use reservation::{Alert, Amounts, Reservation, Settled, Spent};
pub use subject::By;

use std::collections::HashMap;
use std::time::Duration;

use crate::access::{Asking, Index, Patterns, Place, When};
use crate::identity::Caller;
use crate::policy::{Document, LimitEntry, SyncEntry};
use crate::price::NanoUsd;
use crate::shared::SharedMemory;
use window::Period;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    Requests,
    /// Of the request and the answer.
    Tokens,
    InputTokens,
    OutputTokens,
    /// Nano-dollars.
    Usd,
    /// Calls at a time.
    Concurrent,
}

/// What happens to a call for which a limit has no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Refuse,
    /// It is served and told.
    Warn,
    /// It is served by the model of this name, if that has room.
    Reroute(String),
}

/// The limits of a policy, compiled.
#[derive(Debug, Default)]
pub struct Limits {
    limits: Vec<Limit>,
    /// The positions of limits whose counters lie together.
    shelves: Vec<Vec<usize>>,
    index: Index,
    /// Whether any of them depends on which target serves a call.
    of_targets: bool,
    sync: Option<SyncEntry>,
}

/// One limit.
#[derive(Debug)]
pub struct Limit {
    pub name: String,
    pub unit: Unit,
    pub period: Option<Period>,
    pub by: Vec<By>,
    models: Patterns,
    when: When,
    action: Action,
    /// In thousandths of the limit.
    alert_at: Vec<u16>,
    pub mid_stream: bool,
    /// Which limits' counters lie together with its own; those are taken of at once.
    shelf: Shelf,
    pub book: Book,
}

/// Where the counters of limits lie together. The order of shelves is that in which they are taken of: what is used at once comes
/// last, as it is the hardest to give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Shelf {
    /// Whether requests are counted there.
    counts_requests: bool,
    number: usize,
}

/// A call that limits are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub caller: Option<&'a Caller>,
    pub asking: &'a Asking,
    /// The name that the client has sent.
    pub model: &'a str,
}

impl Limits {
    /// `sync`: how other replicas are told of what is used.
    pub(crate) fn new(entries: &[LimitEntry], sync: Option<&SyncEntry>) -> Self {
        let tells = sync.is_some_and(SyncEntry::is_background);
        let mut limits: Vec<Limit> = entries.iter().map(|entry| Limit::new(entry, tells)).collect();
        let shelves = shelve(&mut limits);
        let index = Index::new(limits.iter().map(|limit| (&limit.when, &limit.models)));
        let of_targets = limits.iter().any(Limit::is_of_target);
        Self { limits, shelves, index, of_targets, sync: sync.cloned() }
    }

    /// The limits of a document, as they are once it is compiled.
    pub fn of_document(document: &Document) -> Self {
        Self::new(&document.limits, document.limits_sync.as_ref())
    }

    /// The headers that limits ask for, or count by.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        let by = self.limits.iter().flat_map(|limit| &limit.by).filter_map(By::header);
        by.chain(self.limits.iter().flat_map(|limit| limit.when.headers()))
    }

    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// All limits, in the policy's order.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.limits.iter()
    }

    /// Every counter that says something at `now` (since the Unix epoch), with the position of its limit and what it counts; in no
    /// order.
    pub fn counters(&self, memory: &dyn SharedMemory, now: Duration) -> Vec<(usize, String, Counter)> {
        let mut counters = Vec::new();
        for shelf in &self.shelves {
            let books: Vec<_> =
                shelf.iter().filter_map(|position| Some(&self.get(*position)?.book)).collect();
            let found = ledger::all(memory, &books, now).into_iter();
            counters
                .extend(found.filter_map(|(at, subject, counter)| Some((*shelf.get(at)?, subject, counter))));
        }
        counters
    }

    /// The limit at a position.
    pub(crate) fn get(&self, position: usize) -> Option<&Limit> {
        self.limits.get(position)
    }

    /// The limits that hold for a call at one of these targets, with their positions; those that ask nothing of a target are
    /// among them.
    fn of(&self, call: Call<'_>, places: &[Place<'_>]) -> impl Iterator<Item = (usize, &Limit)> {
        let candidates = self.index.candidates(call.caller, call.asking, call.model, places).into_iter();
        let found = candidates.filter_map(|position| Some((position, self.limits.get(position)?)));
        found.filter(move |(_, limit)| limit.holds_for(call, places))
    }

    /// Whether a limit in money holds for a call at this target.
    pub fn counts_money(&self, call: Call<'_>, place: Place<'_>) -> bool {
        self.of(call, &[place]).any(|(_, limit)| limit.unit == Unit::Usd)
    }
}

impl Limit {
    fn new(entry: &LimitEntry, tells: bool) -> Self {
        let meter = match entry.period {
            None => Meter::Concurrency { limit: entry.limit },
            Some(period @ (Period::Second | Period::Minute)) => Meter::Rate {
                limit: entry.limit,
                burst: entry.burst.unwrap_or(entry.limit),
                period: period.length().unwrap_or(Duration::from_secs(60)),
            },
            Some(period) => Meter::Budget { limit: entry.limit, period, zone: entry.zone.clone() },
        };
        // What counts differently has counters of its own, also when a new policy says it under the same name.
        let name = format!("{}:{:?}:{:?}", entry.name, entry.unit, entry.period);
        Self {
            name: entry.name.clone(),
            unit: entry.unit,
            period: entry.period,
            shelf: Shelf::default(),
            book: Book::new(&name, &entry.by, tells && entry.unit != Unit::Concurrent, meter),
            by: entry.by.clone(),
            models: Patterns::new(&entry.models),
            when: When::new(&entry.when),
            action: entry.action.clone(),
            alert_at: entry.alert_at.clone(),
            mid_stream: entry.mid_stream,
        }
    }

    /// Whether the gateways of a fleet can have it together; calls at a time are each one's own.
    pub fn is_of_fleet(&self) -> bool {
        self.unit != Unit::Concurrent
    }

    /// Whether it holds for a call at one of these targets.
    fn holds_for(&self, call: Call<'_>, places: &[Place<'_>]) -> bool {
        self.models.matches(call.model)
            && self.when.matches(call.caller, call.asking)
            && (!self.when.asks_of_target() || places.iter().any(|place| self.when.matches_target(*place)))
    }

    /// Whether the limit depends on which target serves a call.
    fn is_of_target(&self) -> bool {
        self.when.asks_of_target() || self.by.contains(&By::Provider)
    }

    /// What the limit allows, in words: `100000 tokens per minute`.
    pub fn allowance(&self) -> String {
        let capacity = match &self.book.meter {
            Meter::Rate { limit, .. } | Meter::Budget { limit, .. } | Meter::Concurrency { limit } => *limit,
        };
        let amount = self.unit.amount(capacity);
        match self.period {
            None => format!("{amount} at a time"),
            Some(Period::Lifetime) => format!("{amount} in all"),
            Some(period) => format!("{amount} per {}", period.word()),
        }
    }
}

/// Tells limits where their counters lie; returns the positions of those that lie together.
fn shelve(limits: &mut [Limit]) -> Vec<Vec<usize>> {
    let mut shelves: Vec<Vec<usize>> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for (position, limit) in limits.iter().enumerate() {
        let number = *numbers.entry(limit.book.shelf().to_owned()).or_insert(shelves.len());
        match shelves.get_mut(number) {
            Some(shelf) => shelf.push(position),
            None => shelves.push(vec![position]),
        }
    }
    for (number, shelf) in shelves.iter().enumerate() {
        let is_of_requests =
            |position: &usize| limits.get(*position).is_some_and(|limit| limit.unit == Unit::Requests);
        let counts_requests = shelf.iter().any(is_of_requests);
        for position in shelf {
            if let Some(limit) = limits.get_mut(*position) {
                limit.shelf = Shelf { counts_requests, number };
            }
        }
    }
    shelves
}

impl Unit {
    /// Every unit by the policy's word for it.
    pub const WORDS: [(&str, Self); 6] = [
        ("requests", Self::Requests),
        ("tokens", Self::Tokens),
        ("input_tokens", Self::InputTokens),
        ("output_tokens", Self::OutputTokens),
        ("usd", Self::Usd),
        ("concurrent", Self::Concurrent),
    ];

    /// The policy's word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, unit)| *unit == self).map_or("", |(word, _)| word)
    }

    /// An amount in words.
    fn amount(self, amount: u64) -> String {
        match self {
            Self::Requests => format!("{amount} requests"),
            Self::Tokens => format!("{amount} tokens"),
            Self::InputTokens => format!("{amount} input tokens"),
            Self::OutputTokens => format!("{amount} output tokens"),
            Self::Usd => format!("{} USD", NanoUsd(amount)),
            Self::Concurrent => format!("{amount} calls"),
        }
    }
}
