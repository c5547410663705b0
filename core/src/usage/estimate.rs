//! How many tokens there are in a request or a text, where no vendor tells or none has told yet.
//!
//! No vendor's tokenizer is here: an estimate was fitted to several (`bench/estimate`), and its errors stand in
//! `docs/limits-estimates.md`.

mod media;
mod table;
mod task;
mod text;

use crate::dialect::ProviderDialect;

pub use task::{Input, Kept, input, is_urgent, kept, output, output_cap, rough_input};
pub use text::{Counter, text};

/// Whose tokenizer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Those of OpenAI, Mistral, Meta and most others, which differ from each other by about a tenth on English and code.
    Common,
    /// Anthropic's, which makes more of the same text.
    Claude,
}

/// What is reserved beyond an estimate, in percent of it. So 98 of 100 texts of English, code and JSON have no more tokens than
/// are reserved, short ones too, in each of the common tokenizers that were looked at; `docs/limits-estimates.md` has those of
/// other languages and scripts.
pub const RESERVE_MARGIN: u64 = 25;

/// How many tokens to reserve for so many estimated ones.
pub fn reserve(estimated: u64) -> u64 {
    estimated.saturating_add((estimated.saturating_mul(RESERVE_MARGIN)).div_ceil(100))
}

impl Family {
    /// The family of a provider's model, by the provider's word for it (`anthropic.claude-sonnet-4-5-20250929-v1:0`).
    pub fn of(dialect: ProviderDialect, model: &str) -> Self {
        let claude = b"claude";
        let named = || model.as_bytes().windows(claude.len()).any(|part| part.eq_ignore_ascii_case(claude));
        match dialect {
            ProviderDialect::Anthropic => Self::Claude,
            ProviderDialect::OpenAi | ProviderDialect::Vertex | ProviderDialect::Bedrock if named() => {
                Self::Claude
            }
            _ => Self::Common,
        }
    }

    /// How many tokens of this family a text has of which the tables tell so many.
    pub fn scale(self, tokens: u64) -> u64 {
        match self {
            Self::Common => tokens,
            // Claude 2, the last whose tokenizer was published, makes 5 percent more of English and code; by Anthropic's word the
            // models since Opus 4.7 make about 30 percent more than those before them.
            Self::Claude => tokens.saturating_add((tokens.saturating_mul(2)).div_ceil(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_family_is_known_by_who_provides_it_or_by_its_name() {
        use ProviderDialect::{Anthropic, AzureOpenAi, Bedrock, Gemini, OpenAi, Vertex};
        for (dialect, model) in [
            (Anthropic, "our-own"),
            (Bedrock, "eu.anthropic.claude-haiku-4-5-v1:0"),
            (Vertex, "claude-opus-5"),
            (OpenAi, "anthropic/Claude-Sonnet-5.5"),
        ] {
            assert_eq!(Family::of(dialect, model), Family::Claude, "{model}");
        }
        for (dialect, model) in [
            (AzureOpenAi, "not-claude"),
            (Gemini, "gemini-3-pro"),
            (OpenAi, ""),
            (OpenAi, "clau"),
            (Bedrock, "amazon.nova-pro-v1:0"),
        ] {
            assert_eq!(Family::of(dialect, model), Family::Common, "{model}");
        }
    }

    #[test]
    fn claude_makes_more_of_a_text() {
        assert_eq!(Family::Claude.scale(1000), 1400);
        assert_eq!((Family::Claude.scale(0), Family::Claude.scale(1)), (0, 2));
    }

    #[test]
    fn what_is_reserved_is_never_less_than_what_is_estimated() {
        assert_eq!((reserve(0), reserve(1), reserve(100), reserve(u64::MAX)), (0, 2, 125, u64::MAX));
    }
}
