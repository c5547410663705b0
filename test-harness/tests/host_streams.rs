//! Pause, resume and buffering of one stream, with small guests.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
mod host_guest;

use host_guest::{heard, module};
use test_harness::host::{FilterStream, Frame, HeaderMap, LocalReply, Module, Side, Vm};

const RESUME_ON_TICK: &str = r#"
    (func (export "proxy_on_tick") (param i32)
      (drop (call $set_effective_context (i32.const 2)))
      (call $report (call $continue_stream (i32.const 0)))
      (call $report (call $add_header_map_value (i32.const 0) @{late} @{x})))"#;

/// A guest that answers these actions (`0` continue, `1` pause) to headers, and pauses bodies until their end.
fn guest(headers: i32, until_end: &str, more: &str) -> Module {
    module(&format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const {headers}))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const {headers}))
        (func $body (param $kind i32) (param $size i32) (param $end i32) (result i32)
          (call $report (local.get $size))
          (drop (call $get_buffer_bytes (local.get $kind) (i32.const 0) (i32.const 99) (i32.const 16) (i32.const 20)))
          (call $show)
          (if (result i32) (local.get $end) (then {until_end} (i32.const 0)) (else (i32.const {headers}))))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
          (call $body (i32.const 0) (local.get 1) (local.get 2)))
        (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
          (call $body (i32.const 1) (local.get 1) (local.get 2)))
        {more}"#
    ))
}

fn open(module: &Module) -> (Vm, FilterStream) {
    let mut vm = module.vm().root("r", "").start().unwrap();
    let stream = FilterStream::new(&mut vm, "r", HeaderMap::of([("a", "1")])).unwrap();
    (vm, stream)
}

fn data(bytes: &str, end: bool) -> Frame {
    Frame::Data(Side::Request, bytes.into(), end)
}

fn headers(fields: HeaderMap, end: bool) -> Frame {
    Frame::Headers(Side::Request, fields, end)
}

#[test]
fn a_filter_that_continues_sees_each_chunk_alone() {
    let (mut vm, mut stream) = open(&guest(0, "", ""));
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"ab".to_vec(), false).unwrap();
    stream.data(&mut vm, Side::Request, b"c".to_vec(), true).unwrap();
    assert_eq!(heard(&mut vm), "2 ab 1 c");
    let passed = [headers(HeaderMap::of([("a", "1")]), false), data("ab", false), data("c", true)];
    assert_eq!(stream.take_frames(), passed);
}

#[test]
fn a_filter_that_pauses_sees_all_data_so_far_and_may_change_headers_until_it_continues() {
    let edit = r#"(call $report (call $replace_header_map_value (i32.const 0) @{a} @{2}))
        (call $report (call $set_buffer_bytes (local.get $kind) (i32.const 0) (i32.const 99) @{new}))"#;
    let (mut vm, mut stream) = open(&guest(1, edit, ""));
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"ab".to_vec(), false).unwrap();
    stream.data(&mut vm, Side::Request, b"c".to_vec(), false).unwrap();
    assert_eq!(stream.take_frames(), []);
    stream.data(&mut vm, Side::Request, Vec::new(), true).unwrap();
    assert_eq!(heard(&mut vm), "2 ab 3 abc 3 abc 0 0");
    assert_eq!(stream.take_frames(), [headers(HeaderMap::of([("a", "2")]), false), data("new", true)]);
}

#[test]
fn after_continue_from_headers_they_are_out_of_reach() {
    let edit = r#"(call $report (call $replace_header_map_value (i32.const 0) @{a} @{2}))
        (call $report (call $get_header_map_value (i32.const 0) @{a} (i32.const 16) (i32.const 20)))"#;
    let (mut vm, mut stream) = open(&guest(0, edit, ""));
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"c".to_vec(), true).unwrap();
    assert_eq!(heard(&mut vm), "1 c 2 2");
}

#[test]
fn bodies_are_replaced_prepended_appended_and_nothing_between() {
    let edit = r#"
        (call $report (call $set_buffer_bytes (local.get $kind) (i32.const 0) (i32.const 0) @{<}))
        (call $report (call $set_buffer_bytes (local.get $kind) (i32.const 99) (i32.const 0) @{>}))
        (call $report (call $set_buffer_bytes (local.get $kind) (i32.const 0) (i32.const 2) @{no}))
        (call $report (call $set_buffer_bytes (local.get $kind) (i32.const 1) (i32.const 9) @{no}))"#;
    let (mut vm, mut stream) = open(&guest(0, edit, ""));
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"abc".to_vec(), true).unwrap();
    assert_eq!(heard(&mut vm), "3 abc 0 0 2 2");
    assert_eq!(stream.take_frames()[1], data("<abc>", true));
}

#[test]
fn a_resume_from_elsewhere_lets_headers_and_held_data_go() {
    let (mut vm, mut stream) = open(&guest(1, "(return (i32.const 1))", RESUME_ON_TICK));
    assert_eq!(stream.context(), 2);
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"abc".to_vec(), true).unwrap();
    vm.clear_log();
    vm.tick("r").unwrap();
    stream.run_actions(&mut vm).unwrap();
    assert_eq!(heard(&mut vm), "0 2", "the resume takes the headers out of reach");
    assert_eq!(stream.take_frames(), [headers(HeaderMap::of([("a", "1")]), false), data("abc", true)]);
    vm.tick("r").unwrap();
    stream.run_actions(&mut vm).unwrap();
    assert_eq!(stream.take_frames(), [], "a second resume has nothing to do");
}

#[test]
fn without_the_option_a_pause_in_headers_stops_bodies_until_the_resume() {
    let module = guest(1, "", RESUME_ON_TICK);
    let mut vm = module.vm().root("r", "").without_headers_stop_iteration().start().unwrap();
    let mut stream = FilterStream::new(&mut vm, "r", HeaderMap::new()).unwrap();
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"abc".to_vec(), true).unwrap();
    assert_eq!((heard(&mut vm).as_str(), stream.take_frames().len()), ("", 0));
    vm.tick("r").unwrap();
    stream.run_actions(&mut vm).unwrap();
    assert_eq!(heard(&mut vm), "0 2 3 abc", "the filter sees the body after its resume");
    assert_eq!(stream.take_frames(), [headers(HeaderMap::new(), false), data("abc", true)]);
}

#[test]
fn responses_follow_the_same_rules() {
    let edit = "(drop (call $set_buffer_bytes (local.get $kind) (i32.const 0) (i32.const 99) @{out}))";
    let (mut vm, mut stream) = open(&guest(1, edit, ""));
    stream.request_headers(&mut vm, true).unwrap();
    let answer = HeaderMap::of([(":status", "200")]);
    stream.response_headers(&mut vm, answer.clone(), false).unwrap();
    stream.data(&mut vm, Side::Response, b"in".to_vec(), false).unwrap();
    stream.data(&mut vm, Side::Response, Vec::new(), true).unwrap();
    let passed =
        [Frame::Headers(Side::Response, answer, false), Frame::Data(Side::Response, b"out".to_vec(), true)];
    assert_eq!(stream.take_frames(), passed);
}

#[test]
fn trailers_pass_and_let_go_what_was_held() {
    let (mut vm, mut stream) = open(&module(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 1))
        (func (export "proxy_on_request_trailers") (param i32 i32) (result i32)
          (call $report (local.get 1))
          (call $report (call $add_header_map_value (i32.const 1) @{u} @{2})) (i32.const 0))"#,
    ));
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"abc".to_vec(), false).unwrap();
    stream.trailers(&mut vm, Side::Request, HeaderMap::of([("t", "1")])).unwrap();
    assert_eq!(heard(&mut vm), "1 0");
    let trailers = Frame::Trailers(Side::Request, HeaderMap::of([("t", "1"), ("u", "2")]));
    assert_eq!(
        stream.take_frames(),
        [headers(HeaderMap::of([("a", "1")]), false), data("abc", false), trailers]
    );
}

#[test]
fn trailers_can_be_added_in_the_last_body_callback_only() {
    let add = "(call $report (call $add_header_map_value (i32.const 1) @{t} @{1}))";
    let (mut vm, mut stream) = open(&guest(0, add, RESUME_ON_TICK));
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"x".to_vec(), true).unwrap();
    assert_eq!(heard(&mut vm), "1 x 0");
    let trailers = Frame::Trailers(Side::Request, HeaderMap::of([("t", "1")]));
    assert_eq!(stream.take_frames()[1..], [data("x", false), trailers]);
}

#[test]
fn a_local_response_stops_iteration_whatever_the_callback_answers() {
    let (mut vm, mut stream) = open(&module(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (call $report (call $send_local_response (i32.const 403) @{why} @{denied}
            @{\01\00\00\00\01\00\00\00\01\00\00\00x\00y\00} (i32.const -1))) (i32.const 0))"#,
    ));
    stream.request_headers(&mut vm, true).unwrap();
    stream.run_actions(&mut vm).unwrap();
    let reply = LocalReply {
        code: 403,
        headers: HeaderMap::of([("x", "y")]),
        body: b"denied".to_vec(),
        details: "why".to_owned(),
    };
    let fields = [(":status", "403"), ("x", "y"), ("content-length", "6"), ("content-type", "text/plain")];
    assert_eq!(reply.response_headers(), HeaderMap::of(fields));
    assert_eq!(stream.take_frames(), [Frame::LocalReply(reply)]);
    let empty =
        LocalReply { code: 204, headers: HeaderMap::of([("content-type", "x")]), ..Default::default() };
    assert_eq!(empty.response_headers(), HeaderMap::of([(":status", "204")]));
}

#[test]
fn more_than_the_limit_is_answered_with_413() {
    let (mut vm, mut stream) = open(&guest(1, "", ""));
    stream.set_buffer_limit(Side::Request, Some(4));
    stream.request_headers(&mut vm, false).unwrap();
    stream.data(&mut vm, Side::Request, b"abcd".to_vec(), false).unwrap();
    assert_eq!(stream.take_frames(), []);
    stream.data(&mut vm, Side::Request, b"e".to_vec(), true).unwrap();
    let reply = LocalReply::text(413, "Payload Too Large", "request_payload_too_large");
    assert_eq!(stream.take_frames(), [Frame::LocalReply(reply)]);
    assert_eq!(heard(&mut vm), "4 abcd");
}

#[test]
fn the_end_of_a_stream_logs_with_the_access_logs_headers_then_deletes() {
    let (mut vm, mut stream) = open(&module(
        r#"(func (export "proxy_on_done") (param i32) (result i32) (drop (call $log (i32.const 2) @{done})) (i32.const 1))
        (func (export "proxy_on_delete") (param i32) (drop (call $log (i32.const 2) @{delete})))
        (func (export "proxy_on_log") (param i32)
          (call $report (call $get_header_map_value (i32.const 0) @{a} (i32.const 16) (i32.const 20))) (call $show)
          (call $report (call $get_header_map_value (i32.const 2) @{:status} (i32.const 16) (i32.const 20)))
          (call $report (call $get_header_map_value (i32.const 1) @{t} (i32.const 16) (i32.const 20))))"#,
    ));
    stream.request_headers(&mut vm, true).unwrap();
    assert_eq!(vm.open_streams(), 1);
    stream.close(&mut vm, true).unwrap();
    assert_eq!(heard(&mut vm), "0 1 1 1 done delete");
    stream.close(&mut vm, true).unwrap();
    assert_eq!((heard(&mut vm).as_str(), vm.open_streams()), ("", 0));
}
