//! One request on its way: listener filter, router, attempts, and back.
use std::collections::VecDeque;
use std::time::Duration;

use super::answer::{Answer, Chunk, Outcome, UpstreamRequest};
use super::router::{ResetReason, Router};
use super::vendor::{Step, Vendor};
use super::{POLICY, PROVIDER};
use crate::host::error::HostError;
use crate::host::headers::HeaderMap;
use crate::host::process::{Shared, lock, shared};
use crate::host::property::Value;
use crate::host::state::{Action, StreamInfo};
use crate::host::stream::{FilterStream, Frame, LocalReply, Side};
use crate::host::vm::Vm;

/// What the test has said about a request.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub headers: HeaderMap,
    pub body: Vec<Vec<u8>>,
    pub trailers: Option<HeaderMap>,
    pub end_with_last_chunk: bool,
    pub targets: VecDeque<Target>,
    pub no_healthy_upstream: bool,
    pub route_timeout: Option<Duration>,
    pub client_leaves_after: Option<usize>,
    pub properties: Vec<(Vec<String>, Value)>,
    pub buffer_limit: Option<usize>,
}

/// Where an attempt goes, and what happens there.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub provider: String,
    pub occurrence: u32,
    pub vendor: Vendor,
}

/// What a step of an exchange has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Moved,
    Over,
    /// Nothing can move: why.
    Blocked(String),
}

pub(crate) struct ExchangeState {
    policy: FilterStream,
    info: Shared<StreamInfo>,
    headers: Shared<HeaderMap>,
    script: Script,
    body: VecDeque<Vec<u8>>,
    sent_headers: bool,
    sent_end: bool,
    router: Option<Router>,
    attempt: Option<Attempt>,
    pub answer: Answer,
    fed: usize,
    over: bool,
    log_start: usize,
}

struct Attempt {
    stream: FilterStream,
    vendor: Vendor,
    number: usize,
}

impl ExchangeState {
    pub fn new(vm: &mut Vm, script: Script) -> Result<Self, HostError> {
        let headers = shared(script.headers.clone());
        let mut properties = Value::Map(Default::default());
        for (path, value) in &script.properties {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            properties.insert(&path, value.clone());
        }
        let info = shared(StreamInfo::new(headers.clone(), properties));
        let mut policy = FilterStream::with_info(vm, POLICY, headers.clone(), info.clone(), false)?;
        policy.set_buffer_limit(Side::Request, script.buffer_limit);
        policy.set_buffer_limit(Side::Response, script.buffer_limit);
        let body = script.body.iter().cloned().collect();
        Ok(Self {
            policy,
            info,
            headers,
            script,
            body,
            sent_headers: false,
            sent_end: false,
            router: None,
            attempt: None,
            answer: Answer::default(),
            fed: 0,
            over: false,
            log_start: vm.log().len(),
        })
    }

    /// Whether a context is one of this exchange.
    pub fn owns(&self, context: u32) -> bool {
        self.policy.context() == context
            || self.attempt.as_ref().is_some_and(|a| a.stream.context() == context)
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The answer so far, with what belongs to the whole exchange.
    pub fn snapshot(&self, vm: &Vm) -> Answer {
        let mut answer = self.answer.clone();
        answer.filter_state = lock(&self.info).filter_state.clone();
        answer.log = vm.log().get(self.log_start..).unwrap_or_default().to_vec();
        answer
    }

    /// What the module asked for, for one of this exchange's contexts.
    pub fn act(&mut self, vm: &mut Vm, context: u32, action: Action) -> Result<(), HostError> {
        if self.policy.context() == context {
            return self.policy.act(vm, action);
        }
        match &mut self.attempt {
            Some(attempt) => attempt.stream.act(vm, action),
            None => Ok(()),
        }
    }

    /// Handles one frame that has passed a filter; false when there is none.
    pub fn handle_frame(&mut self, vm: &mut Vm) -> Result<bool, HostError> {
        if self.over {
            return Ok(false);
        }
        if let Some(frame) = self.policy.next_frame() {
            self.policy_frame(vm, frame)?;
            return Ok(true);
        }
        let frame = self.attempt.as_mut().and_then(|attempt| attempt.stream.next_frame());
        match frame {
            Some(frame) => self.provider_frame(vm, frame).map(|()| true),
            None => Ok(false),
        }
    }

    /// The next thing that comes from outside: a part of the request, or a step of the vendor.
    pub fn step(&mut self, vm: &mut Vm) -> Result<Progress, HostError> {
        if self.over {
            return Ok(Progress::Over);
        }
        if self.script.client_leaves_after.is_some_and(|chunks| self.fed >= chunks && self.sent_end) {
            return self.client_leaves(vm).map(|()| Progress::Over);
        }
        if !self.sent_headers {
            self.sent_headers = true;
            self.sent_end = self.body.is_empty() && self.script.trailers.is_none();
            return self.policy.request_headers(vm, self.sent_end).map(|()| Progress::Moved);
        }
        if !self.sent_end {
            return self.send_body(vm).map(|()| Progress::Moved);
        }
        self.vendor_step(vm)
    }

    /// The client goes away.
    pub fn client_leaves(&mut self, vm: &mut Vm) -> Result<(), HostError> {
        self.answer.reset = true;
        self.finish(vm)
    }

    /// The module trapped while it worked for this exchange: the client gets Envoy's bare 503, or a reset.
    pub fn fail(&mut self) {
        if self.over {
            return;
        }
        if self.answer.headers.is_none() {
            self.answer.headers = Some(LocalReply::text(503, "", "wasm_fail_stream").response_headers());
            self.answer.complete = true;
        } else {
            self.answer.reset = true;
        }
        self.over = true;
    }

    /// Where everything stands, for a stall.
    pub fn describe(&self) -> String {
        let attempt = self.attempt.as_ref().map_or("no attempt is open".to_owned(), |attempt| {
            format!("provider filter of attempt {}: {}", attempt.number, attempt.stream.describe())
        });
        format!("policy filter: {}; {attempt}", self.policy.describe())
    }

    fn send_body(&mut self, vm: &mut Vm) -> Result<(), HostError> {
        let Some(data) = self.body.pop_front() else {
            self.sent_end = true;
            return match self.script.trailers.take() {
                Some(trailers) => self.policy.trailers(vm, Side::Request, trailers),
                None => self.policy.data(vm, Side::Request, Vec::new(), true),
            };
        };
        let last = self.body.is_empty() && self.script.trailers.is_none() && self.script.end_with_last_chunk;
        self.sent_end = last;
        self.policy.data(vm, Side::Request, data, last)
    }

    fn vendor_step(&mut self, vm: &mut Vm) -> Result<Progress, HostError> {
        let Some(attempt) = &mut self.attempt else {
            return Ok(Progress::Blocked("the request does not go on".to_owned()));
        };
        let sent = self.answer.upstreams.get(attempt.number - 1).is_some_and(|request| request.complete);
        let refuses = matches!(attempt.vendor.steps.front(), Some(Step::Refuse));
        if !sent && !refuses {
            return Ok(Progress::Blocked("the provider filter does not send the request on".to_owned()));
        }
        let hangs = matches!(attempt.vendor.steps.front(), Some(Step::Hang));
        if hangs {
            return self.wait_for_timeout(vm);
        }
        let Some((step, end)) = attempt.vendor.next() else {
            return Ok(Progress::Blocked(
                "the vendor has answered and the response does not go on".to_owned(),
            ));
        };
        match step {
            Step::Refuse => self.upstream_reset(vm, ResetReason::ConnectFailure)?,
            Step::Break(reason) => self.upstream_reset(vm, ResetReason::Break(reason))?,
            Step::Hang => {}
            Step::Headers(headers) => attempt.stream.response_headers(vm, headers, end)?,
            Step::Data(data) => {
                self.fed += 1;
                attempt.stream.data(vm, Side::Response, data, end)?;
            }
            Step::Trailers(trailers) => attempt.stream.trailers(vm, Side::Response, trailers)?,
            Step::End => attempt.stream.data(vm, Side::Response, Vec::new(), true)?,
        }
        Ok(Progress::Moved)
    }

    /// Nothing comes from the vendor: only a timeout goes on. A response that has begun outlives the per-try timeout.
    fn wait_for_timeout(&mut self, vm: &mut Vm) -> Result<Progress, HostError> {
        let router = self.router.as_ref().filter(|router| !router.response_started);
        if let Some(timeout) = router.and_then(|router| router.per_try_timeout) {
            vm.advance(timeout)?;
            self.upstream_reset(vm, ResetReason::PerTryTimeout)?;
            return Ok(Progress::Moved);
        }
        let Some(timeout) = self.script.route_timeout else {
            return Ok(Progress::Blocked("the vendor hangs and there is no timeout".to_owned()));
        };
        vm.advance(timeout)?;
        self.close_attempt(vm, Outcome::Failed("route timeout".to_owned()))?;
        self.local_reply(vm, LocalReply::text(504, "upstream request timeout", "response_timeout"))?;
        Ok(Progress::Moved)
    }

    fn policy_frame(&mut self, vm: &mut Vm, frame: Frame) -> Result<(), HostError> {
        match frame {
            Frame::Headers(Side::Request, headers, end) => self.route(vm, &headers, end),
            Frame::Data(Side::Request, data, end) => {
                let Some(router) = &mut self.router else {
                    return Ok(());
                };
                router.body.extend_from_slice(&data);
                router.has_body = true;
                router.request_complete |= end;
                if self.script.buffer_limit.is_some_and(|limit| router.body.len() > limit) {
                    router.give_up_retries();
                }
                match &mut self.attempt {
                    Some(attempt) => attempt.stream.data(vm, Side::Request, data, end),
                    None => Ok(()),
                }
            }
            Frame::Trailers(Side::Request, trailers) => {
                if let Some(router) = &mut self.router {
                    router.trailers = Some(trailers.clone());
                    router.request_complete = true;
                }
                match &mut self.attempt {
                    Some(attempt) => attempt.stream.trailers(vm, Side::Request, trailers),
                    None => Ok(()),
                }
            }
            Frame::Headers(Side::Response, headers, end) => {
                self.answer.headers = Some(headers);
                self.answer.headers_after = self.fed;
                self.end_if(vm, end)
            }
            Frame::Data(Side::Response, bytes, end) => {
                if !bytes.is_empty() {
                    self.answer.chunks.push(Chunk { bytes, after: self.fed });
                }
                self.end_if(vm, end)
            }
            Frame::Trailers(Side::Response, trailers) => {
                self.answer.trailers = Some(trailers);
                self.end_if(vm, true)
            }
            Frame::LocalReply(reply) => self.local_reply(vm, reply),
            Frame::Reset => self.client_leaves(vm),
        }
    }

    fn provider_frame(&mut self, vm: &mut Vm, frame: Frame) -> Result<(), HostError> {
        match frame {
            Frame::Headers(Side::Request, headers, end) => {
                // The codec refuses to write a request without these.
                for name in [":method", ":path"] {
                    if !headers.contains(name) {
                        let body = format!("missing required header: {name}");
                        let details = "filter_removed_required_request_headers";
                        return self.provider_reply(vm, LocalReply::text(503, &body, details));
                    }
                }
                if let Some(request) = self.answer.upstreams.last_mut() {
                    request.headers = Some(headers);
                    request.complete = end;
                }
                Ok(())
            }
            Frame::Data(Side::Request, data, end) => {
                if let Some(request) = self.answer.upstreams.last_mut() {
                    request.body.extend(data);
                    request.complete = end;
                }
                Ok(())
            }
            Frame::Trailers(Side::Request, trailers) => {
                if let Some(request) = self.answer.upstreams.last_mut() {
                    request.trailers = Some(trailers);
                    request.complete = true;
                }
                Ok(())
            }
            Frame::Headers(Side::Response, headers, end) => self.upstream_headers(vm, headers, end),
            Frame::Data(Side::Response, data, end) => {
                // The upstream filter is gone before the last data go down.
                if end {
                    self.close_attempt(vm, Outcome::Answered)?;
                }
                self.policy.data(vm, Side::Response, data, end)
            }
            Frame::Trailers(Side::Response, trailers) => {
                self.close_attempt(vm, Outcome::Answered)?;
                self.policy.trailers(vm, Side::Response, trailers)
            }
            Frame::LocalReply(reply) => self.provider_reply(vm, reply),
            Frame::Reset => self.upstream_reset(vm, ResetReason::Break("local reset")),
        }
    }

    /// An upstream filter's own answer takes the way of the listener's local replies: the upstream filter does not
    /// see it, and there is no retry.
    fn provider_reply(&mut self, vm: &mut Vm, reply: LocalReply) -> Result<(), HostError> {
        if let Some(attempt) = &mut self.attempt {
            attempt.stream.abort(Side::Request);
            attempt.stream.abort(Side::Response);
        }
        self.local_reply(vm, reply)
    }

    /// The router, when the listener's filters let the request headers go.
    fn route(&mut self, vm: &mut Vm, headers: &HeaderMap, end: bool) -> Result<(), HostError> {
        if headers.get(super::ROUTE_HEADER).is_none_or(str::is_empty) {
            return self.local_reply(vm, LocalReply::text(503, "", "cluster_not_found"));
        }
        if self.script.no_healthy_upstream {
            let reply = LocalReply::text(503, "no healthy upstream", "no_healthy_upstream");
            return self.local_reply(vm, reply);
        }
        let mut router = Router::take_from(&mut lock(&self.headers));
        router.request_complete = end;
        self.router = Some(router);
        self.start_attempt(vm)
    }

    /// A new upstream filter on the same request headers, with the body from its start.
    fn start_attempt(&mut self, vm: &mut Vm) -> Result<(), HostError> {
        let number = self.answer.upstreams.len() + 1;
        let target = self.script.targets.pop_front();
        let Target { provider, occurrence, vendor } = target.ok_or_else(|| {
            HostError::Script(format!("attempt {number} has no target; name one more, or fewer retries"))
        })?;
        let sluice = [("provider", provider.as_str()), ("occurrence", &occurrence.to_string())];
        let metadata = Value::metadata([("sluice".to_owned(), Value::texts(sluice))]);
        lock(&self.info).properties.insert(&["xds", "upstream_host_metadata"], metadata);
        let mut stream =
            FilterStream::with_info(vm, PROVIDER, self.headers.clone(), self.info.clone(), true)?;
        stream.set_buffer_limit(Side::Request, self.script.buffer_limit);
        stream.set_buffer_limit(Side::Response, self.script.buffer_limit);
        self.answer.upstreams.push(UpstreamRequest {
            provider,
            occurrence,
            headers: None,
            body: Vec::new(),
            trailers: None,
            complete: false,
            outcome: Outcome::Open,
        });
        self.fed = 0;
        let router = self.router.clone().expect("the router has started");
        let attempt = self.attempt.insert(Attempt { stream, vendor, number });
        let (whole, trailers) = (router.request_complete, router.trailers);
        attempt.stream.request_headers(vm, whole && !router.has_body && trailers.is_none())?;
        if router.has_body {
            attempt.stream.data(vm, Side::Request, router.body, whole && trailers.is_none())?;
        }
        match trailers {
            Some(trailers) => attempt.stream.trailers(vm, Side::Request, trailers),
            None => Ok(()),
        }
    }

    fn upstream_headers(&mut self, vm: &mut Vm, headers: HeaderMap, end: bool) -> Result<(), HostError> {
        let router = self.router.as_mut().expect("the router has started");
        if router.retries_headers(&headers) {
            let status = headers.get(":status").unwrap_or_default().to_owned();
            self.close_attempt(vm, Outcome::Retried(status))?;
            return self.start_attempt(vm);
        }
        router.response_started = true;
        if end {
            self.close_attempt(vm, Outcome::Answered)?;
        } else if let Some(request) = self.answer.upstreams.last_mut() {
            request.outcome = Outcome::Answered;
        }
        self.policy.response_headers(vm, headers, end)
    }

    fn upstream_reset(&mut self, vm: &mut Vm, reason: ResetReason) -> Result<(), HostError> {
        let retried = self.answer.upstreams.len() > 1;
        let router = self.router.as_mut().expect("the router has started");
        if router.retries_reset(reason) {
            self.close_attempt(vm, Outcome::Retried(reason.text().to_owned()))?;
            return self.start_attempt(vm);
        }
        self.close_attempt(vm, Outcome::Failed(reason.text().to_owned()))?;
        let reply = if reason == ResetReason::PerTryTimeout {
            LocalReply::text(504, "upstream request timeout", "upstream_per_try_timeout")
        } else {
            let latest = if retried { "retried and the latest " } else { "" };
            let start = "upstream connect error or disconnect/reset before headers. ";
            let body = format!("{start}{latest}reset reason: {}", reason.text());
            LocalReply::text(503, &body, "upstream_reset_before_response_started")
        };
        self.local_reply(vm, reply)
    }

    /// A local reply goes through the response callbacks of the listener's filters, also of the one that sent it,
    /// while no response has begun; past that straight to the client while it has no headers; past that the stream
    /// is reset (`DownstreamFilterManager::sendLocalReply`).
    fn local_reply(&mut self, vm: &mut Vm, reply: LocalReply) -> Result<(), HostError> {
        self.policy.abort(Side::Request);
        let headers = reply.response_headers();
        let empty = reply.body.is_empty();
        if !self.policy.response_begun() {
            self.policy.response_headers(vm, headers, empty)?;
            if !empty {
                self.policy.data(vm, Side::Response, reply.body, true)?;
            }
            return Ok(());
        }
        self.policy.abort(Side::Response);
        if self.answer.headers.is_some() {
            return self.client_leaves(vm);
        }
        self.answer.headers = Some(headers);
        if !empty {
            self.answer.chunks.push(Chunk { bytes: reply.body, after: self.fed });
        }
        self.end_if(vm, true)
    }

    fn end_if(&mut self, vm: &mut Vm, end: bool) -> Result<(), HostError> {
        if !end {
            return Ok(());
        }
        self.answer.complete = true;
        self.finish(vm)
    }

    /// The listener's filter logs and goes, then the router with what it has open.
    fn finish(&mut self, vm: &mut Vm) -> Result<(), HostError> {
        self.over = true;
        self.policy.close(vm, true)?;
        self.close_attempt(vm, Outcome::Abandoned)
    }

    fn close_attempt(&mut self, vm: &mut Vm, outcome: Outcome) -> Result<(), HostError> {
        let Some(mut attempt) = self.attempt.take() else {
            return Ok(());
        };
        if let Some(request) = self.answer.upstreams.last_mut() {
            request.outcome = outcome;
        }
        attempt.stream.close(vm, false)
    }
}
