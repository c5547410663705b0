//! A proxy-wasm 0.2.1 host on wasmtime that behaves as Envoy does, so that tests run the built module itself.
//!
//! Two layers. [`Vm`] and [`FilterStream`] are the host proper: one virtual machine with its root contexts, and one
//! HTTP stream seen by one filter. [`Gateway`] plays the mechanism around them: the listener's `policy` filter,
//! Envoy's router with its retries, and an upstream `provider` filter for each attempt.
//!
//! Sources: proxy-wasm/spec v0.2.1; the statuses and their order from proxy-wasm-cpp-host (`exports.cc`,
//! `context.cc`, `wasm.cc`); streams, buffers and local replies from Envoy (`extensions/common/wasm/context.cc`,
//! `common/http/filter_manager.cc`, `common/router/{router,upstream_request,retry_state_impl}.cc`).
//!
//! What differs from Envoy, on purpose:
//! - `server`, `date` and `x-envoy-upstream-service-time` are not added, and `x-envoy-*` headers that a client sends
//!   are not stripped: what a test sees is what the module left there.
//! - There is no retry back-off: the next attempt starts at once. Time moves only when the test moves it, or when a
//!   per-try timeout is played.
//! - A local reply to a gRPC client stays an HTTP response.
//! - Protobuf messages (`xds.node` and the like) can be read by field, not as a whole.
//! - A callback that runs for more than [`vm::CALLBACK_LIMIT`] traps; Envoy would hang.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: a broken host must stop the test at once"
)]

pub mod abi;
pub mod callout;
pub mod error;
pub mod gateway;
pub mod headers;
pub mod log;
pub mod metrics;
pub mod module;
pub mod process;
pub mod property;
pub mod shared_data;
pub mod shared_queue;
mod state;
pub mod stream;
pub mod vm;

pub use callout::{Callout, CalloutReply, Grpc, GrpcEvent};
pub use error::{HostError, Trap};
pub use gateway::{
    Answer, Chunk, Exchange, Gateway, GatewayBuilder, Outcome, RequestBuilder, UpstreamRequest, Vendor,
};
pub use headers::HeaderMap;
pub use log::{LogEntry, LogLevel};
pub use module::Module;
pub use process::Process;
pub use property::Value;
pub use stream::{FilterStream, Frame, LocalReply, Side};
pub use vm::{Vm, VmBuilder};
