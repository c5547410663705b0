//! Calls whose bodies pass as they are: finds who serves them, and makes their requests.

use std::sync::Arc;

use crate::conversation::Field;
use crate::dialect::{By, ClientDialect, Named, Passage, ProviderDialect};
use crate::failure::Failure;
use crate::policy::{Model, Plan, Target};

use super::opening::unknown_model;
use super::prepare::Prepared;

/// The model that serves a call, and the call's body as far as it had to be read.
pub(super) fn model_of(
    plan: &Plan,
    passage: &Passage,
    content_type: &str,
    body: Option<&Arc<Vec<u8>>>,
) -> Result<Arc<Model>, Failure> {
    let name = match (&passage.by, body) {
        (By::Policy, _) => {
            return plan.pass_through.clone().ok_or_else(|| {
                Failure::invalid("No provider serves this here: the policy names none in pass_through.", None)
                    .status(404)
                    .code("unsupported_operation")
            });
        }
        (By::Query { model }, _) => model.clone(),
        (By::Body, Some(body)) => Named::find(content_type, body)?.model,
        (By::Body, None) => return Err(Failure::operator("The request's body was not read.")),
    };
    let model = plan.model(&name).cloned();
    model.ok_or_else(|| unknown_model(ClientDialect::OpenAiChat, &name))
}

/// Makes the request for a target.
pub(super) fn prepare(
    passage: &Passage,
    target: &Target,
    content_type: &str,
    body: Option<&Arc<Vec<u8>>>,
) -> Result<Prepared, Failure> {
    if target.provider.dialect != ProviderDialect::OpenAi {
        let message = format!("{} does not have this API.", target.provider.name);
        let parameter = ClientDialect::OpenAiChat.name(Field::Model);
        return Err(Failure::invalid(message, Some(parameter)).code("unsupported_operation"));
    }
    let renamed = match (&passage.by, body) {
        (By::Body, Some(body)) => Named::find(content_type, body)?.rename(body, &target.model),
        _ => None,
    };
    Ok(Prepared {
        native: None,
        method: passage.method.clone(),
        path: passage.path_for(&target.model),
        body: renamed.map(Arc::new).or_else(|| body.cloned()),
        headers: &[],
        hides_usage: false,
        dropped: Vec::new(),
    })
}
