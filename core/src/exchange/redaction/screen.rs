//! What one text goes through: what rules find is replaced, then what stands for the client's own values is given back.

use std::sync::Arc;

use crate::dialect::texts::Found;
use crate::redact::{Escapes, JsonMasker, Masker, Outcome, Pseudonyms, Restorer, Session};

/// What the texts of one request or one answer go through.
#[derive(Debug)]
pub(crate) struct Screen {
    session: Session,
    /// Given back in answers; nothing in requests.
    pseudonyms: Arc<Pseudonyms>,
    /// Whether anything is looked for.
    looks: bool,
}

/// One text that comes in parts.
#[derive(Debug)]
pub(super) struct Flow {
    masker: Mask,
    restorer: Restorer,
}

#[derive(Debug)]
enum Mask {
    None,
    Text(Box<Masker>),
    Json(Box<JsonMasker>),
}

impl Screen {
    pub(crate) fn new(session: Session, pseudonyms: Arc<Pseudonyms>, looks: bool) -> Self {
        Self { session, pseudonyms, looks }
    }

    /// What comes in the stead of what stands there as a whole; `None`: it stays.
    pub(crate) fn whole(&mut self, found: Found<'_>) -> Option<String> {
        let (text, json) = match found {
            Found::Text(text) => (text, false),
            Found::Json(text) => (text, true),
            Found::Delta { text, json } => (text, json),
            Found::Unreadable | Found::Tokens => return None,
        };
        let mut out = String::with_capacity(text.len());
        let mut flow = self.flow(json);
        self.push(&mut flow, text, &mut out);
        self.end(&mut flow, &mut out);
        (out != text).then_some(out)
    }

    /// A new text that comes in parts.
    pub(super) fn flow(&self, json: bool) -> Flow {
        let (masker, escapes) = match (self.looks, json) {
            (false, false) => (Mask::None, Escapes::Text),
            (false, true) => (Mask::None, Escapes::Json),
            (true, false) => (Mask::Text(Box::default()), Escapes::Text),
            (true, true) => (Mask::Json(Box::default()), Escapes::Json),
        };
        Flow { masker, restorer: Restorer::new(escapes) }
    }

    /// Adds to `out` what is settled by this part.
    pub(super) fn push(&mut self, flow: &mut Flow, text: &str, out: &mut String) {
        let mut masked = String::new();
        let masked = match &mut flow.masker {
            Mask::None => text,
            Mask::Text(masker) => {
                masker.push(&mut self.session, text, &mut masked);
                &masked
            }
            Mask::Json(masker) => {
                masker.push(&mut self.session, text, &mut masked);
                &masked
            }
        };
        flow.restorer.push(&self.pseudonyms, masked, out);
    }

    /// The text has come to its end; adds the rest to `out`.
    pub(super) fn end(&mut self, flow: &mut Flow, out: &mut String) {
        let mut masked = String::new();
        match &mut flow.masker {
            Mask::None => {}
            Mask::Text(masker) => masker.finish(&mut self.session, &mut masked),
            Mask::Json(masker) => masker.finish(&mut self.session, &mut masked),
        }
        flow.restorer.push(&self.pseudonyms, &masked, out);
        flow.restorer.finish(&self.pseudonyms, out);
    }

    pub(crate) fn outcome(&self) -> &Outcome {
        self.session.outcome()
    }

    pub(super) fn take_outcome(&mut self) -> Outcome {
        self.session.take_outcome()
    }

    /// Puts back what was found before something that doesn't count; that it blocks does.
    pub(super) fn set_outcome(&mut self, outcome: Outcome) {
        let blocked = outcome.blocked.or(self.session.outcome().blocked);
        self.session.set_outcome(Outcome { blocked, ..outcome });
    }

    /// What was found, and what was replaced by pseudonyms.
    pub(crate) fn finish(mut self) -> (Outcome, Pseudonyms) {
        (self.session.take_outcome(), self.session.into_pseudonyms())
    }
}
