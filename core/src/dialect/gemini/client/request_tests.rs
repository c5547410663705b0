use serde_json::{Value, json};

use super::*;
use crate::conversation::{Maker, MediaKind, MediaSource, Part};
use crate::dialect::ClientDialect;

fn path(method: &str) -> Call {
    Call::of("POST", &format!("/v1/models/gemini-x:{method}")).expect("is served")
}

fn decode<T>(body: &Value, look: impl Fn(&Request<'_>) -> T) -> T {
    let call = path("generateContent");
    let body = body.to_string();
    look(&decode_request(&call, body.as_bytes()).expect("decodes"))
}

fn refused(body: &Value) -> (String, String) {
    let call = path("generateContent");
    let body = body.to_string();
    let failure = decode_request(&call, body.as_bytes()).expect_err("is refused");
    assert_eq!(failure.status, 400);
    (failure.parameter.unwrap_or_default(), failure.code.unwrap_or_default().into_owned())
}

fn with(field: &str, value: Value) -> Value {
    let mut body = json!({"contents": [{"parts": [{"text": "q"}]}]});
    body[field] = value;
    body
}

fn others(body: &Value) -> Vec<(String, bool)> {
    decode(body, |request| request.others.iter().map(|other| (other.path.clone(), other.content)).collect())
}

/// The roles of the messages, and how many parts each has.
fn shape(request: &Request<'_>) -> Vec<(Role, usize)> {
    request.messages.iter().map(|message| (message.role, message.parts.len())).collect()
}

#[test]
fn camel_case_and_snake_case_are_the_same() {
    let camel = json!({
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "QQ=="}}]}],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "generationConfig": {"maxOutputTokens": "100", "topK": 40.0, "candidateCount": 2, "stopSequences": ["x"],
            "presencePenalty": 0.5, "frequencyPenalty": -0.5, "responseLogprobs": true, "logprobs": 3, "seed": -7,
            "topP": 0.25, "temperature": 1, "thinkingConfig": {"includeThoughts": true, "thinkingBudget": 100}},
        "toolConfig": {"functionCallingConfig": {"mode": "any", "allowedFunctionNames": ["f"]}},
        "serviceTier": "priority",
    });
    let snake = json!({
        "contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "QQ=="}}]}],
        "system_instruction": {"parts": [{"text": "s"}]},
        "generation_config": {"max_output_tokens": 100, "top_k": 40, "candidate_count": 2, "stop_sequences": ["x"],
            "presence_penalty": 0.5, "frequency_penalty": -0.5, "response_logprobs": true, "logprobs": 3, "seed": -7,
            "top_p": 0.25, "temperature": 1, "thinking_config": {"include_thoughts": true, "thinking_budget": 100}},
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
        "service_tier": "PRIORITY",
    });
    let camel = decode(&camel, |request| {
        assert_eq!((request.max_tokens, request.top_k, request.choices), (Some(100), Some(40), Some(2)));
        assert_eq!((request.seed, request.top_logprobs, request.logprobs), (Some(-7), Some(3), true));
        assert_eq!((request.thinking, request.show_thinking), (Some(Thinking::Budget(100)), Some(true)));
        assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
        assert_eq!(request.service_tier.as_deref(), Some("priority"));
        assert_eq!(shape(request), [(Role::System, 1), (Role::User, 1)]);
        assert!(request.others.is_empty());
        format!("{request:?}")
    });
    assert_eq!(decode(&snake, |request| format!("{request:?}")), camel);
    let twice = json!({"contents": [{"parts": []}], "toolConfig": {}, "tool_config": {}});
    assert_eq!(refused(&twice).1, "duplicate_key");
}

#[test]
fn parts_of_every_kind_are_read() {
    let body = json!({"contents": [{"role": "user", "parts": [
        {"text": "a"},
        {"inlineData": {"mimeType": "image/png", "data": "__77"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "QQ", "displayName": "a.wav"}},
        {"inlineData": {"mimeType": "video/mp4", "data": "QUI="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "not base64!"}},
        {"fileData": {"fileUri": "https://x.test/a.png"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://b/a"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
    ]}]});
    let media = decode(&body, |request| {
        let parts = request.messages[0].parts.iter();
        let media = parts.filter_map(|part| match part {
            Part::Media(media) => Some(match &media.source {
                MediaSource::Base64 { data, .. } => (media.kind, data.to_string()),
                MediaSource::Url(url) => (media.kind, url.to_string()),
                MediaSource::File(id) => (media.kind, format!("file {id}")),
                MediaSource::Text { .. } => panic!("no text"),
            }),
            _ => None,
        });
        media.collect::<Vec<_>>()
    });
    let expected = [
        (MediaKind::Image, "//77"),
        (MediaKind::Audio, "QQ=="),
        (MediaKind::Video, "QUI="),
        (MediaKind::File, "not base64!"),
        (MediaKind::Image, "https://x.test/a.png"),
        (MediaKind::File, "gs://b/a"),
        (MediaKind::File, "file https://generativelanguage.googleapis.com/v1beta/files/x"),
        (MediaKind::Video, "https://www.youtube.com/watch?v=1"),
    ];
    assert_eq!(media, expected.map(|(kind, text)| (kind, text.to_owned())));
}

#[test]
fn calls_and_results_find_each_other_without_ids() {
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {"x": 1}}});
    let result =
        |name: &str, response: Value| json!({"functionResponse": {"name": name, "response": response}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [call("f"), call("g"), call("f"), {"functionCall": {"id": "own", "name": "h"}}]},
        {"role": "function", "parts": [
            result("g", json!({"output": "two"})), result("f", json!({"result": [1, 2]})), result("f", json!({"error": "bad"})),
            {"functionResponse": {"id": "own", "name": "h"}}, {"text": "and?"}]},
        {"parts": [{"functionResponse": {"id": "lost", "name": "z", "response": {"output": {"a": 1}}}}]},
    ]});
    decode(&body, |request| {
        let shapes =
            [(Role::User, 1), (Role::Assistant, 4), (Role::Tool, 4), (Role::User, 1), (Role::Tool, 1)];
        assert_eq!(shape(request), shapes);
        let calls = request.messages[1].parts.iter().map(|part| match part {
            Part::ToolCall(call) => (call.id.to_string(), call.arguments.to_string()),
            part => panic!("no call: {part:?}"),
        });
        let arguments = r#"{"x":1}"#.to_owned();
        let id = |id: &str| id.to_owned();
        assert_eq!(
            calls.collect::<Vec<_>>(),
            [
                (id("call_1_0"), arguments.clone()),
                (id("call_1_1"), arguments.clone()),
                (id("call_1_2"), arguments),
                (id("own"), "{}".to_owned()),
            ]
        );
        let results =
            [&request.messages[2], &request.messages[4]].into_iter().flat_map(|message| &message.parts);
        let results = results.map(|part| match part {
            Part::ToolResult(result) => {
                let text = result.parts.first().map(|part| match part {
                    Part::Text(text) => text.to_string(),
                    part => panic!("no text: {part:?}"),
                });
                (result.call.to_string(), text.unwrap_or_default(), result.failed)
            }
            part => panic!("no result: {part:?}"),
        });
        assert_eq!(
            results.collect::<Vec<_>>(),
            [
                (id("call_1_1"), id("two"), false),
                (id("call_1_0"), id(r#"{"result":[1,2]}"#), false),
                (id("call_1_2"), id("bad"), true),
                (id("own"), id(""), false),
                (id("lost"), id(r#"{"a":1}"#), false),
            ]
        );
    });
}

#[test]
fn signatures_and_thoughts_are_kept() {
    let foreign = crate::conversation::Signature { maker: Maker::Anthropic, value: "sig".into() };
    let foreign = signature_text(&foreign);
    let body = json!({"contents": [{"role": "model", "parts": [
        {"text": "h", "thought": true}, {"text": "m", "thought": true},
        {"text": "", "thought": true, "thoughtSignature": foreign},
        {"text": "a", "thoughtSignature": "QUJD"},
        {"functionCall": {"name": "f"}, "thought_signature": "REVG"},
        {"functionCall": {"name": "g"}, "thoughtSignature": "skip_thought_signature_validator"},
    ]}]});
    decode(&body, |request| {
        let parts = &request.messages[0].parts;
        let reasoning = |part: &Part<'_>| match part {
            Part::Reasoning(reasoning) => {
                let signature = reasoning.signature.as_ref().expect("is signed");
                (reasoning.text.to_string(), signature.maker, signature.value.to_string())
            }
            part => panic!("no thinking: {part:?}"),
        };
        assert_eq!(parts.len(), 5);
        assert_eq!(reasoning(&parts[0]), ("hm".to_owned(), Maker::Anthropic, "sig".to_owned()));
        assert!(matches!(&parts[1], Part::Text(text) if &**text == "a"));
        assert_eq!(reasoning(&parts[2]), (String::new(), Maker::Gemini, "QUJD".to_owned()));
        let signature = |part: &Part<'_>| match part {
            Part::ToolCall(call) => {
                call.signature.as_ref().and_then(|signature| signature.of(Maker::Gemini).map(str::to_owned))
            }
            part => panic!("no call: {part:?}"),
        };
        assert_eq!((signature(&parts[3]).as_deref(), signature(&parts[4])), (Some("REVG"), None));
    });
}

fn signature_text(signature: &crate::conversation::Signature<'_>) -> String {
    super::super::signature::write(Some(signature), None, None).expect("is written").into_owned()
}

#[test]
fn tools_are_declared_in_either_kind_of_schema() {
    let body = with(
        "tools",
        json!([{"functionDeclarations": [
            {"name": "f", "description": "d", "parameters": {"type": "OBJECT"}, "response": {"type": "STRING"}},
            {"name": "g", "parameters_json_schema": {"type": "object", "x": 1}, "behavior": "BLOCKING"},
            {"name": "h"}]}, {"googleSearch": {}}]),
    );
    decode(&body, |request| {
        let tools: Vec<_> = request
            .tools
            .iter()
            .map(|tool| (tool.name.to_string(), tool.parameters.map(|schema| schema.text().into_owned())))
            .collect();
        assert_eq!(
            tools,
            [
                ("f".to_owned(), Some(r#"{"type":"object"}"#.to_owned())),
                ("g".to_owned(), Some(r#"{"type":"object","x":1}"#.to_owned())),
                ("h".to_owned(), None),
            ]
        );
        assert_eq!(
            serde_json::to_string(&request.tools[0].parameters).ok().as_deref(),
            Some(r#"{"type":"object"}"#)
        );
        assert_eq!(
            ClientDialect::Gemini.name(Field::Tool(request.tools[1].at)),
            "tools[0].functionDeclarations[1]"
        );
    });
    let response = "tools[0].functionDeclarations[0].response".to_owned();
    assert!(ClientDialect::Gemini.is_advice(&response));
    assert!(!ClientDialect::Gemini.is_advice("tools[1].googleSearch"));
    assert_eq!(others(&body), [(response, false), ("tools[1].googleSearch".to_owned(), true)]);
}

#[test]
fn modes_become_choices() {
    let choice = |mode: &str, names: Value| {
        let config = json!({"functionCallingConfig": {"mode": mode, "allowedFunctionNames": names}});
        decode(&with("toolConfig", config), |request| format!("{:?}", request.tool_choice))
    };
    let expected = |choice: Option<ToolChoice<'_>>| format!("{choice:?}");
    let names = || vec![Text::from("a"), Text::from("b")];
    assert_eq!(choice("AUTO", json!(null)), expected(Some(ToolChoice::Auto)));
    assert_eq!(choice("NONE", json!([])), expected(Some(ToolChoice::None)));
    assert_eq!(choice("ANY", json!([])), expected(Some(ToolChoice::Required)));
    assert_eq!(
        choice("ANY", json!(["a", "b"])),
        expected(Some(ToolChoice::Allowed { names: names(), required: true }))
    );
    assert_eq!(
        choice("VALIDATED", json!(["a", "b"])),
        expected(Some(ToolChoice::Allowed { names: names(), required: false }))
    );
    assert_eq!(choice("VALIDATED", json!([])), expected(Some(ToolChoice::Auto)));
    assert_eq!(choice("MODE_UNSPECIFIED", json!([])), expected(None));
    let odd = with("toolConfig", json!({"functionCallingConfig": {"mode": "SOME"}}));
    assert_eq!(
        refused(&odd),
        ("toolConfig.functionCallingConfig.mode".to_owned(), "invalid_value".to_owned())
    );
}

#[test]
fn the_form_of_the_answer_is_a_type_and_a_schema() {
    let format = |config: Value| {
        decode(&with("generationConfig", config), |request| match &request.format {
            Format::Text => "text".to_owned(),
            Format::Json => "json".to_owned(),
            Format::Schema(schema) => schema.schema.expect("is there").text().into_owned(),
        })
    };
    let json = "application/json";
    assert_eq!(format(json!({})), "text");
    assert_eq!(format(json!({"responseMimeType": json})), "json");
    assert_eq!(
        format(json!({"responseMimeType": json, "responseSchema": {"type": "STRING", "nullable": true}})),
        r#"{"type":["string","null"]}"#
    );
    assert_eq!(format(json!({"response_mime_type": json, "response_json_schema": {"a": 1}})), r#"{"a":1}"#);
    let words = with("generationConfig", json!({"responseMimeType": "text/x.enum", "responseSchema": {}}));
    assert_eq!(others(&words), [("generationConfig.responseMimeType".to_owned(), false)]);
    let both = with("generationConfig", json!({"responseSchema": {}, "responseJsonSchema": {}}));
    assert_eq!(refused(&both).0, "generationConfig.responseSchema");
}

#[test]
fn thinking_is_a_budget_or_a_level() {
    let thinking = |config: Value| {
        decode(&with("generationConfig", json!({"thinkingConfig": config})), |request| {
            (request.thinking, request.effort, request.show_thinking)
        })
    };
    assert_eq!(thinking(json!({"thinkingBudget": -1})), (Some(Thinking::Adaptive), None, None));
    assert_eq!(thinking(json!({"thinkingBudget": 0})), (Some(Thinking::Off), None, None));
    assert_eq!(
        thinking(json!({"thinkingBudget": 5, "includeThoughts": false})),
        (Some(Thinking::Budget(5)), None, Some(false))
    );
    for (word, effort) in [
        ("minimal", Effort::Minimal),
        ("LOW", Effort::Low),
        ("MEDIUM", Effort::Medium),
        ("high", Effort::High),
        ("XHIGH", Effort::XHigh),
    ] {
        assert_eq!(thinking(json!({"thinkingLevel": word})), (None, Some(effort), None));
    }
    let odd = with("generationConfig", json!({"thinkingConfig": {"thinkingBudget": -2}}));
    assert_eq!(refused(&odd).0, "generationConfig.thinkingConfig.thinkingBudget");
    let odd = with("generationConfig", json!({"thinkingConfig": {"thinkingLevel": "HUGE"}}));
    assert_eq!(others(&odd), [("generationConfig.thinkingConfig.thinkingLevel".to_owned(), false)]);
}

#[test]
fn what_the_conversation_has_no_word_for_is_named() {
    let body = json!({
        "contents": [
            {"parts": [{"text": "q", "videoMetadata": {"fps": 1}}, {"executableCode": {"code": "x"}}], "x": 1},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "willContinue": true}}]}],
        "safetySettings": [{"category": "X"}], "cachedContent": "cachedContents/1", "labels": {}, "store": false,
        "systemInstruction": {"role": "user", "parts": []},
        "generationConfig": {"speechConfig": {"a": 1}, "responseModalities": ["TEXT"], "mediaResolution": "LOW"},
        "toolConfig": {"retrievalConfig": {"a": 1}},
        "serviceTier": "new",
    });
    let mut found = others(&body);
    found.sort();
    let expected = [
        ("cachedContent", true),
        ("contents[0].parts[0].videoMetadata", false),
        ("contents[0].parts[1].executableCode", true),
        ("contents[0].x", true),
        ("contents[1].parts[0].functionCall.willContinue", true),
        ("generationConfig.mediaResolution", false),
        ("generationConfig.speechConfig", false),
        ("safetySettings", false),
        ("serviceTier", false),
        ("toolConfig.retrievalConfig", false),
    ];
    assert_eq!(found, expected.map(|(path, content)| (path.to_owned(), content)));
    let image = with("generationConfig", json!({"responseModalities": ["TEXT", "IMAGE"]}));
    assert_eq!(others(&image), [("generationConfig.responseModalities".to_owned(), false)]);
}

#[test]
fn faults_are_named_by_the_clients_own_paths() {
    let path = |body: Value| refused(&body);
    let fault = |path: &str, code: &str| (path.to_owned(), code.to_owned());
    assert_eq!(path(json!({})), fault("contents", "missing_required_parameter"));
    assert_eq!(path(json!({"contents": []})), fault("contents", "invalid_value"));
    assert_eq!(path(json!({"contents": [{"role": "system"}]})), fault("contents[0].role", "invalid_value"));
    assert_eq!(
        path(json!({"contents": [{"parts": [{"text": 1}]}]})),
        fault("contents[0].parts[0].text", "invalid_type")
    );
    assert_eq!(
        path(json!({"contents": [{"parts": [{"functionCall": {}}]}]})),
        fault("contents[0].parts[0].functionCall.name", "missing_required_parameter")
    );
    assert_eq!(
        path(json!({"contents": [{"parts": [{"inlineData": {"data": "QQ=="}}]}]})),
        fault("contents[0].parts[0].inlineData.mimeType", "missing_required_parameter")
    );
    for (field, value) in [
        ("maxOutputTokens", json!(0)),
        ("maxOutputTokens", json!(1.5)),
        ("topK", json!(-1)),
        ("candidateCount", json!(1e20)),
    ] {
        let config = with("generationConfig", json!({field: value}));
        assert_eq!(path(config), fault(&format!("generationConfig.{field}"), "invalid_value"));
    }
    let config = with("generationConfig", json!({"topP": "x"}));
    assert_eq!(path(config), fault("generationConfig.topP", "invalid_value"));
}

#[test]
fn a_count_is_of_contents_or_of_a_request() {
    let call = path("countTokens");
    let plain = br#"{"contents":[{"parts":[{"text":"q"}]}],"systemInstruction":{"parts":[{"text":"s"}]}}"#;
    let wrapped = br#"{"generateContentRequest":{"model":"models/x","contents":[{"parts":[{"text":"q"}]}],"systemInstruction":{"parts":[{"text":"s"}]}}}"#;
    for body in [&plain[..], wrapped] {
        let request = decode_count(&call, body).expect("decodes");
        assert_eq!((shape(&request), request.others.len()), (vec![(Role::System, 1), (Role::User, 1)], 0));
        assert_eq!(&*request.model, "gemini-x");
    }
    let generate = path("generateContent");
    let request =
        decode_request(&generate, br#"{"contents":[{}],"generateContentRequest":{}}"#).expect("decodes");
    assert_eq!(request.others.len(), 1);
}

#[test]
fn the_path_says_what_the_body_does_not() {
    let call =
        Call::of("POST", "/v1beta/models/m:streamGenerateContent?alt=sse&key=secret").expect("is served");
    let request = decode_request(&call, br#"{"contents":[{}]}"#).expect("decodes");
    assert_eq!((&*request.model, request.stream, call.query.as_deref()), ("m", true, None));
}

/// Read and written again for a provider of the same dialect, a request says the same.
#[test]
fn a_request_survives_the_way_through_the_conversation() {
    use crate::dialect::{Lacks, ProviderDialect, Wanted, gemini};
    let body = json!({
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "q"}, {"inlineData": {"mimeType": "image/png", "data": "QQ=="}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.test/a.pdf"}}]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true, "thoughtSignature": "QUJD"}, {"text": "a", "thoughtSignature": "REVG"},
                {"functionCall": {"id": "1", "name": "f", "args": {"x": 1}}, "thoughtSignature": "R0hJ"},
                {"functionCall": {"id": "2", "name": "g", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "1", "name": "f", "response": {"output": "one"},
                    "parts": [{"inlineData": {"mimeType": "image/png", "data": "QQ=="}}]}},
                {"functionResponse": {"id": "2", "name": "g", "response": {"error": "two"}}}]},
            {"role": "user", "parts": [{"text": "r"}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}}, {"name": "g"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}},
        "generationConfig": {"stopSequences": ["x"], "maxOutputTokens": 9, "temperature": 0.5, "topP": 0.25, "topK": 40,
            "seed": 3, "presencePenalty": 0.5, "frequencyPenalty": -0.5, "responseLogprobs": true, "logprobs": 2,
            "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "HIGH"}},
        "serviceTier": "flex",
    });
    let provider = crate::policy::Provider::for_tests(ProviderDialect::Gemini);
    let wanted = Wanted { model: "gemini-3-pro", default_max_tokens: None, provider: &provider };
    let lacks = Lacks::new(ClientDialect::Gemini);
    let written = decode(&body, |request| {
        gemini::encode_request(request, wanted, gemini::Platform::Developer, &mut lacks.clone())
            .expect("encodes")
    });
    assert_eq!(serde_json::from_slice::<Value>(&written).expect("is JSON"), body);
}

mod mutations {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = r#"{"contents":[{"role":"model","parts":[{"text":"a","thought":true,"thoughtSignature":"eyJzbHVpY2Ui"},{"functionCall":{"name":"f","args":{"x":1}}},{"functionResponse":{"name":"f","response":{"output":1},"parts":[{"inlineData":{"mimeType":"a/b","data":"_-"}}]}},{"fileData":{"fileUri":"gs://x"}}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}}]}],"generationConfig":{"maxOutputTokens":"12","thinkingConfig":{"thinkingBudget":-1}}}"#;

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for method in ["generateContent", "countTokens"] {
                let call = path(method);
                drop(ClientDialect::decode(&call, &bytes));
            }
        }

        #[test]
        fn mutated_bodies_do_no_harm(place in 0..BODY.len(), cut in 0_usize..8, more in "[\\x20-\\x7e]{0,6}") {
            let end = (place + cut).min(BODY.len());
            let body = format!("{}{more}{}", &BODY[..place], &BODY[end..]);
            let call = path("generateContent");
            if let Ok(request) = decode_request(&call, body.as_bytes()) {
                for tool in &request.tools {
                    if let Some(schema) = tool.parameters {
                        prop_assert!(serde_json::from_str::<Value>(&schema.text()).is_ok());
                    }
                }
            }
        }

        #[test]
        fn paths_do_no_harm(path in "(/v1beta)?/(models|projects/p/locations/l/publishers/g/models|tunedModels)/[a%:/0-9]{0,12}:(generateContent|x)") {
            drop(Call::of("POST", &path));
        }
    }
}
