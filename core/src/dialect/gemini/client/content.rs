//! Reads the contents of a request: turns of user and model, their parts, calls and results.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::conversation::{
    Media, MediaKind, MediaSource, Message, Part, Place, Reasoning, Role, Signature, ToolCall, ToolResult,
};
use crate::dialect::malformed::missing;
use crate::failure::Failure;
use crate::json::{Raw, RawObject, Text};

use super::super::message::{GOOGLE_FILES, media_type};
use super::name::{self, SYSTEM};
use super::others::Others;
use super::signature::{self, Found};
use super::wire::{self, Blob, Content, FileData, FunctionCall, FunctionResponse, Output};

/// Reads contents one after the other.
pub(super) struct Contents<'o, 'a> {
    others: &'o mut Others,
    /// The calls so far, for results that name their call by its function only.
    calls: Vec<Pending<'a>>,
}

/// A call in the history.
struct Pending<'a> {
    id: Text<'a>,
    name: Text<'a>,
    is_answered: bool,
}

/// Who a piece of a content is from: a content of the user's may hold results of functions and words of his own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    User,
    Model,
    Function,
}

impl<'o, 'a> Contents<'o, 'a> {
    pub(super) fn new(others: &'o mut Others) -> Self {
        Self { others, calls: Vec::new() }
    }

    /// The parts of the instructions.
    pub(super) fn system(&mut self, content: Content<'a>) -> Result<Vec<Part<'a>>, Failure> {
        self.others.add("systemInstruction", content.others);
        let mut parts = Vec::new();
        for (position, part) in content.parts.unwrap_or_default().into_iter().enumerate() {
            self.part(Place::part(SYSTEM as usize, position), part, From::User, &mut |_, part| {
                parts.push(part)
            })?;
        }
        Ok(parts)
    }

    /// Reads a content; it becomes one message or several.
    pub(super) fn content(
        &mut self,
        index: usize,
        content: Content<'a>,
        messages: &mut Vec<Message<'a>>,
    ) -> Result<(), Failure> {
        let path = format!("contents[{index}]");
        self.others.add(&path, content.others);
        let from = match content.role.as_deref().unwrap_or_default() {
            "" | "user" => From::User,
            "model" => From::Model,
            // As the first SDKs had it.
            "function" => From::User,
            _ => {
                return Err(Failure::invalid_value(format!("{path}.role"), "has to be user or model"));
            }
        };
        let mut said: Vec<(From, Vec<Part<'a>>)> = Vec::new();
        for (position, part) in content.parts.unwrap_or_default().into_iter().enumerate() {
            self.part(Place::part(index, position), part, from, &mut |from, part| match said.last_mut() {
                Some((last, parts)) if *last == from => parts.push(part),
                _ => said.push((from, vec![part])),
            })?;
        }
        if said.is_empty() {
            said.push((from, Vec::new()));
        }
        for (from, parts) in said {
            let role = match from {
                From::User => Role::User,
                From::Model => Role::Assistant,
                From::Function => Role::Tool,
            };
            messages.push(Message {
                role,
                name: None,
                parts: joined_thoughts(parts),
                at: Place::item(index),
            });
        }
        Ok(())
    }

    fn part(
        &mut self,
        at: Place,
        part: wire::Part<'a>,
        from: From,
        push: &mut dyn FnMut(From, Part<'a>),
    ) -> Result<(), Failure> {
        let path = name::part(at);
        self.others.add(&path, part.others);
        let found = part.signature.map(signature::read).unwrap_or_default();
        if let Some(call) = part.call {
            let call = self.call(at, &path, call, found.signature)?;
            push(from, Part::ToolCall(call));
            return Ok(());
        }
        if let Some(result) = part.result {
            let result = self.result(at, &path, result)?;
            push(From::Function, Part::ToolResult(result));
            return Ok(());
        }
        if let Some(blob) = part.inline_data {
            push(from, Part::Media(self.blob(at, &format!("{path}.inlineData"), blob)?));
        }
        if let Some(file) = part.file_data {
            push(from, Part::Media(self.file(at, &format!("{path}.fileData"), file)?));
        }
        let Found { signature, hidden, id } = found;
        let is_signed = signature.is_some() || hidden.is_some();
        match part.text {
            Some(text) if part.thought == Some(true) => {
                push(from, Part::Reasoning(Reasoning { text, signature, hidden, id }));
                return Ok(());
            }
            Some(text) if !(text.is_empty() && is_signed) => push(from, Part::Text(text)),
            _ => {}
        }
        if is_signed {
            push(from, Part::Reasoning(Reasoning { text: Text::default(), signature, hidden, id }));
        }
        Ok(())
    }

    fn call(
        &mut self,
        at: Place,
        path: &str,
        call: FunctionCall<'a>,
        signature: Option<Signature<'a>>,
    ) -> Result<ToolCall<'a>, Failure> {
        let path = format!("{path}.functionCall");
        self.others.add(&path, call.others);
        let name = call.name.ok_or_else(|| missing(&format!("{path}.name")))?;
        // One without an id gets one by its place, which is the same whenever the history is sent.
        let id = call.id.filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| format!("call_{}_{}", at.item, at.part).into());
        self.calls.push(Pending { id: id.clone(), name: name.clone(), is_answered: false });
        let arguments = call.args.map_or("{}", |args| Raw::from(args).get());
        Ok(ToolCall { id, name, arguments: arguments.into(), custom: false, signature, at })
    }

    fn result(
        &mut self,
        at: Place,
        path: &str,
        result: FunctionResponse<'a>,
    ) -> Result<ToolResult<'a>, Failure> {
        let path = format!("{path}.functionResponse");
        self.others.add(&path, result.others);
        let id = result.id.filter(|id| !id.is_empty());
        let name = result.name.unwrap_or_default();
        let by_id = id.as_ref().and_then(|id| self.calls.iter().position(|call| call.id == *id));
        let by_name = || self.calls.iter().position(|call| !call.is_answered && call.name == name);
        let call = by_id.or_else(by_name).and_then(|position| self.calls.get_mut(position));
        let call = match call {
            Some(call) => {
                call.is_answered = true;
                call.id.clone()
            }
            None => id.unwrap_or(name),
        };
        let (output, failed) =
            result.response.map(|response| self.output(&path, response)).unwrap_or_default();
        let mut parts: Vec<_> = output.map(Part::Text).into_iter().collect();
        for (position, part) in result.parts.unwrap_or_default().into_iter().enumerate() {
            let path = format!("{path}.parts[{position}]");
            self.others.add(&path, part.others);
            if let Some(blob) = part.inline_data {
                parts.push(Part::Media(self.blob(at, &format!("{path}.inlineData"), blob)?));
            }
            if let Some(file) = part.file_data {
                parts.push(Part::Media(self.file(at, &format!("{path}.fileData"), file)?));
            }
        }
        Ok(ToolResult { call, parts, failed, at })
    }

    /// What a function gave, and whether it failed: Gemini reads `output` and `error`, and an object without either as
    /// the output itself.
    fn output(&mut self, path: &str, response: RawObject<'a>) -> (Option<Text<'a>>, bool) {
        let whole = Raw::from(response);
        let text = |value: Raw<'a>| Some(value.read::<Text<'a>>().unwrap_or_else(|_| value.get().into()));
        match whole.read::<Output<'a>>() {
            Ok(Output { output: Some(output), error: None, others }) if others.is_empty() => {
                (text(output), false)
            }
            Ok(Output { output: None, error: Some(error), others }) if others.is_empty() => {
                (text(error), true)
            }
            Ok(Output { output: None, error: None, others }) if others.is_empty() => (None, false),
            Ok(_) => (Some(whole.get().into()), false),
            // A field twice: nobody can say what it is.
            Err(_) => {
                self.others.note(format!("{path}.response"), true);
                (None, false)
            }
        }
    }

    fn blob(&mut self, at: Place, path: &str, blob: Blob<'a>) -> Result<Media<'a>, Failure> {
        self.others.add(path, blob.others);
        let media_type = blob.media_type.ok_or_else(|| missing(&format!("{path}.mimeType")))?;
        let data = standard(blob.data.ok_or_else(|| missing(&format!("{path}.data")))?);
        let kind = MediaKind::of(&media_type);
        Ok(Media { kind, source: MediaSource::Base64 { media_type, data, file_name: blob.name }, at })
    }

    fn file(&mut self, at: Place, path: &str, file: FileData<'a>) -> Result<Media<'a>, Failure> {
        self.others.add(path, file.others);
        let uri = file.uri.ok_or_else(|| missing(&format!("{path}.fileUri")))?;
        let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
        let kind = match file.media_type.as_deref().or_else(|| media_type(rest)) {
            Some(media_type) => MediaKind::of(media_type),
            // The only pages that Gemini watches.
            None if rest.contains("youtube.com/") || rest.starts_with("youtu.be/") => MediaKind::Video,
            None => MediaKind::File,
        };
        let source = match uri.starts_with(GOOGLE_FILES) {
            true => MediaSource::File(uri),
            false => MediaSource::Url(uri),
        };
        Ok(Media { kind, source, at })
    }
}

/// A stream's thoughts come in pieces, and their signature, where it is another vendor's, behind them: together they are one.
fn joined_thoughts(parts: Vec<Part<'_>>) -> Vec<Part<'_>> {
    let mut joined: Vec<Part<'_>> = Vec::with_capacity(parts.len());
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Part::Reasoning(open)), Part::Reasoning(more))
                if open.signature.is_none()
                    && open.hidden.is_none()
                    && !open.text.is_empty()
                    && more.hidden.is_none() =>
            {
                if !more.text.is_empty() {
                    let mut text = std::mem::take(&mut open.text).into_owned();
                    text.push_str(&more.text);
                    open.text = text.into();
                }
                open.signature = more.signature;
                open.id = more.id;
            }
            (_, part) => joined.push(part),
        }
    }
    joined
}

/// Base64 in the standard alphabet with its padding, as other vendors want it; the Python SDK writes the URL-safe one.
fn standard(data: Text<'_>) -> Text<'_> {
    let is_padded = data.len().is_multiple_of(4);
    if is_padded && !data.bytes().any(|byte| matches!(byte, b'-' | b'_')) {
        return data;
    }
    let mut text = data.replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    // What is no base64 in either alphabet is the vendor's to refuse.
    match STANDARD.decode(&text) {
        Ok(_) => text.into(),
        Err(_) => data,
    }
}
