use serde_json::{Value, json};

use super::*;
use crate::conversation::{Maker, MediaKind, MediaSource, Place, Role, Signature};
use crate::dialect::openai::responses::decode_request;

fn asked() -> Asked {
    Asked { model: "m".to_owned(), custom_tools: vec!["apply_patch".to_owned()], ..Asked::default() }
}

fn signature(maker: Maker) -> Signature<'static> {
    Signature { maker, value: Text::from("c2ln") }
}

fn call(name: &'static str, arguments: &'static str, custom: bool, signed: bool) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: "call_1".into(),
        name: name.into(),
        arguments: arguments.into(),
        custom,
        signature: signed.then(|| signature(Maker::Gemini)),
        at: Place::default(),
    })
}

fn thinking(text: &'static str, signed: Option<Maker>, hidden: Option<Maker>) -> Part<'static> {
    let (signature, hidden) = (signed.map(signature), hidden.map(signature));
    Part::Reasoning(Reasoning { text: text.into(), signature, hidden, id: None })
}

fn answer(parts: Vec<Part<'static>>, finish: Finish) -> Answer<'static> {
    let choice = Choice { index: 0, parts, finish, stop: None, logprobs: None };
    Answer { id: Some("msg_1".into()), model: None, choices: vec![choice], usage: None }
}

fn encoded(parts: Vec<Part<'static>>, finish: Finish) -> Value {
    serde_json::from_slice(&encode_answer(&answer(parts, finish), &asked(), 7)).expect("is JSON")
}

/// What a client sends back of an answer, as it is read: without positions, and without the ids that it was given.
fn back(response: &Value) -> String {
    let body = json!({"model": "m", "input": response["output"]}).to_string();
    let mut request = decode_request(body.as_bytes()).expect("is a request");
    assert_eq!(request.others, []);
    assert_eq!(request.messages.len(), 1);
    let message = request.messages.remove(0);
    assert_eq!(message.role, Role::Assistant);
    shown(message.parts)
}

fn shown(mut parts: Vec<Part<'_>>) -> String {
    for part in &mut parts {
        match part {
            Part::Reasoning(reasoning) => reasoning.id = None,
            Part::ToolCall(call) => call.at = Place::default(),
            Part::Media(media) => media.at = Place::default(),
            _ => {}
        }
    }
    format!("{parts:?}")
}

#[test]
fn everything_that_a_model_says_comes_back() {
    let image = || {
        let source =
            MediaSource::Base64 { media_type: "image/webp".into(), data: "AAAA".into(), file_name: None };
        Part::Media(Media { kind: MediaKind::Image, source, at: Place::default() })
    };
    let sets: [fn() -> Vec<Part<'static>>; 8] = [
        || vec![Part::Text("a".into()), Part::Text("b".into()), Part::Refusal("no".into())],
        || vec![thinking("hm", Some(Maker::Anthropic), None), Part::Text("a".into())],
        || vec![thinking("", Some(Maker::Anthropic), None), thinking("", None, Some(Maker::Anthropic))],
        || vec![thinking("hm", None, Some(Maker::OpenAi)), call("f", "{\"a\":1}", false, false)],
        || vec![call("f", "{}", false, true), call("g", "{}", false, false)],
        || vec![thinking("hm", None, None), call("f", "{}", false, true)],
        || vec![thinking("hm", Some(Maker::Gemini), None), call("f", "{}", false, true)],
        || {
            vec![
                Part::Text("a".into()),
                thinking("", Some(Maker::Gemini), None),
                call("apply_patch", "*", true, false),
            ]
        },
    ];
    for set in sets {
        assert_eq!(back(&encoded(set(), Finish::Stop)), shown(set()));
    }
    assert_eq!(back(&encoded(vec![image()], Finish::Stop)), shown(vec![image()]));
}

#[test]
fn thinking_that_is_both_signed_and_hidden_comes_back_in_two() {
    let response = encoded(vec![thinking("hm", Some(Maker::Anthropic), Some(Maker::OpenAi))], Finish::Stop);
    let expected =
        vec![thinking("hm", Some(Maker::Anthropic), None), thinking("", None, Some(Maker::OpenAi))];
    assert_eq!(back(&response), shown(expected));
}

#[test]
fn a_custom_tool_that_was_offered_as_a_function_is_custom_again() {
    let response =
        encoded(vec![call("apply_patch", r#"{"input":"*** \"x\""}"#, false, false)], Finish::ToolCalls);
    let expected = json!([{
        "type": "custom_tool_call", "id": "ctc_sluice_msg_1_0", "status": "completed", "call_id": "call_1",
        "name": "apply_patch", "input": "*** \"x\"",
    }]);
    assert_eq!(response["output"], expected);
    for odd in ["{\"input\":", "{\"input\":\"x\",\"more\":1}", "plain"] {
        assert_eq!(custom_input(odd), odd);
    }
}

#[test]
fn the_end_of_an_answer_has_its_words() {
    for (finish, status, reason) in [
        (Finish::Stop, "completed", Value::Null),
        (Finish::ToolCalls, "completed", Value::Null),
        (Finish::Length, "incomplete", json!({"reason": "max_output_tokens"})),
        (Finish::ContentFilter, "incomplete", json!({"reason": "content_filter"})),
    ] {
        let parts = vec![Part::Text("a".into()), call("f", "{", false, false)];
        let response = encoded(parts, finish);
        assert_eq!(response["status"], status);
        assert_eq!(response["incomplete_details"], reason);
        assert_eq!(response["output"][0]["status"], "completed");
        assert_eq!(response["output"][1]["status"], status);
    }
    assert_eq!(encoded(Vec::new(), Finish::Stop)["output"], json!([]));
}

#[test]
fn the_frame_tells_whose_answer_it_is_and_what_it_used() {
    let chance = |token: &'static str| TokenChance { token: token.into(), logprob: -0.5 };
    let mut answer = answer(vec![Part::Text("hé".into())], Finish::Stop);
    answer.choices[0].logprobs = Some(vec![TokenLogprob { chosen: chance("hé"), top: vec![chance("x")] }]);
    answer.model = Some("claude".into());
    answer.usage = Some(Usage {
        input: 9,
        cached_input: 4,
        cache_write: 3,
        output: 5,
        reasoning: 2,
        ..Usage::default()
    });
    let echo =
        super::super::echo(br#"{"model":"m","input":"x","instructions":"be","tools":[],"temperature":0.5}"#);
    let response = encode_answer(&answer, &Asked { echo, ..asked() }, 7);
    let response: Value = serde_json::from_slice(&response).expect("is JSON");
    assert_eq!(response["id"], "resp_sluice_msg_1");
    assert_eq!((&response["created_at"], &response["model"]), (&json!(7), &json!("claude")));
    assert_eq!((&response["instructions"], &response["temperature"]), (&json!("be"), &json!(0.5)));
    assert_eq!(
        response["usage"],
        json!({
            "input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
            "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 14,
        })
    );
    let top = json!([{"token": "x", "bytes": [120], "logprob": -0.5}]);
    let logprob = json!({"token": "hé", "bytes": [104, 195, 169], "logprob": -0.5, "top_logprobs": top});
    assert_eq!(response["output"][0]["content"][0]["logprobs"], json!([logprob]));
}
