//! Makes the request for one target, or finds out why that can't be.

use std::sync::Arc;

use crate::conversation::Request;
use crate::dialect::{ClientDialect, Lacks, Wanted};
use crate::failure::Failure;
use crate::policy::{Model, Target, Unsupported};

/// A request as one target gets it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) body: Arc<Vec<u8>>,
    /// Headers that the dialect asks for.
    pub(super) headers: &'static [(&'static str, &'static str)],
    /// The parameters that were left out.
    pub(super) dropped: Vec<String>,
}

/// Makes the request for a target.
pub(super) fn prepare(
    client: ClientDialect,
    model: &Model,
    target: &Target,
    request: &Request<'_>,
    body: &Arc<Vec<u8>>,
) -> Result<Prepared, Failure> {
    let dialect = target.provider.dialect;
    if client.is_native_to(dialect) {
        let mixed = model.targets.iter().any(|target| !client.is_native_to(target.provider.dialect));
        let adapted = client.adapt(body, request, &target.model, mixed).map(Arc::new);
        let body = adapted.unwrap_or_else(|| Arc::clone(body));
        return Ok(Prepared { body, headers: &[], dropped: Vec::new() });
    }
    let mut lacks = Lacks::default();
    refuse_foreign_content(request)?;
    let encoded = dialect.encode(request, wanted(model, target), &mut lacks)?;
    let dropped = judge(&lacks, model.unsupported, &target.provider.name)?;
    Ok(Prepared { body: Arc::new(encoded.body), headers: encoded.headers, dropped })
}

/// Whether a request could be made for a target, without writing it.
pub(super) fn check(
    client: ClientDialect,
    model: &Model,
    target: &Target,
    request: &Request<'_>,
) -> Result<(), Failure> {
    let dialect = target.provider.dialect;
    if client.is_native_to(dialect) {
        return Ok(());
    }
    let mut lacks = Lacks::default();
    refuse_foreign_content(request)?;
    dialect.check(request, wanted(model, target), &mut lacks)?;
    judge(&lacks, model.unsupported, &target.provider.name).map(|_| ())
}

fn wanted<'a>(model: &'a Model, target: &'a Target) -> Wanted<'a> {
    Wanted { model: &target.model, default_max_tokens: model.default_max_tokens }
}

/// Content that the conversation has no word for can be said in no other dialect; it is looked at first, as what is
/// left of the request may make no sense without it.
fn refuse_foreign_content(request: &Request<'_>) -> Result<(), Failure> {
    match request.others.iter().find(|other| other.content) {
        Some(other) => Err(unsupported(&other.path, "this target")),
        None => Ok(()),
    }
}

/// Decides by policy about what the target can't do; returns the parameters that are left out.
fn judge(lacks: &Lacks, policy: Unsupported, provider: &str) -> Result<Vec<String>, Failure> {
    if let Some(content) = lacks.contents().first() {
        return Err(unsupported(content, provider));
    }
    match lacks.parameters().first() {
        Some(parameter) if policy == Unsupported::Refuse => Err(unsupported(parameter, provider)),
        _ => Ok(lacks.parameters().iter().chain(lacks.omissions()).cloned().collect()),
    }
}

fn unsupported(path: &str, provider: &str) -> Failure {
    let message = format!("Unsupported parameter: '{path}' can't be served by {provider}.");
    Failure::invalid(message, Some(path.to_owned())).code("unsupported_parameter")
}
