//! Writes the messages of a conversation: instructions apart, neighbours of one role together, results first.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::conversation::{CacheMark, Field, Message, Part, Reasoning, Request, Role, ToolCall, ToolResult};
use crate::dialect::Lacks;
use crate::failure::Failure;
use crate::json::{self, Raw};

use super::media::{MediaBlock, Names, write_media};
use super::model::Model;

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

impl Content<'_> {
    fn is_empty(&self) -> bool {
        self.results.is_empty() && self.others.is_empty()
    }
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.results.iter().chain(&self.others))
    }
}

/// A content block.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'r> {
    Text(&'r str),
    ReasoningContent(Thought<'r>),
    ToolUse(ToolUse<'r>),
    ToolResult(Outcome<'r>),
    CachePoint(CachePoint),
    /// Tagged by itself.
    #[serde(untagged)]
    Media(MediaBlock<'r>),
}

/// Up to where the vendor may keep the prompt.
#[derive(Debug, Serialize)]
pub(super) struct CachePoint {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Thought<'r> {
    ReasoningText {
        text: &'r str,
        signature: &'r str,
    },
    /// Base64, as the vendor gave it.
    RedactedContent(&'r str),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse<'r> {
    tool_use_id: Cow<'r, str>,
    name: &'r str,
    input: Input<'r>,
}

/// A call's arguments, an object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Input<'r> {
    Given(Raw<'r>),
    /// Of a function that stands for a custom tool; named as [`CUSTOM_INPUT`](crate::conversation::Tool::CUSTOM_INPUT) has it.
    Custom {
        input: &'r str,
    },
    Nothing {},
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome<'r> {
    tool_use_id: Cow<'r, str>,
    content: Vec<Block<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// The marks of a request.
#[derive(Debug)]
pub(super) struct Marks {
    model: Model,
    /// Whether one has been left out, in whole or in part: that is noted once.
    is_noted: bool,
}

impl Marks {
    pub fn of(model: Model) -> Self {
        Self { model, is_noted: false }
    }

    /// The point that a mark stands for. Five minutes are what every model keeps prompts for if it is not told.
    pub fn point(&mut self, mark: &CacheMark<'_>, lacks: &mut Lacks) -> CachePoint {
        let ttl = match (self.model, mark.ttl.as_deref()) {
            (_, None | Some("" | "5m")) => None,
            (Model::Claude(_), Some("1h")) => Some("1h"),
            _ => {
                self.omit(mark, lacks);
                None
            }
        };
        CachePoint { r#type: "default", ttl }
    }

    /// Notes that a mark can't be set.
    pub fn omit(&mut self, mark: &CacheMark<'_>, lacks: &mut Lacks) {
        if !self.is_noted {
            lacks.omission(Field::CacheMark(mark.at));
        }
        self.is_noted = true;
    }
}

/// Writes all messages; a failure means that the conversation contradicts itself.
pub(super) fn write_messages<'r>(
    request: &'r Request<'_>,
    model: Model,
    marks: &mut Marks,
    lacks: &mut Lacks,
) -> Result<Messages<'r>, Failure> {
    let mut writer = Writer {
        model,
        lacks,
        marks,
        messages: Messages::default(),
        ids: BTreeMap::new(),
        names: Names::default(),
    };
    for message in &request.messages {
        writer.message(message)?;
    }
    if writer.messages.turns.is_empty() && writer.lacks.contents().is_empty() {
        let reason = "needs a message besides those of the system";
        return Err(writer.lacks.invalid_value(Field::Messages, reason));
    }
    Ok(writer.messages)
}

struct Writer<'r, 'l> {
    model: Model,
    lacks: &'l mut Lacks,
    messages: Messages<'r>,
    /// What Bedrock gets for the ids of the calls so far.
    ids: BTreeMap<&'r str, Cow<'r, str>>,
    names: Names,
    marks: &'l mut Marks,
}

impl<'r> Writer<'r, '_> {
    fn message(&mut self, message: &'r Message<'_>) -> Result<(), Failure> {
        let is_named = message.name.as_ref().is_some_and(|name| !name.is_empty());
        // A tool's name says nothing that the call's id doesn't.
        if is_named && message.role != Role::Tool {
            self.lacks.parameter(Field::MessageName(message.at));
        }
        let mut content = Content::default();
        for part in &message.parts {
            self.part(part, message.role, &mut content)?;
        }
        let is_empty = content.is_empty();
        if is_empty && message.role == Role::User && self.lacks.contents().is_empty() {
            return Err(self.lacks.invalid_value(Field::MessageContent(message.at), "has to have content"));
        }
        let role = match message.role {
            Role::System => {
                self.messages.system.extend(content.others);
                return Ok(());
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        match self.messages.turns.last_mut() {
            _ if is_empty => {}
            Some(turn) if turn.role == role => {
                turn.content.results.extend(content.results);
                turn.content.others.extend(content.others);
            }
            _ => self.messages.turns.push(Turn { role, content }),
        }
        Ok(())
    }

    fn part(&mut self, part: &'r Part<'_>, role: Role, content: &mut Content<'r>) -> Result<(), Failure> {
        match part {
            Part::Text(_) | Part::Refusal(_) | Part::Media(_) => content.others.extend(self.said(part, role)),
            Part::Reasoning(reasoning) => self.reasoning(reasoning, content),
            Part::ToolCall(call) => content.others.push(self.call(call)?),
            Part::ToolResult(result) => self.result(result, content)?,
            Part::CacheMark(mark) => self.mark(mark, role, content),
        }
        Ok(())
    }

    /// A text or a medium; nothing for an empty text, which Bedrock refuses.
    fn said(&mut self, part: &'r Part<'_>, role: Role) -> Option<Block<'r>> {
        match part {
            Part::Text(text) | Part::Refusal(text) if !text.is_empty() => Some(Block::Text(text)),
            Part::Media(media) => {
                // Who asks may show something, and so may a tool.
                let is_possible = matches!(role, Role::User | Role::Tool);
                let block = is_possible.then(|| write_media(media, self.model, &mut self.names)).flatten();
                if block.is_none() {
                    self.lacks.content(Field::Media(media.at, media.kind));
                }
                block.map(Block::Media)
            }
            _ => None,
        }
    }

    /// Thinking goes back to who has signed it; only who reads it loses something by what is left out.
    fn reasoning(&self, reasoning: &'r Reasoning<'_>, content: &mut Content<'r>) {
        if !self.model.takes_thinking_back() {
            return;
        }
        let own = self.model.signs_as();
        let hidden = reasoning.hidden.as_ref().and_then(|hidden| hidden.of(own));
        content.others.extend(hidden.map(|hidden| Block::ReasoningContent(Thought::RedactedContent(hidden))));
        let signature = reasoning.signature.as_ref().and_then(|signature| signature.of(own));
        content.others.extend(signature.map(|signature| {
            Block::ReasoningContent(Thought::ReasoningText { text: &reasoning.text, signature })
        }));
    }

    fn call(&mut self, call: &'r ToolCall<'_>) -> Result<Block<'r>, Failure> {
        let arguments: &'r str = &call.arguments;
        let input = match arguments.trim_ascii() {
            _ if call.custom => Input::Custom { input: arguments },
            "" => Input::Nothing {},
            _ => match json::read::<Raw<'r>>(arguments.as_bytes()) {
                Ok(raw) if raw.get().starts_with('{') => Input::Given(raw),
                _ => {
                    return Err(self
                        .lacks
                        .invalid_value(Field::Arguments(call.at), "has to be a JSON object"));
                }
            },
        };
        let count = self.ids.len();
        let id = self.ids.entry(&call.id).or_insert_with(|| match is_id(&call.id) {
            true => Cow::Borrowed(&call.id),
            // Another vendor's id that Bedrock would refuse. It only has to be the same here and at the result.
            false => Cow::Owned(format!("sluice_call_{count}")),
        });
        Ok(Block::ToolUse(ToolUse { tool_use_id: id.clone(), name: &call.name, input }))
    }

    fn result(&mut self, result: &'r ToolResult<'_>, content: &mut Content<'r>) -> Result<(), Failure> {
        let id = match self.ids.get(&*result.call) {
            Some(id) => id.clone(),
            // A call that was refused by its path is missing here for no fault of the result's.
            None if !self.lacks.contents().is_empty() => Cow::Borrowed(&*result.call),
            None => {
                let reason = "has to be the id of an earlier tool call";
                return Err(self.lacks.invalid_value(Field::ResultCall(result.at), reason));
            }
        };
        let mut said = Vec::with_capacity(result.parts.len());
        let mut mark = None;
        for part in &result.parts {
            match part {
                Part::CacheMark(found) => mark = Some(found),
                _ => said.extend(self.said(part, Role::Tool)),
            }
        }
        let is_sayable = |block: &Block<'_>| !matches!(block, Block::Media(MediaBlock::Audio(_)));
        if !said.iter().all(is_sayable) {
            said.retain(is_sayable);
            for part in &result.parts {
                if let Part::Media(media) = part {
                    self.lacks.content(Field::Media(media.at, media.kind));
                }
            }
        }
        let is_told = self.model.knows_failed_results();
        if result.failed && !is_told {
            self.lacks.omission(Field::ResultFailed(result.at));
        }
        let status = (result.failed && is_told).then_some("error");
        content.results.push(Block::ToolResult(Outcome { tool_use_id: id, content: said, status }));
        // There are no marks within a result.
        if let Some(mark) = mark {
            self.mark(mark, Role::Tool, content);
        }
        Ok(())
    }

    /// Puts a point behind what was said last.
    fn mark(&mut self, mark: &CacheMark<'_>, role: Role, content: &mut Content<'r>) {
        if !self.model.caches() {
            return self.marks.omit(mark, self.lacks);
        }
        let before = match self.messages.turns.last_mut() {
            _ if !content.others.is_empty() => &mut content.others,
            _ if !content.results.is_empty() => &mut content.results,
            Some(turn) if role != Role::System => match turn.content.others.is_empty() {
                true => &mut turn.content.results,
                false => &mut turn.content.others,
            },
            _ => &mut self.messages.system,
        };
        // A point stands behind something, and once.
        if before.last().is_some_and(|block| !matches!(block, Block::CachePoint(_))) {
            before.push(Block::CachePoint(self.marks.point(mark, self.lacks)));
        }
    }
}

/// Whether every model takes this id of a call.
fn is_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&id.len()) && id.bytes().all(is_plain)
}
