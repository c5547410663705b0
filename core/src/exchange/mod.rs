//! One exchange, from the client's request to the answer: what to do at each step of it.
//!
//! The policy filter opens an exchange and reads the body into it; the provider filter asks it for each attempt's
//! request and gives it each attempt's response. What leaves here is complete: whole header lists, whole bodies.

mod admission;
#[cfg(test)]
mod answer_tests;
mod attempt;
mod bill;
mod events;
mod guarded;
mod headers;
mod judged;
#[cfg(test)]
mod judged_tests;
mod opening;
mod passing;
mod prepare;
mod redaction;
mod response;
mod schemas;
mod stream;
mod templates;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub use attempt::UpstreamRequest;
pub use bill::Bill;
pub use headers::{IDLE_TIMEOUT_HEADER, Length, PROVIDER_HEADER, ROUTE_HEADER, is_internal};
pub use judged::{Next, Portion};
pub use opening::{Head, Opening, open};
pub use response::{Attempt, Step};
pub use stream::{Held, StreamAnswer};

use crate::access::Asking;
use crate::dialect::{ClientDialect, Named, Service};
use crate::failure::{Failure, Kind};
use crate::guard::Fired;
use crate::identity::Caller;
use crate::limit::{self, Reservation, Spent};
use crate::policy::{Model, Plan};
use crate::price::NanoUsd;
use crate::redact::Direction;
use crate::usage::Usage;
use crate::usage::estimate::Input;
use admission::Expected;
use guarded::{Guarded, Refused};
use prepare::{Changes, Prepared};
use redaction::{Counts, Masks};

/// A request that is being answered.
#[derive(Debug)]
pub struct Exchange {
    pub plan: Arc<Plan>,
    service: Service,
    pub caller: Option<Arc<Caller>>,
    asking: Asking,
    pub model: Arc<Model>,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// About how many tokens the request has.
    input: Input,
    /// The client's body, while another attempt may need it.
    body: Option<Arc<Vec<u8>>>,
    /// Where the body names the model, when it passes.
    named: Option<Named>,
    /// The client's own headers that a provider of its own dialect gets.
    passing: Vec<(String, String)>,
    /// The targets that are tried, in order, by their positions among the model's; never empty.
    targets: Vec<usize>,
    /// The cluster of those targets.
    route: String,
    /// The request for the first attempt, made when it was found that it can be.
    prepared: Option<(usize, Prepared)>,
    /// What became of each attempt, in order; the last one may be under way.
    attempts: Vec<AttemptRecord>,
    /// Of the request that is answered.
    changes: Changes,
    usage: Option<Usage>,
    /// What limits expect it to use; `None` where there are none, and for what is free.
    expected: Option<Expected>,
    /// What it has taken of its limits, until it is closed.
    reservation: Option<Reservation>,
    /// The target whose own limits that is for, by its position.
    held_for: usize,
    /// So many tokens of an answer are held.
    held_output: u64,
    /// The limit for whose sake another model serves than was asked for.
    rerouted: Option<String>,
    /// What guards have found.
    guarded: Guarded,
    /// Whether the client wants a stream's cost told at its end.
    tells_cost: bool,
    /// What it has used in the end, once it is closed.
    bill: Option<Bill>,
    /// What the headers of the latest attempt's response have told of its usage.
    header_usage: Option<Usage>,
    /// What its targets get of the request, where the policy looks for personal data.
    masks: Option<Masks>,
    /// What was found in the request that is answered.
    found_in_request: Counts,
    /// What was found in the answer.
    found_in_answer: Counts,
}

/// What became of one attempt.
#[derive(Debug)]
struct AttemptRecord {
    target: usize,
    /// The provider's status; `None` while it has not answered.
    status: Option<u16>,
}

/// A complete response to the client.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The limit that has no room, by its name, where that is why.
    pub limit: Option<String>,
    /// The guards that have found something, where the reply is a refusal of one's.
    pub guards: Vec<Fired>,
    /// The rule of redaction that has found what may not go on, by its name, where that is why.
    pub blocked: Option<Box<str>>,
}

/// Statuses on which the next target is tried; an answer of the last target has them too.
pub const RETRIABLE: [u16; 6] = [429, 500, 502, 503, 504, 529];

/// A client is not told to try again by itself where it would have to wait for longer; seconds.
const PATIENCE: u64 = 60;

impl Reply {
    /// A failure in the client's own dialect.
    pub fn failure(client: ClientDialect, failure: &Failure) -> Self {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(failure.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        Self {
            status: failure.status,
            headers,
            body: client.encode_failure(failure),
            limit: None,
            guards: Vec::new(),
            blocked: None,
        }
    }

    /// A limit has no room.
    fn spent(client: ClientDialect, spent: &Spent, now: Duration) -> Self {
        let failure = spent.failure();
        let mut reply = Self::failure(client, &failure);
        if failure.retry_after.is_none_or(|seconds| seconds > PATIENCE) {
            // The official SDKs of OpenAI and Anthropic try again by themselves unless they are told not to.
            reply.headers.push(("x-should-retry", "false".to_owned()));
        }
        reply.headers.extend(limit::headers::headers(client, spent.standing().as_slice(), now));
        reply.limit = Some(spent.name().to_owned());
        reply
    }

    /// A guard refuses the request.
    fn guarded(client: ClientDialect, refused: &Refused) -> Self {
        Self { guards: refused.fired.clone(), ..Self::failure(client, &refused.failure) }
    }

    /// What the access log shows of the guards that have found something; empty where none has.
    pub fn guards_field(&self) -> String {
        guarded::log_field(&self.guards)
    }

    /// A successful answer of the gateway's own.
    fn json(body: Vec<u8>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status: 200, headers, body, limit: None, guards: Vec::new(), blocked: None }
    }
}

impl Exchange {
    /// The dialect that the client speaks.
    pub fn client(&self) -> ClientDialect {
        self.service.client()
    }

    /// The headers that make Envoy route the request, and retry it on the next target.
    pub fn routing(&self) -> Vec<(&'static str, String)> {
        let retries = self.targets.len().saturating_sub(1);
        let mut headers = vec![
            (ROUTE_HEADER, self.route.clone()),
            (IDLE_TIMEOUT_HEADER, self.model.timeouts.idle.as_millis().to_string()),
            ("x-envoy-max-retries", retries.to_string()),
            ("x-envoy-upstream-rq-per-try-timeout-ms", self.model.timeouts.attempt.as_millis().to_string()),
        ];
        if retries > 0 {
            let statuses = RETRIABLE.map(|status| status.to_string()).join(",");
            headers.push(("x-envoy-retry-on", "connect-failure,reset,retriable-status-codes".to_owned()));
            headers.push(("x-envoy-retriable-status-codes", statuses));
        }
        headers
    }

    /// Headers for the client, whoever made the answer: who failed before, and what was left out or changed.
    pub fn remarks(&self) -> Vec<(&'static str, String)> {
        let mut remarks = Vec::new();
        let failures = self.failures();
        if !failures.is_empty() {
            remarks.push((headers::FAILED_HEADER, failures));
        }
        let Changes { dropped, clamped } = &self.changes;
        for (header, parameters) in [(headers::DROPPED_HEADER, dropped), (headers::CLAMPED_HEADER, clamped)] {
            if !parameters.is_empty() {
                remarks.push((header, parameters.join(", ")));
            }
        }
        if let Some(limit) = &self.rerouted {
            remarks.push((headers::REROUTED_HEADER, format!("{limit};{}", self.model.name)));
        }
        if let Some((model, guard)) = &self.guarded.reroute {
            remarks.push((headers::REROUTED_HEADER, format!("{guard};{model}")));
        }
        remarks.extend(self.guarded.header().map(|guards| (headers::GUARDS_HEADER, guards)));
        // A stream's cost is not known when its headers go.
        if let (false, Some(cost)) = (self.stream, self.cost()) {
            remarks.push((headers::COST_HEADER, NanoUsd(cost).to_string()));
        }
        let redactions = self.redactions_line();
        if !redactions.is_empty() {
            remarks.push((headers::REDACTIONS_HEADER, redactions));
        }
        if let Some(reservation) = &self.reservation {
            if !reservation.warnings().is_empty() {
                remarks.push((headers::WARNING_HEADER, reservation.warnings().join(", ")));
            }
            remarks.extend(limit::headers::headers(
                self.client(),
                reservation.standings(),
                self.asking.now(),
            ));
        }
        remarks
    }

    /// Who failed and how, in order: `openai;503, claude;no-answer`; empty when nobody did.
    pub fn failures(&self) -> String {
        let last = self.attempts.len().saturating_sub(1);
        let failures: Vec<_> = self
            .attempts
            .iter()
            .enumerate()
            .filter_map(|(position, attempt)| self.remark(attempt, position == last))
            .collect();
        failures.join(", ")
    }

    /// How an attempt failed: `openai;503`, or `openai;no-answer` for one that never reached it or was cut off.
    fn remark(&self, attempt: &AttemptRecord, is_last: bool) -> Option<String> {
        let target = self.model.targets.get(attempt.target)?;
        let provider = &target.provider.name;
        match attempt.status {
            Some(status) if status >= 400 => Some(format!("{provider};{status}")),
            Some(_) if is_last => None,
            // Whatever it began to answer: there was another attempt, so it did not end well.
            _ => Some(format!("{provider};no-answer")),
        }
    }

    /// No attempt is left, and Envoy answers in their stead: what the last one began to say is lost.
    pub fn abandon(&mut self) {
        if let Some(last) = self.attempts.last_mut()
            && last.status.is_some_and(|status| status < 400)
        {
            last.status = None;
        }
    }

    /// What the access log shows of the exchange, as names of filter states and their values; what is empty is left out.
    pub fn log_fields(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let caller = self.caller.as_deref();
        let usage = |count: fn(&Usage) -> u64| self.usage.as_ref().map(|usage| count(usage).to_string());
        let fields = [
            ("sluice_model", Some(Cow::Borrowed(self.model.name.as_str()))),
            ("sluice_caller", caller.map(|caller| Cow::Borrowed(caller.id.as_str()))),
            ("sluice_team", caller.and_then(|caller| caller.team.as_deref()).map(Cow::Borrowed)),
            ("sluice_provider", self.provider().map(Cow::Borrowed)),
            ("sluice_failed", Some(Cow::Owned(self.failures()))),
            ("sluice_input_tokens", usage(|usage| usage.input).map(Cow::Owned)),
            ("sluice_output_tokens", usage(|usage| usage.output).map(Cow::Owned)),
            ("sluice_total_tokens", usage(|usage| usage.input.saturating_add(usage.output)).map(Cow::Owned)),
            ("sluice_cost_usd", self.cost().map(|cost| Cow::Owned(NanoUsd(cost).to_string()))),
            ("sluice_rerouted", self.rerouted.as_deref().map(Cow::Borrowed)),
            ("sluice_guards", Some(Cow::Owned(guarded::log_field(&self.guarded.fired)))),
            ("sluice_template", self.guarded.template.as_deref().map(Cow::Borrowed)),
            ("sluice_redactions", Some(Cow::Owned(self.redactions_line()))),
            ("sluice_cost_nanousd", self.cost().map(|cost| Cow::Owned(cost.to_string()))),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        fields.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// What was found so far in both directions: `email=2, iban=1`; empty when nothing was.
    fn redactions_line(&self) -> String {
        let mut counts = self.found_in_request.clone();
        counts.extend(self.found_in_answer.clone());
        counts.line(&self.plan)
    }

    /// What was found: each rule's name, in which direction, and how often.
    pub fn redactions(&self) -> impl Iterator<Item = (&str, Direction, u32)> {
        self.found_in_request.iter(&self.plan).chain(self.found_in_answer.iter(&self.plan))
    }

    /// The provider that answered, or was asked last.
    pub fn provider(&self) -> Option<&str> {
        let target = self.model.targets.get(self.attempts.last()?.target)?;
        Some(&target.provider.name)
    }

    /// What the answer has used, as far as its provider has told.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The limit for whose sake another model serves than was asked for.
    pub fn rerouted(&self) -> Option<&str> {
        self.rerouted.as_deref()
    }

    /// The guards that have found something.
    pub fn guards(&self) -> &[Fired] {
        &self.guarded.fired
    }

    /// The last attempt was answered with a failure that its status did not tell.
    pub fn failed(&mut self, failure: &Failure) {
        self.answered(failure.status);
    }

    /// The body may be forgotten: an answer has begun, so there will be no other attempt.
    pub fn settle(&mut self, usage: Option<Usage>) {
        self.body = None;
        self.prepared = None;
        if let Some(masks) = &mut self.masks {
            masks.forget();
        }
        if usage.is_some() {
            self.usage = usage;
        }
    }
}

/// The failure behind a response that Envoy made itself, by its status.
pub fn gateway_failure(status: u16, max_body_bytes: u32) -> Failure {
    match status {
        413 => too_large(max_body_bytes),
        // Of Envoy's own rate-limit filter; it says nothing of which limit it was.
        429 => Failure::invalid("A rate limit is spent.", None).status(429).code("rate_limit_exceeded"),
        504 => Failure::provider(504, "No provider answered in time.").code("provider_timeout"),
        // Envoy's own answer when a provider's outgrows its buffer.
        500 => answer_too_large(),
        502 | 503 => Failure::provider(status, "No provider could be reached.").code("provider_unreachable"),
        400..=499 => Failure::invalid("The gateway could not take the request.", None).code("bad_request"),
        _ => Failure::provider(503, "The gateway could not serve the request."),
    }
}

fn answer_too_large() -> Failure {
    Failure::provider(502, "The provider's answer was larger than the gateway holds.")
        .code("provider_answer_too_large")
}

pub(crate) fn too_large(max_body_bytes: u32) -> Failure {
    let message = format!("The request's body is larger than {max_body_bytes} bytes.");
    Failure { status: 413, kind: Kind::TooLarge, ..Failure::invalid(message, None) }.code("request_too_large")
}
