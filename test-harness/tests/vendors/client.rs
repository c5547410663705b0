//! A plain HTTP client that notes when each part of a body came and how the body ended.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use test_harness::vendors::{Options, Vendors};
use tokio::net::TcpStream;

/// No call takes longer.
pub const LIMIT: Duration = Duration::from_secs(10);

/// A picture of one pixel, 70 bytes.
pub const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// One connection.
pub struct Client(SendRequest<Full<Bytes>>, String);

/// An answer, read to its end.
pub struct Reply {
    pub status: u16,
    pub response: hyper::http::response::Parts,
    pub text: String,
    /// Each part with its time since the request, in milliseconds.
    pub parts: Vec<(f64, String)>,
    /// Whether the body ended as HTTP says.
    pub whole: bool,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The JSON of every `data:` line.
    pub fn data(&self) -> Vec<Value> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.filter(|line| *line != "[DONE]").map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.response.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub async fn connect(url: &str) -> Client {
        let address = url.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Client(sender, address.to_owned())
    }

    /// Sends a request and gives the answer's head.
    pub async fn head(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> hyper::Result<Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.1);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        tokio::time::timeout(LIMIT, self.0.send_request(request)).await.expect("no answer in time")
    }

    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> hyper::Result<Reply> {
        let started = Instant::now();
        let (response, mut body) = self.head(method, path, headers, body).await?.into_parts();
        let mut parts = Vec::new();
        let mut whole = true;
        while let Some(frame) = tokio::time::timeout(LIMIT, body.frame()).await.expect("no end in time") {
            match frame {
                Ok(frame) => {
                    let bytes = frame.into_data().unwrap();
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    parts.push((started.elapsed().as_secs_f64() * 1e3, text));
                }
                Err(_) => whole = false,
            }
        }
        let text = parts.iter().map(|(_, text)| text.as_str()).collect();
        Ok(Reply { status: response.status.as_u16(), response, text, parts, whole })
    }
}

pub fn start() -> Vendors {
    Vendors::start(Options::default()).unwrap()
}

/// A vendor's path and headers for a chat; a body with `stream` goes to Gemini's streaming method.
pub fn target(vendor: &str, body: &Value) -> (String, Vec<(&'static str, &'static str)>) {
    let json = ("content-type", "application/json");
    match vendor.split('-').next().unwrap() {
        "openai" => ("/v1/chat/completions".to_owned(), vec![json, ("authorization", "Bearer sk-test")]),
        "anthropic" => {
            let version = ("anthropic-version", "2026-10-21");
            ("/v1/messages".to_owned(), vec![json, version, ("x-api-key", "sk-ant-test")])
        }
        _ => {
            let model = body["model"].as_str().unwrap_or("gemini-2.5-flash");
            let method = if body["stream"] == json!(true) {
                "streamGenerateContent?alt=sse"
            } else {
                "generateContent"
            };
            (format!("/v1beta/models/{model}:{method}"), vec![json, ("x-goog-api-key", "AIzaTest")])
        }
    }
}

/// Sends a chat on a connection of its own. Gemini's model and stream are taken out of the body into the path.
pub async fn chat(vendors: &Vendors, vendor: &str, body: &Value) -> hyper::Result<Reply> {
    let mut client = Client::connect(vendors.url(vendor)).await;
    let (path, headers) = target(vendor, body);
    client.send("POST", &path, &headers, &sent(vendor, body)).await
}

/// The body as it goes to the vendor.
pub fn sent(vendor: &str, body: &Value) -> String {
    let mut body = body.clone();
    if vendor.starts_with("gemini") {
        let fields = body.as_object_mut().unwrap();
        fields.remove("model");
        fields.remove("stream");
    }
    body.to_string()
}

/// The smallest chat that a vendor accepts, saying `text`.
pub fn hello(vendor: &str, text: &str) -> Value {
    match vendor.split('-').next().unwrap() {
        "openai" => json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}),
        "anthropic" => json!({
            "model": "claude-sonnet-4-5", "max_tokens": 2000, "messages": [{"role": "user", "content": text}]
        }),
        _ => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
    }
}

/// The text of an answer in one part.
pub fn text_of(vendor: &str, answer: &Value) -> String {
    let text = match vendor {
        "openai" => &answer["choices"][0]["message"]["content"],
        "anthropic" => &answer["content"][0]["text"],
        _ => &answer["candidates"][0]["content"]["parts"][0]["text"],
    };
    text.as_str().unwrap_or_else(|| panic!("no text in {answer}")).to_owned()
}

/// A hello that asks for a stream.
pub fn stream(vendor: &str, text: &str) -> Value {
    let mut body = hello(vendor, text);
    body["stream"] = json!(true);
    body
}

pub const VENDORS: [&str; 3] = ["openai", "anthropic", "gemini"];
