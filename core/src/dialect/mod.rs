//! The wire formats, one folder for each dialect, and [the matrix](Support) of who can be served where: `matrix.rs` decides it,
//! and `docs/dialects.md` shows it.

mod anthropic;
mod azure;
mod bedrock;
mod client;
mod cohere;
mod failures;
mod gemini;
mod lacks;
#[cfg(test)]
mod loops;
mod malformed;
mod matrix;
mod models;
mod native;
mod openai;
mod passage;
mod presets;
mod provider;
mod ranges;
mod rerank;
mod service;
pub mod texts;
mod vertex;

pub(crate) use client::unsayable;
pub use client::{Asked, Call, ClientDialect, ClientStream};
pub(crate) use failures::{is_about_the_gateway, provider_failure};
pub use lacks::Lacks;
pub(crate) use malformed::malformed;
pub use matrix::{Destination, Support};
pub use models::Listing;
pub(crate) use native::{Native, adapt};
pub use passage::{By, Passage};
pub(crate) use passage::{Named, boundary};
pub use presets::{Apis, PRESETS, Preset, Quirk};
pub use provider::{Encoded, ProviderDialect, ProviderStream, Wanted};
pub use ranges::{Excess, Range, Ranges};
pub use service::Service;
