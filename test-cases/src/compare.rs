//! How what a host did is compared with a case; every function returns what is wrong, a sentence each.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::{Body, ChatCase, Exchange, InvalidCase, Refused};

/// What a provider was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    pub path: Option<&'a str>,
    pub body: &'a [u8],
}

/// Numbers that are equal are the same number, however they are written.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}

/// The events of a stream, each as its data: JSON values, and the text of what is none.
pub fn events(stream: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stream).replace("\r\n", "\n");
    text.split("\n\n")
        .filter_map(|event| {
            let data: Vec<_> = event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
            (!data.is_empty()).then(|| data.join("\n"))
        })
        .map(|data| serde_json::from_str(&data).unwrap_or_else(|_| Value::String(data.trim().to_owned())))
        .collect()
}

/// The client's body with another model and every other byte as it was.
pub fn renamed(request: &[u8], model: &str) -> Vec<u8> {
    let text = std::str::from_utf8(request).expect("a request is UTF-8");
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).expect("a request is an object");
    let value = fields.get("model").expect("a request has a model").get();
    let start = value.as_ptr() as usize - text.as_ptr() as usize;
    let (before, after) = (text.get(..start), text.get(start + value.len()..));
    format!("{}{}{}", before.expect("is inside"), json!(model), after.expect("is inside")).into_bytes()
}

/// The body of a streamed chat completion that also asks for the usage, and has every other byte as it was.
fn asked_for_usage(request: &[u8]) -> Vec<u8> {
    let Value::Object(body) = serde_json::from_slice(request).unwrap_or_default() else { return Vec::new() };
    if body.get("stream") != Some(&Value::Bool(true)) || body.contains_key("stream_options") {
        return Vec::new();
    }
    let end = request.iter().rposition(|byte| *byte == b'}').expect("is an object");
    let kept = request[..end].trim_ascii_end();
    let addition = br#","stream_options":{"include_usage":true}"#;
    [kept, addition, &request[kept.len()..]].concat()
}

impl Exchange {
    /// The client's answer to a request that has to be refused.
    pub fn faults_of_refusal(&self, refused: &Refused, status: u16, body: &[u8]) -> Vec<String> {
        let code = refused.code.as_deref().unwrap_or("unsupported_parameter");
        let expected = json!([refused.status, refused.param, code, "invalid_request_error"]);
        let (error, message) = match error_of(body) {
            Ok(error) => error,
            Err(fault) => return vec![fault],
        };
        let mut faults = Vec::new();
        if !message.contains(refused.param.as_deref().unwrap_or_default()) {
            faults.push(format!("the message does not name the parameter: {message}"));
        }
        let got = json!([status, error["param"], error["code"], error["type"]]);
        if got != expected {
            faults.push(format!("refused with {got}, expected {expected}: {message}"));
        }
        faults
    }

    /// What the provider was sent; `header` is the first value of one of its request headers.
    pub fn faults_of_request<'a>(
        &self,
        case: &ChatCase,
        sent: Sent<'_>,
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        if sent.path != self.expected.path.as_deref() {
            faults.push(format!("path {:?}, expected {:?}", sent.path, self.expected.path));
        }
        for (name, value) in &self.expected.request_headers {
            if header(name) != Some(value) {
                faults.push(format!("header {name}: {:?}, expected {value}", header(name)));
            }
        }
        match &self.request {
            Some(expected) => match serde_json::from_slice(sent.body) {
                Ok(got) if same(&got, expected) => {}
                _ => faults.push(format!("request\n   got      {}\n   expected {expected}", text(sent.body))),
            },
            None if *sent.body == renamed(&case.request, &self.model) => {}
            None if *sent.body == asked_for_usage(&renamed(&case.request, &self.model)) => {}
            None => faults.push(format!("the request's bytes changed: {}", text(sent.body))),
        }
        faults
    }

    /// What the headers of the client's answer say of changes to the request; `header` is the first value of one of them.
    pub fn faults_of_changes<'a>(&self, header: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
        faults_of_changes(&self.expected.dropped, &self.expected.clamped, header)
    }

    /// What the client got of the provider's `response`; `header` is the first value of one of its response headers.
    pub fn faults_of_answer<'a>(
        &self,
        response: &Body,
        status: u16,
        body: &[u8],
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        if status != self.client_status() {
            faults.push(format!("status {status}, expected {}", self.client_status()));
        }
        for (name, value) in &self.expected.client_headers {
            if header(name) != Some(value) {
                faults.push(format!("the client's header {name} is {:?}, expected {value}", header(name)));
            }
        }
        match &self.client {
            Some(client) => faults.extend(faults_of_body(body, client)),
            None if *body == *response.bytes => {}
            // A native error about the gateway's own account is replaced; its words are in the case of another provider.
            None if self.expected.client_status.is_some() => {}
            None => faults.push(format!("the answer's bytes changed: {}", text(body))),
        }
        faults
    }
}

impl InvalidCase {
    /// The client's answer.
    pub fn faults(&self, status: u16, body: &[u8]) -> Vec<String> {
        let expected = &self.expected;
        let (error, message) = match error_of(body) {
            Ok(error) => error,
            Err(fault) => return vec![fault],
        };
        let got = json!([status, error["param"], error["code"]]);
        let wanted = json!([expected.status, expected.param, expected.code]);
        let contains = expected.message_contains.as_deref().unwrap_or_default();
        match got == wanted && message.to_lowercase().contains(&contains.to_lowercase()) {
            true => Vec::new(),
            false => vec![format!("{got}, expected {wanted} with `{contains}`: {message}")],
        }
    }
}

/// Holds `x-sluice-dropped` and `x-sluice-clamped` against the paths that they have to name, in any order.
pub(crate) fn faults_of_changes<'a>(
    dropped: &[String],
    clamped: &[String],
    header: impl Fn(&str) -> Option<&'a str>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, expected) in [("x-sluice-dropped", dropped), ("x-sluice-clamped", clamped)] {
        let mut named: Vec<_> = header(name).iter().flat_map(|value| value.split(", ")).collect();
        let mut expected: Vec<_> = expected.iter().map(String::as_str).collect();
        named.sort_unstable();
        expected.sort_unstable();
        if named != expected {
            faults.push(format!("{name} names {named:?}, expected {expected:?}"));
        }
    }
    faults
}

fn faults_of_body(got: &[u8], expected: &Body) -> Vec<String> {
    let read = |bytes: &[u8]| match expected.stream {
        true => Ok(Value::Array(events(bytes))),
        false => serde_json::from_slice(bytes),
    };
    let expected = read(&expected.bytes).expect("a golden that can be read");
    match read(got) {
        Ok(got) if same(&got, &expected) => Vec::new(),
        Ok(got) => vec![format!("answer:\n   got      {got}\n   expected {expected}")],
        Err(error) => vec![format!("answer: {error}: {}", text(got))],
    }
}

/// The `error` of a body, and its message, which is not empty.
fn error_of(body: &[u8]) -> Result<(Value, String), String> {
    let error = serde_json::from_slice::<Value>(body).map(|body| body["error"].clone()).unwrap_or_default();
    match error["message"].as_str() {
        Some(message) if !message.is_empty() => Ok((error.clone(), message.to_owned())),
        _ => Err(format!("no error with a message: {}", text(body))),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
