//! A policy document's limits as the configuration of the rate-limit service that keeps count of them.

use sluice_core::limit::sync::{self, MOST, synchronous};
use sluice_core::limit::window::Period;
use sluice_core::limit::{Limit, Limits};
use sluice_core::policy::Document;

use super::tree::{Tree, map};

/// The configuration of [envoyproxy/ratelimit](https://github.com/envoyproxy/ratelimit), as YAML.
///
/// Where the module asks it beside the calls, each counter counts as far as the service can, because the gateways decide what a
/// limit allows. Where Envoy's own filter asks it for each call, the service decides.
///
/// # Errors
/// The document has no `limits_sync`, or no limits for it.
pub fn ratelimit(document: &Document) -> Result<String, String> {
    let Some(sync) = &document.limits_sync else { return Err("the policy has no `limits_sync`".to_owned()) };
    let limits = Limits::of_document(document);
    let descriptors: Vec<Tree> = match sync.is_background() {
        true => limits.iter().filter(|limit| limit.is_of_fleet()).map(counters).collect(),
        false => limits.iter().filter(|limit| synchronous::lacks(limit).is_none()).map(decided).collect(),
    };
    if descriptors.is_empty() {
        return Err("the policy has no limits that a fleet could have together".to_owned());
    }
    let tree = map! { "domain": sync.domain.as_str(), "descriptors": descriptors };
    tree.to_yaml().map_err(|error| format!("the configuration could not be written as YAML: {error}"))
}

/// The counters of a limit.
fn counters(limit: &Limit) -> Tree {
    nested(sync::keys(limit), sync::service_unit(limit), MOST)
}

/// A limit that the service decides about.
fn decided(limit: &Limit) -> Tree {
    let name = [("limit".to_owned(), Some(limit.name.clone()))];
    let keys = name.into_iter().chain(limit.by.iter().map(|by| (by.word(), None))).collect();
    nested(keys, limit.period.map_or("", Period::word), synchronous::allowed(limit))
}

/// Keys in order, the outermost first; the last one has the limit.
fn nested(keys: Vec<(String, Option<String>)>, unit: &str, most: u64) -> Tree {
    let rate_limit = map! { "unit": unit, "requests_per_unit": Tree::Number(most) };
    keys.into_iter()
        .rev()
        .fold(None, |inner: Option<Tree>, (key, value)| {
            let tree = map! { "key": key }.with_some("value", value);
            Some(match inner {
                None => tree.with("rate_limit", rate_limit.clone()),
                Some(inner) => tree.with("descriptors", vec![inner]),
            })
        })
        .unwrap_or(map! {})
}
