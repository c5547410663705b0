use serde_json::{Value, json};

use super::*;
use crate::conversation::{CacheMark, Part, Place};
use crate::dialect::ClientDialect;

const OLD: &str = "gemini-2.5-flash";
const NEW: &str = "gemini-3-pro";

fn message(role: Role, parts: Vec<Part<'static>>) -> Message<'static> {
    Message { role, name: None, parts, at: Place::default() }
}

/// The messages, each at its own place.
fn placed(messages: Vec<Message<'static>>) -> Vec<Message<'static>> {
    let place = |(index, message): (usize, Message<'static>)| {
        let mut calls = 0;
        let parts = message.parts.into_iter().map(|part| match part {
            Part::ToolCall(call) => {
                calls += 1;
                Part::ToolCall(ToolCall { at: Place::part(index, calls - 1), ..call })
            }
            Part::ToolResult(result) => Part::ToolResult(ToolResult { at: Place::item(index), ..result }),
            part => part,
        });
        Message { parts: parts.collect(), at: Place::item(index), ..message }
    };
    messages.into_iter().enumerate().map(place).collect()
}

fn signed(value: &'static str) -> Option<Signature<'static>> {
    Some(Signature { maker: Maker::Gemini, value: value.into() })
}

fn call(id: &'static str, arguments: &'static str, signature: Option<&'static str>) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: format!("f{id}").into(),
        arguments: arguments.into(),
        custom: false,
        signature: signature.and_then(signed),
        at: Place::default(),
    })
}

fn result(call: &'static str, parts: Vec<Part<'static>>) -> Message<'static> {
    let result = ToolResult { call: call.into(), parts, failed: false, at: Place::default() };
    message(Role::Tool, vec![Part::ToolResult(result)])
}

fn media(kind: MediaKind, source: MediaSource<'static>) -> Part<'static> {
    Part::Media(Media { kind, source, at: Place::default() })
}

fn read(messages: Vec<Message<'static>>, model: &str) -> Result<(Value, Value, Vec<String>), Failure> {
    let request = Request { messages: placed(messages), ..Request::default() };
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    let model = Model::named(model, Platform::Developer);
    let messages = Messages::read(&request, model, &mut lacks)?;
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
    let path = "messages[0].content[0]";
    let image = format!("{path}.image_url.url");
    assert_eq!(lacks, [image.clone(), image, format!("{path}.file")]);
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
fn only_signed_thoughts_go_back() {
    let thought = |text: &'static str, signature| {
        Part::Reasoning(Reasoning { text: text.into(), signature, ..Reasoning::default() })
    };
    let foreign = Some(Signature { maker: Maker::Anthropic, value: "s".into() });
    let parts = vec![
        thought("hm", None),
        thought("hm", foreign),
        thought("", signed("s0")),
        thought("hm", signed("s1")),
        Part::Text("a".into()),
        thought("", signed("s2")),
        Part::Refusal("no".into()),
    ];
    let (_, contents, _) = read(vec![message(Role::Assistant, parts)], NEW).expect("reads");
    assert_eq!(
        contents,
        json!([{"role": "model", "parts": [
            {"text": "", "thoughtSignature": "s0"},
            {"text": "hm", "thought": true, "thoughtSignature": "s1"},
            {"text": "a", "thoughtSignature": "s2"},
            {"text": "no"},
        ]}])
    );
}

#[test]
fn results_may_fail_and_hold_media() {
    let image = || {
        media(
            MediaKind::Image,
            MediaSource::Base64 { media_type: "image/png".into(), data: "QQ==".into(), file_name: None },
        )
    };
    let messages = || {
        let result = ToolResult {
            call: "1".into(),
            parts: vec![Part::Text("boom".into()), image()],
            failed: true,
            at: Place::default(),
        };
        vec![
            message(Role::Assistant, vec![call("1", "{}", None)]),
            message(Role::Tool, vec![Part::ToolResult(result)]),
        ]
    };
    let (_, contents, lacks) = read(messages(), NEW).expect("reads");
    assert_eq!(
        contents[1]["parts"],
        json!([{"functionResponse": {"id": "1", "name": "f1", "response": {"error": "boom"},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": "QQ=="}}]}}])
    );
    assert_eq!(lacks, [""; 0]);
    let (_, _, lacks) = read(messages(), OLD).expect("reads");
    assert_eq!(lacks, ["messages[0].content[0].image_url"]);
}

#[test]
fn a_custom_call_has_its_text_as_the_one_argument() {
    let custom = Part::ToolCall(ToolCall {
        id: "1".into(),
        name: "patch".into(),
        arguments: "*** \"x\"\n".into(),
        custom: true,
        signature: None,
        at: Place::default(),
    });
    let (_, contents, _) = read(vec![message(Role::Assistant, vec![custom])], OLD).expect("reads");
    assert_eq!(contents[0]["parts"][0]["functionCall"]["args"], json!({"input": "*** \"x\"\n"}));
}

#[test]
fn text_files_are_media_too() {
    let text = MediaSource::Text { text: "hé".into(), file_name: None };
    let parts = vec![
        media(MediaKind::File, text),
        media(MediaKind::Video, MediaSource::Url("https://youtu.be/x".into())),
    ];
    let (_, contents, _) = read(vec![message(Role::User, parts)], NEW).expect("reads");
    assert_eq!(
        contents[0]["parts"],
        json!([{"inlineData": {"mimeType": "text/plain", "data": "aMOp"}}, {"fileData": {"fileUri": "https://youtu.be/x"}}])
    );
}

#[test]
fn cloud_storage_is_vertex_ais_only() {
    let image = media(MediaKind::Image, MediaSource::Url("gs://bucket/a.png".into()));
    let request = Request { messages: vec![message(Role::User, vec![image])], ..Request::default() };
    let lacking = |platform| {
        let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
        Messages::read(&request, Model::named(NEW, platform), &mut lacks).expect("reads");
        lacks.contents().len()
    };
    assert_eq!((lacking(Platform::Developer), lacking(Platform::Vertex)), (1, 0));
}

#[test]
fn marks_for_a_cache_are_named_once() {
    let mark = || Part::CacheMark(CacheMark { ttl: None, at: Place::default() });
    let parts = vec![Part::Text("a".into()), mark(), Part::Text("b".into()), mark()];
    let request = Request { messages: vec![message(Role::User, parts)], ..Request::default() };
    let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
    Messages::read(&request, Model::named(NEW, Platform::Developer), &mut lacks).expect("reads");
    assert_eq!((lacks.omissions().len(), lacks.parameters().len()), (1, 0));
}
