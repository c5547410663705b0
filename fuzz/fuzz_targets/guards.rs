//! Texts and schemas against what judges them: the scorer of prompt injections, and answers that have to fit.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sluice_core::guard::Schema;
use sluice_core::guard::injection::Scorer;

static SCORER: LazyLock<Scorer> = LazyLock::new(|| Scorer::new().expect("the signals fit"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(SCORER.score(text).score <= 1000);
    let (schema, answer) = text.split_once('\0').unwrap_or((text, text));
    if let Some(schema) = Schema::read(schema) {
        let fits = schema.fits(answer);
        assert_eq!(fits, schema.fits(answer));
        assert!(!fits || serde_json::from_str::<serde::de::IgnoredAny>(answer).is_ok());
    }
});
