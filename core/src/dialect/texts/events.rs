//! Texts that come in parts: which parts are one text's, where that text ends, and how another part of it is said.

use std::fmt::Write as _;

use super::tables::Table;
use super::tape::{Kind, Tape};
use super::{Place, Source, Visit, walk_tape};
use crate::dialect::ClientDialect;
use crate::json::Fault;

/// One event of a streamed answer.
#[derive(Debug)]
pub(crate) struct StreamEvent<'a> {
    dialect: ClientDialect,
    tape: Tape<'a>,
}

/// An event that says one more part of a text and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shell {
    before: String,
    after: String,
    /// Whether events are numbered.
    numbered: bool,
}

/// What an event says of the texts that were said in parts before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    Nothing,
    /// It may say them again, as wholes.
    Answer,
    /// It says the request's again.
    Request,
}

const NUMBER: &str = "sequence_number";

impl<'a> StreamEvent<'a> {
    pub(crate) fn read(dialect: ClientDialect, data: &'a str) -> Result<Self, Fault> {
        Ok(Self { dialect, tape: Tape::read(data.as_bytes())? })
    }

    /// Visits its texts, as [`super::walk`] does; its number becomes greater by so much.
    pub(crate) fn walk(
        &self,
        shift: i64,
        visit: &mut Visit<'_>,
    ) -> Result<Option<Vec<u8>>, crate::failure::Failure> {
        let table = Table::of(self.dialect, super::Side::Event);
        let mut edits = Vec::new();
        if let Some(number) = self.number().filter(|_| shift != 0)
            && let Some((_, node)) = self.tape.member(0, NUMBER)
        {
            edits.push((self.tape.span(node), (number + shift).to_string()));
        }
        walk_tape(&self.tape, table, Source::Assistant, edits, visit)
    }

    /// Its place in the stream, where events are numbered.
    pub(crate) fn number(&self) -> Option<i64> {
        let (_, node) =
            self.tape.member(0, NUMBER).filter(|_| self.dialect == ClientDialect::OpenAiResponses)?;
        self.tape.raw(node).parse().ok()
    }

    /// Which text a part belongs to.
    pub(crate) fn text_of(&self, place: &Place<'_>) -> String {
        match self.dialect {
            ClientDialect::Anthropic => {
                let path = place.path();
                format!("{}.{}", self.scalar("index"), path.rsplit('.').next().unwrap_or_default())
            }
            ClientDialect::OpenAiResponses => {
                let kind = self.kind();
                format!(
                    "{}.{}/{}/{}",
                    self.scalar("output_index"),
                    kind.strip_suffix(".delta").unwrap_or(&kind),
                    self.scalar("content_index"),
                    self.scalar("summary_index"),
                )
            }
            ClientDialect::Gemini => {
                let thought = if place.has_sibling("thought") { "thought" } else { "text" };
                format!("{}.{thought}", candidate_of(&place.key()))
            }
            _ => place.key(),
        }
    }

    /// Whether a text that comes in parts is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.dialect == ClientDialect::OpenAiResponses && self.kind().contains("arguments")
    }

    /// Whether what comes in parts is text at all.
    pub(crate) fn is_text(&self) -> bool {
        !(self.dialect == ClientDialect::OpenAiResponses && self.kind().ends_with("audio.delta"))
    }

    /// Whether a text ends before this event, or with it if the event has a part of it.
    pub(crate) fn ends(&self, text: &str) -> bool {
        if self.tape.member(0, "error").is_some_and(|(_, node)| self.tape.raw(node) != "null") {
            return true;
        }
        match self.dialect {
            ClientDialect::Anthropic => match &*self.kind() {
                "content_block_stop" => is_of(text, &self.scalar("index")),
                "message_delta" | "message_stop" | "error" => true,
                _ => false,
            },
            ClientDialect::OpenAiResponses => match &*self.kind() {
                "response.completed" | "response.incomplete" | "response.failed" | "error" => true,
                kind if kind.ends_with(".done") => is_of(text, &self.scalar("output_index")),
                _ => false,
            },
            ClientDialect::Gemini => self.ends_of_gemini(text),
            _ => {
                let choices = self.items(0, "choices");
                choices.into_iter().any(|choice| {
                    self.says(choice, "finish_reason")
                        && text.starts_with(&format!("{}.", self.tape.path(choice, true)))
                })
            }
        }
    }

    /// Whether the text of this part, which is one of the event's own, ends with it.
    pub(crate) fn ends_with(&self, place: &Place<'_>, text: &str) -> bool {
        if self.dialect != ClientDialect::Gemini {
            return self.ends(text);
        }
        // What follows in the same event is another text, if it is anything else.
        let Some(part) = place.parent() else { return true };
        let Some(list) = self.tape.node(part).map(|node| node.parent) else { return true };
        let mut behind = self.tape.children(list).skip_while(|(number, _)| *number != part).skip(1);
        match behind.next() {
            Some((next, _)) => self.kind_of_part(next) != self.kind_of_part(part),
            None => self.candidates().any(|candidate| {
                text.starts_with(&format!("{}.", self.tape.path(candidate, true)))
                    && self.says(candidate, "finishReason")
            }),
        }
    }

    /// Whether nothing is said behind it. What ends the streams of the other dialects is no event, or the end of the bytes.
    pub(crate) fn is_last(&self) -> bool {
        match self.dialect {
            ClientDialect::Anthropic => matches!(&*self.kind(), "message_stop" | "error"),
            ClientDialect::OpenAiResponses => matches!(
                &*self.kind(),
                "response.completed" | "response.incomplete" | "response.failed" | "error"
            ),
            _ => false,
        }
    }

    /// Which of the texts before it may say again.
    pub(crate) fn repeats(&self) -> Repeats {
        if self.dialect != ClientDialect::OpenAiResponses {
            return Repeats::Nothing;
        }
        match &*self.kind() {
            "response.created" | "response.in_progress" | "response.queued" => Repeats::Request,
            "response.completed" | "response.incomplete" | "response.failed" => Repeats::Answer,
            kind if kind.ends_with(".done") => Repeats::Answer,
            _ => Repeats::Nothing,
        }
    }

    /// How one more part of a text is said, by an event that has a part of it.
    pub(crate) fn shell(&self, place: &Place<'_>) -> Shell {
        let (before, after) = match self.dialect {
            ClientDialect::Anthropic => {
                let path = place.path();
                let field = path.rsplit('.').next().unwrap_or_default();
                let kind = match field {
                    "text" => "text_delta".to_owned(),
                    "thinking" => "thinking_delta".to_owned(),
                    "partial_json" => "input_json_delta".to_owned(),
                    _ => place.sibling("type").unwrap_or_default().into_owned(),
                };
                let before = format!(
                    "{{\"type\":\"content_block_delta\",\"index\":{},\"delta\":{{\"type\":{},{}:",
                    self.scalar("index"),
                    quoted(&kind),
                    quoted(field)
                );
                (before, "}}".to_owned())
            }
            ClientDialect::OpenAiResponses => {
                let mut before = "{".to_owned();
                self.copy(0, &["delta", "logprobs", "obfuscation", NUMBER], &mut before);
                before.push_str("\"delta\":");
                let logprobs = self.tape.member(0, "logprobs").is_some();
                (before, if logprobs { ",\"logprobs\":[]".to_owned() } else { String::new() })
            }
            _ => self.nested(place),
        };
        Shell { before, after, numbered: self.dialect == ClientDialect::OpenAiResponses }
    }

    /// An event of the same shape around one leaf: of the root all that is no content, of what lies between only what tells where.
    fn nested(&self, place: &Place<'_>) -> (String, String) {
        const AROUND: [&str; 9] = [
            "choices",
            "usage",
            "obfuscation",
            "candidates",
            "usageMetadata",
            "promptFeedback",
            "logprobs",
            "error",
            "x_groq",
        ];
        let chain = place.chain();
        let (mut before, mut after) = ("{".to_owned(), String::new());
        self.copy(0, &AROUND, &mut before);
        for (position, number) in chain.iter().enumerate() {
            let Some(node) = self.tape.node(*number) else { continue };
            let in_list = self.tape.node(node.parent).is_some_and(|parent| parent.kind == Kind::List);
            if !in_list {
                let _ = write!(before, "{}:", quoted(&self.tape.key(node)));
            }
            if position + 1 == chain.len() {
                break;
            }
            match node.kind {
                Kind::List => {
                    before.push('[');
                    after.insert(0, ']');
                }
                _ => {
                    before.push('{');
                    for name in ["index", "type", "thought"] {
                        self.copy_one(*number, name, &mut before);
                    }
                    if self.dialect == ClientDialect::Gemini {
                        self.copy_one(*number, "role", &mut before);
                    }
                    let ends = if position == 1 && self.dialect != ClientDialect::Gemini {
                        ",\"finish_reason\":null}"
                    } else {
                        "}"
                    };
                    after.insert_str(0, ends);
                }
            }
        }
        after.push('}');
        (before, after)
    }

    /// Copies an object's members but for some, each with a comma behind it.
    fn copy(&self, object: usize, but: &[&str], out: &mut String) {
        for (_, node) in self.tape.children(object) {
            let key = self.tape.key(node);
            if !but.iter().any(|name| *name == key) {
                let _ = write!(out, "{}:{},", quoted(&key), self.tape.raw(node));
            }
        }
    }

    fn copy_one(&self, object: usize, name: &str, out: &mut String) {
        if let Some((_, node)) = self.tape.member(object, name)
            && matches!(node.kind, Kind::String | Kind::Bare)
        {
            let _ = write!(out, "{}:{},", quoted(name), self.tape.raw(node));
        }
    }

    fn kind(&self) -> String {
        self.tape.text_of(0, "type").unwrap_or_default().into_owned()
    }

    /// A member of the event as it is written; `-` where there is none.
    fn scalar(&self, name: &str) -> String {
        self.tape.member(0, name).map_or_else(|| "-".to_owned(), |(_, node)| self.tape.raw(node).to_owned())
    }

    fn items(&self, object: usize, name: &str) -> Vec<usize> {
        let list = self.tape.member(object, name);
        list.map(|(list, _)| self.tape.children(list).map(|(number, _)| number).collect()).unwrap_or_default()
    }

    /// Whether an object has a member that is not null.
    fn says(&self, object: usize, name: &str) -> bool {
        self.tape.member(object, name).is_some_and(|(_, node)| self.tape.raw(node) != "null")
    }

    fn candidates(&self) -> impl Iterator<Item = usize> {
        self.items(0, "candidates").into_iter()
    }

    fn kind_of_part(&self, part: usize) -> &'static str {
        match self.tape.member(part, "text") {
            None => "other",
            Some(_)
                if self
                    .tape
                    .member(part, "thought")
                    .is_some_and(|(_, node)| self.tape.raw(node) == "true") =>
            {
                "thought"
            }
            Some(_) => "text",
        }
    }

    /// A text of Gemini's ends where its candidate says something else, or its end.
    fn ends_of_gemini(&self, text: &str) -> bool {
        self.candidates().any(|candidate| {
            let Some(kind) = text.strip_prefix(&format!("{}.", self.tape.path(candidate, true))) else {
                return false;
            };
            let content = self.tape.member(candidate, "content");
            let parts = content.map(|(content, _)| self.items(content, "parts")).unwrap_or_default();
            let first = parts.first().map(|part| self.kind_of_part(*part));
            self.says(candidate, "finishReason") || first.is_some_and(|first| first != kind)
        })
    }
}

impl Shell {
    /// The event's data with this text; `number`: its place in the stream.
    pub(crate) fn say(&self, text: &str, number: i64) -> String {
        let Self { before, after, numbered } = self;
        let text = quoted(text);
        match numbered {
            true => format!("{before}{text}{after},\"{NUMBER}\":{number}}}"),
            false => format!("{before}{text}{after}"),
        }
    }
}

fn quoted(text: &str) -> String {
    // A text always serialises.
    serde_json::to_string(text).unwrap_or_default()
}

/// Whether a text is of the block or item with this index.
fn is_of(text: &str, index: &str) -> bool {
    text.strip_prefix(index).is_some_and(|rest| rest.starts_with('.'))
}

/// The path of the candidate that a path goes through.
fn candidate_of(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}
