//! The texts of requests and answers as judges get them: each message's together, a stream's parts as wholes.

use crate::dialect::ClientDialect;
use crate::dialect::texts::{self, Found, Place, Repeats, Side, StreamEvent};
use crate::failure::Failure;
use crate::guard::{Passage, Passages};
use crate::json::{self, Raw};
use crate::stream::sse;

/// The texts of a request.
pub(crate) fn of_request(client: ClientDialect, body: &[u8]) -> Result<Vec<Passage>, Failure> {
    of_body(client, Side::Request, body)
}

/// The texts of a whole answer, or of a whole stream, in the client's own dialect.
pub(crate) fn of_answer(client: ClientDialect, stream: bool, body: &[u8]) -> Result<Vec<Passage>, Failure> {
    if !stream {
        return of_body(client, Side::Answer, body);
    }
    let unreadable = || Failure::malformed("The provider's stream could not be read.");
    let mut said = Said { reader: Reader::new(client), passages: Vec::new(), names: Vec::new() };
    let mut faulty = false;
    if body.trim_ascii_start().starts_with(b"[") {
        // Google's streams are one JSON list where nobody asks for events.
        let events: Vec<Raw<'_>> = json::read(body).map_err(|_| unreadable())?;
        faulty |= !events.iter().all(|event| said.event(event.get()));
    } else {
        let mut decoder = sse::Decoder::new(usize::MAX);
        let mut each = |event: sse::Event<'_>| faulty |= !said.event(&event.data);
        decoder.push(body, &mut each).and_then(|()| decoder.finish(&mut each)).map_err(|_| unreadable())?;
    }
    if faulty { Err(unreadable()) } else { Ok(said.passages) }
}

fn of_body(client: ClientDialect, side: Side, body: &[u8]) -> Result<Vec<Passage>, Failure> {
    let mut passages = Passages::default();
    texts::walk(client, side, body, &mut |place, found| {
        if let Found::Text(text) | Found::Json(text) | Found::Delta { text, .. } = found
            && !text.trim().is_empty()
            && !(side == Side::Answer && is_of_usage(place))
        {
            passages.add(place, text);
        }
        Ok(None)
    })?;
    Ok(passages.0)
}

/// Reads what the events of a client's stream say.
#[derive(Debug)]
pub(crate) struct Reader {
    client: ClientDialect,
    /// Whether any text came in parts: what says it again says nothing new then.
    streamed: bool,
}

/// An event is none of the client's dialect.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Reader {
    pub(crate) fn new(client: ClientDialect) -> Self {
        Self { client, streamed: false }
    }

    /// Gives each text of an event's data to `say`, with the name of the one that it is a part of; what is said as a whole has none.
    /// Returns the event; `None` for the word by which streams of OpenAI's end.
    pub(crate) fn read<'d>(
        &mut self,
        data: &'d str,
        say: &mut dyn FnMut(String, Found<'_>),
    ) -> Result<Option<StreamEvent<'d>>, Unreadable> {
        if data.trim() == "[DONE]" {
            return Ok(None);
        }
        let event = StreamEvent::read(self.client, data).map_err(|_| Unreadable)?;
        let skips = match event.repeats() {
            Repeats::Nothing => false,
            Repeats::Answer => self.streamed,
            Repeats::Request => true,
        };
        if !skips && event.is_text() {
            let walked = event.walk(0, &mut |place, found| {
                match found {
                    Found::Delta { text, json } => {
                        self.streamed = true;
                        say(event.text_of(place), Found::Delta { text, json: json || event.is_json() });
                    }
                    Found::Text(text) | Found::Json(text)
                        if !text.trim().is_empty() && !is_of_usage(place) =>
                    {
                        say(String::new(), found);
                    }
                    Found::Text(_) | Found::Json(_) | Found::Unreadable | Found::Tokens => {}
                }
                Ok(None)
            });
            walked.map_err(|_| Unreadable)?;
        }
        Ok(Some(event))
    }
}

/// Whether a text is a word of the vendor's on what an answer has used.
fn is_of_usage(place: &Place<'_>) -> bool {
    let path = place.path();
    ["usage", "message.usage", "response.usage", "usageMetadata"]
        .iter()
        .any(|usage| path.strip_prefix(usage).is_some_and(|rest| rest.starts_with(['.', '['])))
}

/// What a stream has said.
struct Said {
    reader: Reader,
    passages: Vec<Passage>,
    /// Which of its texts each passage is.
    names: Vec<String>,
}

impl Said {
    /// Takes an event's data; returns whether it could be read.
    fn event(&mut self, data: &str) -> bool {
        let Self { reader, passages, names } = self;
        let read = reader.read(data, &mut |name, found| {
            let (Found::Text(text) | Found::Json(text) | Found::Delta { text, .. }) = found else { return };
            let known = names.iter().position(|other| !name.is_empty() && *other == name);
            match known.and_then(|at| passages.get_mut(at)) {
                Some(passage) => passage.text.push_str(text),
                None => {
                    passages.push(Passage::of_answer(text.to_owned()));
                    names.push(name);
                }
            }
        });
        read.is_ok()
    }
}
