use serde_json::{Value, json};

use super::*;
use crate::conversation::{CustomTool, JsonSchema, Message, Other, Part, Place, Role};
use crate::dialect::{ClientDialect, ProviderDialect};
use crate::policy::Provider;

fn request<'a>() -> Request<'a> {
    let messages = vec![Message {
        role: Role::User,
        name: None,
        parts: vec![Part::Text("Hi".into())],
        at: Place::default(),
    }];
    Request { messages, ..Request::default() }
}

fn tool(name: &'static str, parameters: Option<&'static str>, strict: bool) -> Tool<'static> {
    let parameters = parameters.map(|text| crate::json::read(text.as_bytes()).expect("is JSON"));
    Tool { name: name.into(), parameters, strict: Some(strict), ..Tool::default() }
}

fn encode(request: &Request<'_>, model: &str) -> (Value, Vec<String>) {
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    let provider = Provider::for_tests(ProviderDialect::Gemini);
    let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
    let body = encode_request(request, wanted, Platform::Developer, &mut lacks).expect("encodes");
    (serde_json::from_slice(&body).expect("is JSON"), lacks.parameters().to_vec())
}

#[test]
fn what_was_not_said_is_not_sent() {
    let plain = Request {
        choices: Some(1),
        presence_penalty: Some(0.0),
        frequency_penalty: Some(0.0),
        top_logprobs: Some(0),
        tool_choice: Some(ToolChoice::None),
        service_tier: Some("auto".into()),
        user: Some("".into()),
        ..request()
    };
    let (body, lacks) = encode(&plain, "gemini-2.5-flash");
    assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}));
    assert_eq!(lacks, [""; 0]);
}

#[test]
fn everything_has_its_place() {
    let full = Request {
        choices: Some(2),
        stop: vec!["a".into(), "b".into()],
        max_tokens: Some(100),
        temperature: Some(0.5),
        top_p: Some(0.25),
        top_k: Some(40),
        seed: Some(-7),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(-0.5),
        logprobs: true,
        top_logprobs: Some(3),
        service_tier: Some("default".into()),
        format: Format::Json,
        effort: Some(Effort::Medium),
        ..request()
    };
    let (body, lacks) = encode(&full, "gemini-2.5-pro");
    assert_eq!(lacks, [""; 0]);
    assert_eq!(body["serviceTier"], "standard");
    assert_eq!(
        body["generationConfig"],
        json!({
            "candidateCount": 2, "stopSequences": ["a", "b"], "maxOutputTokens": 100, "temperature": 0.5,
            "topP": 0.25, "topK": 40, "seed": -7, "presencePenalty": 0.5, "frequencyPenalty": -0.5,
            "responseLogprobs": true, "logprobs": 3, "responseMimeType": "application/json",
            "thinkingConfig": {"includeThoughts": true, "thinkingBudget": 8192},
        })
    );
}

#[test]
fn what_gemini_lacks_is_named() {
    let demanding = Request {
        parallel_tool_calls: Some(false),
        choices: Some(2),
        temperature: Some(0.5),
        top_p: Some(1.0),
        top_k: Some(40),
        verbosity: Some("low".into()),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(0.5),
        user: Some("me".into()),
        safety_identifier: Some("s".into()),
        service_tier: Some("scale".into()),
        seed: Some(1 << 40),
        top_logprobs: Some(2),
        effort: Some(Effort::None),
        format: Format::Schema(JsonSchema {
            name: "n".into(),
            description: Some("d".into()),
            schema: None,
            strict: Some(true),
        }),
        others: vec![Other { path: "logit_bias".to_owned(), content: false }],
        ..request()
    };
    let (body, mut lacks) = encode(&demanding, "gemini-3.6-flash");
    lacks.sort();
    let expected = [
        "frequency_penalty",
        "logit_bias",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format.json_schema.description",
        "safety_identifier",
        "seed",
        "service_tier",
        "temperature",
        "top_k",
        "top_logprobs",
        "user",
        "verbosity",
    ];
    assert_eq!(lacks, expected);
    assert_eq!(body["generationConfig"], json!({"responseMimeType": "application/json"}));
}

#[test]
fn thinking_is_put_as_the_family_takes_it() {
    let thinking = |effort, model| {
        let request = Request { effort: Some(effort), ..request() };
        encode(&request, model).0["generationConfig"]["thinkingConfig"].clone()
    };
    assert_eq!(thinking(Effort::None, "gemini-2.5-flash"), json!({"thinkingBudget": 0}));
    assert_eq!(thinking(Effort::None, "gemini-2.5-pro"), json!(null));
    assert_eq!(
        thinking(Effort::Minimal, "gemini-2.5-pro"),
        json!({"includeThoughts": true, "thinkingBudget": 1024})
    );
    assert_eq!(
        thinking(Effort::Minimal, "unheard-of"),
        json!({"includeThoughts": true, "thinkingLevel": "LOW"})
    );
    assert_eq!(
        thinking(Effort::Max, "gemini-3-pro"),
        json!({"includeThoughts": true, "thinkingLevel": "HIGH"})
    );
}

#[test]
fn schemas_pass_as_they_stand() {
    let schema = crate::json::read(br#"{"type":"object", "x":1}"#).expect("is JSON");
    let format = Format::Schema(JsonSchema {
        name: "n".into(),
        description: None,
        schema: Some(schema),
        strict: Some(false),
    });
    let tools =
        vec![tool("a", Some("{ }"), false), tool("b", Some(r#"{"b":[ 1 ]}"#), false), tool("c", None, true)];
    let request = Request { format, tools, ..request() };
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    let provider = Provider::for_tests(ProviderDialect::Gemini);
    let wanted = Wanted { model: "gemini-3-pro", default_max_tokens: Some(9), provider: &provider };
    let body = encode_request(&request, wanted, Platform::Developer, &mut lacks).expect("encodes");
    let body = String::from_utf8(body).expect("is UTF-8");
    assert!(body.contains(r#""responseJsonSchema":{"type":"object", "x":1}"#), "{body}");
    assert!(
        body.contains(r#"[{"name":"a"},{"name":"b","parametersJsonSchema":{"b":[ 1 ]}},{"name":"c"}]"#),
        "{body}"
    );
    assert!(body.contains(r#""maxOutputTokens":9"#), "{body}");
    assert!(body.contains(r#""functionCallingConfig":{"mode":"VALIDATED"}"#), "{body}");
}

#[test]
fn tool_choices_become_modes() {
    let config = |choice, strict| {
        let request =
            Request { tools: vec![tool("a", None, strict)], tool_choice: Some(choice), ..request() };
        encode(&request, "gemini-3-pro").0["toolConfig"]["functionCallingConfig"].clone()
    };
    let allowed = |required| ToolChoice::Allowed { names: vec!["a".into()], required };
    assert_eq!(config(ToolChoice::Auto, false), json!(null));
    assert_eq!(config(ToolChoice::Auto, true), json!({"mode": "VALIDATED"}));
    assert_eq!(config(ToolChoice::None, true), json!({"mode": "NONE"}));
    assert_eq!(config(ToolChoice::Required, true), json!({"mode": "ANY"}));
    assert_eq!(
        config(ToolChoice::Named("a".into()), false),
        json!({"mode": "ANY", "allowedFunctionNames": ["a"]})
    );
    assert_eq!(config(allowed(true), false), json!({"mode": "ANY", "allowedFunctionNames": ["a"]}));
    assert_eq!(config(allowed(false), false), json!({"mode": "VALIDATED", "allowedFunctionNames": ["a"]}));

    let none = Some(ToolChoice::Allowed { names: Vec::new(), required: false });
    let request = Request { tool_choice: none, ..request() };
    let provider = Provider::for_tests(ProviderDialect::Gemini);
    let wanted = Wanted { model: "m", default_max_tokens: None, provider: &provider };
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    let failure = encode_request(&request, wanted, Platform::Developer, &mut lacks).unwrap_err();
    assert_eq!(failure.parameter.as_deref(), Some("tool_choice.allowed_tools.tools"));
}

#[test]
fn thinking_is_put_as_it_was_asked_for() {
    use crate::conversation::Thinking as Asked;
    let config = |thinking, effort, show_thinking, model| {
        let request = Request { thinking, effort, show_thinking, ..request() };
        let (body, lacks) = encode(&request, model);
        (body["generationConfig"]["thinkingConfig"].clone(), lacks.len())
    };
    let (old, pro, new) = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro");
    let budget = |budget| json!({"includeThoughts": true, "thinkingBudget": budget});
    let level = |level| json!({"includeThoughts": true, "thinkingLevel": level});
    assert_eq!(config(Some(Asked::Budget(500)), Some(Effort::High), None, old), (budget(500), 0));
    assert_eq!(config(Some(Asked::Budget(31_999)), None, None, old), (budget(24_576), 0));
    assert_eq!(config(Some(Asked::Budget(31_999)), None, None, pro), (budget(31_999), 0));
    assert_eq!(config(Some(Asked::Adaptive), None, None, pro), (budget(-1), 0));
    assert_eq!(config(Some(Asked::Adaptive), Some(Effort::Low), None, pro), (budget(1024), 0));
    assert_eq!(config(Some(Asked::Off), None, None, old), (json!({"thinkingBudget": 0}), 0));
    assert_eq!(config(Some(Asked::Off), None, None, pro), (json!(null), 1));
    assert_eq!(config(Some(Asked::Off), None, None, new), (json!(null), 1));
    assert_eq!(config(Some(Asked::Budget(1024)), None, None, new), (level("LOW"), 0));
    assert_eq!(config(Some(Asked::Budget(10_000)), None, None, new), (level("MEDIUM"), 0));
    assert_eq!(config(Some(Asked::Budget(10_000)), Some(Effort::High), None, new), (level("HIGH"), 0));
    assert_eq!(config(Some(Asked::Adaptive), None, None, new), (json!({"includeThoughts": true}), 0));
    assert_eq!(config(Some(Asked::Adaptive), None, Some(false), new), (json!(null), 0));
    assert_eq!(config(None, Some(Effort::Low), Some(false), new), (json!({"thinkingLevel": "LOW"}), 0));
    assert_eq!(config(None, None, Some(true), new), (json!({"includeThoughts": true}), 0));
    assert_eq!(config(None, None, Some(false), new), (json!(null), 0));
}

#[test]
fn a_custom_tool_is_a_function_with_one_text() {
    let format = crate::json::read(br#"{"type":"grammar"}"#).expect("is JSON");
    let custom =
        Tool { name: "patch".into(), custom: Some(CustomTool { format: Some(format) }), ..Tool::default() };
    let request = Request { tools: vec![custom], ..request() };
    let (body, lacks) = encode(&request, "gemini-3-pro");
    assert_eq!(
        body["tools"],
        json!([{"functionDeclarations": [{"name": "patch", "parametersJsonSchema":
            {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}}]}])
    );
    // It is named, and refuses nothing.
    assert_eq!(lacks, [""; 0]);
}

#[test]
fn a_count_has_the_whole_request() {
    let request = Request { tools: vec![tool("a", None, false)], top_k: Some(3), ..request() };
    let provider = Provider::for_tests(ProviderDialect::Gemini);
    let wanted = Wanted { model: "gemini-2.5-pro", default_max_tokens: None, provider: &provider };
    let count = |platform| {
        let mut lacks = Lacks::new(ClientDialect::AnthropicTokens);
        let body = encode_count(&request, wanted, platform, &mut lacks).expect("encodes");
        serde_json::from_slice::<Value>(&body).expect("is JSON")
    };
    let contents = json!([{"role": "user", "parts": [{"text": "Hi"}]}]);
    let tools = json!([{"functionDeclarations": [{"name": "a"}]}]);
    assert_eq!(
        count(Platform::Developer),
        json!({"generateContentRequest": {"model": "models/gemini-2.5-pro", "contents": contents, "tools": tools,
            "generationConfig": {"topK": 3}}})
    );
    assert_eq!(count(Platform::Vertex), json!({"contents": contents, "tools": tools}));
}
