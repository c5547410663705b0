//! A Messages request for a provider of the same dialect: the client's bytes, but for what must change.

use std::borrow::Cow;
use std::ops::Range;

use crate::conversation::{Maker, Part, Reasoning, Request, Signature};
use crate::json::{self, Raw, Text, TextOr, object};
use crate::task::Task;

/// Where a platform has the model's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum ModelAt<'a> {
    /// In the body, where it is this one.
    Body(&'a str),
    /// In the path; the body has this version of the API in its place (Google Cloud).
    Path { version: &'a str },
    /// In the body, where it is this one, beside this version of the API (Google Cloud's counts).
    Both { model: &'a str, version: &'a str },
}

object! {
    struct Places<'a> {
        "model" => model: Raw<'a>,
        "messages" => messages: Vec<Raw<'a>>,
        "anthropic_version" => version: Raw<'a>,
        ..
    }
}

object! {
    struct Turn<'a> {
        "content" => content: TextOr<'a, Vec<Raw<'a>>>,
        ..
    }
}

object! {
    struct Thinking<'a> {
        "type" => kind: Text<'a>,
        "signature" => signature: Text<'a>,
        "data" => data: Text<'a>,
        ..
    }
}

/// The body with what has to change; `None` when nothing has to.
///
/// Besides the model, it is thinking that Claude has not signed: it comes from answers that another vendor gave to an earlier
/// turn, and Anthropic refuses it. A message of which nothing else is left goes with it.
pub(in crate::dialect) fn edit_body(body: &[u8], task: &Task<'_>, model: ModelAt<'_>) -> Option<Vec<u8>> {
    let renames = match model {
        ModelAt::Body(name) => task.model() != name,
        ModelAt::Path { .. } | ModelAt::Both { .. } => true,
    };
    let cleans = task.conversation().is_some_and(has_foreign_thinking);
    if !renames && !cleans {
        return None;
    }
    let places: Places<'_> = json::read(body).ok()?;
    let mut edits: Vec<(Range<usize>, Cow<'_, str>)> = Vec::new();
    if renames {
        let value = range(body, places.model?.get())?;
        match (model, places.version) {
            (ModelAt::Body(name), _) => edits.push((value, Cow::Owned(serde_json::to_string(name).ok()?))),
            (ModelAt::Path { version }, None) => {
                edits.push((key_start(body, value.start)?..value.end, Cow::Owned(version_field(version)?)));
            }
            (ModelAt::Path { version }, Some(given)) => {
                edits.push((with_comma(body, key_start(body, value.start)?..value.end), Cow::Borrowed("")));
                edits.push((range(body, given.get())?, Cow::Owned(serde_json::to_string(version).ok()?)));
            }
            (ModelAt::Both { model, version }, None) => {
                let model = serde_json::to_string(model).ok()?;
                edits.push((value, Cow::Owned(format!("{model},{}", version_field(version)?))));
            }
            (ModelAt::Both { model, version }, Some(given)) => {
                edits.push((value, Cow::Owned(serde_json::to_string(model).ok()?)));
                edits.push((range(body, given.get())?, Cow::Owned(serde_json::to_string(version).ok()?)));
            }
        }
    }
    if cleans {
        let messages = places.messages?;
        let cleaned: Vec<_> = messages.iter().map(|message| clean(*message)).collect();
        if cleaned.iter().any(|message| matches!(message, Clean::Gone)) {
            // An array without some of its elements is written anew: these are too rare to deserve better.
            let kept = messages.iter().zip(&cleaned).filter_map(|(message, clean)| match clean {
                Clean::Gone => None,
                Clean::Same => Some(Cow::Borrowed(message.get())),
                Clean::Content(old, new) => replaced(message.get(), old, new).map(Cow::Owned),
            });
            let kept = kept.collect::<Vec<_>>().join(",");
            let (first, last) = (messages.first()?.get(), messages.last()?.get());
            edits.push((range(body, first)?.start..range(body, last)?.end, Cow::Owned(kept)));
        } else {
            for clean in cleaned {
                if let Clean::Content(old, new) = clean {
                    let start = range(body, old.first)?.start;
                    edits.push((start..range(body, old.last)?.end, Cow::Owned(new)));
                }
            }
        }
    }
    splice(body, edits)
}

fn version_field(version: &str) -> Option<String> {
    Some(format!("\"anthropic_version\":{}", serde_json::to_string(version).ok()?))
}

fn has_foreign_thinking(request: &Request<'_>) -> bool {
    let is_own = |signature: &Signature<'_>| signature.maker == Maker::Anthropic;
    request.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
        Part::Reasoning(Reasoning { signature, hidden, .. }) => {
            !signature.as_ref().or(hidden.as_ref()).is_some_and(is_own)
        }
        // Its signature stood in a block of thinking.
        Part::ToolCall(call) => call.signature.is_some(),
        _ => false,
    })
}

/// A message without foreign thinking.
enum Clean<'a> {
    Same,
    /// Other blocks in the place of these.
    Content(Blocks<'a>, String),
    Gone,
}

/// From the first block to the last.
struct Blocks<'a> {
    first: &'a str,
    last: &'a str,
}

fn clean(message: Raw<'_>) -> Clean<'_> {
    let Ok(Turn { content: Some(TextOr::Other(blocks)) }) = message.read::<Turn<'_>>() else {
        return Clean::Same;
    };
    let kept: Vec<_> = blocks.iter().map(|block| block.get()).filter(|block| !is_foreign(block)).collect();
    match (blocks.first(), blocks.last()) {
        _ if kept.len() == blocks.len() => Clean::Same,
        _ if kept.is_empty() => Clean::Gone,
        (Some(first), Some(last)) => {
            Clean::Content(Blocks { first: first.get(), last: last.get() }, kept.join(","))
        }
        _ => Clean::Same,
    }
}

/// Whether a block is thinking that Claude has not signed.
fn is_foreign(block: &str) -> bool {
    let Ok(block) = json::read::<Thinking<'_>>(block.as_bytes()) else { return false };
    let secret = match block.kind.as_deref() {
        Some("thinking") => block.signature,
        Some("redacted_thinking") => block.data,
        _ => return false,
    };
    secret.is_none_or(|secret| {
        secret.is_empty() || Signature::read(secret, Maker::Anthropic).maker != Maker::Anthropic
    })
}

fn replaced(message: &str, old: &Blocks<'_>, new: &str) -> Option<String> {
    let start = range(message.as_bytes(), old.first)?.start;
    let end = range(message.as_bytes(), old.last)?.end;
    Some(format!("{}{new}{}", message.get(..start)?, message.get(end..)?))
}

/// The place of a text that is borrowed from `body`: its distance from the body's start.
fn range(body: &[u8], text: &str) -> Option<Range<usize>> {
    let start = (text.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    Some(start..start + text.len())
}

/// Where the key begins whose value begins at `value`. No quotation mark stands in the key.
fn key_start(body: &[u8], value: usize) -> Option<usize> {
    let before = body.get(..value)?;
    let close = before.iter().rposition(|byte| *byte == b'"')?;
    before.get(..close)?.iter().rposition(|byte| *byte == b'"')
}

/// A member of an object, with the comma behind it, or else the one before it.
fn with_comma(body: &[u8], member: Range<usize>) -> Range<usize> {
    let is_comma = |byte: Option<&u8>| byte == Some(&b',');
    let behind = body.get(member.end..).unwrap_or_default();
    let gap = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if is_comma(behind.get(gap)) {
        return member.start..member.end + gap + 1;
    }
    let before = body.get(..member.start).unwrap_or_default().trim_ascii_end();
    match is_comma(before.last()) {
        true => before.len() - 1..member.end,
        false => member,
    }
}

/// Puts each text in its place.
fn splice(body: &[u8], mut edits: Vec<(Range<usize>, Cow<'_, str>)>) -> Option<Vec<u8>> {
    edits.sort_by_key(|(place, _)| place.start);
    let mut spliced = Vec::with_capacity(body.len() + 64);
    let mut from = 0;
    for (place, new) in edits {
        spliced.extend_from_slice(body.get(from..place.start)?);
        spliced.extend_from_slice(new.as_bytes());
        from = place.end;
    }
    spliced.extend_from_slice(body.get(from..)?);
    Some(spliced)
}

#[cfg(test)]
mod tests {
    use super::super::client::decode_request;
    use super::*;

    fn edited(body: &str, model: ModelAt<'_>) -> Option<String> {
        let task = Task::Conversation(decode_request(body.as_bytes()).expect("reads"));
        edit_body(body.as_bytes(), &task, model).map(|body| String::from_utf8(body).expect("is text"))
    }

    #[test]
    fn only_the_models_name_changes() {
        let body = r#"{ "x": {"model":"no"}, "m\u006fdel" : "a" , "messages":[{"role":"user","content":"model"}],"max_tokens":1e1}"#;
        let body = body.replace("1e1", "10");
        assert_eq!(edited(&body, ModelAt::Body("a")), None);
        let renamed = body.replace(r#": "a""#, r#": "b\"""#);
        assert_eq!(edited(&body, ModelAt::Body("b\"")).as_deref(), Some(&*renamed));
    }

    #[test]
    fn google_cloud_has_a_version_in_the_models_place() {
        let rest = r#""messages":[{"role":"user","content":"Q"}]"#;
        let version = r#""anthropic_version":"vertex-2023-10-16""#;
        for (body, expected) in [
            (format!(r#"{{"m\u006fdel" : "a", {rest}}}"#), format!("{{{version}, {rest}}}")),
            (
                format!(r#"{{"model":"a" , "anthropic_version":"x",{rest}}}"#),
                format!("{{ {version},{rest}}}"),
            ),
            (
                format!(r#"{{"anthropic_version":"x",{rest} , "model":"a" }}"#),
                format!("{{{version},{rest}  }}"),
            ),
        ] {
            assert_eq!(edited(&body, ModelAt::Path { version: "vertex-2023-10-16" }), Some(expected));
        }
        let counted = ModelAt::Both { model: "b", version: "2026-10-21" };
        for (body, expected) in [
            (
                format!(r#"{{"model" : "a", {rest}}}"#),
                format!(r#"{{"model" : "b","anthropic_version":"2026-10-21", {rest}}}"#),
            ),
            (
                format!(r#"{{"anthropic_version":"x","model":"a",{rest}}}"#),
                format!(r#"{{"anthropic_version":"2026-10-21","model":"b",{rest}}}"#),
            ),
        ] {
            assert_eq!(edited(&body, counted), Some(expected));
        }
    }

    #[test]
    fn thinking_of_other_makers_is_taken_out() {
        let body = r#"{"model":"a","messages":[{"role":"user","content":"Q"},
            {"role":"assistant","content":[ {"type":"thinking","thinking":"","signature":"sluice.gemini.x"} ]},
            {"role":"assistant","content":[ {"type":"thinking","thinking":"T","signature":"own"}, {"type":"thinking","thinking":"U","signature":""},
             {"type":"redacted_thinking","data":"sluice.openai.y"},{"type":"redacted_thinking","data":"z"},{"type":"text","text": "A"} ], "x": 1}]}"#;
        let expected = r#"{"model":"a","messages":[{"role":"user","content":"Q"},{"role":"assistant","content":[ {"type":"thinking","thinking":"T","signature":"own"},{"type":"redacted_thinking","data":"z"},{"type":"text","text": "A"} ], "x": 1}]}"#;
        assert_eq!(edited(body, ModelAt::Body("a")).as_deref(), Some(expected));
        let body = r#"{"model":"a","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"U","signature":""}, {"type":"text","text": "A"} ] } ]}"#;
        let expected =
            r#"{"model":"b","messages":[{"role":"assistant","content":[{"type":"text","text": "A"} ] } ]}"#;
        assert_eq!(edited(body, ModelAt::Body("b")).as_deref(), Some(expected));
        let own = r#"{"model":"a","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"s"}]}]}"#;
        assert_eq!(edited(own, ModelAt::Body("a")), None);
    }
}
