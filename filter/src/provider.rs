//! The provider filter: makes each attempt's request, and gives its response the client's dialect.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType};
use sluice_core::dialect::ClientDialect;
use sluice_core::exchange::{Attempt, Held, Length, PROVIDER_HEADER, Reply, Step, StreamAnswer};
use sluice_core::failure::Failure;

use crate::exchanges::{self, Shared};
use crate::host;

/// One attempt.
#[derive(Default)]
pub struct ProviderFilter {
    exchange: Option<Shared>,
    attempt: Option<Attempt>,
    /// The body that takes the place of the client's, until it is sent; the client's passes where there is none.
    request: Option<std::sync::Arc<Vec<u8>>>,
    /// The provider's headers, until the client's take their place.
    headers: Vec<(String, String)>,
    response: Response,
}

#[derive(Default)]
enum Response {
    /// Its headers have not come, or it goes on as it is.
    #[default]
    Passing,
    /// Held until it is whole.
    Whole {
        status: u16,
    },
    /// Held until its first event; the client's bytes so far.
    Waiting {
        stream: Box<StreamAnswer>,
        taken: usize,
        out: Vec<u8>,
    },
    Streaming {
        stream: Box<StreamAnswer>,
        out: Vec<u8>,
    },
    /// It has been replaced: nothing else of it goes on.
    Replaced,
}

/// What `sluice render` writes beside each endpoint.
const METADATA: [&str; 4] = ["xds", "upstream_host_metadata", "filter_metadata", "sluice"];

fn target_of_endpoint() -> Option<(String, u32)> {
    let (mut provider, mut occurrence) = (None, None);
    for (name, value) in host::map_property(&METADATA) {
        match name.as_str() {
            "provider" => provider = Some(value),
            "occurrence" => occurrence = value.parse().ok(),
            _ => {}
        }
    }
    Some((provider?, occurrence?))
}

fn now() -> u64 {
    host::now().as_secs()
}

impl ProviderFilter {
    fn begin(&mut self) -> Result<(), Failure> {
        let exchange = exchanges::current().ok_or_else(|| {
            Failure::operator(
                "The provider filter found no exchange: it has to share its VM with the policy filter.",
            )
        })?;
        let (provider, occurrence) = target_of_endpoint()
            .ok_or_else(|| Failure::operator("The endpoint's metadata does not name its provider."))?;
        let (request, attempt) =
            exchange.borrow_mut().attempt(&provider, occurrence, &host::Shared, host::now())?;
        host::set_headers(MapType::HttpRequestHeaders, &request.headers)
            .map_err(|host::Refused(_)| Failure::operator("The provider's request can't be written."))?;
        self.request = request.body;
        self.attempt = Some(attempt);
        self.exchange = Some(exchange);
        Ok(())
    }

    /// Ends the stream with this reply; Envoy makes no other attempt then.
    fn reply(&mut self, reply: &Reply) -> Action {
        self.response = Response::Replaced;
        let provider = self.attempt.as_ref().map_or("none", Attempt::provider);
        let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let headers = headers.chain([(PROVIDER_HEADER, provider)]);
        if let Err(host::Refused(status)) = host::reply(reply.status, headers, &reply.body) {
            host::log(LogLevel::Error, &format!("a reply could not be sent (status {status})"));
        }
        Action::Pause
    }

    fn send_body(&mut self, size: usize) -> Action {
        let Some(body) = self.request.take() else { return Action::Continue };
        match host::set_buffer(BufferType::HttpRequestBody, 0, size, &body) {
            Ok(()) => Action::Continue,
            Err(host::Refused(_)) => self.fail("The provider's request can't be written."),
        }
    }

    fn fail(&mut self, message: &'static str) -> Action {
        self.reply(&Reply::failure(self.client(), &Failure::operator(message)))
    }

    fn client(&self) -> ClientDialect {
        self.exchange.as_ref().map_or(ClientDialect::OpenAiChat, |exchange| exchange.borrow().client())
    }

    /// Puts the client's headers in the place of the provider's.
    fn release(
        &mut self,
        status: u16,
        own: &[(&'static str, String)],
        length: Length,
    ) -> Result<(), host::Refused> {
        let Some(attempt) = &self.attempt else { return Ok(()) };
        let headers = attempt.headers_for_client(std::mem::take(&mut self.headers), status, own, length);
        host::set_headers(MapType::HttpResponseHeaders, &headers)
    }

    /// The response is whole, or longer than what is held.
    fn finish_whole(
        &mut self,
        status: u16,
        size: usize,
        end_of_stream: bool,
    ) -> Result<Action, host::Refused> {
        let (Some(attempt), Some(exchange)) = (&self.attempt, &self.exchange) else {
            return Ok(Action::Continue);
        };
        let body = host::buffer(BufferType::HttpResponseBody, 0, size)?;
        let reply = attempt.whole(&mut exchange.borrow_mut(), status, &body, now());
        match reply {
            None => {
                self.response = Response::Passing;
                self.release(status, &[], Length::Unchanged)?;
                Ok(Action::Continue)
            }
            // The provider need not be waited for: what else it says is for nobody.
            Some(reply) if !end_of_stream => self.replace(&reply, size),
            Some(reply) => {
                self.response = Response::Replaced;
                self.release(reply.status, &reply.headers, Length::Exactly(reply.body.len()))?;
                host::set_buffer(BufferType::HttpResponseBody, 0, size, &reply.body)?;
                Ok(Action::Continue)
            }
        }
    }

    /// Puts a failure in the place of a response whose headers are held and whose end may be far.
    fn replace(&mut self, reply: &Reply, size: usize) -> Result<Action, host::Refused> {
        if !self.attempt.as_ref().is_some_and(|attempt| attempt.gives_way(reply.status)) {
            return Ok(self.reply(reply));
        }
        // Envoy tries the next target as soon as it sees the status; a reply of our own it would not.
        self.response = Response::Replaced;
        self.release(reply.status, &reply.headers, Length::Unknown)?;
        if size > 0 {
            host::set_buffer(BufferType::HttpResponseBody, 0, size, &[])?;
        }
        Ok(Action::Continue)
    }

    /// Takes what has come of a stream whose headers are held: `size` bytes, of which `taken` were seen before.
    fn take_first(&mut self, size: usize, end_of_stream: bool) -> Result<Action, host::Refused> {
        let Response::Waiting { mut stream, taken, mut out } = std::mem::take(&mut self.response) else {
            return Ok(Action::Continue);
        };
        let chunk = match size > taken {
            true => host::buffer(BufferType::HttpResponseBody, taken, size - taken)?,
            false => Vec::new(),
        };
        let unchanged = stream.push(&chunk, &mut out);
        if end_of_stream {
            stream.end(&mut out);
        }
        match stream.held() {
            Held::Waiting => {
                self.response = Response::Waiting { stream, taken: size, out };
                return Ok(Action::Pause);
            }
            Held::Failed(failure) => {
                let reply = Reply::failure(self.client(), failure);
                if let Some(exchange) = &self.exchange {
                    exchange.borrow_mut().failed(failure);
                }
                return self.replace(&reply, size);
            }
            Held::Begun => {}
        }
        if let Some(exchange) = &self.exchange {
            exchange.borrow_mut().settle(None);
        }
        let content_type = stream.content_type().map(|name| ("content-type", name.to_owned()));
        self.release(200, content_type.as_slice(), Length::Unknown)?;
        if let Some(exchange) = &self.exchange {
            exchange.borrow_mut().watch(&mut stream, &host::Shared, host::now(), end_of_stream, &mut out);
        }
        Self::write(unchanged, size, &out)?;
        out.clear();
        self.response = Response::Streaming { stream, out };
        Ok(Action::Continue)
    }

    /// Takes one more chunk of a stream that has begun.
    fn take_chunk(&mut self, size: usize, end_of_stream: bool) -> Result<(), host::Refused> {
        let Response::Streaming { stream, out } = &mut self.response else { return Ok(()) };
        if stream.is_cut() {
            // The client has got its end with the chunk before; now the provider has to stop too, where it would go on.
            host::set_buffer(BufferType::HttpResponseBody, 0, size, &[])?;
            return if end_of_stream || !stream.is_stopped() { Ok(()) } else { host::close_stream() };
        }
        let chunk = host::buffer(BufferType::HttpResponseBody, 0, size)?;
        out.clear();
        let unchanged = stream.push(&chunk, out);
        if end_of_stream {
            stream.end(out);
        }
        if let Some(exchange) = &self.exchange {
            exchange.borrow_mut().watch(stream, &host::Shared, host::now(), end_of_stream, out);
        }
        Self::write(unchanged, size, out)
    }

    /// Puts the client's bytes in the place of a chunk; where the provider's pass unchanged, behind them.
    fn write(unchanged: bool, size: usize, out: &[u8]) -> Result<(), host::Refused> {
        match unchanged {
            true if out.is_empty() => Ok(()),
            true => host::set_buffer(BufferType::HttpResponseBody, size, 0, out),
            false => host::set_buffer(BufferType::HttpResponseBody, 0, size, out),
        }
    }
}

impl Context for ProviderFilter {}

impl HttpContext for ProviderFilter {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match self.begin() {
            Ok(()) => Action::Continue,
            Err(failure) => {
                let exchange = exchanges::current();
                let client =
                    exchange.map_or(ClientDialect::OpenAiChat, |exchange| exchange.borrow().client());
                self.reply(&Reply::failure(client, &failure))
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match end_of_stream || self.request.is_none() {
            true => self.send_body(size),
            false => Action::Pause,
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.send_body(usize::MAX)
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let (Some(attempt), Some(exchange)) = (&self.attempt, &self.exchange) else {
            return Action::Continue;
        };
        self.headers = host::headers(MapType::HttpResponseHeaders).unwrap_or_default();
        let header = |name: &str| {
            self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.clone())
        };
        let status = header(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        let step = attempt.headers(&mut exchange.borrow_mut(), status, &header, now());
        match step {
            Step::Pass(status) => match self.release(status, &[], Length::Unchanged) {
                Ok(()) => Action::Continue,
                Err(host::Refused(_)) => self.fail("The provider's response can't be read."),
            },
            Step::Whole if end_of_stream => {
                let reply = attempt.whole(&mut exchange.borrow_mut(), status, &[], now());
                match reply {
                    None => Action::Continue,
                    // A response without a body can't be given one; a reply can.
                    Some(reply) => self.reply(&reply),
                }
            }
            Step::Whole => {
                self.response = Response::Whole { status };
                Action::Pause
            }
            Step::Stream(stream) if end_of_stream => {
                drop(stream);
                let failure = Failure::truncated();
                exchange.borrow_mut().failed(&failure);
                let client = exchange.borrow().client();
                self.reply(&Reply::failure(client, &failure))
            }
            Step::Stream(stream) => {
                self.response = Response::Waiting { stream, taken: 0, out: Vec::new() };
                Action::Pause
            }
        }
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let done = match &self.response {
            Response::Passing => Ok(Action::Continue),
            Response::Whole { status } => {
                let status = *status;
                let exceeds = self.attempt.as_ref().is_some_and(|attempt| attempt.exceeds(size));
                match end_of_stream || exceeds {
                    true => self.finish_whole(status, size, end_of_stream),
                    false => Ok(Action::Pause),
                }
            }
            Response::Waiting { .. } => self.take_first(size, end_of_stream),
            Response::Streaming { .. } => self.take_chunk(size, end_of_stream).map(|()| Action::Continue),
            Response::Replaced => {
                host::set_buffer(BufferType::HttpResponseBody, 0, size, &[]).map(|()| Action::Continue)
            }
        };
        done.unwrap_or_else(|host::Refused(_)| self.fail("The provider's response can't be read."))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let done = match &self.response {
            Response::Whole { status } => {
                let status = *status;
                self.finish_whole(status, usize::MAX, true)
            }
            Response::Waiting { taken, .. } => {
                let size = *taken;
                self.take_first(size, true)
            }
            Response::Passing | Response::Streaming { .. } | Response::Replaced => Ok(Action::Continue),
        };
        done.unwrap_or_else(|host::Refused(_)| self.fail("The provider's response can't be read."))
    }
}
