//! Whole answers in the form of a `response`, and the items that answers and streams are made of.

use std::borrow::Cow;

use serde::Serialize;

use crate::conversation::{
    Answer, Choice, Finish, Media, MediaSource, Part, Reasoning, TokenChance, TokenLogprob, ToolCall,
};
use crate::dialect::Asked;
use crate::failure::{Failure, Kind};
use crate::json::{self, Text, object};
use crate::usage::Usage;

use super::seal;

/// An item of an answer's output.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    Message {
        id: String,
        status: Status,
        role: &'static str,
        content: Vec<Content<'a>>,
    },
    Reasoning {
        id: String,
        status: Status,
        summary: Vec<Content<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<Cow<'a, str>>,
    },
    FunctionCall {
        id: String,
        status: Status,
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
    CustomToolCall {
        id: String,
        status: Status,
        call_id: &'a str,
        name: &'a str,
        input: Cow<'a, str>,
    },
    ImageGenerationCall {
        id: String,
        status: Status,
        result: Option<&'a str>,
        output_format: &'a str,
    },
}

/// How far an item, or an answer, has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
    Failed,
}

/// A part of a message, or of a reasoning item.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Content<'a> {
    OutputText { annotations: [(); 0], logprobs: Vec<Logprob<'a>>, text: &'a str },
    Refusal { refusal: &'a str },
    SummaryText { text: &'a str },
}

/// A token of an answer with its chance, and the likeliest in its place.
#[derive(Serialize)]
pub(super) struct Logprob<'a> {
    token: &'a str,
    bytes: &'a [u8],
    logprob: f64,
    top_logprobs: Vec<TopLogprob<'a>>,
}

#[derive(Serialize)]
struct TopLogprob<'a> {
    token: &'a str,
    bytes: &'a [u8],
    logprob: f64,
}

/// What of a response stays the same from its first event to its last.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    /// Of the answer, without the prefix of its type.
    pub(super) id: &'a str,
    pub(super) created_at: u64,
    pub(super) model: &'a str,
    /// [`Asked::echo`]
    pub(super) echo: &'a [u8],
}

#[derive(Serialize)]
struct WireHead<'a> {
    id: String,
    object: &'static str,
    created_at: u64,
    status: Status,
    error: Option<WireError<'a>>,
    incomplete_details: Option<IncompleteDetails>,
    model: &'a str,
    usage: Option<WireUsage>,
}

#[derive(Serialize)]
struct WireError<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct IncompleteDetails {
    reason: &'static str,
}

#[derive(Serialize)]
struct WireUsage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

/// Writes a whole answer. `now`: seconds since the Unix epoch.
pub(crate) fn encode_answer(answer: &Answer<'_>, asked: &Asked, now: u64) -> Vec<u8> {
    let id = seal::answer_id(answer.id.as_deref(), now);
    let model = answer.model.as_deref().unwrap_or(&asked.model);
    let head = Head { id: &id, created_at: now, model, echo: &asked.echo };
    // The dialect has one answer to a request.
    let choice = answer.choices.first();
    let finish = choice.map_or(Finish::Stop, |choice| choice.finish);
    let items = choice.map(|choice| write_items(choice, &id, asked)).unwrap_or_default();
    let mut out = Vec::new();
    write_response(head, End::Finished(finish), answer.usage, &items, &mut out);
    out
}

/// How an answer stands.
pub(super) enum End<'a> {
    Open,
    Finished(Finish),
    Failed(&'a Failure),
}

/// Appends a response object with these items, each of them JSON.
pub(super) fn write_response(
    head: Head<'_>,
    end: End<'_>,
    usage: Option<Usage>,
    items: &[Vec<u8>],
    out: &mut Vec<u8>,
) {
    let (status, reason) = match end {
        End::Open => (Status::InProgress, None),
        End::Finished(finish) => (last_status(finish), incomplete_reason(finish)),
        End::Failed(_) => (Status::Failed, None),
    };
    let error = match end {
        End::Failed(failure) => Some(WireError { code: error_code(failure), message: &failure.message }),
        End::Open | End::Finished(_) => None,
    };
    let wire = WireHead {
        id: format!("resp_{}", head.id),
        object: "response",
        created_at: head.created_at,
        status,
        error,
        incomplete_details: reason.map(|reason| IncompleteDetails { reason }),
        model: head.model,
        usage: usage.map(WireUsage::from),
    };
    write_json(&wire, out);
    // The object goes on behind its last field.
    out.pop();
    out.extend_from_slice(b",\"output\":[");
    let mut first = true;
    for item in items.iter().filter(|item| !item.is_empty()) {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(item);
    }
    out.push(b']');
    if !head.echo.is_empty() {
        out.push(b',');
        out.extend_from_slice(head.echo);
    }
    out.push(b'}');
}

/// Appends a value as JSON.
pub(super) fn write_json<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    // Text and numbers always serialise.
    let _ = serde_json::to_writer(out, value);
}

/// The status of an answer that has ended, and of its last item.
pub(super) fn last_status(finish: Finish) -> Status {
    match finish {
        Finish::Stop | Finish::ToolCalls => Status::Completed,
        Finish::Length | Finish::ContentFilter => Status::Incomplete,
    }
}

fn incomplete_reason(finish: Finish) -> Option<&'static str> {
    match finish {
        Finish::Stop | Finish::ToolCalls => None,
        Finish::Length => Some("max_output_tokens"),
        Finish::ContentFilter => Some("content_filter"),
    }
}

/// The word for a failure in a response, of those that OpenAI has.
pub(super) fn error_code(failure: &Failure) -> &'static str {
    match failure.kind {
        Kind::RateLimit => "rate_limit_exceeded",
        Kind::Quota => "insufficient_quota",
        Kind::InvalidRequest | Kind::NotFound | Kind::TooLarge => "invalid_prompt",
        Kind::Authentication | Kind::Permission | Kind::Timeout | Kind::Overloaded | Kind::Server => {
            "server_error"
        }
    }
}

/// The free text of a custom tool's call that came as a function's arguments; as it came where it is no such object.
pub(super) fn custom_input(arguments: &str) -> Cow<'_, str> {
    object! {
        struct Arguments<'a> {
            "input" => input: Text<'a>,
            ..others
        }
    }
    match json::read::<Arguments<'_>>(arguments.as_bytes()) {
        Ok(Arguments { input: Some(input), others }) if others.is_empty() => input.0,
        _ => Cow::Borrowed(arguments),
    }
}

/// Whether a call is one of a custom tool, though the provider may know it as a function.
pub(super) fn is_custom(call: &ToolCall<'_>, asked: &Asked) -> bool {
    call.custom || asked.custom_tools.iter().any(|name| **name == *call.name)
}

/// The items that a choice becomes, each as JSON.
fn write_items(choice: &Choice<'_>, id: &str, asked: &Asked) -> Vec<Vec<u8>> {
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut logprobs = choice.logprobs.as_deref();
    for part in &choice.parts {
        match part {
            Part::Text(text) => {
                // The chances are those of all texts together: they stand with the first.
                let logprobs = logprobs.take().unwrap_or_default().iter().map(Logprob::from).collect();
                say(&mut items, id, Content::OutputText { annotations: [], logprobs, text });
            }
            Part::Refusal(refusal) => say(&mut items, id, Content::Refusal { refusal }),
            Part::Reasoning(reasoning) => think(&mut items, id, reasoning),
            Part::ToolCall(call) => {
                seal_call(&mut items, id, call);
                let id = item_id(call_prefix(is_custom(call, asked)), id, items.len());
                items.push(write_call(call, id, asked));
            }
            Part::Media(media) => {
                let id = item_id("ig", id, items.len());
                items.extend(image(media, id, Status::Completed));
            }
            // A model's answer has none of these.
            Part::ToolResult(_) | Part::CacheMark(_) => {}
        }
    }
    if let Some(last) = items.last_mut() {
        last.set_status(last_status(choice.finish));
    }
    items.iter().map(|item| serde_json::to_vec(item).unwrap_or_default()).collect()
}

/// The item of an image in place; of other media there is none, and [`shows`](crate::dialect::ClientDialect::shows) says so.
pub(super) fn image<'a>(media: &'a Media<'_>, id: String, status: Status) -> Option<Item<'a>> {
    let MediaSource::Base64 { media_type, data, .. } = &media.source else { return None };
    let format = media_type.strip_prefix("image/")?;
    // What is not there yet has no result.
    let result = (status != Status::InProgress).then_some(&**data);
    Some(Item::ImageGenerationCall { id, status, result, output_format: format })
}

/// Adds a piece of thinking; two items where it is both signed and hidden, as an item has one seal only.
fn think<'a>(items: &mut Vec<Item<'a>>, id: &str, reasoning: &'a Reasoning<'_>) {
    let summary = match reasoning.text.is_empty() {
        true => Vec::new(),
        false => vec![Content::SummaryText { text: &reasoning.text }],
    };
    let signature = reasoning.signature.as_ref().map(|signature| seal::thinking(signature).into());
    let hidden = reasoning.hidden.as_ref().map(seal::hidden);
    let (encrypted_content, more) = match signature {
        Some(signature) => (Some(signature), hidden),
        None => (hidden, None),
    };
    let vendors = reasoning.id.as_deref().map(str::to_owned);
    let first = vendors.unwrap_or_else(|| item_id("rs", id, items.len()));
    items.push(Item::Reasoning { id: first, status: Status::Completed, summary, encrypted_content });
    if let Some(more) = more {
        seal_alone(items, id, more);
    }
}

/// Adds an item that holds nothing but a seal.
fn seal_alone<'a>(items: &mut Vec<Item<'a>>, id: &str, seal: Cow<'a, str>) {
    items.push(Item::Reasoning {
        id: item_id("rs", id, items.len()),
        status: Status::Completed,
        summary: Vec::new(),
        encrypted_content: Some(seal),
    });
}

/// Adds a part to the message at the end, or begins one.
fn say<'a>(items: &mut Vec<Item<'a>>, id: &str, part: Content<'a>) {
    if let Some(Item::Message { content, .. }) = items.last_mut() {
        return content.push(part);
    }
    let id = item_id("msg", id, items.len());
    items.push(Item::Message { id, status: Status::Completed, role: "assistant", content: vec![part] });
}

/// Puts the signature of a call before it: with the thinking there, or in an item of its own.
fn seal_call<'a>(items: &mut Vec<Item<'a>>, id: &str, call: &'a ToolCall<'_>) {
    let Some(signature) = &call.signature else { return };
    let seal = Cow::Owned(seal::call(signature));
    match items.last_mut() {
        Some(Item::Reasoning { encrypted_content: place @ None, .. }) => *place = Some(seal),
        _ => seal_alone(items, id, seal),
    }
}

fn write_call<'a>(call: &'a ToolCall<'a>, id: String, asked: &Asked) -> Item<'a> {
    let status = Status::Completed;
    match is_custom(call, asked) {
        true => Item::CustomToolCall {
            id,
            status,
            call_id: &call.id,
            name: &call.name,
            input: if call.custom { Cow::Borrowed(&call.arguments) } else { custom_input(&call.arguments) },
        },
        false => {
            Item::FunctionCall { id, status, call_id: &call.id, name: &call.name, arguments: &call.arguments }
        }
    }
}

/// What the id of a call begins with.
pub(super) fn call_prefix(custom: bool) -> &'static str {
    if custom { "ctc" } else { "fc" }
}

/// The id of the item at this position; its prefix tells its type, as OpenAI demands of items that come back.
pub(super) fn item_id(prefix: &str, answer: &str, position: usize) -> String {
    format!("{prefix}_{answer}_{position}")
}

impl Item<'_> {
    fn set_status(&mut self, new: Status) {
        match self {
            Self::Message { status, .. }
            | Self::Reasoning { status, .. }
            | Self::FunctionCall { status, .. }
            | Self::CustomToolCall { status, .. } => *status = new,
            // An image is there or not.
            Self::ImageGenerationCall { .. } => {}
        }
    }
}

impl<'a> From<&'a TokenLogprob<'a>> for Logprob<'a> {
    fn from(token: &'a TokenLogprob<'a>) -> Self {
        Self {
            token: &token.chosen.token,
            bytes: token.chosen.token.as_bytes(),
            logprob: token.chosen.logprob,
            top_logprobs: token.top.iter().map(TopLogprob::from).collect(),
        }
    }
}

impl<'a> From<&'a TokenChance<'a>> for TopLogprob<'a> {
    fn from(chance: &'a TokenChance<'a>) -> Self {
        Self { token: &chance.token, bytes: chance.token.as_bytes(), logprob: chance.logprob }
    }
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input,
            input_tokens_details: InputDetails {
                cached_tokens: usage.cached_input,
                cache_write_tokens: usage.cache_write,
            },
            output_tokens: usage.output,
            output_tokens_details: OutputDetails { reasoning_tokens: usage.reasoning },
            total_tokens: usage.input.saturating_add(usage.output),
        }
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
