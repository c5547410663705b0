//! What only the gateway's own answers have, taken out of a history that goes to OpenAI itself.

use crate::conversation::{Maker, Part, Request};
use crate::json::{Raw, Text, object};

use super::seal::{is_our_id, is_ours};

object! {
    struct Item<'a> {
        "type" => kind: Text<'a>,
        "id" => id: Text<'a>,
        "encrypted_content" => encrypted_content: Text<'a>,
        ..
    }
}

/// Whether the history has thinking that OpenAI would refuse, because it neither made nor keeps it.
pub(crate) fn has_foreign(request: &Request<'_>) -> bool {
    request.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
        Part::Reasoning(reasoning) => match &reasoning.hidden {
            Some(hidden) => hidden.maker != Maker::OpenAi,
            None => reasoning.id.as_deref().is_none_or(is_our_id) || reasoning.signature.is_some(),
        },
        Part::ToolCall(call) => call.signature.is_some(),
        _ => false,
    })
}

/// The value of `input` without the thinking of other vendors; `None` where nothing has to change. What is left keeps its
/// bytes.
pub(crate) fn clean_input(input: Raw<'_>) -> Option<String> {
    let items: Vec<Raw<'_>> = input.read().ok()?;
    let kept: Vec<&str> = items.iter().filter(|item| !is_foreign(**item)).map(|item| item.get()).collect();
    (kept.len() < items.len()).then(|| format!("[{}]", kept.join(",")))
}

/// An item of thinking is OpenAI's own if it is encrypted by it, or has an id under which it may be kept there.
fn is_foreign(item: Raw<'_>) -> bool {
    let Ok(item) = item.read::<Item<'_>>() else { return false };
    let reasoning = item.kind.as_deref() == Some("reasoning");
    reasoning
        && match item.encrypted_content {
            Some(content) if !content.is_empty() => is_ours(&content),
            _ => item.id.as_deref().is_none_or(is_our_id),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::openai::responses::decode_request;

    object! {
        struct Body<'a> {
            "input" => input: Raw<'a>,
            ..
        }
    }

    #[test]
    fn thinking_of_other_vendors_is_taken_out() {
        let own = r#"{"type":"reasoning", "id":"rs_1","summary":[],"encrypted_content":"gAAA"}"#;
        let kept = r#"{"type":"reasoning","id":"rs_2","summary":[]}"#;
        let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{ }"}"#;
        for foreign in [
            r#"{"type":"reasoning","summary":[],"encrypted_content":"sluice.anthropic.x"}"#,
            r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"sluice-thinking:sluice.anthropic.x"}"#,
            r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"sluice-call:sluice.gemini.x"}"#,
            r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":null}"#,
            r#"{"type":"reasoning","id":"rs_sluice_9_0","summary":[{"type":"summary_text","text":"hm"}]}"#,
        ] {
            let all = format!(r#"{{"model":"m","input":[{own}, {foreign}, {kept},{call}]}}"#);
            assert!(has_foreign(&decode_request(all.as_bytes()).expect("is a request")), "{foreign}");
            let body: Body<'_> = crate::json::read(all.as_bytes()).expect("is JSON");
            let clean = clean_input(body.input.expect("is there"));
            assert_eq!(clean.as_deref(), Some(&*format!("[{own},{kept},{call}]")));
        }
        let all = format!(r#"{{"model":"m","input":[{own},{kept},{call}]}}"#);
        assert!(!has_foreign(&decode_request(all.as_bytes()).expect("is a request")));
        let body: Body<'_> = crate::json::read(all.as_bytes()).expect("is JSON");
        assert_eq!(clean_input(body.input.expect("is there")), None);
    }
}
