//! Answers that have to fit a schema: judged as wholes, and of streams when the event comes that ends them.

use std::sync::Arc;

use super::redaction::end_of_object;
use crate::dialect::ClientDialect;
use crate::dialect::texts::{Closing, Sayings};
use crate::failure::Failure;
use crate::guard::{Asked, Fired};
use crate::policy::Plan;
use crate::stream::sse;

/// The schemas that the answer to one request has to fit.
#[derive(Clone, Debug)]
pub(super) struct Schemas {
    plan: Arc<Plan>,
    guards: Arc<[usize]>,
}

/// A stream on its way to the client, in the client's dialect.
#[derive(Debug)]
pub(super) struct SchemaStream {
    schemas: Schemas,
    /// Whether the stream is one JSON array.
    array: bool,
    said: Sayings,
    closing: Closing,
    /// The beginning of an event.
    pending: Vec<u8>,
    fired: Vec<Fired>,
    /// Why the rest is not for the client.
    refused: Option<Failure>,
}

impl Schemas {
    /// `None` where there are none.
    pub(super) fn of(plan: &Arc<Plan>, asked: Asked<'_>) -> Option<Self> {
        let guards = plan.guards.schemas_of_answer(asked)?;
        Some(Self { plan: Arc::clone(plan), guards })
    }

    fn limit(&self) -> usize {
        self.plan.listen.max_body_bytes as usize
    }

    /// Judges a whole answer; a failure means that it may not reach the client.
    pub(super) fn whole(
        &self,
        client: ClientDialect,
        body: &[u8],
        fired: &mut Vec<Fired>,
    ) -> Option<Failure> {
        let mut said = Sayings::new(client, self.limit());
        said.whole(body);
        self.judge(&mut said, fired)
    }

    fn judge(&self, said: &mut Sayings, fired: &mut Vec<Fired>) -> Option<Failure> {
        let mut refused = None;
        for choice in said.ended().filter(|choice| !choice.none) {
            let text = (!choice.overflows).then_some(choice.text.as_str());
            let (misfits, failure) = self.plan.guards.misfits(&self.guards, text);
            for misfit in misfits {
                if !fired.contains(&misfit) {
                    fired.push(misfit);
                }
            }
            refused = refused.or(failure);
        }
        refused
    }

    /// For a streamed answer.
    pub(super) fn stream(&self, client: ClientDialect, array: bool) -> SchemaStream {
        SchemaStream {
            schemas: self.clone(),
            array,
            said: Sayings::new(client, self.limit()),
            closing: Closing::new(client),
            pending: Vec::new(),
            fired: Vec::new(),
            refused: None,
        }
    }
}

impl SchemaStream {
    /// Takes more of the client's stream; what passes is appended to `out`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut from = 0;
        while self.refused.is_none()
            && let Some(length) = self.next(pending.get(from..).unwrap_or_default())
        {
            let event = pending.get(from..from + length).unwrap_or_default();
            self.event(event);
            if self.refused.is_none() {
                out.extend_from_slice(event);
            }
            from += length;
        }
        if self.refused.is_none() {
            self.pending = pending.get(from..).unwrap_or_default().to_vec();
        }
    }

    /// The stream has ended; what is left of it is appended to `out`.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        let rest = std::mem::take(&mut self.pending);
        if self.refused.is_none() && !rest.is_empty() {
            self.event(&rest);
            if self.refused.is_none() {
                out.extend_from_slice(&rest);
            }
        }
    }

    /// Why the rest of it is not for the client, once that is so.
    pub(super) fn refused(&self) -> Option<&Failure> {
        self.refused.as_ref()
    }

    /// Ends the stream as one whose answer is withheld.
    pub(super) fn close(&self, out: &mut Vec<u8>) {
        self.closing.end(self.array, out);
    }

    /// The guards that have found something since this was asked last.
    pub(super) fn take_fired(&mut self) -> Vec<Fired> {
        std::mem::take(&mut self.fired)
    }

    /// How long the next whole event is, or what stands between two elements of an array.
    fn next(&self, bytes: &[u8]) -> Option<usize> {
        match self.array {
            false => sse::end_of_event(bytes, 0),
            true => match bytes.first()? {
                b'{' => end_of_object(bytes),
                _ => Some(bytes.iter().position(|byte| *byte == b'{').unwrap_or(bytes.len())),
            },
        }
    }

    fn event(&mut self, raw: &[u8]) {
        if self.array {
            if let Some(data) = std::str::from_utf8(raw).ok().filter(|data| data.starts_with('{')) {
                self.data(data);
            }
            return;
        }
        let stripped = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw);
        // What is no event says nothing.
        let _ = sse::parse(stripped, 0, &mut |event| self.data(&event.data));
    }

    fn data(&mut self, data: &str) {
        self.said.event(data);
        self.refused = self.schemas.judge(&mut self.said, &mut self.fired);
        if self.refused.is_none() {
            self.closing.see(data);
        }
    }
}
