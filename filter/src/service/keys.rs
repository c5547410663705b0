//! Keeps the keys of `callers.source` current.

use std::time::Duration;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};
use sluice_core::identity::bundle::{Outcome, Refresher, STATUS, Status, TIMEOUT, Trouble};
use sluice_core::policy::SourceEntry;

use crate::host;

/// The keys of a source.
pub struct Keys {
    refresher: Refresher,
    started: Duration,
    /// The call that is to be answered.
    call: Option<u32>,
    metrics: Metrics,
}

struct Metrics {
    /// Seconds since the source last confirmed the bundle in force; since the start where there is none.
    age: u32,
    serial: u32,
}

impl Keys {
    pub fn new(source: SourceEntry) -> Result<Self, host::Refused> {
        let metrics = Metrics {
            age: host::define_metric(MetricType::Gauge, "sluice_key_source_age_seconds")?,
            serial: host::define_metric(MetricType::Gauge, "sluice_key_source_serial")?,
        };
        Ok(Self { refresher: Refresher::new(source), started: host::now(), call: None, metrics })
    }

    /// Asks the source if it is to be asked; `tick` is the time between two calls of this.
    pub fn tick(&mut self, tick: Duration) {
        let now = host::now();
        let status = status();
        self.measure(status.as_ref(), now);
        let Some(headers) = self.refresher.ask(status.as_ref(), now, tick) else { return };
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.call = host::call(self.refresher.source().cluster(), &headers, None, TIMEOUT).ok();
        if self.call.is_none() {
            let outcome = self.refresher.answered(None, None, &[], status.as_ref(), now);
            self.conclude(outcome, now);
        }
    }

    /// Whether the call of this number is one of the source's, which is then taken as answered.
    pub fn takes(&mut self, call: u32) -> bool {
        self.call.take_if(|own| *own == call).is_some()
    }

    pub fn answered(&mut self, size: usize) {
        let now = host::now();
        let map = MapType::HttpCallResponseHeaders;
        let header = |name: &str| host::header(map, name).ok().flatten();
        // Without an answer there are no headers.
        let answer = header(":status").and_then(|status| status.parse().ok());
        let body = host::buffer(BufferType::HttpCallResponseBody, 0, size).unwrap_or_default();
        let outcome = self.refresher.answered(answer, header("etag"), &body, status().as_ref(), now);
        self.conclude(outcome, now);
    }

    fn conclude(&mut self, outcome: Outcome<'_>, now: Duration) {
        let trouble = match outcome {
            Outcome::Failed(trouble) => Some(trouble),
            Outcome::Same(status) => self.put(&status, now),
            // The status comes last: until it is there, nobody looks for the first bundle's keys.
            Outcome::New(bundle, status) => match bundle.tables(host::set_shared) {
                Ok(()) => {
                    let text = format!("{} keys are in force, by the bundle {}", bundle.len(), bundle.serial);
                    host::log(LogLevel::Info, &text);
                    self.put(&status, now)
                }
                Err(host::Refused(_)) => Some(Trouble::Unwritable),
            },
        };
        if trouble == Some(Trouble::Unwritable) {
            self.refresher.lost();
        }
        if let Some(trouble) = trouble {
            let name = format!("sluice_key_source_failures_total;type={}", trouble.word());
            let _ =
                host::define_metric(MetricType::Counter, &name).and_then(|id| host::increment_metric(id, 1));
        }
        if self.refresher.note(trouble) {
            match trouble {
                Some(trouble) => host::log(LogLevel::Error, &trouble.to_string()),
                None => host::log(LogLevel::Info, "the source of keys is well"),
            }
        }
    }

    fn put(&self, status: &Status, now: Duration) -> Option<Trouble> {
        let written = host::set_shared(STATUS, &status.encode());
        self.measure(Some(status), now);
        written.err().map(|host::Refused(_)| Trouble::Unwritable)
    }

    fn measure(&self, status: Option<&Status>, now: Duration) {
        let since = status.map_or(self.started, |status| status.checked);
        let _ = host::record_metric(self.metrics.age, now.saturating_sub(since).as_secs());
        let _ = host::record_metric(self.metrics.serial, status.map_or(0, |status| status.serial));
    }
}

/// The bundle in force; it outlives this virtual machine.
fn status() -> Option<Status> {
    host::shared(STATUS).and_then(|bytes| Status::decode(&bytes))
}
