//! What an exchange has used and costs, said once, so that headers, metrics, limits and the access log agree.

use std::time::Duration;

use crate::dialect::Service;
use crate::limit::{Amounts, Settled, Spent};
use crate::policy::Target;
use crate::price::{NanoUsd, Origin};
use crate::redact::Direction;
use crate::shared::SharedMemory;
use crate::task::TaskKind;
use crate::usage::Usage;
use crate::usage::estimate::Family;

use super::{Exchange, StreamAnswer, admission};

/// The end of an exchange: what it has used, and what its limits say to that.
#[derive(Debug, Default)]
pub struct Bill {
    pub usage: Option<Usage>,
    /// `None` where nothing was used, or nobody knows the price.
    pub nano_usd: Option<u64>,
    pub settled: Settled,
}

/// So many tokens more than a stream has produced are held for it at least, where it may be cut.
const AHEAD: u64 = 256;

impl Exchange {
    /// Ends the exchange at `now` (since the Unix epoch), once, however it ended: what was held for it is given back, what
    /// it has used is counted. `hung_up`: the client has gone before any answer came.
    pub fn close(&mut self, memory: &dyn SharedMemory, now: Duration, hung_up: bool) {
        if self.bill.is_some() {
            return;
        }
        let usage = self.usage.or_else(|| (hung_up && self.is_under_way()).then(|| self.sent()).flatten());
        self.usage = usage;
        let nano_usd = self.cost();
        let actual = usage.map(|usage| amounts(&usage, nano_usd));
        if let (Some(usage), false) = (usage, self.plan.limits.is_empty())
            && !usage.estimated
        {
            admission::learn(memory, &self.model.name, usage.output);
        }
        let settled = match self.reservation.take() {
            Some(reservation) => self.plan.limits.settle(memory, reservation, actual, now),
            None => Settled::default(),
        };
        self.bill = Some(Bill { usage, nano_usd, settled });
    }

    /// What the exchange costs so far, in nano-dollars.
    pub fn cost(&self) -> Option<u64> {
        self.target()?.cost(self.usage.as_ref()?)
    }

    /// Appends what a stream has cost, where the client has asked for it.
    fn tell_cost(&self, stream: &StreamAnswer, out: &mut Vec<u8>) {
        let cost = if self.tells_cost && stream.is_of_events() { self.cost() } else { None };
        if let Some(cost) = cost {
            self.client().remark(super::headers::COST_HEADER, &NanoUsd(cost).to_string(), out);
        }
    }

    /// By how many hundredths the estimate of the request's tokens was off; `None` where it was not needed, or nobody knows.
    pub fn estimate_error(&self) -> Option<u64> {
        let (_, usage) = (self.expected?, self.usage?);
        let estimated = self.estimated_input()?;
        (estimated > 0 && usage.input > 0 && !usage.estimated)
            .then(|| estimated.abs_diff(usage.input).saturating_mul(100) / usage.input)
    }

    /// Whether something was used that nobody knows the price of.
    pub fn is_unpriced(&self) -> bool {
        let is_known =
            |target: &Target| target.price.as_ref().is_some_and(|price| price.origin() != Origin::Assumed);
        self.usage.is_some() && self.target().is_some_and(|target| !is_known(target))
    }

    /// How the exchange ended; `None` while it hasn't.
    pub fn bill(&self) -> Option<&Bill> {
        self.bill.as_ref()
    }

    /// Takes note of what a stream has used so far, whoever ends it and when. A limit that has no room for more ends it;
    /// behind its own end comes what the client wants to know of its cost. Both are appended to `out`.
    pub fn watch(
        &mut self,
        stream: &mut StreamAnswer,
        memory: &dyn SharedMemory,
        now: Duration,
        is_end: bool,
        out: &mut Vec<u8>,
    ) {
        let usage = stream.usage();
        self.settle(Some(usage));
        if !is_end
            && !stream.is_cut()
            && let Some(spent) = self.overdrawn(memory, &usage, now)
        {
            stream.cut(spent.failure(), out);
        }
        self.found_in_answer.add(Direction::Response, stream.take_redactions());
        self.guarded.add(stream.take_fired());
        if is_end || stream.is_cut() {
            self.tell_cost(stream, out);
        }
    }

    /// Whether a stream that has used this is to end: a limit has no room for more of it.
    fn overdrawn(&mut self, memory: &dyn SharedMemory, usage: &Usage, now: Duration) -> Option<Box<Spent>> {
        let reservation = self.reservation.as_mut()?;
        if usage.output < self.held_output || !self.plan.limits.watches(reservation) {
            return None;
        }
        let target = self.model.targets.get(self.attempts.last()?.target)?;
        let grown = Usage { output: usage.output.saturating_add(AHEAD), ..*usage };
        let amounts = amounts(&grown, target.cost(&grown));
        match self.plan.limits.extend(memory, reservation, amounts, now) {
            Ok(()) => {
                self.held_output = grown.output;
                None
            }
            Err(spent) => Some(spent),
        }
    }

    /// Holds what the limits of another target ask for, in the place of the first one's.
    pub(super) fn move_to(
        &mut self,
        memory: &dyn SharedMemory,
        index: usize,
        now: Duration,
    ) -> Result<(), Box<Spent>> {
        let Some(reservation) = &mut self.reservation else { return Ok(()) };
        if std::mem::replace(&mut self.held_for, index) == index {
            return Ok(());
        }
        let Some(target) = self.model.targets.get(index) else { return Ok(()) };
        let call = crate::limit::Call {
            caller: self.caller.as_deref(),
            asking: &self.asking,
            model: &self.model.name,
        };
        let place = crate::access::Place::of(target);
        let needs = self.expected.map(|expected| expected.at(target));
        self.plan.limits.take_for(memory, call, place, needs, now, reservation)
    }

    /// What Envoy's own rate-limit filter is to know of the call, where that is who asks for each.
    pub fn told_to_limits(&self) -> Vec<(String, String)> {
        if !self.plan.limits.are_synchronous() {
            return Vec::new();
        }
        let (caller, model) = (self.caller.as_deref(), &self.model.name);
        self.plan.limits.told_before(crate::limit::Call { caller, asking: &self.asking, model })
    }

    fn target(&self) -> Option<&Target> {
        self.model.targets.get(self.attempts.last()?.target)
    }

    /// Whether a provider is at work, or has begun to answer.
    fn is_under_way(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.status.is_none_or(|status| status < 400))
    }

    /// What has been sent to the provider, as far as that is known without its word.
    fn sent(&self) -> Option<Usage> {
        let Service::Task(call) = &self.service else { return None };
        if call.dialect.kind() == TaskKind::CountTokens {
            return None;
        }
        Some(Usage { input: self.estimated_input()?, estimated: true, ..Usage::default() })
    }

    /// About how many tokens the request has, by the tokenizer of whoever was asked last.
    fn estimated_input(&self) -> Option<u64> {
        let target = self.target()?;
        Some(self.input.tokens(Family::of(target.provider.dialect, &target.model)))
    }
}

fn amounts(usage: &Usage, nano_usd: Option<u64>) -> Amounts {
    Amounts { input: usage.input, output: usage.output, nano_usd: nano_usd.unwrap_or(0) }
}
