//! Calls whose bodies pass as they are: finds who serves them, and makes their requests.

use std::sync::Arc;

use crate::conversation::Field;
use crate::dialect::{By, ClientDialect, Named, Passage, ProviderDialect};
use crate::failure::Failure;
use crate::policy::Target;

use super::prepare::{Changes, Prepared};

/// The model that a call names; `None` where it names none, or names it elsewhere than in its body.
pub(super) fn model_named(
    passage: &Passage,
    content_type: &str,
    body: Option<&Arc<Vec<u8>>>,
) -> Result<Option<Named>, Failure> {
    match (&passage.by, body) {
        (By::Policy | By::Query { .. }, _) => Ok(None),
        (By::Body, Some(body)) => Named::find(content_type, body).map(Some),
        (By::Body, None) => Err(Failure::operator("The request's body was not read.")),
    }
}

/// Makes the request for a target. `named`: where the body names the model.
pub(super) fn prepare(
    passage: &Passage,
    target: &Target,
    named: Option<&Named>,
    body: Option<&Arc<Vec<u8>>>,
) -> Result<Prepared, Failure> {
    check(target)?;
    let renamed = named.zip(body).and_then(|(named, body)| named.rename(body, &target.model));
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

/// Whether a target has such APIs.
pub(super) fn check(target: &Target) -> Result<(), Failure> {
    if target.provider.dialect != ProviderDialect::OpenAi {
        let message = format!("{} does not have this API.", target.provider.name);
        let parameter = ClientDialect::OpenAiChat.name(Field::Model);
        return Err(Failure::invalid(message, Some(parameter)).code("unsupported_operation"));
    }
    Ok(())
}
