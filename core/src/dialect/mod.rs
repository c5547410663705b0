//! The wire formats, and the matrix of who can be served by whom: one folder for each dialect.

mod anthropic;
mod azure;
mod bedrock;
mod client;
mod cohere;
mod failures;
mod gemini;
mod lacks;
mod native;
mod openai;
mod presets;
mod provider;
mod rerank;
mod vertex;

pub use client::{Asked, Call, ClientDialect, ClientStream};
pub(crate) use failures::{is_about_the_gateway, provider_failure};
pub use lacks::Lacks;
pub(crate) use native::{Native, adapt};
pub use presets::{Apis, PRESETS, Preset, Quirk};
pub use provider::{Encoded, ProviderDialect, ProviderStream, Wanted};
