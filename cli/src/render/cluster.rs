//! The clusters: one for each target of a provider, and one aggregate for each list of targets that a request may need.

use std::collections::BTreeSet;
use std::net::IpAddr;

use sluice_core::policy::{Endpoint, Target};
use sluice_core::route;

use super::tree::{Tree, extension, map, socket_address, typed};
use super::{Error, Input, seconds, wasm};

pub(super) const PROTOCOL_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Providers' clusters in the document's order, then those of the models' target lists, each list once.
pub(super) fn clusters(input: &Input<'_>) -> Result<Vec<Tree>, Error> {
    let models = input.models();
    let mut clusters = Vec::new();
    for entry in &input.document.providers {
        let mut seen = BTreeSet::new();
        let mut targets: Vec<&Target> = models
            .iter()
            .flat_map(|model| &model.targets)
            .filter(|target| target.provider.name == entry.name && seen.insert(target.occurrence))
            .collect();
        targets.sort_by_key(|target| target.occurrence);
        for target in targets {
            clusters.push(member(input, target)?);
        }
    }
    let mut rendered = BTreeSet::new();
    for model in &models {
        for list in route::lists(model) {
            let targets: Vec<&Target> =
                list.iter().filter_map(|position| model.targets.get(*position)).collect();
            let name = route::cluster(targets.iter().copied());
            if rendered.insert(name.clone()) {
                clusters.push(aggregate(input, &name, &targets));
            }
        }
    }
    Ok(clusters)
}

/// The cluster of one provider's n-th occurrence among a model's targets. Its endpoint says which one that is.
fn member(input: &Input<'_>, target: &Target) -> Result<Tree, Error> {
    let name = target.cluster();
    let provider = &target.provider;
    let endpoint = &provider.endpoint;
    let fixed = endpoint.host.parse::<IpAddr>().is_ok();
    let cluster = match fixed {
        true => named(&name).with("type", "STATIC"),
        false => named(&name).with("cluster_type", resolved()),
    };
    let metadata = map! {
        "provider": provider.name.as_str(),
        "occurrence": target.occurrence.to_string(),
    };
    let address = map! {
        "endpoint": map! { "address": socket_address(&endpoint.host, endpoint.port) },
        "metadata": map! { "filter_metadata": map! { "sluice": metadata } },
    };
    let cluster = cluster
        .with("connect_timeout", seconds(provider.connect_timeout))
        .with(
            "load_assignment",
            map! {
                "cluster_name": name.as_str(),
                "endpoints": [map! { "lb_endpoints": [address] }],
            },
        )
        .with("circuit_breakers", circuit_breakers())
        .with("outlier_detection", outlier_detection())
        .with(
            "upstream_connection_options",
            map! {
                "tcp_keepalive": map! {
                    "keepalive_time": 60_u32,
                    "keepalive_interval": 15_u32,
                    "keepalive_probes": 4_u32,
                },
            },
        )
        .with(
            "typed_extension_protocol_options",
            map! {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
                    typed(PROTOCOL_OPTIONS, protocol(endpoint, provider.http2)),
            },
        );
    if !endpoint.tls {
        return Ok(cluster);
    }
    let Some(ca_bundle) = &input.ca_bundle else {
        return Err(Error::NoCaBundle { who: format!("provider `{}`", provider.name) });
    };
    Ok(cluster.with("transport_socket", transport_socket(endpoint, fixed, ca_bundle)))
}

/// A cluster whose one endpoint is a name: all its addresses are one provider, and open connections outlive a change.
pub(super) fn resolved() -> Tree {
    extension(
        "envoy.clusters.dns",
        "envoy.extensions.clusters.dns.v3.DnsCluster",
        map! {
            "all_addresses_in_single_endpoint": true,
            // Both families are tried, so that a machine with only one of them reaches the provider.
            "dns_lookup_family": "ALL",
            "respect_dns_ttl": true,
        },
    )
}

/// A cluster of targets in the order in which they are tried, and the provider filter that runs afresh for each attempt.
fn aggregate(input: &Input<'_>, name: &str, targets: &[&Target]) -> Tree {
    let members: Vec<Tree> = targets.iter().map(|target| target.cluster().into()).collect();
    let codec = extension(
        "envoy.filters.http.upstream_codec",
        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        map! {},
    );
    let options = map! {
        "explicit_http_config": map! { "http_protocol_options": map! {} },
        "http_filters": [wasm::provider(input), codec],
    };
    named(name)
        .with("lb_policy", "CLUSTER_PROVIDED")
        .with(
            "cluster_type",
            extension(
                "envoy.clusters.aggregate",
                "envoy.extensions.clusters.aggregate.v3.ClusterConfig",
                map! { "clusters": members },
            ),
        )
        .with("circuit_breakers", circuit_breakers())
        .with(
            "typed_extension_protocol_options",
            map! {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(PROTOCOL_OPTIONS, options),
            },
        )
}

/// A cluster's name, with another one for its metrics if the name would break theirs at its dots.
pub(super) fn named(name: &str) -> Tree {
    let plain = name.replace('.', "_");
    let cluster = map! { "name": name };
    match plain == name {
        true => cluster,
        false => cluster.with("alt_stat_name", plain),
    }
}

/// Envoy's defaults (1024 requests, 3 retries at a time) are below one worker's load of long streams.
pub(super) fn circuit_breakers() -> Tree {
    let most = 100_000_u32;
    map! {
        "thresholds": [map! {
            "max_connections": most,
            "max_pending_requests": most,
            "max_requests": most,
            "max_retries": most,
        }],
    }
}

/// A provider that can't be reached or that answers 502, 503 or 504 five times in a row is passed over for a while,
/// unless no other is left.
///
/// Other errors don't count: a request that makes a provider answer 500 must not take it from everybody.
fn outlier_detection() -> Tree {
    map! {
        "consecutive_gateway_failure": 5_u32,
        "enforcing_consecutive_gateway_failure": 100_u32,
        "enforcing_consecutive_5xx": 0_u32,
        "enforcing_success_rate": 0_u32,
        "interval": "5s",
        "base_ejection_time": "15s",
        "max_ejection_time": "120s",
        "max_ejection_percent": 100_u32,
    }
}

/// HTTP/2 where a TLS endpoint offers it, else HTTP/1.1.
///
/// A connection is given up before the other side does so: a request on a connection that is being closed would fail,
/// and its retry goes to another provider.
pub(super) fn protocol(endpoint: &Endpoint, http2: bool) -> Tree {
    if !endpoint.tls {
        return map! {
            // Model servers on the own network close an idle connection after as little as five seconds.
            "common_http_protocol_options": map! { "idle_timeout": "4s" },
            "explicit_http_config": map! { "http_protocol_options": map! {} },
        };
    }
    if !http2 {
        return map! {
            "common_http_protocol_options": map! { "idle_timeout": "55s" },
            "explicit_http_config": map! { "http_protocol_options": map! {} },
        };
    }
    let keepalive = map! { "interval": "30s", "timeout": "10s" };
    map! {
        "common_http_protocol_options": map! { "idle_timeout": "55s" },
        "auto_config": map! {
            "http_protocol_options": map! {},
            "http2_protocol_options": map! { "connection_keepalive": keepalive },
        },
    }
}

pub(super) fn transport_socket(endpoint: &Endpoint, fixed: bool, ca_bundle: &str) -> Tree {
    let kind = if fixed { "IP_ADDRESS" } else { "DNS" };
    let subject = map! {
        "san_type": kind,
        "matcher": map! { "exact": endpoint.host.as_str() },
    };
    let common = map! {
        "tls_params": map! {
            "tls_minimum_protocol_version": "TLSv1_2",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "validation_context": map! {
            "trusted_ca": map! { "filename": ca_bundle },
            "match_typed_subject_alt_names": [subject],
        },
    };
    // An address has no place in the server name indication.
    let context = match fixed {
        true => map! {},
        false => map! { "sni": endpoint.host.as_str() },
    };
    extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        context.with("common_tls_context", common),
    )
}
