//! What of a document's prices is allowed but probably not meant, and what can't be.

use super::Pricing;
use crate::limit::Unit;
use crate::policy::{Document, Faults, UnknownPrice};

/// What is allowed but probably not meant, one sentence each: targets whose price nobody knows, where the document cares for
/// prices, and prices of what is not there.
pub fn warnings(document: &Document) -> Vec<String> {
    let mut warnings = Vec::new();
    for entry in &document.prices {
        let name = &entry.model;
        let of_target = document
            .models
            .iter()
            .any(|model| model.name == *name || model.targets.iter().any(|target| target.model == *name));
        let of_unknown = matches!(&document.unknown_price, Some(UnknownPrice::Like(like)) if like == name);
        if !of_target && !of_unknown {
            warnings.push(format!("prices.{name}: no model and no target is called `{name}`"));
        }
    }
    if !wants_prices(document) {
        return warnings;
    }
    let outcome = match &document.unknown_price {
        None | Some(UnknownPrice::Refuse) => "calls to which a limit in usd applies are refused".to_owned(),
        Some(UnknownPrice::Zero) => "its calls count as free".to_owned(),
        Some(UnknownPrice::Like(name)) => format!("its calls count like those to `{name}`"),
    };
    let mut pricing = Pricing::of(document);
    for model in &document.models {
        for (position, target) in model.targets.iter().enumerate() {
            let Some(provider) = document.providers.iter().find(|entry| entry.name == target.provider) else {
                continue;
            };
            if pricing.known(provider.into(), &target.model, &model.name).is_none() {
                warnings.push(format!(
                    "models.{}.targets[{position}]: the price of `{}` at `{}` is unknown, so {outcome}",
                    model.name, target.model, target.provider
                ));
            }
        }
    }
    warnings
}

/// Whether the document says anything for which a price has to be known.
fn wants_prices(document: &Document) -> bool {
    let counts_money = document.limits.iter().any(|limit| limit.unit == Unit::Usd);
    counts_money || !document.prices.is_empty() || document.unknown_price.is_some()
}

/// `unknown_price: {like: name}` needs a name that has a price.
pub(crate) fn check_like(document: &Document, faults: &mut Faults) {
    if let Some(UnknownPrice::Like(name)) = &document.unknown_price
        && Pricing::of(document).like(name).is_none()
    {
        faults.add(
            "unknown_price.like",
            format!("`{name}` is neither in `prices` nor a model of which the price of a target is known"),
        );
    }
}
