//! Answers that have to fit a schema: judged as wholes, and of streams when the event comes that ends them.

use std::sync::Arc;

use super::events::{self, Events};
use crate::dialect::ClientDialect;
use crate::dialect::texts::{Closing, Sayings};
use crate::failure::Failure;
use crate::guard::{Asked, Fired};
use crate::policy::Plan;

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
    events: Events,
    said: Sayings,
    closing: Closing,
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
            events: Events::new(array),
            said: Sayings::new(client, self.limit()),
            closing: Closing::new(client),
            fired: Vec::new(),
            refused: None,
        }
    }
}

impl SchemaStream {
    /// Takes more of the client's stream; what passes is appended to `out`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut events = std::mem::take(&mut self.events);
        events.push(bytes, &mut |event| self.event(event, out));
        self.events = events;
    }

    /// The stream has ended; what is left of it is appended to `out`.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        let rest = self.events.rest();
        if !rest.is_empty() {
            self.event(&rest, out);
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

    /// Returns whether it passes.
    fn event(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        if self.refused.is_none() {
            // What is no event says nothing.
            let _ = events::read(self.array, raw, &mut |_, data| self.data(data));
        }
        if self.refused.is_none() {
            out.extend_from_slice(raw);
        }
        self.refused.is_none()
    }

    fn data(&mut self, data: &str) {
        self.said.event(data);
        self.refused = self.schemas.judge(&mut self.said, &mut self.fired);
        if self.refused.is_none() {
            self.closing.see(data);
        }
    }
}
