//! The vendors and servers that speak OpenAI's dialect, each with what is different about it: one row each.

/// A vendor or server that is compatible with OpenAI.
#[derive(Debug, PartialEq, Eq)]
pub struct Preset {
    /// The word for it in the policy document.
    pub name: &'static str,
    /// Where it is, when the policy doesn't say.
    pub endpoint: &'static str,
    /// Whether it takes no credential, as servers on the own machine.
    pub open: bool,
    /// Which of OpenAI's APIs it has, besides chat completions.
    pub has: Apis,
    pub quirks: &'static [Quirk],
}

/// OpenAI's APIs that not every compatible vendor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Apis {
    pub responses: bool,
    pub completions: bool,
    pub embeddings: bool,
    /// `POST /rerank` in the shape of Jina and Cohere.
    pub rerank: bool,
}

/// A parameter of chat completions that a vendor has differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// It has another name there.
    Rename(&'static str, &'static str),
    /// The vendor refuses or ignores it: it is unsupported, as the policy says.
    Lacks(&'static str),
    /// The vendor chokes on it, and nothing is lost without it: it is left out without a word.
    Omits(&'static str),
}

/// Every preset.
pub const PRESETS: &[Preset] = &[Preset {
    name: "groq",
    endpoint: "https://api.groq.com/openai/v1",
    open: false,
    has: Apis { responses: true, completions: false, embeddings: false, rerank: false },
    quirks: &[],
}];

impl Preset {
    /// The preset of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}
