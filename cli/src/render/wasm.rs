//! The module as an extension of Envoy, once for each of its places.

use super::Input;
use super::tree::{Tree, extension, map, typed};

/// One VM serves all filters of a worker if, and only if, this and the code are the same everywhere.
const VM_ID: &str = "sluice";

/// The filter of the listener; its configuration is the policy document.
pub(super) fn policy(input: &Input<'_>) -> Tree {
    filter(input, "policy", Some(document(input)))
}

/// The filter of an attempt at a provider; it works with what the policy filter left in the same VM.
pub(super) fn provider(input: &Input<'_>) -> Tree {
    filter(input, "provider", None)
}

/// The service: one for the whole Envoy, on its main thread; its configuration is the policy document too.
pub(super) fn service(input: &Input<'_>) -> Tree {
    extension(
        "envoy.bootstrap.wasm",
        "envoy.extensions.wasm.v3.WasmService",
        map! { "singleton": true, "config": plugin(input, "service", Some(document(input))) },
    )
}

fn document(input: &Input<'_>) -> Tree {
    typed("google.protobuf.StringValue", map! { "value": Tree::Literal(input.text.to_owned()) })
}

fn filter(input: &Input<'_>, root: &str, configuration: Option<Tree>) -> Tree {
    extension(
        &format!("sluice.{root}"),
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        map! { "config": plugin(input, root, configuration) },
    )
}

fn plugin(input: &Input<'_>, root: &str, configuration: Option<Tree>) -> Tree {
    map! {
        "name": "sluice",
        "root_id": root,
        "vm_config": virtual_machine(input),
        // Without it, a pause in the header callback stops the body callbacks as well.
        "allow_on_headers_stop_iteration": true,
        // A VM that died is started again instead of failing every request from then on.
        "failure_policy": "FAIL_RELOAD",
        "reload_config": map! { "backoff": map! { "base_interval": "0.1s", "max_interval": "1s" } },
    }
    .with_some("configuration", configuration)
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
