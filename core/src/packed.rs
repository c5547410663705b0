//! Data that the build has packed, unpacked when it is first needed.

use std::sync::LazyLock;

/// Prices of models by vendor.
pub static RATE_CARD: LazyLock<String> =
    LazyLock::new(|| unpacked(include_bytes!(concat!(env!("OUT_DIR"), "/rate-card"))));

/// Names of time zones and their rules, a line each.
pub static TIME_ZONES: LazyLock<String> =
    LazyLock::new(|| unpacked(include_bytes!(concat!(env!("OUT_DIR"), "/time-zones"))));

/// What the build has packed can be unpacked, which the tests of both see.
fn unpacked(bytes: &[u8]) -> String {
    let text = miniz_oxide::inflate::decompress_to_vec(bytes).unwrap_or_default();
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        assert_eq!(*RATE_CARD, include_str!("../data/rate-card.txt"));
        assert_eq!(*TIME_ZONES, include_str!("../data/time-zones.txt"));
    }
}
