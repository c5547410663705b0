//! Texts of any body or event of any client's dialect: what is put in their stead leaves JSON, and nothing else changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_core::dialect::ClientDialect;
use sluice_core::dialect::texts::{Found, Side, walk};

fuzz_target!(|bytes: &[u8]| {
    for dialect in ClientDialect::ALL {
        for side in [Side::Request, Side::Answer, Side::Event] {
            let mut texts = 0;
            let Ok(unchanged) = walk(dialect, side, bytes, &mut |place, found| {
                texts += usize::from(matches!(found, Found::Text(_) | Found::Delta { .. }));
                assert!(!place.path().is_empty() || texts <= 1);
                Ok(None)
            }) else {
                continue;
            };
            assert_eq!(unchanged, None);
            let changed = walk(dialect, side, bytes, &mut |_, found| {
                Ok(matches!(found, Found::Text(_) | Found::Delta { .. }).then(|| "\"\\é\n".to_owned()))
            });
            let changed = changed.expect("was read before");
            assert_eq!(changed.is_some(), texts > 0);
            if let Some(changed) = changed {
                serde_json::from_slice::<serde::de::IgnoredAny>(&changed).expect("is JSON");
            }
        }
    }
});
