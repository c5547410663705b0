//! The policy's first word: who calls, what for, and what the body asks.

use std::sync::Arc;
use std::time::Duration;

use crate::conversation::Field;
use crate::dialect::{By, ClientDialect, Service};
use crate::failure::{Blame, Failure, Kind};
use crate::identity::{Caller, Credentials};
use crate::policy::{Model, Plan, Target};

use super::prepare::{self, Prepared};
use super::{Exchange, Reply, headers, passing, too_large};

/// A request's headers.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// All of them, pseudo-headers too, names in lower case.
    pub headers: &'a [(String, String)],
}

/// A request whose body is still to be read.
#[derive(Debug)]
pub struct Opening {
    plan: Arc<Plan>,
    service: Service,
    caller: Option<Arc<Caller>>,
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
            return Err(refuse(crate::identity::disagreement()));
        }
    }
    let caller = plan.callers.identify(head.credentials(), now).map_err(refuse)?;
    let service = service.ok_or_else(|| refuse(nothing_there(head)))?;
    if let Service::Models(listing) = &service {
        let names = plan.models().map(|model| model.name.as_str()).collect();
        return Err(listing.answer(names).map_or_else(refuse, Reply::json));
    }
    let passes = match &service {
        Service::Passage(_) => headers::passes_with_body,
        Service::Task(_) | Service::Models(_) => headers::passes_to_provider,
    };
    let passing = head.headers.iter().filter(|(name, _)| passes(name)).cloned().collect();
    Ok(Opening { plan: Arc::clone(plan), service, caller, passing })
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
        let size = body.as_ref().map_or(0, |body| body.len());
        if size > max_body_bytes as usize {
            return Err(too_large(max_body_bytes));
        }
        let (model, stream, (first, count, prepared)) = match (&self.service, &body) {
            (Service::Task(call), Some(body)) => {
                let task = ClientDialect::decode(call, body)?;
                let unknown = || unknown_model(call.dialect, task.model());
                let model = self.plan.model(task.model()).cloned().ok_or_else(unknown)?;
                let run = choose(
                    &model,
                    |target| prepare::prepare(call, &model, target, &task, body),
                    |target| prepare::check(call, &model, target, &task, body),
                )?;
                let stream = task.streams();
                (model, stream, run)
            }
            (Service::Passage(passage), body) => {
                let content_type = content_type(&self.passing);
                let model = passing::model_of(&self.plan, passage, content_type, body.as_ref())?;
                let prepare =
                    |target: &Target| passing::prepare(passage, target, content_type, body.as_ref());
                let (first, count, prepared) = choose(&model, prepare, |target| prepare(target).map(drop))?;
                // A body that passes as it comes can be sent once.
                let count = if body.is_some() { count } else { 1 };
                (model, false, (first, count, prepared))
            }
            (Service::Task(_) | Service::Models(_), _) => {
                return Err(Failure::operator("The request's body was not read."));
            }
        };
        Ok(Exchange {
            service: self.service,
            caller: self.caller,
            stream,
            size,
            body,
            passing: self.passing,
            first,
            count,
            prepared: Some((first, prepared)),
            attempts: Vec::new(),
            dropped: Vec::new(),
            usage: None,
            plan: self.plan,
            model,
        })
    }
}

pub(super) fn content_type(headers: &[(String, String)]) -> &str {
    let header = headers.iter().find(|(name, _)| name == "content-type");
    header.map_or("", |(_, value)| value.as_str())
}

/// The run of targets that can serve the request, and the request for the first of them.
///
/// Envoy tries a model's targets one after the other, so a target that can't serve ends the run. When none can, the
/// client learns why the first one can't.
fn choose(
    model: &Model,
    prepare: impl Fn(&Target) -> Result<Prepared, Failure>,
    check: impl Fn(&Target) -> Result<(), Failure>,
) -> Result<(usize, usize, Prepared), Failure> {
    let mut refusal = None;
    for (first, target) in model.targets.iter().enumerate() {
        match prepare(target) {
            Ok(prepared) => {
                let able = model.targets.iter().skip(first + 1).take_while(|target| check(target).is_ok());
                return Ok((first, 1 + able.count(), prepared));
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
