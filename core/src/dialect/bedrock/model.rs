//! What each family of models at Bedrock takes, by the model's id, and the paths under which models are called.
//!
//! From Amazon's user guides (`bedrock/…/model-parameters`, `…/prompt-caching`, `…/inference-profiles-support`,
//! `nova/…/extended-thinking`).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::conversation::Maker;
use crate::dialect::anthropic::Family;

/// A family of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    Claude(Family),
    /// Amazon's own.
    Nova {
        /// Whether how much it thinks can be told.
        thinks: bool,
    },
    OpenAi {
        /// Whether it is one of those with open weights, which are told otherwise how much to think.
        is_open: bool,
    },
    /// One of a family of which nothing special is known.
    Other,
    /// One whose id doesn't tell what it is (`…:application-inference-profile/abc123`).
    Opaque,
}

/// What an id keeps as it is in a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The areas within which inference profiles spread requests; each stands before a model's id.
const AREAS: [&str; 10] = ["us", "us-gov", "eu", "apac", "jp", "au", "ca", "in", "global", "amer"];

impl Model {
    /// The family of a model, by its id (`anthropic.claude-opus-4-1-20250805-v1:0`), by that of an inference profile
    /// (`eu.anthropic.…`), or by the ARN of either.
    pub fn of(id: &str) -> Self {
        let name = name(id);
        let is_of = |vendor: &str| without_area(name).starts_with(vendor);
        if is_of("anthropic.claude") {
            Self::Claude(Family::of(name))
        } else if is_of("amazon.nova") {
            Self::Nova { thinks: is_of("amazon.nova-2") }
        } else if is_of("openai.") {
            Self::OpenAi { is_open: is_of("openai.gpt-oss") }
        } else if name.contains('.') {
            Self::Other
        } else {
            Self::Opaque
        }
    }

    /// Whether it takes marks up to where a prompt may be cached. Of a model that doesn't, they would be refused.
    pub fn caches(self) -> bool {
        matches!(self, Self::Claude(_) | Self::Nova { .. })
    }

    /// Whether it takes its own thinking back.
    pub fn takes_thinking_back(self) -> bool {
        matches!(self, Self::Claude(_) | Self::OpenAi { .. } | Self::Opaque)
    }

    /// Whose signatures it gives, and knows again. Claude's are the same on every platform; what the models of other makers
    /// hide at Bedrock, and those of which nobody knows whose they are, is for Bedrock.
    pub fn signs_as(self) -> Maker {
        match self {
            Self::Claude(_) => Maker::Anthropic,
            Self::Nova { .. } | Self::OpenAi { .. } | Self::Other | Self::Opaque => Maker::Bedrock,
        }
    }

    /// Whether it can be told that a tool has failed.
    pub fn knows_failed_results(self) -> bool {
        matches!(self, Self::Claude(_) | Self::Nova { .. } | Self::Opaque)
    }
}

/// The path of an operation of a model (`converse`, `invoke`), behind the endpoint's own path.
pub(super) fn path(model: &str, operation: &str) -> String {
    format!("/model/{}/{operation}", utf8_percent_encode(model, UNRESERVED))
}

/// The model's name in an id or an ARN.
pub(super) fn name(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(_, name)| name)
}

/// The id of the model itself, where this is that of an inference profile.
pub(super) fn without_area(id: &str) -> &str {
    match id.split_once('.') {
        Some((area, model)) if AREAS.contains(&area) => model,
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_known_by_every_form_of_an_id() {
        let sonnet = Model::Claude(Family::of("claude-sonnet-4-5"));
        for (id, model) in [
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", sonnet),
            ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", sonnet),
            (
                "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
                sonnet,
            ),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                sonnet,
            ),
            ("global.anthropic.claude-opus-4-6-v1", Model::Claude(Family::of("claude-opus-4-6"))),
            ("anthropic.claude-3-5-sonnet-20240620-v1:0", Model::Claude(Family::of("claude-3-5-sonnet"))),
            ("us.amazon.nova-pro-v1:0", Model::Nova { thinks: false }),
            ("global.amazon.nova-2-lite-v1:0", Model::Nova { thinks: true }),
            ("openai.gpt-oss-120b-1:0", Model::OpenAi { is_open: true }),
            ("us.openai.gpt-5.2", Model::OpenAi { is_open: false }),
            ("us.meta.llama3-3-70b-instruct-v1:0", Model::Other),
            ("zai.glm-4.7", Model::Other),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", Model::Opaque),
        ] {
            assert_eq!(Model::of(id), model, "{id}");
        }
    }

    #[test]
    fn an_id_is_one_segment_of_the_path() {
        assert_eq!(path("amazon.nova-pro-v1:0", "converse"), "/model/amazon.nova-pro-v1%3A0/converse");
        assert_eq!(
            path("arn:aws:bedrock:us-east-1:1:inference-profile/us.x~y_z", "invoke"),
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x~y_z/invoke"
        );
        assert_eq!(path("../a?b#c ä", "invoke"), "/model/..%2Fa%3Fb%23c%20%C3%A4/invoke");
    }
}
