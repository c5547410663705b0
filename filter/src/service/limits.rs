//! Keeps the counters of limits in step with those of the fleet's other gateways.

use std::time::Duration;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};
use sluice_core::limit::sync::{Answer, Ask, Next, Outcome, Syncer, TIMEOUT};
use sluice_core::policy::{Document, OnLost};

use crate::host;

/// The counters of the fleet's limits.
pub struct Limits {
    syncer: Syncer,
    started: Duration,
    /// The call that is to be answered.
    call: Option<u32>,
    metrics: Metrics,
}

struct Metrics {
    /// Seconds since the service's last good word; since the start where there is none.
    age: u32,
    counters: u32,
}

impl Limits {
    /// Nothing where the document has no limits that are told to others.
    pub fn new(document: &Document) -> Option<Result<Self, host::Refused>> {
        let syncer = Syncer::new(document)?;
        let metrics = Metrics::new();
        Some(metrics.map(|metrics| Self { syncer, started: host::now(), call: None, metrics }))
    }

    /// How often the service is asked.
    pub fn interval(&self) -> Duration {
        self.syncer.entry().interval
    }

    /// Asks the service if it is to be asked; `tick` is the time between two calls of this.
    pub fn tick(&mut self, tick: Duration) {
        let now = host::now();
        self.measure(now);
        if let Some(ask) = self.syncer.begin(&host::Shared, now, tick) {
            self.ask(&ask);
        }
    }

    /// Whether the call of this number is one to the service, which is then taken as answered.
    pub fn takes(&mut self, call: u32) -> bool {
        self.call.take_if(|own| *own == call).is_some()
    }

    pub fn answered(&mut self, size: usize) {
        let header = |map: MapType, name: &str| host::header(map, name).ok().flatten();
        // Without an answer there are no headers.
        let status =
            header(MapType::HttpCallResponseHeaders, ":status").and_then(|status| status.parse().ok());
        let grpc_status = header(MapType::HttpCallResponseTrailers, "grpc-status")
            .or_else(|| header(MapType::HttpCallResponseHeaders, "grpc-status"));
        let body = host::buffer(BufferType::HttpCallResponseBody, 0, size).unwrap_or_default();
        self.take(&Answer { status, grpc_status: grpc_status.as_deref(), body: &body });
    }

    fn ask(&mut self, ask: &Ask) {
        let headers: Vec<_> = ask.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let cluster = self.syncer.entry().cluster();
        self.call = host::call(cluster, &headers, Some(&ask.body), TIMEOUT).ok();
        if self.call.is_none() {
            self.take(&Answer { status: None, grpc_status: None, body: &[] });
        }
    }

    fn take(&mut self, answer: &Answer<'_>) {
        match self.syncer.answered(&host::Shared, answer, host::now()) {
            Next::Ask(ask) => self.ask(&ask),
            Next::Over(outcome) => self.conclude(&outcome),
        }
    }

    fn conclude(&self, outcome: &Outcome) {
        self.measure(host::now());
        if let Some(trouble) = &outcome.trouble {
            let name = format!("sluice_limits_sync_failures_total;type={}", trouble.word());
            let _ =
                host::define_metric(MetricType::Counter, &name).and_then(|id| host::increment_metric(id, 1));
        }
        if let Some(counters) = outcome.learned {
            let more = match self.syncer.has_more() {
                true => "; others, of which there are too many, when they are first used",
                false => "",
            };
            host::log(
                LogLevel::Info,
                &format!("{counters} counters of limits are in step with the fleet{more}"),
            );
        }
        match &outcome.trouble {
            Some(trouble) if outcome.is_news => {
                let meanwhile = match (self.syncer.good(), self.syncer.entry().on_lost) {
                    (None, OnLost::Refuse) => "calls with limits are refused until it can be asked",
                    (None, OnLost::Local) => {
                        "what the fleet has used could not be learned, limits hold for this gateway alone"
                    }
                    (Some(_), OnLost::Refuse) => "calls with limits are refused soon",
                    (Some(_), OnLost::Local) => "limits hold for this gateway alone",
                };
                host::log(LogLevel::Error, &format!("{trouble}; {meanwhile}"));
            }
            None if outcome.is_news => host::log(LogLevel::Info, "the rate-limit service is well"),
            _ => {}
        }
    }

    fn measure(&self, now: Duration) {
        let since = self.syncer.good().unwrap_or(self.started);
        let _ = host::record_metric(self.metrics.age, now.saturating_sub(since).as_secs());
        let counters = u64::try_from(self.syncer.counters()).unwrap_or(u64::MAX);
        let _ = host::record_metric(self.metrics.counters, counters);
    }
}

impl Metrics {
    fn new() -> Result<Self, host::Refused> {
        Ok(Self {
            age: host::define_metric(MetricType::Gauge, "sluice_limits_sync_age_seconds")?,
            counters: host::define_metric(MetricType::Gauge, "sluice_limits_synced_counters")?,
        })
    }
}
