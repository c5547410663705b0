//! What a run of load tells, as JSON.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Times in nanoseconds, each within 0.1 percent.
pub struct Times(Histogram<u64>);

impl Times {
    pub fn add(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    fn summary(&self) -> Option<Summary> {
        let micros = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let at = |quantile| micros(self.0.value_at_quantile(quantile));
        // Buckets that double: enough for a chart, and small.
        let buckets = self.0.iter_log(1000, 2.0).filter(|step| step.count_since_last_iteration() > 0);
        (!self.0.is_empty()).then(|| Summary {
            count: self.0.len(),
            mean: self.0.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(self.0.max()),
            histogram: buckets
                .map(|step| (micros(step.value_iterated_to() + 1), step.count_since_last_iteration()))
                .collect(),
        })
    }
}

impl Default for Times {
    /// From a microsecond to five minutes.
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(1, 300_000_000_000, 3);
        Self(bounds.unwrap_or_else(|_| unreachable!("the bounds are in order")))
    }
}

/// Microseconds. `histogram` has pairs: how many times were below so many microseconds, and not below the pair before.
#[derive(Serialize)]
struct Summary {
    count: u64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
    histogram: Vec<(f64, u64)>,
}

#[derive(Default)]
pub struct Report {
    /// The seconds that were measured, without what came before to warm up.
    pub seconds: f64,
    /// Requests that were answered well while it was measured.
    pub requests: u64,
    /// Every request that was answered, those before too: what the processor's time is divided by.
    pub all: u64,
    /// How often what went wrong, measured or not.
    pub errors: BTreeMap<String, u64>,
    /// Bytes of bodies that were received.
    pub bytes: u64,
    /// Events of streams that carried an instant, measured or not.
    pub events: u64,
    /// From when a request was sent, or due, to the end of its answer.
    pub latency: Times,
    /// How late the generator itself sent what was due.
    pub late: Times,
    /// From a request to the first event of its stream.
    pub first: Times,
    /// From when the vendor wrote an event to when it was here.
    pub event: Times,
}

impl Report {
    pub fn fail(&mut self, what: impl std::fmt::Display) {
        *self.errors.entry(what.to_string()).or_default() += 1;
    }

    pub fn print(&self) {
        println!(
            "{}",
            serde_json::json!({
                "seconds": self.seconds,
                "requests": self.requests,
                "rate": if self.seconds > 0.0 { self.requests as f64 / self.seconds } else { 0.0 },
                "all": self.all,
                "errors": self.errors.values().sum::<u64>(),
                "what": self.errors,
                "bytes": self.bytes,
                "events": self.events,
                "latency": self.latency.summary(),
                "late": self.late.summary(),
                "first": self.first.summary(),
                "event": self.event.summary(),
            })
        );
    }
}
