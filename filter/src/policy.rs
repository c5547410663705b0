//! The policy filter: opens exchanges with the client's requests, and gives Envoy's own answers the client's dialect.

mod windows;

use std::cell::RefCell;
use std::sync::Arc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType};
use sluice_core::dialect::ClientDialect;
use sluice_core::exchange::{self, Head, Opening, PROVIDER_HEADER, Reply};
use sluice_core::failure::Failure;
use sluice_core::guard::Fired;
use sluice_core::identity::{self, Callers, Failures, KeySource, Origin};
use sluice_core::limit::sync::synchronous;
use sluice_core::policy::Plan;
use sluice_core::usage::metrics::Ended;

use crate::exchanges::Parked;
use crate::judges::Calls;
use crate::{host, metrics};
use windows::Windowed;

thread_local! {
    /// Who has sent bad credentials to this worker; a new policy doesn't forget them.
    static FAILURES: RefCell<Failures> = RefCell::default();
}

/// One stream of the listener.
pub struct PolicyFilter {
    plan: Arc<Plan>,
    started: std::time::Duration,
    state: State,
    /// The status that the client got.
    status: u16,
    /// Whether the response is of Envoy's own making, and is held to be rewritten.
    rewriting: bool,
    answer: Answer,
}

enum State {
    New,
    /// The body is coming.
    Reading(Opening),
    /// Outside judges are asked about the request, of whose body so much was `taken`.
    Judging {
        parked: Parked,
        taken: Option<usize>,
        calls: Calls,
    },
    /// Providers are at work.
    Serving(Parked),
    /// The filter has answered itself.
    Replied(Reason),
}

/// What becomes of a provider's answer.
enum Answer {
    /// It goes on as it comes.
    Passing,
    /// It is held here until it is whole, to be judged. Envoy would answer for itself if its own buffer were full.
    Held(Vec<u8>),
    /// Outside judges are asked about it.
    Judging { body: Vec<u8>, calls: Calls },
    /// Outside judges are asked about each window of it.
    Windowed(Windowed),
}

/// For whose sake the filter has answered itself, if for anybody's.
struct Reason {
    limit: Option<String>,
    guards: Vec<Fired>,
    /// As the access log shows them.
    guards_field: String,
    blocked: Option<Box<str>>,
}

/// What Envoy knows of the one who sends a request: no more of it than the policy reads.
#[derive(Debug)]
struct Peer {
    certificate_uri: Option<String>,
    certificate_dns: Option<String>,
    metadata: Option<Vec<u8>>,
}

impl identity::Peer for Peer {
    fn address(&self) -> Option<String> {
        host::text_property(&["source", "address"])
    }
}

impl Peer {
    fn read(callers: &Callers) -> Self {
        let certificate = callers.read_certificates();
        let name = |name: &str| certificate.then(|| host::text_property(&["connection", name])).flatten();
        Self {
            certificate_uri: name("uri_san_peer_certificate"),
            certificate_dns: name("dns_san_peer_certificate"),
            metadata: callers.read_metadata().then(|| host::property(&["metadata"])).flatten(),
        }
    }

    fn origin<'a>(&'a self, keys: Option<&'a dyn KeySource>, failures: &'a RefCell<Failures>) -> Origin<'a> {
        Origin {
            peer: Some(self),
            certificate_uri: self.certificate_uri.as_deref(),
            certificate_dns: self.certificate_dns.as_deref(),
            metadata: self.metadata.as_deref(),
            keys,
            failures: Some(failures),
        }
    }
}

impl PolicyFilter {
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            started: host::now(),
            state: State::New,
            status: 0,
            rewriting: false,
            answer: Answer::Passing,
        }
    }

    fn reply(&mut self, reply: &Reply) -> Action {
        self.state = State::Replied(Reason {
            limit: reply.limit.clone(),
            guards: reply.guards.clone(),
            guards_field: reply.guards_field(),
            blocked: reply.blocked.clone(),
        });
        self.status = reply.status;
        let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
        if let Err(host::Refused(status)) = host::reply(reply.status, headers, &reply.body) {
            host::log(LogLevel::Error, &format!("a reply could not be sent (status {status})"));
        }
        Action::Pause
    }

    fn open(&mut self) -> Result<Opening, Reply> {
        let unreadable = |host::Refused(_)| self.broken("The request's headers can't be read.");
        let headers = host::headers(MapType::HttpRequestHeaders).map_err(unreadable)?;
        if let Some((_, id)) = headers.iter().find(|(name, _)| name == "x-request-id") {
            // By the time of the access log the header is gone: no provider gets it.
            let _ = host::set_property("sluice_request", id);
        }
        let peer = Peer::read(&self.plan.callers);
        let bundle = self.plan.callers.bundle(&host::shared, self.started);
        let keys = bundle.as_ref().map(|bundle| bundle as &dyn KeySource);
        let opening = FAILURES.with(|failures| {
            let head = Head { headers: &headers, origin: peer.origin(keys, failures) };
            exchange::open(&self.plan, head, self.started)
        })?;
        // What only we and Envoy may say is taken from the client before anything reads it.
        for (name, _) in headers.iter().filter(|(name, _)| exchange::is_internal(name)) {
            let _ = host::remove_header(MapType::HttpRequestHeaders, name);
        }
        Ok(opening)
    }

    /// The body is whole, so far as it is needed: hands the request over to the providers.
    fn serve(&mut self, size: usize) -> Action {
        let State::Reading(opening) = std::mem::replace(&mut self.state, State::New) else {
            return Action::Pause;
        };
        let body = match opening.needs_body() {
            true => host::buffer(BufferType::HttpRequestBody, 0, size)
                .map(Some)
                .map_err(|host::Refused(_)| self.broken("The request's body can't be read.")),
            false => Ok(None),
        };
        let read = body.and_then(|body| {
            let taken = body.as_ref().map(|_| size);
            Ok((Parked::new(opening.read(body, &host::Shared)?), taken))
        });
        match read {
            Ok((parked, taken)) => self.ask(parked, taken),
            Err(reply) => self.reply(&reply),
        }
    }

    /// Asks outside judges about the request, if there are any, and hands it over where they let it pass.
    fn ask(&mut self, parked: Parked, taken: Option<usize>) -> Action {
        let mut exchange = parked.exchange.borrow_mut();
        let callouts = exchange.is_judged().then(|| exchange.judge_request(host::now())).flatten();
        let calls = callouts.map(|callouts| Calls::make(&mut exchange, callouts));
        drop(exchange);
        match calls {
            None => self.hand_over(parked, taken),
            Some(calls) if calls.are_done() => self.rule(parked, taken),
            Some(calls) => {
                self.state = State::Judging { parked, taken, calls };
                Action::Pause
            }
        }
    }

    /// All judges of the request have answered.
    fn rule(&mut self, parked: Parked, taken: Option<usize>) -> Action {
        let ruling = {
            let mut exchange = parked.exchange.borrow_mut();
            metrics::add(&exchange.take_judge_measures());
            exchange.rule_request(&host::Shared, host::now())
        };
        match ruling {
            Ok(None) => self.hand_over(parked, taken),
            Ok(Some(other)) => self.hand_over(Parked::new(*other), taken),
            Err(reply) => self.reply(&reply),
        }
    }

    /// Hands the request over to the providers.
    fn hand_over(&mut self, parked: Parked, taken: Option<usize>) -> Action {
        for (name, value) in parked.exchange.borrow().told_to_limits() {
            let _ = host::set_property(&name, &value);
        }
        match Self::route(&parked, taken) {
            Ok(()) => {
                self.state = State::Serving(parked);
                Action::Continue
            }
            Err(host::Refused(_)) => {
                parked.exchange.borrow_mut().close(&host::Shared, host::now(), false);
                self.reply(&self.broken("The request can't be routed."))
            }
        }
    }

    /// A judge of the request has answered, or nobody has in its stead.
    fn judged(&mut self, mut calls: Calls, parked: Parked, taken: Option<usize>, call: u32, size: usize) {
        calls.answered(&mut parked.exchange.borrow_mut(), call, size);
        if !calls.are_done() {
            self.state = State::Judging { parked, taken, calls };
            return;
        }
        if self.rule(parked, taken) == Action::Continue && host::resume_request().is_err() {
            self.withdraw();
            self.reply(&self.broken("The request can't be routed."));
        }
    }

    /// The request will not be served after all.
    fn withdraw(&self) {
        if let State::Judging { parked, .. } | State::Serving(parked) = &self.state {
            parked.exchange.borrow_mut().withdraw(&host::Shared, host::now());
        }
    }

    /// Takes more of an answer that is held: the first `size` bytes of Envoy's buffer.
    fn hold(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Answer::Held(body) = &mut self.answer else { return Action::Pause };
        let taken = host::buffer(BufferType::HttpResponseBody, 0, size).and_then(|chunk| {
            body.extend_from_slice(&chunk);
            host::set_buffer(BufferType::HttpResponseBody, 0, size, &[])
        });
        let most = self.plan.listen.max_body_bytes;
        let is_too_large = body.len() > most as usize;
        match taken {
            Err(host::Refused(_)) => self.instead(&self.broken("The provider's answer can't be read.")),
            Ok(()) if is_too_large => {
                let failure = exchange::gateway_failure(500, most);
                self.instead(&Reply::failure(self.client(), &failure))
            }
            Ok(()) if end_of_stream => self.ask_about_answer(),
            Ok(()) => Action::Pause,
        }
    }

    /// The answer is whole: asks outside judges about it.
    fn ask_about_answer(&mut self) -> Action {
        let Answer::Held(body) = std::mem::replace(&mut self.answer, Answer::Passing) else {
            return Action::Continue;
        };
        let State::Serving(parked) = &self.state else { return Action::Continue };
        let mut exchange = parked.exchange.borrow_mut();
        let callouts = exchange.judge_answer(&body, host::now());
        let calls = callouts.map(|callouts| Calls::make(&mut exchange, callouts));
        drop(exchange);
        match calls {
            None => self.release(&body),
            Some(calls) if calls.are_done() => self.rule_answer(&body),
            Some(calls) => {
                self.answer = Answer::Judging { body, calls };
                Action::Pause
            }
        }
    }

    /// All judges of the answer have answered; its headers are still held.
    fn rule_answer(&mut self, body: &[u8]) -> Action {
        let State::Serving(parked) = &self.state else { return Action::Continue };
        let reply = {
            let mut exchange = parked.exchange.borrow_mut();
            metrics::add(&exchange.take_judge_measures());
            exchange.rule_answer(host::now().as_secs())
        };
        self.remark();
        match reply.map(|reply| self.put(&reply)) {
            None => self.release(body),
            Some(Ok(())) => Action::Continue,
            Some(Err(host::Refused(_))) => self.instead(&self.broken("The answer can't be replaced.")),
        }
    }

    /// Lets an answer go on that was held.
    fn release(&mut self, body: &[u8]) -> Action {
        match host::set_buffer(BufferType::HttpResponseBody, 0, usize::MAX, body) {
            Ok(()) => Action::Continue,
            Err(host::Refused(_)) => self.instead(&self.broken("The answer can't be sent.")),
        }
    }

    /// Ends the stream with this reply, while the response's headers are held.
    fn instead(&mut self, reply: &Reply) -> Action {
        self.answer = Answer::Passing;
        self.status = reply.status;
        let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
        if host::reply(reply.status, headers, &reply.body).is_err() {
            let _ = host::close_stream();
        }
        Action::Pause
    }

    /// Leaves the exchange to the provider filters. Each makes its own body, so what was `taken` of the client's is not sent
    /// on from here: Envoy has nothing to keep for retries, and no provider can get what was not made for it.
    fn route(parked: &Parked, taken: Option<usize>) -> Result<(), host::Refused> {
        for (name, value) in parked.exchange.borrow().routing() {
            host::set_header(MapType::HttpRequestHeaders, name, &value)?;
        }
        if let Some(size) = taken {
            host::remove_header(MapType::HttpRequestHeaders, "content-length")?;
            host::set_buffer(BufferType::HttpRequestBody, 0, size, &[])?;
        }
        parked.show()
    }

    fn client(&self) -> ClientDialect {
        match &self.state {
            State::Reading(opening) => opening.client(),
            State::Judging { parked, .. } | State::Serving(parked) => parked.exchange.borrow().client(),
            State::New | State::Replied(_) => ClientDialect::OpenAiChat,
        }
    }

    fn broken(&self, message: &'static str) -> Reply {
        Reply::failure(self.client(), &Failure::operator(message))
    }

    /// Gives a response of Envoy's own making the form of a failure in the client's dialect. Its body is on its way:
    /// nothing else can be put in its place before that.
    fn rewrite(&mut self, status: u16) -> Result<(), host::Refused> {
        let failure = exchange::gateway_failure(status, self.plan.listen.max_body_bytes);
        self.put(&Reply::failure(self.client(), &failure))
    }

    /// Puts a reply in the place of a whole response whose headers are held.
    fn put(&mut self, reply: &Reply) -> Result<(), host::Refused> {
        self.status = reply.status;
        let response = MapType::HttpResponseHeaders;
        host::set_header(response, ":status", &reply.status.to_string())?;
        host::remove_header(response, "content-length")?;
        for (name, value) in &reply.headers {
            host::set_header(response, name, value)?;
        }
        host::set_buffer(BufferType::HttpResponseBody, 0, usize::MAX, &reply.body)
    }

    /// Puts a failure in the client's dialect in the place of a response without a body.
    fn replace(&mut self) -> Action {
        let failure = exchange::gateway_failure(self.status, self.plan.listen.max_body_bytes);
        let reply = Reply::failure(self.client(), &failure);
        self.status = reply.status;
        let headers = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
        match host::reply(reply.status, headers, &reply.body) {
            Ok(()) => Action::Pause,
            Err(host::Refused(_)) => Action::Continue,
        }
    }

    fn remark(&self) {
        let State::Serving(parked) = &self.state else { return };
        let exchange = parked.exchange.borrow();
        for (name, value) in exchange.remarks() {
            let _ = host::set_header(MapType::HttpResponseHeaders, name, &value);
        }
    }
}

impl Context for PolicyFilter {
    fn on_http_call_response(&mut self, call: u32, _: usize, size: usize, _: usize) {
        match std::mem::replace(&mut self.state, State::New) {
            State::Judging { parked, taken, calls } => self.judged(calls, parked, taken, call, size),
            state => self.state = state,
        }
        let (body, mut calls) = match std::mem::replace(&mut self.answer, Answer::Passing) {
            Answer::Judging { body, calls } => (body, calls),
            answer => {
                self.answer = answer;
                if self.window_judged(call, size).is_err() {
                    self.break_off();
                }
                return;
            }
        };
        let State::Serving(parked) = &self.state else { return };
        calls.answered(&mut parked.exchange.borrow_mut(), call, size);
        if !calls.are_done() {
            self.answer = Answer::Judging { body, calls };
        } else if self.rule_answer(&body) == Action::Continue && host::resume_response().is_err() {
            self.instead(&self.broken("The answer can't be sent."));
        }
    }
}

impl HttpContext for PolicyFilter {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        match self.open() {
            Ok(opening) => {
                let is_ready = end_of_stream || !opening.needs_body();
                self.state = State::Reading(opening);
                match is_ready {
                    true => self.serve(0),
                    false => Action::Pause,
                }
            }
            Err(reply) => self.reply(&reply),
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match &self.state {
            // A body that passes as it comes.
            State::Serving(_) => Action::Continue,
            State::Reading(_) if end_of_stream => self.serve(size),
            _ => Action::Pause,
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        // What a client says behind its body is for no provider.
        let _ = host::set_headers(MapType::HttpRequestTrailers, &[]);
        match &self.state {
            State::Serving(_) => Action::Continue,
            State::Reading(_) => self.serve(usize::MAX),
            _ => Action::Pause,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if matches!(self.state, State::Replied(_)) {
            return Action::Continue;
        }
        let response = MapType::HttpResponseHeaders;
        let status = host::header(response, ":status").ok().flatten();
        self.status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        // A provider's answer bears its name; without one, Envoy has made the response itself.
        let unnamed = matches!(host::header(response, PROVIDER_HEADER), Ok(None));
        if let (true, State::Serving(parked)) = (unnamed, &self.state) {
            parked.exchange.borrow_mut().abandon();
        }
        self.remark();
        self.rewriting = unnamed && !end_of_stream;
        if unnamed && end_of_stream && self.plan.limits.are_synchronous() && self.status >= 400 {
            // What Envoy's own rate-limit filter answers has no body that could be rewritten.
            return self.replace();
        }
        if let (State::Serving(parked), false, 200) = (&self.state, unnamed || end_of_stream, self.status)
            && parked.exchange.borrow().is_answer_judged()
        {
            self.answer = match parked.exchange.borrow().is_judged_in_windows() {
                true => Answer::Windowed(Windowed::default()),
                false => Answer::Held(Vec::new()),
            };
        }
        match (self.rewriting, &self.answer) {
            (false, Answer::Passing) => Action::Continue,
            _ => Action::Pause,
        }
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match self.answer {
            Answer::Held(_) => return self.hold(size, end_of_stream),
            Answer::Judging { .. } => return Action::Pause,
            Answer::Windowed(_) => {
                return self.take_window(size, end_of_stream).unwrap_or_else(|_| self.break_off());
            }
            Answer::Passing => {}
        }
        if self.rewriting && !end_of_stream {
            return Action::Pause;
        }
        if self.rewriting && self.rewrite(self.status).is_err() {
            host::log(LogLevel::Error, "a response of Envoy's own could not be rewritten");
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        match self.answer {
            Answer::Held(_) => self.ask_about_answer(),
            Answer::Judging { .. } => Action::Pause,
            Answer::Windowed(_) => self.end_windows().unwrap_or_else(|_| self.break_off()),
            Answer::Passing => Action::Continue,
        }
    }

    fn on_log(&mut self) {
        if let State::Judging { .. } = self.state {
            // The client has gone before any provider was asked.
            self.withdraw();
        }
        let now = host::now();
        let (status, elapsed) = (self.status, now.saturating_sub(self.started));
        let parked = match &self.state {
            State::Judging { parked, .. } | State::Serving(parked) => parked,
            State::Replied(reason) => {
                if !reason.guards_field.is_empty() {
                    let _ = host::set_property("sluice_guards", &reason.guards_field);
                }
                let (limit, guards) = (reason.limit.as_deref(), reason.guards.as_slice());
                let blocked = reason.blocked.as_deref();
                if let Some(rule) = blocked {
                    let _ = host::set_property("sluice_redactions", &format!("{rule}=1"));
                }
                return metrics::count(Ended { exchange: None, limit, guards, blocked, status, elapsed });
            }
            State::New | State::Reading(_) => {
                return metrics::count(Ended {
                    exchange: None,
                    limit: None,
                    guards: &[],
                    blocked: None,
                    status,
                    elapsed,
                });
            }
        };
        let mut exchange = parked.exchange.borrow_mut();
        // Without a status the client has got nothing: it has gone.
        exchange.close(&host::Shared, now, status == 0);
        metrics::count(Ended {
            exchange: Some(&exchange),
            limit: None,
            guards: &[],
            blocked: None,
            status,
            elapsed,
        });
        for (name, value) in exchange.log_fields() {
            let _ = host::set_property(name, &value);
        }
        if let Some(bill) = exchange.bill().filter(|_| self.plan.limits.are_synchronous()) {
            for (name, value) in synchronous::told_after(bill.usage, bill.nano_usd) {
                let _ = host::set_property(name, &value);
            }
        }
    }
}
