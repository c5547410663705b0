//! The request of each attempt: complete, so that nothing of an earlier attempt is left in it.

use crate::failure::Failure;
use crate::policy::Target;

use super::prepare::{self, Prepared};
use super::response::Attempt;
use super::{AttemptRecord, Exchange};

/// What a provider gets: these headers and no others, this body.
#[derive(Debug)]
pub struct UpstreamRequest {
    /// All headers, pseudo-headers first.
    pub headers: Vec<(String, String)>,
    pub body: std::sync::Arc<Vec<u8>>,
}

impl Exchange {
    /// Begins an attempt at the provider that Envoy has chosen, told by its endpoint's metadata.
    ///
    /// An error means that the attempt can't be made; it is what the client gets.
    pub fn attempt(
        &mut self,
        provider: &str,
        occurrence: u32,
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
        let prepared = self.prepared_for(index, target)?;
        let more = self.attempts.len() + 1 < self.targets.len();
        self.attempts.push(AttemptRecord { target: index, status: None });
        self.dropped.clone_from(&prepared.dropped);
        let attempt = Attempt::new(self, target, more);
        Ok((self.upstream_request(target, prepared), attempt))
    }

    fn prepared_for(&mut self, index: usize, target: &Target) -> Result<Prepared, Failure> {
        if let Some((_, prepared)) = self.prepared.take_if(|(prepared, _)| *prepared == index) {
            return Ok(prepared);
        }
        let body = self.body.as_ref().ok_or_else(|| Failure::operator("The request's body is gone."))?;
        let request = self.client.decode(body)?;
        prepare::prepare(self.client, &self.model, target, &request, body)
    }

    fn upstream_request(&self, target: &Target, prepared: Prepared) -> UpstreamRequest {
        let provider = &target.provider;
        let endpoint = &provider.endpoint;
        let path = format!("{}{}", endpoint.path, provider.dialect.path(&target.model, self.stream));
        let accept = if self.stream { "text/event-stream" } else { "application/json" };
        let scheme = if endpoint.tls { "https" } else { "http" };
        let own = [
            (":method", "POST"),
            (":scheme", scheme),
            (":authority", &endpoint.authority),
            (":path", &path),
            ("content-type", "application/json"),
            ("content-length", &prepared.body.len().to_string()),
            ("accept", accept),
        ];
        let mut headers: Vec<(String, String)> =
            own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        if self.client.is_native_to(provider.dialect) {
            headers.extend_from_slice(&self.passing);
        }
        headers
            .extend(prepared.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        if let Some(authentication) = &provider.authentication {
            headers.push((authentication.header.to_owned(), authentication.value.expose().to_owned()));
        }
        UpstreamRequest { headers, body: prepared.body }
    }

    /// A provider has answered an attempt with this status; it may be another one than the client will get.
    pub(super) fn answered(&mut self, status: u16) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.status = Some(status);
        }
    }
}
