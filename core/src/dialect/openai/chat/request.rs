//! Reads a Chat Completions request into the canonical conversation.

use crate::conversation::{
    CacheMark, CustomTool, Effort, Format, JsonSchema, Maker, Media, MediaKind, MediaSource, Message, Part,
    Place, Reasoning, Request, Role, Signature, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::dialect::malformed;
use crate::failure::Failure;
use crate::json::{self, Raw, Text, TextOr};

use super::others::Others;
use super::wire::{
    CacheBreakpoint, ChatMessage, ChatPart, ChatRequest, ChatTool, ChatToolCall, ChatToolChoice,
    ResponseFormat,
};

/// Reads a request's body; a failure names the parameter that is wrong.
pub(crate) fn decode_request(body: &[u8]) -> Result<Request<'_>, Failure> {
    let wire: ChatRequest<'_> = json::read(body).map_err(malformed)?;
    let mut others = Others::default();
    others.add("", wire.others);

    let model = wire.model.ok_or_else(|| missing("model"))?;
    if model.is_empty() {
        return Err(Failure::invalid_value("model", "has to name a model"));
    }
    let chat_messages = wire.messages.ok_or_else(|| missing("messages"))?;
    if chat_messages.is_empty() {
        return Err(Failure::invalid_value("messages", "needs at least one message"));
    }
    let messages = chat_messages
        .into_iter()
        .enumerate()
        .map(|(index, message)| read_message(index, message, &mut others))
        .collect::<Result<_, _>>()?;
    let tools = wire.tools.unwrap_or_default();
    let tools = tools
        .into_iter()
        .enumerate()
        .filter_map(|(index, tool)| read_tool(index, tool, &mut others).transpose())
        .collect::<Result<_, _>>()?;
    let tool_choice =
        wire.tool_choice.map(|choice| read_tool_choice(choice, &mut others)).transpose()?.flatten();
    let format = wire.response_format.map(|format| read_format(format, &mut others)).transpose()?;

    for (path, tokens) in
        [("max_completion_tokens", wire.max_completion_tokens), ("max_tokens", wire.max_tokens)]
    {
        if tokens == Some(0) {
            return Err(Failure::invalid_value(path, "has to be at least 1"));
        }
    }
    if wire.n == Some(0) {
        return Err(Failure::invalid_value("n", "has to be at least 1"));
    }
    if wire.max_completion_tokens.is_some() && wire.max_tokens.is_some() {
        others.note("max_tokens", false);
    }
    others.add("", wire.logit_bias.map(|value| ("logit_bias".into(), value.into())));
    others.add("", wire.metadata.map(|value| ("metadata".into(), value.into())));
    let effort = wire.reasoning_effort.as_deref().and_then(read_effort);
    if effort.is_none() && wire.reasoning_effort.is_some() {
        others.note("reasoning_effort", false);
    }
    let stop = match wire.stop {
        None => Vec::new(),
        Some(TextOr::Text(text)) => vec![text],
        Some(TextOr::Other(texts)) => texts,
    };
    let options = wire.stream_options.map(|options| {
        others.add("stream_options", options.others);
        options.include_usage.unwrap_or(false)
    });
    Ok(Request {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: wire.parallel_tool_calls,
        format: format.unwrap_or_default(),
        max_tokens: wire.max_completion_tokens.or(wire.max_tokens),
        temperature: wire.temperature,
        top_p: wire.top_p,
        top_k: None,
        presence_penalty: wire.presence_penalty,
        frequency_penalty: wire.frequency_penalty,
        seed: wire.seed.map(|seed| seed.0),
        stop,
        choices: wire.n,
        logprobs: wire.logprobs.unwrap_or(false),
        top_logprobs: wire.top_logprobs,
        effort,
        thinking: None,
        show_thinking: None,
        verbosity: wire.verbosity,
        user: wire.user,
        safety_identifier: wire.safety_identifier,
        service_tier: wire.service_tier,
        stream: wire.stream.unwrap_or(false),
        stream_usage: options.unwrap_or(false),
        others: others.into_inner(),
    })
}

fn missing(path: &str) -> Failure {
    Failure::invalid(format!("Missing required parameter: '{path}'."), Some(path.to_owned()))
        .code("missing_required_parameter")
}

fn read_message<'a>(
    index: usize,
    message: ChatMessage<'a>,
    others: &mut Others,
) -> Result<Message<'a>, Failure> {
    let path = format!("messages[{index}]");
    let at = Place::item(index);
    let role = message.role.ok_or_else(|| missing(&format!("{path}.role")))?;
    let role = match &*role {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        "function" => {
            others.note(format!("{path}.role"), true);
            return Ok(Message { role: Role::Tool, name: None, parts: Vec::new(), at });
        }
        _ => {
            let reason = "has to be one of system, developer, user, assistant, tool";
            return Err(Failure::invalid_value(format!("{path}.role"), reason));
        }
    };
    others.add(&path, message.others);
    let mut parts = Vec::new();
    if let Some(reasoning) = message.reasoning_content.filter(|text| !text.is_empty()) {
        parts.push(Part::Reasoning(Reasoning { text: reasoning, ..Reasoning::default() }));
    }
    match message.content {
        None => {}
        Some(TextOr::Text(text)) => parts.push(Part::Text(text)),
        Some(TextOr::Other(items)) => {
            for (position, item) in items.into_iter().enumerate() {
                let place = Place::part(index, position);
                parts.append(&mut read_part(place, format!("{path}.content[{position}]"), item, others)?);
            }
        }
    }
    if let Some(refusal) = message.refusal.filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(refusal));
    }
    for (position, call) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let place = Place::part(index, position);
        parts.extend(read_tool_call(place, format!("{path}.tool_calls[{position}]"), call, others)?);
    }
    if role != Role::Tool {
        return Ok(Message { role, name: message.name, parts, at });
    }
    // The name of a tool's message says nothing that the call's id doesn't.
    let call = message.tool_call_id.ok_or_else(|| missing(&format!("{path}.tool_call_id")))?;
    let result = ToolResult { call, parts, failed: false, at };
    Ok(Message { role, name: None, parts: vec![Part::ToolResult(result)], at })
}

fn read_part<'a>(
    at: Place,
    path: String,
    mut part: ChatPart<'a>,
    others: &mut Others,
) -> Result<Vec<Part<'a>>, Failure> {
    others.add(&path, std::mem::take(&mut part.others));
    let cache = part.cache.take();
    let mark = cache.map(|cache| read_mark(at, &path, cache, others));
    let said = read_said(at, &path, part, others)?;
    Ok(said.into_iter().chain(mark).collect())
}

/// How long is a word of OpenAI's own, which no other vendor has.
fn read_mark<'a>(at: Place, path: &str, cache: CacheBreakpoint<'a>, others: &mut Others) -> Part<'a> {
    let path = format!("{path}.prompt_cache_breakpoint");
    others.add(&path, cache.others);
    if cache.ttl.is_some_and(|ttl| &*ttl != "30m") {
        others.note(format!("{path}.ttl"), false);
    }
    if cache.mode.is_some_and(|mode| &*mode != "explicit") {
        others.note(format!("{path}.mode"), false);
    }
    Part::CacheMark(CacheMark { ttl: None, at })
}

fn read_said<'a>(
    at: Place,
    path: &str,
    part: ChatPart<'a>,
    others: &mut Others,
) -> Result<Option<Part<'a>>, Failure> {
    let kind = part.kind.ok_or_else(|| missing(&format!("{path}.type")))?;
    let field = |name: &str| format!("{path}.{name}");
    let (kind, source) = match &*kind {
        "text" => return Ok(Some(Part::Text(part.text.ok_or_else(|| missing(&field("text")))?))),
        "refusal" => return Ok(Some(Part::Refusal(part.refusal.ok_or_else(|| missing(&field("refusal")))?))),
        "image_url" => {
            let image = match part.image_url.ok_or_else(|| missing(&field("image_url")))? {
                TextOr::Text(url) => return Ok(Some(image_at(url, at))),
                TextOr::Other(image) => image,
            };
            others.add(&field("image_url"), image.others);
            if image.detail.is_some_and(|detail| !matches!(&*detail, "auto" | "high" | "original")) {
                others.note(field("image_url.detail"), false);
            }
            return Ok(Some(image_at(image.url.ok_or_else(|| missing(&field("image_url.url")))?, at)));
        }
        "input_audio" => {
            let audio = part.input_audio.ok_or_else(|| missing(&field("input_audio")))?;
            others.add(&field("input_audio"), audio.others);
            let data = audio.data.ok_or_else(|| missing(&field("input_audio.data")))?;
            let format = audio.format.ok_or_else(|| missing(&field("input_audio.format")))?;
            let media_type = Text::from(format!("audio/{format}"));
            (MediaKind::Audio, MediaSource::Base64 { media_type, data, file_name: None })
        }
        "file" => {
            let file = part.file.ok_or_else(|| missing(&field("file")))?;
            others.add(&field("file"), file.others);
            match (file.data, file.id) {
                (Some(data), None) => (MediaKind::File, with_file_name(read_url(data), file.name)),
                (None, Some(id)) => (MediaKind::File, MediaSource::File(id)),
                _ => return Err(Failure::invalid_value(field("file"), "needs either file_data or file_id")),
            }
        }
        _ => {
            others.note(field("type"), true);
            return Ok(None);
        }
    };
    Ok(Some(Part::Media(Media { kind, source, at })))
}

fn image_at(url: Text<'_>, at: Place) -> Part<'_> {
    Part::Media(Media { kind: MediaKind::Image, source: read_url(url), at })
}

/// A `data:` URL with base64 is content in place; anything else is for the provider to fetch.
pub(in crate::dialect::openai) fn read_url(url: Text<'_>) -> MediaSource<'_> {
    use std::borrow::Cow;
    match url.0 {
        Cow::Borrowed(text) => match split_data_url(text) {
            Some((media_type, data)) => MediaSource::Base64 {
                media_type: Text::from(media_type),
                data: Text::from(data),
                file_name: None,
            },
            None => MediaSource::Url(Text::from(text)),
        },
        Cow::Owned(text) => match split_data_url(&text) {
            Some((media_type, data)) => MediaSource::Base64 {
                media_type: Text::from(media_type.to_owned()),
                data: Text::from(data.to_owned()),
                file_name: None,
            },
            None => MediaSource::Url(Text::from(text)),
        },
    }
}

/// The media type and the base64 data of `data:<type>;base64,<data>` (RFC 2397).
fn split_data_url(url: &str) -> Option<(&str, &str)> {
    let (header, data) = url.strip_prefix("data:")?.split_once(',')?;
    Some((header.strip_suffix(";base64")?, data))
}

fn with_file_name<'a>(source: MediaSource<'a>, name: Option<Text<'a>>) -> MediaSource<'a> {
    match source {
        MediaSource::Base64 { media_type, data, .. } => {
            MediaSource::Base64 { media_type, data, file_name: name }
        }
        other => other,
    }
}

fn read_tool_call<'a>(
    at: Place,
    path: String,
    call: ChatToolCall<'a>,
    others: &mut Others,
) -> Result<Option<Part<'a>>, Failure> {
    match call.kind.as_deref() {
        None | Some("function") => {}
        Some("custom") => return read_custom_call(at, path, call, others).map(Some),
        Some(_) => {
            others.note(format!("{path}.type"), true);
            return Ok(None);
        }
    }
    others.add(&path, call.others);
    let function = call.function.ok_or_else(|| missing(&format!("{path}.function")))?;
    others.add(&format!("{path}.function"), function.others);
    let mut signature = None;
    if let Some(extra) = call.extra_content {
        others.add(&format!("{path}.extra_content"), extra.others);
        if let Some(google) = extra.google {
            others.add(&format!("{path}.extra_content.google"), google.others);
            signature = google.thought_signature.map(|text| Signature::read(text, Maker::Gemini));
        }
    }
    Ok(Some(Part::ToolCall(ToolCall {
        id: call.id.ok_or_else(|| missing(&format!("{path}.id")))?,
        name: function.name.ok_or_else(|| missing(&format!("{path}.function.name")))?,
        arguments: function.arguments.unwrap_or_default(),
        custom: false,
        signature,
        at,
    })))
}

fn read_custom_call<'a>(
    at: Place,
    path: String,
    call: ChatToolCall<'a>,
    others: &mut Others,
) -> Result<Part<'a>, Failure> {
    others.add(&path, call.others);
    let custom = call.custom.ok_or_else(|| missing(&format!("{path}.custom")))?;
    others.add(&format!("{path}.custom"), custom.others);
    Ok(Part::ToolCall(ToolCall {
        id: call.id.ok_or_else(|| missing(&format!("{path}.id")))?,
        name: custom.name.ok_or_else(|| missing(&format!("{path}.custom.name")))?,
        arguments: custom.input.unwrap_or_default(),
        custom: true,
        signature: None,
        at,
    }))
}

fn read_tool<'a>(index: usize, tool: ChatTool<'a>, others: &mut Others) -> Result<Option<Tool<'a>>, Failure> {
    let path = format!("tools[{index}]");
    let kind = tool.kind.ok_or_else(|| missing(&format!("{path}.type")))?;
    others.add(&path, tool.others);
    match &*kind {
        "function" => {}
        "custom" => {
            let custom = tool.custom.ok_or_else(|| missing(&format!("{path}.custom")))?;
            others.add(&format!("{path}.custom"), custom.others);
            return Ok(Some(Tool {
                name: custom.name.ok_or_else(|| missing(&format!("{path}.custom.name")))?,
                description: custom.description,
                custom: Some(CustomTool::of(custom.format.map(Raw::from))),
                at: Place::item(index),
                ..Tool::default()
            }));
        }
        _ => {
            others.note(format!("{path}.type"), true);
            return Ok(None);
        }
    }
    let function = tool.function.ok_or_else(|| missing(&format!("{path}.function")))?;
    others.add(&format!("{path}.function"), function.others);
    Ok(Some(Tool {
        name: function.name.ok_or_else(|| missing(&format!("{path}.function.name")))?,
        description: function.description,
        parameters: function.parameters.map(Raw::from),
        strict: function.strict,
        custom: None,
        cache: None,
        at: Place::item(index),
    }))
}

fn read_tool_choice<'a>(
    choice: TextOr<'a, ChatToolChoice<'a>>,
    others: &mut Others,
) -> Result<Option<ToolChoice<'a>>, Failure> {
    let choice = match choice {
        TextOr::Text(word) => {
            return match &*word {
                "auto" => Ok(Some(ToolChoice::Auto)),
                "none" => Ok(Some(ToolChoice::None)),
                // Mistral's clients have the other word.
                "required" | "any" => Ok(Some(ToolChoice::Required)),
                _ => {
                    Err(Failure::invalid_value("tool_choice", "has to be auto, none, required, or an object"))
                }
            };
        }
        TextOr::Other(choice) => choice,
    };
    match choice.kind.as_deref() {
        Some("function") => {
            others.add("tool_choice", choice.others);
            let function = choice.function.ok_or_else(|| missing("tool_choice.function"))?;
            others.add("tool_choice.function", function.others);
            let name = function.name.ok_or_else(|| missing("tool_choice.function.name"))?;
            Ok(Some(ToolChoice::Named(name)))
        }
        Some("custom") => {
            others.add("tool_choice", choice.others);
            let custom = choice.custom.ok_or_else(|| missing("tool_choice.custom"))?;
            others.add("tool_choice.custom", custom.others);
            let name = custom.name.ok_or_else(|| missing("tool_choice.custom.name"))?;
            Ok(Some(ToolChoice::Named(name)))
        }
        Some("allowed_tools") => {
            others.add("tool_choice", choice.others);
            let allowed = choice.allowed_tools.ok_or_else(|| missing("tool_choice.allowed_tools"))?;
            others.add("tool_choice.allowed_tools", allowed.others);
            let mut names = Vec::new();
            for (index, tool) in allowed.tools.unwrap_or_default().into_iter().enumerate() {
                match tool.function.or(tool.custom).and_then(|named| named.name) {
                    Some(name) => names.push(name),
                    None => others.note(format!("tool_choice.allowed_tools.tools[{index}]"), true),
                }
            }
            let required = allowed.mode.as_deref() == Some("required");
            Ok(Some(ToolChoice::Allowed { names, required }))
        }
        Some(_) => {
            others.note("tool_choice.type", false);
            Ok(None)
        }
        None => Err(missing("tool_choice.type")),
    }
}

fn read_format<'a>(format: ResponseFormat<'a>, others: &mut Others) -> Result<Format<'a>, Failure> {
    others.add("response_format", format.others);
    match format.kind.as_deref() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => {
            let schema = format.json_schema.ok_or_else(|| missing("response_format.json_schema"))?;
            others.add("response_format.json_schema", schema.others);
            Ok(Format::Schema(JsonSchema {
                name: schema.name.ok_or_else(|| missing("response_format.json_schema.name"))?,
                description: schema.description,
                schema: schema.schema,
                strict: schema.strict,
            }))
        }
        Some(_) => {
            others.note("response_format.type", false);
            Ok(Format::Text)
        }
        None => Err(missing("response_format.type")),
    }
}

fn read_effort(word: &str) -> Option<Effort> {
    Some(match word {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}
