//! What answers say as their text: no thinking, no refusals, no calls of tools.

use super::tape::{Kind, Node, Tape};
use crate::dialect::ClientDialect;

/// What each choice of an answer says, as far as it has come.
#[derive(Debug)]
pub(crate) struct Sayings {
    dialect: ClientDialect,
    choices: Vec<Said>,
    /// How long a text may become, in bytes; of a longer one only that is known.
    limit: usize,
}

/// What one choice says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    index: String,
    pub text: String,
    /// It calls tools, or the model declines: there is no answer in it that could be judged.
    pub none: bool,
    /// It is longer than what is held.
    pub overflows: bool,
    /// Nothing more will come.
    ended: bool,
    told: bool,
}

/// The calls that a vendor answers itself: the model's own answer comes behind them.
const HOSTED: [&str; 5] =
    ["web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call"];

impl Sayings {
    pub(crate) fn new(dialect: ClientDialect, limit: usize) -> Self {
        Self { dialect, choices: Vec::new(), limit }
    }

    /// Takes a whole answer in.
    pub(crate) fn whole(&mut self, body: &[u8]) {
        let Ok(tape) = Tape::read(body) else { return };
        match self.dialect {
            ClientDialect::Anthropic => {
                for (block, _) in items(&tape, 0, "content") {
                    self.block(&tape, block);
                }
                self.end("0");
            }
            ClientDialect::OpenAiResponses => {
                for (item, _) in items(&tape, 0, "output") {
                    self.item(&tape, item);
                    for (part, _) in items(&tape, item, "content") {
                        match tape.text_of(part, "type").as_deref() {
                            Some("output_text") => self.add("0", tape.text_of(part, "text").as_deref()),
                            Some("refusal") => self.none("0"),
                            _ => {}
                        }
                    }
                }
                self.end("0");
            }
            ClientDialect::Gemini => self.candidates(&tape),
            _ => self.completions(&tape, "message"),
        }
        self.choices.iter_mut().for_each(|choice| choice.ended = true);
    }

    /// Takes one event of a streamed answer in.
    pub(crate) fn event(&mut self, data: &str) {
        let Ok(tape) = Tape::read(data.as_bytes()) else { return };
        match self.dialect {
            ClientDialect::Anthropic => match tape.text_of(0, "type").as_deref() {
                Some("content_block_start") => {
                    if let Some((block, _)) = tape.member(0, "content_block") {
                        self.block(&tape, block);
                    }
                }
                Some("content_block_delta") => {
                    if let Some((delta, _)) = tape.member(0, "delta")
                        && tape.text_of(delta, "type").as_deref() == Some("text_delta")
                    {
                        self.add("0", tape.text_of(delta, "text").as_deref());
                    }
                }
                Some("message_delta" | "message_stop") => self.end("0"),
                _ => {}
            },
            ClientDialect::OpenAiResponses => match tape.text_of(0, "type").as_deref() {
                Some("response.output_text.delta") => self.add("0", tape.text_of(0, "delta").as_deref()),
                Some("response.refusal.delta") => self.none("0"),
                Some("response.output_item.added") => {
                    if let Some((item, _)) = tape.member(0, "item") {
                        self.item(&tape, item);
                    }
                }
                Some("response.completed" | "response.incomplete") => self.end("0"),
                _ => {}
            },
            ClientDialect::Gemini => self.candidates(&tape),
            _ => self.completions(&tape, "delta"),
        }
    }

    /// What has come to its end since this was asked last.
    pub(crate) fn ended(&mut self) -> impl Iterator<Item = &Said> {
        self.choices.iter_mut().filter(|choice| choice.ended && !choice.told).map(|choice| {
            choice.told = true;
            &*choice
        })
    }

    /// Changes what is known of a choice.
    fn with(&mut self, index: &str, change: impl FnOnce(&mut Said)) {
        match self.choices.iter_mut().find(|choice| choice.index == index) {
            Some(choice) => change(choice),
            None => {
                let mut choice = Said { index: index.to_owned(), ..Said::default() };
                change(&mut choice);
                self.choices.push(choice);
            }
        }
    }

    fn end(&mut self, index: &str) {
        self.with(index, |choice| choice.ended = true);
    }

    fn none(&mut self, index: &str) {
        self.with(index, |choice| choice.none = true);
    }

    fn add(&mut self, index: &str, text: Option<&str>) {
        let (limit, text) = (self.limit, text.unwrap_or_default());
        self.with(index, |choice| {
            choice.overflows |= choice.text.len() + text.len() > limit;
            if !choice.overflows {
                choice.text.push_str(text);
            }
        });
    }

    /// A block of Anthropic's.
    fn block(&mut self, tape: &Tape<'_>, block: usize) {
        match tape.text_of(block, "type").as_deref() {
            Some("text") => self.add("0", tape.text_of(block, "text").as_deref()),
            Some("tool_use") => self.none("0"),
            _ => {}
        }
    }

    /// An item of the Responses API.
    fn item(&mut self, tape: &Tape<'_>, item: usize) {
        let kind = tape.text_of(item, "type").unwrap_or_default();
        if kind.ends_with("_call") && !HOSTED.contains(&&*kind) {
            self.none("0");
        }
    }

    fn candidates(&mut self, tape: &Tape<'_>) {
        for (candidate, _) in items(tape, 0, "candidates") {
            let index = tape.member(candidate, "index").map_or("0", |(_, node)| tape.raw(node));
            if let Some((content, _)) = tape.member(candidate, "content") {
                for (part, _) in items(tape, content, "parts") {
                    let is_thought =
                        tape.member(part, "thought").is_some_and(|(_, node)| tape.raw(node) == "true");
                    if !is_thought {
                        self.add(index, tape.text_of(part, "text").as_deref());
                    }
                    if tape.member(part, "functionCall").is_some() {
                        self.none(index);
                    }
                }
            }
            if tape.text_of(candidate, "finishReason").is_some() {
                self.end(index);
            }
        }
    }

    /// The choices of Chat Completions, which have what they say in `within`, and of completions, which have it themselves.
    fn completions(&mut self, tape: &Tape<'_>, within: &str) {
        for (choice, _) in items(tape, 0, "choices") {
            let index = tape.member(choice, "index").map_or("0", |(_, node)| tape.raw(node));
            self.add(index, tape.text_of(choice, "text").as_deref());
            if let Some((message, _)) = tape.member(choice, within) {
                self.add(index, tape.text_of(message, "content").as_deref());
                for (part, _) in items(tape, message, "content") {
                    if tape.text_of(part, "type").as_deref() == Some("text") {
                        self.add(index, tape.text_of(part, "text").as_deref());
                    }
                }
                let calls = items(tape, message, "tool_calls").next().is_some();
                let called =
                    tape.member(message, "function_call").is_some_and(|(_, node)| node.kind == Kind::Object);
                let declines = tape.text_of(message, "refusal").is_some_and(|refusal| !refusal.is_empty());
                if calls || called || declines {
                    self.none(index);
                }
            }
            if tape.text_of(choice, "finish_reason").is_some() {
                self.end(index);
            }
        }
    }
}

/// The items of a list.
fn items<'t>(tape: &'t Tape<'_>, object: usize, name: &str) -> impl Iterator<Item = (usize, Node)> + 't {
    let list = tape.member(object, name).filter(|(_, node)| node.kind == Kind::List);
    list.into_iter().flat_map(|(list, _)| tape.children(list))
}
