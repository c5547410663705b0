//! A streamed answer on its way: taken apart, watched, and translated or passed.

use crate::conversation::Event;
use crate::dialect::{ChatEncoder, ClientDialect, ProviderDialect, ProviderStream};
use crate::failure::Failure;
use crate::stream::sse;
use crate::usage::Usage;

/// A streamed answer on its way.
#[derive(Debug)]
pub struct StreamAnswer {
    client: ClientDialect,
    decoder: sse::Decoder,
    reader: ProviderStream,
    way: Way,
    progress: Progress,
    /// We have ended the answer ourselves: whatever else comes is not for the client.
    cut: bool,
}

/// Whether a stream's headers are still held, and why.
#[derive(Debug, PartialEq)]
pub enum Held {
    /// Its first event has not come.
    Waiting,
    /// It has begun.
    Begun,
    /// Its first event was a failure.
    Failed(Failure),
}

#[derive(Debug)]
enum Way {
    Translated(Box<ChatEncoder>),
    Native(Passage),
}

/// The provider's bytes on their way to a client of the same dialect: whole events only, so that an answer that breaks off
/// can still be given a proper end.
#[derive(Debug, Default)]
struct Passage {
    /// How many bytes the client has got.
    delivered: u64,
    /// The bytes behind those: the beginning of an event.
    tail: Vec<u8>,
}

/// What has been learnt from the events.
#[derive(Debug)]
struct Progress {
    held: Held,
    usage: Option<Usage>,
    /// The answer is complete, or has failed.
    over: bool,
}

impl StreamAnswer {
    /// `writer`: `None` where the provider's bytes are the client's. `limit`: of one event, in bytes.
    pub(super) fn new(
        client: ClientDialect,
        provider: ProviderDialect,
        writer: Option<ChatEncoder>,
        limit: usize,
    ) -> Self {
        Self {
            client,
            decoder: sse::Decoder::new(limit),
            reader: provider.stream(),
            way: writer
                .map_or_else(|| Way::Native(Passage::default()), |writer| Way::Translated(Box::new(writer))),
            progress: Progress { held: Held::Waiting, usage: None, over: false },
            cut: false,
        }
    }

    /// Whether the headers are still held.
    pub fn held(&self) -> &Held {
        &self.progress.held
    }

    /// What the stream has used so far.
    pub fn usage(&self) -> Option<Usage> {
        self.progress.usage
    }

    /// Takes more of the provider's stream; what it becomes is appended to `out`.
    ///
    /// Returns whether the provider's bytes pass as they are, and `out` gets nothing.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        if self.progress.over {
            return matches!(self.way, Way::Native(_)) && !self.cut;
        }
        let Self { decoder, reader, way, progress, .. } = self;
        let mut readable = 0;
        let mut failure = None;
        let pushed = decoder.push(chunk, &mut |event| {
            let mut take = |event: Event<'_>| progress.take(event, way, &mut failure, out);
            reader.event(event.name, &event.data, &mut take);
            if failure.is_none() {
                readable = event.end;
            }
        });
        if pushed.is_err() {
            failure.get_or_insert(Failure::malformed("The provider's stream could not be read."));
        }
        let unfinished = if progress.over { 0 } else { decoder.unfinished() };
        let unchanged = match way {
            Way::Translated(_) => false,
            Way::Native(passage) if failure.is_some() => passage.deliver_until(readable, chunk, out),
            Way::Native(passage) => passage.deliver_but(unfinished, chunk, out),
        };
        match failure {
            Some(failure) => {
                self.fail(failure, out);
                false
            }
            None => unchanged,
        }
    }

    /// The provider's stream has ended; what is still to be said is appended to `out`.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.progress.over {
            return;
        }
        let Self { decoder, reader, way, progress, .. } = self;
        let mut failure = None;
        let mut take = |event: Event<'_>| match event {
            // The provider did not say so itself: the client has to be told.
            Event::Error(error) if matches!(way, Way::Native(_)) => failure = Some(error),
            event => progress.take(event, way, &mut None, out),
        };
        let finished = decoder.finish(&mut |event| reader.event(event.name, &event.data, &mut take));
        reader.end(&mut take);
        match failure.or_else(|| finished.is_err().then(Failure::truncated)) {
            Some(failure) => self.fail(failure, out),
            None => {
                // Whatever was left was the last event of a complete answer.
                if let Way::Native(passage) = way {
                    out.append(&mut passage.tail);
                }
                progress.over = true;
            }
        }
    }

    /// Ends the answer with this failure.
    fn fail(&mut self, failure: Failure, out: &mut Vec<u8>) {
        self.progress.over = true;
        self.cut = true;
        if self.progress.held == Held::Waiting {
            self.progress.held = Held::Failed(failure);
            return;
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.client.encode_failure(&failure));
        out.extend_from_slice(b"\n\n");
    }
}

impl Progress {
    /// Takes one event. In a stream that passes as it is, what can't be read goes to `unreadable`: there is nothing to
    /// pass in its place.
    fn take(&mut self, event: Event<'_>, way: &mut Way, unreadable: &mut Option<Failure>, out: &mut Vec<u8>) {
        match &event {
            Event::Usage(latest) => self.usage = Some(*latest),
            Event::End => self.over = true,
            Event::Error(failure) if matches!(way, Way::Native(_)) && failure.is_malformed() => {
                *unreadable = Some(failure.clone());
                return;
            }
            Event::Error(failure) => {
                self.over = true;
                if self.held == Held::Waiting {
                    self.held = Held::Failed(failure.clone());
                    return;
                }
            }
            _ => {}
        }
        if self.held == Held::Waiting {
            self.held = Held::Begun;
        }
        if let Way::Translated(writer) = way {
            writer.event(event, out);
        }
    }
}

impl Passage {
    /// Delivers what has come but for its last `unfinished` bytes; `true` when that is just the chunk as it is.
    fn deliver_but(&mut self, unfinished: usize, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        if self.tail.is_empty() && unfinished == 0 {
            self.delivered += chunk.len() as u64;
            return true;
        }
        self.tail.extend_from_slice(chunk);
        self.deliver(self.tail.len().saturating_sub(unfinished), out);
        false
    }

    /// Delivers what has come up to this place in the stream; the rest is never delivered.
    fn deliver_until(&mut self, place: u64, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        self.tail.extend_from_slice(chunk);
        let count = usize::try_from(place.saturating_sub(self.delivered)).unwrap_or(usize::MAX);
        self.deliver(count.min(self.tail.len()), out);
        self.tail.clear();
        false
    }

    fn deliver(&mut self, count: usize, out: &mut Vec<u8>) {
        out.extend(self.tail.drain(..count));
        self.delivered += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";

    fn native(chunks: &[&str]) -> (String, Held) {
        let mut stream = StreamAnswer::new(ClientDialect::OpenAiChat, ProviderDialect::OpenAi, None, 1 << 20);
        let mut client = Vec::new();
        for chunk in chunks {
            let mut out = Vec::new();
            match stream.push(chunk.as_bytes(), &mut out) {
                true => client.extend_from_slice(chunk.as_bytes()),
                false => client.append(&mut out),
            }
        }
        stream.end(&mut client);
        (String::from_utf8(client).expect("is text"), stream.progress.held)
    }

    #[test]
    fn what_can_not_be_read_ends_a_stream_that_passes_as_it_is() {
        let stream = format!("{GOOD}: ping\n\ndata: {{broken}}\n\n{GOOD}data: {{\"id");
        for cut in 0..=stream.len() {
            let (client, held) = native(&[&stream[..cut], &stream[cut..]]);
            assert_eq!(held, Held::Begun);
            let (passed, error) = client.split_once("data: {\"error\"").expect("ends in an error");
            assert!(passed == GOOD || passed == format!("{GOOD}: ping\n\n"), "cut at {cut}: {passed}");
            assert!(error.contains("provider_malformed") && error.ends_with("\n\n"), "{error}");
        }
    }

    #[test]
    fn comments_pass_at_once() {
        let mut stream = StreamAnswer::new(ClientDialect::OpenAiChat, ProviderDialect::OpenAi, None, 1 << 20);
        assert!(stream.push(GOOD.as_bytes(), &mut Vec::new()));
        assert!(stream.push(b": ping\n\n", &mut Vec::new()));
    }

    #[test]
    fn what_comes_after_the_end_passes_too() {
        let stream = format!("{GOOD}data: [DONE]\n\n");
        assert_eq!(native(&[&stream, "\n", ": bye\n\n"]).0, format!("{stream}\n: bye\n\n"));
    }
}
