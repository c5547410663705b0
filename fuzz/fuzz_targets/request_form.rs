//! Forms whose model is looked for.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sluice_fuzz::request("/v1/audio/transcriptions", "multipart/form-data; boundary=xyz", bytes);
});
