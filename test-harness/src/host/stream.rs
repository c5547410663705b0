//! One HTTP stream as one wasm filter sees it: Envoy's filter manager for a chain of this filter and a terminal one.
//!
//! What passes the filter comes out as [`Frame`]s, in order. A frame carries the headers as they were when they
//! passed.
use std::collections::VecDeque;

use super::error::HostError;
use super::headers::HeaderMap;
use super::process::{Shared, lock, shared};
use super::property::Value;
use super::state::{Action, StreamInfo, StreamState, View};
use super::vm::Vm;

/// A direction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From the client on: Envoy's decoder filters.
    Request,
    /// Back to the client: Envoy's encoder filters.
    Response,
}

/// Something that has passed the filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Headers, and whether nothing follows.
    Headers(Side, HeaderMap, bool),
    /// A part of the body, and whether nothing follows.
    Data(Side, Vec<u8>, bool),
    /// Trailers, the end.
    Trailers(Side, HeaderMap),
    /// The filter answers itself.
    LocalReply(LocalReply),
    /// The filter has closed the stream.
    Reset,
}

/// An answer that `proxy_send_local_response`, or Envoy, makes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalReply {
    /// The HTTP status.
    pub code: u32,
    /// Headers beside `:status`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// For the access log.
    pub details: String,
}

/// A stream context with the state of its two directions.
pub struct FilterStream {
    context: u32,
    root: u32,
    info: Shared<StreamInfo>,
    /// An upstream filter: the access log does not know its response headers.
    upstream: bool,
    created: bool,
    closed: bool,
    request: Half,
    response: Half,
    frames: VecDeque<Frame>,
}

#[derive(Default)]
struct Half {
    iteration: Iteration,
    headers: Option<Shared<HeaderMap>>,
    headers_continued: bool,
    /// The end of the stream has arrived at this filter.
    complete: bool,
    trailers: bool,
    aborted: bool,
    limit: Option<usize>,
}

/// Where Envoy's filter manager stands with a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Iteration {
    #[default]
    Continue,
    /// Headers are held; the filter still gets data.
    StopSingle,
    /// Everything is held, before the filter.
    StopAll,
}

impl LocalReply {
    /// A reply of Envoy itself, in plain text.
    pub fn text(code: u32, body: &str, details: &str) -> Self {
        Self { code, headers: HeaderMap::new(), body: body.as_bytes().to_vec(), details: details.to_owned() }
    }

    /// The response headers: a body brings its length, and plain text where no type is named; no body takes both away.
    pub fn response_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.add(":status", self.code.to_string());
        for (name, value) in self.headers.iter() {
            headers.add(name, value);
        }
        if self.body.is_empty() {
            headers.remove("content-length");
            headers.remove("content-type");
            return headers;
        }
        headers.set("content-length", self.body.len().to_string());
        if !headers.contains("content-type") {
            headers.set("content-type", "text/plain");
        }
        headers
    }
}

impl FilterStream {
    /// A stream of a root. The context is created in the module when the request headers arrive.
    pub fn new(vm: &mut Vm, root_id: &str, request_headers: HeaderMap) -> Result<Self, HostError> {
        let headers = shared(request_headers);
        let info = shared(StreamInfo::new(headers.clone(), Value::Map(Default::default())));
        Self::with_info(vm, root_id, headers, info, false)
    }

    /// A stream that shares its request headers and its properties with other filters.
    pub(crate) fn with_info(
        vm: &mut Vm,
        root_id: &str,
        headers: Shared<HeaderMap>,
        info: Shared<StreamInfo>,
        upstream: bool,
    ) -> Result<Self, HostError> {
        let root = vm.root_context(root_id);
        let root = root.ok_or_else(|| HostError::Script(format!("there is no root `{root_id}`")))?;
        let context = vm.state().new_context();
        let request = Half { headers: Some(headers), ..Half::default() };
        let response = Half::default();
        let frames = VecDeque::new();
        Ok(Self { context, root, info, upstream, created: false, closed: false, request, response, frames })
    }

    /// The id of the context.
    pub fn context(&self) -> u32 {
        self.context
    }

    /// Most bytes that may be held in a direction: over it a request is answered with 413, a response with 500.
    pub fn set_buffer_limit(&mut self, side: Side, limit: Option<usize>) {
        self.half(side).limit = limit;
    }

    /// Sets a property that the module can read.
    pub fn set_property(&mut self, path: &[&str], value: Value) {
        lock(&self.info).properties.insert(path, value);
    }

    /// Filter state that the module has set: `wasm.<name>`.
    pub fn filter_state(&self, name: &str) -> Option<Vec<u8>> {
        lock(&self.info).filter_state.get(name).cloned()
    }

    /// What has passed since the last call.
    pub fn take_frames(&mut self) -> Vec<Frame> {
        self.frames.drain(..).collect()
    }

    pub(crate) fn next_frame(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// Creates the context and gives it the request headers.
    pub fn request_headers(&mut self, vm: &mut Vm, end_of_stream: bool) -> Result<(), HostError> {
        let stream = StreamState {
            root: self.root,
            info: self.info.clone(),
            request: View::default(),
            response: View::default(),
            end_of_stream,
            log_phase: false,
        };
        vm.state().streams.insert(self.context, stream);
        self.created = true;
        vm.call::<_, ()>("proxy_on_context_create", self.context, (self.context as i32, self.root as i32))?;
        self.headers(vm, Side::Request, end_of_stream)
    }

    /// Gives the filter the response headers, with `:status`.
    pub fn response_headers(
        &mut self,
        vm: &mut Vm,
        headers: HeaderMap,
        end_of_stream: bool,
    ) -> Result<(), HostError> {
        let headers = shared(headers);
        if !self.upstream {
            lock(&self.info).response_headers = Some(headers.clone());
        }
        self.response.headers = Some(headers);
        self.headers(vm, Side::Response, end_of_stream)
    }

    /// Gives the filter a part of a body.
    pub fn data(&mut self, vm: &mut Vm, side: Side, data: Vec<u8>, end: bool) -> Result<(), HostError> {
        let half = self.half(side);
        if half.aborted {
            return Ok(());
        }
        half.complete |= end;
        if half.iteration == Iteration::StopAll {
            return self.hold(vm, side, data);
        }
        self.run_data(vm, side, data, end)
    }

    /// Gives the filter trailers.
    pub fn trailers(&mut self, vm: &mut Vm, side: Side, trailers: HeaderMap) -> Result<(), HostError> {
        let half = self.half(side);
        if half.aborted {
            return Ok(());
        }
        half.complete = true;
        half.trailers = true;
        let stopped_all = half.iteration == Iteration::StopAll;
        self.view(vm, side).trailers = Some(shared(trailers));
        if stopped_all {
            return Ok(());
        }
        self.run_trailers(vm, side)
    }

    /// Does what the module asked for in callbacks that have returned, also in those of other contexts that acted for
    /// this one. Only for a stream that is driven by hand; a gateway does it by itself.
    pub fn run_actions(&mut self, vm: &mut Vm) -> Result<(), HostError> {
        while let Some((context, action)) = vm.take_action() {
            if context == self.context {
                self.act(vm, action)?;
            }
        }
        vm.settle()
    }

    /// What an action does to this stream.
    pub(crate) fn act(&mut self, vm: &mut Vm, action: Action) -> Result<(), HostError> {
        if self.closed {
            return Ok(());
        }
        match action {
            Action::ContinueRequest => self.continue_iteration(vm, Side::Request),
            Action::ContinueResponse => self.continue_iteration(vm, Side::Response),
            Action::CloseStream => {
                self.frames.push_back(Frame::Reset);
                Ok(())
            }
            Action::LocalResponse(reply) => {
                self.frames.push_back(Frame::LocalReply(reply));
                Ok(())
            }
            Action::RootDone => Ok(()),
        }
    }

    /// Nothing more passes in this direction: a local reply has taken over, or the stream is reset.
    pub fn abort(&mut self, side: Side) {
        self.half(side).aborted = true;
    }

    /// Whether response headers have arrived at this filter, so that a local reply can't go through it any more.
    pub fn response_begun(&self) -> bool {
        self.response.headers.is_some()
    }

    /// Where it holds, for a message on a stall.
    pub fn describe(&self) -> String {
        format!("request {:?}, response {:?}", self.request.iteration, self.response.iteration)
    }

    /// The end: `proxy_on_log` for a listener's filter (never for an upstream one), then `proxy_on_done` and
    /// `proxy_on_delete`.
    pub fn close(&mut self, vm: &mut Vm, log: bool) -> Result<(), HostError> {
        if self.closed || !self.created {
            return Ok(());
        }
        self.closed = true;
        self.abort(Side::Request);
        self.abort(Side::Response);
        let context = self.context as i32;
        let called = self.close_in_module(vm, log, context);
        vm.state().streams.remove(&self.context);
        called
    }

    fn close_in_module(&self, vm: &mut Vm, log: bool, context: i32) -> Result<(), HostError> {
        if log {
            self.stream(vm).log_phase = true;
            vm.call::<_, ()>("proxy_on_log", self.context, (context,))?;
            self.stream(vm).log_phase = false;
        }
        vm.call::<_, i32>("proxy_on_done", self.context, (context,))?;
        vm.call::<_, ()>("proxy_on_delete", self.context, (context,))?;
        Ok(())
    }

    fn headers(&mut self, vm: &mut Vm, side: Side, end: bool) -> Result<(), HostError> {
        let half = self.half(side);
        if half.aborted {
            return Ok(());
        }
        half.complete = end;
        let map = half.headers.clone();
        let count = map.as_ref().map_or(0, |map| lock(map).len());
        self.stream(vm).end_of_stream = end;
        self.view(vm, side).headers = map;
        let export = match side {
            Side::Request => "proxy_on_request_headers",
            Side::Response => "proxy_on_response_headers",
        };
        let arguments = (self.context as i32, count as i32, i32::from(end));
        let answer = vm.call::<_, i32>(export, self.context, arguments)?.unwrap_or(0);
        let root = vm.state().roots.get(&self.root);
        let stop_single = root.is_some_and(|root| root.allow_on_headers_stop_iteration);
        // 2 (continue and end the stream) is taken as continue.
        let iteration = match answer {
            _ if vm.stopped() => Iteration::StopAll,
            0 | 2 => Iteration::Continue,
            1 if stop_single => Iteration::StopSingle,
            _ => Iteration::StopAll,
        };
        self.half(side).iteration = iteration;
        if iteration == Iteration::Continue {
            self.view(vm, side).headers = None;
            self.pass_headers(side, end);
        }
        Ok(())
    }

    fn run_data(&mut self, vm: &mut Vm, side: Side, data: Vec<u8>, end: bool) -> Result<(), HostError> {
        let mut data = data;
        if self.view(vm, side).buffering {
            let taken = std::mem::take(&mut data);
            self.hold(vm, side, taken)?;
            if self.half(side).aborted {
                return Ok(());
            }
        }
        self.stream(vm).end_of_stream = end;
        let had_trailers = self.half(side).trailers;
        let view = self.view(vm, side);
        view.chunk = Some(data);
        view.detached = false;
        let size = view.visible();
        let export = match side {
            Side::Request => "proxy_on_request_body",
            Side::Response => "proxy_on_response_body",
        };
        let arguments = (self.context as i32, size as i32, i32::from(end));
        let answer = vm.call::<_, i32>(export, self.context, arguments)?.unwrap_or(0);
        let answer = if vm.stopped() { 3 } else { answer };
        let view = self.view(vm, side);
        let data = view.chunk.take().unwrap_or_default();
        view.buffering = answer == 1;
        let added = !had_trailers && view.trailers.is_some();
        self.half(side).trailers |= added;
        match answer {
            0 if self.half(side).iteration == Iteration::StopSingle => {
                self.hold(vm, side, data)?;
                self.continue_iteration(vm, side)?;
            }
            0 => {
                self.pass_data(side, data, end && !added);
                if added {
                    self.pass_trailers(vm, side);
                }
            }
            1 | 2 => {
                self.half(side).iteration = Iteration::StopSingle;
                self.hold(vm, side, data)?;
            }
            // The filter takes the data away; an end must still come through later.
            _ => {
                let half = self.half(side);
                half.iteration = Iteration::StopSingle;
                if half.complete && !half.trailers {
                    self.view(vm, side).held.get_or_insert_default();
                }
            }
        }
        Ok(())
    }

    fn run_trailers(&mut self, vm: &mut Vm, side: Side) -> Result<(), HostError> {
        let export = match side {
            Side::Request => "proxy_on_request_trailers",
            Side::Response => "proxy_on_response_trailers",
        };
        let count = self.view(vm, side).trailers.as_ref().map_or(0, |map| lock(map).len());
        let arguments = (self.context as i32, count as i32);
        let answer = vm.call::<_, i32>(export, self.context, arguments)?.unwrap_or(0);
        if vm.stopped() || answer != 0 {
            self.half(side).iteration = Iteration::StopSingle;
        } else if self.half(side).iteration == Iteration::StopSingle {
            self.continue_iteration(vm, side)?;
        } else {
            self.pass_trailers(vm, side);
        }
        Ok(())
    }

    /// Envoy's `commonContinue`: headers that are held, then data, then trailers. After a stop of everything the
    /// filter itself still has to see data and trailers.
    fn continue_iteration(&mut self, vm: &mut Vm, side: Side) -> Result<(), HostError> {
        let half = self.half(side);
        if half.aborted || half.iteration == Iteration::Continue {
            return Ok(());
        }
        let from_here = half.iteration == Iteration::StopAll;
        half.iteration = Iteration::Continue;
        let (complete, trailers, continued) = (half.complete, half.trailers, half.headers_continued);
        let held = self.view(vm, side).held.take();
        if !continued {
            self.pass_headers(side, complete && held.is_none() && !trailers);
        }
        if let Some(data) = held {
            if from_here {
                self.run_data(vm, side, data, complete && !trailers)?;
            } else {
                self.frames.push_back(Frame::Data(side, data, complete && !trailers));
            }
        }
        if trailers && from_here {
            self.run_trailers(vm, side)
        } else {
            if trailers {
                self.pass_trailers(vm, side);
            }
            Ok(())
        }
    }

    /// Holds data back; over the limit Envoy answers itself.
    fn hold(&mut self, vm: &mut Vm, side: Side, data: Vec<u8>) -> Result<(), HostError> {
        let limit = self.half(side).limit;
        let held = self.view(vm, side).held.get_or_insert_default();
        held.extend(data);
        if limit.is_some_and(|limit| held.len() > limit) {
            self.abort(side);
            let reply = match side {
                Side::Request => LocalReply::text(413, "Payload Too Large", "request_payload_too_large"),
                Side::Response => {
                    LocalReply::text(500, "Internal Server Error", "response_payload_too_large")
                }
            };
            self.frames.push_back(Frame::LocalReply(reply));
        }
        Ok(())
    }

    fn pass_headers(&mut self, side: Side, end: bool) {
        let half = self.half(side);
        half.headers_continued = true;
        let headers = half.headers.as_ref().map(|map| lock(map).clone()).unwrap_or_default();
        self.frames.push_back(Frame::Headers(side, headers, end));
    }

    fn pass_data(&mut self, side: Side, data: Vec<u8>, end: bool) {
        if !data.is_empty() || end {
            self.frames.push_back(Frame::Data(side, data, end));
        }
    }

    fn pass_trailers(&mut self, vm: &mut Vm, side: Side) {
        let trailers = self.view(vm, side).trailers.take();
        if let Some(trailers) = trailers {
            if side == Side::Response && !self.upstream {
                lock(&self.info).response_trailers = Some(trailers.clone());
            }
            let trailers = lock(&trailers).clone();
            self.frames.push_back(Frame::Trailers(side, trailers));
        }
    }

    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    fn stream<'v>(&self, vm: &'v mut Vm) -> &'v mut StreamState {
        vm.state().streams.get_mut(&self.context).expect("the context lives as long as the stream")
    }

    fn view<'v>(&self, vm: &'v mut Vm, side: Side) -> &'v mut View {
        let stream = self.stream(vm);
        match side {
            Side::Request => &mut stream.request,
            Side::Response => &mut stream.response,
        }
    }
}
