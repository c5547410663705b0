//! The request of each attempt: complete, so that nothing of an earlier attempt is left in it.

use std::time::Duration;

use crate::credential::Unsigned;
use crate::dialect::{ClientDialect, ProviderDialect, Service};
use crate::failure::Failure;
use crate::policy::Target;
use crate::shared::SharedMemory;

use super::passing;
use super::prepare::{self, Prepared};
use super::response::{Attempt, Form};
use super::{AttemptRecord, Exchange};

/// What a provider gets: these headers and no others, this body.
#[derive(Debug)]
pub struct UpstreamRequest {
    /// All headers, pseudo-headers first.
    pub headers: Vec<(String, String)>,
    /// `None` where the client's passes as it comes.
    pub body: Option<std::sync::Arc<Vec<u8>>>,
}

impl Exchange {
    /// Begins an attempt at the provider that Envoy has chosen, told by its endpoint's metadata.
    ///
    /// An error means that the attempt can't be made; it is what the client gets.
    /// `now`: since the Unix epoch.
    pub fn attempt(
        &mut self,
        provider: &str,
        occurrence: u32,
        memory: &dyn SharedMemory,
        now: Duration,
    ) -> Result<(UpstreamRequest, Attempt), Failure> {
        let model = std::sync::Arc::clone(&self.model);
        let index = model
            .targets
            .iter()
            .position(|target| target.provider.name == provider && target.occurrence == occurrence);
        // Among those that are tried, so that nobody gets to a target that he may not use.
        let found = index
            .filter(|index| self.targets.contains(index))
            .and_then(|index| Some((index, model.targets.get(index)?)));
        let (index, target) = found.ok_or_else(|| {
            Failure::operator(
                "The gateway's clusters do not fit its policy: an endpoint names no target of the request.",
            )
        })?;
        self.move_to(memory, index, now).map_err(|spent| spent.failure())?;
        let mut prepared = self.prepared_for(index, target)?;
        let masked = self.masks.as_ref().map(|masks| masks.for_target(&model, target)).transpose()?;
        let veil = self.masks.as_ref().zip(masked.as_ref());
        let veil = veil.and_then(|(masks, masked)| masks.veil(&model, target, masked));
        self.found_in_request = masked.map(|masked| masked.counts()).unwrap_or_default();
        let more = self.attempts.len() + 1 < self.targets.len();
        self.attempts.push(AttemptRecord { target: index, status: None });
        self.changes.clone_from(&prepared.changes);
        let form = match (prepared.native, prepared.asked.take()) {
            (Some(native), _) => Form::Native { native, hides_usage: prepared.hides_usage },
            (None, Some(asked)) => Form::Translated(asked),
            (None, None) => Form::Passing,
        };
        self.keep_form(&form, target);
        let attempt = Attempt::new(self, target, form, more, veil);
        Ok((self.upstream_request(target, prepared, now)?, attempt))
    }

    fn prepared_for(&mut self, index: usize, target: &Target) -> Result<Prepared, Failure> {
        if let Some((_, prepared)) = self.prepared.take_if(|(prepared, _)| *prepared == index) {
            return Ok(prepared);
        }
        match (&self.service, &self.masks) {
            (Service::Task(call), Some(masks)) => masks.prepare(call, &self.model, target),
            (Service::Passage(passage), Some(masks)) => masks.prepare_passing(passage, &self.model, target),
            (Service::Task(call), None) => {
                let body = self.body.as_ref().ok_or_else(gone)?;
                let task = ClientDialect::decode(call, body)?;
                prepare::prepare(call, &self.model, target, &task, body)
            }
            (Service::Passage(passage), None) => {
                passing::prepare(passage, target, self.named.as_ref(), self.body.as_ref())
            }
            (Service::Models(_), _) => Err(gone()),
        }
    }

    fn upstream_request(
        &self,
        target: &Target,
        prepared: Prepared,
        now: Duration,
    ) -> Result<UpstreamRequest, Failure> {
        let provider = &target.provider;
        let endpoint = &provider.endpoint;
        let path = format!("{}{}", endpoint.path, prepared.path);
        let scheme = if endpoint.tls { "https" } else { "http" };
        let mut headers: Vec<(String, String)> = Vec::with_capacity(self.passing.len() + 10);
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        add(":method", &prepared.method);
        add(":scheme", scheme);
        add(":authority", &endpoint.authority);
        add(":path", &path);
        let is_task = matches!(self.service, Service::Task(_));
        if is_task {
            add("content-type", "application/json");
            add(
                "accept",
                match (self.stream, provider.dialect) {
                    (true, ProviderDialect::Bedrock) => "application/vnd.amazon.eventstream",
                    (true, _) => "text/event-stream",
                    (false, _) => "application/json",
                },
            );
        }
        if let Some(body) = &prepared.body {
            add("content-length", &body.len().to_string());
        }
        if !is_task || prepared.native.is_some() {
            let replaced = |name: &str| name == "content-length" && prepared.body.is_some();
            headers.extend(self.passing.iter().filter(|(name, _)| !replaced(name)).cloned());
        }
        for (name, value) in prepared.headers {
            // What a client of the same dialect says itself goes before what we would say in its place.
            if !headers.iter().any(|(header, _)| header == name) {
                headers.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        let body = prepared.body.as_deref().map_or(&[][..], Vec::as_slice);
        let unsigned = Unsigned { scheme, authority: &endpoint.authority, path: &path, body };
        for (name, value) in provider.authentication.headers(unsigned, now)? {
            headers.push((name.to_owned(), value));
        }
        Ok(UpstreamRequest { headers, body: prepared.body })
    }

    /// A provider has answered an attempt with this status; it may be another one than the client will get.
    pub(super) fn answered(&mut self, status: u16) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.status = Some(status);
        }
    }
}

pub(super) fn gone() -> Failure {
    Failure::operator("The request's body is gone.")
}
