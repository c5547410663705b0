//! Embeddings, as OpenAI and compatible servers make them.

use serde::Serialize;

use crate::conversation::Field;
use crate::dialect::openai::provider::WireUsage;
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::embeddings::{Answer, Input, Request, Vector};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, TextOr, object};
use crate::usage::Usage;

use crate::dialect::openai::failure::{WireError, answered_failure};

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    input: Vec<WireInput<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    /// Some compatible servers have nothing else.
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'r str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireInput<'r> {
    Text(&'r str),
    Tokens(Raw<'r>),
}

object! {
    struct Embedded<'a> {
        "model" => model: Text<'a>,
        "data" => data: Vec<Embedding<'a>>,
        "usage" => usage: WireUsage,
        "error" => error: TextOr<'a, WireError<'a>>,
        ..
    }
}

object! {
    struct Embedding<'a> {
        "index" => index: usize,
        "embedding" => embedding: Raw<'a>,
        ..
    }
}

/// Writes a request. What the dialect has nothing for is left out and noted in `lacks`.
pub(crate) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    lacks.others(&request.others);
    if request.purpose.is_some() {
        lacks.parameter(Field::Path("input_type"));
    }
    let body = Body {
        model: wanted.model,
        input: request.inputs.iter().map(write_input).collect(),
        dimensions: request.dimensions,
        encoding_format: "float",
        user: request.user.as_deref(),
    };
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: "/embeddings".to_owned(), body, headers: &[] })
}

fn write_input<'r>(input: &'r Input<'_>) -> WireInput<'r> {
    match input {
        Input::Text(text) => WireInput::Text(text),
        Input::Tokens(tokens) => WireInput::Tokens(*tokens),
    }
}

/// Reads a whole answer.
pub(crate) fn decode(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let embedded: Embedded<'_> = json::read(body).map_err(|_| malformed())?;
    if let Some(error) = embedded.error {
        return Err(answered_failure(&error));
    }
    let mut data = embedded.data.ok_or_else(malformed)?;
    // A sort that keeps the order where no places are given.
    data.sort_by_key(|embedding| embedding.index.unwrap_or(0));
    let vectors = data.into_iter().map(|embedding| read_vector(embedding.embedding.ok_or_else(malformed)?));
    Ok(Answer {
        id: None,
        model: embedded.model,
        vectors: vectors.collect::<Result<_, _>>()?,
        usage: embedded.usage.map(Usage::from),
    })
}

fn read_vector(vector: Raw<'_>) -> Result<Vector<'_>, Failure> {
    match vector.get().as_bytes() {
        [b'[', ..] => Ok(Vector::Numbers(vector)),
        [b'"', ..] => vector.read().map(Vector::Base64).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}

fn malformed() -> Failure {
    Failure::malformed("The provider's answer could not be read.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::{ClientDialect, ProviderDialect};
    use crate::policy::Provider;

    #[test]
    fn a_request_is_written() {
        let tokens = json::read(b"[1, 2]").expect("is JSON");
        let request = Request {
            model: Text::from("asked"),
            inputs: vec![Input::Text(Text::from("a\"b")), Input::Tokens(tokens)],
            dimensions: Some(3),
            purpose: Some(Text::from("clustering")),
            user: Some(Text::from("u")),
            others: Vec::new(),
        };
        let provider = Provider::for_tests(ProviderDialect::OpenAi);
        let wanted = Wanted { model: "m", default_max_tokens: None, provider: &provider };
        let mut lacks = Lacks::new(ClientDialect::OpenAiEmbeddings);
        let encoded = encode(&request, wanted, &mut lacks).expect("writes");
        assert_eq!(encoded.path, "/embeddings");
        assert_eq!(
            String::from_utf8(encoded.body).expect("is text"),
            r#"{"model":"m","input":["a\"b",[1, 2]],"dimensions":3,"encoding_format":"float","user":"u"}"#
        );
        assert_eq!(lacks.parameters(), ["input_type"]);
    }

    #[test]
    fn vectors_come_in_the_order_of_the_request() {
        let body = br#"{"object":"list","model":"m","data":[{"index":1,"embedding":"AAAAPw=="},{"index":0,"embedding":[1.0]}],
            "usage":{"prompt_tokens":5,"total_tokens":5}}"#;
        let answer = decode(body).expect("reads");
        assert!(matches!(&answer.vectors[..], [Vector::Numbers(_), Vector::Base64(_)]));
        assert_eq!(answer.usage.map(|usage| usage.input), Some(5));
        let unnumbered = decode(br#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#).expect("reads");
        assert!(matches!(&unnumbered.vectors[..], [Vector::Numbers(one), _] if one.get() == "[1]"));
    }

    #[test]
    fn what_is_no_answer_is_the_providers_fault() {
        for body in [&b"{}"[..], b"[]", b"", br#"{"data":[{}]}"#, br#"{"data":[{"embedding":1}]}"#] {
            assert_eq!(decode(body).expect_err("is none").code.as_deref(), Some("provider_malformed"));
        }
        assert_eq!(&*decode(br#"{"error":{"message":"busy"}}"#).expect_err("failed").message, "busy");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
        }
    }
}
