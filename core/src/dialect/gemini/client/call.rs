//! What a client's path calls.

use crate::dialect::{Call, ClientDialect};

/// What a path calls: `/v1beta/models/<model>:generateContent` and its like, of the Gemini API and of Vertex AI.
///
/// The versions are `v1`, `v1beta` and `v1beta1`. A model of another publisher than Google on Vertex AI is called
/// `<publisher>/<model>`, which is how the official SDK comes to such a path; a tuned one is called `tunedModels/<model>`.
pub(crate) fn call(path: &str, query: &str) -> Option<Call> {
    let rest =
        ["/v1beta1/", "/v1beta/", "/v1/"].into_iter().find_map(|version| path.strip_prefix(version))?;
    let (resource, method) = rest.rsplit_once(':')?;
    let stream = method == "streamGenerateContent";
    let dialect = match method {
        "generateContent" | "streamGenerateContent" => ClientDialect::Gemini,
        "countTokens" => ClientDialect::GeminiTokens,
        _ => return None,
    };
    let model = model(resource).filter(|model| !model.is_empty())?;
    let array = stream && !query.split('&').any(|pair| pair == "alt=sse");
    // Nothing of the query goes on: it may hold the client's key, and the rest is about the form that is chosen here.
    Some(Call {
        dialect,
        model: Some(model),
        query: None,
        stream,
        array,
        mistral: false,
        anthropic_version: None,
    })
}

/// The name of the model that a path's resource names.
fn model(resource: &str) -> Option<String> {
    if let Some(name) = resource.strip_prefix("models/") {
        return decoded(name);
    }
    if resource.starts_with("tunedModels/") {
        return decoded(resource);
    }
    let published = match resource.strip_prefix("projects/") {
        Some(rest) => {
            let (_project, rest) =
                rest.split_once("/locations/").filter(|(project, _)| !project.contains('/'))?;
            rest.split_once('/')?.1
        }
        None => resource,
    };
    let (publisher, name) = published.strip_prefix("publishers/")?.split_once("/models/")?;
    match publisher {
        "google" => decoded(name),
        publisher => decoded(&format!("{publisher}/{name}")),
    }
}

/// Text with its percent-encoding undone; `None` where that gives no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_both_platforms_name_a_model() {
        for (path, model) in [
            ("/v1/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash"),
            ("/v1beta/models/openai/gpt-4o:generateContent", "openai/gpt-4o"),
            ("/v1beta/models/a%2Fb%3Ac:generateContent", "a/b:c"),
            ("/v1beta/models/llama:70b:generateContent", "llama:70b"),
            ("/v1beta/tunedModels/mine:generateContent", "tunedModels/mine"),
            (
                "/v1beta1/projects/p/locations/eu/publishers/google/models/gemini-x:generateContent",
                "gemini-x",
            ),
            ("/v1/projects/p/locations/eu/publishers/openai/models/gpt-4o:generateContent", "openai/gpt-4o"),
            ("/v1beta1/publishers/google/models/gemini-x:generateContent", "gemini-x"),
        ] {
            let call = call(path, "").expect("is served");
            assert_eq!(
                (call.model.as_deref(), call.stream, call.array),
                (Some(model), false, false),
                "{path}"
            );
        }
    }

    #[test]
    fn methods_say_what_is_wanted() {
        let of = |method: &str, query| {
            call(&format!("/v1/models/m:{method}"), query).map(|call| (call.dialect, call.stream, call.array))
        };
        assert_eq!(of("streamGenerateContent", "alt=sse"), Some((ClientDialect::Gemini, true, false)));
        assert_eq!(of("streamGenerateContent", "key=x&alt=sse"), Some((ClientDialect::Gemini, true, false)));
        assert_eq!(of("streamGenerateContent", "alt=json"), Some((ClientDialect::Gemini, true, true)));
        assert_eq!(of("countTokens", ""), Some((ClientDialect::GeminiTokens, false, false)));
        for odd in ["embedContent", "", "generateContent/x"] {
            assert_eq!(of(odd, ""), None, "{odd}");
        }
        for odd in [
            "/v1/models/:generateContent",
            "/v2/models/m:generateContent",
            "/v1/x/m:generateContent",
            "/v1/models/%FF:countTokens",
            "/v1/models/%2:countTokens",
            "/v1/projects/p/locations/l:generateContent",
        ] {
            assert_eq!(call(odd, ""), None, "{odd}");
        }
    }
}
