//! A streamed answer on its way to the client, masked event by event.
//!
//! What is held back of a text is said before the event that ends it, in an event of its own where that has no place for it.

use super::screen::{Flow, Screen};
use crate::dialect::ClientDialect;
use crate::dialect::texts::{Closing, Found, Repeats, Shell, StreamEvent};
use crate::exchange::events::{self, Events};
use crate::redact::{Outcome, RuleId};

/// Masks the client's stream.
#[derive(Debug)]
pub(crate) struct StreamMask {
    client: ClientDialect,
    /// Whether the stream is one JSON array.
    array: bool,
    /// Whether anything is replaced: then the chances of tokens are left out, which would tell what it was.
    replaces: bool,
    screen: Screen,
    events: Events,
    texts: Vec<Text>,
    /// How many events were added to the stream.
    added: i64,
    /// The greatest number of an event so far.
    number: i64,
    /// Whether any text came in parts.
    streamed: bool,
    blocked: Option<RuleId>,
    /// What the end of the stream has to fit, where it may have to be ended.
    closing: Option<Closing>,
}

/// So many texts may be under way at once; the parts of any others are texts of their own.
const MAX_TEXTS: usize = 256;

/// A text that comes in parts.
#[derive(Debug)]
struct Text {
    name: String,
    flow: Flow,
    /// The last event that had a part of it, which shows how the rest is said; and under which name.
    last: String,
    event: String,
}

impl Text {
    /// How the rest of it is said.
    fn shell(&self, client: ClientDialect) -> Shell {
        let mut shell = Shell::default();
        let Ok(event) = StreamEvent::read(client, &self.last) else { return shell };
        let mut see = |place: &crate::dialect::texts::Place<'_>, found: Found<'_>| {
            if matches!(found, Found::Delta { .. }) && event.text_of(place) == self.name {
                shell = event.shell(place);
            }
            Ok(None)
        };
        let _ = event.walk(0, &mut see);
        shell
    }
}

impl StreamMask {
    pub(crate) fn new(client: ClientDialect, array: bool, replaces: bool, screen: Screen) -> Self {
        Self {
            client,
            array,
            replaces,
            screen,
            events: Events::new(array),
            texts: Vec::new(),
            added: 0,
            number: 0,
            streamed: false,
            blocked: None,
            closing: None,
        }
    }

    /// The same, ready to end the stream as one whose answer is withheld.
    pub(crate) fn closing(self) -> Self {
        Self { closing: Some(Closing::new(self.client)), ..self }
    }

    /// Ends the stream as one whose answer is withheld.
    pub(crate) fn close(&self, out: &mut Vec<u8>) {
        if let Some(closing) = &self.closing {
            closing.end(self.array, out);
        }
    }

    /// Takes more of the client's stream; what it becomes is appended to `out`.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut events = std::mem::take(&mut self.events);
        events.push(bytes, &mut |event| self.event(event, out));
        self.events = events;
    }

    /// The stream has ended; what is left of it is appended to `out`.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        let rest = self.events.rest();
        if !rest.is_empty() {
            self.event(&rest, out);
        }
        if self.blocked.is_none() {
            self.number += 1;
            self.end_texts(&|_| true, out);
        }
    }

    /// The rule that lets nothing of what it has found pass, once it has: the stream has to be ended then.
    pub(crate) fn blocked(&self) -> Option<RuleId> {
        self.blocked
    }

    /// What was found since this was asked last.
    pub(crate) fn take_outcome(&mut self) -> Outcome {
        self.screen.take_outcome()
    }

    /// Returns whether more may come.
    fn event(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        if self.blocked.is_some() {
            return false;
        }
        let mut is_data = false;
        let parsed = events::read(self.array, raw, &mut |name, data| {
            is_data = true;
            self.data(raw, name, data, out);
        });
        // Comments pass at once, and what stands between elements; what is not UTF-8 has been refused before.
        if !is_data && (parsed.is_ok() || self.array) {
            out.extend_from_slice(raw);
        }
        self.blocked.is_none()
    }

    fn data(&mut self, raw: &[u8], name: &str, data: &str, out: &mut Vec<u8>) {
        let Ok(event) = StreamEvent::read(self.client, data) else {
            self.end_texts(&|_| true, out);
            let text = if data == "[DONE]" { None } else { self.screen.whole(Found::Text(data)) };
            return self.write(raw, name, data, text, out);
        };
        let counted = match event.repeats() {
            Repeats::Nothing => None,
            Repeats::Answer if !self.streamed => None,
            Repeats::Answer | Repeats::Request => Some(self.screen.take_outcome()),
        };
        if let Some(number) = event.number() {
            self.number = self.number.max(number);
        }
        let mut own: Vec<String> = Vec::new();
        // What this event ends and says nothing of comes before it.
        let mut parts = Vec::new();
        let mut seen = |place: &crate::dialect::texts::Place<'_>, found: Found<'_>| {
            if matches!(found, Found::Delta { .. }) {
                parts.push(event.text_of(place));
            }
            Ok(None)
        };
        if self.texts.iter().any(|text| event.ends(&text.name)) {
            let _ = event.walk(0, &mut seen);
            self.end_texts(&|text| event.ends(text) && !parts.iter().any(|part| part == text), out);
        }
        let replaces = self.replaces;
        let Self { screen, texts, streamed, .. } = self;
        let walked = event.walk(self.added, &mut |place, found| {
            Ok(match found {
                Found::Delta { text, json } if event.is_text() => {
                    *streamed = true;
                    let name = event.text_of(place);
                    let known = texts.iter().position(|text| text.name == name);
                    if known.is_none() && texts.len() >= MAX_TEXTS {
                        return Ok(screen.whole(Found::Text(text)));
                    }
                    let position = known.unwrap_or_else(|| {
                        let flow = screen.flow_of_parts(json || event.is_json());
                        let name = name.clone();
                        texts.push(Text { name, flow, last: String::new(), event: String::new() });
                        texts.len() - 1
                    });
                    let mut said = String::with_capacity(text.len());
                    if event.ends_with(place, &name) {
                        let mut ended = texts.remove(position);
                        screen.push(&mut ended.flow, text, &mut said);
                        screen.end(&mut ended.flow, &mut said);
                    } else if let Some(known) = texts.get_mut(position) {
                        screen.push(&mut known.flow, text, &mut said);
                        data.clone_into(&mut known.last);
                    }
                    own.push(name);
                    (said != text).then_some(said)
                }
                Found::Delta { .. } => None,
                Found::Tokens => replaces.then(String::new),
                found => screen.whole(found),
            })
        });
        // A part may stand in the event by which its block begins.
        let name_of_part = if self.client == ClientDialect::Anthropic { "content_block_delta" } else { name };
        for text in self.texts.iter_mut().filter(|text| own.contains(&text.name)) {
            name_of_part.clone_into(&mut text.event);
        }
        if let Some(counted) = counted {
            self.screen.set_outcome(counted);
        }
        self.blocked = self.screen.outcome().blocked;
        if self.blocked.is_some() {
            return;
        }
        // The walk ends with an error only where the visitor does, and it does not.
        let changed = walked.ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(closing) = &mut self.closing {
            closing.see(changed.as_deref().unwrap_or(data));
        }
        self.write(raw, name, data, changed, out);
    }

    /// Says what is held back of some texts, which end here.
    fn end_texts(&mut self, ends: &dyn Fn(&str) -> bool, out: &mut Vec<u8>) {
        let texts = std::mem::take(&mut self.texts);
        for mut text in texts {
            if !ends(&text.name) {
                self.texts.push(text);
                continue;
            }
            let mut rest = String::new();
            self.screen.end(&mut text.flow, &mut rest);
            self.blocked = self.screen.outcome().blocked;
            if self.blocked.is_some() {
                return;
            }
            if rest.is_empty() {
                continue;
            }
            let data = text.shell(self.client).say(&rest, self.number + self.added);
            self.added += 1;
            if self.array {
                out.extend_from_slice(data.as_bytes());
                out.extend_from_slice(b",\r\n");
                continue;
            }
            if !text.event.is_empty() {
                out.extend_from_slice(format!("event: {}\n", text.event).as_bytes());
            }
            out.extend_from_slice(format!("data: {data}\n\n").as_bytes());
        }
    }

    /// Writes an event as it came, or with other data.
    fn write(&self, raw: &[u8], name: &str, data: &str, changed: Option<String>, out: &mut Vec<u8>) {
        let Some(changed) = changed else { return out.extend_from_slice(raw) };
        if self.array {
            return out.extend_from_slice(changed.as_bytes());
        }
        // Whatever else stands in the event stays.
        if let Some(at) = place_of(data.as_bytes(), raw) {
            out.extend_from_slice(raw.get(..at).unwrap_or_default());
            let lines: Vec<&str> = changed.split('\n').collect();
            out.extend_from_slice(lines.join("\ndata: ").as_bytes());
            return out.extend_from_slice(raw.get(at + data.len()..).unwrap_or_default());
        }
        if !name.is_empty() {
            out.extend_from_slice(format!("event: {name}\n").as_bytes());
        }
        for line in changed.split('\n') {
            out.extend_from_slice(format!("data: {line}\n").as_bytes());
        }
        out.push(b'\n');
    }
}

/// Where an event has its data: mostly a few bytes behind its beginning, where a look finds it sooner than a search is prepared.
fn place_of(data: &[u8], event: &[u8]) -> Option<usize> {
    const LOOKS: usize = 8;
    let begins = |at: &usize| event.get(*at..).is_some_and(|rest| rest.starts_with(data));
    let near = data.first().and_then(|first| memchr::memchr_iter(*first, event).take(LOOKS).find(begins));
    near.or_else(|| memchr::memmem::find(event, data))
}
