//! Memory that all workers of one Envoy share: the one thing that the core reaches for itself.

/// Named values, each with a version that changes with every write.
pub trait SharedMemory: std::fmt::Debug {
    /// A value and its version; `None` under a name that has none.
    fn get(&self, name: &str) -> Option<(Vec<u8>, Version)>;

    /// Writes a value if its version is still this one. Returns whether it was written.
    fn swap(&self, name: &str, version: Version, value: &[u8]) -> bool;
}

/// The version of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u32);

impl Version {
    /// Of a name that has no value yet. Envoy writes a new name whatever the version, and one that is there only if the
    /// version fits; zero, its word for "in any case", would let two writers both be the first.
    pub const ABSENT: Self = Self(u32::MAX);
}

/// A value could not be changed: others changed it all the time, or there is no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Changes a value in at most so many attempts. `change` gets what is there, empty under a new name, and returns the new
/// value beside what the caller wants to know; without a new value nothing is written.
pub fn update<T>(
    memory: &dyn SharedMemory,
    name: &str,
    attempts: u32,
    mut change: impl FnMut(&[u8]) -> Result<(Option<Vec<u8>>, T), Busy>,
) -> Result<T, Busy> {
    for _ in 0..attempts {
        let (value, version) = memory.get(name).unwrap_or((Vec::new(), Version::ABSENT));
        let (new, told) = change(&value)?;
        if new.is_none_or(|new| memory.swap(name, version, &new)) {
            return Ok(told);
        }
    }
    Err(Busy)
}

/// Shared memory of a single process, for tests and tools.
#[derive(Debug, Default)]
pub struct LocalMemory(std::sync::Mutex<State>);

#[derive(Debug, Default)]
struct State {
    values: std::collections::HashMap<String, (Vec<u8>, u32)>,
    last: u32,
}

impl SharedMemory for LocalMemory {
    fn get(&self, name: &str) -> Option<(Vec<u8>, Version)> {
        let state = self.0.lock().ok()?;
        state.values.get(name).map(|(value, version)| (value.clone(), Version(*version)))
    }

    fn swap(&self, name: &str, version: Version, value: &[u8]) -> bool {
        let Ok(mut state) = self.0.lock() else { return false };
        let fits = state.values.get(name).is_none_or(|(_, held)| Version(*held) == version);
        if fits {
            state.last += 1;
            let last = state.last;
            state.values.insert(name.to_owned(), (value.to_vec(), last));
        }
        fits
    }
}
