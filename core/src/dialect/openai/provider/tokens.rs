//! The counting of a conversation's tokens, by the Responses API: `POST /v1/responses/input_tokens`.
//!
//! From the types of `openai` 3.52.0 (`responses/input_token_count_params.py`, `response_input_param.py`).

use std::borrow::Cow;

use serde::Serialize;

use super::is_openai;
use super::messages::{Url, custom_arguments, named};
use super::request::family;
use crate::conversation::{
    Field, Format, JsonSchema, Maker, Media, MediaKind, MediaSource, Message, Part, Request, Role, Tool,
};
use crate::dialect::{Encoded, Lacks, Wanted};
use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};
use crate::task::TokenCount;

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    input: Vec<Item<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolDefinition<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextOptions<'r>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'r> {
    Message { role: &'static str, content: Contents<'r> },
    FunctionCall { call_id: &'r str, name: &'r str, arguments: Cow<'r, str> },
    FunctionCallOutput { call_id: &'r str, output: Vec<Content<'r>> },
    CustomToolCall { call_id: &'r str, name: &'r str, input: &'r str },
    CustomToolCallOutput { call_id: &'r str, output: Vec<Content<'r>> },
    Reasoning { id: &'r str, summary: [Content<'r>; 0], encrypted_content: &'r str },
}

/// The contents of a message. An assistant's parts would need ids: each text of its is a message of its own.
#[derive(Serialize)]
#[serde(untagged)]
enum Contents<'r> {
    Text(&'r str),
    Parts(Vec<Content<'r>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'r> {
    #[serde(rename = "input_text")]
    Text { text: &'r str },
    #[serde(rename = "input_image")]
    Image { detail: &'static str, image_url: Url<'r> },
    #[serde(rename = "input_file")]
    File {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<Url<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'r str>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToolDefinition<'r> {
    Function {
        name: &'r str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'r str>,
        parameters: Option<Raw<'r>>,
        strict: Option<bool>,
    },
    Custom {
        name: &'r str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'r str>,
    },
}

#[derive(Serialize)]
struct TextOptions<'r> {
    format: TextFormat<'r>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum TextFormat<'r> {
    JsonObject,
    JsonSchema {
        name: &'r str,
        schema: Option<Raw<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

object! {
    struct Counted<'a> {
        "object" => object: Text<'a>,
        "input_tokens" => input_tokens: u64,
        ..
    }
}

/// Writes a question about tokens. Only OpenAI itself answers such; what shapes the answer only, as a temperature, does not
/// count and is not sent.
pub(super) fn encode(
    request: &Request<'_>,
    wanted: Wanted<'_>,
    lacks: &mut Lacks,
) -> Result<Encoded, Failure> {
    if !is_openai(wanted.provider) {
        let message = format!("{} does no counting of tokens.", wanted.provider.name);
        let parameter = lacks.name(Field::Model);
        return Err(Failure::invalid(message, Some(parameter)).code("unsupported_operation"));
    }
    lacks.others(&request.others);
    let customs = family(wanted).custom_tools;
    let mut input = Vec::new();
    for message in &request.messages {
        write_message(message, customs, &mut input, lacks);
    }
    let body = Body {
        model: wanted.model,
        input,
        tools: request.tools.iter().map(write_tool).collect(),
        text: write_format(&request.format),
    };
    let body =
        serde_json::to_vec(&body).map_err(|_| Failure::operator("The request could not be written."))?;
    Ok(Encoded { path: "/responses/input_tokens".to_owned(), body, headers: &[] })
}

/// Reads the count.
pub(super) fn decode(body: &[u8]) -> Result<TokenCount, Failure> {
    let counted = json::read::<Counted<'_>>(body).ok();
    let counted = counted
        .filter(|counted| counted.object.as_deref().is_none_or(|object| object == "response.input_tokens"));
    match counted.and_then(|counted| counted.input_tokens) {
        Some(input) => Ok(TokenCount { input, cached_input: 0 }),
        None => Err(Failure::malformed("The provider's answer could not be read.")),
    }
}

fn write_message<'r>(message: &'r Message<'_>, customs: bool, items: &mut Vec<Item<'r>>, lacks: &mut Lacks) {
    let role = match message.role {
        Role::System => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    };
    let mut content = Vec::new();
    for part in &message.parts {
        let item = match part {
            Part::ToolCall(call) if call.custom && customs => {
                Item::CustomToolCall { call_id: &call.id, name: &call.name, input: &call.arguments }
            }
            Part::ToolCall(call) => {
                let arguments = match call.custom {
                    true => Cow::Owned(custom_arguments(&call.arguments)),
                    false => Cow::Borrowed(&*call.arguments),
                };
                Item::FunctionCall { call_id: &call.id, name: &call.name, arguments }
            }
            Part::ToolResult(result) => {
                let call_id = &*result.call;
                let output = result.parts.iter().filter_map(|part| said(part, lacks)).collect();
                let is_custom = |item: &Item<'_>| matches!(item, Item::CustomToolCall { call_id: of, .. } if *of == call_id);
                match items.iter().any(is_custom) {
                    true => Item::CustomToolCallOutput { call_id, output },
                    false => Item::FunctionCallOutput { call_id, output },
                }
            }
            Part::Reasoning(reasoning) => {
                let hidden = reasoning.hidden.as_ref().and_then(|hidden| hidden.of(Maker::OpenAi));
                match (reasoning.id.as_deref(), hidden) {
                    (Some(id), Some(encrypted_content)) => {
                        Item::Reasoning { id, summary: [], encrypted_content }
                    }
                    _ => continue,
                }
            }
            Part::Text(text) | Part::Refusal(text) if message.role == Role::Assistant => {
                Item::Message { role, content: Contents::Text(text) }
            }
            part => {
                content.extend(said(part, lacks));
                continue;
            }
        };
        flush(role, &mut content, items);
        items.push(item);
    }
    flush(role, &mut content, items);
}

fn flush<'r>(role: &'static str, content: &mut Vec<Content<'r>>, items: &mut Vec<Item<'r>>) {
    if !content.is_empty() {
        items.push(Item::Message { role, content: Contents::Parts(std::mem::take(content)) });
    }
}

fn said<'r>(part: &'r Part<'_>, lacks: &mut Lacks) -> Option<Content<'r>> {
    Some(match part {
        Part::Text(text) | Part::Refusal(text) => Content::Text { text },
        Part::Media(media) => match write_media(media) {
            Some(content) => content,
            None => {
                lacks.content(Field::Media(media.at, media.kind));
                return None;
            }
        },
        _ => return None,
    })
}

fn write_media<'r>(media: &'r Media<'_>) -> Option<Content<'r>> {
    let file = |filename, file_data, file_url| Content::File { filename, file_data, file_url };
    Some(match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Url(url)) => {
            Content::Image { detail: "auto", image_url: Url::Given(url) }
        }
        (MediaKind::Image, MediaSource::Base64 { media_type, data, .. }) => {
            Content::Image { detail: "auto", image_url: Url::Data { media_type, data } }
        }
        (MediaKind::File, MediaSource::Url(url)) => file(None, None, Some(&**url)),
        (MediaKind::File, MediaSource::Base64 { media_type, data, file_name }) => {
            file(Some(named(file_name, media_type)), Some(Url::Data { media_type, data }), None)
        }
        (MediaKind::File, MediaSource::Text { text, file_name }) => {
            file(Some(named(file_name, "text/plain")), Some(Url::Plain(text)), None)
        }
        _ => return None,
    })
}

fn write_tool<'r>(tool: &'r Tool<'_>) -> ToolDefinition<'r> {
    let description = tool.description.as_deref().filter(|text| !text.is_empty());
    match tool.custom {
        // The form of its text counts next to nothing.
        Some(_) => ToolDefinition::Custom { name: &tool.name, description },
        None => ToolDefinition::Function {
            name: &tool.name,
            description,
            parameters: tool.parameters,
            strict: tool.strict,
        },
    }
}

fn write_format<'r>(format: &'r Format<'_>) -> Option<TextOptions<'r>> {
    let format = match format {
        Format::Text => return None,
        Format::Json => TextFormat::JsonObject,
        Format::Schema(JsonSchema { name, description, schema, strict }) => TextFormat::JsonSchema {
            name: if name.is_empty() { "answer" } else { name },
            schema: *schema,
            description: description.as_deref(),
            strict: *strict,
        },
    };
    Some(TextOptions { format })
}
