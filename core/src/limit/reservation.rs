//! What one call has taken of its limits, from before it is sent until it is known what it has used.

use std::time::Duration;

use super::counter::{Counter, Standing};
use super::ledger::{self, Urgency};
use super::subject::subjects;
use super::taking::{Taking, shelved, take_together};
use super::{Action, Call, Limit, Limits, Unit};
use crate::access::Place;
use crate::failure::{Blame, Failure, Kind};
use crate::shared::{Busy, SharedMemory};

/// What a call may use, or has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Tokens.
    pub input: u64,
    /// Tokens.
    pub output: u64,
    pub nano_usd: u64,
}

/// What a call has taken of its limits.
#[derive(Debug, Default)]
pub struct Reservation {
    holds: Vec<Hold>,
    /// Of limits that depend on the target; they are given back when another target is tried.
    of_target: Vec<Hold>,
    /// How the limits stood afterwards: of each unit the one with the least left.
    standings: Vec<(Unit, Standing)>,
    /// The limits that had no room and only warn, by their names.
    pub(super) warnings: Vec<String>,
    pub(super) alerts: Vec<Alert>,
}

/// What was taken of the counters of one subject that lie together.
#[derive(Debug)]
pub(super) struct Hold {
    pub subject: String,
    pub span: u32,
    pub parts: Vec<Part>,
}

/// What was taken of one limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The limit's position.
    pub limit: usize,
    /// What is held; 0 where what was taken is used already.
    pub amount: u64,
}

/// A limit has no room for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spent {
    Limit {
        name: String,
        /// What it allows, in words.
        allowance: String,
        /// What the call asks for, where that is more than the limit allows at all; in words.
        too_much: Option<String>,
        /// `None` where waiting doesn't help.
        wait: Option<Duration>,
        /// The model that serves instead.
        reroute: Option<String>,
        unit: Unit,
        standing: Standing,
    },
    /// Its counter can't be changed at the moment.
    Unavailable { name: String },
}

/// So much of a limit has been used for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub limit: String,
    /// In thousandths.
    pub share: u16,
}

/// What the settling of a call has shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub alerts: Vec<Alert>,
    /// The limits that had no room and only warn.
    pub warnings: Vec<String>,
    /// By how much each of these limits has been exceeded by this call.
    pub overshoot: Vec<(String, u64)>,
    /// Limits whose counters could not be changed: what the call used is missing there.
    pub lost: Vec<String>,
}

impl Amounts {
    /// Of each the larger.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            nano_usd: self.nano_usd.max(other.nano_usd),
        }
    }

    fn of(self, unit: Unit) -> u64 {
        match unit {
            Unit::Requests | Unit::Concurrent => 1,
            Unit::Tokens => self.input.saturating_add(self.output),
            Unit::InputTokens => self.input,
            Unit::OutputTokens => self.output,
            Unit::Usd => self.nano_usd,
        }
    }
}

impl Limits {
    /// Takes what a call may use, of all limits that don't depend on its target, or of none of them. `amounts` is `None` for
    /// what is free.
    pub fn take(
        &self,
        memory: &dyn SharedMemory,
        call: Call<'_>,
        amounts: Option<Amounts>,
        now: Duration,
    ) -> Result<Reservation, Box<Spent>> {
        let mut reservation = Reservation::default();
        let limits = self.of(call, &[]).filter(|(_, limit)| !limit.is_of_target());
        reservation.holds = self.take_all(memory, limits, call, "", amounts, now, &mut reservation)?;
        Ok(reservation)
    }

    /// Takes what a call may use of the limits that depend on its target; what it has taken for another target is given back.
    pub fn take_for(
        &self,
        memory: &dyn SharedMemory,
        call: Call<'_>,
        place: Place<'_>,
        amounts: Option<Amounts>,
        now: Duration,
        reservation: &mut Reservation,
    ) -> Result<(), Box<Spent>> {
        // The other target has been asked, so that request is used.
        self.give_back(memory, std::mem::take(&mut reservation.of_target), 0, now);
        let places = [place];
        let limits = self.of(call, &places).filter(|(_, limit)| limit.is_of_target());
        let holds = self.take_all(memory, limits, call, place.provider, amounts, now, reservation)?;
        reservation.of_target = holds;
        Ok(())
    }

    /// Whether a target's limits have room for a call. Nothing is taken.
    pub fn admit(
        &self,
        memory: &dyn SharedMemory,
        call: Call<'_>,
        place: Place<'_>,
        amounts: Option<Amounts>,
        now: Duration,
    ) -> Result<(), Box<Spent>> {
        let places = [place];
        let limits = self.of(call, &places);
        let limits = limits.filter(|(_, limit)| limit.is_of_target() && limit.action != Action::Warn);
        for takings in shelved(limits, amounts).chunk_by(Taking::is_beside) {
            let books: Vec<_> = takings.iter().map(|taking| &taking.limit.book).collect();
            for subject in takings
                .first()
                .map(|first| subjects(&first.limit.by, call, place.provider))
                .unwrap_or_default()
            {
                let counters = ledger::read_all(memory, &books, &subject, now);
                for (taking, counter) in takings.iter().zip(&counters) {
                    if !counter.has_room(&taking.limit.book.meter, taking.amount) {
                        return Err(taking.limit.spent(counter, taking.amount, now));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether any limit depends on which target serves a call.
    pub fn are_of_targets(&self) -> bool {
        self.of_targets
    }

    #[expect(clippy::too_many_arguments, reason = "each is another thing that a taking depends on")]
    fn take_all<'l>(
        &'l self,
        memory: &dyn SharedMemory,
        limits: impl Iterator<Item = (usize, &'l Limit)>,
        call: Call<'_>,
        provider: &str,
        amounts: Option<Amounts>,
        now: Duration,
        told: &mut Reservation,
    ) -> Result<Vec<Hold>, Box<Spent>> {
        let takings = shelved(limits, amounts);
        let mut holds = Vec::new();
        for together in takings.chunk_by(Taking::is_beside) {
            let by = together.first().map(|first| first.limit.by.as_slice()).unwrap_or_default();
            for subject in subjects(by, call, provider) {
                match take_together(memory, together, subject, now, told) {
                    Ok(hold) => holds.push(hold),
                    Err(spent) => {
                        self.give_back(memory, holds, 1, now);
                        return Err(spent);
                    }
                }
            }
        }
        Ok(holds)
    }

    /// Gives back what is held, and so many requests.
    fn give_back(&self, memory: &dyn SharedMemory, holds: Vec<Hold>, requests: u64, now: Duration) {
        for hold in holds {
            let parts = self.parts(&hold, |_| true);
            let _ = hold.change(memory, &parts, now, Urgency::Settling, &mut |counters| {
                for ((part, limit), counter) in parts.iter().zip(counters) {
                    counter.release(part.amount, hold.span);
                    counter
                        .refund(&limit.book.meter, if limit.unit == Unit::Requests { requests } else { 0 });
                }
                true
            });
        }
    }

    /// The parts of a hold, each with its limit, that this is true of.
    fn parts(&self, hold: &Hold, wanted: impl Fn(&Limit) -> bool) -> Vec<(Part, &Limit)> {
        let parts = hold.parts.iter().filter_map(|part| Some((*part, self.get(part.limit)?)));
        parts.filter(|(_, limit)| wanted(limit)).collect()
    }

    /// Gives everything back: the call is not made.
    pub fn cancel(&self, memory: &dyn SharedMemory, reservation: Reservation, now: Duration) {
        self.give_back(memory, reservation.holds, 1, now);
        self.give_back(memory, reservation.of_target, 1, now);
    }

    /// Ends a call: it has used this, `None` for nothing at all.
    pub fn settle(
        &self,
        memory: &dyn SharedMemory,
        reservation: Reservation,
        actual: Option<Amounts>,
        now: Duration,
    ) -> Settled {
        let Reservation { holds, of_target, warnings, alerts, .. } = reservation;
        let mut settled = Settled { alerts, warnings, ..Settled::default() };
        for hold in holds.iter().chain(&of_target) {
            self.settle_hold(memory, hold, actual, now, &mut settled);
        }
        settled
    }

    fn settle_hold(
        &self,
        memory: &dyn SharedMemory,
        hold: &Hold,
        actual: Option<Amounts>,
        now: Duration,
        settled: &mut Settled,
    ) {
        // Requests are used already.
        let parts = self.parts(hold, |limit| limit.unit != Unit::Requests);
        let mut before = vec![0; parts.len()];
        let done = hold.change(memory, &parts, now, Urgency::Settling, &mut |counters| {
            for (((part, limit), counter), before) in parts.iter().zip(counters).zip(&mut before) {
                let used = match limit.unit {
                    Unit::Concurrent => 0,
                    unit => actual.map_or(0, |actual| actual.of(unit)),
                };
                counter.release(part.amount, hold.span);
                *before = counter.used(&limit.book.meter);
                counter.charge(&limit.book.meter, used);
            }
            true
        });
        let Ok((counters, _)) = done else {
            settled.lost.extend(parts.iter().map(|(_, limit)| limit.name.clone()));
            return;
        };
        for (((_, limit), counter), before) in parts.iter().zip(&counters).zip(before) {
            let meter = &limit.book.meter;
            let after = counter.used(meter);
            limit.alert(before, after, &mut settled.alerts);
            let over = after.saturating_sub(before.max(meter.capacity()));
            if over > 0 {
                settled.overshoot.push((limit.name.clone(), over));
            }
        }
    }

    /// A call under way is going to use this in all: holds more where a limit that [cuts streams](Limit::mid_stream) holds less.
    pub fn extend(
        &self,
        memory: &dyn SharedMemory,
        reservation: &mut Reservation,
        amounts: Amounts,
        now: Duration,
    ) -> Result<(), Box<Spent>> {
        for hold in reservation.holds.iter_mut().chain(&mut reservation.of_target) {
            let mut parts = self.parts(hold, |limit| limit.mid_stream && limit.action != Action::Warn);
            for (part, limit) in &mut parts {
                // What more it needs of each.
                part.amount = amounts.of(limit.unit).saturating_sub(part.amount);
            }
            parts.retain(|(part, _)| part.amount > 0);
            if parts.is_empty() {
                continue;
            }
            let mut full = None;
            let taken = hold.change(memory, &parts, now, Urgency::Call, &mut |counters| {
                let has_room = |((part, limit), counter): (&(Part, &Limit), &Counter)| {
                    counter.has_room(&limit.book.meter, part.amount)
                };
                full = parts.iter().zip(counters.iter()).position(|each| !has_room(each));
                if full.is_none() {
                    parts
                        .iter()
                        .zip(counters)
                        .for_each(|((part, _), counter)| counter.hold(part.amount, hold.span));
                }
                full.is_none()
            });
            let spent = |at: usize, counters: &[Counter]| {
                let ((part, limit), counter) = parts.get(at).zip(counters.get(at))?;
                Some(limit.spent(counter, part.amount, now))
            };
            match taken {
                Ok((_, true)) => hold.add(&parts),
                Ok((counters, false)) => full.and_then(|at| spent(at, &counters)).map_or(Ok(()), Err)?,
                Err(Busy) => return Err(unavailable(parts.first().map(|(_, limit)| *limit))),
            }
        }
        Ok(())
    }

    /// Whether any limit that holds for this call cuts streams.
    pub fn watches(&self, reservation: &Reservation) -> bool {
        let holds = reservation.holds.iter().chain(&reservation.of_target);
        holds
            .flat_map(|hold| &hold.parts)
            .filter_map(|part| self.get(part.limit))
            .any(|limit| limit.mid_stream)
    }
}

impl Hold {
    /// Changes the counters of some of its parts at once.
    fn change(
        &self,
        memory: &dyn SharedMemory,
        parts: &[(Part, &Limit)],
        now: Duration,
        urgency: Urgency,
        change: &mut dyn FnMut(&mut [Counter]) -> bool,
    ) -> Result<(Vec<Counter>, bool), Busy> {
        let books: Vec<_> = parts.iter().map(|(_, limit)| &limit.book).collect();
        ledger::change_all(memory, &books, &self.subject, now, urgency, change)
    }

    /// So much more is held.
    fn add(&mut self, more: &[(Part, &Limit)]) {
        for part in &mut self.parts {
            let added = more.iter().find(|(added, _)| added.limit == part.limit);
            part.amount = part.amount.saturating_add(added.map_or(0, |(added, _)| added.amount));
        }
    }
}

impl Limit {
    /// Notes the shares of the limit that lie between what had been used and what has.
    pub(super) fn alert(&self, before: u64, after: u64, alerts: &mut Vec<Alert>) {
        let capacity = u128::from(self.book.meter.capacity());
        let reached = |used: u64, share: u16| u128::from(used) * 1000 >= capacity * u128::from(share);
        let crossed =
            self.alert_at.iter().filter(|share| !reached(before, **share) && reached(after, **share));
        alerts.extend(crossed.map(|share| Alert { limit: self.name.clone(), share: *share }));
    }

    pub(super) fn spent(&self, counter: &Counter, amount: u64, now: Duration) -> Box<Spent> {
        let meter = &self.book.meter;
        Box::new(Spent::Limit {
            name: self.name.clone(),
            allowance: self.allowance(),
            too_much: (amount > meter.capacity()).then(|| self.unit.amount(amount)),
            wait: counter.wait(meter, amount, now),
            reroute: match &self.action {
                Action::Reroute(model) => Some(model.clone()),
                Action::Refuse | Action::Warn => None,
            },
            unit: self.unit,
            standing: counter.standing(meter, now),
        })
    }
}

/// The counters of this limit, and of those that lie beside it, can't be changed.
pub(super) fn unavailable(limit: Option<&Limit>) -> Box<Spent> {
    Box::new(Spent::Unavailable { name: limit.map_or_else(String::new, |limit| limit.name.clone()) })
}

impl Unit {
    /// What is to be taken of a limit in this unit; nothing is of what is free.
    pub(super) fn amount_of(self, amounts: Option<Amounts>) -> Option<u64> {
        match self {
            Self::Requests | Self::Concurrent => Some(1),
            _ => amounts.map(|amounts| amounts.of(self)),
        }
    }
}

impl Reservation {
    /// How the limits stood when the call was admitted: of each unit the one with the least left.
    pub fn standings(&self) -> &[(Unit, Standing)] {
        &self.standings
    }

    /// The limits that had no room and only warn.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn stand(&mut self, unit: Unit, standing: Standing) {
        let left = |standing: &Standing| {
            u128::from(standing.remaining) * 1_000_000 / u128::from(standing.limit.max(1))
        };
        match self.standings.iter_mut().find(|(known, _)| *known == unit) {
            Some((_, known)) if left(known) <= left(&standing) => {}
            Some((_, known)) => *known = standing,
            None => self.standings.push((unit, standing)),
        }
    }
}

impl Spent {
    /// What the client gets.
    pub fn failure(&self) -> Failure {
        let refusal = Failure {
            blame: Blame::Policy,
            status: 429,
            kind: Kind::RateLimit,
            code: Some("rate_limit_exceeded".into()),
            message: "".into(),
            parameter: None,
            retry_after: None,
        };
        match self {
            Self::Unavailable { name } => Failure {
                status: 503,
                kind: Kind::Overloaded,
                code: Some("limits_unavailable".into()),
                message: format!("The counters of the limit '{name}' can't be changed at the moment.").into(),
                retry_after: Some(1),
                ..refusal
            },
            Self::Limit { name, allowance, too_much: Some(amount), .. } => Failure {
                message: format!(
                    "The limit '{name}' allows {allowance}, and this request may need {amount}."
                )
                .into(),
                ..refusal
            },
            Self::Limit { name, allowance, wait: None, .. } => Failure {
                kind: Kind::Quota,
                code: Some("insufficient_quota".into()),
                message: format!("The limit '{name}' ({allowance}) is spent.").into(),
                ..refusal
            },
            Self::Limit { name, allowance, wait: Some(wait), .. } => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let wait = humantime::format_duration(Duration::from_secs(seconds.max(1)));
                Failure {
                    message: format!("The limit '{name}' ({allowance}) is spent. There is room in {wait}.")
                        .into(),
                    retry_after: Some(seconds.max(1)),
                    ..refusal
                }
            }
        }
    }

    /// How the limit stands, in its unit.
    pub fn standing(&self) -> Option<(Unit, Standing)> {
        match self {
            Self::Limit { unit, standing, .. } => Some((*unit, *standing)),
            Self::Unavailable { .. } => None,
        }
    }

    /// The model that serves the call instead.
    pub fn reroute(&self) -> Option<&str> {
        match self {
            Self::Limit { reroute, .. } => reroute.as_deref(),
            Self::Unavailable { .. } => None,
        }
    }

    /// The limit's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Limit { name, .. } | Self::Unavailable { name } => name,
        }
    }
}
