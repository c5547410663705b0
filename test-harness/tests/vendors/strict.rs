//! What each vendor refuses, with its own status and words.

use crate::client::{Client, PNG, VENDORS, chat, hello, sent, start, target};
use serde_json::{Value, json};

type Change = fn(&mut Value);

/// Sends each changed hello and expects its status and words.
async fn refuses(vendor: &str, cases: &[(u16, &str, Change)]) {
    let vendors = start();
    for (status, words, change) in cases {
        let mut body = hello(vendor, "hi");
        change(&mut body);
        let reply = chat(&vendors, vendor, &body).await.unwrap();
        assert_eq!(
            (reply.status, reply.text.replace("\\\"", "\"").contains(words)),
            (*status, true),
            "{words}: {}",
            reply.text
        );
        let fault = vendors.records().pop().unwrap().fault;
        assert_eq!(fault.map(|fault| fault.status), (*status >= 400).then_some(*status), "{words}");
    }
}

fn tool_messages(results: Value) -> Value {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let mut messages = vec![
        json!({"role": "user", "content": "go"}),
        json!({"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]}),
    ];
    messages.extend(
        results
            .as_array()
            .unwrap()
            .iter()
            .map(|id| json!({"role": "tool", "tool_call_id": id, "content": "r"})),
    );
    json!(messages)
}

#[tokio::test]
async fn openai() {
    refuses(
        "openai",
        &[
            (200, "chat.completion", |_| {}),
            (400, "Unknown parameter: 'top_k'", |b| b["top_k"] = json!(1)),
            (400, "Unknown parameter: 'messages[0].cache'", |b| b["messages"][0]["cache"] = json!(1)),
            (400, "Missing required parameter: 'messages'", |b| drop(b.as_object_mut().unwrap().remove("messages"))),
            (400, "Missing required parameter: 'messages[0].content'", |b| b["messages"][0] = json!({"role": "user"})),
            (400, "Invalid value: 'model'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'", |b| b["messages"][0]["role"] = json!("model")),
            (400, "Invalid type for 'temperature': expected a decimal, but got a string", |b| b["temperature"] = json!("hot")),
            (400, "Expected a value <= 2, but got 3", |b| b["temperature"] = json!(3)),
            (400, "integer_below_min_value", |b| b["n"] = json!(0)),
            (400, "integer_above_max_value", |b| b["n"] = json!(129)),
            (400, "expected an integer, but got a decimal", |b| b["max_tokens"] = json!(1.5)),
            (400, "array_above_max_length", |b| b["stop"] = json!(["1", "2", "3", "4", "5"])),
            (400, "only allowed when 'stream' is enabled", |b| b["stream_options"] = json!({"include_usage": true})),
            (400, "'top_logprobs' parameter is only allowed", |b| b["top_logprobs"] = json!(2)),
            (400, "at the same time", |b| { b["max_tokens"] = json!(1); b["max_completion_tokens"] = json!(1) }),
            (400, "Use 'max_completion_tokens' instead", |b| { b["model"] = json!("o3"); b["max_tokens"] = json!(1) }),
            (400, "'temperature' does not support 0.5 with this model", |b| { b["model"] = json!("gpt-5"); b["temperature"] = json!(0.5) }),
            (200, "chat.completion", |b| { b["model"] = json!("gpt-5.1"); b["temperature"] = json!(0.5); b["reasoning_effort"] = json!("none") }),
            (400, "does not support 'none'", |b| { b["model"] = json!("gpt-6.2-sol"); b["reasoning_effort"] = json!("none") }),
            (400, "Unrecognized request argument supplied: reasoning_effort", |b| b["reasoning_effort"] = json!("low")),
            (404, "model_not_found", |b| b["model"] = json!("claude-opus-5")),
            (400, "'tool_choice' is only allowed when 'tools' are specified", |b| b["tool_choice"] = json!("auto")),
            (400, "'^[a-zA-Z0-9_-]+$'", |b| b["tools"] = json!([{"type": "function", "function": {"name": "a b"}}])),
            (400, "got 'type: \"array\"'", |b| b["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}])),
            (400, "invalid_function_parameters", |b| b["tools"] = json!([{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"type": "object", "properties": {}}}}])),
            (400, "Tool choice 'g' not found", |b| { b["tools"] = json!([{"type": "function", "function": {"name": "f"}}]); b["tool_choice"] = json!({"type": "function", "function": {"name": "g"}}) }),
            (400, "must contain the word 'json'", |b| b["response_format"] = json!({"type": "json_object"})),
            (400, "response_format.json_schema.name", |b| b["response_format"] = json!({"type": "json_schema", "json_schema": {"schema": {}}})),
            (400, "Missing 'x'", |b| b["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": {"type": "object", "additionalProperties": false, "properties": {"x": {"type": "string"}}}}})),
            (400, "In context=('properties', 'x'), 'additionalProperties'", |b| b["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": {"type": "object", "additionalProperties": false, "required": ["x"], "properties": {"x": {"type": "object"}}}}})),
            (400, "must be a response to a preceeding message with 'tool_calls'", |b| b["messages"] = json!([{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "a", "content": "r"}])),
            (400, "did not have response messages: b", |b| b["messages"] = tool_messages(json!(["a"]))),
            (400, "'tool_call_id' of 'c' not found", |b| b["messages"] = tool_messages(json!(["a", "c"]))),
            (200, "The tools returned", |b| b["messages"] = tool_messages(json!(["b", "a"]))),
            (400, "empty array", |b| b["messages"] = json!([])),
            (400, "expected a string, got null", |b| b["messages"] = json!([{"role": "assistant", "content": null}])),
            (400, "invalid_image_url", |b| b["messages"][0]["content"] = json!([{"type": "image_url", "image_url": {"url": "pixel.png"}}])),
            (400, "unsupported image", |b| b["messages"][0]["content"] = json!([{"type": "image_url", "image_url": {"url": format!("data:image/jpeg;base64,{PNG}")}}])),
        ],
    )
    .await;
}

fn tool_turns(second: Value, results: Value) -> Value {
    json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}, second]},
        {"role": "user", "content": results}
    ])
}

#[tokio::test]
async fn anthropic() {
    refuses(
        "anthropic",
        &[
            (200, "end_turn", |_| {}),
            (400, "frequency_penalty: Extra inputs are not permitted", |b| b["frequency_penalty"] = json!(1)),
            (400, "messages.0.content.0.text.extra: Extra inputs", |b| b["messages"][0]["content"] = json!([{"type": "text", "text": "x", "extra": 1}])),
            (400, "max_tokens: Field required", |b| drop(b.as_object_mut().unwrap().remove("max_tokens"))),
            (400, "max_tokens: Input should be a valid integer", |b| b["max_tokens"] = json!("many")),
            (400, "messages.0.role: Input should be 'user', 'assistant' or 'system'", |b| b["messages"][0]["role"] = json!("tool")),
            (400, "messages.0.content.0: Input tag 'image_url' found using 'type'", |b| b["messages"][0]["content"] = json!([{"type": "image_url"}])),
            (400, "temperature: Extra inputs are not permitted", |b| b["temperature"] = json!(1.0)),
            (400, "first message must use the \"user\" role", |b| b["messages"] = json!([{"role": "assistant", "content": "x"}])),
            (400, "Unexpected role \"system\"", |b| b["messages"][0]["role"] = json!("system")),
            (400, "role 'system' is not supported on this model", |b| b["messages"] = json!([{"role": "user", "content": "x"}, {"role": "system", "content": "y"}])),
            (200, "You said", |b| { b["model"] = json!("claude-opus-5"); b["messages"] = json!([{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]) }),
            (400, "text content blocks must be non-empty", |b| b["messages"][0]["content"] = json!([{"type": "text", "text": ""}])),
            (400, "non-whitespace", |b| b["messages"][0]["content"] = json!([{"type": "text", "text": " \n"}])),
            (400, "must have non-empty content", |b| b["messages"][0]["content"] = json!("")),
            (400, "prefill", |b| { b["model"] = json!("claude-opus-5"); b["messages"] = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]) }),
            (200, "You said", |b| b["messages"] = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}])),
            (400, "trailing whitespace", |b| b["messages"] = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y "}])),
            (400, "greater than or equal to 1024", |b| b["thinking"] = json!({"type": "enabled", "budget_tokens": 5})),
            (400, "`max_tokens` must be greater than", |b| b["thinking"] = json!({"type": "enabled", "budget_tokens": 2000})),
            (400, "adaptive thinking is not supported", |b| b["thinking"] = json!({"type": "adaptive"})),
            (400, "\"thinking.type.enabled\" is not supported", |b| { b["model"] = json!("claude-opus-4-8"); b["thinking"] = json!({"type": "enabled", "budget_tokens": 1024}) }),
            (400, "forces tool use", |b| { b["thinking"] = json!({"type": "enabled", "budget_tokens": 1024}); b["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}]); b["tool_choice"] = json!({"type": "any"}) }),
            (400, "Invalid `signature`", |b| b["messages"] = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "c2ln"}, {"type": "text", "text": "y"}]}, {"role": "user", "content": "z"}])),
            (400, "tools.0.custom.input_schema: Field required", |b| b["tools"] = json!([{"name": "f"}])),
            (400, "tools.0.custom.input_schema.type: Field required", |b| b["tools"] = json!([{"name": "f", "input_schema": {}}])),
            (400, "tools.0.custom.name: String should match pattern", |b| b["tools"] = json!([{"name": "a.b", "input_schema": {"type": "object"}}])),
            (400, "Tool names must be unique", |b| b["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}, {"name": "f", "input_schema": {"type": "object"}}])),
            (400, "only be specified while providing tools", |b| b["tool_choice"] = json!({"type": "auto"})),
            (400, "immediately after: b", |b| b["messages"] = tool_turns(json!({"type": "tool_use", "id": "b", "name": "f", "input": {}}), json!([{"type": "tool_result", "tool_use_id": "a"}]))),
            (400, "unexpected `tool_use_id` found in `tool_result` blocks: z", |b| b["messages"] = tool_turns(json!({"type": "text", "text": "t"}), json!([{"type": "tool_result", "tool_use_id": "z"}]))),
            (400, "immediately after: a", |b| b["messages"] = tool_turns(json!({"type": "text", "text": "t"}), json!("no result"))),
            (400, "must come before all other content", |b| b["messages"] = tool_turns(json!({"type": "text", "text": "t"}), json!([{"type": "text", "text": "x"}, {"type": "tool_result", "tool_use_id": "a"}]))),
            (200, "The tools returned", |b| b["messages"] = tool_turns(json!({"type": "text", "text": "t"}), json!([{"type": "tool_result", "tool_use_id": "a", "content": "r"}]))),
            (400, "`tool_result` blocks can only be in `user` messages", |b| b["messages"] = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "a"}]}, {"role": "user", "content": "x"}])),
            (400, "does not match the provided media type", |b| b["messages"][0]["content"] = json!([{"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": PNG}}])),
            (400, "'image/jpeg', 'image/png', 'image/gif' or 'image/webp'", |b| b["messages"][0]["content"] = json!([{"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": PNG}}])),
            (400, "Only HTTPS URLs", |b| b["messages"][0]["content"] = json!([{"type": "image", "source": {"type": "url", "url": "http://x/y.png"}}])),
            (400, "'additionalProperties' must be explicitly set to false", |b| b["output_config"] = json!({"format": {"type": "json_schema", "schema": {"type": "object"}}})),
            (400, "property 'minimum' is not supported", |b| b["output_config"] = json!({"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": false, "properties": {"x": {"type": "integer", "minimum": 1}}}}})),
            (400, "each stop sequence must contain non-whitespace", |b| b["stop_sequences"] = json!(["\n"])),
            (404, "not_found_error", |b| b["model"] = json!("gpt-4o")),
        ],
    )
    .await;
}

fn declare(parameters: Value) -> Value {
    json!([{"functionDeclarations": [{"name": "f", "parameters": parameters}]}])
}

fn called(signature: &str, responses: usize) -> Value {
    let mut call = json!({"functionCall": {"name": "f", "args": {}}});
    if !signature.is_empty() {
        call["thoughtSignature"] = json!(signature);
    }
    let response = json!({"functionResponse": {"name": "f", "response": {"output": "r"}}});
    json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": vec![response; responses]}
    ])
}

#[tokio::test]
async fn gemini() {
    refuses(
        "gemini",
        &[
            (200, "usageMetadata", |_| {}),
            (200, "usageMetadata", |b| b["generation_config"] = json!({"max_output_tokens": "9"})),
            (400, "Unknown name \"foo\": Cannot find field.", |b| b["foo"] = json!(1)),
            (400, "Unknown name \"type\" at 'contents[0].parts[0]': Cannot find field.", |b| b["contents"][0]["parts"][0]["type"] = json!("text")),
            (400, "Unknown name \"additionalProperties\" at 'tools[0].function_declarations[0].parameters'", |b| b["tools"] = declare(json!({"type": "OBJECT", "additionalProperties": false}))),
            (400, "Unknown name \"const\" at 'tools[0].function_declarations[0].parameters.properties[0].value'", |b| b["tools"] = declare(json!({"type": "OBJECT", "properties": {"x": {"const": 1}}}))),
            (400, "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\"", |b| b["generationConfig"] = json!({"temperature": "hot"})),
            (400, "generation_config.temperature: must be less than or equal to 2", |b| b["generationConfig"] = json!({"temperature": 3})),
            (400, "contents is not specified", |b| b["contents"] = json!([])),
            (400, "contents is not specified", |b| drop(b.as_object_mut().unwrap().remove("contents"))),
            (400, "Please use a valid role: user, model.", |b| b["contents"][0]["role"] = json!("assistant")),
            (400, "contents.parts must not be empty", |b| b["contents"][0]["parts"] = json!([])),
            (400, "required oneof field 'data'", |b| b["contents"][0]["parts"] = json!([{}])),
            (400, "Cannot set it twice", |b| b["contents"][0]["parts"][0]["inlineData"] = json!({"mimeType": "image/png", "data": PNG})),
            (400, "Base64 decoding failed", |b| b["contents"][0]["parts"] = json!([{"inlineData": {"mimeType": "image/png", "data": "%%"}}])),
            (400, "Unsupported MIME type: image/gif", |b| b["contents"][0]["parts"] = json!([{"inlineData": {"mimeType": "image/gif", "data": PNG}}])),
            (400, "Unable to process input image", |b| b["contents"][0]["parts"] = json!([{"inlineData": {"mimeType": "image/jpeg", "data": PNG}}])),
            (400, "end with a user turn", |b| b["contents"] = json!([{"role": "user", "parts": [{"text": "x"}]}, {"role": "model", "parts": [{"text": "y"}]}])),
            (400, "number of function response parts is equal", |b| b["contents"] = called("", 2)),
            (400, "function response turn comes immediately after a function call turn", |b| b["contents"] = json!([{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}])),
            (400, "function call turn comes immediately after a user turn", |b| b["contents"] = json!([{"role": "model", "parts": [{"functionCall": {"name": "f"}}]}, {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}])),
            (200, "The tools returned", |b| b["contents"] = called("", 1)),
            (400, "missing a thought_signature", |b| { b["model"] = json!("gemini-3-pro"); b["contents"] = called("", 1) }),
            (400, "Corrupted thought signature", |b| { b["model"] = json!("gemini-3-pro"); b["contents"] = called("c2ln", 1) }),
            (200, "The tools returned", |b| { b["model"] = json!("gemini-3-pro"); b["contents"] = called("skip_thought_signature_validator", 1) }),
            (400, "should be non-empty for OBJECT type", |b| b["tools"] = declare(json!({"type": "OBJECT"}))),
            (400, "required[0]: property is not defined", |b| b["tools"] = declare(json!({"type": "OBJECT", "properties": {"x": {"type": "STRING"}}, "required": ["y"]}))),
            (400, "items: missing field", |b| b["tools"] = declare(json!({"type": "OBJECT", "properties": {"x": {"type": "ARRAY"}}}))),
            (400, "only allowed for STRING type", |b| b["tools"] = declare(json!({"type": "OBJECT", "properties": {"x": {"type": "INTEGER", "enum": ["1"]}}}))),
            (400, "Invalid function name", |b| b["tools"] = json!([{"functionDeclarations": [{"name": "1f"}]}])),
            (400, "may only be set when the mode is ANY", |b| { b["tools"] = json!([{"functionDeclarations": [{"name": "f"}]}]); b["toolConfig"] = json!({"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}) }),
            (400, "only supported when response_mime_type is application/json", |b| b["generationConfig"] = json!({"responseSchema": {"type": "OBJECT"}})),
            (400, "Budget 0 is invalid", |b| { b["model"] = json!("gemini-2.5-pro"); b["generationConfig"] = json!({"thinkingConfig": {"thinkingBudget": 0}}) }),
            (400, "Thinking level is not supported", |b| b["generationConfig"] = json!({"thinkingConfig": {"thinkingLevel": "low"}})),
            (400, "when response_logprobs is true", |b| b["generationConfig"] = json!({"logprobs": 2})),
            (404, "is not found for API version", |b| b["model"] = json!("gpt-4o")),
        ],
    )
    .await;
}

#[tokio::test]
async fn credentials_content_types_and_paths() {
    let vendors = start();
    // For each vendor: the headers in place of its own, the status and the words.
    type Case = (&'static str, &'static [(&'static str, &'static str)], u16, &'static str);
    let cases: &[Case] = &[
        ("openai", &[("authorization", "")], 401, "You didn't provide an API key"),
        ("openai", &[("authorization", "Bearer sk-ant-x")], 401, "invalid_api_key"),
        ("openai", &[("authorization", "Bearer AIzaX")], 401, "invalid_api_key"),
        ("openai", &[("content-type", "text/plain")], 415, "unsupported_content_type"),
        ("anthropic", &[("x-api-key", "sk-x")], 401, "invalid x-api-key"),
        (
            "anthropic",
            &[("x-api-key", "sk-x"), ("authorization", "Bearer sk-ant-x")],
            401,
            "invalid x-api-key",
        ),
        ("anthropic", &[("x-api-key", "sk-ant-x"), ("authorization", "Bearer sk-x")], 200, "end_turn"),
        ("anthropic", &[("anthropic-version", "2020-01-01")], 400, "anthropic-version"),
        ("anthropic", &[("content-type", "text/plain")], 400, "application/json"),
        ("gemini", &[("x-goog-api-key", "sk-x")], 400, "API_KEY_INVALID"),
        ("gemini", &[("content-type", "text/plain")], 400, "application/json"),
    ];
    for (vendor, replaced, status, words) in cases {
        let body = hello(vendor, "hi");
        let (path, mut headers) = target(vendor, &body);
        headers.retain(|(name, _)| !replaced.iter().any(|(other, _)| other == name));
        headers.extend_from_slice(replaced);
        let mut client = Client::connect(vendors.url(vendor)).await;
        let reply = client.send("POST", &path, &headers, &sent(vendor, &body)).await.unwrap();
        assert_eq!((reply.status, reply.text.contains(words)), (*status, true), "{words}: {}", reply.text);
    }
    let missing = [
        ("anthropic", "x-api-key", 401, "x-api-key header is required"),
        ("anthropic", "anthropic-version", 400, "header is required"),
        ("gemini", "x-goog-api-key", 403, "unregistered callers"),
    ];
    for (vendor, header, status, words) in missing {
        let body = hello(vendor, "hi");
        let (path, mut headers) = target(vendor, &body);
        headers.retain(|(name, _)| *name != header);
        let mut client = Client::connect(vendors.url(vendor)).await;
        let reply = client.send("POST", &path, &headers, &sent(vendor, &body)).await.unwrap();
        assert_eq!((reply.status, reply.text.contains(words)), (status, true), "{}", reply.text);
    }
    for vendor in VENDORS {
        let (path, headers) = target(vendor, &json!({}));
        let mut client = Client::connect(vendors.url(vendor)).await;
        assert_eq!(client.send("POST", "/v1/nothing", &headers, "{}").await.unwrap().status, 404);
        assert_eq!(client.send("POST", &path, &headers, "{not json").await.unwrap().status, 400);
        assert_eq!(client.send("POST", &path, &headers, "[]").await.unwrap().status, 400);
    }
}

#[tokio::test]
async fn sampling_parameters_at_anthropic_go_by_version_and_model() {
    let vendors = start();
    for (model, status) in [("claude-sonnet-4-6", 200), ("claude-opus-4-7", 400), ("claude-sonnet-5-5", 400)]
    {
        let mut body = hello("anthropic", "hi");
        body["model"] = json!(model);
        body["temperature"] = json!(0.5);
        let mut client = Client::connect(vendors.url("anthropic")).await;
        let headers = [
            ("content-type", "application/json"),
            ("anthropic-version", "2023-06-01"),
            ("authorization", "Bearer sk-ant-x"),
        ];
        let reply = client.send("POST", "/v1/messages", &headers, &body.to_string()).await.unwrap();
        assert_eq!(reply.status, status, "{model}: {}", reply.text);
    }
}

#[tokio::test]
async fn bodies_over_the_limit() {
    let vendors = start();
    // Gemini's limit is 20 MiB, Anthropic's 32.
    for (vendor, mebibytes, status) in [("gemini", 21, 400), ("anthropic", 33, 413)] {
        let body = hello(vendor, &"x".repeat(mebibytes << 20));
        match chat(&vendors, vendor, &body).await {
            Ok(reply) => assert_eq!(reply.status, status, "{vendor}"),
            // The answer may be lost when the rest of the body meets a closed connection.
            Err(error) => assert!(!error.is_parse(), "{error}"),
        }
        let record = vendors.records_of(vendor).remove(0);
        assert_eq!(record.fault.map(|fault| fault.status), Some(status));
    }
}
