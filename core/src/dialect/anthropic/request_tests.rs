//! Tests of what the cases shared by all providers don't show of a request.

use serde_json::{Value, json};

use crate::conversation::{
    CacheMark, CustomTool, Effort, Maker, Message, Part, Place, Reasoning, Request, Role, Signature,
    Thinking, Tool, ToolCall, ToolResult,
};
use crate::dialect::{Call, ClientDialect, Lacks, ProviderDialect, Wanted};
use crate::json::Text;
use crate::policy::Provider;
use crate::task::Task;

use super::request::{encode_count, encode_request};

const MODEL: &str = "claude-sonnet-4-5";

fn none() -> Lacks {
    Lacks::new(ClientDialect::OpenAiChat)
}

fn written_for(request: &Request<'_>, model: &str, default_max_tokens: Option<u32>) -> (Value, Lacks) {
    let mut lacks = none();
    let provider = Provider::for_tests(ProviderDialect::Anthropic);
    let wanted = Wanted { model, default_max_tokens, provider: &provider };
    let encoded = encode_request(request, wanted, &mut lacks).expect("can be written");
    (serde_json::from_slice(&encoded.body).expect("is JSON"), lacks)
}

fn written(request: &Request<'_>, default_max_tokens: Option<u32>) -> (Value, Lacks) {
    written_for(request, MODEL, default_max_tokens)
}

/// What becomes of a body of OpenAI's dialect.
fn translated(body: &Value) -> (Value, Lacks) {
    let call = Call::of("POST", "/v1/chat/completions").expect("is served");
    let body = body.to_string();
    let task = ClientDialect::decode(&call, body.as_bytes()).expect("reads");
    let Task::Conversation(request) = &task else { panic!("{task:?}") };
    written(request, None)
}

/// What becomes of these messages of OpenAI's dialect.
fn messages(messages: &Value) -> (Value, Lacks) {
    let (mut body, lacks) = translated(&json!({"model": "m", "messages": messages}));
    (body["messages"].take(), lacks)
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": ""}})
}

fn text(text: &str) -> Part<'_> {
    Part::Text(Text::from(text))
}

fn message<'a>(role: Role, parts: Vec<Part<'a>>) -> Message<'a> {
    Message { role, name: None, parts, at: Place::default() }
}

fn question<'a>() -> Request<'a> {
    Request { messages: vec![message(Role::User, vec![text("Q")])], ..Request::default() }
}

fn mark<'a>(ttl: Option<&'a str>) -> CacheMark<'a> {
    CacheMark { ttl: ttl.map(Text::from), at: Place::default() }
}

#[test]
fn documents_are_carried_and_ids_of_another_vendor_are_not() {
    let file = |file: Value| json!({"type": "file", "file": file});
    let (messages, lacks) = messages(&json!([{"role": "user", "content": [
        file(json!({"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"})),
        file(json!({"file_data": "data:text/plain;base64,aMOp"})),
        file(json!({"file_data": "data:text/plain;base64,/w=="})),
        file(json!({"file_data": "data:application/zip;base64,UEs="})),
        file(json!({"file_id": "file-1"})),
    ]}]));
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="});
    let text = json!({"type": "text", "media_type": "text/plain", "data": "hé"});
    let content = json!([
        {"type": "document", "source": pdf, "title": "a.pdf"},
        {"type": "document", "source": text},
    ]);
    assert_eq!(messages, json!([{"role": "user", "content": content}]));
    let refused = [2, 3, 4].map(|position| format!("messages[0].content[{position}].file"));
    assert_eq!(lacks.contents(), refused);
}

#[test]
fn results_come_first_wherever_they_stand() {
    let (messages, lacks) = messages(&json!([
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": "", "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": "And?"},
        {"role": "tool", "tool_call_id": "a", "content": ""},
    ]));
    let uses = ["a", "b"].map(|id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}}));
    let answers = json!([
        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "2"}]},
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "text", "text": "And?"},
    ]);
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "Go."}]},
        {"role": "assistant", "content": uses},
        {"role": "user", "content": answers},
    ]);
    assert_eq!((messages, lacks), (expected, none()));
}

#[test]
fn only_thinking_that_claude_has_signed_or_hidden_goes_back() {
    let signed = |maker, value| Some(Signature { maker, value: Text::from(value) });
    let thinking = |text: &'static str, signature, hidden| {
        Part::Reasoning(Reasoning { text: Text::from(text), signature, hidden, id: None })
    };
    let parts = vec![
        thinking("A", None, None),
        thinking("B", signed(Maker::Anthropic, "sig"), None),
        thinking("C", signed(Maker::Gemini, "sig"), None),
        thinking("", None, signed(Maker::Anthropic, "data")),
        thinking("D", None, signed(Maker::OpenAi, "data")),
        text("E"),
    ];
    let messages = vec![message(Role::User, vec![text("Q")]), message(Role::Assistant, parts)];
    let (body, lacks) = written(&Request { messages, ..Request::default() }, Some(500));
    let content = json!([
        {"type": "thinking", "thinking": "B", "signature": "sig"},
        {"type": "redacted_thinking", "data": "data"},
        {"type": "text", "text": "E"},
    ]);
    assert_eq!(body["messages"][1]["content"], content);
    assert_eq!((&body["max_tokens"], lacks), (&json!(500), none()));
}

#[test]
fn without_tools_nothing_is_chosen_among_them() {
    let chosen = |choice: &str| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "Q"}], "tool_choice": choice,
            "parallel_tool_calls": false});
        translated(&body).0["tool_choice"].take()
    };
    assert_eq!((chosen("auto"), chosen("none")), (Value::Null, Value::Null));
    assert_eq!(chosen("required"), json!({"type": "any", "disable_parallel_tool_use": true}));
}

#[test]
fn a_mark_stands_at_the_block_before_it() {
    let use_of = |id: &'static str| {
        Part::ToolCall(ToolCall {
            id: Text::from(id),
            name: Text::from("f"),
            arguments: Text::from("{}"),
            custom: false,
            signature: None,
            at: Place::default(),
        })
    };
    let result = |call: &'static str, parts| {
        Part::ToolResult(ToolResult { call: Text::from(call), parts, failed: true, at: Place::default() })
    };
    let signature = Some(Signature { maker: Maker::Anthropic, value: Text::from("s") });
    let thinking = Part::Reasoning(Reasoning { text: Text::from("T"), signature, ..Reasoning::default() });
    let messages = vec![
        message(Role::System, vec![text("S"), Part::CacheMark(mark(Some("1h")))]),
        message(Role::User, vec![text("Q")]),
        message(
            Role::Assistant,
            vec![Part::CacheMark(mark(None)), use_of("call:1"), thinking, Part::CacheMark(mark(None))],
        ),
        message(
            Role::Tool,
            vec![
                result("call:1", vec![text("a"), Part::CacheMark(mark(None)), text("b")]),
                Part::CacheMark(mark(Some("5m"))),
            ],
        ),
    ];
    let tools = vec![Tool { name: Text::from("f"), cache: Some(mark(None)), ..Tool::default() }];
    let (body, lacks) = written(&Request { messages, tools, ..Request::default() }, None);
    let control = json!({"type": "ephemeral"});
    assert_eq!(
        body["system"],
        json!([{"type": "text", "text": "S", "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
    );
    assert_eq!(body["tools"][0]["cache_control"], control);
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "Q", "cache_control": control}]},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {}, "cache_control": control},
            {"type": "thinking", "thinking": "T", "signature": "s"},
        ]},
        {"role": "user", "content": [{
            "type": "tool_result", "tool_use_id": "call_1", "is_error": true,
            "content": [{"type": "text", "text": "a", "cache_control": control}, {"type": "text", "text": "b"}],
            "cache_control": {"type": "ephemeral", "ttl": "5m"},
        }]},
    ]);
    assert_eq!((&body["messages"], lacks), (&expected, none()));
}

#[test]
fn a_custom_tool_is_a_function_with_one_text() {
    let call = Part::ToolCall(ToolCall {
        id: Text::from("c"),
        name: Text::from("patch"),
        arguments: Text::from("*** \"Begin\""),
        custom: true,
        signature: None,
        at: Place::default(),
    });
    let messages = vec![message(Role::User, vec![text("Q")]), message(Role::Assistant, vec![call])];
    let format = serde_json::from_str(r#"{"type":"grammar"}"#).expect("is JSON");
    let custom = Some(CustomTool { format: Some(format) });
    let tools = vec![Tool { name: Text::from("patch"), custom, ..Tool::default() }];
    let (body, lacks) = written(&Request { messages, tools, ..Request::default() }, None);
    let schema =
        json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
    assert_eq!(body["tools"], json!([{"name": "patch", "input_schema": schema}]));
    assert_eq!(body["messages"][1]["content"][0]["input"], json!({"input": "*** \"Begin\""}));
    assert_eq!(lacks.omissions(), ["tools[0].custom.format"]);
    assert!(lacks.parameters().is_empty() && lacks.contents().is_empty());
}

#[test]
fn thinking_is_asked_for_in_each_familys_own_way() {
    let adaptive = |display: &str| json!({"type": "adaptive", "display": display});
    let enabled = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let (null, off) = (Value::Null, json!({"type": "disabled"}));
    use Thinking::{Adaptive, Budget, Off};
    /// Model; thinking, effort and display that are asked for; thinking and effort that are sent; what is lacking.
    type Case =
        (&'static str, Option<Thinking>, Option<Effort>, Option<bool>, Value, Value, &'static [&'static str]);
    let cases: [Case; 19] = [
        (MODEL, Some(Budget(2_000)), None, None, enabled(2_000), null.clone(), &[]),
        (MODEL, Some(Budget(10)), None, None, enabled(1_024), null.clone(), &[]),
        (MODEL, Some(Budget(99_999)), None, None, enabled(9_999), null.clone(), &[]),
        (MODEL, Some(Adaptive), None, None, enabled(5_000), null.clone(), &[]),
        (MODEL, Some(Adaptive), Some(Effort::Low), None, enabled(1_024), null.clone(), &[]),
        (MODEL, Some(Off), None, None, off.clone(), null.clone(), &[]),
        (MODEL, Some(Budget(0)), None, None, off.clone(), null.clone(), &[]),
        (MODEL, None, Some(Effort::Medium), None, enabled(5_000), null.clone(), &[]),
        ("claude-opus-4-7", Some(Budget(8_000)), None, None, adaptive("summarized"), json!("medium"), &[]),
        (
            "claude-opus-4-7",
            Some(Budget(9_000)),
            Some(Effort::Max),
            Some(false),
            adaptive("omitted"),
            json!("max"),
            &[],
        ),
        ("claude-opus-4-7", Some(Adaptive), None, None, adaptive("summarized"), null.clone(), &[]),
        ("claude-opus-4-7", None, None, Some(true), null.clone(), null.clone(), &[]),
        ("claude-opus-5", None, None, Some(true), adaptive("summarized"), null.clone(), &[]),
        ("claude-opus-5", Some(Off), Some(Effort::Max), None, off, json!("high"), &[]),
        ("claude-sonnet-5-5", Some(Off), None, None, json!({"type": "between_tools"}), null.clone(), &[]),
        (
            "claude-fable-5",
            Some(Off),
            Some(Effort::Low),
            None,
            null.clone(),
            json!("low"),
            &["reasoning_effort"],
        ),
        ("claude-fable-5", None, Some(Effort::None), None, null.clone(), null.clone(), &["reasoning_effort"]),
        ("claude-opus-4-6", None, Some(Effort::XHigh), None, adaptive("summarized"), json!("high"), &[]),
        (MODEL, None, None, Some(true), null.clone(), null, &[]),
    ];
    for (model, thinking, effort, show_thinking, expected, level, missing) in cases {
        let request = Request { thinking, effort, show_thinking, ..question() };
        let (body, lacks) = written_for(&request, model, Some(10_000));
        let at = format!("{model} {thinking:?} {effort:?}");
        assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&expected, &level), "{at}");
        assert_eq!(lacks.parameters(), missing, "{at}");
    }
}

#[test]
fn candidates_are_limited_where_the_family_samples() {
    let request = Request { top_k: Some(40), verbosity: Some(Text::from("low")), ..question() };
    let (body, lacks) = written(&request, None);
    assert_eq!((&body["top_k"], lacks.parameters()), (&json!(40), &["verbosity".to_owned()][..]));
    let (body, lacks) = written_for(&request, "claude-opus-5", None);
    assert_eq!((&body["top_k"], lacks.parameters().len()), (&Value::Null, 2));
    let thinking = Request { thinking: Some(Thinking::Budget(2_000)), top_k: Some(40), ..question() };
    assert_eq!(written(&thinking, None).1.parameters(), ["top_k"]);
}

#[test]
fn what_only_shapes_an_answer_is_not_counted() {
    let request = Request {
        temperature: Some(0.5),
        seed: Some(7),
        max_tokens: Some(9),
        stream: true,
        stop: vec![Text::from("X")],
        user: Some(Text::from("u")),
        ..question()
    };
    let mut lacks = none();
    let provider = Provider::for_tests(ProviderDialect::Anthropic);
    let wanted = Wanted { model: MODEL, default_max_tokens: None, provider: &provider };
    let encoded = encode_count(&request, wanted, &mut lacks).expect("can be written");
    assert_eq!((&*encoded.path, lacks), ("/v1/messages/count_tokens", none()));
    let body: Value = serde_json::from_slice(&encoded.body).expect("is JSON");
    let content = json!([{"type": "text", "text": "Q"}]);
    assert_eq!(body, json!({"model": MODEL, "messages": [{"role": "user", "content": content}]}));
}
