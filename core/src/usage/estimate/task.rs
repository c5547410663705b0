//! About how many tokens a request has, how many its answer has, and how many that may have at most.

use crate::conversation::{Answer, CacheMark, Format, MediaSource, Message, Part, Request, Tool};
use crate::embeddings;
use crate::rerank;
use crate::task::Task;

use super::{Counter, Family, media};

/// About how many tokens a request has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Those of texts, in the [common](Family::Common) tokenizers.
    pub text: u64,
    /// Those of images, recordings and files.
    pub media: u64,
    /// Whether tools are offered.
    pub tools: bool,
}

/// For how long vendors are to keep a request for later ones. Writing it there may cost more than just reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// The client asks for nothing of the kind.
    #[default]
    Unasked,
    /// For as long as the vendor does where nothing else is said.
    Briefly,
    AnHour,
}

/// What stands around each request, each message, each offered tool, each call and each result.
const REQUEST: u64 = 3;
const MESSAGE: u64 = 4;
const TOOL: u64 = 8;
const CALL: u64 = 6;
/// What Anthropic adds where tools are offered, by the example of its documents; models of the third generation had 159 to 530.
const CLAUDE_TOOLS: u64 = 320;
/// So many characters of thinking that only its maker can read are a token: base64 of what was encrypted.
const HIDDEN: u64 = 6;

/// About how many tokens a request has: everything in it that a model reads, with what vendors put around it.
///
/// Tools and schemas are counted as the JSON that they are; OpenAI writes them shorter. What the task has
/// [no word for](Task::others) is not counted. Counting tokens is free.
pub fn input(task: &Task<'_>) -> Input {
    read(task, Measure::Letters)
}

/// The same by the lengths of texts alone, four bytes a token: for where the estimate is hardly ever asked for.
pub fn rough_input(task: &Task<'_>) -> Input {
    read(task, Measure::Lengths)
}

fn read(task: &Task<'_>, measure: Measure) -> Input {
    match task {
        Task::Conversation(request) => conversation(request, measure),
        Task::CountTokens(_) => Input::default(),
        Task::Embeddings(request) => Input { text: embeddings(request, measure), ..Input::default() },
        Task::Rerank(request) => Input { text: ranking(request, measure), ..Input::default() },
    }
}

/// How many tokens the answer may have at most, by the client's word: for each of the choices that it wants. `None` where it
/// sets no bound; zero where answers have no tokens.
pub fn output_cap(task: &Task<'_>) -> Option<u64> {
    match task {
        Task::Conversation(request) => {
            let choices = u64::from(request.choices.unwrap_or(1).max(1));
            request.max_tokens.map(|most| most.saturating_mul(choices))
        }
        Task::CountTokens(_) | Task::Embeddings(_) | Task::Rerank(_) => Some(0),
    }
}

/// Whether the client asks for a service tier that costs more than the usual one: `service_tier` of OpenAI's, `speed` of
/// Anthropic's, for which the conversation has no word.
pub fn is_urgent(task: &Task<'_>) -> bool {
    let Task::Conversation(request) = task else { return false };
    matches!(request.service_tier.as_deref(), Some("priority" | "fast"))
        || request.others.iter().any(|other| other.path == "speed")
}

/// For how long the client wants any part of a request kept.
pub fn kept(task: &Task<'_>) -> Kept {
    let Task::Conversation(request) = task else { return Kept::Unasked };
    let in_messages = request.messages.iter().flat_map(|message| &message.parts).map(kept_by);
    let in_tools = request.tools.iter().filter_map(|tool| tool.cache.as_ref()).map(kept_for);
    // Marks in what only its vendor understands: nobody has read for how long.
    let unread = request.others.iter().any(|other| other.path.contains("cache_control"));
    let unread = unread.then_some(Kept::AnHour);
    in_messages.chain(in_tools).chain(unread).max().unwrap_or_default()
}

/// Results hold no results: this ends.
fn kept_by(part: &Part<'_>) -> Kept {
    match part {
        Part::CacheMark(mark) => kept_for(mark),
        Part::ToolResult(result) => result.parts.iter().map(kept_by).max().unwrap_or_default(),
        _ => Kept::Unasked,
    }
}

fn kept_for(mark: &CacheMark<'_>) -> Kept {
    match mark.ttl.as_deref() {
        None | Some("5m") => Kept::Briefly,
        Some(_) => Kept::AnHour,
    }
}

/// About how many tokens a whole answer has, in the [common](Family::Common) tokenizers; zero where nothing of what it says was
/// read.
pub fn output(answer: &Answer<'_>) -> u64 {
    let mut sum = Sum::default();
    for choice in &answer.choices {
        sum.parts(&choice.parts);
    }
    sum.tokens()
}

impl Input {
    /// About how many tokens a model of this family counts.
    pub fn tokens(self, family: Family) -> u64 {
        let added = if family == Family::Claude && self.tools { CLAUDE_TOOLS } else { 0 };
        family.scale(self.text).saturating_add(self.media).saturating_add(added)
    }
}

/// How texts are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Measure {
    #[default]
    Letters,
    Lengths,
}

impl Measure {
    fn tokens(self, text: &str) -> u64 {
        match self {
            Self::Letters => super::text(text),
            Self::Lengths => (text.len() as u64).div_ceil(4),
        }
    }
}

/// What has been counted so far.
#[derive(Default)]
struct Sum {
    measure: Measure,
    texts: Counter,
    /// Whatever is around texts, or is told otherwise than by counting.
    around: u64,
    media: u64,
}

fn conversation(request: &Request<'_>, measure: Measure) -> Input {
    let mut sum = Sum { measure, around: REQUEST, ..Sum::default() };
    for message in &request.messages {
        sum.message(message);
    }
    for tool in &request.tools {
        sum.tool(tool);
    }
    if let Format::Schema(schema) = &request.format {
        sum.around(TOOL);
        sum.text(&schema.name);
        sum.optional(schema.description.as_deref());
        sum.optional(schema.schema.map(|schema| schema.get()));
    }
    Input { text: sum.tokens(), media: sum.media, tools: !request.tools.is_empty() }
}

fn embeddings(request: &embeddings::Request<'_>, measure: Measure) -> u64 {
    let mut sum = Sum { measure, ..Sum::default() };
    for input in &request.inputs {
        match input {
            embeddings::Input::Text(text) => sum.text(text),
            // Integers between commas.
            embeddings::Input::Tokens(tokens) => {
                let commas = tokens.get().bytes().filter(|byte| *byte == b',').count();
                sum.around(commas as u64 + 1);
            }
        }
    }
    sum.tokens()
}

/// The query is read with each of the documents.
fn ranking(request: &rerank::Request<'_>, measure: Measure) -> u64 {
    let most = request.max_tokens_per_document.unwrap_or(u64::MAX);
    let documents = request.documents.iter().map(|document| {
        let length = match document {
            rerank::Document::Text(text) => measure.tokens(text),
            rerank::Document::Fields(fields) => measure.tokens(fields.get()),
        };
        length.min(most)
    });
    let query = measure.tokens(&request.query).saturating_mul(request.documents.len() as u64);
    documents.fold(query, u64::saturating_add)
}

impl Sum {
    fn tokens(&self) -> u64 {
        self.texts.tokens().saturating_add(self.around)
    }

    fn text(&mut self, text: &str) {
        match self.measure {
            Measure::Letters => {
                self.texts.begin();
                self.texts.push(text);
            }
            Measure::Lengths => self.around(self.measure.tokens(text)),
        }
    }

    fn optional(&mut self, text: Option<&str>) {
        self.text(text.unwrap_or_default());
    }

    fn around(&mut self, tokens: u64) {
        self.around = self.around.saturating_add(tokens);
    }

    fn message(&mut self, message: &Message<'_>) {
        self.around(MESSAGE);
        self.optional(message.name.as_deref());
        self.parts(&message.parts);
    }

    fn parts(&mut self, parts: &[Part<'_>]) {
        for part in parts {
            match part {
                Part::Text(text) | Part::Refusal(text) => self.text(text),
                Part::Reasoning(reasoning) => match &reasoning.hidden {
                    Some(hidden) if reasoning.text.is_empty() => {
                        self.around((hidden.value.len() as u64).div_ceil(HIDDEN));
                    }
                    _ => self.text(&reasoning.text),
                },
                Part::Media(medium) => {
                    self.media = self.media.saturating_add(media::tokens(medium));
                    if let MediaSource::Text { text, .. } = &medium.source {
                        self.text(text);
                    }
                }
                Part::ToolCall(call) => {
                    self.around(CALL);
                    self.text(&call.name);
                    self.text(&call.arguments);
                }
                // Results hold texts and media, no results: this ends.
                Part::ToolResult(result) => {
                    self.around(CALL);
                    self.parts(&result.parts);
                }
                Part::CacheMark(_) => {}
            }
        }
    }

    fn tool(&mut self, tool: &Tool<'_>) {
        self.around(TOOL);
        self.text(&tool.name);
        self.optional(tool.description.as_deref());
        self.optional(tool.parameters.map(|parameters| parameters.get()));
        self.optional(tool.custom.and_then(|custom| custom.format).map(|format| format.get()));
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
