//! Writes the messages of a request: the instructions, and the contents of user and model.

use std::collections::BTreeMap;
use std::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::conversation::{
    self, Field, Maker, Media, MediaKind, MediaSource, Message, Reasoning, Request, Role, Signature,
    ToolCall, ToolResult,
};
use crate::dialect::Lacks;
use crate::failure::Failure;
use crate::json::Raw;

use super::model::{Model, Platform};

/// What Gemini takes for the thought signature of a call that it didn't make itself; without it, Gemini 3 refuses the
/// request.
pub const FOREIGN_CALL_SIGNATURE: &str = "skip_thought_signature_validator";

/// How the addresses begin of what has been uploaded to the Gemini API.
pub const GOOGLE_FILES: &str = "https://generativelanguage.googleapis.com/";

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
    /// Whether the text is a thought.
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
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
    data: Data<'r>,
}

/// The bytes of a medium, written in base64.
enum Data<'r> {
    Base64(&'r str),
    Text(&'r str),
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Base64(data) => serializer.serialize_str(data),
            Self::Text(text) => serializer.collect_str(&Base64Display::new(text.as_bytes(), &STANDARD)),
        }
    }
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
    args: Arguments<'r>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Arguments<'r> {
    Object(Raw<'r>),
    /// Those of a custom tool: the one that its stand-in has.
    Custom(CustomArguments<'r>),
}

/// The field is that of [`Tool::CUSTOM_INPUT`](conversation::Tool::CUSTOM_INPUT).
#[derive(Serialize)]
struct CustomArguments<'r> {
    input: &'r str,
}

#[derive(Serialize)]
struct FunctionResponse<'r> {
    id: &'r str,
    name: &'r str,
    response: Output<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Medium<'r>>,
}

/// A medium in the result of a function.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Medium<'r> {
    inline_data: InlineData<'r>,
}

/// What a function gave. Gemini gives the keys `output` and `error` a meaning, and takes an object without either as
/// the output itself: wrapping always is what keeps a function's own `error` from being read as ours.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Output<'r> {
    Output(Joined<'r>),
    /// What a function said that failed.
    Error(Joined<'r>),
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
        note_cache_marks(request, lacks);
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
        let (mut calls, mut is_empty, mut is_text_before) = (0, true, false);
        for part in &message.parts {
            let (speaker, part) = match part {
                conversation::Part::Text(_) | conversation::Part::Refusal(_) => match said(part) {
                    None | Some("") => continue,
                    text => (speaker, Part { text, ..Part::default() }),
                },
                // Gemini knows its own thoughts by their signatures; others' are nothing to it.
                conversation::Part::Reasoning(reasoning) => {
                    if let Some(signature) = signature(reasoning.signature.as_ref()) {
                        self.reasoning(reasoning, signature, &mut is_text_before);
                    }
                    continue;
                }
                conversation::Part::CacheMark(_) => continue,
                conversation::Part::Media(media) => match self.media(media) {
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
            is_text_before = part.text.is_some();
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

    /// What Gemini has signed goes back as it came: thoughts in a part of their own, and a signature alone on the text
    /// that it came with.
    fn reasoning(&mut self, reasoning: &'r Reasoning<'r>, signature: &'r str, is_text_before: &mut bool) {
        let last = self.messages.contents.last_mut().and_then(|content| content.parts.last_mut());
        match last {
            Some(text) if reasoning.text.is_empty() && *is_text_before => {
                text.thought_signature = Some(signature);
            }
            _ => {
                let thought = (!reasoning.text.is_empty()).then_some(true);
                let text = Some(&*reasoning.text);
                let thought_signature = Some(signature);
                self.push(Speaker::Model, Part { text, thought, thought_signature, ..Part::default() });
            }
        }
        *is_text_before = false;
    }

    fn media(&self, media: &'r Media<'_>) -> Option<Part<'r>> {
        if let Some(inline_data) = in_place(&media.source) {
            return Some(Part { inline_data: Some(inline_data), ..Part::default() });
        }
        let file_data = match &media.source {
            MediaSource::Url(url) => self.fetched(url)?,
            // The only ids are those that a client of Gemini's own dialect gives: addresses at Google.
            MediaSource::File(id) if id.starts_with(GOOGLE_FILES) => {
                FileData { mime_type: None, file_uri: id }
            }
            _ => return None,
        };
        Some(Part { file_data: Some(file_data), ..Part::default() })
    }

    /// Gemini fetches what is public on the web itself, by https only; on Vertex AI also what is in Cloud Storage.
    fn fetched(&self, url: &'r str) -> Option<FileData<'r>> {
        let (scheme, rest) = url.split_once("://")?;
        let is_taken = scheme.eq_ignore_ascii_case("https")
            || (scheme == "gs" && self.model.platform == Platform::Vertex);
        is_taken.then(|| FileData { mime_type: media_type(rest), file_uri: url })
    }

    /// `position`: the call's among those of its message.
    fn call(&mut self, call: &'r ToolCall<'r>, position: usize, lacks: &Lacks) -> Result<Part<'r>, Failure> {
        let args = match call.custom {
            true => Arguments::Custom(CustomArguments { input: &call.arguments }),
            false => {
                let text = if call.arguments.trim().is_empty() { "{}" } else { &*call.arguments };
                let args = crate::json::read::<Raw<'_>>(text.as_bytes()).ok();
                let args = args.filter(|args| args.get().starts_with('{'));
                let reason = "has to be a JSON object";
                Arguments::Object(args.ok_or_else(|| lacks.invalid_value(Field::Arguments(call.at), reason))?)
            }
        };
        self.calls.insert(&call.id, &call.name);
        let is_foreign = position == 0 && self.model.needs_signatures;
        Ok(Part {
            function_call: Some(FunctionCall { id: &call.id, name: &call.name, args }),
            // Gemini signs the first of parallel calls only, and looks for no other signature.
            thought_signature: signature(call.signature.as_ref())
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
        let mut parts = Vec::new();
        for part in &result.parts {
            let conversation::Part::Media(media) = part else { continue };
            match in_place(&media.source).filter(|_| self.model.reads_media_in_results) {
                Some(inline_data) => parts.push(Medium { inline_data }),
                None => lacks.content(refused(media)),
            }
        }
        let joined = Joined(&result.parts);
        let response = if result.failed { Output::Error(joined) } else { Output::Output(joined) };
        let function_response = Some(FunctionResponse { id: &result.call, name, response, parts });
        Ok(Some(Part { function_response, ..Part::default() }))
    }
}

/// Advice that Gemini has no word for, as it caches what it sees twice by itself: named once.
fn note_cache_marks(request: &Request<'_>, lacks: &mut Lacks) {
    let in_tools = request.tools.iter().filter_map(|tool| tool.cache.as_ref());
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let in_messages = parts.filter_map(|part| match part {
        conversation::Part::CacheMark(mark) => Some(mark),
        conversation::Part::ToolResult(result) => result.parts.iter().find_map(|part| match part {
            conversation::Part::CacheMark(mark) => Some(mark),
            _ => None,
        }),
        _ => None,
    });
    if let Some(mark) = in_tools.chain(in_messages).next() {
        lacks.omission(Field::CacheMark(mark.at));
    }
}

/// A signature of Gemini's own.
fn signature<'r>(signature: Option<&'r Signature<'_>>) -> Option<&'r str> {
    signature.and_then(|signature| signature.of(Maker::Gemini))
}

/// The words of a part that is words.
fn said<'r>(part: &'r conversation::Part<'_>) -> Option<&'r str> {
    match part {
        conversation::Part::Text(text) | conversation::Part::Refusal(text) => Some(text),
        _ => None,
    }
}

/// A medium whose bytes are in the request.
fn in_place<'r>(source: &'r MediaSource<'_>) -> Option<InlineData<'r>> {
    match source {
        MediaSource::Base64 { media_type, data, .. } => {
            Some(InlineData { mime_type: media_type, data: Data::Base64(data) })
        }
        MediaSource::Text { text, .. } => {
            Some(InlineData { mime_type: "text/plain", data: Data::Text(text) })
        }
        MediaSource::Url(_) | MediaSource::File(_) => None,
    }
}

/// What it is about a medium that can't be said.
fn refused(media: &Media<'_>) -> Field<'static> {
    match (media.kind, &media.source) {
        (MediaKind::Image | MediaKind::Video, MediaSource::Url(_)) => {
            Field::MediaSource(media.at, media.kind)
        }
        _ => Field::Media(media.at, media.kind),
    }
}

/// The type of a medium, by the ending of its URL's path. `rest`: the URL without its scheme.
pub fn media_type(rest: &str) -> Option<&'static str> {
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
        ("pdf", "application/pdf"),
        ("txt", "text/plain"),
        ("mp3", "audio/mp3"),
        ("wav", "audio/wav"),
        ("mp4", "video/mp4"),
        ("webm", "video/webm"),
        ("mov", "video/mov"),
    ];
    types.iter().find(|(name, _)| ending.eq_ignore_ascii_case(name)).map(|(_, media_type)| *media_type)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
