//! The listener: the connection manager, the policy filter, and the routes to the models' clusters.

use std::collections::BTreeMap;
use std::time::Duration;

use sluice_core::exchange::{IDLE_TIMEOUT_HEADER, ROUTE_HEADER};

use super::tree::{Tree, extension, map, socket_address};
use super::{Input, access_log, jwt, rate_limit_filter, seconds, wasm};

/// How much longer than the attempt's idle timeout the request's is: the attempt's has to fire first, because only
/// that one lets the next target have a try.
const IDLE_MARGIN: Duration = Duration::from_secs(1);

/// The listener of the gateway.
pub(super) fn listener(input: &Input<'_>) -> Tree {
    let listen = &input.document.listen;
    let manager = extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        connection_manager(input),
    );
    map! {
        "name": "sluice",
        "address": socket_address(&listen.address, listen.port),
        "filter_chains": [map! { "filters": [manager] }],
    }
}

fn connection_manager(input: &Input<'_>) -> Tree {
    let idle = idle_timeouts(input);
    let longest = idle.keys().max().copied().unwrap_or_default();
    map! {
        "stat_prefix": "sluice",
        "codec_type": "AUTO",
        // The address that a client claims to have is no proof, and its x-envoy-* headers must not steer the router.
        "use_remote_address": true,
        "normalize_path": true,
        "merge_slashes": true,
        // Nobody is told which server answers; a provider's own header is for the module to judge.
        "server_header_transformation": "PASS_THROUGH",
        "common_http_protocol_options": map! { "idle_timeout": "3600s" },
        "http2_protocol_options": map! {
            "max_concurrent_streams": 1000_u32,
            "initial_stream_window_size": 65_536_u32,
            "initial_connection_window_size": 1_048_576_u32,
        },
        "request_headers_timeout": "30s",
        // OpenAI's realtime API.
        "upgrade_configs": [map! { "upgrade_type": "websocket" }],
        // Bounds what a route doesn't: a client that stops in the middle of its request.
        "stream_idle_timeout": seconds(longest + IDLE_MARGIN),
        "access_log": [access_log::access_log()],
        "http_filters": http_filters(input),
        "route_config": map! {
            "name": "sluice",
            "virtual_hosts": [map! {
                "name": "sluice",
                "domains": ["*".into()],
                // Holds for requests and for responses that are held whole.
                "request_body_buffer_limit": input.document.listen.max_body_bytes,
                "routes": routes(idle),
            }
            .with_some("typed_per_filter_config", rate_limit_filter::of_virtual_host(input))],
        },
    }
}

/// Tokens are verified before the policy filter reads what they say.
fn http_filters(input: &Input<'_>) -> Vec<Tree> {
    let filters =
        [jwt::filter(input), Some(wasm::policy(input)), rate_limit_filter::filter(input), Some(router())];
    filters.into_iter().flatten().collect()
}

fn router() -> Tree {
    extension(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        // Neither clients nor providers are told of retries and timings by headers of Envoy's.
        map! { "suppress_envoy_headers": true },
    )
}

/// How long models' answers may pause, and how many models have it so.
fn idle_timeouts(input: &Input<'_>) -> BTreeMap<Duration, usize> {
    let mut timeouts = BTreeMap::new();
    for model in input.models() {
        *timeouts.entry(model.timeouts.idle).or_default() += 1;
    }
    timeouts
}

/// One route for all models with the most common idle timeout, after one for each of the others.
fn routes(mut idle: BTreeMap<Duration, usize>) -> Vec<Tree> {
    let common = idle.iter().max_by_key(|(_, models)| **models).map(|(timeout, _)| *timeout);
    let common = common.unwrap_or_default();
    idle.remove(&common);
    let mut routes: Vec<Tree> = idle
        .into_keys()
        .map(|timeout| {
            let named = map! {
                "name": IDLE_TIMEOUT_HEADER,
                "string_match": map! { "exact": timeout.as_millis().to_string() },
            };
            route(map! { "prefix": "/", "headers": [named] }, timeout)
        })
        .collect();
    routes.push(route(map! { "prefix": "/" }, common));
    routes
}

fn route(matching: Tree, idle: Duration) -> Tree {
    map! {
        "match": matching,
        "route": map! {
            "cluster_header": ROUTE_HEADER,
            // A stream lasts as long as the model speaks.
            "timeout": "0s",
            "idle_timeout": seconds(idle + IDLE_MARGIN),
            "retry_policy": map! {
                // How often, on what and for how long is set for each request by the policy filter.
                "num_retries": 0_u32,
                "per_try_idle_timeout": seconds(idle),
                // The next target is another provider, which need not be given time to recover.
                "retry_back_off": map! { "base_interval": "0.005s", "max_interval": "0.1s" },
                "retry_priority": extension(
                    "envoy.retry_priorities.previous_priorities",
                    "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                    map! { "update_frequency": 1_u32 },
                ),
            },
        },
    }
}
