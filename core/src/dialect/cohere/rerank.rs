//! Rankings: the request and the answer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::conversation::Field;
use crate::dialect::native::Adapted;
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};
use crate::rerank::{Answer, Document, Ranked, Request};
use crate::task::Task;

use super::answer::Counts;
use super::failure::malformed;

/// Behind the endpoint's own path.
const PATH: &str = "/v2/rerank";

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    query: &'r str,
    documents: Vec<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_n: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens_per_doc: Option<u64>,
}

object! {
    struct Ranking<'a> {
        "id" => id: Text<'a>,
        "results" => results: Vec<Place>,
        "meta" => meta: Counts,
        ..
    }
}

/// A document's place.
#[derive(Deserialize)]
struct Place {
    index: Option<u32>,
    relevance_score: Option<f64>,
}

/// Writes a request. What Cohere has nothing for is left out and noted in `lacks`.
pub(super) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    lacks.others(&request.others);
    let texts: Option<Vec<_>> = request.documents.iter().map(Document::text).collect();
    if texts.is_none() {
        lacks.content(Field::Documents);
    }
    let documents = texts.unwrap_or_default();
    let body = Body {
        model: wanted.model,
        query: &request.query,
        documents,
        top_n: request.top_n,
        max_tokens_per_doc: request.max_tokens_per_document,
    };
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: PATH.to_owned(), body, headers: &[] })
}

/// The request of a client of the same dialect: its bytes with another model's name.
pub(super) fn adapt(body: &[u8], task: &Task<'_>, wanted: Wanted<'_>) -> Result<Adapted, Failure> {
    let adapted = Adapted { path: PATH.to_owned(), body: None, headers: &[], hides_usage: false };
    if task.model() == wanted.model {
        return Ok(adapted);
    }
    let renamed = rename(body, wanted.model);
    let renamed = renamed.ok_or_else(|| Failure::operator("The request could not be written."))?;
    Ok(Adapted { body: Some(renamed), ..adapted })
}

/// The body with another model in the place of its own, which is borrowed from it: its distance from the body's start is
/// its place in it.
fn rename(body: &[u8], model: &str) -> Option<Vec<u8>> {
    object! {
        struct Named<'a> {
            "model" => model: Raw<'a>,
            ..
        }
    }
    let old = json::read::<Named<'_>>(body).ok()?.model?.get();
    let start = (old.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let mut renamed = Vec::with_capacity(body.len() + model.len());
    renamed.extend_from_slice(body.get(..start)?);
    serde_json::to_writer(&mut renamed, model).ok()?;
    renamed.extend_from_slice(body.get(start + old.len()..)?);
    Some(renamed)
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let ranking: Ranking<'_> = json::read(body).map_err(|_| malformed())?;
    let results = ranking.results.ok_or_else(malformed)?.into_iter().map(|place| {
        Ok(Ranked {
            index: place.index.ok_or_else(malformed)?,
            score: place.relevance_score.ok_or_else(malformed)?,
        })
    });
    Ok(Answer {
        id: ranking.id,
        model: None,
        results: results.collect::<Result<_, Failure>>()?,
        usage: ranking.meta.and_then(Counts::usage),
        searches: ranking.meta.and_then(Counts::searches),
    })
}
