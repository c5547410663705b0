//! Writes a streamed answer as the events of a response.

use std::borrow::Cow;
use std::io::Write as _;

use serde::Serialize;

use crate::conversation::{Event, Finish, Media, Signature, TokenChance, TokenLogprob, ToolCall};
use crate::dialect::Asked;
use crate::failure::Failure;
use crate::json::Text;
use crate::usage::Usage;

use super::answer::{
    Content, End, Head, Item, Logprob, Status, call_prefix, custom_input, error_code, image, is_custom,
    item_id, last_status, write_json, write_response,
};
use super::seal;

/// Writes the events of one streamed answer as server-sent events.
///
/// A message and a piece of thinking are complete when something else begins; calls may come side by side, so all of them
/// are complete only with the answer.
#[derive(Debug)]
pub struct StreamWriter {
    asked: Asked,
    created_at: u64,
    /// Of the answer, without the prefix of its type.
    id: String,
    model: String,
    lines: Lines,
    started: bool,
    /// After the end or an error: nothing more is written.
    over: bool,
    /// Each item as JSON, by its position; empty until it is complete.
    items: Vec<Vec<u8>>,
    /// The message or the thinking that is being written.
    open: Option<Open>,
    /// The calls, as their provider counts them.
    calls: Vec<Call>,
    /// The chances of the tokens that come next.
    logprobs: Vec<TokenLogprob<'static>>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

/// The events' own numbering.
#[derive(Debug, Default)]
struct Lines {
    sequence: u64,
}

/// An item that is being written.
#[derive(Debug)]
struct Open {
    id: String,
    position: usize,
    kind: Kind,
    /// Of a message, all its parts; thinking has one.
    parts: Vec<Said>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message,
    Reasoning,
}

/// A part of a message, or of thinking, up to here.
#[derive(Debug)]
struct Said {
    what: What,
    text: String,
    logprobs: Vec<TokenLogprob<'static>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Text,
    Refusal,
    Reasoning,
}

/// A tool call that is being written.
#[derive(Debug)]
struct Call {
    /// As the provider counts it.
    call: u32,
    id: String,
    position: usize,
    call_id: String,
    name: String,
    arguments: String,
    form: CallForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallForm {
    Function,
    Custom,
    /// A custom tool that the provider knows as a function: what it says is held until its JSON is complete.
    CustomByFunction,
}

/// The data of an event about a part of an item.
#[derive(Serialize, Default)]
struct Detail<'a> {
    r#type: &'static str,
    sequence_number: u64,
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Vec<Logprob<'a>>>,
}

#[derive(Serialize)]
struct ErrorEvent<'a> {
    r#type: &'static str,
    code: Option<&'a str>,
    message: &'a str,
    param: Option<&'a str>,
    sequence_number: u64,
}

/// Appends a failure that ends a stream whose bytes are otherwise the provider's own.
pub(crate) fn end_stream(failure: &Failure, out: &mut Vec<u8>) {
    let code = failure.code.as_deref().or(Some(error_code(failure)));
    let event = ErrorEvent {
        r#type: "error",
        code,
        message: &failure.message,
        param: failure.parameter.as_deref(),
        // The provider's own count is not known here.
        sequence_number: 0,
    };
    out.extend_from_slice(b"event: error\ndata: ");
    write_json(&event, out);
    out.extend_from_slice(b"\n\n");
}

impl StreamWriter {
    /// `now`: seconds since the Unix epoch.
    pub(crate) fn new(asked: Asked, now: u64) -> Self {
        Self {
            id: seal::answer_id(None, now),
            model: asked.model.clone(),
            asked,
            created_at: now,
            lines: Lines::default(),
            started: false,
            over: false,
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
            logprobs: Vec::new(),
            finish: None,
            usage: None,
        }
    }

    /// Appends what one event becomes to `out`. The dialect has one answer to a request: other choices are passed over.
    pub fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } if !self.started => {
                self.id = seal::answer_id(id.as_deref(), self.created_at);
                self.model = model.map_or_else(|| self.asked.model.clone(), Text::into_owned);
                self.start(out);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error(failure) => {
                self.over = true;
                self.response("response.failed", End::Failed(&failure), out);
            }
            Event::End => self.end(out),
            Event::Text { choice: 0, text } => self.say(What::Text, &text, out),
            Event::Refusal { choice: 0, text } => self.say(What::Refusal, &text, out),
            Event::Reasoning { choice: 0, text } => self.say(What::Reasoning, &text, out),
            Event::Signature { choice: 0, signature } => self.sign(&signature, out),
            Event::HiddenReasoning { choice: 0, hidden } => {
                self.close_open(Status::Completed, None, out);
                self.seal(seal::hidden(&hidden), out);
            }
            Event::Media { choice: 0, media } => self.image(&media, out),
            Event::ToolCall { choice: 0, call, tool } => self.call(call, &tool, out),
            Event::Arguments { choice: 0, call, json } => self.arguments(call, &json, out),
            Event::Logprobs { choice: 0, tokens } => self.logprobs.extend(tokens.iter().map(owned)),
            Event::Finish { choice: 0, finish, .. } => {
                self.finish.get_or_insert(finish);
            }
            _ => {}
        }
    }

    /// The answer has begun, even where nobody has said so.
    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            self.response("response.created", End::Open, out);
            self.response("response.in_progress", End::Open, out);
        }
    }

    fn response(&mut self, kind: &'static str, end: End<'_>, out: &mut Vec<u8>) {
        let head =
            Head { id: &self.id, created_at: self.created_at, model: &self.model, echo: &self.asked.echo };
        self.lines.begin(kind, out);
        out.extend_from_slice(b",\"response\":");
        write_response(head, end, self.usage, &self.items, out);
        out.extend_from_slice(b"}\n\n");
    }

    /// Says more of a message or of thinking, beginning what is not open yet.
    fn say(&mut self, what: What, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let kind = if what == What::Reasoning { Kind::Reasoning } else { Kind::Message };
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.close_open(Status::Completed, None, out);
            self.open(kind, out);
        }
        let logprobs = match what {
            What::Text => std::mem::take(&mut self.logprobs),
            What::Refusal | What::Reasoning => Vec::new(),
        };
        let Self { open: Some(open), lines, .. } = self else { return };
        if open.parts.last().is_none_or(|part| part.what != what) {
            open.end_part(lines, out);
            open.parts.push(Said { what, text: String::new(), logprobs: Vec::new() });
            open.begin_part(lines, out);
        }
        open.say(text, logprobs, lines, out);
    }

    /// Signs the thinking before; where that is no longer open, the signature stands in an item of its own.
    fn sign(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        let seal = seal::thinking(signature);
        match self.open.as_ref().is_some_and(|open| open.kind == Kind::Reasoning) {
            true => self.close_open(Status::Completed, Some(seal.into()), out),
            false => {
                self.close_open(Status::Completed, None, out);
                self.seal(seal.into(), out);
            }
        }
    }

    /// Writes an item that shows no thinking, whole.
    fn seal(&mut self, seal: Cow<'_, str>, out: &mut Vec<u8>) {
        let (id, position) = self.new_item("rs", out);
        self.lines.item(
            "response.output_item.added",
            position,
            &reasoning(&id, Status::InProgress, Vec::new(), None),
            out,
        );
        let item = reasoning(&id, Status::Completed, Vec::new(), Some(seal));
        self.complete(position, &item, out);
    }

    /// Writes an image, which comes whole.
    fn image(&mut self, media: &Media<'_>, out: &mut Vec<u8>) {
        self.close_open(Status::Completed, None, out);
        let (id, position) = self.new_item("ig", out);
        let Some(begun) = image(media, id.clone(), Status::InProgress) else { return };
        self.lines.item("response.output_item.added", position, &begun, out);
        for kind in ["response.image_generation_call.in_progress", "response.image_generation_call.completed"]
        {
            let detail = Detail { r#type: kind, item_id: &id, output_index: position, ..Detail::default() };
            self.lines.detail(detail, out);
        }
        if let Some(item) = image(media, id.clone(), Status::Completed) {
            self.complete(position, &item, out);
        }
    }

    fn open(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let (id, position) = self.new_item(if kind == Kind::Message { "msg" } else { "rs" }, out);
        let open = Open { id, position, kind, parts: Vec::new() };
        self.lines.item("response.output_item.added", position, &open.item(Status::InProgress, None), out);
        self.open = Some(open);
    }

    /// Completes the message or the thinking that is open.
    fn close_open(&mut self, status: Status, seal: Option<Cow<'_, str>>, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else { return };
        open.end_part(&mut self.lines, out);
        self.complete(open.position, &open.item(status, seal), out);
    }

    fn call(&mut self, call: u32, tool: &ToolCall<'_>, out: &mut Vec<u8>) {
        // The thinking before a call may hold its signature.
        let seal = tool.signature.as_ref().map(|signature| Cow::Owned(seal::call(signature)));
        match (seal, self.open.as_ref().is_some_and(|open| open.kind == Kind::Reasoning)) {
            (Some(seal), false) => {
                self.close_open(Status::Completed, None, out);
                self.seal(seal, out);
            }
            (seal, _) => self.close_open(Status::Completed, seal, out),
        }
        let form = match (tool.custom, is_custom(tool, &self.asked)) {
            (true, _) => CallForm::Custom,
            (false, true) => CallForm::CustomByFunction,
            (false, false) => CallForm::Function,
        };
        let (id, position) = self.new_item(call_prefix(form != CallForm::Function), out);
        let new = Call {
            call,
            id,
            position,
            call_id: tool.id.to_string(),
            name: tool.name.to_string(),
            arguments: String::new(),
            form,
        };
        self.lines.item("response.output_item.added", position, &new.item("", Status::InProgress), out);
        self.calls.push(new);
        self.arguments(call, &tool.arguments, out);
    }

    fn arguments(&mut self, call: u32, json: &str, out: &mut Vec<u8>) {
        let Self { calls, lines, .. } = self;
        let Some(call) = calls.iter_mut().rev().find(|open| open.call == call) else { return };
        if json.is_empty() {
            return;
        }
        call.arguments.push_str(json);
        if call.form != CallForm::CustomByFunction {
            call.delta(json, lines, out);
        }
    }

    /// Completes every item, the last of them with the status of the answer.
    fn complete_all(&mut self, finish: Finish, out: &mut Vec<u8>) {
        let last = self.items.len().saturating_sub(1);
        let status = |position| if position == last { last_status(finish) } else { Status::Completed };
        let calls = std::mem::take(&mut self.calls);
        let open = self.open.as_ref().map(|open| open.position);
        for call in &calls {
            // What is open may have begun between the calls.
            if open.is_some_and(|position| position < call.position) {
                self.close_open(Status::Completed, None, out);
            }
            let said = match call.form {
                CallForm::CustomByFunction => custom_input(&call.arguments),
                CallForm::Custom | CallForm::Function => Cow::Borrowed(call.arguments.as_str()),
            };
            if call.form == CallForm::CustomByFunction {
                call.delta(&said, &mut self.lines, out);
            }
            call.end(&said, &mut self.lines, out);
            self.complete(call.position, &call.item(&said, status(call.position)), out);
        }
        if let Some(position) = open {
            self.close_open(status(position), None, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        let finish = self.finish.unwrap_or(Finish::Stop);
        self.complete_all(finish, out);
        self.over = true;
        let kind = match last_status(finish) {
            Status::Incomplete => "response.incomplete",
            _ => "response.completed",
        };
        self.response(kind, End::Finished(finish), out);
    }

    /// The id and the position of an item that begins.
    fn new_item(&mut self, prefix: &str, out: &mut Vec<u8>) -> (String, usize) {
        self.start(out);
        let position = self.items.len();
        self.items.push(Vec::new());
        (item_id(prefix, &self.id, position), position)
    }

    fn complete(&mut self, position: usize, item: &Item<'_>, out: &mut Vec<u8>) {
        self.lines.item("response.output_item.done", position, item, out);
        if let Some(place) = self.items.get_mut(position) {
            *place = serde_json::to_vec(item).unwrap_or_default();
        }
    }
}

impl Lines {
    /// Begins an event whose data goes on behind its number.
    fn begin(&mut self, kind: &str, out: &mut Vec<u8>) {
        let sequence = self.next();
        let _ = write!(out, "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{sequence}");
    }

    fn item(&mut self, kind: &str, position: usize, item: &Item<'_>, out: &mut Vec<u8>) {
        self.begin(kind, out);
        let _ = write!(out, ",\"output_index\":{position},\"item\":");
        write_json(item, out);
        out.extend_from_slice(b"}\n\n");
    }

    fn detail(&mut self, detail: Detail<'_>, out: &mut Vec<u8>) {
        let detail = Detail { sequence_number: self.next(), ..detail };
        let _ = write!(out, "event: {}\ndata: ", detail.r#type);
        write_json(&detail, out);
        out.extend_from_slice(b"\n\n");
    }

    fn next(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence = sequence.saturating_add(1);
        sequence
    }
}

impl Open {
    /// What every event about the part at the end has.
    fn detail(&self, kind: &'static str) -> Detail<'_> {
        let position = Some(self.parts.len().saturating_sub(1));
        let (content_index, summary_index) = match self.kind {
            Kind::Message => (position, None),
            Kind::Reasoning => (None, position),
        };
        let (item_id, output_index) = (self.id.as_str(), self.position);
        Detail { r#type: kind, item_id, output_index, content_index, summary_index, ..Detail::default() }
    }

    fn begin_part(&self, lines: &mut Lines, out: &mut Vec<u8>) {
        let Some(part) = self.parts.last() else { return };
        let kind = match self.kind {
            Kind::Message => "response.content_part.added",
            Kind::Reasoning => "response.reasoning_summary_part.added",
        };
        lines.detail(Detail { part: Some(part.content()), ..self.detail(kind) }, out);
    }

    fn say(&mut self, text: &str, new: Vec<TokenLogprob<'static>>, lines: &mut Lines, out: &mut Vec<u8>) {
        let Some(part) = self.parts.last() else { return };
        let logprobs = Some(new.iter().map(Logprob::from).collect());
        let (kind, logprobs) = match part.what {
            What::Text => ("response.output_text.delta", logprobs),
            What::Refusal => ("response.refusal.delta", None),
            What::Reasoning => ("response.reasoning_summary_text.delta", None),
        };
        lines.detail(Detail { delta: Some(text), logprobs, ..self.detail(kind) }, out);
        if let Some(part) = self.parts.last_mut() {
            part.text.push_str(text);
            part.logprobs.extend(new);
        }
    }

    fn end_part(&self, lines: &mut Lines, out: &mut Vec<u8>) {
        let Some(part) = self.parts.last() else { return };
        let text = Some(part.text.as_str());
        let done = match part.what {
            What::Text => Detail {
                text,
                logprobs: Some(part.logprobs.iter().map(Logprob::from).collect()),
                ..self.detail("response.output_text.done")
            },
            What::Refusal => Detail { refusal: text, ..self.detail("response.refusal.done") },
            What::Reasoning => Detail { text, ..self.detail("response.reasoning_summary_text.done") },
        };
        lines.detail(done, out);
        let kind = match self.kind {
            Kind::Message => "response.content_part.done",
            Kind::Reasoning => "response.reasoning_summary_part.done",
        };
        lines.detail(Detail { part: Some(part.content()), ..self.detail(kind) }, out);
    }

    fn item<'a>(&'a self, status: Status, seal: Option<Cow<'a, str>>) -> Item<'a> {
        let content = self.parts.iter().map(Said::content).collect();
        match self.kind {
            Kind::Message => Item::Message { id: self.id.clone(), status, role: "assistant", content },
            Kind::Reasoning => reasoning(&self.id, status, content, seal),
        }
    }
}

impl Said {
    fn content(&self) -> Content<'_> {
        let text = &self.text;
        match self.what {
            What::Text => Content::OutputText {
                annotations: [],
                logprobs: self.logprobs.iter().map(Logprob::from).collect(),
                text,
            },
            What::Refusal => Content::Refusal { refusal: text },
            What::Reasoning => Content::SummaryText { text },
        }
    }
}

impl Call {
    fn detail(&self, kind: &'static str) -> Detail<'_> {
        Detail { r#type: kind, item_id: &self.id, output_index: self.position, ..Detail::default() }
    }

    fn delta(&self, more: &str, lines: &mut Lines, out: &mut Vec<u8>) {
        let kind = match self.form {
            CallForm::Function => "response.function_call_arguments.delta",
            CallForm::Custom | CallForm::CustomByFunction => "response.custom_tool_call_input.delta",
        };
        if !more.is_empty() {
            lines.detail(Detail { delta: Some(more), ..self.detail(kind) }, out);
        }
    }

    fn end(&self, said: &str, lines: &mut Lines, out: &mut Vec<u8>) {
        let done = match self.form {
            CallForm::Function => {
                Detail { arguments: Some(said), ..self.detail("response.function_call_arguments.done") }
            }
            CallForm::Custom | CallForm::CustomByFunction => {
                Detail { input: Some(said), ..self.detail("response.custom_tool_call_input.done") }
            }
        };
        lines.detail(done, out);
    }

    fn item<'a>(&'a self, said: &'a str, status: Status) -> Item<'a> {
        let (id, call_id, name) = (self.id.clone(), self.call_id.as_str(), self.name.as_str());
        match self.form {
            CallForm::Function => Item::FunctionCall { id, status, call_id, name, arguments: said },
            CallForm::Custom | CallForm::CustomByFunction => {
                Item::CustomToolCall { id, status, call_id, name, input: Cow::Borrowed(said) }
            }
        }
    }
}

fn reasoning<'a>(
    id: &str,
    status: Status,
    summary: Vec<Content<'a>>,
    encrypted_content: Option<Cow<'a, str>>,
) -> Item<'a> {
    Item::Reasoning { id: id.to_owned(), status, summary, encrypted_content }
}

fn owned(token: &TokenLogprob<'_>) -> TokenLogprob<'static> {
    let chance = |chance: &TokenChance<'_>| TokenChance {
        token: Text::from(chance.token.to_string()),
        logprob: chance.logprob,
    };
    TokenLogprob { chosen: chance(&token.chosen), top: token.top.iter().map(chance).collect() }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
