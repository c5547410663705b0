//! What an exchange has used, in tokens, however the vendor counts it.

pub mod metrics;

/// Tokens of one exchange. Every count includes its own details: `input` the cached, `output` the reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens of the request.
    pub input: u64,
    /// Of these, read from the vendor's cache.
    pub cached_input: u64,
    /// Of these, written to the vendor's cache.
    pub cache_write: u64,
    /// All tokens of the answer.
    pub output: u64,
    /// Of these, spent on thinking.
    pub reasoning: u64,
}
