//! The texts of requests and answers as judges get them: each message's together, a stream's parts as wholes.

use crate::dialect::ClientDialect;
use crate::dialect::texts::{self, Found, Repeats, Side, Source, StreamEvent};
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
    let mut said = Said { client, passages: Vec::new(), names: Vec::new(), streamed: false };
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
        {
            passages.add(place, text);
        }
        Ok(None)
    })?;
    Ok(passages.0)
}

/// What a stream has said.
struct Said {
    client: ClientDialect,
    passages: Vec<Passage>,
    /// Which of its texts each passage is.
    names: Vec<String>,
    /// Whether any text came in parts: what says it again says nothing new then.
    streamed: bool,
}

impl Said {
    /// Takes an event's data; returns whether it could be read.
    fn event(&mut self, data: &str) -> bool {
        // How streams of OpenAI's end.
        if data.trim() == "[DONE]" {
            return true;
        }
        let Ok(event) = StreamEvent::read(self.client, data) else { return false };
        let skips = match event.repeats() {
            Repeats::Nothing => false,
            Repeats::Answer => self.streamed,
            Repeats::Request => true,
        };
        if skips || !event.is_text() {
            return true;
        }
        let walked = event.walk(0, &mut |place, found| {
            match found {
                Found::Delta { text, .. } => {
                    self.streamed = true;
                    self.add(event.text_of(place), text);
                }
                // What a stream says as a whole stands by itself.
                Found::Text(text) | Found::Json(text) if !text.trim().is_empty() => {
                    self.add(String::new(), text);
                }
                Found::Text(_) | Found::Json(_) | Found::Unreadable | Found::Tokens => {}
            }
            Ok(None)
        });
        walked.is_ok()
    }

    fn add(&mut self, name: String, text: &str) {
        let known = self.names.iter().position(|other| !name.is_empty() && *other == name);
        match known.and_then(|at| self.passages.get_mut(at)) {
            Some(passage) => passage.text.push_str(text),
            None => {
                self.passages.push(Passage {
                    message: String::new(),
                    source: Source::Assistant,
                    text: text.to_owned(),
                });
                self.names.push(name);
            }
        }
    }
}
