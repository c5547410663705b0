//! Worked examples: prices as vendors publish them, multiplied by hand, against what the card makes of the same usage.
//!
//! Each has the page on which its prices stood when it was written (November 2026). One that fails after `make prices` tells
//! of a price that the vendor has changed: look at the page, and work it out anew.

use super::tests::price;
use crate::usage::{ServiceTier, Usage};

fn charged(provider: &str, model: &str, usage: Usage) -> u64 {
    let price = price(provider, model, "client").unwrap_or_else(|| panic!("{model} has no price"));
    price.cost(&usage, usage.tier).0
}

const ANTHROPIC: &str = "{dialect: anthropic, endpoint: 'https://api.anthropic.com', credential: {env: KEY}}";
const OPENAI: &str = "{dialect: openai, endpoint: 'https://api.openai.com/v1', credential: {env: KEY}}";
const GEMINI: &str =
    "{dialect: gemini, endpoint: 'https://generativelanguage.googleapis.com', credential: {env: KEY}}";
const BEDROCK: &str = "{dialect: bedrock, endpoint: 'https://bedrock-runtime.eu-central-1.amazonaws.com', region: eu-central-1, credential: {aws_env: true}}";

/// <https://platform.claude.com/docs/en/about-claude/pricing>: Opus 5 at $5, written for five minutes $6.25, for an hour $10,
/// read $0.50, output $25.
#[test]
fn claude_with_both_caches() {
    let usage = Usage {
        // 10,000 plain, 100,000 read, 20,000 written for five minutes, 5,000 for an hour.
        input: 135_000,
        cached_input: 100_000,
        cache_write: 25_000,
        cache_write_1h: 5_000,
        output: 3_000,
        ..Usage::default()
    };
    let by_hand = 10_000 * 5_000 + 100_000 * 500 + 20_000 * 6_250 + 5_000 * 10_000 + 3_000 * 25_000;
    assert_eq!(by_hand, 350_000_000);
    assert_eq!(charged(ANTHROPIC, "claude-opus-5", usage), by_hand);
}

/// The same page: Fable 5.1 at $10, read $0.25, output $50; nothing is added for a long prompt.
#[test]
fn claude_with_a_long_prompt_that_costs_no_more() {
    let usage = Usage { input: 1_000_000, cached_input: 900_000, output: 10_000, ..Usage::default() };
    let by_hand = 100_000 * 10_000 + 900_000 * 250 + 10_000 * 50_000;
    assert_eq!(by_hand, 1_725_000_000);
    assert_eq!(charged(ANTHROPIC, "claude-fable-5-1", usage), by_hand);
}

/// The same page: Haiku 5.5 at $0.10 and $0.50; with more than 100,000 tokens of prompt $0.50 and $2.50 for all of them, read
/// $0.05.
#[test]
fn claude_with_a_long_prompt_that_costs_more() {
    let short = Usage { input: 100_000, output: 1_000, ..Usage::default() };
    assert_eq!(charged(ANTHROPIC, "claude-haiku-5-5", short), 100_000 * 100 + 1_000 * 500);
    let long = Usage { input: 100_001, cached_input: 50_000, output: 1_000, ..Usage::default() };
    let by_hand = 50_001 * 500 + 50_000 * 50 + 1_000 * 2_500;
    assert_eq!(charged(ANTHROPIC, "claude-haiku-5-5-20261007", long), by_hand);
}

/// <https://platform.claude.com/docs/en/models/sonnet-5-5/overview>: $2 and $10, in batches half of that.
#[test]
fn claude_in_a_batch() {
    let usage = Usage { input: 12_000, output: 4_000, tier: ServiceTier::Batch, ..Usage::default() };
    assert_eq!(charged(ANTHROPIC, "claude-sonnet-5-5", usage), 12_000 * 1_000 + 4_000 * 5_000);
}

/// The pricing page: Opus 5.5 at $4 and $20, fast $8 and $40; each search of the web $0.01.
#[test]
fn claude_that_searches_and_hurries() {
    let usage = Usage { input: 50_000, output: 2_500, searches: 3, ..Usage::default() };
    let by_hand = 50_000 * 4_000 + 2_500 * 20_000 + 3 * 10_000_000;
    assert_eq!(by_hand, 280_000_000);
    assert_eq!(charged(ANTHROPIC, "claude-opus-5-5", usage), by_hand);
    let fast = Usage { tier: ServiceTier::Fast, ..usage };
    let by_hand = 50_000 * 8_000 + 2_500 * 40_000 + 3 * 10_000_000;
    assert_eq!(charged(ANTHROPIC, "claude-opus-5-5", fast), by_hand);
}

/// <https://developers.openai.com/api/docs/models/gpt-6-sol>: $2, read $0.20, written $2.50, output $10.
#[test]
fn gpt_with_its_cache() {
    let usage = Usage {
        input: 272_000,
        cached_input: 72_000,
        cache_write: 50_000,
        output: 10_000,
        ..Usage::default()
    };
    let by_hand = 150_000 * 2_000 + 72_000 * 200 + 50_000 * 2_500 + 10_000 * 10_000;
    assert_eq!(by_hand, 539_400_000);
    assert_eq!(charged(OPENAI, "gpt-6-sol", usage), by_hand);
}

/// The same page: with more than 272K tokens of input, twice the input's prices and 1.5 times the output's for the full
/// request.
#[test]
fn gpt_with_a_long_prompt() {
    let usage = Usage { input: 300_000, cached_input: 100_000, output: 10_000, ..Usage::default() };
    let by_hand = 200_000 * 4_000 + 100_000 * 400 + 10_000 * 15_000;
    assert_eq!(by_hand, 990_000_000);
    assert_eq!(charged(OPENAI, "gpt-6-sol", usage), by_hand);
}

/// The same page: Batch and Flex at half the standard prices, of long prompts too.
#[test]
fn gpt_when_there_is_time() {
    for tier in [ServiceTier::Batch, ServiceTier::Flex] {
        let short = Usage { input: 1_000, output: 500, tier, ..Usage::default() };
        assert_eq!(charged(OPENAI, "gpt-6-sol", short), 1_000 * 1_000 + 500 * 5_000);
        let long = Usage { input: 400_000, output: 500, tier, ..Usage::default() };
        assert_eq!(charged(OPENAI, "gpt-6-sol", long), 400_000 * 2_000 + 500 * 7_500);
    }
}

/// <https://openai.com/api-priority-processing/>: GPT-5 at $2.50, read $0.25, output $20.
#[test]
fn gpt_with_priority() {
    let usage = Usage {
        input: 8_000,
        cached_input: 6_000,
        output: 1_200,
        reasoning: 800,
        tier: ServiceTier::Priority,
        ..Usage::default()
    };
    let by_hand = 2_000 * 2_500 + 6_000 * 250 + 1_200 * 20_000;
    assert_eq!(by_hand, 30_500_000);
    assert_eq!(charged(OPENAI, "gpt-5-2025-08-07", usage), by_hand);
}

/// The same page: GPT-4.1 at $3.50, read $0.875, output $14.
#[test]
fn a_price_of_less_than_a_thousand_nano_dollars() {
    let usage =
        Usage { input: 1_001, cached_input: 1, output: 1, tier: ServiceTier::Priority, ..Usage::default() };
    assert_eq!(charged(OPENAI, "gpt-4.1", usage), 1_000 * 3_500 + 875 + 14_000);
}

/// <https://developers.openai.com/api/docs/pricing>: gpt-audio at $2.50 and $10, of sound $32 and $64.
#[test]
fn gpt_that_listens_and_speaks() {
    let usage =
        Usage { input: 1_200, audio_input: 1_000, output: 900, audio_output: 800, ..Usage::default() };
    let by_hand = 200 * 2_500 + 1_000 * 32_000 + 100 * 10_000 + 800 * 64_000;
    assert_eq!(charged(OPENAI, "gpt-audio", usage), by_hand);
}

/// <https://ai.google.dev/gemini-api/docs/pricing>: 2.5 Pro at $1.25 and $10, with more than 200k tokens of prompt $2.50 and
/// $15; 3.1 Pro at $2 and $12, then $4 and $18.
#[test]
fn gemini_on_both_sides_of_its_threshold() {
    let at = Usage { input: 200_000, output: 1_000, ..Usage::default() };
    let above = Usage { input: 200_001, ..at };
    assert_eq!(charged(GEMINI, "gemini-2.5-pro", at), 200_000 * 1_250 + 1_000 * 10_000);
    assert_eq!(charged(GEMINI, "gemini-2.5-pro", above), 200_001 * 2_500 + 1_000 * 15_000);
    assert_eq!(charged(GEMINI, "gemini-3.1-pro-preview", at), 200_000 * 2_000 + 1_000 * 12_000);
    assert_eq!(charged(GEMINI, "gemini-3.1-pro-preview", above), 200_001 * 4_000 + 1_000 * 18_000);
}

/// The same page: 2.5 Flash at $0.30, of sound $1, of both from the cache $0.03 and $0.10, output $2.50.
#[test]
fn gemini_that_listens() {
    let usage = Usage { input: 10_000, audio_input: 6_000, output: 1_000, ..Usage::default() };
    let by_hand = 4_000 * 300 + 6_000 * 1_000 + 1_000 * 2_500;
    assert_eq!(charged(GEMINI, "gemini-2.5-flash", usage), by_hand);
    let cached = Usage { cached_input: 7_000, cached_audio_input: 5_000, ..usage };
    let by_hand = 2_000 * 300 + 1_000 * 1_000 + 2_000 * 30 + 5_000 * 100 + 1_000 * 2_500;
    assert_eq!(charged(GEMINI, "gemini-2.5-flash", cached), by_hand);
}

/// The same page: 3.8 Flash at $0.75, and $3.75 for the output with its thoughts, until the end of 2026.
#[test]
fn gemini_that_thinks() {
    let usage = Usage { input: 4_000, output: 2_000, reasoning: 1_500, ..Usage::default() };
    assert_eq!(charged(GEMINI, "gemini-3.8-flash", usage), 4_000 * 750 + 2_000 * 3_750);
}

/// <https://api-docs.deepseek.com/quick_start/pricing>: V4 Pro in the dearer hours at $1.32, from the cache $0.044, output
/// $3.96.
#[test]
fn deepseek_at_its_dearest() {
    let usage = Usage { input: 100_000, cached_input: 60_000, output: 5_000, ..Usage::default() };
    let by_hand = 40_000 * 1_320 + 60_000 * 44 + 5_000 * 3_960;
    assert_eq!(charged("{preset: deepseek, credential: {env: KEY}}", "deepseek-v4-pro", usage), by_hand);
}

/// <https://docs.fireworks.ai/serverless/pricing>: Kimi K2.6 at $0.95, from the cache $0.16, output $4.
#[test]
fn fireworks() {
    let usage = Usage { input: 10_000, cached_input: 4_000, output: 1_000, ..Usage::default() };
    let by_hand = 6_000 * 950 + 4_000 * 160 + 1_000 * 4_000;
    let model = "accounts/fireworks/models/kimi-k2p6";
    assert_eq!(charged("{preset: fireworks, credential: {env: KEY}}", model, usage), by_hand);
}

/// <https://console.groq.com/docs/models>: $0.15 and $0.60.
#[test]
fn groq() {
    let usage = Usage { input: 1_234, output: 567, ..Usage::default() };
    let provider = "{preset: groq, credential: {env: KEY}}";
    assert_eq!(charged(provider, "openai/gpt-oss-120b", usage), 1_234 * 150 + 567 * 600);
}

/// <https://docs.x.ai/developers/models>: Grok 4.1 Fast at $0.20, from the cache $0.05, output $0.50.
#[test]
fn grok() {
    let usage = Usage { input: 20_000, cached_input: 5_000, output: 1_000, ..Usage::default() };
    let by_hand = 15_000 * 200 + 5_000 * 50 + 1_000 * 500;
    let provider = "{preset: xai, credential: {env: KEY}}";
    assert_eq!(charged(provider, "grok-4-1-fast-reasoning", usage), by_hand);
}

/// <https://cohere.com/pricing>: Command R at $0.15 and $0.60, R7B at $0.0375 and $0.15: 37.5 nano-dollars a token, so that
/// three and one make 262.5, which are rounded up.
#[test]
fn cohere_to_half_a_nano_dollar() {
    let provider = "{dialect: cohere, endpoint: 'https://api.cohere.com', credential: {env: KEY}}";
    let usage = Usage { input: 100, output: 10, ..Usage::default() };
    assert_eq!(charged(provider, "command-r-08-2024", usage), 100 * 150 + 10 * 600);
    let usage = Usage { input: 3, output: 1, ..Usage::default() };
    assert_eq!(charged(provider, "command-r7b-12-2024", usage), 263);
}

/// <https://docs.perplexity.ai/getting-started/pricing>: Deep Research at $2 and $8, its reasoning at $3; Sonar Pro at $3 and
/// $15, and $14 for a thousand requests of the dearest kind.
#[test]
fn perplexity_by_reasoning_and_by_request() {
    let provider = "{preset: perplexity, credential: {env: KEY}}";
    let usage = Usage { input: 33, output: 10_000, reasoning: 6_000, ..Usage::default() };
    let by_hand = 33 * 2_000 + 4_000 * 8_000 + 6_000 * 3_000;
    assert_eq!(charged(provider, "sonar-deep-research", usage), by_hand);
    let usage = Usage { input: 1_000, output: 500, ..Usage::default() };
    let by_hand = 1_000 * 3_000 + 500 * 15_000 + 14_000_000;
    assert_eq!(charged(provider, "sonar-pro", usage), by_hand);
}

/// <https://openrouter.ai/cohere/command-r7b-12-2024>: $0.0375 and $0.15. What ends in `:free` is free.
#[test]
fn openrouter() {
    let provider = "{preset: openrouter, credential: {env: KEY}}";
    let usage = Usage { input: 1_000_000, output: 1_000_000, ..Usage::default() };
    assert_eq!(charged(provider, "cohere/command-r7b-12-2024", usage), 37_500_000 + 150_000_000);
    assert_eq!(charged(provider, "openai/gpt-oss-20b:free", usage), 0);
}

/// Claude's pricing page: on Bedrock, endpoints of a region cost a tenth more than the global ones, which cost what Anthropic
/// asks: Haiku 4.5 $1 and $5.
#[test]
fn bedrock_by_region() {
    let usage = Usage { input: 1_000, output: 100, ..Usage::default() };
    let by_hand = 1_000 * 1_000 + 100 * 5_000;
    let model = "anthropic.claude-haiku-4-5-20251001-v1:0";
    assert_eq!(charged(BEDROCK, &format!("global.{model}"), usage), by_hand);
    for model in [
        model.to_owned(),
        format!("eu.{model}"),
        format!("arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.{model}"),
    ] {
        assert_eq!(charged(BEDROCK, &model, usage), by_hand / 10 * 11, "{model}");
    }
}
