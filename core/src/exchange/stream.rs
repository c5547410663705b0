//! A streamed answer on its way: taken apart, watched, and translated or passed.

mod passage;

use super::guarded::Watch;
use super::redaction::{StreamMask, Veil};
use super::schemas::SchemaStream;
use crate::conversation::Event;
use crate::dialect::{ClientDialect, ClientStream, ProviderStream, unsayable};
use crate::failure::Failure;
use crate::guard::Fired;
use crate::redact::Outcome;
use crate::stream::{aws, sse};
use crate::usage::Usage;
use crate::usage::estimate::{Counter, Family};
pub(super) use passage::Passage;

/// A streamed answer on its way.
#[derive(Debug)]
pub struct StreamAnswer {
    client: ClientDialect,
    decoder: Decoder,
    reader: ProviderStream,
    way: Way,
    progress: Progress,
    /// We have ended the answer ourselves: whatever else comes is not for the client.
    cut: bool,
    /// That was our decision, and no fault of the provider's: it would go on.
    stopped: bool,
    /// What the client's bytes go through first: guards.
    watch: Option<(Watch, StreamMask)>,
    /// Then these: schemas that the answer has to fit.
    schemas: Option<SchemaStream>,
    /// What the client's bytes go through last.
    mask: Option<(Veil, StreamMask)>,
}

/// What is counted where a provider doesn't tell.
#[derive(Debug)]
pub(super) struct Counts {
    /// About how many tokens the request has.
    input: u64,
    /// What the provider has produced.
    produced: Counter,
    /// Whose tokenizer counts.
    family: Family,
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

/// How a stream is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    ServerSentEvents,
    Aws,
}

#[derive(Debug)]
enum Decoder {
    ServerSentEvents(sse::Decoder),
    Aws(aws::Decoder),
}

/// What becomes of the provider's events.
#[derive(Debug)]
pub(super) enum Way {
    Translated(Box<ClientStream>),
    Native(Passage),
}

/// What has been learnt from the events.
#[derive(Debug)]
struct Progress {
    client: ClientDialect,
    held: Held,
    usage: Option<Usage>,
    counts: Counts,
    /// The answer is complete.
    complete: bool,
    /// The answer is complete, or has failed.
    over: bool,
}

impl StreamAnswer {
    /// `limit`: of one event, in bytes.
    pub(super) fn new(
        client: ClientDialect,
        framing: Framing,
        reader: ProviderStream,
        way: Way,
        counts: Counts,
        limit: usize,
    ) -> Self {
        Self {
            client,
            decoder: match framing {
                Framing::ServerSentEvents => Decoder::ServerSentEvents(sse::Decoder::new(limit)),
                Framing::Aws => Decoder::Aws(aws::Decoder::new(limit)),
            },
            reader,
            way,
            progress: Progress {
                client,
                held: Held::Waiting,
                usage: None,
                counts,
                complete: false,
                over: false,
            },
            cut: false,
            stopped: false,
            watch: None,
            schemas: None,
            mask: None,
        }
    }

    /// The same, looked at by guards.
    pub(super) fn watched(self, watch: Option<(Watch, StreamMask)>) -> Self {
        Self { watch, ..self }
    }

    /// The same, judged by schemas.
    pub(super) fn judged(self, schemas: Option<SchemaStream>) -> Self {
        Self { schemas, ..self }
    }

    /// The guards that have found something since this was asked last.
    pub(super) fn take_fired(&mut self) -> Vec<Fired> {
        let watch = self.watch.as_mut();
        let mut fired = watch.map(|(watch, mask)| watch.add(mask.take_outcome())).unwrap_or_default();
        fired.extend(self.schemas.as_mut().map(SchemaStream::take_fired).unwrap_or_default());
        fired
    }

    /// Whether nothing looks at the client's bytes.
    fn is_plain(&self) -> bool {
        self.mask.is_none() && self.watch.is_none() && self.schemas.is_none()
    }

    /// The same, with its texts masked.
    pub(super) fn masked(self, mask: Option<(Veil, StreamMask)>) -> Self {
        Self { mask, ..self }
    }

    /// What was found in it since this was asked last.
    pub(super) fn take_redactions(&mut self) -> Outcome {
        self.mask.as_mut().map(|(_, mask)| mask.take_outcome()).unwrap_or_default()
    }

    /// The media type of what the client gets, where it is not the provider's.
    pub fn content_type(&self) -> Option<&'static str> {
        match &self.way {
            Way::Translated(writer) => Some(writer.content_type()),
            Way::Native(_) => None,
        }
    }

    /// Whether the headers are still held.
    pub fn held(&self) -> &Held {
        &self.progress.held
    }

    /// What the stream has used so far: what the provider has told, or an estimate by what was said.
    ///
    /// Of an answer that broke off, a provider's last word on its output can be older than its last text.
    pub fn usage(&self) -> Usage {
        let progress = &self.progress;
        let counts = &progress.counts;
        let produced = counts.family.scale(counts.produced.tokens());
        match progress.usage.filter(Usage::says_something) {
            Some(usage) if progress.complete || usage.output >= produced => usage,
            Some(usage) => Usage { output: produced, estimated: true, ..usage },
            None => Usage {
                input: counts.input,
                output: produced,
                tier: self.reader.tier(),
                estimated: true,
                ..Usage::default()
            },
        }
    }

    /// Takes more of the provider's stream; what it becomes is appended to `out`.
    ///
    /// Returns whether the provider's bytes pass as they are, and `out` gets nothing.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        if self.is_plain() {
            return self.take(chunk, out);
        }
        let waiting = self.progress.held == Held::Waiting;
        let mut plain = Vec::new();
        match self.take(chunk, &mut plain) {
            true => self.deliver(chunk, waiting, false, out),
            false => self.deliver(&plain, waiting, false, out),
        }
        false
    }

    fn take(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        if self.progress.over {
            return matches!(self.way, Way::Native(_)) && !self.cut;
        }
        let Self { decoder, reader, way, progress, .. } = self;
        let mut readable = 0;
        let mut failure = None;
        let mut hidden = Vec::new();
        let pushed = decoder.push(chunk, &mut |event| {
            let (mut counts, mut says) = (false, false);
            let mut take = |event: Event<'_>| {
                counts |= matches!(event, Event::Usage(_));
                says |= !matches!(event, Event::Usage(_));
                progress.take(event, way, &mut failure, out);
            };
            reader.event(event.name, &event.data, &mut take);
            if failure.is_none() {
                if counts && !says && matches!(way, Way::Native(Passage { hides_usage: true, .. })) {
                    hidden.push(readable..event.end);
                }
                readable = event.end;
            }
        });
        if pushed.is_err() {
            failure.get_or_insert(Failure::malformed("The provider's stream could not be read."));
        }
        let unfinished = if progress.over { 0 } else { decoder.unfinished() };
        let unchanged = match way {
            Way::Translated(_) => false,
            Way::Native(passage) if failure.is_some() => {
                passage.take(chunk, hidden, out);
                passage.deliver_until(readable, out);
                false
            }
            Way::Native(passage) if hidden.is_empty() => passage.deliver_but(unfinished, chunk, out),
            Way::Native(passage) => {
                passage.take(chunk, hidden, out);
                passage.deliver(passage.tail.len().saturating_sub(unfinished), out);
                false
            }
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
        if self.is_plain() {
            return self.finish(out);
        }
        let waiting = self.progress.held == Held::Waiting;
        let mut plain = Vec::new();
        self.finish(&mut plain);
        self.deliver(&plain, waiting, true, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
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

    /// Ends the answer before its time; an end in the client's own dialect is appended to `out`.
    pub fn cut(&mut self, failure: Failure, out: &mut Vec<u8>) {
        if self.progress.over {
            return;
        }
        if let Way::Native(passage) = &mut self.way {
            passage.tail.clear();
        }
        self.stopped = true;
        let mut plain = Vec::new();
        self.fail(failure, &mut plain);
        self.deliver(&plain, false, true, out);
    }

    /// The client's bytes, `plain` so far, as guards let them pass, and then with their texts masked.
    fn deliver(&mut self, plain: &[u8], waiting: bool, is_end: bool, out: &mut Vec<u8>) {
        let Some((watch, mask)) = &mut self.watch else { return self.judge(plain, waiting, is_end, out) };
        if mask.blocked().is_some() {
            return;
        }
        let mut seen = Vec::new();
        mask.push(plain, &mut seen);
        if is_end {
            mask.end(&mut seen);
        }
        let Some(rule) = mask.blocked() else { return self.judge(&seen, waiting, is_end, out) };
        self.progress.over = true;
        (self.cut, self.stopped) = (true, true);
        if waiting && seen.is_empty() {
            self.progress.held = Held::Failed(watch.withheld(rule));
            return;
        }
        mask.close(&mut seen);
        self.mask(&seen, waiting, true, out);
    }

    /// The client's bytes, `plain` so far, as schemas let them pass, and then with their texts masked.
    fn judge(&mut self, plain: &[u8], waiting: bool, is_end: bool, out: &mut Vec<u8>) {
        let Some(schemas) = &mut self.schemas else { return self.mask(plain, waiting, is_end, out) };
        if schemas.refused().is_some() {
            return;
        }
        let mut seen = Vec::new();
        schemas.push(plain, &mut seen);
        if is_end {
            schemas.end(&mut seen);
        }
        let Some(failure) = schemas.refused() else { return self.mask(&seen, waiting, is_end, out) };
        if waiting && seen.is_empty() {
            self.progress.held = Held::Failed(failure.clone());
            self.progress.over = true;
            (self.cut, self.stopped) = (true, true);
            return;
        }
        // The provider has said all that it will: what it still tells of its usage counts.
        schemas.close(&mut seen);
        self.mask(&seen, waiting, true, out);
    }

    /// The client's bytes, `plain` so far, with their texts masked. `waiting`: nothing has gone to the client before.
    fn mask(&mut self, plain: &[u8], waiting: bool, is_end: bool, out: &mut Vec<u8>) {
        let Some((veil, mask)) = &mut self.mask else { return out.extend_from_slice(plain) };
        if mask.blocked().is_some() {
            return;
        }
        mask.push(plain, out);
        if is_end {
            mask.end(out);
        }
        if let Held::Failed(failure) = &mut self.progress.held {
            veil.failure(failure);
        }
        let Some(rule) = mask.blocked() else { return };
        let failure = veil.withheld(rule);
        self.progress.over = true;
        (self.cut, self.stopped) = (true, true);
        if waiting && out.is_empty() {
            self.progress.held = Held::Failed(failure);
        } else if self.is_of_events() {
            self.client.end_stream(&failure, out);
        } else {
            // Whatever comes before an element of the array has gone.
            out.extend_from_slice(&self.client.encode_failure(&failure));
            out.push(b']');
        }
    }

    /// Whether the answer was ended here, so that nothing else of the provider's is for the client.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether it was ended here although the provider would go on, which has to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether the client's stream is made of server-sent events.
    pub fn is_of_events(&self) -> bool {
        self.content_type().is_none_or(|name| name.starts_with("text/event-stream"))
    }

    /// Ends the answer with this failure.
    fn fail(&mut self, failure: Failure, out: &mut Vec<u8>) {
        self.progress.over = true;
        self.cut = true;
        if self.progress.held == Held::Waiting {
            self.progress.held = Held::Failed(failure);
            return;
        }
        match &mut self.way {
            Way::Translated(writer) => writer.event(Event::Error(failure), out),
            Way::Native(_) => self.client.end_stream(&failure, out),
        }
    }
}

impl Counts {
    /// `input`: about how many tokens the request has.
    pub(super) fn new(input: u64, family: Family) -> Self {
        Self { input, produced: Counter::default(), family }
    }
}

impl Decoder {
    fn push(&mut self, bytes: &[u8], emit: &mut dyn FnMut(sse::Event<'_>)) -> Result<(), sse::Error> {
        match self {
            Self::ServerSentEvents(decoder) => decoder.push(bytes, emit),
            Self::Aws(decoder) => decoder.push(bytes, emit),
        }
    }

    fn finish(&mut self, emit: &mut dyn FnMut(sse::Event<'_>)) -> Result<(), sse::Error> {
        match self {
            Self::ServerSentEvents(decoder) => decoder.finish(emit),
            Self::Aws(decoder) => decoder.finish(emit),
        }
    }

    /// How many bytes of an unfinished event are held. Amazon's events never pass as they are.
    fn unfinished(&self) -> usize {
        match self {
            Self::ServerSentEvents(decoder) => decoder.unfinished(),
            Self::Aws(_) => 0,
        }
    }
}

impl Way {
    /// The provider's bytes as they are. `hides_usage`: whether an event that holds nothing but the usage is kept from
    /// the client.
    pub(super) fn native(hides_usage: bool) -> Self {
        Self::Native(Passage::new(hides_usage))
    }
}

impl Progress {
    /// Takes one event. In a stream that passes as it is, what can't be read goes to `unreadable`: there is nothing to
    /// pass in its place.
    fn take(&mut self, event: Event<'_>, way: &mut Way, unreadable: &mut Option<Failure>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        let event = match event {
            Event::Media { media, .. } if matches!(way, Way::Translated(_)) && !self.client.shows(&media) => {
                Event::Error(unsayable())
            }
            event => event,
        };
        match &event {
            Event::Usage(latest) => self.usage = Some(*latest),
            Event::Text { text, .. } | Event::Refusal { text, .. } | Event::Reasoning { text, .. } => {
                self.counts.produced.push(text);
            }
            Event::ToolCall { tool, .. } => {
                self.counts.produced.begin();
                self.counts.produced.push(&tool.name);
                self.counts.produced.push(&tool.arguments);
            }
            Event::Arguments { json, .. } => self.counts.produced.push(json),
            Event::End => {
                self.complete = true;
                self.over = true;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Native;

    const GOOD: &str = "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";

    fn stream() -> StreamAnswer {
        let reader = Native::Chat.stream().expect("streams");
        let framing = Framing::ServerSentEvents;
        let counts = Counts::new(25, Family::Common);
        StreamAnswer::new(ClientDialect::OpenAiChat, framing, reader, Way::native(true), counts, 1 << 20)
    }

    fn native(chunks: &[&str]) -> (String, Held) {
        let mut stream = stream();
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
    fn an_estimate_keeps_the_tier_that_was_told() {
        let mut stream = stream();
        let begun = GOOD.replacen('{', r#"{"service_tier":"priority","#, 1);
        assert!(stream.push(begun.as_bytes(), &mut Vec::new()));
        let usage = stream.usage();
        assert!(usage.estimated && usage.output > 0, "{usage:?}");
        assert_eq!(usage.tier, crate::usage::ServiceTier::Priority);
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
        let mut stream = stream();
        assert!(stream.push(GOOD.as_bytes(), &mut Vec::new()));
        assert!(stream.push(b": ping\n\n", &mut Vec::new()));
    }

    #[test]
    fn what_comes_after_the_end_passes_too() {
        let stream = format!("{GOOD}data: [DONE]\n\n");
        assert_eq!(native(&[&stream, "\n", ": bye\n\n"]).0, format!("{stream}\n: bye\n\n"));
    }
    #[test]
    fn a_usage_that_nobody_asked_for_is_hidden() {
        let usage = "data: {\"id\":\"a\",\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\n";
        let stream = format!("{GOOD}{usage}: ping\n\ndata: [DONE]\n\n");
        for cut in 0..=stream.len() {
            let passed = native(&[&stream[..cut], &stream[cut..]]).0;
            assert_eq!(passed, stream.replace(usage, ""), "cut at {cut}");
        }
    }

    #[test]
    fn what_was_produced_is_counted_wherever_it_is_cut() {
        let event = |text: &str| {
            format!(
                "data: {{\"id\":\"a\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
            )
        };
        let words = ["Nobody", " kno", "ws what", " the weather will", " be", " tomorrow", "."];
        let mut apart = stream();
        for word in words {
            apart.push(event(word).as_bytes(), &mut Vec::new());
        }
        let mut whole = stream();
        whole.push(event(&words.concat()).as_bytes(), &mut Vec::new());
        assert_eq!(apart.usage(), whole.usage());
        // Nine by o200k_base.
        assert!(whole.usage().estimated && (7..=11).contains(&whole.usage().output), "{:?}", whole.usage());
        assert_eq!(whole.usage().input, 25);
    }
}
