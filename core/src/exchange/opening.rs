//! The policy's first word: who calls, what for, and what the body asks.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Asking, Denial};
use crate::conversation::Field;
use crate::dialect::{By, ClientDialect, Service};
use crate::failure::{Blame, Failure, Kind};
use crate::identity::{Caller, Credentials, Origin};
use crate::policy::{Model, Plan, Target};
use crate::route;
use crate::usage::estimate::{self, Input};

use super::prepare::{self, Prepared};
use super::{Exchange, Reply, headers, passing, too_large};

/// A request's headers, and what else is known of it before its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// All of them, pseudo-headers too, names in lower case.
    pub headers: &'a [(String, String)],
    pub origin: Origin<'a>,
}

/// A request whose body is still to be read.
#[derive(Debug)]
pub struct Opening {
    plan: Arc<Plan>,
    service: Service,
    caller: Option<Arc<Caller>>,
    asking: Asking,
    passing: Vec<(String, String)>,
}

impl<'a> Head<'a> {
    fn get(self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Whether a header stands there more than once with different values.
    fn disagrees(self, name: &str) -> bool {
        let mut values = self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value);
        values.next().is_some_and(|first| values.any(|other| other != first))
    }

    fn path(self) -> &'a str {
        let path = self.get(":path").unwrap_or_default();
        path.split_once('?').map_or(path, |(path, _)| path)
    }

    fn credentials(self) -> Credentials<'a> {
        Credentials {
            authorization: self.get("authorization"),
            x_api_key: self.get("x-api-key"),
            api_key: self.get("api-key"),
            x_goog_api_key: self.get("x-goog-api-key"),
            query: Credentials::query_of(self.get(":path").unwrap_or_default()),
        }
    }
}

/// Opens an exchange by its headers, at `now` (since the Unix epoch). A reply ends it at once.
pub fn open(plan: &Arc<Plan>, head: Head<'_>, now: Duration) -> Result<Opening, Reply> {
    let (method, path) = (head.get(":method").unwrap_or_default(), head.get(":path").unwrap_or_default());
    let service = Service::of(method, path, |name| head.get(name).is_some());
    // Who asks for what isn't there is told so in the most common dialect, and only once it is known who asks.
    let dialect = service.as_ref().map_or(ClientDialect::OpenAiChat, Service::client);
    let refuse = |failure: Failure| Reply::failure(dialect, &failure);
    for name in crate::dialect::ProviderDialect::CREDENTIAL_HEADERS {
        if head.disagrees(name) {
            return Err(refuse(plan.callers.count(crate::identity::disagreement(), head.origin, now)));
        }
    }
    let caller = plan.callers.identify(head.credentials(), head.origin, now).map_err(refuse)?;
    let service = service.ok_or_else(|| refuse(nothing_there(head)))?;
    let asking = plan.access.asking(dialect, head.path(), head.headers, now);
    if let Service::Models(listing) = &service {
        let models = plan.models_for(caller.as_deref(), &asking);
        let names = models.map(|model| model.name.as_str()).collect();
        return Err(listing.answer(names).map_or_else(refuse, Reply::json));
    }
    let passes = match &service {
        Service::Passage(_) => headers::passes_with_body,
        Service::Task(_) | Service::Models(_) => headers::passes_to_provider,
    };
    let passing = head.headers.iter().filter(|(name, _)| passes(name)).cloned().collect();
    Ok(Opening { plan: Arc::clone(plan), service, caller, asking, passing })
}

fn nothing_there(head: Head<'_>) -> Failure {
    let message = format!("There is nothing at {} {}.", head.get(":method").unwrap_or_default(), head.path());
    let message: String = message.chars().take(200).collect();
    Failure { status: 404, kind: Kind::NotFound, ..Failure::invalid(message, None) }.code("unknown_url")
}

impl Opening {
    /// The dialect in which errors have to be said.
    pub fn client(&self) -> ClientDialect {
        self.service.client()
    }

    /// Whether the request's body has to be read before anything can be decided; otherwise it passes as it comes.
    pub fn needs_body(&self) -> bool {
        match &self.service {
            Service::Passage(passage) => passage.by == By::Body,
            Service::Task(_) | Service::Models(_) => true,
        }
    }

    /// Finds the model and a target that can serve the request; `body` is there when it is [needed](Self::needs_body). A
    /// reply ends the exchange at once.
    pub fn read(self, body: Option<Vec<u8>>) -> Result<Exchange, Reply> {
        let client = self.client();
        self.decide(body.map(Arc::new)).map_err(|failure| Reply::failure(client, &failure))
    }

    fn decide(self, body: Option<Arc<Vec<u8>>>) -> Result<Exchange, Failure> {
        let max_body_bytes = self.plan.listen.max_body_bytes;
        if body.as_ref().is_some_and(|body| body.len() > max_body_bytes as usize) {
            return Err(too_large(max_body_bytes));
        }
        let mut input = Input::default();
        let (model, stream, (able, prepared)) = match (&self.service, &body) {
            (Service::Task(call), Some(body)) => {
                let task = ClientDialect::decode(call, body)?;
                let (model, allowed) = self.model(task.model())?;
                let chosen = choose(
                    &model,
                    &allowed,
                    |target| prepare::prepare(call, &model, target, &task, body),
                    |target| prepare::check(call, &model, target, &task, body),
                )?;
                let stream = task.streams();
                input = estimate::input(&task);
                (model, stream, chosen)
            }
            (Service::Passage(passage), body) => {
                let content_type = content_type(&self.passing);
                let (model, allowed) = match passing::model_named(passage, content_type, body.as_ref())? {
                    Some(name) => self.model(&name)?,
                    None => self.pass_through()?,
                };
                let prepare =
                    |target: &Target| passing::prepare(passage, target, content_type, body.as_ref());
                let (mut able, prepared) =
                    choose(&model, &allowed, prepare, |target| prepare(target).map(drop))?;
                if body.is_none() {
                    // A body that passes as it comes can be sent once.
                    able.truncate(1);
                }
                (model, false, (able, prepared))
            }
            (Service::Task(_) | Service::Models(_), _) => {
                return Err(Failure::operator("The request's body was not read."));
            }
        };
        let (route, targets) = route::serve(&model, &able);
        let targets = targets.to_vec();
        Ok(Exchange {
            service: self.service,
            caller: self.caller,
            stream,
            input,
            body,
            passing: self.passing,
            prepared: targets.first().map(|first| (*first, prepared)),
            targets,
            route,
            attempts: Vec::new(),
            dropped: Vec::new(),
            usage: None,
            plan: self.plan,
            model,
        })
    }

    /// The model of this name, and the positions of those of its targets that the caller may use.
    fn model(&self, name: &str) -> Result<(Arc<Model>, Vec<usize>), Failure> {
        let (caller, rules) = (self.caller.as_deref(), &self.plan.access);
        let denied = |denial: Denial| denial.failure(name);
        let Some(model) = self.plan.model(name).cloned() else {
            rules.unknown(caller, &self.asking, name).map_err(denied)?;
            return Err(unknown_model(self.client(), name));
        };
        let allowed = rules.targets(caller, &self.asking, &model).map_err(denied)?;
        Ok((model, allowed))
    }

    /// What serves the calls that name no model.
    fn pass_through(&self) -> Result<(Arc<Model>, Vec<usize>), Failure> {
        let nobody = || {
            Failure::invalid("No provider serves this here: the policy names none in pass_through.", None)
                .status(404)
                .code("unsupported_operation")
        };
        let model = self.plan.pass_through.clone().ok_or_else(nobody)?;
        let allowed = self.plan.access.targets(self.caller.as_deref(), &self.asking, &model);
        let allowed = allowed.map_err(|denial| denial.failure(""))?;
        Ok((model, allowed))
    }
}

/// Of the targets that may be used, those that can serve the request, and the request for the first of them.
///
/// When none can, the client learns why the first one can't.
fn choose(
    model: &Model,
    allowed: &[usize],
    prepare: impl Fn(&Target) -> Result<Prepared, Failure>,
    check: impl Fn(&Target) -> Result<(), Failure>,
) -> Result<(Vec<usize>, Prepared), Failure> {
    let mut refusal = None;
    let mut targets = allowed.iter().filter_map(|position| Some((*position, model.targets.get(*position)?)));
    while let Some((first, target)) = targets.next() {
        match prepare(target) {
            Ok(prepared) => {
                let others =
                    targets.filter(|(_, target)| check(target).is_ok()).map(|(position, _)| position);
                return Ok((std::iter::once(first).chain(others).collect(), prepared));
            }
            Err(failure) => {
                refusal.get_or_insert(failure);
            }
        }
    }
    Err(refusal.unwrap_or_else(|| Failure::operator("The model has no targets.")))
}

pub(super) fn unknown_model(client: ClientDialect, name: &str) -> Failure {
    let name: String = name.chars().take(128).collect();
    Failure {
        blame: Blame::Client,
        status: 404,
        kind: Kind::NotFound,
        code: Some("model_not_found".into()),
        message: format!("There is no model '{name}' here.").into(),
        parameter: Some(client.name(Field::Model)),
        retry_after: None,
    }
}

pub(super) fn content_type(headers: &[(String, String)]) -> &str {
    let header = headers.iter().find(|(name, _)| name == "content-type");
    header.map_or("", |(_, value)| value.as_str())
}
