//! Everything that the host knows about one virtual machine while the module runs in it.
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use wasmtime::{Memory, StoreLimits, TypedFunc};

use super::abi::{MapType, Status};
use super::callout::{Callout, Grpc};
use super::headers::HeaderMap;
use super::log::{LogEntry, LogLevel};
use super::metrics::MetricIds;
use super::process::{Process, Shared, lock, shared};
use super::property::Value;
use super::stream::LocalReply;

/// The data of a store.
pub(crate) struct HostState {
    pub process: Process,
    pub vm: u64,
    pub vm_id: String,
    pub vm_configuration: Vec<u8>,
    pub environment: Vec<(String, String)>,
    pub random: u64,
    pub log_level: LogLevel,
    pub log: Vec<LogEntry>,
    pub limits: StoreLimits,
    pub memory: Option<Memory>,
    pub allocate: Option<TypedFunc<i32, i32>>,
    /// The context whose callback runs; 0 is the virtual machine's own.
    pub active: u32,
    /// What `proxy_set_effective_context` chose for the running callback; 0 is none.
    pub effective: u32,
    /// While the module starts or allocates, Envoy lets it call only a few functions.
    pub restricted: bool,
    /// A local response was sent in this callback: whatever it answers, iteration stops.
    pub stop_iteration: bool,
    pub roots: BTreeMap<u32, RootState>,
    pub streams: HashMap<u32, StreamState>,
    pub next_context: u32,
    pub metric_ids: MetricIds,
    pub clusters: BTreeSet<String>,
    pub callouts: BTreeMap<u32, Callout>,
    pub grpc: BTreeMap<u32, Grpc>,
    pub last_callouts: [u32; 3],
    /// What Envoy does only after the callback has returned.
    pub actions: VecDeque<(u32, Action)>,
}

/// A root context: a plugin in this virtual machine.
#[derive(Default)]
pub(crate) struct RootState {
    pub name: String,
    pub root_id: String,
    pub configuration: Arc<Vec<u8>>,
    /// The configuration can be read only while `proxy_on_configure` runs.
    pub configuring: bool,
    pub allow_on_headers_stop_iteration: bool,
    pub tick_period: u64,
    pub next_tick: u64,
    pub status: (u32, String),
    pub response: Option<(HeaderMap, Vec<u8>, HeaderMap)>,
    pub grpc_message: Option<Vec<u8>>,
    pub grpc_initial: Option<HeaderMap>,
    pub grpc_trailing: Option<HeaderMap>,
    pub call_data: Vec<u8>,
    pub done_pending: bool,
    pub deleted: bool,
}

/// A stream context.
pub(crate) struct StreamState {
    pub root: u32,
    pub info: Shared<StreamInfo>,
    pub request: View,
    pub response: View,
    pub end_of_stream: bool,
    pub log_phase: bool,
}

/// What a stream context can see of one direction.
#[derive(Default)]
pub(crate) struct View {
    pub headers: Option<Shared<HeaderMap>>,
    pub trailers: Option<Shared<HeaderMap>>,
    /// The data of the running body callback.
    pub chunk: Option<Vec<u8>>,
    /// The last body callback paused and buffered: the next one sees everything held.
    pub buffering: bool,
    /// What the filter manager holds back.
    pub held: Option<Vec<u8>>,
    /// `proxy_continue_stream` has taken the running callback's data out of sight.
    pub detached: bool,
}

/// What the filters of one request share: properties and filter state.
#[derive(Debug)]
pub struct StreamInfo {
    pub(crate) properties: Value,
    pub(crate) filter_state: BTreeMap<String, Vec<u8>>,
    pub(crate) request_headers: Shared<HeaderMap>,
    pub(crate) response_headers: Option<Shared<HeaderMap>>,
    pub(crate) response_trailers: Option<Shared<HeaderMap>>,
}

/// Done after the callback that asked for it has returned.
#[derive(Debug)]
pub(crate) enum Action {
    ContinueRequest,
    ContinueResponse,
    CloseStream,
    LocalResponse(LocalReply),
    RootDone,
}

impl StreamInfo {
    pub(crate) fn new(request_headers: Shared<HeaderMap>, properties: Value) -> Self {
        Self {
            properties,
            filter_state: BTreeMap::new(),
            request_headers,
            response_headers: None,
            response_trailers: None,
        }
    }
}

impl View {
    /// The buffer that body calls read and write now; `None` outside a body callback.
    pub(crate) fn buffer(&mut self) -> Option<&mut Vec<u8>> {
        if self.buffering {
            Some(self.held.get_or_insert_default())
        } else {
            self.chunk.as_mut().filter(|_| !self.detached)
        }
    }

    /// How many bytes [`Self::buffer`] has.
    pub(crate) fn visible(&mut self) -> usize {
        self.buffer().map_or(0, |buffer| buffer.len())
    }
}

impl HostState {
    /// The context that calls out: the effective one while it exists, else the one that runs.
    pub(crate) fn current(&self) -> u32 {
        let known = self.roots.contains_key(&self.effective) || self.streams.contains_key(&self.effective);
        if known { self.effective } else { self.active }
    }

    /// The root of a context.
    pub(crate) fn root_of(&self, context: u32) -> u32 {
        self.streams.get(&context).map_or(context, |stream| stream.root)
    }

    /// The root of the context that calls out.
    pub(crate) fn current_root_id(&self) -> u32 {
        self.root_of(self.current())
    }

    pub(crate) fn current_stream(&mut self) -> Option<&mut StreamState> {
        let context = self.current();
        self.streams.get_mut(&context)
    }

    pub(crate) fn current_root(&mut self) -> Option<&mut RootState> {
        let root = self.current_root_id();
        self.roots.get_mut(&root)
    }

    pub(crate) fn new_context(&mut self) -> u32 {
        self.next_context += 1;
        self.next_context
    }

    /// A token of a callout: kind 0 is HTTP, 1 a gRPC call, 2 a gRPC stream, and the kind is its low two bits.
    pub(crate) fn new_callout(&mut self, kind: u32) -> u32 {
        let last = &mut self.last_callouts[kind as usize];
        *last += 1;
        kind + 4 * *last
    }

    /// Later, for the current context.
    pub(crate) fn defer(&mut self, action: Action) {
        let context = self.current();
        self.actions.push_back((context, action));
    }

    pub(crate) fn log(&mut self, level: LogLevel, message: &[u8]) {
        if level >= self.log_level {
            let message = String::from_utf8_lossy(message).into_owned();
            self.log.push(LogEntry { level, message });
        }
    }

    /// A map to read. In the log phase it is the one of the access log, which has no request trailers.
    pub(crate) fn map(&mut self, kind: MapType) -> Option<HeaderMap> {
        let copy = |map: &Option<Shared<HeaderMap>>| map.as_ref().map(|map| lock(map).clone());
        let Some(stream) = self.current_stream() else {
            return self.root_map(kind);
        };
        let info = stream.log_phase.then(|| stream.info.clone());
        match (kind, info) {
            (MapType::RequestHeaders, Some(info)) => Some(lock(&lock(&info).request_headers).clone()),
            (MapType::RequestTrailers, Some(_)) => None,
            (MapType::ResponseHeaders, Some(info)) => copy(&lock(&info).response_headers),
            (MapType::ResponseTrailers, Some(info)) => copy(&lock(&info).response_trailers),
            (MapType::RequestHeaders, None) => copy(&stream.request.headers),
            (MapType::RequestTrailers, None) => copy(&stream.request.trailers),
            (MapType::ResponseHeaders, None) => copy(&stream.response.headers),
            (MapType::ResponseTrailers, None) => copy(&stream.response.trailers),
            _ => self.root_map(kind),
        }
    }

    fn root_map(&mut self, kind: MapType) -> Option<HeaderMap> {
        let root = self.current_root()?;
        match kind {
            MapType::GrpcInitialMetadata => root.grpc_initial.clone(),
            MapType::GrpcTrailingMetadata => root.grpc_trailing.clone(),
            MapType::CalloutHeaders => root.response.as_ref().map(|(headers, _, _)| headers.clone()),
            MapType::CalloutTrailers => {
                root.response.as_ref().map(|(_, _, trailers)| trailers.clone()).filter(|map| !map.is_empty())
            }
            _ => None,
        }
    }

    /// A map to change; callout and gRPC maps never are. Trailers that are missing are made when they are asked for
    /// in the last body callback.
    pub(crate) fn map_mut(&mut self, kind: MapType) -> Result<Shared<HeaderMap>, Status> {
        let stream = self.current_stream().ok_or(Status::BadArgument)?;
        let last = stream.end_of_stream;
        let view = match kind {
            MapType::RequestHeaders | MapType::RequestTrailers => &mut stream.request,
            MapType::ResponseHeaders | MapType::ResponseTrailers => &mut stream.response,
            _ => return Err(Status::BadArgument),
        };
        let map = if matches!(kind, MapType::RequestHeaders | MapType::ResponseHeaders) {
            view.headers.clone()
        } else {
            if view.trailers.is_none() && view.chunk.is_some() && !view.detached && last {
                view.trailers = Some(shared(HeaderMap::new()));
            }
            view.trailers.clone()
        };
        map.ok_or(Status::BadArgument)
    }

    /// `proxy_get_property` for the current context.
    pub(crate) fn property(&mut self, path: &[&str]) -> Result<Vec<u8>, Status> {
        let Some((first, rest)) = path.split_first() else {
            return Err(Status::SerializationFailure);
        };
        let context = self.current();
        if let Some(value) = self.streams.get(&context).and_then(|stream| stream.property(first)) {
            return value.member(rest)?.serialize();
        }
        let vm_id = self.vm_id.clone();
        let root = self.current_root().ok_or(Status::NotFound)?;
        let own = match *first {
            "plugin_name" => Some(root.name.clone()),
            "plugin_root_id" => Some(root.root_id.clone()),
            "plugin_vm_id" => Some(vm_id),
            _ => None,
        };
        if let Some(own) = own {
            return Value::Text(own).member(rest)?.serialize();
        }
        let stream = self.streams.get(&context).ok_or(Status::NotFound)?;
        let state = lock(&stream.info).filter_state.get(&format!("wasm.{first}")).cloned();
        Value::Bytes(state.ok_or(Status::NotFound)?).member(rest)?.serialize()
    }
}

impl StreamState {
    /// A top-level attribute. Those of the request and response headers are there only while the map is.
    fn property(&self, name: &str) -> Option<Value> {
        let info = lock(&self.info);
        let attributes = info.properties.member(&[name]).ok().cloned();
        let (view, logged) = match name {
            "request" => (&self.request, Some(&info.request_headers)),
            "response" => (&self.response, info.response_headers.as_ref()),
            "filter_state" => {
                let states = info.filter_state.iter();
                return Some(Value::Map(
                    states.map(|(key, state)| (key.clone(), Value::Bytes(state.clone()))).collect(),
                ));
            }
            _ => return attributes,
        };
        let mut value = attributes.unwrap_or_else(|| Value::Map(BTreeMap::new()));
        let headers = view.headers.as_ref().or(logged.filter(|_| self.log_phase));
        if let Some(headers) = headers {
            let headers = lock(headers);
            header_attributes(&mut value, &headers);
        }
        Some(value)
    }
}

/// The attributes that Envoy derives from headers (`extensions/filters/common/expr/context.cc`).
fn header_attributes(value: &mut Value, headers: &HeaderMap) {
    let mut put = |attribute: &str, header: &str| {
        if let Some(text) = headers.get(header) {
            value.insert(&[attribute], text.into());
        }
    };
    put("path", ":path");
    put("host", ":authority");
    put("scheme", ":scheme");
    put("method", ":method");
    put("referer", "referer");
    put("useragent", "user-agent");
    put("id", "x-request-id");
    if let Some(path) = headers.get(":path") {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        value.insert(&["url_path"], path.into());
        value.insert(&["query"], query.into());
    }
    if let Some(code) = headers.get(":status").and_then(|code| code.parse().ok()) {
        value.insert(&["code"], Value::Int(code));
    }
    for (name, _) in headers.iter() {
        let all = headers.get_all(name).join(b",".as_slice());
        value.insert(&["headers", name], Value::Bytes(all));
    }
}
