//! Reads the test cases, which are data, and compares what a host did with them; `README.md` states their format.
// Whatever is wrong with a case has to stop the tests, and to say where.
#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod compare;
pub mod matrix;
pub mod mutate;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

pub use compare::{Sent, events, renamed, same};

/// The provider dialects that cases are about.
pub const PROVIDERS: [&str; 3] = ["openai", "anthropic", "gemini"];

/// A request, and what every provider and the client must get.
#[derive(Debug)]
pub struct ChatCase {
    pub name: String,
    /// The policy's `unsupported`: `refuse` or `drop`.
    pub unsupported: String,
    /// The policy's `out_of_range`: `refuse` or `clamp`.
    pub out_of_range: String,
    /// The client's body.
    pub request: Vec<u8>,
    /// In the order of [`PROVIDERS`], without those that the case is not about.
    pub exchanges: Vec<Exchange>,
}

/// One case at one provider.
#[derive(Debug)]
pub struct Exchange {
    /// The provider's dialect.
    pub provider: &'static str,
    /// The target's model.
    pub model: String,
    pub expected: Expected,
    /// The body that the provider must get; `None` where it is the client's with another model, or refused.
    pub request: Option<Value>,
    /// What the provider answers; `None` where only the request counts.
    pub response: Option<Body>,
    /// What the client must get; `None` where it is the provider's answer, byte for byte.
    pub client: Option<Body>,
}

/// A body of an answer.
#[derive(Clone, Debug)]
pub struct Body {
    pub bytes: Vec<u8>,
    /// Whether it is a stream of server-sent events.
    pub stream: bool,
}

/// A provider's block of `case.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    pub path: Option<String>,
    pub request_headers: BTreeMap<String, String>,
    pub refused: Option<Refused>,
    pub dropped: Vec<String>,
    pub clamped: Vec<String>,
    pub status: Option<u16>,
    pub headers: BTreeMap<String, String>,
    pub client_status: Option<u16>,
    pub client_headers: BTreeMap<String, String>,
    pub skip: BTreeMap<String, String>,
}

/// How a request is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    pub param: Option<String>,
    pub status: u16,
    pub code: Option<String>,
}

/// A request that is refused before any provider is called.
#[derive(Debug)]
pub struct InvalidCase {
    pub name: String,
    pub request: Vec<u8>,
    pub expected: Invalid,
}

/// `case.yaml` of an invalid request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invalid {
    pub about: String,
    pub status: u16,
    pub param: Option<String>,
    pub code: Option<String>,
    pub message_contains: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChatYaml {
    #[serde(rename = "about")]
    _about: String,
    unsupported: Option<String>,
    out_of_range: Option<String>,
    #[serde(default)]
    model: BTreeMap<String, String>,
    openai: Option<Expected>,
    anthropic: Option<Expected>,
    gemini: Option<Expected>,
}

impl ChatCase {
    /// The policy's model `gpt-4o` for the case at one provider: its one target, and the case's own words.
    pub fn model(&self, exchange: &Exchange) -> Value {
        json!({
            "targets": [{"provider": exchange.provider, "model": exchange.model}],
            "unsupported": self.unsupported,
            "out_of_range": self.out_of_range,
        })
    }
}

impl Exchange {
    /// The answer to give where the case has none, and the status with it.
    pub fn response_or(&self, default: &ChatCase) -> Body {
        let other = || default.exchanges.iter().find(|exchange| exchange.provider == self.provider);
        let response =
            self.response.clone().or_else(|| other().and_then(|exchange| exchange.response.clone()));
        response.unwrap_or_else(|| panic!("no answer for {}", self.provider))
    }

    /// The status of the provider's answer.
    pub fn status(&self) -> u16 {
        self.expected.status.unwrap_or(200)
    }

    /// The status that the client must get.
    pub fn client_status(&self) -> u16 {
        self.expected.client_status.unwrap_or(self.status())
    }
}

/// Every chat case, by name.
pub fn chat() -> Vec<ChatCase> {
    folders("chat").map(|folder| read_chat(&folder)).collect()
}

/// Every invalid case, by name.
pub fn invalid() -> Vec<InvalidCase> {
    folders("invalid")
        .map(|folder| InvalidCase {
            name: name(&folder),
            request: read(&folder, "request.json")
                .or_else(|| read(&folder, "request.bin"))
                .expect("a request"),
            expected: yaml(&folder),
        })
        .collect()
}

fn folders(kind: &str) -> impl Iterator<Item = PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind);
    let entries = fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut folders: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    folders.into_iter()
}

fn read_chat(folder: &Path) -> ChatCase {
    let yaml: ChatYaml = yaml(folder);
    let blocks = [yaml.openai, yaml.anthropic, yaml.gemini];
    let exchanges = PROVIDERS.into_iter().zip(blocks).filter_map(|(provider, expected)| {
        let model =
            yaml.model.get(provider).map_or_else(|| default_model(provider), String::as_str).to_owned();
        let request = read(folder, &format!("{provider}.request.json"));
        let json = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        };
        Some(Exchange {
            provider,
            model,
            expected: expected?,
            request: request.map(json),
            response: read_body(folder, &format!("{provider}.response")),
            client: read_body(folder, &format!("{provider}.client")),
        })
    });
    ChatCase {
        name: name(folder),
        unsupported: yaml.unsupported.unwrap_or_else(|| "refuse".to_owned()),
        out_of_range: yaml.out_of_range.unwrap_or_else(|| "refuse".to_owned()),
        request: read(folder, "request.json")
            .unwrap_or_else(|| panic!("{} has no request", folder.display())),
        exchanges: exchanges.collect(),
    }
}

fn default_model(provider: &str) -> &'static str {
    match provider {
        "openai" => "gpt-4o-2024-11-20",
        "anthropic" => "claude-sonnet-4-5",
        _ => "gemini-2.5-flash",
    }
}

fn read_body(folder: &Path, stem: &str) -> Option<Body> {
    let json = read(folder, &format!("{stem}.json")).map(|bytes| Body { bytes, stream: false });
    json.or_else(|| read(folder, &format!("{stem}.sse")).map(|bytes| Body { bytes, stream: true }))
}

fn read(folder: &Path, file: &str) -> Option<Vec<u8>> {
    fs::read(folder.join(file)).ok()
}

fn yaml<T: for<'de> Deserialize<'de>>(folder: &Path) -> T {
    let path = folder.join("case.yaml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn name(folder: &Path) -> String {
    folder.file_name().expect("a name").to_string_lossy().into_owned()
}
