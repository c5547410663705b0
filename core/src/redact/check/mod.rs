//! Functions that tell real identifiers from texts that look like them. Each gets normalised text.

pub mod digits;
pub mod finance;
pub mod national;
pub mod network;
pub mod phone;
pub mod secret;
pub mod text;
