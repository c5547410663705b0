//! Envoy's metrics: each is defined once, under the name that the core gives it.

use std::cell::RefCell;
use std::collections::HashMap;

use proxy_wasm::types::{LogLevel, MetricType};
use sluice_core::usage::metrics::{self, Ended, Kind, Measure};

use crate::host;

thread_local! {
    static DEFINED: RefCell<HashMap<String, u32>> = RefCell::default();
}

/// Counts a request that has ended.
pub fn count(ended: Ended<'_>) {
    add(&metrics::of(ended));
}

/// Adds to metrics.
pub fn add(measures: &[Measure]) {
    for measure in measures {
        if let Err(host::Refused(status)) = record(measure) {
            host::log(LogLevel::Warn, &format!("a metric could not be recorded (status {status})"));
        }
    }
}

fn record(measure: &Measure) -> Result<(), host::Refused> {
    let id = define(measure)?;
    match measure.kind {
        Kind::Counter => host::increment_metric(id, i64::try_from(measure.value).unwrap_or(i64::MAX)),
        Kind::Histogram => host::record_metric(id, measure.value),
    }
}

fn define(measure: &Measure) -> Result<u32, host::Refused> {
    DEFINED.with_borrow_mut(|defined| match defined.get(&measure.name) {
        Some(id) => Ok(*id),
        None => {
            let kind = match measure.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Histogram => MetricType::Histogram,
            };
            let id = host::define_metric(kind, &measure.name)?;
            defined.insert(measure.name.clone(), id);
            Ok(id)
        }
    })
}
