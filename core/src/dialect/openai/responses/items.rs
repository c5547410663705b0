//! Reads input items into messages: what the assistant said in several items becomes one message, as do results.

use serde::Deserialize;

use crate::conversation::{
    CacheMark, Media, MediaKind, MediaSource, Message, Part, Place, Reasoning, Role, Signature, ToolCall,
    ToolResult,
};
use crate::dialect::malformed::{malformed, missing};
use crate::failure::Failure;
use crate::json::{Raw, Text, TextOr};

use super::name::output_part;
use super::others::Others;
use super::seal::Seal;
use super::wire::{Breakpoint, InputItem, ReasoningText, WirePart};

/// The messages that have been read.
pub(super) struct Items<'a, 'o> {
    messages: Vec<Message<'a>>,
    others: &'o mut Others,
    /// What signs the tool call that comes next.
    call_signature: Option<Signature<'a>>,
}

impl<'a, 'o> Items<'a, 'o> {
    pub(super) fn new(others: &'o mut Others) -> Self {
        Self { messages: Vec::new(), others, call_signature: None }
    }

    pub(super) fn into_messages(self) -> Vec<Message<'a>> {
        self.messages
    }

    /// Adds a message of one text.
    pub(super) fn text(&mut self, role: Role, text: Text<'a>, at: Place) {
        self.messages.push(Message { role, name: None, parts: vec![Part::Text(text)], at });
    }

    /// Reads one item.
    pub(super) fn read(&mut self, index: usize, item: InputItem<'a>) -> Result<(), Failure> {
        let path = format!("input[{index}]");
        match (item.kind.as_deref(), &item.role) {
            (None | Some("message"), Some(_)) => self.message(index, &path, item),
            (None, None) => {
                let stored = item.id.is_some();
                // Without a type, an id refers to an item that the vendor keeps.
                self.others.note(format!("{path}.{}", if stored { "id" } else { "type" }), true);
                Ok(())
            }
            (Some("message"), None) => Err(missing(&format!("{path}.role"))),
            (Some("reasoning"), _) => self.reasoning(index, &path, item),
            (Some("function_call"), _) => self.call(index, &path, item, false),
            (Some("custom_tool_call"), _) => self.call(index, &path, item, true),
            (Some("function_call_output" | "custom_tool_call_output"), _) => self.result(index, &path, item),
            (Some("image_generation_call"), _) if item.result.is_some() => self.image(index, &path, item),
            // Calls of built-in tools, and whatever else only OpenAI knows what to do with.
            (Some(_), _) => {
                self.others.note(format!("{path}.type"), true);
                Ok(())
            }
        }
    }

    fn message(&mut self, index: usize, path: &str, item: InputItem<'a>) -> Result<(), Failure> {
        let role = match item.role.as_deref().unwrap_or_default() {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => {
                let reason = "has to be one of system, developer, user, assistant";
                return Err(Failure::invalid_value(format!("{path}.role"), reason));
            }
        };
        self.others.add(path, item.others);
        let field = format!("{path}.content");
        let content = item.content.ok_or_else(|| missing(&field))?;
        let mut parts = Vec::new();
        match read_at::<TextOr<'a, Vec<WirePart<'a>>>>(content, &field)? {
            TextOr::Text(text) => parts.push(Part::Text(text)),
            TextOr::Other(items) => {
                for (position, part) in items.into_iter().enumerate() {
                    let (part, mark) =
                        self.part(Place::part(index, position), &format!("{field}[{position}]"), part)?;
                    parts.extend(part);
                    parts.extend(mark.map(Part::CacheMark));
                }
            }
        }
        match role {
            Role::Assistant => self.append(role, index, parts),
            role => self.messages.push(Message { role, name: None, parts, at: Place::item(index) }),
        }
        Ok(())
    }

    fn reasoning(&mut self, index: usize, path: &str, item: InputItem<'a>) -> Result<(), Failure> {
        self.others.add(path, item.others);
        let summary = self.reasoning_texts(&format!("{path}.summary"), item.summary)?;
        let content = self.reasoning_texts(&format!("{path}.content"), item.content)?;
        // A summary beside the thinking itself says nothing more.
        let mut texts = if content.is_empty() { summary } else { content };
        let text = match texts.len() {
            0 | 1 => texts.pop().unwrap_or_default(),
            _ => Text::from(texts.iter().map(|text| &**text).collect::<Vec<_>>().join("\n\n")),
        };
        let mut reasoning = Reasoning { text, id: item.id, ..Reasoning::default() };
        match item.encrypted_content.filter(|text| !text.is_empty()).map(Seal::read) {
            Some(Seal::Hidden(hidden)) => reasoning.hidden = Some(hidden),
            Some(Seal::Thinking(signature)) => reasoning.signature = Some(signature),
            Some(Seal::Call(signature)) => {
                self.call_signature = Some(signature);
                if reasoning.text.is_empty() {
                    return Ok(());
                }
            }
            None => {}
        }
        self.append(Role::Assistant, index, vec![Part::Reasoning(reasoning)]);
        Ok(())
    }

    fn reasoning_texts(&mut self, path: &str, texts: Option<Raw<'a>>) -> Result<Vec<Text<'a>>, Failure> {
        let Some(texts) = texts else { return Ok(Vec::new()) };
        let mut read = Vec::new();
        for (position, part) in read_at::<Vec<ReasoningText<'a>>>(texts, path)?.into_iter().enumerate() {
            let path = format!("{path}[{position}]");
            self.others.add(&path, part.others);
            match part.kind.as_deref() {
                Some("summary_text" | "reasoning_text" | "text") => read.extend(part.text),
                _ => self.others.note(format!("{path}.type"), true),
            }
        }
        Ok(read)
    }

    fn call(&mut self, index: usize, path: &str, item: InputItem<'a>, custom: bool) -> Result<(), Failure> {
        self.others.add(path, item.others);
        let (said, field) = match custom {
            true => (item.input, "input"),
            false => (item.arguments, "arguments"),
        };
        let arguments = said.map(|said| read_at(said, &format!("{path}.{field}"))).transpose()?;
        let call = ToolCall {
            id: item.call_id.ok_or_else(|| missing(&format!("{path}.call_id")))?,
            name: item.name.ok_or_else(|| missing(&format!("{path}.name")))?,
            arguments: arguments.unwrap_or_default(),
            custom,
            signature: self.call_signature.take(),
            at: Place::item(index),
        };
        self.append(Role::Assistant, index, vec![Part::ToolCall(call)]);
        Ok(())
    }

    fn result(&mut self, index: usize, path: &str, item: InputItem<'a>) -> Result<(), Failure> {
        self.others.add(path, item.others);
        let field = format!("{path}.output");
        let output = item.output.ok_or_else(|| missing(&field))?;
        let mut parts = Vec::new();
        let mut last_mark = None;
        match read_at::<TextOr<'a, Vec<WirePart<'a>>>>(output, &field)? {
            TextOr::Text(text) => parts.push(Part::Text(text)),
            TextOr::Other(items) => {
                for (position, part) in items.into_iter().enumerate() {
                    let place = output_part(index, position);
                    let (part, mark) = self.part(place, &format!("{field}[{position}]"), part)?;
                    parts.extend(part);
                    last_mark = mark.or(last_mark);
                }
            }
        }
        let result = ToolResult {
            call: item.call_id.ok_or_else(|| missing(&format!("{path}.call_id")))?,
            parts,
            failed: false,
            at: output_part(index, 0),
        };
        // A result has no marks in it: one stands behind it.
        let mut parts = vec![Part::ToolResult(result)];
        parts.extend(last_mark.map(Part::CacheMark));
        self.append(Role::Tool, index, parts);
        Ok(())
    }

    /// An image that the assistant has made, as our own answers give it.
    fn image(&mut self, index: usize, path: &str, item: InputItem<'a>) -> Result<(), Failure> {
        self.others.add(path, item.others);
        let Some(result) = item.result else { return Ok(()) };
        let data = read_at(result, &format!("{path}.result"))?;
        let format: Option<Text<'a>> =
            item.output_format.map(|format| read_at(format, &format!("{path}.output_format"))).transpose()?;
        let media_type = Text::from(format!("image/{}", format.as_deref().unwrap_or("png")));
        let source = MediaSource::Base64 { media_type, data, file_name: None };
        let media = Media { kind: MediaKind::Image, source, at: Place::item(index) };
        self.append(Role::Assistant, index, vec![Part::Media(media)]);
        Ok(())
    }

    /// Reads a part, and the mark behind it; no part where the conversation has no word for it.
    fn part(
        &mut self,
        at: Place,
        path: &str,
        part: WirePart<'a>,
    ) -> Result<(Option<Part<'a>>, Option<CacheMark<'a>>), Failure> {
        self.others.add(path, part.others);
        let field = |name: &str| format!("{path}.{name}");
        let mark = part.breakpoint.map(|breakpoint| self.mark(at, path, breakpoint));
        let kind = part.kind.ok_or_else(|| missing(&field("type")))?;
        let (kind, source) = match &*kind {
            "input_text" | "output_text" => {
                let text = part.text.ok_or_else(|| missing(&field("text")))?;
                return Ok((Some(Part::Text(text)), mark));
            }
            "refusal" => {
                let refusal = part.refusal.ok_or_else(|| missing(&field("refusal")))?;
                return Ok((Some(Part::Refusal(refusal)), mark));
            }
            "input_image" => {
                if part.detail.is_some_and(|detail| !matches!(&*detail, "auto" | "high" | "original")) {
                    self.others.note(field("detail"), false);
                }
                match (part.image_url, part.file_id) {
                    (Some(url), None) => (MediaKind::Image, read_url(url)),
                    (None, Some(id)) => (MediaKind::Image, MediaSource::File(id)),
                    _ => return Err(Failure::invalid_value(path, "needs either image_url or file_id")),
                }
            }
            "input_file" => {
                if part.detail.is_some_and(|detail| !matches!(&*detail, "auto" | "high")) {
                    self.others.note(field("detail"), false);
                }
                let source = match (part.file_data, part.file_url, part.file_id) {
                    (Some(data), None, None) => read_file(data, part.file_name),
                    (None, Some(url), None) => with_file_name(read_url(url), part.file_name),
                    (None, None, Some(id)) => MediaSource::File(id),
                    _ => {
                        let reason = "needs one of file_data, file_url and file_id";
                        return Err(Failure::invalid_value(path, reason));
                    }
                };
                (MediaKind::File, source)
            }
            "input_audio" => {
                let audio = part.input_audio.ok_or_else(|| missing(&field("input_audio")))?;
                self.others.add(&field("input_audio"), audio.others);
                let data = audio.data.ok_or_else(|| missing(&field("input_audio.data")))?;
                let format = audio.format.ok_or_else(|| missing(&field("input_audio.format")))?;
                let media_type = Text::from(format!("audio/{format}"));
                (MediaKind::Audio, MediaSource::Base64 { media_type, data, file_name: None })
            }
            _ => {
                self.others.note(field("type"), true);
                return Ok((None, None));
            }
        };
        Ok((Some(Part::Media(Media { kind, source, at })), mark))
    }

    fn mark(&mut self, at: Place, path: &str, breakpoint: Breakpoint<'a>) -> CacheMark<'a> {
        let path = format!("{path}.prompt_cache_breakpoint");
        self.others.add(&path, breakpoint.others);
        if breakpoint.mode.is_some_and(|mode| &*mode != "explicit") {
            self.others.note(format!("{path}.mode"), false);
        }
        // Half an hour is what OpenAI does anyway; what is to be kept for longer is kept for as long as there is a word for.
        let ttl = breakpoint.ttl.filter(|ttl| &**ttl != "30m").map(|_| Text::from("1h"));
        CacheMark { ttl, at }
    }

    /// Adds parts to the last message where that is of the same role.
    fn append(&mut self, role: Role, index: usize, parts: Vec<Part<'a>>) {
        match self.messages.last_mut().filter(|last| last.role == role) {
            Some(last) => last.parts.extend(parts),
            None => self.messages.push(Message { role, name: None, parts, at: Place::item(index) }),
        }
    }
}

/// Reads a value whose form has become known; a failure names it by its path from the body's root.
pub(super) fn read_at<'a, T: Deserialize<'a>>(value: Raw<'a>, path: &str) -> Result<T, Failure> {
    value.read().map_err(|fault| {
        let inner = fault.path.as_deref().unwrap_or_default();
        let separator = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
        let path = Some(format!("{path}{separator}{inner}"));
        malformed(crate::json::Fault { path, ..fault })
    })
}

/// A `data:` URL with base64 (RFC 2397) is content in place; anything else is for the provider to fetch.
fn read_url(url: Text<'_>) -> MediaSource<'_> {
    let header = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')).map(|(header, _)| header);
    match header.and_then(|header| Some((header.len(), header.strip_suffix(";base64")?.to_owned()))) {
        Some((length, media_type)) => MediaSource::Base64 {
            media_type: Text::from(media_type),
            data: url.skip("data:".len() + length + ",".len()),
            file_name: None,
        },
        None => MediaSource::Url(url),
    }
}

/// A file in place is a `data:` URL, or bare base64 whose type its name tells.
fn read_file<'a>(data: Text<'a>, file_name: Option<Text<'a>>) -> MediaSource<'a> {
    if data.starts_with("data:") {
        return with_file_name(read_url(data), file_name);
    }
    let extension = file_name.as_deref().and_then(|name| Some(name.rsplit_once('.')?.1.to_ascii_lowercase()));
    let media_type = match extension.as_deref() {
        Some("pdf") => "application/pdf",
        Some("txt" | "md" | "csv" | "log") => "text/plain",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    MediaSource::Base64 { media_type: Text::from(media_type), data, file_name }
}

fn with_file_name<'a>(source: MediaSource<'a>, name: Option<Text<'a>>) -> MediaSource<'a> {
    match source {
        MediaSource::Base64 { media_type, data, .. } => {
            MediaSource::Base64 { media_type, data, file_name: name }
        }
        other => other,
    }
}
