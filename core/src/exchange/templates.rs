//! Requests that name a template: what it becomes with their values.

use std::sync::Arc;

use super::opening::Opening;
use crate::dialect::texts::prompts;
use crate::dialect::{Call, ClientDialect};
use crate::failure::Failure;
use crate::template::{Chosen, Named};

/// A request whose template is filled in.
pub(super) struct Filled<'p> {
    pub chosen: Chosen<'p>,
    /// The request with the template's name and values: what the client has said, and nothing of the policy's.
    pub named: Arc<Vec<u8>>,
    /// The request as models get it.
    pub whole: Arc<Vec<u8>>,
}

impl Opening {
    /// Fills in the template that a request names, in its body or in headers; `None` where it names none.
    pub(super) fn fill(&self, call: &Call, body: &Arc<Vec<u8>>) -> Result<Option<Filled<'_>>, Failure> {
        let (templates, client) = (&self.plan.templates, call.dialect);
        let in_body = match templates.is_empty() {
            true => None,
            false => prompts::find(client, body)?.filter(|prompt| templates.concerns(client, prompt)),
        };
        let (named, body) = match (&self.template, in_body) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let message = "A template is named in a header and in the body; one of them has to go.";
                return Err(Failure::invalid(message, Some("prompt".to_owned())).code("template_twice"));
            }
            (Some(_), None) if !prompts::has_templates(client) => return Err(unsupported()),
            (Some(named), None) => (named.clone(), Arc::new(prompts::add(body, &named.to_json())?)),
            (None, Some(prompt)) => (Named::read(&prompt)?, Arc::clone(body)),
        };
        let chosen = templates.choose(&named, self.caller.as_deref(), &self.asking)?;
        let whole = chosen.expand(client, &body)?;
        templates.serves(&chosen, ClientDialect::decode(call, &whole)?.model())?;
        Ok(Some(Filled { chosen, named: body, whole: Arc::new(whole) }))
    }
}

/// A template is named for what has no prompts.
pub(super) fn unsupported() -> Failure {
    Failure::invalid("Templates can't be used with this API.", None).code("unsupported_template")
}
