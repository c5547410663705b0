//! The built module in its own host: every test case, stories told from the client's and the vendors' side, mutated
//! input, memory.
//!
//! One VM serves many exchanges in each of these tests, so they also show that nothing of one is left for the next.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cases;
mod configuration;
mod failover;
mod limits;
mod local_replies;
mod matrix;
mod memory;
mod mutations;
mod streams;
mod support;
mod together;
