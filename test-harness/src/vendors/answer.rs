//! What a mock answers: the same for every vendor, worked out from the request alone, so that a test can foretell it.

use super::schema;
use super::script::{Content, Ending};
use serde_json::{Value, json};

/// What every vendor "thinks" when reasoning is asked for: seven tokens.
pub const REASONING: &str = "Thinking about the question step by step.";
/// What one image counts as, in tokens.
pub const IMAGE_TOKENS: u64 = 10;

/// A request as the answerer sees it, taken from whichever dialect it came in.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// The model's name as sent.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// All system and developer text.
    pub system: String,
    /// The text of the last user message.
    pub user: String,
    /// The texts of the tool results that end the conversation; empty when it ends otherwise.
    pub results: Vec<String>,
    /// The images of the last user message, each described: `image/png, 70 bytes` or its address.
    pub images: Vec<String>,
    /// The tools on offer.
    pub tools: Vec<Tool>,
    /// Which of them may or must be called.
    pub choice: ToolChoice,
    /// Whether one answer may call several tools.
    pub parallel: bool,
    /// The form of the text.
    pub format: Format,
    /// Sequences that end the text and are not part of it.
    pub stops: Vec<String>,
    /// The most tokens to produce, reasoning included.
    pub max_tokens: Option<u64>,
    /// How many alternative answers.
    pub count: usize,
    /// Whether reasoning is on.
    pub reason: bool,
    /// Whether its text is shown.
    pub show_reasoning: bool,
    /// How many alternatives to list per token, when log probabilities were asked for.
    pub logprobs: Option<usize>,
    /// Tokens of everything sent.
    pub input_tokens: u64,
    /// Tokens that the request marks for caching (Anthropic's `cache_control`).
    pub marked_tokens: u64,
    /// What only this vendor's rendering needs: the request as decoded.
    pub body: Value,
}

/// A tool on offer.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The JSON schema of its arguments; `null` for a tool that takes free text.
    pub schema: Value,
}

/// Which tools may or must be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides: it calls what the user's text names.
    #[default]
    Auto,
    /// None.
    None,
    /// At least one.
    Any,
    /// One of these.
    Named(Vec<String>),
}

/// The form of the text.
#[derive(Clone, Debug, Default)]
pub enum Format {
    /// Prose.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON that satisfies this schema.
    Schema(Value),
}

/// The whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The alternatives; one unless more were asked for.
    pub turns: Vec<Turn>,
    /// Tokens of everything sent.
    pub input_tokens: u64,
    /// Those of them read from a cache.
    pub cached_tokens: u64,
    /// Those of them written to a cache.
    pub written_tokens: u64,
}

/// One alternative.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The reasoning, when it is on.
    pub reasoning: Option<String>,
    /// The text; empty when tools are called instead.
    pub text: String,
    /// The tool calls.
    pub calls: Vec<Call>,
    /// Why it ended.
    pub end: End,
}

/// One tool call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments, an object; a string for a tool that takes free text.
    pub arguments: Value,
}

/// Why a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was complete.
    Done,
    /// It ran into the token limit.
    Length,
    /// It met this stop sequence.
    Stop(String),
    /// It calls tools.
    Calls,
    /// The vendor's filter cut it.
    Filtered,
    /// The model refused; the text says so.
    Refused,
}

impl Turn {
    /// Tokens of the text and of the calls' arguments, without reasoning.
    pub fn visible_tokens(&self) -> u64 {
        let arguments = self.calls.iter().map(|call| tokens(&compact(&call.arguments))).sum::<u64>();
        tokens(&self.text) + arguments
    }

    /// Tokens of the reasoning.
    pub fn reasoning_tokens(&self) -> u64 {
        self.reasoning.as_deref().map_or(0, tokens)
    }
}

impl Answer {
    /// Tokens of all turns' text and calls.
    pub fn visible_tokens(&self) -> u64 {
        self.turns.iter().map(Turn::visible_tokens).sum()
    }

    /// Tokens of all turns' reasoning.
    pub fn reasoning_tokens(&self) -> u64 {
        self.turns.iter().map(Turn::reasoning_tokens).sum()
    }
}

/// The count that all mocks use: words, that is stretches without white space.
pub fn tokens(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// A tool call's arguments as their vendor-neutral text.
pub fn compact(arguments: &Value) -> String {
    match arguments {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The answer to `ask` by the vendor called `vendor`; `scripted` replaces the parts that it names.
pub fn compose(vendor: &str, ask: &Ask, scripted: Option<&Content>) -> Answer {
    let turns = (0..ask.count.max(1)).map(|index| match scripted {
        Some(content) => from_script(content),
        None => turn(vendor, ask, index),
    });
    let cached_tokens =
        if ask.system.to_ascii_lowercase().contains("cached") { tokens(&ask.system) } else { 0 };
    let written_tokens = ask.marked_tokens.min(ask.input_tokens - cached_tokens);
    let written_tokens = if cached_tokens > 0 { 0 } else { written_tokens };
    Answer { turns: turns.collect(), input_tokens: ask.input_tokens, cached_tokens, written_tokens }
}

/// Cuts `text` into `count` pieces at white space (one for each word when `None`), none of them empty, which together are the text.
pub fn pieces(text: &str, count: Option<usize>) -> Vec<String> {
    let mut words: Vec<String> = text.split_inclusive(char::is_whitespace).map(str::to_owned).collect();
    if let Some(count) = count {
        let size = words.len().div_ceil(count.max(1)).max(1);
        words = words.chunks(size).map(|words| words.concat()).collect();
    }
    words
}

/// Cuts the text of a call's arguments into pieces of eight characters, or into `count`.
pub fn fragments(text: &str, count: Option<usize>) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = count.map_or(8, |count| letters.len().div_ceil(count.max(1))).max(1);
    letters.chunks(size).map(|letters| letters.iter().collect()).collect()
}

fn from_script(content: &Content) -> Turn {
    let calls: Vec<Call> = content
        .calls
        .iter()
        .map(|call| Call { name: call.name.clone(), arguments: call.arguments.clone() })
        .collect();
    let end = match content.finish {
        Some(Ending::Stop) => End::Done,
        Some(Ending::Length) => End::Length,
        Some(Ending::ContentFilter) => End::Filtered,
        Some(Ending::Refusal) => End::Refused,
        None if calls.is_empty() => End::Done,
        None => End::Calls,
    };
    Turn { reasoning: content.reasoning.clone(), text: content.text.clone(), calls, end }
}

fn turn(vendor: &str, ask: &Ask, index: usize) -> Turn {
    let reasoning = ask.reason.then(|| REASONING.to_owned());
    let room = ask.max_tokens.map(|most| most.saturating_sub(reasoning.as_deref().map_or(0, tokens)));
    let calls = calls(ask);
    if !calls.is_empty() {
        let turn = Turn { reasoning, text: String::new(), calls, end: End::Calls };
        if room.is_some_and(|room| turn.visible_tokens() > room) {
            return Turn { calls: Vec::new(), end: End::Length, ..turn };
        }
        return turn;
    }
    let mut text = match &ask.format {
        Format::Text => prose(vendor, ask, index),
        Format::Json => json!({"vendor": vendor, "answer": ask.user}).to_string(),
        Format::Schema(schema) => schema::instance(schema).to_string(),
    };
    let mut end = End::Done;
    let met = ask.stops.iter().filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop)));
    if let Some((at, stop)) = met.min_by_key(|(at, _)| *at) {
        text.truncate(at);
        end = End::Stop(stop.clone());
    }
    if room.is_some_and(|room| tokens(&text) > room) {
        let words = text.split_inclusive(char::is_whitespace).take(room.unwrap_or(0) as usize);
        text = words.collect::<String>().trim_end().to_owned();
        end = End::Length;
    }
    Turn { reasoning, text, calls, end }
}

fn calls(ask: &Ask) -> Vec<Call> {
    if !ask.results.is_empty() || ask.choice == ToolChoice::None {
        return Vec::new();
    }
    let allowed = |tool: &&Tool| match &ask.choice {
        ToolChoice::Named(names) => names.contains(&tool.name),
        _ => true,
    };
    let offered: Vec<&Tool> = ask.tools.iter().filter(allowed).collect();
    let mut called: Vec<&Tool> =
        offered.iter().filter(|tool| ask.user.contains(&tool.name)).copied().collect();
    if called.is_empty() && ask.choice != ToolChoice::Auto {
        called.extend(offered.first());
    }
    if !ask.parallel {
        called.truncate(1);
    }
    let call = |tool: &&Tool| Call {
        name: tool.name.clone(),
        arguments: if tool.schema.is_null() { json!("text") } else { schema::instance(&tool.schema) },
    };
    called.iter().map(call).collect()
}

fn prose(vendor: &str, ask: &Ask, index: usize) -> String {
    let mut text = format!("This is {vendor}. ");
    if ask.results.is_empty() {
        text.push_str(&format!("You said: \"{}\".", ask.user));
    } else {
        let results: Vec<String> = ask.results.iter().map(|result| format!("\"{result}\"")).collect();
        text.push_str(&format!("The tools returned: {}.", results.join(", ")));
    }
    if !ask.images.is_empty() && ask.results.is_empty() {
        let plural = if ask.images.len() == 1 { "" } else { "s" };
        text.push_str(&format!(" I see {} image{plural}, {}.", ask.images.len(), ask.images.join("; ")));
    }
    if index > 0 {
        text.push_str(&format!(" (choice {})", index + 1));
    }
    text
}
