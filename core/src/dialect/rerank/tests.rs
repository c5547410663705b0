//! Tests of rankings as clients ask for them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::Other;
use crate::dialect::Asked;
use crate::failure::Failure;
use crate::json::Text;
use crate::rerank::{Answer, Document, Ranked, Request};
use crate::usage::Usage;

type Decode = fn(&[u8]) -> Result<Request<'_>, Failure>;

const BOTH: [Decode; 2] = [decode_cohere, decode_jina];

#[test]
fn both_shapes_are_read() {
    let body = br#"{"model":"m","query":"q","documents":["a\n",{"text":"b"}],"top_n":3,"max_tokens_per_doc":9,"priority":0,
        "relevant_spans":{"mode":"disabled"},"return_documents":true,"rank_fields":["text"],"x":null}"#;
    for decode in BOTH {
        let request = decode(body).expect("reads");
        assert_eq!((&*request.model, &*request.query, request.top_n), ("m", "q", Some(3)));
        let [Document::Text(text), Document::Fields(fields)] = &request.documents[..] else {
            panic!("{:?}", request.documents);
        };
        assert_eq!((&**text, fields.get()), ("a\n", r#"{"text":"b"}"#));
    }
    let others = |decode: Decode| {
        let others = decode(body).expect("reads").others;
        others.into_iter().map(|other| other.path).collect::<Vec<_>>()
    };
    assert_eq!(others(decode_cohere), ["rank_fields"]);
    assert_eq!(others(decode_jina), ["max_tokens_per_doc", "rank_fields"]);
    assert_eq!(decode_cohere(body).expect("reads").max_tokens_per_document, Some(9));
    let spans = br#"{"model":"m","query":"q","documents":["a"],"relevant_spans":{"mode":"enabled"}}"#;
    assert_eq!(decode_cohere(spans).expect("reads").others[0].path, "relevant_spans");
}

#[test]
fn an_image_as_the_query_is_content_of_its_own() {
    let body = br#"{"model":"m","query":{"image":"https://x.test/a.png"},"documents":["a"]}"#;
    let request = decode_jina(body).expect("reads");
    assert_eq!(request.others, [Other { path: "query".to_owned(), content: true }]);
}

#[test]
fn a_fault_is_named() {
    for (body, path, code) in [
        (r#"{"query":"q","documents":["a"]}"#, "model", "missing_required_parameter"),
        (r#"{"model":"","query":"q","documents":["a"]}"#, "model", "invalid_value"),
        (r#"{"model":"m","documents":["a"]}"#, "query", "missing_required_parameter"),
        (r#"{"model":"m","query":1,"documents":["a"]}"#, "query", "invalid_type"),
        (r#"{"model":"m","query":"q"}"#, "documents", "missing_required_parameter"),
        (r#"{"model":"m","query":"q","documents":[]}"#, "documents", "invalid_value"),
        (r#"{"model":"m","query":"q","documents":["a",1]}"#, "documents[1]", "invalid_type"),
        (r#"{"model":"m","query":"q","documents":["a"],"top_n":0}"#, "top_n", "invalid_value"),
    ] {
        for decode in BOTH {
            let failure = decode(body.as_bytes()).expect_err(body);
            assert_eq!(
                (failure.parameter.as_deref(), failure.code.as_deref()),
                (Some(path), Some(code)),
                "{body}"
            );
        }
    }
}

fn answer() -> Answer<'static> {
    Answer {
        id: Some(Text::from("r")),
        model: None,
        results: vec![
            Ranked { index: 1, score: 0.98 },
            Ranked { index: 0, score: 0.25 },
            Ranked { index: 9, score: 0.0 },
        ],
        usage: Some(Usage { input: 5, ..Usage::default() }),
        searches: Some(2),
    }
}

fn asked(wish: &str) -> Asked {
    let body = format!(r#"{{"documents":["a",{{"title":"b"}}]{wish}}}"#);
    Asked { model: "target".to_owned(), echo: echo(body.as_bytes()), ..Asked::default() }
}

fn parsed(body: Vec<u8>) -> Value {
    serde_json::from_slice(&body).expect("is JSON")
}

#[test]
fn documents_come_back_to_who_wants_them() {
    let with = json!([
        {"index": 1, "relevance_score": 0.98, "document": {"title": "b"}},
        {"index": 0, "relevance_score": 0.25, "document": {"text": "a"}},
        {"index": 9, "relevance_score": 0.0},
    ]);
    let without = json!([
        {"index": 1, "relevance_score": 0.98},
        {"index": 0, "relevance_score": 0.25},
        {"index": 9, "relevance_score": 0.0},
    ]);
    let (wanted, unwanted) = (r#","return_documents":true"#, r#","return_documents":false"#);
    for (wish, cohere, jina) in
        [("", &without, &with), (wanted, &with, &with), (unwanted, &without, &without)]
    {
        assert_eq!(parsed(encode_cohere(&answer(), &asked(wish)))["results"], *cohere, "{wish}");
        assert_eq!(parsed(encode_jina(&answer(), &asked(wish)))["results"], *jina, "{wish}");
    }
    assert!(echo(b"{").is_empty());
}

#[test]
fn the_rest_of_an_answer_is_each_dialects_own() {
    let silent = asked(r#","return_documents":false"#);
    let cohere = parsed(encode_cohere(&answer(), &silent));
    assert_eq!(cohere["id"], "r");
    let units = json!({"search_units": 2, "input_tokens": 5});
    assert_eq!(cohere["meta"], json!({"api_version": {"version": "2"}, "billed_units": units}));
    let jina = parsed(encode_jina(&answer(), &silent));
    assert_eq!((&jina["model"], &jina["object"]), (&json!("target"), &json!("list")));
    assert_eq!(jina["usage"], json!({"total_tokens": 5, "prompt_tokens": 5}));
    let untold = Answer { usage: None, searches: None, ..answer() };
    assert_eq!(parsed(encode_cohere(&untold, &silent))["meta"].get("billed_units"), None);
    assert_eq!(parsed(encode_jina(&untold, &silent)).get("usage"), None);
}

#[test]
fn failures_are_each_dialects_own() {
    let failure = Failure::invalid_value("top_n", "has to be \"at least\" 1");
    let message = &*failure.message;
    assert_eq!(parsed(encode_cohere_failure(&failure)), json!({"message": message}));
    let jina = parsed(encode_jina_failure(&failure));
    assert_eq!(jina["detail"], message);
    assert_eq!((&jina["error"]["param"], &jina["error"]["code"]), (&json!("top_n"), &json!("invalid_value")));
}

proptest! {
    #[test]
    fn no_bytes_break_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..48), position in any::<prop::sample::Index>()) {
        let mut body = br#"{"model":"m","query":"q","documents":["a",{"text":"b"}],"return_documents":true,"x":[1]}"#.to_vec();
        let position = position.index(body.len());
        body.splice(position..=position, bytes);
        for decode in BOTH {
            let _ = decode(&body);
        }
        let asked = Asked { echo: echo(&body), ..Asked::default() };
        let written: Result<Value, _> = serde_json::from_slice(&encode_jina(&answer(), &asked));
        prop_assert!(written.is_ok());
    }
}
