//! Calls whose bodies pass as they are: finds who serves them, and makes their requests.

use std::sync::Arc;

use crate::conversation::Field;
use crate::dialect::{By, ClientDialect, Named, Passage, ProviderDialect};
use crate::failure::Failure;
use crate::policy::Target;

use super::prepare::{Changes, Prepared};

/// The name of the model that a call names; `None` where it names none.
pub(super) fn model_named(
    passage: &Passage,
    content_type: &str,
    body: Option<&Arc<Vec<u8>>>,
) -> Result<Option<String>, Failure> {
    match (&passage.by, body) {
        (By::Policy, _) => Ok(None),
        (By::Query { model }, _) => Ok(Some(model.clone())),
        (By::Body, Some(body)) => Ok(Some(Named::find(content_type, body)?.model)),
        (By::Body, None) => Err(Failure::operator("The request's body was not read.")),
    }
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
        asked: None,
        hides_usage: false,
        changes: Changes::default(),
    })
}
