//! Whose price a target has, and what holds of any price.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::policy::{Document, Plan};

fn plan(document: &str) -> Plan {
    let document = Document::parse(document.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    document.compile(&|_| Some("secret".to_owned())).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The price of a provider's model under a policy without prices of its own.
pub(super) fn price(provider: &str, model: &str, client: &str) -> Option<Arc<Price>> {
    let plan = plan(&format!(
        "version: 1
providers: {{p: {provider}}}
models: {{'{client}': {{targets: [{{provider: p, model: '{model}'}}]}}}}"
    ));
    plan.model(client).expect("is there").targets[0].price.clone()
}

fn million(price: &Price) -> String {
    price.cost(&Usage { input: 1_000_000, ..Usage::default() }, ServiceTier::Standard).to_string()
}

const AZURE: &str = "{dialect: azure_openai, endpoint: 'https://x.openai.azure.com', credential: {env: KEY}}";
const VERTEX: &str = "{dialect: vertex, endpoint: 'https://europe-west4-aiplatform.googleapis.com', region: europe-west4, project: p, credential: {env: KEY}}";

#[test]
fn models_are_found_under_the_names_that_they_have() {
    let openai = "{dialect: openai, endpoint: 'https://api.openai.com/v1', credential: {env: KEY}}";
    let local = "{dialect: openai, endpoint: 'http://127.0.0.1:8000/v1', credential: none}";
    let hugging_face = "{preset: huggingface, credential: {env: KEY}}";
    for (provider, model, client, input) in [
        (openai, "gpt-4o-2024-11-20", "c", Some("2.5")),
        (openai, "GPT-4o", "c", Some("2.5")),
        (openai, "gpt-6-sol-2026-09-22", "c", Some("4")),
        (openai, "gpt-99", "gpt-4o", None),
        (openai, "claude-opus-5", "c", None),
        (local, "gpt-4o", "gpt-4o", None),
        ("{preset: vllm}", "gpt-4o", "gpt-4o", None),
        (AZURE, "gpt-4o", "c", Some("2.5")),
        (AZURE, "my-deployment", "gpt-4o", Some("2.5")),
        (AZURE, "my-deployment", "my-model", None),
        (VERTEX, "claude-opus-4-5@20251101", "c", Some("5")),
        (VERTEX, "gemini-2.5-flash", "c", Some("0.3")),
        (VERTEX, "gemini-2.5-pro-preview-tts", "c", Some("1")),
        (hugging_face, "openai/gpt-oss-120b:novita", "c", Some("0.05")),
        (hugging_face, "openai/gpt-oss-120b", "c", None),
        (hugging_face, "openai/gpt-oss-120b:nobody", "c", None),
    ] {
        let found = price(provider, model, client);
        assert_eq!(found.as_deref().map(million).as_deref(), input, "{model} at {provider}");
        assert!(found.is_none_or(|price| price.origin() == Origin::Card));
    }
}

#[test]
fn a_makers_tiers_are_not_those_of_who_resells() {
    let usage = Usage { input: 1_000_000, ..Usage::default() };
    let price = price(AZURE, "gpt-4.1", "c").expect("is known");
    assert_eq!(price.cost(&usage, ServiceTier::Priority), price.cost(&usage, ServiceTier::Standard));
}

#[test]
fn the_policys_prices_come_first() {
    let document = |unknown: &str| {
        plan(&format!(
            "version: 1
providers:
  openai: {{dialect: openai, endpoint: 'https://api.openai.com/v1', credential: {{env: KEY}}}}
  claude: {{dialect: anthropic, endpoint: 'https://api.anthropic.com', credential: {{env: KEY}}}}
  azure: {AZURE}
  local: {{dialect: openai, endpoint: 'http://127.0.0.1:1', credential: none}}
models:
  gpt-4o: {{targets: [{{provider: openai, model: gpt-4o}}, {{provider: claude, model: claude-opus-5}}, {{provider: azure, model: mine}}]}}
  chat: {{targets: [{{provider: local, model: llama}}, {{provider: openai, model: gpt-5}}]}}
  odd: {{targets: [{{provider: local, model: odd-one}}, {{provider: openai, model: gpt-5}}]}}
prices:
  gpt-4o: {{input: 1, output: 2}}
  chat: {{input: 3, output: 4, cached_input: 0.5}}
{unknown}"
        ))
    };
    let prices = |plan: &Plan, model: &str| -> Vec<_> {
        let targets = &plan.model(model).expect("is there").targets;
        let shown = |price: &Arc<Price>| (million(price), price.origin());
        targets.iter().map(|target| target.price.as_ref().map(shown)).collect()
    };
    let shown = |input: &str, origin| Some((input.to_owned(), origin));
    let plan = document("");
    assert_eq!(
        prices(&plan, "gpt-4o"),
        // The name is a target's, so it says nothing of Claude; a deployment's name says nothing itself.
        [shown("1", Origin::Policy), shown("5", Origin::Card), shown("1", Origin::Policy)]
    );
    assert_eq!(prices(&plan, "chat"), [shown("3", Origin::Policy), shown("3", Origin::Policy)]);
    assert_eq!(prices(&plan, "odd"), [None, shown("1.25", Origin::Card)]);
    let zero = document("unknown_price: zero");
    assert_eq!(prices(&zero, "odd"), [shown("0", Origin::Assumed), shown("1.25", Origin::Card)]);
    for (name, input) in [("chat", "3"), ("odd", "1.25")] {
        let like = document(&format!("unknown_price: {{like: {name}}}"));
        assert_eq!(prices(&like, "odd")[0], shown(input, Origin::Assumed));
    }
}

#[test]
fn details_without_a_price_cost_what_they_are_part_of() {
    let mut sheet = Sheet::default();
    sheet.set(Component::Input, 3_000_000_000);
    sheet.set(Component::Output, 5_000_000_000);
    sheet.set(Component::Request, 7);
    let price = Price::of_policy(&sheet);
    let usage = Usage {
        input: 10,
        cached_input: 1,
        cached_audio_input: 1,
        cache_write: 2,
        cache_write_1h: 1,
        audio_input: 2,
        image_input: 1,
        output: 6,
        reasoning: 1,
        audio_output: 1,
        image_output: 1,
        searches: 9,
        ..Usage::default()
    };
    for tier in [ServiceTier::Standard, ServiceTier::Batch, ServiceTier::Priority] {
        assert_eq!(price.cost(&usage, tier).0, 10 * 3_000 + 6 * 5_000 + 7);
    }
}

#[test]
fn parts_that_are_more_than_the_whole_are_charged_up_to_it() {
    let price = price(AZURE, "gpt-4o", "c").expect("is known");
    let usage = Usage { input: 10, cached_input: 25, output: 1, reasoning: 9, ..Usage::default() };
    assert_eq!(price.cost(&usage, ServiceTier::Standard).0, 10 * 1_250 + 10_000);
}

#[test]
fn warnings_tell_what_nobody_knows() {
    let document = |rest: &str| {
        let text = format!(
            "version: 1
providers:
  openai: {{dialect: openai, endpoint: 'https://api.openai.com/v1', credential: {{env: KEY}}}}
  local: {{dialect: openai, endpoint: 'http://127.0.0.1:1', credential: none}}
models:
  chat: {{targets: [{{provider: openai, model: gpt-5}}, {{provider: local, model: llama}}]}}
{rest}"
        );
        warnings(&Document::parse(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}")))
    };
    assert_eq!(document(""), [""; 0]);
    let unknown = "models.chat.targets[1]: the price of `llama` at `local` is unknown, so ";
    assert_eq!(
        document("prices: {gpt-4o: {input: 1, output: 1}}"),
        [
            "prices.gpt-4o: no model and no target is called `gpt-4o`".to_owned(),
            format!("{unknown}calls to which a limit in usd applies are refused"),
        ]
    );
    assert_eq!(document("prices: {llama: {input: 1, output: 1}}"), [""; 0]);
    assert_eq!(document("unknown_price: zero"), [format!("{unknown}its calls count as free")]);
    assert_eq!(
        document("unknown_price: {like: chat}"),
        [format!("{unknown}its calls count like those to `chat`")]
    );
}

/// Every policy on these pages, with a price for each target of which a vendor can be told.
#[test]
fn every_model_of_the_documentations_policies_has_a_price() {
    let pages = [
        include_str!("../../../README.md"),
        include_str!("../../../docs/policy.md"),
        include_str!("../../../docs/prices.md"),
        include_str!("../../../docs/keys.md"),
        include_str!("../../../docs/clients.md"),
    ];
    let policies = [
        include_str!("../../../envoy/keys-and-sso.policy.yaml"),
        include_str!("../../../envoy/openai-anthropic-gemini.policy.yaml"),
    ];
    let mut targets = 0;
    let blocks = pages.iter().flat_map(|page| page.split("```yaml").skip(1));
    let blocks = blocks.map(|block| block.split("```").next().expect("ends"));
    for text in blocks.chain(policies) {
        let Ok(document) = Document::parse(text.as_bytes()) else { continue };
        let mut pricing = Pricing::of(&document);
        for model in &document.models {
            for target in &model.targets {
                let provider = document.providers.iter().find(|entry| entry.name == target.provider);
                let provider = provider.expect("is there");
                let is_local = matches!(provider.endpoint.host.as_str(), "127.0.0.1" | "localhost");
                let price = pricing.known(provider.into(), &target.model, &model.name);
                assert!(price.is_some() || is_local, "{} has no price", target.model);
                targets += 1;
            }
        }
    }
    assert!(targets >= 10, "{targets}");
}

const TIERS: [ServiceTier; 5] =
    [ServiceTier::Standard, ServiceTier::Batch, ServiceTier::Flex, ServiceTier::Priority, ServiceTier::Fast];

/// Rates up to the largest that can be written.
fn rates() -> impl Strategy<Value = u64> {
    prop_oneof![0..1_000_000_000_000_u64, 0..1_000_000_000_000_000_000_u64]
}

fn sheets() -> impl Strategy<Value = Sheet> {
    proptest::collection::vec(proptest::option::of(rates()), COMPONENTS.len()).prop_map(|rates| {
        let mut sheet = Sheet::default();
        for ((component, ..), rate) in COMPONENTS.iter().zip(rates) {
            if let Some(rate) = rate {
                sheet.set(*component, rate);
            }
        }
        sheet
    })
}

/// A usage whose parts fit into it.
fn usages(most: u64) -> impl Strategy<Value = Usage> {
    proptest::collection::vec(0..=most, 11).prop_map(|parts| {
        let [text, cached, cached_audio, written, written_1h, audio, image, said, thought, spoken, drawn] =
            parts[..]
        else {
            panic!("there are eleven")
        };
        Usage {
            input: text + cached + cached_audio + written + written_1h + audio + image,
            cached_input: cached + cached_audio,
            cached_audio_input: cached_audio,
            cache_write: written + written_1h,
            cache_write_1h: written_1h,
            audio_input: audio + cached_audio,
            image_input: image,
            output: said + thought + spoken + drawn,
            reasoning: thought,
            audio_output: spoken,
            image_output: drawn,
            ..Usage::default()
        }
    })
}

fn any_usage() -> impl Strategy<Value = Usage> {
    let count = || prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0..1_000_000_u64];
    proptest::collection::vec(count(), 12).prop_map(|counts| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = counts[..] else { panic!("there are twelve") };
        Usage {
            input: a,
            cached_input: b,
            cache_write: c,
            output: d,
            reasoning: e,
            cache_write_1h: f,
            audio_input: g,
            image_input: h,
            audio_output: i,
            image_output: j,
            cached_audio_input: k,
            searches: l,
            ..Usage::default()
        }
    })
}

fn sum(a: &Usage, b: &Usage) -> Usage {
    Usage {
        input: a.input + b.input,
        cached_input: a.cached_input + b.cached_input,
        cache_write: a.cache_write + b.cache_write,
        output: a.output + b.output,
        reasoning: a.reasoning + b.reasoning,
        cache_write_1h: a.cache_write_1h + b.cache_write_1h,
        audio_input: a.audio_input + b.audio_input,
        image_input: a.image_input + b.image_input,
        audio_output: a.audio_output + b.audio_output,
        image_output: a.image_output + b.image_output,
        cached_audio_input: a.cached_audio_input + b.cached_audio_input,
        searches: a.searches + b.searches,
        ..*a
    }
}

proptest! {
    /// Debug builds panic where a sum overflows.
    #[test]
    fn no_counts_and_no_rates_overflow(sheet in sheets(), usage in any_usage()) {
        let cost = Price::of_policy(&sheet).cost(&usage, ServiceTier::Standard);
        prop_assert!(cost <= NanoUsd::MAX);
    }

    /// One exchange costs what two do that make it up, but for the fee of one request and a nano-dollar of rounding.
    #[test]
    fn a_sum_costs_the_sum(sheet in sheets(), a in usages(1_000), b in usages(1_000)) {
        let mut sheet = sheet;
        sheet.set(Component::Request, 0);
        let price = Price::of_policy(&sheet);
        let cost = |usage: &Usage| price.cost(usage, ServiceTier::Standard);
        let (whole, parts) = (cost(&sum(&a, &b)), cost(&a).saturating_add(cost(&b)));
        prop_assert!(whole <= parts && parts <= whole.saturating_add(NanoUsd(1)), "{whole} {parts}");
    }

    /// More text to read and more to write never cost less, at any price of the card, across its thresholds too.
    #[test]
    fn more_costs_more(line in 0_usize..2_000, a in usages(150_000), more in 0_u64..1_000_000) {
        let (names, prices) = card::lines().nth(line % card::lines().count()).expect("the card has lines");
        let price = card::read(prices).expect("reads");
        let longer = Usage { input: a.input + more, output: a.output + more, ..a };
        for tier in TIERS {
            prop_assert!(price.cost(&a, tier) <= price.cost(&longer, tier), "{names}");
        }
    }

    /// No usage within what was expected costs more than was held for it, at any price of the card or of a policy.
    #[test]
    fn the_most_is_the_most(line in 0_usize..2_000, sheet in sheets(), used in usages(50_000), kept in 0..3, more in 0_u64..1000) {
        let (names, prices) = card::lines().nth(line % card::lines().count()).expect("the card has lines");
        let listed = card::read(prices).expect("reads");
        let (kept, used) = match kept {
            0 => (Kept::Unasked, Usage { cache_write: 0, cache_write_1h: 0, ..used }),
            1 => (Kept::Briefly, Usage { cache_write_1h: 0, ..used }),
            _ => (Kept::AnHour, used),
        };
        let media = used.audio_input + used.image_input;
        let expected = Most { input: used.input + more, media, kept, output: used.output + more };
        for price in [listed, Price::of_policy(&sheet)] {
            for tier in TIERS {
                prop_assert!(price.cost(&used, tier) <= price.most(&expected, tier), "{names}");
            }
        }
    }
}
