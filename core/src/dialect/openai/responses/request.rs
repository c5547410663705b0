//! Reads a Responses request into the canonical conversation.

use crate::conversation::{
    CustomTool, Effort, Format, JsonSchema, Message, Place, Request, Role, Tool, ToolChoice,
};
use crate::dialect::malformed::{malformed, missing};
use crate::failure::Failure;
use crate::json::{self, Raw, RawObject, Text, TextOr};

use super::items::{Items, read_at};
use super::name::{INSTRUCTIONS, TEXT_INPUT};
use super::others::Others;
use super::wire::{ReasoningConfig, ResponsesRequest, TextConfig, TextFormat, WireTool, WireToolChoice};

/// Reads a request's body; a failure names the parameter that is wrong.
pub(crate) fn decode_request(body: &[u8]) -> Result<Request<'_>, Failure> {
    let wire: ResponsesRequest<'_> = json::read(body).map_err(malformed)?;
    let mut others = Others::default();
    others.add("", wire.others);

    let model = wire.model.ok_or_else(|| missing("model"))?;
    if model.is_empty() {
        return Err(Failure::invalid_value("model", "has to name a model"));
    }
    if wire.max_output_tokens == Some(0) {
        return Err(Failure::invalid_value("max_output_tokens", "has to be at least 1"));
    }
    let messages = read_messages(wire.instructions, wire.input, &mut others)?;
    let tools = wire.tools.unwrap_or_default();
    let tools = tools
        .into_iter()
        .enumerate()
        .filter_map(|(index, tool)| read_tool(index, tool, &mut others).transpose())
        .collect::<Result<_, _>>()?;
    let tool_choice =
        wire.tool_choice.map(|choice| read_tool_choice(choice, &mut others)).transpose()?.flatten();
    let (format, verbosity) =
        wire.text.map(|text| read_text(text, &mut others)).transpose()?.unwrap_or_default();
    let (effort, show_thinking) =
        wire.reasoning.map(|reasoning| read_reasoning(reasoning, &mut others)).unwrap_or_default();
    let top_logprobs = wire.top_logprobs.filter(|count| *count > 0);
    let logprobs = read_include(wire.include.unwrap_or_default(), &mut others) || top_logprobs.is_some();
    if let Some(options) = wire.stream_options {
        others.add("stream_options", options.others);
    }
    Ok(Request {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: wire.parallel_tool_calls,
        format,
        max_tokens: wire.max_output_tokens,
        temperature: wire.temperature,
        top_p: wire.top_p,
        logprobs,
        top_logprobs,
        effort,
        show_thinking,
        verbosity,
        user: wire.user,
        safety_identifier: wire.safety_identifier,
        service_tier: wire.service_tier,
        stream: wire.stream.unwrap_or(false),
        // The usage stands in the last event, whether the client asks or not.
        stream_usage: true,
        others: others.into_inner(),
        ..Request::default()
    })
}

/// Whether nobody misses a field that another vendor has nothing for: it is no more than advice to OpenAI's own cache, or
/// a label of the client's own.
pub(crate) fn is_advice(path: &str) -> bool {
    path == "client_metadata"
        || ["prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"].iter().any(|field| {
            path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
}

fn read_messages<'a>(
    instructions: Option<Text<'a>>,
    input: Option<TextOr<'a, Vec<super::wire::InputItem<'a>>>>,
    others: &mut Others,
) -> Result<Vec<Message<'a>>, Failure> {
    let mut items = Items::new(others);
    if let Some(instructions) = instructions.filter(|text| !text.is_empty()) {
        items.text(Role::System, instructions, INSTRUCTIONS);
    }
    let given = input.is_some();
    match input {
        Some(TextOr::Text(text)) => items.text(Role::User, text, TEXT_INPUT),
        Some(TextOr::Other(list)) => {
            for (index, item) in list.into_iter().enumerate() {
                items.read(index, item)?;
            }
        }
        None => {}
    }
    let messages = items.into_messages();
    match messages.is_empty() {
        false => Ok(messages),
        // What is to be answered stands in the vendor's own store, or is of items that only the vendor can read: only a
        // provider of this dialect can get the request.
        true if others.has_content() => {
            Ok(vec![Message { role: Role::User, name: None, parts: Vec::new(), at: Place::item(0) }])
        }
        true if given => Err(Failure::invalid_value("input", "needs at least one item")),
        true => Err(missing("input")),
    }
}

fn read_tool<'a>(index: usize, tool: WireTool<'a>, others: &mut Others) -> Result<Option<Tool<'a>>, Failure> {
    let path = format!("tools[{index}]");
    let field = |name: &str| format!("{path}.{name}");
    let kind = tool.kind.ok_or_else(|| missing(&field("type")))?;
    let at = Place::item(index);
    match &*kind {
        "function" => {
            others
                .add(&path, tool.others.into_iter().chain(tool.format.map(|value| ("format".into(), value))));
            let parameters: Option<RawObject<'a>> =
                tool.parameters.map(|value| read_at(value, &field("parameters"))).transpose()?;
            Ok(Some(Tool {
                name: tool.name.ok_or_else(|| missing(&field("name")))?,
                description: tool.description,
                parameters: parameters.map(Raw::from),
                strict: tool.strict,
                custom: None,
                cache: None,
                at,
            }))
        }
        "custom" => {
            let more = tool.parameters.map(|value| ("parameters".into(), value));
            others.add(&path, tool.others.into_iter().chain(more));
            Ok(Some(Tool {
                name: tool.name.ok_or_else(|| missing(&field("name")))?,
                description: tool.description,
                custom: Some(CustomTool::of(tool.format)),
                at,
                ..Tool::default()
            }))
        }
        // Tools that OpenAI runs itself.
        _ => {
            others.note(field("type"), true);
            Ok(None)
        }
    }
}

fn read_tool_choice<'a>(
    choice: TextOr<'a, WireToolChoice<'a>>,
    others: &mut Others,
) -> Result<Option<ToolChoice<'a>>, Failure> {
    let choice = match choice {
        TextOr::Text(word) => {
            return match &*word {
                "auto" => Ok(Some(ToolChoice::Auto)),
                "none" => Ok(Some(ToolChoice::None)),
                "required" => Ok(Some(ToolChoice::Required)),
                _ => {
                    Err(Failure::invalid_value("tool_choice", "has to be auto, none, required, or an object"))
                }
            };
        }
        TextOr::Other(choice) => choice,
    };
    match choice.kind.as_deref() {
        Some("function" | "custom") => {
            others.add("tool_choice", choice.others);
            Ok(Some(ToolChoice::Named(choice.name.ok_or_else(|| missing("tool_choice.name"))?)))
        }
        Some("allowed_tools") => {
            others.add("tool_choice", choice.others);
            let mut names = Vec::new();
            for (index, tool) in choice.tools.unwrap_or_default().into_iter().enumerate() {
                let path = format!("tool_choice.tools[{index}]");
                others.add(&path, tool.others);
                match (tool.kind.as_deref(), tool.name) {
                    (Some("function" | "custom"), Some(name)) => names.push(name),
                    _ => others.note(format!("{path}.type"), true),
                }
            }
            let required = choice.mode.as_deref() == Some("required");
            Ok(Some(ToolChoice::Allowed { names, required }))
        }
        Some(_) => {
            others.note("tool_choice.type", false);
            Ok(None)
        }
        None => Err(missing("tool_choice.type")),
    }
}

fn read_text<'a>(
    text: TextConfig<'a>,
    others: &mut Others,
) -> Result<(Format<'a>, Option<Text<'a>>), Failure> {
    others.add("text", text.others);
    let format = text.format.map(|format| read_format(format, others)).transpose()?.unwrap_or_default();
    Ok((format, text.verbosity.filter(|word| &**word != "medium")))
}

fn read_format<'a>(format: TextFormat<'a>, others: &mut Others) -> Result<Format<'a>, Failure> {
    others.add("text.format", format.others);
    match format.kind.as_deref() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => Ok(Format::Schema(JsonSchema {
            name: format.name.ok_or_else(|| missing("text.format.name"))?,
            description: format.description,
            schema: format.schema,
            strict: format.strict,
        })),
        Some(_) => {
            others.note("text.format.type", false);
            Ok(Format::Text)
        }
        None => Err(missing("text.format.type")),
    }
}

fn read_reasoning(reasoning: ReasoningConfig<'_>, others: &mut Others) -> (Option<Effort>, Option<bool>) {
    others.add("reasoning", reasoning.others);
    let effort = reasoning.effort.as_deref().and_then(read_effort);
    if effort.is_none() && reasoning.effort.is_some() {
        others.note("reasoning.effort", false);
    }
    let summary = reasoning.summary.or(reasoning.generate_summary);
    let shown = match summary.as_deref() {
        None => None,
        Some("none") => Some(false),
        Some(_) => Some(true),
    };
    (effort, shown)
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

/// Reads what the answer is to hold besides; returns whether these are the chances of its tokens.
fn read_include(include: Vec<Text<'_>>, others: &mut Others) -> bool {
    let mut logprobs = false;
    for (index, word) in include.iter().enumerate() {
        match &**word {
            "message.output_text.logprobs" => logprobs = true,
            // It is there whenever the vendor has any.
            "reasoning.encrypted_content" => {}
            // Details of the calls of built-in tools, of which there are none, and of the request's own images.
            "file_search_call.results"
            | "web_search_call.results"
            | "web_search_call.action.sources"
            | "code_interpreter_call.outputs"
            | "computer_call_output.output.image_url"
            | "message.input_image.image_url" => {}
            _ => others.note(format!("include[{index}]"), false),
        }
    }
    logprobs
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
