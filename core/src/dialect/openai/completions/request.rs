//! Reads a Completions request into the canonical conversation.

use crate::conversation::{Message, Other, Part, Place, Request, Role};
use crate::dialect::malformed;
use crate::dialect::malformed::missing;
use crate::failure::Failure;
use crate::json::{self, Integer, Raw, Text, TextOr, object};

object! {
    struct WireRequest<'a> {
        "model" => model: Text<'a>,
        "prompt" => prompt: Raw<'a>,
        "suffix" => suffix: Text<'a>,
        "max_tokens" => max_tokens: u64,
        "temperature" => temperature: f64,
        "top_p" => top_p: f64,
        "presence_penalty" => presence_penalty: f64,
        "frequency_penalty" => frequency_penalty: f64,
        "seed" => seed: Integer,
        "stop" => stop: TextOr<'a, Vec<Text<'a>>>,
        "n" => n: u32,
        "best_of" => best_of: u32,
        "echo" => echo: bool,
        "logprobs" => logprobs: u32,
        "user" => user: Text<'a>,
        "stream" => stream: bool,
        "stream_options" => stream_options: StreamOptions<'a>,
        ..others
    }
}

object! {
    struct StreamOptions<'a> {
        "include_usage" => include_usage: bool,
        ..others
    }
}

/// Reads a request's body; a failure names the parameter that is wrong.
pub(crate) fn decode_request(body: &[u8]) -> Result<Request<'_>, Failure> {
    let wire: WireRequest<'_> = json::read(body).map_err(malformed)?;
    let model = wire.model.ok_or_else(|| missing("model"))?;
    if model.is_empty() {
        return Err(Failure::invalid_value("model", "has to name a model"));
    }
    for (path, value) in [("max_tokens", wire.max_tokens), ("n", wire.n.map(u64::from))] {
        // Answers of no token have a use here: with `echo`, they are the chances of the prompt's tokens.
        if value == Some(0) && !(path == "max_tokens" && wire.echo == Some(true)) {
            return Err(Failure::invalid_value(path, "has to be at least 1"));
        }
    }
    let mut others = Vec::new();
    let mut note = |path: &str, content| others.push(Other { path: path.to_owned(), content });
    let prompts = read_prompts(wire.prompt, &mut note)?;
    // What comes behind the gap is a part of the question.
    if wire.suffix.is_some_and(|suffix| !suffix.is_empty()) {
        note("suffix", true);
    }
    if wire.echo == Some(true) {
        note("echo", false);
    }
    if wire.best_of.is_some_and(|count| count != wire.n.unwrap_or(1)) {
        note("best_of", false);
    }
    let asks = |value: &Raw<'_>| !matches!(value.get(), "null" | "\"\"" | "{}" | "[]");
    for (name, value) in &wire.others {
        if asks(value) {
            note(name, false);
        }
    }
    let mut stream_usage = false;
    if let Some(options) = wire.stream_options {
        stream_usage = options.include_usage == Some(true);
        for (name, value) in &options.others {
            if asks(value) && value.get() != "false" {
                note(&format!("stream_options.{name}"), false);
            }
        }
    }
    let messages = prompts.into_iter().enumerate().map(|(index, prompt)| Message {
        role: Role::User,
        name: None,
        parts: prompt.into_iter().map(Part::Text).collect(),
        at: Place::item(index),
    });
    Ok(Request {
        model,
        messages: messages.collect(),
        max_tokens: wire.max_tokens,
        temperature: wire.temperature,
        top_p: wire.top_p,
        presence_penalty: wire.presence_penalty,
        frequency_penalty: wire.frequency_penalty,
        seed: wire.seed.map(|seed| seed.0),
        stop: match wire.stop {
            None => Vec::new(),
            Some(TextOr::Text(text)) => vec![text],
            Some(TextOr::Other(texts)) => texts,
        },
        choices: wire.n,
        logprobs: wire.logprobs.is_some(),
        top_logprobs: wire.logprobs,
        user: wire.user,
        stream: wire.stream.unwrap_or(false),
        stream_usage,
        others,
        ..Request::default()
    })
}

/// The prompts; one without text where it is made of tokens, or not there at all. What can't be said in a conversation
/// goes to `note`: several prompts are several questions, and tokens are of one vendor's vocabulary.
fn read_prompts<'a>(
    prompt: Option<Raw<'a>>,
    note: &mut dyn FnMut(&str, bool),
) -> Result<Vec<Option<Text<'a>>>, Failure> {
    let mistyped = || {
        let message = "Invalid type for 'prompt': expected text, tokens, or a list of either.";
        Failure::invalid(message, Some("prompt".to_owned())).code("invalid_type")
    };
    let Some(prompt) = prompt else {
        note("prompt", true);
        return Ok(vec![None]);
    };
    if prompt.get().starts_with('"') {
        return Ok(vec![Some(prompt.read().map_err(|_| mistyped())?)]);
    }
    let items: Vec<Raw<'a>> = prompt.read().map_err(|_| mistyped())?;
    let texts = items.iter().all(|item| item.get().starts_with('"'));
    if !texts {
        let is_tokens = |value: &Raw<'a>| value.read::<Vec<u32>>().is_ok();
        if !is_tokens(&prompt) && !items.iter().all(is_tokens) {
            return Err(mistyped());
        }
        note("prompt", true);
        return Ok(vec![None]);
    }
    match items.len() {
        0 => return Err(Failure::invalid_value("prompt", "needs at least one text")),
        1 => {}
        _ => note("prompt", true),
    }
    items.into_iter().map(|item| item.read().map(Some).map_err(|_| mistyped())).collect()
}
