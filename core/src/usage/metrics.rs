//! What an exchange adds to Envoy's metrics, and under which names.

use std::time::Duration;

use crate::exchange::Exchange;
use crate::guard::Fired;
use crate::limit::Alert;
use crate::redact::Direction;
use crate::usage::Usage;

/// One value for one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    pub kind: Kind,
    /// The name with its labels, each as `;label=value`; the stats tags of the rendered Envoy take them apart.
    pub name: String,
    pub value: u64,
}

/// How values of a metric add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Histogram,
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// `None` when it was refused before one was opened.
    pub exchange: Option<&'a Exchange>,
    /// The limit that had no room, where that is why it was refused.
    pub limit: Option<&'a str>,
    /// The guards that have found something, where that is why it was refused.
    pub guards: &'a [Fired],
    /// The rule of redaction that has found what may not go on, where that is why.
    pub blocked: Option<&'a str>,
    /// What the client got.
    pub status: u16,
    pub elapsed: Duration,
}

/// What a request adds that has ended.
///
/// Labels come from the policy alone, never from a client or a provider, so their number is bounded by it: Envoy can't
/// forget a metric.
pub fn of(ended: Ended<'_>) -> Vec<Measure> {
    let Ended { exchange, limit, guards, blocked, status, elapsed } = ended;
    let team = exchange.and_then(|exchange| exchange.plan.callers.team_label(exchange.caller.as_deref()?));
    let labels = [
        ("provider", exchange.and_then(Exchange::provider)),
        ("model", exchange.map(|exchange| exchange.model.name.as_str())),
        ("team", team),
    ];
    let label = |(label, value): &(&str, Option<&str>)| {
        format!(";{label}={}", value.unwrap_or_default().replace(';', "_"))
    };
    let labels: String = labels.iter().map(label).collect();
    let mut measures = vec![
        counter(format!("sluice_requests_total{labels};code={status}"), 1),
        histogram(
            format!("sluice_request_duration_milliseconds{labels}"),
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        ),
    ];
    measures.extend(limit.map(|limit| counter(format!("sluice_limit_refusals_total;limit={limit}"), 1)));
    let guards = exchange.map_or(guards, Exchange::guards).iter();
    measures.extend(guards.map(|Fired { guard, action }| {
        counter(format!("sluice_guards_total;guard={guard};action={action}"), 1)
    }));
    measures.extend(blocked.map(|rule| redaction(rule, Direction::Request, 1)));
    let Some(exchange) = exchange else { return measures };
    if let Some(usage) = exchange.usage() {
        let tokens = [
            ("input", usage.input),
            ("output", usage.output),
            ("cached_input", usage.cached_input),
            ("cache_write", usage.cache_write),
            ("reasoning", usage.reasoning),
        ];
        let counted = tokens.into_iter().filter(|(_, tokens)| *tokens > 0);
        measures.extend(
            counted.map(|(kind, tokens)| counter(format!("sluice_tokens_total{labels};type={kind}"), tokens)),
        );
    }
    let cost = exchange.cost().filter(|cost| *cost > 0);
    measures.extend(cost.map(|cost| counter(format!("sluice_cost_nanousd_total{labels}"), cost)));
    if exchange.is_unpriced() {
        measures.push(counter(format!("sluice_unknown_price_total{labels}"), 1));
    }
    measures.extend(
        exchange
            .estimate_error()
            .map(|percent| histogram(format!("sluice_input_estimate_error_percent{labels}"), percent)),
    );
    measures.extend(
        exchange.redactions().map(|(rule, direction, count)| redaction(rule, direction, count.into())),
    );
    of_limits(exchange, &mut measures);
    measures
}

fn of_limits(exchange: &Exchange, measures: &mut Vec<Measure>) {
    let settled = exchange.bill().map(|bill| &bill.settled);
    let Some(settled) = settled else { return };
    measures.extend(
        exchange.rerouted().map(|limit| counter(format!("sluice_limit_reroutes_total;limit={limit}"), 1)),
    );
    let warnings = settled.warnings.iter();
    measures.extend(warnings.map(|limit| counter(format!("sluice_limit_warnings_total;limit={limit}"), 1)));
    measures.extend(settled.alerts.iter().map(|Alert { limit, share }| {
        counter(format!("sluice_limit_alerts_total;limit={limit};share={}", f64::from(*share) / 1000.0), 1)
    }));
    measures.extend(
        settled
            .overshoot
            .iter()
            .map(|(limit, amount)| counter(format!("sluice_limit_overshoot_total;limit={limit}"), *amount)),
    );
    let lost = settled.lost.iter();
    measures.extend(lost.map(|limit| counter(format!("sluice_limit_lost_total;limit={limit}"), 1)));
}

/// A judge was asked: what came of it.
pub(crate) fn judge_call(guard: &str, result: &str) -> Measure {
    counter(format!("sluice_judge_calls_total;guard={guard};type={result}"), 1)
}

/// How long a judge has taken.
pub(crate) fn judge_duration(guard: &str, elapsed: Duration) -> Measure {
    histogram(
        format!("sluice_judge_duration_milliseconds;guard={guard}"),
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    )
}

/// What a judge has used: nobody's limits are charged for it, so it is counted by itself.
pub(crate) fn judge_usage(guard: &str, provider: &str, usage: &Usage, nano_usd: Option<u64>) -> Vec<Measure> {
    let labels = format!(";provider={provider};guard={guard}");
    let tokens = [("input", usage.input), ("output", usage.output)];
    let tokens = tokens.into_iter().filter(|(_, tokens)| *tokens > 0);
    let tokens = tokens
        .map(|(kind, tokens)| counter(format!("sluice_judge_tokens_total{labels};type={kind}"), tokens));
    let cost = nano_usd.filter(|cost| *cost > 0);
    tokens.chain(cost.map(|cost| counter(format!("sluice_judge_cost_nanousd_total{labels}"), cost))).collect()
}

fn redaction(rule: &str, direction: Direction, count: u64) -> Measure {
    counter(format!("sluice_redactions_total;rule={rule};direction={}", direction.word()), count)
}

fn counter(name: String, value: u64) -> Measure {
    Measure { kind: Kind::Counter, name, value }
}

fn histogram(name: String, value: u64) -> Measure {
    Measure { kind: Kind::Histogram, name, value }
}
