//! Rankings, as servers that are compatible with OpenAI make them: in the shape of Jina.

use serde::{Deserialize, Serialize};

use crate::conversation::Field;
use crate::dialect::openai::failure::{WireError, answered_failure};
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, TextOr, object};
use crate::rerank::{Answer, Document, Ranked, Request};
use crate::usage::Usage;

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    query: &'r str,
    documents: Vec<WireDocument<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_n: Option<u32>,
    /// The gateway has them.
    return_documents: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireDocument<'r> {
    Text(&'r str),
    Fields(Raw<'r>),
}

object! {
    struct Ranking<'a> {
        "id" => id: Text<'a>,
        "model" => model: Text<'a>,
        "results" => results: Vec<Place>,
        // Where some have their results.
        "data" => data: Vec<Place>,
        "usage" => usage: WireUsage,
        "meta" => meta: Meta,
        "error" => error: TextOr<'a, WireError<'a>>,
        ..
    }
}

/// A document's place.
#[derive(Deserialize)]
struct Place {
    index: Option<u32>,
    relevance_score: Option<f64>,
    score: Option<f64>,
}

#[derive(Clone, Copy, Deserialize)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
    search_units: Option<u64>,
}

#[derive(Deserialize)]
struct Meta {
    billed_units: Option<BilledUnits>,
}

#[derive(Deserialize)]
struct BilledUnits {
    search_units: Option<f64>,
}

/// Writes a request. What the shape has nothing for is left out and noted in `lacks`.
pub(crate) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    lacks.others(&request.others);
    if request.max_tokens_per_document.is_some() {
        lacks.parameter(Field::Path("max_tokens_per_doc"));
    }
    let body = Body {
        model: wanted.model,
        query: &request.query,
        documents: request.documents.iter().map(write_document).collect(),
        top_n: request.top_n,
        return_documents: false,
    };
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: "/rerank".to_owned(), body, headers: &[] })
}

fn write_document<'r>(document: &'r Document<'_>) -> WireDocument<'r> {
    match document {
        Document::Text(text) => WireDocument::Text(text),
        Document::Fields(fields) => WireDocument::Fields(*fields),
    }
}

/// Reads a whole answer.
pub(crate) fn decode(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let ranking: Ranking<'_> = json::read(body).map_err(|_| malformed())?;
    if let Some(error) = ranking.error {
        return Err(answered_failure(&error));
    }
    let results = ranking.results.or(ranking.data).ok_or_else(malformed)?.into_iter().map(|place| {
        Ok(Ranked {
            index: place.index.ok_or_else(malformed)?,
            score: place.relevance_score.or(place.score).ok_or_else(malformed)?,
        })
    });
    // What a ranking uses is all read: where only the total is told, it is the input.
    let input = ranking.usage.and_then(|usage| usage.prompt_tokens.or(usage.total_tokens));
    Ok(Answer {
        id: ranking.id,
        model: ranking.model,
        results: results.collect::<Result<_, Failure>>()?,
        usage: input.map(|input| Usage { input, ..Usage::default() }),
        searches: ranking
            .meta
            .and_then(|meta| Some(meta.billed_units?.search_units? as u64))
            .or(ranking.usage.and_then(|usage| usage.search_units)),
    })
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
        let fields = json::read(br#"{"title": "t"}"#).expect("is JSON");
        let request = Request {
            model: Text::from("asked"),
            query: Text::from("q"),
            documents: vec![Document::Text(Text::from("a")), Document::Fields(fields)],
            top_n: Some(1),
            max_tokens_per_document: Some(9),
            others: Vec::new(),
        };
        let provider = Provider::for_tests(ProviderDialect::OpenAi);
        let wanted = Wanted { model: "m", default_max_tokens: None, provider: &provider };
        let mut lacks = Lacks::new(ClientDialect::CohereRerank);
        let encoded = encode(&request, wanted, &mut lacks).expect("writes");
        assert_eq!(encoded.path, "/rerank");
        assert_eq!(
            String::from_utf8(encoded.body).expect("is text"),
            r#"{"model":"m","query":"q","documents":["a",{"title": "t"}],"top_n":1,"return_documents":false}"#
        );
        assert_eq!(lacks.parameters(), ["max_tokens_per_doc"]);
    }

    #[test]
    fn every_shape_of_an_answer_is_read() {
        for body in [
            r#"{"id":"r","model":"m","usage":{"total_tokens":5},"results":[{"index":1,"document":{"text":"b"},"relevance_score":0.9}]}"#,
            r#"{"id":"r","model":"m","usage":{"prompt_tokens":5,"total_tokens":5},"data":[{"index":1,"score":0.9}]}"#,
        ] {
            let answer = decode(body.as_bytes()).expect("reads");
            assert_eq!((answer.results[0].index, answer.results[0].score), (1, 0.9));
            assert_eq!(answer.usage.map(|usage| usage.input), Some(5));
        }
        let routed = decode(br#"{"results":[],"usage":{"cost":0.001,"search_units":3}}"#).expect("reads");
        assert_eq!((routed.searches, routed.usage), (Some(3), None));
        let billed =
            decode(br#"{"results":[],"meta":{"billed_units":{"search_units":2.0}}}"#).expect("reads");
        assert_eq!((billed.searches, billed.usage), (Some(2), None));
    }

    #[test]
    fn what_is_no_answer_is_the_providers_fault() {
        for body in
            [&b"{}"[..], b"[]", br#"{"results":[{"index":0}]}"#, br#"{"results":[{"relevance_score":1}]}"#]
        {
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
