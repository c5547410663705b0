//! Envoy's rate-limit service over the limitador crate, in memory: `limitador-service CONFIGURATION [PORT]`.
//!
//! The configuration is that of envoyproxy/ratelimit, as `sluice render --format ratelimit` writes it. Limitador's own server
//! answers no descriptor's status, which is what gateways live on; its engine knows what remains of each.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use limitador::RateLimiter;
use limitador::limit::{Context, Expression, Limit, Namespace, Predicate};
use prost::Message as _;
use serde::Deserialize;
use sluice_core::limit::sync::wire;

type Failure = Box<dyn Error + Send + Sync>;

/// What limitador's expressions call the one descriptor that they are asked about.
const DESCRIPTORS: &str = "descriptors";

#[derive(Deserialize)]
struct Configuration {
    domain: String,
    descriptors: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    key: String,
    value: Option<String>,
    #[serde(default)]
    descriptors: Vec<Node>,
    rate_limit: Option<RateLimit>,
}

#[derive(Deserialize)]
struct RateLimit {
    unit: String,
    requests_per_unit: u32,
}

/// The counters of a domain.
struct Counters {
    domain: Namespace,
    limiter: RateLimiter,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: limitador-service CONFIGURATION [PORT]")?;
    let port: u16 = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let configuration: Configuration = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
    let counters = Arc::new(Counters::new(&configuration)?);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (connection, _) = listener.accept().await?;
        let counters = Arc::clone(&counters);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&counters), request));
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // A gateway that goes away is no trouble of the service's.
            let _ = builder.serve_connection(TokioIo::new(connection), service).await;
        });
    }
}

impl Counters {
    fn new(configuration: &Configuration) -> Result<Self, Failure> {
        let limiter = RateLimiter::new(100_000);
        for node in &configuration.descriptors {
            for limit in limits(&configuration.domain, node, &[])? {
                limiter.add_limit(limit);
            }
        }
        Ok(Self { domain: configuration.domain.as_str().into(), limiter })
    }

    fn status(&self, descriptor: &wire::Descriptor) -> Result<wire::Status, Failure> {
        let entries: HashMap<String, String> =
            descriptor.entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        let mut context = Context::default();
        context.list_binding(DESCRIPTORS.to_owned(), vec![entries]);
        let hits = descriptor.hits_addend.unwrap_or(1);
        let result = self.limiter.check_rate_limited_and_update(&self.domain, &context, hits);
        let result = result.map_err(|error| error.to_string())?;
        let Some(counter) = result.counters.first() else {
            return Ok(wire::Status { current_limit: None, limit_remaining: 0 });
        };
        let most = u32::try_from(counter.max_value())?;
        Ok(wire::Status {
            current_limit: Some(wire::CurrentLimit { requests_per_unit: most }),
            limit_remaining: u32::try_from(counter.remaining().unwrap_or(counter.max_value()))?,
        })
    }

    fn respond(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let message = body.get(5..).ok_or("the body is no message")?;
        let request = wire::Request::decode(message)?;
        let known = self.domain.as_ref() == request.domain;
        let status = |descriptor| match known {
            true => self.status(descriptor),
            false => Ok(wire::Status { current_limit: None, limit_remaining: 0 }),
        };
        let statuses = request.descriptors.iter().map(status).collect::<Result<_, _>>()?;
        let response = wire::Response { statuses }.encode_to_vec();
        let length = u32::try_from(response.len())?.to_be_bytes();
        Ok([&[0][..], &length, &response].concat())
    }
}

async fn answer(
    counters: Arc<Counters>,
    request: Request<Incoming>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, Failure> {
    let body = request.into_body().collect().await?.to_bytes();
    let (body, status) = match counters.respond(&body) {
        Ok(body) => (body, "0"),
        Err(failure) => {
            eprintln!("{failure}");
            (Vec::new(), "13")
        }
    };
    let trailers = HeaderMap::from_iter([("grpc-status".parse()?, HeaderValue::from_static(status))]);
    let body = Full::new(Bytes::from(body)).with_trailers(std::future::ready(Some(Ok(trailers))));
    Ok(Response::builder().header("content-type", "application/grpc").body(body)?)
}

/// The limits below a node; its ancestors' keys and their values come before its own.
fn limits(domain: &str, node: &Node, above: &[(String, Option<String>)]) -> Result<Vec<Limit>, Failure> {
    let keys: Vec<_> = above.iter().cloned().chain([(node.key.clone(), node.value.clone())]).collect();
    let mut found = Vec::new();
    if let Some(RateLimit { unit, requests_per_unit }) = &node.rate_limit {
        let entry = |key: &str| format!("{DESCRIPTORS}[0]['{key}']");
        let mut conditions = Vec::new();
        let mut variables = Vec::new();
        for (key, value) in &keys {
            match value {
                Some(value) => conditions.push(Predicate::parse(format!("{} == '{value}'", entry(key)))?),
                None => variables.push(Expression::parse(entry(key))?),
            }
        }
        found.push(Limit::new(domain, u64::from(*requests_per_unit), seconds(unit)?, conditions, variables));
    }
    for below in &node.descriptors {
        found.extend(limits(domain, below, &keys)?);
    }
    Ok(found)
}

fn seconds(unit: &str) -> Result<u64, Failure> {
    Ok(match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        "month" => 30 * 86_400,
        "year" => 365 * 86_400,
        other => return Err(format!("there is no unit `{other}`").into()),
    })
}
