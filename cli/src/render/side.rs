//! Clusters for what is asked beside requests: the source of keys, the keys that tokens are verified with, the service that
//! keeps count of limits, and outside judges.

use std::net::IpAddr;

use sluice_core::policy::Endpoint;

use super::tree::{Tree, map, socket_address, typed};
use super::{Error, Input, cluster};

/// A cluster of one endpoint; `who` is its place in the document.
pub(super) fn cluster(input: &Input<'_>, name: &str, endpoint: &Endpoint, who: &str) -> Result<Tree, Error> {
    speaking(input, name, endpoint, who, cluster::protocol(endpoint, true))
}

/// A cluster of one endpoint that speaks gRPC.
pub(super) fn grpc(input: &Input<'_>, name: &str, endpoint: &Endpoint, who: &str) -> Result<Tree, Error> {
    let keepalive = map! { "interval": "30s", "timeout": "10s" };
    let protocol = map! {
        "explicit_http_config": map! {
            "http2_protocol_options": map! { "connection_keepalive": keepalive },
        },
    };
    speaking(input, name, endpoint, who, protocol)
}

fn speaking(
    input: &Input<'_>,
    name: &str,
    endpoint: &Endpoint,
    who: &str,
    protocol: Tree,
) -> Result<Tree, Error> {
    let fixed = endpoint.host.parse::<IpAddr>().is_ok();
    let tree = match fixed {
        true => cluster::named(name).with("type", "STATIC"),
        false => cluster::named(name).with("cluster_type", cluster::resolved()),
    };
    let address = map! { "endpoint": map! { "address": socket_address(&endpoint.host, endpoint.port) } };
    let tree = tree
        .with("connect_timeout", "5s")
        .with(
            "load_assignment",
            map! { "cluster_name": name, "endpoints": [map! { "lb_endpoints": [address] }] },
        )
        .with(
            "typed_extension_protocol_options",
            map! {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
                    typed(cluster::PROTOCOL_OPTIONS, protocol),
            },
        );
    match (endpoint.tls, &input.ca_bundle) {
        (false, _) => Ok(tree),
        (true, Some(ca_bundle)) => {
            Ok(tree.with("transport_socket", cluster::transport_socket(endpoint, fixed, ca_bundle)))
        }
        (true, None) => Err(Error::NoCaBundle { who: format!("`{who}`") }),
    }
}
