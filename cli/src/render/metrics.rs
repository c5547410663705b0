//! How the module's metric names become labelled metrics.
//!
//! The module names a metric `sluice_requests_total;provider=openai;model=gpt-4.1;…`: the name, then each label as
//! `;label=value`, where a value holds anything but `;`. So one expression per label finds it whatever the values are.

use super::tree::{Tree, map};

const LABELS: [&str; 13] = [
    "provider",
    "model",
    "team",
    "code",
    "type",
    "limit",
    "unit",
    "by",
    "share",
    "rule",
    "direction",
    "guard",
    "action",
];

/// Envoy's `stats_config`. The first group of an expression is cut out of the name, the second is the value.
pub(super) fn labels() -> Tree {
    let tags = LABELS.iter().map(|label| {
        map! {
            "tag_name": *label,
            "regex": format!(r"^wasmcustom\.sluice_.*?(;{label}=([^;]*))"),
        }
    });
    map! { "stats_tags": tags.collect::<Vec<_>>() }
}
