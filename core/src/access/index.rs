//! Finds the conditions that could hold for a request, whatever others there are.

use std::collections::HashMap;

use super::lookup::Lookup;
use super::pattern::Anchor;
use super::when::Field;
use super::{Asking, Hours, Patterns, Place, When};
use crate::identity::Caller;

/// Positions of conditions, each by one of the things that it asks for: that which the fewest others ask for too.
#[derive(Debug, Default)]
pub struct Index {
    keys: Lookup,
    users: Lookup,
    teams: Lookup,
    roles: Lookup,
    models: Lookup,
    endpoints: Lookup,
    dialects: Lookup,
    providers: Lookup,
    regions: Lookup,
    /// By their names.
    headers: HashMap<String, Lookup>,
    /// By the times that there are.
    hours: HashMap<Hours, Vec<usize>>,
    /// Those that ask for nothing.
    for_all: Vec<usize>,
}

impl Index {
    /// `conditions`: each with the models that it is for.
    pub fn new<'c>(conditions: impl Iterator<Item = (&'c When, &'c Patterns)>) -> Self {
        let conditions: Vec<_> = conditions.collect();
        let asked: Vec<_> = conditions.iter().map(|(when, models)| when.asked(models)).collect();
        let mut askers: HashMap<(Field<'_>, Anchor<'_>), usize> = HashMap::new();
        for (field, anchors) in asked.iter().flatten() {
            for anchor in anchors {
                *askers.entry((*field, *anchor)).or_default() += 1;
            }
        }
        let mut at_hours: HashMap<Hours, usize> = HashMap::new();
        for hours in conditions.iter().filter_map(|(when, _)| when.hours()) {
            *at_hours.entry(hours).or_default() += 1;
        }
        let mut index = Self::default();
        for (position, ((when, _), asked)) in conditions.iter().zip(&asked).enumerate() {
            let with_askers = asked.iter().map(|(field, anchors)| {
                let most = anchors.iter().filter_map(|anchor| askers.get(&(*field, *anchor))).max();
                (most, field, anchors)
            });
            let name = with_askers.min_by_key(|(most, ..)| *most);
            let hours = when.hours().filter(|hours| name.is_none_or(|(most, ..)| at_hours.get(hours) < most));
            match (hours, name) {
                (Some(hours), _) => index.hours.entry(hours).or_default().push(position),
                (None, Some((_, field, anchors))) => {
                    let lookup = index.lookup(*field);
                    anchors.iter().for_each(|anchor| lookup.insert(*anchor, position));
                }
                (None, None) => index.for_all.push(position),
            }
        }
        index
    }

    fn lookup(&mut self, field: Field<'_>) -> &mut Lookup {
        match field {
            Field::Key => &mut self.keys,
            Field::User => &mut self.users,
            Field::Team => &mut self.teams,
            Field::Role => &mut self.roles,
            Field::Model => &mut self.models,
            Field::Endpoint => &mut self.endpoints,
            Field::Dialect => &mut self.dialects,
            Field::Provider => &mut self.providers,
            Field::Region => &mut self.regions,
            Field::Header(name) => self.headers.entry(name.to_owned()).or_default(),
        }
    }

    /// The positions of those that could hold at one of these targets, in order; those that ask nothing of a target are among them.
    pub fn candidates(
        &self,
        caller: Option<&Caller>,
        asking: &Asking,
        model: &str,
        places: &[Place<'_>],
    ) -> Vec<usize> {
        let mut found = self.for_all.clone();
        let mut look = |lookup: &Lookup, name: Option<&str>| {
            if let Some(name) = name {
                lookup.find(name, &mut found);
            }
        };
        if let Some(caller) = caller {
            look(&self.keys, caller.key());
            look(&self.users, caller.user.as_deref());
            look(&self.teams, caller.team.as_deref());
            caller.roles.iter().for_each(|role| look(&self.roles, Some(role)));
        }
        look(&self.models, Some(model));
        look(&self.endpoints, Some(asking.path()));
        look(&self.dialects, Some(asking.dialect()));
        for place in places {
            look(&self.providers, place.provider());
            look(&self.regions, place.region);
        }
        for (name, value) in asking.headers() {
            if let Some(lookup) = self.headers.get(name) {
                look(lookup, Some(value));
            }
        }
        let now = self.hours.iter().filter(|(hours, _)| hours.contains(asking.now()));
        found.extend(now.flat_map(|(_, positions)| positions));
        found.sort_unstable();
        found.dedup();
        found
    }
}
