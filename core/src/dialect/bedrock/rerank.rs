//! Rankings by InvokeModel. (Bedrock's own operation `Rerank` is at another host, that of its agents.)

use std::borrow::Cow;

use serde::Serialize;

use crate::conversation::Field;
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{self, Text, object};
use crate::rerank::{Answer, Document, Ranked, Request};

use super::failure::malformed;
use super::model::{name, without_area};
use super::{encoded, no_such_work};

#[derive(Serialize)]
struct Body<'r> {
    query: &'r str,
    documents: Vec<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_n: Option<u32>,
    /// Of Cohere's API, which its own models ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens_per_doc: Option<u64>,
}

object! {
    struct Ranking<'a> {
        "id" => id: Text<'a>,
        "results" => results: Vec<Place>,
        ..
    }
}

#[derive(serde::Deserialize)]
struct Place {
    index: u32,
    relevance_score: f64,
}

/// Whether there is a form in which this model is asked for rankings.
pub(crate) fn ranks(id: &str) -> bool {
    let model = without_area(name(id));
    model.starts_with("cohere.rerank-") || model.starts_with("amazon.rerank-")
}

/// Writes a request. What the model has nothing for is left out and noted in `lacks`.
pub(super) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    let is_cohere = without_area(name(wanted.model)).starts_with("cohere.");
    if !ranks(wanted.model) {
        return Err(no_such_work("reranking", wanted, lacks));
    }
    lacks.others(&request.others);
    if request.max_tokens_per_document.is_some() && !is_cohere {
        lacks.parameter(Field::Path("max_tokens_per_doc"));
    }
    let texts: Option<Vec<_>> = request.documents.iter().map(Document::text).collect();
    if texts.is_none() {
        lacks.content(Field::Documents);
    }
    let body = Body {
        query: &request.query,
        documents: texts.unwrap_or_default(),
        top_n: request.top_n,
        api_version: is_cohere.then_some(2),
        max_tokens_per_doc: request.max_tokens_per_document.filter(|_| is_cohere),
    };
    encoded(wanted.model, "invoke", &body)
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let ranking: Ranking<'_> = json::read(body).map_err(|_| malformed())?;
    let results = ranking.results.ok_or_else(malformed)?;
    let results =
        results.into_iter().map(|place| Ranked { index: place.index, score: place.relevance_score });
    Ok(Answer { id: ranking.id, model: None, results: results.collect(), usage: None, searches: None })
}
