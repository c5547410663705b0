//! A YAML document in the order in which it was built.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_saphyr::{LitStr, SerializerOptions};

/// A value of a YAML document.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(u64),
    /// Text in the shortest style that keeps it.
    Text(String),
    /// Text of several lines, as it stands.
    Literal(String),
    /// A sequence.
    List(Vec<Tree>),
    /// A mapping; its keys keep their order.
    Map(Vec<(String, Tree)>),
}

/// Builds a [`Tree::Map`].
macro_rules! map {
    ($($key:literal: $value:expr),* $(,)?) => {
        $crate::render::tree::Tree::Map(vec![
            $(($key.to_owned(), $crate::render::tree::Tree::from($value))),*
        ])
    };
}
pub(super) use map;

impl Tree {
    /// The map with one more entry; anything that isn't a map stays as it is.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Tree>) -> Self {
        if let Self::Map(entries) = &mut self {
            entries.push((key.to_owned(), value.into()));
        }
        self
    }

    /// The map with one more entry if there is a value for it.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl Into<Tree>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The document's text.
    ///
    /// # Errors
    /// Says what the writer could not write.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        let mut options = SerializerOptions::default();
        // Folding breaks long regular expressions and paths apart for no reader's good.
        options.prefer_block_scalars = false;
        serde_saphyr::to_string_with_options(self, options)
    }
}

/// A protobuf `Any` as Envoy's YAML has it: the message's type, then its fields.
pub(super) fn typed(message: &str, fields: Tree) -> Tree {
    let mut entries = vec![("@type".to_owned(), Tree::from(format!("type.googleapis.com/{message}")))];
    if let Tree::Map(fields) = fields {
        entries.extend(fields);
    }
    Tree::Map(entries)
}

/// An extension as Envoy's YAML has it: its name and its typed configuration.
pub(super) fn extension(name: &str, message: &str, fields: Tree) -> Tree {
    map! { "name": name, "typed_config": typed(message, fields) }
}

/// `address: {socket_address: …}`, without the outer key.
pub(super) fn socket_address(address: &str, port: u16) -> Tree {
    map! { "socket_address": map! { "address": address, "port_value": port } }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_u64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Literal(text) if fits_block(text) => LitStr(text).serialize(serializer),
            Self::Literal(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// Whether a block scalar gives this text back exactly: no control characters, no bare carriage return.
fn fits_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.chars().any(|c| c.is_control() && c != '\n')
}

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<u16> for Tree {
    fn from(value: u16) -> Self {
        Self::Number(value.into())
    }
}

impl From<u32> for Tree {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Tree>> for Tree {
    fn from(items: Vec<Tree>) -> Self {
        Self::List(items)
    }
}

impl<const N: usize> From<[Tree; N]> for Tree {
    fn from(items: [Tree; N]) -> Self {
        Self::List(items.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(text: &str) -> String {
        let yaml = map! { "value": Tree::Literal(text.to_owned()) }.to_yaml().unwrap();
        let read: std::collections::HashMap<String, String> = serde_saphyr::from_str(&yaml).unwrap();
        read["value"].clone()
    }

    #[test]
    fn literal_text_comes_back_byte_for_byte() {
        for text in [
            "version: 1\n# a comment: with a colon\nproviders: {}\n",
            "no newline at the end\nof two lines",
            "several at the end\n\n\n",
            "  begins with spaces\n",
            "\nbegins with a newline\n",
            "windows\r\nline ends\r\n",
            "a tab\there\nand \u{1f600} there  \n   \nafter a line of spaces\n",
            "one line",
            "",
            "---\ndocument: marker\n...\n",
        ] {
            assert_eq!(back(text), text, "{text:?}");
        }
    }

    #[test]
    fn durations_and_words_stay_text() {
        let yaml = map! { "a": "0s", "b": "yes", "c": "1.40", "d": "null", "e": 7_u16, "f": true }
            .to_yaml()
            .unwrap();
        assert_eq!(yaml, "a: 0s\nb: \"yes\"\nc: \"1.40\"\nd: \"null\"\ne: 7\nf: true\n");
    }
}
