//! What a Chat Completions request says and the conversation has no word for.

use crate::conversation::Other;
use crate::json::{Raw, Text};

/// What the conversation has no word for, collected with its paths.
#[derive(Default)]
pub(super) struct Others(Vec<Other>);

impl Others {
    pub(super) fn into_inner(self) -> Vec<Other> {
        self.0
    }

    /// Notes the fields that were not read, but for those whose value asks for nothing.
    pub(super) fn add<'a>(&mut self, parent: &str, fields: impl IntoIterator<Item = (Text<'a>, Raw<'a>)>) {
        for (name, value) in fields {
            if asks_for_nothing(parent, &name, value.get()) {
                continue;
            }
            // What an assistant has said in these is part of the conversation.
            let content = parent.starts_with("messages") && matches!(&*name, "audio" | "function_call");
            match parent {
                "" => self.note(name.into_owned(), content),
                parent => self.note(format!("{parent}.{name}"), content),
            }
        }
    }

    pub(super) fn note(&mut self, path: impl Into<String>, content: bool) {
        self.0.push(Other { path: path.into(), content });
    }
}

/// Whether a field may be left out because its value is what happens without it.
fn asks_for_nothing(parent: &str, name: &str, value: &str) -> bool {
    if matches!(value, "null" | "\"\"") || is_empty_container(value) {
        return true;
    }
    match (parent, name) {
        // What the official SDKs' own message objects carry along when they are sent back.
        (parent, "parsed" | "parsed_arguments" | "index") if parent.starts_with("messages") => true,
        // What the objects of Mistral's SDK say when nobody has asked for it.
        (parent, "prefix") if parent.starts_with("messages") => value == "false",
        ("", "safe_prompt") => value == "false",
        ("", "store") | ("stream_options", "include_obfuscation") => value == "false",
        ("", "function_call") => matches!(value, r#""auto""# | r#""none""#),
        ("", "modalities") => value.split_ascii_whitespace().collect::<String>() == r#"["text"]"#,
        _ => false,
    }
}

fn is_empty_container(value: &str) -> bool {
    let inner = |open, close| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    inner('[', ']').or_else(|| inner('{', '}')).is_some_and(|inner| inner.trim_ascii().is_empty())
}
