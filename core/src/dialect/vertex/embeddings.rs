//! Embeddings: `predict` for the older models, `embedContent` and `batchEmbedContents` for the Gemini ones.

use serde::{Deserialize, Serialize};

use crate::dialect::gemini::embeddings::{
    Content, EmbedUsage, Embedding, answer, malformed, note_lacks, texts,
};
use crate::dialect::{Lacks, Wanted};
use crate::embeddings::{Answer, Request};
use crate::failure::Failure;
use crate::json::{self, object};

#[derive(Serialize)]
struct Predict<'r> {
    instances: Vec<Instance<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters>,
}

#[derive(Serialize)]
struct Instance<'r> {
    content: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    output_dimensionality: u32,
}

#[derive(Serialize)]
struct Batch<'r> {
    requests: Vec<Embed<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Embed<'r> {
    content: Content<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embed_content_config: Option<Config>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

object! {
    /// The answer of any of the three methods.
    struct Response<'a> {
        "predictions" => predictions: Vec<Prediction<'a>>,
        "embedding" => embedding: Embedding<'a>,
        "embeddings" => embeddings: Vec<Embedding<'a>>,
        "usageMetadata" => usage: EmbedUsage,
        ..
    }
}

#[derive(Deserialize)]
struct Prediction<'a> {
    #[serde(borrow)]
    embeddings: Option<Embedding<'a>>,
}

/// Writes a request's body; the method that it is for comes with it.
pub(super) fn encode_request(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<(&'static str, Vec<u8>), Failure> {
    let task_type = note_lacks(request, lacks);
    let texts = texts(request, lacks);
    // As the official SDK tells them apart.
    if !["gemini", "maas"].iter().any(|word| wanted.model.contains(word)) {
        let instances = texts.into_iter().map(|content| Instance { content, task_type }).collect();
        let parameters = request.dimensions.map(|output_dimensionality| Parameters { output_dimensionality });
        return Ok((":predict", write(&Predict { instances, parameters })?));
    }
    let config = Config { task_type, output_dimensionality: request.dimensions };
    let config = (task_type.is_some() || request.dimensions.is_some()).then_some(config);
    let embed = |text| Embed { content: Content::from(text), embed_content_config: config };
    match texts.as_slice() {
        [text] => Ok((":embedContent", write(&embed(*text))?)),
        _ => {
            let requests = texts.into_iter().map(embed).collect();
            Ok((":batchEmbedContents", write(&Batch { requests })?))
        }
    }
}

fn write(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|_| Failure::operator("The request could not be written."))
}

/// Reads a whole successful answer.
pub(super) fn decode_answer(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let response: Response<'_> = json::read(body).map_err(|_| malformed())?;
    let embeddings = match (response.predictions, response.embedding, response.embeddings) {
        (Some(predictions), ..) => {
            let embeddings = predictions.into_iter().map(|prediction| prediction.embeddings);
            embeddings.collect::<Option<_>>().ok_or_else(malformed)?
        }
        (None, Some(embedding), _) => vec![embedding],
        (None, None, embeddings) => embeddings.ok_or_else(malformed)?,
    };
    answer(embeddings, response.usage.and_then(|usage| usage.prompt_token_count))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::dialect::{ClientDialect, ProviderDialect};
    use crate::embeddings::{Input, Vector};
    use crate::policy::Provider;

    fn encode(model: &str, texts: &[&'static str], dimensions: Option<u32>) -> (&'static str, Value) {
        let inputs = texts.iter().map(|text| Input::Text((*text).into())).collect();
        let request = Request { inputs, dimensions, ..Request::default() };
        let provider = Provider::for_tests(ProviderDialect::Vertex);
        let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
        let mut lacks = Lacks::new(ClientDialect::OpenAiEmbeddings);
        let (method, body) = encode_request(&request, wanted, &mut lacks).expect("encodes");
        (method, serde_json::from_slice(&body).expect("is JSON"))
    }

    #[test]
    fn each_family_has_its_method() {
        assert_eq!(
            encode("text-embedding-005", &["a", "b"], Some(3)),
            (
                ":predict",
                json!({"instances": [{"content": "a"}, {"content": "b"}], "parameters": {"outputDimensionality": 3}})
            )
        );
        let content = |text: &str| json!({"parts": [{"text": text}]});
        assert_eq!(
            encode("gemini-embedding-001", &["a"], Some(3)),
            (
                ":embedContent",
                json!({"content": content("a"), "embedContentConfig": {"outputDimensionality": 3}})
            )
        );
        assert_eq!(
            encode("gemini-embedding-2", &["a", "b"], None),
            (
                ":batchEmbedContents",
                json!({"requests": [{"content": content("a")}, {"content": content("b")}]})
            )
        );
    }

    #[test]
    fn each_answer_is_read() {
        for (body, count, input) in [
            (
                r#"{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":2.0}}},{"embeddings":{"values":[2],"statistics":{"token_count":3}}}]}"#,
                2,
                Some(5),
            ),
            (r#"{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":4}}"#, 1, Some(4)),
            (r#"{"embeddings":[{"values":[1]},{"values":[2]}]}"#, 2, None),
        ] {
            let answer = decode_answer(body.as_bytes()).expect("decodes");
            assert_eq!(
                (answer.vectors.len(), answer.usage.map(|usage| usage.input)),
                (count, input),
                "{body}"
            );
            assert!(matches!(&answer.vectors[0], Vector::Numbers(numbers) if numbers.get() == "[1]"));
        }
        for body in ["", "{}", r#"{"predictions":[{}]}"#, r#"{"predictions":[]}"#, r#"{"embedding":{}}"#] {
            assert!(decode_answer(body.as_bytes()).is_err(), "{body}");
        }
    }
}
