//! Reads requests for rankings.

use crate::conversation::Other;
use crate::dialect::malformed;
use crate::dialect::malformed::missing;
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};
use crate::rerank::{Document, Request};

object! {
    struct CohereRequest<'a> {
        "model" => model: Text<'a>,
        "query" => query: Text<'a>,
        "documents" => documents: Vec<Raw<'a>>,
        "top_n" => top_n: u32,
        "max_tokens_per_doc" => max_tokens_per_doc: u64,
        ..others
    }
}

object! {
    struct JinaRequest<'a> {
        "model" => model: Text<'a>,
        // Jina ranks by images too.
        "query" => query: Raw<'a>,
        "documents" => documents: Vec<Raw<'a>>,
        "top_n" => top_n: u32,
        ..others
    }
}

/// Reads Cohere's shape; a failure names the parameter that is wrong.
pub(crate) fn decode_cohere(body: &[u8]) -> Result<Request<'_>, Failure> {
    let wire: CohereRequest<'_> = json::read(body).map_err(malformed)?;
    Ok(Request {
        model: read_model(wire.model)?,
        query: wire.query.ok_or_else(|| missing("query"))?,
        documents: read_documents(wire.documents)?,
        top_n: read_top_n(wire.top_n)?,
        max_tokens_per_document: wire.max_tokens_per_doc,
        others: read_others(wire.others),
    })
}

/// Reads Jina's shape; a failure names the parameter that is wrong.
pub(crate) fn decode_jina(body: &[u8]) -> Result<Request<'_>, Failure> {
    let wire: JinaRequest<'_> = json::read(body).map_err(malformed)?;
    let mut others = read_others(wire.others);
    let query = wire.query.ok_or_else(|| missing("query"))?;
    let query = match query.get().as_bytes() {
        [b'"', ..] => query.read().map_err(malformed)?,
        [b'{', ..] => {
            others.push(Other { path: "query".to_owned(), content: true });
            Text::default()
        }
        _ => return Err(mistyped("query")),
    };
    Ok(Request {
        model: read_model(wire.model)?,
        query,
        documents: read_documents(wire.documents)?,
        top_n: read_top_n(wire.top_n)?,
        max_tokens_per_document: None,
        others,
    })
}

/// What of the request stands in the answer too: whether the client wants its documents back (`y`, `n`; `?` where it
/// leaves that to the dialect), and the documents.
pub(crate) fn echo(body: &[u8]) -> Vec<u8> {
    object! {
        struct Wish<'a> {
            "documents" => documents: Raw<'a>,
            "return_documents" => return_documents: bool,
            ..
        }
    }
    let Ok(wish) = json::read::<Wish<'_>>(body) else { return Vec::new() };
    let mark = match wish.return_documents {
        Some(false) => return b"n".to_vec(),
        Some(true) => b'y',
        None => b'?',
    };
    let documents = wish.documents.map_or("[]", Raw::get);
    let mut echo = Vec::with_capacity(documents.len() + 1);
    echo.push(mark);
    echo.extend_from_slice(documents.as_bytes());
    echo
}

fn read_model(model: Option<Text<'_>>) -> Result<Text<'_>, Failure> {
    let model = model.ok_or_else(|| missing("model"))?;
    match model.is_empty() {
        true => Err(Failure::invalid_value("model", "has to name a model")),
        false => Ok(model),
    }
}

fn read_top_n(top_n: Option<u32>) -> Result<Option<u32>, Failure> {
    match top_n {
        Some(0) => Err(Failure::invalid_value("top_n", "has to be at least 1")),
        top_n => Ok(top_n),
    }
}

fn read_documents(documents: Option<Vec<Raw<'_>>>) -> Result<Vec<Document<'_>>, Failure> {
    let documents = documents.ok_or_else(|| missing("documents"))?;
    if documents.is_empty() {
        return Err(Failure::invalid_value("documents", "needs at least one document"));
    }
    documents.into_iter().enumerate().map(|(index, document)| read_document(index, document)).collect()
}

fn read_document(index: usize, document: Raw<'_>) -> Result<Document<'_>, Failure> {
    let wrong = || mistyped(&format!("documents[{index}]"));
    match document.get().as_bytes() {
        [b'"', ..] => document.read().map(Document::Text).map_err(|_| wrong()),
        [b'{', ..] => Ok(Document::Fields(document)),
        _ => Err(wrong()),
    }
}

fn mistyped(path: &str) -> Failure {
    let message = format!("Invalid type for '{path}': expected a string or an object.");
    Failure::invalid(message, Some(path.to_owned())).code("invalid_type")
}

/// The fields that were not read, but for those whose value asks for nothing.
fn read_others(fields: Vec<(Text<'_>, Raw<'_>)>) -> Vec<Other> {
    object! {
        struct Spans<'a> {
            "mode" => mode: Text<'a>,
            ..
        }
    }
    let asks_for_nothing = |name: &str, value: Raw<'_>| match (name, value.get()) {
        (_, "null") => true,
        // The gateway gives them back itself: see `echo`.
        ("return_documents", value) => matches!(value, "true" | "false"),
        ("priority", value) => value == "0",
        ("truncation" | "return_embeddings", value) => value == "false",
        ("relevant_spans", _) => {
            let mode = value.read::<Spans<'_>>().ok().and_then(|spans| spans.mode);
            mode.as_deref() == Some("disabled")
        }
        _ => false,
    };
    let fields = fields.into_iter().filter(|(name, value)| !asks_for_nothing(name, *value));
    fields.map(|(name, _)| Other { path: name.into_owned(), content: false }).collect()
}
