//! Which strings of each dialect's bodies are texts, and whose.

use super::*;

/// A body, the paths of its strings that are no texts, and of those that can't be read.
struct Case {
    dialect: ClientDialect,
    side: Side,
    body: &'static str,
    skipped: &'static str,
    unreadable: &'static str,
}

const CASES: &[Case] = &[
    Case {
        dialect: ClientDialect::OpenAiChat,
        side: Side::Request,
        body: r#"{"model":"m","user":"?","metadata":{"a":"?"},"unknown":{"id":"?","x":[{"y":"?"}]},"stop":["?"],
            "safety_identifier":"?","prompt_cache_key":"?","service_tier":"auto","reasoning_effort":"low",
            "messages":[{"role":"system","content":"?","name":"?"},{"role":"developer","content":[{"type":"text","text":"?"}]},
              {"role":"user","content":[{"type":"text","text":"?","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"https://x/?","detail":"low"}},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},
                {"type":"file","file":{"file_id":"file-1","filename":"?"}},{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"?"}},
                {"type":"file","file":{"file_data":"data:text/plain;base64,Pw==","filename":"?"}},{"type":"mystery","x":"?"}]},
              {"role":"assistant","content":"?","refusal":"?","reasoning_content":"?","audio":{"id":"audio_1"},"reasoning_details":[{"type":"reasoning.text","text":"?","signature":"s"}],
                "function_call":{"name":"f","arguments":"?"},
                "tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":\"?\"}"},"extra_content":{"google":{"thought_signature":"s"}}},{"id":"call_2","type":"custom","custom":{"name":"g","input":"?"}}]},
              {"role":"tool","tool_call_id":"call_1","content":"?"}],
            "tools":[{"type":"function","function":{"name":"f","description":"?","parameters":{"type":"object","properties":{"a":{"type":"string","description":"?","enum":["?"],"default":"?","examples":[{"x":"?"}]}}}}},
              {"type":"custom","custom":{"name":"g","description":"?","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"?"}}}}],
            "functions":[{"name":"h","description":"?"}],"tool_choice":{"type":"function","function":{"name":"f"}},
            "response_format":{"type":"json_schema","json_schema":{"name":"n","description":"?","schema":{"title":"?","const":"?"}}},
            "prediction":{"type":"content","content":[{"type":"text","text":"?"}]},"web_search_options":{"user_location":{"approximate":{"city":"?"}}}}"#,
        skipped: "model service_tier messages[0].role messages[1].role messages[1].content[0].type messages[2].role \
            messages[2].content[0].type messages[2].content[0].cache_control.type messages[2].content[1].type \
            messages[2].content[1].image_url.detail messages[2].content[2].type messages[2].content[3].type \
            messages[2].content[3].input_audio.format messages[2].content[4].type messages[2].content[5].type messages[2].content[6].type messages[2].content[7].type \
            messages[3].role messages[3].audio.id messages[3].reasoning_details[0].type messages[3].reasoning_details[0].signature messages[3].function_call.name \
            messages[3].tool_calls[0].id messages[3].tool_calls[0].type messages[3].tool_calls[0].function.name messages[3].tool_calls[0].extra_content.google.thought_signature \
            messages[3].tool_calls[1].id messages[3].tool_calls[1].type messages[3].tool_calls[1].custom.name messages[4].role messages[4].tool_call_id \
            tools[0].type tools[0].function.name tools[1].type tools[1].custom.name tools[1].custom.format.type tools[1].custom.format.grammar.syntax functions[0].name \
            tool_choice.type tool_choice.function.name response_format.type response_format.json_schema.name prediction.type prediction.content[0].type",
        unreadable: "messages[2].content[1].image_url.url messages[2].content[2].image_url.url messages[2].content[3].input_audio.data messages[2].content[4].file.file_id messages[2].content[5].file.file_data",
    },
    Case {
        dialect: ClientDialect::OpenAiResponses,
        side: Side::Request,
        body: r#"{"model":"m","instructions":"?","user":"?","metadata":{"k":"?"},"previous_response_id":"resp_1","conversation":"conv_1","include":["reasoning.encrypted_content"],
            "prompt":{"id":"pmpt_1","version":"2","variables":{"a":"?","b":{"type":"input_text","text":"?"}}},"reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema","name":"n","schema":{"description":"?"}},"verbosity":"low"},
            "input":["?",{"role":"user","content":"?"},{"type":"message","role":"user","content":[{"type":"input_text","text":"?"},{"type":"input_image","image_url":"https://x/?","detail":"auto"},{"type":"input_image","file_id":"file-1"},{"type":"input_file","filename":"?","file_data":"data:text/csv;base64,Pw=="},{"type":"input_file","file_url":"https://x/?"}]},
              {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"?"}],"content":[{"type":"reasoning_text","text":"?"}],"encrypted_content":"e"},
              {"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"?","status":"completed"},
              {"type":"function_call_output","call_id":"call_1","output":"?"},{"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"?"}]},
              {"type":"custom_tool_call","call_id":"c","name":"g","input":"?"},{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"?","annotations":[{"type":"url_citation","url":"?","title":"?"}]},{"type":"refusal","refusal":"?"}]},
              {"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,AAAA"}},
              {"type":"web_search_call","id":"ws","status":"completed","action":{"type":"search","query":"?"}},{"type":"image_generation_call","id":"ig","result":"AAAA","status":"completed"}],
            "tools":[{"type":"function","name":"f","description":"?","parameters":{"description":"?"}},{"type":"mcp","server_label":"l","server_url":"?","authorization":"a","server_description":"?","headers":{"x":"?"}},{"type":"custom","name":"g","format":{"type":"grammar","syntax":"regex","definition":"?"}},{"type":"file_search","vector_store_ids":["vs_1"]}]}"#,
        skipped: "model previous_response_id conversation prompt.id prompt.version prompt.variables.b.type text.format.type text.format.name text.verbosity input[1].role \
            input[2].type input[2].role input[2].content[0].type input[2].content[1].type input[2].content[1].detail input[2].content[2].type input[2].content[3].type input[2].content[4].type \
            input[3].type input[3].id input[3].summary[0].type input[3].content[0].type input[3].encrypted_content input[4].type input[4].id input[4].call_id input[4].name input[4].status \
            input[5].type input[5].call_id input[6].type input[6].call_id input[6].output[0].type input[7].type input[7].call_id input[7].name input[8].type input[8].id input[8].role input[8].status \
            input[8].content[0].type input[8].content[0].annotations[0].type input[8].content[1].type input[9].type input[9].call_id input[9].output.type input[10].type input[10].id input[10].status input[10].action.type \
            input[11].type input[11].id input[11].status tools[0].type tools[0].name tools[1].type tools[1].server_label tools[1].authorization tools[2].type tools[2].name tools[2].format.type tools[2].format.syntax tools[3].type tools[3].vector_store_ids[0]",
        unreadable: "input[2].content[1].image_url input[2].content[2].file_id input[2].content[4].file_url input[9].output.image_url input[11].result",
    },
    Case {
        dialect: ClientDialect::Anthropic,
        side: Side::Request,
        body: r#"{"model":"m","system":[{"type":"text","text":"?","cache_control":{"type":"ephemeral"}}],"metadata":{"user_id":"?"},"stop_sequences":["?"],"thinking":{"type":"enabled"},
            "messages":[{"role":"user","content":"?"},{"role":"user","content":[{"type":"text","text":"?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://x/?"}},
                {"type":"document","title":"?","context":"?","source":{"type":"text","media_type":"text/plain","data":"?"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}},{"type":"document","source":{"type":"base64","media_type":"text/plain","data":"Pw=="}},
                {"type":"document","source":{"type":"content","content":[{"type":"text","text":"?"}]}},{"type":"document","source":{"type":"file","file_id":"file_1"}},{"type":"search_result","source":"?","title":"?","content":[{"type":"text","text":"?"}]},
                {"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"?"}]},{"type":"tool_result","tool_use_id":"t2","content":"?"},{"type":"container_upload","file_id":"file_2"}]},
              {"role":"assistant","content":[{"type":"thinking","thinking":"?","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"?","citations":[{"type":"char_location","cited_text":"?","document_title":"?"}]},
                {"type":"tool_use","id":"t1","name":"f","input":{"a":["?",{"b":"?"}]}},{"type":"server_tool_use","id":"s1","name":"web_search","input":{"query":"?"}},{"type":"web_search_tool_result","tool_use_id":"s1","content":[{"type":"web_search_result","url":"?","title":"?","encrypted_content":"e","page_age":"?"}]}]}],
            "tools":[{"name":"f","description":"?","input_schema":{"type":"object","properties":{"a":{"description":"?","enum":["?"]}}},"input_examples":[{"a":"?"}]},{"type":"web_search_20250305","name":"web_search","allowed_domains":["?"]}],
            "tool_choice":{"type":"tool","name":"f"},"mcp_servers":[{"type":"url","name":"n","url":"?","authorization_token":"a"}],"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"description":"?"}}},"other":"?"}"#,
        skipped: "model system[0].type system[0].cache_control.type messages[0].role messages[1].role messages[1].content[0].type messages[1].content[1].type messages[1].content[1].source.type messages[1].content[1].source.media_type \
            messages[1].content[2].type messages[1].content[2].source.type messages[1].content[3].type messages[1].content[3].source.type messages[1].content[3].source.media_type messages[1].content[4].type messages[1].content[4].source.type messages[1].content[4].source.media_type \
            messages[1].content[5].type messages[1].content[5].source.type messages[1].content[5].source.media_type messages[1].content[6].type messages[1].content[6].source.type messages[1].content[6].source.content[0].type messages[1].content[7].type messages[1].content[7].source.type \
            messages[1].content[8].type messages[1].content[8].content[0].type messages[1].content[9].type messages[1].content[9].tool_use_id messages[1].content[9].content[0].type messages[1].content[10].type messages[1].content[10].tool_use_id messages[1].content[11].type \
            messages[2].role messages[2].content[0].type messages[2].content[0].signature messages[2].content[1].type messages[2].content[1].data messages[2].content[2].type messages[2].content[2].citations[0].type messages[2].content[3].type messages[2].content[3].id messages[2].content[3].name \
            messages[2].content[4].type messages[2].content[4].id messages[2].content[4].name messages[2].content[5].type messages[2].content[5].tool_use_id messages[2].content[5].content[0].type messages[2].content[5].content[0].encrypted_content \
            tools[0].name tools[1].type tools[1].name tool_choice.type tool_choice.name mcp_servers[0].type mcp_servers[0].name mcp_servers[0].authorization_token output_config.effort output_config.format.type",
        unreadable: "messages[1].content[1].source.data messages[1].content[2].source.url messages[1].content[4].source.data messages[1].content[7].source.file_id messages[1].content[11].file_id",
    },
    Case {
        dialect: ClientDialect::Gemini,
        side: Side::Request,
        body: r#"{"systemInstruction":{"parts":[{"text":"?"}]},"contents":[{"role":"user","parts":[{"text":"?"},{"inlineData":{"mimeType":"image/png","data":"AAAA","displayName":"?"}},{"inline_data":{"mime_type":"text/plain","data":"Pw=="}},{"fileData":{"mimeType":"text/plain","fileUri":"gs://x/?"}}]},
            {"role":"model","parts":[{"text":"?","thought":true,"thoughtSignature":"s"},{"functionCall":{"id":"1","name":"f","args":{"a":"?"}}},{"executableCode":{"language":"PYTHON","code":"?"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"?"}}]},
            {"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"a":"?"},"parts":[{"inlineData":{"mimeType":"text/csv","data":"Pw=="}}]}}]}],
            "tools":[{"functionDeclarations":[{"name":"f","description":"?","parameters":{"type":"OBJECT","description":"?"},"response":{"description":"?"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"labels":{"a":"?"},"cachedContent":"cachedContents/1",
            "generationConfig":{"stopSequences":["?"],"responseMimeType":"application/json","responseSchema":{"description":"?"}},"safetySettings":[{"category":"c","threshold":"t"}],"x":"?"}"#,
        skipped: "contents[0].role contents[0].parts[1].inlineData.mimeType contents[0].parts[2].inline_data.mime_type contents[0].parts[3].fileData.mimeType contents[1].role contents[1].parts[0].thoughtSignature contents[1].parts[1].functionCall.id contents[1].parts[1].functionCall.name \
            contents[1].parts[2].executableCode.language contents[1].parts[3].codeExecutionResult.outcome contents[2].role contents[2].parts[0].functionResponse.id contents[2].parts[0].functionResponse.name contents[2].parts[0].functionResponse.parts[0].inlineData.mimeType \
            tools[0].functionDeclarations[0].name toolConfig.functionCallingConfig.mode cachedContent generationConfig.responseMimeType ",
        unreadable: "contents[0].parts[1].inlineData.data contents[0].parts[3].fileData.fileUri",
    },
    Case {
        dialect: ClientDialect::OpenAiCompletions,
        side: Side::Request,
        body: r#"{"model":"m","prompt":["?"],"suffix":"?","user":"?","stop":"?"}"#,
        skipped: "model",
        unreadable: "",
    },
    Case {
        dialect: ClientDialect::OpenAiEmbeddings,
        side: Side::Request,
        body: r#"{"model":"m","input":["?","?"],"user":"?","encoding_format":"base64"}"#,
        skipped: "model encoding_format",
        unreadable: "",
    },
    Case {
        dialect: ClientDialect::CohereRerank,
        side: Side::Request,
        body: r#"{"model":"m","query":"?","documents":["?",{"text":"?","n":1}],"rank_fields":["text"]}"#,
        skipped: "model rank_fields[0]",
        unreadable: "",
    },
    Case {
        dialect: ClientDialect::OpenAiChat,
        side: Side::Answer,
        body: r#"{"id":"i","object":"o","model":"m","system_fingerprint":"f","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"?","refusal":"?","reasoning_content":"?","annotations":[{"type":"url_citation","url_citation":{"url":"?","title":"?"}}],
            "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"?"}}],"audio":{"id":"a","data":"AAAA","transcript":"?"}}}],"usage":{"x":"y"},"citations":["?"],"error":{"message":"?","type":"t","code":"c","param":"?"}}"#,
        skipped: "id object model system_fingerprint choices[0].finish_reason choices[0].message.role choices[0].message.annotations[0].type choices[0].message.tool_calls[0].id choices[0].message.tool_calls[0].type choices[0].message.tool_calls[0].function.name \
            choices[0].message.audio.id error.type error.code",
        unreadable: "choices[0].message.audio.data",
    },
    Case {
        dialect: ClientDialect::OpenAiChat,
        side: Side::Event,
        body: r#"{"id":"i","object":"o","model":"m","choices":[{"index":0,"finish_reason":"stop","text":"?","delta":{"role":"assistant","content":"?","refusal":"?","reasoning":"?","x":{"y":"?"},"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"?"}}]}}]}"#,
        skipped: "id object model choices[0].finish_reason choices[0].delta.role choices[0].delta.tool_calls[0].id choices[0].delta.tool_calls[0].type choices[0].delta.tool_calls[0].function.name",
        unreadable: "",
    },
    Case {
        dialect: ClientDialect::Anthropic,
        side: Side::Event,
        body: r#"{"type":"x","message":{"id":"i","content":[{"type":"text","text":"?"}],"stop_sequence":"?"},"content_block":{"type":"text","text":"?","id":"i"},"delta":{"type":"d","text":"?","thinking":"?","partial_json":"?","signature":"s","citation":{"type":"c","cited_text":"?"},"stop_reason":"r","stop_sequence":"?"}}"#,
        skipped: "type message.id message.content[0].type content_block.type content_block.id delta.type delta.signature delta.citation.type delta.stop_reason",
        unreadable: "",
    },
    Case {
        dialect: ClientDialect::Gemini,
        side: Side::Event,
        body: r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"?"},{"functionCall":{"name":"f","args":{"a":"?"}}}]},"finishReason":"STOP","finishMessage":"?","groundingMetadata":{"webSearchQueries":["?"],"searchEntryPoint":{"renderedContent":"?","sdkBlob":"AAAA"}}}],"modelVersion":"m","responseId":"r"}"#,
        skipped: "candidates[0].content.role candidates[0].content.parts[1].functionCall.name candidates[0].finishReason candidates[0].groundingMetadata.searchEntryPoint.sdkBlob modelVersion responseId",
        unreadable: "",
    },
    Case {
        dialect: ClientDialect::OpenAiResponses,
        side: Side::Event,
        body: r#"{"type":"response.x","item_id":"i","delta":"?","text":"?","arguments":"?","obfuscation":"o","part":{"type":"p","text":"?"},"item":{"type":"message","id":"i","role":"assistant","content":[{"type":"output_text","text":"?"}]},"response":{"id":"r","object":"o","model":"m","instructions":"?","output":[{"type":"function_call","id":"f","name":"n","arguments":"?"}],"error":{"code":"c","message":"?"}}}"#,
        skipped: "type item_id obfuscation part.type item.type item.id item.role item.content[0].type response.id response.object response.model response.output[0].type response.output[0].id response.output[0].name response.error.code",
        unreadable: "",
    },
];

/// The paths of all strings of a body that are not within a value which is visited as a whole.
fn strings(tape: &Tape<'_>, visited: &[(String, Source)]) -> Vec<String> {
    let is_visited = |number: usize| visited.iter().any(|(path, _)| *path == tape.path(number, false));
    let is_free = |mut number: usize| loop {
        let node = tape.node(number).expect("there");
        if is_visited(number) {
            return false;
        }
        if node.parent == number {
            return true;
        }
        number = node.parent;
    };
    let all = (0..tape.len()).filter(|number| tape.node(*number).expect("there").kind == Kind::String);
    all.filter(|number| is_free(*number)).map(|number| tape.path(number, false)).collect()
}

#[test]
fn everything_is_text_but_what_a_table_says_is_none() {
    for Case { dialect, side, body, skipped, unreadable } in CASES {
        let (mut texts, mut blind) = (Vec::new(), Vec::new());
        let walked = walk(*dialect, *side, body.as_bytes(), &mut |place, found| {
            match found {
                Found::Unreadable => blind.push(place.path()),
                _ => texts.push((place.path(), place.source)),
            }
            Ok(None)
        });
        assert_eq!(walked, Ok(None), "{dialect:?} {side:?}");
        assert_eq!(blind, unreadable.split_whitespace().collect::<Vec<_>>(), "{dialect:?} {side:?}");
        let tape = Tape::read(body.as_bytes()).expect("is JSON");
        texts.extend(blind.into_iter().map(|path| (path, Source::Other)));
        let expected: Vec<_> = skipped.split_whitespace().collect();
        assert_eq!(strings(&tape, &texts), expected, "{dialect:?} {side:?}");
    }
}

#[test]
fn a_value_in_any_text_can_be_replaced_and_nothing_else_changes() {
    for Case { dialect, side, body, .. } in CASES {
        // `?`, and in base 64.
        let planted = body.replace('?', "SECRET é").replace("Pw==", "U0VDUkVUIMOp");
        let changed = walk(*dialect, *side, planted.as_bytes(), &mut |_, found| {
            Ok(match found {
                Found::Text(text) | Found::Json(text) | Found::Delta { text, .. } => {
                    text.contains("SECRET é").then(|| text.replace("SECRET é", "?"))
                }
                Found::Unreadable | Found::Tokens => None,
            })
        });
        let changed = String::from_utf8(changed.expect("is JSON").expect("changes")).expect("is text");
        assert_eq!(changed, *body, "{dialect:?} {side:?}");
    }
}

fn sources(dialect: ClientDialect, body: &str) -> Vec<(String, Source)> {
    let mut found = Vec::new();
    let walked = walk(dialect, Side::Request, body.as_bytes(), &mut |place, text| {
        if let Found::Text(text) | Found::Json(text) = text {
            found.push((text.to_owned(), place.source));
        }
        Ok(None)
    });
    assert_eq!(walked, Ok(None));
    found
}

#[test]
fn whose_words_a_text_is() {
    let text = |text: &str, source| (text.to_owned(), source);
    assert_eq!(
        sources(
            ClientDialect::OpenAiChat,
            r#"{"messages":[{"content":"s","role":"system"},{"role":"user","content":[{"text":"u"}]},{"role":"assistant","content":"a","tool_calls":[{"function":{"arguments":"{}"}}]},{"role":"tool","content":"t"}],"tools":[{"function":{"description":"d"}}],"user":"o"}"#
        ),
        [
            text("s", Source::System),
            text("u", Source::User),
            text("a", Source::Assistant),
            text("{}", Source::Assistant),
            text("t", Source::ToolResult),
            text("d", Source::ToolDefinition),
            text("o", Source::Other),
        ]
    );
    assert_eq!(
        sources(
            ClientDialect::OpenAiResponses,
            r#"{"instructions":"s","input":[{"role":"developer","content":"d"},{"role":"user","content":"u"},{"type":"function_call","arguments":"a"},{"type":"function_call_output","output":"t"},{"type":"reasoning","summary":[{"text":"r"}]}]}"#
        ),
        [
            text("s", Source::System),
            text("d", Source::System),
            text("u", Source::User),
            text("a", Source::Assistant),
            text("t", Source::ToolResult),
            text("r", Source::Assistant),
        ]
    );
    assert_eq!(sources(ClientDialect::OpenAiResponses, r#"{"input":"u"}"#), [text("u", Source::User)]);
    assert_eq!(
        sources(
            ClientDialect::Anthropic,
            r#"{"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"u"},{"type":"tool_result","content":[{"type":"text","text":"t"}]}]},{"role":"assistant","content":"a"}],"tools":[{"input_schema":{"description":"d"}}]}"#
        ),
        [
            text("s", Source::System),
            text("u", Source::User),
            text("t", Source::ToolResult),
            text("a", Source::Assistant),
            text("d", Source::ToolDefinition),
        ]
    );
    assert_eq!(
        sources(
            ClientDialect::Gemini,
            r#"{"system_instruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"u"},{"functionResponse":{"response":{"r":"t"}}}]},{"role":"model","parts":[{"text":"a"}]},{"parts":[{"text":"v"}]}]}"#
        ),
        [
            text("s", Source::System),
            text("u", Source::User),
            text(r#"{"r":"t"}"#, Source::ToolResult),
            text("a", Source::Assistant),
            text("v", Source::User),
        ]
    );
    assert_eq!(sources(ClientDialect::OpenAiEmbeddings, r#"{"input":"u"}"#), [text("u", Source::User)]);
    assert_eq!(
        sources(ClientDialect::CohereRerank, r#"{"query":"q","documents":["d"]}"#),
        [text("q", Source::User), text("d", Source::User)]
    );
    assert_eq!(sources(ClientDialect::OpenAiCompletions, r#"{"prompt":["u"]}"#), [text("u", Source::User)]);
}

#[test]
fn what_is_called_media_and_is_none_is_text() {
    for body in [
        r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"a@b"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"data:,a@b"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"data:text/plain,a@b"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/a@b"}}]}]}"#,
    ] {
        let texts = sources(ClientDialect::Anthropic, body);
        assert!(texts.iter().any(|(text, _)| text.contains("a@b")), "{body}: {texts:?}");
    }
}

#[test]
fn what_is_no_json_is_refused_as_everywhere() {
    let failure = walk(ClientDialect::OpenAiChat, Side::Request, b"{", &mut |_, _| Ok(None)).unwrap_err();
    assert_eq!((failure.status, failure.code.as_deref()), (400, Some("invalid_json")));
}
