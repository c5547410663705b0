//! Embeddings by InvokeModel, in the form of each family of models: Amazon Titan's, one text a call, and Cohere's.

use serde::Serialize;

use crate::conversation::Field;
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::embeddings::{Answer, Input, Request, Vector};
use crate::failure::Failure;
use crate::json::{self, Integer, Raw, Text, object};
use crate::usage::Usage;

use super::failure::malformed;
use super::model::{name, without_area};
use super::{encoded, no_such_work};

/// The most texts that Cohere's models take at once.
const MAX_TEXTS: usize = 96;

/// What texts are for where the client doesn't say; Cohere's models have to be told something.
const DEFAULT_PURPOSE: &str = "search_document";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Titan<'r> {
    input_text: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

#[derive(Serialize)]
struct Cohere<'r> {
    texts: Vec<&'r str>,
    input_type: &'r str,
    embedding_types: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u32>,
}

object! {
    /// The answer of any family.
    struct Embedded<'a> {
        // Titan's.
        "embedding" => embedding: Raw<'a>,
        "inputTextTokenCount" => tokens: Integer,
        // Cohere's.
        "id" => id: Text<'a>,
        "embeddings" => embeddings: Embeddings<'a>,
        ..
    }
}

object! {
    struct ByType<'a> {
        "float" => float: Vec<Raw<'a>>,
        ..
    }
}

/// One list, or one for each type of number that was asked for.
enum Embeddings<'a> {
    Plain(Vec<Raw<'a>>),
    ByType(Vec<Raw<'a>>),
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Embeddings<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let wrong = |_| serde::de::Error::custom("expected lists of vectors");
        match raw.get().starts_with('{') {
            true => {
                let by_type = raw.read::<ByType<'a>>().map_err(wrong)?;
                by_type.float.map(Self::ByType).ok_or_else(|| serde::de::Error::missing_field("float"))
            }
            false => raw.read::<Vec<Raw<'a>>>().map(Self::Plain).map_err(wrong),
        }
    }
}

/// The form in which a family of models is asked for embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Titan,
    Cohere,
}

impl Form {
    /// That of a model, by its id.
    fn of(id: &str) -> Option<Self> {
        let model = without_area(name(id));
        let is_titan =
            model.starts_with("amazon.titan-embed-text-") || model.starts_with("amazon.titan-embed-g1-text");
        match is_titan {
            true => Some(Self::Titan),
            false => model.starts_with("cohere.embed-").then_some(Self::Cohere),
        }
    }
}

/// Whether there is a form in which this model is asked for embeddings.
pub(crate) fn embeds(id: &str) -> bool {
    Form::of(id).is_some()
}

/// Writes a request. What the model has nothing for is left out and noted in `lacks`.
pub(super) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    lacks.others(&request.others);
    if request.user.as_ref().is_some_and(|user| !user.is_empty()) {
        lacks.parameter(Field::User);
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
    let model = without_area(name(wanted.model));
    let Some(form) = Form::of(wanted.model) else {
        return Err(no_such_work("embeddings", wanted, lacks));
    };
    if form == Form::Titan {
        let is_first = !model.starts_with("amazon.titan-embed-text-v2");
        if request.dimensions.is_some() && is_first {
            lacks.parameter(Field::Dimensions);
        }
        let input_text = match texts[..] {
            [text] => text,
            // What is lacking is the better explanation.
            _ if !lacks.contents().is_empty() => "",
            _ => {
                return Err(lacks.invalid_value(
                    Field::Input,
                    "has to be one text for this model, which embeds one at a time",
                ));
            }
        };
        let dimensions = request.dimensions.filter(|_| !is_first);
        return encoded(wanted.model, "invoke", &Titan { input_text, dimensions });
    }
    if texts.len() > MAX_TEXTS {
        return Err(lacks.invalid_value(Field::Input, "may have at most 96 texts for this model"));
    }
    let is_third = model.contains("-v3");
    if request.dimensions.is_some() && is_third {
        lacks.parameter(Field::Dimensions);
    }
    let body = Cohere {
        texts,
        input_type: request.purpose.as_deref().unwrap_or(DEFAULT_PURPOSE),
        embedding_types: ["float"],
        output_dimension: request.dimensions.filter(|_| !is_third),
    };
    encoded(wanted.model, "invoke", &body)
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let embedded: Embedded<'_> = json::read(body).map_err(|_| malformed())?;
    let vectors = match (embedded.embedding, embedded.embeddings) {
        (Some(embedding), _) => vec![embedding],
        (None, Some(Embeddings::Plain(list) | Embeddings::ByType(list))) => list,
        (None, None) => return Err(malformed()),
    };
    if !vectors.iter().all(|vector| vector.get().starts_with('[')) {
        return Err(malformed());
    }
    let count = |tokens: Integer| u64::try_from(tokens.0).unwrap_or(0);
    Ok(Answer {
        id: embedded.id,
        model: None,
        vectors: vectors.into_iter().map(Vector::Numbers).collect(),
        usage: embedded.tokens.map(|tokens| Usage { input: count(tokens), ..Usage::default() }),
    })
}
