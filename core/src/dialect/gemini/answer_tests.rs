use super::*;
use crate::usage::Usage;

fn decode(body: &str) -> Answer<'_> {
    decode_answer(body.as_bytes()).expect("decodes")
}

fn call_of<'a>(part: &'a conversation::Part<'a>) -> &'a ToolCall<'a> {
    match part {
        conversation::Part::ToolCall(call) => call,
        part => panic!("no call: {part:?}"),
    }
}

#[test]
fn parts_keep_their_order_and_kind() {
    let answer = decode(
        r#"{"responseId":"r1","modelVersion":"gemini-x","candidates":[{"finishReason":"STOP","content":{"role":"model",
        "parts":[{"text":"hm","thought":true},{"text":"a"},{"text":"","thoughtSignature":"s0"},
        {"functionCall":{"name":"f","args":{ "x" : "a \" b",
          "y": [1, 2] }},"thoughtSignature":"s1"},
        {"functionCall":{"id":"own","name":"g"}},{"inlineData":{}}]}}],
        "usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":5,
        "thoughtsTokenCount":3,"toolUsePromptTokenCount":2,"totalTokenCount":20,
        "promptTokensDetails":[{"modality":"TEXT","tokenCount":6},{"modality":"IMAGE","tokenCount":3},{"modality":"AUDIO","tokenCount":1}],
        "cacheTokensDetails":[{"modality":"TEXT","tokenCount":3},{"modality":"AUDIO","tokenCount":1}]}}"#,
    );
    let choice = &answer.choices[0];
    assert_eq!((choice.index, choice.finish, choice.parts.len()), (0, Finish::ToolCalls, 5));
    assert!(matches!(&choice.parts[0], conversation::Part::Reasoning(thought) if &*thought.text == "hm"));
    assert!(matches!(&choice.parts[1], conversation::Part::Text(text) if &**text == "a"));
    // A signature that came with no words stands for the thinking behind what was said.
    assert!(
        matches!(&choice.parts[2], conversation::Part::Reasoning(Reasoning { text, signature: Some(signature), .. })
        if text.is_empty() && signature.of(Maker::Gemini) == Some("s0"))
    );
    let first = call_of(&choice.parts[3]);
    assert_eq!((&*first.id, &*first.name), ("call_r1_0", "f"));
    assert_eq!(&*first.arguments, r#"{"x":"a \" b","y":[1,2]}"#);
    assert_eq!(first.signature.as_ref().and_then(|signature| signature.of(Maker::Gemini)), Some("s1"));
    let second = call_of(&choice.parts[4]);
    assert_eq!((&*second.id, &*second.arguments), ("own", "{}"));
    assert_eq!((answer.id.as_deref(), answer.model.as_deref()), (Some("r1"), Some("gemini-x")));
    assert_eq!(
        answer.usage,
        Some(Usage {
            input: 12,
            cached_input: 4,
            output: 8,
            reasoning: 3,
            image_input: 3,
            audio_input: 1,
            cached_audio_input: 1,
            ..Usage::default()
        })
    );
}

#[test]
fn reasons_become_ours() {
    let finish = |reason: &str| {
        decode_answer(format!(r#"{{"candidates":[{{"finishReason":"{reason}"}}]}}"#).as_bytes())
            .map(|answer| answer.choices[0].finish)
            .map_err(|failure| (failure.status, failure.code.unwrap_or_default(), failure.message))
    };
    assert_eq!(finish("STOP"), Ok(Finish::Stop));
    assert_eq!(finish("SOMETHING_NEW"), Ok(Finish::Stop));
    assert_eq!(finish("MAX_TOKENS"), Ok(Finish::Length));
    assert_eq!(finish("ESCALATION"), Ok(Finish::ContentFilter));
    let malformed = (502, "malformed_function_call".into(), "The model's answer was malformed.".into());
    assert_eq!(finish("MALFORMED_FUNCTION_CALL"), Err(malformed));
}

#[test]
fn what_was_held_back_says_so() {
    let refusals = |body| {
        let answer = decode(body);
        let choice = &answer.choices[0];
        assert_eq!(choice.finish, Finish::ContentFilter);
        choice
            .parts
            .iter()
            .map(|part| match part {
                conversation::Part::Refusal(text) => text.to_string(),
                part => panic!("no refusal: {part:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(refusals(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#), [""; 0]);
    assert_eq!(
        refusals(r#"{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"No."},"candidates":[]}"#),
        ["No."]
    );
    assert_eq!(
        refusals(r#"{"candidates":[{"finishReason":"SPII","finishMessage":"Too personal."}]}"#),
        ["Too personal."]
    );
}

#[test]
fn chances_stand_beside_their_tokens() {
    let answer = decode(
        r#"{"candidates":[{"index":1,"finishReason":"STOP","logprobsResult":{
        "chosenCandidates":[{"token":"a","tokenId":1,"logProbability":-0.5},{"token":"b"}],
        "topCandidates":[{"candidates":[{"token":"a","logProbability":-0.5},
            {"token":"c","logProbability":"-Infinity"}]}]}}]}"#,
    );
    assert_eq!(answer.choices[0].index, 1);
    let tokens = answer.choices[0].logprobs.as_deref().expect("there");
    assert_eq!((&*tokens[0].chosen.token, tokens[0].chosen.logprob), ("a", -0.5));
    assert_eq!((&*tokens[0].top[1].token, tokens[0].top[1].logprob), ("c", -9999.0));
    assert_eq!((&*tokens[1].chosen.token, tokens[1].chosen.logprob, tokens[1].top.len()), ("b", 0.0, 0));
}

#[test]
fn what_is_no_answer_is_a_failure() {
    let code = |body: &str| {
        let failure = decode_answer(body.as_bytes()).unwrap_err();
        (failure.status, failure.code.unwrap_or_default())
    };
    for body in ["", "{", "null", "[]", "{}", r#"{"candidates":[]}"#, r#"{"candidates":{}}"#] {
        assert_eq!(code(body), (502, "provider_malformed".into()), "{body}");
    }
    assert_eq!(code(r#"{"error":{"code":429,"message":"m"}}"#), (429, "rate_limit_exceeded".into()));
    assert_eq!(code(r#"[{"error":{"code":403}}]"#), (502, "provider_authentication".into()));
}

#[test]
fn text_of_arguments_is_borrowed_when_nothing_is_cut() {
    let compacted = |text: &'static str| compact(crate::json::read(text.as_bytes()).expect("is JSON"));
    assert!(matches!(compacted(r#"{"a":"b c\\","d":" "}"#), Cow::Borrowed(_)));
    assert_eq!(compacted(r#"{ "a\\" : " \" " ,"b":[ ] }"#), r#"{"a\\":" \" ","b":[]}"#);
}
