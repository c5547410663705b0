//! What each family of Claude models takes, by the model's name.
//!
//! From Anthropic's pages `build-with-claude/thinking-troubleshooting`, `…/effort`, `models/opus-5-5/whats-new-opus-5-5`
//! and `models/sonnet-5-5/whats-new-sonnet-5-5`.

/// What the models of one family have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) struct Family {
    pub mode: Mode,
    pub off: Off,
    /// Whether it thinks where nothing is said about thinking.
    pub thinks_unasked: bool,
    /// Whether there is a level of effort between `high` and `max`.
    pub extra_high: bool,
    /// Whether temperature and nucleus sampling can be chosen.
    pub samples: bool,
    /// Whether a tool call can be demanded.
    pub forces_tools: bool,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Mode {
    /// By a number of tokens.
    Budget,
    /// By a level of effort; the model decides when to think.
    Adaptive,
}

/// How thinking is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Off {
    Disabled,
    /// Thinking is left between tool calls only.
    BetweenTools,
    /// It can't be.
    Never,
}

/// Claude 4.5 and earlier.
const BUDGET: Family = Family {
    mode: Mode::Budget,
    off: Off::Disabled,
    thinks_unasked: false,
    extra_high: false,
    samples: true,
    forces_tools: true,
};
/// Claude 4.6.
const EARLY_ADAPTIVE: Family = Family { mode: Mode::Adaptive, ..BUDGET };
/// Claude 4.7 and 4.8.
const LATE_ADAPTIVE: Family = Family { extra_high: true, samples: false, ..EARLY_ADAPTIVE };
/// Opus 5, Sonnet 5 and Haiku 5.5.
const ADAPTIVE: Family = Family { thinks_unasked: true, ..LATE_ADAPTIVE };
/// Sonnet 5.5.
const BETWEEN_TOOLS: Family = Family { off: Off::BetweenTools, forces_tools: false, ..ADAPTIVE };
/// Fable 5, Mythos 5 and Mythos Preview.
const ALWAYS_THINKING: Family = Family { off: Off::Never, ..ADAPTIVE };
/// Opus 5.5, Fable 5.1, Mythos 5.1, and whatever comes after them.
const NEWEST: Family = Family { forces_tools: false, ..ALWAYS_THINKING };

impl Family {
    /// The family of a model (`claude-sonnet-4-5-20250929`); a name that is not known counts as the newest.
    ///
    /// Platforms put something before and behind the name (`eu.anthropic.claude-opus-4-1-20250805-v1:0`).
    pub fn of(model: &str) -> Self {
        let Some((_, name)) = model.rsplit_once("claude-") else { return NEWEST };
        let mut words = name.split(['-', '@', '.']);
        let Some(line) = words.next() else { return NEWEST };
        if line.starts_with(|first: char| first.is_ascii_digit()) || matches!(line, "instant" | "v2:1" | "v2")
        {
            // Up to Claude 3.7 the version stood before the line.
            return BUDGET;
        }
        // A date has eight digits, a version one or two.
        let mut version =
            words.map_while(|word| (word.len() <= 2).then(|| word.parse::<u32>().ok()).flatten()).fuse();
        let Some(major) = version.next() else {
            return if name == "mythos-preview" { ALWAYS_THINKING } else { NEWEST };
        };
        match (line, major, version.next().unwrap_or(0)) {
            ("opus" | "sonnet" | "haiku", 0..=3, _) | ("opus" | "sonnet" | "haiku", 4, 0..=5) => BUDGET,
            ("opus" | "sonnet" | "haiku", 4, 6) => EARLY_ADAPTIVE,
            ("opus" | "sonnet" | "haiku", 4, _) => LATE_ADAPTIVE,
            ("opus" | "sonnet", 5, 0) | ("haiku", 5, 0..=5) => ADAPTIVE,
            ("sonnet", 5, 5) => BETWEEN_TOOLS,
            ("fable" | "mythos", 5, 0) => ALWAYS_THINKING,
            _ => NEWEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_known_by_its_name() {
        for (names, family) in [
            (
                "claude-3-7-sonnet-latest claude-opus-4-20250514 claude-opus-4-1 claude-haiku-4-5-20251001 \
                 claude-sonnet-4-5 claude-opus-4@20250514 eu.anthropic.claude-opus-4-1-20250805-v1:0 \
                 anthropic.claude-v2:1 anthropic/claude-sonnet-4.5",
                BUDGET,
            ),
            ("claude-opus-4-6 claude-sonnet-4-6-20260217 anthropic.claude-opus-4-6-v1", EARLY_ADAPTIVE),
            ("claude-opus-4-7 claude-opus-4-8", LATE_ADAPTIVE),
            ("claude-sonnet-5 claude-opus-5-20260701 claude-haiku-5-5", ADAPTIVE),
            ("claude-sonnet-5-5", BETWEEN_TOOLS),
            ("claude-fable-5 claude-mythos-5 claude-mythos-preview", ALWAYS_THINKING),
            (
                "claude-opus-5-5 claude-fable-5-1 claude-mythos-5-2 claude-sonnet-6 claude claude-new my-model",
                NEWEST,
            ),
        ] {
            for name in names.split(' ') {
                assert_eq!(Family::of(name), family, "{name}");
            }
        }
    }
}
