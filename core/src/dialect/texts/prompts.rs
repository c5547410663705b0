//! The member `prompt` of a request, which names a template: finds it, takes it out, and puts messages before the client's own.

use super::tape::{Kind, Node, Tape};
use crate::dialect::{ClientDialect, malformed};
use crate::failure::Failure;

const PROMPT: &str = "prompt";

/// Whether requests of a dialect may name a template.
pub(crate) fn has_templates(client: ClientDialect) -> bool {
    matches!(
        client,
        ClientDialect::OpenAiChat
            | ClientDialect::OpenAiResponses
            | ClientDialect::Anthropic
            | ClientDialect::AnthropicTokens
            | ClientDialect::Gemini
            | ClientDialect::GeminiTokens
    )
}

/// The member as it stands; `None` where there is none.
///
/// # Errors
/// The body is no JSON, or has two of them.
pub(crate) fn find(client: ClientDialect, body: &[u8]) -> Result<Option<String>, Failure> {
    // Most requests have none: a look is cheaper than to read it all.
    if !has_templates(client) || memchr::memmem::find(body, PROMPT.as_bytes()).is_none() {
        return Ok(None);
    }
    let tape = Tape::read(body).map_err(malformed)?;
    Ok(member(&tape)?.map(|(_, node)| tape.raw(node).to_owned()))
}

fn member(tape: &Tape<'_>) -> Result<Option<(usize, Node)>, Failure> {
    let mut found = tape.children(0).filter(|(_, node)| tape.key(*node) == PROMPT);
    let first = found.next();
    if found.next().is_some() {
        let failure = Failure::invalid("The field prompt is there twice.", Some(PROMPT.to_owned()));
        return Err(failure.code("duplicate_key"));
    }
    Ok(first.filter(|(_, node)| tape.raw(*node) != "null"))
}

/// A member of an object.
pub(crate) enum Member {
    Text(String),
    /// An object, as it stands.
    Object(String),
    Null,
    Other,
}

/// The members of a JSON object, in order; `None` where it is none.
pub(crate) fn members(object: &str) -> Option<Vec<(String, Member)>> {
    let tape = Tape::read(object.as_bytes()).ok()?;
    tape.node(0).filter(|root| root.kind == Kind::Object)?;
    let member = |(_, node): (usize, Node)| {
        let value = match node.kind {
            Kind::String => Member::Text(tape.string(node).into_owned()),
            Kind::Object => Member::Object(tape.raw(node).to_owned()),
            Kind::Bare if tape.raw(node) == "null" => Member::Null,
            Kind::Bare | Kind::List => Member::Other,
        };
        (tape.key(node).into_owned(), value)
    };
    Some(tape.children(0).map(member).collect())
}

/// The body with this as its `prompt`, which it has not.
pub(crate) fn add(body: &[u8], prompt: &str) -> Result<Vec<u8>, Failure> {
    let tape = Tape::read(body).map_err(malformed)?;
    Ok(add_member(&tape, 0, PROMPT, prompt).unwrap_or_else(|| body.to_vec()))
}

/// The body without its `prompt`.
pub(crate) fn remove(client: ClientDialect, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let tape = Tape::read(body).map_err(malformed)?;
    let found = if has_templates(client) { member(&tape)? } else { None };
    let Some((number, _)) = found else { return Ok(body.to_vec()) };
    Ok(tape.edited(vec![(tape.span_of_member(0, number), String::new())]).unwrap_or_default())
}

/// The body with messages, as JSON with commas between them, before the client's own; behind its system messages, where those are
/// among them.
pub(crate) fn put_before(client: ClientDialect, body: &[u8], messages: &str) -> Result<Vec<u8>, Failure> {
    let tape = Tape::read(body).map_err(malformed)?;
    let (object, name) = match client {
        ClientDialect::OpenAiResponses => (0, "input"),
        ClientDialect::Gemini => (0, "contents"),
        ClientDialect::GeminiTokens => {
            let request =
                tape.member(0, "generateContentRequest").filter(|(_, node)| node.kind == Kind::Object);
            (request.map_or(0, |(request, _)| request), "contents")
        }
        _ => (0, "messages"),
    };
    let edited = match tape.member(object, name) {
        None => add_member(&tape, object, name, &format!("[{messages}]")),
        Some((number, list)) if list.kind == Kind::List => {
            let is_system = |(item, _): &(usize, Node)| {
                let role = tape.text_of(*item, "role");
                matches!(role.as_deref(), Some("system" | "developer"))
            };
            let last = tape.children(number).take_while(is_system).last();
            let is_empty = tape.children(number).next().is_none();
            let edit = match last {
                Some((_, last)) => (tape.span(last).end, format!(",{messages}")),
                None if is_empty => (tape.span(list).start + 1, messages.to_owned()),
                None => (tape.span(list).start + 1, format!("{messages},")),
            };
            tape.edited(vec![(edit.0..edit.0, edit.1)])
        }
        Some((_, node)) => {
            let own = match (client, node.kind) {
                (ClientDialect::OpenAiResponses, Kind::String) => {
                    format!(r#",{{"role":"user","content":{}}}"#, tape.raw(node))
                }
                (ClientDialect::Gemini | ClientDialect::GeminiTokens, Kind::String) => {
                    format!(r#",{{"role":"user","parts":[{{"text":{}}}]}}"#, tape.raw(node))
                }
                (ClientDialect::Gemini | ClientDialect::GeminiTokens, Kind::Object) => {
                    format!(",{}", tape.raw(node))
                }
                _ if tape.raw(node) == "null" => String::new(),
                // Whoever reads it says what is wrong with it.
                _ => return Ok(body.to_vec()),
            };
            tape.edited(vec![(tape.span(node), format!("[{messages}{own}]"))])
        }
    };
    Ok(edited.unwrap_or_else(|| body.to_vec()))
}

/// Adds a member in front of an object's others.
fn add_member(tape: &Tape<'_>, object: usize, name: &str, value: &str) -> Option<Vec<u8>> {
    let node = tape.node(object).filter(|node| node.kind == Kind::Object)?;
    let comma = if tape.children(object).next().is_some() { "," } else { "" };
    let start = tape.span(node).start + 1;
    tape.edited(vec![(start..start, format!("\"{name}\":{value}{comma}"))])
}
