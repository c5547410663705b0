//! `prices` and `unknown_price`: what the operator knows better than the rate card, and what is done where nobody knows.

use std::sync::Arc;

use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;
use crate::price::{COMPONENTS, Component, Price, Sheet};

/// One entry of `prices`.
#[derive(Clone, Debug)]
pub struct PriceEntry {
    /// A provider's name of a model, or the one that clients send.
    pub model: String,
    pub price: Arc<Price>,
}

/// What is done with a target whose price nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownPrice {
    /// Calls to which a limit in `usd` applies are refused; others go on without a cost.
    Refuse,
    /// They cost nothing.
    Zero,
    /// They cost what calls to this one cost: an entry of `prices` or a model.
    Like(String),
}

pub(super) fn read_prices(field: &Field<'_>, faults: &mut Faults) -> Vec<PriceEntry> {
    let Some(entries) = Fields::of(field, faults) else { return Vec::new() };
    let entries = entries.entries().filter_map(|(name, field)| {
        let price = Arc::new(Price::of_policy(&read_price(&field, faults)?));
        Some(PriceEntry { model: name.to_owned(), price })
    });
    entries.collect()
}

/// A price without input or output would make these free, which has to be said: `0`.
fn read_price(field: &Field<'_>, faults: &mut Faults) -> Option<Sheet> {
    let mut fields = Fields::of(field, faults)?;
    let mut sheet = Sheet::default();
    for (component, _, name) in COMPONENTS {
        let Some(name) = name else { continue };
        let field = match component {
            Component::Input | Component::Output => fields.required(name, faults),
            _ => fields.optional(name),
        };
        if let Some(rate) = field.and_then(|field| field.decimal(faults)) {
            sheet.set(component, rate);
        }
    }
    fields.finish(faults);
    Some(sheet)
}

pub(super) fn read_unknown_price(field: &Field<'_>, faults: &mut Faults) -> Option<UnknownPrice> {
    if let Node::Map(_) = field.node {
        let mut fields = Fields::of(field, faults)?;
        let like = fields.required("like", faults);
        fields.finish(faults);
        return like?.text(faults).map(|name| UnknownPrice::Like(name.to_owned()));
    }
    match field.node {
        Node::Text(word) if word == "refuse" => Some(UnknownPrice::Refuse),
        Node::Text(word) if word == "zero" => Some(UnknownPrice::Zero),
        _ => {
            faults.add(&field.path, "has to be `refuse`, `zero` or {like: <model>}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::Document;
    use crate::usage::{ServiceTier, Usage};

    fn parse(rest: &str) -> Result<Document, String> {
        let document = format!(
            "version: 1
providers: {{local: {{dialect: openai, endpoint: 'http://127.0.0.1:1', credential: none}}}}
models: {{m: {{targets: [{{provider: local, model: llama}}]}}}}
{rest}"
        );
        Document::parse(document.as_bytes()).map_err(|faults| faults.to_string())
    }

    #[test]
    fn prices_are_read_from_every_way_to_write_a_number() {
        let prices = "prices: {llama: {input: 1, output: 2.50, cached_input: '0.075', request: 1e-3}}";
        let document = parse(prices).expect("is good");
        let usage =
            Usage { input: 3_000_000, cached_input: 1_000_000, output: 1_000_000, ..Usage::default() };
        let cost = document.prices[0].price.cost(&usage, ServiceTier::Standard);
        assert_eq!(cost.to_string(), "4.576");
    }

    #[test]
    fn every_fault_of_a_price_is_told() {
        let faults = parse(
            "prices:
  a: {input: -1, output: true, cached_input: 0.0000000001, cache_write: 1e300, reasoning: free, request: [1], hourly: 1}
  b: {input: 1}
  c: 5
unknown_price: {like: llama, or: zero}",
        )
        .expect_err("has faults");
        let decimal = |path: &str| {
            format!(
                "{path}: has to be a decimal such as 0.075: not negative, with at most nine digits on each side of the point and 15 in all"
            )
        };
        let expected = [
            decimal("prices.a.input"),
            decimal("prices.a.output"),
            decimal("prices.a.cached_input"),
            decimal("prices.a.cache_write"),
            decimal("prices.a.reasoning"),
            decimal("prices.a.request"),
            "prices.a.hourly: is not a field of the policy document".to_owned(),
            "prices.b.output: is missing".to_owned(),
            "prices.c: expected a map, found an integer".to_owned(),
            "unknown_price.or: is not a field of the policy document".to_owned(),
            "unknown_price.like: `llama` is neither in `prices` nor a model of which the price of a target is known"
                .to_owned(),
        ];
        assert_eq!(faults.lines().collect::<Vec<_>>(), expected);
        for word in ["free", "1", "[zero]"] {
            let faults = parse(&format!("unknown_price: {word}")).expect_err("is none");
            assert_eq!(faults, "unknown_price: has to be `refuse`, `zero` or {like: <model>}", "{word}");
        }
    }
}
