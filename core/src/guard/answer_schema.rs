//! The schema that answers have to fit.

use std::sync::Arc;

use super::{Action, Asked, Fired, Guards};
use crate::failure::{Blame, Failure};
use crate::policy::GuardKind;

impl Guards {
    /// The guards that have a schema for the answer to a request, by their places; none for most.
    pub(crate) fn schemas_of_answer(&self, asked: Asked<'_>) -> Option<Arc<[usize]>> {
        let has_schema = |(number, guard): (usize, &super::Guard)| {
            (matches!(guard.kind, GuardKind::AnswerSchema(_)) && guard.asks(asked)).then_some(number)
        };
        let schemas: Arc<[usize]> = self.guards.iter().enumerate().filter_map(has_schema).collect();
        (!schemas.is_empty()).then_some(schemas)
    }

    /// Which of these guards a text does not fit (`None`: it is none that could be judged, and fits nowhere), and why it may not
    /// reach the client, if it may not.
    pub(crate) fn misfits(&self, schemas: &[usize], text: Option<&str>) -> (Vec<Fired>, Option<Failure>) {
        let (mut fired, mut refused) = (Vec::new(), None);
        for guard in schemas.iter().filter_map(|number| self.guards.get(*number)) {
            let GuardKind::AnswerSchema(schema) = &guard.kind else { continue };
            if text.is_some_and(|text| schema.fits(text)) {
                continue;
            }
            fired.push(Fired { guard: guard.name.clone(), action: guard.action.word() });
            if guard.action == Action::Refuse {
                let message = format!("The answer does not fit the schema of the guard '{}'.", guard.name);
                let failure = Failure::invalid(message, None).code("answer_schema");
                refused.get_or_insert(Failure { blame: Blame::Policy, ..failure });
            }
        }
        (fired, refused)
    }
}
