//! What a Messages request says and the conversation has no word for.

use crate::conversation::Other;
use crate::json::{Raw, Text};

use super::wire::ContextManagement;

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
            if asks_for_nothing(parent, &name, value) {
                continue;
            }
            let content = is_content(parent, &name, value.get());
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

/// Whether a field, by its path, is advice or a label that nearly every request of this dialect's agents carries, and without
/// which the question and its answer stay what they are.
pub(crate) fn is_advice(path: &str) -> bool {
    // Who the end user is, what the vendor may take out of a long context, why its cache missed.
    matches!(path, "metadata.user_id" | "context_management" | "diagnostics")
}

/// Whether a field is part of what is said, rather than of how to answer.
fn is_content(parent: &str, name: &str, value: &str) -> bool {
    match name {
        // Tools and files that the vendor's servers have.
        "mcp_servers" | "container" => parent.is_empty(),
        // What a document is about; who called a tool.
        "context" | "caller" | "toolset_name" => true,
        // Of a text what it is based on; of a document only the wish to have it cited.
        "citations" => value.starts_with('['),
        _ => false,
    }
}

/// Whether a field may be left out because its value is what happens without it.
fn asks_for_nothing(parent: &str, name: &str, value: Raw<'_>) -> bool {
    let text = value.get();
    if matches!(text, "null" | "\"\"") || is_empty_container(text) {
        return true;
    }
    let squeezed = || text.split_ascii_whitespace().collect::<String>();
    match name {
        "speed" => parent.is_empty() && text == r#""standard""#,
        "context_management" => parent.is_empty() && keeps_everything(value),
        // How finely the stream is cut; every vendor streams arguments in its own way.
        "eager_input_streaming" => parent.starts_with("tools"),
        "defer_loading" => text == "false",
        "allowed_callers" => squeezed() == r#"["direct"]"#,
        "caller" => squeezed() == r#"{"type":"direct"}"#,
        "citations" => squeezed() == r#"{"enabled":false}"#,
        _ => false,
    }
}

/// Whether the only wish is that thinking of earlier turns stays in the context: nobody else would take it out.
fn keeps_everything(value: Raw<'_>) -> bool {
    let Ok(ContextManagement { edits, others }) = value.read::<ContextManagement<'_>>() else { return false };
    let keeps = edits.unwrap_or_default().iter().all(|edit| {
        edit.kind.as_deref().is_some_and(|kind| kind.starts_with("clear_thinking_"))
            && edit.keep.is_some_and(|keep| keep.get() == r#""all""#)
            && edit.others.is_empty()
    });
    keeps && others.is_empty()
}

fn is_empty_container(value: &str) -> bool {
    let inner = |open, close| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    inner('[', ']').or_else(|| inner('{', '}')).is_some_and(|inner| inner.trim_ascii().is_empty())
}
