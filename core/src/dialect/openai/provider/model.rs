//! What OpenAI's models differ in, by their names.
//!
//! From OpenAI's pages on its models, reasoning and prompt caching, and the texts in the types of `openai` 3.52.0, read on
//! 2026-11-21.

use crate::conversation::Effort;

/// What is known of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// Whether it thinks before it answers; `None` where the name says nothing.
    pub(super) reasons: Option<bool>,
    /// The least effort, which comes nearest to not thinking; `None` where it can't be told not to think.
    pub(super) off: Option<Effort>,
    /// Whether it takes a temperature and its like.
    pub(super) samples: bool,
    /// Whether it takes tools of free text.
    pub(super) custom_tools: bool,
    /// Whether a prompt's parts can be marked as the end of what is cached.
    pub(super) breakpoints: bool,
}

/// A model of which nothing is known: it is asked for what the client asks for, and may refuse.
const UNKNOWN: Family =
    Family { reasons: None, off: None, samples: true, custom_tools: true, breakpoints: false };

impl Family {
    /// The family of a model of OpenAI's, at OpenAI or at Azure.
    pub(super) fn of(model: &str) -> Self {
        // A fine-tuned model is named `ft:<base>:…`.
        let model = model.strip_prefix("ft:").unwrap_or(model);
        let base = model.split(':').next().unwrap_or_default();
        let plain = Self { reasons: Some(false), custom_tools: false, ..UNKNOWN };
        if ["gpt-3.5", "gpt-35", "gpt-4", "chatgpt-4o"].iter().any(|start| base.starts_with(start)) {
            return plain;
        }
        let is_o = base.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if is_o {
            return Self { reasons: Some(true), samples: false, ..plain };
        }
        let Some((minor, rest)) = generation_five(base) else { return UNKNOWN };
        if rest.starts_with("-chat") {
            return plain;
        }
        let is_first = minor == 0;
        Self {
            reasons: Some(true),
            off: match (is_first, rest.starts_with("-pro")) {
                (_, true) => None,
                (true, _) => Some(Effort::Minimal),
                (false, _) => Some(Effort::None),
            },
            samples: !is_first,
            custom_tools: true,
            breakpoints: minor >= 6,
        }
    }

    /// What is known of a model of somebody else's: it has none of OpenAI's specialities.
    pub(super) fn foreign() -> Self {
        Self { custom_tools: false, ..UNKNOWN }
    }
}

/// Of `gpt-5.<minor><rest>` the two; `gpt-6` and later count as the newest of the generation.
fn generation_five(base: &str) -> Option<(u32, &str)> {
    let version = base.strip_prefix("gpt-")?;
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let (number, rest) = version.split_at_checked(end)?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    match major.parse::<u32>().ok()? {
        5 => Some((minor.parse().ok()?, rest)),
        6.. => Some((u32::MAX, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_family() {
        for model in [
            "gpt-4o-2024-11-20",
            "gpt-4.1-mini",
            "gpt-3.5-turbo",
            "gpt-5-chat-latest",
            "ft:gpt-4o-mini:me::x",
        ] {
            let family = Family::of(model);
            assert_eq!((family.reasons, family.custom_tools), (Some(false), false), "{model}");
        }
        for (model, off, samples, breakpoints) in [
            ("o3-mini", None, false, false),
            ("o4-mini-2025-04-16", None, false, false),
            ("gpt-5", Some(Effort::Minimal), false, false),
            ("gpt-5-mini-2025-08-07", Some(Effort::Minimal), false, false),
            ("gpt-5-pro", None, false, false),
            ("gpt-5.1", Some(Effort::None), true, false),
            ("gpt-5.6-mini", Some(Effort::None), true, true),
            ("gpt-5.10", Some(Effort::None), true, true),
            ("gpt-6", Some(Effort::None), true, true),
        ] {
            let family = Family::of(model);
            assert_eq!(family.reasons, Some(true), "{model}");
            assert_eq!(
                (family.off, family.samples, family.breakpoints),
                (off, samples, breakpoints),
                "{model}"
            );
        }
        for model in ["my-deployment", "omni", "gpt-oss-120b", "gpt-", ""] {
            assert_eq!(Family::of(model).reasons, None, "{model}");
        }
    }
}
