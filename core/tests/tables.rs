//! The tables of `docs/dialects.md` that are made from the code, and the matrix held against what requests come to.
//!
//! With `UPDATE_GOLDENS` set, the page is written instead of compared.
// A test stops where it can't go on; the page is a file.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::dialect::{ClientDialect, Destination, Preset, ProviderDialect, Ranges, Support};
use sluice_core::exchange::{self, Exchange, Head, Reply};
use sluice_core::identity::Origin;
use sluice_core::policy::{self, Endpoint, Plan};
use sluice_core::shared::LocalMemory;
use sluice_core::task::TaskKind;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/dialects.md");

const POLICY_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.md");

/// A kind of destination that decides: how the table calls it, and one that is of it.
struct Column {
    heading: &'static str,
    dialect: ProviderDialect,
    preset: Option<&'static str>,
    endpoint: &'static str,
    model: &'static str,
}

const ELSEWHERE: &str = "https://provider.test";

const fn column(heading: &'static str, dialect: ProviderDialect, model: &'static str) -> Column {
    Column { heading, dialect, preset: None, endpoint: ELSEWHERE, model }
}

/// The columns of the table.
const COLUMNS: [Column; 9] = [
    Column {
        endpoint: "https://api.openai.com/v1",
        ..column("`openai`: OpenAI", ProviderDialect::OpenAi, "gpt-5.5")
    },
    column("`openai`: elsewhere", ProviderDialect::OpenAi, "llama"),
    column("`azure_openai`", ProviderDialect::AzureOpenAi, "my-deployment"),
    column("`anthropic`", ProviderDialect::Anthropic, "claude-sonnet-5-5"),
    column("`gemini`", ProviderDialect::Gemini, "gemini-2.5-flash"),
    column("`vertex`: Gemini", ProviderDialect::Vertex, "gemini-2.5-flash"),
    column("`vertex`: Claude", ProviderDialect::Vertex, "claude-sonnet-5-5"),
    // Whichever model has a form for the work.
    column("`bedrock`", ProviderDialect::Bedrock, ""),
    column("`cohere`", ProviderDialect::Cohere, "command-a-03-2025"),
];

/// Destinations that the table has no column for: presets, and models at Bedrock without a form for some work.
const OTHERS: [Column; 5] = [
    Column { preset: Some("groq"), ..column("groq", ProviderDialect::OpenAi, "llama") },
    Column { preset: Some("mistral"), ..column("mistral", ProviderDialect::OpenAi, "mistral-embed") },
    Column { preset: Some("together"), ..column("together", ProviderDialect::OpenAi, "rerank") },
    Column { preset: Some("tgi"), ..column("tgi", ProviderDialect::OpenAi, "tgi") },
    column("Nova at Bedrock", ProviderDialect::Bedrock, "amazon.nova-pro-v1:0"),
];

impl Column {
    fn model(&self, client: ClientDialect) -> &'static str {
        match (self.model, client.kind()) {
            ("", TaskKind::Embeddings) => "cohere.embed-v4:0",
            ("", TaskKind::Rerank) => "cohere.rerank-v3-5:0",
            ("", _) => "anthropic.claude-sonnet-4-5-20250929-v1:0",
            (model, _) => model,
        }
    }

    fn support(&self, client: ClientDialect) -> Support {
        let preset = self.preset.map(|name| Preset::named(name).expect("is a preset"));
        let endpoint = &Endpoint::parse(self.endpoint).expect("is an address");
        Support::of(
            client,
            Destination { dialect: self.dialect, preset, endpoint, model: self.model(client) },
        )
    }

    /// A policy whose model `m` is served here.
    fn plan(&self, client: ClientDialect) -> Arc<Plan> {
        let mut provider =
            json!({"dialect": self.dialect.name(), "endpoint": self.endpoint, "credential": {"env": "KEY"}});
        if let Some(preset) = self.preset {
            provider["preset"] = json!(preset);
        }
        if matches!(self.dialect, ProviderDialect::Vertex | ProviderDialect::Bedrock) {
            provider["region"] = json!("europe-west4");
        }
        if self.dialect == ProviderDialect::Vertex {
            provider["project"] = json!("project-1");
        }
        let document = json!({
            "version": 1,
            "providers": {"p": provider},
            "models": {"m": {"targets": [{"provider": "p", "model": self.model(client)}]}},
            "callers": {"anonymous": "allow"},
        });
        let plan = policy::load(document.to_string().as_bytes(), &|_| Some("key".to_owned()));
        Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")))
    }
}

fn support_table() -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = row(std::iter::once("client")
        .chain(COLUMNS.iter().map(|it| it.heading))
        .map(str::to_owned)
        .collect());
    table += &format!("|{}\n", "---|".repeat(COLUMNS.len() + 1));
    for client in ClientDialect::ALL {
        let cells = COLUMNS.iter().map(|column| column.support(client).word().to_owned());
        table += &row(std::iter::once(format!("`POST {}`", client.path())).chain(cells).collect());
    }
    table
}

fn ranges_table() -> String {
    let mut table = "| | temperature | `top_p` | `top_k` | penalties | several answers | alternatives of tokens | stop texts |\n"
        .to_owned();
    table += &format!("|{}\n", "---|".repeat(8));
    for (name, ranges) in Ranges::all() {
        let Ranges { temperature, top_p, top_k, penalties, choices, top_logprobs, stop } = ranges;
        let cells =
            [temperature, top_p, top_k, penalties, choices, top_logprobs, stop].map(|it| it.to_string());
        table += &format!("| `{name}` | {} |\n", cells.join(" | "));
    }
    table.replace("|  |", "| |").replace("|  |", "| |")
}

#[test]
fn the_page_shows_the_tables() {
    let mut page = fs::read_to_string(PAGE).expect("is there");
    let before = page.clone();
    for (name, table) in [("matrix", support_table()), ("ranges", ranges_table())] {
        let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let from = page.find(&start).expect("has a place for the table") + start.len();
        let to = page.find(&end).expect("the table ends");
        page.replace_range(from..to, &table);
    }
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        return fs::write(PAGE, page).expect("can be written");
    }
    assert!(
        page == before,
        "docs/dialects.md is not what the code says: run the tests with UPDATE_GOLDENS=1"
    );
}

#[test]
fn the_policy_reference_names_every_clients_api() {
    let page = fs::read_to_string(POLICY_PAGE).expect("is there");
    for client in ClientDialect::ALL {
        let row = format!("| `{}` | `POST {}`", client.word(), client.path());
        assert!(page.contains(&row), "docs/policy.md has no row {row}");
    }
}

fn open(plan: &Arc<Plan>, client: ClientDialect, body: &Value) -> Result<Exchange, Reply> {
    let path = client.path().replace("<model>", "m");
    let headers = [(":method", "POST"), (":path", &path), ("content-type", "application/json")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let head = Head { headers: &headers, origin: Origin::default() };
    exchange::open(plan, head, Duration::ZERO)?
        .read(Some(body.to_string().into_bytes()), &LocalMemory::default())
}

/// A request with nothing in it but what has to be there.
fn least(client: ClientDialect) -> Value {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    match client {
        ClientDialect::OpenAiChat => json!({"model": "m", "messages": messages}),
        ClientDialect::OpenAiResponses => json!({"model": "m", "input": "Hi"}),
        ClientDialect::OpenAiCompletions => json!({"model": "m", "prompt": "Hi"}),
        ClientDialect::OpenAiEmbeddings => json!({"model": "m", "input": "Hi"}),
        ClientDialect::Anthropic => json!({"model": "m", "max_tokens": 5, "messages": messages}),
        ClientDialect::AnthropicTokens => json!({"model": "m", "messages": messages}),
        ClientDialect::Gemini | ClientDialect::GeminiTokens => {
            json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]})
        }
        ClientDialect::CohereRerank | ClientDialect::JinaRerank => {
            json!({"model": "m", "query": "Hi", "documents": ["Ho"]})
        }
    }
}

/// What requests really come to: an unknown field survives where the bytes go as they are, and nowhere else.
#[test]
fn requests_come_to_what_the_matrix_says() {
    for column in COLUMNS.iter().chain(&OTHERS) {
        for client in ClientDialect::ALL {
            let name = format!("{} at {}", client.word(), column.heading);
            let plan = column.plan(client);
            let mut body = least(client);
            let found = open(&plan, client, &body);
            body["unheard_of"] = json!(1);
            let with_more = open(&plan, client, &body);
            match column.support(client) {
                Support::Unsupported => {
                    let reply = found.expect_err(&name);
                    let text = String::from_utf8_lossy(&reply.body);
                    assert!(reply.status == 400 && text.contains("p does no "), "{name}: {text}");
                }
                Support::Translated => {
                    assert!(found.is_ok(), "{name}");
                    let reply = with_more.expect_err(&name);
                    let text = String::from_utf8_lossy(&reply.body);
                    assert!(reply.status == 400 && text.contains("unheard_of"), "{name}: {text}");
                }
                Support::AsItIs => {
                    assert!(found.is_ok(), "{name}");
                    let mut opened = with_more.unwrap_or_else(|_| panic!("{name}"));
                    let (sent, _) = opened
                        .attempt("p", 1, &LocalMemory::default(), Duration::ZERO)
                        .expect("can be asked");
                    let sent = sent.body.expect("has a body");
                    assert!(String::from_utf8_lossy(&sent).contains("unheard_of"), "{name}");
                }
            }
        }
    }
}
