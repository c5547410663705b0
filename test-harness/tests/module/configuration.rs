//! Configurations, in the three forms in which Envoy hands them over, good and refused.

use prost::Message as _;
use prost_types::{ListValue, Struct, Value as ProtoValue, value::Kind};
use serde_json::{Value, json};
use test_harness::host::{HostError, LogLevel};

use crate::support::{answer, ask, assert_no_secret, builder, everyone, hello, module, words};

fn to_proto(value: &Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.iter().map(to_proto).collect() }),
        Value::Object(_) => Kind::StructValue(to_struct(value)),
    };
    ProtoValue { kind: Some(kind) }
}

fn to_struct(value: &Value) -> Struct {
    let fields = value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), to_proto(value)));
    Struct { fields: fields.collect() }
}

/// YAML in block style, as people write it.
fn to_yaml(value: &Value, indent: usize) -> String {
    let pad = "  ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let field =
                |(name, value): (&String, &Value)| format!("\n{pad}{name}: {}", to_yaml(value, indent + 1));
            fields.iter().map(field).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("\n{pad}- {item}")).collect()
        }
        other => other.to_string(),
    }
}

/// A document as YAML, as JSON, and as an encoded `Struct`.
fn forms(document: &Value) -> [Vec<u8>; 3] {
    let yaml = format!("# a policy\n{}\n", to_yaml(document, 0));
    [yaml.into_bytes(), document.to_string().into_bytes(), to_struct(document).encode_to_vec()]
}

/// The lines of the log of a configuration that is refused.
fn faults(document: impl Into<Vec<u8>>) -> Vec<String> {
    let error = builder(document).start().err().expect("is refused");
    let HostError::Refused { root, callback, log } = &error else { panic!("{error}") };
    assert_eq!((root.as_str(), callback.as_str()), ("policy", "proxy_on_configure"));
    assert!(log.iter().all(|entry| entry.level == LogLevel::Error), "{log:?}");
    assert_no_secret(log);
    log.iter().map(|entry| entry.message.clone()).collect()
}

#[test]
fn each_form_of_a_good_policy_serves() {
    for form in forms(&everyone()) {
        let gateway = builder(form).start().unwrap();
        let answer =
            ask(&gateway, &hello("claude", false)).target("claude", 1, answer("claude")).send().unwrap();
        assert_eq!(words(&answer), "word-of-model");
    }
}

#[test]
fn each_form_of_a_bad_policy_is_refused_with_every_fault_and_its_path() {
    let mut policy = everyone();
    policy["surprise"] = json!(1);
    policy["providers"]["openai"]["dialect"] = json!("klingon");
    policy["providers"]["claude"]["endpoint"] = json!("ftp://claude.test");
    policy["models"]["gpt-4o"]["targets"][2]["provider"] = json!("nobody");
    policy["callers"] = json!({"keys": [{"id": "ci", "sha256": "key-of-caller"}]});
    for form in forms(&policy) {
        let faults = faults(form);
        for path in [
            "surprise: ",
            "providers.openai.dialect: ",
            "providers.claude.endpoint: ",
            "models.gpt-4o.targets[2].provider: ",
            "callers.keys[0].sha256: ",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(path)), "{path} is not in {faults:#?}");
        }
        assert_eq!(faults.len(), 5, "{faults:#?}");
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for bytes in
        [&b""[..], b"{", b"\xff\xfe", b"version", b"- 1\n", b"null", b"version: 2\n", b"a: [", b"\x0a\x00"]
    {
        assert!(!faults(bytes).is_empty(), "{bytes:?}");
    }
    let mut deep = b"version: ".to_vec();
    deep.extend(b"[".repeat(100_000));
    assert!(!faults(deep).is_empty());
    assert!(!faults(b"{\"version\":".repeat(100_000)).is_empty());
}

#[test]
fn a_struct_nested_without_end_is_refused() {
    let mut value = ProtoValue { kind: Some(Kind::NumberValue(1.0)) };
    for _ in 0..99 {
        value = ProtoValue { kind: Some(Kind::ListValue(ListValue { values: vec![value] })) };
    }
    let mut bytes = Struct { fields: [("version".to_owned(), value)].into() }.encode_to_vec();
    assert!(!faults(bytes.clone()).is_empty());
    bytes.truncate(bytes.len() / 2);
    assert!(!faults(bytes).is_empty());
}

#[test]
fn a_credential_that_is_not_in_the_environment_is_named() {
    let document = everyone().to_string();
    let gateway =
        module().gateway().env("KEY_OF_OPENAI", "key-of-openai").env("KEY_OF_GEMINI", " ").policy(document);
    let error = gateway.start().err().expect("is refused");
    let faults: Vec<_> = error.log().iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    for (provider, variable) in [("claude", "KEY_OF_CLAUDE"), ("gemini", "KEY_OF_GEMINI")] {
        let path = format!("providers.{provider}.credential.env: ");
        assert!(
            faults.iter().any(|fault| fault.starts_with(&path) && fault.contains(variable)),
            "{faults:?}"
        );
    }
    assert_no_secret(error.log());
}

#[test]
fn a_root_is_told_its_job_by_its_root_id() {
    let error = module().vm().root("provider", "version: 1").start().err().expect("is refused");
    assert!(error.log()[0].message.contains("takes no configuration"), "{error}");
    let error = module().vm().root("polity", "version: 1").start().err().expect("is refused");
    assert!(error.log()[0].message.contains("polity"), "{error}");
}
