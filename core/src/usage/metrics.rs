//! What an exchange adds to Envoy's metrics, and under which names.

use std::time::Duration;

use crate::exchange::Exchange;

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

/// What a request adds that ended with this status, after this time; it has no exchange when it was refused before one
/// was opened.
///
/// Labels come from the policy alone, never from a client or a provider, so their number is bounded by it: Envoy can't
/// forget a metric.
pub fn of(exchange: Option<&Exchange>, status: u16, elapsed: Duration) -> Vec<Measure> {
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
    let counter = |name: String, value| Measure { kind: Kind::Counter, name, value };
    let mut measures = vec![
        counter(format!("sluice_requests_total{labels};code={status}"), 1),
        Measure {
            kind: Kind::Histogram,
            name: format!("sluice_request_duration_milliseconds{labels}"),
            value: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        },
    ];
    if let Some(usage) = exchange.and_then(Exchange::usage) {
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
    measures
}
