use serde_json::{Value, json};

use super::*;
use crate::conversation::{Message, Part, Place, Request, Role};
use crate::dialect::{ClientDialect, ProviderDialect};
use crate::policy::Provider;

const START: &str = "/v1/projects/project-1/locations/eu-central-1/publishers";

fn task(stream: bool, count: bool) -> Task<'static> {
    let part = Part::Text("Hi".into());
    let messages = vec![Message { role: Role::User, name: None, parts: vec![part], at: Place::item(0) }];
    let request = Request { messages, stream, max_tokens: Some(9), ..Request::default() };
    if count { Task::CountTokens(request) } else { Task::Conversation(request) }
}

fn encode(model: &str, task: &Task<'_>) -> (String, Value) {
    let provider = Provider::for_tests(ProviderDialect::Vertex);
    let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    let encoded = encode_task(task, wanted, &mut lacks).expect("encodes");
    assert!(encoded.headers.is_empty());
    (encoded.path, serde_json::from_slice(&encoded.body).expect("is JSON"))
}

#[test]
fn gemini_is_asked_in_its_own_format() {
    let contents = json!([{"role": "user", "parts": [{"text": "Hi"}]}]);
    let (path, body) = encode("gemini-2.5-pro", &task(false, false));
    assert_eq!(path, format!("{START}/google/models/gemini-2.5-pro:generateContent"));
    assert_eq!(body, json!({"contents": contents, "generationConfig": {"maxOutputTokens": 9}}));
    let (path, _) = encode("gemini-2.5-pro", &task(true, false));
    assert_eq!(path, format!("{START}/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"));
    let (path, body) = encode("gemini-2.5-pro", &task(false, true));
    assert_eq!(path, format!("{START}/google/models/gemini-2.5-pro:countTokens"));
    assert_eq!(body, json!({"contents": contents}));
}

#[test]
fn claude_is_asked_in_anthropics_format() {
    let (path, body) = encode("claude-sonnet-4-5@20250929", &task(true, false));
    assert_eq!(path, format!("{START}/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"));
    assert_eq!((body["anthropic_version"].as_str(), body.get("model")), (Some("2026-10-21"), None));
    assert_eq!((body["stream"].as_bool(), body["max_tokens"].as_u64()), (Some(true), Some(9)));
    let (path, _) = encode("publishers/anthropic/models/claude-x", &task(false, false));
    assert_eq!(path, format!("{START}/anthropic/models/claude-x:rawPredict"));
    let (path, body) = encode("publishers/anthropic/models/claude-x", &task(false, true));
    assert_eq!(path, format!("{START}/anthropic/models/count-tokens:rawPredict"));
    assert_eq!((&body["model"], &body["anthropic_version"]), (&json!("claude-x"), &json!("2026-10-21")));
    // The newest version has no sampling.
    let Task::Conversation(mut request) = task(false, false) else { panic!("is one") };
    request.temperature = Some(0.5);
    let (_, body) = encode("claude-sonnet-4-5@20250929", &Task::Conversation(request));
    assert_eq!(
        (&body["anthropic_version"], &body["temperature"]),
        (&json!("vertex-2023-10-16"), &json!(0.5))
    );
}

#[test]
fn clients_of_both_formats_keep_their_bytes() {
    let provider = Provider::for_tests(ProviderDialect::Vertex);
    let wanted = |model| Wanted { model, default_max_tokens: None, provider: &provider };
    let call = Call::of("POST", "/v1/models/x:generateContent").expect("is served");
    let body = br#"{"contents":[{"parts":[{"text":"q"}]}], "labels": {"a": "b"}}"#;
    let task = ClientDialect::decode(&call, body).expect("decodes");
    let adapted = adapt_contents(&call, body, &task, wanted("gemini-2.5-pro")).expect("adapts");
    assert_eq!(adapted.path, format!("{START}/google/models/gemini-2.5-pro:generateContent"));
    assert!(adapted.body.is_none());

    let call = Call::of("POST", "/v1/messages").expect("is served");
    let body = br#"{"model":"x","max_tokens":5, "new": 1.0,"messages":[{"role":"user","content":"q"}],"stream":true}"#;
    let task = ClientDialect::decode(&call, body).expect("decodes");
    let adapted = adapt_messages(&call, body, &task, wanted("claude-x")).expect("adapts");
    assert_eq!(adapted.path, format!("{START}/anthropic/models/claude-x:streamRawPredict"));
    let sent = String::from_utf8(adapted.body.expect("is changed")).expect("is text");
    let expected = r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":5, "new": 1.0,"messages":[{"role":"user","content":"q"}],"stream":true}"#;
    assert_eq!(sent, expected);
    let named = Call { anthropic_version: Some("2026-10-21".to_owned()), ..call.clone() };
    let adapted = adapt_messages(&named, body, &task, wanted("claude-x")).expect("adapts");
    let sent = String::from_utf8(adapted.body.expect("is changed")).expect("is text");
    assert_eq!(sent, expected.replace("vertex-2023-10-16", "2026-10-21"));
}

#[test]
fn answers_and_errors_are_those_of_the_model() {
    let gemini = br#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
    let claude = br#"{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#;
    for (model, body) in [("gemini-x", &gemini[..]), ("claude-x", claude)] {
        match decode_outcome(TaskKind::Conversation, model, body).expect("decodes") {
            Outcome::Conversation(answer) => assert_eq!(answer.choices[0].parts.len(), 1),
            outcome => panic!("no answer: {outcome:?}"),
        }
    }
    for body in [
        &br#"{"error":{"code":429,"message":"Slow.","status":"RESOURCE_EXHAUSTED"}}"#[..],
        br#"[{"error":{"code":429,"message":"Slow."}}]"#,
        br#"{"type":"error","error":{"type":"rate_limit_error","message":"Slow."}}"#,
    ] {
        let failure = decode_failure(429, body);
        assert_eq!((failure.status, &*failure.message), (429, "Slow."));
    }
}
