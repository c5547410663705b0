//! Envoy's own rate-limit filter behind the policy filter, for `limits_sync.check: synchronous`.

use sluice_core::limit::sync::{TIMEOUT, synchronous};
use sluice_core::limit::{Limit, Limits};
use sluice_core::policy::{OnLost, SyncEntry};

use super::tree::{Tree, extension, map, typed};
use super::{Input, seconds};

const FILTER: &str = "envoy.filters.http.ratelimit";
const PACKAGE: &str = "envoy.extensions.filters.http.ratelimit.v3";

/// The filter: it asks the service for each call that the policy filter has admitted.
pub(super) fn filter(input: &Input<'_>) -> Option<Tree> {
    let sync = sync(input)?;
    let service = map! {
        "grpc_service": map! {
            "envoy_grpc": map! { "cluster_name": sync.cluster(), "authority": sync.authority() },
            "timeout": seconds(TIMEOUT),
        },
        "transport_api_version": "V3",
    };
    Some(extension(
        FILTER,
        &format!("{PACKAGE}.RateLimit"),
        map! {
            "domain": sync.domain.as_str(),
            "failure_mode_deny": sync.on_lost == OnLost::Refuse,
            // A status that Envoy has for nothing else, so that the policy filter says that it is the gateway's fault.
            "status_on_error": map! { "code": "InsufficientStorage" },
            "timeout": seconds(TIMEOUT),
            "rate_limit_service": service,
            "disable_x_envoy_ratelimited_header": true,
        },
    ))
}

/// What the filter asks for, as the configuration of the virtual host.
pub(super) fn of_virtual_host(input: &Input<'_>) -> Option<Tree> {
    sync(input)?;
    let limits = Limits::of_document(input.document);
    let rate_limits: Vec<Tree> =
        limits.iter().filter(|limit| synchronous::lacks(limit).is_none()).flat_map(rate_limits).collect();
    Some(Tree::Map(vec![(
        FILTER.to_owned(),
        typed(&format!("{PACKAGE}.RateLimitPerRoute"), map! { "rate_limits": rate_limits }),
    )]))
}

/// A call is asked for when it is admitted, and charged when it has ended; a request is charged at once.
fn rate_limits(limit: &Limit) -> Vec<Tree> {
    let actions = || -> Vec<Tree> {
        let by = limit.by.iter().map(|by| entry(&by.word(), &synchronous::counts_by(by)));
        std::iter::once(entry("limit", &synchronous::holds(limit))).chain(by).collect()
    };
    let Some(used) = synchronous::has_used(limit) else { return vec![map! { "actions": actions() }] };
    vec![
        map! { "actions": actions(), "hits_addend": map! { "number": 0_u32 } },
        map! {
            "actions": actions(),
            "hits_addend": map! { "format": format!("%FILTER_STATE(wasm.{used}:PLAIN)%") },
            "apply_on_stream_done": true,
        },
    ]
}

/// An entry with a value of the module's; where it is not there, the limit does not hold, and nothing is asked.
fn entry(key: &str, value: &str) -> Tree {
    let descriptor = extension(
        "envoy.rate_limit_descriptors.expr",
        "envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor",
        map! { "descriptor_key": key, "text": format!("filter_state['wasm.{value}']") },
    );
    map! { "extension": descriptor }
}

fn sync<'i>(input: &'i Input<'_>) -> Option<&'i SyncEntry> {
    input.document.limits_sync.as_ref().filter(|sync| !sync.is_background())
}
