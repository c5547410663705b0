//! Which price a target has: the policy's own, the card's, or what the policy says of unknown ones.

use std::sync::Arc;

use super::vendor::Seller;
use super::{Origin, Price, card};
use crate::policy::{Document, UnknownPrice};

/// The prices of one policy document; each is looked up in the card once.
pub(crate) struct Pricing<'d> {
    document: &'d Document,
    /// What has been looked for in the card: vendor, model, and what was there.
    found: Vec<(String, String, Option<Arc<Price>>)>,
    /// What stands for an unknown price.
    assumed: Option<Arc<Price>>,
}

impl<'d> Pricing<'d> {
    pub(crate) fn of(document: &'d Document) -> Self {
        let mut pricing = Self { document, found: Vec::new(), assumed: None };
        pricing.assumed = match &document.unknown_price {
            None | Some(UnknownPrice::Refuse) => None,
            Some(UnknownPrice::Zero) => Some(Arc::new(Price::assumed_zero())),
            Some(UnknownPrice::Like(name)) => pricing.like(name),
        };
        pricing
    }

    /// The price of a target: `model` is the provider's name of what clients call `client`. `None`: it is unknown, and the
    /// policy has nothing in its place.
    pub(crate) fn price(&mut self, seller: Seller<'_>, model: &str, client: &str) -> Option<Arc<Price>> {
        self.known(seller, model, client).or_else(|| self.assumed.clone())
    }

    /// What stands for an unknown price.
    pub(crate) fn assumed(&self) -> Option<Arc<Price>> {
        self.assumed.clone()
    }

    /// The price that somebody has written down.
    ///
    /// A name in `prices` that a target has is that target's: `gpt-4o` there says nothing of the Claude that stands in for it.
    pub(super) fn known(&mut self, seller: Seller<'_>, model: &str, client: &str) -> Option<Arc<Price>> {
        if let Some(price) = self.own(model) {
            return Some(price);
        }
        let of_client = self.own(client);
        let mut targets = self.document.models.iter().flat_map(|model| &model.targets);
        if of_client.is_some() && !targets.any(|target| target.model == client) {
            return of_client;
        }
        let listed = self.listed(seller, model);
        if listed.is_some() || !seller.is_named_by_operator(model) {
            return listed;
        }
        of_client.or_else(|| self.listed(seller, client))
    }

    /// The price of `unknown_price: {like: name}`: that of an entry of `prices`, or of the first target of a model that has
    /// one.
    pub(super) fn like(&mut self, name: &str) -> Option<Arc<Price>> {
        let document = self.document;
        let price = self.own(name).or_else(|| {
            let model = document.models.iter().find(|model| model.name == name)?;
            model.targets.iter().find_map(|target| {
                let provider = document.providers.iter().find(|entry| entry.name == target.provider)?;
                self.known(provider.into(), &target.model, name)
            })
        })?;
        Some(Arc::new(Price { origin: Origin::Assumed, ..Price::clone(&price) }))
    }

    /// The entry of `prices` of this name.
    fn own(&self, name: &str) -> Option<Arc<Price>> {
        let entry = self.document.prices.iter().find(|entry| entry.model == name)?;
        Some(Arc::clone(&entry.price))
    }

    fn listed(&mut self, seller: Seller<'_>, model: &str) -> Option<Arc<Price>> {
        let listed = seller.listed(model)?;
        let mut found = self.found.iter();
        let same =
            |(vendor, model, _): &&(String, String, _)| *vendor == listed.vendor && *model == listed.model;
        if let Some((_, _, price)) = found.find(same) {
            return price.clone();
        }
        let price = card::find(&listed.vendor, listed.model).map(Arc::new);
        self.found.push((listed.vendor.into_owned(), listed.model.to_owned(), price.clone()));
        price
    }
}
