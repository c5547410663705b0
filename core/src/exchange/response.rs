//! The response to one attempt: passed, translated, or turned into a failure on which the next target is tried.

use std::sync::Arc;

use crate::dialect::{ChatEncoder, ClientDialect, ProviderDialect, is_about_the_gateway, provider_failure};
use crate::failure::Failure;
use crate::json::Text;
use crate::policy::Target;

use super::stream::StreamAnswer;
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
            return match self.native() && !is_about_the_gateway(status) {
                _ if self.gives_way(for_client) => Step::Pass(for_client),
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
        let writer = (!self.native()).then(|| ChatEncoder::new(now, self.stream_usage, &self.model));
        StreamAnswer::new(self.client, self.dialect, writer, self.max_body_bytes)
    }

    /// Whether a response with this status is not for the client: another target is tried.
    pub fn gives_way(&self, status: u16) -> bool {
        self.more && RETRIABLE.contains(&status)
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
            return Err(Failure::malformed("The provider's answer is not of the kind that was asked for."));
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
