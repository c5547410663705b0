//! Whose prices a provider charges, and under which name its vendor sells a model.

use std::borrow::Cow;

use crate::dialect::{Preset, ProviderDialect};
use crate::policy::{Endpoint, Provider, ProviderEntry};

/// What of a provider tells whose prices it charges.
#[derive(Clone, Copy)]
pub(crate) struct Seller<'p> {
    dialect: ProviderDialect,
    preset: Option<&'static Preset>,
    host: &'p str,
}

/// A model as the rate card has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed<'m> {
    pub(super) vendor: Cow<'static, str>,
    pub(super) model: &'m str,
}

/// Vendors' addresses; `*` stands for one label or a part of one. What is not among them may be anybody's.
const HOSTS: [(&str, &str); 22] = [
    ("api.openai.com", OPENAI),
    ("api.anthropic.com", ANTHROPIC),
    ("generativelanguage.googleapis.com", GOOGLE),
    ("aiplatform.googleapis.com", GOOGLE),
    ("*-aiplatform.googleapis.com", GOOGLE),
    ("*.openai.azure.com", AZURE),
    ("*.services.ai.azure.com", AZURE),
    ("*.cognitiveservices.azure.com", AZURE),
    ("bedrock-runtime.*.amazonaws.com", AWS),
    ("api.cohere.com", COHERE),
    ("api.cohere.ai", COHERE),
    ("api.mistral.ai", "mistral"),
    ("api.groq.com", "groq"),
    ("api.moonshot.ai", "moonshotai"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x-ai"),
    ("api.together.ai", "together"),
    ("api.together.xyz", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("openrouter.ai", "openrouter"),
    ("api.perplexity.ai", "perplexity"),
    ("router.huggingface.co", HUGGING_FACE),
];

const OPENAI: &str = "openai";
const ANTHROPIC: &str = "anthropic";
const GOOGLE: &str = "google";
const AZURE: &str = "azure";
const AWS: &str = "aws";
const COHERE: &str = "cohere";
/// It sells for others, each at its own price.
const HUGGING_FACE: &str = "huggingface";

impl<'p> From<&'p Provider> for Seller<'p> {
    fn from(provider: &'p Provider) -> Self {
        Self::new(provider.dialect, provider.preset, &provider.endpoint)
    }
}

impl<'p> From<&'p ProviderEntry> for Seller<'p> {
    fn from(entry: &'p ProviderEntry) -> Self {
        Self::new(entry.dialect, entry.preset, &entry.endpoint)
    }
}

impl<'p> Seller<'p> {
    fn new(dialect: ProviderDialect, preset: Option<&'static Preset>, endpoint: &'p Endpoint) -> Self {
        Self { dialect, preset, host: &endpoint.host }
    }

    /// Under which vendor and name the card would have a model of this seller; `None` where nobody can know whose it is.
    pub(super) fn listed(self, model: &str) -> Option<Listed<'_>> {
        match self.vendor()? {
            // `model:vendor` says who answers; without that it is whoever is fastest.
            HUGGING_FACE => {
                let (model, vendor) = model.rsplit_once(':')?;
                Some(Listed { vendor: Cow::Owned(format!("{HUGGING_FACE}_{vendor}")), model })
            }
            // An ARN ends in the name of the model or of the profile.
            AWS => {
                let name = model.rsplit_once('/').filter(|_| is_arn(model)).map_or(model, |(_, name)| name);
                Some(Listed { vendor: Cow::Borrowed(AWS), model: name })
            }
            vendor => Some(Listed { vendor: Cow::Borrowed(vendor), model }),
        }
    }

    /// Whether the operator chose the name by which the provider knows the model, so that it need not say which one it is.
    pub(super) fn is_named_by_operator(self, model: &str) -> bool {
        match self.vendor() {
            Some(AZURE) => true,
            Some(AWS) => is_arn(model),
            _ => false,
        }
    }

    /// By the address, else the preset, else the dialect where one vendor alone speaks it. Others copy OpenAI's.
    fn vendor(self) -> Option<&'static str> {
        let host = self.host.to_ascii_lowercase();
        if let Some((_, vendor)) = HOSTS.iter().find(|(pattern, _)| is_at(pattern, &host)) {
            return Some(vendor);
        }
        if let Some(preset) = self.preset {
            let own = preset.endpoint.split('/').nth(2)?;
            return HOSTS.iter().find(|(pattern, _)| is_at(pattern, own)).map(|(_, vendor)| *vendor);
        }
        match self.dialect {
            ProviderDialect::OpenAi => None,
            ProviderDialect::AzureOpenAi => Some(AZURE),
            ProviderDialect::Anthropic => Some(ANTHROPIC),
            ProviderDialect::Gemini | ProviderDialect::Vertex => Some(GOOGLE),
            ProviderDialect::Bedrock => Some(AWS),
            ProviderDialect::Cohere => Some(COHERE),
        }
    }
}

fn is_arn(model: &str) -> bool {
    model.starts_with("arn:")
}

fn is_at(pattern: &str, host: &str) -> bool {
    let Some((start, end)) = pattern.split_once('*') else { return pattern == host };
    let label = host.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seller(dialect: ProviderDialect, preset: Option<&str>, host: &'static str) -> Seller<'static> {
        Seller { dialect, preset: preset.map(|name| Preset::named(name).expect("is a preset")), host }
    }

    #[test]
    fn a_vendor_is_told_by_address_preset_or_dialect() {
        use ProviderDialect::{Anthropic, AzureOpenAi, Bedrock, Cohere, Gemini, OpenAi, Vertex};
        for (dialect, preset, host, vendor) in [
            (OpenAi, None, "api.openai.com", Some("openai")),
            (OpenAi, None, "API.OpenAI.com", Some("openai")),
            (OpenAi, None, "eu.api.openai.com", None),
            (OpenAi, None, "127.0.0.1", None),
            (OpenAi, None, "api.openai.com.example", None),
            (OpenAi, None, "api.groq.com", Some("groq")),
            (OpenAi, None, "x.openai.azure.com", Some("azure")),
            (OpenAi, None, "a.b.openai.azure.com", None),
            (OpenAi, Some("groq"), "127.0.0.1", Some("groq")),
            (OpenAi, Some("xai"), "proxy.example", Some("x-ai")),
            (OpenAi, Some("ollama"), "127.0.0.1", None),
            (OpenAi, Some("nvidia_nim"), "integrate.api.nvidia.com", None),
            (AzureOpenAi, None, "gateway.example", Some("azure")),
            (Anthropic, None, "127.0.0.1", Some("anthropic")),
            (Anthropic, None, "api.deepseek.com", Some("deepseek")),
            (Gemini, None, "generativelanguage.googleapis.com", Some("google")),
            (Vertex, None, "europe-west4-aiplatform.googleapis.com", Some("google")),
            (Bedrock, None, "bedrock-runtime.eu-central-1.amazonaws.com", Some("aws")),
            (Cohere, None, "127.0.0.1", Some("cohere")),
        ] {
            assert_eq!(seller(dialect, preset, host).vendor(), vendor, "{dialect:?} {preset:?} {host}");
        }
    }

    #[test]
    fn every_presets_vendor_is_known_or_has_no_card() {
        let without: Vec<_> = crate::dialect::PRESETS
            .iter()
            .filter(|preset| seller(ProviderDialect::OpenAi, Some(preset.name), "h").vendor().is_none())
            .map(|preset| preset.name)
            .collect();
        assert_eq!(without, ["nvidia_nim", "ollama", "vllm", "sglang", "tgi", "lm_studio"]);
    }

    #[test]
    fn models_have_the_names_under_which_they_are_sold() {
        let bedrock = seller(ProviderDialect::Bedrock, None, "h");
        let listed = |seller: Seller<'_>, model: &'static str| {
            seller.listed(model).map(|listed| (listed.vendor.into_owned(), listed.model))
        };
        let arn = "arn:aws:bedrock:eu-central-1:1:inference-profile/eu.amazon.nova-pro-v1:0";
        assert_eq!(listed(bedrock, arn), Some(("aws".to_owned(), "eu.amazon.nova-pro-v1:0")));
        assert!(bedrock.is_named_by_operator(arn) && !bedrock.is_named_by_operator("amazon.nova-pro-v1:0"));
        let router = seller(ProviderDialect::OpenAi, Some("huggingface"), "router.huggingface.co");
        let named = listed(router, "openai/gpt-oss-120b:novita");
        assert_eq!(named, Some(("huggingface_novita".to_owned(), "openai/gpt-oss-120b")));
        assert_eq!(listed(router, "openai/gpt-oss-120b"), None);
    }
}
