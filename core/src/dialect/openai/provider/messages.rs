//! Writes the messages of a conversation as chat completions have them: a message for each tool's result, calls beside
//! the text.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use serde::{Serialize, Serializer};

use crate::conversation::{
    Field, Media, MediaKind, MediaSource, Message, Part, Request, Role, Tool, ToolCall, ToolResult,
};
use crate::dialect::presets::Quirks;
use crate::dialect::{ClientDialect, Lacks};
use crate::failure::Failure;
use crate::json::Text;

/// What shapes the messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) quirks: Quirks,
    /// Whether the provider is OpenAI, at its own place or at Azure.
    pub(super) openai: bool,
    pub(super) custom_tools: bool,
    pub(super) breakpoints: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct ChatMessage<'r> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    content: Content<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ChatCall<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'r, str>>,
}

/// The parts of a message: one text stands for itself.
#[derive(Debug, Default)]
struct Content<'r> {
    parts: Vec<ChatPart<'r>>,
    /// Whether texts have to be one.
    joins: bool,
    /// Whether nothing is `null`: beside tool calls.
    nullable: bool,
}

#[derive(Debug)]
struct ChatPart<'r> {
    kind: PartKind<'r>,
    /// Whether what is cached ends behind it.
    ends_cache: bool,
}

#[derive(Debug)]
enum PartKind<'r> {
    Text(&'r str),
    Refusal(&'r str),
    Image(Url<'r>),
    Audio { data: &'r str, format: &'static str },
    FileData { data: Url<'r>, name: &'r str },
    FileId(&'r str),
}

/// A URL that is written piece by piece, so that long data is not copied.
#[derive(Debug)]
pub(super) enum Url<'r> {
    Given(&'r str),
    Data { media_type: &'r str, data: &'r str },
    Plain(&'r str),
}

#[derive(Debug, Serialize)]
struct ChatCall<'r> {
    id: Cow<'r, str>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<CalledFunction<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CalledCustom<'r>>,
}

#[derive(Debug, Serialize)]
struct CalledFunction<'r> {
    name: &'r str,
    arguments: Cow<'r, str>,
}

#[derive(Debug, Serialize)]
struct CalledCustom<'r> {
    name: &'r str,
    input: &'r str,
}

/// What is noted while the messages are written.
struct Writer<'r, 'l> {
    shape: Shape,
    lacks: &'l mut Lacks,
    /// The ids of the calls so far.
    calls: BTreeSet<&'r str>,
    /// Whether a cache mark has been named.
    mark_is_named: bool,
    messages: Vec<ChatMessage<'r>>,
}

/// Writes all messages; a failure means that the conversation contradicts itself.
pub(super) fn write_messages<'r>(
    request: &'r Request<'_>,
    shape: Shape,
    lacks: &mut Lacks,
) -> Result<Vec<ChatMessage<'r>>, Failure> {
    let messages = Vec::with_capacity(request.messages.len());
    let mut writer = Writer { shape, lacks, calls: BTreeSet::new(), mark_is_named: false, messages };
    if let Some(mark) = request.tools.iter().find_map(|tool| tool.cache.as_ref()) {
        writer.name_mark(Field::CacheMark(mark.at));
    }
    for message in &request.messages {
        writer.message(message)?;
    }
    Ok(writer.messages)
}

/// The arguments of a function that stands for a custom tool.
pub(super) fn custom_arguments(input: &str) -> String {
    // Text always serialises.
    let input = serde_json::to_string(input).unwrap_or_default();
    format!("{{\"{}\":{input}}}", Tool::CUSTOM_INPUT)
}

/// The id of a tool call in nine letters and digits: itself where it is one, else made of it, the same each time.
pub(in crate::dialect::openai) fn short_call_id(id: &str) -> Cow<'_, str> {
    const LENGTH: usize = 9;
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    if id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    // FNV-1a, 64 bits: ids of one conversation are told apart, nobody has to be kept from finding another one.
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let digits = (0..LENGTH).scan(hash, |rest, _| {
        let digit = DIGITS.get((*rest % 36) as usize);
        *rest /= 36;
        digit.copied().map(char::from)
    });
    Cow::Owned(digits.collect())
}

impl<'r> Writer<'r, '_> {
    fn message(&mut self, message: &'r Message<'_>) -> Result<(), Failure> {
        let role = match message.role {
            Role::System => "system",
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let name = message.name.as_deref().filter(|name| !name.is_empty());
        let name = match self.shape.quirks.word("messages[].name") {
            Some(_) => name,
            None => {
                if name.is_some() && self.shape.quirks.lacks("messages[].name") {
                    self.lacks.parameter(Field::MessageName(message.at));
                }
                None
            }
        };
        let mut own = self.empty(role);
        own.name = name;
        let mut results = 0;
        let mut after_result = false;
        for part in &message.parts {
            match part {
                Part::ToolResult(result) => {
                    let result = self.result(result)?;
                    self.messages.push(result);
                    results += 1;
                    after_result = true;
                    continue;
                }
                Part::ToolCall(call) => {
                    self.calls.insert(&*call.id);
                    own.tool_calls.push(self.call(call));
                }
                Part::Reasoning(reasoning) => {
                    // What a vendor has signed is for that vendor only; what nobody has signed is thinking in the open.
                    let is_open = reasoning.signature.is_none() && reasoning.hidden.is_none();
                    let is_taken = self.shape.quirks.takes("messages[].reasoning_content");
                    if is_open && is_taken && !reasoning.text.is_empty() {
                        match &mut own.reasoning_content {
                            None => own.reasoning_content = Some(Cow::Borrowed(&reasoning.text)),
                            Some(joined) => joined.to_mut().push_str(&reasoning.text),
                        }
                    }
                }
                Part::CacheMark(mark) => {
                    let is_first = own.content.parts.is_empty();
                    let last = match after_result || is_first {
                        true if is_first => {
                            self.messages.last_mut().and_then(|message| message.content.parts.last_mut())
                        }
                        true => None,
                        false => own.content.parts.last_mut(),
                    };
                    match last {
                        Some(part) if self.shape.breakpoints && own.tool_calls.is_empty() => {
                            part.ends_cache = true;
                        }
                        _ => self.name_mark(Field::CacheMark(mark.at)),
                    }
                }
                Part::Text(_) | Part::Refusal(_) | Part::Media(_) => {
                    own.content.parts.extend(self.said(part, message.role));
                }
            }
            after_result = false;
        }
        let is_empty = own.content.parts.is_empty() && own.tool_calls.is_empty();
        let is_left_out = match message.role {
            // Only results, or only thinking that nobody takes back.
            Role::Tool | Role::Assistant => true,
            Role::User | Role::System => results > 0,
        };
        if is_empty && is_left_out {
            return Ok(());
        }
        own.content.nullable = !own.tool_calls.is_empty();
        self.messages.push(own);
        Ok(())
    }

    fn empty(&self, role: &'static str) -> ChatMessage<'r> {
        ChatMessage {
            role,
            name: None,
            content: Content { joins: self.shape.quirks.joins_texts(), ..Content::default() },
            reasoning_content: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    fn result(&mut self, result: &'r ToolResult<'_>) -> Result<ChatMessage<'r>, Failure> {
        // A call that was refused by its path is missing here for no fault of the result's.
        if !self.calls.contains(&*result.call) && self.lacks.contents().is_empty() {
            let reason = "has to be the id of an earlier tool call";
            return Err(self.lacks.invalid_value(Field::ResultCall(result.at), reason));
        }
        if result.failed {
            // There is no field for it; the result's own words go on.
            self.lacks.omission(Field::ResultFailed(result.at));
        }
        let mut message = self.empty("tool");
        message.tool_call_id = Some(self.call_id(&result.call));
        for part in &result.parts {
            match part {
                Part::Media(media) => self.lacks.content(Field::Media(media.at, media.kind)),
                Part::CacheMark(mark) => match message.content.parts.last_mut() {
                    Some(part) if self.shape.breakpoints => part.ends_cache = true,
                    _ => self.name_mark(Field::CacheMark(mark.at)),
                },
                part => message.content.parts.extend(self.said(part, Role::Tool)),
            }
        }
        Ok(message)
    }

    fn call(&self, call: &'r ToolCall<'_>) -> ChatCall<'r> {
        let id = self.call_id(&call.id);
        let name = &*call.name;
        if call.custom && self.shape.custom_tools {
            let custom = Some(CalledCustom { name, input: &call.arguments });
            return ChatCall { id, r#type: "custom", function: None, custom };
        }
        let arguments = match &*call.arguments {
            input if call.custom => Cow::Owned(custom_arguments(input)),
            arguments if arguments.trim_ascii().is_empty() => Cow::Borrowed("{}"),
            arguments => Cow::Borrowed(arguments),
        };
        let function = Some(CalledFunction { name, arguments });
        ChatCall { id, r#type: "function", function, custom: None }
    }

    fn call_id(&self, id: &'r str) -> Cow<'r, str> {
        match self.shape.quirks.short_call_ids() {
            true => short_call_id(id),
            false => Cow::Borrowed(id),
        }
    }

    fn said(&mut self, part: &'r Part<'_>, role: Role) -> Option<ChatPart<'r>> {
        let kind = match part {
            Part::Text(text) | Part::Refusal(text) if text.is_empty() => return None,
            Part::Refusal(text) if self.shape.openai && role == Role::Assistant => PartKind::Refusal(text),
            Part::Text(text) | Part::Refusal(text) => PartKind::Text(text),
            Part::Media(media) => match self.media(media, role) {
                Some(kind) => kind,
                None => {
                    self.lacks.content(field_of(media));
                    return None;
                }
            },
            _ => return None,
        };
        Some(ChatPart { kind, ends_cache: false })
    }

    fn media(&self, media: &'r Media<'_>, role: Role) -> Option<PartKind<'r>> {
        if role != Role::User {
            return None;
        }
        match (media.kind, &media.source) {
            (MediaKind::Image, MediaSource::Url(url)) => Some(PartKind::Image(Url::Given(url))),
            (MediaKind::Image, MediaSource::Base64 { media_type, data, .. }) => {
                Some(PartKind::Image(Url::Data { media_type, data }))
            }
            (MediaKind::Audio, MediaSource::Base64 { media_type, data, .. }) => {
                let format = match &**media_type {
                    "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
                    "audio/mp3" | "audio/mpeg" => "mp3",
                    _ => return None,
                };
                Some(PartKind::Audio { data, format })
            }
            (MediaKind::File, MediaSource::Base64 { media_type, data, file_name }) => {
                Some(PartKind::FileData {
                    data: Url::Data { media_type, data },
                    name: named(file_name, media_type),
                })
            }
            (MediaKind::File, MediaSource::Text { text, file_name }) => {
                Some(PartKind::FileData { data: Url::Plain(text), name: named(file_name, "text/plain") })
            }
            // Ids are of the vendor that keeps the file.
            (MediaKind::File, MediaSource::File(id)) if self.shape.openai && self.speaks_openai() => {
                Some(PartKind::FileId(id))
            }
            _ => None,
        }
    }

    fn speaks_openai(&self) -> bool {
        use ClientDialect::{OpenAiChat, OpenAiCompletions, OpenAiResponses};
        matches!(self.lacks.client(), OpenAiChat | OpenAiResponses | OpenAiCompletions)
    }

    /// Names the marks of what is cached once, however many there are.
    fn name_mark(&mut self, field: Field<'_>) {
        if !std::mem::replace(&mut self.mark_is_named, true) {
            self.lacks.omission(field);
        }
    }
}

/// OpenAI wants every file to have a name, and reads the type from its end.
pub(super) fn named<'r>(name: &'r Option<Text<'_>>, media_type: &str) -> &'r str {
    match (name.as_deref().filter(|name| !name.is_empty()), media_type) {
        (Some(name), _) => name,
        (None, "application/pdf") => "file.pdf",
        (None, "text/plain") => "file.txt",
        (None, _) => "file",
    }
}

/// What can't be said of a medium: its source where another source could be, else the whole.
fn field_of(media: &Media<'_>) -> Field<'static> {
    match (media.kind, &media.source) {
        (MediaKind::Image | MediaKind::File, MediaSource::Url(_) | MediaSource::File(_)) => {
            Field::MediaSource(media.at, media.kind)
        }
        _ => Field::Media(media.at, media.kind),
    }
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = || {
            self.parts.iter().map(|part| match part.kind {
                PartKind::Text(text) => Some(text),
                _ => None,
            })
        };
        match self.parts.as_slice() {
            [] if self.nullable => serializer.serialize_none(),
            [] => serializer.serialize_str(""),
            [ChatPart { kind: PartKind::Text(text), ends_cache: false }] => serializer.serialize_str(text),
            _ => match texts().collect::<Option<Vec<_>>>() {
                Some(texts) if self.joins => serializer.serialize_str(&texts.join("\n\n")),
                _ => serializer.collect_seq(&self.parts),
            },
        }
    }
}

impl Serialize for ChatPart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            r#type: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            text: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            refusal: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            image_url: Option<Image<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            input_audio: Option<Audio<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            file: Option<File<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            prompt_cache_breakpoint: Option<Breakpoint>,
        }
        #[derive(Serialize)]
        struct Image<'a> {
            url: &'a Url<'a>,
        }
        #[derive(Serialize)]
        struct Audio<'a> {
            data: &'a str,
            format: &'static str,
        }
        #[derive(Serialize)]
        struct File<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            filename: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            file_data: Option<&'a Url<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            file_id: Option<&'a str>,
        }
        #[derive(Serialize)]
        struct Breakpoint {
            mode: &'static str,
        }
        let mut wire = Wire {
            r#type: "text",
            text: None,
            refusal: None,
            image_url: None,
            input_audio: None,
            file: None,
            prompt_cache_breakpoint: self.ends_cache.then_some(Breakpoint { mode: "explicit" }),
        };
        match &self.kind {
            PartKind::Text(text) => wire.text = Some(text),
            PartKind::Refusal(text) => {
                wire.r#type = "refusal";
                wire.refusal = Some(text);
            }
            PartKind::Image(url) => {
                wire.r#type = "image_url";
                wire.image_url = Some(Image { url });
            }
            PartKind::Audio { data, format } => {
                wire.r#type = "input_audio";
                wire.input_audio = Some(Audio { data, format });
            }
            PartKind::FileData { data, name } => {
                wire.r#type = "file";
                wire.file = Some(File { filename: Some(name), file_data: Some(data), file_id: None });
            }
            PartKind::FileId(id) => {
                wire.r#type = "file";
                wire.file = Some(File { filename: None, file_data: None, file_id: Some(id) });
            }
        }
        wire.serialize(serializer)
    }
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(url) => f.write_str(url),
            Self::Data { media_type, data } => write!(f, "data:{media_type};base64,{data}"),
            Self::Plain(text) => {
                write!(f, "data:text/plain;base64,{}", Base64Display::new(text.as_bytes(), &BASE64_STANDARD))
            }
        }
    }
}

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
