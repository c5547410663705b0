//! The record of what arrived and what became of it, kept exactly so that tests can prove what a vendor never saw.

use super::Vendor;
use base64::Engine as _;
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Headers that Envoy's router adds by itself after all filters; any other `x-envoy-` header was let through.
const FROM_ENVOY: &[&str] = &[
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-is-timeout-retry",
    "x-envoy-original-host",
    "x-envoy-original-path",
];

/// One request, from its arrival to its end.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// Its number, from 0, across all vendors; a reset doesn't start anew.
    pub index: u64,
    /// The instance that got it: `openai`, `anthropic-2`, …
    pub instance: String,
    /// That instance's vendor.
    pub vendor: Vendor,
    /// When its head had arrived, in milliseconds since the start.
    pub arrived_ms: f64,
    /// The TCP connection, numbered from 0 across all vendors.
    pub connection: u64,
    /// The connection's TLS, if any.
    pub tls: Option<Tls>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The method.
    pub method: String,
    /// The path with its query, as sent.
    pub target: String,
    /// All headers with their repeats; names in lower case, repeats beside their first. HTTP/2's `:authority` comes as `host`.
    pub headers: Vec<(String, String)>,
    /// The names of headers that were for the gateway alone: `x-sluice-…`, and `x-envoy-…` beyond what Envoy itself adds.
    pub leaked_headers: Vec<String>,
    /// The body.
    pub body: Body,
    /// The body's length in bytes.
    pub body_bytes: usize,
    /// The body parsed, when it is JSON.
    pub json: Option<Value>,
    /// Why the vendor would refuse the request, whatever was scripted.
    pub fault: Option<ReportedFault>,
    /// What was answered so far.
    pub answer: Reply,
    /// When the client left before the end, if it did.
    pub disconnected: Option<Disconnect>,
}

/// TLS as the client negotiated it.
#[derive(Clone, Debug, Serialize)]
pub struct Tls {
    /// The server name that the client asked for.
    pub sni: Option<String>,
    /// The protocol agreed by ALPN.
    pub alpn: Option<String>,
}

/// A body's bytes.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
}

/// A refusal by the strict rules.
#[derive(Clone, Debug, Serialize)]
pub struct ReportedFault {
    /// Its status.
    pub status: u16,
    /// Its message.
    pub message: String,
}

/// What was answered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reply {
    /// The behaviour that decided it, by name.
    pub behaviour: &'static str,
    /// The status, once it was sent.
    pub status: Option<u16>,
    /// Whether it is a stream.
    pub stream: bool,
    /// The events (or parts of a body) sent.
    pub events: usize,
    /// The bytes of body sent.
    pub bytes: usize,
    /// What the whole answer tells that it has used; what breaks off may not come to tell it.
    pub usage: Option<Used>,
    /// When its head was sent, in milliseconds since the start.
    pub head_ms: Option<f64>,
    /// When it ended, the way that the behaviour wanted.
    pub ended_ms: Option<f64>,
}

/// Tokens of one exchange, each count with its own details in it.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Used {
    /// Of the request.
    pub input: u64,
    /// Of these, read from the cache.
    pub cached: u64,
    /// Of these, written to it.
    pub written: u64,
    /// Of the answer.
    pub output: u64,
    /// Of these, for thinking.
    pub reasoning: u64,
}

/// A client that left early.
#[derive(Clone, Debug, Serialize)]
pub struct Disconnect {
    /// When that was noticed, in milliseconds since the start.
    pub at_ms: f64,
    /// The events sent until then.
    pub after_events: usize,
}

/// All records, shared by the servers.
#[derive(Debug)]
pub struct Store {
    started: Instant,
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    records: VecDeque<Record>,
}

/// Follows one request; when it is dropped before [`Tracked::finished`], the client has left.
#[derive(Debug)]
pub struct Tracked {
    store: Arc<Store>,
    /// The record's number.
    pub index: u64,
    done: bool,
}

/// A request's head, to open its record.
pub struct Head<'a> {
    /// The instance's name.
    pub instance: &'a str,
    /// Its vendor.
    pub vendor: Vendor,
    /// The connection's number.
    pub connection: u64,
    /// The connection's TLS.
    pub tls: Option<Tls>,
    /// The head itself.
    pub parts: &'a hyper::http::request::Parts,
    /// The behaviour chosen.
    pub behaviour: &'static str,
}

impl Store {
    /// An empty store that keeps the latest `most` records.
    pub fn new(most: usize) -> Self {
        Store { started: Instant::now(), most, inner: Mutex::default() }
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e3
    }

    /// All records kept, oldest first.
    pub fn all(&self) -> Vec<Record> {
        self.lock().records.iter().cloned().collect()
    }

    /// Forgets all records. Requests still under way are forgotten too.
    pub fn clear(&self) {
        self.lock().records.clear();
    }

    /// Opens the record of a request that has just arrived.
    pub fn open(self: &Arc<Self>, head: &Head<'_>) -> Tracked {
        let text =
            |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut headers: Vec<(String, String)> = Vec::new();
        for name in head.parts.headers.keys() {
            let values = head.parts.headers.get_all(name).iter();
            headers.extend(values.map(|value| (name.to_string(), text(value))));
        }
        if let Some(authority) =
            head.parts.uri.authority().filter(|_| !head.parts.headers.contains_key("host"))
        {
            headers.insert(0, ("host".to_owned(), authority.to_string()));
        }
        let ours = |name: &&String| {
            name.starts_with("x-sluice-")
                || name.starts_with("x-envoy-") && !FROM_ENVOY.contains(&name.as_str())
        };
        let leaked_headers = headers.iter().map(|(name, _)| name).filter(ours).cloned().collect();
        let target = head.parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let mut inner = self.lock();
        let index = inner.next;
        inner.next += 1;
        if inner.records.len() >= self.most {
            inner.records.pop_front();
        }
        inner.records.push_back(Record {
            index,
            instance: head.instance.to_owned(),
            vendor: head.vendor,
            arrived_ms: self.now_ms(),
            connection: head.connection,
            tls: head.tls.clone(),
            version: format!("{:?}", head.parts.version),
            method: head.parts.method.to_string(),
            target,
            headers,
            leaked_headers,
            body: Body::Text(String::new()),
            body_bytes: 0,
            json: None,
            fault: None,
            answer: Reply { behaviour: head.behaviour, ..Reply::default() },
            disconnected: None,
        });
        Tracked { store: Arc::clone(self), index, done: false }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock is held is a test's own failure; the record stays readable for its message.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, index: u64, change: impl FnOnce(&mut Record)) {
        let mut inner = self.lock();
        // The records kept are numbered without gaps; one that was cleared lies before the first.
        let first = inner.records.front().map_or(u64::MAX, |record| record.index);
        let place = index.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if let Some(record) = place.and_then(|place| inner.records.get_mut(place)) {
            change(record);
        }
    }
}

impl Tracked {
    /// Notes the body.
    pub fn body(&self, bytes: &[u8]) {
        let body = match std::str::from_utf8(bytes) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Base64(base64::engine::general_purpose::STANDARD.encode(bytes)),
        };
        let json = serde_json::from_slice(bytes).ok();
        self.store.update(self.index, |record| {
            record.body = body;
            record.body_bytes = bytes.len();
            record.json = json;
        });
    }

    /// Notes why the vendor refuses the request.
    pub fn fault(&self, status: u16, message: &str) {
        let fault = ReportedFault { status, message: message.to_owned() };
        self.store.update(self.index, |record| record.fault = Some(fault));
    }

    /// Notes what the answer tells that it has used.
    pub fn usage(&self, used: Used) {
        self.store.update(self.index, |record| record.answer.usage = Some(used));
    }

    /// Notes that the response's head is on its way.
    pub fn head(&self, status: u16, stream: bool) {
        let now = self.store.now_ms();
        self.store.update(self.index, |record| {
            record.answer.status = Some(status);
            record.answer.stream = stream;
            record.answer.head_ms = Some(now);
        });
    }

    /// Notes one event (or part of a body) sent.
    pub fn sent(&self, bytes: usize) {
        self.store.update(self.index, |record| {
            record.answer.events += 1;
            record.answer.bytes += bytes;
        });
    }

    /// Notes that the response ended the way it should.
    pub fn finished(&mut self) {
        if !self.done {
            self.done = true;
            let now = self.store.now_ms();
            self.store.update(self.index, |record| record.answer.ended_ms = Some(now));
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if !self.done {
            let at_ms = self.store.now_ms();
            self.store.update(self.index, |record| {
                record.disconnected = Some(Disconnect { at_ms, after_events: record.answer.events });
            });
        }
    }
}
