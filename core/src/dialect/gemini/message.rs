//! Writes the messages of a request: the instructions, and the contents of user and model.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::conversation::{
    self, Field, Maker, Media, MediaKind, MediaSource, Message, Request, Role, ToolCall, ToolResult,
};
use crate::dialect::Lacks;
use crate::failure::Failure;
use crate::json::Raw;

use super::model::Model;

/// What Gemini takes for the thought signature of a call that it didn't make itself; without it, Gemini 3 refuses the
/// request.
const FOREIGN_CALL_SIGNATURE: &str = "skip_thought_signature_validator";

/// Every message of a request, in its place.
pub struct Messages<'r> {
    /// The parts of `systemInstruction`.
    pub system: Vec<Part<'r>>,
    /// Never empty, unless something that was said has been noted as lacking.
    pub contents: Vec<Content<'r>>,
}

/// One turn.
#[derive(Serialize)]
pub struct Content<'r> {
    #[serde(rename = "role")]
    speaker: Speaker,
    parts: Vec<Part<'r>>,
}

/// Who a content is from. Results of functions are the user's too, but stand apart: their content has to hold
/// exactly the results of the calls before it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
enum Speaker {
    #[serde(rename = "user")]
    User,
    #[serde(rename = "model")]
    Model,
    #[serde(rename = "user")]
    Functions,
}

/// A piece of a content: one of the kinds, and perhaps a signature.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<InlineData<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<FileData<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<FunctionResponse<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'r str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InlineData<'r> {
    mime_type: &'r str,
    data: &'r str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileData<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'static str>,
    file_uri: &'r str,
}

#[derive(Serialize)]
struct FunctionCall<'r> {
    id: &'r str,
    name: &'r str,
    args: Raw<'r>,
}

#[derive(Serialize)]
struct FunctionResponse<'r> {
    id: &'r str,
    name: &'r str,
    response: Output<'r>,
}

/// What a function gave. Gemini gives the keys `output` and `error` a meaning, and takes an object without either as
/// the output itself: wrapping always is what keeps a function's own `error` from being read as ours.
#[derive(Serialize)]
struct Output<'r> {
    output: Joined<'r>,
}

/// The texts of some parts, one after the other.
struct Joined<'r>(&'r [conversation::Part<'r>]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().filter_map(said).try_for_each(|text| f.write_str(text))
    }
}

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [conversation::Part::Text(text)] => serializer.serialize_str(text),
            _ => serializer.collect_str(self),
        }
    }
}

impl<'r> Messages<'r> {
    /// Takes the messages of a request apart; what they hold and Gemini can't be told is noted in `lacks`.
    pub fn read(request: &'r Request<'r>, model: Model, lacks: &mut Lacks) -> Result<Self, Failure> {
        let mut reader = Reader {
            messages: Self { system: Vec::new(), contents: Vec::new() },
            calls: BTreeMap::new(),
            model,
        };
        for message in &request.messages {
            // A tool's name says nothing that the call's id doesn't.
            let is_named = message.name.as_ref().is_some_and(|name| !name.is_empty());
            if is_named && message.role != Role::Tool {
                lacks.parameter(Field::MessageName(message.at));
            }
            reader.message(message, lacks)?;
        }
        // What is lacking is the better explanation for a message of which nothing is left.
        if reader.messages.contents.is_empty() && lacks.contents().is_empty() {
            return Err(lacks.invalid_value(Field::Messages, "needs a message besides those of the system"));
        }
        Ok(reader.messages)
    }
}

struct Reader<'r> {
    messages: Messages<'r>,
    /// The names of the functions called so far, by the ids of the calls.
    calls: BTreeMap<&'r str, &'r str>,
    model: Model,
}

impl<'r> Reader<'r> {
    fn message(&mut self, message: &'r Message<'r>, lacks: &mut Lacks) -> Result<(), Failure> {
        let speaker = match message.role {
            Role::Assistant => Speaker::Model,
            Role::System | Role::User | Role::Tool => Speaker::User,
        };
        let (mut calls, mut is_empty) = (0, true);
        for part in &message.parts {
            let (speaker, part) = match part {
                conversation::Part::Text(_) | conversation::Part::Refusal(_) => match said(part) {
                    None | Some("") => continue,
                    text => (speaker, Part { text, ..Part::default() }),
                },
                // Gemini knows its thoughts by their signatures, which the client has not been given.
                conversation::Part::Reasoning(_) | conversation::Part::CacheMark(_) => continue,
                conversation::Part::Media(media) => match encode_media(media) {
                    Some(part) if message.role != Role::System => (speaker, part),
                    _ => {
                        lacks.content(refused(media));
                        continue;
                    }
                },
                conversation::Part::ToolCall(call) => {
                    let part = self.call(call, calls, lacks)?;
                    calls += 1;
                    (speaker, part)
                }
                conversation::Part::ToolResult(result) => match self.result(result, lacks)? {
                    Some(part) => (Speaker::Functions, part),
                    None => continue,
                },
            };
            is_empty = false;
            match message.role {
                Role::System => self.messages.system.push(part),
                Role::User | Role::Assistant | Role::Tool => self.push(speaker, part),
            }
        }
        if is_empty && message.role == Role::User && lacks.contents().is_empty() {
            return Err(lacks.invalid_value(Field::MessageContent(message.at), "has to have content"));
        }
        Ok(())
    }

    fn push(&mut self, speaker: Speaker, part: Part<'r>) {
        match self.messages.contents.last_mut() {
            Some(content) if content.speaker == speaker => content.parts.push(part),
            _ => self.messages.contents.push(Content { speaker, parts: vec![part] }),
        }
    }

    /// `position`: the call's among those of its message.
    fn call(&mut self, call: &'r ToolCall<'r>, position: usize, lacks: &Lacks) -> Result<Part<'r>, Failure> {
        let text = if call.arguments.trim().is_empty() { "{}" } else { &*call.arguments };
        let args = crate::json::read::<Raw<'_>>(text.as_bytes()).ok();
        let Some(args) = args.filter(|args| args.get().starts_with('{')) else {
            return Err(lacks.invalid_value(Field::Arguments(call.at), "has to be a JSON object"));
        };
        self.calls.insert(&call.id, &call.name);
        let is_foreign = position == 0 && self.model.needs_signatures;
        Ok(Part {
            function_call: Some(FunctionCall { id: &call.id, name: &call.name, args }),
            // Gemini signs the first of parallel calls only, and looks for no other signature.
            thought_signature: call
                .signature
                .as_ref()
                .and_then(|signature| signature.of(Maker::Gemini))
                .or(is_foreign.then_some(FOREIGN_CALL_SIGNATURE)),
            ..Part::default()
        })
    }

    fn result(&self, result: &'r ToolResult<'r>, lacks: &mut Lacks) -> Result<Option<Part<'r>>, Failure> {
        let Some(name) = self.calls.get(&*result.call) else {
            // Its call may be what is lacking: that is said then, and the request goes nowhere.
            if !lacks.contents().is_empty() {
                return Ok(None);
            }
            let reason = "has to be the id of an earlier tool call";
            return Err(lacks.invalid_value(Field::ResultCall(result.at), reason));
        };
        for part in &result.parts {
            if let conversation::Part::Media(media) = part {
                lacks.content(refused(media));
            }
        }
        let response = Output { output: Joined(&result.parts) };
        let function_response = Some(FunctionResponse { id: &result.call, name, response });
        Ok(Some(Part { function_response, ..Part::default() }))
    }
}

/// The words of a part that is words.
fn said<'r>(part: &'r conversation::Part<'_>) -> Option<&'r str> {
    match part {
        conversation::Part::Text(text) | conversation::Part::Refusal(text) => Some(text),
        _ => None,
    }
}

fn encode_media<'r>(media: &'r Media<'_>) -> Option<Part<'r>> {
    match (media.kind, &media.source) {
        (_, MediaSource::Base64 { media_type, data, .. }) => {
            let inline_data = Some(InlineData { mime_type: media_type, data });
            Some(Part { inline_data, ..Part::default() })
        }
        // Gemini fetches what is public on the web itself, by https only.
        (MediaKind::Image, MediaSource::Url(url)) => {
            let (scheme, rest) = url.split_once("://")?;
            let file_data = Some(FileData { mime_type: image_type(rest), file_uri: url });
            scheme.eq_ignore_ascii_case("https").then(|| Part { file_data, ..Part::default() })
        }
        _ => None,
    }
}

/// What it is about a medium that can't be said.
fn refused(media: &Media<'_>) -> Field<'static> {
    match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Url(_)) => Field::MediaSource(media.at, media.kind),
        _ => Field::Media(media.at, media.kind),
    }
}

/// The type of an image, by the ending of its URL's path. `rest`: the URL without its scheme.
fn image_type(rest: &str) -> Option<&'static str> {
    let path = rest.split(['?', '#']).next()?.split_once('/')?.1;
    let (_, ending) = path.rsplit_once('.')?;
    let types = [
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("heic", "image/heic"),
        ("heif", "image/heif"),
    ];
    types.iter().find(|(name, _)| ending.eq_ignore_ascii_case(name)).map(|(_, media_type)| *media_type)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
