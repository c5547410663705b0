//! What requests become.

use serde_json::{Value, json};

use super::encode_task;
use crate::conversation::{
    CacheMark, CustomTool, Effort, Format, JsonSchema, Maker, Media, MediaKind, MediaSource, Message, Other,
    Part, Place, Reasoning, Request, Role, Signature, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::dialect::{ClientDialect, Encoded, Lacks, ProviderDialect, Wanted};
use crate::embeddings;
use crate::failure::Failure;
use crate::json::{Raw, Text};
use crate::policy::Provider;
use crate::rerank;
use crate::task::Task;

const SONNET: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
const ADAPTIVE: &str = "global.anthropic.claude-opus-4-8";
const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const GPT_OSS: &str = "openai.gpt-oss-120b-1:0";
const PROFILE: &str = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123";
const LLAMA: &str = "us.meta.llama3-3-70b-instruct-v1:0";

fn encode(task: &Task<'_>, model: &str) -> (Result<Encoded, Failure>, Lacks) {
    let provider = Provider::for_tests(ProviderDialect::Bedrock);
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
    (encode_task(task, wanted, &mut lacks), lacks)
}

/// The body for a model; what is lacking is a fault.
fn body(request: Request<'_>, model: &str) -> Value {
    let (encoded, lacks) = encode(&Task::Conversation(request), model);
    let encoded = encoded.expect("can be written");
    assert_eq!((lacks.parameters(), lacks.contents(), lacks.omissions()), (&[][..], &[][..], &[][..]));
    serde_json::from_slice(&encoded.body).expect("is JSON")
}

fn lacks(request: Request<'_>, model: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let (encoded, lacks) = encode(&Task::Conversation(request), model);
    encoded.expect("can be written");
    (lacks.parameters().to_vec(), lacks.contents().to_vec(), lacks.omissions().to_vec())
}

fn message<'a>(role: Role, parts: Vec<Part<'a>>) -> Message<'a> {
    Message { role, name: None, parts, at: Place::item(0) }
}

fn text(text: &str) -> Part<'_> {
    Part::Text(text.into())
}

fn call<'a>(id: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        custom: false,
        signature: None,
        at: Place::part(1, 0),
    })
}

fn result<'a>(id: &'a str, parts: Vec<Part<'a>>, failed: bool) -> Part<'a> {
    Part::ToolResult(ToolResult { call: id.into(), parts, failed, at: Place::item(2) })
}

fn mark(ttl: Option<&str>) -> CacheMark<'_> {
    CacheMark { ttl: ttl.map(Text::from), at: Place::item(0) }
}

fn raw(json: &str) -> Raw<'_> {
    serde_json::from_str(json).expect("is JSON")
}

fn hello<'a>() -> Request<'a> {
    Request { messages: vec![message(Role::User, vec![text("Hi")])], ..Request::default() }
}

fn tool<'a>() -> Tool<'a> {
    Tool { name: "f".into(), parameters: Some(raw(r#"{"type":"object"}"#)), ..Tool::default() }
}

fn with_tools<'a>(tool_choice: Option<ToolChoice<'a>>) -> Request<'a> {
    Request { tools: vec![tool()], tool_choice, ..hello() }
}

#[test]
fn a_plain_request_has_nothing_but_its_messages() {
    let (encoded, _) = encode(&Task::Conversation(hello()), SONNET);
    let encoded = encoded.expect("can be written");
    assert_eq!(encoded.path, "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    assert_eq!(encoded.body, br#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#);
    let streamed = Request { stream: true, ..hello() };
    let (encoded, _) = encode(&Task::Conversation(streamed), SONNET);
    assert!(encoded.expect("can be written").path.ends_with("/converse-stream"));
}

#[test]
fn every_parameter_has_its_place() {
    let request = Request {
        max_tokens: Some(100),
        temperature: Some(0.5),
        top_k: Some(40),
        stop: vec!["END".into(), "".into()],
        user: Some("user-1".into()),
        service_tier: Some("flex".into()),
        format: Format::Schema(JsonSchema {
            name: "answer".into(),
            description: Some("The answer".into()),
            schema: Some(raw(r#"{"type": "object"}"#)),
            strict: Some(true),
        }),
        ..hello()
    };
    assert_eq!(
        body(request, SONNET),
        json!({
            "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
            "additionalModelRequestFields": {"top_k": 40},
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "stopSequences": ["END"]},
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
            "requestMetadata": {"user": "user-1"},
            "serviceTier": {"type": "flex"},
            "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {
                "schema": "{\"type\": \"object\"}", "name": "answer", "description": "The answer",
            }}}},
        })
    );
}

#[test]
fn what_there_is_nothing_for_is_noted() {
    let request = Request {
        choices: Some(2),
        seed: Some(1),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(0.5),
        logprobs: true,
        top_logprobs: Some(2),
        verbosity: Some("low".into()),
        service_tier: Some("scale".into()),
        format: Format::Json,
        top_k: Some(3),
        parallel_tool_calls: Some(false),
        effort: Some(Effort::High),
        others: vec![Other { path: "logit_bias".to_owned(), content: false }],
        ..with_tools(None)
    };
    let (parameters, contents, omissions) = lacks(request, LLAMA);
    assert_eq!(
        parameters,
        [
            "logit_bias",
            "parallel_tool_calls",
            "reasoning_effort",
            "n",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "top_logprobs",
            "verbosity",
            "top_k",
            "service_tier",
            "response_format",
        ]
    );
    assert!(contents.is_empty() && omissions.is_empty());
}

#[test]
fn messages_keep_their_order_and_alternate() {
    let request = Request {
        messages: vec![
            message(Role::System, vec![text("Be brief."), text("")]),
            message(Role::User, vec![text("a")]),
            message(Role::User, vec![text("b")]),
            message(Role::Assistant, vec![text("c"), Part::Refusal("d".into())]),
            message(Role::Assistant, vec![call("t1", r#"{"x": 1}"#), call("call|odd", " ")]),
            message(Role::Tool, vec![result("t1", vec![text("one")], false)]),
            message(Role::Tool, vec![result("call|odd", vec![], true)]),
            message(Role::User, vec![text("e")]),
            message(Role::System, vec![text("Later.")]),
        ],
        tools: vec![tool()],
        ..Request::default()
    };
    let body = body(request, SONNET);
    assert_eq!(body["system"], json!([{"text": "Be brief."}, {"text": "Later."}]));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
            {"role": "assistant", "content": [
                {"text": "c"},
                {"text": "d"},
                {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"x": 1}}},
                {"toolUse": {"toolUseId": "sluice_call_1", "name": "f", "input": {}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "one"}]}},
                {"toolResult": {"toolUseId": "sluice_call_1", "content": [], "status": "error"}},
                {"text": "e"},
            ]},
        ])
    );
}

#[test]
fn a_conversation_that_contradicts_itself_is_refused() {
    for (messages, path) in [
        (vec![message(Role::User, vec![text("")])], "messages[0].content"),
        (vec![message(Role::System, vec![text("x")])], "messages"),
        (vec![message(Role::Tool, vec![result("t9", vec![], false)])], "messages[2].tool_call_id"),
        (
            vec![message(Role::Assistant, vec![call("t1", "[1]")])],
            "messages[1].tool_calls[0].function.arguments",
        ),
    ] {
        let (encoded, _) = encode(&Task::Conversation(Request { messages, ..Request::default() }), SONNET);
        let failure = encoded.unwrap_err();
        assert_eq!((failure.status, failure.parameter.as_deref()), (400, Some(path)));
    }
}

fn thoughts<'a>(maker: Maker) -> Request<'a> {
    let signature = |value: &'static str| Some(Signature { maker, value: value.into() });
    let shown = Reasoning { text: "Hm".into(), signature: signature("sig"), ..Reasoning::default() };
    let hidden = Reasoning { hidden: signature("aGlkZGVu"), ..Reasoning::default() };
    let unsigned = Reasoning { text: "Psst".into(), ..Reasoning::default() };
    let parts = [unsigned, hidden, shown].map(Part::Reasoning).into_iter().chain([text("x")]).collect();
    let messages = vec![message(Role::User, vec![text("a")]), message(Role::Assistant, parts)];
    Request { messages, ..Request::default() }
}

#[test]
fn thinking_goes_back_to_who_has_signed_it() {
    assert_eq!(
        body(thoughts(Maker::Anthropic), SONNET)["messages"][1]["content"],
        json!([
            {"reasoningContent": {"redactedContent": "aGlkZGVu"}},
            {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "sig"}}},
            {"text": "x"},
        ])
    );
    let hidden = json!({"reasoningContent": {"redactedContent": "aGlkZGVu"}});
    assert_eq!(body(thoughts(Maker::Bedrock), GPT_OSS)["messages"][1]["content"][0], hidden);
    assert_eq!(body(thoughts(Maker::Bedrock), PROFILE)["messages"][1]["content"][0], hidden);
    for (maker, model) in [
        (Maker::Gemini, SONNET),
        (Maker::OpenAi, SONNET),
        (Maker::Bedrock, SONNET),
        (Maker::Anthropic, GPT_OSS),
        (Maker::OpenAi, GPT_OSS),
        (Maker::Anthropic, PROFILE),
        (Maker::Anthropic, LLAMA),
        (Maker::Bedrock, LLAMA),
    ] {
        assert_eq!(body(thoughts(maker), model)["messages"][1]["content"], json!([{"text": "x"}]));
    }
}

#[test]
fn claude_is_told_to_think_in_its_own_words() {
    let ask = |effort, thinking| Request { effort, thinking, ..hello() };
    let enabled = |budget: u64| json!({"thinking": {"type": "enabled", "budget_tokens": budget}});
    let adaptive = json!({"thinking": {"type": "adaptive", "display": "summarized"}});
    // A budget has to fit into a limit.
    let limit = json!({"maxTokens": 64000});
    for (model, request, additional, effort, config) in [
        (SONNET, ask(Some(Effort::Medium), None), enabled(8192), Value::Null, limit.clone()),
        (SONNET, ask(None, Some(Thinking::Budget(2000))), enabled(2000), Value::Null, limit),
        (ADAPTIVE, ask(Some(Effort::XHigh), None), adaptive.clone(), json!("xhigh"), Value::Null),
        (ADAPTIVE, ask(Some(Effort::Low), Some(Thinking::Adaptive)), adaptive, json!("low"), Value::Null),
    ] {
        let body = body(request, model);
        assert_eq!(body["additionalModelRequestFields"], additional, "{model}");
        assert_eq!(body["outputConfig"]["effort"], effort, "{model}");
        assert_eq!(body["inferenceConfig"], config, "{model}");
    }
    let off = body(ask(Some(Effort::None), None), SONNET);
    assert_eq!(off["additionalModelRequestFields"], json!({"thinking": {"type": "disabled"}}));
}

#[test]
fn other_models_are_told_to_think_in_theirs() {
    let ask = |effort| Request { effort: Some(effort), ..hello() };
    assert_eq!(
        body(ask(Effort::XHigh), NOVA)["additionalModelRequestFields"],
        json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}})
    );
    assert_eq!(
        body(ask(Effort::None), NOVA)["additionalModelRequestFields"],
        json!({"reasoningConfig": {"type": "disabled"}})
    );
    assert_eq!(
        body(ask(Effort::Minimal), "openai.gpt-oss-120b-1:0")["additionalModelRequestFields"],
        json!({"reasoning_effort": "low"})
    );
    assert_eq!(
        body(ask(Effort::Max), "us.openai.gpt-5.2")["additionalModelRequestFields"],
        json!({"reasoning": {"effort": "xhigh"}})
    );
    let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    assert_eq!(body(ask(Effort::Max), profile)["outputConfig"], json!({"effort": "max"}));
    assert_eq!(lacks(ask(Effort::Low), LLAMA).0, ["reasoning_effort"]);
    let budget = Request { thinking: Some(Thinking::Budget(5000)), top_k: Some(5), ..hello() };
    assert_eq!(
        body(budget, NOVA)["additionalModelRequestFields"],
        json!({
            "inferenceConfig": {"topK": 5},
            "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"},
        })
    );
    let budget = Request { thinking: Some(Thinking::Budget(5000)), ..hello() };
    assert_eq!(lacks(budget, LLAMA).0.len(), 1);
}

#[test]
fn tools_are_declared() {
    let request = Request {
        tools: vec![
            Tool {
                description: Some("Does".into()),
                strict: Some(true),
                cache: Some(mark(Some("1h"))),
                ..tool()
            },
            Tool {
                name: "g".into(),
                description: Some("".into()),
                parameters: Some(raw("{ }")),
                ..Tool::default()
            },
            Tool { name: "patch".into(), custom: Some(CustomTool { format: None }), ..Tool::default() },
        ],
        ..hello()
    };
    assert_eq!(
        body(request, SONNET)["toolConfig"],
        json!({"tools": [
            {"toolSpec": {"name": "f", "description": "Does", "inputSchema": {"json": {"type": "object"}}, "strict": true}},
            {"cachePoint": {"type": "default", "ttl": "1h"}},
            {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
            {"toolSpec": {"name": "patch", "inputSchema": {"json": {
                "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
            }}}},
        ]})
    );
    let grammar = Some(CustomTool { format: Some(raw(r#"{"type":"grammar"}"#)) });
    let request = Request { tools: vec![Tool { custom: grammar, parameters: None, ..tool() }], ..hello() };
    assert_eq!(lacks(request, SONNET).2.len(), 1);
}

#[test]
fn a_custom_call_is_a_call_with_one_text() {
    let custom = Part::ToolCall(ToolCall {
        id: "c1".into(),
        name: "patch".into(),
        arguments: "*** Begin \"x\"".into(),
        custom: true,
        signature: None,
        at: Place::default(),
    });
    let messages = vec![message(Role::User, vec![text("a")]), message(Role::Assistant, vec![custom])];
    let body = body(Request { messages, ..Request::default() }, SONNET);
    assert_eq!(body["messages"][1]["content"][0]["toolUse"]["input"], json!({"input": "*** Begin \"x\""}));
}

#[test]
fn every_choice_of_tools_has_its_form() {
    let named = || Some(ToolChoice::Named("f".into()));
    for (model, choice, parallel, expected, native) in [
        (SONNET, Some(ToolChoice::Auto), None, Value::Null, Value::Null),
        (SONNET, Some(ToolChoice::Required), None, json!({"any": {}}), Value::Null),
        (SONNET, named(), None, json!({"tool": {"name": "f"}}), Value::Null),
        (LLAMA, named(), None, json!({"tool": {"name": "f"}}), Value::Null),
        (SONNET, Some(ToolChoice::None), None, Value::Null, json!({"type": "none"})),
        (SONNET, None, Some(false), Value::Null, json!({"type": "auto", "disable_parallel_tool_use": true})),
        (
            SONNET,
            Some(ToolChoice::Required),
            Some(false),
            Value::Null,
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (
            SONNET,
            named(),
            Some(false),
            Value::Null,
            json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
        ),
    ] {
        let body = body(Request { parallel_tool_calls: parallel, ..with_tools(choice) }, model);
        assert_eq!(body["toolConfig"]["tools"].as_array().map(Vec::len), Some(1));
        assert_eq!(body["toolConfig"]["toolChoice"], expected);
        assert_eq!(body["additionalModelRequestFields"]["tool_choice"], native);
    }
    // Where nothing may be called and nothing was, nothing is offered.
    assert_eq!(body(with_tools(Some(ToolChoice::None)), LLAMA)["toolConfig"], Value::Null);
    let mut called = with_tools(Some(ToolChoice::None));
    called.messages.push(message(Role::Assistant, vec![call("t1", "{}")]));
    assert_eq!(lacks(called, LLAMA).0, ["tool_choice"]);
    let mut allowed = with_tools(Some(ToolChoice::Allowed { names: vec!["g".into()], required: true }));
    allowed.tools.push(Tool { name: "g".into(), ..Tool::default() });
    let body = body(allowed, SONNET);
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "g");
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"any": {}}));
    assert_eq!(lacks(with_tools(Some(ToolChoice::Required)), "anthropic.claude-opus-5-5").0, ["tool_choice"]);
}

#[test]
fn marks_of_the_cache_become_points() {
    let marked = || Request {
        messages: vec![
            message(Role::System, vec![text("Long."), Part::CacheMark(mark(None))]),
            message(
                Role::User,
                vec![Part::CacheMark(mark(None)), text("a"), Part::CacheMark(mark(Some("1h")))],
            ),
            message(Role::Assistant, vec![call("t1", "{}")]),
            message(
                Role::Tool,
                vec![
                    result("t1", vec![text("r"), Part::CacheMark(mark(Some("5m")))], false),
                    Part::CacheMark(mark(None)),
                ],
            ),
        ],
        tools: vec![Tool { cache: Some(mark(None)), ..tool() }],
        ..Request::default()
    };
    let body = body(marked(), SONNET);
    let point = json!({"cachePoint": {"type": "default"}});
    assert_eq!(body["system"], json!([{"text": "Long."}, point]));
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}}])
    );
    assert_eq!(body["messages"][2]["content"].as_array().map(Vec::len), Some(2));
    assert_eq!(body["messages"][2]["content"][1], point);
    assert_eq!(body["toolConfig"]["tools"][1], point);
    // Nova keeps prompts for five minutes, and has no marks among its tools; others have none at all.
    for model in [NOVA, LLAMA] {
        let (parameters, contents, omissions) = lacks(marked(), model);
        assert!(parameters.is_empty() && contents.is_empty());
        assert_eq!(omissions.len(), 1, "{omissions:?}");
    }
}

#[test]
fn media_are_shown_by_users_and_tools_only() {
    let media = |kind, source| Part::Media(Media { kind, source, at: Place::part(0, 1) });
    let image = || {
        let (media_type, data) = ("image/png".into(), "AA==".into());
        media(MediaKind::Image, MediaSource::Base64 { media_type, data, file_name: None })
    };
    let file = || media(MediaKind::File, MediaSource::Text { text: "x".into(), file_name: None });
    let request = Request {
        messages: vec![
            message(Role::User, vec![text("a"), image(), file(), file()]),
            message(Role::Assistant, vec![call("t1", "{}")]),
            message(Role::Tool, vec![result("t1", vec![image()], false)]),
        ],
        ..Request::default()
    };
    let body = body(request, SONNET);
    let shown = json!({"image": {"format": "png", "source": {"bytes": "AA=="}}});
    assert_eq!(body["messages"][0]["content"][1], shown);
    assert_eq!(
        body["messages"][0]["content"][3],
        json!({"document": {"format": "txt", "name": "document-2", "source": {"bytes": "eA=="}}})
    );
    assert_eq!(body["messages"][2]["content"][0]["toolResult"]["content"], json!([shown]));
    let url = || media(MediaKind::Image, MediaSource::Url("https://example.com/a.png".into()));
    for messages in [
        vec![message(Role::User, vec![url()])],
        vec![message(Role::User, vec![text("a")]), message(Role::Assistant, vec![image()])],
        vec![message(Role::User, vec![text("a")]), message(Role::System, vec![image()])],
    ] {
        assert_eq!(lacks(Request { messages, ..Request::default() }, SONNET).1.len(), 1);
    }
    let sound = media(
        MediaKind::Audio,
        MediaSource::Base64 { media_type: "audio/wav".into(), data: "AA==".into(), file_name: None },
    );
    let messages = vec![
        message(Role::Assistant, vec![call("t1", "{}")]),
        message(Role::Tool, vec![result("t1", vec![sound], false)]),
    ];
    assert_eq!(lacks(Request { messages, ..Request::default() }, NOVA).1.len(), 1);
}

#[test]
fn an_end_users_id_that_bedrock_refuses_is_left_out_and_named() {
    let request = Request { user: Some(r#"{"device":"x"}"#.into()), ..hello() };
    assert_eq!(lacks(request, SONNET), (vec![], vec![], vec!["user".to_owned()]));
    let request = Request { user: Some("x".repeat(257).into()), ..hello() };
    assert_eq!(lacks(request, SONNET).2, ["user"]);
}

#[test]
fn tokens_are_counted_of_what_has_tokens() {
    let request = Request { max_tokens: Some(9), temperature: Some(0.1), seed: Some(1), ..with_tools(None) };
    let (encoded, lacks) = encode(&Task::CountTokens(request), SONNET);
    let encoded = encoded.expect("can be written");
    assert_eq!(encoded.path, "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens");
    assert!(lacks.parameters().is_empty());
    let body: Value = serde_json::from_slice(&encoded.body).expect("is JSON");
    assert_eq!(
        body,
        json!({"input": {"converse": {
            "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
            "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]},
        }}})
    );
}

fn embed<'a>(texts: &[&'a str], dimensions: Option<u32>) -> Task<'a> {
    let inputs = texts.iter().map(|text| embeddings::Input::Text((*text).into())).collect();
    Task::Embeddings(embeddings::Request { inputs, dimensions, ..embeddings::Request::default() })
}

#[test]
fn embeddings_have_the_form_of_their_family() {
    for (model, task, path, expected) in [
        (
            "amazon.titan-embed-text-v2:0",
            embed(&["a"], Some(256)),
            "/model/amazon.titan-embed-text-v2%3A0/invoke",
            json!({"inputText": "a", "dimensions": 256}),
        ),
        (
            "amazon.titan-embed-text-v1",
            embed(&["a"], None),
            "/model/amazon.titan-embed-text-v1/invoke",
            json!({"inputText": "a"}),
        ),
        (
            "cohere.embed-english-v3",
            embed(&["a", "b"], None),
            "/model/cohere.embed-english-v3/invoke",
            json!({"texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"]}),
        ),
        (
            "us.cohere.embed-v4:0",
            embed(&["a"], Some(512)),
            "/model/us.cohere.embed-v4%3A0/invoke",
            json!({"texts": ["a"], "input_type": "search_document", "embedding_types": ["float"], "output_dimension": 512}),
        ),
    ] {
        let (encoded, lacks) = encode(&task, model);
        let encoded = encoded.expect("can be written");
        assert!(lacks.parameters().is_empty() && lacks.contents().is_empty());
        assert_eq!(encoded.path, path);
        assert_eq!(serde_json::from_slice::<Value>(&encoded.body).expect("is JSON"), expected);
    }
    for model in ["amazon.titan-embed-text-v1", "cohere.embed-english-v3"] {
        assert_eq!(encode(&embed(&["a"], Some(256)), model).1.parameters().len(), 1);
    }
    let failure = encode(&embed(&["a", "b"], None), "amazon.titan-embed-text-v2:0").0.unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("invalid_value"));
    assert!(encode(&embed(&["a"; 97], None), "cohere.embed-english-v3").0.is_err());
    let failure = encode(&embed(&["a"], None), SONNET).0.unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("unsupported_operation"));
    let tokens = embeddings::Input::Tokens(raw("[1,2]"));
    let task =
        Task::Embeddings(embeddings::Request { inputs: vec![tokens], ..embeddings::Request::default() });
    assert_eq!(encode(&task, "amazon.titan-embed-text-v2:0").1.contents().len(), 1);
}

#[test]
fn rankings_have_the_form_of_their_family() {
    let task = || {
        Task::Rerank(rerank::Request {
            query: "q".into(),
            documents: vec![
                rerank::Document::Text("a".into()),
                rerank::Document::Fields(raw(r#"{"title":"b"}"#)),
            ],
            top_n: Some(1),
            ..rerank::Request::default()
        })
    };
    for (model, expected) in [
        (
            "cohere.rerank-v3-5:0",
            json!({"query": "q", "documents": ["a", "{\"title\":\"b\"}"], "top_n": 1, "api_version": 2}),
        ),
        ("amazon.rerank-v1:0", json!({"query": "q", "documents": ["a", "{\"title\":\"b\"}"], "top_n": 1})),
    ] {
        let encoded = encode(&task(), model).0.expect("can be written");
        assert!(encoded.path.ends_with("/invoke"));
        assert_eq!(serde_json::from_slice::<Value>(&encoded.body).expect("is JSON"), expected);
    }
    assert!(encode(&task(), NOVA).0.is_err());
}
