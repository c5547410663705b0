//! Prices: what a provider charges for a usage, from the policy or from the built-in rate card.

mod card;
mod check;
#[cfg(test)]
mod examples;
mod money;
mod pricing;
mod rates;
#[cfg(test)]
mod tests;
mod vendor;

pub(crate) use check::check_like;
pub use check::warnings;
pub use money::NanoUsd;
pub(crate) use money::parse_decimal;
pub(crate) use pricing::Pricing;
use rates::Rates;
pub(crate) use rates::{COMPONENTS, Component, Sheet};

use crate::usage::estimate::Kept;
use crate::usage::{ServiceTier, Usage};

/// What a model costs at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    standard: Bands,
    /// Of the service tiers that have prices of their own.
    tiers: Vec<(ServiceTier, Bands)>,
    origin: Origin,
}

/// What a call uses at most, as far as that is known before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
    /// All tokens of the request.
    pub input: u64,
    /// Of these, those of images, recordings and files.
    pub media: u64,
    /// For how long the request may be written to the vendor's cache.
    pub kept: Kept,
    /// All tokens of the answer.
    pub output: u64,
}

/// Where a price is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `prices` of the policy.
    Policy,
    /// The built-in rate card.
    Card,
    /// Nobody knows it; it is what `unknown_price` says.
    Assumed,
}

/// Rates by the length of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bands {
    first: Rates,
    /// From more than so many tokens of input on, ascending.
    above: Vec<(u64, Rates)>,
}

impl Price {
    /// What a usage costs that was served in this tier.
    ///
    /// A request whose whole input is longer than a threshold is charged at the higher rates for all of its tokens, as vendors
    /// do. A tier without prices of its own costs what the standard one does. All parts are added up exactly and rounded up to
    /// a nano-dollar once; what is beyond [`NanoUsd::MAX`] is that.
    pub fn cost(&self, usage: &Usage, tier: ServiceTier) -> NanoUsd {
        self.bands(tier).rates(usage.input).cost(usage)
    }

    /// The most that a call costs that is served in this tier and uses no more than this, whichever parts of it have prices of
    /// their own.
    pub fn most(&self, expected: &Most, tier: ServiceTier) -> NanoUsd {
        self.bands(tier).rates(expected.input).most(expected)
    }

    fn bands(&self, tier: ServiceTier) -> &Bands {
        let own = self.tiers.iter().find(|(name, _)| *name == tier).map(|(_, bands)| bands);
        own.unwrap_or(&self.standard)
    }

    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// A price of the policy: for every tier and every length.
    pub(crate) fn of_policy(sheet: &Sheet) -> Self {
        let standard = Bands { first: Rates::of(sheet), above: Vec::new() };
        Self { standard, tiers: Vec::new(), origin: Origin::Policy }
    }

    /// The price of what costs nothing, because the policy says that unknown prices are nothing.
    fn assumed_zero() -> Self {
        Self { standard: Bands::default(), tiers: Vec::new(), origin: Origin::Assumed }
    }
}

impl Bands {
    fn rates(&self, input: u64) -> &Rates {
        let longest = self.above.iter().rev().find(|(above, _)| input > *above);
        longest.map_or(&self.first, |(_, rates)| rates)
    }
}
