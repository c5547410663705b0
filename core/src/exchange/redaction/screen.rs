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
pub(in crate::exchange) struct Flow {
    masker: Mask,
    restorer: Restorer,
}

#[derive(Debug)]
enum Mask {
    None,
    Text(Box<Masker>),
    Json(Box<JsonMasker>),
    /// It is not known yet whether the text is JSON; its beginning.
    Either(String),
}

impl Flow {
    /// How many bytes of the text are held back: the last ones that were pushed.
    pub(in crate::exchange) fn held(&self) -> usize {
        match &self.masker {
            Mask::None => 0,
            Mask::Text(masker) => masker.held(),
            Mask::Json(masker) => masker.held(),
            Mask::Either(begun) => begun.len(),
        }
    }
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
        let masked = match (self.looks, json) {
            (false, _) => None,
            (true, false) => self.session.mask(text),
            (true, true) => self.session.mask_json(text),
        };
        if self.pseudonyms.is_empty() {
            return masked;
        }
        let mut restored = String::with_capacity(text.len());
        let mut restorer = Restorer::new(if json { Escapes::Json } else { Escapes::Text });
        restorer.push(&self.pseudonyms, masked.as_deref().unwrap_or(text), &mut restored);
        restorer.finish(&self.pseudonyms, &mut restored);
        (restored != text).then_some(restored)
    }

    /// A new text that comes in parts. One that begins as a JSON object does is taken for one.
    pub(in crate::exchange) fn flow_of_parts(&self, json: bool) -> Flow {
        let flow = self.flow(json);
        match flow.masker {
            Mask::Text(_) => Flow { masker: Mask::Either(String::new()), ..flow },
            _ => flow,
        }
    }

    fn flow(&self, json: bool) -> Flow {
        let (masker, escapes) = match (self.looks, json) {
            (false, false) => (Mask::None, Escapes::Text),
            (false, true) => (Mask::None, Escapes::Json),
            (true, false) => (Mask::Text(Box::default()), Escapes::Text),
            (true, true) => (Mask::Json(Box::default()), Escapes::Json),
        };
        Flow { masker, restorer: Restorer::new(escapes) }
    }

    /// Adds to `out` what is settled by this part.
    pub(in crate::exchange) fn push(&mut self, flow: &mut Flow, text: &str, out: &mut String) {
        if let Mask::Either(begun) = &mut flow.masker {
            begun.push_str(text);
            let Some(json) = begins_as_json(begun) else { return };
            let text = std::mem::take(begun);
            self.decide(flow, json);
            return self.push(flow, &text, out);
        }
        let mut masked = String::new();
        let masked = match &mut flow.masker {
            Mask::None | Mask::Either(_) => text,
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

    fn decide(&self, flow: &mut Flow, json: bool) {
        *flow = self.flow(json);
    }

    /// The text has come to its end; adds the rest to `out`.
    pub(in crate::exchange) fn end(&mut self, flow: &mut Flow, out: &mut String) {
        if let Mask::Either(begun) = &mut flow.masker {
            let text = std::mem::take(begun);
            self.decide(flow, false);
            self.push(flow, &text, out);
        }
        let mut masked = String::new();
        match &mut flow.masker {
            Mask::None | Mask::Either(_) => {}
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

/// Whether a text begins as a JSON object with a member does; `None` while that is open.
fn begins_as_json(text: &str) -> Option<bool> {
    let space = [' ', '\t', '\r', '\n'];
    let begun = text.trim_start_matches(space);
    let first = begun.chars().next()?;
    if first != '{' {
        return Some(false);
    }
    let next = begun.get(1..).unwrap_or_default().trim_start_matches(space).chars().next()?;
    Some(next == '"')
}
