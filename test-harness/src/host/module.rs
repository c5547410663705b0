//! The built module, compiled once in a test process.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use wasmtime::{Config, Engine};

use super::error::HostError;
use super::gateway::GatewayBuilder;
use super::process::lock;
use super::vm::VmBuilder;

/// A compiled module; clones are cheap.
#[derive(Clone)]
pub struct Module {
    pub(crate) compiled: wasmtime::Module,
}

/// How often the engine's epoch grows; see [`super::vm::CALLBACK_LIMIT`].
pub(crate) const EPOCH: Duration = Duration::from_millis(100);

type Loaded = Mutex<HashMap<(PathBuf, Option<SystemTime>), Module>>;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        config.epoch_interruption(true);
        let engine = Engine::new(&config).expect("this machine can run wasmtime");
        let ticking = engine.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(EPOCH);
                ticking.increment_epoch();
            }
        });
        engine
    })
}

impl Module {
    /// Reads and compiles a file; the same file is compiled once in a process.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, HostError> {
        static LOADED: OnceLock<Loaded> = OnceLock::new();
        let path = path.as_ref();
        let failed = |error: std::io::Error| HostError::Load(format!("{}: {error}", path.display()));
        let written = std::fs::metadata(path).map_err(failed)?.modified().ok();
        let mut loaded = lock(LOADED.get_or_init(Mutex::default));
        let key = (path.to_path_buf(), written);
        if let Some(module) = loaded.get(&key) {
            return Ok(module.clone());
        }
        let module = Self::from_bytes(&std::fs::read(path).map_err(failed)?)?;
        loaded.insert(key, module.clone());
        Ok(module)
    }

    /// Compiles a module. Like Envoy it asks for the export that names the ABI.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HostError> {
        let compiled = wasmtime::Module::from_binary(engine(), bytes)
            .map_err(|error| HostError::Load(format!("{error:?}")))?;
        if compiled.get_export("proxy_abi_version_0_2_1").is_none() {
            return Err(HostError::Load("it does not export proxy_abi_version_0_2_1".to_owned()));
        }
        Ok(Self { compiled })
    }

    /// The host proper: a virtual machine, with the roots that the builder is given.
    pub fn vm(&self) -> VmBuilder {
        VmBuilder::new(self.clone())
    }

    /// The whole mechanism: listener filter, router, upstream filter.
    pub fn gateway(&self) -> GatewayBuilder {
        GatewayBuilder::new(self.clone())
    }
}
