//! The proxy-wasm module: its roots pass Envoy's callbacks to the core, and the core's decisions to Envoy.
#![deny(unsafe_code)]

mod exchanges;
mod host;
mod judges;
mod metrics;
mod policy;
mod provider;
mod root;
mod service;

use root::Root;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::<Root>::default());
}}
