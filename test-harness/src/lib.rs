//! What the tests stand on: a proxy-wasm host that runs the built module, and vendors to answer it.
#[cfg(feature = "host")]
pub mod host;
pub mod vendors;
