//! The parts of the `sluice` command: what it says of a policy, what it renders of it, and how it runs Envoy.

pub mod check;
pub mod envoy;
pub mod files;
pub mod keys;
pub mod limits;
pub mod render;
pub mod run;
