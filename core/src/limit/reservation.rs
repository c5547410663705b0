//! What one call has taken of its limits, from before it is sent until it is known what it has used.

use std::time::Duration;

use super::counter::{Counter, Standing, span};
use super::ledger::Urgency;
use super::subject::subjects;
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
    warnings: Vec<String>,
    alerts: Vec<Alert>,
}

#[derive(Debug)]
struct Hold {
    /// The limit's position.
    limit: usize,
    subject: String,
    /// 0 where what was taken is used already.
    amount: u64,
    span: u32,
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
        let limits = self.of(call, &places).filter(|(_, limit)| limit.is_of_target());
        for (_, limit) in limits.filter(|(_, limit)| limit.action != Action::Warn) {
            let Some(amount) = limit.unit.amount_of(amounts) else { continue };
            for subject in subjects(&limit.by, call, place.provider) {
                let counter = limit.book.read(memory, &subject, now);
                if !counter.has_room(&limit.book.meter, amount) {
                    return Err(limit.spent(&counter, amount, now));
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
        let mut limits: Vec<_> = limits.collect();
        // What is used at once comes last: it is the hardest to give back.
        limits.sort_by_key(|(_, limit)| limit.unit == Unit::Requests);
        let mut holds = Vec::with_capacity(limits.len());
        for (position, limit) in limits {
            let Some(amount) = limit.unit.amount_of(amounts) else { continue };
            for subject in subjects(&limit.by, call, provider) {
                match limit.take(memory, &subject, amount, now, told) {
                    Ok(held) => holds.push(Hold { limit: position, subject, amount: held, span: span(now) }),
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
            let Some(limit) = self.get(hold.limit) else { continue };
            let used = if limit.unit == Unit::Requests { requests } else { 0 };
            let _ = limit.book.change(memory, &hold.subject, now, Urgency::Settling, |counter| {
                counter.release(hold.amount, hold.span);
                counter.refund(&limit.book.meter, used);
                true
            });
        }
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
            let Some(limit) = self.get(hold.limit) else { continue };
            if limit.unit != Unit::Requests {
                limit.settle(
                    memory,
                    hold,
                    actual.map_or(0, |actual| actual.of(limit.unit)),
                    now,
                    &mut settled,
                );
            }
        }
        settled
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
            let Some(limit) = self.get(hold.limit) else { continue };
            let more = amounts.of(limit.unit).saturating_sub(hold.amount);
            if !limit.mid_stream || limit.action == Action::Warn || more == 0 {
                continue;
            }
            let taken = limit.book.change(memory, &hold.subject, now, Urgency::Call, |counter| {
                let has_room = counter.has_room(&limit.book.meter, more);
                if has_room {
                    counter.hold(more, hold.span);
                }
                has_room
            });
            match taken {
                Ok((_, true)) => hold.amount = hold.amount.saturating_add(more),
                Ok((counter, false)) => return Err(limit.spent(&counter, more, now)),
                Err(Busy) => return Err(limit.unavailable()),
            }
        }
        Ok(())
    }

    /// Whether any limit that holds for this call cuts streams.
    pub fn watches(&self, reservation: &Reservation) -> bool {
        let holds = reservation.holds.iter().chain(&reservation.of_target);
        holds.filter_map(|hold| self.get(hold.limit)).any(|limit| limit.mid_stream)
    }
}

impl Limit {
    /// Takes so many units; returns how many of them are held.
    fn take(
        &self,
        memory: &dyn SharedMemory,
        subject: &str,
        amount: u64,
        now: Duration,
        told: &mut Reservation,
    ) -> Result<u64, Box<Spent>> {
        let meter = &self.book.meter;
        let is_used = self.unit == Unit::Requests;
        let held = if is_used { 0 } else { amount };
        let (mut before, mut fits) = (0, false);
        let taken = self.book.change(memory, subject, now, Urgency::Call, |counter| {
            (before, fits) = (counter.used(meter), counter.has_room(meter, amount));
            if !fits && self.action != Action::Warn {
                return false;
            }
            match is_used {
                true => counter.charge(meter, amount),
                false => counter.hold(held, span(now)),
            }
            true
        });
        let (counter, taken) = taken.map_err(|Busy| self.unavailable())?;
        if !taken {
            return Err(self.spent(&counter, amount, now));
        }
        if !fits {
            told.warnings.push(self.name.clone());
        }
        self.alert(before, counter.used(meter), &mut told.alerts);
        told.stand(self.unit, counter.standing(meter, now));
        Ok(held)
    }

    fn settle(
        &self,
        memory: &dyn SharedMemory,
        hold: &Hold,
        actual: u64,
        now: Duration,
        settled: &mut Settled,
    ) {
        let meter = &self.book.meter;
        let used = if self.unit == Unit::Concurrent { 0 } else { actual };
        let mut before = 0;
        let done = self.book.change(memory, &hold.subject, now, Urgency::Settling, |counter| {
            counter.release(hold.amount, hold.span);
            before = counter.used(meter);
            counter.charge(meter, used);
            true
        });
        let Ok((counter, _)) = done else {
            settled.lost.push(self.name.clone());
            return;
        };
        let after = counter.used(meter);
        self.alert(before, after, &mut settled.alerts);
        let over = after.saturating_sub(before.max(meter.capacity()));
        if over > 0 {
            settled.overshoot.push((self.name.clone(), over));
        }
    }

    /// Notes the shares of the limit that lie between what had been used and what has.
    fn alert(&self, before: u64, after: u64, alerts: &mut Vec<Alert>) {
        let capacity = u128::from(self.book.meter.capacity());
        let reached = |used: u64, share: u16| u128::from(used) * 1000 >= capacity * u128::from(share);
        let crossed =
            self.alert_at.iter().filter(|share| !reached(before, **share) && reached(after, **share));
        alerts.extend(crossed.map(|share| Alert { limit: self.name.clone(), share: *share }));
    }

    fn spent(&self, counter: &Counter, amount: u64, now: Duration) -> Box<Spent> {
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

    fn unavailable(&self) -> Box<Spent> {
        Box::new(Spent::Unavailable { name: self.name.clone() })
    }
}

impl Unit {
    /// What is to be taken of a limit in this unit; nothing is of what is free.
    fn amount_of(self, amounts: Option<Amounts>) -> Option<u64> {
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

    fn stand(&mut self, unit: Unit, standing: Standing) {
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
