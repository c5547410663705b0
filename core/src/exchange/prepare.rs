//! Makes the request for one target, or finds out why that can't be.

use std::sync::Arc;

use crate::conversation::Field;
use crate::dialect::{Asked, Call, ClientDialect, Lacks, Native, Wanted, adapt};
use crate::failure::Failure;
use crate::policy::{Model, Target, Unsupported};
use crate::task::{Task, TaskKind};

/// A request as one target gets it.
#[derive(Debug)]
pub(super) struct Prepared {
    /// How the client's own dialect is spoken at the target; `None` where everything is translated.
    pub(super) native: Option<Native>,
    pub(super) method: String,
    /// With its query; it stands behind the endpoint's own path.
    pub(super) path: String,
    /// `None` where the client's passes as it comes.
    pub(super) body: Option<Arc<Vec<u8>>>,
    /// Headers that the dialect asks for.
    pub(super) headers: &'static [(&'static str, &'static str)],
    /// What of the request shapes the answer, where that has to be translated.
    pub(super) asked: Option<Asked>,
    /// Whether the provider was asked for a usage that the client did not ask for.
    pub(super) hides_usage: bool,
    /// The parameters that were left out.
    pub(super) dropped: Vec<String>,
}

const POST: &str = "POST";

/// Makes the request for a target.
pub(super) fn prepare(
    call: &Call,
    model: &Model,
    target: &Target,
    task: &Task<'_>,
    body: &Arc<Vec<u8>>,
) -> Result<Prepared, Failure> {
    let wanted = wanted(model, target);
    let mut lacks = Lacks::new(call.dialect);
    can_serve(call, target)?;
    let native = Native::of(call, &target.provider, &target.model);
    if let Some(native) = native {
        let mixed =
            model.targets.iter().any(|target| Native::of(call, &target.provider, &target.model).is_none());
        let adapted = adapt(native, call, body, task, wanted, mixed, &mut lacks)?;
        return Ok(Prepared {
            native: Some(native),
            method: POST.to_owned(),
            path: adapted.path,
            body: Some(adapted.body.map_or_else(|| Arc::clone(body), Arc::new)),
            headers: adapted.headers,
            asked: None,
            hides_usage: adapted.hides_usage,
            dropped: judge(&lacks, model.unsupported, &target.provider.name)?,
        });
    }
    refuse_foreign_content(task)?;
    let encoded = target.provider.dialect.encode(task, wanted, &mut lacks)?;
    let dropped = judge(&lacks, model.unsupported, &target.provider.name)?;
    Ok(Prepared {
        native: None,
        method: POST.to_owned(),
        path: encoded.path,
        body: Some(Arc::new(encoded.body)),
        headers: encoded.headers,
        asked: Some(ClientDialect::asked(call, task, body, &target.model)),
        hides_usage: false,
        dropped,
    })
}

/// Whether a request could be made for a target, with as little work as that takes.
pub(super) fn check(
    call: &Call,
    model: &Model,
    target: &Target,
    task: &Task<'_>,
    body: &Arc<Vec<u8>>,
) -> Result<(), Failure> {
    can_serve(call, target)?;
    match Native::of(call, &target.provider, &target.model) {
        // What is the same everywhere can be sent everywhere.
        Some(_) if target.provider.preset.is_none() => Ok(()),
        Some(_) => prepare(call, model, target, task, body).map(drop),
        None => {
            let mut lacks = Lacks::new(call.dialect);
            refuse_foreign_content(task)?;
            target.provider.dialect.check(task, wanted(model, target), &mut lacks)?;
            judge(&lacks, model.unsupported, &target.provider.name).map(drop)
        }
    }
}

fn wanted<'a>(model: &'a Model, target: &'a Target) -> Wanted<'a> {
    Wanted { model: &target.model, default_max_tokens: model.default_max_tokens, provider: &target.provider }
}

/// Content that the task has no word for can be said in no other dialect; it is looked at first, as what is left of the
/// request may make no sense without it.
fn refuse_foreign_content(task: &Task<'_>) -> Result<(), Failure> {
    match task.others().iter().find(|other| other.content) {
        Some(other) => Err(unsupported(&other.path, "this target")),
        None => Ok(()),
    }
}

/// Whether there is any way to have this done there.
fn can_serve(call: &Call, target: &Target) -> Result<(), Failure> {
    let kind = call.dialect.kind();
    let provider = &target.provider;
    let has = provider.preset.is_none_or(|preset| match kind {
        TaskKind::Embeddings => preset.has.embeddings,
        TaskKind::Rerank => preset.has.rerank,
        TaskKind::Conversation | TaskKind::CountTokens => true,
    });
    match has && provider.dialect.serves(kind) {
        true => Ok(()),
        false => Err(Failure::invalid(
            format!("{} does no {}.", provider.name, kind_name(kind)),
            Some(call.dialect.name(Field::Model)),
        )
        .code("unsupported_operation")),
    }
}

fn kind_name(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Conversation => "conversations",
        TaskKind::CountTokens => "counting of tokens",
        TaskKind::Embeddings => "embeddings",
        TaskKind::Rerank => "reranking",
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
