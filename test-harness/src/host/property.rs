//! Properties as `proxy_get_property` reads them: a tree of values, serialized the way Envoy serializes CEL values.
use std::collections::BTreeMap;

use super::abi::{Status, pairs};

/// A property's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, as it is.
    Text(String),
    /// Bytes, as they are.
    Bytes(Vec<u8>),
    /// Eight bytes, little-endian.
    Int(i64),
    /// Eight bytes, little-endian.
    Uint(u64),
    /// One byte.
    Bool(bool),
    /// A map, as serialized pairs; its members by their key.
    Map(BTreeMap<String, Value>),
    /// A protobuf message: its members by their field; as a whole it can't be read here.
    Message(BTreeMap<String, Value>),
}

impl Value {
    /// A map of texts.
    pub fn texts<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::Map(
            members.into_iter().map(|(key, text)| (key.to_owned(), Self::Text(text.to_owned()))).collect(),
        )
    }

    /// A `Metadata` message: `filter_metadata.<namespace>.<key>`.
    pub fn metadata(namespaces: impl IntoIterator<Item = (String, Self)>) -> Self {
        let filter_metadata = Self::Map(namespaces.into_iter().collect());
        Self::Message(BTreeMap::from([("filter_metadata".to_owned(), filter_metadata)]))
    }

    /// The member of a path, or [`Status::NotFound`].
    pub fn member(&self, path: &[&str]) -> Result<&Self, Status> {
        path.iter().try_fold(self, |value, part| match value {
            Self::Map(members) | Self::Message(members) => members.get(*part).ok_or(Status::NotFound),
            _ => Err(Status::NotFound),
        })
    }

    /// Puts a value at a path and makes maps on the way.
    pub fn insert(&mut self, path: &[&str], value: Self) {
        let Some((last, way)) = path.split_last() else {
            *self = value;
            return;
        };
        let mut place = self;
        for part in way {
            let members = place.members_mut();
            place = members.entry((*part).to_owned()).or_insert_with(|| Self::Map(BTreeMap::new()));
        }
        place.members_mut().insert((*last).to_owned(), value);
    }

    /// The bytes that the module gets.
    pub fn serialize(&self) -> Result<Vec<u8>, Status> {
        Ok(match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Int(number) => number.to_le_bytes().to_vec(),
            Self::Uint(number) => number.to_le_bytes().to_vec(),
            Self::Bool(truth) => vec![u8::from(*truth)],
            Self::Map(members) => {
                let members: Vec<(&str, Vec<u8>)> = members
                    .iter()
                    .map(|(key, value)| Ok((key.as_str(), value.serialize()?)))
                    .collect::<Result<_, Status>>()?;
                pairs::serialize(members.iter().map(|(key, value)| (key.as_bytes(), value.as_slice())))
            }
            Self::Message(_) => return Err(Status::SerializationFailure),
        })
    }

    fn members_mut(&mut self) -> &mut BTreeMap<String, Self> {
        if !matches!(self, Self::Map(_) | Self::Message(_)) {
            *self = Self::Map(BTreeMap::new());
        }
        match self {
            Self::Map(members) | Self::Message(members) => members,
            _ => panic!("just made a map"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_path_and_serialized_by_kind() {
        let mut tree = Value::Map(BTreeMap::new());
        tree.insert(&["request", "size"], Value::Int(3));
        tree.insert(&["request", "path"], "/".into());
        assert_eq!(tree.member(&["request", "size"]).unwrap().serialize().unwrap(), 3_i64.to_le_bytes());
        assert_eq!(tree.member(&["request", "none"]), Err(Status::NotFound));
        assert_eq!(tree.member(&["request", "path", "deeper"]), Err(Status::NotFound));
        let map = Value::texts([("a", "b")]).serialize().unwrap();
        assert_eq!(map, b"\x01\0\0\0\x01\0\0\0\x01\0\0\0a\0b\0");
        assert_eq!(Value::metadata([]).serialize(), Err(Status::SerializationFailure));
    }
}
