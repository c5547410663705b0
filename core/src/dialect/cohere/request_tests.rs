//! Tests of what conversations become at Cohere.

use serde_json::{Value, json};

use super::tests::written;
use crate::conversation::{
    CacheMark, CustomTool, Effort, Maker, Message, Part, Place, Reasoning, Request, Role, Signature,
    Thinking, Tool, ToolCall, ToolResult,
};
use crate::dialect::openai::chat::decode_request;
use crate::dialect::{ClientDialect, Lacks};
use crate::failure::Failure;
use crate::json::{self as reading, Text};
use crate::task::Task;

fn conversation(request: Request<'_>) -> Result<(Value, Lacks), Failure> {
    let (path, body, lacks) = written(&Task::Conversation(request), ClientDialect::OpenAiChat)?;
    assert_eq!(path, "/v2/chat");
    assert_eq!(body["model"], "target");
    Ok((body, lacks))
}

/// What the fields of a chat completions request become, besides the model.
fn chat(fields: Value) -> Result<(Value, Lacks), Failure> {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().expect("are fields") {
        body[name] = value.clone();
    }
    let body = body.to_string();
    conversation(decode_request(body.as_bytes()).expect("is a request"))
}

#[track_caller]
fn maps(fields: Value, expected: Value) {
    let (mut body, lacks) = chat(fields).expect("writes");
    let body = body.as_object_mut().expect("is an object");
    body.retain(|name, _| name != "model" && name != "messages");
    assert_eq!(Value::from(body.clone()), expected);
    assert!(lacks.parameters().is_empty() && lacks.contents().is_empty(), "{lacks:?}");
}

#[track_caller]
fn messages(messages: Value, expected: Value) -> Lacks {
    let (body, lacks) = chat(json!({"messages": messages})).expect("writes");
    assert_eq!(body["messages"], expected);
    lacks
}

#[test]
fn parameters_are_mapped() {
    maps(json!({"max_completion_tokens": 5, "stream": true}), json!({"max_tokens": 5, "stream": true}));
    maps(json!({"temperature": 1, "top_p": 1, "seed": 7}), json!({"temperature": 1.0, "p": 0.99, "seed": 7}));
    maps(json!({"top_p": 0, "stop": "x"}), json!({"p": 0.01, "stop_sequences": ["x"]}));
    maps(json!({"presence_penalty": 0.5, "frequency_penalty": 0}), json!({"presence_penalty": 0.5}));
    maps(json!({"logprobs": true, "n": 1, "service_tier": "auto"}), json!({"logprobs": true}));
    maps(
        json!({"response_format": {"type": "json_object"}}),
        json!({"response_format": {"type": "json_object"}}),
    );
    let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}});
    let expected = json!({"response_format": {"type": "json_object", "json_schema": {"type": "object"}}});
    maps(json!({"response_format": schema}), expected);
}

#[test]
fn what_cohere_lacks_is_named() {
    for (fields, lacking) in [
        (json!({"n": 2}), "n"),
        (json!({"seed": -1}), "seed"),
        (json!({"logprobs": true, "top_logprobs": 2}), "top_logprobs"),
        (json!({"user": "u"}), "user"),
        (json!({"safety_identifier": "u"}), "safety_identifier"),
        (json!({"service_tier": "flex"}), "service_tier"),
        (json!({"logit_bias": {"1": 2}}), "logit_bias"),
        (json!({"messages": [{"role": "user", "content": "x", "name": "n"}]}), "messages[0].name"),
    ] {
        assert_eq!(chat(fields).expect("writes").1.parameters(), [lacking]);
    }
}

#[test]
fn what_is_out_of_range_is_brought_into_it() {
    for (fields, parameter, field, sent) in [
        (json!({"temperature": 1.5}), "temperature", "temperature", json!(1.0)),
        (json!({"top_p": 1.5}), "top_p", "p", json!(0.99)),
        // No penalty is what happens without it.
        (json!({"presence_penalty": -1}), "presence_penalty", "presence_penalty", Value::Null),
        (json!({"frequency_penalty": 2}), "frequency_penalty", "frequency_penalty", json!(1.0)),
        (
            json!({"stop": ["1", "2", "3", "", "4", "5", "6"]}),
            "stop",
            "stop_sequences",
            json!(["1", "2", "3", "4", "5"]),
        ),
    ] {
        let (body, lacks) = chat(fields).expect("writes");
        assert_eq!(body[field], sent);
        assert_eq!(lacks.excesses()[0].parameter, parameter);
        assert!(lacks.excesses().len() == 1 && lacks.parameters().is_empty());
    }
    let k = |top_k| conversation(Request { top_k: Some(top_k), ..user("hi") }).expect("writes");
    assert_eq!((k(500).0["k"].as_u64(), k(500).1.excesses().len()), (Some(500), 0));
    assert_eq!((k(501).0["k"].as_u64(), k(501).1.excesses().len()), (Some(500), 1));
}

#[test]
fn thinking_has_a_budget_where_little_is_asked() {
    let thinking = |thinking, effort, max_tokens| {
        let request = Request { thinking, effort, max_tokens, ..user("hi") };
        conversation(request).expect("writes").0["thinking"].clone()
    };
    assert_eq!(thinking(None, None, None), Value::Null);
    assert_eq!(thinking(None, Some(Effort::None), None), json!({"type": "disabled"}));
    assert_eq!(thinking(None, Some(Effort::Low), None), json!({"type": "enabled", "token_budget": 1024}));
    assert_eq!(
        thinking(None, Some(Effort::Medium), Some(2000)),
        json!({"type": "enabled", "token_budget": 1000})
    );
    assert_eq!(thinking(None, Some(Effort::High), Some(2000)), json!({"type": "enabled"}));
    assert_eq!(thinking(Some(Thinking::Off), Some(Effort::High), None), json!({"type": "disabled"}));
    assert_eq!(
        thinking(Some(Thinking::Budget(7)), Some(Effort::High), None),
        json!({"type": "enabled", "token_budget": 7})
    );
    let adaptive = Some(Thinking::Adaptive);
    assert_eq!(thinking(adaptive, None, None), json!({"type": "enabled"}));
    assert_eq!(thinking(adaptive, Some(Effort::Low), None), json!({"type": "enabled", "token_budget": 1024}));
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "d", "parameters": {"type": "object", "x": 1}}})
}

#[test]
fn tools_are_offered() {
    let bare = json!({"type": "function", "function": {"name": "g"}});
    let given = json!([
        tool("f"),
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
    ]);
    let tools = json!([tool("f"), bare]);
    maps(json!({"tools": tools, "tool_choice": "auto"}), json!({"tools": given}));
    maps(json!({"tools": tools, "tool_choice": "none"}), json!({"tools": given, "tool_choice": "NONE"}));
    maps(
        json!({"tools": tools, "tool_choice": "required"}),
        json!({"tools": given, "tool_choice": "REQUIRED"}),
    );
    // A choice among tools is made by offering no others.
    let named = json!({"type": "function", "function": {"name": "f"}});
    let only = json!({"tools": [tool("f")], "tool_choice": "REQUIRED"});
    maps(json!({"tools": tools, "tool_choice": named}), only);
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named]}});
    maps(json!({"tools": tools, "tool_choice": allowed}), json!({"tools": [tool("f")]}));
    maps(json!({"tool_choice": "none"}), json!({}));
    let mut strict = tool("f");
    strict["function"]["strict"] = Value::Bool(true);
    maps(json!({"tools": [strict]}), json!({"tools": [tool("f")], "strict_tools": true}));

    let (_, lacks) = chat(json!({"tools": tools, "parallel_tool_calls": false})).expect("writes");
    assert_eq!(lacks.parameters(), ["parallel_tool_calls"]);
    let (body, lacks) =
        chat(json!({"tools": tools, "response_format": {"type": "json_object"}})).expect("writes");
    assert_eq!(lacks.parameters(), ["response_format"]);
    assert_eq!(body["response_format"], Value::Null);
}

#[test]
fn a_custom_tool_is_a_function_of_one_string() {
    let format = reading::read(br#"{"type":"text"}"#).expect("is JSON");
    let custom = Some(CustomTool { format: Some(format) });
    let tool = Tool { name: Text::from("patch"), custom, ..Tool::default() };
    let call = ToolCall {
        id: Text::from("1"),
        name: Text::from("patch"),
        arguments: Text::from("a \"b\"\n"),
        custom: true,
        signature: None,
        at: Place::default(),
    };
    let mut request = Request { tools: vec![tool], ..user("hi") };
    request.messages.push(message(Role::Assistant, vec![Part::ToolCall(call)]));
    let (body, lacks) = conversation(request).expect("writes");
    assert_eq!(
        body["tools"][0]["function"]["parameters"],
        json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
    );
    let arguments = &body["messages"][1]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(arguments, r#"{"input":"a \"b\"\n"}"#);
    assert_eq!(lacks.omissions(), ["tools[0].custom.format"]);
}

fn message(role: Role, parts: Vec<Part<'_>>) -> Message<'_> {
    Message { role, name: None, parts, at: Place::default() }
}

fn user(text: &str) -> Request<'_> {
    let messages = vec![message(Role::User, vec![Part::Text(Text::from(text))])];
    Request { messages, ..Request::default() }
}

#[test]
fn instructions_come_first_and_neighbours_stand_together() {
    let lacks = messages(
        json!([
            {"role": "user", "content": "a"},
            {"role": "developer", "content": "be"},
            {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": ""}]},
            {"role": "assistant", "content": null, "refusal": "no"},
            {"role": "assistant", "content": ""},
            {"role": "system", "content": "brief"},
        ]),
        json!([
            {"role": "system", "content": [{"type": "text", "text": "be"}, {"type": "text", "text": "brief"}]},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "no"}]},
        ]),
    );
    assert!(lacks.parameters().is_empty());
    for (messages, path) in [
        (json!([{"role": "user", "content": ""}]), "messages[0].content"),
        (json!([{"role": "system", "content": "x"}]), "messages"),
        (
            json!([{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "1", "content": "x"}]),
            "messages[1].tool_call_id",
        ),
    ] {
        let failure = chat(json!({"messages": messages})).expect_err(path);
        assert_eq!(failure.parameter.as_deref(), Some(path));
    }
}

#[test]
fn calls_have_their_plan_and_their_results() {
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    messages(
        json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "well", "reasoning_content": "hm", "tool_calls": [call("1", ""), call("2", "{\"x\":1}")]},
            {"role": "tool", "tool_call_id": "1", "content": "one"},
            {"role": "tool", "tool_call_id": "2", "content": ""},
            {"role": "assistant", "content": "done", "reasoning_content": "not shown again"},
        ]),
        json!([
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "well"}], "tool_calls": [call("1", "{}"), call("2", "{\"x\":1}")], "tool_plan": "hm"},
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "one"}]},
            {"role": "tool", "tool_call_id": "2", "content": ""},
            {"role": "assistant", "content": [{"type": "text", "text": "done"}]},
        ]),
    );
}

#[test]
fn failures_marks_and_foreign_thinking() {
    let at = Place::part(3, 4);
    let mark = || Part::CacheMark(CacheMark { ttl: None, at });
    let signature = Some(Signature { maker: Maker::Anthropic, value: Text::from("s") });
    let thought = Reasoning { text: Text::from("mine"), signature, ..Reasoning::default() };
    let call = ToolCall {
        id: Text::from("1"),
        name: Text::from("f"),
        arguments: Text::from("{}"),
        custom: false,
        signature: None,
        at,
    };
    let parts = vec![Part::Text(Text::from("no ")), Part::Text(Text::from("such file")), mark()];
    let result = ToolResult { call: Text::from("1"), parts, failed: true, at };
    let mut request = user("hi");
    request.messages.push(message(Role::Assistant, vec![Part::Reasoning(thought), Part::ToolCall(call)]));
    request.messages.push(message(Role::Tool, vec![Part::ToolResult(result)]));
    request.messages.push(message(Role::User, vec![mark(), Part::Text(Text::from("x"))]));
    let (body, lacks) = conversation(request).expect("writes");
    assert_eq!(body["messages"][1].get("tool_plan"), None);
    let document = json!([{"type": "document", "document": {"data": {"error": "no such file"}}}]);
    assert_eq!(body["messages"][2]["content"], document);
    assert_eq!(lacks.omissions(), ["messages[3].content[4].prompt_cache_breakpoint"]);
}

#[test]
fn images_are_shown_and_nothing_else() {
    let part = |kind: &str, url: &str| json!([{"type": kind, kind: {"url": url}}]);
    for url in ["https://x.test/a.png", "http://x.test/a", "data:image/png;base64,AAAA"] {
        let content = part("image_url", url);
        messages(
            json!([{"role": "user", "content": content}]),
            json!([{"role": "user", "content": content}]),
        );
    }
    for (content, path) in [
        (part("image_url", "file:///x"), "messages[0].content[0].image_url.url"),
        (part("image_url", "data:image/bmp;base64,AAAA"), "messages[0].content[0].image_url.url"),
        (json!([{"type": "file", "file": {"file_id": "f"}}]), "messages[0].content[0].file"),
        (
            json!([{"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}]),
            "messages[0].content[0].input_audio",
        ),
    ] {
        let (_, lacks) = chat(json!({"messages": [{"role": "user", "content": content}]})).expect("writes");
        assert_eq!(lacks.contents(), [path]);
    }
}
