//! Instances of JSON schemas: the arguments of the mocks' tool calls and their structured answers.

use serde_json::{Map, Value, json};

/// The deepest nesting at which optional properties are still filled in; recursive schemas end there.
const FULL_DEPTH: usize = 6;
/// The nesting at which everything becomes `null`: a schema that requires itself without end has no instance.
const LAST_DEPTH: usize = 16;

/// A value that satisfies `schema`: the constant, default or first enumerated value where there is one, else by type;
/// every property is present. Understands JSON Schema and Gemini's subset of OpenAPI (types in capitals).
pub fn instance(schema: &Value) -> Value {
    generate(schema, schema, "text", 0)
}

fn generate(schema: &Value, root: &Value, name: &str, depth: usize) -> Value {
    if depth > LAST_DEPTH {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"].as_str() {
        let pointer = target.trim_start_matches('#');
        return root.pointer(pointer).map_or(Value::Null, |inner| generate(inner, root, name, depth + 1));
    }
    for keyword in ["const", "default"] {
        if let Some(value) = schema.get(keyword) {
            return value.clone();
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(alternatives) = schema[keyword].as_array() {
            let useful = |one: &&Value| one["type"].as_str().is_none_or(|t| !t.eq_ignore_ascii_case("null"));
            let chosen = alternatives.iter().find(useful).or(alternatives.first());
            return chosen.map_or(Value::Null, |inner| generate(inner, root, name, depth + 1));
        }
    }
    match type_of(schema).as_str() {
        "object" => object(schema, root, depth),
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(1).max(1);
            let item = generate(&schema["items"], root, name, depth + 1);
            Value::Array((0..count.min(64)).map(|_| item.clone()).collect())
        }
        "integer" => json!(bound(schema, 1.0).ceil() as i64),
        "number" => json!(bound(schema, 1.5)),
        "boolean" => Value::Bool(true),
        "null" => Value::Null,
        _ => Value::String(text(schema, name)),
    }
}

fn type_of(schema: &Value) -> String {
    let named = match &schema["type"] {
        Value::String(one) => Some(one.as_str()),
        Value::Array(many) => many.iter().filter_map(Value::as_str).find(|one| *one != "null"),
        _ => None,
    };
    match named {
        Some(named) => named.to_ascii_lowercase(),
        None if schema.get("properties").is_some() => "object".to_owned(),
        None if schema.get("items").is_some() => "array".to_owned(),
        None => "string".to_owned(),
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let is_required = |name: &str| required.iter().any(|one| one == name);
    let mut out = Map::new();
    if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in properties {
            if depth < FULL_DEPTH || is_required(name) {
                out.insert(name.clone(), generate(inner, root, name, depth + 1));
            }
        }
    }
    Value::Object(out)
}

/// The preferred number, moved into the schema's bounds.
fn bound(schema: &Value, preferred: f64) -> f64 {
    let above = schema["exclusiveMinimum"].as_f64().map(|low| low + 1.0);
    let below = schema["exclusiveMaximum"].as_f64().map(|high| high - 1.0);
    let low = schema["minimum"].as_f64().or(above).unwrap_or(f64::MIN);
    let high = schema["maximum"].as_f64().or(below).unwrap_or(f64::MAX);
    let step = schema["multipleOf"].as_f64().unwrap_or(0.0);
    let number = preferred.max(low).min(high);
    if step > 0.0 { (number / step).ceil() * step } else { number }
}

fn text(schema: &Value, name: &str) -> String {
    let text = match schema["format"].as_str().unwrap_or_default() {
        "date-time" => "2026-01-02T03:04:05Z",
        "date" => "2026-01-02",
        "time" => "03:04:05Z",
        "email" => "mock@example.com",
        "uri" => "https://example.com/",
        "uuid" => "00000000-0000-4000-8000-000000000000",
        _ => name,
    };
    let shortest = schema["minLength"].as_u64().unwrap_or(0).min(10_000) as usize;
    let longest = schema["maxLength"].as_u64().unwrap_or(u64::MAX) as usize;
    let padding = "x".repeat(shortest.saturating_sub(text.chars().count()));
    format!("{text}{padding}").chars().take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_follow_types_enumerations_references_and_bounds() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": ["integer", "null"], "minimum": 3},
                "tags": {"type": "ARRAY", "items": {"type": "BOOLEAN"}, "minItems": 2},
                "point": {"$ref": "#/$defs/point"},
                "either": {"anyOf": [{"type": "null"}, {"type": "number", "maximum": 1}]}
            },
            "$defs": {"point": {"properties": {"x": {"const": 7}}}}
        });
        let expected = json!({
            "city": "city", "unit": "celsius", "days": 3, "tags": [true, true], "point": {"x": 7}, "either": 1.0
        });
        assert_eq!(instance(&schema), expected);
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(instance(&schema).to_string().len() < 200);
    }
}
