//! A request for a provider of the client's own dialect: the client's bytes, but for what must change.

mod edit;

use std::borrow::Cow;

use self::edit::{Action, Edits, Rule};
use super::provider::short_call_id;
use super::responses::{clean_input, has_foreign};
use crate::conversation::{Field, Part, Request};
use crate::dialect::native::{Adapted, Native};
use crate::dialect::presets::Quirks;
use crate::dialect::{Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{Raw, Text};
use crate::task::{Task, TaskKind};

/// The body with another model's name, what the vendor has differently, and the wish to be told the usage of a stream:
/// no other byte changed; `None` when nothing has to.
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
    lacks: &mut Lacks,
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
    let quirks = Quirks::of(wanted.provider);
    let mut edits = Edits::new(body);
    let rules = rules(native, task, wanted.model, quirks, mixed);
    if !rules.is_empty() {
        edits.apply(&rules).ok_or_else(unreadable)?;
    }
    let hides_usage = wants_usage(native, task, quirks) && edits.include_usage().is_some();
    for path in &edits.lacks {
        lacks.parameter(Field::Path(path));
    }
    Ok(Adapted { path: path.to_owned(), body: edits.finish(), headers: &[], hides_usage })
}

/// A body has been read before it comes here.
fn unreadable() -> Failure {
    Failure::operator("The request could not be edited.")
}

fn rules<'r>(native: Native, task: &Task<'_>, model: &str, quirks: Quirks, mixed: bool) -> Vec<Rule<'r>> {
    let mut rules = Vec::new();
    let mut add = |path, action| rules.push(Rule { path, action });
    if task.model() != model {
        // Text always serialises.
        let name = serde_json::to_string(model).unwrap_or_default();
        add("model", Action::Replace(Cow::Owned(name)));
    }
    if native == Native::Responses && mixed && task.conversation().is_some_and(has_foreign) {
        add("input", Action::Change(clean_input));
    }
    if native != Native::Chat {
        return rules;
    }
    if mixed && task.conversation().is_some_and(has_our_fields) {
        if !quirks.takes("messages[].reasoning_content") {
            add("messages[].reasoning_content", Action::Remove);
        }
        add("messages[].tool_calls[].extra_content", Action::Remove);
    }
    if quirks.short_call_ids() {
        add("messages[].tool_calls[].id", Action::Change(shorten));
        add("messages[].tool_call_id", Action::Change(shorten));
    }
    rules.extend(quirks.iter().filter_map(Rule::of));
    rules
}

fn shorten(id: Raw<'_>) -> Option<String> {
    let id: Text<'_> = id.read().ok()?;
    match short_call_id(&id) {
        Cow::Borrowed(_) => None,
        Cow::Owned(short) => Some(format!("\"{short}\"")),
    }
}

/// Whether the provider has to be asked for the usage of a stream, as the client has not.
fn wants_usage(native: Native, task: &Task<'_>, quirks: Quirks) -> bool {
    let is_asked = task.conversation().is_some_and(|request| request.stream_usage);
    matches!(native, Native::Chat | Native::Completions)
        && task.streams()
        && !is_asked
        && quirks.word("stream_options").is_some()
}

/// Whether a message carries what only answers of the gateway have.
fn has_our_fields(request: &Request<'_>) -> bool {
    request.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
        Part::Reasoning(_) => true,
        Part::ToolCall(call) => call.signature.is_some(),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::openai::decode_request;
    use crate::dialect::presets::Preset;
    use crate::dialect::{ClientDialect, ProviderDialect};
    use crate::policy::Provider;

    fn adapted(body: &str, model: &str, mixed: bool, preset: Option<&str>) -> (Option<String>, bool, Lacks) {
        let request = decode_request(body.as_bytes()).expect("is a request");
        let mut provider = Provider::for_tests(ProviderDialect::OpenAi);
        provider.preset = preset.map(|name| Preset::named(name).expect("is a preset"));
        let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
        let mut lacks = Lacks::new(ClientDialect::OpenAiChat);
        let task = Task::Conversation(request);
        let adapted = adapt(Native::Chat, body.as_bytes(), &task, wanted, mixed, &mut lacks).expect("adapts");
        let body = adapted.body.map(|bytes| String::from_utf8(bytes).expect("is text"));
        (body, adapted.hides_usage, lacks)
    }

    fn edit(body: &str, model: &str, mixed: bool) -> Option<String> {
        adapted(body, model, mixed, None).0
    }

    const ECHOED: &str = r#"{"messages": [ {"role":"user","content":"x"},
        {"role":"assistant", "content":"y", "reasoning_content":"hm", "x":1.0, "tool_calls":[{"id":"1","type":"function","extra_content":{"google":{"thought_signature":"s"}},"function":{"name":"f","arguments":"{}"}}, {"id": "2","type":"function","function":{"name":"g","arguments":"{}"}}]} ], "model" : "a"}"#;

    #[test]
    fn only_the_model_changes() {
        assert_eq!(edit(ECHOED, "a", false), None);
        assert_eq!(edit(ECHOED, "b", false), Some(ECHOED.replace(r#""model" : "a""#, r#""model" : "b""#)));
    }

    #[test]
    fn what_only_our_answers_have_is_taken_out_where_others_may_have_answered() {
        let clean = ECHOED
            .replace(r#", "reasoning_content":"hm""#, "")
            .replace(r#","extra_content":{"google":{"thought_signature":"s"}}"#, "");
        assert_eq!(edit(ECHOED, "a", true).as_ref(), Some(&clean));
        assert_eq!(edit(&clean, "a", true), None);
        let deepseek = adapted(ECHOED, "a", true, Some("deepseek")).0.expect("changes");
        assert!(deepseek.contains("reasoning_content") && !deepseek.contains("extra_content"));
    }

    #[test]
    fn a_streams_usage_is_asked_for_and_hidden_from_who_did_not_ask() {
        let body = |more: &str| {
            format!(r#"{{"model":"a","messages":[{{"role":"user","content":"x"}}],"stream":true{more}}}"#)
        };
        let options = r#","stream_options":{"include_usage":true}"#;
        let (new, hides, _) = adapted(&body(""), "a", false, None);
        assert_eq!((new, hides), (Some(body(options)), true));
        let (new, hides, _) = adapted(&body(options), "a", false, None);
        assert_eq!((new, hides), (None, false));
        let (new, hides, _) = adapted(&body("").replace("true", "false"), "a", false, None);
        assert_eq!((new, hides), (None, false));
        // Mistral refuses to be asked, and tells of itself.
        let (new, hides, _) = adapted(&body(""), "a", false, Some("mistral"));
        assert_eq!((new, hides), (None, false));
        let (new, hides, _) = adapted(&body(options), "a", false, Some("mistral"));
        assert_eq!((new, hides), (Some(body("")), false));
    }

    #[test]
    fn a_presets_quirks_are_applied_to_the_clients_bytes() {
        let body = r#"{"model":"a", "max_completion_tokens":5 ,"seed":1,"logit_bias":{"1":2},"x":[1.0],"messages":[{"role":"user","name":"bob","content":"x"},{"role":"assistant","tool_calls":[{"id":"call_abcdefgh","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_abcdefgh","content":"1"}]}"#;
        let (new, _, lacks) = adapted(body, "a", false, Some("mistral"));
        let short = short_call_id("call_abcdefgh");
        assert_eq!(short.len(), 9);
        let expected = body
            .replace("max_completion_tokens", "max_tokens")
            .replace("\"seed\"", "\"random_seed\"")
            .replace(r#","logit_bias":{"1":2}"#, "")
            .replace(r#","name":"bob""#, "")
            .replace("call_abcdefgh", &short);
        assert_eq!(new.as_ref(), Some(&expected));
        let mut names = lacks.parameters().to_vec();
        names.sort();
        assert_eq!(names, ["logit_bias", "messages[0].name"]);
    }
}
