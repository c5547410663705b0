//! Rankings that clients ask for, in the shapes of Cohere and of Jina.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for path in ["/v2/rerank", "/v1/rerank"] {
        sluice_fuzz::request(path, "application/json", bytes);
        sluice_fuzz::decode(path, bytes);
    }
});
