//! The policy's first word: who calls, what for, and what the body asks.

use std::sync::Arc;
use std::time::Duration;

use crate::conversation::Field;
use crate::dialect::{Call, ClientDialect};
use crate::failure::{Blame, Failure, Kind};
use crate::identity::{Caller, Credentials};
use crate::policy::{Model, Plan};
use crate::task::Task;

use super::prepare::{self, Prepared};
use super::{Exchange, Reply, headers, too_large};

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
    call: Call,
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
    let call = Call::of(head.get(":method").unwrap_or_default(), head.get(":path").unwrap_or_default());
    // Who asks for what isn't there is told so in the most common dialect, and only once it is known who asks.
    let dialect = call.as_ref().map_or(ClientDialect::OpenAiChat, |call| call.dialect);
    let refuse = |failure: Failure| Reply::failure(dialect, &failure);
    for name in crate::dialect::ProviderDialect::CREDENTIAL_HEADERS {
        if head.disagrees(name) {
            return Err(refuse(crate::identity::disagreement()));
        }
    }
    let caller = plan.callers.identify(head.credentials(), now).map_err(refuse)?;
    let call = call.ok_or_else(|| refuse(nothing_there(head)))?;
    let passing =
        head.headers.iter().filter(|(name, _)| headers::passes_to_provider(name)).cloned().collect();
    Ok(Opening { plan: Arc::clone(plan), call, caller, passing })
}

fn nothing_there(head: Head<'_>) -> Failure {
    let message = format!("There is nothing at {} {}.", head.get(":method").unwrap_or_default(), head.path());
    let message: String = message.chars().take(200).collect();
    Failure { status: 404, kind: Kind::NotFound, ..Failure::invalid(message, None) }.code("unknown_url")
}

impl Opening {
    /// The dialect in which errors have to be said.
    pub fn client(&self) -> ClientDialect {
        self.call.dialect
    }

    /// Reads the body: finds the model and a target that can serve the request. A reply ends the exchange at once.
    pub fn read(self, body: Vec<u8>) -> Result<Exchange, Reply> {
        let client = self.call.dialect;
        self.decide(body).map_err(|failure| Reply::failure(client, &failure))
    }

    fn decide(self, body: Vec<u8>) -> Result<Exchange, Failure> {
        let max_body_bytes = self.plan.listen.max_body_bytes;
        if body.len() > max_body_bytes as usize {
            return Err(too_large(max_body_bytes));
        }
        let body = Arc::new(body);
        let task = ClientDialect::decode(&self.call, &body)?;
        let unknown = || unknown_model(self.call.dialect, task.model());
        let model = self.plan.model(task.model()).cloned().ok_or_else(unknown)?;
        let (first, count, prepared) = choose(&self.call, &model, &task, &body)?;
        let stream = task.streams();
        drop(task);
        Ok(Exchange {
            call: self.call,
            caller: self.caller,
            stream,
            size: body.len(),
            body: Some(body),
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

/// The run of targets that can serve the request, and the request for the first of them.
///
/// Envoy tries a model's targets one after the other, so a target that can't serve ends the run. When none can, the
/// client learns why the first one can't.
fn choose(
    call: &Call,
    model: &Model,
    task: &Task<'_>,
    body: &Arc<Vec<u8>>,
) -> Result<(usize, usize, Prepared), Failure> {
    let mut refusal = None;
    for (first, target) in model.targets.iter().enumerate() {
        match prepare::prepare(call, model, target, task, body) {
            Ok(prepared) => {
                let rest = model.targets.iter().skip(first + 1);
                let able = rest.take_while(|target| prepare::check(call, model, target, task, body).is_ok());
                return Ok((first, 1 + able.count(), prepared));
            }
            Err(failure) => {
                refusal.get_or_insert(failure);
            }
        }
    }
    Err(refusal.unwrap_or_else(|| Failure::operator("The model has no targets.")))
}

fn unknown_model(client: ClientDialect, name: &str) -> Failure {
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
