//! Any answer of an outside judge, and any answer or stream that one is asked about.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| sluice_fuzz::judge(bytes));
