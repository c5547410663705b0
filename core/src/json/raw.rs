//! A JSON value that is carried as it stands, with its depth bounded.

use std::borrow::Cow;

use memchr::memchr2;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{self, Serialize, Serializer};
use serde_json::value::RawValue;

/// The error of a value that should be an object.
pub(super) const NO_OBJECT: &str = "invalid type: expected an object";
/// How the error of a value begins that is nested too deeply.
pub(super) const TOO_DEEP: &str = "nested more than";

/// A JSON value, byte for byte.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    value: &'a RawValue,
    /// What it is written through, where its reader has other words for the same than its writers.
    rewrite: Option<fn(&str) -> String>,
}

impl<'a> Raw<'a> {
    /// How deep arrays and objects may be nested in each other. The JSON parser bounds what it takes apart; what it
    /// skips over, as here, it would follow to any depth, and whoever reads it next might not survive that.
    pub const MAX_DEPTH: usize = 128;

    /// The value's text, as it was read.
    pub fn get(self) -> &'a str {
        self.value.get()
    }

    /// The value's text, as it is written.
    pub fn text(self) -> Cow<'a, str> {
        match self.rewrite {
            Some(rewrite) => Cow::Owned(rewrite(self.get())),
            None => Cow::Borrowed(self.get()),
        }
    }

    /// The same value, which `rewrite` turns into other JSON text when it is written.
    pub(crate) fn rewritten(self, rewrite: fn(&str) -> String) -> Self {
        Self { rewrite: Some(rewrite), ..self }
    }

    /// Reads the value as something definite.
    pub fn read<T: Deserialize<'a>>(self) -> Result<T, super::Fault> {
        super::read(self.get().as_bytes())
    }
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text() {
            Cow::Borrowed(_) => self.value.serialize(serializer),
            Cow::Owned(text) => {
                RawValue::from_string(text).map_err(<S::Error as ser::Error>::custom)?.serialize(serializer)
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = <&RawValue>::deserialize(deserializer)?;
        match depth(value.get()) <= Self::MAX_DEPTH {
            true => Ok(Self { value, rewrite: None }),
            false => Err(D::Error::custom(format_args!("{TOO_DEEP} {} levels deep", Self::MAX_DEPTH))),
        }
    }
}

/// A JSON object, byte for byte.
#[derive(Clone, Copy, Debug)]
pub struct RawObject<'a>(Raw<'a>);

impl<'a> From<RawObject<'a>> for Raw<'a> {
    fn from(object: RawObject<'a>) -> Self {
        object.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Raw::deserialize(deserializer)?;
        match value.get().starts_with('{') {
            true => Ok(Self(value)),
            false => Err(D::Error::custom(NO_OBJECT)),
        }
    }
}

/// How deep well-formed JSON text is nested.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}')) {
        let (head, tail) = rest.split_at(at + 1);
        rest = tail;
        match head.last() {
            Some(b'"') => rest = behind_string(tail),
            Some(b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            _ => depth = depth.saturating_sub(1),
        }
    }
    deepest
}

/// What comes behind a string of which the quotation mark is read. Most of a body is text, so this goes by leaps.
fn behind_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let (head, tail) = rest.split_at(at + 1);
        match head.last() {
            Some(b'"') => return tail,
            _ => rest = tail.get(1..).unwrap_or_default(),
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn depth_counts_what_stands_outside_of_strings() {
        for (text, levels) in [
            ("1", 0),
            (r#""[[{""#, 0),
            ("[]", 1),
            (r#"[[],{"a":[1]}]"#, 3),
            (r#"{"a":"[{\"[{","b":"\\"}"#, 1),
            (r#"["\\\"]]]",["é",["\u005b"]]]"#, 3),
            (r#"[{}, {"[": "]"}, [[]]]"#, 3),
        ] {
            assert_eq!(depth(text), levels, "{text}");
        }
    }
}
