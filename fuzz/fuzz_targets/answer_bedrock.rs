//! Answers and streams of a provider, for clients of every dialect.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_core::dialect::ProviderDialect;

fuzz_target!(|bytes: &[u8]| {
    sluice_fuzz::answer(ProviderDialect::Bedrock, bytes);
});
