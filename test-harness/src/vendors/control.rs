//! The control API: scripts in, records out, JSON over HTTP.

use super::Shared;
use super::script::{Behaviour, Chunk, Pace, Script};
use super::shape::decode;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// `POST /script`'s body, or one of its list.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Order {
    vendor: String,
    behaviour: Behaviour,
    #[serde(default = "once")]
    times: u64,
}

const fn once() -> u64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaceOrder {
    vendor: Option<String>,
    #[serde(default)]
    pace: Pace,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldOrder {
    vendor: Option<String>,
    held: bool,
}

/// Serves the control API until the runtime ends.
pub async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(respond(&shared, request).await) }
            });
            // A control connection that breaks concerns nobody but its client.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn respond(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (status, value) = match answer(shared, parts.method.as_str(), parts.uri.path(), &body) {
        Ok(value) => (200, value),
        Err((status, message)) => (status, json!({ "error": message })),
    };
    let mut response = Response::new(Full::new(value.to_string().into()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}

fn answer(shared: &Shared, method: &str, path: &str, body: &[u8]) -> Result<Value, (u16, String)> {
    let wrong = |error: &dyn std::fmt::Display| (400, error.to_string());
    match (method, path) {
        ("GET", "/" | "/addresses") => Ok(json!(shared.addresses())),
        ("GET", "/records") => Ok(json!({ "records": shared.store.all() })),
        ("GET", "/script") => {
            let pending = shared
                .instances
                .iter()
                .map(|one| (one.name.clone(), json!(super::lock(&one.queue).pending())));
            Ok(Value::Object(pending.collect()))
        }
        ("POST", "/script") => {
            let value: Value = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
            let list = if let Value::Array(list) = value { list } else { vec![value] };
            let orders: Result<Vec<Order>, _> = list.into_iter().map(serde_json::from_value).collect();
            let orders = orders.map_err(|error| wrong(&error))?;
            for order in &orders {
                shared.instance(&order.vendor).ok_or_else(|| unknown(&order.vendor))?;
                check(&order.behaviour).map_err(|error| (400, error))?;
            }
            for Order { vendor, behaviour, times } in orders {
                if let Some(instance) = shared.instance(&vendor) {
                    super::lock(&instance.queue).push(Script { behaviour, times });
                }
            }
            Ok(json!({"ok": true}))
        }
        ("POST", "/pace") => {
            let order: PaceOrder = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
            if let Some(vendor) = &order.vendor {
                shared.instance(vendor).ok_or_else(|| unknown(vendor))?;
            }
            shared.set_pace(order.vendor.as_deref(), order.pace);
            Ok(json!({"ok": true}))
        }
        ("POST", "/hold") => {
            let order: HoldOrder = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
            if let Some(vendor) = &order.vendor {
                shared.instance(vendor).ok_or_else(|| unknown(vendor))?;
            }
            shared.hold(order.vendor.as_deref(), order.held);
            Ok(json!({"ok": true}))
        }
        ("POST", "/reset") => {
            shared.reset();
            Ok(json!({"ok": true}))
        }
        _ => Err((404, format!("no {method} {path}; see --help"))),
    }
}

fn unknown(vendor: &str) -> (u16, String) {
    (400, format!("no instance is called {vendor}"))
}

/// What can't be said by types alone.
fn check(behaviour: &Behaviour) -> Result<(), String> {
    let status = |status: u16| {
        if (200..=599).contains(&status) { Ok(()) } else { Err(format!("{status} is no final status")) }
    };
    match behaviour {
        Behaviour::Status { status: code, .. } | Behaviour::StreamError { status: code, .. } => status(*code),
        Behaviour::Raw { status: code, chunks, .. } => {
            for chunk in chunks {
                if let Chunk::Base64(text) = chunk {
                    decode(text, false).ok_or("a chunk is not base64")?;
                }
            }
            status(*code)
        }
        _ => Ok(()),
    }
}
