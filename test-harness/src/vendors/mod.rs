//! Mock vendors that speak the real wire formats: OpenAI, Anthropic and Gemini, as strict as they are, with scripted
//! faults and an exact record of what arrived.
//!
//! ```no_run
//! use test_harness::vendors::{Behaviour, Options, Vendor, Vendors};
//! let vendors = Vendors::start(Options::default())?;
//! vendors.script("openai", Behaviour::Status { status: 503, headers: vec![], body: None });
//! println!("{} {}", vendors.url("openai"), vendors.control_url());
//! // … requests …
//! assert_eq!(vendors.records_of("openai").len(), 1);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What they accept
//! - `openai`: `POST /v1/chat/completions`, `GET /v1/models`, `GET /v1/models/{id}` (SDK `openai` 3.52.0).
//! - `anthropic`: `POST /v1/messages`, API versions 2023-06-01 and 2026-10-21 (SDK `anthropic` 2.11.0).
//! - `gemini`: `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent` with and without `alt=sse`, also
//!   under `/v1` (SDK `google-genai` 3.4.0).
//!
//! A request is refused with the vendor's own status and body for: fields that are unknown, missing, of a wrong type or
//! out of range; roles, orders and pairs of tool calls and results that the vendor refuses; settings that the model
//! doesn't take; a missing or foreign credential; a content type that isn't JSON; a model of another vendor's naming.
//! Credentials are known by their look: `sk-…` (not `sk-ant-…`) as a bearer for OpenAI, `sk-ant-…` as `x-api-key` or
//! bearer for Anthropic, `AIza…` or `AQ.…` as `x-goog-api-key` or `?key=` for Gemini; [`Options::keys`] adds others.
//! Signatures of reasoning (Anthropic's thinking blocks, Gemini's thought signatures) are accepted only if a mock made
//! them; Gemini's documented stand-ins pass too. Where the vendors' documents contradict each other or are silent, the
//! mocks don't refuse: OpenAI's rule that `metadata` needs `store`, Anthropic's caps on `max_tokens` per model, which
//! fields Gemini's `/v1` lacks.
//!
//! # What they answer
//! Worked out from the request alone. Text: `This is OpenAI. You said: "<last user text>".`, after tool results
//! `This is OpenAI. The tools returned: "<result>", "<result>".`, with pictures in the last user message
//! ` I see 1 image, image/png, 70 bytes.` at its end, ` (choice 2)` in further choices. Tools on offer are called when the
//! last user text contains their names (several, unless parallel calls are off) or the tool choice forces one, and the
//! conversation doesn't end in tool results; the arguments are an [instance](schema::instance) of the tool's schema.
//! JSON schema output is such an instance too; JSON mode gives `{"answer":"<user text>","vendor":"OpenAI"}`. Stop
//! sequences cut the text; the token limit cuts it, and calls that don't fit are left out. Reasoning, when asked for, is
//! [`REASONING`], 7 tokens.
//!
//! Tokens are words (stretches without white space). Input: every text sent (system, messages, calls' arguments, tool
//! results), the names and descriptions of tools, and 10 for each picture. Output: text, calls' arguments as compact
//! JSON, reasoning. Cached: all words of the system text if it contains the word "cached". Written to the cache
//! (Anthropic): the words of blocks with `cache_control`, when none are cached.
//!
//! # Scripts
//! Each instance has a queue of [`Script`]s, each a [`Behaviour`] for one request, for `times` requests, or with
//! `times: 0` for all that follow. With an empty queue a vendor answers well, at its [`Pace`]. Behaviours that answer
//! well (`normal`, `content`, `slow`, `cut`, `stream_error`, `malformed`) still refuse a bad request; `status`, `raw`,
//! `reset` and `hang` happen whatever came. The record holds the refusal that a request earned in both cases.
//!
//! # Control API
//! JSON over HTTP on a port of its own; the same as methods of [`Vendors`].
//! - `GET /addresses`: what the binary prints: `{"openai":"http://127.0.0.1:1234",…,"control":"http://…"}`.
//! - `POST /script` `{"vendor":"openai","behaviour":{"kind":"status","status":429,"headers":[["retry-after","1"]]},"times":1}`,
//!   or a list of such. `vendor` is the instance's name. Fields but `kind` are
//!   optional, except `status` of the kind `status` and both of a call; where one value is shown, it is the default:
//!   - `{"kind":"normal"}`
//!   - `{"kind":"content","text":"","reasoning":null,"calls":[{"name":"f","arguments":{}}],"finish":"stop|length|content_filter|refusal"}`
//!   - `{"kind":"status","status":503,"headers":[],"body":null}`: `body` null for the vendor's own, a string as it is, else JSON
//!   - `{"kind":"reset"}`: RST once the request has arrived
//!   - `{"kind":"hang"}`: never answers
//!   - `{"kind":"slow","head_ms":0,"first_ms":0,"gap_ms":0,"pieces":null}`
//!   - `{"kind":"stream_error","after_events":0,"status":503,"as_data":false}`: an error inside a 200 stream, first or later
//!   - `{"kind":"cut","after_events":0,"how":"end|close|reset"}`: the end too soon; `end` ends the HTTP body properly, `close` sends FIN, `reset` RST
//!   - `{"kind":"raw","status":200,"headers":[],"chunks":[{"text":"…"},{"base64":"…"}],"gap_ms":0,"how":"end"}`
//!   - `{"kind":"malformed"}`: JSON that is none
//! - `GET /script`: what is queued, by instance.
//! - `POST /pace` `{"vendor":"openai","pace":{"first_ms":100,"gap_ms":10,"pieces":5}}`: the pace without scripts; for all without `vendor`.
//! - `POST /hold` `{"vendor":"openai","held":true}`: holds back every answer, until told `false`; of all without `vendor`.
//! - `GET /records`: `{"records":[…]}`, each a [`Record`].
//! - `POST /reset`: forgets records, scripts and paces, and holds nothing back.

// `value["name"]` on JSON gives null where nothing is, it doesn't panic; assignments are to objects made just before.
#![allow(clippy::indexing_slicing)]

pub mod answer;
mod anthropic;
mod control;
mod dialect;
mod gemini;
mod openai;
pub mod record;
mod reply;
pub mod schema;
pub mod script;
mod server;
pub mod shape;
mod wire;

pub use answer::REASONING;
pub use record::{Body, Record, Used};
pub use script::{Behaviour, Chunk, Content, Cut, Ending, Pace, Script, ScriptedCall};

use record::Store;
use serde::{Deserialize, Serialize};
use server::Instance;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A vendor whose wire format is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// OpenAI.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini Developer API.
    Gemini,
}

/// How to start the mocks.
#[derive(Clone, Debug)]
pub struct Options {
    /// A port for each instance of OpenAI; 0 for a free one. The first is called `openai`, the others `openai-2`, ….
    pub openai: Vec<u16>,
    /// The same for Anthropic.
    pub anthropic: Vec<u16>,
    /// The same for Gemini.
    pub gemini: Vec<u16>,
    /// The control API's port; 0 for a free one.
    pub control: u16,
    /// Where to write `ca.pem`; with it each instance also listens for TLS, on a free port, with HTTP/2 and HTTP/1.1.
    pub tls_dir: Option<PathBuf>,
    /// Keys accepted beside those that look like the vendor's.
    pub keys: Vec<(Vendor, String)>,
    /// Accepts any model's name.
    pub any_model: bool,
    /// How many records to keep, the latest ones.
    pub max_records: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            openai: vec![0],
            anthropic: vec![0],
            gemini: vec![0],
            control: 0,
            tls_dir: None,
            keys: Vec::new(),
            any_model: false,
            max_records: 10_000,
        }
    }
}

/// Running mocks, on threads of their own; they stop when this is dropped.
pub struct Vendors {
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// What the servers and the control API share.
pub(crate) struct Shared {
    store: Arc<Store>,
    instances: Vec<Arc<Instance>>,
    addresses: BTreeMap<String, String>,
}

impl Vendor {
    /// The name that instances begin with.
    pub fn name(self) -> &'static str {
        match self {
            Vendor::Openai => "openai",
            Vendor::Anthropic => "anthropic",
            Vendor::Gemini => "gemini",
        }
    }

    pub(crate) fn dialect(self) -> &'static dyn dialect::Dialect {
        match self {
            Vendor::Openai => &openai::OpenAi,
            Vendor::Anthropic => &anthropic::Anthropic,
            Vendor::Gemini => &gemini::Gemini,
        }
    }
}

impl Vendors {
    /// Starts the mocks; works inside and outside of an async runtime.
    ///
    /// # Errors
    /// A port is taken, or `tls_dir` can't be written.
    pub fn start(options: Options) -> io::Result<Vendors> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("mock-vendors")
            .enable_all()
            .build()?;
        let store = Arc::new(Store::new(options.max_records.max(1)));
        let connections = Arc::new(AtomicU64::new(0));
        let tls = options.tls_dir.as_deref().map(wire::tls).transpose()?;
        let mut shared =
            Shared { store: Arc::clone(&store), instances: Vec::new(), addresses: BTreeMap::new() };
        let ports = [
            (Vendor::Openai, &options.openai),
            (Vendor::Anthropic, &options.anthropic),
            (Vendor::Gemini, &options.gemini),
        ];
        for (vendor, ports) in ports {
            for (index, port) in ports.iter().enumerate() {
                let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
                let name = format!("{}{number}", vendor.name());
                let keys = options.keys.iter().filter(|(of, _)| *of == vendor).map(|(_, key)| key.clone());
                let instance = Arc::new(Instance {
                    name: name.clone(),
                    vendor,
                    queue: Mutex::default(),
                    pace: Mutex::default(),
                    held: watch::Sender::default(),
                    store: Arc::clone(&store),
                    connections: Arc::clone(&connections),
                    keys: keys.collect(),
                    any_model: options.any_model,
                });
                let listener = bind(*port)?;
                shared.addresses.insert(name.clone(), format!("http://{}", listener.local_addr()?));
                runtime.spawn(server::accept(Arc::clone(&instance), on(&runtime, listener)?, None));
                if let Some(tls) = &tls {
                    let listener = bind(0)?;
                    let port = listener.local_addr()?.port();
                    shared.addresses.insert(format!("{name}_tls"), format!("https://localhost:{port}"));
                    let listener = on(&runtime, listener)?;
                    runtime.spawn(server::accept(Arc::clone(&instance), listener, Some(tls.clone())));
                }
                shared.instances.push(instance);
            }
        }
        let listener = bind(options.control)?;
        shared.addresses.insert("control".to_owned(), format!("http://{}", listener.local_addr()?));
        let shared = Arc::new(shared);
        runtime.spawn(control::serve(Arc::clone(&shared), on(&runtime, listener)?));
        Ok(Vendors { shared, runtime: Some(runtime) })
    }

    /// All addresses: `openai`, `openai-2`, …, `openai_tls`, …, `control`.
    pub fn addresses(&self) -> &BTreeMap<String, String> {
        &self.shared.addresses
    }

    /// An instance's address, such as `http://127.0.0.1:1234`; empty for a name that isn't there.
    pub fn url(&self, instance: &str) -> &str {
        self.shared.addresses.get(instance).map_or("", String::as_str)
    }

    /// The control API's address.
    pub fn control_url(&self) -> &str {
        self.url("control")
    }

    /// Queues a behaviour for an instance: for one request, or a [`Script`] for more. Says whether there is such an instance.
    pub fn script(&self, instance: &str, script: impl Into<Script>) -> bool {
        let found = self.shared.instance(instance);
        if let Some(found) = found {
            lock(&found.queue).push(script.into());
        }
        found.is_some()
    }

    /// Sets the pace of an instance, or of all.
    pub fn pace(&self, instance: Option<&str>, pace: Pace) {
        self.shared.set_pace(instance, pace);
    }

    /// Has an instance (or all) take requests and hold back every answer, or answer those that it holds and all others.
    pub fn hold(&self, instance: Option<&str>, held: bool) {
        self.shared.hold(instance, held);
    }

    /// All records, in order of arrival.
    pub fn records(&self) -> Vec<Record> {
        self.shared.store.all()
    }

    /// The records of one instance.
    pub fn records_of(&self, instance: &str) -> Vec<Record> {
        self.records().into_iter().filter(|record| record.instance == instance).collect()
    }

    /// Waits until the records satisfy `wanted`, and gives them; `None` when that takes longer than `most`. Needs a Tokio
    /// runtime around it.
    pub async fn wait(&self, most: Duration, wanted: impl Fn(&[Record]) -> bool) -> Option<Vec<Record>> {
        let started = Instant::now();
        loop {
            let records = self.records();
            if wanted(&records) {
                return Some(records);
            }
            if started.elapsed() > most {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// As [`Vendors::wait`], without a runtime. It blocks its thread: on a runtime of one thread, clients stand still too.
    pub fn wait_blocking(&self, most: Duration, wanted: impl Fn(&[Record]) -> bool) -> Option<Vec<Record>> {
        let started = Instant::now();
        loop {
            let records = self.records();
            if wanted(&records) {
                return Some(records);
            }
            if started.elapsed() > most {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Forgets records, scripts and paces, and holds nothing back.
    pub fn reset(&self) {
        self.shared.reset();
    }
}

impl Drop for Vendors {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime waits, which is forbidden inside another one.
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn addresses(&self) -> &BTreeMap<String, String> {
        &self.addresses
    }

    fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.name == name).map(AsRef::as_ref)
    }

    fn set_pace(&self, name: Option<&str>, pace: Pace) {
        for instance in self.instances.iter().filter(|one| name.is_none_or(|name| one.name == name)) {
            *lock(&instance.pace) = pace;
        }
    }

    fn hold(&self, name: Option<&str>, held: bool) {
        for instance in self.instances.iter().filter(|one| name.is_none_or(|name| one.name == name)) {
            instance.held.send_replace(held);
        }
    }

    fn reset(&self) {
        self.store.clear();
        for instance in &self.instances {
            lock(&instance.queue).clear();
            *lock(&instance.pace) = Pace::default();
            instance.held.send_replace(false);
        }
    }
}

/// Locks; what a panicking thread left behind is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bind(port: u16) -> io::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // Hundreds of connections may come at once.
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn on(runtime: &tokio::runtime::Runtime, listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    let _inside = runtime.enter();
    tokio::net::TcpListener::from_std(listener)
}
