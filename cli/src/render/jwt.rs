//! Envoy's own filter for tokens, in front of the policy filter, and the cluster by which it gets the issuer's keys.

use sluice_core::policy::{Endpoint, JwtEntry};

use super::tree::{Tree, extension, map};
use super::{Error, Input, side};

/// The provider of tokens within the filter.
const PROVIDER: &str = "sluice";
const CLUSTER: &str = "sluice-jwks";
const PATH: &str = "callers.jwt.jwks_uri";

/// The filter, where the document says where the issuer's keys are.
///
/// It lets every request through: it says in metadata what it has found, and the policy filter refuses in the client's own
/// dialect. A token that fails is not the same as none there, so it never makes its sender anonymous.
pub(super) fn filter(input: &Input<'_>) -> Option<Tree> {
    let (jwt, jwks_uri) = jwt(input)?;
    let header = |name: &str| map! { "name": name };
    let provider = map! {
        "remote_jwks": map! {
            "http_uri": map! { "uri": jwks_uri, "cluster": CLUSTER, "timeout": "5s" },
            "cache_duration": "300s",
            // Fetched in the background; the listener waits for the first answer.
            "async_fetch": map! { "failed_refetch_duration": "1s" },
        },
        // Wherever official SDKs send a key. Named here, they are the only places: no token is taken from a URL.
        "from_headers": [
            header("authorization").with("value_prefix", "Bearer "),
            header("x-api-key"),
            header("api-key"),
            header("x-goog-api-key"),
        ],
        // The policy filter judges which credential was sent; it lets none of them through to a provider.
        "forward": true,
        "payload_in_metadata": jwt.payload_metadata.as_str(),
        "failed_status_in_metadata": format!("{}_failed", jwt.payload_metadata),
        "require_expiration": true,
    };
    let audiences: Vec<Tree> = jwt.audiences.iter().map(|audience| audience.as_str().into()).collect();
    let provider = provider.with_some("issuer", jwt.issuer.as_deref()).with("audiences", audiences);
    let rule = map! {
        "match": map! { "prefix": "/" },
        "requires": map! {
            "requires_any": map! {
                "requirements": [
                    map! { "provider_name": PROVIDER },
                    map! { "allow_missing_or_failed": map! {} },
                ],
            },
        },
    };
    Some(extension(
        "envoy.filters.http.jwt_authn",
        "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        map! { "providers": map! { "sluice": provider }, "rules": [rule] },
    ))
}

/// The cluster of the address of the issuer's keys.
pub(super) fn cluster(input: &Input<'_>) -> Result<Option<Tree>, Error> {
    let Some((_, jwks_uri)) = jwt(input) else { return Ok(None) };
    let address = jwks_uri.split_once('?').map_or(jwks_uri, |(address, _)| address);
    let endpoint = Endpoint::parse(address).map_err(|reason| Error::Address { path: PATH, reason })?;
    side::cluster(input, CLUSTER, &endpoint, PATH).map(Some)
}

/// The document's part on tokens, and where the keys are; without an address the operator has a filter of his own.
fn jwt<'i>(input: &'i Input<'_>) -> Option<(&'i JwtEntry, &'i str)> {
    let jwt = input.document.callers.jwt.as_ref()?;
    Some((jwt, jwt.jwks_uri.as_deref()?))
}
