//! A Chat Completions request for a provider of the same dialect: the client's bytes, but for what must change.

use std::borrow::Cow;

use crate::conversation::{Part, Request};
use crate::dialect::native::{Adapted, Native};
use crate::dialect::{Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{self, Raw, object};
use crate::task::{Task, TaskKind};

/// The body with another model's name, and no other byte changed; `None` when nothing has to.
///
/// `mixed`: whether providers of other dialects may have answered earlier turns. Then fields of their answers that only
/// the gateway writes (`reasoning_content`, `extra_content` of tool calls) come back in the history, and are taken out:
/// OpenAI refuses messages with fields that it does not know.
pub(crate) fn adapt(
    native: Native,
    body: &[u8],
    task: &Task<'_>,
    wanted: Wanted<'_>,
    mixed: bool,
    _lacks: &mut Lacks,
) -> Result<Adapted, Failure> {
    let path = match native {
        Native::Chat => "/chat/completions",
        Native::Responses => "/responses",
        Native::Completions => "/completions",
        Native::Plain if task.kind() == TaskKind::Rerank => "/rerank",
        Native::Plain => "/embeddings",
        Native::Messages | Native::Contents => {
            return Err(Failure::operator("This is no dialect of OpenAI's."));
        }
    };
    let body = edit(body, task, wanted.model, mixed && native == Native::Chat);
    Ok(Adapted { path: path.to_owned(), body, headers: &[], hides_usage: false })
}

/// The body with what has to change; `None` when nothing has to.
fn edit(body: &[u8], task: &Task<'_>, model: &str, mixed: bool) -> Option<Vec<u8>> {
    object! {
        struct Places<'a> {
            "model" => model: Raw<'a>,
            "messages" => messages: Vec<Raw<'a>>,
            ..
        }
    }
    let renames = task.model() != model;
    let cleans = mixed && task.conversation().is_some_and(has_our_fields);
    if !renames && !cleans {
        return None;
    }
    let places: Places<'_> = json::read(body).ok()?;
    let mut edits: Vec<(&str, Cow<'_, str>)> = Vec::new();
    if renames {
        edits.push((places.model?.get(), Cow::Owned(serde_json::to_string(model).ok()?)));
    }
    if cleans {
        for message in places.messages? {
            edits.extend(
                without(message, &["reasoning_content"], clean_tool_calls)
                    .map(|clean| (message.get(), clean)),
            );
        }
    }
    splice(body, edits)
}

/// Whether a message carries what only answers of the gateway have.
fn has_our_fields(request: &Request<'_>) -> bool {
    request.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
        Part::Reasoning(_) => true,
        Part::ToolCall(call) => call.signature.is_some(),
        _ => false,
    })
}

/// A `tool_calls` value without our fields; `None` for other fields, and where there is nothing to take out.
fn clean_tool_calls(name: &str, value: Raw<'_>) -> Option<String> {
    if name != "tool_calls" {
        return None;
    }
    let calls: Vec<Raw<'_>> = value.read().ok()?;
    let cleaned: Vec<_> = calls.iter().map(|call| without(*call, &["extra_content"], |_, _| None)).collect();
    if cleaned.iter().all(Option::is_none) {
        return None;
    }
    let calls = calls.iter().zip(cleaned).map(|(call, cleaned)| cleaned.unwrap_or(Cow::Borrowed(call.get())));
    Some(format!("[{}]", calls.collect::<Vec<_>>().join(",")))
}

/// An object without these fields, and with other values where `change` has one; `None` when nothing changes.
fn without<'a>(
    object: Raw<'a>,
    fields: &[&str],
    change: impl Fn(&str, Raw<'_>) -> Option<String>,
) -> Option<Cow<'a, str>> {
    object! {
        struct Entries<'a> {
            ..others
        }
    }
    let entries: Entries<'_> = object.read().ok()?;
    let mut changed = false;
    let mut kept = Vec::new();
    for (name, value) in &entries.others {
        if fields.contains(&&**name) {
            changed = true;
            continue;
        }
        let new = change(name, *value);
        changed |= new.is_some();
        let value = new.map_or(Cow::Borrowed(value.get()), Cow::Owned);
        kept.push(format!("{}:{value}", serde_json::to_string(&**name).ok()?));
    }
    changed.then(|| Cow::Owned(format!("{{{}}}", kept.join(","))))
}

/// Puts each text in the place of the one beside it, which is borrowed from `body`: its distance from the body's start
/// is its place in it.
fn splice(body: &[u8], mut edits: Vec<(&str, Cow<'_, str>)>) -> Option<Vec<u8>> {
    let place = |text: &str| (text.as_ptr() as usize).checked_sub(body.as_ptr() as usize);
    edits.sort_by_key(|(old, _)| place(old));
    let mut spliced = Vec::with_capacity(body.len() + 64);
    let mut from = 0;
    for (old, new) in edits {
        let start = place(old)?;
        spliced.extend_from_slice(body.get(from..start)?);
        spliced.extend_from_slice(new.as_bytes());
        from = start + old.len();
    }
    spliced.extend_from_slice(body.get(from..)?);
    Some(spliced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::openai::decode_request;

    fn adapted(body: &str, model: &str, mixed: bool) -> Option<String> {
        let request = decode_request(body.as_bytes()).expect("is a request");
        edit(body.as_bytes(), &Task::Conversation(request), model, mixed)
            .map(|bytes| String::from_utf8(bytes).expect("is text"))
    }

    const ECHOED: &str = r#"{"messages": [ {"role":"user","content":"x"},
        {"role":"assistant", "content":"y", "reasoning_content":"hm", "x":1.0, "tool_calls":[{"id":"1","type":"function","extra_content":{"google":{"thought_signature":"s"}},"function":{"name":"f","arguments":"{}"}}, {"id": "2","type":"function","function":{"name":"g","arguments":"{}"}}]} ], "model" : "a"}"#;

    #[test]
    fn only_the_model_changes() {
        assert_eq!(adapted(ECHOED, "a", false), None);
        assert_eq!(adapted(ECHOED, "b", false), Some(ECHOED.replace(r#""model" : "a""#, r#""model" : "b""#)));
    }

    #[test]
    fn what_only_our_answers_have_is_taken_out_where_others_may_have_answered() {
        let clean = r#"{"messages": [ {"role":"user","content":"x"},
        {"role":"assistant","content":"y","x":1.0,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},{"id": "2","type":"function","function":{"name":"g","arguments":"{}"}}]} ], "model" : "a"}"#;
        assert_eq!(adapted(ECHOED, "a", true).as_deref(), Some(clean));
        assert_eq!(adapted(clean, "a", true), None);
    }
}
