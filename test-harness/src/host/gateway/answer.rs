//! What the client got, and what each vendor was sent.
use std::collections::BTreeMap;

use crate::host::headers::HeaderMap;
use crate::host::log::LogEntry;

/// The client's side of an exchange, and the record of its attempts.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) headers_after: usize,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) complete: bool,
    pub(crate) reset: bool,
    pub(crate) upstreams: Vec<UpstreamRequest>,
    pub(crate) filter_state: BTreeMap<String, Vec<u8>>,
    pub(crate) log: Vec<LogEntry>,
}

/// A part of the client's body, as it was flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many body chunks of the answering vendor had arrived when it was flushed; 0 is before the first.
    pub after: usize,
}

/// One attempt: exactly what the vendor was sent.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    /// The provider of the target.
    pub provider: String,
    /// Its occurrence among the model's targets, from 1.
    pub occurrence: u32,
    /// The headers, when they were sent; `None` when the filter never let them go.
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) complete: bool,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has not.
    Open,
    /// Its response went to the client.
    Answered,
    /// The router went on to the next target, because of this `:status` or reset.
    Retried(String),
    /// It broke, and there was no retry: the reason.
    Failed(String),
    /// Nobody wanted its answer any more.
    Abandoned,
}

impl Answer {
    /// The HTTP status; panics where the client got no response.
    pub fn status(&self) -> u16 {
        let headers = self.headers.as_ref().unwrap_or_else(|| panic!("the client got no response: {self:?}"));
        headers.get(":status").and_then(|status| status.parse().ok()).expect("a response has a status")
    }

    /// The first value of a response header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name)
    }

    /// The response headers; `None` where the client got no response.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_ref()
    }

    /// The whole body.
    pub fn body(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect()
    }

    /// The whole body as text; panics where it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8(self.body()).expect("a body of text")
    }

    /// The whole body as JSON; panics where it is not.
    pub fn json(&self) -> serde_json::Value {
        let body = self.body();
        serde_json::from_slice(&body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)))
    }

    /// The body as it was flushed, in order.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// How many body chunks of the vendor had arrived when the response headers were flushed.
    pub fn headers_after(&self) -> usize {
        self.headers_after
    }

    /// The trailers, where there were any.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// The response has come to its end.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The stream was reset before the response's end, by Envoy, or by the client itself.
    pub fn was_reset(&self) -> bool {
        self.reset
    }

    /// The attempts, in order.
    pub fn attempts(&self) -> &[UpstreamRequest] {
        &self.upstreams
    }

    /// The nth attempt, from 1; panics where there were fewer.
    pub fn upstream(&self, attempt: usize) -> &UpstreamRequest {
        let index = attempt.checked_sub(1).expect("attempts count from 1");
        self.upstreams
            .get(index)
            .unwrap_or_else(|| panic!("there were only {} attempts", self.upstreams.len()))
    }

    /// Filter state that the module has set: `set_property(["x"])` is `x` here, `wasm.x` in an access log.
    pub fn filter_state(&self, name: &str) -> Option<&[u8]> {
        self.filter_state.get(&format!("wasm.{name}")).map(Vec::as_slice)
    }

    /// What the module has logged since the exchange began.
    pub fn log(&self) -> &[LogEntry] {
        &self.log
    }

    /// A `content-length` that is not the body's, in a message that was sent whole.
    pub(crate) fn framing_fault(&self) -> Option<String> {
        let declared = |headers: &HeaderMap| headers.get("content-length").map(str::to_owned);
        for (index, request) in self.upstreams.iter().enumerate() {
            let length = request.headers.as_ref().filter(|_| request.complete).and_then(declared);
            if let Some(length) = length.filter(|length| *length != request.body.len().to_string()) {
                let (attempt, bytes) = (index + 1, request.body.len());
                return Some(format!(
                    "the request of attempt {attempt} declares {length} bytes and has {bytes}"
                ));
            }
        }
        let length = self.headers.as_ref().filter(|_| self.complete).and_then(declared)?;
        let bytes = self.body().len();
        (length != bytes.to_string())
            .then(|| format!("the client's response declares {length} bytes and has {bytes}"))
    }
}

impl UpstreamRequest {
    /// The first value of a header, as it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name)
    }

    /// All headers, pseudo-headers first; `None` when nothing was sent.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_ref()
    }

    /// The path.
    pub fn path(&self) -> Option<&str> {
        self.header(":path")
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The whole body as JSON; panics where it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The trailers, where there were any.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// The request was sent to its end.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}
