use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::{Maker, Media, MediaKind, MediaSource, Part, Request, Signature};

fn read(body: &Value, check: impl FnOnce(Request<'_>)) {
    let body = body.to_string();
    check(decode_request(body.as_bytes()).expect("is a request"));
}

fn refused(body: &str) -> Failure {
    decode_request(body.as_bytes()).expect_err("is refused")
}

fn others(body: &Value) -> Vec<(String, bool)> {
    let mut noted = Vec::new();
    read(body, |request| {
        noted = request.others.into_iter().map(|other| (other.path, other.content)).collect();
    });
    noted
}

/// A request as an agent with tools of both sorts sends it in the middle of its work.
fn agent() -> Value {
    json!({
        "model": "m",
        "instructions": "You edit code.",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "sandbox"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "fix it"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
            ]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "content": null,
             "encrypted_content": "gAAA"},
            {"type": "function_call", "name": "shell", "arguments": "{\"command\":[\"ls\"]}", "call_id": "call_1"},
            {"type": "custom_tool_call", "status": "completed", "call_id": "call_2", "name": "apply_patch",
             "input": "*** Begin Patch\n*** End Patch"},
            {"type": "function_call_output", "call_id": "call_1", "output": "main.rs"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": [
                {"type": "input_text", "text": "done"},
                {"type": "input_image", "image_url": "https://x.test/a.png"},
            ]},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "phase": "commentary",
             "content": [{"type": "output_text", "text": "so far", "annotations": [], "logprobs": []}]},
            {"type": "message", "role": "user", "content": "go on"},
        ],
        "tools": [
            {"type": "function", "name": "shell", "description": "runs", "strict": false,
             "parameters": {"type": "object", "properties": {"command": {"type": "array"}}}},
            {"type": "custom", "name": "apply_patch", "description": "patches",
             "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "custom", "name": "note", "format": {"type": "text"}},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": false,
        "stream": true,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "thread-1",
        "client_metadata": {"session": "1"},
        "text": {"verbosity": "low"},
    })
}

#[test]
fn an_agents_request_is_read_whole() {
    read(&agent(), |request| {
        let others: Vec<_> = request.others.iter().map(|other| (&*other.path, other.content)).collect();
        assert_eq!(others, [("client_metadata", false), ("prompt_cache_key", false)]);
        assert!(request.others.iter().all(|other| is_advice(&other.path)));
        let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
        use Role::{Assistant, System, Tool, User};
        assert_eq!(roles, [System, System, User, Assistant, Tool, Assistant, User]);

        let turn = &request.messages[3].parts;
        let Part::Reasoning(reasoning) = &turn[0] else { panic!("{turn:?}") };
        assert_eq!(&*reasoning.text, "hm");
        assert_eq!(reasoning.hidden, Some(Signature { maker: Maker::OpenAi, value: "gAAA".into() }));
        let Part::ToolCall(call) = &turn[1] else { panic!("{turn:?}") };
        assert_eq!((&*call.id, &*call.name, call.custom), ("call_1", "shell", false));
        assert_eq!(&*call.arguments, r#"{"command":["ls"]}"#);
        let Part::ToolCall(call) = &turn[2] else { panic!("{turn:?}") };
        assert_eq!((&*call.arguments, call.custom), ("*** Begin Patch\n*** End Patch", true));

        let results = &request.messages[4].parts;
        let Part::ToolResult(result) = &results[1] else { panic!("{results:?}") };
        assert_eq!((&*result.call, result.parts.len()), ("call_2", 2));
        let Part::Media(media) = &result.parts[1] else { panic!("{results:?}") };
        assert!(matches!(&media.source, MediaSource::Url(url) if &**url == "https://x.test/a.png"));
        let name = super::super::name(crate::conversation::Field::MediaSource(media.at, media.kind));
        assert_eq!(name, "input[6].output[1].image_url");

        assert_eq!(request.tools.len(), 3);
        assert_eq!(request.tools[0].strict, Some(false));
        assert!(request.tools[1].custom.is_some_and(|custom| custom.format.is_some()));
        assert!(request.tools[2].custom.is_some_and(|custom| custom.format.is_none()));
        assert_eq!(request.tool_choice, Some(ToolChoice::Auto));
        assert_eq!((request.effort, request.show_thinking), (Some(Effort::High), Some(true)));
        assert_eq!(request.verbosity.as_deref(), Some("low"));
        assert!(request.stream && request.stream_usage);
    });
}

#[test]
fn a_text_is_a_users_message() {
    read(&json!({"model": "m", "input": "hi", "instructions": null}), |request| {
        assert_eq!(request.messages.len(), 1);
        assert!(matches!(&request.messages[0].parts[..], [Part::Text(text)] if &**text == "hi"));
        let name = super::super::name(crate::conversation::Field::MessageContent(request.messages[0].at));
        assert_eq!(name, "input");
    });
}

#[test]
fn media_come_in_every_form() {
    let parts = json!([
        {"type": "input_image", "file_id": "file_1", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_file", "filename": "b.TXT", "file_data": "QUJD"},
        {"type": "input_file", "file_url": "https://x.test/c.pdf"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "output_text", "text": "cited", "annotations": [{"type": "url_citation"}]},
        {"type": "input_hologram", "x": 1},
    ]);
    let body = json!({"model": "m", "input": [{"role": "user", "content": parts}]});
    read(&body, |request| {
        let media: Vec<String> = request.messages[0]
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Media(Media { kind, source, .. }) => Some(format!("{kind:?} {source:?}")),
                _ => None,
            })
            .collect();
        let expected: [(MediaKind, MediaSource<'_>); 5] = [
            (MediaKind::Image, MediaSource::File("file_1".into())),
            (
                MediaKind::File,
                MediaSource::Base64 {
                    media_type: "application/pdf".into(),
                    data: "AAAA".into(),
                    file_name: Some("a.pdf".into()),
                },
            ),
            (
                MediaKind::File,
                MediaSource::Base64 {
                    media_type: "text/plain".into(),
                    data: "QUJD".into(),
                    file_name: Some("b.TXT".into()),
                },
            ),
            (MediaKind::File, MediaSource::Url("https://x.test/c.pdf".into())),
            (
                MediaKind::Audio,
                MediaSource::Base64 { media_type: "audio/wav".into(), data: "AAAA".into(), file_name: None },
            ),
        ];
        assert_eq!(media, expected.map(|(kind, source)| format!("{kind:?} {source:?}")));
    });
    let expected = [
        ("input[0].content[0].detail", false),
        ("input[0].content[5].annotations", false),
        ("input[0].content[6].x", false),
        ("input[0].content[6].type", true),
    ];
    assert_eq!(others(&body), expected.map(|(path, content)| (path.to_owned(), content)));
}

#[test]
fn what_only_openai_can_do_is_named() {
    for (field, value, content) in [
        ("previous_response_id", json!("resp_1"), true),
        ("conversation", json!("conv_1"), true),
        ("conversation", json!({"id": "conv_1"}), true),
        ("prompt", json!({"id": "pmpt_1"}), true),
        ("background", json!(true), true),
        ("store", json!(true), false),
        ("truncation", json!("auto"), false),
        ("metadata_x", json!({"a": "b"}), false),
        ("context_management", json!([{"type": "compaction"}]), false),
    ] {
        let body = json!({"model": "m", "input": "x", field: value});
        assert_eq!(others(&body), [(field.to_owned(), content)]);
    }
    for (path, item) in [
        ("input[0].type", json!({"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}})),
        ("input[0].type", json!({"type": "item_reference", "id": "msg_1"})),
        ("input[0].type", json!({"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "x"}]})),
        ("input[0].type", json!({"type": "tool_search_call", "arguments": {"query": "x"}, "call_id": null})),
        ("input[0].type", json!({"type": "compaction", "encrypted_content": "x"})),
        ("input[0].id", json!({"id": "msg_1"})),
    ] {
        let body = json!({"model": "m", "input": [item]});
        assert_eq!(others(&body), [(path.to_owned(), true)]);
    }
    let call =
        json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "namespace": "n"});
    let body = json!({"model": "m", "input": [call], "tools": [{"type": "web_search"}, {"type": "mcp", "server_label": "x"}]});
    let expected = ["input[0].namespace", "tools[0].type", "tools[1].type"];
    assert_eq!(others(&body), expected.map(|path| (path.to_owned(), true)));
}

#[test]
fn what_asks_for_nothing_passes() {
    let body = json!({
        "model": "m", "input": "x", "store": false, "background": false, "truncation": "disabled", "metadata": {"a": "b"},
        "max_tool_calls": 3, "previous_response_id": null, "conversation": null, "moderation": null, "top_logprobs": 0,
        "stream_options": {"include_obfuscation": false}, "include": ["web_search_call.action.sources"],
        "reasoning": {"effort": null, "summary": null, "context": "auto", "mode": "standard"},
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
    });
    read(&body, |request| {
        assert_eq!(request.others, []);
        assert!(!request.logprobs && request.verbosity.is_none() && request.show_thinking.is_none());
    });
}

#[test]
fn the_form_of_the_answer_is_read() {
    let schema = json!({"type": "object", "additionalProperties": false});
    let format =
        json!({"type": "json_schema", "name": "n", "description": "d", "schema": schema, "strict": true});
    let body = json!({
        "model": "m", "input": "x", "text": {"format": format}, "temperature": 0.5, "top_p": 0.25, "max_output_tokens": 99,
        "include": ["message.output_text.logprobs"], "top_logprobs": 2, "service_tier": "flex", "user": "u",
        "safety_identifier": "s", "parallel_tool_calls": false,
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [
            {"type": "function", "name": "f"}, {"type": "custom", "name": "c"}, {"type": "image_generation"},
        ]},
    });
    read(&body, |request| {
        let Format::Schema(form) = &request.format else { panic!("{:?}", request.format) };
        assert_eq!((&*form.name, form.description.as_deref(), form.strict), ("n", Some("d"), Some(true)));
        assert_eq!(form.schema.expect("is there").get(), schema.to_string());
        assert_eq!(
            (request.temperature, request.top_p, request.max_tokens),
            (Some(0.5), Some(0.25), Some(99))
        );
        assert!(request.logprobs);
        assert_eq!(request.top_logprobs, Some(2));
        assert_eq!(request.service_tier.as_deref(), Some("flex"));
        assert_eq!(request.parallel_tool_calls, Some(false));
        let names = vec!["f".into(), "c".into()];
        assert_eq!(request.tool_choice, Some(ToolChoice::Allowed { names, required: true }));
        assert_eq!(request.others.len(), 1, "{:?}", request.others);
        assert_eq!(request.others[0].path, "tool_choice.tools[2].type");
    });
    for (choice, expected) in [
        (json!("required"), ToolChoice::Required),
        (json!({"type": "function", "name": "f"}), ToolChoice::Named("f".into())),
        (json!({"type": "custom", "name": "c"}), ToolChoice::Named("c".into())),
    ] {
        read(&json!({"model": "m", "input": "x", "tool_choice": choice}), |request| {
            assert_eq!(request.tool_choice, Some(expected));
        });
    }
}

#[test]
fn cache_breakpoints_stand_behind_their_parts() {
    let text = |mark: Value| json!({"type": "input_text", "text": "x", "prompt_cache_breakpoint": mark});
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": [text(json!({"mode": "explicit"})), text(json!({"mode": "explicit", "ttl": "12h"}))]},
        {"type": "function_call_output", "call_id": "c", "output": [text(json!({"mode": "explicit", "ttl": "30m"}))]},
    ]});
    read(&body, |request| {
        let ttls = |index: usize| -> Vec<Option<String>> {
            let parts = request.messages[index].parts.chunks(2);
            parts
                .map(|parts| match parts {
                    [_, Part::CacheMark(mark)] => mark.ttl.as_ref().map(ToString::to_string),
                    other => panic!("{other:?}"),
                })
                .collect()
        };
        assert_eq!(ttls(0), [None, Some("1h".to_owned())]);
        assert_eq!(ttls(1), [None]);
    });
}

#[test]
fn what_is_wrong_is_named() {
    for (body, parameter, code) in [
        (r#"{"input": "x"}"#, Some("model"), "missing_required_parameter"),
        (r#"{"model": "m"}"#, Some("input"), "missing_required_parameter"),
        (r#"{"model": "m", "input": []}"#, Some("input"), "invalid_value"),
        (
            r#"{"model": "m", "input": [{"role": "robot", "content": "x"}]}"#,
            Some("input[0].role"),
            "invalid_value",
        ),
        (
            r#"{"model": "m", "input": [{"role": "user"}]}"#,
            Some("input[0].content"),
            "missing_required_parameter",
        ),
        (
            r#"{"model": "m", "input": [{"role": "user", "content": 3}]}"#,
            Some("input[0].content"),
            "invalid_type",
        ),
        (
            r#"{"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": 3}]}]}"#,
            Some("input[0].content[0].text"),
            "invalid_type",
        ),
        (
            r#"{"model": "m", "input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}"#,
            Some("input[0].call_id"),
            "missing_required_parameter",
        ),
        (
            r#"{"model": "m", "input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]}"#,
            Some("input[0].arguments"),
            "invalid_type",
        ),
        (r#"{"model": "m", "input": "x", "model": "n"}"#, Some("model"), "duplicate_key"),
        (
            r#"{"model": "m", "input": "x", "max_output_tokens": 0}"#,
            Some("max_output_tokens"),
            "invalid_value",
        ),
        (
            r#"{"model": "m", "input": "x", "tools": [{"name": "f"}]}"#,
            Some("tools[0].type"),
            "missing_required_parameter",
        ),
        (r#"{"model": "m", "input": "#, None, "invalid_json"),
    ] {
        let failure = refused(body);
        assert_eq!(
            (failure.parameter.as_deref(), failure.code.as_deref()),
            (parameter, Some(code)),
            "{body}"
        );
    }
}

/// An agent's work goes on at any vendor: nothing of it is refused but how much it should say.
#[test]
fn every_vendor_can_go_on_with_an_agents_work() {
    use crate::dialect::{ClientDialect, Lacks, ProviderDialect, Wanted};
    use crate::policy::Provider;
    use crate::task::Task;

    let mut body = agent();
    // Not every vendor takes images in results.
    body["input"][6]["output"] = json!("done");
    let body = body.to_string();
    for dialect in ProviderDialect::ALL {
        let model = match dialect {
            ProviderDialect::OpenAi | ProviderDialect::AzureOpenAi => "gpt-5.5",
            ProviderDialect::Anthropic => "claude-sonnet-4-5",
            ProviderDialect::Gemini | ProviderDialect::Vertex => "gemini-3-pro",
            ProviderDialect::Bedrock => "anthropic.claude-sonnet-4-5-20250929-v1:0",
            ProviderDialect::Cohere => "command-a-03-2025",
        };
        let provider = Provider::for_tests(dialect);
        let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
        let mut lacks = Lacks::new(ClientDialect::OpenAiResponses);
        let request = decode_request(body.as_bytes()).expect("is a request");
        let encoded = dialect.encode(&Task::Conversation(request), wanted, &mut lacks);
        let encoded = encoded.unwrap_or_else(|failure| panic!("{dialect:?}: {failure:?}"));
        assert_eq!(lacks.contents(), [""; 0], "{dialect:?}");
        let refused = lacks.parameters().iter().filter(|name| *name != "text.verbosity");
        assert_eq!(refused.collect::<Vec<_>>(), [""; 0], "{dialect:?}");
        assert!(lacks.omissions().iter().any(|name| name == "client_metadata"), "{dialect:?}");
        let written = String::from_utf8(encoded.body).expect("is text");
        for said in ["You edit code.", "sandbox", "fix it", "main.rs", "*** Begin Patch", "so far", "go on"] {
            assert!(written.contains(said), "{dialect:?} lacks {said:?}: {written}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_do_harm(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_request(&body);
        let _ = super::super::echo(&body);
    }

    #[test]
    fn no_mutation_does_harm(cut in 0_usize..3000, byte in any::<u8>(), delete in 0_usize..40) {
        let mut body = agent().to_string().into_bytes();
        let start = cut % body.len();
        let end = (start + delete).min(body.len());
        body.splice(start..end, [byte]);
        let _ = decode_request(&body);
        let _ = super::super::echo(&body);
    }
}
