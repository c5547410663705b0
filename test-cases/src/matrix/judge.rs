//! How what a host did is compared with a square; every function returns what is wrong, a sentence each.

use serde_json::{Value, json};

use super::{Expected, Square, difference, fold, merge};
use crate::Sent;
use crate::compare::faults_of_changes;

impl Square<'_> {
    /// A policy whose model `m` has one target: this square's provider, under its name. Its credential is in the variable `KEY`.
    pub fn policy(&self) -> Value {
        let dialect = self.provider_dialect;
        let mut provider =
            json!({"dialect": dialect, "endpoint": "http://provider.test", "credential": {"env": "KEY"}});
        match dialect {
            "openai" => provider["endpoint"] = json!("http://provider.test/v1"),
            "bedrock" => provider["region"] = json!("eu-central-1"),
            "vertex" => {
                provider["region"] = json!("europe-west4");
                provider["project"] = json!("project-1");
            }
            _ => {}
        }
        if let Some(endpoint) = &self.provider.endpoint {
            provider["endpoint"] = json!(endpoint);
        }
        let name = self.provider_name;
        let mut model = json!({"targets": [{"provider": name, "model": self.provider.model}]});
        merge(&mut model, &self.scenario.policy);
        json!({
            "version": 1,
            "providers": {name: provider},
            "models": {"m": model},
            "callers": {"anonymous": "allow"},
        })
    }

    /// The client's answer, when no provider was called.
    pub fn faults_of_refusal(&self, status: u16, body: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(body);
        match self.expected() {
            Expected::Refused { contains } if text.contains(&contains) && (400..500).contains(&status) => {
                Vec::new()
            }
            Expected::Refused { contains } => {
                vec![format!("refused with {status}: {text}, not with `{contains}`")]
            }
            Expected::Served { .. } => vec![format!("refused with {status}: {text}")],
        }
    }

    /// What the headers of the client's answer say of changes to the request; `header` is the first value of one of them.
    pub fn faults_of_changes<'a>(&self, header: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
        match self.expected() {
            Expected::Refused { .. } => Vec::new(),
            Expected::Served { dropped, clamped, .. } => faults_of_changes(&dropped, &clamped, header),
        }
    }

    /// What the provider was sent.
    pub fn faults_of_request(&self, sent: Sent<'_>) -> Vec<String> {
        let (path, request) = match self.expected() {
            Expected::Refused { contains } => return vec![format!("was not refused with `{contains}`")],
            Expected::Served { path, request, .. } => (path, request),
        };
        let mut faults = Vec::new();
        if sent.path != Some(&path) {
            faults.push(format!("path {:?}, expected {path}", sent.path));
        }
        let body: Value = serde_json::from_slice(sent.body).unwrap_or_default();
        if let (false, Some(difference)) = (self.is_native(), difference(&body, &request)) {
            faults.push(format!("request{difference}"));
        }
        faults
    }

    /// What the client got.
    pub fn faults_of_answer(&self, status: u16, body: &[u8]) -> Vec<String> {
        let Expected::Served { status: expected_status, answer, .. } = self.expected() else {
            return Vec::new();
        };
        let text = String::from_utf8_lossy(body);
        if status != expected_status {
            return vec![format!("status {status}, expected {expected_status}: {text}")];
        }
        if self.is_native() {
            return match *body == *self.response().bytes {
                true => Vec::new(),
                false => vec![format!("the answer's bytes changed: {text}")],
            };
        }
        let whole = match self.stream && status == 200 {
            true => fold(self.client_dialect, body),
            false => serde_json::from_slice(body).unwrap_or_default(),
        };
        // The Responses API repeats most of the request in its answer.
        let is_partial = self.client_dialect == "openai_responses" && status == 200;
        let compared = if is_partial { restricted(&whole, &answer) } else { whole };
        difference(&compared, &answer).map(|difference| format!("answer{difference}")).into_iter().collect()
    }
}

/// The fields of an object that are expected.
fn restricted(got: &Value, expected: &Value) -> Value {
    let Some(expected) = expected.as_object() else { return got.clone() };
    expected.keys().filter_map(|name| Some((name.clone(), got.get(name)?.clone()))).collect()
}
