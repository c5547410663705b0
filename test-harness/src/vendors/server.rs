//! One vendor's server: reads a request, judges it as the vendor would, and answers as scripted or well.

use super::answer::{Ask, compose};
use super::dialect::{Dialect, Payload, Received, Refusal, Verdict};
use super::record::{Head, Store, Tls, Tracked, Used};
use super::reply::{Paced, Plan};
use super::script::{Behaviour, Chunk, Content, Pace, Queue};
use super::wire::Wire;
use super::{Vendor, lock};
use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::Value;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// One instance of a vendor.
pub struct Instance {
    /// Its name: `openai`, `openai-2`, …
    pub name: String,
    /// Its vendor.
    pub vendor: Vendor,
    /// Its scripts.
    pub queue: Mutex<Queue>,
    /// Its pace when no script says otherwise.
    pub pace: Mutex<Pace>,
    /// Whether it holds every answer back.
    pub held: watch::Sender<bool>,
    /// The record that all share.
    pub store: Arc<Store>,
    /// The number of the next connection, which all share.
    pub connections: Arc<AtomicU64>,
    /// Keys accepted beside those that look like the vendor's.
    pub keys: Vec<String>,
    /// Whether models are accepted whose name isn't the vendor's.
    pub any_model: bool,
}

struct Connection {
    number: u64,
    tls: Option<Tls>,
    reset: Arc<AtomicBool>,
}

/// Accepts connections until the runtime ends.
pub async fn accept(instance: Arc<Instance>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others will be closed soon.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Small events must leave at once; a socket that refuses the option is about to fail anyway.
        let _ = stream.set_nodelay(true);
        let number = instance.connections.fetch_add(1, Ordering::Relaxed);
        let reset = Arc::new(AtomicBool::new(false));
        let wire = Wire::new(stream, Arc::clone(&reset));
        let instance = Arc::clone(&instance);
        let tls = tls.clone();
        tokio::spawn(async move {
            let Some(acceptor) = tls else {
                return serve(instance, Connection { number, tls: None, reset }, wire).await;
            };
            if let Ok(stream) = acceptor.accept(wire).await {
                let (_, session) = stream.get_ref();
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let tls = Tls {
                    sni: session.server_name().map(str::to_owned),
                    alpn: session.alpn_protocol().map(text),
                };
                serve(instance, Connection { number, tls: Some(tls), reset }, stream).await;
            }
        });
    }
}

async fn serve(
    instance: Arc<Instance>,
    connection: Connection,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    let connection = Arc::new(connection);
    let service = service_fn(move |request| {
        let (instance, connection) = (Arc::clone(&instance), Arc::clone(&connection));
        async move { respond(&instance, &connection, request).await }
    });
    // How a connection ended stands in the records.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), service).await;
}

async fn respond(
    instance: &Instance,
    connection: &Connection,
    request: Request<Incoming>,
) -> io::Result<Response<Paced>> {
    let behaviour = lock(&instance.queue).take();
    let (parts, body) = request.into_parts();
    let mut record = instance.store.open(&Head {
        instance: &instance.name,
        vendor: instance.vendor,
        connection: connection.number,
        tls: connection.tls.clone(),
        parts: &parts,
        behaviour: behaviour.name(),
    });
    let dialect = instance.vendor.dialect();
    let verdict = match Limited::new(body, dialect.largest_body()).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            record.body(&body);
            dialect.judge(&Received {
                method: &parts.method,
                path: parts.uri.path(),
                query: parts.uri.query().unwrap_or_default(),
                headers: &parts.headers,
                body: &body,
                keys: &instance.keys,
                any_model: instance.any_model,
            })
        }
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(dialect.too_large()),
        Err(error) => return Err(io::Error::other(error)),
    };
    if let Err(refusal) = &verdict {
        record.fault(refusal.status, &refusal.message);
    }
    let pace = *lock(&instance.pace);
    let plan = match &behaviour {
        Behaviour::Reset {} => {
            record.finished();
            connection.reset.store(true, Ordering::Release);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Behaviour::Hang {} => return std::future::pending().await,
        _ => plan(dialect, &behaviour, pace, verdict, &record),
    };
    let wait = plan.pace.head_ms + if plan.stream { 0 } else { plan.pace.first_ms };
    if wait > 0 {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    // The sender lives as long as the instance.
    let _ = instance.held.subscribe().wait_for(|held| !held).await;
    let mut response = Response::builder().status(plan.status);
    for (name, value) in &plan.headers {
        response = response.header(name, value);
    }
    record.head(plan.status, plan.stream);
    response.body(Paced::new(plan, Arc::clone(&connection.reset), record)).map_err(io::Error::other)
}

fn plan(
    dialect: &dyn Dialect,
    behaviour: &Behaviour,
    pace: Pace,
    verdict: Result<Verdict, Refusal>,
    record: &Tracked,
) -> Plan {
    match behaviour {
        Behaviour::Status { status, headers, body } => {
            let mut plan = match body {
                None => refused(dialect, &dialect.error(*status, None), record.index),
                Some(Value::String(text)) => Plan::whole(*status, Vec::new(), text.clone()),
                Some(json) => Plan::whole(*status, json_headers(dialect, record.index), json.to_string()),
            };
            for (name, value) in headers {
                plan.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
                plan.headers.push((name.clone(), value.clone()));
            }
            plan.pace = pace;
            return plan;
        }
        Behaviour::Raw { status, headers, chunks, gap_ms, how } => {
            let declared = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            return Plan {
                status: *status,
                headers: headers.clone(),
                frames: chunks.iter().map(bytes).collect(),
                length: declared.and_then(|(_, value)| value.parse().ok()),
                stream: true,
                pace: Pace { gap_ms: *gap_ms, ..pace },
                cut: Some(*how),
            };
        }
        _ => {}
    }
    let ask = match verdict {
        Ok(Verdict::Chat(ask)) => ask,
        Ok(Verdict::Json(value)) => {
            return Plan::whole(200, json_headers(dialect, record.index), value.to_string());
        }
        Err(refusal) => return refused(dialect, &refusal, record.index),
    };
    let pace = if let Behaviour::Slow(pace) = behaviour { *pace } else { pace };
    let content = if let Behaviour::Content(content) = behaviour { Some(content) } else { None };
    let mut plan = well(dialect, &ask, content, pace, record);
    match behaviour {
        Behaviour::StreamError { after_events, status, as_data } => {
            let refusal = dialect.error(*status, None);
            if plan.stream {
                plan.frames.truncate(*after_events);
                plan.frames.push(dialect.stream_error(&refusal, *as_data).into());
            } else {
                plan = refused(dialect, &refusal, record.index);
            }
        }
        Behaviour::Cut { after_events, how } => plan = plan.cut(*after_events, *how),
        Behaviour::Malformed {} if plan.stream => {
            plan.frames.truncate(1);
            plan.frames.push(dialect.malformed_event().into());
        }
        Behaviour::Malformed {} => {
            let headers = json_headers(dialect, record.index);
            plan = Plan::whole(200, headers, r#"{"id": "broken", "choices": [{"#);
        }
        _ => {}
    }
    plan.pace = pace;
    plan
}

/// The good answer.
fn well(dialect: &dyn Dialect, ask: &Ask, content: Option<&Content>, pace: Pace, record: &Tracked) -> Plan {
    let index = record.index;
    let answer = compose(dialect.name(), ask, content);
    record.usage(Used {
        input: answer.input_tokens,
        cached: answer.cached_tokens,
        written: answer.written_tokens,
        output: answer.visible_tokens() + answer.reasoning_tokens(),
        reasoning: answer.reasoning_tokens(),
    });
    if !ask.stream {
        let body = dialect.answer(ask, &answer, index).to_string();
        return Plan::whole(200, json_headers(dialect, index), body);
    }
    let mut headers = dialect.headers(index);
    headers.push(("content-type".to_owned(), dialect.stream_type(ask).to_owned()));
    headers.push(("cache-control".to_owned(), "no-cache".to_owned()));
    Plan::stream(headers, dialect.events(ask, &answer, index, pace.pieces))
}

fn refused(dialect: &dyn Dialect, refusal: &Refusal, index: u64) -> Plan {
    let mut headers = json_headers(dialect, index);
    headers.extend(refusal.headers.iter().cloned());
    match &refusal.payload {
        Payload::Json(body) => {
            let text = serde_json::to_string_pretty(body).unwrap_or_default();
            Plan::whole(refusal.status, headers, text)
        }
        Payload::Html(text) => {
            let headers = vec![("content-type".to_owned(), "text/html; charset=UTF-8".to_owned())];
            Plan::whole(refusal.status, headers, text.clone())
        }
    }
}

fn json_headers(dialect: &dyn Dialect, index: u64) -> Vec<(String, String)> {
    let mut headers = dialect.headers(index);
    headers.push(("content-type".to_owned(), dialect.json_type().to_owned()));
    headers
}

fn bytes(chunk: &Chunk) -> Bytes {
    match chunk {
        Chunk::Text(text) => text.clone().into(),
        // What isn't base64 was refused when the script came in.
        Chunk::Base64(text) => {
            base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default().into()
        }
    }
}
