//! The request of a client of Gemini's own dialect: its bytes, but for what only our own answers have put there.

use std::ops::Range;

use crate::conversation::{Part, Request};
use crate::dialect::Wanted;
use crate::dialect::native::Adapted;
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};
use crate::task::Task;

use super::client::signature;
use super::{Method, Platform};

object! {
    /// Where the contents of a request are, and the fields that make a request for a count.
    struct Body<'a> {
        "contents" => contents: Vec<Content<'a>>,
        "generateContentRequest" | "generate_content_request" => request: Raw<'a>,
        ..others
    }
}

object! {
    struct Content<'a> {
        "parts" => parts: Vec<Raw<'a>>,
        ..
    }
}

object! {
    struct Fields<'a> {
        ..fields
    }
}

/// The request of a client of the same dialect.
pub fn adapt(body: &[u8], task: &Task<'_>, wanted: Wanted<'_>) -> Result<Adapted, Failure> {
    let method = Method::of(task).ok_or_else(super::no_such_work)?;
    let path = super::path(wanted.model, method);
    let body = adapt_body(body, task, wanted.model, Platform::Developer)?;
    Ok(Adapted { path, body, headers: &[], hides_usage: false })
}

/// The body of such a request; `None` when the client's bytes are right as they are.
pub fn adapt_body(
    body: &[u8],
    task: &Task<'_>,
    model: &str,
    platform: Platform,
) -> Result<Option<Vec<u8>>, Failure> {
    let unsigned = match task.conversation().is_some_and(has_foreign_signatures) {
        true => Some(without_foreign_signatures(body)?),
        false => None,
    };
    let Task::CountTokens(_) = task else { return Ok(unsigned) };
    let counted = count_body(unsigned.as_deref().unwrap_or(body), model, platform)?;
    Ok(counted.or(unsigned))
}

/// Whether another vendor has answered before, so that its signatures stand where Gemini would look for its own.
fn has_foreign_signatures(request: &Request<'_>) -> bool {
    request.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
        Part::Reasoning(reasoning) => {
            reasoning.hidden.is_some() || reasoning.signature.as_ref().is_some_and(signature::is_foreign)
        }
        Part::ToolCall(call) => call.signature.as_ref().is_some_and(signature::is_foreign),
        _ => false,
    })
}

/// The same body, in which Gemini finds no signatures but its own.
fn without_foreign_signatures(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let read: Body<'_> = json::read(body).map_err(|_| unreadable())?;
    let wrapped =
        read.request.map(|request| request.read::<Body<'_>>()).transpose().map_err(|_| unreadable())?;
    let contents = wrapped.and_then(|request| request.contents).into_iter().chain(read.contents).flatten();
    let mut edited = Vec::with_capacity(body.len());
    let mut kept = 0;
    for part in contents.flat_map(|content| content.parts.unwrap_or_default()) {
        let fields: Fields<'_> = part.read().map_err(|_| unreadable())?;
        let Some(text) = rewritten(&fields.fields) else { continue };
        let place = span(body, part.get()).filter(|place| place.start >= kept).ok_or_else(unreadable)?;
        edited.extend_from_slice(body.get(kept..place.start).unwrap_or_default());
        edited.extend_from_slice(text.as_bytes());
        kept = place.end;
    }
    edited.extend_from_slice(body.get(kept..).unwrap_or_default());
    Ok(edited)
}

/// A part without its signature, where that is another vendor's. A call keeps Google's own sign that it has none.
fn rewritten(fields: &[(Text<'_>, Raw<'_>)]) -> Option<String> {
    let is_signature = |name: &str| matches!(name, "thoughtSignature" | "thought_signature");
    let is_call = fields.iter().any(|(name, _)| matches!(&**name, "functionCall" | "function_call"));
    let (_, value) = fields.iter().find(|(name, _)| is_signature(name))?;
    let value: Text<'_> = value.read().ok()?;
    if !signature::is_carried(&value) {
        return None;
    }
    let kept = fields.iter().filter(|(name, _)| !is_signature(name));
    let mut kept: Vec<_> = kept.map(|(name, value)| format!("{}:{}", quoted(name), value.get())).collect();
    if is_call {
        kept.push(format!(r#""thoughtSignature":"{}""#, signature::NONE));
    }
    Some(format!("{{{}}}", kept.join(",")))
}

/// The body of a request for a count, in the form that the platform has for it.
fn count_body(body: &[u8], model: &str, platform: Platform) -> Result<Option<Vec<u8>>, Failure> {
    let read: Body<'_> = json::read(body).map_err(|_| unreadable())?;
    let written = match (platform, read.request) {
        (Platform::Developer, Some(request)) => {
            let inside = with_model(request, Some(model))?;
            format!("{{\"generateContentRequest\":{inside}}}")
        }
        // Only contents may stand outside of such a request.
        (Platform::Developer, None) if !read.others.is_empty() => {
            let whole: Raw<'_> = json::read(body).map_err(|_| unreadable())?;
            format!("{{\"generateContentRequest\":{}}}", with_model(whole, Some(model))?)
        }
        (Platform::Vertex, Some(request)) => with_model(request, None)?,
        (_, None) => return Ok(None),
    };
    Ok(Some(written.into_bytes()))
}

/// An object whose field `model` is this one, or is not there.
fn with_model(object: Raw<'_>, model: Option<&str>) -> Result<String, Failure> {
    let fields: Fields<'_> = object.read().map_err(|_| unreadable())?;
    let model = model.map(|model| format!("\"model\":{}", quoted(&super::resource(model))));
    let others = fields.fields.iter().filter(|(name, _)| &**name != "model");
    let others = others.map(|(name, value)| format!("{}:{}", quoted(name), value.get()));
    Ok(format!("{{{}}}", model.into_iter().chain(others).collect::<Vec<_>>().join(",")))
}

fn quoted(text: &str) -> String {
    // Text always serialises.
    serde_json::to_string(text).unwrap_or_default()
}

/// Where a part of the body stands in it.
fn span(body: &[u8], part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= body.len()).then_some(start..end)
}

/// What has been read before can be read again.
fn unreadable() -> Failure {
    Failure::operator("The request could not be adapted.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Maker, Signature};
    use crate::dialect::{Call, ClientDialect, ProviderDialect};
    use crate::policy::Provider;

    fn run(method: &str, body: &str, platform: Platform) -> Option<String> {
        let call = Call::of("POST", &format!("/v1/models/x:{method}")).expect("is served");
        let task = ClientDialect::decode(&call, body.as_bytes()).expect("decodes");
        let adapted = adapt_body(body.as_bytes(), &task, "gemini-2.5-pro", platform).expect("adapts");
        adapted.map(|body| String::from_utf8(body).expect("is text"))
    }

    #[test]
    fn what_is_geminis_own_passes_byte_for_byte() {
        let body = r#"{ "contents" : [{"parts":[{"text":"a","thoughtSignature":"QUJD"}],"role":"model"}], "new_field": 1.0 }"#;
        assert_eq!(run("generateContent", body, Platform::Developer), None);
        let provider = Provider::for_tests(ProviderDialect::Gemini);
        let wanted = Wanted { model: "gemini-2.5-pro", default_max_tokens: None, provider: &provider };
        let call = Call::of("POST", "/v1beta/models/x:streamGenerateContent?alt=sse").expect("is served");
        let task = ClientDialect::decode(&call, body.as_bytes()).expect("decodes");
        let adapted = adapt(body.as_bytes(), &task, wanted).expect("adapts");
        assert_eq!(adapted.path, "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
        assert!(adapted.body.is_none() && !adapted.hides_usage);
    }

    #[test]
    fn signatures_of_other_vendors_are_taken_out() {
        let foreign = Signature { maker: Maker::Anthropic, value: "sig".into() };
        let foreign = signature::write(Some(&foreign), None, None).expect("is carried");
        let before = r#"{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[ "#;
        let after = r#" ,{"functionCall":{"name":"f"},"thoughtSignature":"QUJD"}]}], "x":1}"#;
        let body = format!(
            r#"{before}{{"thoughtSignature":"{foreign}","text":"hm\u0021","thought":true}}, {{"functionCall": {{"name":"g"}} , "thought_signature":"{foreign}"}}{after}"#
        );
        let expected = format!(
            r#"{before}{{"text":"hm\u0021","thought":true}}, {{"functionCall":{{"name":"g"}},"thoughtSignature":"{}"}}{after}"#,
            signature::NONE
        );
        assert_eq!(run("generateContent", &body, Platform::Developer), Some(expected));
    }

    #[test]
    fn a_count_is_asked_for_in_the_platforms_own_form() {
        let contents = r#""contents":[{"parts":[{"text":"q"}]}]"#;
        let plain = format!("{{{contents}}}");
        let system = format!(r#"{{"systemInstruction":{{"parts":[]}},{contents}}}"#);
        let wrapped = format!(r#"{{"generateContentRequest":{{"model":"models/x",{contents}}}}}"#);
        let count = |body: &str, platform| run("countTokens", body, platform);
        assert_eq!(count(&plain, Platform::Developer), None);
        assert_eq!(count(&plain, Platform::Vertex), None);
        assert_eq!(count(&system, Platform::Vertex), None);
        assert_eq!(count(&wrapped, Platform::Vertex), Some(plain));
        assert_eq!(
            count(&wrapped, Platform::Developer),
            Some(wrapped.replace("models/x", "models/gemini-2.5-pro"))
        );
        assert_eq!(
            count(&system, Platform::Developer),
            Some(format!(
                r#"{{"generateContentRequest":{{"model":"models/gemini-2.5-pro","systemInstruction":{{"parts":[]}},{contents}}}}}"#
            ))
        );
    }
}
