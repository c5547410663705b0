//! Host calls on header, trailer and metadata maps.
use wasmtime::Caller;

use super::memory::{HostLinker, proxy_call};
use super::{MapType, Status, pairs};
use crate::host::headers::HeaderMap;
use crate::host::process::lock;
use crate::host::state::HostState;

type Host<'a> = Caller<'a, HostState>;

pub(crate) fn link(linker: &mut HostLinker) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_get_header_map_pairs", pairs_get)?;
    linker.func_wrap("env", "proxy_set_header_map_pairs", pairs_set)?;
    linker.func_wrap("env", "proxy_get_header_map_size", size_get)?;
    linker.func_wrap("env", "proxy_get_header_map_value", value_get)?;
    linker.func_wrap("env", "proxy_add_header_map_value", value_add)?;
    linker.func_wrap("env", "proxy_replace_header_map_value", value_replace)?;
    linker.func_wrap("env", "proxy_remove_header_map_value", value_remove)?;
    Ok(())
}

/// The bytes of a map; an empty map has none.
pub(crate) fn serialize(map: &HeaderMap) -> Vec<u8> {
    if map.is_empty() {
        return Vec::new();
    }
    let fields: Vec<(&str, &[u8])> = map.iter().collect();
    pairs::serialize(fields.iter().map(|(name, value)| (name.as_bytes(), *value)))
}

/// The map of serialized pairs.
pub(crate) fn parse(bytes: &[u8]) -> HeaderMap {
    let fields = pairs::parse(bytes).into_iter();
    fields.map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value)).collect()
}

// A map that is not there has no pairs: that is no error.
fn pairs_get(mut host: Host<'_>, map: i32, pointer_at: i32, size_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let map = MapType::from_abi(map)?;
        let bytes = guest.state().map(map).map(|map| serialize(&map)).unwrap_or_default();
        guest.give(&bytes, pointer_at, size_at)
    })
}

fn pairs_set(mut host: Host<'_>, map: i32, pointer: i32, size: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let map = MapType::from_abi(map)?;
        let fields = parse(&guest.read(pointer, size)?);
        let map = guest.state().map_mut(map)?;
        *lock(&map) = fields;
        Ok(())
    })
}

fn size_get(mut host: Host<'_>, map: i32, size_at: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let map = MapType::from_abi(map)?;
        let size = lock(&*guest.state().map_mut(map)?).byte_size();
        guest.write_u32(size_at, size as u32)
    })
}

// Only the first of a repeated field.
fn value_get(
    mut host: Host<'_>,
    map: i32,
    name: i32,
    name_size: i32,
    pointer_at: i32,
    size_at: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let map = MapType::from_abi(map)?;
        let name = guest.read_text(name, name_size)?;
        let logging = guest.state().current_stream().is_some_and(|stream| stream.log_phase);
        let missing = if logging { Status::NotFound } else { Status::BadArgument };
        let map = guest.state().map(map).ok_or(missing)?;
        let value = map.get_bytes(&name).ok_or(Status::NotFound)?.to_vec();
        guest.give(&value, pointer_at, size_at)
    })
}

fn value_add(
    mut host: Host<'_>,
    map: i32,
    name: i32,
    name_size: i32,
    value: i32,
    value_size: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let map = MapType::from_abi(map)?;
        let (name, value) = (guest.read_text(name, name_size)?, guest.read(value, value_size)?);
        lock(&*guest.state().map_mut(map)?).add(&name, value);
        Ok(())
    })
}

fn value_replace(
    mut host: Host<'_>,
    map: i32,
    name: i32,
    name_size: i32,
    value: i32,
    value_size: i32,
) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let map = MapType::from_abi(map)?;
        let (name, value) = (guest.read_text(name, name_size)?, guest.read(value, value_size)?);
        lock(&*guest.state().map_mut(map)?).set(&name, value);
        Ok(())
    })
}

fn value_remove(mut host: Host<'_>, map: i32, name: i32, name_size: i32) -> wasmtime::Result<i32> {
    proxy_call(&mut host, |guest| {
        let map = MapType::from_abi(map)?;
        let name = guest.read_text(name, name_size)?;
        lock(&*guest.state().map_mut(map)?).remove(&name);
        Ok(())
    })
}
