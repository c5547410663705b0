//! Tests of reading requests.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::conversation::{
    Effort, Format, JsonSchema, Maker, MediaKind, MediaSource, Part, Request, Role, Thinking, ToolChoice,
};
use crate::dialect::anthropic::{Form, encode_body};
use crate::dialect::{ClientDialect, Lacks, ProviderDialect, Wanted};
use crate::json::Text;
use crate::policy::Provider;

use super::decode_request;

/// A request with these fields besides what each must have.
fn body(fields: Value) -> String {
    let mut body = json!({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Q"}]});
    for (name, value) in fields.as_object().expect("is an object") {
        body[name] = value.clone();
    }
    body.to_string()
}

/// What there is no word for, each with whether it is content.
fn others(fields: Value) -> Vec<(String, bool)> {
    let body = body(fields);
    let request = decode_request(body.as_bytes()).expect("reads");
    request.others.into_iter().map(|other| (other.path, other.content)).collect()
}

fn others_of_blocks(role: &str, blocks: Value) -> Vec<(String, bool)> {
    others(json!({"messages": [{"role": role, "content": blocks}]}))
}

fn failure(fields: Value) -> (String, String) {
    let failure = decode_request(body(fields).as_bytes()).expect_err("can't be read");
    (failure.parameter.unwrap_or_default(), failure.code.unwrap_or_default().into_owned())
}

/// An agent's request: what Claude Code sends in the middle of a loop.
fn agent() -> Value {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 32_000,
        "stream": true,
        "system": [
            {"type": "text", "text": "You are an agent."},
            {"type": "text", "text": "Be \"brief\".\n", "cache_control": mark},
        ],
        "tools": [
            {"name": "Read", "description": "Reads.", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}},
            {"name": "Grep", "input_schema": {"type": "object", "properties": {}}, "strict": true, "cache_control": mark},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": false}}},
        "metadata": {"user_id": "user_1"},
        "stop_sequences": ["END"],
        "service_tier": "standard_only",
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look."},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}, "cache_control": mark},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "a.pdf"},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}, "title": "b.txt"},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqoB"},
                {"type": "redacted_thinking", "data": "Emw"},
                {"type": "text", "text": "I will."},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a b", "n": 1.50}},
                {"type": "thinking", "thinking": "", "signature": "Eq2"},
                {"type": "tool_use", "id": "toolu_2", "name": "Grep", "input": {}, "cache_control": mark},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "one", "cache_control": mark},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "UklG"}},
                ]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": "no such file"}], "is_error": true, "cache_control": mark},
                {"type": "text", "text": "Go on.", "cache_control": {"type": "ephemeral"}},
            ]},
        ],
    })
}

/// The request as Claude's provider gets it, by way of the canonical conversation.
fn through(body: &str) -> (Value, Lacks) {
    let request = decode_request(body.as_bytes()).expect("reads");
    let provider = Provider::for_tests(ProviderDialect::Anthropic);
    let wanted = Wanted { model: &request.model, default_max_tokens: None, provider: &provider };
    let mut lacks = Lacks::new(ClientDialect::Anthropic);
    let written = encode_body(&request, wanted, Form::Answer, &mut lacks).expect("can be written");
    (serde_json::from_slice(&written).expect("is JSON"), lacks)
}

#[test]
fn an_agents_request_comes_back_as_it_was() {
    let (body, lacks) = through(&agent().to_string());
    assert_eq!(body, agent());
    assert_eq!(lacks, Lacks::new(ClientDialect::Anthropic));
}

#[test]
fn every_parameter_has_its_word() {
    let body = body(json!({
        "temperature": 0.5, "top_p": 0.9, "top_k": 7, "stop_sequences": ["a", "b"], "stream": true,
        "tool_choice": {"type": "tool", "name": "f"}, "tools": [{"type": "custom", "name": "f", "input_schema": {}}],
        "thinking": {"type": "enabled", "budget_tokens": 4_000}, "output_config": {"effort": "xhigh"},
        "metadata": {"user_id": "u"}, "service_tier": "auto",
    }));
    let request = decode_request(body.as_bytes()).expect("reads");
    assert_eq!((request.temperature, request.top_p, request.top_k), (Some(0.5), Some(0.9), Some(7)));
    assert_eq!((request.max_tokens, request.stop.len()), (Some(10), 2));
    assert!(request.stream && request.stream_usage);
    assert_eq!(request.tool_choice, Some(ToolChoice::Named(Text::from("f"))));
    assert_eq!((request.thinking, request.show_thinking), (Some(Thinking::Budget(4_000)), None));
    assert_eq!(request.effort, Some(Effort::XHigh));
    assert_eq!(request.safety_identifier.as_deref(), Some("u"));
    assert_eq!(request.service_tier.as_deref(), Some("auto"));
    assert!(request.others.is_empty(), "{:?}", request.others);
}

#[test]
fn thinking_has_several_ways_to_be_off() {
    for (thinking, expected) in [
        (json!({"type": "disabled"}), (Some(Thinking::Off), None)),
        (json!({"type": "between_tools"}), (Some(Thinking::Off), None)),
        (json!({"type": "adaptive", "display": "omitted"}), (Some(Thinking::Adaptive), Some(false))),
    ] {
        let body = body(json!({"thinking": thinking}));
        let request = decode_request(body.as_bytes()).expect("reads");
        assert_eq!((request.thinking, request.show_thinking), expected);
    }
}

#[test]
fn a_format_may_stand_where_it_used_to() {
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    for fields in [json!({"output_config": {"format": format}}), json!({"output_format": format})] {
        let body = body(fields);
        let request = decode_request(body.as_bytes()).expect("reads");
        let Format::Schema(JsonSchema { schema: Some(schema), strict, .. }) = request.format else {
            panic!("{:?}", request.format)
        };
        assert_eq!((schema.get(), strict), (r#"{"type":"object"}"#, Some(true)));
    }
}

#[test]
fn results_have_messages_of_their_own() {
    let mark = json!({"type": "ephemeral"});
    let body = body(json!({"messages": [
        {"role": "user", "content": "Q"},
        {"role": "system", "content": "Now be brief."},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "sluice.gemini.g"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "direct"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "1", "cache_control": mark},
            {"type": "tool_result", "tool_use_id": "b"},
            {"type": "text", "text": "And?"},
            {"type": "tool_result", "tool_use_id": "c"},
        ]},
        {"role": "user", "content": []},
    ]}));
    let request = decode_request(body.as_bytes()).expect("reads");
    let roles: Vec<_> = request.messages.iter().map(|message| (message.role, message.parts.len())).collect();
    let expected = [
        (Role::User, 1),
        (Role::System, 1),
        (Role::Assistant, 1),
        (Role::Tool, 3),
        (Role::User, 1),
        (Role::Tool, 1),
        (Role::User, 0),
    ];
    assert_eq!(roles, expected);
    let Part::ToolCall(call) = &request.messages[2].parts[0] else { panic!("{:?}", request.messages[2]) };
    assert_eq!(call.signature.as_ref().and_then(|signature| signature.of(Maker::Gemini)), Some("g"));
    assert!(request.others.is_empty(), "{:?}", request.others);
}

#[test]
fn every_source_of_a_medium_is_read() {
    let source = |kind: &str, source: Value| json!({"type": kind, "source": source});
    let body = body(json!({"messages": [{"role": "user", "content": [
        source("image", json!({"type": "file", "file_id": "file_1"})),
        source("document", json!({"type": "url", "url": "https://example.com/a.pdf"})),
        source("document", json!({"type": "content", "content": "text"})),
    ]}]}));
    let request = decode_request(body.as_bytes()).expect("reads");
    let [Part::Media(image), Part::Media(url), Part::Media(text)] = &request.messages[0].parts[..] else {
        panic!("{:?}", request.messages)
    };
    assert!(
        matches!((&image.kind, &image.source), (MediaKind::Image, MediaSource::File(id)) if &**id == "file_1")
    );
    assert!(matches!((&url.kind, &url.source), (MediaKind::File, MediaSource::Url(_))));
    assert!(matches!(&text.source, MediaSource::Text { text, file_name: None } if &**text == "text"));
}

#[test]
fn what_there_is_no_word_for_is_noted() {
    let parameter = |path: &str| (path.to_owned(), false);
    let content = |path: &str| (path.to_owned(), true);
    for (fields, expected) in [
        (json!({"novel": 1}), parameter("novel")),
        (json!({"speed": "fast"}), parameter("speed")),
        (json!({"inference_geo": "us"}), parameter("inference_geo")),
        (json!({"mcp_servers": [{"type": "url"}]}), content("mcp_servers")),
        (json!({"container": {"skills": [{}]}}), content("container")),
        (json!({"max_tokens": 0}), content("max_tokens")),
        (json!({"metadata": {"x": 1}}), parameter("metadata.x")),
        (json!({"output_config": {"effort": "extreme"}}), parameter("output_config.effort")),
        (json!({"output_config": {"task_budget": {"total": 1}}}), parameter("output_config.task_budget")),
        (json!({"thinking": {"type": "novel"}}), parameter("thinking.type")),
        (json!({"tool_choice": {"type": "novel"}}), parameter("tool_choice.type")),
        (
            json!({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]}),
            content("tools[0].type"),
        ),
        (json!({"tools": [{"type": "mcp_toolset", "mcp_server_name": "s"}]}), content("tools[0].type")),
        (
            json!({"tools": [{"name": "f", "input_schema": {}, "defer_loading": true}]}),
            parameter("tools[0].defer_loading"),
        ),
        (
            json!({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
            parameter("context_management"),
        ),
        (json!({"cache_control": {"type": "novel"}}), parameter("cache_control.type")),
    ] {
        assert_eq!(others(fields.clone()), [expected], "{fields}");
    }
    for (role, block, expected) in [
        (
            "assistant",
            json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
            content("messages[0].content[0]"),
        ),
        (
            "assistant",
            json!({"type": "bash_code_execution_tool_result", "tool_use_id": "s", "content": {"type": "x", "content": [1]}}),
            content("messages[0].content[0]"),
        ),
        ("assistant", json!({"type": "compaction", "content": "Summary"}), content("messages[0].content[0]")),
        (
            "user",
            json!({"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]}),
            content("messages[0].content[0]"),
        ),
        ("user", json!({"type": "container_upload", "file_id": "f"}), content("messages[0].content[0]")),
        (
            "assistant",
            json!({"type": "text", "text": "x", "citations": [{"type": "char_location"}]}),
            content("messages[0].content[0].citations"),
        ),
        (
            "user",
            json!({"type": "document", "source": {"type": "text", "data": "x"}, "citations": {"enabled": true}}),
            parameter("messages[0].content[0].citations"),
        ),
        (
            "user",
            json!({"type": "document", "source": {"type": "text", "data": "x"}, "context": "c"}),
            content("messages[0].content[0].context"),
        ),
        (
            "user",
            json!({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}}),
            content("messages[0].content[0].source.content"),
        ),
        (
            "user",
            json!({"type": "document", "source": {"type": "url", "url": "u"}, "title": "t"}),
            parameter("messages[0].content[0].title"),
        ),
        (
            "user",
            json!({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_reference", "tool_name": "f"}]}),
            content("messages[0].content[0].content[0]"),
        ),
    ] {
        assert_eq!(others_of_blocks(role, json!([block])), [expected], "{block}");
    }
}

#[test]
fn what_asks_for_nothing_passes() {
    let passes = others(json!({
        "speed": "standard", "container": null, "mcp_servers": [], "cache_control": null, "novel": "",
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "tools": [{"type": null, "name": "f", "input_schema": {}, "eager_input_streaming": true, "allowed_callers": ["direct"], "defer_loading": false}],
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "x", "citations": null},
            {"type": "document", "source": {"type": "text", "data": "x"}, "citations": {"enabled": false}, "context": null, "title": ""},
        ]}],
    }));
    assert_eq!(passes, []);
}

#[test]
fn a_wrong_value_is_named() {
    let of = |path: &str, code: &str| (path.to_owned(), code.to_owned());
    for (fields, expected) in [
        (json!({"model": ""}), of("model", "invalid_value")),
        (json!({"model": null}), of("model", "missing_required_parameter")),
        (json!({"messages": []}), of("messages", "invalid_value")),
        (json!({"max_tokens": "x"}), of("max_tokens", "invalid_type")),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), of("messages[0].role", "invalid_value")),
        (json!({"messages": [{"role": "user"}]}), of("messages[0].content", "missing_required_parameter")),
        (json!({"messages": [{"role": "user", "content": {}}]}), of("messages[0].content", "invalid_type")),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}),
            of("messages[0].content[0].text", "invalid_type"),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            of("messages[0].content[0].text", "missing_required_parameter"),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": "x"}]}]}),
            of("messages[0].content[0].source", "invalid_value"),
        ),
        (
            json!({"thinking": {"type": "enabled"}}),
            of("thinking.budget_tokens", "missing_required_parameter"),
        ),
        (json!({"tools": [{"input_schema": {}}]}), of("tools[0].name", "missing_required_parameter")),
        (
            json!({"output_config": {"format": {"type": "json_schema"}}}),
            of("output_config.format.schema", "missing_required_parameter"),
        ),
    ] {
        assert_eq!(failure(fields.clone()), expected, "{fields}");
    }
    let failure = decode_request(b"{\"model\":").expect_err("is no JSON");
    assert_eq!(failure.code.as_deref(), Some("invalid_json"));
}

#[test]
fn a_mark_of_the_whole_request_is_behind_its_last_block() {
    let body = body(json!({"cache_control": {"type": "ephemeral", "ttl": "5m"}}));
    let request: Request<'_> = decode_request(body.as_bytes()).expect("reads");
    assert!(matches!(&request.messages[0].parts[..], [Part::Text(_), Part::CacheMark(mark)]
        if mark.ttl.as_deref() == Some("5m")));
}

proptest! {
    /// Any bytes, and any change to a request that is right, give a request or a failure.
    #[test]
    fn no_body_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_request(&bytes);
    }

    #[test]
    fn no_change_makes_it_panic(
        from in 0_usize..3_000,
        length in 0_usize..60,
        new in prop_oneof![Just("".to_owned()), Just("null".to_owned()), Just("[]".to_owned()), Just("{".to_owned()),
            Just("\"type\":\"text\",".to_owned()), Just("1e999".to_owned()), "\\PC{0,8}"],
    ) {
        let mut body = agent().to_string();
        let cut = |at: usize, body: &str| (0..=at.min(body.len())).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0);
        let (start, end) = (cut(from, &body), cut(from + length, &body));
        body.replace_range(start..end, &new);
        if let Ok(request) = decode_request(body.as_bytes()) {
            let provider = Provider::for_tests(ProviderDialect::Anthropic);
            let wanted = Wanted { model: "claude-sonnet-4-5", default_max_tokens: None, provider: &provider };
            let mut lacks = Lacks::new(ClientDialect::Anthropic);
            if let Ok(written) = encode_body(&request, wanted, Form::Answer, &mut lacks) {
                prop_assert!(decode_request(&written).is_ok());
            }
        }
    }
}
