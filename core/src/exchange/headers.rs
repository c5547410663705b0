//! Which headers pass, and the names of our own.

use crate::dialect::ProviderDialect;

/// The cluster that Envoy routes to; set on the request, never sent on.
pub const ROUTE_HEADER: &str = "x-sluice-route";
/// How long the model's answers may pause, in milliseconds; chooses among routes, never sent on.
pub const IDLE_TIMEOUT_HEADER: &str = "x-sluice-idle-timeout-ms";
/// Which provider answered; its absence means that Envoy made the response itself.
pub const PROVIDER_HEADER: &str = "x-sluice-provider";
/// Who was tried before, and how each failed.
pub(super) const FAILED_HEADER: &str = "x-sluice-failed";
/// Which parameters were left out.
pub(super) const DROPPED_HEADER: &str = "x-sluice-dropped";
/// What the exchange cost, in US dollars.
pub(super) const COST_HEADER: &str = "x-sluice-cost-usd";
/// The limit for whose sake another model serves, and that model's name.
pub(super) const REROUTED_HEADER: &str = "x-sluice-rerouted";
/// The limits that had no room and only warn.
pub(super) const WARNING_HEADER: &str = "x-sluice-limit-warning";
/// What was found by the rules of redaction, by their names, and how often.
pub(super) const REDACTIONS_HEADER: &str = "x-sluice-redactions";
/// A client's wish that a stream's cost stands in a comment at its end.
pub(super) const STREAM_COST_HEADER: &str = "x-sluice-stream-cost";
/// The guards that have found something, each with what was done.
pub(super) const GUARDS_HEADER: &str = "x-sluice-guards";
/// The template that a client wants, `name` or `name@version`.
pub(super) const TEMPLATE_HEADER: &str = "x-sluice-template";
/// The values of its variables, an object as JSON.
pub(super) const VARIABLES_HEADER: &str = "x-sluice-template-variables";
/// Which parameters were brought into the provider's range.
pub(super) const CLAMPED_HEADER: &str = "x-sluice-clamped";

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

/// Whether a client's header reaches a provider with a body that passes as it is: it says what the body is, or that the
/// connection is to become a WebSocket.
pub(super) fn passes_with_body(name: &str) -> bool {
    const WITH_BODY: [&str; 9] = [
        "accept",
        "connection",
        "content-length",
        "content-type",
        "range",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-version",
        "upgrade",
    ];
    WITH_BODY.contains(&name) || passes_to_provider(name)
}

/// What a WebSocket's client offers to speak, and what its server chooses of that.
pub(super) const PROTOCOL_HEADER: &str = "sec-websocket-protocol";

/// The protocol of OpenAI's realtime API.
const REALTIME: &str = "realtime";

/// The protocols that a provider is offered. Clients in browsers put credentials and accounts among those that they offer, so only
/// such pass as are known to be none.
pub(super) fn offered_protocols(offered: &[&str]) -> Option<(String, String)> {
    let protocols = offered.iter().flat_map(|protocols| protocols.split(',')).map(str::trim);
    let passing: Vec<_> =
        protocols.filter(|protocol| *protocol == REALTIME || protocol.starts_with("openai-beta.")).collect();
    (!passing.is_empty()).then(|| (PROTOCOL_HEADER.to_owned(), passing.join(", ")))
}

/// What a client is told that has offered these protocols, when a provider has chosen none: the only one that there is. A browser
/// closes a socket of which it has offered protocols and was told none.
pub(super) fn chosen_protocol(offered: &str) -> Option<&'static str> {
    offered.split(", ").any(|protocol| protocol == REALTIME).then_some(REALTIME)
}

/// What is known of the length of a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// It is the provider's own body.
    Unchanged,
    /// It ends when it ends.
    Unknown,
    /// So many bytes.
    Exactly(usize),
}

/// The headers of a response to the client: what passes of the provider's, and `own` in the place of those of the same
/// name. `native` when both speak one dialect.
pub(super) fn for_client(
    provider: &str,
    native: bool,
    theirs: Vec<(String, String)>,
    status: u16,
    own: &[(&'static str, String)],
    length: Length,
) -> Vec<(String, String)> {
    let has_retry_after = theirs.iter().any(|(name, _)| name == "retry-after");
    // The provider knows best when to come again: its header goes before what its body says.
    let own = own.iter().filter(|(name, _)| !(*name == "retry-after" && has_retry_after));
    let mut headers = vec![(":status".to_owned(), status.to_string())];
    headers.extend(theirs.into_iter().filter(|(name, _)| {
        let replaced = own.clone().any(|(header, _)| header == name);
        let length_stays = name != "content-length" || length == Length::Unchanged;
        name != ":status"
            && passes_to_client(name, native, status == 101, length)
            && length_stays
            && !replaced
    }));
    if let Length::Exactly(length) = length {
        headers.push(("content-length".to_owned(), length.to_string()));
    }
    headers.extend(own.map(|(name, value)| ((*name).to_owned(), value.clone())));
    headers.push((PROVIDER_HEADER.to_owned(), provider.to_owned()));
    headers
}

/// Whether a header tells how an account's limits stand: a provider's tell of the gateway's account.
fn is_rate_limit(name: &str) -> bool {
    name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-")
}

/// Whether a provider's response header reaches the client.
fn passes_to_client(name: &str, native: bool, is_upgrade: bool, length: Length) -> bool {
    const FROM_EVERYONE: [&str; 6] =
        ["cache-control", "content-type", "date", "retry-after", "retry-after-ms", "x-request-id"];
    // The connection's own, and what tells about the gateway's account rather than the client's.
    const FROM_NOBODY: [&str; 8] = [
        "alt-svc",
        "connection",
        "openai-organization",
        "openai-project",
        "server",
        "set-cookie",
        "strict-transport-security",
        "via",
    ];
    // What says how the bytes are packed is true as long as they are the provider's.
    let is_framing = matches!(name, "content-length" | "content-encoding" | "transfer-encoding");
    match native {
        // What turns the connection into a WebSocket is for the client too.
        true if is_upgrade && matches!(name, "connection" | "upgrade") => true,
        true => !is_internal(name) && !is_rate_limit(name) && !FROM_NOBODY.contains(&name),
        false => FROM_EVERYONE.contains(&name) || (is_framing && length == Length::Unchanged),
    }
}
