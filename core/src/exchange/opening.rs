//! The policy's first word: who calls, what for, and what the body asks.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Asking, Denial};
use crate::conversation::Request;
use crate::dialect::ClientDialect;
use crate::failure::{Blame, Failure, Kind};
use crate::identity::{Caller, Credentials, Origin};
use crate::policy::{Model, Plan};
use crate::route;

use super::prepare::{self, Prepared};
use super::{Exchange, Reply, headers, too_large};

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
    client: ClientDialect,
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
    let client = ClientDialect::of(head.get(":method").unwrap_or_default(), head.path());
    // Who asks for what isn't there is told so in the most common dialect, and only once it is known who asks.
    let dialect = client.unwrap_or(ClientDialect::OpenAiChat);
    let refuse = |failure: Failure| Reply::failure(dialect, &failure);
    for name in crate::dialect::ProviderDialect::CREDENTIAL_HEADERS {
        if head.disagrees(name) {
            return Err(refuse(plan.callers.count(crate::identity::disagreement(), head.origin, now)));
        }
    }
    let caller = plan.callers.identify(head.credentials(), head.origin, now).map_err(refuse)?;
    let client = client.ok_or_else(|| refuse(nothing_there(head)))?;
    let passing =
        head.headers.iter().filter(|(name, _)| headers::passes_to_provider(name)).cloned().collect();
    let asking = plan.access.asking(client, head.path(), head.headers, now);
    Ok(Opening { plan: Arc::clone(plan), client, caller, asking, passing })
}

fn nothing_there(head: Head<'_>) -> Failure {
    let message = format!("There is nothing at {} {}.", head.get(":method").unwrap_or_default(), head.path());
    let message: String = message.chars().take(200).collect();
    Failure { status: 404, kind: Kind::NotFound, ..Failure::invalid(message, None) }.code("unknown_url")
}

impl Opening {
    /// The dialect in which errors have to be said.
    pub fn client(&self) -> ClientDialect {
        self.client
    }

    /// Reads the body: finds the model and a target that can serve the request. A reply ends the exchange at once.
    pub fn read(self, body: Vec<u8>) -> Result<Exchange, Reply> {
        let client = self.client;
        self.decide(body).map_err(|failure| Reply::failure(client, &failure))
    }

    fn decide(self, body: Vec<u8>) -> Result<Exchange, Failure> {
        let max_body_bytes = self.plan.listen.max_body_bytes;
        if body.len() > max_body_bytes as usize {
            return Err(too_large(max_body_bytes));
        }
        let body = Arc::new(body);
        let request = self.client.decode(&body)?;
        let denied = |denial: Denial| denial.failure(&request.model);
        let (caller, rules) = (self.caller.as_deref(), &self.plan.access);
        let Some(model) = self.plan.model(&request.model).cloned() else {
            rules.unknown(caller, &self.asking, &request.model).map_err(denied)?;
            return Err(unknown_model(&request.model));
        };
        let allowed = rules.targets(caller, &self.asking, &model).map_err(denied)?;
        let (able, prepared) = choose(self.client, &model, &allowed, &request, &body)?;
        let (route, targets) = route::serve(&model, &able);
        let targets = targets.to_vec();
        let (stream, stream_usage) = (request.stream, request.stream_usage);
        drop(request);
        Ok(Exchange {
            client: self.client,
            caller: self.caller,
            stream,
            stream_usage,
            body: (targets.len() > 1).then_some(body),
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
}

/// Of the targets that may be used, those that can serve the request, and the request for the first of them.
///
/// When none can, the client learns why the first one can't.
fn choose(
    client: ClientDialect,
    model: &Model,
    allowed: &[usize],
    request: &Request<'_>,
    body: &Arc<Vec<u8>>,
) -> Result<(Vec<usize>, Prepared), Failure> {
    let mut refusal = None;
    let mut targets = allowed.iter().filter_map(|position| Some((*position, model.targets.get(*position)?)));
    while let Some((first, target)) = targets.next() {
        match prepare::prepare(client, model, target, request, body) {
            Ok(prepared) => {
                let can = |target| prepare::check(client, model, target, request).is_ok();
                let others = targets.filter(|(_, target)| can(target)).map(|(position, _)| position);
                return Ok((std::iter::once(first).chain(others).collect(), prepared));
            }
            Err(failure) => {
                refusal.get_or_insert(failure);
            }
        }
    }
    Err(refusal.unwrap_or_else(|| Failure::operator("The model has no targets.")))
}

fn unknown_model(name: &str) -> Failure {
    let name: String = name.chars().take(128).collect();
    Failure {
        blame: Blame::Client,
        status: 404,
        kind: Kind::NotFound,
        code: Some("model_not_found".into()),
        message: format!("There is no model '{name}' here.").into(),
        parameter: Some("model".to_owned()),
        retry_after: None,
    }
}
