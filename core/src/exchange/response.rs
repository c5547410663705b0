//! The response to one attempt: passed, translated, or turned into a failure on which the next target is tried.

use std::sync::Arc;

use crate::dialect::texts::is_text;
use crate::dialect::{Asked, ClientDialect, Native, ProviderDialect, is_about_the_gateway, provider_failure};
use crate::failure::{Blame, Failure};
use crate::json::Text;
use crate::policy::Target;
use crate::task::{Outcome, TaskKind};
use crate::usage::Usage;
use crate::usage::estimate::{self, Family};

use super::guarded::{Seen, Watch, empty_answer};
use super::redaction::Veil;
use super::schemas::Schemas;
use super::stream::{Counts, Framing, StreamAnswer, Way};
use super::{Exchange, Length, RETRIABLE, Reply, headers};

/// One attempt, while its response comes in.
#[derive(Debug)]
pub struct Attempt {
    client: ClientDialect,
    dialect: ProviderDialect,
    provider: Arc<crate::policy::Provider>,
    /// The model that is asked for, by the provider's own word.
    model: String,
    form: Form,
    stream: bool,
    /// What the provider was offered to speak on a WebSocket.
    protocols: Option<String>,
    /// Whose tokenizer counts.
    family: Family,
    /// About how many tokens the request has.
    input: u64,
    /// Whether another target would be tried.
    more: bool,
    max_body_bytes: usize,
    /// What is done with the answer's texts; `None` where nothing is.
    veil: Option<Veil>,
    /// What guards do with the answer.
    watch: Option<Watch>,
    /// What the answer has to fit.
    schemas: Option<Schemas>,
    /// Whether the body names the model, of an API that passes as it is.
    names_model: bool,
}

/// What the client gets of a response.
#[derive(Debug)]
pub(super) enum Form {
    /// The provider's own bytes.
    Native {
        native: Native,
        /// Whether the provider was asked for a usage that the client did not ask for.
        hides_usage: bool,
    },
    Translated(Asked),
    /// The provider's own bytes, whatever they are.
    Passing,
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
    pub(super) fn new(
        exchange: &Exchange,
        target: &Target,
        form: Form,
        more: bool,
        veil: Option<Veil>,
    ) -> Self {
        let family = Family::of(target.provider.dialect, &target.model);
        Self {
            client: exchange.client(),
            dialect: target.provider.dialect,
            provider: Arc::clone(&target.provider),
            model: target.model.clone(),
            form,
            stream: exchange.stream,
            protocols: exchange
                .passing
                .iter()
                .find(|(name, _)| name == headers::PROTOCOL_HEADER)
                .map(|(_, value)| value.clone()),
            family,
            input: exchange.input.tokens(family),
            more,
            max_body_bytes: exchange.plan.listen.max_body_bytes as usize,
            veil,
            watch: exchange.guarded.watch.clone(),
            schemas: exchange.guarded.schemas.clone(),
            names_model: exchange.named.is_some(),
        }
    }

    /// The provider's name.
    pub fn provider(&self) -> &str {
        &self.provider.name
    }

    /// Whether both sides speak one dialect.
    fn native(&self) -> bool {
        matches!(self.form, Form::Native { .. } | Form::Passing)
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
        let is_chosen = theirs.iter().any(|(name, _)| name == headers::PROTOCOL_HEADER);
        let chosen = self.protocols.as_deref().filter(|_| status == 101 && !is_chosen);
        let mut headers =
            headers::for_client(&self.provider.name, self.native(), theirs, status, own, length);
        if let Some(protocol) = chosen.and_then(headers::chosen_protocol) {
            headers.push((headers::PROTOCOL_HEADER.to_owned(), protocol.to_owned()));
        }
        headers
    }

    /// The response's headers are there; `header` looks one up by its name in lower case. `now`: seconds since the Unix epoch.
    pub fn headers(
        &self,
        exchange: &mut Exchange,
        status: u16,
        header: &dyn Fn(&str) -> Option<String>,
        now: u64,
    ) -> Step {
        exchange.answered(status);
        if status >= 400 {
            let for_client = provider_failure(status, None).status;
            return match self.native() && !is_about_the_gateway(status) {
                _ if self.gives_way(for_client) => Step::Pass(for_client),
                true if self.veil.is_some() => Step::Whole,
                true => Step::Pass(status),
                false => Step::Whole,
            };
        }
        let content_type = header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if matches!(self.form, Form::Passing) {
            let is_seen = self.veil.is_some() && self.names_model && status < 300 && is_text(&media_type);
            return if is_seen { Step::Whole } else { Step::Pass(status) };
        }
        exchange.header_usage = self.dialect.header_usage(self.client.kind(), header);
        let framing = match media_type.as_str() {
            "text/event-stream" => Framing::ServerSentEvents,
            "application/vnd.amazon.eventstream" => Framing::Aws,
            _ => return Step::Whole,
        };
        match status == 200 && self.stream {
            true => {
                self.stream_answer(framing, now).map_or(Step::Whole, |answer| Step::Stream(Box::new(answer)))
            }
            false => Step::Whole,
        }
    }

    fn stream_answer(&self, framing: Framing, now: u64) -> Option<StreamAnswer> {
        let (reader, way) = match &self.form {
            Form::Passing => return None,
            Form::Native { native, hides_usage } => (native.stream()?, Way::native(*hides_usage)),
            Form::Translated(asked) => (
                self.dialect.stream(&self.model),
                Way::Translated(Box::new(self.client.stream(asked.clone(), now)?)),
            ),
        };
        let counts = Counts::new(self.input, self.family);
        let mask = self.veil.as_ref().and_then(|veil| {
            let array = matches!(&self.form, Form::Translated(asked) if asked.array);
            Some((veil.clone(), veil.stream(self.client, array)?))
        });
        let watch = self.watch.as_ref().and_then(|watch| {
            let array = matches!(&self.form, Form::Translated(asked) if asked.array);
            Some((watch.clone(), watch.stream(self.client, array)?))
        });
        let answer = StreamAnswer::new(self.client, framing, reader, way, counts, self.max_body_bytes);
        let schemas = self.schemas.as_ref().map(|schemas| {
            let array = matches!(&self.form, Form::Translated(asked) if asked.array);
            schemas.stream(self.client, array)
        });
        Some(answer.masked(mask).watched(watch).judged(schemas))
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
            // What is of the provider's own making keeps its headers too.
            Ok(Some(body)) if self.native() => Some(Reply {
                status,
                headers: Vec::new(),
                body,
                limit: None,
                guards: Vec::new(),
                blocked: None,
            }),
            Ok(Some(body)) => {
                let headers = vec![("content-type", "application/json".to_owned())];
                Some(Reply { status, headers, body, limit: None, guards: Vec::new(), blocked: None })
            }
            Err(mut failure) => {
                if let Some(veil) = &self.veil {
                    veil.failure(&mut failure);
                }
                if failure.blame != Blame::Policy {
                    exchange.answered(if status < 400 { failure.status } else { status });
                }
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
        let found = &mut exchange.found_in_answer;
        if status >= 400 {
            return match &self.veil {
                Some(veil) if self.native() && !is_about_the_gateway(status) => {
                    veil.passing(self.client, body, found)
                }
                _ => Err(self.dialect.decode_failure(status, body)),
            };
        }
        if let (Form::Passing, Some(veil)) = (&self.form, &self.veil) {
            return veil.passing(self.client, body, found);
        }
        if status != 200 || self.stream {
            return Err(Failure::malformed("The provider's answer is not of the kind that was asked for."));
        }
        let mut outcome = match &self.form {
            Form::Passing => return Ok(None),
            Form::Native { native, .. } => native.decode(self.client, self.dialect, body)?,
            Form::Translated(_) => self.dialect.decode(self.client.kind(), &self.model, body)?,
        };
        let told = outcome.usage().or(exchange.header_usage);
        let usage = told
            .filter(|usage| usage.says_something() || !matches!(outcome, Outcome::Conversation(_)))
            .unwrap_or_else(|| self.estimate(&outcome, body));
        exchange.settle(Some(usage));
        match &mut outcome {
            // OpenAI's clients demand a usage of embeddings.
            Outcome::Embeddings(answer) => answer.usage = Some(usage),
            Outcome::Rerank(answer) => answer.usage = told,
            Outcome::Conversation(_) | Outcome::CountTokens(_) => {}
        }
        let Form::Translated(asked) = &self.form else {
            let seen = self.watched(exchange, body, usage, now)?;
            let body = seen.as_deref().unwrap_or(body);
            let found = &mut exchange.found_in_answer;
            let masked = self.veil.as_ref().map_or(Ok(None), |veil| veil.whole(self.client, body, found))?;
            return Ok(masked.or(seen));
        };
        let model = match &mut outcome {
            Outcome::Conversation(answer) => Some(&mut answer.model),
            Outcome::Embeddings(answer) => Some(&mut answer.model),
            Outcome::Rerank(answer) => Some(&mut answer.model),
            Outcome::CountTokens(_) => None,
        };
        if let Some(model @ None) = model {
            *model = Some(Text::from(self.model.as_str()));
        }
        let mut encoded = self.client.encode(&outcome, asked, now)?;
        if let Some(seen) = self.watched(exchange, &encoded, usage, now)? {
            encoded = seen;
        }
        let found = &mut exchange.found_in_answer;
        let masked = match &self.veil {
            Some(veil) => veil.whole(self.client, &encoded, found)?,
            None => None,
        };
        Ok(Some(masked.unwrap_or(encoded)))
    }

    /// The answer as guards let it pass; `None` where it stays as it is.
    fn watched(
        &self,
        exchange: &mut Exchange,
        body: &[u8],
        usage: Usage,
        now: u64,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let fired = &mut exchange.guarded.fired;
        let seen =
            self.watch.as_ref().map_or(Ok(Seen::Unchanged), |watch| watch.whole(self.client, body, fired));
        let (changed, withheld) = match seen? {
            Seen::Unchanged => (None, None),
            Seen::Changed(body) => (Some(body), None),
            Seen::Withheld(failure) => (None, Some(failure)),
        };
        let schemas = self.schemas.as_ref().filter(|_| withheld.is_none());
        let misfit =
            schemas.and_then(|schemas| schemas.whole(self.client, changed.as_deref().unwrap_or(body), fired));
        let Some(failure) = withheld.or(misfit) else { return Ok(changed) };
        if self.client.kind() != TaskKind::Conversation {
            return Err(failure);
        }
        let own = Asked { model: self.model.clone(), ..Asked::default() };
        let asked = match &self.form {
            Form::Translated(asked) => asked,
            _ => &own,
        };
        let answer = empty_answer(&asked.model, Some(usage));
        self.client.encode(&Outcome::Conversation(answer), asked, now).map(Some)
    }

    /// What has been used, by what was said: the provider doesn't tell.
    fn estimate(&self, outcome: &Outcome<'_>, body: &[u8]) -> Usage {
        let output = match outcome {
            // Counting is free everywhere.
            Outcome::CountTokens(_) => return Usage { estimated: true, ..Usage::default() },
            Outcome::Conversation(answer) => match estimate::output(answer) {
                // What passes as it is has not been taken apart.
                0 => self.said(body),
                output => output,
            },
            Outcome::Embeddings(_) | Outcome::Rerank(_) => 0,
        };
        Usage { input: self.input, output: self.family.scale(output), estimated: true, ..Usage::default() }
    }

    /// About how many tokens an answer has that passes as it is. Where its words can't be told from what is around them, that
    /// counts too: it is not free.
    fn said(&self, body: &[u8]) -> u64 {
        let native = match &self.form {
            Form::Native { native, .. } => native.said(self.dialect, body),
            Form::Passing | Form::Translated(_) => 0,
        };
        match native {
            0 => estimate::text(&String::from_utf8_lossy(body)),
            tokens => tokens,
        }
    }
}
