//! Reading JSON from outside: borrowed text, bounded raw values, objects that keep what they don't know.

mod integer;
mod object;
mod path;
mod raw;
mod text;
mod text_or;

use serde::Deserialize;

pub use integer::Integer;
pub(crate) use object::object;
pub use raw::{Raw, RawObject};
pub use text::Text;
pub use text_or::TextOr;

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// The path of the value that is wrong (`messages[0].content`); `None` where it is the document as a whole.
    pub path: Option<String>,
    /// What is wrong with it, without any of its content.
    pub message: String,
}

/// What sort of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not JSON, not UTF-8, or nested too deeply.
    Malformed,
    /// A field stands twice in one object.
    Duplicate,
    /// A value is of another type than the field's.
    Mistyped,
    /// A value is of the field's type, but not one that the field can have.
    OutOfRange,
}

/// Reads a whole document.
///
/// The path of a fault is looked for only once there is one.
pub fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| locate(bytes, &error))
}

fn locate(bytes: &[u8], error: &serde_json::Error) -> Fault {
    // A fault in a value is worth telling only when the text is JSON as a whole.
    let malformed = if error.is_data() { serde_json::from_slice::<Raw<'_>>(bytes).err() } else { None };
    let malformed = malformed.as_ref().or_else(|| Some(error).filter(|error| !error.is_data()));
    if let Some(error) = malformed {
        let message = match std::str::from_utf8(bytes) {
            Ok(_) => error.to_string(),
            Err(error) => format!("the text is not UTF-8 after its first {} bytes", error.valid_up_to()),
        };
        return Fault { kind: FaultKind::Malformed, path: None, message };
    }
    let message = error.to_string();
    let judged_late = message.starts_with(raw::NO_OBJECT);
    let path = path::path_at(bytes, error.line(), error.column(), judged_late);
    let path = Some(path).filter(|path| !path.is_empty());
    let duplicate = message.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next());
    let (kind, path) = match duplicate {
        Some(field) => {
            (FaultKind::Duplicate, Some(path.map_or(field.to_owned(), |path| format!("{path}.{field}"))))
        }
        None if message.starts_with("invalid value") => (FaultKind::OutOfRange, path),
        None => (FaultKind::Mistyped, path),
    };
    Fault { kind, path, message: in_plain_words(&message) }
}

/// The deserializer's words without the values that it quotes, as they are the client's content, and without the names
/// of our types.
///
/// "invalid type: string "secret", expected u32 at line 1 column 9" becomes "invalid type: string, expected a whole
/// number".
fn in_plain_words(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let quotes_a_value = ["invalid type: ", "invalid value: "].iter().any(|start| message.starts_with(start));
    match message.rsplit_once(", expected ") {
        Some((found, expected)) if quotes_a_value => {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            let expected = match expected {
                "u32" | "u64" => "a whole number in range",
                "f64" => "a number",
                other => other,
            };
            format!("{kind}, expected {expected}")
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    object! {
        #[derive(Debug, Default)]
        struct Inner<'a> {
            "count" => count: u32,
            "name" => name: Text<'a>,
            ..
        }
    }

    object! {
        #[derive(Debug, Default)]
        struct Outer<'a> {
            "name" => name: Text<'a>,
            "items" => items: Vec<Inner<'a>>,
            "schema" => schema: Raw<'a>,
            ..others
        }
    }

    #[test]
    fn unknown_fields_are_passed_over_where_nobody_wants_them() {
        let inner: Inner<'_> = read(br#"{"x":[],"count":3,"name":"\u0041"}"#).expect("reads");
        assert_eq!((inner.count, inner.name.as_deref()), (Some(3), Some("A")));
    }

    #[test]
    fn unknown_fields_are_kept_and_null_is_absence() {
        let outer: Outer<'_> =
            read(br#"{"name":"a","items":null,"x":{"y": 1},"schema":[ 1 ]}"#).expect("reads");
        assert_eq!(outer.name.as_deref(), Some("a"));
        assert!(outer.items.is_none());
        assert_eq!(outer.others[0].0.as_ref(), "x");
        assert_eq!(outer.others[0].1.get(), r#"{"y": 1}"#);
        assert_eq!(outer.schema.expect("there").get(), "[ 1 ]");
    }

    #[test]
    fn a_fault_has_its_path_and_none_of_the_content() {
        let fault =
            read::<Outer<'_>>(br#"{"items":[{"count":1},{"count":"a secret, expected"}]}"#).unwrap_err();
        assert_eq!(fault.path.as_deref(), Some("items[1].count"));
        assert_eq!(fault.message, "invalid type: string, expected a whole number in range");
    }

    #[test]
    fn what_is_not_json_has_no_path() {
        let fault = read::<Outer<'_>>(b"{\"name\": ").unwrap_err();
        assert_eq!(fault.path, None);
        assert!(fault.message.contains("EOF"), "{}", fault.message);
        let fault = read::<Outer<'_>>(b"{\"name\": \"\xff\"}").unwrap_err();
        assert!(fault.message.contains("UTF-8"), "{}", fault.message);
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused() {
        let fault = read::<Outer<'_>>(br#"{"name":"a","name":"b"}"#).unwrap_err();
        assert_eq!(fault.message, "duplicate field `name`");
    }

    #[test]
    fn depth_is_bounded_inside_raw_values_too() {
        let nested = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read::<Outer<'_>>(nested(Raw::MAX_DEPTH).as_bytes()).is_ok());
        let fault = read::<Outer<'_>>(nested(Raw::MAX_DEPTH + 1).as_bytes()).unwrap_err();
        assert!(fault.message.contains("nested"), "{}", fault.message);
        assert!(read::<Outer<'_>>(nested(1_000_000).as_bytes()).is_err());
    }
}
