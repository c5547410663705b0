//! Which price a target has: the policy's own, the card's, or what the policy says of unknown ones.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::vendor::Seller;
use super::{Origin, Price, card};
use crate::policy::{Document, UnknownPrice};

/// The prices of one policy document; each is looked up in the card once.
pub(crate) struct Pricing<'d> {
    /// `prices` of the policy.
    own: HashMap<&'d str, &'d Arc<Price>>,
    /// The providers' names of all models.
    targets: HashSet<&'d str>,
    /// What has been found in the card, by vendor and model.
    found: HashMap<(String, String), Option<Arc<Price>>>,
    /// What stands for an unknown price.
    assumed: Option<Arc<Price>>,
}

impl<'d> Pricing<'d> {
    pub(crate) fn of(document: &'d Document) -> Self {
        let targets = document.models.iter().flat_map(|model| &model.targets);
        let mut pricing = Self {
            own: document.prices.iter().map(|entry| (entry.model.as_str(), &entry.price)).collect(),
            targets: targets.map(|target| target.model.as_str()).collect(),
            found: HashMap::new(),
            assumed: None,
        };
        pricing.assumed = match &document.unknown_price {
            None | Some(UnknownPrice::Refuse) => None,
            Some(UnknownPrice::Zero) => Some(Arc::new(Price::assumed_zero())),
            Some(UnknownPrice::Like(name)) => pricing.like(document, name),
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
        let of_client = self.own.get(client).copied().cloned();
        if let Some(price) = self.own.get(model) {
            return Some(Arc::clone(price));
        }
        if of_client.is_some() && !self.targets.contains(client) {
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
    pub(super) fn like(&mut self, document: &Document, name: &str) -> Option<Arc<Price>> {
        let own = self.own.get(name).map(|price| Arc::clone(price));
        let price = own.or_else(|| {
            let model = document.models.iter().find(|model| model.name == name)?;
            model.targets.iter().find_map(|target| {
                let provider = document.providers.iter().find(|entry| entry.name == target.provider)?;
                self.known(provider.into(), &target.model, name)
            })
        })?;
        Some(Arc::new(Price { origin: Origin::Assumed, ..Price::clone(&price) }))
    }

    fn listed(&mut self, seller: Seller<'_>, model: &str) -> Option<Arc<Price>> {
        let listed = seller.listed(model)?;
        let key = (listed.vendor.clone().into_owned(), listed.model.to_owned());
        let found = self.found.entry(key);
        found.or_insert_with(|| card::find(&listed.vendor, listed.model).map(Arc::new)).clone()
    }
}
