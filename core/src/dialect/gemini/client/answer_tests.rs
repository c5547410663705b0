use serde_json::{Value, json};

use super::*;
use crate::conversation::{Choice, Maker, Place, Reasoning, Signature, ToolCall};

fn call(
    id: &'static str,
    arguments: &'static str,
    signature: Option<Signature<'static>>,
) -> conversation::Part<'static> {
    let (id, name, arguments) = (id.into(), "f".into(), arguments.into());
    conversation::Part::ToolCall(ToolCall {
        id,
        name,
        arguments,
        custom: false,
        signature,
        at: Place::default(),
    })
}

fn choice(parts: Vec<conversation::Part<'static>>, finish: Finish) -> Choice<'static> {
    Choice { index: 0, parts, finish, stop: None, logprobs: None }
}

fn encode(answer: &Answer<'_>) -> Value {
    let asked = Asked { model: "asked".to_owned(), ..Asked::default() };
    serde_json::from_slice(&encode_answer(answer, &asked)).expect("is JSON")
}

fn one(parts: Vec<conversation::Part<'static>>, finish: Finish) -> Value {
    let answer = Answer { choices: vec![choice(parts, finish)], ..Answer::default() };
    encode(&answer)["candidates"][0].clone()
}

#[test]
fn an_answer_has_its_parts_in_order() {
    let thought = Reasoning {
        text: "hm".into(),
        signature: Some(Signature { maker: Maker::Gemini, value: "QUJD".into() }),
        ..Reasoning::default()
    };
    let parts = vec![
        conversation::Part::Reasoning(thought),
        conversation::Part::Text("a".into()),
        call("1", r#"{"x": 1}"#, None),
        call("", " ", Some(Signature { maker: Maker::Gemini, value: "REVG".into() })),
    ];
    let usage =
        Usage { input: 10, cached_input: 4, output: 9, reasoning: 5, image_input: 3, ..Usage::default() };
    let answer = Answer {
        id: Some("r1".into()),
        model: Some("m".into()),
        choices: vec![choice(parts, Finish::ToolCalls)],
        usage: Some(usage),
    };
    assert_eq!(
        encode(&answer),
        json!({
            "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
                {"text": "hm", "thought": true, "thoughtSignature": "QUJD"},
                {"text": "a"},
                {"functionCall": {"id": "1", "name": "f", "args": {"x": 1}}, "thoughtSignature": signature::NONE},
                {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "REVG"},
            ]}}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 4, "thoughtsTokenCount": 5,
                "cachedContentTokenCount": 4, "totalTokenCount": 19, "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 7}, {"modality": "IMAGE", "tokenCount": 3}]},
            "modelVersion": "m", "responseId": "r1",
        })
    );
}

#[test]
fn endings_have_googles_words() {
    let reason = |parts, finish| {
        let candidate = one(parts, finish);
        (candidate["finishReason"].as_str().map(str::to_owned), candidate["finishMessage"].clone())
    };
    let word = |word: &str| (Some(word.to_owned()), json!(null));
    assert_eq!(reason(vec![], Finish::Stop), word("STOP"));
    assert_eq!(reason(vec![], Finish::Length), word("MAX_TOKENS"));
    assert_eq!(reason(vec![], Finish::ContentFilter), word("SAFETY"));
    let refusal =
        || vec![conversation::Part::Refusal("I ".into()), conversation::Part::Refusal("won't.".into())];
    for finish in [Finish::Stop, Finish::ContentFilter] {
        assert_eq!(reason(refusal(), finish), (Some("SAFETY".to_owned()), json!("I won't.")));
    }
    for broken in ["[1]", "{", "x"] {
        let candidate = one(vec![call("1", broken, None)], Finish::ToolCalls);
        assert_eq!(candidate["finishReason"], "MALFORMED_FUNCTION_CALL");
        assert_eq!(candidate["content"]["parts"], json!([]));
    }
}

#[test]
fn thinking_of_other_vendors_comes_back() {
    let hidden = Some(Signature { maker: Maker::OpenAi, value: "gAAA".into() });
    let thought = Reasoning { text: "hm".into(), hidden, id: Some("rs_1".into()), signature: None };
    let part = &one(vec![conversation::Part::Reasoning(thought)], Finish::Stop)["content"]["parts"][0];
    assert_eq!((&part["text"], &part["thought"]), (&json!("hm"), &json!(true)));
    let text = part["thoughtSignature"].as_str().expect("is there").to_owned();
    let found = signature::read(text.into());
    let hidden = found.hidden.expect("is there");
    assert_eq!((hidden.of(Maker::OpenAi), found.id.as_deref()), (Some("gAAA"), Some("rs_1")));
}

#[test]
fn chances_stand_beside_their_tokens() {
    let chance = |token: &'static str, logprob| TokenChance { token: token.into(), logprob };
    let tokens =
        vec![TokenLogprob { chosen: chance("a", -0.5), top: vec![chance("a", -0.5), chance("b", -2.0)] }];
    let mut choice = choice(vec![], Finish::Stop);
    choice.logprobs = Some(tokens);
    let answer = Answer { choices: vec![choice], ..Answer::default() };
    assert_eq!(
        encode(&answer)["candidates"][0]["logprobsResult"],
        json!({"chosenCandidates": [{"token": "a", "logProbability": -0.5}],
            "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5}, {"token": "b", "logProbability": -2.0}]}]})
    );
    assert_eq!(encode(&answer)["modelVersion"], "asked");
}

#[test]
fn a_count_is_a_total() {
    let count = |cached_input| {
        String::from_utf8(encode_count(TokenCount { input: 7, cached_input })).expect("is text")
    };
    assert_eq!(count(0), r#"{"totalTokens":7}"#);
    assert_eq!(count(2), r#"{"totalTokens":7,"cachedContentTokenCount":2}"#);
}
