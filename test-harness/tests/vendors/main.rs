//! The mock vendors over real HTTP: what they refuse, what they answer, their faults and their record.

// A test fails by a panic, in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod client;
mod faults;
mod record;
mod strict;
