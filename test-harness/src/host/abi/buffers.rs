//! Host calls on bodies, configurations and the answers of callouts.
use wasmtime::Caller;

use super::memory::{HostLinker, proxy_call};
use super::{BufferType, Status};
use crate::host::state::HostState;

type Host<'a> = Caller<'a, HostState>;

pub(crate) fn link(linker: &mut HostLinker) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_get_buffer_bytes", bytes_get)?;
    linker.func_wrap("env", "proxy_set_buffer_bytes", bytes_set)?;
    linker.func_wrap("env", "proxy_get_buffer_status", status_get)?;
    Ok(())
}

/// The bytes of a buffer. A body outside its callbacks is an empty buffer, not a missing one.
fn buffer(state: &mut HostState, kind: BufferType) -> Result<Vec<u8>, Status> {
    let body = |buffer: Option<&mut Vec<u8>>| Ok(buffer.map(|bytes| bytes.clone()).unwrap_or_default());
    match kind {
        BufferType::RequestBody => body(state.current_stream().and_then(|stream| stream.request.buffer())),
        BufferType::ResponseBody => body(state.current_stream().and_then(|stream| stream.response.buffer())),
        BufferType::Network => Ok(Vec::new()),
        BufferType::VmConfiguration => Ok(state.vm_configuration.clone()),
        BufferType::PluginConfiguration => {
            let root = state.current_root().filter(|root| root.configuring).ok_or(Status::NotFound)?;
            Ok(root.configuration.to_vec())
        }
        BufferType::CalloutBody => {
            let response = state.current_root().and_then(|root| root.response.as_ref());
            response.map(|(_, body, _)| body.clone()).ok_or(Status::NotFound)
        }
        BufferType::GrpcMessage => {
            Ok(state.current_root().and_then(|root| root.grpc_message.clone()).unwrap_or_default())
        }
        BufferType::CallData => {
            Ok(state.current_root().map(|root| root.call_data.clone()).unwrap_or_default())
        }
    }
}

fn bytes_get(
    mut host: Host<'_>,
    kind: i32,
    start: i32,
    length: i32,
    pointer_at: i32,
    size_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let bytes = buffer(guest.state(), BufferType::from_abi(kind)?)?;
        // Envoy's words have 64 bits, so that `start + length` can't overflow.
        let start = (start as u32 as usize).min(bytes.len());
        let end = start.saturating_add(length as u32 as usize).min(bytes.len());
        guest.give(&bytes[start..end], pointer_at, size_at)
    })
}

// Start 0 with length 0 prepends, start 0 with a length that covers the buffer replaces, a start at or behind the
// end appends; anything between is refused.
fn bytes_set(
    mut host: Host<'_>,
    kind: i32,
    start: i32,
    length: i32,
    pointer: i32,
    size: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let kind = BufferType::from_abi(kind)?;
        buffer(guest.state(), kind)?;
        let data = guest.read(pointer, size)?;
        let stream = guest.state().current_stream().ok_or(Status::BadArgument)?;
        let held = match kind {
            BufferType::RequestBody => stream.request.buffer(),
            BufferType::ResponseBody => stream.response.buffer(),
            _ => None,
        };
        let held = held.ok_or(Status::BadArgument)?;
        match (start as u32 as usize, length as u32 as usize) {
            (0, 0) => drop(held.splice(0..0, data)),
            (0, length) if length >= held.len() => *held = data,
            (start, _) if start != 0 && start >= held.len() => held.extend_from_slice(&data),
            _ => return Err(Status::BadArgument.into()),
        }
        Ok(())
    })
}

fn status_get(mut host: Host<'_>, kind: i32, length_at: i32, flags_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let length = buffer(guest.state(), BufferType::from_abi(kind)?)?.len();
        guest.write_u32(length_at, length as u32)?;
        guest.write_u32(flags_at, 0)
    })
}
