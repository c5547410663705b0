//! What each family of Claude models takes, by the model's name.
//!
//! From Anthropic's pages `build-with-claude/thinking-troubleshooting`, `…/effort`, `models/opus-5-5/whats-new-opus-5-5`
//! and `models/sonnet-5-5/whats-new-sonnet-5-5`.

/// What the models of one family have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub mode: Mode,
    pub off: Off,
    /// Whether there is a level of effort between `high` and `max`.
    pub extra_high: bool,
    /// Whether temperature and nucleus sampling can be chosen.
    pub samples: bool,
    /// Whether a tool call can be demanded.
    pub forces_tools: bool,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// By a number of tokens.
    Budget,
    /// By a level of effort; the model decides when to think.
    Adaptive,
}

/// How thinking is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    Disabled,
    /// Thinking is left between tool calls only.
    BetweenTools,
    /// It can't be.
    Never,
}

/// Claude 4.5 and earlier.
const BUDGET: Family =
    Family { mode: Mode::Budget, off: Off::Disabled, extra_high: false, samples: true, forces_tools: true };
/// Claude 4.6.
const EARLY_ADAPTIVE: Family = Family { mode: Mode::Adaptive, ..BUDGET };
/// Claude 4.7 up to Opus 5, Sonnet 5 and Haiku 5.5.
const ADAPTIVE: Family = Family { extra_high: true, samples: false, ..EARLY_ADAPTIVE };
/// Sonnet 5.5.
const BETWEEN_TOOLS: Family = Family { off: Off::BetweenTools, forces_tools: false, ..ADAPTIVE };
/// Fable 5, Mythos 5 and Mythos Preview.
const ALWAYS_THINKING: Family = Family { off: Off::Never, ..ADAPTIVE };
/// Opus 5.5, Fable 5.1, Mythos 5.1, and whatever comes after them.
const NEWEST: Family = Family { forces_tools: false, ..ALWAYS_THINKING };

impl Family {
    /// The family of a model (`claude-sonnet-4-5-20250929`); a name that is not known counts as the newest.
    pub fn of(model: &str) -> Self {
        let Some(name) = model.strip_prefix("claude-") else { return NEWEST };
        let mut words = name.split(['-', '@', '.']);
        let Some(line) = words.next() else { return NEWEST };
        if line.starts_with(|first: char| first.is_ascii_digit()) || line == "instant" {
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
            ("opus" | "sonnet" | "haiku", 4, _) | ("opus" | "sonnet", 5, 0) | ("haiku", 5, 0..=5) => ADAPTIVE,
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
                 claude-sonnet-4-5 claude-opus-4@20250514",
                BUDGET,
            ),
            ("claude-opus-4-6 claude-sonnet-4-6-20260217", EARLY_ADAPTIVE),
            (
                "claude-opus-4-7 claude-opus-4-8 claude-sonnet-5 claude-opus-5-20260701 claude-haiku-5-5",
                ADAPTIVE,
            ),
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
