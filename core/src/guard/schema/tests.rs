//! Schemas against texts, and against another validator.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MAX_DEPTH, Schema, SchemaFault};
use crate::policy::Node;

fn schema(schema: &Value) -> Result<Schema, Vec<SchemaFault>> {
    Schema::new(&serde_json::from_str::<Node>(&schema.to_string()).expect("is JSON"))
}

fn fits(written: &Value, text: &str) -> bool {
    schema(written).unwrap_or_else(|faults| panic!("{written}: {faults:?}")).fits(text)
}

#[test]
fn each_keyword_judges() {
    let cases: &[(Value, &[&str], &[&str])] = &[
        (json!({}), &["1", "{}", " null\n"], &["", "{", "1 2", "```json\n1\n```", "nul"]),
        (json!(true), &["1"], &["x"]),
        (json!({"not": true}), &[], &["1", "null"]),
        (json!({"type": "integer"}), &["1", "1.0", "-3", "1e3"], &["1.5", "\"1\"", "null", "true"]),
        (json!({"type": ["string", "null"]}), &["\"a\"", "null"], &["1", "[]", "{}"]),
        (json!({"type": "number"}), &["1", "1.5"], &["\"1\""]),
        (
            json!({"enum": [1, "a", [1, {"x": 2, "y": 3}], null]}),
            &["1.0", "\"a\"", "[1,{\"y\":3,\"x\":2}]", "null"],
            &["2", "\"A\"", "[{\"x\":2,\"y\":3},1]", "false"],
        ),
        (json!({"const": 9_007_199_254_740_993_i64}), &["9007199254740993"], &["9007199254740992"]),
        (
            json!({"properties": {"a": {"type": "string"}}, "required": ["a"]}),
            &["{\"a\":\"\"}", "[]", "1", "{\"a\":\"\",\"b\":1}"],
            &["{}", "{\"a\":1}"],
        ),
        (
            json!({"properties": {"a": true}, "patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": false}),
            &["{\"a\":1,\"x-b\":2}"],
            &["{\"b\":1}", "{\"x-b\":\"\"}"],
        ),
        (json!({"additionalProperties": {"type": "string"}}), &["{\"a\":\"\"}"], &["{\"a\":1}"]),
        (json!({"propertyNames": {"maxLength": 2}}), &["{\"ab\":1}"], &["{\"abc\":1}"]),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            &["{}", "{\"b\":1}", "{\"a\":1,\"b\":1}"],
            &["{\"a\":1}"],
        ),
        (
            json!({"minProperties": 1, "maxProperties": 2}),
            &["{\"a\":1}"],
            &["{}", "{\"a\":1,\"b\":2,\"c\":3}"],
        ),
        (
            json!({"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
            &["[]", "[\"a\"]", "[\"a\",1]"],
            &["[1]", "[\"a\",1,2]"],
        ),
        (
            json!({"items": {"type": "integer"}, "minItems": 1, "maxItems": 2}),
            &["[1]", "[1,2]"],
            &["[]", "[1,2,3]", "[\"a\"]"],
        ),
        (json!({"contains": {"const": 1}, "maxContains": 2}), &["[1]", "[0,1,1]"], &["[]", "[0]", "[1,1,1]"]),
        (json!({"contains": {"const": 1}, "minContains": 0}), &["[]", "[0]"], &[]),
        (
            json!({"uniqueItems": true}),
            &["[1,\"1\",true,[1],{\"a\":1}]"],
            &["[1,1.0]", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "[100000000000000000,1e17]"],
        ),
        (
            json!({"minLength": 2, "maxLength": 3}),
            &["\"ab\"", "\"äöü\"", "\"😀😀\"", "1"],
            &["\"😀\"", "\"abcd\""],
        ),
        (json!({"pattern": "^[a-z]{2}-\\d+$"}), &["\"ab-12\""], &["\"ab-\"", "\"xab-1\""]),
        (json!({"minimum": 1, "exclusiveMaximum": 2}), &["1", "1.999"], &["0.999", "2", "2.0"]),
        (
            json!({"exclusiveMinimum": 1.5, "maximum": 9_007_199_254_740_992_i64}),
            &["1.6", "9007199254740992"],
            &["1.5", "9007199254740993", "1e300"],
        ),
        (json!({"multipleOf": 0.01}), &["4.02", "1.1", "0", "-7.35", "3"], &["0.005", "1.001"]),
        (json!({"multipleOf": 3}), &["9", "9.0", "-3", "0"], &["10", "9.5"]),
        (json!({"allOf": [{"minimum": 1}, {"maximum": 2}]}), &["1"], &["0", "3"]),
        (json!({"anyOf": [{"type": "string"}, {"minimum": 5}]}), &["\"a\"", "5"], &["4"]),
        (json!({"oneOf": [{"minimum": 3}, {"maximum": 5}]}), &["2", "6"], &["4"]),
        (
            json!({"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"minimum": 1}}),
            &["\"a\"", "1", "[]"],
            &["\"\"", "0"],
        ),
        (
            json!({"$defs": {"a/b %": {"type": "integer"}}, "items": {"$ref": "#/$defs/a~1b%20%25"}}),
            &["[1]"],
            &["[\"a\"]"],
        ),
        (
            json!({"properties": {"next": {"$ref": "#"}, "v": {"type": "integer"}}, "required": ["v"]}),
            &["{\"v\":1,\"next\":{\"v\":2}}"],
            &["{\"v\":1,\"next\":{}}"],
        ),
        (json!({"$ref": "#/$defs/a", "maximum": 5, "$defs": {"a": {"minimum": 1}}}), &["3"], &["0", "6"]),
        (
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://a.test/x", "title": "t", "format": "email", "default": 1}),
            &["1", "\"no address\""],
            &[],
        ),
        // Which of two members is meant, nobody knows.
        (json!({"type": "object"}), &["{\"a\":1}"], &["{\"a\":1,\"a\":2}"]),
    ];
    for (written, fit, misfit) in cases {
        for text in *fit {
            assert!(fits(written, text), "{text} fits {written}");
        }
        for text in *misfit {
            assert!(!fits(written, text), "{text} does not fit {written}");
        }
    }
}

#[test]
fn what_is_not_known_is_refused_with_its_place() {
    let properties = |schema: Value| json!({"properties": {"a": {"items": schema}}});
    for (written, at, said) in [
        (
            properties(json!({"unevaluatedProperties": false})),
            "properties.a.items.unevaluatedProperties",
            "not a keyword",
        ),
        (properties(json!({"$dynamicRef": "#x"})), "properties.a.items.$dynamicRef", "not a keyword"),
        (properties(json!({"$anchor": "x"})), "properties.a.items.$anchor", "not a keyword"),
        (properties(json!({"minLenght": 1})), "properties.a.items.minLenght", "not a keyword"),
        (properties(json!({"$id": "x"})), "properties.a.items.$id", "root only"),
        (properties(json!({"type": "int"})), "properties.a.items.type", "`int` is no type"),
        (properties(json!({"pattern": "(?=a)"})), "properties.a.items.pattern", "the pattern has a group"),
        (properties(json!({"minimum": "1"})), "properties.a.items.minimum", "a number"),
        (properties(json!({"multipleOf": 0})), "properties.a.items.multipleOf", "greater than 0"),
        (properties(json!({"minItems": -1})), "properties.a.items.minItems", "integer of 0"),
        (properties(json!({"enum": 1})), "properties.a.items.enum", "a list"),
        (properties(json!({"anyOf": []})), "properties.a.items.anyOf", "not empty"),
        (properties(json!({"anyOf": [true, 1]})), "properties.a.items.anyOf[1]", "no schema"),
        (properties(json!({"required": [1]})), "properties.a.items.required", "a list of texts"),
        (properties(json!({"$ref": "#/$defs/none"})), "properties.a.items.$ref", "nothing at"),
        (properties(json!({"$ref": "https://a.test/"})), "properties.a.items.$ref", "within this schema"),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#"}), "$schema", "not the draft"),
        (json!({"$defs": {"a": {"type": "x"}}}), "$defs.a.type", "no type"),
        (json!({"$ref": "#"}), "", "refers to itself"),
        (
            json!({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#"}}}}),
            "",
            "refers to itself",
        ),
    ] {
        let faults = schema(&written).expect_err("is refused");
        assert_eq!(faults.len(), 1, "{written}: {faults:?}");
        assert!(faults[0].0 == at && faults[0].1.contains(said), "{written}: {faults:?}");
    }
}

#[test]
fn whatever_is_sent_work_and_depth_are_bounded() {
    // Two ways at each level: without a bound, twice the work for each of them.
    let definitions: serde_json::Map<String, Value> = (0..40)
        .map(|level| {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            (format!("d{level}"), json!({"anyOf": [next, next]}))
        })
        .chain([("d40".to_owned(), json!({"type": "string"}))])
        .collect();
    let ways = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    assert!(!fits(&ways, "1") && fits(&ways, "\"a\""));
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let list = json!({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#"}}]});
    assert!(fits(&list, &deep(100)));
    assert!(!fits(&list, &deep(100_000)));
    // A long chain of references, in the schema and below a value.
    let chain: serde_json::Map<String, Value> = (0..1_900)
        .map(|number| (format!("d{number}"), json!({"$ref": format!("#/$defs/d{}", number + 1)})))
        .chain([("d1900".to_owned(), json!({}))])
        .collect();
    assert!(!fits(&json!({"$ref": "#/$defs/d0", "$defs": chain}), "1"), "deeper than {MAX_DEPTH}");
    let large = format!("[{}]", vec!["{\"a\":\"b\",\"c\":[1,2,3]}"; 50_000].join(","));
    let rows = json!({"items": {"type": "object", "properties": {"a": {"type": "string", "pattern": "^b$"}, "c": {"items": {"type": "integer"}}}, "required": ["a", "c"]}});
    assert!(fits(&rows, &large));
}

/// A schema of the keywords that are known.
fn schemas() -> impl Strategy<Value = Value> {
    let value = values;
    let plain = prop_oneof![
        Just(json!(true)),
        Just(json!(false)),
        proptest::sample::select(vec!["null", "boolean", "integer", "number", "string", "array", "object"])
            .prop_map(|kind| json!({"type": kind})),
        proptest::collection::vec(value(), 1..3).prop_map(|values| json!({"enum": values})),
        value().prop_map(|value| json!({"const": value})),
        (0..4_u8, 0..4_u8).prop_map(|(least, most)| json!({"minLength": least, "maxLength": most})),
        (0..3_u8, 0..4_u8)
            .prop_map(|(least, most)| json!({"minItems": least, "maxItems": most, "uniqueItems": true})),
        (0..3_u8, 0..4_u8).prop_map(|(least, most)| json!({"minProperties": least, "maxProperties": most})),
        (-4..4_i32, -4..9_i32)
            .prop_map(|(least, most)| json!({"minimum": least, "exclusiveMaximum": f64::from(most) / 2.0})),
        prop_oneof![Just(json!(2)), Just(json!(0.5)), Just(json!(1.5)), Just(json!(0.1))]
            .prop_map(|of| json!({"multipleOf": of})),
        proptest::sample::select(vec!["^a", "b$", "^[ab]*$", "a|c", "^.{2}$", "ä"])
            .prop_map(|pattern| json!({"pattern": pattern})),
        proptest::collection::vec("[abc]", 0..2).prop_map(|names| json!({"required": names})),
        Just(json!({"dependentRequired": {"a": ["b"]}, "propertyNames": {"maxLength": 1}})),
        Just(json!({"$ref": "#/$defs/leaf"})),
    ];
    plain.prop_recursive(3, 24, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            list.clone().prop_map(|all| json!({"allOf": all})),
            list.clone().prop_map(|any| json!({"anyOf": any})),
            list.clone().prop_map(|one| json!({"oneOf": one})),
            inner.clone().prop_map(|not| json!({"not": not})),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(condition, then, otherwise)| json!({"if": condition, "then": then, "else": otherwise})),
            (inner.clone(), inner.clone()).prop_map(|(a, others)| json!({"properties": {"a": a}, "additionalProperties": others})),
            (inner.clone(), inner.clone()).prop_map(|(b, others)| json!({"patternProperties": {"^[ab]$": b}, "additionalProperties": others, "properties": {"c": true}})),
            (list, inner.clone()).prop_map(|(first, others)| json!({"prefixItems": first, "items": others})),
            inner.clone().prop_map(|items| json!({"items": items})),
            (inner, 0..2_u8, 1..3_u8).prop_map(|(item, least, most)| json!({"contains": item, "minContains": least, "maxContains": most})),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5..12_i32).prop_map(Value::from),
        (-9..20_i32).prop_map(|halves| json!(f64::from(halves) / 2.0)),
        (-30..30_i32).prop_map(|tenths| json!(f64::from(tenths) / 10.0)),
        "[abcä]{0,3}".prop_map(Value::from),
    ];
    plain.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[abcd]{1,2}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn another_validator_says_the_same(root in schemas(), value in values(), leaf in schemas()) {
        // What a reference leads to has none itself: it could lead in a circle.
        let leaf = if leaf.to_string().contains("$ref") { json!({"type": "string"}) } else { leaf };
        let whole = json!({"allOf": [root], "$defs": {"leaf": leaf}});
        let theirs = jsonschema::draft202012::new(&whole).expect("is a schema");
        prop_assert_eq!(fits(&whole, &value.to_string()), theirs.is_valid(&value), "{} {}", whole, value);
    }

    #[test]
    fn no_text_and_no_schema_make_it_panic(text in any::<String>(), value in values(), root in values()) {
        let _ = fits(&json!({"type": "object"}), &text);
        if let Ok(schema) = schema(&root) {
            let _ = schema.fits(&value.to_string());
        }
    }
}
