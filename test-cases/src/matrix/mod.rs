//! The matrix: one scenario told in every client's and every provider's dialect, so that each pair of them is a test.

mod fold;
mod frame;
mod judge;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use fold::fold;
pub use frame::{aws_event, frame};

use crate::Body;

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(skip)]
    pub name: String,
    pub about: String,
    /// The scenario that this one is like: it has that one's answers.
    pub like: Option<String>,
    /// What the policy says of the model besides its target.
    #[serde(default)]
    pub policy: Value,
    /// By the client's dialect.
    pub clients: BTreeMap<String, Client>,
    /// By the provider's dialect, or another name where there are several of one.
    pub providers: BTreeMap<String, Provider>,
    /// Where a pair differs from what its two sides say.
    #[serde(default)]
    pub except: Vec<Exception>,
}

/// What a client says and hears.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its model is `m`, in the body or in the path.
    pub path: String,
    pub request: Value,
    /// What it must get; a string `*` stands for any value.
    pub answer: Value,
    /// The status that it must get; 200 when absent.
    pub status: Option<u16>,
    /// Why it has no stream here.
    pub no_stream: Option<String>,
}

/// What a provider hears and says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its dialect, where its name doesn't say it.
    pub dialect: Option<String>,
    /// Where it has to be, when that counts.
    pub endpoint: Option<String>,
    /// Its own name of the model.
    pub model: String,
    #[serde(default)]
    pub path: String,
    #[serde(default)]
    pub request: Value,
    /// What it must hear besides when a stream is wanted, as a JSON merge patch (RFC 7396).
    #[serde(default)]
    pub stream_request: Value,
    /// Where a stream is asked for at another path.
    pub stream_path: Option<String>,
    #[serde(default)]
    pub response: Value,
    /// Of the response, besides its media type.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The same as a stream: the data of each event.
    #[serde(default)]
    pub events: Vec<Value>,
    /// Of the response; 200 when absent.
    pub status: Option<u16>,
    /// Every client is refused here by design, with a message that contains this.
    pub refused: Option<String>,
    /// The hosts that can't run it, each with the reason.
    #[serde(default)]
    pub skip: BTreeMap<String, String>,
}

/// Where a pair differs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// All clients when absent.
    pub client: Option<Vec<String>>,
    /// All providers when absent.
    pub provider: Option<Vec<String>>,
    /// Why.
    pub about: String,
    /// What the provider hears otherwise, as a JSON merge patch.
    #[serde(default)]
    pub request: Value,
    /// What the client gets otherwise, as a JSON merge patch.
    #[serde(default)]
    pub answer: Value,
    /// What `x-sluice-dropped` names.
    #[serde(default)]
    pub dropped: Vec<String>,
    /// What `x-sluice-clamped` names.
    #[serde(default)]
    pub clamped: Vec<String>,
    /// The pair is refused by design, with a message that contains this.
    pub refused: Option<String>,
}

/// One square of the matrix.
#[derive(Clone, Debug)]
pub struct Square<'s> {
    pub scenario: &'s Scenario,
    pub client_dialect: &'s str,
    /// The provider's name.
    pub provider_name: &'s str,
    pub provider_dialect: &'s str,
    pub client: &'s Client,
    pub provider: &'s Provider,
    pub stream: bool,
}

/// What a square must come to.
#[derive(Clone, Debug)]
pub enum Expected {
    Refused {
        contains: String,
    },
    Served {
        path: String,
        request: Value,
        status: u16,
        answer: Value,
        dropped: Vec<String>,
        clamped: Vec<String>,
    },
}

/// Every scenario, by name.
pub fn scenarios() -> Vec<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("matrix");
    let mut paths: Vec<_> = fs::read_dir(&root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let own = read_value(path);
        let whole = match own["like"].as_str().map(str::to_owned) {
            Some(other) => alike(own, &read_value(&root.join(format!("{other}.yaml")))),
            None => own,
        };
        let mut scenario: Scenario =
            serde_json::from_value(whole).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        scenario.name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        scenario
    };
    paths.iter().map(read).collect()
}

fn read_value(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A scenario that is like another one: the other with what it says itself merged into it.
fn alike(mut own: Value, other: &Value) -> Value {
    for side in ["clients", "providers"] {
        for (dialect, said) in own[side].as_object_mut().expect("is an object") {
            let mut whole = other[side][dialect].clone();
            merge(&mut whole, said);
            *said = whole;
        }
    }
    let exceptions =
        [&other["except"], &own["except"]].map(|list| list.as_array().cloned().unwrap_or_default());
    own["except"] = exceptions.concat().into();
    own
}

impl Scenario {
    /// All squares: each client at each provider, whole and streamed.
    pub fn squares(&self) -> Vec<Square<'_>> {
        let mut squares = Vec::new();
        for (client_dialect, client) in &self.clients {
            for (provider_name, provider) in &self.providers {
                let provider_dialect = provider.dialect.as_ref().unwrap_or(provider_name);
                // Azure speaks the Responses API itself, which other scenarios are about.
                if (client_dialect.as_str(), provider_dialect.as_str())
                    == ("openai_responses", "azure_openai")
                    && provider.path.contains("/chat/")
                {
                    continue;
                }
                for stream in [false, true] {
                    if stream && (client.no_stream.is_some() || provider.events.is_empty()) {
                        continue;
                    }
                    squares.push(Square {
                        scenario: self,
                        client_dialect,
                        provider_name,
                        provider_dialect,
                        client,
                        provider,
                        stream,
                    });
                }
            }
        }
        squares
    }
}

impl Square<'_> {
    /// How to name it in a fault.
    pub fn label(&self) -> String {
        let stream = if self.stream { ", streamed" } else { "" };
        format!("{}: {} at {}{stream}", self.scenario.name, self.client_dialect, self.provider_name)
    }

    /// The client's path, with its query.
    pub fn client_path(&self) -> String {
        match self.stream && self.client_dialect == "gemini" {
            true => self.client.path.replace(":generateContent", ":streamGenerateContent?alt=sse"),
            false => self.client.path.clone(),
        }
    }

    /// The client's body.
    pub fn client_body(&self) -> Vec<u8> {
        let mut body = self.client.request.clone();
        if self.stream && self.client_dialect != "gemini" {
            merge(&mut body, &json!({"stream": true}));
        }
        if self.stream && ["openai_chat", "openai_completions"].contains(&self.client_dialect) {
            merge(&mut body, &json!({"stream_options": {"include_usage": true}}));
        }
        serde_json::to_vec(&body).expect("is JSON")
    }

    /// Whether both sides speak one dialect, so that bodies pass.
    pub fn is_native(&self) -> bool {
        if self.provider_dialect == "vertex" && self.provider.model.starts_with("claude") {
            return matches!(self.client_dialect, "anthropic" | "anthropic_tokens");
        }
        matches!(
            (self.client_dialect, self.provider_dialect),
            ("openai_chat" | "openai_responses" | "openai_completions" | "openai_embeddings", "azure_openai")
                | ("openai_chat" | "openai_completions" | "openai_embeddings", "openai")
                | ("anthropic" | "anthropic_tokens", "anthropic")
                | ("gemini" | "gemini_tokens", "gemini" | "vertex")
                | ("cohere_rerank", "cohere")
                | ("jina_rerank", "openai")
        )
    }

    /// What the provider answers.
    pub fn response(&self) -> Body {
        match self.stream {
            true => Body { bytes: frame(self.provider_dialect, &self.provider.events), stream: true },
            false => Body { bytes: self.provider.response.to_string().into_bytes(), stream: false },
        }
    }

    /// The media type of [`Self::response`].
    pub fn content_type(&self) -> &'static str {
        match (self.stream, self.provider_dialect) {
            (true, "bedrock") => "application/vnd.amazon.eventstream",
            (true, _) => "text/event-stream",
            (false, _) => "application/json",
        }
    }

    /// The status of the provider's answer.
    pub fn status(&self) -> u16 {
        self.provider.status.unwrap_or(200)
    }

    /// What it must come to. Of a native square only what the scenario itself says of the pair: its bytes pass.
    pub fn expected(&self) -> Expected {
        let exceptions: Vec<&Exception> = self
            .scenario
            .except
            .iter()
            .filter(|exception| {
                let is_of = |list: &Option<Vec<String>>, dialect: &str| {
                    list.as_ref().is_none_or(|list| list.iter().any(|other| other == dialect))
                };
                is_of(&exception.client, self.client_dialect)
                    && is_of(&exception.provider, self.provider_name)
            })
            .collect();
        let refused = exceptions.iter().find_map(|exception| exception.refused.clone());
        if let Some(contains) = refused.or_else(|| self.provider.refused.clone()) {
            return Expected::Refused { contains };
        }
        let mut request = self.provider.request.clone();
        if self.stream {
            merge(&mut request, &self.provider.stream_request);
        }
        let mut answer = self.client.answer.clone();
        for exception in &exceptions {
            merge(&mut request, &exception.request);
            merge(&mut answer, &exception.answer);
        }
        let path = self.provider.stream_path.as_ref().filter(|_| self.stream).unwrap_or(&self.provider.path);
        Expected::Served {
            path: path.clone(),
            request,
            status: self.client.status.unwrap_or(200),
            answer,
            dropped: exceptions.iter().flat_map(|exception| exception.dropped.clone()).collect(),
            clamped: exceptions.iter().flat_map(|exception| exception.clamped.clone()).collect(),
        }
    }
}

/// Applies a JSON merge patch; `null` as the whole patch changes nothing.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        if !patch.is_null() {
            *target = patch.clone();
        }
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let fields = target.as_object_mut().expect("is an object");
    for (name, value) in patch {
        match value {
            Value::Null => {
                fields.remove(name);
            }
            value => merge(fields.entry(name).or_insert(Value::Null), value),
        }
    }
}

/// Where a value differs from the expected one, in which the string `*` stands for any value; `None` where it doesn't.
pub fn difference(got: &Value, expected: &Value) -> Option<String> {
    match (got, expected) {
        (_, Value::String(any)) if any == "*" => None,
        (Value::Array(got), Value::Array(expected)) if got.len() == expected.len() => {
            let mut both = got.iter().zip(expected).enumerate();
            both.find_map(|(index, (got, expected))| Some(format!("[{index}]{}", difference(got, expected)?)))
        }
        (Value::Object(got), Value::Object(expected)) => {
            let of = |fields: &Map<String, Value>, name: &String| fields.get(name).cloned();
            got.keys().chain(expected.keys()).find_map(|name| match (of(got, name), of(expected, name)) {
                (Some(got), Some(expected)) => Some(format!(".{name}{}", difference(&got, &expected)?)),
                (Some(got), None) => Some(format!(".{name}: {got} is too much")),
                (_, expected) => Some(format!(".{name}: {} is missing", expected.unwrap_or_default())),
            })
        }
        (got, expected) if crate::same(got, expected) => None,
        (got, expected) => Some(format!(": {got}, expected {expected}")),
    }
}
