//! What callers may use in which time.

pub mod typical;
pub mod window;
