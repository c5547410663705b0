//! The end of a stream whose answer is withheld from here on, in the words in which the client's dialect says so.

use super::tape::{Kind, Tape};
use crate::dialect::ClientDialect;

/// What a client has seen of a stream, as far as its end has to fit that.
#[derive(Debug)]
pub(crate) struct Closing {
    client: ClientDialect,
    /// Members that every event has, as JSON with their names and a comma behind each.
    head: String,
    /// The choices, candidates or blocks that have begun and not ended.
    open: Vec<String>,
    /// Of the Responses API: the response as it began.
    response: String,
    /// The greatest number of an event.
    number: i64,
    /// What Anthropic's clients were told of the tokens of the answer.
    output_tokens: String,
}

impl Closing {
    pub(crate) fn new(client: ClientDialect) -> Self {
        Self {
            client,
            head: String::new(),
            open: Vec::new(),
            response: String::new(),
            number: 0,
            output_tokens: "0".to_owned(),
        }
    }

    /// Takes note of an event that the client gets.
    pub(crate) fn see(&mut self, data: &str) {
        let Ok(tape) = Tape::read(data.as_bytes()) else { return };
        match self.client {
            ClientDialect::Anthropic => self.see_messages(&tape),
            ClientDialect::OpenAiResponses => self.see_responses(&tape),
            ClientDialect::Gemini => {
                self.keep(&tape, &["modelVersion", "responseId", "usageMetadata"]);
                self.see_choices(&tape, "candidates", "finishReason");
            }
            _ => {
                self.keep(&tape, &["id", "object", "created", "model"]);
                self.see_choices(&tape, "choices", "finish_reason");
            }
        }
    }

    fn keep(&mut self, tape: &Tape<'_>, names: &[&str]) {
        let of = |name: &&str| {
            let (_, node) = tape.member(0, name)?;
            Some(format!("\"{name}\":{},", tape.raw(node)))
        };
        let head: String = names.iter().filter_map(of).collect();
        if !head.is_empty() {
            self.head = head;
        }
    }

    fn see_choices(&mut self, tape: &Tape<'_>, list: &str, finish: &str) {
        let Some((list, _)) = tape.member(0, list) else { return };
        for (choice, _) in tape.children(list) {
            let index = tape.member(choice, "index").map_or("0", |(_, node)| tape.raw(node));
            let ended = tape.member(choice, finish).is_some_and(|(_, node)| node.kind == Kind::String);
            self.open.retain(|open| open != index);
            if !ended {
                self.open.push(index.to_owned());
            }
        }
    }

    fn see_messages(&mut self, tape: &Tape<'_>) {
        let index = || tape.member(0, "index").map_or("0", |(_, node)| tape.raw(node)).to_owned();
        match tape.text_of(0, "type").as_deref() {
            Some("content_block_start") => self.open.push(index()),
            Some("content_block_stop") => {
                let index = index();
                self.open.retain(|open| *open != index);
            }
            Some("message_start") => {
                let message = tape.member(0, "message").map(|(message, _)| message);
                let usage = message.and_then(|message| Some(tape.member(message, "usage")?.0));
                let tokens = usage.and_then(|usage| Some(tape.member(usage, "output_tokens")?.1));
                if let Some(tokens) = tokens {
                    tape.raw(tokens).clone_into(&mut self.output_tokens);
                }
            }
            _ => {}
        }
    }

    fn see_responses(&mut self, tape: &Tape<'_>) {
        let number = tape.member(0, "sequence_number").and_then(|(_, node)| tape.raw(node).parse().ok());
        self.number = self.number.max(number.unwrap_or(0));
        if let (true, Some((_, response))) = (self.response.is_empty(), tape.member(0, "response")) {
            tape.raw(response).clone_into(&mut self.response);
        }
    }

    /// Appends the end. `array`: the stream is one JSON array, and a comma stands behind its last element.
    pub(crate) fn end(&self, array: bool, out: &mut Vec<u8>) {
        let mut say = |name: &str, data: &str| {
            let name = if name.is_empty() { String::new() } else { format!("event: {name}\n") };
            out.extend_from_slice(format!("{name}data: {data}\n\n").as_bytes());
        };
        match self.client {
            ClientDialect::Anthropic => {
                for open in &self.open {
                    say("content_block_stop", &format!(r#"{{"type":"content_block_stop","index":{open}}}"#));
                }
                let tokens = &self.output_tokens;
                say(
                    "message_delta",
                    &format!(
                        r#"{{"type":"message_delta","delta":{{"stop_reason":"refusal","stop_sequence":null}},"usage":{{"output_tokens":{tokens}}}}}"#
                    ),
                );
                say("message_stop", r#"{"type":"message_stop"}"#);
            }
            ClientDialect::OpenAiResponses => {
                let response = self.incomplete();
                let number = self.number + 1;
                say(
                    "response.incomplete",
                    &format!(
                        r#"{{"type":"response.incomplete","sequence_number":{number},"response":{response}}}"#
                    ),
                );
            }
            ClientDialect::Gemini => {
                let candidate = |index: &str| {
                    format!(
                        r#"{{"content":{{"parts":[],"role":"model"}},"finishReason":"SAFETY","index":{index}}}"#
                    )
                };
                let last = format!(r#"{{{}"candidates":[{}]}}"#, self.head, self.each(candidate));
                match array {
                    true => out.extend_from_slice(format!("{last}]").as_bytes()),
                    false => say("", &last),
                }
            }
            client => {
                let choice = |index: &str| match client {
                    ClientDialect::OpenAiCompletions => format!(
                        r#"{{"text":"","index":{index},"logprobs":null,"finish_reason":"content_filter"}}"#
                    ),
                    _ => format!(r#"{{"index":{index},"delta":{{}},"finish_reason":"content_filter"}}"#),
                };
                say("", &format!(r#"{{{}"choices":[{}]}}"#, self.head, self.each(choice)));
                say("", "[DONE]");
            }
        }
    }

    /// What is said of each that is open; of the first, where none has begun.
    fn each(&self, say: impl Fn(&str) -> String) -> String {
        match self.open.is_empty() {
            true => say("0"),
            false => self.open.iter().map(|index| say(index)).collect::<Vec<_>>().join(","),
        }
    }

    /// The response, incomplete now.
    fn incomplete(&self) -> String {
        let Ok(tape) = Tape::read(self.response.as_bytes()) else { return "null".to_owned() };
        let edit = |name: &str, value: &str| {
            let (_, node) = tape.member(0, name)?;
            Some((tape.span(node), value.to_owned()))
        };
        let status = edit("status", r#""incomplete""#);
        let details = edit("incomplete_details", r#"{"reason":"content_filter"}"#);
        let mut edits: Vec<_> = status.into_iter().chain(details).collect();
        if let [one, other] = edits.as_mut_slice()
            && one.0.start > other.0.start
        {
            std::mem::swap(one, other);
        }
        let edited = tape.edited(edits).and_then(|bytes| String::from_utf8(bytes).ok());
        edited.unwrap_or_else(|| self.response.clone())
    }
}
