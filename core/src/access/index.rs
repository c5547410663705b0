//! Finds the conditions that could hold for a request, whatever others there are.

use std::collections::HashMap;

use super::when::Trait;
use super::{Asking, Patterns, When};
use crate::identity::Caller;

/// Positions of conditions, by what a request has that they ask for.
#[derive(Debug, Default)]
pub struct Index {
    /// Those that are for certain callers or requests only, by what those have.
    by_trait: HashMap<Trait, Vec<usize>>,
    /// The others that are for a model, by the models that there are.
    by_model: HashMap<String, Vec<usize>>,
    /// Those that are for certain callers or requests no more than for others.
    for_all: Vec<usize>,
}

impl Index {
    /// `conditions`: each with the models that it is for. `models`: the names of those that there are.
    pub fn new<'c, 'm>(
        conditions: impl Iterator<Item = (&'c When, &'c Patterns)>,
        models: impl Iterator<Item = &'m str>,
    ) -> Self {
        let mut index = Self::default();
        let mut of_any = Vec::new();
        for (position, (when, models)) in conditions.enumerate() {
            match when.traits() {
                Some(traits) => {
                    for each in traits {
                        index.by_trait.entry(each).or_default().push(position);
                    }
                }
                None => of_any.push((position, models)),
            }
        }
        for model in models {
            let matching = of_any.iter().filter(|(_, patterns)| patterns.matches(model));
            index.by_model.insert(model.to_owned(), matching.map(|(position, _)| *position).collect());
        }
        index.for_all = of_any.into_iter().map(|(position, _)| position).collect();
        index
    }

    /// The positions of those that could hold, in order.
    pub fn candidates(&self, caller: Option<&Caller>, asking: &Asking, model: &str) -> Vec<usize> {
        let mut positions: Vec<usize> = match self.by_trait.is_empty() {
            true => Vec::new(),
            false => {
                let own = Trait::of(caller, asking).filter_map(|each| self.by_trait.get(&each));
                own.flatten().copied().collect()
            }
        };
        positions.extend(self.by_model.get(model).unwrap_or(&self.for_all));
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}
