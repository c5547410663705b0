use super::*;

/// What a stream of these events becomes, a line each.
fn run(events: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut emit = |event: Event<'_>| lines.push(line(event));
    let mut reader = StreamReader::default();
    for event in events {
        reader.event(event, &mut emit);
    }
    reader.end(&mut emit);
    reader.event(r#"{"candidates":[{"content":{"parts":[{"text":"late"}]}}]}"#, &mut emit);
    reader.end(&mut emit);
    lines
}

fn line(event: Event<'_>) -> String {
    match event {
        Event::Start { id, model } => {
            format!("start {} {}", id.unwrap_or_default(), model.unwrap_or_default())
        }
        Event::Text { choice, text } => format!("{choice} text {text}"),
        Event::Refusal { choice, text } => format!("{choice} refusal {text}"),
        Event::Reasoning { choice, text } => format!("{choice} reasoning {text}"),
        Event::ToolCall { choice, call, tool } => {
            let signature = tool.signature.map(|signature| signature.value).unwrap_or_default();
            format!("{choice} call {call} {} {} {} {signature}", tool.id, tool.name, tool.arguments)
        }
        Event::Media { choice, media } => format!("{choice} media {:?} {:?}", media.kind, media.source),
        Event::Signature { choice, signature } => format!("{choice} signature {}", signature.value),
        Event::HiddenReasoning { choice, .. } => format!("{choice} hidden"),
        Event::Arguments { choice, call, json } => format!("{choice} arguments {call} {json}"),
        Event::Logprobs { choice, tokens } => format!("{choice} logprobs {}", tokens.len()),
        Event::Finish { choice, finish, .. } => format!("{choice} {finish:?}"),
        Event::Usage(usage) => format!("usage {} {} {}", usage.input, usage.output, usage.reasoning),
        Event::Error(failure) => format!("error {} {}", failure.status, failure.code.unwrap_or_default()),
        Event::End => "end".to_owned(),
    }
}

#[test]
fn an_image_comes_whole_and_a_draft_of_it_is_a_thought() {
    let lines = run(&[
        r#"{"candidates":[{"content":{"parts":[{"text":"Here:"},{"inlineData":{"mimeType":"image/png","data":"ZHJhZnQ="},"thought":true},
            {"inlineData":{"mimeType":"image/png","data":"iVBO"},"thoughtSignature":"s"}]}}]}"#,
        r#"{"candidates":[{"finishReason":"STOP"}]}"#,
    ]);
    let image =
        r#"0 media Image Base64 { media_type: Text("image/png"), data: Text("iVBO"), file_name: None }"#;
    assert_eq!(lines, ["start  ", "0 text Here:", image, "0 signature s", "0 Stop", "end"]);
}

#[test]
fn an_answer_with_thoughts_and_calls() {
    let lines = run(&[
        r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]},"index":0}],
            "usageMetadata":{"promptTokenCount":5,"thoughtsTokenCount":7},"modelVersion":"m","responseId":"r"}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"Let me look."}]}}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2}}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a": 1}},"thoughtSignature":"s"},
            {"functionCall":{"id":"x","name":"g","args":{}}}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"s2"}]},"finishReason":"STOP"}],
            "usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":9,"thoughtsTokenCount":7}}"#,
        r#"{"candidates":[{"finishReason":"STOP"}]}"#,
    ]);
    let expected = [
        "start r m",
        "usage 5 7 7",
        "0 reasoning hm",
        "usage 5 9 7",
        "0 text Let me look.",
        r#"0 call 0 call_r_0 f {"a":1} s"#,
        "0 call 1 x g {} ",
        "usage 5 16 7",
        "0 signature s2",
        "0 ToolCalls",
        "end",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn every_choice_has_to_finish() {
    let (a, b) = (
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"MAX_TOKENS"},{"index":1,"content":{"parts":[{"text":"b"}]}}]}"#,
        r#"{"candidates":[{"index":1,"finishReason":"STOP"}]}"#,
    );
    let begun = ["start  ", "0 text a", "0 Length", "1 text b"];
    assert_eq!(run(&[a, b]), [&begun[..], &["1 Stop", "end"]].concat());
    assert_eq!(run(&[a]), [&begun[..], &["error 502 stream_truncated"]].concat());
    assert_eq!(run(&[]), ["error 502 stream_truncated"]);
    assert_eq!(run(&[r#"{"usageMetadata":{}}"#]), ["start  ", "usage 0 0 0", "error 502 stream_truncated"]);
}

#[test]
fn a_block_is_an_end() {
    let lines = run(&[r#"{"promptFeedback":{"blockReason":"OTHER","blockReasonMessage":"No."}}"#]);
    assert_eq!(lines, ["start  ", "0 refusal No.", "0 ContentFilter", "end"]);
    let lines = run(&[
        r#"{"promptFeedback":{"safetyRatings":[]},"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#,
        r#"{"candidates":[{"finishReason":"SAFETY","finishMessage":"Stopped."}]}"#,
    ]);
    assert_eq!(lines, ["start  ", "0 text a", "0 refusal Stopped.", "0 ContentFilter", "end"]);
    let lines = run(&[
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#,
        r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#,
    ]);
    assert_eq!(lines, ["start  ", "0 text a", "0 ContentFilter", "end"]);
}

#[test]
fn chances_come_before_their_text() {
    let logprobs = r#""logprobsResult":{"chosenCandidates":[{"token":"a"}]}"#;
    let lines = run(&[
        &format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"h","thought":true}},{{"text":"a"}},{{"text":"b"}}]}},{logprobs}}}]}}"#
        ),
        &format!(r#"{{"candidates":[{{"finishReason":"STOP",{logprobs}}}]}}"#),
    ]);
    let expected =
        ["start  ", "0 reasoning h", "0 logprobs 1", "0 text a", "0 text b", "0 logprobs 1", "0 Stop", "end"];
    assert_eq!(lines, expected);
}

#[test]
fn errors_end_the_stream() {
    let text = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#;
    let error = r#"{"error":{"code":503,"message":"Overloaded.","status":"UNAVAILABLE"}}"#;
    assert_eq!(run(&[error, text]), ["error 503 "]);
    assert_eq!(run(&[&format!("[{error}]")]), ["error 503 "]);
    assert_eq!(
        run(&[text, r#"{"error":{"code":429}}"#]),
        ["start  ", "0 text a", "error 429 rate_limit_exceeded"]
    );
    assert_eq!(run(&[text, r#"{"error":{}}"#]), ["start  ", "0 text a", "error 500 "]);
    assert_eq!(run(&[text, "{"]), ["start  ", "0 text a", "error 502 provider_malformed"]);
    let finish = r#"{"candidates":[{"finishReason":"STOP"}]}"#;
    assert_eq!(run(&[finish, text]), ["start  ", "0 Stop", "error 502 provider_malformed"]);
}

#[test]
fn a_malformed_answer_fails_before_it_starts() {
    let failing = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"MALFORMED_FUNCTION_CALL"}],
        "usageMetadata":{"promptTokenCount":3}}"#;
    assert_eq!(run(&[failing]), ["error 502 malformed_function_call"]);
    let text = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#;
    assert_eq!(
        run(&[text, failing]),
        ["start  ", "0 text a", "usage 3 0 0", "error 502 malformed_function_call"]
    );
}

#[test]
fn choices_are_bounded() {
    let events: Vec<String> =
        (0..200).map(|index| format!(r#"{{"candidates":[{{"index":{index}}}]}}"#)).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    assert_eq!(run(&events), ["start  ", "error 502 provider_malformed"]);
}
