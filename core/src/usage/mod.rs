//! What an exchange has used, in tokens, however the vendor counts it.

pub mod estimate;
pub mod metrics;

/// What one exchange has used. Every count of tokens includes its own details: `input` the cached, `output` the reasoning.
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
    /// Of the recordings' tokens, those read from the vendor's cache.
    pub cached_audio_input: u64,
    /// Searches of the web that the vendor did and charges one by one (Anthropic).
    pub searches: u64,
    /// How the vendor says it has served the request.
    pub tier: ServiceTier,
    /// Whether the provider told nothing, so that the gateway had to estimate.
    pub estimated: bool,
}

/// How a request was served, as far as vendors charge differently for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceTier {
    /// As any, or in a way for which no vendor publishes a price by the token.
    #[default]
    Standard,
    /// In a batch, hours later.
    Batch,
    /// When there was room for it.
    Flex,
    /// Before others.
    Priority,
    /// With the same model made faster.
    Fast,
}

impl Usage {
    /// Whether any token is counted: some servers tell nothing but zeros.
    pub fn says_something(&self) -> bool {
        self.input > 0 || self.output > 0
    }
}

impl ServiceTier {
    /// A vendor's word for it.
    pub fn read(word: &str) -> Self {
        match word {
            "batch" => Self::Batch,
            "flex" => Self::Flex,
            "priority" => Self::Priority,
            "fast" => Self::Fast,
            _ => Self::Standard,
        }
    }
}
