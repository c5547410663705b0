//! Tests of what the cases shared by all providers don't show of a request.

use serde_json::{Value, json};

use crate::conversation::{Message, Part, Reasoning, Request, Role};
use crate::dialect::{ClientDialect, Lacks, Wanted};
use crate::json::Text;

use super::encode_request;

fn written(request: &Request<'_>, default_max_tokens: Option<u32>) -> (Value, Lacks) {
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    let wanted = Wanted { model: "claude-sonnet-4-5", default_max_tokens };
    let encoded = encode_request(request, wanted, &mut lacks).expect("can be written");
    (serde_json::from_slice(&encoded.body).expect("is JSON"), lacks)
}

/// What becomes of these messages of OpenAI's dialect.
fn messages(messages: &Value) -> (Value, Lacks) {
    let body = json!({"model": "m", "messages": messages}).to_string();
    let request = ClientDialect::OpenAiChat.decode(body.as_bytes()).expect("reads");
    let (mut body, lacks) = written(&request, None);
    (body["messages"].take(), lacks)
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": ""}})
}

#[test]
fn documents_are_carried_and_ids_of_another_vendor_are_not() {
    let file = |file: Value| json!({"type": "file", "file": file});
    let (messages, lacks) = messages(&json!([{"role": "user", "content": [
        file(json!({"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"})),
        file(json!({"file_data": "data:text/plain;base64,aMOp"})),
        file(json!({"file_data": "data:text/plain;base64,/w=="})),
        file(json!({"file_data": "data:application/zip;base64,UEs="})),
        file(json!({"file_id": "file-1"})),
    ]}]));
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="});
    let text = json!({"type": "text", "media_type": "text/plain", "data": "hé"});
    let content = json!([
        {"type": "document", "source": pdf, "title": "a.pdf"},
        {"type": "document", "source": text},
    ]);
    assert_eq!(messages, json!([{"role": "user", "content": content}]));
    let refused = [2, 3, 4].map(|position| format!("messages[0].content[{position}].file"));
    assert_eq!(lacks.contents(), refused);
}

#[test]
fn results_come_first_wherever_they_stand() {
    let (messages, lacks) = messages(&json!([
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": "", "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": "And?"},
        {"role": "tool", "tool_call_id": "a", "content": ""},
    ]));
    let uses = ["a", "b"].map(|id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}}));
    let answers = json!([
        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "2"}]},
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "text", "text": "And?"},
    ]);
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "Go."}]},
        {"role": "assistant", "content": uses},
        {"role": "user", "content": answers},
    ]);
    assert_eq!((messages, lacks), (expected, Lacks::new(ClientDialect::OpenAiChat)));
}

#[test]
fn only_signed_thinking_goes_back() {
    let thinking = |text: &'static str, signature: Option<&'static str>| {
        Part::Reasoning(Reasoning { text: Text::from(text), signature: signature.map(Text::from) })
    };
    let message = |role, parts| Message { role, name: None, parts };
    let parts = vec![thinking("A", None), thinking("B", Some("sig")), Part::Text(Text::from("C"))];
    let messages =
        vec![message(Role::User, vec![Part::Text(Text::from("Q"))]), message(Role::Assistant, parts)];
    let (body, lacks) = written(&Request { messages, ..Request::default() }, Some(500));
    let content = json!([
        {"type": "thinking", "thinking": "B", "signature": "sig"},
        {"type": "text", "text": "C"},
    ]);
    assert_eq!(body["messages"][1]["content"], content);
    assert_eq!((&body["max_tokens"], lacks), (&json!(500), Lacks::new(ClientDialect::OpenAiChat)));
}

#[test]
fn without_tools_nothing_is_chosen_among_them() {
    let chosen = |choice: &str| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "Q"}], "tool_choice": choice,
            "parallel_tool_calls": false});
        let body = body.to_string();
        let request = ClientDialect::OpenAiChat.decode(body.as_bytes()).expect("reads");
        written(&request, None).0["tool_choice"].take()
    };
    assert_eq!((chosen("auto"), chosen("none")), (Value::Null, Value::Null));
    assert_eq!(chosen("required"), json!({"type": "any", "disable_parallel_tool_use": true}));
}
