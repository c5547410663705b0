//! Bytes of a stream as they come, cut anywhere, become events.

pub mod aws;
pub mod sse;
