//! Whether a value fits a schema.

use std::cell::Cell;
use std::cmp::Ordering;

use super::{Keyword, MAX_DEPTH, Number, Schema, Side, Type, value};
use crate::policy::Node;

/// One evaluation: its answers are `None` once its work has become too much.
pub(super) struct Evaluation<'s> {
    pub schema: &'s Schema,
    /// How much work is left.
    pub steps: Cell<usize>,
}

impl Evaluation<'_> {
    pub(super) fn fits(&self, subschema: Number, value: &Node, depth: usize) -> Option<bool> {
        if depth > MAX_DEPTH {
            return None;
        }
        for keyword in self.schema.subschemas.get(subschema)? {
            self.work(1)?;
            if !self.holds(keyword, value, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn work(&self, steps: usize) -> Option<()> {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or(0));
        left.map(drop)
    }

    fn holds(&self, keyword: &Keyword, value: &Node, depth: usize) -> Option<bool> {
        match (keyword, value) {
            (Keyword::Never, _) => Some(false),
            (Keyword::Types(types), _) => Some(types.iter().any(|kind| kind.is(value))),
            (Keyword::Enum(values), _) => self.written(value).map(|written| values.contains(&written)),
            (Keyword::All(all), _) => self.each(all.iter().map(|number| (*number, value)), depth),
            (Keyword::Any(any), _) => {
                Some(self.count(any.iter().map(|number| (*number, value)), 1, depth)? == 1)
            }
            (Keyword::One(any), _) => {
                Some(self.count(any.iter().map(|number| (*number, value)), 2, depth)? == 1)
            }
            (Keyword::Not(not), _) => self.fits(*not, value, depth).map(|fits| !fits),
            (Keyword::If { condition, then, otherwise }, _) => {
                let next = if self.fits(*condition, value, depth)? { then } else { otherwise };
                next.map_or(Some(true), |next| self.fits(next, value, depth))
            }
            (Keyword::Count { of, least, most }, value) if of.is(value) => {
                let count = match value {
                    Node::Text(text) => {
                        self.work(text.len() / 32)?;
                        text.chars().count()
                    }
                    Node::List(items) => items.len(),
                    Node::Map(members) => members.len(),
                    _ => return Some(true),
                } as u64;
                Some(count >= *least && most.is_none_or(|most| count <= most))
            }
            (Keyword::Properties { named, patterns, others }, Node::Map(members)) => {
                for (name, member) in members {
                    let mut known = false;
                    if let Ok(at) = named.binary_search_by(|(named, _)| named.cmp(name)) {
                        known = true;
                        if !named
                            .get(at)
                            .map_or(Some(true), |(_, number)| self.fits(*number, member, depth))?
                        {
                            return Some(false);
                        }
                    }
                    for (pattern, number) in patterns {
                        if self.found(pattern, name)? {
                            known = true;
                            if !self.fits(*number, member, depth)? {
                                return Some(false);
                            }
                        }
                    }
                    if let (false, Some(others)) = (known, others)
                        && !self.fits(*others, member, depth)?
                    {
                        return Some(false);
                    }
                }
                Some(true)
            }
            (Keyword::Required(names), Node::Map(members)) => self.has_all(members, names),
            (Keyword::DependentRequired(dependent), Node::Map(members)) => {
                for (name, names) in dependent {
                    if self.has_all(members, std::slice::from_ref(name))? && !self.has_all(members, names)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
            (Keyword::PropertyNames(number), Node::Map(members)) => {
                for (name, _) in members {
                    if !self.fits(*number, &Node::Text(name.clone()), depth)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
            (Keyword::Items { first, others }, Node::List(items)) => {
                let numbers = first.iter().copied().map(Some).chain(std::iter::repeat(*others));
                let pairs = numbers.zip(items).filter_map(|(number, item)| Some((number?, item)));
                self.each(pairs, depth)
            }
            (Keyword::Contains { item, least, most }, Node::List(items)) => {
                let enough = most.map_or(*least, |most| most.saturating_add(1));
                let count = self.count(items.iter().map(|value| (*item, value)), enough, depth)?;
                Some(count >= *least && most.is_none_or(|most| count <= most))
            }
            (Keyword::UniqueItems, Node::List(items)) => {
                let mut written: Vec<String> =
                    items.iter().map(|item| self.written(item)).collect::<Option<_>>()?;
                written.sort_unstable();
                Some(written.windows(2).all(|pair| matches!(pair, [one, other] if one != other)))
            }
            (Keyword::Pattern(pattern), Node::Text(text)) => self.found(pattern, text),
            (Keyword::Bound { limit, side, exclusive }, Node::Integer(_) | Node::Number(_)) => {
                Some(match (value::compare(value, limit)?, side) {
                    (Ordering::Equal, _) => !exclusive,
                    (Ordering::Less, side) => *side == Side::Most,
                    (Ordering::Greater, side) => *side == Side::Least,
                })
            }
            (Keyword::MultipleOf(of), Node::Integer(_) | Node::Number(_)) => {
                Some(value::is_multiple(value, of))
            }
            // A keyword that is about another type of value.
            _ => Some(true),
        }
    }

    fn each<'v>(&self, mut pairs: impl Iterator<Item = (Number, &'v Node)>, depth: usize) -> Option<bool> {
        pairs.try_fold(true, |fits, (number, value)| match fits {
            true => self.fits(number, value, depth),
            false => Some(false),
        })
    }

    /// How many of these fit, as far as `enough`.
    fn count<'v>(
        &self,
        pairs: impl Iterator<Item = (Number, &'v Node)>,
        enough: u64,
        depth: usize,
    ) -> Option<u64> {
        let mut count = 0;
        for (number, value) in pairs {
            if count >= enough {
                break;
            }
            count += u64::from(self.fits(number, value, depth)?);
        }
        Some(count)
    }

    fn has_all(&self, members: &[(String, Node)], names: &[String]) -> Option<bool> {
        for name in names {
            self.work(members.len() / 8 + 1)?;
            if !members.iter().any(|(member, _)| member == name) {
                return Some(false);
            }
        }
        Some(true)
    }

    fn written(&self, value: &Node) -> Option<String> {
        let mut written = String::new();
        value::canonical(value, &mut written);
        self.work(written.len() / 8).map(|()| written)
    }

    fn found(&self, pattern: &super::Pattern, text: &str) -> Option<bool> {
        pattern.is_in(text, &mut |states| self.work(states / 4 + 1).is_some())
    }
}

impl Type {
    fn is(self, value: &Node) -> bool {
        match (self, value) {
            (Self::Integer, value) => value::is_integer(value),
            (Self::Null, Node::Null)
            | (Self::Boolean, Node::Boolean(_))
            | (Self::Number, Node::Integer(_) | Node::Number(_))
            | (Self::String, Node::Text(_))
            | (Self::Array, Node::List(_))
            | (Self::Object, Node::Map(_)) => true,
            _ => false,
        }
    }
}
