//! How a counter is called at the rate-limit service, and in what it is counted there.
//!
//! The service keeps whatever it is told under a list of entries: the limit's name, the unit, what the limit counts by, the
//! window. The window is part of the name, so that it is the calendar's of the limit's own time zone and not the service's.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::wire::Entry;
use crate::limit::subject::parts;
use crate::limit::window::Period;
use crate::limit::{Limit, Meter, Unit};

/// The service adds up in 64 bits, and says what remains of a limit in 32.
pub const MOST: u64 = u32::MAX as u64;
/// The windows under which a rate is counted at the service, in seconds.
pub(super) const RATE_WINDOW: u64 = 60;

/// What separates entries in the names that envoyproxy/ratelimit makes of them, and what is no part of a word.
const ESCAPED: AsciiSet = CONTROLS.add(b'%').add(b'_').add(b' ');
/// Instead of no value: the service may insist on one.
const NOTHING: &str = "-";

/// The keys of a limit's entries in order, and the value of those that have always the same.
pub fn keys(limit: &Limit) -> Vec<(String, Option<String>)> {
    let fixed = [("limit", limit.name.clone()), ("unit", unit(limit))];
    let fixed = fixed.into_iter().map(|(key, value)| (key.to_owned(), Some(value)));
    let by = limit.by.iter().map(|by| (by.word(), None));
    fixed.chain(by).chain([("window".to_owned(), None)]).collect()
}

/// How the service keeps a counter for long enough: the unit of its limit, longer than any window so that none is cut in
/// two, but where there is no longer one.
pub fn service_unit(limit: &Limit) -> &'static str {
    match limit.period {
        Some(Period::Second | Period::Minute) | None => "hour",
        Some(Period::Hour) => "day",
        Some(Period::Day) => "month",
        Some(Period::Month | Period::Lifetime) => "year",
    }
}

/// The entries of a counter; `window` is when its window began, in seconds since the Unix epoch.
pub(super) fn entries(limit: &Limit, subject: &str, window: u64) -> Vec<Entry> {
    let period = limit.period.map_or("", Period::word);
    let variable = parts(subject).take(limit.by.len()).map(escape).chain([format!("{period}-{window}")]);
    let mut variable = variable.collect::<Vec<_>>().into_iter();
    keys(limit)
        .into_iter()
        .map(|(key, value)| Entry { key, value: value.or_else(|| variable.next()).unwrap_or_default() })
        .collect()
}

/// So many units of a limit are one at the service, so that three times what a window allows can be told in 32 bits. It does
/// not change with every change of the limit: what was counted in other units is not found again.
pub(super) fn quantum(limit: &Limit) -> u64 {
    let allowed = match &limit.book.meter {
        Meter::Rate { limit, burst, period } => {
            let windows = RATE_WINDOW.div_ceil(period.as_secs().max(1));
            limit.saturating_mul(windows).saturating_add(*burst)
        }
        Meter::Budget { limit, .. } | Meter::Concurrency { limit } => *limit,
    };
    let mut quantum = base(limit.unit);
    while allowed.saturating_mul(3) > MOST.saturating_mul(quantum) {
        quantum = quantum.saturating_mul(1000);
    }
    quantum
}

/// A token, a request, a hundredth of a cent.
fn base(unit: Unit) -> u64 {
    match unit {
        Unit::Usd => 100_000,
        _ => 1,
    }
}

fn unit(limit: &Limit) -> String {
    let word = match limit.unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
        Unit::InputTokens => "input-tokens",
        Unit::OutputTokens => "output-tokens",
        Unit::Usd => "usd/10000",
        Unit::Concurrent => "concurrent",
    };
    match quantum(limit) / base(limit.unit) {
        1 => word.to_owned(),
        thousands => format!("{word}*{thousands}"),
    }
}

/// A value in which nothing separates entries; different values stay different.
pub(super) fn escape(value: &str) -> String {
    match value {
        "" => NOTHING.to_owned(),
        NOTHING => "%2D".to_owned(),
        value => utf8_percent_encode(value, &ESCAPED).to_string(),
    }
}
