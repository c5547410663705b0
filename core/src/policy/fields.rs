//! Reading a tree field by field, with every fault noted and none of them stopping the reading.

use std::time::Duration;

use super::Faults;
use super::node::Node;
use crate::price::parse_decimal;

/// The fields of one map, taken by name; those that nobody took are unknown.
pub(super) struct Fields<'n> {
    path: String,
    entries: &'n [(String, Node)],
    taken: Vec<bool>,
}

/// A field's value with its full path.
pub(super) struct Field<'n> {
    pub(super) path: String,
    pub(super) node: &'n Node,
}

impl<'n> Fields<'n> {
    /// The fields of `field`, which has to be a map.
    pub(super) fn of(field: &Field<'n>, faults: &mut Faults) -> Option<Self> {
        match field.node {
            Node::Map(entries) => {
                Some(Self { path: field.path.clone(), entries, taken: vec![false; entries.len()] })
            }
            other => {
                faults.add(&field.path, format!("expected a map, found {}", other.kind()));
                None
            }
        }
    }

    /// The field of this name, unless it is absent or null.
    pub(super) fn optional(&mut self, name: &str) -> Option<Field<'n>> {
        let position = self.entries.iter().position(|(entry, _)| entry == name)?;
        if let Some(taken) = self.taken.get_mut(position) {
            *taken = true;
        }
        let (_, node) = self.entries.get(position)?;
        (*node != Node::Null).then(|| Field { path: join(&self.path, name), node })
    }

    /// The field of this name; a fault when it is absent or null.
    pub(super) fn required(&mut self, name: &str, faults: &mut Faults) -> Option<Field<'n>> {
        let field = self.optional(name);
        if field.is_none() {
            faults.add(join(&self.path, name), "is missing");
        }
        field
    }

    /// Every entry, for maps whose names are the operator's own.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'n str, Field<'n>)> {
        let Self { path, entries, .. } = self;
        entries.iter().map(move |(name, node)| (name.as_str(), Field { path: join(&path, name), node }))
    }

    /// Ends the reading: what was not taken is an unknown field.
    pub(super) fn finish(self, faults: &mut Faults) {
        for ((name, _), _) in self.entries.iter().zip(&self.taken).filter(|(_, taken)| !**taken) {
            faults.add(join(&self.path, name), "is not a field of the policy document");
        }
    }
}

impl<'n> Field<'n> {
    pub(super) fn root(node: &'n Node) -> Self {
        Self { path: String::new(), node }
    }

    pub(super) fn text(&self, faults: &mut Faults) -> Option<&'n str> {
        match self.node {
            Node::Text(text) => Some(text),
            other => self.mistyped("text", other, faults),
        }
    }

    pub(super) fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        match self.node {
            Node::Boolean(value) => Some(*value),
            other => self.mistyped("true or false", other, faults),
        }
    }

    /// An integer within `range`.
    pub(super) fn integer(&self, range: std::ops::RangeInclusive<u64>, faults: &mut Faults) -> Option<u64> {
        match self.node {
            Node::Integer(value) => {
                let value = u64::try_from(*value).ok().filter(|value| range.contains(value));
                if value.is_none() {
                    let (least, most) = (range.start(), range.end());
                    faults.add(&self.path, format!("has to lie between {least} and {most}"));
                }
                value
            }
            other => self.mistyped("an integer", other, faults),
        }
    }

    /// A decimal number that is not negative, in billionths.
    pub(super) fn decimal(&self, faults: &mut Faults) -> Option<u64> {
        let decimal = match self.node {
            Node::Integer(value) => parse_decimal(&value.to_string()),
            // The shortest decimal that is this double: the one that was written, as it has 15 digits at most.
            Node::Number(value) => parse_decimal(&value.to_string()),
            Node::Text(text) => parse_decimal(text),
            _ => None,
        };
        if decimal.is_none() {
            faults.add(
                &self.path,
                "has to be a decimal such as 0.075: not negative, with at most nine digits on each side of the point and 15 in all",
            );
        }
        decimal
    }

    /// A duration such as `30s` or `1m 30s`, longer than nothing.
    pub(super) fn duration(&self, faults: &mut Faults) -> Option<Duration> {
        match humantime::parse_duration(self.text(faults)?) {
            Ok(duration) if !duration.is_zero() => Some(duration),
            Ok(_) => {
                faults.add(&self.path, "has to be longer than nothing");
                None
            }
            Err(error) => {
                faults.add(&self.path, format!("is not a duration such as `30s`: {error}"));
                None
            }
        }
    }

    /// The items of a list.
    pub(super) fn list(&self, faults: &mut Faults) -> Option<Vec<Field<'n>>> {
        match self.node {
            Node::List(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(position, node)| Field { path: format!("{}[{position}]", self.path), node })
                    .collect(),
            ),
            other => self.mistyped("a list", other, faults),
        }
    }

    /// One of a fixed set of words; what is not among them is a fault that names them all.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)], faults: &mut Faults) -> Option<T> {
        let text = self.text(faults)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            faults.add(&self.path, format!("is `{text}`, but has to be one of {}", known.join(", ")));
        }
        found
    }

    /// Nothing yet: the field is in the document's language, but this version does not act on it.
    ///
    /// An empty list or map asks for nothing, so it is fine.
    pub(super) fn not_yet_supported(&self, faults: &mut Faults) {
        let empty = match self.node {
            Node::List(items) => items.is_empty(),
            Node::Map(entries) => entries.is_empty(),
            _ => false,
        };
        if !empty {
            faults.add(&self.path, "is not yet supported by this version");
        }
    }

    fn mistyped<T>(&self, expected: &str, found: &Node, faults: &mut Faults) -> Option<T> {
        faults.add(&self.path, format!("expected {expected}, found {}", found.kind()));
        None
    }
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}
