//! Small guests written in WAT: every import of the ABI, an allocator, and what the test gives as callbacks.
use test_harness::host::{LogEntry, Module, Vm};

/// All imports of proxy-wasm, with the parameters after the name; the result is a status.
const IMPORTS: &[(&str, &str)] = &[
    ("log", "i32 i32 i32"),
    ("get_log_level", "i32"),
    ("get_current_time_nanoseconds", "i32"),
    ("set_tick_period_milliseconds", "i32"),
    ("continue_stream", "i32"),
    ("close_stream", "i32"),
    ("send_local_response", "i32 i32 i32 i32 i32 i32 i32 i32"),
    ("get_property", "i32 i32 i32 i32"),
    ("set_property", "i32 i32 i32 i32"),
    ("get_shared_data", "i32 i32 i32 i32 i32"),
    ("set_shared_data", "i32 i32 i32 i32 i32"),
    ("register_shared_queue", "i32 i32 i32"),
    ("resolve_shared_queue", "i32 i32 i32 i32 i32"),
    ("dequeue_shared_queue", "i32 i32 i32"),
    ("enqueue_shared_queue", "i32 i32 i32"),
    ("define_metric", "i32 i32 i32 i32"),
    ("increment_metric", "i32 i64"),
    ("record_metric", "i32 i64"),
    ("get_metric", "i32 i32"),
    ("set_effective_context", "i32"),
    ("done", ""),
    ("call_foreign_function", "i32 i32 i32 i32 i32 i32"),
    ("get_header_map_pairs", "i32 i32 i32"),
    ("set_header_map_pairs", "i32 i32 i32"),
    ("get_header_map_size", "i32 i32"),
    ("get_header_map_value", "i32 i32 i32 i32 i32"),
    ("add_header_map_value", "i32 i32 i32 i32 i32"),
    ("replace_header_map_value", "i32 i32 i32 i32 i32"),
    ("remove_header_map_value", "i32 i32 i32"),
    ("get_buffer_bytes", "i32 i32 i32 i32 i32"),
    ("set_buffer_bytes", "i32 i32 i32 i32 i32"),
    ("get_buffer_status", "i32 i32 i32"),
    ("http_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("grpc_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("grpc_stream", "i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("grpc_send", "i32 i32 i32 i32"),
    ("grpc_close", "i32"),
    ("grpc_cancel", "i32"),
    ("get_status", "i32 i32 i32"),
];

/// A guest of these callbacks. `@{text}` stands for the two operands that point to a text (`\n`-style escapes of
/// WAT are allowed in it). `$report` logs a status as one digit (`0` to `9`, `:` is 10), `$show` logs what a call has
/// put at the pointer at 16 with the size at 20, `$word` logs the number at 24 as a digit.
pub fn source(callbacks: &str) -> String {
    let mut data = String::new();
    let mut code = String::new();
    let mut at = 1024;
    let mut rest = callbacks;
    while let Some((before, behind)) = rest.split_once("@{") {
        let (text, behind) = behind.split_once('}').expect("a closing brace");
        let length = wat_length(text);
        data.push_str(&format!("(data (i32.const {at}) \"{text}\")\n"));
        code.push_str(&format!("{before}(i32.const {at}) (i32.const {length})"));
        at += length + 8;
        rest = behind;
    }
    code.push_str(rest);
    let imports: String = IMPORTS
        .iter()
        .map(|(name, parameters)| {
            format!("(import \"env\" \"proxy_{name}\" (func ${name} (param {parameters}) (result i32)))\n")
        })
        .collect();
    format!(
        r#"(module
{imports}
(import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
(memory (export "memory") 2)
(global $top (mut i32) (i32.const 32768))
{data}
(func (export "proxy_abi_version_0_2_1"))
(func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
  (local $at i32)
  (local.set $at (global.get $top))
  (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get $size)) (i32.const 7)) (i32.const -8)))
  (local.get $at))
(func $report (param $status i32)
  (i32.store8 (i32.const 0) (i32.add (i32.const 48) (local.get $status)))
  (drop (call $log (i32.const 2) (i32.const 0) (i32.const 1))))
(func $show
  (drop (call $log (i32.const 2) (i32.load (i32.const 16)) (i32.load (i32.const 20)))))
(func $word (call $report (i32.load (i32.const 24))))
{code}
)"#
    )
}

/// The compiled guest.
pub fn module(callbacks: &str) -> Module {
    let source = source(callbacks);
    let bytes = wat::parse_str(&source).unwrap_or_else(|error| panic!("{error}\n{source}"));
    Module::from_bytes(&bytes).unwrap()
}

/// The messages of a log.
pub fn messages(log: &[LogEntry]) -> Vec<&str> {
    log.iter().map(|entry| entry.message.as_str()).collect()
}

#[allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]
/// The messages since the last call, as one line with a space between.
pub fn heard(vm: &mut Vm) -> String {
    let line = messages(vm.log()).join(" ");
    vm.clear_log();
    line
}

fn wat_length(text: &str) -> usize {
    let mut length = 0;
    let mut characters = text.bytes();
    while let Some(byte) = characters.next() {
        if byte == b'\\' {
            // Two hexadecimal digits, or one letter such as n.
            if characters.next().is_some_and(|next| next.is_ascii_hexdigit()) {
                characters.next();
            }
        }
        length += 1;
    }
    length
}
