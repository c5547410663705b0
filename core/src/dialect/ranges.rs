//! Which numbers a provider takes, and how long a list may be, where that is narrower than what clients may say.
//!
//! What the vendors state, and no more: where there is nothing here, the vendor judges. Presets have theirs in
//! [their rows](super::PRESETS); `docs/dialects.md` shows all of them, with where they are from.

use std::fmt;

use super::presets::Quirks;
use super::{Lacks, PRESETS, ProviderDialect};
use crate::conversation::Field;
use crate::policy::Provider;

/// What is taken of a number, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub least: f64,
    pub most: f64,
}

/// What is taken of each parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranges {
    pub temperature: Range,
    pub top_p: Range,
    pub top_k: Range,
    /// Each of the two.
    pub penalties: Range,
    pub choices: Range,
    pub top_logprobs: Range,
    /// How many texts that end the answer.
    pub stop: Range,
}

/// A value that is out of range, in words for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// The parameter's path, in the client's dialect.
    pub parameter: String,
    /// What the provider demands; it completes the sentence "'parameter' …".
    pub demand: String,
}

/// OpenAI's and Azure's.
pub(super) const OPENAI: Ranges = Ranges {
    temperature: Range::between(0.0, 2.0),
    top_p: Range::between(0.0, 1.0),
    penalties: Range::between(-2.0, 2.0),
    top_logprobs: Range::up_to(20),
    stop: Range::up_to(4),
    ..Ranges::ANY
};

/// Claude's, on whichever platform.
pub(super) const ANTHROPIC: Ranges =
    Ranges { temperature: Range::between(0.0, 1.0), top_p: Range::between(0.0, 1.0), ..Ranges::ANY };

/// Gemini's, on either platform.
pub(super) const GEMINI: Ranges = Ranges {
    temperature: Range::between(0.0, 2.0),
    top_p: Range::between(0.0, 1.0),
    penalties: Range::between(-2.0, 2.0),
    stop: Range::up_to(5),
    ..Ranges::ANY
};

/// Converse's.
pub(super) const BEDROCK: Ranges = Ranges {
    temperature: Range::between(0.0, 1.0),
    top_p: Range::between(0.0, 1.0),
    stop: Range::up_to(2500),
    ..Ranges::ANY
};

pub(super) const COHERE: Ranges = Ranges {
    temperature: Range::between(0.0, 1.0),
    // It takes 0.01 to 0.99, and the writer goes to the nearest of these in silence: 1 is what clients send for nothing.
    top_p: Range::between(0.0, 1.0),
    top_k: Range::up_to(500),
    penalties: Range::between(0.0, 1.0),
    stop: Range::up_to(5),
    ..Ranges::ANY
};

impl Ranges {
    /// Nothing is out of range.
    pub const ANY: Self = Self {
        temperature: Range::ANY,
        top_p: Range::ANY,
        top_k: Range::ANY,
        penalties: Range::ANY,
        choices: Range::ANY,
        top_logprobs: Range::ANY,
        stop: Range::ANY,
    };

    /// Those of a provider that speaks OpenAI's dialect. Of one of which nothing is known nothing is out of range.
    pub(super) fn of_openai(provider: &Provider, is_openai_made: bool) -> Self {
        match provider.preset {
            None if is_openai_made => OPENAI,
            _ => Quirks::of(provider).ranges(),
        }
    }

    /// The whole table: what has ranges, by the words of the policy document. Vertex AI has those of the models.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let dialects = [
            (ProviderDialect::OpenAi, OPENAI),
            (ProviderDialect::AzureOpenAi, OPENAI),
            (ProviderDialect::Anthropic, ANTHROPIC),
            (ProviderDialect::Gemini, GEMINI),
            (ProviderDialect::Bedrock, BEDROCK),
            (ProviderDialect::Cohere, COHERE),
        ];
        let presets = PRESETS.iter().map(|preset| (preset.name, Quirks::of_preset(preset).ranges()));
        let dialects = dialects.into_iter().map(|(dialect, ranges)| (dialect.name(), ranges));
        dialects.chain(presets.filter(|(_, ranges)| *ranges != Self::ANY))
    }
}

impl Range {
    pub const ANY: Self = Self { least: f64::NEG_INFINITY, most: f64::INFINITY };

    pub const fn between(least: f64, most: f64) -> Self {
        Self { least, most }
    }

    /// Of what can't be less than nothing.
    pub const fn up_to(most: u32) -> Self {
        Self { least: 0.0, most: most as f64 }
    }

    /// The value, or the nearest that is taken; then it is noted that it was not.
    pub(super) fn fit(self, value: Option<f64>, field: Field<'_>, lacks: &mut Lacks) -> Option<f64> {
        let value = value?;
        if !self.contains(value) {
            lacks.exceeds(field, format!("has to lie between {} and {}", self.least, self.most));
        }
        Some(value.max(self.least).min(self.most))
    }

    /// The same for a whole number.
    pub(super) fn fit_whole(self, value: Option<u64>, field: Field<'_>, lacks: &mut Lacks) -> Option<u64> {
        let value = value?;
        match self.contains(value as f64) {
            true => Some(value),
            // The ends of such a range are whole.
            false => self.fit(Some(value as f64), field, lacks).map(|nearest| nearest as u64),
        }
    }

    /// How many of a list are kept: the first ones.
    pub(super) fn fit_length(self, length: usize, field: Field<'_>, lacks: &mut Lacks) -> usize {
        if self.contains(length as f64) {
            return length;
        }
        lacks.exceeds(field, format!("may have at most {} items", self.most));
        self.most as usize
    }

    fn contains(self, value: f64) -> bool {
        (self.least..=self.most).contains(&value)
    }
}

/// `0…2`; nothing where all is taken.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ANY => Ok(()),
            Self { least, most } => write!(f, "{least}…{most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::ClientDialect;

    #[test]
    fn what_is_beyond_a_range_becomes_its_nearest_end_and_is_noted() {
        let range = Range::between(-2.0, 1.5);
        for (value, nearest, is_noted) in
            [(-2.0, -2.0, false), (1.5, 1.5, false), (-2.1, -2.0, true), (1.6, 1.5, true), (0.3, 0.3, false)]
        {
            let mut lacks = Lacks::new(ClientDialect::Gemini);
            assert_eq!(range.fit(Some(value), Field::Temperature, &mut lacks), Some(nearest));
            let noted: Vec<_> = lacks.excesses().iter().map(|excess| excess.parameter.as_str()).collect();
            let expected: &[&str] = if is_noted { &["generationConfig.temperature"] } else { &[] };
            assert_eq!(noted, expected, "{value}");
        }
        let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
        assert_eq!(range.fit(None, Field::Temperature, &mut lacks), None);
        assert_eq!(Range::ANY.fit(Some(1e300), Field::Temperature, &mut lacks), Some(1e300));
        assert_eq!(Range::up_to(500).fit_whole(Some(500), Field::TopK, &mut lacks), Some(500));
        assert_eq!(Range::ANY.fit_whole(Some(u64::MAX), Field::TopK, &mut lacks), Some(u64::MAX));
        assert_eq!(Range::up_to(4).fit_length(4, Field::Stop, &mut lacks), 4);
        assert!(lacks.excesses().is_empty());
        assert_eq!(Range::up_to(500).fit_whole(Some(501), Field::TopK, &mut lacks), Some(500));
        assert_eq!(Range::up_to(4).fit_length(9, Field::Stop, &mut lacks), 4);
        let told: Vec<_> = lacks.excesses().iter().map(|excess| excess.demand.as_str()).collect();
        assert_eq!(told, ["has to lie between 0 and 500", "may have at most 4 items"]);
    }

    #[test]
    fn the_ends_of_whole_ranges_are_whole() {
        for (name, ranges) in Ranges::all() {
            for range in [ranges.top_k, ranges.choices, ranges.top_logprobs, ranges.stop] {
                assert!(range == Range::ANY || range.most.fract() == 0.0, "{name}");
            }
        }
    }
}
