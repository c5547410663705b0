//! Embeddings: `batchEmbedContents`, and what Vertex AI has in its place.

use serde::{Deserialize, Serialize};

use crate::conversation::Field;
use crate::dialect::{Lacks, Wanted};
use crate::embeddings::{Answer, Input, Request, Vector};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};
use crate::usage::Usage;

use super::request::write;

#[derive(Serialize)]
struct BatchRequest<'r> {
    requests: Vec<EmbedRequest<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EmbedRequest<'r> {
    model: &'r str,
    content: Content<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Serialize)]
pub struct Content<'r> {
    parts: [Part<'r>; 1],
}

#[derive(Serialize)]
struct Part<'r> {
    text: &'r str,
}

object! {
    struct BatchResponse<'a> {
        "embeddings" => embeddings: Vec<Embedding<'a>>,
        "usageMetadata" => usage: EmbedUsage,
        ..
    }
}

object! {
    pub struct Embedding<'a> {
        "values" => values: Raw<'a>,
        "statistics" => statistics: Statistics,
        ..
    }
}

/// What Vertex AI tells of one text; its numbers may be written with a fraction.
#[derive(Deserialize)]
pub struct Statistics {
    #[serde(alias = "tokenCount")]
    token_count: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbedUsage {
    pub prompt_token_count: Option<u64>,
}

impl<'r> From<&'r str> for Content<'r> {
    fn from(text: &'r str) -> Self {
        Self { parts: [Part { text }] }
    }
}

/// Writes a request's body.
pub fn encode_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Vec<u8>, Failure> {
    let model = super::resource(wanted.model);
    let task_type = note_lacks(request, lacks);
    let requests = texts(request, lacks)
        .into_iter()
        .map(|text| EmbedRequest {
            model: &model,
            content: text.into(),
            task_type,
            output_dimensionality: request.dimensions,
        })
        .collect();
    write(&BatchRequest { requests })
}

/// The texts of a request; tokens are another vendor's own, and say nothing here.
pub fn texts<'r>(request: &'r Request<'_>, lacks: &mut Lacks) -> Vec<&'r str> {
    let mut texts = Vec::with_capacity(request.inputs.len());
    let mut has_tokens = false;
    for input in &request.inputs {
        match input {
            Input::Text(text) => texts.push(&**text),
            Input::Tokens(_) => has_tokens = true,
        }
    }
    if has_tokens {
        lacks.content(Field::Input);
    }
    texts
}

/// Notes what Google has nothing for; returns what the vectors are for, in its words.
pub fn note_lacks(request: &Request<'_>, lacks: &mut Lacks) -> Option<&'static str> {
    lacks.others(&request.others);
    if request.user.as_ref().is_some_and(|user| !user.is_empty()) {
        lacks.parameter(Field::User);
    }
    let purpose = request.purpose.as_deref()?;
    let task_type = match purpose {
        "search_document" => "RETRIEVAL_DOCUMENT",
        "search_query" => "RETRIEVAL_QUERY",
        "classification" => "CLASSIFICATION",
        "clustering" => "CLUSTERING",
        _ => {
            lacks.parameter(Field::Path("input_type"));
            return None;
        }
    };
    Some(task_type)
}

/// Reads a whole successful answer.
pub fn decode_answer(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let response: BatchResponse<'_> = json::read(body).map_err(|_| malformed())?;
    let embeddings = response.embeddings.ok_or_else(malformed)?;
    answer(embeddings, response.usage.and_then(|usage| usage.prompt_token_count))
}

/// `input`: how many tokens all texts have, where the vendor tells it of all.
pub fn answer(embeddings: Vec<Embedding<'_>>, input: Option<u64>) -> Result<Answer<'_>, Failure> {
    let mut counted = input;
    let mut vectors = Vec::with_capacity(embeddings.len());
    for embedding in embeddings {
        let tokens = embedding.statistics.and_then(|statistics| statistics.token_count);
        if let Some(tokens) = tokens.filter(|_| input.is_none()) {
            // A float that is no count becomes 0, one too large the most there is.
            counted = Some(counted.unwrap_or(0).saturating_add(tokens as u64));
        }
        let values = embedding.values.filter(|values| values.get().starts_with('['));
        vectors.push(Vector::Numbers(values.ok_or_else(malformed)?));
    }
    if vectors.is_empty() {
        return Err(malformed());
    }
    let usage = counted.map(|input| Usage { input, ..Usage::default() });
    Ok(Answer { id: None, model: None::<Text<'_>>, vectors, usage })
}

pub fn malformed() -> Failure {
    Failure::malformed("The provider's answer could not be read.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::{ClientDialect, ProviderDialect};
    use crate::policy::Provider;

    #[test]
    fn texts_become_contents() {
        let request = Request {
            inputs: vec![Input::Text("a".into()), Input::Text("b".into())],
            dimensions: Some(256),
            purpose: Some("search_query".into()),
            ..Request::default()
        };
        let provider = Provider::for_tests(ProviderDialect::Gemini);
        let wanted = Wanted { model: "gemini-embedding-001", default_max_tokens: None, provider: &provider };
        let mut lacks = Lacks::new(ClientDialect::OpenAiEmbeddings);
        let body = encode_request(&request, wanted, &mut lacks).expect("encodes");
        let one = |text| {
            json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]},
                "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 256})
        };
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&body).expect("is JSON"),
            json!({"requests": [one("a"), one("b")]})
        );
        assert_eq!((lacks.parameters().len(), lacks.contents().len()), (0, 0));
    }

    #[test]
    fn tokens_of_another_vendor_can_not_be_embedded() {
        let tokens = json::read(b"[1,2]").expect("is JSON");
        let request =
            Request { inputs: vec![Input::Tokens(tokens)], user: Some("me".into()), ..Request::default() };
        let mut lacks = Lacks::new(ClientDialect::OpenAiEmbeddings);
        assert_eq!(texts(&request, &mut lacks), [""; 0]);
        note_lacks(&request, &mut lacks);
        assert_eq!((lacks.contents().len(), lacks.parameters().len()), (1, 1));
    }

    #[test]
    fn vectors_keep_their_order_and_digits() {
        let body = br#"{"embeddings":[{"values":[0.10,-1e-3]},{"values":[1]}],"usageMetadata":{"promptTokenCount":5}}"#;
        let answer = decode_answer(body).expect("decodes");
        let numbers = |position: usize| match &answer.vectors[position] {
            Vector::Numbers(numbers) => numbers.get(),
            vector => panic!("no numbers: {vector:?}"),
        };
        assert_eq!((numbers(0), numbers(1), answer.vectors.len()), ("[0.10,-1e-3]", "[1]", 2));
        assert_eq!(answer.usage.map(|usage| usage.input), Some(5));
        for body in [
            &b"{}"[..],
            br#"{"embeddings":[]}"#,
            br#"{"embeddings":[{}]}"#,
            br#"{"embeddings":[{"values":1}]}"#,
        ] {
            assert!(decode_answer(body).is_err_and(|failure| failure.status == 502));
        }
    }
}
