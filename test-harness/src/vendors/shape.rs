//! Declared shapes of JSON requests, and what is wrong with a body that does not have its shape; each vendor words the faults itself.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Map, Value};

/// What a JSON value must look like. Shapes are statics, so that they may refer to each other and to themselves.
#[derive(Debug)]
pub enum Shape {
    /// Anything at all.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number within the bounds, both included.
    Integer(i64, i64),
    /// A number within the bounds, both included.
    Number(f64, f64),
    /// Any string.
    Text,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A string in standard base64.
    Base64,
    /// Any object.
    Free,
    /// An object with these fields and no others.
    Record(&'static [Field]),
    /// An object with any keys, whose values have this shape.
    Map(&'static Shape),
    /// An array of this shape.
    List(&'static Shape),
    /// An object whose field `key` says which case it is; `default` is the case when the field is absent.
    Tagged {
        /// The name of the field that tells the cases apart.
        key: &'static str,
        /// The case when that field is absent.
        default: Option<&'static str>,
        /// Each case's tag with its shape.
        cases: &'static [(&'static str, &'static Shape)],
    },
    /// The first of these that takes the value's JSON kind.
    Either(&'static [&'static Shape]),
    /// `null` or this shape.
    Nullable(&'static Shape),
}

/// One field of a [`Shape::Record`].
#[derive(Debug)]
pub struct Field {
    name: &'static str,
    shape: &'static Shape,
    required: bool,
}

/// A field that must be there.
pub const fn required(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, shape, required: true }
}

/// A field that may be absent.
pub const fn optional(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, shape, required: false }
}

/// How a vendor's decoder behaves where decoders differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// Plain JSON: names as written, `null` is a value.
    Json,
    /// As `Json`, and a path names the case of each tagged union that it passes (pydantic).
    Pydantic,
    /// Protobuf's JSON mapping: names in camel or snake case, `null` means absent, whole numbers may be strings.
    Proto,
}

/// One step from the body's root to a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A field's name.
    Key(String),
    /// A position in an array.
    Index(usize),
    /// The case of a tagged union.
    Case(&'static str),
}

/// What is wrong at one place.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// The field is not one of those allowed there.
    Unknown,
    /// A required field is absent.
    Missing,
    /// The value's JSON kind is wrong.
    Kind,
    /// The string is none of those allowed.
    Value(Vec<&'static str>),
    /// The number is under this bound.
    Below(f64),
    /// The number is over this bound.
    Above(f64),
    /// The string is not base64.
    Encoding,
}

/// A fault with its place, the shape expected there and the value found (null when absent).
#[derive(Clone, Debug)]
pub struct Fault {
    /// The way from the root; for an unknown or missing field its name is the last step.
    pub path: Vec<Step>,
    /// What is wrong.
    pub problem: Problem,
    /// The shape expected there.
    pub shape: &'static Shape,
    /// The value found.
    pub found: Value,
}

/// Checks `value` and gives it back as the decoder reads it (field names and enumerations in their canonical
/// spelling) with all faults, in the order of the body.
pub fn check(shape: &'static Shape, value: &Value, decoder: Decoder) -> (Value, Vec<Fault>) {
    let mut checker = Checker { decoder, path: Vec::new(), faults: Vec::new() };
    let value = checker.visit(shape, value);
    (value, checker.faults)
}

/// The bytes of a string in base64; `lenient` as protobuf reads it: either alphabet, padded or not.
pub fn decode(text: &str, lenient: bool) -> Option<Vec<u8>> {
    if !lenient {
        return STANDARD.decode(text).ok();
    }
    let text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    STANDARD_NO_PAD.decode(text).ok()
}

/// The JSON kind of a value, whole numbers told apart.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `contents[0].parts[1].text`, with each name passed through `rename`.
pub fn indexed(path: &[Step], rename: fn(&str) -> String) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&rename(name));
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
            Step::Case(_) => {}
        }
    }
    out
}

/// `messages.0.content.1.image.source`, the cases of tagged unions included.
pub fn dotted(path: &[Step]) -> String {
    let steps = path.iter().map(|step| match step {
        Step::Key(name) => name.clone(),
        Step::Index(index) => index.to_string(),
        Step::Case(case) => (*case).to_owned(),
    });
    steps.collect::<Vec<_>>().join(".")
}

/// `generationConfig` as `generation_config`.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut raise = false;
    for letter in name.chars() {
        if letter == '_' {
            raise = true;
        } else if raise {
            out.push(letter.to_ascii_uppercase());
            raise = false;
        } else {
            out.push(letter);
        }
    }
    out
}

struct Checker {
    decoder: Decoder,
    path: Vec<Step>,
    faults: Vec<Fault>,
}

impl Checker {
    fn fault(&mut self, problem: Problem, shape: &'static Shape, found: &Value) {
        self.faults.push(Fault { path: self.path.clone(), problem, shape, found: found.clone() });
    }

    fn within<T>(&mut self, step: Step, visit: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let out = visit(self);
        self.path.pop();
        out
    }

    fn visit(&mut self, shape: &'static Shape, value: &Value) -> Value {
        match (shape, value) {
            (Shape::Any, _)
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Text, Value::String(_))
            | (Shape::Free, Value::Object(_)) => value.clone(),
            (Shape::Integer(low, high), _) => self.integer(shape, *low, *high, value),
            (Shape::Number(low, high), Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                self.bounds(shape, *low, *high, number, value);
                value.clone()
            }
            (Shape::Choice(allowed), Value::String(text)) => self.choice(shape, allowed, text, value),
            (Shape::Base64, Value::String(text)) => {
                let lenient = self.decoder == Decoder::Proto;
                if decode(text, lenient).is_none() {
                    self.fault(Problem::Encoding, shape, value);
                }
                value.clone()
            }
            (Shape::Record(fields), Value::Object(object)) => self.record(fields, object),
            (Shape::Map(inner), Value::Object(object)) => self.map(inner, object),
            (Shape::List(inner), Value::Array(items)) => {
                let visit = |(index, item)| self.within(Step::Index(index), |this| this.visit(inner, item));
                Value::Array(items.iter().enumerate().map(visit).collect())
            }
            (Shape::Tagged { key, default, cases }, Value::Object(object)) => {
                self.tagged(shape, key, *default, cases, object)
            }
            (Shape::Either(alternatives), _) => match alternatives.iter().find(|one| takes(one, value)) {
                Some(one) => self.visit(one, value),
                None => {
                    self.fault(Problem::Kind, shape, value);
                    value.clone()
                }
            },
            (Shape::Nullable(_), Value::Null) => Value::Null,
            (Shape::Nullable(inner), _) => self.visit(inner, value),
            _ => {
                self.fault(Problem::Kind, shape, value);
                value.clone()
            }
        }
    }

    fn integer(&mut self, shape: &'static Shape, low: i64, high: i64, value: &Value) -> Value {
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) if self.decoder == Decoder::Proto => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => {
                self.bounds(shape, low as f64, high as f64, number as f64, value);
                number.into()
            }
            None => {
                self.fault(Problem::Kind, shape, value);
                value.clone()
            }
        }
    }

    fn bounds(&mut self, shape: &'static Shape, low: f64, high: f64, number: f64, value: &Value) {
        if number < low {
            self.fault(Problem::Below(low), shape, value);
        } else if number > high {
            self.fault(Problem::Above(high), shape, value);
        }
    }

    fn choice(
        &mut self,
        shape: &'static Shape,
        allowed: &[&'static str],
        text: &str,
        value: &Value,
    ) -> Value {
        let same =
            |one: &&&str| **one == text || self.decoder == Decoder::Proto && one.eq_ignore_ascii_case(text);
        match allowed.iter().find(same) {
            Some(one) => Value::from(*one),
            None => {
                self.fault(Problem::Value(allowed.to_vec()), shape, value);
                value.clone()
            }
        }
    }

    fn record(&mut self, fields: &'static [Field], object: &Map<String, Value>) -> Value {
        let mut out = Map::new();
        for (name, value) in object {
            let canonical = if self.decoder == Decoder::Proto { camel(name) } else { name.clone() };
            let field = fields.iter().find(|field| field.name == canonical || field.name == name);
            match field {
                Some(_) if self.decoder == Decoder::Proto && value.is_null() => {}
                Some(field) => {
                    let value =
                        self.within(Step::Key(field.name.to_owned()), |this| this.visit(field.shape, value));
                    out.insert(field.name.to_owned(), value);
                }
                None => self
                    .within(Step::Key(name.clone()), |this| this.fault(Problem::Unknown, &Shape::Any, value)),
            }
        }
        for field in fields.iter().filter(|field| field.required && !out.contains_key(field.name)) {
            self.within(Step::Key(field.name.to_owned()), |this| {
                this.fault(Problem::Missing, field.shape, &Value::Null);
            });
        }
        Value::Object(out)
    }

    fn map(&mut self, inner: &'static Shape, object: &Map<String, Value>) -> Value {
        let mut out = Map::new();
        for (index, (name, value)) in object.iter().enumerate() {
            let value = if self.decoder == Decoder::Proto {
                // Protobuf reads a map as a list of entries, and its messages name the place so.
                self.within(Step::Index(index), |this| {
                    this.within(Step::Key("value".to_owned()), |this| this.visit(inner, value))
                })
            } else {
                self.within(Step::Key(name.clone()), |this| this.visit(inner, value))
            };
            out.insert(name.clone(), value);
        }
        Value::Object(out)
    }

    fn tagged(
        &mut self,
        shape: &'static Shape,
        key: &'static str,
        default: Option<&'static str>,
        cases: &'static [(&'static str, &'static Shape)],
        object: &Map<String, Value>,
    ) -> Value {
        let whole = || Value::Object(object.clone());
        let tag = match object.get(key) {
            None | Some(Value::Null) => match default {
                Some(tag) => tag,
                None => {
                    let missing = |this: &mut Self| this.fault(Problem::Missing, shape, &Value::Null);
                    self.within(Step::Key(key.to_owned()), missing);
                    return whole();
                }
            },
            Some(Value::String(tag)) => tag,
            Some(other) => {
                self.within(Step::Key(key.to_owned()), |this| this.fault(Problem::Kind, &Shape::Text, other));
                return whole();
            }
        };
        match cases.iter().find(|(name, _)| *name == tag) {
            Some((name, inner)) if self.decoder == Decoder::Pydantic && key == "type" => {
                self.within(Step::Case(name), |this| this.visit(inner, &whole()))
            }
            Some((_, inner)) => self.visit(inner, &whole()),
            None => {
                let allowed = Problem::Value(cases.iter().map(|(name, _)| *name).collect());
                self.within(Step::Key(key.to_owned()), |this| this.fault(allowed, shape, &tag.into()));
                whole()
            }
        }
    }
}

/// Whether the shape is meant for values of this JSON kind.
fn takes(shape: &Shape, value: &Value) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Bool => value.is_boolean(),
        Shape::Integer(..) | Shape::Number(..) => value.is_number(),
        Shape::Text | Shape::Choice(_) | Shape::Base64 => value.is_string(),
        Shape::Free | Shape::Record(_) | Shape::Map(_) | Shape::Tagged { .. } => value.is_object(),
        Shape::List(_) => value.is_array(),
        Shape::Either(alternatives) => alternatives.iter().any(|one| takes(one, value)),
        Shape::Nullable(inner) => value.is_null() || takes(inner, value),
    }
}
