//! Embeddings: the request and the answer.

use serde::Serialize;

use crate::conversation::Field;
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::embeddings::{Answer, Input, Request, Vector};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};

use super::answer::Counts;
use super::failure::malformed;

/// Behind the endpoint's own path.
const PATH: &str = "/v2/embed";

/// The most texts that Cohere takes at once.
const MAX_TEXTS: usize = 96;

/// What texts are for where the client doesn't say; Cohere has to be told something.
const DEFAULT_PURPOSE: &str = "search_document";

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    texts: Vec<&'r str>,
    input_type: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u32>,
    embedding_types: [&'static str; 1],
    /// Cohere would cut a text that is too long, without a word.
    truncate: &'static str,
}

object! {
    struct Embedded<'a> {
        "id" => id: Text<'a>,
        "embeddings" => embeddings: ByType<'a>,
        "meta" => meta: Counts,
        ..
    }
}

object! {
    struct ByType<'a> {
        "float" => float: Vec<Raw<'a>>,
        "base64" => base64: Vec<Text<'a>>,
        ..
    }
}

/// Writes a request. What Cohere has nothing for is left out and noted in `lacks`.
pub(super) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    lacks.others(&request.others);
    if request.user.is_some() {
        lacks.parameter(Field::User);
    }
    if request.inputs.len() > MAX_TEXTS {
        return Err(lacks.invalid_value(Field::Input, "may have at most 96 texts at this provider"));
    }
    let mut texts = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        match input {
            Input::Text(text) => texts.push(&**text),
            // Each vendor has tokens of its own.
            Input::Tokens(_) => {
                lacks.content(Field::Input);
                break;
            }
        }
    }
    let body = Body {
        model: wanted.model,
        texts,
        input_type: request.purpose.as_deref().unwrap_or(DEFAULT_PURPOSE),
        output_dimension: request.dimensions,
        embedding_types: ["float"],
        truncate: "NONE",
    };
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: PATH.to_owned(), body, headers: &[] })
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let embedded: Embedded<'_> = json::read(body).map_err(|_| malformed())?;
    let vectors = match embedded.embeddings.ok_or_else(malformed)? {
        ByType { float: Some(float), .. } => float.into_iter().map(Vector::Numbers).collect(),
        ByType { base64: Some(base64), .. } => base64.into_iter().map(Vector::Base64).collect(),
        _ => return Err(malformed()),
    };
    Ok(Answer { id: embedded.id, model: None, vectors, usage: embedded.meta.and_then(Counts::usage) })
}
