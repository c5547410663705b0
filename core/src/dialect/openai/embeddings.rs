//! The Embeddings API as clients speak it.
//!
//! The official SDK asks for base64 unless told otherwise, and most vendors answer with numbers: either is made of the
//! other.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::chat;
use crate::conversation::{Field, Other};
use crate::dialect::malformed::missing;
use crate::dialect::{Asked, malformed};
use crate::embeddings::{Answer, Input, Request, Vector};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};

object! {
    struct WireRequest<'a> {
        "model" => model: Text<'a>,
        "input" => input: Raw<'a>,
        "dimensions" => dimensions: u32,
        "encoding_format" => encoding_format: Text<'a>,
        "input_type" => input_type: Text<'a>,
        "user" => user: Text<'a>,
        ..others
    }
}

#[derive(Serialize)]
struct WireAnswer<'a> {
    /// OpenAI has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    object: &'static str,
    data: Vec<Embedding<'a>>,
    model: &'a str,
    usage: WireUsage,
}

#[derive(Serialize)]
struct Embedding<'a> {
    object: &'static str,
    index: usize,
    embedding: Written<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Given(Raw<'a>),
    Numbers(Vec<f32>),
    Base64(Cow<'a, str>),
}

#[derive(Serialize)]
struct WireUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// What [`echo`] keeps of a request that asks for base64.
const BASE64: &str = "base64";

/// Reads a request's body; a failure names the parameter that is wrong.
pub(crate) fn decode_request(body: &[u8]) -> Result<Request<'_>, Failure> {
    let wire: WireRequest<'_> = json::read(body).map_err(malformed)?;
    let model = wire.model.ok_or_else(|| missing("model"))?;
    if model.is_empty() {
        return Err(Failure::invalid_value("model", "has to name a model"));
    }
    let inputs = read_inputs(wire.input.ok_or_else(|| missing("input"))?)?;
    if wire.dimensions == Some(0) {
        return Err(Failure::invalid_value("dimensions", "has to be at least 1"));
    }
    if wire.encoding_format.is_some_and(|format| !matches!(&*format, "float" | BASE64)) {
        return Err(Failure::invalid_value("encoding_format", "has to be one of float, base64"));
    }
    let asks = |value: &Raw<'_>| !matches!(value.get(), "null" | "\"\"");
    let mut others: Vec<_> = wire
        .others
        .into_iter()
        .filter(|(_, value)| asks(value))
        .map(|(name, _)| Other { path: name.into_owned(), content: false })
        .collect();
    let purpose = wire.input_type.as_deref().map(purpose);
    if purpose == Some(None) {
        others.push(Other { path: "input_type".to_owned(), content: false });
    }
    Ok(Request {
        model,
        inputs,
        dimensions: wire.dimensions,
        purpose: purpose.flatten().map(Text::from),
        user: wire.user.filter(|user| !user.is_empty()),
        others,
    })
}

/// What texts are for, in the words of Cohere and in those of NVIDIA, which has two of these.
fn purpose(word: &str) -> Option<&'static str> {
    Some(match word {
        "search_document" | "passage" => "search_document",
        "search_query" | "query" => "search_query",
        "classification" => "classification",
        "clustering" => "clustering",
        _ => return None,
    })
}

/// One text, several, one list of tokens, or several of those.
fn read_inputs(input: Raw<'_>) -> Result<Vec<Input<'_>>, Failure> {
    if input.get().starts_with('"') {
        return Ok(vec![read_input("input", input)?]);
    }
    let items: Vec<Raw<'_>> = input.read().map_err(|_| mistyped("input"))?;
    match items.first() {
        None => Err(Failure::invalid_value("input", "needs at least one text")),
        Some(first) if first.get().starts_with(|start: char| start.is_ascii_digit()) => {
            match input.read::<Vec<u32>>() {
                Ok(_) => Ok(vec![Input::Tokens(input)]),
                Err(fault) => Err(mistyped(&format!("input{}", fault.path.unwrap_or_default()))),
            }
        }
        Some(_) => {
            let items = items.into_iter().enumerate();
            items.map(|(index, item)| read_input(&format!("input[{index}]"), item)).collect()
        }
    }
}

fn read_input<'a>(path: &str, item: Raw<'a>) -> Result<Input<'a>, Failure> {
    match item.get().as_bytes() {
        [b'"', ..] => item.read().map(Input::Text).map_err(|_| mistyped(path)),
        _ if item.read::<Vec<u32>>().is_ok_and(|tokens| !tokens.is_empty()) => Ok(Input::Tokens(item)),
        _ => Err(mistyped(path)),
    }
}

fn mistyped(path: &str) -> Failure {
    let message = format!("Invalid type for '{path}': expected a string, or an array of tokens.");
    Failure::invalid(message, Some(path.to_owned())).code("invalid_type")
}

/// The name of a field, as a path from the body's root.
pub(crate) fn name(field: Field<'_>) -> String {
    chat::name(field)
}

/// Whether the client wants its vectors in base64, for the answer.
pub(crate) fn echo(body: &[u8]) -> Vec<u8> {
    object! {
        struct Format<'a> {
            "encoding_format" => encoding_format: Text<'a>,
            ..
        }
    }
    let format = json::read::<Format<'_>>(body).ok().and_then(|request| request.encoding_format);
    match format.as_deref() {
        Some(BASE64) => BASE64.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

/// Writes a whole answer, in the form that the client asked for.
///
/// `now`: seconds since the Unix epoch.
pub(crate) fn encode_answer(answer: &Answer<'_>, asked: &Asked, now: u64) -> Result<Vec<u8>, Failure> {
    let in_base64 = asked.echo == BASE64.as_bytes();
    let data = answer.vectors.iter().enumerate().map(|(index, vector)| {
        Ok(Embedding { object: "embedding", index, embedding: write(vector, in_base64)? })
    });
    // The SDK's own object has no way to say that nothing is known of the usage.
    let input = answer.usage.map_or(0, |usage| usage.input);
    let id = || answer.id.as_deref().map_or_else(|| format!("embd-{now}").into(), Cow::Borrowed);
    let answer = WireAnswer {
        id: asked.mistral.then(id),
        object: "list",
        data: data.collect::<Result<_, Failure>>()?,
        model: answer.model.as_deref().unwrap_or(&asked.model),
        usage: WireUsage { prompt_tokens: input, total_tokens: input },
    };
    // Text and numbers always serialise.
    Ok(serde_json::to_vec(&answer).unwrap_or_default())
}

fn write<'a>(vector: &'a Vector<'a>, in_base64: bool) -> Result<Written<'a>, Failure> {
    Ok(match (vector, in_base64) {
        (Vector::Numbers(numbers), false) => Written::Given(*numbers),
        (Vector::Base64(text), true) => Written::Base64(Cow::Borrowed(text)),
        (Vector::Numbers(numbers), true) => {
            let numbers: Vec<f32> = numbers.read().map_err(|_| unreadable())?;
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            Written::Base64(Cow::Owned(BASE64_STANDARD.encode(bytes)))
        }
        (Vector::Base64(text), false) => {
            let bytes = BASE64_STANDARD.decode(text.as_bytes()).map_err(|_| unreadable())?;
            let (numbers, []) = bytes.as_chunks::<4>() else { return Err(unreadable()) };
            let numbers: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
            // JSON has no word for what is no number.
            if !numbers.iter().all(|number| number.is_finite()) {
                return Err(unreadable());
            }
            Written::Numbers(numbers)
        }
    })
}

fn unreadable() -> Failure {
    Failure::malformed("The provider's vectors could not be read.")
}

#[cfg(test)]
#[path = "embeddings_tests.rs"]
mod tests;
