//! The mechanism around the module: a listener with the `policy` filter, the router, and the `provider` filter of each
//! attempt, all roots of one virtual machine.
//!
//! ```no_run
//! # use test_harness::host::{HostError, Module, Vendor};
//! # fn story() -> Result<(), HostError> {
//! let module = Module::load("dist/sluice.wasm")?;
//! let gateway = module.gateway().env("OPENAI_API_KEY", "sk-1").now(1_700_000_000).policy("version: 1").start()?;
//! let answer = gateway
//!     .post("/v1/chat/completions")
//!     .header("authorization", "Bearer k")
//!     .json(r#"{"model":"gpt-4o","messages":[]}"#)
//!     .target("openai", 1, Vendor::status(503))
//!     .target("claude", 1, Vendor::json(200, "{}"))
//!     .send()?;
//! assert_eq!(answer.status(), 200);
//! assert_eq!(answer.upstream(2).provider, "claude");
//! # Ok(())
//! # }
//! ```
mod answer;
mod exchange;
mod request;
mod router;
mod vendor;

use std::collections::BTreeMap;
use std::time::Duration;

pub use answer::{Answer, Chunk, Outcome, UpstreamRequest};
use exchange::{ExchangeState, Progress, Script};
pub use request::RequestBuilder;
pub use vendor::Vendor;

use super::callout::{Callout, CalloutReply};
use super::error::HostError;
use super::log::{LogEntry, LogLevel};
use super::module::Module;
use super::process::{Process, Shared, lock, shared};
use super::vm::{Vm, VmBuilder};

/// The root of the listener's filter.
const POLICY: &str = "policy";
/// The root of the upstream filter.
const PROVIDER: &str = "provider";
/// The request header that names the cluster.
const ROUTE_HEADER: &str = "x-sluice-route";

/// What a gateway is started with.
#[derive(Clone)]
pub struct GatewayBuilder {
    vm: VmBuilder,
    policy: Vec<u8>,
    buffer_limit: Option<usize>,
}

/// A running gateway: one worker of one process. Clones are handles to the same worker.
#[derive(Clone)]
pub struct Gateway {
    builder: GatewayBuilder,
    worker: Shared<Worker>,
}

/// A request on its way, played step by step.
pub struct Exchange {
    worker: Shared<Worker>,
    id: u64,
}

struct Worker {
    vm: Vm,
    exchanges: BTreeMap<u64, ExchangeState>,
    opened: u64,
}

impl GatewayBuilder {
    pub(crate) fn new(module: Module) -> Self {
        Self { vm: VmBuilder::new(module).vm_id("sluice"), policy: Vec::new(), buffer_limit: None }
    }

    /// An environment variable that the module can read.
    pub fn env(self, name: &str, value: &str) -> Self {
        self.with(|vm| vm.env(name, value))
    }

    /// The time of day, in seconds since 1970.
    pub fn now(self, seconds: u64) -> Self {
        self.vm.shared_process().set_now(Duration::from_secs(seconds));
        self
    }

    /// The configuration of the `policy` root: the whole document, as text or as a protobuf `Struct`.
    pub fn policy(mut self, document: impl Into<Vec<u8>>) -> Self {
        self.policy = document.into();
        self
    }

    /// A cluster that callouts may name.
    pub fn cluster(self, name: &str) -> Self {
        self.with(|vm| vm.cluster(name))
    }

    /// Envoy's log level for wasm. The default here is trace, so that nothing is lost.
    pub fn log_level(self, level: LogLevel) -> Self {
        self.with(|vm| vm.log_level(level))
    }

    /// The seed of the module's random bytes.
    pub fn random_seed(self, seed: u64) -> Self {
        self.with(|vm| vm.random_seed(seed))
    }

    /// Another worker of the same process: shared data, queues, statistics and clock are one.
    pub fn process(self, process: &Process) -> Self {
        self.with(|vm| vm.process(process))
    }

    /// Most bytes that Envoy holds for a request or a response; unlimited by default.
    pub fn buffer_limit(mut self, bytes: usize) -> Self {
        self.buffer_limit = Some(bytes);
        self
    }

    /// Starts the worker. [`HostError::Refused`] carries the log when the module refuses the policy.
    pub fn start(self) -> Result<Gateway, HostError> {
        let vm = self.start_vm()?;
        Ok(Gateway { builder: self, worker: shared(Worker { vm, exchanges: BTreeMap::new(), opened: 0 }) })
    }

    fn start_vm(&self) -> Result<Vm, HostError> {
        self.vm.clone().root(POLICY, self.policy.clone()).root(PROVIDER, Vec::new()).start()
    }

    fn with(mut self, change: impl FnOnce(VmBuilder) -> VmBuilder) -> Self {
        self.vm = change(self.vm);
        self
    }
}

impl Gateway {
    /// A request with a method of the test's choice.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, path, self.builder.buffer_limit)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request("POST", path)
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request("GET", path)
    }

    /// The process: shared data, statistics, clock.
    pub fn process(&self) -> Process {
        lock(&self.worker).vm.process().clone()
    }

    /// The value of a counter or gauge.
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.process().metric(name)
    }

    /// A key of the shared data of this `vm_id`.
    pub fn shared_data(&self, key: &str) -> Option<Vec<u8>> {
        self.process().shared_data("sluice", key)
    }

    /// Everything that the module has logged since it was started.
    pub fn log(&self) -> Vec<LogEntry> {
        lock(&self.worker).vm.log().to_vec()
    }

    /// Moves the clock, with the ticks that fall due.
    pub fn advance(&self, by: Duration) -> Result<(), HostError> {
        let mut worker = lock(&self.worker);
        worker.vm.advance(by)?;
        worker.pump()
    }

    /// Calls `proxy_on_tick` of a root now.
    pub fn tick(&self, root_id: &str) -> Result<(), HostError> {
        let mut worker = lock(&self.worker);
        worker.vm.tick(root_id)?;
        worker.pump()
    }

    /// HTTP callouts that wait for an answer, oldest first.
    pub fn callouts(&self) -> Vec<Callout> {
        lock(&self.worker).vm.callouts()
    }

    /// Answers a callout; what that lets go on goes on.
    pub fn answer_callout(&self, token: u32, reply: CalloutReply) -> Result<(), HostError> {
        let mut worker = lock(&self.worker);
        worker.vm.answer_callout(token, reply)?;
        worker.pump()
    }

    /// Whether a trap has ended the virtual machine.
    pub fn is_dead(&self) -> bool {
        lock(&self.worker).vm.is_dead()
    }

    /// A new virtual machine in this worker, as `FAIL_RELOAD` starts it after a trap. Open exchanges are lost.
    pub fn restart(&self) -> Result<(), HostError> {
        let vm = self.builder.start_vm()?;
        let mut worker = lock(&self.worker);
        worker.exchanges.clear();
        worker.vm = vm;
        Ok(())
    }

    /// Another worker of the same process, with the same policy.
    pub fn another_worker(&self) -> Result<Self, HostError> {
        self.builder.clone().start()
    }

    /// The size of the module's memory in bytes; it never shrinks.
    pub fn memory_size(&self) -> usize {
        lock(&self.worker).vm.memory_size()
    }

    /// How many stream contexts are alive in the module.
    pub fn open_streams(&self) -> usize {
        lock(&self.worker).vm.open_streams()
    }

    fn open_exchange(&self, script: Script) -> Result<Exchange, HostError> {
        let mut worker = lock(&self.worker);
        if worker.vm.is_dead() {
            return Err(HostError::Dead);
        }
        let exchange = ExchangeState::new(&mut worker.vm, script)?;
        worker.opened += 1;
        let id = worker.opened;
        worker.exchanges.insert(id, exchange);
        Ok(Exchange { worker: self.worker.clone(), id })
    }
}

impl Exchange {
    /// Plays what comes next from outside, the client's next part or the vendor's next step, and everything that it
    /// sets going. False when the exchange is over.
    pub fn step(&mut self) -> Result<bool, HostError> {
        let mut worker = lock(&self.worker);
        match worker.step(self.id)? {
            Progress::Moved => Ok(true),
            Progress::Over => Ok(false),
            Progress::Blocked(why) => {
                let state = worker.exchanges.get(&self.id).map(ExchangeState::describe).unwrap_or_default();
                let callouts = worker.vm.callouts().len();
                Err(HostError::Stalled(format!("{why}; {state}; {callouts} callouts wait")))
            }
        }
    }

    /// Plays until nothing can move: over, or waiting for a callout, a vendor that hangs, or a filter that pauses.
    pub fn run(&mut self) -> Result<(), HostError> {
        let mut worker = lock(&self.worker);
        while worker.step(self.id)? == Progress::Moved {}
        Ok(())
    }

    /// The client goes away now.
    pub fn client_leaves(&mut self) -> Result<(), HostError> {
        let mut guard = lock(&self.worker);
        let worker = &mut *guard;
        if let Some(exchange) = worker.exchanges.get_mut(&self.id).filter(|exchange| !exchange.is_over()) {
            exchange.client_leaves(&mut worker.vm)?;
        }
        worker.pump()
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        lock(&self.worker).exchanges.get(&self.id).is_none_or(ExchangeState::is_over)
    }

    /// What the client has got so far, and the attempts so far.
    pub fn answer(&self) -> Answer {
        let worker = lock(&self.worker);
        worker.exchanges.get(&self.id).map(|exchange| exchange.snapshot(&worker.vm)).unwrap_or_default()
    }
}

impl Drop for Exchange {
    /// An exchange that nobody holds any more is as one whose client has gone.
    fn drop(&mut self) {
        let mut guard = lock(&self.worker);
        let worker = &mut *guard;
        if let Some(mut exchange) = worker.exchanges.remove(&self.id)
            && !exchange.is_over()
            && !worker.vm.is_dead()
        {
            // A trap here is remembered by the virtual machine: the next use of the gateway says that it is dead.
            let _ = exchange.client_leaves(&mut worker.vm).and_then(|()| worker.pump());
        }
    }
}

impl Worker {
    fn step(&mut self, id: u64) -> Result<Progress, HostError> {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return Ok(Progress::Over);
        };
        let progress = match exchange.step(&mut self.vm) {
            Ok(progress) => progress,
            Err(error) => return self.failed(error),
        };
        self.pump()?;
        Ok(progress)
    }

    /// Everything that can move without anything new from outside.
    fn pump(&mut self) -> Result<(), HostError> {
        match self.pump_all() {
            Ok(()) => Ok(()),
            Err(error) => self.failed(error),
        }
    }

    fn pump_all(&mut self) -> Result<(), HostError> {
        loop {
            self.vm.settle()?;
            if let Some((context, action)) = self.vm.take_action() {
                if let Some(exchange) = self.exchanges.values_mut().find(|exchange| exchange.owns(context)) {
                    exchange.act(&mut self.vm, context, action)?;
                }
                continue;
            }
            let mut moved = false;
            for exchange in self.exchanges.values_mut() {
                moved |= exchange.handle_frame(&mut self.vm)?;
                if moved {
                    break;
                }
            }
            if !moved {
                return Ok(());
            }
        }
    }

    /// A trap ends every exchange of this virtual machine.
    fn failed<T>(&mut self, error: HostError) -> Result<T, HostError> {
        if self.vm.is_dead() {
            self.exchanges.values_mut().for_each(ExchangeState::fail);
        }
        Err(error)
    }
}
