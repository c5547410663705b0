//! Policy documents, as text and as protobuf.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = sluice_core::policy::load(bytes, &|_| Some("key".to_owned()));
});
