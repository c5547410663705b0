//! Writes the messages of a conversation: instructions first, neighbours of one role together, each result by itself.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::conversation::{
    Field, Media, MediaKind, MediaSource, Message, Part, Place, Reasoning, Request, Role, ToolCall,
    ToolResult,
};
use crate::dialect::Lacks;
use crate::failure::Failure;

/// One message.
#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(super) enum Turn<'r> {
    System {
        content: Vec<Item<'r>>,
    },
    User {
        content: Vec<Item<'r>>,
    },
    Assistant {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Item<'r>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'r>>,
        /// The thinking before calls. Of a turn without calls, Cohere's models are not shown the thinking again.
        #[serde(skip_serializing_if = "Plan::is_empty")]
        tool_plan: Plan<'r>,
    },
    Tool {
        tool_call_id: &'r str,
        content: Output<'r>,
    },
}

/// A piece of a message.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'r> {
    Text { text: &'r str },
    ImageUrl { image_url: ImageUrl<'r> },
    Document { document: Document<'r> },
}

#[derive(Debug, Serialize)]
pub(super) struct ImageUrl<'r> {
    url: Url<'r>,
}

/// An address, or the content itself as a `data:` URL.
#[derive(Debug)]
enum Url<'r> {
    Given(&'r str),
    Data { media_type: &'r str, data: &'r str },
}

#[derive(Debug, Serialize)]
pub(super) struct Document<'r> {
    data: FailedOutput<'r>,
}

/// What a tool says of its failure. Cohere has no mark for it, but reads a result's fields by their names.
#[derive(Debug, Serialize)]
struct FailedOutput<'r> {
    error: Plan<'r>,
}

#[derive(Debug, Serialize)]
pub(super) struct Call<'r> {
    id: &'r str,
    r#type: &'static str,
    function: CalledFunction<'r>,
}

#[derive(Debug, Serialize)]
struct CalledFunction<'r> {
    name: &'r str,
    arguments: Cow<'r, str>,
}

/// What a tool gave; the content has to be there even when it is nothing.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Output<'r> {
    Nothing(&'static str),
    Items(Vec<Item<'r>>),
}

/// Texts, one after the other.
#[derive(Debug, Default)]
pub(super) struct Plan<'r>(Vec<&'r str>);

impl Plan<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|text| f.write_str(text))
    }
}

impl Serialize for Plan<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [text] => serializer.serialize_str(text),
            _ => serializer.collect_str(self),
        }
    }
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(url) => f.write_str(url),
            Self::Data { media_type, data } => write!(f, "data:{media_type};base64,{data}"),
        }
    }
}

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given(url) => serializer.serialize_str(url),
            Self::Data { .. } => serializer.collect_str(self),
        }
    }
}

/// Writes all messages; a failure means that the conversation contradicts itself.
pub(super) fn write_messages<'r>(
    request: &'r Request<'_>,
    lacks: &mut Lacks,
) -> Result<Vec<Turn<'r>>, Failure> {
    let mut writer = Writer::default();
    for message in &request.messages {
        let is_named = message.name.as_ref().is_some_and(|name| !name.is_empty());
        if is_named && message.role != Role::Tool {
            lacks.parameter(Field::MessageName(message.at));
        }
        writer.message(message, lacks)?;
    }
    if let Some(at) = writer.cache_mark {
        lacks.omission(Field::CacheMark(at));
    }
    // What is lacking is the better explanation for a conversation of which nothing is left.
    if writer.turns.is_empty() && lacks.contents().is_empty() {
        return Err(lacks.invalid_value(Field::Messages, "needs a message besides those of the system"));
    }
    if !writer.system.is_empty() {
        writer.turns.insert(0, Turn::System { content: writer.system });
    }
    Ok(writer.turns)
}

#[derive(Default)]
struct Writer<'r> {
    system: Vec<Item<'r>>,
    turns: Vec<Turn<'r>>,
    /// The ids of the calls so far.
    calls: BTreeSet<&'r str>,
    /// Where the first mark for a cache stands.
    cache_mark: Option<Place>,
}

impl<'r> Writer<'r> {
    fn message(&mut self, message: &'r Message<'_>, lacks: &mut Lacks) -> Result<(), Failure> {
        let mut items = Vec::new();
        let mut calls = Vec::new();
        let mut plan = Plan::default();
        let mut has_results = false;
        for part in &message.parts {
            match part {
                Part::Text(text) | Part::Refusal(text) if !text.is_empty() => items.push(Item::Text { text }),
                Part::Text(_) | Part::Refusal(_) => {}
                Part::Media(media) => match write_image(media) {
                    Some(image) if message.role == Role::User => items.push(image),
                    _ => lacks.content(refused(media)),
                },
                Part::Reasoning(reasoning) if is_plain(reasoning) => plan.0.push(&reasoning.text),
                // What another vendor has signed or hidden means nothing to Cohere.
                Part::Reasoning(_) => {}
                Part::ToolCall(call) => {
                    self.calls.insert(&call.id);
                    calls.push(write_call(call));
                }
                Part::ToolResult(result) => {
                    has_results = true;
                    self.result(result, lacks)?;
                }
                Part::CacheMark(mark) => self.cache_mark = self.cache_mark.or(Some(mark.at)),
            }
        }
        if calls.is_empty() {
            plan = Plan::default();
        }
        match (message.role, items.is_empty() && calls.is_empty()) {
            (Role::System, _) => self.system.append(&mut items),
            (Role::User, true) if !has_results && lacks.contents().is_empty() => {
                return Err(lacks.invalid_value(Field::MessageContent(message.at), "has to have content"));
            }
            (_, true) => {}
            (Role::User | Role::Tool, false) => match self.turns.last_mut() {
                Some(Turn::User { content }) => content.append(&mut items),
                _ => self.turns.push(Turn::User { content: items }),
            },
            (Role::Assistant, false) => match self.turns.last_mut() {
                Some(Turn::Assistant { content, tool_calls, tool_plan }) => {
                    content.append(&mut items);
                    tool_calls.append(&mut calls);
                    tool_plan.0.append(&mut plan.0);
                }
                _ => {
                    self.turns.push(Turn::Assistant { content: items, tool_calls: calls, tool_plan: plan });
                }
            },
        }
        Ok(())
    }

    fn result(&mut self, result: &'r ToolResult<'_>, lacks: &mut Lacks) -> Result<(), Failure> {
        // A call that was refused by its path is missing here for no fault of the result's.
        if !self.calls.contains(&*result.call) && lacks.contents().is_empty() {
            let reason = "has to be the id of an earlier tool call";
            return Err(lacks.invalid_value(Field::ResultCall(result.at), reason));
        }
        let mut texts = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text(text) | Part::Refusal(text) if !text.is_empty() => texts.push(&**text),
                Part::Media(media) => lacks.content(refused(media)),
                Part::CacheMark(mark) => self.cache_mark = self.cache_mark.or(Some(mark.at)),
                _ => {}
            }
        }
        let content = match (result.failed, texts.is_empty()) {
            (true, _) => {
                let data = FailedOutput { error: Plan(texts) };
                Output::Items(vec![Item::Document { document: Document { data } }])
            }
            (false, true) => Output::Nothing(""),
            (false, false) => Output::Items(texts.into_iter().map(|text| Item::Text { text }).collect()),
        };
        self.turns.push(Turn::Tool { tool_call_id: &result.call, content });
        Ok(())
    }
}

/// Whether thinking is text, and nobody's in particular.
fn is_plain(reasoning: &Reasoning<'_>) -> bool {
    !reasoning.text.is_empty() && reasoning.signature.is_none() && reasoning.hidden.is_none()
}

fn write_call<'r>(call: &'r ToolCall<'_>) -> Call<'r> {
    let arguments = match call.custom {
        true => Cow::Owned(custom_input(&call.arguments)),
        false if call.arguments.trim_ascii().is_empty() => Cow::Borrowed("{}"),
        false => Cow::Borrowed(&*call.arguments),
    };
    Call { id: &call.id, r#type: "function", function: CalledFunction { name: &call.name, arguments } }
}

/// The arguments of the function that stands for a custom tool.
fn custom_input(text: &str) -> String {
    #[derive(Serialize)]
    struct Input<'a> {
        input: &'a str,
    }
    // Text always serialises.
    serde_json::to_string(&Input { input: text }).unwrap_or_default()
}

fn write_image<'r>(media: &'r Media<'_>) -> Option<Item<'r>> {
    if media.kind != MediaKind::Image {
        return None;
    }
    let url = match &media.source {
        MediaSource::Url(url) if is_web(url) => Url::Given(url),
        MediaSource::Base64 { media_type, data, .. } => {
            let is_known = matches!(&**media_type, "image/jpeg" | "image/png" | "image/gif" | "image/webp");
            is_known.then_some(Url::Data { media_type, data })?
        }
        // Ids are of the vendor that keeps the file.
        _ => return None,
    };
    Some(Item::ImageUrl { image_url: ImageUrl { url } })
}

fn is_web(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"))
}

/// What can't be said of a medium: of an image the URL that holds it, else the whole.
fn refused(media: &Media<'_>) -> Field<'static> {
    match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Url(_) | MediaSource::Base64 { .. }) => {
            Field::MediaSource(media.at, media.kind)
        }
        _ => Field::Media(media.at, media.kind),
    }
}
