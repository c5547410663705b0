//! Writes the messages of a conversation: instructions apart, neighbours of one role together, results first.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Serialize, Serializer};

use crate::conversation::{
    CacheMark, Field, Maker, Media, MediaKind, MediaSource, Message, Part, Reasoning, Request, Role,
    Signature, ToolCall, ToolResult,
};
use crate::dialect::Lacks;
use crate::failure::Failure;
use crate::json::{self, Raw, Text};

/// The `system` and `messages` of a request.
#[derive(Default)]
pub(super) struct Messages<'r> {
    pub system: Vec<Block<'r>>,
    pub turns: Vec<Turn<'r>>,
}

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'r> {
    role: &'static str,
    content: Content<'r>,
}

/// The blocks of a message. A message that answers tool calls has to begin with all of their results.
#[derive(Debug, Default)]
struct Content<'r> {
    results: Vec<Block<'r>>,
    others: Vec<Block<'r>>,
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.results.iter().chain(&self.others))
    }
}

/// A content block.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'r> {
    Text {
        text: &'r str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'r>>,
    },
    Thinking {
        thinking: &'r str,
        signature: &'r str,
    },
    RedactedThinking {
        data: &'r str,
    },
    Image {
        source: Source<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'r>>,
    },
    Document {
        source: Source<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'r>>,
    },
    ToolUse {
        id: Cow<'r, str>,
        name: &'r str,
        input: Input<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'r>>,
    },
    ToolResult {
        tool_use_id: Cow<'r, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'r>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'r>>,
    },
}

/// Marks the end of what may be cached.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CacheControl<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'r str>,
}

impl<'r> From<&'r CacheMark<'_>> for CacheControl<'r> {
    fn from(mark: &'r CacheMark<'_>) -> Self {
        Self { r#type: "ephemeral", ttl: mark.ttl.as_deref() }
    }
}

impl<'r> Block<'r> {
    fn text(text: &'r str) -> Self {
        Self::Text { text, cache_control: None }
    }

    /// The place of the block's mark; thinking has none.
    fn mark(&mut self) -> Option<&mut Option<CacheControl<'r>>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => Some(cache_control),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => None,
        }
    }
}

/// Where an image's or a document's bytes are.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'r> {
    Base64 { media_type: &'r str, data: &'r str },
    Url { url: &'r str },
    Text { media_type: &'static str, data: Cow<'r, str> },
}

/// A call's arguments, an object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Input<'r> {
    Given(Raw<'r>),
    /// The free text of a custom tool, as the one argument of the function that stands for it.
    Custom {
        input: &'r str,
    },
    Nothing {},
}

impl<'r> Content<'r> {
    fn is_empty(&self) -> bool {
        self.results.is_empty() && self.others.is_empty()
    }

    /// Marks the last block that can be marked; says whether there was one.
    fn mark(&mut self, mark: CacheControl<'r>) -> bool {
        mark_last(&mut self.others, mark) || mark_last(&mut self.results, mark)
    }
}

fn mark_last<'r>(blocks: &mut [Block<'r>], mark: CacheControl<'r>) -> bool {
    let place = blocks.iter_mut().rev().find_map(Block::mark);
    place.map(|place| *place = Some(mark)).is_some()
}

/// Writes all messages; a failure means that the conversation contradicts itself.
pub(super) fn write_messages<'r>(
    request: &'r Request<'_>,
    lacks: &mut Lacks,
) -> Result<Messages<'r>, Failure> {
    let mut messages = Messages::default();
    let mut calls = BTreeSet::new();
    for message in &request.messages {
        if message.name.is_some() && message.role != Role::Tool {
            lacks.parameter(Field::MessageName(message.at));
        }
        let content = write_message(message, &mut calls, &mut messages, lacks)?;
        let is_empty = content.is_empty();
        if is_empty && message.role == Role::User && lacks.contents().is_empty() {
            return Err(lacks.invalid_value(Field::MessageContent(message.at), "has to have content"));
        }
        let role = match message.role {
            Role::System => {
                messages.system.extend(content.others);
                continue;
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        match messages.turns.last_mut() {
            _ if is_empty => {}
            Some(turn) if turn.role == role => {
                turn.content.results.extend(content.results);
                turn.content.others.extend(content.others);
            }
            _ => messages.turns.push(Turn { role, content }),
        }
    }
    if messages.turns.is_empty() && lacks.contents().is_empty() {
        return Err(lacks.invalid_value(Field::Messages, "needs a message besides those of the system"));
    }
    Ok(messages)
}

fn write_message<'r>(
    message: &'r Message<'_>,
    calls: &mut BTreeSet<&'r str>,
    before: &mut Messages<'r>,
    lacks: &mut Lacks,
) -> Result<Content<'r>, Failure> {
    let mut content = Content::default();
    for part in &message.parts {
        match part {
            Part::Reasoning(reasoning) => content.others.extend(write_reasoning(reasoning)),
            Part::ToolCall(call) => {
                calls.insert(&*call.id);
                content.others.push(write_call(call, lacks)?);
            }
            Part::ToolResult(result) => {
                // A call that was refused by its path is missing here for no fault of the result's.
                if !calls.contains(&*result.call) && lacks.contents().is_empty() {
                    let reason = "has to be the id of an earlier tool call";
                    return Err(lacks.invalid_value(Field::ResultCall(result.at), reason));
                }
                content.results.push(write_result(result, lacks));
            }
            Part::CacheMark(mark) => {
                if !content.mark(mark.into()) {
                    before.mark(message.role, mark.into());
                }
            }
            Part::Text(_) | Part::Refusal(_) | Part::Media(_) => {
                content.others.extend(write_said(part, lacks))
            }
        }
    }
    Ok(content)
}

impl<'r> Messages<'r> {
    /// Marks the end of what is there, as a message of this role has its mark before its first block.
    fn mark(&mut self, role: Role, mark: CacheControl<'r>) {
        let turn = self.turns.last_mut().filter(|_| role != Role::System);
        if !turn.is_some_and(|turn| turn.content.mark(mark)) {
            mark_last(&mut self.system, mark);
        }
    }
}

/// Thinking that Claude has signed or hidden. Other thinking is not taken back; only who reads it loses something.
fn write_reasoning<'r>(reasoning: &'r Reasoning<'_>) -> impl Iterator<Item = Block<'r>> {
    let of_claude = |signature: &'r Option<Signature<'_>>| {
        signature.as_ref().and_then(|signature| signature.of(Maker::Anthropic))
    };
    let thinking = of_claude(&reasoning.signature)
        .map(|signature| Block::Thinking { thinking: &reasoning.text, signature });
    let redacted = of_claude(&reasoning.hidden).map(|data| Block::RedactedThinking { data });
    thinking.into_iter().chain(redacted)
}

/// An id in the form that Anthropic takes: letters, digits, `_` and `-`. Other vendors' ids may have more.
fn write_id(id: &str) -> Cow<'_, str> {
    let is_taken = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    match id.chars().all(is_taken) {
        true => Cow::Borrowed(id),
        false => Cow::Owned(
            id.chars().map(|character| if is_taken(character) { character } else { '_' }).collect(),
        ),
    }
}

fn write_call<'r>(call: &'r ToolCall<'_>, lacks: &Lacks) -> Result<Block<'r>, Failure> {
    let arguments: &'r str = &call.arguments;
    let input = match arguments.trim_ascii() {
        _ if call.custom => Input::Custom { input: arguments },
        "" => Input::Nothing {},
        _ => match json::read::<Raw<'r>>(arguments.as_bytes()) {
            Ok(raw) if raw.get().starts_with('{') => Input::Given(raw),
            _ => return Err(lacks.invalid_value(Field::Arguments(call.at), "has to be a JSON object")),
        },
    };
    Ok(Block::ToolUse { id: write_id(&call.id), name: &call.name, input, cache_control: None })
}

fn write_result<'r>(result: &'r ToolResult<'_>, lacks: &mut Lacks) -> Block<'r> {
    let mut content = Vec::new();
    for part in &result.parts {
        match part {
            Part::CacheMark(mark) => {
                mark_last(&mut content, mark.into());
            }
            part => content.extend(write_said(part, lacks)),
        }
    }
    Block::ToolResult {
        tool_use_id: write_id(&result.call),
        content,
        is_error: result.failed,
        cache_control: None,
    }
}

/// A text or a medium; nothing for an empty text, which Anthropic refuses.
fn write_said<'r>(part: &'r Part<'_>, lacks: &mut Lacks) -> Option<Block<'r>> {
    match part {
        Part::Text(text) | Part::Refusal(text) if !text.is_empty() => Some(Block::text(text)),
        Part::Media(media) => {
            let block = write_media(media);
            if block.is_none() {
                lacks.content(field_of(media));
            }
            block
        }
        _ => None,
    }
}

/// What can't be said of a medium: of an image the URL that holds it, else the whole.
fn field_of(media: &Media<'_>) -> Field<'static> {
    match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Url(_) | MediaSource::Base64 { .. }) => {
            Field::MediaSource(media.at, media.kind)
        }
        _ => Field::Media(media.at, media.kind),
    }
}

fn write_media<'r>(media: &'r Media<'_>) -> Option<Block<'r>> {
    match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Url(url)) if is_https(url) => {
            Some(Block::Image { source: Source::Url { url }, cache_control: None })
        }
        (MediaKind::Image, MediaSource::Base64 { media_type, data, .. }) => {
            let is_known = matches!(&**media_type, "image/jpeg" | "image/png" | "image/gif" | "image/webp");
            is_known
                .then_some(Block::Image { source: Source::Base64 { media_type, data }, cache_control: None })
        }
        (MediaKind::File, MediaSource::Url(url)) if is_https(url) => {
            Some(Block::Document { source: Source::Url { url }, title: None, cache_control: None })
        }
        (MediaKind::File, MediaSource::Base64 { media_type, data, file_name }) => {
            let source = match &**media_type {
                "application/pdf" => Source::Base64 { media_type, data },
                // Plain text goes as it reads, not as base64.
                "text/plain" => {
                    let text = String::from_utf8(BASE64_STANDARD.decode(data.as_bytes()).ok()?).ok()?;
                    Source::Text { media_type: "text/plain", data: Cow::Owned(text) }
                }
                _ => return None,
            };
            Some(Block::Document { source, title: title(file_name), cache_control: None })
        }
        (MediaKind::File, MediaSource::Text { text, file_name }) => {
            let source = Source::Text { media_type: "text/plain", data: Cow::Borrowed(text) };
            Some(Block::Document { source, title: title(file_name), cache_control: None })
        }
        // Ids are of the vendor that keeps the file; and Claude doesn't hear.
        _ => None,
    }
}

fn title<'r>(file_name: &'r Option<Text<'_>>) -> Option<&'r str> {
    file_name.as_deref().filter(|name| !name.is_empty())
}

fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}
