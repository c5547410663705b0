//! A streamed answer that is judged window by window: its events are held until the judges know their texts.
//!
//! A window ends where redaction has settled what the judges' copies say of it, so that no value is cut in two for them: a word that
//! may still become one waits, with its event, for the next window.

use std::collections::VecDeque;

use crate::dialect::ClientDialect;
use crate::dialect::texts::{Closing, Found};
use crate::exchange::events::{self, Events};
use crate::exchange::redaction::{Flow, Screen};
use crate::failure::Failure;
use crate::guard::Passage;
use crate::guard::judge::{Reader, Trouble};
use crate::policy::WindowEntry;

/// A stream on its way to the client, in the client's dialect.
#[derive(Debug)]
pub(super) struct Windows {
    client: ClientDialect,
    /// From so many new characters on, the judges are asked.
    characters: usize,
    /// How many bytes may be held.
    limit: usize,
    /// Whether the stream is one JSON array.
    array: bool,
    /// `None` before the first byte.
    events: Option<Events>,
    reader: Reader,
    copies: Vec<Copy>,
    /// The texts that come in parts.
    texts: Vec<Text>,
    /// The events that nobody was asked about, in order.
    held: VecDeque<Event>,
    /// So many of these are settled in every judge's copy,
    settled: usize,
    /// and have so many characters of text.
    fresh: usize,
    /// Those that the judges are being asked about.
    asked: Option<Vec<Event>>,
    held_bytes: usize,
    /// What may go to the client, until it is fetched.
    passed: Vec<u8>,
    /// Something may have gone to the client.
    begun: bool,
    /// The event has come behind which a stream says nothing, or its end.
    over: bool,
    ended: bool,
    /// An event could not be read, so nobody can judge it.
    unread: bool,
    closing: Closing,
    /// Nothing else is for the client.
    closed: bool,
    /// Of an array: whether a comma stands behind what has gone, or its bracket.
    comma: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing, until more comes, or a ruling.
    Wait,
    /// A window is full, or the stream at its end.
    Ask,
    /// Nothing is held.
    Go,
    /// More is held than may be.
    TooMuch,
}

/// One text that comes in parts.
#[derive(Debug)]
struct Text {
    name: String,
    /// How many bytes of it have come.
    length: usize,
}

/// An event, with its blank line; of an array also what stands between two elements.
#[derive(Debug)]
struct Event {
    raw: Vec<u8>,
    /// Which texts it has parts of, and how long each is with that.
    parts: Vec<(usize, usize)>,
    characters: usize,
    /// Whether it has anything to be judged.
    says: bool,
}

/// What one judge gets of the stream, as redaction lets it.
#[derive(Debug)]
struct Copy {
    screen: Option<Screen>,
    /// How many characters it gets again of what came before.
    overlap: usize,
    /// By the positions of the stream's texts.
    texts: Vec<Part>,
    /// Texts that came as wholes.
    wholes: Vec<String>,
    /// It holds what may not go to the judge at all.
    blocked: bool,
}

/// What a copy has of a text.
#[derive(Debug, Default)]
struct Part {
    flow: Option<Flow>,
    said: String,
    /// So much of it the judge has been asked about.
    asked: usize,
}

/// So many texts are followed; the parts of any others stand by themselves.
const MAX_TEXTS: usize = 256;

impl Windows {
    /// `judges`: the windows of each, and what its copy goes through. `limit`: of what is held, in bytes.
    pub(super) fn new(
        client: ClientDialect,
        judges: impl Iterator<Item = (WindowEntry, Option<Screen>)>,
        limit: usize,
    ) -> Self {
        let mut characters = 0;
        let copy = |(window, screen): (WindowEntry, Option<Screen>)| {
            characters = characters.max(window.characters);
            Copy { screen, overlap: window.overlap, texts: Vec::new(), wholes: Vec::new(), blocked: false }
        };
        let copies = judges.map(copy).collect();
        Self {
            client,
            characters,
            limit,
            array: false,
            events: None,
            reader: Reader::new(client),
            copies,
            texts: Vec::new(),
            held: VecDeque::new(),
            settled: 0,
            fresh: 0,
            asked: None,
            held_bytes: 0,
            passed: Vec::new(),
            begun: false,
            over: false,
            ended: false,
            unread: false,
            closing: Closing::new(client),
            closed: false,
            comma: false,
        }
    }

    /// Takes more of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        let Some(first) = bytes.trim_ascii_start().first().or(bytes.first()) else { return };
        let mut events = self.events.take().unwrap_or_else(|| {
            // Google's streams are one JSON list where nobody asks for events.
            self.array = *first == b'[';
            Events::new(self.array)
        });
        events.push(bytes, &mut |raw| {
            self.event(raw);
            true
        });
        self.events = Some(events);
    }

    /// The stream has ended.
    pub(super) fn end(&mut self) {
        let rest = self.events.as_mut().map(Events::rest).unwrap_or_default();
        if !rest.is_empty() {
            self.event(&rest);
        }
        (self.over, self.ended) = (true, true);
        self.finish(&|_| true);
        self.settle();
    }

    /// What is to be done now.
    pub(super) fn due(&mut self) -> Due {
        let unfinished = self.events.as_ref().map_or(0, Events::unfinished);
        let copied: usize = self.copies.iter().map(Copy::length).sum();
        if self.held_bytes + unfinished + copied > self.limit {
            return Due::TooMuch;
        }
        if self.asked.is_some() {
            return Due::Wait;
        }
        let says = self.held.iter().take(self.settled).any(|event| event.says);
        if self.unread || says && (self.over || self.fresh >= self.characters) {
            return Due::Ask;
        }
        // What says nothing waits only for what is before it. The first verdict is waited for with the headers in hand.
        if self.ended || self.begun && unfinished == 0 && self.held.iter().all(|event| !event.says) {
            let held = std::mem::take(&mut self.held).into();
            self.release(held);
            (self.settled, self.fresh) = (0, 0);
            return Due::Go;
        }
        Due::Wait
    }

    /// Takes the window that is due: its events wait for [`Self::pass`].
    pub(super) fn take(&mut self) {
        let count = if self.unread { self.held.len() } else { self.settled };
        self.asked = Some(self.held.drain(..count).collect());
        (self.settled, self.fresh) = (0, 0);
        self.settle();
    }

    /// What the judge at this position is to be asked about; empty where there is nothing for it.
    pub(super) fn question(&mut self, judge: usize) -> Result<Vec<Passage>, Trouble> {
        let Some(copy) = self.copies.get_mut(judge) else { return Ok(Vec::new()) };
        let asked = copy.question();
        match (self.unread, copy.blocked) {
            (true, _) => Err(Trouble::Malformed),
            (_, true) => Err(Trouble::Blocked),
            _ => Ok(asked),
        }
    }

    /// All judges have been asked.
    pub(super) fn has_asked(&mut self) {
        self.unread = false;
    }

    /// The window that was asked about may go to the client.
    pub(super) fn pass(&mut self) {
        let asked = self.asked.take().unwrap_or_default();
        self.release(asked);
    }

    /// What may go to the client now. Behind the event that ends a stream, the rest goes at once: a host that has sent some of it could
    /// send nothing else if trailers came.
    pub(super) fn fetch(&mut self) -> Vec<u8> {
        match self.over && !self.is_idle() {
            true => Vec::new(),
            false => std::mem::take(&mut self.passed),
        }
    }

    /// Whether nothing waits for more of the stream, or for a verdict.
    pub(super) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.asked.is_none()
    }

    /// Whether nothing else is for the client.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Nothing of it is for the client.
    pub(super) fn forget(&mut self) {
        self.closed = true;
        (self.held, self.asked, self.passed) = Default::default();
    }

    /// Whether anything has gone to the client.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the client's stream is made of server-sent events.
    pub(super) fn is_of_events(&self) -> bool {
        !self.array
    }

    /// What may go, and then the end of a stream whose answer is withheld, or breaks off by a failure. Nothing that is held goes.
    pub(super) fn close(&mut self, failure: &Failure, withheld: bool) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.passed);
        self.forget();
        if self.array && !self.comma {
            out.extend_from_slice(b",\r\n");
        }
        match (withheld, self.array) {
            (true, array) => self.closing.end(array, &mut out),
            (false, false) => self.client.end_stream(failure, &mut out),
            (false, true) => {
                out.extend_from_slice(&self.client.encode_failure(failure));
                out.push(b']');
            }
        }
        out
    }

    fn release(&mut self, events: Vec<Event>) {
        self.begun |= !events.is_empty();
        for event in events {
            let mut is_data = false;
            // What can't be read says nothing of how the stream has to end.
            let _ = events::read(self.array, &event.raw, &mut |_, data| {
                is_data = true;
                self.closing.see(data);
            });
            match is_data {
                true => self.comma = false,
                false => self.comma |= event.raw.iter().any(|byte| matches!(byte, b',' | b'[')),
            }
            self.held_bytes -= event.raw.len();
            self.passed.extend_from_slice(&event.raw);
        }
    }

    fn event(&mut self, raw: &[u8]) {
        let mut event = Event { raw: raw.to_vec(), parts: Vec::new(), characters: 0, says: false };
        let mut readable = true;
        let read = events::read(self.array, raw, &mut |_, data| readable = self.data(data, &mut event));
        if read.is_err() || !readable {
            (self.unread, event.says) = (true, true);
        }
        self.held_bytes += raw.len();
        self.held.push_back(event);
        self.settle();
    }

    /// Takes an event's data in; returns whether it could be read.
    fn data(&mut self, data: &str, event: &mut Event) -> bool {
        let Self { reader, copies, texts, .. } = self;
        let read = reader.read(data, &mut |name, found| {
            let (Found::Text(said) | Found::Json(said) | Found::Delta { text: said, .. }) = found else {
                return;
            };
            event.says = true;
            event.characters += said.chars().count();
            let known = texts.iter().position(|text| text.name == name);
            if name.is_empty() || known.is_none() && texts.len() >= MAX_TEXTS {
                return copies.iter_mut().for_each(|copy| copy.whole(found));
            }
            let position = known.unwrap_or_else(|| {
                texts.push(Text { name, length: 0 });
                texts.len() - 1
            });
            let json = matches!(found, Found::Delta { json: true, .. });
            copies.iter_mut().for_each(|copy| copy.part(position, said, json));
            if let Some(text) = texts.get_mut(position) {
                text.length += said.len();
                event.parts.push((position, text.length));
            }
        });
        match read {
            Ok(Some(read)) => {
                self.over |= read.is_last();
                self.finish(&|text| read.ends(text));
                true
            }
            Ok(None) => {
                self.over = true;
                self.finish(&|_| true);
                true
            }
            Err(_) => false,
        }
    }

    /// Some texts end here.
    fn finish(&mut self, ends: &dyn Fn(&str) -> bool) {
        for (position, text) in self.texts.iter().enumerate() {
            let flows = self
                .copies
                .iter()
                .any(|copy| copy.texts.get(position).is_some_and(|part| part.flow.is_some()));
            if flows && ends(&text.name) {
                self.copies.iter_mut().for_each(|copy| copy.end(position));
            }
        }
    }

    /// Follows how many of the events are settled.
    fn settle(&mut self) {
        while let Some(event) = self.held.get(self.settled) {
            let is_settled = |(text, length): &(usize, usize)| {
                let come = self.texts.get(*text).map_or(0, |text| text.length);
                self.copies.iter().all(|copy| length + copy.held(*text) <= come)
            };
            if !event.parts.iter().all(is_settled) {
                return;
            }
            self.fresh += event.characters;
            self.settled += 1;
        }
    }
}

impl Copy {
    fn length(&self) -> usize {
        let parts: usize = self.texts.iter().map(|part| part.said.len()).sum();
        parts + self.wholes.iter().map(String::len).sum::<usize>()
    }

    fn whole(&mut self, found: Found<'_>) {
        let (Found::Text(said) | Found::Json(said) | Found::Delta { text: said, .. }) = found else { return };
        let masked = self.screen.as_mut().and_then(|screen| screen.whole(found));
        self.wholes.push(masked.unwrap_or_else(|| said.to_owned()));
        self.look();
    }

    fn part(&mut self, position: usize, said: &str, json: bool) {
        if self.texts.len() <= position {
            self.texts.resize_with(position + 1, Part::default);
        }
        let Some(part) = self.texts.get_mut(position) else { return };
        match &mut self.screen {
            None => part.said.push_str(said),
            Some(screen) => {
                let flow = part.flow.get_or_insert_with(|| screen.flow_of_parts(json));
                screen.push(flow, said, &mut part.said);
            }
        }
        self.look();
    }

    fn end(&mut self, position: usize) {
        if let (Some(screen), Some(part)) = (&mut self.screen, self.texts.get_mut(position))
            && let Some(mut flow) = part.flow.take()
        {
            screen.end(&mut flow, &mut part.said);
        }
        self.look();
    }

    fn look(&mut self) {
        self.blocked |= self.screen.as_ref().is_some_and(|screen| screen.outcome().blocked.is_some());
    }

    /// How many bytes of a text are not settled.
    fn held(&self, position: usize) -> usize {
        let flow = self.texts.get(position).and_then(|part| part.flow.as_ref());
        flow.map_or(0, Flow::held)
    }

    /// What is new, each text with what came before it.
    fn question(&mut self) -> Vec<Passage> {
        let mut passages = Vec::new();
        for part in &mut self.texts {
            let (before, new) = part.said.split_at_checked(part.asked).unwrap_or((&part.said, ""));
            if !new.trim().is_empty() {
                let from = before.len() - tail(before, self.overlap).len();
                passages.push(part.said.get(from..).unwrap_or_default().to_owned());
            }
            part.said = tail(&part.said, self.overlap).to_owned();
            part.asked = part.said.len();
        }
        passages.append(&mut self.wholes);
        passages.into_iter().map(Passage::of_answer).collect()
    }
}

/// The last characters of a text, so many at most.
fn tail(text: &str, characters: usize) -> &str {
    let start = match characters {
        0 => text.len(),
        _ => text.char_indices().rev().nth(characters - 1).map_or(0, |(at, _)| at),
    };
    text.get(start..).unwrap_or_default()
}
