//! The vendors and servers that speak OpenAI's dialect, each with what is different about it: one row each.

use super::{ProviderDialect, Range, Ranges};
use crate::policy::Provider;

/// A vendor or server that is compatible with OpenAI.
#[derive(Debug, PartialEq)]
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

/// Something of chat completions that a vendor has differently.
///
/// A field is told by its path in the body, `[]` standing for each of a list (`seed`, `messages[].name`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quirk {
    /// It has another name there.
    Rename(&'static str, &'static str),
    /// The vendor refuses or ignores it: it is unsupported, as the policy says.
    Lacks(&'static str),
    /// The vendor chokes on it, and nothing is lost without it: it is left out without a word.
    Omits(&'static str),
    /// The vendor takes it, though OpenAI does not.
    Takes(&'static str),
    /// Out of these ranges it refuses values. What passes as it is, it judges itself.
    Within(&'static Ranges),
    /// The content of a message has to be one text: several are put together, an empty line between them.
    JoinsTexts,
    /// The id of a tool call has to be nine letters and digits: others get such a one made of them.
    ShortCallIds,
}

/// Every preset. Where each row is from, and what it means, stands in `docs/dialects/presets.md`.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "mistral",
        endpoint: "https://api.mistral.ai/v1",
        open: false,
        has: Apis { embeddings: true, ..CHAT },
        // It refuses every field that it does not know.
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Rename("seed", "random_seed"),
            Quirk::Takes("top_k"),
            Quirk::Within(&Ranges {
                temperature: Range::between(0.0, 1.5),
                top_p: Range::between(0.0, 1.0),
                penalties: TWO,
                ..Ranges::ANY
            }),
            Quirk::ShortCallIds,
            // It tells the usage of a stream unasked.
            Quirk::Omits("stream_options"),
            Quirk::Lacks("logit_bias"),
            Quirk::Lacks("user"),
            Quirk::Lacks("verbosity"),
            Quirk::Lacks("safety_identifier"),
            Quirk::Lacks("store"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("moderation"),
            Quirk::Lacks("functions"),
            Quirk::Lacks("function_call"),
            Quirk::Lacks("web_search_options"),
            Quirk::Lacks("prompt_cache_options"),
            Quirk::Lacks("prompt_cache_retention"),
            Quirk::Lacks("messages[].name"),
            Quirk::Lacks("messages[].refusal"),
            Quirk::Lacks("messages[].annotations"),
            Quirk::Lacks("messages[].audio"),
            Quirk::Lacks("messages[].function_call"),
        ],
    },
    Preset {
        name: "groq",
        endpoint: "https://api.groq.com/openai/v1",
        open: false,
        has: Apis { responses: true, ..CHAT },
        // It refuses these.
        quirks: &[
            Quirk::Within(&Ranges {
                temperature: Range::between(0.0, 2.0),
                penalties: TWO,
                stop: Range::up_to(4),
                ..Ranges::ANY
            }),
            Quirk::Lacks("logprobs"),
            Quirk::Lacks("top_logprobs"),
            Quirk::Lacks("logit_bias"),
            Quirk::Lacks("n"),
            Quirk::Lacks("verbosity"),
            Quirk::Lacks("safety_identifier"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("moderation"),
            Quirk::Lacks("web_search_options"),
            Quirk::Lacks("prompt_cache_key"),
            Quirk::Lacks("prompt_cache_options"),
            Quirk::Lacks("prompt_cache_retention"),
            Quirk::Lacks("messages[].name"),
        ],
    },
    Preset {
        name: "deepseek",
        endpoint: "https://api.deepseek.com",
        open: false,
        has: CHAT,
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Takes("thinking"),
            // It wants its thinking back while it calls tools.
            Quirk::Takes("messages[].reasoning_content"),
            Quirk::Within(&Ranges {
                temperature: Range::between(0.0, 2.0),
                penalties: TWO,
                stop: Range::up_to(16),
                ..Ranges::ANY
            }),
            Quirk::JoinsTexts,
            Quirk::Lacks("n"),
            Quirk::Lacks("seed"),
            Quirk::Lacks("logit_bias"),
            Quirk::Lacks("parallel_tool_calls"),
            Quirk::Lacks("response_format.json_schema"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("functions"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "xai",
        endpoint: "https://api.x.ai/v1",
        open: false,
        has: Apis { responses: true, ..CHAT },
        quirks: &[
            Quirk::Within(&Ranges {
                temperature: Range::between(0.0, 2.0),
                top_logprobs: Range::up_to(8),
                stop: Range::up_to(4),
                ..Ranges::ANY
            }),
            Quirk::Lacks("logit_bias"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "together",
        endpoint: "https://api.together.ai/v1",
        open: false,
        has: Apis { completions: true, embeddings: true, rerank: true, ..CHAT },
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Takes("top_k"),
            Quirk::Takes("messages[].reasoning_content"),
            Quirk::Within(&Ranges { penalties: TWO, ..Ranges::ANY }),
            // Its own logprobs are a number, and what comes of them has another form.
            Quirk::Lacks("logprobs"),
            Quirk::Lacks("top_logprobs"),
            Quirk::Lacks("parallel_tool_calls"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "fireworks",
        endpoint: "https://api.fireworks.ai/inference/v1",
        open: false,
        has: Apis { completions: true, embeddings: true, rerank: true, ..CHAT },
        quirks: &[
            Quirk::Takes("top_k"),
            Quirk::Takes("messages[].reasoning_content"),
            Quirk::Within(&Ranges {
                temperature: Range::between(0.0, 2.0),
                top_k: Range::up_to(100),
                penalties: TWO,
                choices: Range::between(1.0, 128.0),
                top_logprobs: Range::up_to(5),
                stop: Range::up_to(4),
                ..Ranges::ANY
            }),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("verbosity"),
            Quirk::Lacks("web_search_options"),
        ],
    },
    Preset {
        name: "openrouter",
        endpoint: "https://openrouter.ai/api/v1",
        open: false,
        has: Apis { responses: true, completions: true, embeddings: true, rerank: true },
        quirks: &[
            Quirk::Takes("top_k"),
            Quirk::Within(&Ranges { temperature: Range::between(0.0, 2.0), ..Ranges::ANY }),
        ],
    },
    Preset {
        name: "perplexity",
        endpoint: "https://api.perplexity.ai",
        open: false,
        has: CHAT,
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Takes("top_k"),
            // It tells the usage in every chunk, unasked.
            Quirk::Omits("stream_options"),
            Quirk::Lacks("seed"),
            Quirk::Lacks("logit_bias"),
            Quirk::Lacks("response_format.json_object"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("functions"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "nvidia_nim",
        endpoint: "https://integrate.api.nvidia.com/v1",
        open: false,
        has: Apis { completions: true, embeddings: true, ..CHAT },
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "ollama",
        endpoint: "http://127.0.0.1:11434/v1",
        open: true,
        has: Apis { responses: true, completions: true, embeddings: true, ..CHAT },
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Lacks("tool_choice"),
            Quirk::Lacks("parallel_tool_calls"),
            Quirk::Lacks("logit_bias"),
            Quirk::Lacks("logprobs"),
            Quirk::Lacks("top_logprobs"),
            Quirk::Lacks("n"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "vllm",
        endpoint: "http://127.0.0.1:8000/v1",
        open: true,
        has: Apis { responses: true, completions: true, embeddings: true, rerank: true },
        quirks: &[
            Quirk::Takes("top_k"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "sglang",
        endpoint: "http://127.0.0.1:30000/v1",
        open: true,
        has: Apis { responses: true, completions: true, embeddings: true, rerank: false },
        quirks: &[
            Quirk::Takes("top_k"),
            Quirk::Takes("messages[].reasoning_content"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "tgi",
        endpoint: "http://127.0.0.1:3000/v1",
        open: true,
        has: Apis { completions: true, ..CHAT },
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Within(&Ranges {
                temperature: Range::between(0.0, 2.0),
                penalties: TWO,
                top_logprobs: Range::up_to(5),
                stop: Range::up_to(4),
                ..Ranges::ANY
            }),
            Quirk::Lacks("n"),
            Quirk::Lacks("logit_bias"),
            Quirk::Lacks("parallel_tool_calls"),
            Quirk::Lacks("reasoning_effort"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("functions"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "lm_studio",
        endpoint: "http://127.0.0.1:1234/v1",
        open: true,
        has: Apis { responses: true, completions: true, embeddings: true, ..CHAT },
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Takes("top_k"),
            Quirk::Lacks("n"),
            Quirk::Lacks("logprobs"),
            Quirk::Lacks("top_logprobs"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("verbosity"),
        ],
    },
    Preset {
        name: "huggingface",
        endpoint: "https://router.huggingface.co/v1",
        open: false,
        has: CHAT,
        quirks: &[
            Quirk::Rename("max_completion_tokens", "max_tokens"),
            Quirk::Lacks("modalities"),
            Quirk::Lacks("audio"),
            Quirk::Lacks("prediction"),
            Quirk::Lacks("verbosity"),
        ],
    },
];

/// Chat completions and nothing else.
const CHAT: Apis = Apis { responses: false, completions: false, embeddings: false, rerank: false };

/// What most take of penalties.
const TWO: Range = Range::between(-2.0, 2.0);

/// Azure's versions before `2024-09-01-preview`: a usage can't be asked for, and the limit has its old name.
const AZURE_OLD: &[Quirk] =
    &[Quirk::Omits("stream_options"), Quirk::Rename("max_completion_tokens", "max_tokens")];

impl Preset {
    /// The preset of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}

/// What is different about a provider, whether it has a preset or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quirks(&'static [Quirk]);

impl Quirks {
    /// Those of a provider.
    pub(super) fn of(provider: &Provider) -> Self {
        // Versions are dates, or words that begin with a letter, which are later.
        let version = provider.api_version.as_deref().unwrap_or("2024-10-21");
        Self(match provider.preset {
            Some(preset) => preset.quirks,
            None if provider.dialect == ProviderDialect::AzureOpenAi && version < "2024-09-01" => AZURE_OLD,
            None => &[],
        })
    }

    /// Those of a preset.
    pub(super) fn of_preset(preset: &Preset) -> Self {
        Self(preset.quirks)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Quirk> {
        self.0.iter().copied()
    }

    /// The vendor's word for a field; `None` where it has to be left out.
    pub(super) fn word(self, field: &'static str) -> Option<&'static str> {
        for quirk in self.iter() {
            match quirk {
                Quirk::Rename(from, to) if from == field => return Some(to),
                Quirk::Lacks(name) | Quirk::Omits(name) if name == field => return None,
                _ => {}
            }
        }
        Some(field)
    }

    /// Whether a field is unsupported.
    pub(super) fn lacks(self, field: &str) -> bool {
        self.iter().any(|quirk| matches!(quirk, Quirk::Lacks(name) if name == field))
    }

    /// Whether a field that is none of OpenAI's is taken.
    pub(super) fn takes(self, field: &str) -> bool {
        self.iter().any(|quirk| matches!(quirk, Quirk::Takes(name) if name == field))
    }

    pub(super) fn ranges(self) -> Ranges {
        let within = self.iter().find_map(|quirk| match quirk {
            Quirk::Within(ranges) => Some(*ranges),
            _ => None,
        });
        within.unwrap_or(Ranges::ANY)
    }

    pub(super) fn joins_texts(self) -> bool {
        self.iter().any(|quirk| quirk == Quirk::JoinsTexts)
    }

    pub(super) fn short_call_ids(self) -> bool {
        self.iter().any(|quirk| quirk == Quirk::ShortCallIds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/dialects/presets.md");

    /// The rows of the page's table with this heading that are about a preset.
    fn row(heading: &str, preset: &str) -> &'static str {
        let table = PAGE.split_once(heading).expect("is on the page").1;
        let start = format!("| `{preset}` |");
        table.lines().find(|line| line.starts_with(&start)).expect("has a row")
    }

    #[test]
    fn the_page_has_every_row_of_the_table() {
        for preset in PRESETS {
            let place = row("| preset | endpoint |", preset.name);
            assert!(place.contains(&format!("| `{}` |", preset.endpoint)), "{place}");
            assert_eq!(place.contains("| none |"), preset.open, "{place}");
            for (has, word) in [
                (preset.has.responses, "responses"),
                (preset.has.completions, "completions"),
                (preset.has.embeddings, "embeddings"),
                (preset.has.rerank, "rerank"),
            ] {
                let apis = place.split('|').nth(4).expect("has a column for APIs");
                assert_eq!(apis.contains(word), has, "{place}");
            }
            let quirks = row("| preset | renames |", preset.name);
            for quirk in preset.quirks {
                let written = match quirk {
                    Quirk::Rename(from, to) => format!("`{from}` → `{to}`"),
                    Quirk::Lacks(field) | Quirk::Omits(field) | Quirk::Takes(field) => format!("`{field}`"),
                    // They stand in a table of their own, which is made of them.
                    Quirk::Within(_) => continue,
                    Quirk::JoinsTexts => "joins texts".to_owned(),
                    Quirk::ShortCallIds => "short call ids".to_owned(),
                };
                assert!(quirks.contains(&written), "{written} is missing: {quirks}");
            }
        }
        let rows = PAGE.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, 2 * PRESETS.len());
    }

    #[test]
    fn names_are_told_apart() {
        for (position, preset) in PRESETS.iter().enumerate() {
            assert_eq!(Preset::named(preset.name), PRESETS.get(position));
            assert!(preset.endpoint.starts_with("http") && !preset.endpoint.ends_with('/'));
        }
        assert_eq!(Preset::named("nobody"), None);
    }

    #[test]
    fn quirks_are_found_by_the_field() {
        let quirks = Quirks(Preset::named("mistral").expect("is a preset").quirks);
        assert_eq!(quirks.word("seed"), Some("random_seed"));
        assert_eq!(quirks.word("temperature"), Some("temperature"));
        assert_eq!((quirks.word("user"), quirks.lacks("user")), (None, true));
        assert_eq!((quirks.word("stream_options"), quirks.lacks("stream_options")), (None, false));
        assert!(quirks.takes("top_k") && !quirks.takes("thinking"));
    }
}
