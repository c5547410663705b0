//! Tests of the Embeddings API as clients speak it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::usage::Usage;

fn texts(request: &Request<'_>) -> Vec<String> {
    let text = |input: &Input<'_>| match input {
        Input::Text(text) => text.to_string(),
        Input::Tokens(tokens) => format!("tokens {}", tokens.get()),
    };
    request.inputs.iter().map(text).collect()
}

fn inputs(input: &str) -> Result<Vec<String>, Failure> {
    let body = format!(r#"{{"model":"m","input":{input}}}"#);
    decode_request(body.as_bytes()).map(|request| texts(&request))
}

fn encoded(vectors: Vec<Vector<'_>>, echo: &[u8]) -> Result<Value, Failure> {
    let usage = Some(Usage { input: 7, ..Usage::default() });
    let answer = Answer { id: None, model: None, vectors, usage };
    let asked = Asked { model: "asked".to_owned(), echo: echo.to_vec(), ..Asked::default() };
    encode_answer(&answer, &asked, 7).map(|body| serde_json::from_slice(&body).expect("is JSON"))
}

#[test]
fn every_form_of_input_is_read() {
    assert_eq!(inputs(r#""a\n""#).expect("reads"), ["a\n"]);
    assert_eq!(inputs(r#"["a", "b"]"#).expect("reads"), ["a", "b"]);
    assert_eq!(inputs("[1, 2]").expect("reads"), ["tokens [1, 2]"]);
    assert_eq!(inputs("[[1], [2,3]]").expect("reads"), ["tokens [1]", "tokens [2,3]"]);
}

#[test]
fn a_fault_is_named() {
    for (input, path, code) in [
        ("[]", "input", "invalid_value"),
        ("null", "input", "missing_required_parameter"),
        ("7", "input", "invalid_type"),
        (r#"["a", 1]"#, "input[1]", "invalid_type"),
        (r#"[1, "a"]"#, "input[1]", "invalid_type"),
        ("[[1], []]", "input[1]", "invalid_type"),
        ("[[-1]]", "input[0]", "invalid_type"),
    ] {
        let failure = inputs(input).expect_err(input);
        assert_eq!(
            (failure.parameter.as_deref(), failure.code.as_deref()),
            (Some(path), Some(code)),
            "{input}"
        );
    }
    for (body, path) in [
        (r#"{"input":"a"}"#, "model"),
        (r#"{"model":"","input":"a"}"#, "model"),
        (r#"{"model":"m","input":"a","dimensions":0}"#, "dimensions"),
        (r#"{"model":"m","input":"a","encoding_format":"int8"}"#, "encoding_format"),
    ] {
        assert_eq!(decode_request(body.as_bytes()).expect_err(body).parameter.as_deref(), Some(path));
    }
}

#[test]
fn nothing_that_is_said_is_lost() {
    let body = br#"{"model":"m","input":"a","dimensions":3,"user":"u","encoding_format":"float","input_type":"query",
        "extra":{"x":1},"none":null}"#;
    let request = decode_request(body).expect("reads");
    assert_eq!((request.dimensions, request.user.as_deref()), (Some(3), Some("u")));
    assert_eq!(request.purpose.as_deref(), Some("search_query"));
    assert_eq!(request.others, [Other { path: "extra".to_owned(), content: false }]);
    let odd = decode_request(br#"{"model":"m","input":"a","input_type":"odd"}"#).expect("reads");
    assert_eq!((odd.purpose, odd.others[0].path.as_str()), (None, "input_type"));
}

#[test]
fn only_base64_is_kept_for_the_answer() {
    assert_eq!(echo(br#"{"encoding_format":"base64"}"#), b"base64");
    for body in [&br#"{"encoding_format":"float"}"#[..], b"{}", b"[", br#"{"encoding_format":1}"#] {
        assert!(echo(body).is_empty());
    }
}

#[test]
fn vectors_are_written_as_they_were_asked_for() {
    let numbers = || Vector::Numbers(json::read(b"[0.5, -1e-3]").expect("is JSON"));
    let base64 = || Vector::Base64(Text::from("AAAAP28Sg7o="));
    let expected = json!({
        "object": "list", "model": "asked", "usage": {"prompt_tokens": 7, "total_tokens": 7},
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -0.001]},
            {"object": "embedding", "index": 1, "embedding": [0.5, -0.001]},
        ],
    });
    assert_eq!(encoded(vec![numbers(), numbers()], b"").expect("writes"), expected);
    let decoded = encoded(vec![base64(), base64()], b"").expect("writes");
    assert_eq!(decoded["data"][1]["embedding"][0], 0.5);
    let written = encoded(vec![numbers(), base64()], b"base64").expect("writes");
    assert_eq!(written["data"][0]["embedding"], "AAAAP28Sg7o=");
    assert_eq!(written["data"][1]["embedding"], "AAAAP28Sg7o=");
}

#[test]
fn a_vector_that_is_none_is_the_providers_fault() {
    let not_a_number = BASE64_STANDARD.encode(f32::NAN.to_le_bytes());
    for text in ["AAA=", "*", &not_a_number] {
        let failure = encoded(vec![Vector::Base64(Text::from(text))], b"").expect_err(text);
        assert_eq!(failure.status, 502);
    }
    let numbers = json::read(b"[\"a\"]").expect("is JSON");
    assert_eq!(encoded(vec![Vector::Numbers(numbers)], b"base64").expect_err("is none").status, 502);
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..64), position in 0..80_usize) {
        let _ = decode_request(&bytes);
        let mut body = br#"{"model":"m","input":[[1,2],"a"],"dimensions":3,"encoding_format":"base64"}"#.to_vec();
        let position = position % body.len();
        body.splice(position..=position, bytes);
        let _ = decode_request(&body);
        let _ = echo(&body);
    }

    #[test]
    fn numbers_survive_base64(numbers in prop::collection::vec(-1e30_f32..1e30, 1..8)) {
        let text = serde_json::to_string(&numbers).expect("writes");
        let vector = Vector::Numbers(json::read(text.as_bytes()).expect("is JSON"));
        let base64 = encoded(vec![vector], b"base64").expect("writes");
        let base64 = base64["data"][0]["embedding"].as_str().expect("is text").to_owned();
        let back = encoded(vec![Vector::Base64(Text::from(base64))], b"").expect("writes");
        let back: Vec<f32> = serde_json::from_value(back["data"][0]["embedding"].clone()).expect("are numbers");
        prop_assert_eq!(back, numbers);
    }
}
