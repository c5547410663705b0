use serde_json::{Value, json};

use super::*;
use crate::conversation::{Part, Reasoning};

const OLD: &str = "gemini-2.5-flash";
const NEW: &str = "gemini-3-pro";

fn message(role: Role, parts: Vec<Part<'static>>) -> Message<'static> {
    Message { role, name: None, parts }
}

fn call(id: &'static str, arguments: &'static str, signature: Option<&'static str>) -> Part<'static> {
    let signature = signature.map(Into::into);
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: format!("f{id}").into(),
        arguments: arguments.into(),
        signature,
    })
}

fn result(call: &'static str, parts: Vec<Part<'static>>) -> Message<'static> {
    message(Role::Tool, vec![Part::ToolResult(ToolResult { call: call.into(), parts })])
}

fn media(kind: MediaKind, source: MediaSource<'static>) -> Part<'static> {
    Part::Media(Media { kind, source, path: "messages[0].content[0].x".to_owned() })
}

fn read(messages: Vec<Message<'static>>, model: &str) -> Result<(Value, Value, Vec<String>), Failure> {
    let request = Request { messages, ..Request::default() };
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    let messages = Messages::read(&request, Model::named(model), &mut lacks)?;
    let system = serde_json::to_value(&messages.system).expect("serialises");
    let contents = serde_json::to_value(&messages.contents).expect("serialises");
    Ok((system, contents, lacks.contents().to_vec()))
}

#[test]
fn neighbours_merge_and_results_stand_apart() {
    let (system, contents, _) = read(
        vec![
            message(Role::System, vec![Part::Text("S1".into()), Part::Text("".into())]),
            message(Role::User, vec![Part::Text("a".into())]),
            message(Role::System, vec![Part::Text("S2".into())]),
            message(Role::User, vec![Part::Text("b".into())]),
            message(
                Role::Assistant,
                vec![Part::Text("".into()), call("1", "", None), call("2", r#" {"x":1} "#, None)],
            ),
            result("2", vec![Part::Text("two".into()), Part::Text("\n2".into())]),
            result("1", vec![]),
            message(Role::User, vec![Part::Text("c".into())]),
        ],
        NEW,
    )
    .expect("reads");
    assert_eq!(system, json!([{"text": "S1"}, {"text": "S2"}]));
    assert_eq!(
        contents,
        json!([
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "1", "name": "f1", "args": {}},
                 "thoughtSignature": "skip_thought_signature_validator"},
                {"functionCall": {"id": "2", "name": "f2", "args": {"x": 1}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "2", "name": "f2", "response": {"output": "two\n2"}}},
                {"functionResponse": {"id": "1", "name": "f1", "response": {"output": ""}}},
            ]},
            {"role": "user", "parts": [{"text": "c"}]},
        ])
    );
}

#[test]
fn signatures_are_ours_only_where_they_are_needed() {
    let signatures = |signature, model| {
        let parts = vec![call("1", "{}", signature), call("2", "{}", None)];
        let (_, contents, _) = read(vec![message(Role::Assistant, parts)], model).expect("reads");
        let parts = &contents[0]["parts"];
        (parts[0]["thoughtSignature"].clone(), parts[1]["thoughtSignature"].clone())
    };
    assert_eq!(signatures(Some("sig"), NEW), (json!("sig"), json!(null)));
    assert_eq!(signatures(Some("sig"), OLD), (json!("sig"), json!(null)));
    assert_eq!(signatures(None, OLD), (json!(null), json!(null)));
}

#[test]
fn contradictions_are_named() {
    let path = |messages| read(messages, NEW).unwrap_err().parameter.unwrap_or_default();
    let user = || message(Role::User, vec![Part::Text("a".into())]);
    assert_eq!(path(vec![user(), result("1", vec![])]), "messages[1].tool_call_id");
    for arguments in ["[]", "null", "{", "{} x", "1"] {
        let parts = vec![call("1", "{}", None), call("2", arguments, None)];
        assert_eq!(
            path(vec![message(Role::Assistant, parts)]),
            "messages[0].tool_calls[1].function.arguments"
        );
    }
    assert_eq!(path(vec![user(), message(Role::User, vec![Part::Text("".into())])]), "messages[1].content");
    assert_eq!(path(vec![message(Role::System, vec![Part::Text("s".into())])]), "messages");
}

#[test]
fn media_go_in_place_or_by_their_public_address() {
    let base64 = |kind: &'static str| MediaSource::Base64 {
        media_type: kind.into(),
        data: "QQ==".into(),
        file_name: None,
    };
    let url = |url: &'static str| media(MediaKind::Image, MediaSource::Url(url.into()));
    let parts = vec![
        media(MediaKind::Image, base64("image/png")),
        media(MediaKind::Audio, base64("audio/wav")),
        url("https://x.test/a.b/cat.JPG?size=1.png#x.gif"),
        url("HTTPS://host.png"),
        url("http://x.test/a.png"),
        url("data:text/plain,a"),
        media(MediaKind::File, MediaSource::File("file-1".into())),
    ];
    let (_, contents, lacks) = read(vec![message(Role::User, parts)], NEW).expect("reads");
    assert_eq!(
        contents[0]["parts"],
        json!([
            {"inlineData": {"mimeType": "image/png", "data": "QQ=="}},
            {"inlineData": {"mimeType": "audio/wav", "data": "QQ=="}},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.test/a.b/cat.JPG?size=1.png#x.gif"}},
            {"fileData": {"fileUri": "HTTPS://host.png"}},
        ])
    );
    let path = "messages[0].content[0].x";
    assert_eq!(lacks, [format!("{path}.url"), format!("{path}.url"), path.to_owned()]);
}

#[test]
fn a_message_of_nothing_but_what_is_lacking_is_no_contradiction() {
    let image = media(MediaKind::Image, MediaSource::Url("ftp://x".into()));
    let (_, contents, lacks) = read(vec![message(Role::User, vec![image])], NEW).expect("reads");
    assert_eq!((contents, lacks.len()), (json!([]), 1));
    let image = media(MediaKind::File, MediaSource::File("f".into()));
    let messages = vec![message(Role::User, vec![image]), result("lost", vec![])];
    assert_eq!(read(messages, NEW).expect("reads").2.len(), 1);
}

#[test]
fn thoughts_stay_at_home() {
    let thought = Part::Reasoning(Reasoning { text: "hm".into(), signature: None });
    let refusal = Part::Refusal("no".into());
    let (_, contents, _) = read(vec![message(Role::Assistant, vec![thought, refusal])], NEW).expect("reads");
    assert_eq!(contents, json!([{"role": "model", "parts": [{"text": "no"}]}]));
}
