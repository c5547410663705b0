//! What callers may use in which time.

pub mod window;
