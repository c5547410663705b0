//! Takes of all limits whose counters lie together at once, or of none of them.

use std::time::Duration;

use super::counter::span;
use super::ledger::{self, Urgency};
use super::reservation::{Hold, Part, unavailable};
use super::{Action, Amounts, Limit, Reservation, Spent, Unit};
use crate::shared::{Busy, SharedMemory};

/// What a call takes of one limit.
#[derive(Clone, Copy)]
pub(super) struct Taking<'l> {
    pub position: usize,
    pub limit: &'l Limit,
    pub amount: u64,
}

impl Taking<'_> {
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.limit.shelf == other.limit.shelf
    }

    fn part(&self) -> Part {
        let is_used = self.limit.unit == Unit::Requests;
        Part { limit: self.position, amount: if is_used { 0 } else { self.amount } }
    }
}

/// What is to be taken of limits, those beside each other whose counters lie together.
pub(super) fn shelved<'l>(
    limits: impl Iterator<Item = (usize, &'l Limit)>,
    amounts: Option<Amounts>,
) -> Vec<Taking<'l>> {
    let takings = limits.filter_map(|(position, limit)| {
        Some(Taking { position, limit, amount: limit.unit.amount_of(amounts)? })
    });
    let mut takings: Vec<_> = takings.collect();
    takings.sort_unstable_by_key(|taking| (taking.limit.shelf, taking.position));
    takings
}

/// Takes of all counters of a subject that lie together, or of none of them.
pub(super) fn take_together(
    memory: &dyn SharedMemory,
    takings: &[Taking<'_>],
    subject: String,
    now: Duration,
    told: &mut Reservation,
) -> Result<Hold, Box<Spent>> {
    let books: Vec<_> = takings.iter().map(|taking| &taking.limit.book).collect();
    // Of each limit what was used before, and whether there was room.
    let mut found = vec![(0, false); takings.len()];
    let mut full = None;
    let taken = ledger::change_all(memory, &books, &subject, now, Urgency::Call, &mut |counters| {
        full = None;
        for (at, ((taking, counter), found)) in takings.iter().zip(counters).zip(&mut found).enumerate() {
            let meter = &taking.limit.book.meter;
            *found = (counter.used(meter), counter.has_room(meter, taking.amount));
            if !found.1 && taking.limit.action != Action::Warn {
                full = Some(at);
                return false;
            }
            match taking.limit.unit {
                Unit::Requests => counter.charge(meter, taking.amount),
                _ => counter.hold(taking.amount, span(now)),
            }
        }
        true
    });
    let (counters, _) = taken.map_err(|Busy| unavailable(takings.first().map(|taking| taking.limit)))?;
    if let Some((taking, counter)) = full.and_then(|at| takings.get(at).zip(counters.get(at))) {
        return Err(taking.limit.spent(counter, taking.amount, now));
    }
    for ((taking, counter), (before, fits)) in takings.iter().zip(&counters).zip(found) {
        let limit = taking.limit;
        if !fits {
            told.warnings.push(limit.name.clone());
        }
        limit.alert(before, counter.used(&limit.book.meter), &mut told.alerts);
        told.stand(limit.unit, counter.standing(&limit.book.meter, now));
    }
    let parts = takings.iter().map(Taking::part).collect();
    Ok(Hold { subject, span: span(now), parts })
}
