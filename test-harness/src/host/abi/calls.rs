//! Host calls that reach other services: HTTP callouts, gRPC calls and streams.
use wasmtime::Caller;

use super::memory::{Guest, HostLinker, Stop, proxy_call};
use super::{Status, maps};
use crate::host::callout::{Callout, Grpc};
use crate::host::state::HostState;

type Host<'a> = Caller<'a, HostState>;

pub(crate) fn link(linker: &mut HostLinker) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_http_call", http_call)?;
    linker.func_wrap("env", "proxy_grpc_call", grpc_call)?;
    linker.func_wrap("env", "proxy_grpc_stream", grpc_stream)?;
    linker.func_wrap("env", "proxy_grpc_send", grpc_send)?;
    linker.func_wrap("env", "proxy_grpc_close", grpc_close)?;
    linker.func_wrap("env", "proxy_grpc_cancel", grpc_cancel)?;
    linker.func_wrap("env", "proxy_get_status", get_status)?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own parameters")]
fn http_call(
    mut host: Host<'_>,
    cluster: i32,
    cluster_size: i32,
    headers: i32,
    headers_size: i32,
    body: i32,
    body_size: i32,
    trailers: i32,
    trailers_size: i32,
    timeout: i32,
    token_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let cluster = guest.read_text(cluster, cluster_size)?;
        let body = guest.read(body, body_size)?;
        let headers = guest.read(headers, headers_size)?;
        let trailers = maps::parse(&guest.read(trailers, trailers_size)?);
        let mut headers = maps::parse(&headers);
        guest.write_u32(token_at, 0)?;
        let state = guest.state();
        let complete = [":path", ":method", ":authority"].iter().all(|name| headers.contains(name));
        if timeout < 0 || !complete || !state.clusters.contains(&cluster) {
            return Err(Status::BadArgument.into());
        }
        if !body.is_empty() {
            headers.set("content-length", body.len().to_string());
        }
        let token = state.new_callout(0);
        let root = state.current_root_id();
        let timeout = timeout as u32;
        state.callouts.insert(token, Callout { token, root, cluster, headers, body, trailers, timeout });
        guest.write_u32(token_at, token)
    })
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own parameters")]
fn grpc_call(
    mut host: Host<'_>,
    service: i32,
    service_size: i32,
    name: i32,
    name_size: i32,
    method: i32,
    method_size: i32,
    metadata: i32,
    metadata_size: i32,
    message: i32,
    message_size: i32,
    _timeout: i32,
    token_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let mut call = grpc(
            guest,
            [service, service_size, name, name_size, method, method_size, metadata, metadata_size],
        )?;
        call.messages.push(guest.read(message, message_size)?);
        call.local_closed = true;
        open(guest, call, 1, token_at)
    })
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own parameters")]
fn grpc_stream(
    mut host: Host<'_>,
    service: i32,
    service_size: i32,
    name: i32,
    name_size: i32,
    method: i32,
    method_size: i32,
    metadata: i32,
    metadata_size: i32,
    token_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let mut call = grpc(
            guest,
            [service, service_size, name, name_size, method, method_size, metadata, metadata_size],
        )?;
        call.stream = true;
        open(guest, call, 2, token_at)
    })
}

fn grpc(guest: &mut Guest<'_, '_>, at: [i32; 8]) -> Result<Grpc, Stop> {
    let service = guest.read(at[0], at[1])?;
    let service_name = guest.read_text(at[2], at[3])?;
    let method = guest.read_text(at[4], at[5])?;
    let initial_metadata = maps::parse(&guest.read(at[6], at[7])?);
    let root = guest.state().current_root_id();
    Ok(Grpc {
        token: 0,
        root,
        service,
        service_name,
        method,
        initial_metadata,
        messages: Vec::new(),
        stream: false,
        local_closed: false,
        cancelled: false,
        remote_closed: false,
    })
}

fn open(guest: &mut Guest<'_, '_>, mut call: Grpc, kind: u32, token_at: i32) -> Result<(), Stop> {
    let known = guest.state().clusters.contains(String::from_utf8_lossy(&call.service).as_ref());
    if !known && !is_grpc_service(&call.service) {
        return Err(Status::ParseFailure.into());
    }
    let token = guest.state().new_callout(kind);
    call.token = token;
    guest.state().grpc.insert(token, call);
    guest.write_u32(token_at, token)
}

/// Whether these bytes are a `GrpcService` message that names a cluster: field 1 (`envoy_grpc`) in its field 1.
fn is_grpc_service(bytes: &[u8]) -> bool {
    let [10, length, 10, name, rest @ ..] = bytes else {
        return false;
    };
    usize::from(*length) == rest.len() + 2 && usize::from(*name) <= rest.len()
}

fn grpc_send(mut host: Host<'_>, token: i32, message: i32, size: i32, end: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let message = guest.read(message, size)?;
        if token & 3 != 2 {
            return Err(Status::BadArgument.into());
        }
        let call = guest.state().grpc.get_mut(&(token as u32)).filter(|call| !call.cancelled);
        let call = call.ok_or(Status::NotFound)?;
        call.messages.push(message);
        call.local_closed |= end != 0;
        Ok(())
    })
}

// A call is cancelled; a stream is closed from this side.
fn grpc_close(mut host: Host<'_>, token: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let call = live(guest.state(), token)?;
        call.local_closed = true;
        call.cancelled |= !call.stream;
        if call.remote_closed {
            guest.state().grpc.remove(&(token as u32));
        }
        Ok(())
    })
}

fn grpc_cancel(mut host: Host<'_>, token: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        live(guest.state(), token)?.cancelled = true;
        Ok(())
    })
}

fn live(state: &mut HostState, token: i32) -> Result<&mut Grpc, Status> {
    if !matches!(token & 3, 1 | 2) {
        return Err(Status::BadArgument);
    }
    state.grpc.get_mut(&(token as u32)).filter(|call| !call.cancelled).ok_or(Status::NotFound)
}

fn get_status(mut host: Host<'_>, code_at: i32, pointer_at: i32, size_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let (code, message) =
            guest.state().current_root().map(|root| root.status.clone()).unwrap_or_default();
        guest.write_u32(code_at, code)?;
        guest.give(message.as_bytes(), pointer_at, size_at)
    })
}
