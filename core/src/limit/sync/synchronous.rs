//! What Envoy's own rate-limit filter needs to ask the service for each call: what holds for a call when it is admitted, and
//! what it has used in the end, as values that the filter can read.

use std::time::Duration;

use super::descriptor::{MOST, escape};
use crate::limit::subject::subjects;
use crate::limit::window::{Period, Zone};
use crate::limit::{Action, By, Call, Limit, Limits, Meter, Unit};
use crate::usage::Usage;

/// The unit of money, in nano-dollars: a hundredth of a cent.
const MONEY: u64 = 100_000;
/// A day in winter and one in summer: zones differ from UTC on one of them at least.
const DAYS: [Duration; 2] = [Duration::from_secs(1_799_500_000), Duration::from_secs(1_815_000_000)];

/// The value that says that a limit holds for a call: its name.
pub fn holds(limit: &Limit) -> String {
    format!("sluice_limit_{}", limit.name)
}

/// The value with what a call counts by.
pub fn counts_by(by: &By) -> String {
    format!("sluice_by_{}", by.word())
}

/// The value with what a call has used, in a limit's unit; `None` where a call is one by itself.
pub fn has_used(limit: &Limit) -> Option<&'static str> {
    match limit.unit {
        Unit::Requests | Unit::Concurrent => None,
        Unit::Tokens => Some("sluice_used_tokens"),
        Unit::InputTokens => Some("sluice_used_input_tokens"),
        Unit::OutputTokens => Some("sluice_used_output_tokens"),
        Unit::Usd => Some("sluice_used_usd"),
    }
}

/// What the limit allows in the service's units.
pub fn allowed(limit: &Limit) -> u64 {
    let (Meter::Rate { limit: allowed, .. }
    | Meter::Budget { limit: allowed, .. }
    | Meter::Concurrency { limit: allowed }) = &limit.book.meter;
    match limit.unit {
        Unit::Usd => allowed / MONEY,
        _ => *allowed,
    }
}

/// Why the filter and the service can't keep a limit as the policy has it; completes the sentence "the limit …".
pub fn lacks(limit: &Limit) -> Option<&'static str> {
    let Some(period) = limit.period else { return Some("counts calls at a time") };
    if limit.is_of_target() {
        return Some("depends on who serves a call, which nobody knows when it is admitted");
    }
    if limit.by.contains(&By::Role) {
        return Some("counts by roles, of which a caller may have several");
    }
    if limit.action != Action::Refuse {
        return Some("does something else than to refuse");
    }
    if allowed(limit) > MOST {
        return Some("allows more than the service can count");
    }
    if matches!(&limit.book.meter, Meter::Rate { limit, burst, .. } if limit != burst) {
        return Some("has a `burst`");
    }
    let is_utc = match &limit.book.meter {
        Meter::Budget { zone, .. } => {
            DAYS.iter().all(|now| period.window(zone, *now) == period.window(&Zone::utc(), *now))
        }
        Meter::Rate { .. } | Meter::Concurrency { .. } => true,
    };
    match period {
        Period::Lifetime => Some("has no end, and every window of the service has one"),
        Period::Month => Some("has months of the calendar, and those of the service have 30 days each"),
        _ if !is_utc => Some("has windows of a time zone, and those of the service are of UTC"),
        _ => None,
    }
}

impl Limits {
    /// Whether Envoy's own filter asks for each call.
    pub fn are_synchronous(&self) -> bool {
        self.sync.as_ref().is_some_and(|sync| !sync.is_background())
    }

    /// What the filter is to know of a call when it is admitted: names of values, and the values.
    pub fn told_before(&self, call: Call<'_>) -> Vec<(String, String)> {
        let mut told = Vec::new();
        for (_, limit) in self.of(call, &[]).filter(|(_, limit)| lacks(limit).is_none()) {
            told.push((holds(limit), limit.name.clone()));
            for by in &limit.by {
                let subject = subjects(std::slice::from_ref(by), call, "").into_iter().next();
                told.push((counts_by(by), escape(&subject.unwrap_or_default())));
            }
        }
        told
    }
}

/// What the filter is to know of a call when it has ended: names of values, and the values. Parts of a unit are a whole one.
pub fn told_after(usage: Option<Usage>, nano_usd: Option<u64>) -> [(&'static str, String); 4] {
    let Usage { input, output, .. } = usage.unwrap_or_default();
    [
        ("sluice_used_tokens", input.saturating_add(output).to_string()),
        ("sluice_used_input_tokens", input.to_string()),
        ("sluice_used_output_tokens", output.to_string()),
        ("sluice_used_usd", nano_usd.unwrap_or(0).div_ceil(MONEY).to_string()),
    ]
}
