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
    /// Whether it sees images and documents in the results of functions.
    pub reads_media_in_results: bool,
    /// Where it is served.
    pub platform: Platform,
}

/// Who serves a model: the bodies are the same but for a few fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// The Gemini Developer API.
    Developer,
    /// Google Cloud's Vertex AI.
    Vertex,
}

/// How a model takes the wish for more or less thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// A number of tokens, up to `most`. Not every model can do without.
    Budget { can_be_off: bool, most: u32 },
    /// A word; models that take it never do without.
    Level,
}

impl Model {
    /// A name that is not known counts as the newest.
    pub fn named(name: &str, platform: Platform) -> Self {
        // On Vertex AI a name may say whose model it is.
        let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
        let Some((version, variant)) = version(name) else { return Self::since_3(false, platform) };
        match version {
            (..3, _) => Self {
                thinking: match variant.starts_with("flash") {
                    true => Thinking::Budget { can_be_off: true, most: 24_576 },
                    false => Thinking::Budget { can_be_off: false, most: 32_768 },
                },
                samples: true,
                gives_several: true,
                needs_signatures: false,
                reads_media_in_results: false,
                platform,
            },
            (3, 5) => Self::since_3(!variant.starts_with("flash-lite"), platform),
            version => Self::since_3(version < (3, 5), platform),
        }
    }

    fn since_3(samples: bool, platform: Platform) -> Self {
        Self {
            thinking: Thinking::Level,
            samples,
            gives_several: false,
            needs_signatures: true,
            reads_media_in_results: true,
            platform,
        }
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
        let budget =
            |can_be_off| Thinking::Budget { can_be_off, most: if can_be_off { 24_576 } else { 32_768 } };
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
            ("publishers/google/models/gemini-2.5-pro", budget(false), true),
        ] {
            let is_old = thinking != Thinking::Level;
            let expected = Model {
                thinking,
                samples,
                gives_several: is_old,
                needs_signatures: !is_old,
                reads_media_in_results: !is_old,
                platform: Platform::Vertex,
            };
            assert_eq!(Model::named(name, Platform::Vertex), expected, "{name}");
        }
    }
}
