//! The shared data of a process: one map per `vm_id`, with compare-and-swap.
use std::collections::HashMap;

use super::abi::Status;

/// Keys with their values and the number of their last write. There is no delete in the ABI.
#[derive(Debug, Default)]
pub struct SharedData {
    maps: HashMap<String, HashMap<String, (Vec<u8>, u32)>>,
    last_cas: u32,
}

impl SharedData {
    /// The value of a key and its compare-and-swap number, which is never 0.
    pub fn get(&self, vm_id: &str, key: &str) -> Result<(Vec<u8>, u32), Status> {
        self.maps.get(vm_id).and_then(|map| map.get(key)).cloned().ok_or(Status::NotFound)
    }

    /// Writes a key: always when `cas` is 0 or the key is new, else only when `cas` is its present number.
    pub fn set(&mut self, vm_id: &str, key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
        let map = self.maps.entry(vm_id.to_owned()).or_default();
        if let Some((_, held)) = map.get(key)
            && cas != 0
            && cas != *held
        {
            return Err(Status::CasMismatch);
        }
        self.last_cas += 1;
        map.insert(key.to_owned(), (value.to_vec(), self.last_cas));
        Ok(())
    }

    /// The keys of a `vm_id`, sorted.
    pub fn keys(&self, vm_id: &str) -> Vec<String> {
        let mut keys: Vec<String> =
            self.maps.get(vm_id).map(|map| map.keys().cloned().collect()).unwrap_or_default();
        keys.sort();
        keys
    }
}
