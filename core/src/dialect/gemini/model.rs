//! What a model can do, by its name.

/// What sets one model apart from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    pub thinking: Thinking,
    /// Whether it takes temperature, `topP` and penalties. By the page of Gemini 3.6 Flash, newer ones ignore the first
    /// two and refuse the others.
    pub samples: bool,
    /// Whether it gives more than one candidate.
    pub gives_several: bool,
    /// Whether it refuses a function call in the history that has no thought signature.
    pub needs_signatures: bool,
}

/// How a model takes the wish for more or less thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// A number of tokens. Not every model can do without.
    Budget { can_be_off: bool },
    /// A word; models that take it never do without.
    Level,
}

impl Model {
    /// A name that is not known counts as the newest.
    pub fn named(name: &str) -> Self {
        let name = name.strip_prefix("models/").unwrap_or(name);
        let Some((version, variant)) = version(name) else { return Self::since_3(false) };
        match version {
            (..3, _) => Self {
                thinking: Thinking::Budget { can_be_off: variant.starts_with("flash") },
                samples: true,
                gives_several: true,
                needs_signatures: false,
            },
            (3, 5) => Self::since_3(!variant.starts_with("flash-lite")),
            version => Self::since_3(version < (3, 5)),
        }
    }

    fn since_3(samples: bool) -> Self {
        Self { thinking: Thinking::Level, samples, gives_several: false, needs_signatures: true }
    }
}

/// The version of `gemini-<version>-<variant>`, and the variant.
fn version(name: &str) -> Option<((u32, u32), &str)> {
    let (version, variant) = name.strip_prefix("gemini-")?.split_once('-')?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some(((major.parse().ok()?, minor.parse().ok()?), variant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_known_by_their_names() {
        let budget = |can_be_off| Thinking::Budget { can_be_off };
        for (name, thinking, samples) in [
            ("gemini-2.5-flash", budget(true), true),
            ("gemini-2.5-flash-lite-preview-09-2025", budget(true), true),
            ("models/gemini-2.5-pro", budget(false), true),
            ("gemini-3-pro-preview", Thinking::Level, true),
            ("gemini-3.1-flash-lite", Thinking::Level, true),
            ("gemini-3.5-flash", Thinking::Level, true),
            ("gemini-3.5-flash-lite", Thinking::Level, false),
            ("gemini-3.6-flash", Thinking::Level, false),
            ("gemini-3.10-flash", Thinking::Level, false),
            ("gemini-4-pro", Thinking::Level, false),
            ("gemini-flash-latest", Thinking::Level, false),
            ("tunedModels/mine", Thinking::Level, false),
        ] {
            let is_old = thinking != Thinking::Level;
            let expected = Model { thinking, samples, gives_several: is_old, needs_signatures: !is_old };
            assert_eq!(Model::named(name), expected, "{name}");
        }
    }
}
