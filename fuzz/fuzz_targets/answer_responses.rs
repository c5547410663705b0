//! Streams of the Responses API and of legacy completions that pass as they are.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for path in ["/v1/responses", "/v1/completions"] {
        sluice_fuzz::passing(path, bytes);
    }
});
