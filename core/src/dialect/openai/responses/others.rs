//! What a Responses request says and the conversation has no word for.

use crate::conversation::Other;
use crate::json::{Raw, Text};

/// What the conversation has no word for, collected with its paths.
#[derive(Default)]
pub(super) struct Others(Vec<Other>);

impl Others {
    pub(super) fn into_inner(self) -> Vec<Other> {
        self.0
    }

    /// Whether something of what is said has been noted.
    pub(super) fn has_content(&self) -> bool {
        self.0.iter().any(|other| other.content)
    }

    /// Notes the fields that were not read, but for those whose value asks for nothing.
    pub(super) fn add<'a>(&mut self, parent: &str, fields: impl IntoIterator<Item = (Text<'a>, Raw<'a>)>) {
        for (name, value) in fields {
            if asks_for_nothing(parent, &name, value.get()) {
                continue;
            }
            let content = is_content(parent, &name);
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

/// Whether a field is part of what is said, or of what the answer is for.
fn is_content(parent: &str, name: &str) -> bool {
    match parent {
        // What the vendor keeps of earlier turns, or holds as a template; and an answer that is fetched later.
        "" => matches!(name, "previous_response_id" | "conversation" | "prompt" | "background"),
        // Which of several tools of one name was called.
        _ => name == "namespace",
    }
}

/// Whether a field may be left out because its value is what happens without it.
fn asks_for_nothing(parent: &str, name: &str, value: &str) -> bool {
    if matches!(value, "null" | "\"\"") || is_empty_container(value) {
        return true;
    }
    match parent {
        "" => match name {
            "store" | "background" => value == "false",
            "truncation" => value == r#""disabled""#,
            // It stands on the answer, as it would at OpenAI.
            "metadata" => true,
            // It counts the calls of built-in tools only, and there are none.
            "max_tool_calls" => true,
            _ => false,
        },
        "reasoning" => match name {
            "context" => value == r#""auto""#,
            "mode" => value == r#""standard""#,
            _ => false,
        },
        "stream_options" => name == "include_obfuscation" && value == "false",
        parent if parent.starts_with("tools[") => match name {
            "async" | "defer_loading" => value == "false",
            "allowed_callers" => without_spaces(value) == r#"["direct"]"#,
            _ => false,
        },
        parent if parent.starts_with("input[") => match name {
            // What OpenAI's answers carry along when their items are sent back: labels that mean nothing elsewhere, and
            // what the official SDKs add.
            "status" | "phase" | "parsed" | "parsed_arguments" | "logprobs" => true,
            "async" => value == "false",
            "caller" => without_spaces(value) == r#"{"type":"direct"}"#,
            _ => false,
        },
        _ => false,
    }
}

fn without_spaces(value: &str) -> String {
    value.split_ascii_whitespace().collect()
}

fn is_empty_container(value: &str) -> bool {
    let inner = |open, close| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    inner('[', ']').or_else(|| inner('{', '}')).is_some_and(|inner| inner.trim_ascii().is_empty())
}
