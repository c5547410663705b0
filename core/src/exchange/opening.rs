//! The policy's first word: who calls, what for, and what the body asks.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Asking, Denial};
use crate::conversation::Field;
use crate::dialect::{By, ClientDialect, Service};
use crate::failure::{Blame, Failure, Kind};
use crate::identity::{Caller, Credentials, Origin};
use crate::policy::{Model, Plan};
use crate::route;
use crate::shared::SharedMemory;
use crate::task::{Task, TaskKind};
use crate::template;
use crate::usage::estimate::Input;

use super::admission::{Admitted, Applicant, Denied, Maker, Needs};
use super::guarded::Guarded;
use super::prepare::{self, Changes};
use super::redaction::{self, Counts, Masks};
use super::{Exchange, Reply, headers, passing, templates, too_large};

/// A request's headers, and what else is known of it before its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// All of them, pseudo-headers too, names in lower case.
    pub headers: &'a [(String, String)],
    pub origin: Origin<'a>,
}

/// How Mistral's SDKs begin to name themselves (`mistral-client-python/…`).
const MISTRAL: &str = "mistral-client-";

/// A request whose body is still to be read.
#[derive(Clone, Debug)]
pub struct Opening {
    pub(super) plan: Arc<Plan>,
    service: Service,
    pub(super) caller: Option<Arc<Caller>>,
    pub(super) asking: Asking,
    passing: Vec<(String, String)>,
    /// Whether the client wants a stream's cost told at its end.
    tells_cost: bool,
    /// The template that headers name.
    pub(super) template: Option<template::Named>,
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
            protocols: self.protocols(),
        }
    }

    /// What the client of a WebSocket offers to speak.
    fn protocols(self) -> Vec<&'a str> {
        let is_socket = self.get("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
        let offered = self.headers.iter().filter(|(name, _)| is_socket && name == headers::PROTOCOL_HEADER);
        offered.map(|(_, value)| value.as_str()).collect()
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
    let mut service = service.ok_or_else(|| refuse(nothing_there(head)))?;
    if let Service::Task(call) = &mut service {
        call.mistral = head.get("user-agent").is_some_and(|agent| agent.starts_with(MISTRAL));
        call.anthropic_version = head.get("anthropic-version").map(str::to_owned);
    }
    let asking = plan.asking(dialect, head.path(), head.headers, now);
    if let Service::Models(listing) = &service {
        let models = plan.models_for(caller.as_deref(), &asking);
        let names = models.map(|model| model.name.as_str()).collect();
        return Err(listing.answer(names).map_or_else(refuse, Reply::json));
    }
    let passes = match &service {
        Service::Passage(_) => headers::passes_with_body,
        Service::Task(_) | Service::Models(_) => headers::passes_to_provider,
    };
    let mut passing: Vec<_> = head.headers.iter().filter(|(name, _)| passes(name)).cloned().collect();
    if let Service::Passage(_) = &service {
        passing.extend(headers::offered_protocols(&head.protocols()));
    }
    let tells_cost = head.get(headers::STREAM_COST_HEADER).is_some_and(|wish| wish == "true");
    let wanted = head.get(headers::TEMPLATE_HEADER);
    let named = wanted.map(|name| template::Named::in_headers(name, head.get(headers::VARIABLES_HEADER)));
    let template = named.transpose().map_err(refuse)?;
    Ok(Opening { plan: Arc::clone(plan), service, caller, asking, passing, tells_cost, template })
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

    /// Finds the model and a target that can serve the request, and takes of the limits what it may need; `body` is there when
    /// it is [needed](Self::needs_body). A reply ends the exchange at once.
    pub fn read(self, body: Option<Vec<u8>>, memory: &dyn SharedMemory) -> Result<Exchange, Reply> {
        let (client, now) = (self.client(), self.asking.now());
        self.decide(body.map(Arc::new), memory).map_err(|denied| denied.reply(client, now))
    }

    fn decide(self, body: Option<Arc<Vec<u8>>>, memory: &dyn SharedMemory) -> Result<Exchange, Denied> {
        let max_body_bytes = self.plan.listen.max_body_bytes;
        if body.as_ref().is_some_and(|body| body.len() > max_body_bytes as usize) {
            return Err(too_large(max_body_bytes).into());
        }
        let (body, guarded) = match (&self.service, body) {
            (Service::Task(call), Some(body)) => {
                let (body, guarded) = self.guard(call, body)?;
                (Some(body), guarded)
            }
            _ if matches!((&self.service, &self.template), (Service::Passage(_), Some(_))) => {
                return Err(templates::unsupported().into());
            }
            (Service::Passage(passage), Some(body)) => {
                let (body, guarded) = self.guard_passing(passage, content_type(&self.passing), body)?;
                (Some(body), guarded)
            }
            (_, body) => (body, Guarded::default()),
        };
        self.admitted(body, guarded, memory)
    }

    /// Finds who serves what guards let pass.
    pub(super) fn admitted(
        self,
        body: Option<Arc<Vec<u8>>>,
        guarded: Guarded,
        memory: &dyn SharedMemory,
    ) -> Result<Exchange, Denied> {
        let applicant = |needs| Applicant {
            plan: &self.plan,
            memory,
            caller: self.caller.as_deref(),
            asking: &self.asking,
            needs,
        };
        let owned = Masks::new(
            &self.plan,
            &self.service,
            content_type(&self.passing),
            body.as_ref(),
            self.caller.as_ref(),
            &self.asking,
        );
        let masks = owned.as_ref();
        let mut named = None;
        let (stream, needs, (mut admitted, rerouted)) = match (&self.service, &body) {
            (Service::Task(call), Some(body)) => {
                let task = ClientDialect::decode(call, body)?;
                let needs = self.needs(&task, guarded.input);
                let maker = Maker {
                    prepare: &|model, target| match masks {
                        None => prepare::prepare(call, model, target, &task, body),
                        Some(masks) => masks.prepare(call, model, target),
                    },
                    check: &|model, target| match masks {
                        None => prepare::check(call, model, target, &task, body),
                        Some(masks) => masks.check(call, model, target),
                    },
                };
                let model = guarded.reroute.as_ref().map_or(task.model(), |(model, _)| model);
                let admitted = self.admit(Some(model), &applicant(needs), &maker);
                let admitted = admitted.map_err(|denied| redaction::told(masks, denied))?;
                (task.streams(), needs, admitted)
            }
            (Service::Passage(passage), body) => {
                named = passing::model_named(passage, content_type(&self.passing), body.as_ref())?;
                let name = match (&guarded.reroute, &named, &passage.by) {
                    (Some((model, _)), _, _) => Some(model.as_str()),
                    (None, Some(named), _) => Some(named.model.as_str()),
                    (None, None, By::Query { model }) => Some(model.as_str()),
                    (None, None, By::Body | By::Policy) => None,
                };
                let maker = Maker {
                    prepare: &|model, target| match masks {
                        None => passing::prepare(passage, target, named.as_ref(), body.as_ref()),
                        Some(masks) => masks.prepare_passing(passage, model, target),
                    },
                    check: &|model, target| {
                        if let Some(masks) = masks {
                            masks.for_target(model, target)?;
                        }
                        passing::check(target)
                    },
                };
                // What such a call will use, nobody knows before; limits that are spent refuse it all the same.
                let needs = Some(Needs::default());
                let admitted = self.admit(name, &applicant(needs), &maker);
                (false, needs, admitted.map_err(|denied| redaction::told(masks, denied))?)
            }
            (Service::Task(_) | Service::Models(_), _) => {
                return Err(Failure::operator("The request's body was not read.").into());
            }
        };
        if body.is_none() {
            // A body that passes as it comes can be sent once.
            admitted.able.truncate(1);
        }
        let Admitted { model, able, prepared, reservation, expected } = admitted;
        let (route, targets) = route::serve(&model, &able);
        let targets = targets.to_vec();
        let first = targets.first().copied();
        Ok(Exchange {
            service: self.service,
            named,
            caller: self.caller,
            asking: self.asking,
            stream,
            input: needs.map(|needs| needs.input).unwrap_or_default(),
            body,
            passing: self.passing,
            prepared: first.map(|first| (first, prepared)),
            targets,
            route,
            attempts: Vec::new(),
            changes: Changes::default(),
            usage: None,
            reservation,
            held_for: first.unwrap_or_default(),
            held_output: expected.map_or(0, |expected| expected.output),
            expected,
            rerouted,
            guarded,
            tells_cost: self.tells_cost,
            bill: None,
            header_usage: None,
            masks: owned,
            found_in_request: Counts::default(),
            found_in_answer: Counts::default(),
            plan: self.plan,
            model,
        })
    }

    /// Admits the call to the model of this name, or to one that a spent limit has it rerouted to; that limit's name then
    /// stands beside it.
    fn admit(
        &self,
        name: Option<&str>,
        applicant: &Applicant<'_>,
        maker: &Maker<'_>,
    ) -> Result<(Admitted, Option<String>), Denied> {
        let (model, allowed) = match name {
            Some(name) => self.model(name)?,
            None => self.pass_through()?,
        };
        let spent = match applicant.admit(model, allowed, maker) {
            Ok(admitted) => return Ok((admitted, None)),
            Err(Denied::Spent(spent)) => spent,
            Err(denied) => return Err(denied),
        };
        // What stands against the other models is not what the client has to hear: it has not asked for them.
        let mut tried = vec![name.unwrap_or_default().to_owned()];
        let mut next = spent.reroute().map(str::to_owned);
        while let Some(name) = next.filter(|name| !tried.contains(name)) {
            let admitted = match self.model(&name) {
                Ok((model, allowed)) => applicant.admit(model, allowed, maker),
                Err(failure) => Err(failure.into()),
            };
            next = match admitted {
                Ok(admitted) => return Ok((admitted, Some(spent.name().to_owned()))),
                Err(Denied::Spent(other)) => other.reroute().map(str::to_owned),
                Err(Denied::Failure(_) | Denied::Guarded(_) | Denied::Blocked(..)) => None,
            };
            tried.push(name);
        }
        Err(spent.into())
    }

    /// What a task asks for; `None` for what is free everywhere. `input`: where it is known.
    fn needs(&self, task: &Task<'_>, input: Option<Input>) -> Option<Needs> {
        match task.kind() {
            TaskKind::CountTokens => None,
            // No limit asks, and nearly every answer tells it.
            _ if self.plan.limits.is_empty() => Some(Needs::rough(task)),
            _ => Some(Needs::of(task, input)),
        }
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

fn content_type(headers: &[(String, String)]) -> &str {
    let header = headers.iter().find(|(name, _)| name == "content-type");
    header.map_or("", |(_, value)| value.as_str())
}
