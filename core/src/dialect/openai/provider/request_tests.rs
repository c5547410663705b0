//! What requests of other dialects become as chat completions.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::encode_task;
use super::messages::short_call_id;
use crate::conversation::{
    CacheMark, CustomTool, Effort, Field, Maker, Media, MediaKind, MediaSource, Message, Other, Part, Place,
    Reasoning, Request, Role, Signature, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::dialect::openai::decode_request;
use crate::dialect::presets::Preset;
use crate::dialect::{ClientDialect, Encoded, Lacks, ProviderDialect, Ranges, Wanted};
use crate::failure::Failure;
use crate::json::{Raw, Text};
use crate::policy::Provider;
use crate::task::Task;

/// OpenAI itself, or a preset.
fn provider(preset: Option<&str>) -> Provider {
    let mut provider = Provider::for_tests(ProviderDialect::OpenAi);
    match preset {
        Some(name) => provider.preset = Some(Preset::named(name).expect("is a preset")),
        None => provider.endpoint.host = "api.openai.com".to_owned(),
    }
    provider
}

fn encode(task: &Task<'_>, model: &str, preset: Option<&str>) -> (Result<Encoded, Failure>, Lacks) {
    let provider = provider(preset);
    let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    (encode_task(task, wanted, &mut lacks), lacks)
}

fn body(request: Request<'_>, model: &str, preset: Option<&str>) -> (Value, Lacks) {
    let (encoded, lacks) = encode(&Task::Conversation(request), model, preset);
    (serde_json::from_slice(&encoded.expect("is written").body).expect("is JSON"), lacks)
}

fn text(text: &str) -> Part<'_> {
    Part::Text(Text::from(text))
}

fn message(role: Role, parts: Vec<Part<'_>>) -> Message<'_> {
    Message { role, name: None, parts, at: Place::default() }
}

fn hello() -> Vec<Message<'static>> {
    vec![message(Role::User, vec![text("Hello")])]
}

fn call(id: &'static str, custom: bool, arguments: &'static str) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: Text::from(id),
        name: Text::from("f"),
        arguments: Text::from(arguments),
        custom,
        signature: None,
        at: Place::default(),
    })
}

fn result(call: &'static str, parts: Vec<Part<'static>>) -> Part<'static> {
    Part::ToolResult(ToolResult { call: Text::from(call), parts, failed: false, at: Place::default() })
}

fn media(kind: MediaKind, source: MediaSource<'_>) -> Part<'_> {
    Part::Media(Media { kind, source, at: Place::part(2, 1) })
}

fn base64(media_type: &'static str) -> MediaSource<'static> {
    MediaSource::Base64 { media_type: Text::from(media_type), data: Text::from("QUJD"), file_name: None }
}

fn custom_tool(format: Option<&str>) -> Tool<'_> {
    let format = format.map(|format| serde_json::from_str::<Raw<'_>>(format).expect("is JSON"));
    Tool { name: Text::from("f"), custom: Some(CustomTool { format }), ..Tool::default() }
}

#[test]
fn a_request_comes_back_as_it_was() {
    let body = json!({
        "model": "gpt-5.6", "stream": true, "stream_options": {"include_usage": true},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "name": "bob", "content": [
                {"type": "text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "A"}, {"type": "refusal", "refusal": "No"}], "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1.0}"}},
                {"id": "2", "type": "custom", "custom": {"name": "patch", "input": "*** \"x\"\n"}},
            ]},
            {"role": "tool", "tool_call_id": "1", "content": "done"},
            {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "F", "parameters": {"type": "object", "properties": {}}, "strict": true}},
            {"type": "custom", "custom": {"name": "patch", "description": "P", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: \"x\""}}}},
        ],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "patch"}}]}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": true}},
        "max_completion_tokens": 10, "temperature": 0.5, "top_p": 0.25, "presence_penalty": 0.5, "frequency_penalty": -0.5,
        "seed": 7, "stop": ["x", "y"], "n": 2, "logprobs": true, "top_logprobs": 3, "reasoning_effort": "xhigh",
        "verbosity": "low", "user": "u", "safety_identifier": "s", "service_tier": "flex",
    });
    let bytes = body.to_string();
    let first = decode_request(bytes.as_bytes()).expect("is a request");
    assert_eq!(first.others, []);
    let task = Task::Conversation(first);
    let (encoded, lacks) = encode(&task, "gpt-5.6", None);
    let encoded = encoded.expect("is written");
    assert_eq!(lacks, Lacks::new(ClientDialect::OpenAiChat));
    assert_eq!(encoded.path, "/chat/completions");
    assert_eq!(serde_json::from_slice::<Value>(&encoded.body).expect("is JSON"), body);
    let second = decode_request(&encoded.body).expect("is a request");
    assert_eq!(format!("{:?}", task.conversation().expect("is one")), format!("{second:?}"));
}

/// Each vendor's row of ranges: far beyond its ends, the ends are sent, and nothing where the vendor has no such field.
#[test]
fn what_is_out_of_range_is_brought_into_it() {
    let rows = Ranges::all().filter(|(name, _)| *name == "openai" || Preset::named(name).is_some());
    let mut ran = 0;
    for (name, ranges) in rows {
        let preset = Preset::named(name).map(|preset| preset.name);
        for (far, penalty) in [(1e6, 1e6), (-1e6, -1e6)] {
            let many = if far > 0.0 { 1_000_000 } else { 1 };
            let request = Request {
                messages: hello(),
                temperature: Some(far),
                top_p: Some(far),
                top_k: (name != "openai").then_some(many),
                presence_penalty: Some(penalty),
                frequency_penalty: Some(penalty),
                choices: Some(many as u32),
                logprobs: true,
                top_logprobs: Some(many as u32),
                stop: vec!["x".into(); 3000],
                ..Request::default()
            };
            let (body, lacks) = body(request, "gpt-4o", preset);
            let mut noted: Vec<_> = lacks.excesses().iter().map(|it| it.parameter.as_str()).collect();
            let mut expected = Vec::new();
            for (field, range, given) in [
                ("temperature", ranges.temperature, far),
                ("top_p", ranges.top_p, far),
                ("top_k", ranges.top_k, many as f64),
                ("presence_penalty", ranges.penalties, penalty),
                ("frequency_penalty", ranges.penalties, penalty),
                ("n", ranges.choices, many as f64),
                ("top_logprobs", ranges.top_logprobs, many as f64),
            ] {
                let Some(sent) = body[field].as_f64() else { continue };
                assert_eq!(sent, given.max(range.least).min(range.most), "{field} at {name}");
                expected.extend((sent != given).then_some(field));
            }
            let stops = body["stop"].as_array().expect("is a list").len() as f64;
            assert_eq!(stops, ranges.stop.most.min(3000.0), "{name}");
            expected.extend((stops < 3000.0).then_some("stop"));
            noted.sort_unstable();
            expected.sort_unstable();
            assert_eq!(noted, expected, "{name}");
            ran += expected.len();
        }
    }
    assert!(ran > 60, "only {ran} values were out of range");
}

#[test]
fn what_asks_for_nothing_is_not_written() {
    let request = Request {
        messages: hello(),
        temperature: Some(1.0),
        tool_choice: Some(ToolChoice::Auto),
        parallel_tool_calls: Some(true),
        ..Request::default()
    };
    let (body, _) = body(request, "gpt-4o", None);
    assert_eq!(body, json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}));
}

#[test]
fn a_turn_of_results_becomes_one_message_each() {
    let messages = vec![
        message(Role::Assistant, vec![call("a", false, ""), call("b", false, "{}")]),
        message(Role::Tool, vec![result("a", vec![text("1")]), result("b", vec![])]),
        message(Role::User, vec![text("and"), text("now?")]),
    ];
    let (body, lacks) = body(Request { messages, ..Request::default() }, "gpt-4o", None);
    let function = json!({"name": "f", "arguments": "{}"});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": function}, {"id": "b", "type": "function", "function": function}]},
            {"role": "tool", "content": "1", "tool_call_id": "a"},
            {"role": "tool", "content": "", "tool_call_id": "b"},
            {"role": "user", "content": [{"type": "text", "text": "and"}, {"type": "text", "text": "now?"}]},
        ])
    );
    assert!(lacks.contents().is_empty());
}

#[test]
fn a_result_without_its_call_is_refused() {
    let messages = vec![message(Role::Tool, vec![result("a", vec![text("1")])])];
    let task = Task::Conversation(Request { messages, ..Request::default() });
    let failure = encode(&task, "gpt-4o", None).0.expect_err("contradicts itself");
    assert_eq!((failure.status, failure.parameter.as_deref()), (400, Some("messages[0].tool_call_id")));
}

#[test]
fn media_are_said_or_refused() {
    let plain = |text| MediaSource::Text { text: Text::from(text), file_name: None };
    let messages = vec![message(
        Role::User,
        vec![
            media(MediaKind::Audio, base64("audio/mpeg")),
            media(MediaKind::File, base64("application/pdf")),
            media(MediaKind::File, plain("Hi")),
        ],
    )];
    let (body, _) = body(Request { messages, ..Request::default() }, "gpt-4o", None);
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
            {"type": "file", "file": {"filename": "file.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
            {"type": "file", "file": {"filename": "file.txt", "file_data": "data:text/plain;base64,SGk="}},
        ])
    );
    for (part, path) in [
        (media(MediaKind::Video, base64("video/mp4")), "messages[2].content[1].file"),
        (media(MediaKind::Audio, base64("audio/ogg")), "messages[2].content[1].input_audio"),
        (media(MediaKind::Image, MediaSource::File(Text::from("i"))), "messages[2].content[1].image_url.url"),
        (
            media(MediaKind::File, MediaSource::Url(Text::from("https://x.test"))),
            "messages[2].content[1].file",
        ),
    ] {
        let messages = vec![message(Role::User, vec![part])];
        let (_, lacks) =
            encode(&Task::Conversation(Request { messages, ..Request::default() }), "gpt-4o", None);
        assert_eq!(lacks.contents(), [path]);
    }
    let in_result = result("a", vec![media(MediaKind::Image, base64("image/png"))]);
    let messages =
        vec![message(Role::Assistant, vec![call("a", false, "{}")]), message(Role::Tool, vec![in_result])];
    let (_, lacks) = encode(&Task::Conversation(Request { messages, ..Request::default() }), "gpt-4o", None);
    assert_eq!(lacks.contents(), ["messages[2].content[1].image_url"]);
}

#[test]
fn custom_tools_are_functions_where_there_are_none() {
    let flat = r#"{"type":"grammar","syntax":"lark","definition":"start: x"}"#;
    let request = || Request {
        messages: vec![
            message(Role::Assistant, vec![call("a", true, "say \"hi\"")]),
            message(Role::Tool, vec![result("a", vec![text("1")])]),
        ],
        tools: vec![custom_tool(Some(flat))],
        tool_choice: Some(ToolChoice::Named(Text::from("f"))),
        ..Request::default()
    };
    let (new, lacks) = body(request(), "gpt-5", None);
    assert_eq!(
        new["tools"],
        json!([{"type": "custom", "custom": {"name": "f", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}}}}])
    );
    assert_eq!(new["messages"][0]["tool_calls"][0]["custom"], json!({"name": "f", "input": "say \"hi\""}));
    assert_eq!(new["tool_choice"], json!({"type": "custom", "custom": {"name": "f"}}));
    assert!(lacks.omissions().is_empty());
    for (model, preset) in [("gpt-4o", None), ("gpt-5", Some("openrouter"))] {
        let (old, lacks) = body(request(), model, preset);
        assert_eq!(
            old["tools"],
            json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object",
                "properties": {"input": {"type": "string"}}, "required": ["input"], "additionalProperties": false}}}])
        );
        let function = &old["messages"][0]["tool_calls"][0]["function"];
        assert_eq!(function["arguments"], r#"{"input":"say \"hi\""}"#);
        assert_eq!(old["tool_choice"], json!({"type": "function", "function": {"name": "f"}}));
        assert_eq!(lacks.omissions(), ["tools[0].custom.format"]);
    }
}

#[test]
fn only_the_allowed_tools_are_offered_where_no_list_is_taken() {
    let tool = |name| Tool { name: Text::from(name), ..Tool::default() };
    let choice = ToolChoice::Allowed { names: vec![Text::from("a")], required: true };
    let request = Request {
        messages: hello(),
        tools: vec![tool("a"), tool("b")],
        tool_choice: Some(choice),
        ..Request::default()
    };
    let (body, _) = body(request, "m", Some("vllm"));
    assert_eq!(body["tools"], json!([{"type": "function", "function": {"name": "a"}}]));
    assert_eq!(body["tool_choice"], "required");
}

#[test]
fn thinking_is_asked_for_as_the_model_can() {
    let said = |effort, thinking, model, preset| {
        let request = Request { messages: hello(), effort, thinking, ..Request::default() };
        let (body, lacks) = body(request, model, preset);
        let field = |name: &str| body.get(name).map(|value| value.to_string().replace('"', ""));
        let lacks = [lacks.parameters(), lacks.omissions()].concat();
        (field("reasoning_effort"), field("thinking"), lacks)
    };
    let word = |word: &str| Some(word.to_owned());
    let named = || vec!["reasoning_effort".to_owned()];
    use Thinking::{Adaptive, Budget, Off};
    for (effort, thinking, model, preset, expected) in [
        (Some(Effort::High), None, "gpt-5", None, (word("high"), None, vec![])),
        (Some(Effort::High), None, "gpt-4o", None, (None, None, named())),
        (Some(Effort::None), None, "gpt-4o", None, (None, None, vec![])),
        (None, Some(Off), "gpt-4o", None, (None, None, vec![])),
        (None, Some(Off), "gpt-5", None, (word("minimal"), None, vec![])),
        (None, Some(Off), "gpt-5.2", None, (word("none"), None, vec![])),
        (None, Some(Off), "o3", None, (None, None, named())),
        (None, Some(Off), "unknown", None, (None, None, named())),
        (None, Some(Adaptive), "gpt-5", None, (None, None, vec![])),
        (None, Some(Budget(1024)), "gpt-5", None, (word("low"), None, vec![])),
        (None, Some(Budget(10_000)), "o3", None, (word("medium"), None, vec![])),
        (None, Some(Budget(32_000)), "gpt-5.1", None, (word("high"), None, vec![])),
        (None, Some(Budget(32_000)), "gpt-4o", None, (None, None, named())),
        (Some(Effort::Low), None, "qwen", Some("vllm"), (word("low"), None, vec![])),
        (Some(Effort::Low), None, "qwen", Some("tgi"), (None, None, named())),
        (None, Some(Off), "deepseek-v4", Some("deepseek"), (None, word("{type:disabled}"), vec![])),
        (Some(Effort::Max), None, "deepseek-v4", Some("deepseek"), (word("max"), None, vec![])),
        (
            None,
            Some(Budget(32_000)),
            "deepseek-v4",
            Some("deepseek"),
            (word("high"), word("{type:enabled}"), vec![]),
        ),
    ] {
        assert_eq!(said(effort, thinking, model, preset), expected, "{effort:?} {thinking:?} {model}");
    }
}

#[test]
fn thinking_in_the_open_goes_back_to_who_wants_it() {
    let signed = Signature { maker: Maker::Anthropic, value: Text::from("s") };
    let reasoning =
        |signature| Part::Reasoning(Reasoning { text: Text::from("hm"), signature, ..Reasoning::default() });
    let messages =
        || vec![message(Role::Assistant, vec![reasoning(None), reasoning(Some(signed.clone())), text("y")])];
    let (deepseek, _) = body(Request { messages: messages(), ..Request::default() }, "m", Some("deepseek"));
    assert_eq!(
        deepseek["messages"][0],
        json!({"role": "assistant", "content": "y", "reasoning_content": "hm"})
    );
    let (openai, _) = body(Request { messages: messages(), ..Request::default() }, "gpt-5", None);
    assert_eq!(openai["messages"][0], json!({"role": "assistant", "content": "y"}));
    // A turn that was nothing but thinking is none for who doesn't take it.
    let only = vec![message(Role::Assistant, vec![reasoning(None)]), message(Role::User, vec![text("x")])];
    let (openai, _) = body(Request { messages: only, ..Request::default() }, "gpt-5", None);
    assert_eq!(openai["messages"], json!([{"role": "user", "content": "x"}]));
}

#[test]
fn cache_marks_are_breakpoints_or_named_once() {
    let mark = || Part::CacheMark(CacheMark { ttl: Some(Text::from("5m")), at: Place::part(1, 1) });
    let request = || Request {
        messages: vec![
            message(Role::System, vec![text("a"), mark(), text("b")]),
            message(Role::User, vec![text("c"), mark()]),
            message(Role::User, vec![mark(), text("d")]),
        ],
        ..Request::default()
    };
    let (new, lacks) = body(request(), "gpt-5.6", None);
    let marked =
        |text: &str| json!({"type": "text", "text": text, "prompt_cache_breakpoint": {"mode": "explicit"}});
    assert_eq!(new["messages"][0]["content"], json!([marked("a"), {"type": "text", "text": "b"}]));
    assert_eq!(new["messages"][1]["content"], json!([marked("c")]));
    assert_eq!(new["messages"][2]["content"], "d");
    assert!(lacks.omissions().is_empty());
    let (old, lacks) = body(request(), "gpt-4o", None);
    assert_eq!(old["messages"][1]["content"], "c");
    assert_eq!(lacks.omissions(), ["messages[1].content[1].prompt_cache_breakpoint"]);
}

#[test]
fn a_presets_quirks_are_applied() {
    let request = || Request {
        messages: vec![
            Message { name: Some(Text::from("bob")), ..message(Role::User, vec![text("a"), text("b")]) },
            message(Role::Assistant, vec![call("toolu_1", false, "{}")]),
            message(Role::Tool, vec![result("toolu_1", vec![text("1")])]),
        ],
        max_tokens: Some(5),
        seed: Some(1),
        top_k: Some(40),
        choices: Some(2),
        user: Some(Text::from("u")),
        stream: true,
        ..Request::default()
    };
    let (mistral, lacks) = body(request(), "m", Some("mistral"));
    let id = &*short_call_id("toolu_1");
    assert_eq!(
        mistral,
        json!({"model": "m", "max_tokens": 5, "random_seed": 1, "top_k": 40, "n": 2, "stream": true, "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "content": "1", "tool_call_id": id},
        ]})
    );
    assert_eq!(lacks.parameters(), ["messages[0].name", "user"]);
    let (deepseek, lacks) = body(request(), "m", Some("deepseek"));
    assert_eq!(deepseek["messages"][0], json!({"role": "user", "name": "bob", "content": "a\n\nb"}));
    assert_eq!(deepseek["stream_options"], json!({"include_usage": true}));
    assert_eq!(lacks.parameters(), ["top_k", "seed", "n"]);
    assert!(deepseek.get("n").is_none() && deepseek.get("seed").is_none() && deepseek.get("top_k").is_none());
}

#[test]
fn others_are_noted() {
    let other = |path: &str, content| Other { path: path.to_owned(), content };
    let others = vec![other("a", false), other("b", true)];
    let (_, lacks) = body(Request { messages: hello(), others, ..Request::default() }, "gpt-4o", None);
    assert_eq!((lacks.parameters(), lacks.contents()), (&["a".to_owned()][..], &["b".to_owned()][..]));
    assert_eq!(lacks.name(Field::Seed), "seed");
}

#[test]
fn tokens_are_counted_by_openai_alone() {
    let request = || Request {
        messages: vec![
            message(Role::System, vec![text("s")]),
            message(Role::User, vec![text("u"), media(MediaKind::Image, base64("image/png"))]),
            message(Role::Assistant, vec![text("a"), call("1", false, "{}"), call("2", true, "x")]),
            message(Role::Tool, vec![result("1", vec![text("r")]), result("2", vec![text("q")])]),
        ],
        tools: vec![Tool { name: Text::from("f"), ..Tool::default() }],
        temperature: Some(0.5),
        ..Request::default()
    };
    let (encoded, lacks) = encode(&Task::CountTokens(request()), "gpt-5", None);
    let encoded = encoded.expect("is written");
    assert_eq!(encoded.path, "/responses/input_tokens");
    assert_eq!(lacks, Lacks::new(ClientDialect::OpenAiChat));
    assert_eq!(
        serde_json::from_slice::<Value>(&encoded.body).expect("is JSON"),
        json!({"model": "gpt-5", "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "s"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "u"},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,QUJD"}]},
            {"type": "message", "role": "assistant", "content": "a"},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "2", "name": "f", "input": "x"},
            {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": "r"}]},
            {"type": "custom_tool_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "q"}]},
        ], "tools": [{"type": "function", "name": "f", "parameters": null, "strict": null}]})
    );
    let failure = encode(&Task::CountTokens(request()), "m", Some("groq")).0.expect_err("can't");
    assert_eq!((failure.status, failure.code.as_deref()), (400, Some("unsupported_operation")));
}

proptest! {
    #[test]
    fn call_ids_are_nine_letters_and_digits(id in ".*") {
        let short = short_call_id(&id).into_owned();
        prop_assert_eq!(short.len(), 9);
        prop_assert!(short.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        prop_assert_eq!(short_call_id(&short).into_owned(), short.clone());
    }
}
