//! A client's request, told in the order in which it happens.
use std::collections::VecDeque;
use std::time::Duration;

use super::answer::Answer;
use super::exchange::{Script, Target};
use super::vendor::Vendor;
use super::{Exchange, Gateway};
use crate::host::callout::{Callout, CalloutReply};
use crate::host::error::HostError;
use crate::host::headers::HeaderMap;
use crate::host::property::Value;

/// Answers the callouts of a request.
type Responder = Box<dyn FnMut(&Callout) -> Option<CalloutReply> + Send>;

/// A request to be sent.
pub struct RequestBuilder {
    gateway: Gateway,
    script: Script,
    content_length: bool,
    responders: Vec<Responder>,
}

impl RequestBuilder {
    pub(super) fn new(gateway: Gateway, method: &str, path: &str, buffer_limit: Option<usize>) -> Self {
        let headers = HeaderMap::of([
            (":authority", "gateway.test"),
            (":path", path),
            (":method", method),
            (":scheme", "http"),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "00000000-0000-4000-8000-000000000001"),
        ]);
        let script = Script {
            headers,
            body: Vec::new(),
            trailers: None,
            end_with_last_chunk: false,
            targets: VecDeque::new(),
            no_healthy_upstream: false,
            route_timeout: None,
            client_leaves_after: None,
            properties: Vec::new(),
            buffer_limit,
        };
        Self { gateway, script, content_length: true, responders: Vec::new() }
    }

    /// A header more; a repeated name stays repeated.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.script.headers.add(name, value);
        self
    }

    /// The body, in one chunk.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.body_in_chunks([body.into()])
    }

    /// A JSON body, with its content type.
    pub fn json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.script.headers.set("content-type", "application/json");
        self.body(body)
    }

    /// The body, in chunks as they arrive from the network.
    pub fn body_in_chunks<C: Into<Vec<u8>>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        self.script.body =
            chunks.into_iter().map(Into::into).filter(|chunk: &Vec<u8>| !chunk.is_empty()).collect();
        self
    }

    /// Cuts the body anew into chunks of this many bytes.
    pub fn in_chunks_of(mut self, size: usize) -> Self {
        let body = self.script.body.concat();
        self.script.body = body.chunks(size.max(1)).map(<[u8]>::to_vec).collect();
        self
    }

    /// The body comes without `content-length`, in HTTP's own chunks.
    pub fn without_content_length(mut self) -> Self {
        self.content_length = false;
        self
    }

    /// The end comes with the last chunk, as HTTP/2 can send it. Otherwise it comes alone, as HTTP/1 sends it.
    pub fn end_with_last_chunk(mut self) -> Self {
        self.script.end_with_last_chunk = true;
        self
    }

    /// Trailers after the body.
    pub fn trailers(mut self, trailers: HeaderMap) -> Self {
        self.script.trailers = Some(trailers);
        self
    }

    /// The next attempt reaches this provider's target, and this happens there.
    pub fn target(mut self, provider: &str, occurrence: u32, vendor: Vendor) -> Self {
        self.script.targets.push_back(Target { provider: provider.to_owned(), occurrence, vendor });
        self
    }

    /// The router finds no healthy host: 503.
    pub fn no_healthy_upstream(mut self) -> Self {
        self.script.no_healthy_upstream = true;
        self
    }

    /// The route's timeout for the whole request: 504 where a vendor hangs. There is none by default.
    pub fn route_timeout(mut self, timeout: Duration) -> Self {
        self.script.route_timeout = Some(timeout);
        self
    }

    /// Most bytes that Envoy holds for this request or its response.
    pub fn buffer_limit(mut self, bytes: usize) -> Self {
        self.script.buffer_limit = Some(bytes);
        self
    }

    /// The client goes away when the answering vendor has sent so many body chunks.
    pub fn client_leaves_after(mut self, vendor_chunks: usize) -> Self {
        self.script.client_leaves_after = Some(vendor_chunks);
        self
    }

    /// A property of the request that the module can read, for example `["source", "address"]`.
    pub fn property(mut self, path: &[&str], value: impl Into<Value>) -> Self {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        self.script.properties.push((path, value.into()));
        self
    }

    /// Answers every HTTP callout to a cluster that waits while this request is on its way.
    pub fn on_callout(
        mut self,
        cluster: &str,
        mut answer: impl FnMut(&Callout) -> CalloutReply + Send + 'static,
    ) -> Self {
        let cluster = cluster.to_owned();
        self.responders.push(Box::new(move |callout| (callout.cluster == cluster).then(|| answer(callout))));
        self
    }

    /// Begins the exchange and plays nothing yet: the test steps through it.
    pub fn open(mut self) -> Result<Exchange, HostError> {
        if self.content_length
            && !self.script.body.is_empty()
            && !self.script.headers.contains("content-length")
        {
            let length: usize = self.script.body.iter().map(Vec::len).sum();
            self.script.headers.add("content-length", length.to_string());
        }
        self.gateway.open_exchange(self.script)
    }

    /// Plays the whole exchange.
    ///
    /// Errors: [`HostError::Trap`] when the module trapped, [`HostError::Stalled`] when the client would wait
    /// forever, [`HostError::Script`] when an attempt has no target, [`HostError::Framing`] when a message's length
    /// is not the declared one.
    pub fn send(mut self) -> Result<Answer, HostError> {
        let mut responders = std::mem::take(&mut self.responders);
        let gateway = self.gateway.clone();
        let mut exchange = self.open()?;
        loop {
            for callout in gateway.callouts() {
                if let Some(reply) = responders.iter_mut().find_map(|responder| responder(&callout)) {
                    gateway.answer_callout(callout.token, reply)?;
                }
            }
            if !exchange.step()? {
                break;
            }
        }
        let answer = exchange.answer();
        answer.framing_fault().map_or(Ok(answer), |fault| Err(HostError::Framing(fault)))
    }
}
