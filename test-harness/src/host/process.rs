//! What all workers of one Envoy process share: shared data, queues, statistics, and here the clock.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{metrics::Statistics, shared_data::SharedData, shared_queue::SharedQueues};

/// A value that workers share.
pub(crate) type Shared<T> = Arc<Mutex<T>>;

/// A value in a [`Shared`].
pub(crate) fn shared<T>(value: T) -> Shared<T> {
    Arc::new(Mutex::new(value))
}

/// Locks; a test that panicked while it held the lock must not hide behind a second panic.
pub(crate) fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One Envoy process. Clones are handles to the same process; virtual machines started with one share it, as
/// workers do.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub(crate) data: Shared<SharedData>,
    pub(crate) queues: Shared<SharedQueues>,
    pub(crate) statistics: Shared<Statistics>,
    clock: Shared<Clock>,
}

/// 2025-01-01T00:00:00Z, where the clock stands until a test sets it.
const START: Duration = Duration::from_secs(1_735_689_600);

#[derive(Debug)]
struct Clock {
    system: Duration,
    monotonic: Duration,
}

impl Default for Clock {
    fn default() -> Self {
        Self { system: START, monotonic: Duration::from_secs(1) }
    }
}

impl Process {
    /// A process with no data, and its clock at the start of 2025.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time of day, since 1970.
    pub fn now(&self) -> Duration {
        lock(&self.clock).system
    }

    /// Sets the time of day, also backwards; the monotonic clock does not move.
    pub fn set_now(&self, since_1970: Duration) {
        lock(&self.clock).system = since_1970;
    }

    /// The monotonic clock.
    pub fn monotonic(&self) -> Duration {
        lock(&self.clock).monotonic
    }

    /// Moves both clocks forward. Ticks do not fire by this alone: see [`super::Vm::advance`].
    pub fn move_clock(&self, by: Duration) {
        let mut clock = lock(&self.clock);
        clock.system += by;
        clock.monotonic += by;
    }

    /// A key of the shared data.
    pub fn shared_data(&self, vm_id: &str, key: &str) -> Option<Vec<u8>> {
        lock(&self.data).get(vm_id, key).ok().map(|(value, _)| value)
    }

    /// Writes a key of the shared data as another worker would.
    pub fn set_shared_data(&self, vm_id: &str, key: &str, value: &[u8]) {
        lock(&self.data).set(vm_id, key, value, 0).expect("an unconditional write");
    }

    /// The keys of the shared data, sorted.
    pub fn shared_data_keys(&self, vm_id: &str) -> Vec<String> {
        lock(&self.data).keys(vm_id)
    }

    /// The value of a counter or gauge.
    pub fn metric(&self, name: &str) -> Option<u64> {
        lock(&self.statistics).value(name)
    }

    /// What was recorded in a histogram.
    pub fn histogram(&self, name: &str) -> Option<Vec<u64>> {
        lock(&self.statistics).histogram(name).map(<[u64]>::to_vec)
    }

    /// The names of all metrics.
    pub fn metric_names(&self) -> Vec<String> {
        lock(&self.statistics).names()
    }
}
