//! Makes the request for one target, or finds out why that can't be.

use std::sync::Arc;

use crate::conversation::Field;
use crate::dialect::{Asked, Call, ClientDialect, Excess, Lacks, Native, Support, Wanted, adapt};
use crate::failure::Failure;
use crate::policy::{Model, OutOfRange, Target, Unsupported};
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
    pub(super) changes: Changes,
}

/// What a target gets otherwise than the client said it, by the client's own names.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// The parameters that were left out.
    pub(super) dropped: Vec<String>,
    /// The parameters that were brought into the target's range.
    pub(super) clamped: Vec<String>,
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
    let native = Native::of(call, target.destination());
    if let Some(native) = native {
        let mixed = model.targets.iter().any(|target| Native::of(call, target.destination()).is_none());
        let adapted = adapt(native, call, body, task, wanted, mixed, &mut lacks)?;
        return Ok(Prepared {
            native: Some(native),
            method: POST.to_owned(),
            path: adapted.path,
            body: Some(adapted.body.map_or_else(|| Arc::clone(body), Arc::new)),
            headers: adapted.headers,
            asked: None,
            hides_usage: adapted.hides_usage,
            changes: judge(&lacks, model, target)?,
        });
    }
    refuse_foreign_content(task)?;
    let encoded = target.provider.dialect.encode(task, wanted, &mut lacks)?;
    let changes = judge(&lacks, model, target)?;
    Ok(Prepared {
        native: None,
        method: POST.to_owned(),
        path: encoded.path,
        body: Some(Arc::new(encoded.body)),
        headers: encoded.headers,
        asked: Some(ClientDialect::asked(call, task, body, &target.model)),
        hides_usage: false,
        changes,
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
    match Native::of(call, target.destination()) {
        // What is the same everywhere can be sent everywhere.
        Some(_) if target.provider.preset.is_none() => Ok(()),
        Some(_) => prepare(call, model, target, task, body).map(drop),
        None => {
            let mut lacks = Lacks::new(call.dialect);
            refuse_foreign_content(task)?;
            target.provider.dialect.check(task, wanted(model, target), &mut lacks)?;
            judge(&lacks, model, target).map(drop)
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
    match Support::of(call.dialect, target.destination()) {
        Support::AsItIs | Support::Translated => Ok(()),
        Support::Unsupported => Err(Failure::invalid(
            format!("{} does no {}.", target.provider.name, kind_name(call.dialect.kind())),
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

/// Decides by policy about what the target can't do.
fn judge(lacks: &Lacks, model: &Model, target: &Target) -> Result<Changes, Failure> {
    let provider = target.provider.name.as_str();
    if let Some(content) = lacks.contents().first() {
        return Err(unsupported(content, provider));
    }
    if let (Some(parameter), Unsupported::Refuse) = (lacks.parameters().first(), model.unsupported) {
        return Err(unsupported(parameter, provider));
    }
    if let (Some(excess), OutOfRange::Refuse) = (lacks.excesses().first(), model.out_of_range) {
        let Excess { parameter, demand } = excess;
        let message = format!("Unsupported value: '{parameter}' {demand} at {provider}.");
        return Err(Failure::invalid(message, Some(parameter.clone())).code("unsupported_value"));
    }
    Ok(Changes {
        dropped: lacks.parameters().iter().chain(lacks.omissions()).cloned().collect(),
        clamped: lacks.excesses().iter().map(|excess| excess.parameter.clone()).collect(),
    })
}

fn unsupported(path: &str, provider: &str) -> Failure {
    let message = format!("Unsupported parameter: '{path}' can't be served by {provider}.");
    Failure::invalid(message, Some(path.to_owned())).code("unsupported_parameter")
}
