//! JSON Schema (2020-12), as far as guards know it: a schema compiled, and whether a JSON text fits it.
//!
//! A schema with a keyword that would judge and is not known is refused when it is read, so that none is passed over.

mod compile;
mod evaluate;
mod pattern;
#[cfg(test)]
mod tests;
mod value;

use std::cell::Cell;

use crate::policy::Node;
use pattern::Pattern;

/// A schema, compiled.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Each subschema's keywords. The first is the schema itself.
    subschemas: Vec<Vec<Keyword>>,
}

/// What is wrong with a schema: where (`properties.a.pattern`, empty for the whole), and what.
pub(crate) type SchemaFault = (String, String);

/// The number of a subschema.
type Number = usize;

#[derive(Clone, Debug)]
enum Keyword {
    /// `false`: nothing fits.
    Never,
    Types(Vec<Type>),
    /// One of these, each as [`value::canonical`] writes it.
    Enum(Vec<String>),
    Properties {
        /// By their names, in order.
        named: Vec<(String, Number)>,
        patterns: Vec<(Pattern, Number)>,
        /// What the others have to fit.
        others: Option<Number>,
    },
    Required(Vec<String>),
    DependentRequired(Vec<(String, Vec<String>)>),
    PropertyNames(Number),
    Items {
        first: Vec<Number>,
        /// What those behind them have to fit.
        others: Option<Number>,
    },
    Contains {
        item: Number,
        least: u64,
        most: Option<u64>,
    },
    UniqueItems,
    /// How many characters, items or members there are.
    Count {
        of: Type,
        least: u64,
        most: Option<u64>,
    },
    Pattern(Pattern),
    Bound {
        limit: Node,
        side: Side,
        exclusive: bool,
    },
    MultipleOf(Node),
    All(Vec<Number>),
    Any(Vec<Number>),
    One(Vec<Number>),
    Not(Number),
    If {
        condition: Number,
        then: Option<Number>,
        otherwise: Option<Number>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Least,
    Most,
}

/// How deep evaluation may go, in subschemas within each other.
const MAX_DEPTH: usize = 512;
/// How much work a text may make: so many steps for itself, and so many for each of its bytes.
const STEPS: usize = 20_000;
const STEPS_PER_BYTE: usize = 50;
/// How much the longest one may make.
const MAX_STEPS: usize = 5_000_000;

impl Schema {
    /// Compiles a schema.
    pub(crate) fn new(schema: &Node) -> Result<Self, Vec<SchemaFault>> {
        compile::compile(schema).map(|subschemas| Self { subschemas })
    }

    /// Reads a schema that is written as JSON; `None` where it is none that is known.
    pub fn read(text: &str) -> Option<Self> {
        Self::new(&serde_json::from_str(text).ok()?).ok()
    }

    /// Whether a text is JSON that fits. What would take more work than is meant for a text of its length doesn't.
    pub fn fits(&self, text: &str) -> bool {
        let Ok(value) = serde_json::from_str::<Node>(text) else { return false };
        let steps = STEPS.saturating_add(STEPS_PER_BYTE.saturating_mul(text.len())).min(MAX_STEPS);
        let evaluation = evaluate::Evaluation { schema: self, steps: Cell::new(steps) };
        evaluation.fits(0, &value, 0).unwrap_or(false)
    }
}
