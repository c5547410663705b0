//! The WASI preview 1 functions that Envoy offers, with Envoy's answers. What is not here does not link, as in Envoy.
use wasmtime::Caller;

use super::memory::{HostLinker, Stop, free_call};
use crate::host::log::LogLevel;
use crate::host::state::HostState;

type Host<'a> = Caller<'a, HostState>;

const BAD_FILE: i32 = 8;
const NOT_A_DIRECTORY: i32 = 20;
const FAULT: i32 = 21;
const INVALID: i32 = 28;
const NO_ENTRY: i32 = 44;
const NO_SUCH_CALL: i32 = 52;
const NOT_SUPPORTED: i32 = 58;

/// Most bytes of one `random_get`.
const MOST_RANDOM: i32 = 64 * 1024;

/// Both names by which modules import WASI, and Emscripten's two functions.
pub(crate) fn link(linker: &mut HostLinker) -> wasmtime::Result<()> {
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        linker.func_wrap(module, "fd_write", fd_write)?;
        linker.func_wrap(
            module,
            "fd_pwrite",
            |host: Host<'_>, fd: i32, at: i32, count: i32, _: i64, to: i32| fd_write(host, fd, at, count, to),
        )?;
        linker.func_wrap(module, "environ_get", environ_get)?;
        linker.func_wrap(module, "environ_sizes_get", environ_sizes_get)?;
        linker.func_wrap(module, "args_sizes_get", args_sizes_get)?;
        linker.func_wrap(module, "args_get", |_: i32, _: i32| 0)?;
        linker.func_wrap(module, "clock_time_get", clock_time_get)?;
        linker.func_wrap(module, "clock_res_get", clock_res_get)?;
        linker.func_wrap(module, "random_get", random_get)?;
        linker.func_wrap(module, "fd_fdstat_get", fd_fdstat_get)?;
        linker.func_wrap(module, "poll_oneoff", |host: Host<'_>, _: i32, _: i32, _: i32, to: i32| {
            zero(host, to, 0)
        })?;
        // It returns: a module that relies on its end runs into its own `unreachable`.
        linker.func_wrap(module, "proc_exit", |_: i32| {})?;
        linker.func_wrap(module, "sched_yield", || 0)?;
        link_files(linker, module)?;
        link_paths_and_sockets(linker, module)?;
    }
    linker.func_wrap("env", "pthread_equal", |left: i32, right: i32| i32::from(left == right))?;
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: i32| {})?;
    Ok(())
}

fn link_files(linker: &mut HostLinker, module: &str) -> wasmtime::Result<()> {
    let written = |fd: i32| if matches!(fd, 1 | 2) { 0 } else { BAD_FILE };
    linker.func_wrap(module, "fd_read", |_: i32, _: i32, _: i32, _: i32| NO_SUCH_CALL)?;
    linker.func_wrap(module, "fd_pread", |_: i32, _: i32, _: i32, _: i64, _: i32| NO_SUCH_CALL)?;
    linker.func_wrap(module, "fd_seek", |_: i32, _: i64, _: i32, _: i32| 0)?;
    linker.func_wrap(module, "fd_close", |_: i32| 0)?;
    linker.func_wrap(module, "fd_advise", |_: i32, _: i64, _: i64, _: i32| 0)?;
    linker.func_wrap(module, "fd_allocate", move |fd: i32, _: i64, _: i64| written(fd))?;
    linker.func_wrap(module, "fd_datasync", written)?;
    linker.func_wrap(module, "fd_sync", written)?;
    linker.func_wrap(module, "fd_fdstat_set_flags", |_: i32, _: i32| NO_SUCH_CALL)?;
    linker.func_wrap(module, "fd_fdstat_set_rights", move |fd: i32, _: i64, _: i64| written(fd))?;
    linker.func_wrap(module, "fd_filestat_get", |_: i32, _: i32| BAD_FILE)?;
    linker.func_wrap(module, "fd_filestat_set_size", move |fd: i32, _: i64| written(fd))?;
    linker.func_wrap(module, "fd_filestat_set_times", move |fd: i32, _: i64, _: i64, _: i32| written(fd))?;
    linker.func_wrap(module, "fd_prestat_get", |_: i32, _: i32| BAD_FILE)?;
    linker.func_wrap(module, "fd_prestat_dir_name", |_: i32, _: i32, _: i32| NO_SUCH_CALL)?;
    linker.func_wrap(module, "fd_readdir", |host: Host<'_>, _: i32, _: i32, _: i32, _: i64, to: i32| {
        zero(host, to, NOT_A_DIRECTORY)
    })?;
    linker.func_wrap(module, "fd_renumber", |fd: i32, to: i32| {
        if matches!((fd, to), (1 | 2, 1 | 2)) { NOT_SUPPORTED } else { BAD_FILE }
    })?;
    linker.func_wrap(module, "fd_tell", |host: Host<'_>, fd: i32, to: i32| {
        if matches!(fd, 1 | 2) { zero(host, to, 0) } else { Ok(BAD_FILE) }
    })?;
    Ok(())
}

fn link_paths_and_sockets(linker: &mut HostLinker, module: &str) -> wasmtime::Result<()> {
    let path_open = |_: i32, _: i32, _: i32, _: i32, _: i32, _: i64, _: i64, _: i32, _: i32| NO_ENTRY;
    linker.func_wrap(module, "path_open", path_open)?;
    linker.func_wrap(module, "path_create_directory", |_: i32, _: i32, _: i32| NOT_SUPPORTED)?;
    linker.func_wrap(module, "path_filestat_get", |_: i32, _: i32, _: i32, _: i32, _: i32| NOT_SUPPORTED)?;
    let set_times = |_: i32, _: i32, _: i32, _: i32, _: i64, _: i64, _: i32| NOT_SUPPORTED;
    linker.func_wrap(module, "path_filestat_set_times", set_times)?;
    // Envoy's signature has one parameter less than WASI's: a module that imports it does not link.
    linker.func_wrap(module, "path_link", |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32| NOT_SUPPORTED)?;
    linker.func_wrap(
        module,
        "path_readlink",
        |host: Host<'_>, _: i32, _: i32, _: i32, _: i32, _: i32, to: i32| zero(host, to, NOT_SUPPORTED),
    )?;
    linker.func_wrap(module, "path_remove_directory", |_: i32, _: i32, _: i32| NOT_SUPPORTED)?;
    linker
        .func_wrap(module, "path_rename", |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32| NOT_SUPPORTED)?;
    // Here too Envoy has one parameter less than WASI.
    linker.func_wrap(module, "path_symlink", |_: i32, _: i32, _: i32, _: i32| NOT_SUPPORTED)?;
    linker.func_wrap(module, "path_unlink_file", |_: i32, _: i32, _: i32| NOT_SUPPORTED)?;
    linker.func_wrap(module, "sock_accept", |host: Host<'_>, _: i32, _: i32, to: i32| {
        zero(host, to, NOT_SUPPORTED)
    })?;
    linker.func_wrap(
        module,
        "sock_recv",
        |host: Host<'_>, _: i32, _: i32, _: i32, _: i32, to: i32, _: i32| zero(host, to, NOT_SUPPORTED),
    )?;
    linker.func_wrap(module, "sock_send", |host: Host<'_>, _: i32, _: i32, _: i32, _: i32, to: i32| {
        zero(host, to, NOT_SUPPORTED)
    })?;
    linker.func_wrap(module, "sock_shutdown", |_: i32, _: i32| NOT_SUPPORTED)?;
    Ok(())
}

/// A WASI call: a pointer outside the memory is a fault.
fn wasi(
    host: &mut Host<'_>,
    call: impl FnOnce(&mut super::memory::Guest<'_, '_>) -> Result<i32, Stop>,
) -> wasmtime::Result<i32> {
    let mut errno = 0;
    let status = free_call(host, |guest| {
        errno = call(guest)?;
        Ok(())
    })?;
    Ok(if status == 0 { errno } else { FAULT })
}

fn zero(mut host: Host<'_>, at: i32, errno: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| guest.write_u32(at, 0).map(|()| errno))
}

// Standard output is logged as info, standard error as error, without the last line end.
fn fd_write(mut host: Host<'_>, fd: i32, at: i32, count: i32, written_at: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| {
        let level = match fd {
            1 => LogLevel::Info,
            2 => LogLevel::Error,
            _ => return Ok(BAD_FILE),
        };
        let mut text = Vec::new();
        for number in 0..count as u32 {
            let vector = guest.read(at.wrapping_add(number as i32 * 8), 8)?;
            let word = |from: usize| {
                i32::from_le_bytes([vector[from], vector[from + 1], vector[from + 2], vector[from + 3]])
            };
            text.extend(guest.read(word(0), word(4))?);
        }
        guest.write_u32(written_at, text.len() as u32)?;
        if !text.is_empty() {
            guest.state().log(level, text.strip_suffix(b"\n").unwrap_or(&text));
        }
        Ok(0)
    })
}

fn environ_get(mut host: Host<'_>, mut pointers_at: i32, mut text_at: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| {
        for (name, value) in guest.state().environment.clone() {
            let text = format!("{name}={value}\0");
            guest.write_u32(pointers_at, text_at as u32)?;
            guest.write(text_at, text.as_bytes())?;
            text_at += text.len() as i32;
            pointers_at += 4;
        }
        Ok(0)
    })
}

fn environ_sizes_get(mut host: Host<'_>, count_at: i32, size_at: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| {
        let environment = &guest.state().environment;
        let size: usize = environment.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let count = environment.len() as u32;
        guest.write_u32(count_at, count)?;
        guest.write_u32(size_at, size as u32)?;
        Ok(0)
    })
}

fn args_sizes_get(mut host: Host<'_>, count_at: i32, size_at: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| {
        guest.write_u32(count_at, 0)?;
        guest.write_u32(size_at, 0)?;
        Ok(0)
    })
}

fn clock_time_get(mut host: Host<'_>, clock: i32, _precision: i64, time_at: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| {
        let process = &guest.state().process;
        let time = match clock {
            0 => process.now(),
            1 => process.monotonic(),
            _ => return Ok(NOT_SUPPORTED),
        };
        guest.write_u64(time_at, time.as_nanos() as u64)?;
        Ok(0)
    })
}

fn clock_res_get(mut host: Host<'_>, clock: i32, at: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| {
        if !matches!(clock, 0 | 1) {
            return Ok(NOT_SUPPORTED);
        }
        guest.write_u64(at, 1)?;
        Ok(0)
    })
}

// Numbers of a fixed sequence (splitmix64 from the seed), so that a test can be repeated.
fn random_get(mut host: Host<'_>, at: i32, size: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| {
        if !(0..=MOST_RANDOM).contains(&size) {
            return Ok(INVALID);
        }
        let state = guest.state();
        let mut bytes = Vec::new();
        while bytes.len() < size as usize {
            state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut number = state.random;
            number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.extend((number ^ (number >> 31)).to_le_bytes());
        }
        guest.write(at, &bytes[..size as usize])?;
        Ok(0)
    })
}

// A file that can only be written: 24 bytes, with the right to write in the second eight.
fn fd_fdstat_get(mut host: Host<'_>, fd: i32, at: i32) -> wasmtime::Result<i32> {
    wasi(&mut host, |guest| {
        if !matches!(fd, 1 | 2) {
            return Ok(BAD_FILE);
        }
        guest.write_u64(at, 0)?;
        guest.write_u64(at.wrapping_add(8), 64)?;
        guest.write_u64(at.wrapping_add(16), 0)?;
        Ok(0)
    })
}
