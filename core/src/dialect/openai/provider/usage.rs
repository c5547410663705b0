//! The usage that providers tell, in OpenAI's form and those of compatible vendors.

use serde::Deserialize;

use crate::json::{Raw, Text};
use crate::usage::{ServiceTier, Usage};

/// A usage as it stands on the wire.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::dialect) struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's word for the cached ones.
    prompt_cache_hit_tokens: Option<u64>,
    /// Mistral's.
    num_cached_tokens: Option<u64>,
    /// Together's and others'.
    cached_tokens: Option<u64>,
    /// Perplexity's place for these.
    reasoning_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

impl WireUsage {
    /// The usage of an answer that was served in this tier.
    pub(in crate::dialect) fn served(self, tier: ServiceTier) -> Usage {
        Usage { tier, ..self.into() }
    }
}

/// How an answer says it was served; compatible vendors may have anything there.
pub(in crate::dialect) fn read_tier(word: Option<Raw<'_>>) -> ServiceTier {
    let word = word.and_then(|word| word.read::<Text<'_>>().ok());
    word.map_or(ServiceTier::Standard, |word| ServiceTier::read(&word))
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let prompt = usage.prompt_tokens_details.unwrap_or_default();
        let completion = usage.completion_tokens_details.unwrap_or_default();
        let cached = prompt
            .cached_tokens
            .or(usage.prompt_cache_hit_tokens)
            .or(usage.num_cached_tokens)
            .or(usage.cached_tokens);
        let input = usage.prompt_tokens.unwrap_or(0);
        let told = usage.completion_tokens.unwrap_or(0);
        let reasoning = completion.reasoning_tokens.or(usage.reasoning_tokens).unwrap_or(0);
        // xAI counts the reasoning beside the completion; its total gives that away.
        let all = told.saturating_add(reasoning);
        let is_beside = reasoning > 0 && usage.total_tokens == Some(input.saturating_add(all));
        Self {
            input,
            cached_input: cached.unwrap_or(0),
            cache_write: prompt.cache_write_tokens.unwrap_or(0),
            output: if is_beside { all } else { told.max(reasoning) },
            reasoning,
            audio_input: prompt.audio_tokens.unwrap_or(0),
            image_input: prompt.image_tokens.unwrap_or(0),
            audio_output: completion.audio_tokens.unwrap_or(0),
            image_output: completion.image_tokens.unwrap_or(0),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Usage {
        serde_json::from_str::<WireUsage>(json).expect("is a usage").into()
    }

    #[test]
    fn every_detail_is_read() {
        let usage = read(
            r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":5,"audio_tokens":7,"image_tokens":8,"text_tokens":85},
            "completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":9,"accepted_prediction_tokens":1,"text_tokens":11}}"#,
        );
        let expected = Usage {
            input: 100,
            cached_input: 60,
            cache_write: 5,
            output: 50,
            reasoning: 30,
            audio_input: 7,
            image_input: 8,
            audio_output: 9,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn vendors_own_words_are_read() {
        let deepseek = read(r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":4}"#);
        assert_eq!(deepseek.cached_input, 4);
        let xai = read(
            r#"{"prompt_tokens":25,"completion_tokens":9,"total_tokens":287,"completion_tokens_details":{"reasoning_tokens":253}}"#,
        );
        assert_eq!((xai.output, xai.reasoning), (262, 253));
        let perplexity =
            read(r#"{"prompt_tokens":25,"completion_tokens":90,"total_tokens":115,"reasoning_tokens":40}"#);
        assert_eq!((perplexity.output, perplexity.reasoning), (90, 40));
        assert_eq!(read(r#"{"prompt_tokens":null}"#), Usage::default());
    }
}
