//! Counters, gauges and histograms: ids belong to one virtual machine, values to the process.
use std::collections::{BTreeMap, HashMap};

use super::abi::Status;

/// The process's statistics, by name.
#[derive(Debug, Default)]
pub struct Statistics {
    values: BTreeMap<String, u64>,
    histograms: BTreeMap<String, Vec<u64>>,
}

/// The kinds of the ABI; the number is also the low two bits of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// 0: only grows.
    Counter,
    /// 1: any value.
    Gauge,
    /// 2: every value that was recorded.
    Histogram,
}

/// The ids that one virtual machine has defined.
#[derive(Debug, Default)]
pub(crate) struct MetricIds {
    names: HashMap<u32, String>,
    defined: [u32; 3],
}

impl Statistics {
    /// The value of a counter or gauge.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.values.get(name).copied()
    }

    /// What was recorded in a histogram, in order.
    pub fn histogram(&self, name: &str) -> Option<&[u64]> {
        self.histograms.get(name).map(Vec::as_slice)
    }

    /// The names of all metrics; one that was defined stays forever, as in Envoy.
    pub fn names(&self) -> Vec<String> {
        self.values.keys().chain(self.histograms.keys()).cloned().collect()
    }
}

fn kind_of(id: u32) -> Option<MetricKind> {
    [MetricKind::Counter, MetricKind::Gauge, MetricKind::Histogram].get((id & 3) as usize).copied()
}

impl MetricIds {
    /// `proxy_define_metric`: a new id each time, also for a name that exists.
    pub(crate) fn define(
        &mut self,
        statistics: &mut Statistics,
        kind: u32,
        name: &str,
    ) -> Result<u32, Status> {
        let count = self.defined.get_mut(kind as usize).ok_or(Status::BadArgument)?;
        *count += 1;
        let id = kind + 4 * *count;
        self.names.insert(id, name.to_owned());
        if kind == 2 {
            statistics.histograms.entry(name.to_owned()).or_default();
        } else {
            statistics.values.entry(name.to_owned()).or_default();
        }
        Ok(id)
    }

    /// `proxy_increment_metric`: a counter takes only positive offsets.
    pub(crate) fn increment(&self, statistics: &mut Statistics, id: u32, offset: i64) -> Result<(), Status> {
        let kind = kind_of(id).filter(|kind| *kind != MetricKind::Histogram).ok_or(Status::BadArgument)?;
        let value = self.value(statistics, id)?;
        if kind == MetricKind::Counter && offset <= 0 {
            return Err(Status::BadArgument);
        }
        *value = value.wrapping_add_signed(offset);
        Ok(())
    }

    /// `proxy_record_metric`: a counter grows by the value, a gauge becomes it.
    pub(crate) fn record(&self, statistics: &mut Statistics, id: u32, value: u64) -> Result<(), Status> {
        match kind_of(id).ok_or(Status::NotFound)? {
            MetricKind::Counter => {
                let held = self.value(statistics, id)?;
                *held = held.wrapping_add(value);
            }
            MetricKind::Gauge => *self.value(statistics, id)? = value,
            MetricKind::Histogram => {
                let name = self.names.get(&id).ok_or(Status::NotFound)?;
                statistics.histograms.get_mut(name).ok_or(Status::NotFound)?.push(value);
            }
        }
        Ok(())
    }

    /// `proxy_get_metric`: histograms can't be read.
    pub(crate) fn get(&self, statistics: &mut Statistics, id: u32) -> Result<u64, Status> {
        kind_of(id).filter(|kind| *kind != MetricKind::Histogram).ok_or(Status::BadArgument)?;
        self.value(statistics, id).copied()
    }

    fn value<'s>(&self, statistics: &'s mut Statistics, id: u32) -> Result<&'s mut u64, Status> {
        let name = self.names.get(&id).ok_or(Status::NotFound)?;
        statistics.values.get_mut(name).ok_or(Status::NotFound)
    }
}
