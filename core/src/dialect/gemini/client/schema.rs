//! Schemas in the words of OpenAPI, which Google's `Schema` has, put into those of JSON Schema.
//!
//! The words are those of `types.Schema` in the official SDK: types in upper case, `nullable`, `propertyOrdering`.

use crate::json::{Raw, Text, object};

object! {
    struct Fields<'a> {
        ..fields
    }
}

/// A schema as JSON Schema. What is JSON Schema already stays the same but for its spaces; what can't be read stays as it is.
pub fn json_schema(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    match crate::json::read::<Raw<'_>>(text.as_bytes()) {
        Ok(schema) => write_schema(schema, &mut out),
        Err(_) => out.push_str(text),
    }
    out
}

/// Writes one schema; the depth of a [`Raw`] bounds the recursion.
fn write_schema(schema: Raw<'_>, out: &mut String) {
    let Some(fields) = fields(schema) else {
        out.push_str(schema.get());
        return;
    };
    let is_nullable = fields.iter().any(|(name, value)| &**name == "nullable" && value.get() == "true");
    let mut object = Object::begin(out);
    for (name, value) in &fields {
        match &**name {
            "type" => write_type(*value, is_nullable, &mut object),
            "nullable" | "propertyOrdering" | "property_ordering" => {}
            "format" if value.get() == r#""enum""# => {}
            "enum" if is_nullable => write_list(*value, Some("null"), copy, object.field("enum")),
            "properties" => write_map(*value, object.field("properties")),
            "defs" | "$defs" => write_map(*value, object.field("$defs")),
            "ref" | "$ref" => object.field("$ref").push_str(value.get()),
            "anyOf" | "any_of" => {
                let null = is_nullable.then_some(r#"{"type":"null"}"#);
                write_list(*value, null, write_schema, object.field("anyOf"));
            }
            "items" => write_schema(*value, object.field("items")),
            "additionalProperties" | "additional_properties" => {
                write_schema(*value, object.field("additionalProperties"));
            }
            "example" => {
                let out = object.field("examples");
                out.push('[');
                out.push_str(value.get());
                out.push(']');
            }
            // 64-bit numbers are written as text by protobuf's JSON.
            name => match bound(name) {
                Some(name) => object.field(name).push_str(value.get().trim_matches('"')),
                None => object.field(name).push_str(value.get()),
            },
        }
    }
    object.end();
}

/// A bound that is a whole number, by either of its names.
fn bound(name: &str) -> Option<&'static str> {
    Some(match name {
        "minItems" | "min_items" => "minItems",
        "maxItems" | "max_items" => "maxItems",
        "minLength" | "min_length" => "minLength",
        "maxLength" | "max_length" => "maxLength",
        "minProperties" | "min_properties" => "minProperties",
        "maxProperties" | "max_properties" => "maxProperties",
        _ => return None,
    })
}

fn write_type(value: Raw<'_>, is_nullable: bool, object: &mut Object<'_>) {
    let word: Option<Text<'_>> = value.read().ok();
    match word.map(|word| word.to_ascii_lowercase()) {
        Some(word) if word == "type_unspecified" => {}
        Some(word) if is_nullable && word != "null" => {
            let word = quoted(&word);
            let out = object.field("type");
            out.push('[');
            out.push_str(&word);
            out.push_str(r#","null"]"#);
        }
        Some(word) => {
            let word = quoted(&word);
            object.field("type").push_str(&word);
        }
        // A list of types is JSON Schema's own.
        None => object.field("type").push_str(value.get()),
    }
}

/// Writes an object whose values are schemas.
fn write_map(value: Raw<'_>, out: &mut String) {
    let Some(fields) = fields(value) else {
        out.push_str(value.get());
        return;
    };
    let mut object = Object::begin(out);
    for (name, schema) in &fields {
        write_schema(*schema, object.field(name));
    }
    object.end();
}

/// Writes a list, and one more item behind it.
fn write_list(value: Raw<'_>, more: Option<&str>, write: fn(Raw<'_>, &mut String), out: &mut String) {
    let Ok(items) = value.read::<Vec<Raw<'_>>>() else {
        out.push_str(value.get());
        return;
    };
    out.push('[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write(*item, out);
    }
    if let Some(more) = more.filter(|more| !items.iter().any(|item| item.get() == *more)) {
        if !items.is_empty() {
            out.push(',');
        }
        out.push_str(more);
    }
    out.push(']');
}

fn copy(value: Raw<'_>, out: &mut String) {
    out.push_str(value.get());
}

fn fields(value: Raw<'_>) -> Option<Vec<(Text<'_>, Raw<'_>)>> {
    value.read::<Fields<'_>>().ok().map(|fields| fields.fields)
}

fn quoted(text: &str) -> String {
    // Text always serialises.
    serde_json::to_string(text).unwrap_or_default()
}

/// An object that is being written.
struct Object<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn begin(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, is_empty: true }
    }

    /// Writes a field's name; its value has to follow.
    fn field(&mut self, name: &str) -> &mut String {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(',');
        }
        self.out.push_str(&quoted(name));
        self.out.push(':');
        self.out
    }

    fn end(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_words_become_json_schemas() {
        let google = r#"{"type":"OBJECT","property_ordering":["a"],"required":["a"],"title":"T","properties":{
            "a":{"type":"STRING","nullable":true,"format":"enum","enum":["x","y"],"maxLength":"12"},
            "type":{"type":"ARRAY","items":{"type":"INTEGER","format":"int32"},"min_items":1},
            "b":{"any_of":[{"type":"NUMBER"},{"type":"BOOLEAN"}],"nullable":true,"example":{"x":1}},
            "c":{"type":"TYPE_UNSPECIFIED","additionalProperties":{"type":"STRING"}}},"defs":{"D":{"ref":"E"}}}"#;
        let expected = r##"{"type":"object","required":["a"],"title":"T","properties":{"a":{"type":["string","null"],"enum":["x","y",null],"maxLength":12},"type":{"type":"array","items":{"type":"integer","format":"int32"},"minItems":1},"b":{"anyOf":[{"type":"number"},{"type":"boolean"},{"type":"null"}],"examples":[{"x":1}]},"c":{"additionalProperties":{"type":"string"}}},"$defs":{"D":{"$ref":"E"}}}"##;
        assert_eq!(json_schema(google), expected);
    }

    #[test]
    fn json_schemas_stay_as_they_are() {
        let schema = r##"{"type":["string","null"],"$ref":"#/$defs/A","additionalProperties":false,"oneOf":[{"type":"X"}],"enum":["A",1]}"##;
        assert_eq!(json_schema(schema), schema);
        for odd in ["true", "[]", "{}", r#"{"properties":1,"items":[],"anyOf":{},"type":1}"#, "{"] {
            assert_eq!(json_schema(odd), odd);
        }
    }
}
