//! One virtual machine: its start, its root contexts, and the calls into it.
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::{Instance, Linker, Store, StoreLimitsBuilder, UpdateDeadline, WasmParams, WasmResults};

use super::abi::{self, Status};
use super::callout::{Callout, CalloutReply, Grpc, GrpcEvent};
use super::error::{HostError, Trap};
use super::log::{LogEntry, LogLevel};
use super::metrics::MetricIds;
use super::module::{EPOCH, Module};
use super::process::{Process, lock};
use super::state::{Action, HostState, RootState};

/// How long one callback may run before it traps, so that a loop without end fails a test instead of hanging it.
pub const CALLBACK_LIMIT: Duration = Duration::from_secs(20);

/// Envoy's limit of a module's memory.
const MEMORY_LIMIT: usize = 1024 * 1024 * 1024;

/// What a virtual machine is started with.
#[derive(Clone)]
pub struct VmBuilder {
    module: Module,
    vm_id: String,
    vm_configuration: Vec<u8>,
    environment: Vec<(String, String)>,
    clusters: BTreeSet<String>,
    log_level: LogLevel,
    random: u64,
    process: Process,
    callback_limit: Duration,
    roots: Vec<Root>,
}

#[derive(Clone)]
struct Root {
    root_id: String,
    configuration: Arc<Vec<u8>>,
    allow_on_headers_stop_iteration: bool,
}

/// A running virtual machine.
pub struct Vm {
    store: Store<HostState>,
    instance: Instance,
    callback_limit: Duration,
    dead: bool,
}

impl VmBuilder {
    pub(crate) fn new(module: Module) -> Self {
        Self {
            module,
            vm_id: String::new(),
            vm_configuration: Vec::new(),
            environment: Vec::new(),
            clusters: BTreeSet::new(),
            log_level: LogLevel::Trace,
            random: 0,
            process: Process::new(),
            callback_limit: CALLBACK_LIMIT,
            roots: Vec::new(),
        }
    }

    /// `vm_config.vm_id`: shared data and queues belong to it.
    pub fn vm_id(mut self, vm_id: &str) -> Self {
        vm_id.clone_into(&mut self.vm_id);
        self
    }

    /// `vm_config.configuration`.
    pub fn vm_configuration(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.vm_configuration = bytes.into();
        self
    }

    /// An environment variable (`vm_config.environment_variables`).
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A cluster that callouts may name.
    pub fn cluster(mut self, name: &str) -> Self {
        self.clusters.insert(name.to_owned());
        self
    }

    /// What is logged below this level is dropped, and `proxy_get_log_level` answers it. The default is trace.
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = level;
        self
    }

    /// The seed of `random_get`.
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.random = seed;
        self
    }

    /// How long one callback may run before it traps; [`CALLBACK_LIMIT`] by default.
    pub fn callback_limit(mut self, limit: Duration) -> Self {
        self.callback_limit = limit;
        self
    }

    /// Shares data, queues, statistics and clock with other workers.
    pub fn process(mut self, process: &Process) -> Self {
        self.process = process.clone();
        self
    }

    /// The process that this virtual machine will belong to.
    pub fn shared_process(&self) -> &Process {
        &self.process
    }

    /// A plugin with this `root_id` and configuration; roots are configured in the order of these calls.
    pub fn root(mut self, root_id: &str, configuration: impl Into<Vec<u8>>) -> Self {
        self.roots.push(Root {
            root_id: root_id.to_owned(),
            configuration: Arc::new(configuration.into()),
            allow_on_headers_stop_iteration: true,
        });
        self
    }

    /// The last root goes without `allow_on_headers_stop_iteration`: a pause in its header callbacks stops bodies too.
    pub fn without_headers_stop_iteration(mut self) -> Self {
        if let Some(root) = self.roots.last_mut() {
            root.allow_on_headers_stop_iteration = false;
        }
        self
    }

    /// Links and starts the module, creates each root and configures it.
    pub fn start(&self) -> Result<Vm, HostError> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let engine = self.module.compiled.engine();
        let state = HostState {
            process: self.process.clone(),
            vm: COUNT.fetch_add(1, Ordering::Relaxed),
            vm_id: self.vm_id.clone(),
            vm_configuration: self.vm_configuration.clone(),
            environment: self.environment.clone(),
            random: self.random,
            log_level: self.log_level,
            log: Vec::new(),
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_LIMIT).build(),
            memory: None,
            allocate: None,
            active: 0,
            effective: 0,
            restricted: false,
            stop_iteration: false,
            roots: BTreeMap::new(),
            streams: HashMap::new(),
            next_context: 0,
            metric_ids: MetricIds::default(),
            clusters: self.clusters.clone(),
            callouts: BTreeMap::new(),
            grpc: BTreeMap::new(),
            last_callouts: [0; 3],
            actions: VecDeque::new(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limits);
        let limit = self.callback_limit;
        store.epoch_deadline_callback(move |_| {
            let message = format!("the callback ran for more than {} ms", limit.as_millis());
            Err::<UpdateDeadline, _>(wasmtime::Error::msg(message))
        });
        store.set_epoch_deadline(epochs(limit));
        let mut linker = Linker::new(engine);
        abi::link(&mut linker).map_err(|error| HostError::Link(format!("{error:?}")))?;
        store.data_mut().restricted = true;
        let instance = linker
            .instantiate(&mut store, &self.module.compiled)
            .map_err(|error| HostError::Link(format!("{error:?}")))?;
        let mut vm = Vm { store, instance, callback_limit: self.callback_limit, dead: false };
        vm.start_module()?;
        for root in &self.roots {
            vm.start_root(root)?;
        }
        Ok(vm)
    }
}

fn epochs(limit: Duration) -> u64 {
    (limit.as_millis() / EPOCH.as_millis()) as u64
}

impl Vm {
    /// Whether a trap has ended it.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// What the module has logged since the last [`Self::clear_log`].
    pub fn log(&self) -> &[LogEntry] {
        &self.store.data().log
    }

    /// Forgets the log.
    pub fn clear_log(&mut self) {
        self.store.data_mut().log.clear();
    }

    /// The process that it belongs to.
    pub fn process(&self) -> &Process {
        &self.store.data().process
    }

    /// The size of the module's memory, in bytes; it never shrinks.
    pub fn memory_size(&self) -> usize {
        self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    /// How many stream contexts are alive: none may be left when all exchanges are over.
    pub fn open_streams(&self) -> usize {
        self.store.data().streams.len()
    }

    /// The context id of a root.
    pub fn root_context(&self, root_id: &str) -> Option<u32> {
        let mut roots = self.store.data().roots.iter();
        roots.find(|(_, root)| root.root_id == root_id && !root.deleted).map(|(id, _)| *id)
    }

    /// Calls `proxy_on_tick` of a root now, whatever its period.
    pub fn tick(&mut self, root_id: &str) -> Result<(), HostError> {
        let root = self.known_root(root_id)?;
        self.call::<(i32,), ()>("proxy_on_tick", root, (root as i32,))?;
        self.settle()
    }

    /// Moves the clock, and calls `proxy_on_tick` of every root each time its period passes, in order of time.
    pub fn advance(&mut self, by: Duration) -> Result<(), HostError> {
        let millis = |process: &Process| process.monotonic().as_millis() as u64;
        let end = self.process().monotonic() + by;
        loop {
            let roots =
                self.store.data().roots.iter().filter(|(_, root)| root.tick_period > 0 && !root.deleted);
            let next = roots.map(|(id, root)| (root.next_tick, *id)).min();
            let Some((time, root)) = next.filter(|(time, _)| u128::from(*time) <= end.as_millis()) else {
                break;
            };
            let wait = time.saturating_sub(millis(self.process()));
            self.process().move_clock(Duration::from_millis(wait));
            if let Some(state) = self.store.data_mut().roots.get_mut(&root) {
                state.next_tick = time + state.tick_period;
            }
            self.call::<(i32,), ()>("proxy_on_tick", root, (root as i32,))?;
            self.settle()?;
        }
        let rest = end.saturating_sub(self.process().monotonic());
        self.process().move_clock(rest);
        Ok(())
    }

    /// The period of a root's ticks; `None` when it has none.
    pub fn tick_period(&self, root_id: &str) -> Option<Duration> {
        let root = self.store.data().roots.get(&self.root_context(root_id)?)?;
        Some(Duration::from_millis(root.tick_period)).filter(|period| !period.is_zero())
    }

    /// HTTP calls of the module that wait for an answer, oldest first.
    pub fn callouts(&self) -> Vec<Callout> {
        self.store.data().callouts.values().cloned().collect()
    }

    /// gRPC calls and streams of the module that are open, or cancelled by it.
    pub fn grpc(&self) -> Vec<Grpc> {
        self.store.data().grpc.values().cloned().collect()
    }

    /// Answers an HTTP call. What the module then does to its streams waits in the streams' queues: inside a
    /// [`super::Gateway`] use its own method.
    pub fn answer_callout(&mut self, token: u32, reply: CalloutReply) -> Result<(), HostError> {
        let known = self.store.data_mut().callouts.remove(&token);
        let root = known.ok_or_else(|| HostError::Script(format!("there is no callout {token}")))?.root;
        let mut sizes = (0, 0, 0);
        if let Some(state) = self.store.data_mut().roots.get_mut(&root) {
            match reply {
                CalloutReply::Response { headers, body, trailers } => {
                    sizes = (headers.len() as i32, body.len() as i32, trailers.len() as i32);
                    state.response = Some((headers, body, trailers));
                }
                CalloutReply::Failure => state.status = (Status::BrokenConnection as u32, "reset".to_owned()),
            }
        }
        let arguments = (root as i32, token as i32, sizes.0, sizes.1, sizes.2);
        let called = self.call::<_, ()>("proxy_on_http_call_response", root, arguments);
        if let Some(state) = self.store.data_mut().roots.get_mut(&root) {
            state.response = None;
            state.status.1.clear();
        }
        called?;
        self.settle()
    }

    /// Plays what a gRPC peer does.
    pub fn grpc_event(&mut self, token: u32, event: GrpcEvent) -> Result<(), HostError> {
        let call = self.store.data().grpc.get(&token).filter(|call| !call.cancelled && !call.remote_closed);
        let call = call.ok_or_else(|| HostError::Script(format!("there is no gRPC call {token}")))?;
        let (root, unary, closed) = (call.root, !call.stream, call.local_closed);
        let Some(state) = self.store.data_mut().roots.get_mut(&root) else {
            return Err(HostError::Script(format!("root {root} is gone")));
        };
        let (callback, number, ends) = match event {
            GrpcEvent::InitialMetadata(map) => {
                let number = map.len();
                state.grpc_initial = Some(map);
                ("proxy_on_grpc_receive_initial_metadata", number, false)
            }
            GrpcEvent::Message(message) => {
                let number = message.len();
                state.grpc_message = Some(message);
                ("proxy_on_grpc_receive", number, unary)
            }
            GrpcEvent::TrailingMetadata(map) => {
                let number = map.len();
                state.grpc_trailing = Some(map);
                ("proxy_on_grpc_receive_trailing_metadata", number, false)
            }
            GrpcEvent::Close(status, message) => {
                state.status = (status, message);
                ("proxy_on_grpc_close", status as usize, true)
            }
        };
        let called = self.call::<_, ()>(callback, root, (root as i32, token as i32, number as i32));
        let state = self.store.data_mut();
        if let Some(root) = state.roots.get_mut(&root) {
            (root.grpc_initial, root.grpc_message, root.grpc_trailing) = (None, None, None);
            root.status.1.clear();
        }
        if ends {
            if unary || closed {
                state.grpc.remove(&token);
            } else if let Some(call) = state.grpc.get_mut(&token) {
                call.remote_closed = true;
            }
        }
        called?;
        self.settle()
    }

    /// Ends a root as when its listener goes: `proxy_on_done`, then `proxy_on_delete` at once or after `proxy_done`.
    pub fn shut_down(&mut self, root_id: &str) -> Result<(), HostError> {
        let root = self.known_root(root_id)?;
        if self.call::<_, i32>("proxy_on_done", root, (root as i32,))?.unwrap_or(1) == 0 {
            if let Some(state) = self.store.data_mut().roots.get_mut(&root) {
                state.done_pending = true;
            }
            return self.settle();
        }
        self.delete_root(root)?;
        self.settle()
    }

    /// Delivers what is due to this virtual machine's roots: queues that another worker has filled.
    pub fn settle(&mut self) -> Result<(), HostError> {
        loop {
            let uid = self.store.data().vm;
            let due = lock(&self.store.data().process.queues).take_ready(uid);
            if let Some(ready) = due {
                let arguments = (ready.context as i32, ready.token as i32);
                self.call::<_, ()>("proxy_on_queue_ready", ready.context, arguments)?;
                continue;
            }
            let actions = &mut self.store.data_mut().actions;
            let Some(position) = actions.iter().position(|(_, action)| matches!(action, Action::RootDone))
            else {
                return Ok(());
            };
            if let Some((root, _)) = actions.remove(position) {
                self.delete_root(root)?;
            }
        }
    }

    pub(crate) fn state(&mut self) -> &mut HostState {
        self.store.data_mut()
    }

    /// Takes the next thing that is to be done to a stream.
    pub(crate) fn take_action(&mut self) -> Option<(u32, Action)> {
        self.store.data_mut().actions.pop_front()
    }

    /// Calls an export for a context; `None` when the module has no such export.
    pub(crate) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        export: &str,
        context: u32,
        arguments: P,
    ) -> Result<Option<R>, HostError> {
        if self.dead {
            return Err(HostError::Dead);
        }
        if self.instance.get_func(&mut self.store, export).is_none() {
            return Ok(None);
        }
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, export)
            .map_err(|error| HostError::Link(format!("{export}: {error:?}")))?;
        let state = self.store.data_mut();
        (state.active, state.effective, state.stop_iteration) = (context, 0, false);
        self.store.set_epoch_deadline(epochs(self.callback_limit));
        let called = function.call(&mut self.store, arguments);
        let state = self.store.data_mut();
        (state.active, state.effective) = (0, 0);
        called.map(Some).map_err(|error| {
            self.dead = true;
            let log = self.store.data().log.clone();
            HostError::Trap(Trap { callback: export.to_owned(), message: format!("{error:?}"), log })
        })
    }

    /// Whether the callback that just returned has sent a local response.
    pub(crate) fn stopped(&mut self) -> bool {
        std::mem::take(&mut self.store.data_mut().stop_iteration)
    }

    fn start_module(&mut self) -> Result<(), HostError> {
        self.store.data_mut().memory = self.instance.get_memory(&mut self.store, "memory");
        let allocate = ["malloc", "proxy_on_memory_allocate"]
            .into_iter()
            .find_map(|name| self.instance.get_typed_func::<i32, i32>(&mut self.store, name).ok());
        self.store.data_mut().allocate =
            Some(allocate.ok_or_else(|| HostError::Load("it exports no allocator".to_owned()))?);
        if self.call::<(), ()>("_initialize", 0, ())?.is_some() {
            if self.call::<(i32, i32), i32>("main", 0, (0, 0))?.is_none() {
                self.call::<(), i32>("__main_void", 0, ())?;
            }
        } else {
            self.call::<(), ()>("_start", 0, ())?;
        }
        self.store.data_mut().restricted = false;
        Ok(())
    }

    fn start_root(&mut self, root: &Root) -> Result<(), HostError> {
        let id = self.store.data_mut().new_context();
        let state = RootState {
            name: root.root_id.clone(),
            root_id: root.root_id.clone(),
            configuration: root.configuration.clone(),
            configuring: true,
            allow_on_headers_stop_iteration: root.allow_on_headers_stop_iteration,
            ..RootState::default()
        };
        self.store.data_mut().roots.insert(id, state);
        self.call::<_, ()>("proxy_on_context_create", id, (id as i32, 0))?;
        self.configuring(id, false);
        let size = self.store.data().vm_configuration.len() as i32;
        self.ask(root, "proxy_on_vm_start", id, size)?;
        self.configuring(id, true);
        self.ask(root, "proxy_on_configure", id, root.configuration.len() as i32)?;
        self.configuring(id, false);
        self.settle()
    }

    fn configuring(&mut self, id: u32, configuring: bool) {
        if let Some(root) = self.store.data_mut().roots.get_mut(&id) {
            root.configuring = configuring;
        }
    }

    fn ask(&mut self, root: &Root, callback: &str, id: u32, size: i32) -> Result<(), HostError> {
        if self.call::<_, i32>(callback, id, (id as i32, size))?.unwrap_or(1) != 0 {
            return Ok(());
        }
        let (root, callback) = (root.root_id.clone(), callback.to_owned());
        Err(HostError::Refused { root, callback, log: self.store.data().log.clone() })
    }

    fn delete_root(&mut self, root: u32) -> Result<(), HostError> {
        self.call::<_, ()>("proxy_on_delete", root, (root as i32,))?;
        if let Some(state) = self.store.data_mut().roots.get_mut(&root) {
            state.deleted = true;
            state.tick_period = 0;
        }
        self.store.data_mut().callouts.retain(|_, callout| callout.root != root);
        self.store.data_mut().grpc.retain(|_, call| call.root != root);
        Ok(())
    }

    fn known_root(&self, root_id: &str) -> Result<u32, HostError> {
        self.root_context(root_id).ok_or_else(|| HostError::Script(format!("there is no root `{root_id}`")))
    }

    /// Sets the data of `proxy_on_foreign_function` and calls it.
    pub fn foreign_function(&mut self, root_id: &str, function: u32, data: &[u8]) -> Result<(), HostError> {
        let root = self.known_root(root_id)?;
        if let Some(state) = self.store.data_mut().roots.get_mut(&root) {
            state.call_data = data.to_vec();
        }
        let arguments = (root as i32, function as i32, data.len() as i32);
        self.call::<_, ()>("proxy_on_foreign_function", root, arguments)?;
        self.settle()
    }
}
