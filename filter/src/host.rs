//! Every host call (proxy-wasm ABI 0.2.1), as functions that return errors: the SDK's own panic, and one panic takes
//! down every plugin of the VM.
#![allow(unsafe_code)]

use std::time::Duration;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};
use sluice_core::shared::{SharedMemory, Version};

/// A host call was refused; the number is the ABI's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub u32);

type Result<T> = std::result::Result<T, Refused>;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_close_stream(direction: u32) -> u32;
    fn proxy_continue_stream(direction: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        version: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        version: u32,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
}

/// Writes to Envoy's log. What is written must hold neither content nor credentials.
pub fn log(level: LogLevel, message: &str) {
    // SAFETY: the host reads `message` within the call. A log that fails has nowhere to say so.
    unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// The time since the Unix epoch.
pub fn now() -> Duration {
    let mut nanoseconds = 0;
    // SAFETY: the host writes one u64 within the call.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanoseconds) };
    Duration::from_nanos(nanoseconds)
}

/// Up to `max_size` bytes of a buffer, from `start` on; nothing where there is none.
pub fn buffer(buffer: BufferType, start: usize, max_size: usize) -> Result<Vec<u8>> {
    // SAFETY: the pointers live through the call.
    owned(|data, size| unsafe { proxy_get_buffer_bytes(buffer as u32, start, max_size, data, size) })
        .map(Option::unwrap_or_default)
}

/// Puts `data` in the place of `size` bytes from `start` on.
pub fn set_buffer(buffer: BufferType, start: usize, size: usize, data: &[u8]) -> Result<()> {
    // SAFETY: the host reads `data` within the call.
    done(unsafe { proxy_set_buffer_bytes(buffer as u32, start, size, data.as_ptr(), data.len()) })
}

/// All headers of a map. What is not UTF-8 is replaced: names never are, and no value that matters may be.
pub fn headers(map: MapType) -> Result<Vec<(String, String)>> {
    // SAFETY: the pointers live through the call.
    let bytes = owned(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })?;
    Ok(pairs::read(&bytes.unwrap_or_default()))
}

/// Puts these headers in the place of all that a map has.
pub fn set_headers(map: MapType, headers: &[(String, String)]) -> Result<()> {
    let bytes = pairs::write(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    // SAFETY: the host reads `bytes` within the call.
    done(unsafe { proxy_set_header_map_pairs(map as u32, bytes.as_ptr(), bytes.len()) })
}

/// The first value of a header.
pub fn header(map: MapType, name: &str) -> Result<Option<String>> {
    // SAFETY: the pointers live through the call.
    let value = owned(|data, size| unsafe {
        proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
    })?;
    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
}

/// Sets a header to one value.
pub fn set_header(map: MapType, name: &str, value: &str) -> Result<()> {
    // SAFETY: the host reads both within the call.
    done(unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes every value of a header.
pub fn remove_header(map: MapType, name: &str) -> Result<()> {
    // SAFETY: the host reads `name` within the call.
    done(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// A property, by its path.
pub fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    // SAFETY: the pointers live through the call.
    owned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) }).ok().flatten()
}

/// A property that is text.
pub fn text_property(path: &[&str]) -> Option<String> {
    property(path).and_then(|value| String::from_utf8(value).ok())
}

/// A property that is a map, such as the fields of a filter's metadata; empty where there is none.
pub fn map_property(path: &[&str]) -> Vec<(String, String)> {
    property(path).map(|value| pairs::read(&value)).unwrap_or_default()
}

/// Sets the filter state `wasm.<name>`, which access logs and the stream's other filters read.
pub fn set_property(name: &str, value: &str) -> Result<()> {
    // SAFETY: the host reads both within the call.
    done(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Answers the client at once.
pub fn reply<'h>(status: u16, headers: impl Iterator<Item = (&'h str, &'h str)>, body: &[u8]) -> Result<()> {
    const NO_GRPC_STATUS: i32 = -1;
    let headers = pairs::write(headers);
    // SAFETY: the host reads everything within the call.
    done(unsafe {
        proxy_send_local_response(
            u32::from(status),
            std::ptr::null(),
            0,
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Ends the current stream on both sides, as it is: the client's connection breaks, and the provider's too.
pub fn close_stream() -> Result<()> {
    const RESPONSE: u32 = 1;
    // SAFETY: takes a number only.
    done(unsafe { proxy_close_stream(RESPONSE) })
}

/// Lets the current stream's request go on, which a callback has paused.
pub fn resume_request() -> Result<()> {
    const REQUEST: u32 = 0;
    // SAFETY: takes a number only.
    done(unsafe { proxy_continue_stream(REQUEST) })
}

/// Lets the current stream's response go on, which a callback has paused.
pub fn resume_response() -> Result<()> {
    const RESPONSE: u32 = 1;
    // SAFETY: takes a number only.
    done(unsafe { proxy_continue_stream(RESPONSE) })
}

/// Defines a metric, or finds the one of this name.
pub fn define_metric(kind: MetricType, name: &str) -> Result<u32> {
    let mut id = 0;
    // SAFETY: the host reads `name` and writes `id` within the call.
    done(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds to a counter.
pub fn increment_metric(id: u32, by: i64) -> Result<()> {
    // SAFETY: takes numbers only.
    done(unsafe { proxy_increment_metric(id, by) })
}

/// Records a value in a histogram, or sets a gauge to it.
pub fn record_metric(id: u32, value: u64) -> Result<()> {
    // SAFETY: takes numbers only.
    done(unsafe { proxy_record_metric(id, value) })
}

/// The memory that all virtual machines of this Envoy share.
#[derive(Debug)]
pub struct Shared;

impl SharedMemory for Shared {
    fn get(&self, name: &str) -> Option<(Vec<u8>, Version)> {
        shared_with_version(name)
    }

    fn swap(&self, name: &str, version: Version, value: &[u8]) -> bool {
        // SAFETY: the host reads both within the call.
        let status = unsafe {
            proxy_set_shared_data(name.as_ptr(), name.len(), value.as_ptr(), value.len(), version.0)
        };
        status == OK
    }
}

/// A value of the memory that all virtual machines of this Envoy share; `None` under a name that has none.
pub fn shared(name: &str) -> Option<Vec<u8>> {
    shared_with_version(name).map(|(value, _)| value)
}

fn shared_with_version(name: &str) -> Option<(Vec<u8>, Version)> {
    let mut version = 0;
    // SAFETY: the pointers live through the call.
    let value = owned(|data, size| unsafe {
        proxy_get_shared_data(name.as_ptr(), name.len(), data, size, &raw mut version)
    });
    Some((value.ok()??, Version(version)))
}

/// Sets a value of the memory that all virtual machines of this Envoy share, whatever it was.
pub fn set_shared(name: &str, value: &[u8]) -> Result<()> {
    const ANY_VERSION: u32 = 0;
    // SAFETY: the host reads both within the call.
    done(unsafe {
        proxy_set_shared_data(name.as_ptr(), name.len(), value.as_ptr(), value.len(), ANY_VERSION)
    })
}

/// Has the root's `on_tick` called again and again.
pub fn set_tick(period: Duration) -> Result<()> {
    let period = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: takes a number only.
    done(unsafe { proxy_set_tick_period_milliseconds(period) })
}

/// Asks a cluster; `on_http_call_response` of the current context gets the answer, with the number that this returns.
///
/// This is the SDK's own, because only it can tell the SDK whom the answer is for: it panics on an answer that it has not
/// asked for itself. The statuses on which this panics are none that Envoy has for this call.
pub fn call(cluster: &str, headers: &[(&str, &str)], body: Option<&[u8]>, timeout: Duration) -> Result<u32> {
    proxy_wasm::hostcalls::dispatch_http_call(cluster, headers.to_vec(), body, Vec::new(), timeout)
        .map_err(|status| Refused(status as u32))
}

fn done(status: u32) -> Result<()> {
    match status {
        OK => Ok(()),
        status => Err(Refused(status)),
    }
}

/// Takes over the memory that the host has had the module allocate for a result.
fn owned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>> {
    let mut data = std::ptr::null_mut();
    let mut size = 0;
    match call(&raw mut data, &raw mut size) {
        OK if data.is_null() => Ok(None),
        // SAFETY: the host allocates by `proxy_on_memory_allocate`, which makes a vector of just this capacity.
        OK => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
        NOT_FOUND => Ok(None),
        status => Err(Refused(status)),
    }
}

/// The ABI's form of header maps: a count, the sizes of all names and values, then each with a zero behind it.
mod pairs {
    const WORD: usize = size_of::<u32>();

    pub(super) fn read(bytes: &[u8]) -> Vec<(String, String)> {
        let word = |position: usize| -> Option<usize> {
            let word = bytes.get(position..position + WORD)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(word)).ok()
        };
        let count = word(0).unwrap_or(0);
        let mut position = WORD + count.min(bytes.len()) * 2 * WORD;
        let mut text = |size: usize| {
            let text = bytes.get(position..position + size).unwrap_or_default();
            position += size + 1;
            String::from_utf8_lossy(text).into_owned()
        };
        let sizes = |pair: usize| Some((word(WORD + pair * 2 * WORD)?, word(WORD + pair * 2 * WORD + WORD)?));
        (0..count).map_while(sizes).map(|(name, value)| (text(name), text(value))).collect()
    }

    pub(super) fn write<'h>(headers: impl Iterator<Item = (&'h str, &'h str)>) -> Vec<u8> {
        let headers: Vec<_> = headers.collect();
        let mut bytes = Vec::new();
        let word = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
        bytes.extend_from_slice(&word(headers.len()));
        for (name, value) in &headers {
            bytes.extend_from_slice(&word(name.len()));
            bytes.extend_from_slice(&word(value.len()));
        }
        for (name, value) in &headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0);
        }
        bytes
    }
}
