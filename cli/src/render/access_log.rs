//! One line of JSON for each request, on Envoy's standard output: what happened, never what was said.

use super::tree::{Tree, extension, map};

/// The access log of the listener.
///
/// Path and headers are left out on purpose: at the end of a request they are those of the last attempt, with the
/// provider's credential among them.
pub(super) fn access_log() -> Tree {
    let entry = map! {
        "time": "%START_TIME%",
        "request": state("request"),
        "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "caller": state("caller"),
        "team": state("team"),
        "model": state("model"),
        "provider": state("provider"),
        "failed": state("failed"),
        "input_tokens": state("input_tokens"),
        "output_tokens": state("output_tokens"),
        "cost_usd": state("cost_usd"),
        "cost_nanousd": state("cost_nanousd"),
        "rerouted": state("rerouted"),
        "guards": state("guards"),
        "redactions": state("redactions"),
        "template": state("template"),
        "status": "%RESPONSE_CODE%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "upstream": "%UPSTREAM_HOST%",
        "upstream_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "first_byte_milliseconds": "%RESPONSE_DURATION%",
        "duration_milliseconds": "%DURATION%",
    };
    extension(
        "envoy.access_loggers.stdout",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        map! { "log_format": map! { "json_format": entry } },
    )
}

/// What the module has left in the request's filter state as `wasm.sluice_<name>`.
fn state(name: &str) -> String {
    format!("%FILTER_STATE(wasm.sluice_{name}:PLAIN)%")
}
