//! Shows the live counters of limits as gauges.

use std::collections::HashMap;
use std::time::Duration;

use proxy_wasm::types::{LogLevel, MetricType};
use sluice_core::limit::Limits;
use sluice_core::limit::report::Report;
use sluice_core::policy::Document;

use crate::host;

/// How often the counters are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// The gauges of all counters.
pub struct Counters {
    limits: Limits,
    report: Report,
    /// By their names.
    gauges: HashMap<String, u32>,
    due: Duration,
}

impl Counters {
    /// Nothing where the document has no limits.
    pub fn new(document: &Document) -> Option<Self> {
        let limits = Limits::of_document(document);
        (!limits.is_empty()).then(|| Self {
            limits,
            report: Report::default(),
            gauges: HashMap::new(),
            due: Duration::ZERO,
        })
    }

    pub fn tick(&mut self) {
        let now = host::now();
        if now < self.due && self.due.saturating_sub(now) <= INTERVAL {
            return;
        }
        self.due = now + INTERVAL;
        for (name, value) in self.report.gauges(&self.limits, &host::Shared, now) {
            if let Err(host::Refused(status)) = self.show(name, value) {
                host::log(LogLevel::Warn, &format!("a counter could not be shown (status {status})"));
            }
        }
    }

    fn show(&mut self, name: String, value: u64) -> Result<(), host::Refused> {
        let gauge = match self.gauges.get(&name) {
            Some(gauge) => *gauge,
            None => {
                let gauge = host::define_metric(MetricType::Gauge, &name)?;
                self.gauges.insert(name, gauge);
                gauge
            }
        };
        host::record_metric(gauge, value)
    }
}
