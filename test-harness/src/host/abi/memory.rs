//! Reading and writing the module's memory, every access checked against its bounds.
use wasmtime::{AsContext, AsContextMut, Caller, Linker};

use super::Status;
use crate::host::state::HostState;

/// The module in the middle of a host call.
pub(crate) struct Guest<'a, 'b>(&'a mut Caller<'b, HostState>);

/// How a host call ends early: with a status for the module, or with the end of the module.
pub(crate) enum Stop {
    Status(Status),
    Trap(wasmtime::Error),
}

/// The linker of the host's functions.
pub(crate) type HostLinker = Linker<HostState>;

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// Runs a proxy-wasm call. Those that Envoy forbids while the module starts or allocates end the module.
pub(crate) fn proxy_call(
    caller: &mut Caller<'_, HostState>,
    call: impl FnOnce(&mut Guest<'_, '_>) -> Result<(), Stop>,
) -> wasmtime::Result<i32> {
    if caller.data().restricted {
        return Err(wasmtime::Error::msg(
            "a host call that is not allowed while the module starts or allocates",
        ));
    }
    free_call(caller, call)
}

/// Runs a proxy-wasm call that is allowed at any time.
pub(crate) fn free_call(
    caller: &mut Caller<'_, HostState>,
    call: impl FnOnce(&mut Guest<'_, '_>) -> Result<(), Stop>,
) -> wasmtime::Result<i32> {
    match call(&mut Guest(caller)) {
        Ok(()) => Ok(Status::Ok as i32),
        Err(Stop::Status(status)) => Ok(status as i32),
        Err(Stop::Trap(trap)) => Err(trap),
    }
}

impl Guest<'_, '_> {
    pub(crate) fn state(&mut self) -> &mut HostState {
        self.0.data_mut()
    }

    /// A copy of what the module points to.
    pub(crate) fn read(&self, pointer: i32, size: i32) -> Result<Vec<u8>, Stop> {
        let memory = self.0.data().memory.ok_or(Status::InvalidMemoryAccess)?;
        let start = pointer as u32 as usize;
        let range = start..start.saturating_add(size as u32 as usize);
        Ok(memory.data(self.0.as_context()).get(range).ok_or(Status::InvalidMemoryAccess)?.to_vec())
    }

    /// A copy of a text, invalid UTF-8 replaced.
    pub(crate) fn read_text(&self, pointer: i32, size: i32) -> Result<String, Stop> {
        Ok(String::from_utf8_lossy(&self.read(pointer, size)?).into_owned())
    }

    pub(crate) fn write(&mut self, pointer: i32, bytes: &[u8]) -> Result<(), Stop> {
        let memory = self.0.data().memory.ok_or(Status::InvalidMemoryAccess)?;
        let start = pointer as u32 as usize;
        let range = start..start.saturating_add(bytes.len());
        let place = memory.data_mut(self.0.as_context_mut()).get_mut(range);
        place.ok_or(Status::InvalidMemoryAccess)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn write_u32(&mut self, pointer: i32, number: u32) -> Result<(), Stop> {
        self.write(pointer, &number.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, pointer: i32, number: u64) -> Result<(), Stop> {
        self.write(pointer, &number.to_le_bytes())
    }

    /// Puts bytes into memory that the module allocates, and writes where they are and how many. No bytes need no
    /// allocation: pointer and size are 0.
    pub(crate) fn give(&mut self, bytes: &[u8], pointer_at: i32, size_at: i32) -> Result<(), Stop> {
        let mut pointer = 0;
        if !bytes.is_empty() {
            pointer = self.allocate(bytes.len())?;
            self.write(pointer, bytes)?;
        }
        self.write_u32(pointer_at, pointer as u32)?;
        self.write_u32(size_at, bytes.len() as u32)
    }

    /// The module's allocator runs as the virtual machine's own context.
    fn allocate(&mut self, size: usize) -> Result<i32, Stop> {
        let state = self.0.data_mut();
        let allocate = state.allocate.clone().ok_or(Status::InvalidMemoryAccess)?;
        let running = (state.active, state.effective, state.restricted);
        (state.active, state.effective, state.restricted) = (0, 0, true);
        let pointer = allocate.call(self.0.as_context_mut(), size as i32).map_err(Stop::Trap);
        let state = self.0.data_mut();
        (state.active, state.effective, state.restricted) = running;
        match pointer? {
            0 => Err(Status::InvalidMemoryAccess.into()),
            pointer => Ok(pointer),
        }
    }
}
