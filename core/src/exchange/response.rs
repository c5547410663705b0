//! The response to one attempt: passed, translated, or turned into a failure on which the next target is tried.

use std::sync::Arc;

use crate::conversation::Event;
use crate::dialect::{
    ChatEncoder, ClientDialect, ProviderDialect, ProviderStream, is_about_the_gateway, provider_failure,
};
use crate::failure::Failure;
use crate::json::Text;
use crate::policy::Target;
use crate::stream::sse;
use crate::usage::Usage;

use super::{Exchange, Length, RETRIABLE, Reply, headers};

/// One attempt, while its response comes in.
#[derive(Debug)]
pub struct Attempt {
    client: ClientDialect,
    dialect: ProviderDialect,
    provider: Arc<crate::policy::Provider>,
    /// The model that is asked for, by the provider's own word.
    model: String,
    stream: bool,
    stream_usage: bool,
    /// Whether another target would be tried.
    more: bool,
    max_body_bytes: usize,
}

/// What to do with a response when its headers are there.
#[derive(Debug)]
pub enum Step {
    /// Let it pass, with this status.
    Pass(u16),
    /// Hold it until its body is whole, then [`Attempt::whole`].
    Whole,
    /// Hold it until the stream has begun, and give it every chunk.
    Stream(Box<StreamAnswer>),
}

/// A streamed answer on its way.
#[derive(Debug)]
pub struct StreamAnswer {
    decoder: sse::Decoder,
    reader: ProviderStream,
    /// `None` when the provider's bytes are the client's.
    writer: Option<ChatEncoder>,
    client: ClientDialect,
    /// The bytes of an event that is not whole yet, where the provider's bytes are the client's: only whole events go on,
    /// so that an answer that breaks off can still be given a proper end.
    tail: Vec<u8>,
    held: Held,
    usage: Option<Usage>,
    /// The answer is complete, or has failed.
    over: bool,
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

impl Attempt {
    pub(super) fn new(exchange: &Exchange, target: &Target, more: bool) -> Self {
        Self {
            client: exchange.client,
            dialect: target.provider.dialect,
            provider: Arc::clone(&target.provider),
            model: target.model.clone(),
            stream: exchange.stream,
            stream_usage: exchange.stream_usage,
            more,
            max_body_bytes: exchange.plan.listen.max_body_bytes as usize,
        }
    }

    /// The provider's name.
    pub fn provider(&self) -> &str {
        &self.provider.name
    }

    /// Whether both sides speak one dialect.
    fn native(&self) -> bool {
        self.client.is_native_to(self.dialect)
    }

    /// The headers of the response to the client, in the place of those that the provider sent (`theirs`); `own` are those
    /// of a [`Reply`] that takes the response's place.
    pub fn headers_for_client(
        &self,
        theirs: Vec<(String, String)>,
        status: u16,
        own: &[(&'static str, String)],
        length: Length,
    ) -> Vec<(String, String)> {
        headers::for_client(&self.provider.name, self.native(), theirs, status, own, length)
    }

    /// The response's headers are there. `now`: seconds since the Unix epoch.
    pub fn headers(&self, exchange: &mut Exchange, status: u16, content_type: &str, now: u64) -> Step {
        exchange.answered(status);
        if status >= 400 {
            let for_client = provider_failure(status, None).status;
            let retried = self.more && RETRIABLE.contains(&for_client);
            return match self.native() && !is_about_the_gateway(status) {
                _ if retried => Step::Pass(for_client),
                true => Step::Pass(status),
                false => Step::Whole,
            };
        }
        let is_stream = content_type.trim_start().to_ascii_lowercase().starts_with("text/event-stream");
        match status == 200 && self.stream && is_stream {
            true => Step::Stream(Box::new(self.stream_answer(now))),
            false => Step::Whole,
        }
    }

    fn stream_answer(&self, now: u64) -> StreamAnswer {
        StreamAnswer {
            decoder: sse::Decoder::new(self.max_body_bytes),
            reader: self.dialect.stream(),
            writer: (!self.native()).then(|| ChatEncoder::new(now, self.stream_usage, &self.model)),
            client: self.client,
            tail: Vec::new(),
            held: Held::Waiting,
            usage: None,
            over: false,
            cut: false,
        }
    }

    /// Whether a body of this length is more than the gateway holds; there is no need to wait for its end then.
    pub fn exceeds(&self, length: usize) -> bool {
        length > self.max_body_bytes
    }

    /// The response is whole, or longer than what is held: what the client gets in its stead, or `None` when it gets just this.
    pub fn whole(&self, exchange: &mut Exchange, status: u16, body: &[u8], now: u64) -> Option<Reply> {
        match self.answer(exchange, status, body, now) {
            Ok(None) => None,
            Ok(Some(body)) => {
                let headers = vec![("content-type", "application/json".to_owned())];
                Some(Reply { status, headers, body })
            }
            Err(failure) => {
                exchange.answered(if status < 400 { failure.status } else { status });
                Some(Reply::failure(self.client, &failure))
            }
        }
    }

    fn answer(
        &self,
        exchange: &mut Exchange,
        status: u16,
        body: &[u8],
        now: u64,
    ) -> Result<Option<Vec<u8>>, Failure> {
        if self.exceeds(body.len()) {
            return Err(super::answer_too_large());
        }
        if status >= 400 {
            return Err(self.dialect.decode_failure(status, body));
        }
        if status != 200 || self.stream {
            let message = "The provider's answer is not of the kind that was asked for.";
            return Err(Failure::provider(502, message).code("provider_malformed"));
        }
        let mut answer = self.dialect.decode(body)?;
        exchange.settle(answer.usage);
        if self.native() {
            return Ok(None);
        }
        if answer.model.is_none() {
            answer.model = Some(Text::from(self.model.as_str()));
        }
        Ok(Some(self.client.encode(&answer, now)))
    }
}

impl StreamAnswer {
    /// Whether the headers are still held.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// What the stream has used so far.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Takes more of the provider's stream; what it becomes is appended to `out`.
    ///
    /// Returns whether the provider's bytes pass as they are, and `out` holds nothing.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        if self.over {
            return self.writer.is_none() && !self.cut;
        }
        let Self { decoder, reader, writer, held, usage, over, .. } = self;
        let mut take = |event: Event<'_>| receive(event, held, usage, over, writer.as_mut(), out);
        let pushed = decoder.push(chunk, &mut |event| reader.event(event.name, &event.data, &mut take));
        match pushed {
            Ok(()) => self.writer.is_none() && !self.hold_back(chunk, out),
            Err(_) => {
                let failure = Failure::provider(502, "The provider's stream could not be read.");
                self.fail(failure.code("provider_malformed"), out);
                false
            }
        }
    }

    /// Gives `out` the whole events of what has come, and holds back the rest; `false` when the chunk is just whole events.
    fn hold_back(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        let unfinished = if self.over { 0 } else { self.decoder.unfinished() };
        if self.tail.is_empty() && unfinished == 0 {
            return false;
        }
        self.tail.extend_from_slice(chunk);
        let whole = self.tail.len().saturating_sub(unfinished);
        out.extend(self.tail.drain(..whole));
        true
    }

    /// The provider's stream has ended; what is still to be said is appended to `out`.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        let Self { decoder, reader, writer, held, usage, over, .. } = self;
        let mut failure = None;
        let mut take = |event: Event<'_>| match event {
            Event::Error(error) if writer.is_none() => failure = Some(error),
            event => receive(event, held, usage, over, writer.as_mut(), out),
        };
        let finished = decoder.finish(&mut |event| reader.event(event.name, &event.data, &mut take));
        reader.end(&mut take);
        match failure.or_else(|| finished.is_err().then(Failure::truncated)) {
            Some(failure) => self.fail(failure, out),
            // Whatever was left was the last event of a complete answer.
            None => out.append(&mut self.tail),
        }
        self.over = true;
    }

    fn fail(&mut self, failure: Failure, out: &mut Vec<u8>) {
        self.over = true;
        self.cut = true;
        if self.held == Held::Waiting {
            self.held = Held::Failed(failure);
            return;
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.client.encode_failure(&failure));
        out.extend_from_slice(b"\n\n");
    }
}

/// Takes one event of the provider.
fn receive(
    event: Event<'_>,
    held: &mut Held,
    usage: &mut Option<Usage>,
    over: &mut bool,
    writer: Option<&mut ChatEncoder>,
    out: &mut Vec<u8>,
) {
    match &event {
        Event::Usage(latest) => *usage = Some(*latest),
        Event::End => *over = true,
        Event::Error(failure) => {
            *over = true;
            if *held == Held::Waiting {
                *held = Held::Failed(failure.clone());
                return;
            }
        }
        _ => {}
    }
    if *held == Held::Waiting {
        *held = Held::Begun;
    }
    if let Some(writer) = writer {
        writer.event(event, out);
    }
}
