//! Which headers pass, and the names of our own.

use crate::dialect::ProviderDialect;

/// The cluster that Envoy routes to; set on the request, never sent on.
pub const ROUTE_HEADER: &str = "x-sluice-route";
/// Which provider answered; its absence means that Envoy made the response itself.
pub const PROVIDER_HEADER: &str = "x-sluice-provider";
/// Who was tried before, and how each failed.
pub const FAILED_HEADER: &str = "x-sluice-failed";
/// Which parameters were left out.
pub(super) const DROPPED_HEADER: &str = "x-sluice-dropped";

/// Whether a header is ours or Envoy's own: such are taken from nobody but ourselves.
pub fn is_internal(name: &str) -> bool {
    name.starts_with("x-sluice-") || name.starts_with("x-envoy-")
}

/// Whether a client's header reaches a provider of the client's own dialect.
///
/// What stays here: who the client is and how it came, credentials, what belongs to the connection, what we set
/// ourselves, and what would choose among accounts that the gateway's credential has.
pub(super) fn passes_to_provider(name: &str) -> bool {
    const KEPT_HERE: [&str; 22] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "openai-organization",
        "openai-project",
        "origin",
        "proxy-authorization",
        "proxy-connection",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-request-id",
    ];
    const KEPT_HERE_PREFIXES: [&str; 5] = [":", "x-forwarded-", "x-b3-", "x-real-", "sec-"];
    !is_internal(name)
        && !KEPT_HERE.contains(&name)
        && !ProviderDialect::CREDENTIAL_HEADERS.contains(&name)
        && !KEPT_HERE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a provider's response header reaches the client; `native` when both speak one dialect.
pub(super) fn passes_to_client(name: &str, native: bool) -> bool {
    const FROM_EVERYONE: [&str; 7] =
        [":status", "cache-control", "content-type", "date", "retry-after", "retry-after-ms", "x-request-id"];
    const FROM_NOBODY: [&str; 6] =
        ["alt-svc", "connection", "server", "set-cookie", "strict-transport-security", "via"];
    match native {
        true => !is_internal(name) && !FROM_NOBODY.contains(&name),
        false => FROM_EVERYONE.contains(&name),
    }
}
