//! What a request says and the conversation has no word for.

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
            // A tool of Google's own is asked for by an empty object.
            let is_tool = parent.starts_with("tools") && !parent.contains('.');
            if value.get() == "null" || (!is_tool && asks_for_nothing(&name, value.get())) {
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

/// Whether a field only advises: what a function gives back, which the SDKs tell of every function and no other vendor
/// asks.
pub(crate) fn is_advice(path: &str) -> bool {
    let field = path.strip_prefix("tools[").and_then(|path| path.rsplit_once("].")).map(|(_, field)| field);
    field.is_some_and(|field| matches!(field, "response" | "responseJsonSchema" | "response_json_schema"))
}

/// Whether a field is part of what is said, or of what can be done, rather than of how to answer.
fn is_content(parent: &str, name: &str) -> bool {
    match parent {
        "" => matches!(name, "cachedContent" | "cached_content" | "continuationToken" | "continuation_token"),
        // A tool of Google's own, without which the answer is another one.
        parent if parent.starts_with("tools") => !parent.contains('.'),
        parent if parent.starts_with("contents") || parent.starts_with("systemInstruction") => {
            // How to look at a part, and what programs remember with it.
            !matches!(
                name,
                "displayName"
                    | "display_name"
                    | "mediaResolution"
                    | "media_resolution"
                    | "videoMetadata"
                    | "video_metadata"
                    | "partMetadata"
                    | "part_metadata"
                    | "mediaProcessing"
                    | "media_processing"
                    | "scheduling"
            )
        }
        _ => false,
    }
}

/// Whether a field may be left out because its value is what happens without it.
fn asks_for_nothing(name: &str, value: &str) -> bool {
    if matches!(value, "\"\"" | "false") || is_empty_container(value) {
        return true;
    }
    match name {
        "behavior" => value == r#""BLOCKING""#,
        "responseModalities" | "response_modalities" => {
            value.split_ascii_whitespace().collect::<String>().eq_ignore_ascii_case(r#"["text"]"#)
        }
        _ => false,
    }
}

fn is_empty_container(value: &str) -> bool {
    let inner = |open, close| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    inner('[', ']').or_else(|| inner('{', '}')).is_some_and(|inner| inner.trim_ascii().is_empty())
}
