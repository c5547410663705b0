//! What each kind of token costs, and what a usage costs at such rates.

use super::{Most, NanoUsd};
use crate::usage::Usage;
use crate::usage::estimate::Kept;

/// What is charged for, each at a rate of its own or at that of what it is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    Input,
    Output,
    CachedInput,
    CacheWrite,
    CacheWrite1h,
    Reasoning,
    AudioInput,
    AudioOutput,
    CachedAudio,
    ImageInput,
    ImageOutput,
    Request,
    Search,
}

/// Each component with its word in the rate card and in a policy's `prices`, where it has one.
pub(crate) const COMPONENTS: [(Component, &str, Option<&str>); 13] = [
    (Component::Input, "in", Some("input")),
    (Component::Output, "out", Some("output")),
    (Component::CachedInput, "read", Some("cached_input")),
    (Component::CacheWrite, "write", Some("cache_write")),
    (Component::CacheWrite1h, "write1h", Some("cache_write_1h")),
    (Component::Reasoning, "reasoning", Some("reasoning")),
    (Component::AudioInput, "audio", Some("audio_input")),
    (Component::AudioOutput, "audio_out", Some("audio_output")),
    (Component::CachedAudio, "audio_read", None),
    (Component::ImageInput, "image", Some("image_input")),
    (Component::ImageOutput, "image_out", Some("image_output")),
    (Component::Request, "request", Some("request")),
    (Component::Search, "search", None),
];

/// The rates that somebody has written down: of tokens in nano-dollars for a million, of the others in nano-dollars each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sheet([Option<u64>; COMPONENTS.len()]);

impl Sheet {
    pub(crate) fn set(&mut self, component: Component, rate: u64) {
        if let Some(slot) = self.0.get_mut(component as usize) {
            *slot = Some(rate);
        }
    }

    /// These rates, and where they say nothing those of `before`.
    pub(super) fn over(self, before: Self) -> Self {
        let mut sheet = before;
        for (slot, rate) in sheet.0.iter_mut().zip(self.0) {
            *slot = rate.or(*slot);
        }
        sheet
    }

    fn get(&self, component: Component) -> Option<u64> {
        self.0.get(component as usize).copied().flatten()
    }
}

/// Every rate: of tokens in nano-dollars for a million, of requests and searches in nano-dollars each.
///
/// None is above [`MOST`], so that no cost overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    input: u64,
    cached_input: u64,
    cached_audio: u64,
    cache_write: u64,
    cache_write_1h: u64,
    audio_input: u64,
    image_input: u64,
    output: u64,
    reasoning: u64,
    audio_output: u64,
    image_output: u64,
    request: u64,
    search: u64,
}

/// No decimal that is read is larger. Two counts of 64 bits at this rate stay below 128 bits.
const MOST: u64 = 1_000_000_000_000_000_000;
const MILLION: u128 = 1_000_000;

impl Rates {
    /// What has no rate of its own is charged as what it is a part of: the cached input as input, never as nothing.
    pub(super) fn of(sheet: &Sheet) -> Self {
        let rate = |component, otherwise: u64| sheet.get(component).unwrap_or(otherwise).min(MOST);
        let input = rate(Component::Input, 0);
        let output = rate(Component::Output, 0);
        let cached_input = rate(Component::CachedInput, input);
        let cache_write = rate(Component::CacheWrite, input);
        Self {
            input,
            cached_input,
            cached_audio: rate(Component::CachedAudio, cached_input),
            cache_write,
            cache_write_1h: rate(Component::CacheWrite1h, cache_write),
            audio_input: rate(Component::AudioInput, input),
            image_input: rate(Component::ImageInput, input),
            output,
            reasoning: rate(Component::Reasoning, output),
            audio_output: rate(Component::AudioOutput, output),
            image_output: rate(Component::ImageOutput, output),
            request: rate(Component::Request, 0),
            search: rate(Component::Search, 0),
        }
    }

    /// The most that a call costs that uses no more than this: every token at the highest rate that it may have.
    pub(super) fn most(&self, expected: &Most) -> NanoUsd {
        let written = match expected.kept {
            Kept::Unasked => 0,
            Kept::Briefly => self.cache_write,
            Kept::AnHour => self.cache_write.max(self.cache_write_1h),
        };
        let input = self.input.max(self.cached_input).max(self.cached_audio).max(written);
        let media = input.max(self.audio_input).max(self.image_input);
        let output = self.output.max(self.reasoning).max(self.audio_output).max(self.image_output);
        let of_media = expected.media.min(expected.input);
        let tokens: u128 = [(expected.input - of_media, input), (of_media, media), (expected.output, output)]
            .into_iter()
            .map(|(count, rate)| u128::from(count) * u128::from(rate))
            .sum();
        rounded(tokens, u128::from(self.request))
    }

    /// What a usage costs: all of it added up exactly, then rounded up to a nano-dollar once.
    ///
    /// Every token is charged once, however a provider counts: what it tells of parts is believed up to the whole. Tokens of
    /// the cache come first, then recordings, then images, and the rest is plain input.
    pub(super) fn cost(&self, usage: &Usage) -> NanoUsd {
        let mut input = Whole(usage.input);
        let cached = input.take(usage.cached_input);
        let cached_audio = usage.cached_audio_input.min(cached);
        let written = input.take(usage.cache_write);
        let written_1h = usage.cache_write_1h.min(written);
        let audio_input = input.take(usage.audio_input.saturating_sub(cached_audio));
        let image_input = input.take(usage.image_input);
        let mut output = Whole(usage.output);
        let reasoning = output.take(usage.reasoning);
        let audio_output = output.take(usage.audio_output);
        let image_output = output.take(usage.image_output);
        let tokens: u128 = [
            (cached - cached_audio, self.cached_input),
            (cached_audio, self.cached_audio),
            (written - written_1h, self.cache_write),
            (written_1h, self.cache_write_1h),
            (audio_input, self.audio_input),
            (image_input, self.image_input),
            (input.0, self.input),
            (reasoning, self.reasoning),
            (audio_output, self.audio_output),
            (image_output, self.image_output),
            (output.0, self.output),
        ]
        .into_iter()
        .map(|(count, rate)| u128::from(count) * u128::from(rate))
        .sum();
        let searches = u128::from(usage.searches) * u128::from(self.search);
        rounded(tokens, searches + u128::from(self.request))
    }
}

/// The cost of tokens, in nano-dollars for a million times as many of them, and of what is charged besides.
fn rounded(tokens: u128, besides: u128) -> NanoUsd {
    NanoUsd(u64::try_from(tokens.div_ceil(MILLION) + besides).unwrap_or(u64::MAX))
}

/// What is left of a count of tokens once its parts are taken.
struct Whole(u64);

impl Whole {
    /// Takes as many as are wanted and left.
    fn take(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.0);
        self.0 -= taken;
        taken
    }
}
