//! Reads a Messages request into the canonical conversation.

use crate::conversation::{
    CacheMark, Effort, Format, JsonSchema, Maker, Media, MediaKind, MediaSource, Message, Part, Place,
    Reasoning, Request, Role, Signature, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::dialect::anthropic::answer::compact;
use crate::dialect::malformed;
use crate::dialect::malformed::missing;
use crate::failure::Failure;
use crate::json::{self, Raw, Text, TextOr};

use super::name::{in_request, in_system, in_tool, inside, path};
use super::others::Others;
use super::wire::{
    Block, CacheControl, Content, MessagesRequest, OutputConfig, OutputFormat, Source, WireMessage,
    WireThinking, WireTool, WireToolChoice,
};

/// What the form of an answer is called where a dialect demands a name: this one has none.
const FORMAT_NAME: &str = "output";

/// Reads the body of a request for an answer, or for the number of tokens; a failure names the parameter that is wrong.
pub(crate) fn decode_request(body: &[u8]) -> Result<Request<'_>, Failure> {
    let wire: MessagesRequest<'_> = json::read(body).map_err(malformed)?;
    let mut others = Others::default();
    others.add("", wire.others);

    let model = wire.model.ok_or_else(|| missing("model"))?;
    if model.is_empty() {
        return Err(Failure::invalid_value("model", "has to name a model"));
    }
    let turns = wire.messages.ok_or_else(|| missing("messages"))?;
    if turns.is_empty() {
        return Err(Failure::invalid_value("messages", "needs at least one message"));
    }
    let mut messages = Vec::with_capacity(turns.len() + 1);
    messages.extend(wire.system.map(|system| read_system(system, &mut others)).transpose()?.flatten());
    for (index, turn) in turns.into_iter().enumerate() {
        read_message(index, turn, &mut messages, &mut others)?;
    }
    if let Some(control) = wire.cache_control {
        // It marks the last block of all.
        let mark = read_mark(control, in_request(), "cache_control", &mut others);
        if let Some(last) = messages.last_mut() {
            last.parts.extend(mark.map(Part::CacheMark));
        }
    }
    let tools = wire.tools.unwrap_or_default().into_iter().enumerate();
    let tools = tools.filter_map(|(index, tool)| read_tool(index, tool, &mut others).transpose());
    let tools = tools.collect::<Result<_, _>>()?;
    let (tool_choice, parallel_tool_calls) =
        wire.tool_choice.map(|choice| read_tool_choice(choice, &mut others)).transpose()?.unwrap_or_default();
    let (thinking, show_thinking) =
        wire.thinking.map(|thinking| read_thinking(thinking, &mut others)).transpose()?.unwrap_or_default();
    let (effort, format) = read_output(wire.output_config, wire.output_format, &mut others)?;
    if wire.max_tokens == Some(0) {
        // It warms the cache and wants no answer: whoever answers all the same does something else.
        others.note("max_tokens", true);
    }
    let safety_identifier = wire.metadata.and_then(|metadata| {
        others.add("metadata", metadata.others);
        metadata.user_id
    });
    Ok(Request {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        format: format.unwrap_or_default(),
        max_tokens: wire.max_tokens.filter(|tokens| *tokens != 0),
        temperature: wire.temperature,
        top_p: wire.top_p,
        top_k: wire.top_k,
        stop: wire.stop_sequences.unwrap_or_default(),
        effort,
        thinking,
        show_thinking,
        safety_identifier,
        service_tier: wire.service_tier.map(read_service_tier),
        stream: wire.stream.unwrap_or(false),
        // Its streams always tell the usage.
        stream_usage: true,
        others: others.into_inner(),
        ..Request::default()
    })
}

fn read_system<'a>(system: Content<'a>, others: &mut Others) -> Result<Option<Message<'a>>, Failure> {
    let mut parts = Vec::new();
    match system {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) => parts.push(Part::Text(text)),
        Content::Blocks(blocks) => {
            for (position, block) in blocks.into_iter().enumerate() {
                read_block(in_system(position), block, &mut parts, others)?;
            }
        }
        Content::Object => return Err(no_content("system")),
    }
    let message = Message { role: Role::System, name: None, parts, at: in_system(0) };
    Ok((!message.parts.is_empty()).then_some(message))
}

/// Reads a message. One of the user's becomes several where results stand in it, as these have messages of their own.
fn read_message<'a>(
    index: usize,
    message: WireMessage<'a>,
    messages: &mut Vec<Message<'a>>,
    others: &mut Others,
) -> Result<(), Failure> {
    let here = format!("messages[{index}]");
    let role = message.role.ok_or_else(|| missing(&format!("{here}.role")))?;
    let role = match &*role {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => {
            let reason = "has to be one of user, assistant, system";
            return Err(Failure::invalid_value(format!("{here}.role"), reason));
        }
    };
    others.add(&here, message.others);
    let mut parts = Vec::new();
    match message.content.ok_or_else(|| missing(&format!("{here}.content")))? {
        Content::Text(text) => parts.push(Part::Text(text)),
        Content::Blocks(blocks) => {
            for (position, block) in blocks.into_iter().enumerate() {
                read_block(Place::part(index, position), block, &mut parts, others)?;
            }
        }
        Content::Object => return Err(no_content(&format!("{here}.content"))),
    }
    let at = Place::item(index);
    let first = messages.len();
    for part in parts {
        let role = match (&part, messages.get(first..).and_then(<[Message<'a>]>::last)) {
            (Part::ToolResult(_), _) => Role::Tool,
            (Part::CacheMark(_), Some(last)) => last.role,
            _ => role,
        };
        match messages.get_mut(first..).and_then(<[Message<'a>]>::last_mut) {
            Some(last) if last.role == role => last.parts.push(part),
            _ => messages.push(Message { role, name: None, parts: vec![part], at }),
        }
    }
    if messages.len() == first {
        messages.push(Message { role, name: None, parts: Vec::new(), at });
    }
    Ok(())
}

fn no_content(path: &str) -> Failure {
    Failure::invalid(
        format!("Invalid type for '{path}': expected a string, or an array of blocks."),
        Some(path.to_owned()),
    )
    .code("invalid_type")
}

/// Reads a block, and the mark that it may have.
fn read_block<'a>(
    at: Place,
    block: Block<'a>,
    parts: &mut Vec<Part<'a>>,
    others: &mut Others,
) -> Result<(), Failure> {
    let here = path(at);
    let field = |name: &str| format!("{here}.{name}");
    let kind = block.kind.ok_or_else(|| missing(&field("type")))?;
    let part = match &*kind {
        "text" => Part::Text(block.text.ok_or_else(|| missing(&field("text")))?),
        "thinking" => {
            let signature = block.signature.filter(|signature| !signature.is_empty());
            Part::Reasoning(Reasoning {
                text: block.thinking.ok_or_else(|| missing(&field("thinking")))?,
                signature: signature.map(|signature| Signature::read(signature, Maker::Anthropic)),
                ..Reasoning::default()
            })
        }
        "redacted_thinking" => {
            let data = block.data.ok_or_else(|| missing(&field("data")))?;
            let hidden = Some(Signature::read(data, Maker::Anthropic));
            Part::Reasoning(Reasoning { hidden, ..Reasoning::default() })
        }
        "image" | "document" => {
            let kind = if &*kind == "image" { MediaKind::Image } else { MediaKind::File };
            let source = match block.source.ok_or_else(|| missing(&field("source")))? {
                TextOr::Other(source) => source,
                TextOr::Text(_) => {
                    return Err(Failure::invalid_value(field("source"), "has to be an object"));
                }
            };
            match read_source(source, block.title, &here, others)? {
                Some(source) => Part::Media(Media { kind, source, at }),
                None => {
                    note_mark(block.cache_control.is_some(), &here, others);
                    return Ok(());
                }
            }
        }
        "tool_use" => Part::ToolCall(ToolCall {
            id: block.id.ok_or_else(|| missing(&field("id")))?,
            name: block.name.ok_or_else(|| missing(&field("name")))?,
            arguments: block.input.map_or(Text::from("{}"), compact),
            custom: false,
            signature: take_signature(parts),
            at,
        }),
        "tool_result" => Part::ToolResult(ToolResult {
            call: block.tool_use_id.ok_or_else(|| missing(&field("tool_use_id")))?,
            parts: read_result(at, block.content, others)?,
            failed: block.is_error.unwrap_or(false),
            at,
        }),
        // What the vendor's own tools and servers have done, and what is to come.
        _ => {
            let is_marked =
                block.cache_control.is_some() || block.content.is_some_and(|content| content.is_marked());
            note_mark(is_marked, &here, others);
            others.note(here, true);
            return Ok(());
        }
    };
    parts.push(part);
    others.add(&here, block.others);
    if let Some(control) = block.cache_control {
        parts.extend(read_mark(control, at, &field("cache_control"), others).map(Part::CacheMark));
    }
    Ok(())
}

/// The signature of a tool call: our own answers put another maker's before the call, as thinking without a text.
fn take_signature<'a>(parts: &mut Vec<Part<'a>>) -> Option<Signature<'a>> {
    let is_of_call = |part: &mut Part<'a>| {
        matches!(part, Part::Reasoning(Reasoning { text, signature: Some(signature), .. })
            if text.is_empty() && signature.maker != Maker::Anthropic)
    };
    match parts.pop_if(is_of_call)? {
        Part::Reasoning(reasoning) => reasoning.signature,
        _ => None,
    }
}

fn read_result<'a>(
    at: Place,
    content: Option<Content<'a>>,
    others: &mut Others,
) -> Result<Vec<Part<'a>>, Failure> {
    let mut parts = Vec::new();
    match content {
        None => {}
        Some(Content::Text(text)) => parts.push(Part::Text(text)),
        Some(Content::Blocks(blocks)) => {
            for (position, block) in blocks.into_iter().enumerate() {
                let inner = inside(at, position);
                match block.kind.as_deref() {
                    Some("text" | "image" | "document") | None => {
                        read_block(inner, block, &mut parts, others)?
                    }
                    // A result has texts and media, whatever else a block may be elsewhere.
                    Some(_) => {
                        note_mark(block.is_marked(), &path(inner), others);
                        others.note(path(inner), true);
                    }
                }
            }
        }
        Some(Content::Object) => return Err(no_content(&format!("{}.content", path(at)))),
    }
    Ok(parts)
}

fn read_source<'a>(
    source: Source<'a>,
    title: Option<Text<'a>>,
    block: &str,
    others: &mut Others,
) -> Result<Option<MediaSource<'a>>, Failure> {
    let field = |name: &str| format!("{block}.source.{name}");
    let kind = source.kind.ok_or_else(|| missing(&field("type")))?;
    others.add(&format!("{block}.source"), source.others);
    let data = |data: Option<Text<'a>>| data.ok_or_else(|| missing(&field("data")));
    let title = title.filter(|title| !title.is_empty());
    let has_title = title.is_some();
    let source = match &*kind {
        "base64" => {
            let media_type = source.media_type.ok_or_else(|| missing(&field("media_type")))?;
            return Ok(Some(MediaSource::Base64 { media_type, data: data(source.data)?, file_name: title }));
        }
        "text" => return Ok(Some(MediaSource::Text { text: data(source.data)?, file_name: title })),
        "content" => match source.content {
            Some(Content::Text(text)) => return Ok(Some(MediaSource::Text { text, file_name: title })),
            content => {
                let is_marked = content.is_some_and(|content| content.is_marked());
                note_mark(is_marked, &field("content"), others);
                others.note(field("content"), true);
                return Ok(None);
            }
        },
        "url" => MediaSource::Url(source.url.ok_or_else(|| missing(&field("url")))?),
        "file" => MediaSource::File(source.file_id.ok_or_else(|| missing(&field("file_id")))?),
        _ => {
            others.note(field("type"), true);
            return Ok(None);
        }
    };
    if has_title {
        others.note(format!("{block}.title"), false);
    }
    Ok(Some(source))
}

fn read_mark<'a>(
    control: CacheControl<'a>,
    at: Place,
    path: &str,
    others: &mut Others,
) -> Option<CacheMark<'a>> {
    others.add(path, control.others);
    if control.kind.is_some_and(|kind| &*kind != "ephemeral") {
        others.note(format!("{path}.type"), false);
        return None;
    }
    Some(CacheMark { ttl: control.ttl, at })
}

/// Notes that what is not read has a mark: whoever understands it heeds that too.
fn note_mark(is_marked: bool, path: &str, others: &mut Others) {
    if is_marked {
        others.note(format!("{path}.cache_control"), false);
    }
}

fn read_tool<'a>(index: usize, tool: WireTool<'a>, others: &mut Others) -> Result<Option<Tool<'a>>, Failure> {
    let here = format!("tools[{index}]");
    if tool.kind.is_some_and(|kind| &*kind != "custom") {
        // The vendor knows what it takes, and may run it itself.
        others.note(format!("{here}.type"), true);
        note_mark(tool.cache_control.is_some(), &here, others);
        return Ok(None);
    }
    others.add(&here, tool.others);
    let control = tool.cache_control;
    let cache = control
        .and_then(|control| read_mark(control, in_tool(index), &format!("{here}.cache_control"), others));
    Ok(Some(Tool {
        name: tool.name.ok_or_else(|| missing(&format!("{here}.name")))?,
        description: tool.description,
        parameters: tool.input_schema.map(Raw::from),
        strict: tool.strict,
        custom: None,
        cache,
        at: Place::item(index),
    }))
}

/// Which tools may be called, and whether several at once.
fn read_tool_choice<'a>(
    choice: WireToolChoice<'a>,
    others: &mut Others,
) -> Result<(Option<ToolChoice<'a>>, Option<bool>), Failure> {
    others.add("tool_choice", choice.others);
    let parallel = choice.disable_parallel.filter(|disable| *disable).map(|_| false);
    let kind = choice.kind.ok_or_else(|| missing("tool_choice.type"))?;
    let read = match &*kind {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.name.ok_or_else(|| missing("tool_choice.name"))?),
        _ => {
            others.note("tool_choice.type", false);
            return Ok((None, parallel));
        }
    };
    Ok((Some(read), parallel))
}

/// How to think, and whether the client wants to read it.
fn read_thinking(
    thinking: WireThinking<'_>,
    others: &mut Others,
) -> Result<(Option<Thinking>, Option<bool>), Failure> {
    others.add("thinking", thinking.others);
    let shown = match thinking.display.as_deref() {
        None => None,
        Some("summarized") => Some(true),
        Some("omitted") => Some(false),
        Some(_) => {
            others.note("thinking.display", false);
            None
        }
    };
    let kind = thinking.kind.ok_or_else(|| missing("thinking.type"))?;
    let read = match &*kind {
        "enabled" => {
            Thinking::Budget(thinking.budget_tokens.ok_or_else(|| missing("thinking.budget_tokens"))?)
        }
        "adaptive" => Thinking::Adaptive,
        // Between tools is the least that the models which have it can do.
        "disabled" | "between_tools" => Thinking::Off,
        _ => {
            others.note("thinking.type", false);
            return Ok((None, shown));
        }
    };
    Ok((Some(read), shown))
}

fn read_output<'a>(
    config: Option<OutputConfig<'a>>,
    older: Option<OutputFormat<'a>>,
    others: &mut Others,
) -> Result<(Option<Effort>, Option<Format<'a>>), Failure> {
    let (mut effort, mut format) = (None, None);
    if let Some(config) = config {
        others.add("output_config", config.others);
        if let Some(word) = config.effort {
            effort = read_effort(&word);
            if effort.is_none() {
                others.note("output_config.effort", false);
            }
        }
        format = config.format.map(|format| ("output_config.format", format));
    }
    let (path, format) = match format.or(older.map(|format| ("output_format", format))) {
        Some(format) => format,
        None => return Ok((effort, None)),
    };
    others.add(path, format.others);
    match format.kind.as_deref() {
        Some("json_schema") => {
            let schema = format.schema.ok_or_else(|| missing(&format!("{path}.schema")))?;
            let schema = JsonSchema {
                name: Text::from(FORMAT_NAME),
                description: None,
                schema: Some(schema.into()),
                // Anthropic holds every answer to its schema.
                strict: Some(true),
            };
            Ok((effort, Some(Format::Schema(schema))))
        }
        Some(_) => {
            others.note(format!("{path}.type"), false);
            Ok((effort, None))
        }
        None => Err(missing(&format!("{path}.type"))),
    }
}

fn read_effort(word: &str) -> Option<Effort> {
    Some(match word {
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

/// OpenAI's word for how urgent a request is.
fn read_service_tier(tier: Text<'_>) -> Text<'_> {
    match &*tier {
        "standard_only" => Text::from("default"),
        _ => tier,
    }
}
