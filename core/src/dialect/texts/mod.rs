//! Where the texts of JSON bodies are: everything in them is text but what a table of its dialect says is none.
//!
//! [`walk`] reads every text of a body, with its place and its source, and puts what it is told in its stead; every other byte
//! stays. The tables are `openai.rs`, `anthropic.rs` and `gemini.rs`; a field that no table has is text.

mod anthropic;
mod closing;
mod events;
mod form;
mod gemini;
mod openai;
pub(crate) mod prompts;
mod said;
mod system;
mod tables;
mod tape;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::ClientDialect;
use crate::failure::Failure;
pub(crate) use closing::Closing;
pub(crate) use events::{Repeats, Shell, StreamEvent};
pub use form::walk_form;
pub(crate) use said::Sayings;
pub use system::add_system;
use tables::{Is, Origin, Table};
use tape::{Kind, Node, Tape};

/// Whose words a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The system prompt, instructions, a developer's message.
    System,
    User,
    /// The model: earlier turns of a request, and answers.
    Assistant,
    ToolResult,
    /// What a tool is for, and the schema of its arguments.
    ToolDefinition,
    /// Names of users, metadata, and fields that nobody knows.
    Other,
}

impl Source {
    /// Every source, with the word for it in the policy document.
    pub const WORDS: [(&str, Self); 6] = [
        ("system", Self::System),
        ("user", Self::User),
        ("assistant", Self::Assistant),
        ("tool_result", Self::ToolResult),
        ("tool_definition", Self::ToolDefinition),
        ("other", Self::Other),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, source)| *source == self).map_or("other", |(word, _)| word)
    }
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A text, without escapes; of a document in base 64, its text.
    Text(&'a str),
    /// A JSON object or list of the client's or the model's own shape, such as a tool's arguments, as it is written: its names
    /// and numbers are content too.
    Json(&'a str),
    /// A part of a text that comes in parts; the others are in other events at the same place.
    Delta {
        text: &'a str,
        /// Whether the text is JSON as a whole.
        json: bool,
    },
    /// Content that is no text: an image, a recording, a file that lies elsewhere. It can't be put in another's stead.
    Unreadable,
    /// The chances of a text's tokens. Whatever is given in their stead, it is none.
    Tokens,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'t> {
    tape: &'t Tape<'t>,
    number: usize,
    pub source: Source,
}

/// Which of a dialect's bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Request,
    /// A whole answer, or an error.
    Answer,
    /// One event of a streamed answer.
    Event,
}

/// Given each text with its place; returns what comes in its stead, in the same form. An error ends the walk.
pub type Visit<'v> = dyn FnMut(&Place<'_>, Found<'_>) -> Result<Option<String>, Failure> + 'v;

/// Reads every text of a body. Returns the body with what was put in some of their steads; `None` where nothing was.
///
/// # Errors
/// The body is no JSON, or what `visit` returns.
pub fn walk(
    dialect: ClientDialect,
    side: Side,
    body: &[u8],
    visit: &mut Visit<'_>,
) -> Result<Option<Vec<u8>>, Failure> {
    let tape = Tape::read(body).map_err(super::malformed)?;
    let table = Table::of(dialect, side);
    let source = if side == Side::Request { Source::Other } else { Source::Assistant };
    walk_tape(&tape, table, source, Vec::new(), visit)
}

/// Reads every text of the JSON body of a call whose dialect nobody reads: all of it but the model's name.
pub fn walk_passing(body: &[u8], visit: &mut Visit<'_>) -> Result<Option<Vec<u8>>, Failure> {
    let tape = Tape::read(body).map_err(super::malformed)?;
    walk_tape(&tape, &tables::PASSING, Source::Other, Vec::new(), visit)
}

fn walk_tape(
    tape: &Tape<'_>,
    table: &'static Table,
    source: Source,
    edits: Vec<(Range<usize>, String)>,
    visit: &mut Visit<'_>,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut walk = Walk { tape, edits, visit };
    // What each value that is gone into is.
    let mut roles: Vec<(Is, Source)> = Vec::with_capacity(tape.len());
    let mut number = 0;
    while let Some(node) = tape.node(number) {
        let (is, source) = match roles.get(node.parent).filter(|_| number > 0) {
            None => (Is::Of(table), source),
            Some((is, source)) => walk.of_child(node, *is, *source),
        };
        let source = match is {
            Is::Of(table) => walk.source_of(number, table.origin, source),
            _ => source,
        };
        let place = Place { tape, number, source };
        let goes_in = walk.value(&place, node, is)?;
        let next = if goes_in { number + 1 } else { node.next };
        // What is not gone into has no children that would ask.
        roles.resize(next.max(number + 1), (is, source));
        number = next;
    }
    walk.edits.sort_by_key(|(span, _)| span.start);
    Ok(tape.edited(walk.edits))
}

struct Walk<'w, 'v> {
    tape: &'w Tape<'w>,
    edits: Vec<(Range<usize>, String)>,
    visit: &'w mut Visit<'v>,
}

impl Walk<'_, '_> {
    /// What a value is, by what it is in.
    fn of_child(&self, node: Node, parent: Is, source: Source) -> (Is, Source) {
        let in_list = self.tape.node(node.parent).is_some_and(|parent| parent.kind == Kind::List);
        match parent {
            Is::Of(table) if !in_list => table.field(&self.tape.key(node)),
            // In a schema, the values that it gives as examples are content through and through.
            Is::Schema if !in_list => match &*self.tape.key(node) {
                "enum" | "const" | "default" | "example" | "examples" => Is::Json,
                _ => Is::Schema,
            },
            other => other,
        }
        .from(source)
    }

    fn source_of(&self, object: usize, origin: Origin, source: Source) -> Source {
        match origin {
            Origin::Around => source,
            Origin::ByRole => {
                let word = |name| self.tape.text_of(object, name).unwrap_or_default();
                match (&*word("role"), &*word("type")) {
                    ("system" | "developer", _) => Source::System,
                    ("user", _) => Source::User,
                    ("assistant" | "model", _) => Source::Assistant,
                    ("tool" | "function", _) => Source::ToolResult,
                    (_, kind) if kind.ends_with("_output") || kind.ends_with("tool_result") => {
                        Source::ToolResult
                    }
                    (_, kind)
                        if kind.ends_with("_call") || kind.ends_with("tool_use") || kind == "reasoning" =>
                    {
                        Source::Assistant
                    }
                    _ => source,
                }
            }
            Origin::IfThere(name) if self.tape.member(object, name).is_some() => Source::ToolResult,
            Origin::IfThere(_) => source,
        }
    }

    /// Visits a value; returns whether what is within it is visited by itself.
    fn value(&mut self, place: &Place<'_>, node: Node, is: Is) -> Result<bool, Failure> {
        let is = match is {
            Is::Of(table) if node.kind == Kind::String => table.rest,
            is => is,
        };
        match (is, node.kind) {
            (Is::Skip, _) => return Ok(false),
            (Is::Json, Kind::Object) => {
                let found = Found::Json(self.tape.raw(node));
                if let Some(instead) = (self.visit)(place, found)? {
                    self.edits.push((self.tape.span(node), instead));
                }
                return Ok(false);
            }
            // What comes in a number's stead is a string.
            (Is::Json, Kind::Bare) => {
                if let Some(instead) = (self.visit)(place, Found::Text(self.tape.raw(node)))? {
                    self.edit(node, &instead);
                }
            }
            (Is::Tokens, _) => {
                if (self.visit)(place, Found::Tokens)?.is_some() {
                    let null = if node.kind == Kind::List { "[]" } else { "null" };
                    self.edits.push((self.tape.span(node), null.to_owned()));
                }
                return Ok(false);
            }
            (_, Kind::Object | Kind::List) => return Ok(true),
            (_, Kind::Bare) => {}
            (Is::Delta | Is::DeltaJson, Kind::String) => {
                let text = self.tape.string(node);
                let json = is == Is::DeltaJson;
                if let Some(instead) = (self.visit)(place, Found::Delta { text: &text, json })? {
                    self.edit(node, &instead);
                }
            }
            (Is::Base64, Kind::String) => self.media(place, node)?,
            (Is::Link, Kind::String) => self.link(place, node)?,
            (Is::File, Kind::String) => drop((self.visit)(place, Found::Unreadable)?),
            (_, Kind::String) => {
                let text = self.tape.string(node);
                if let Some(instead) = self.text(place, &text)? {
                    self.edit(node, &instead);
                }
            }
        }
        Ok(false)
    }

    /// A text; one that is JSON stays JSON.
    fn text(&mut self, place: &Place<'_>, text: &str) -> Result<Option<String>, Failure> {
        match is_json(text) {
            true => (self.visit)(place, Found::Json(text)),
            false => (self.visit)(place, Found::Text(text)),
        }
    }

    fn edit(&mut self, node: Node, text: &str) {
        // A text always serialises.
        self.edits.push((self.tape.span(node), serde_json::to_string(text).unwrap_or_default()));
    }

    /// Content in base 64, or text, as its siblings say.
    fn media(&mut self, place: &Place<'_>, node: Node) -> Result<(), Failure> {
        let content = self.tape.string(node);
        if content.starts_with("data:") {
            return self.link(place, node);
        }
        let sibling = |name| self.tape.text_of(node.parent, name);
        let media_type = sibling("media_type").or_else(|| sibling("mime_type")).unwrap_or_default();
        let is_plain = sibling("type").is_some_and(|kind| kind == "text");
        // What is no base 64 is no media, whatever it is called.
        if is_plain || decode(&content).is_none() {
            if let Some(instead) = self.text(place, &content)? {
                self.edit(node, &instead);
            }
            return Ok(());
        }
        if let Some(instead) = self.document(place, &media_type, &content)? {
            self.edit(node, &instead);
        }
        Ok(())
    }

    /// A URL: of data, which may be text, or of something elsewhere.
    fn link(&mut self, place: &Place<'_>, node: Node) -> Result<(), Failure> {
        let url = self.tape.string(node);
        let data = url.strip_prefix("data:").and_then(|data| data.split_once(','));
        if let Some((head, content)) = data
            && let Some(media_type) = head.strip_suffix(";base64")
            && decode(content).is_some()
        {
            if let Some(instead) = self.document(place, media_type, content)? {
                self.edit(node, &format!("data:{head},{instead}"));
            }
            return Ok(());
        }
        if data.is_none() && decode(&url).is_some() && !url.contains(':') {
            // A file's content without a word on its kind.
            return self.document(place, "", &url).map(|instead| {
                if let Some(instead) = instead {
                    self.edit(node, &instead);
                }
            });
        }
        if data.is_none() {
            (self.visit)(place, Found::Unreadable)?;
        }
        if let Some(instead) = self.text(place, &url)? {
            self.edit(node, &instead);
        }
        Ok(())
    }

    /// A document in base 64; what comes in its stead is in base 64 too.
    fn document(
        &mut self,
        place: &Place<'_>,
        media_type: &str,
        content: &str,
    ) -> Result<Option<String>, Failure> {
        let text =
            decode(content).filter(|_| is_text(media_type)).and_then(|bytes| String::from_utf8(bytes).ok());
        match text {
            Some(text) => Ok(self.text(place, &text)?.map(|instead| STANDARD.encode(instead))),
            None => (self.visit)(place, Found::Unreadable).map(|_| None),
        }
    }
}

impl Place<'_> {
    /// Its path from the body's root: `messages[0].content[1].text`.
    pub fn path(&self) -> String {
        self.tape.path(self.number, false)
    }

    /// The same, with items of lists told by the `index` that they say they have, as events do.
    pub(crate) fn key(&self) -> String {
        self.tape.path(self.number, true)
    }

    /// The object or list that it is in.
    pub(crate) fn parent(&self) -> Option<usize> {
        self.tape.node(self.number).map(|node| node.parent)
    }

    /// The values that it is in, from the root's member down to itself.
    pub(crate) fn chain(&self) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut number = self.number;
        while let Some(node) = self.tape.node(number).filter(|node| node.parent != number) {
            chain.insert(0, number);
            number = node.parent;
        }
        chain
    }

    /// A text of the object that this one is in.
    pub(crate) fn sibling(&self, name: &str) -> Option<Cow<'_, str>> {
        self.tape.text_of(self.tape.node(self.number)?.parent, name)
    }

    /// Whether the object that this one is in has such a member, and it is neither `null` nor `false`.
    pub(crate) fn has_sibling(&self, name: &str) -> bool {
        let parent = self.tape.node(self.number).map_or(0, |node| node.parent);
        let member = self.tape.member(parent, name);
        member.is_some_and(|(_, node)| !matches!(self.tape.raw(node), "null" | "false"))
    }
}

/// Base 64 as vendors take it: either alphabet's padding may lack.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT.with_decode_allow_trailing_bits(true));
const URL_SAFE: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT.with_decode_allow_trailing_bits(true));

fn decode(content: &str) -> Option<Vec<u8>> {
    let lines = content.bytes().any(|byte| byte.is_ascii_whitespace());
    let content: Cow<'_, [u8]> = match lines {
        true => Cow::Owned(content.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect()),
        false => Cow::Borrowed(content.as_bytes()),
    };
    STANDARD.decode(&content).or_else(|_| URL_SAFE.decode(&content)).ok()
}

/// Whether a media type is one of texts.
pub(crate) fn is_text(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = name.split_once('/').map_or("", |(_, subtype)| subtype);
    name.starts_with("text/")
        || subtype.ends_with("+json")
        || subtype.ends_with("+xml")
        || matches!(
            subtype.trim_start_matches("x-"),
            "json"
                | "xml"
                | "yaml"
                | "ndjson"
                | "jsonlines"
                | "csv"
                | "javascript"
                | "typescript"
                | "python"
                | "sql"
                | "toml"
                | "sh"
                | "rtf"
                | "markdown"
                | "graphql"
                | "x-www-form-urlencoded"
                | "www-form-urlencoded"
        )
}

/// Whether a text is a JSON object or list.
fn is_json(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
