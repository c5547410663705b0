//! What the tests share: an Envoy if this machine has one, and modules that do as little as possible.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a helper of tests fails as a test does")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};

use sluice_cli::envoy::{self, Envoy};

/// The Envoy of this machine. Without one the caller skips, unless `SLUICE_REQUIRE_ENVOY` is set.
pub fn envoy() -> Option<Envoy> {
    let found = envoy::find(&|message| eprintln!("{message}")).unwrap();
    if found.is_none() {
        assert!(std::env::var_os("SLUICE_REQUIRE_ENVOY").is_none(), "there is no Envoy on this machine");
        eprintln!("skipped: there is no Envoy on this machine; set ENVOY to the path of one");
    }
    found
}

/// A module that accepts every configuration and takes no part in any request.
pub fn idle_module(folder: &Path) -> PathBuf {
    module(folder, "idle.wasm", "")
}

/// A module that logs `text` as an error and refuses every configuration.
pub fn refusing_module(folder: &Path, text: &str) -> PathBuf {
    let length = text.len();
    let configure = format!(
        r#"(data (i32.const 16) "{text}")
           (func (export "proxy_on_configure") (param i32 i32) (result i32)
             (drop (call $log (i32.const 4) (i32.const 16) (i32.const {length})))
             (i32.const 0))"#
    );
    module(folder, "refusing.wasm", &configure)
}

fn module(folder: &Path, name: &str, more: &str) -> PathBuf {
    // Memory is handed out once and for all: nothing is ever freed, and nothing asks for much.
    let text = format!(
        r#"(module
             (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
             (memory (export "memory") 16)
             (global $next (mut i32) (i32.const 65536))
             (func (export "proxy_abi_version_0_2_1"))
             (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
               (local $at i32)
               (local.set $at (global.get $next))
               (global.set $next (i32.add (global.get $next) (local.get $size)))
               (local.get $at))
             (func (export "proxy_on_context_create") (param i32 i32))
             {more})"#
    );
    let path = folder.join(name);
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    path
}
