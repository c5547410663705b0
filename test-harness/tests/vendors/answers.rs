//! What the vendors answer, in one part and as streams, to the token.

use crate::client::{PNG, VENDORS, chat, hello, start, stream, text_of};
use serde_json::{Value, json};

fn with_tools(vendor: &str, text: &str, more: Value) -> Value {
    let mut body = hello(vendor, text);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}}});
    let names = ["get_weather", "get_time"];
    body["tools"] = match vendor {
        "openai" => names
            .map(|name| json!({"type": "function", "function": {"name": name, "parameters": schema}}))
            .to_vec()
            .into(),
        "anthropic" => names.map(|name| json!({"name": name, "input_schema": schema})).to_vec().into(),
        _ => {
            json!([{"functionDeclarations": names.map(|name| json!({"name": name, "parametersJsonSchema": schema}))}])
        }
    };
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The names and arguments of an answer's calls.
fn calls(vendor: &str, answer: &Value) -> Vec<(String, Value)> {
    let list = match vendor {
        "openai" => &answer["choices"][0]["message"]["tool_calls"],
        "anthropic" => &answer["content"],
        _ => &answer["candidates"][0]["content"]["parts"],
    };
    let call = |one: &Value| match vendor {
        "openai" => {
            let arguments = one["function"]["arguments"].as_str()?;
            Some((one["function"]["name"].as_str()?.to_owned(), serde_json::from_str(arguments).ok()?))
        }
        "anthropic" => Some((one["name"].as_str()?.to_owned(), one["input"].clone())),
        _ => Some((one["functionCall"]["name"].as_str()?.to_owned(), one["functionCall"]["args"].clone())),
    };
    list.as_array().into_iter().flatten().filter_map(call).collect()
}

#[tokio::test]
async fn text_names_the_vendor_and_quotes_the_user() {
    let vendors = start();
    for (vendor, name) in VENDORS.into_iter().zip(["OpenAI", "Anthropic", "Gemini"]) {
        let reply = chat(&vendors, vendor, &hello(vendor, "good morning")).await.unwrap();
        assert_eq!(text_of(vendor, &reply.json()), format!("This is {name}. You said: \"good morning\"."));
    }
}

#[tokio::test]
async fn tools_are_called_by_name_and_by_force_but_not_after_results() {
    let vendors = start();
    let arguments = json!({"city": "city", "unit": "C"});
    for vendor in VENDORS {
        let named = with_tools(vendor, "ask get_time and get_weather", json!({}));
        let reply = chat(&vendors, vendor, &named).await.unwrap().json();
        let expected = ["get_weather", "get_time"].map(|name| (name.to_owned(), arguments.clone()));
        assert_eq!(calls(vendor, &reply), expected, "{reply}");

        let forced = match vendor {
            "openai" => json!({"tool_choice": {"type": "function", "function": {"name": "get_time"}}}),
            "anthropic" => json!({"tool_choice": {"type": "tool", "name": "get_time"}}),
            _ => {
                json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_time"]}}})
            }
        };
        let reply = chat(&vendors, vendor, &with_tools(vendor, "hi", forced)).await.unwrap().json();
        assert_eq!(calls(vendor, &reply), [("get_time".to_owned(), arguments.clone())], "{reply}");

        let none = match vendor {
            "openai" => json!({"tool_choice": "none"}),
            "anthropic" => json!({"tool_choice": {"type": "none"}}),
            _ => json!({"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}),
        };
        let reply = chat(&vendors, vendor, &with_tools(vendor, "get_time", none)).await.unwrap().json();
        assert_eq!(calls(vendor, &reply), [], "{reply}");
    }
    let serial = [
        ("openai", json!({"parallel_tool_calls": false})),
        ("anthropic", json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}})),
    ];
    for (vendor, more) in serial {
        let reply =
            chat(&vendors, vendor, &with_tools(vendor, "get_time get_weather", more)).await.unwrap().json();
        assert_eq!(calls(vendor, &reply).len(), 1);
    }
}

#[tokio::test]
async fn settings_show_in_the_answer() {
    let vendors = start();
    for vendor in VENDORS {
        // Stop sequences and limits.
        let (stop, limit) = match vendor {
            "openai" => (json!({"stop": "You"}), json!({"max_tokens": 2})),
            "anthropic" => (json!({"stop_sequences": ["You"]}), json!({"max_tokens": 2})),
            _ => (
                json!({"generationConfig": {"stopSequences": ["You"]}}),
                json!({"generationConfig": {"maxOutputTokens": 2}}),
            ),
        };
        for (more, text, ends) in [
            (stop, " ", ["stop", "stop_sequence", "STOP"]),
            (limit, "This is", ["length", "max_tokens", "MAX_TOKENS"]),
        ] {
            let mut body = hello(vendor, "hi");
            for (name, value) in more.as_object().unwrap() {
                body[name] = value.clone();
            }
            let reply = chat(&vendors, vendor, &body).await.unwrap().json();
            let end = [
                &reply["choices"][0]["finish_reason"],
                &reply["stop_reason"],
                &reply["candidates"][0]["finishReason"],
            ];
            assert!(end.iter().any(|end| end.as_str().is_some_and(|end| ends.contains(&end))), "{reply}");
            assert!(text_of(vendor, &reply).ends_with(text), "{reply}");
        }
        // Structured output.
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false});
        let mut body = hello(vendor, "hi");
        match vendor {
            "openai" => {
                body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": schema}})
            }
            "anthropic" => {
                body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}})
            }
            _ => {
                body["generationConfig"] =
                    json!({"responseMimeType": "application/json", "responseJsonSchema": schema})
            }
        }
        let reply = chat(&vendors, vendor, &body).await.unwrap().json();
        assert_eq!(text_of(vendor, &reply), r#"{"n":1}"#);
        // A picture.
        let mut body = hello(vendor, "hi");
        match vendor {
            "openai" => {
                body["messages"][0]["content"] = json!([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}}])
            }
            "anthropic" => {
                body["messages"][0]["content"] = json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}, {"type": "text", "text": "hi"}])
            }
            _ => {
                body["contents"][0]["parts"] =
                    json!([{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}])
            }
        }
        let reply = chat(&vendors, vendor, &body).await.unwrap().json();
        assert!(text_of(vendor, &reply).ends_with("I see 1 image, image/png, 70 bytes."), "{reply}");
    }
    let mut body = hello("openai", "hi");
    body["n"] = json!(3);
    assert_eq!(chat(&vendors, "openai", &body).await.unwrap().json()["choices"].as_array().unwrap().len(), 3);
    let mut body = hello("gemini", "hi");
    body["generationConfig"] = json!({"candidateCount": 3});
    assert_eq!(
        chat(&vendors, "gemini", &body).await.unwrap().json()["candidates"].as_array().unwrap().len(),
        3
    );
}

#[tokio::test]
async fn usage_counts_words_with_cached_and_reasoning_tokens() {
    let vendors = start();
    // System: 3 words, all cached. User: 2. Text: 6 words (This is X. You said: "hi there".). Reasoning: 7.
    let mut body = hello("openai", "hi there");
    body["model"] = json!("o3");
    body["reasoning_effort"] = json!("low");
    body["messages"] =
        json!([{"role": "system", "content": "cached for you"}, {"role": "user", "content": "hi there"}]);
    let usage = &chat(&vendors, "openai", &body).await.unwrap().json()["usage"];
    assert_eq!(usage["prompt_tokens"], 5);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 3);
    assert_eq!(usage["completion_tokens"], 14);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 7);
    assert_eq!(usage["total_tokens"], 19);

    let mut body = hello("anthropic", "hi there");
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    body["system"] = json!("cached for you");
    let usage = &chat(&vendors, "anthropic", &body).await.unwrap().json()["usage"];
    assert_eq!(
        [&usage["input_tokens"], &usage["cache_read_input_tokens"], &usage["output_tokens"]],
        [2, 3, 14]
    );
    body["system"] = json!([{"type": "text", "text": "for you", "cache_control": {"type": "ephemeral"}}]);
    let usage = &chat(&vendors, "anthropic", &body).await.unwrap().json()["usage"];
    assert_eq!([&usage["input_tokens"], &usage["cache_creation_input_tokens"]], [2, 2]);

    let mut body = hello("gemini", "hi there");
    body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
    body["systemInstruction"] = json!({"parts": [{"text": "cached for you"}]});
    let reply = chat(&vendors, "gemini", &body).await.unwrap().json();
    let usage = &reply["usageMetadata"];
    assert_eq!(
        [
            &usage["promptTokenCount"],
            &usage["cachedContentTokenCount"],
            &usage["candidatesTokenCount"],
            &usage["thoughtsTokenCount"],
            &usage["totalTokenCount"]
        ],
        [5, 3, 7, 7, 19]
    );
    assert_eq!(reply["candidates"][0]["content"]["parts"][0]["thought"], true);
}

#[tokio::test]
async fn openai_streams_role_first_and_usage_only_when_asked() {
    let vendors = start();
    let mut body = stream("openai", "hi");
    let reply = chat(&vendors, "openai", &body).await.unwrap();
    assert!(reply.text.ends_with("data: [DONE]\n\n"));
    let chunks = reply.data();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");

    body["stream_options"] = json!({"include_usage": true});
    let chunks = chat(&vendors, "openai", &body).await.unwrap().data();
    let (last, before) = chunks.split_last().unwrap();
    assert!(before.iter().all(|chunk| chunk["usage"].is_null()));
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(6)));

    let mut body = with_tools("openai", "get_time", json!({"stream": true}));
    body["n"] = json!(2);
    let chunks = chat(&vendors, "openai", &body).await.unwrap().data();
    let mut arguments = String::new();
    for chunk in chunks.iter().filter(|chunk| chunk["choices"][0]["index"] == 1) {
        let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
        arguments.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        assert!(call.is_null() || call["id"].is_string() == call["function"]["name"].is_string());
    }
    assert_eq!(arguments, r#"{"city":"city","unit":"C"}"#);
}

#[tokio::test]
async fn anthropic_streams_its_events_in_order() {
    let vendors = start();
    let mut body = with_tools("anthropic", "get_time", json!({"stream": true}));
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    let reply = chat(&vendors, "anthropic", &body).await.unwrap();
    let names: Vec<&str> = reply.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let data = reply.data();
    assert!(names.iter().zip(&data).all(|(name, data)| data["type"] == *name));
    let mut order = names.clone();
    order.dedup();
    assert_eq!(
        order,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let deltas: Vec<&Value> =
        data.iter().map(|data| &data["delta"]["type"]).filter(|kind| kind.is_string()).collect();
    assert_eq!(deltas.iter().filter(|kind| ***kind == json!("thinking_delta")).count(), 7);
    let json: String = data.iter().filter_map(|data| data["delta"]["partial_json"].as_str()).collect();
    assert_eq!(json, r#"{"city":"city","unit":"C"}"#);
    let end = &data[data.len() - 2];
    assert_eq!(
        (&end["delta"]["stop_reason"], &end["usage"]["output_tokens"]),
        (&json!("tool_use"), &json!(8))
    );
    assert_eq!(end["usage"]["input_tokens"], data[0]["message"]["usage"]["input_tokens"]);
}

#[tokio::test]
async fn gemini_streams_responses_with_carriage_returns() {
    let vendors = start();
    let reply = chat(&vendors, "gemini", &stream("gemini", "hi")).await.unwrap();
    assert_eq!(reply.header("content-type"), "text/event-stream");
    assert!(reply.text.ends_with("\r\n\r\n"));
    let data = reply.data();
    assert_eq!(data.len(), 6);
    let (last, before) = data.split_last().unwrap();
    assert!(before.iter().all(|data| data["candidates"][0].get("finishReason").is_none()));
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["candidatesTokenCount"], 6);
    // A signature comes with the first call of Gemini 3, and is accepted back.
    let mut body =
        with_tools("gemini", "get_time get_weather", json!({"model": "gemini-3-pro", "stream": true}));
    let data = chat(&vendors, "gemini", &body).await.unwrap().data();
    let parts: Vec<Value> =
        data.iter().map(|data| data["candidates"][0]["content"]["parts"][0].clone()).collect();
    assert!(parts[0]["thoughtSignature"].is_string() && parts[1]["thoughtSignature"].is_null());
    let contents = body["contents"].as_array_mut().unwrap();
    contents.push(json!({"role": "model", "parts": parts}));
    let result = |name: &str| json!({"functionResponse": {"name": name, "response": {"output": format!("of {name}")}}});
    contents.push(json!({"role": "user", "parts": [result("get_weather"), result("get_time")]}));
    body["stream"] = json!(false);
    let reply = chat(&vendors, "gemini", &body).await.unwrap().json();
    assert!(text_of("gemini", &reply).contains("\"of get_weather\", \"of get_time\""), "{reply}");
}

#[tokio::test]
async fn log_probabilities_are_listed_when_asked_for() {
    let vendors = start();
    let mut body = hello("openai", "hi");
    body["logprobs"] = json!(true);
    body["top_logprobs"] = json!(2);
    let reply = chat(&vendors, "openai", &body).await.unwrap().json();
    let tokens = reply["choices"][0]["logprobs"]["content"].as_array().unwrap();
    let text: String = tokens.iter().map(|token| token["token"].as_str().unwrap()).collect();
    assert_eq!((text, tokens[0]["top_logprobs"].as_array().unwrap().len()), (text_of("openai", &reply), 2));
    let mut body = hello("gemini", "hi");
    body["generationConfig"] = json!({"responseLogprobs": true, "logprobs": 3});
    let reply = chat(&vendors, "gemini", &body).await.unwrap().json();
    let result = &reply["candidates"][0]["logprobsResult"];
    assert_eq!(result["chosenCandidates"].as_array().unwrap().len(), 6);
    assert_eq!(result["topCandidates"][0]["candidates"].as_array().unwrap().len(), 3);
}
