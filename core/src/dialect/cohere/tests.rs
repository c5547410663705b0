//! Tests of Cohere's API: what requests become, and what its answers and streams become.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::{
    Effort, Event, Finish, Maker, Message, Part, Place, Reasoning, Request, Role, Signature, Thinking,
};
use crate::dialect::openai::chat::decode_request;
use crate::dialect::{ClientDialect, ProviderDialect};
use crate::embeddings;
use crate::json::{self as reading, Text};
use crate::policy::Provider;
use crate::rerank::{Document, Request as Ranking};

/// What a task becomes: the path and the body, with what is lacking.
fn written(task: &Task<'_>, client: ClientDialect) -> Result<(String, Value, Lacks), Failure> {
    let provider = Provider::for_tests(ProviderDialect::Cohere);
    let wanted = Wanted { model: "target", default_max_tokens: None, provider: &provider };
    let mut lacks = Lacks::new(client);
    let encoded = encode_task(task, wanted, &mut lacks)?;
    assert!(encoded.headers.is_empty());
    Ok((encoded.path, serde_json::from_slice(&encoded.body).expect("is JSON"), lacks))
}

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
        (json!({"temperature": 1.5}), "temperature"),
        (json!({"presence_penalty": -1}), "presence_penalty"),
        (json!({"seed": -1}), "seed"),
        (json!({"stop": ["1", "2", "3", "4", "5", "6"]}), "stop"),
        (json!({"logprobs": true, "top_logprobs": 2}), "top_logprobs"),
        (json!({"user": "u"}), "user"),
        (json!({"safety_identifier": "u"}), "safety_identifier"),
        (json!({"service_tier": "flex"}), "service_tier"),
        (json!({"logit_bias": {"1": 2}}), "logit_bias"),
        (json!({"messages": [{"role": "user", "content": "x", "name": "n"}]}), "messages[0].name"),
    ] {
        assert_eq!(chat(fields).expect("writes").1.parameters(), [lacking]);
    }
    let request = |top_k| Request { top_k, ..user("hi") };
    assert_eq!(conversation(request(Some(500))).expect("writes").0["k"], 500);
    assert_eq!(conversation(request(Some(501))).expect("writes").1.parameters(), ["top_k"]);
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
    use crate::conversation::{CustomTool, Tool, ToolCall};
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
    use crate::conversation::{CacheMark, ToolCall, ToolResult};
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
    assert_eq!(lacks.omissions(), ["messages[3].content[4].cache_control"]);
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

#[test]
fn tokens_of_conversations_are_not_counted() {
    let failure =
        written(&Task::CountTokens(user("hi")), ClientDialect::AnthropicTokens).expect_err("is none");
    assert_eq!(failure.code.as_deref(), Some("unsupported_operation"));
}

#[test]
fn an_answer_is_read() {
    let body = br#"{"id":"a1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"plan","content":[
        {"type":"thinking","thinking":"hm"},{"type":"text","text":"yes"}],"citations":[{"start":0}],"tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},
        "usage":{"billed_units":{"input_tokens":5,"output_tokens":7.0},"tokens":{"input_tokens":71,"output_tokens":9},"cached_tokens":64},
        "logprobs":[{"text":"yes","token_ids":[1,2],"logprobs":[-0.5,-0.25]}]}"#;
    let Outcome::Conversation(answer) = decode_outcome(TaskKind::Conversation, body).expect("reads") else {
        panic!("is a conversation");
    };
    let choice = &answer.choices[0];
    let [Part::Reasoning(plan), Part::Reasoning(thought), Part::Text(text), Part::ToolCall(call)] =
        &choice.parts[..]
    else {
        panic!("{:?}", choice.parts);
    };
    assert_eq!((&*plan.text, &*thought.text, &**text), ("plan", "hm", "yes"));
    assert_eq!((&*call.id, &*call.name, &*call.arguments), ("c1", "f", "{}"));
    assert_eq!((answer.id.as_deref(), choice.finish), (Some("a1"), Finish::ToolCalls));
    let usage = answer.usage.expect("is told");
    assert_eq!((usage.input, usage.cached_input, usage.output), (5, 5, 7));
    assert_eq!(choice.logprobs.as_ref().expect("are there")[0].chosen.logprob, -0.75);
}

#[test]
fn every_reason_has_its_finish() {
    for (reason, expected) in [
        ("COMPLETE", Ok(Finish::Stop)),
        ("STOP_SEQUENCE", Ok(Finish::Stop)),
        ("MAX_TOKENS", Ok(Finish::Length)),
        ("TOOL_CALL", Ok(Finish::ToolCalls)),
        ("ERROR_TOXIC", Ok(Finish::ContentFilter)),
        ("NOVEL", Ok(Finish::Stop)),
        ("ERROR", Err(500)),
        ("TIMEOUT", Err(504)),
    ] {
        let body = format!(r#"{{"finish_reason":"{reason}","message":{{}}}}"#);
        let outcome = decode_outcome(TaskKind::Conversation, body.as_bytes());
        let finish = outcome.map_err(|failure| failure.status).map(|outcome| match outcome {
            Outcome::Conversation(answer) => answer.choices[0].finish,
            other => panic!("{other:?}"),
        });
        assert_eq!(finish, expected, "{reason}");
    }
}

#[test]
fn what_is_no_answer_is_the_providers_fault() {
    for kind in [TaskKind::Conversation, TaskKind::Embeddings, TaskKind::Rerank] {
        for body in [
            &b"{}"[..],
            b"[]",
            b"",
            br#"{"message":{"tool_calls":[{"id":"x"}]}}"#,
            br#"{"embeddings":{}}"#,
            br#"{"results":[{}]}"#,
        ] {
            let failure = decode_outcome(kind, body).expect_err("is none");
            assert_eq!(failure.code.as_deref(), Some("provider_malformed"), "{kind:?}");
        }
    }
    let failure = decode_outcome(TaskKind::Conversation, br#"{"message":"internal"}"#).expect_err("failed");
    assert_eq!((failure.status, &*failure.message), (500, "internal"));
}

/// What is emitted for events of these names and data, one line each.
fn streamed(events: &[(&str, &str)]) -> Vec<String> {
    let mut reader = StreamReader::default();
    let mut lines = Vec::new();
    let mut emit = |event: Event<'_>| {
        lines.push(match event {
            Event::Start { id, .. } => format!("start {}", id.as_deref().unwrap_or("?")),
            Event::Text { text, .. } => format!("text {text}"),
            Event::Reasoning { text, .. } => format!("reasoning {text}"),
            Event::ToolCall { call, tool, .. } => {
                format!("call {call} {} {} {}", tool.id, tool.name, tool.arguments)
            }
            Event::Arguments { call, json, .. } => format!("arguments {call} {json}"),
            Event::Logprobs { tokens, .. } => format!("logprob {}", tokens[0].chosen.logprob),
            Event::Finish { finish, .. } => format!("finish {finish:?}"),
            Event::Usage(usage) => format!("usage {} {}", usage.input, usage.output),
            Event::Error(failure) => {
                format!("error {} {}", failure.status, failure.code.as_deref().unwrap_or(&failure.message))
            }
            Event::End => "end".to_owned(),
            other => format!("{other:?}"),
        });
    };
    for (name, data) in events {
        reader.event(name, data, &mut emit);
    }
    reader.end(&mut emit);
    lines
}

const START: (&str, &str) = (
    "message-start",
    r#"{"id":"a1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
);

#[test]
fn a_stream_is_read() {
    let events = [
        START,
        (
            "content-start",
            r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}"#,
        ),
        (
            "content-delta",
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}"#,
        ),
        ("content-end", r#"{"type":"content-end","index":0}"#),
        (
            "content-start",
            r#"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
        ),
        (
            "content-delta",
            r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"yes"}}},"logprobs":{"text":"yes","token_ids":[1],"logprobs":[-0.5]}}"#,
        ),
        ("citation-start", "no JSON"),
        ("content-end", r#"{"type":"content-end","index":1}"#),
        (
            "message-end",
            r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":3,"output_tokens":4},"tokens":{"input_tokens":70,"output_tokens":6}}}}"#,
        ),
        ("", "[DONE]"),
    ];
    let lines = ["start a1", "reasoning hm", "logprob -0.5", "text yes", "usage 3 4", "finish Stop", "end"];
    assert_eq!(streamed(&events), lines);
    // Without names, the data say what they are.
    let unnamed: Vec<_> =
        events.iter().filter(|(name, _)| *name != "citation-start").map(|(_, data)| ("", *data)).collect();
    assert_eq!(streamed(&unnamed), lines);
}

#[test]
fn calls_of_a_stream_are_counted() {
    let events = [
        START,
        ("tool-plan-delta", r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}"#),
        (
            "tool-call-start",
            r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c1","type":"function","function":{"name":"f","arguments":""}}}}}"#,
        ),
        (
            "tool-call-delta",
            r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\""}}}}}"#,
        ),
        (
            "tool-call-delta",
            r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":":1}"}}}}}"#,
        ),
        ("tool-call-end", r#"{"type":"tool-call-end","index":0}"#),
        (
            "tool-call-start",
            r#"{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"c2","type":"function","function":{"name":"g"}}}}}"#,
        ),
        ("tool-call-end", r#"{"type":"tool-call-end","index":1}"#),
        (
            "tool-call-start",
            r#"{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"c3","function":{"name":"h"}}}}}"#,
        ),
        ("message-end", r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}"#),
    ];
    let lines = [
        "start a1",
        "reasoning I will",
        "call 0 c1 f ",
        r#"arguments 0 {"a""#,
        "arguments 0 :1}",
        "call 1 c2 g ",
        "arguments 1 {}",
        "call 2 c3 h ",
        "arguments 2 {}",
        "finish ToolCalls",
        "end",
    ];
    assert_eq!(streamed(&events), lines);
}

#[test]
fn a_stream_that_fails_is_an_error() {
    let failed = r#"{"type":"message-end","delta":{"error":"out of memory","finish_reason":"ERROR","usage":{"tokens":{"input_tokens":3,"output_tokens":4}}}}"#;
    assert_eq!(
        streamed(&[START, ("message-end", failed)]),
        ["start a1", "usage 3 4", "error 500 out of memory"]
    );
    assert_eq!(streamed(&[START]), ["start a1", "error 502 stream_truncated"]);
    assert_eq!(streamed(&[]), ["error 502 stream_truncated"]);
    assert_eq!(streamed(&[("", r#"{"message":"busy"}"#), START]), ["error 500 busy"]);
    for data in
        ["", "{", "[]", r#"{"type":"content-delta"}"#, r#"{"type":"content-delta","delta":{"message":1}}"#]
    {
        assert_eq!(
            streamed(&[("content-delta", data), START]).last().map(String::as_str),
            Some("error 502 provider_malformed")
        );
    }
    let nameless = r#"{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"c"}}}}"#;
    assert_eq!(
        streamed(&[START, ("tool-call-start", nameless)]),
        ["start a1", "error 502 provider_malformed"]
    );
}

#[test]
fn texts_are_embedded_whole_or_not_at_all() {
    let request = |inputs| embeddings::Request {
        model: Text::from("m"),
        inputs,
        dimensions: Some(256),
        ..Default::default()
    };
    let text = |text| embeddings::Input::Text(Text::from(text));
    let write = |request| written(&Task::Embeddings(request), ClientDialect::OpenAiEmbeddings);
    let (path, body, lacks) = write(request(vec![text("a"), text("b")])).expect("writes");
    assert_eq!(path, "/v2/embed");
    assert_eq!(
        body,
        json!({"model": "target", "texts": ["a", "b"], "input_type": "search_document", "output_dimension": 256,
            "embedding_types": ["float"], "truncate": "NONE"})
    );
    assert!(lacks.parameters().is_empty() && lacks.contents().is_empty());
    let query = embeddings::Request {
        purpose: Some(Text::from("search_query")),
        user: Some(Text::from("u")),
        ..request(vec![text("a")])
    };
    let (_, body, lacks) = write(query).expect("writes");
    assert_eq!((&body["input_type"], lacks.parameters()), (&json!("search_query"), &["user".to_owned()][..]));
    let tokens = embeddings::Input::Tokens(reading::read(b"[1]").expect("is JSON"));
    assert_eq!(write(request(vec![tokens])).expect("writes").2.contents(), ["input"]);
    let many = (0..97).map(|_| text("a")).collect();
    assert_eq!(write(request(many)).expect_err("are too many").parameter.as_deref(), Some("input"));
}

#[test]
fn vectors_are_read() {
    for (embeddings, is_numbers) in
        [(r#"{"float":[[0.5,1],[2]]}"#, true), (r#"{"base64":["AAAA","BBBB"]}"#, false)]
    {
        let body = format!(
            r#"{{"id":"e","embeddings":{embeddings},"texts":["a"],"meta":{{"billed_units":{{"input_tokens":4}}}}}}"#
        );
        let Outcome::Embeddings(answer) =
            decode_outcome(TaskKind::Embeddings, body.as_bytes()).expect("reads")
        else {
            panic!("are embeddings");
        };
        assert_eq!(answer.vectors.len(), 2);
        assert_eq!(matches!(answer.vectors[0], embeddings::Vector::Numbers(_)), is_numbers);
        assert_eq!(answer.usage.map(|usage| (usage.input, usage.output)), Some((4, 0)));
    }
}

#[test]
fn documents_are_ranked_as_texts() {
    let fields = |json: &'static str| Document::Fields(reading::read(json.as_bytes()).expect("is JSON"));
    let request = |documents| Ranking {
        model: Text::from("m"),
        query: Text::from("q"),
        documents,
        top_n: Some(2),
        max_tokens_per_document: Some(9),
        others: Vec::new(),
    };
    let write = |request| written(&Task::Rerank(request), ClientDialect::JinaRerank).expect("writes");
    let documents = vec![
        Document::Text(Text::from("a")),
        fields(r#"{"text":"b"}"#),
        fields(r#"{"title": "c", "text":"d"}"#),
    ];
    let (path, body, lacks) = write(request(documents));
    assert_eq!(path, "/v2/rerank");
    assert_eq!(
        body,
        json!({"model": "target", "query": "q", "documents": ["a", "b", r#"{"title": "c", "text":"d"}"#], "top_n": 2,
            "max_tokens_per_doc": 9})
    );
    assert!(lacks.contents().is_empty());
    assert_eq!(write(request(vec![fields(r#"{"image":"x"}"#)])).2.contents(), ["documents"]);

    let body = br#"{"id":"r","results":[{"index":1,"relevance_score":0.98},{"index":0,"relevance_score":1}],"meta":{"billed_units":{"search_units":1}}}"#;
    let Outcome::Rerank(answer) = decode_outcome(TaskKind::Rerank, body).expect("reads") else {
        panic!("is a ranking");
    };
    assert_eq!((answer.results[0].index, answer.results[0].score), (1, 0.98));
    assert_eq!((answer.searches, answer.usage), (Some(1), None));
}

#[test]
fn only_the_model_of_a_native_request_changes() {
    let body = br#"{ "model" : "m", "query":"q","documents":[{"model":"x"}],"novel": 1.0 }"#;
    let request = crate::dialect::rerank::decode_cohere(body).expect("reads");
    let task = Task::Rerank(request);
    let provider = Provider::for_tests(ProviderDialect::Cohere);
    let adapted = |model| {
        let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
        let adapted = adapt(body, &task, wanted).expect("adapts");
        assert_eq!(adapted.path, "/v2/rerank");
        adapted.body.map(|body| String::from_utf8(body).expect("is text"))
    };
    assert_eq!(adapted("m"), None);
    let expected = r#"{ "model" : "n\"", "query":"q","documents":[{"model":"x"}],"novel": 1.0 }"#;
    assert_eq!(adapted("n\"").as_deref(), Some(expected));
}

proptest! {
    #[test]
    fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..48), position in any::<prop::sample::Index>()) {
        let bodies = [
            r#"{"id":"a","finish_reason":"COMPLETE","message":{"content":[{"text":"x"}],"tool_calls":[{"id":"c","function":{"name":"f"}}]},"usage":{"tokens":{"input_tokens":1e99}}}"#,
            r#"{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":-1}}}"#,
            r#"{"results":[{"index":1,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1}}}"#,
            r#"{"type":"content-delta","delta":{"message":{"content":{"text":"x"}}}}"#,
            r#"{"type":"tool-call-start","index":9,"delta":{"message":{"tool_calls":{"id":"c","function":{"name":"f"}}}}}"#,
        ];
        for body in bodies {
            let mut body = body.as_bytes().to_vec();
            let position = position.index(body.len());
            body.splice(position..=position, bytes.iter().copied());
            for kind in TaskKind::ALL {
                let _ = decode_outcome(kind, &body);
            }
            let _ = decode_failure(400, &body);
            let mut reader = StreamReader::default();
            let text = String::from_utf8_lossy(&body);
            let mut over = 0;
            let mut emit = |event: Event<'_>| over += u32::from(matches!(event, Event::End | Event::Error(_)));
            reader.event("", &text, &mut emit);
            reader.event("", &text, &mut emit);
            reader.end(&mut emit);
            prop_assert_eq!(over, 1);
        }
    }
}
