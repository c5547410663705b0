//! Host calls on the log, time, streams, properties, shared data, queues and metrics.
use wasmtime::Caller;

use super::memory::{HostLinker, free_call, proxy_call};
use super::{Status, maps};
use crate::host::log::LogLevel;
use crate::host::process::lock;
use crate::host::state::{Action, HostState};
use crate::host::stream::LocalReply;

type Host<'a> = Caller<'a, HostState>;

pub(crate) fn link(linker: &mut HostLinker) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_log", log)?;
    linker.func_wrap("env", "proxy_get_log_level", get_log_level)?;
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", get_time)?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", set_tick)?;
    linker.func_wrap("env", "proxy_continue_stream", continue_stream)?;
    linker.func_wrap("env", "proxy_close_stream", close_stream)?;
    linker.func_wrap("env", "proxy_send_local_response", send_local_response)?;
    linker.func_wrap("env", "proxy_get_property", get_property)?;
    linker.func_wrap("env", "proxy_set_property", set_property)?;
    linker.func_wrap("env", "proxy_get_shared_data", get_shared_data)?;
    linker.func_wrap("env", "proxy_set_shared_data", set_shared_data)?;
    linker.func_wrap("env", "proxy_register_shared_queue", register_queue)?;
    linker.func_wrap("env", "proxy_resolve_shared_queue", resolve_queue)?;
    linker.func_wrap("env", "proxy_dequeue_shared_queue", dequeue)?;
    linker.func_wrap("env", "proxy_enqueue_shared_queue", enqueue)?;
    linker.func_wrap("env", "proxy_define_metric", define_metric)?;
    linker.func_wrap("env", "proxy_increment_metric", increment_metric)?;
    linker.func_wrap("env", "proxy_record_metric", record_metric)?;
    linker.func_wrap("env", "proxy_get_metric", get_metric)?;
    linker.func_wrap("env", "proxy_set_effective_context", set_effective_context)?;
    linker.func_wrap("env", "proxy_done", done)?;
    linker.func_wrap("env", "proxy_call_foreign_function", call_foreign_function)?;
    Ok(())
}

fn log(mut host: Host<'_>, level: i32, message: i32, size: i32) -> wasmtime::Result<i32> {
    free_call(&mut host, |guest| {
        let level = LogLevel::from_abi(level as u32).ok_or(Status::BadArgument)?;
        let message = guest.read(message, size)?;
        guest.state().log(level, &message);
        Ok(())
    })
}

fn get_log_level(mut host: Host<'_>, level_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let level = guest.state().log_level as u32;
        guest.write_u32(level_at, level)
    })
}

fn get_time(mut host: Host<'_>, time_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let now = guest.state().process.now().as_nanos() as u64;
        guest.write_u64(time_at, now)
    })
}

fn set_tick(mut host: Host<'_>, period: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let now = guest.state().process.monotonic().as_millis() as u64;
        if let Some(root) = guest.state().current_root() {
            root.tick_period = u64::from(period as u32);
            root.next_tick = now + root.tick_period;
        }
        Ok(())
    })
}

// Either direction takes the request's map and body away from the context, as Envoy does.
fn continue_stream(mut host: Host<'_>, direction: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let action = match direction {
            0 => Action::ContinueRequest,
            1 => Action::ContinueResponse,
            2 => return Ok(()),
            3 => return Err(Status::Unimplemented.into()),
            _ => return Err(Status::BadArgument.into()),
        };
        let state = guest.state();
        if let Some(stream) = state.current_stream() {
            stream.request.headers = None;
            stream.request.trailers = None;
            stream.request.detached = true;
            state.defer(action);
        }
        Ok(())
    })
}

fn close_stream(mut host: Host<'_>, direction: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        match direction {
            0 | 1 if guest.state().current_stream().is_some() => guest.state().defer(Action::CloseStream),
            0..=3 => {}
            _ => return Err(Status::BadArgument.into()),
        }
        Ok(())
    })
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own parameters")]
fn send_local_response(
    mut host: Host<'_>,
    code: i32,
    details: i32,
    details_size: i32,
    body: i32,
    body_size: i32,
    headers: i32,
    headers_size: i32,
    _grpc_status: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let details = guest.read_text(details, details_size)?;
        let body = guest.read(body, body_size)?;
        let headers = maps::parse(&guest.read(headers, headers_size)?);
        let state = guest.state();
        if state.current_stream().is_some() {
            state.defer(Action::LocalResponse(LocalReply { code: code as u32, headers, body, details }));
        }
        state.stop_iteration = true;
        Ok(())
    })
}

fn get_property(
    mut host: Host<'_>,
    path: i32,
    path_size: i32,
    pointer_at: i32,
    size_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let path = guest.read_text(path, path_size)?;
        let path = path.strip_suffix('\0').unwrap_or(&path);
        let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('\0').collect() };
        let value = guest.state().property(&parts)?;
        guest.give(&value, pointer_at, size_at)
    })
}

fn set_property(
    mut host: Host<'_>,
    path: i32,
    path_size: i32,
    value: i32,
    value_size: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let (path, value) = (guest.read_text(path, path_size)?, guest.read(value, value_size)?);
        let stream = guest.state().current_stream().ok_or(Status::NotFound)?;
        lock(&stream.info).filter_state.insert(format!("wasm.{path}"), value);
        Ok(())
    })
}

fn get_shared_data(
    mut host: Host<'_>,
    key: i32,
    key_size: i32,
    pointer_at: i32,
    size_at: i32,
    cas_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let key = guest.read_text(key, key_size)?;
        let state = guest.state();
        let (value, cas) = lock(&state.process.data).get(&state.vm_id, &key)?;
        guest.give(&value, pointer_at, size_at)?;
        guest.write_u32(cas_at, cas)
    })
}

fn set_shared_data(
    mut host: Host<'_>,
    key: i32,
    key_size: i32,
    value: i32,
    value_size: i32,
    cas: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let (key, value) = (guest.read_text(key, key_size)?, guest.read(value, value_size)?);
        let state = guest.state();
        Ok(lock(&state.process.data).set(&state.vm_id, &key, &value, cas as u32)?)
    })
}

fn register_queue(mut host: Host<'_>, name: i32, name_size: i32, token_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let name = guest.read_text(name, name_size)?;
        let state = guest.state();
        let root = state.current_root_id();
        let token = lock(&state.process.queues).register(&state.vm_id, &name, state.vm, root);
        guest.write_u32(token_at, token)
    })
}

fn resolve_queue(
    mut host: Host<'_>,
    vm_id: i32,
    vm_id_size: i32,
    name: i32,
    name_size: i32,
    token_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let (mut vm_id, name) = (guest.read_text(vm_id, vm_id_size)?, guest.read_text(name, name_size)?);
        if vm_id.is_empty() {
            vm_id.clone_from(&guest.state().vm_id);
        }
        let token = lock(&guest.state().process.queues).resolve(&vm_id, &name)?;
        guest.write_u32(token_at, token)
    })
}

fn dequeue(mut host: Host<'_>, token: i32, pointer_at: i32, size_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let item = lock(&guest.state().process.queues).dequeue(token as u32)?;
        guest.give(&item, pointer_at, size_at)
    })
}

fn enqueue(mut host: Host<'_>, token: i32, item: i32, size: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let item = guest.read(item, size)?;
        Ok(lock(&guest.state().process.queues).enqueue(token as u32, &item)?)
    })
}

fn define_metric(mut host: Host<'_>, kind: i32, name: i32, size: i32, id_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let name = guest.read_text(name, size)?;
        let state = guest.state();
        let id = state.metric_ids.define(&mut lock(&state.process.statistics), kind as u32, &name)?;
        guest.write_u32(id_at, id)
    })
}

fn increment_metric(mut host: Host<'_>, id: i32, offset: i64) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let state = guest.state();
        Ok(state.metric_ids.increment(&mut lock(&state.process.statistics), id as u32, offset)?)
    })
}

fn record_metric(mut host: Host<'_>, id: i32, value: i64) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let state = guest.state();
        Ok(state.metric_ids.record(&mut lock(&state.process.statistics), id as u32, value as u64)?)
    })
}

fn get_metric(mut host: Host<'_>, id: i32, value_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let state = guest.state();
        let value = state.metric_ids.get(&mut lock(&state.process.statistics), id as u32)?;
        guest.write_u64(value_at, value)
    })
}

fn set_effective_context(mut host: Host<'_>, context: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let (state, context) = (guest.state(), context as u32);
        // The virtual machine's own context, 0, is known too, and means: the one that runs.
        if context != 0 && !state.roots.contains_key(&context) && !state.streams.contains_key(&context) {
            return Err(Status::BadArgument.into());
        }
        state.effective = context;
        Ok(())
    })
}

fn done(mut host: Host<'_>) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let root = guest.state().current_root().filter(|root| root.done_pending).ok_or(Status::NotFound)?;
        root.done_pending = false;
        let root = guest.state().current_root_id();
        guest.state().actions.push_back((root, Action::RootDone));
        Ok(())
    })
}

// Envoy's own foreign functions (compress, declare_property, …) are not offered here.
fn call_foreign_function(
    mut host: Host<'_>,
    name: i32,
    name_size: i32,
    arguments: i32,
    arguments_size: i32,
    _results_at: i32,
    _results_size_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        guest.read(name, name_size)?;
        guest.read(arguments, arguments_size)?;
        Err(Status::NotFound.into())
    })
}
