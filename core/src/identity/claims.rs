//! What a verified token says of its bearer: claims become a user, a team and roles.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::Struct;
use prost_types::value::Kind;

/// Where a name comes from: a claim by its path (`realm_access.roles`), or text with such paths in braces
/// (`{realm}/{sub}`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Claim(String),
}

/// What Envoy's `jwt_authn` has found out about a request's token.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
    /// There is none, or nobody looked.
    Absent,
    Verified(Struct),
    /// It is not in order.
    Failed(Fault),
}

/// What is wrong with a token, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Expired,
    /// It has not the form of a token, as a virtual key has not.
    Form,
    Other,
}

/// The envelope of Envoy's dynamic metadata (`envoy.config.core.v3.Metadata`), as far as it is read.
#[derive(Clone, PartialEq, prost::Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, Struct>,
}

/// Where `jwt_authn` leaves what it has found out.
const NAMESPACE: &str = "envoy.filters.http.jwt_authn";
/// Behind the key of the claims, the key under which it says what is wrong.
const FAILED: &str = "_failed";
/// `jwt_authn`'s codes for what is wrong.
const MISSING: f64 = 1.0;
const EXPIRED: f64 = 3.0;
const FORM: f64 = 4.0;
const MAX_NAME_BYTES: usize = 256;
const MAX_NAMES: usize = 256;

impl Token {
    /// Reads encoded metadata; `key` is where the claims are.
    pub(super) fn read(metadata: &[u8], key: &str) -> Self {
        let Ok(mut metadata) = Metadata::decode(metadata) else { return Self::Absent };
        let Some(mut found) = metadata.filter_metadata.remove(NAMESPACE) else { return Self::Absent };
        if let Some(Kind::StructValue(claims)) = found.fields.remove(key).and_then(|value| value.kind) {
            return Self::Verified(claims);
        }
        let Some(Kind::StructValue(status)) =
            found.fields.remove(&format!("{key}{FAILED}")).and_then(|value| value.kind)
        else {
            return Self::Absent;
        };
        match status.fields.get("code").and_then(|value| value.kind.as_ref()) {
            Some(Kind::NumberValue(code)) if *code == MISSING => Self::Absent,
            Some(Kind::NumberValue(code)) if *code == EXPIRED => Self::Failed(Fault::Expired),
            Some(Kind::NumberValue(code)) if *code == FORM => Self::Failed(Fault::Form),
            _ => Self::Failed(Fault::Other),
        }
    }
}

/// Whether a credential has the form of a signed token, which no virtual key has.
pub(super) fn is_token(credential: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    credential.starts_with("eyJ") && credential.split('.').count() == 3 && credential.bytes().all(plain)
}

impl Template {
    /// Reads a template; the error completes the sentence "`path` …".
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.contains(['{', '}']) {
            return match text.is_empty() {
                true => Err("names no claim".to_owned()),
                false => Ok(Self(vec![Part::Claim(text.to_owned())])),
            };
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (claim, behind) =
                after.split_once('}').ok_or_else(|| format!("`{text}` has a brace that is not closed"))?;
            if claim.is_empty() || claim.contains('{') {
                return Err(format!("`{text}` has braces without a claim in them"));
            }
            parts.extend([Part::Text(before.to_owned()), Part::Claim(claim.to_owned())]);
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        match parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('}'))) {
            true => Err(format!("`{text}` has a brace that is not opened")),
            false => Ok(Self(parts)),
        }
    }

    /// All names that the claims make of it: one for each item where a claim is a list, none where a claim is missing.
    pub(super) fn names(&self, claims: &Struct) -> Vec<String> {
        let mut names = vec![String::new()];
        for part in &self.0 {
            let texts = match part {
                Part::Text(text) => vec![text.clone()],
                Part::Claim(path) => texts(&claims.fields, path),
            };
            names = names
                .iter()
                .flat_map(|name| texts.iter().map(move |text| format!("{name}{text}")))
                .take(MAX_NAMES)
                .collect();
        }
        names.retain(|name| {
            !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control)
        });
        names
    }

    /// The one name that the claims make of it.
    pub(super) fn name(&self, claims: &Struct) -> Option<String> {
        let mut names = self.names(claims);
        let name = names.pop()?;
        names.is_empty().then_some(name)
    }
}

fn texts(fields: &BTreeMap<String, prost_types::Value>, path: &str) -> Vec<String> {
    let Some(value) = find(fields, path) else { return Vec::new() };
    match value {
        // OAuth's own lists are written as one text (RFC 8693, 4.2).
        Kind::StringValue(text) if matches!(path, "scope" | "scp") => {
            text.split_ascii_whitespace().map(str::to_owned).collect()
        }
        Kind::ListValue(list) => {
            list.values.iter().filter_map(|value| text(value.kind.as_ref()?)).take(MAX_NAMES).collect()
        }
        value => text(value).into_iter().collect(),
    }
}

fn text(value: &Kind) -> Option<String> {
    match value {
        Kind::StringValue(text) => Some(text.clone()),
        Kind::NumberValue(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Some(format!("{number:.0}"))
        }
        Kind::BoolValue(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The claim at a path. A claim's own name may have dots (`https://example.com/roles`), so the longest name goes first.
fn find<'c>(fields: &'c BTreeMap<String, prost_types::Value>, path: &str) -> Option<&'c Kind> {
    if let Some(value) = fields.get(path) {
        return value.kind.as_ref();
    }
    path.match_indices('.').rev().find_map(|(dot, _)| {
        let (name, rest) = path.split_at_checked(dot)?;
        match fields.get(name)?.kind.as_ref()? {
            Kind::StructValue(inner) => find(&inner.fields, rest.strip_prefix('.')?),
            _ => None,
        }
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn value(value: &Value) -> prost_types::Value {
        let kind = match value {
            Value::Null => Kind::NullValue(0),
            Value::Bool(truth) => Kind::BoolValue(*truth),
            Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
            Value::String(text) => Kind::StringValue(text.clone()),
            Value::Array(items) => {
                Kind::ListValue(prost_types::ListValue { values: items.iter().map(self::value).collect() })
            }
            Value::Object(_) => Kind::StructValue(object(value)),
        };
        prost_types::Value { kind: Some(kind) }
    }

    fn object(object: &Value) -> Struct {
        let fields = object.as_object().unwrap();
        Struct { fields: fields.iter().map(|(name, item)| (name.clone(), value(item))).collect() }
    }

    /// Metadata as Envoy encodes it, with this in the namespace of `jwt_authn`.
    pub(in crate::identity) fn metadata(found: &Value) -> Vec<u8> {
        let others = ("another.filter".to_owned(), object(&json!({"sluice": {"sub": "mallory"}})));
        let own = (NAMESPACE.to_owned(), object(found));
        Metadata { filter_metadata: BTreeMap::from([own, others]) }.encode_to_vec()
    }

    #[test]
    fn claims_are_found_by_their_path() {
        let claims = object(&json!({
            "sub": "alice", "uid": 1001, "half": 1.5, "admin": true, "nothing": null, "empty": "",
            "realm": {"name": "prod", "access": {"roles": ["dev", "ops", {"x": 1}, 7]}},
            "https://example.com/roles": ["a b", "c"], "scope": "read write", "dotted.name": {"in": "side"},
            "evil": "a\u{0}b", "long": "x".repeat(257), "one": ["only"],
        }));
        for (template, names) in [
            ("sub", vec!["alice"]),
            ("uid", vec!["1001"]),
            ("admin", vec!["true"]),
            ("realm.name", vec!["prod"]),
            ("realm.access.roles", vec!["dev", "ops", "7"]),
            ("https://example.com/roles", vec!["a b", "c"]),
            ("dotted.name.in", vec!["side"]),
            ("scope", vec!["read", "write"]),
            ("one", vec!["only"]),
            ("{realm.name}/{sub}", vec!["prod/alice"]),
            ("role:{realm.access.roles}", vec!["role:dev", "role:ops", "role:7"]),
            ("{sub}/{missing}", vec![]),
            ("half", vec![]),
            ("nothing", vec![]),
            ("empty", vec![]),
            ("realm", vec![]),
            ("sub.name", vec![]),
            ("evil", vec![]),
            ("long", vec![]),
        ] {
            let template = Template::parse(template).unwrap();
            assert_eq!(template.names(&claims), names, "{template:?}");
            let single = names.first().filter(|_| names.len() == 1).map(|name| (*name).to_owned());
            assert_eq!(template.name(&claims), single, "{template:?}");
        }
    }

    #[test]
    fn a_template_that_can_not_be_read_is_refused() {
        for text in ["", "{", "a}", "{}", "{a{b}}", "{a}}", "{a} {b"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_jwt_authn_said_counts() {
        let read = |found: Value| Token::read(&metadata(&found), "sluice");
        assert!(matches!(read(json!({"sluice": {"sub": "alice"}})), Token::Verified(_)));
        let failed =
            |code: f64, message: &str| read(json!({"sluice_failed": {"code": code, "message": message}}));
        assert_eq!(failed(3.0, "Jwt is expired"), Token::Failed(Fault::Expired));
        assert_eq!(failed(4.0, "Jwt is not in the form of …"), Token::Failed(Fault::Form));
        assert_eq!(failed(26.0, "Jwt verification fails"), Token::Failed(Fault::Other));
        assert_eq!(failed(1.0, "Jwt is missing"), Token::Absent);
        assert_eq!(read(json!({"other": {"sub": "alice"}})), Token::Absent);
        assert_eq!(read(json!({"sluice": "text"})), Token::Absent);
        assert_eq!(Token::read(b"\xff\xff", "sluice"), Token::Absent);
        assert_eq!(Token::read(b"", "sluice"), Token::Absent);
    }

    proptest::proptest! {
        #[test]
        fn no_metadata_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            Token::read(&bytes, "sluice");
        }
    }
}
