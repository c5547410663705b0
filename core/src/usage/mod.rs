//! What an exchange has used, in tokens, however the vendor counts it.

pub mod estimate;
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
    /// Of the written ones, those that are kept for an hour.
    pub cache_write_1h: u64,
    /// Of the request's, those of recordings.
    pub audio_input: u64,
    /// Of the request's, those of images.
    pub image_input: u64,
    /// Of the answer's, those of speech.
    pub audio_output: u64,
    /// Of the answer's, those of images.
    pub image_output: u64,
    /// Whether the provider told nothing, so that the gateway had to estimate.
    pub estimated: bool,
}
