//! The module as an Envoy HTTP filter, once for each of its two places.

use super::Input;
use super::tree::{Tree, extension, map, typed};

/// One VM serves all filters of a worker if, and only if, this and the code are the same everywhere.
const VM_ID: &str = "sluice";

/// The filter of the listener; its configuration is the policy document.
pub(super) fn policy(input: &Input<'_>) -> Tree {
    let document = map! { "value": Tree::Literal(input.text.to_owned()) };
    filter(input, "policy", Some(typed("google.protobuf.StringValue", document)))
}

/// The filter of an attempt at a provider; it works with what the policy filter left in the same VM.
pub(super) fn provider(input: &Input<'_>) -> Tree {
    filter(input, "provider", None)
}

fn filter(input: &Input<'_>, root: &str, configuration: Option<Tree>) -> Tree {
    let plugin = map! {
        "name": "sluice",
        "root_id": root,
        "vm_config": virtual_machine(input),
        // Without it, a pause in the header callback stops the body callbacks as well.
        "allow_on_headers_stop_iteration": true,
        // A VM that died is started again instead of failing every request from then on.
        "failure_policy": "FAIL_RELOAD",
        "reload_config": map! { "backoff": map! { "base_interval": "0.1s", "max_interval": "1s" } },
    }
    .with_some("configuration", configuration);
    extension(
        &format!("sluice.{root}"),
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        map! { "config": plugin },
    )
}

fn virtual_machine(input: &Input<'_>) -> Tree {
    let variables: Vec<Tree> = input.variables.iter().map(|name| Tree::from(*name)).collect();
    let machine = map! {
        "vm_id": VM_ID,
        "runtime": "envoy.wasm.runtime.v8",
        "code": map! { "local": map! { "filename": input.wasm.as_str() } },
    };
    match variables.is_empty() {
        true => machine,
        false => machine.with("environment_variables", map! { "host_env_keys": variables }),
    }
}
