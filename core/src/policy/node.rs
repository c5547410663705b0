//! The tree that YAML, JSON and protobuf documents are read into before anything is judged.

use std::fmt;

use prost::Message as _;
use prost_types::value::Kind;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::yaml;

/// A value of a document, with the order of its fields kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads a document from YAML or JSON text or from an encoded `google.protobuf.Struct`, whichever it is.
    ///
    /// Envoy hands over a plugin's `StringValue` as text and its `Struct` as protobuf bytes, with nothing to tell
    /// them apart. Every policy document has a `version`, so bytes that decode to a struct with one are a struct.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if let Ok(message) = prost_types::Struct::decode(bytes)
            && message.fields.contains_key("version")
        {
            return Ok(from_struct(message));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|error| format!("the document is not UTF-8: {error}"))?;
        match text.trim_start().starts_with('{') {
            true => serde_json::from_str(text).map_err(|error| format!("the document is not JSON: {error}")),
            false => yaml::parse(text).map_err(|error| format!("the document is not YAML: {error}")),
        }
    }

    /// What only knows doubles means an integer by a whole one, within those that a double holds exactly.
    pub(super) fn from_number(value: f64) -> Self {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match value.fract() == 0.0 && value.abs() <= EXACT {
            true => Self::Integer(value as i64),
            false => Self::Number(value),
        }
    }

    /// What the value is, in the words of an error message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

fn from_struct(message: prost_types::Struct) -> Node {
    Node::Map(message.fields.into_iter().map(|(name, value)| (name, from_value(value))).collect())
}

fn from_value(value: prost_types::Value) -> Node {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Node::Null,
        Some(Kind::BoolValue(value)) => Node::Boolean(value),
        Some(Kind::NumberValue(value)) => Node::from_number(value),
        Some(Kind::StringValue(value)) => Node::Text(value),
        Some(Kind::ListValue(list)) => Node::List(list.values.into_iter().map(from_value).collect()),
        Some(Kind::StructValue(message)) => from_struct(message),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or(Node::Number(value as f64), Node::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::from_number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map: Vec<(String, Node)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some((name, value)) = entries.next_entry::<String, Node>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("the field `{name}` is there twice")));
            }
            map.push((name, value));
        }
        Ok(Node::Map(map))
    }
}
