//! Writes rankings and failures.

use serde::Serialize;

use crate::dialect::{Asked, openai};
use crate::failure::Failure;
use crate::json::{self, Raw};
use crate::rerank::{Answer, Ranked};

#[derive(Serialize)]
struct CohereAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    results: Vec<Place<'a>>,
    meta: Meta,
}

#[derive(Serialize)]
struct Meta {
    api_version: ApiVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    billed_units: Option<BilledUnits>,
}

#[derive(Serialize)]
struct ApiVersion {
    version: &'static str,
}

#[derive(Serialize)]
struct BilledUnits {
    #[serde(skip_serializing_if = "Option::is_none")]
    search_units: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
}

#[derive(Serialize)]
struct JinaAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    model: &'a str,
    object: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<JinaUsage>,
    results: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct JinaUsage {
    total_tokens: u64,
    prompt_tokens: u64,
}

#[derive(Serialize)]
struct Place<'a> {
    index: u32,
    relevance_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Returned<'a>>,
}

/// A document that the client gets back: text in an object of its own, several fields as they were.
#[derive(Serialize)]
#[serde(untagged)]
enum Returned<'a> {
    Text { text: Raw<'a> },
    Fields(Raw<'a>),
}

#[derive(Serialize)]
struct CohereError<'a> {
    message: &'a str,
}

/// Writes Cohere's shape. Documents are given back only to who asks for them.
pub(crate) fn encode_cohere(answer: &Answer<'_>, asked: &Asked) -> Vec<u8> {
    let input_tokens = answer.usage.map(|usage| usage.input);
    let is_billed = answer.searches.is_some() || input_tokens.is_some();
    let answer = CohereAnswer {
        id: answer.id.as_deref(),
        results: places(&answer.results, asked, false),
        meta: Meta {
            api_version: ApiVersion { version: "2" },
            billed_units: is_billed.then_some(BilledUnits { search_units: answer.searches, input_tokens }),
        },
    };
    // Text and numbers always serialise.
    serde_json::to_vec(&answer).unwrap_or_default()
}

/// Writes Jina's shape. Documents are given back unless the client says that it doesn't want them.
pub(crate) fn encode_jina(answer: &Answer<'_>, asked: &Asked) -> Vec<u8> {
    let usage = answer.usage.map(|usage| usage.input);
    let answer = JinaAnswer {
        id: answer.id.as_deref(),
        model: answer.model.as_deref().unwrap_or(&asked.model),
        object: "list",
        usage: usage.map(|tokens| JinaUsage { total_tokens: tokens, prompt_tokens: tokens }),
        results: places(&answer.results, asked, true),
    };
    // Text and numbers always serialise.
    serde_json::to_vec(&answer).unwrap_or_default()
}

/// The results, with their documents where the client wants these; `default`: where it doesn't say.
fn places<'a>(results: &[Ranked], asked: &'a Asked, default: bool) -> Vec<Place<'a>> {
    let documents: Vec<Raw<'a>> = match asked.echo.split_first() {
        Some((mark, documents)) if *mark == b'y' || (*mark == b'?' && default) => {
            json::read(documents).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let find = |index: u32| documents.get(usize::try_from(index).ok()?).copied();
    let place = |ranked: &Ranked| Place {
        index: ranked.index,
        relevance_score: ranked.score,
        document: find(ranked.index).map(|document| match document.get().starts_with('"') {
            true => Returned::Text { text: document },
            false => Returned::Fields(document),
        }),
    };
    results.iter().map(place).collect()
}

/// Writes a failure as Cohere does.
pub(crate) fn encode_cohere_failure(failure: &Failure) -> Vec<u8> {
    // Text always serialises.
    serde_json::to_vec(&CohereError { message: &failure.message }).unwrap_or_default()
}

/// Writes a failure as Jina does, and for clients of compatible servers as OpenAI does.
pub(crate) fn encode_jina_failure(failure: &Failure) -> Vec<u8> {
    let mut body = b"{\"detail\":".to_vec();
    // Text always serialises.
    let _ = serde_json::to_writer(&mut body, &failure.message);
    body.push(b',');
    let error = openai::encode_failure(failure);
    body.extend_from_slice(error.strip_prefix(b"{").unwrap_or(b"}"));
    body
}
