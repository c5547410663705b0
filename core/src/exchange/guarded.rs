//! What guards do with a request before a model is chosen for it.

use std::sync::Arc;

use crate::dialect::{Call, ClientDialect};
use crate::failure::Failure;
use crate::guard::{Asked, Fired};

use super::admission::Denied;
use super::opening::Opening;

/// What guards have found in an exchange so far.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// In the policy's order.
    pub(super) fired: Vec<Fired>,
    /// The model that serves in place of the one that was asked for, and the guard for whose sake.
    pub(super) reroute: Option<(String, String)>,
}

/// A request that guards refuse.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) failure: Failure,
    pub(super) fired: Vec<Fired>,
}

impl Guarded {
    /// `name;action, …` of those that a client is told of; `None` where there are none.
    pub(super) fn header(&self) -> Option<String> {
        let told: Vec<_> = self.fired.iter().filter(|fired| fired.action != "log").map(named).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// `name;action, …` of all of them.
pub(super) fn log_field(fired: &[Fired]) -> String {
    fired.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn named(fired: &Fired) -> String {
    format!("{};{}", fired.guard, fired.action)
}

impl Opening {
    /// Asks the policy's guards. Returns the body as it goes on.
    pub(super) fn guard(&self, call: &Call, body: Arc<Vec<u8>>) -> Result<(Arc<Vec<u8>>, Guarded), Denied> {
        let guards = &self.plan.guards;
        if guards.is_empty() {
            return Ok((body, Guarded::default()));
        }
        let task = ClientDialect::decode(call, &body)?;
        let asked = Asked {
            client: call.dialect,
            caller: self.caller.as_deref(),
            asking: &self.asking,
            task: &task,
            body: &body,
        };
        let verdict = guards.check(asked)?;
        if let Some(failure) = verdict.refusal {
            return Err(Denied::Guarded(Box::new(Refused { failure, fired: verdict.fired })));
        }
        let replaced = verdict.body;
        let decorated = guards.decorate(Asked { body: replaced.as_deref().unwrap_or(&body), ..asked })?;
        let body = decorated.or(replaced).map_or_else(|| Arc::clone(&body), Arc::new);
        Ok((body, Guarded { fired: verdict.fired, reroute: verdict.reroute }))
    }
}
