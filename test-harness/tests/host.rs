//! The host calls, one by one, with small guests: what each answers when it can and when it can't.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
mod host_guest;

use std::time::Duration;

use host_guest::{heard, messages, module, source};
use test_harness::host::{
    CalloutReply, FilterStream, GrpcEvent, HeaderMap, HostError, LogLevel, Module, Process, Side, Value, Vm,
};

/// A guest whose root does these calls when it is configured.
fn at_configure(calls: &str) -> Module {
    module(&format!(
        "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) {calls} (i32.const 1))"
    ))
}

fn start(module: &Module) -> Vm {
    module.vm().vm_id("v").root("r", "configuration").start().unwrap()
}

fn line(calls: &str) -> String {
    heard(&mut start(&at_configure(calls)))
}

#[test]
fn an_import_that_envoy_does_not_offer_does_not_link() {
    let good = source("");
    for (from, to) in [
        ("\"proxy_done\"", "\"proxy_dance\""),
        ("\"random_get\"", "\"sock_open\""),
        (
            "\"proxy_get_metric\" (func $get_metric (param i32 i32)",
            "\"proxy_get_metric\" (func $get_metric (param i32)",
        ),
    ] {
        let wrong = wat::parse_str(good.replace(from, to)).unwrap();
        let error = Module::from_bytes(&wrong).unwrap().vm().root("r", "").start().err().unwrap();
        assert!(matches!(error, HostError::Link(_)), "{error}");
    }
    let other = wat::parse_str(good.replace("proxy_abi_version_0_2_1", "proxy_abi_version_0_9_9")).unwrap();
    assert!(matches!(Module::from_bytes(&other), Err(HostError::Load(_))));
    assert!(matches!(Module::from_bytes(b"not wasm"), Err(HostError::Load(_))));
}

#[test]
fn the_start_runs_initialize_then_creates_and_configures_each_root() {
    let module = module(
        r#"(func (export "_initialize") (drop (call $log (i32.const 1) @{initialize})))
        (func (export "proxy_on_context_create") (param i32 i32)
          (call $report (local.get 0)) (call $report (local.get 1)))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (call $report (local.get 1)) (i32.const 1))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
          (call $report (call $get_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 99) (i32.const 16) (i32.const 20)))
          (call $show) (i32.const 1))"#,
    );
    let mut vm = module.vm().vm_configuration("abc").root("a", "first").root("b", "second").start().unwrap();
    assert_eq!(heard(&mut vm), "initialize 1 0 3 0 first 2 0 3 0 second");
    assert_eq!((vm.root_context("a"), vm.root_context("b"), vm.root_context("c")), (Some(1), Some(2), None));
}

#[test]
fn a_call_while_the_module_starts_is_refused_as_envoy_refuses_it() {
    let module =
        module(r#"(func (export "_initialize") (drop (call $set_tick_period_milliseconds (i32.const 1))))"#);
    assert!(matches!(module.vm().start(), Err(HostError::Trap(trap)) if trap.callback == "_initialize"));
}

#[test]
fn a_refusal_carries_the_log() {
    let module = module(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
          (drop (call $log (i32.const 4) @{models: is missing})) (i32.const 0))"#,
    );
    let error = module.vm().root("r", "").start().err().unwrap();
    assert!(matches!(&error, HostError::Refused { callback, .. } if callback == "proxy_on_configure"));
    assert_eq!(messages(error.log()), ["models: is missing"]);
    assert!(error.to_string().contains("models: is missing"), "{error}");
}

#[test]
fn log_levels_and_statuses() {
    let calls = r#"
        (call $report (call $log (i32.const 6) @{never}))
        (call $report (call $log (i32.const 3) (i32.const -8) (i32.const 100)))
        (drop (call $log (i32.const 1) @{quiet}))
        (drop (call $log (i32.const 3) @{loud}))
        (call $report (call $get_log_level (i32.const 24))) (call $word)"#;
    assert_eq!(line(calls), "2 6 quiet loud 0 0");
    let vm = at_configure(calls).vm().log_level(LogLevel::Info).root("r", "").start().unwrap();
    assert_eq!(messages(vm.log()), ["2", "6", "loud", "0", "2"]);
}

#[test]
fn standard_output_and_error_are_logged_and_other_files_are_not_there() {
    let calls = r#"
        (i32.store (i32.const 32) (i32.const 2048)) (i32.store (i32.const 36) (i32.const 4))
        (i32.store (i32.const 2048) (i32.const 0x0a636261))
        (call $report (call $fd_write (i32.const 2) (i32.const 32) (i32.const 1) (i32.const 24))) (call $word)
        (call $report (call $fd_write (i32.const 3) (i32.const 32) (i32.const 1) (i32.const 24)))"#;
    let vm = start(&at_configure(calls));
    assert_eq!(messages(vm.log()), ["abc", "0", "4", "8"]);
    assert_eq!(vm.log()[0].level, LogLevel::Error);
}

#[test]
fn memory_outside_is_a_status_and_an_overflow_no_access() {
    let calls = r#"
        (call $report (call $set_shared_data (i32.const -1) (i32.const 2) @{x} (i32.const 0)))
        (call $report (call $set_shared_data (i32.const 0) (i32.const -1) @{x} (i32.const 0)))
        (call $report (call $get_current_time_nanoseconds (i32.const 131069)))
        (call $report (call $get_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 9) (i32.const -4) (i32.const 20)))
        (call $report (call $random_get (i32.const 0) (i32.const 65537)))"#;
    assert_eq!(line(calls), "6 6 6 6 L");
}

#[test]
fn clocks_stand_where_the_test_puts_them() {
    let calls = r#"
        (call $report (call $get_current_time_nanoseconds (i32.const 32)))
        (call $report (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 40)))
        (call $report (i32.wrap_i64 (i64.div_u (i64.load (i32.const 32)) (i64.const 1000000000))))
        (call $report (i64.eq (i64.load (i32.const 32)) (i64.load (i32.const 40))))
        (call $report (call $clock_time_get (i32.const 2) (i64.const 1) (i32.const 40)))"#;
    let process = Process::new();
    process.set_now(Duration::from_secs(7));
    let vm = at_configure(calls).vm().process(&process).root("r", "").start().unwrap();
    assert_eq!(messages(vm.log()), ["0", "0", "7", "1", "j"]);
}

#[test]
fn the_environment_and_random_numbers_are_the_tests() {
    let calls = r#"
        (call $report (call $environ_sizes_get (i32.const 24) (i32.const 28))) (call $word)
        (call $report (i32.load (i32.const 28)))
        (call $report (call $environ_get (i32.const 2048) (i32.const 2064)))
        (drop (call $log (i32.const 2) (i32.load (i32.const 2048)) (i32.const 3)))
        (drop (call $random_get (i32.const 4096) (i32.const 3)))
        (call $report (i32.and (i32.load8_u (i32.const 4096)) (i32.const 7)))"#;
    let run = |seed| {
        let vm = at_configure(calls).vm().env("K", "v").random_seed(seed).root("r", "").start().unwrap();
        messages(vm.log()).join(" ")
    };
    assert!(run(1).starts_with("0 1 4 0 K=v "), "{}", run(1));
    assert_eq!(run(1), run(1));
    assert!((2..40).any(|seed| run(seed) != run(1)));
}

#[test]
fn shared_data_compare_and_swap() {
    let calls = r#"
        (call $report (call $get_shared_data @{k} (i32.const 16) (i32.const 20) (i32.const 24)))
        (call $report (call $set_shared_data @{k} @{one} (i32.const 9)))
        (call $report (call $get_shared_data @{k} (i32.const 16) (i32.const 20) (i32.const 24))) (call $show)
        (call $report (call $set_shared_data @{k} @{two} (i32.load (i32.const 24))))
        (call $report (call $set_shared_data @{k} @{three} (i32.load (i32.const 24))))
        (call $report (call $get_shared_data @{k} (i32.const 16) (i32.const 20) (i32.const 24))) (call $show)
        (call $report (call $set_shared_data @{k} @{four} (i32.const 0)))"#;
    let module = at_configure(calls);
    let mut vm = start(&module);
    assert_eq!(heard(&mut vm), "1 0 0 one 0 8 0 two 0");
    assert_eq!(vm.process().shared_data("v", "k").unwrap(), b"four");
    assert_eq!(vm.process().shared_data("other", "k"), None);
    let other = module.vm().vm_id("v").process(vm.process()).root("r", "").start().unwrap();
    assert_eq!(messages(other.log())[0], "0", "a worker of the same process finds the key");
}

#[test]
fn queues_pass_items_between_workers_and_tell_the_registrant() {
    let taker = module(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
          (call $report (call $resolve_shared_queue @{} @{q} (i32.const 24)))
          (call $report (call $register_shared_queue @{q} (i32.const 24))) (call $word)
          (call $report (call $dequeue_shared_queue (i32.const 1) (i32.const 16) (i32.const 20)))
          (call $report (call $dequeue_shared_queue (i32.const 5) (i32.const 16) (i32.const 20))) (i32.const 1))
        (func (export "proxy_on_queue_ready") (param i32 i32)
          (call $report (local.get 1))
          (call $report (call $dequeue_shared_queue (local.get 1) (i32.const 16) (i32.const 20))) (call $show))"#,
    );
    let giver = at_configure(
        r#"(call $report (call $resolve_shared_queue @{v} @{q} (i32.const 24)))
        (call $report (call $enqueue_shared_queue (i32.load (i32.const 24)) @{item}))
        (call $report (call $enqueue_shared_queue (i32.const 9) @{item}))"#,
    );
    let mut taking = start(&taker);
    assert_eq!(heard(&mut taking), "1 0 1 7 1");
    let giving = giver.vm().vm_id("w").process(taking.process()).root("r", "").start().unwrap();
    assert_eq!(messages(giving.log()), ["0", "0", "1"]);
    taking.settle().unwrap();
    assert_eq!(heard(&mut taking), "1 0 item");
}

#[test]
fn metrics_of_each_kind() {
    let calls = r#"
        (call $report (call $define_metric (i32.const 3) @{bad} (i32.const 24)))
        (call $report (call $define_metric (i32.const 0) @{c} (i32.const 24))) (call $word)
        (call $report (call $increment_metric (i32.const 4) (i64.const 2)))
        (call $report (call $increment_metric (i32.const 4) (i64.const 0)))
        (call $report (call $record_metric (i32.const 4) (i64.const 5)))
        (call $report (call $get_metric (i32.const 4) (i32.const 24))) (call $word)
        (call $report (call $define_metric (i32.const 1) @{g} (i32.const 24))) (call $word)
        (call $report (call $record_metric (i32.const 5) (i64.const 9)))
        (call $report (call $increment_metric (i32.const 5) (i64.const -3)))
        (call $report (call $define_metric (i32.const 2) @{h} (i32.const 24))) (call $word)
        (call $report (call $record_metric (i32.const 6) (i64.const 8)))
        (call $report (call $increment_metric (i32.const 6) (i64.const 8)))
        (call $report (call $get_metric (i32.const 6) (i32.const 24)))
        (call $report (call $record_metric (i32.const 40) (i64.const 8)))
        (call $report (call $get_metric (i32.const 40) (i32.const 24)))
        (call $report (call $record_metric (i32.const 7) (i64.const 8)))
        (call $report (call $define_metric (i32.const 0) @{c} (i32.const 24))) (call $word)"#;
    let mut vm = start(&at_configure(calls));
    assert_eq!(heard(&mut vm), "2 0 4 0 2 0 0 7 0 5 0 0 0 6 0 2 2 1 1 1 0 8");
    let process = vm.process();
    assert_eq!((process.metric("c"), process.metric("g"), process.metric("x")), (Some(7), Some(6), None));
    assert_eq!(process.histogram("h"), Some(vec![8]));
    assert_eq!(process.metric_names(), ["c", "g", "h"]);
}

#[test]
fn ticks_come_when_their_time_has_come() {
    let module = module(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
          (call $report (call $set_tick_period_milliseconds (i32.const 100))) (i32.const 1))
        (func (export "proxy_on_tick") (param i32) (drop (call $log (i32.const 2) @{tick})))"#,
    );
    let mut vm = start(&module);
    assert_eq!(vm.tick_period("r"), Some(Duration::from_millis(100)));
    vm.clear_log();
    vm.advance(Duration::from_millis(99)).unwrap();
    assert_eq!(heard(&mut vm), "");
    let before = vm.process().now();
    vm.advance(Duration::from_millis(201)).unwrap();
    assert_eq!(heard(&mut vm), "tick tick tick");
    assert_eq!(vm.process().now() - before, Duration::from_millis(201));
    vm.tick("r").unwrap();
    assert_eq!(heard(&mut vm), "tick");
}

#[test]
fn what_is_not_there_outside_a_stream() {
    let calls = r#"
        (call $report (call $get_header_map_value (i32.const 0) @{a} (i32.const 16) (i32.const 20)))
        (call $report (call $get_header_map_value (i32.const 8) @{a} (i32.const 16) (i32.const 20)))
        (call $report (call $add_header_map_value (i32.const 2) @{a} @{b}))
        (call $report (call $get_header_map_pairs (i32.const 0) (i32.const 16) (i32.const 20)))
        (call $report (i32.load (i32.const 20)))
        (call $report (call $get_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 16) (i32.const 20)))
        (call $report (call $get_buffer_bytes (i32.const 4) (i32.const 0) (i32.const 9) (i32.const 16) (i32.const 20)))
        (call $report (call $get_buffer_bytes (i32.const 9) (i32.const 0) (i32.const 9) (i32.const 16) (i32.const 20)))
        (call $report (call $set_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 9) @{new}))
        (call $report (call $set_property @{a} @{b}))
        (call $report (call $get_property @{request\00path} (i32.const 16) (i32.const 20)))
        (call $report (call $get_property @{plugin_root_id} (i32.const 16) (i32.const 20))) (call $show)
        (call $report (call $get_property @{} (i32.const 16) (i32.const 20)))
        (call $report (call $continue_stream (i32.const 4)))
        (call $report (call $close_stream (i32.const 4)))
        (call $report (call $set_effective_context (i32.const 99)))
        (call $report (call $done))
        (call $report (call $call_foreign_function @{compress} @{x} (i32.const 16) (i32.const 20)))"#;
    assert_eq!(line(calls), "2 2 2 0 0 0 1 2 2 1 1 0 r 3 2 2 2 1 1");
}

#[test]
fn the_configuration_can_be_read_only_while_configuring_and_by_ranges() {
    let module = module(
        r#"(func $get (param i32 i32) (call $report (call $get_buffer_bytes (i32.const 7)
            (local.get 0) (local.get 1) (i32.const 16) (i32.const 20))) (call $show))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
          (call $get (i32.const 3) (i32.const 4)) (call $get (i32.const 9) (i32.const -1))
          (call $get (i32.const 99) (i32.const 1))
          (call $report (call $get_buffer_status (i32.const 7) (i32.const 24) (i32.const 28))) (call $word)
          (i32.const 1))
        (func (export "proxy_on_tick") (param i32) (call $get (i32.const 0) (i32.const 1)))"#,
    );
    let mut vm = start(&module);
    assert_eq!(messages(vm.log()), ["0", "figu", "0", "tion", "0", "", "0", "="]);
    vm.clear_log();
    vm.tick("r").unwrap();
    assert_eq!(messages(vm.log())[0], "1");
}

#[test]
fn header_maps_as_envoy_keeps_them() {
    let module = module(
        r#"(func $get (param i32 i32) (call $report (call $get_header_map_value (i32.const 0)
            (local.get 0) (local.get 1) (i32.const 16) (i32.const 20))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (call $report (local.get 1)) (call $report (local.get 2))
          (call $get @{Twice}) (call $show) (call $get @{none})
          (call $report (call $add_header_map_value (i32.const 0) @{twice} @{3}))
          (call $report (call $replace_header_map_value (i32.const 0) @{Once} @{new}))
          (call $report (call $remove_header_map_value (i32.const 0) @{gone}))
          (call $report (call $remove_header_map_value (i32.const 0) @{never}))
          (call $report (call $get_header_map_size (i32.const 0) (i32.const 24)))
          (call $report (call $set_header_map_pairs (i32.const 2) @{}))
          (call $get @{empty}) (i32.const 0))"#,
    );
    let mut vm = start(&module);
    let headers =
        HeaderMap::of([("twice", "1"), ("twice", "2"), ("once", "old"), ("gone", "x"), ("empty", "")]);
    let mut stream = FilterStream::new(&mut vm, "r", headers).unwrap();
    stream.request_headers(&mut vm, true).unwrap();
    assert_eq!(heard(&mut vm), "5 1 0 1 1 0 0 0 0 0 2 0");
    let passed =
        HeaderMap::of([("twice", "1"), ("twice", "2"), ("empty", ""), ("twice", "3"), ("once", "new")]);
    assert_eq!(stream.take_frames(), [test_harness::host::Frame::Headers(Side::Request, passed, true)]);
}

#[test]
fn properties_by_path_and_filter_state() {
    let module = module(
        r#"(func $get (param i32 i32)
          (call $report (call $get_property (local.get 0) (local.get 1) (i32.const 16) (i32.const 20))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (call $get @{request\00url_path}) (call $show) (call $get @{request\00headers\00a}) (call $show)
          (call $get @{xds\00upstream_host_metadata\00filter_metadata\00sluice\00provider}) (call $show)
          (call $get @{xds\00upstream_host_metadata\00filter_metadata\00other}) (call $get @{xds\00upstream_host_metadata})
          (call $report (call $set_property @{mine} @{kept}))
          (call $get @{mine}) (call $show) (call $get @{filter_state\00wasm.mine}) (call $show) (i32.const 0))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
          (call $get @{request\00path}) (i32.const 0))"#,
    );
    let mut vm = start(&module);
    let headers = HeaderMap::of([(":path", "/p?q=1"), ("a", "b")]);
    let mut stream = FilterStream::new(&mut vm, "r", headers).unwrap();
    let metadata = Value::metadata([("sluice".to_owned(), Value::texts([("provider", "openai")]))]);
    stream.set_property(&["xds", "upstream_host_metadata"], metadata);
    stream.request_headers(&mut vm, false).unwrap();
    assert_eq!(heard(&mut vm), "0 /p 0 b 0 openai 1 3 0 0 kept 0 kept");
    assert_eq!(stream.filter_state("wasm.mine").unwrap(), b"kept");
    stream.data(&mut vm, Side::Request, b"x".to_vec(), true).unwrap();
    assert_eq!(heard(&mut vm), "1", "attributes of headers go with the headers");
}

/// `:path`, `:method` and `:authority`, serialized.
const CALL_HEADERS: &str = r"\03\00\00\00\05\00\00\00\01\00\00\00\07\00\00\00\03\00\00\00\0a\00\00\00\01\00\00\00:path\00/\00:method\00GET\00:authority\00h\00";

#[test]
fn http_callouts_are_answered_by_the_test() {
    let module = module(&format!(
        r#"(func $send (param i32 i32 i32 i32 i32) (call $report (call $http_call (local.get 0) (local.get 1)
            (local.get 2) (local.get 3) @{{body}} @{{}} (local.get 4) (i32.const 24))) (call $word))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
          (call $send @{{judge}} @{{{CALL_HEADERS}}} (i32.const 500))
          (call $send @{{judge}} @{{{CALL_HEADERS}}} (i32.const 0))
          (call $send @{{nobody}} @{{{CALL_HEADERS}}} (i32.const 0))
          (call $send @{{judge}} @{{}} (i32.const 0))
          (call $send @{{judge}} @{{{CALL_HEADERS}}} (i32.const -1)) (i32.const 1))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
          (call $report (local.get 1)) (call $report (local.get 2)) (call $report (local.get 3))
          (call $report (call $get_header_map_value (i32.const 6) @{{:status}} (i32.const 16) (i32.const 20)))
          (call $report (call $get_buffer_bytes (i32.const 4) (i32.const 0) (i32.const 9) (i32.const 16) (i32.const 20)))
          (call $show)
          (call $report (call $get_status (i32.const 24) (i32.const 16) (i32.const 20))) (call $word) (call $show))"#
    ));
    let mut vm = module.vm().cluster("judge").root("r", "").start().unwrap();
    assert_eq!(heard(&mut vm), "0 4 0 8 2 0 2 0 2 0");
    let callouts = vm.callouts();
    assert_eq!(callouts.len(), 2);
    assert_eq!((callouts[0].cluster.as_str(), callouts[0].timeout), ("judge", 500));
    assert_eq!(
        (callouts[0].headers.get(":path"), callouts[0].headers.get("content-length")),
        (Some("/"), Some("4"))
    );
    vm.answer_callout(4, CalloutReply::status(200, "fine")).unwrap();
    assert_eq!(messages(vm.log()), ["4", "1", "4", "0", "0", "fine", "0", "0", ""]);
    vm.clear_log();
    vm.answer_callout(8, CalloutReply::Failure).unwrap();
    assert_eq!(messages(vm.log()), ["8", "0", "0", "2", "1", "", "0", ";", "reset"]);
    assert!(matches!(vm.answer_callout(8, CalloutReply::Failure), Err(HostError::Script(_))));
}

#[test]
fn grpc_calls_and_streams() {
    let module = module(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
          (call $report (call $grpc_call @{limits} @{S} @{M} @{} @{ask} (i32.const 0) (i32.const 24))) (call $word)
          (call $report (call $grpc_call @{nobody} @{S} @{M} @{} @{ask} (i32.const 0) (i32.const 24)))
          (call $report (call $grpc_stream @{\0a\05\0a\03any} @{S} @{M} @{} (i32.const 24))) (call $word)
          (call $report (call $grpc_send (i32.const 6) @{m1} (i32.const 0)))
          (call $report (call $grpc_send (i32.const 5) @{m1} (i32.const 0)))
          (call $report (call $grpc_send (i32.const 10) @{m1} (i32.const 0)))
          (call $report (call $grpc_cancel (i32.const 4))) (call $report (call $grpc_close (i32.const 9)))
          (i32.const 1))
        (func (export "proxy_on_tick") (param i32) (call $report (call $grpc_cancel (i32.const 6)))
          (call $report (call $grpc_send (i32.const 6) @{m2} (i32.const 0))))
        (func (export "proxy_on_grpc_receive_initial_metadata") (param i32 i32 i32)
          (call $report (call $get_header_map_value (i32.const 4) @{a} (i32.const 16) (i32.const 20))) (call $show))
        (func (export "proxy_on_grpc_receive") (param i32 i32 i32)
          (call $report (local.get 1))
          (call $report (call $get_buffer_bytes (i32.const 5) (i32.const 0) (i32.const 9) (i32.const 16) (i32.const 20)))
          (call $show))
        (func (export "proxy_on_grpc_close") (param i32 i32 i32) (call $report (local.get 2))
          (call $report (call $get_status (i32.const 24) (i32.const 16) (i32.const 20))) (call $show))"#,
    );
    let mut vm = module.vm().cluster("limits").root("r", "").start().unwrap();
    assert_eq!(heard(&mut vm), "0 5 4 0 6 0 2 1 2 1");
    vm.grpc_event(5, GrpcEvent::Message(b"yes".to_vec())).unwrap();
    assert_eq!(heard(&mut vm), "5 0 yes");
    assert!(vm.grpc_event(5, GrpcEvent::Close(0, String::new())).is_err(), "a call ends with its answer");
    vm.grpc_event(6, GrpcEvent::InitialMetadata(HeaderMap::of([("a", "b")]))).unwrap();
    vm.grpc_event(6, GrpcEvent::Message(b"one".to_vec())).unwrap();
    vm.grpc_event(6, GrpcEvent::Message(b"two".to_vec())).unwrap();
    assert_eq!(heard(&mut vm), "0 b 6 0 one 6 0 two");
    assert_eq!(vm.grpc()[0].messages, [b"m1"]);
    vm.grpc_event(6, GrpcEvent::Close(8, "full".to_owned())).unwrap();
    assert_eq!(heard(&mut vm), "8 0 full");
    vm.tick("r").unwrap();
    assert_eq!(heard(&mut vm), "0 1");
}

#[test]
fn a_root_ends_at_once_or_when_it_says_so() {
    let module = module(
        r#"(func (export "proxy_on_done") (param i32) (result i32) (i32.const 0))
        (func (export "proxy_on_tick") (param i32) (call $report (call $done)) (call $report (call $done)))
        (func (export "proxy_on_delete") (param i32) (drop (call $log (i32.const 2) @{deleted})))"#,
    );
    let mut vm = start(&module);
    vm.shut_down("r").unwrap();
    assert_eq!(heard(&mut vm), "");
    vm.tick("r").unwrap();
    assert_eq!(heard(&mut vm), "0 1 deleted");
    assert_eq!(vm.root_context("r"), None);
}

#[test]
fn a_trap_is_an_error_and_ends_this_virtual_machine_only() {
    let module = module(
        r#"(func (export "proxy_on_tick") (param i32)
          (drop (call $log (i32.const 5) @{panicked})) (call $proc_exit (i32.const 1)) unreachable)"#,
    );
    let mut vm = start(&module);
    let mut other = start(&module);
    let Err(HostError::Trap(trap)) = vm.tick("r") else { panic!("a trap") };
    assert_eq!((trap.callback.as_str(), messages(&trap.log)), ("proxy_on_tick", vec!["panicked"]));
    assert!(trap.message.contains("unreachable"), "{}", trap.message);
    assert!(vm.is_dead() && !other.is_dead());
    assert!(matches!(vm.tick("r"), Err(HostError::Dead)));
    assert!(matches!(other.tick("r"), Err(HostError::Trap(_))));
    assert!(!start(&module).is_dead());
}

#[test]
fn a_loop_without_end_and_memory_without_end_are_traps() {
    let endless = module(r#"(func (export "proxy_on_tick") (param i32) (loop $again (br $again)))"#);
    let mut vm = endless.vm().root("r", "").callback_limit(Duration::from_millis(200)).start().unwrap();
    let Err(HostError::Trap(trap)) = vm.tick("r") else { panic!("a trap") };
    assert!(trap.message.contains("more than 200 ms"), "{}", trap.message);
    let greedy = r#"(call $report (i32.eq (memory.grow (i32.const 20000)) (i32.const -1)))"#;
    assert_eq!(line(greedy), "1");
}
