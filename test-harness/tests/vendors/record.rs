//! The record: exactly what arrived, on which connection, and what became of it.

use crate::client::{Client, LIMIT, chat, hello, start, stream, target};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use test_harness::vendors::{Body, Options, Pace, Record, Vendor, Vendors};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, pki_types};

#[tokio::test]
async fn heads_bodies_and_connections_are_kept() {
    let vendors = start();
    let body = hello("openai", "hi").to_string();
    let mut client = Client::connect(vendors.url("openai")).await;
    let (path, mut headers) = target("openai", &json!({}));
    headers.extend([
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("x-sluice-route", "r"),
        ("x-envoy-max-retries", "3"),
        ("x-envoy-attempt-count", "1"),
    ]);
    client.send("POST", &format!("{path}?a=b"), &headers, &body).await.unwrap();
    client.send("POST", &path, &headers, "\u{7f}not json").await.unwrap();
    chat(&vendors, "openai", &hello("openai", "other")).await.unwrap();
    let records = vendors.records_of("openai");
    let first = &records[0];
    assert_eq!(
        (first.method.as_str(), first.target.as_str(), first.version.as_str()),
        ("POST", "/v1/chat/completions?a=b", "HTTP/1.1")
    );
    assert_eq!(first.body, Body::Text(body.clone()));
    assert_eq!(
        (first.json.as_ref(), first.body_bytes),
        (serde_json::from_str::<Value>(&body).ok().as_ref(), body.len())
    );
    let twice: Vec<&str> =
        first.headers.iter().filter(|(name, _)| name == "x-twice").map(|(_, value)| value.as_str()).collect();
    assert_eq!(twice, ["1", "2"]);
    assert_eq!(first.leaked_headers, ["x-sluice-route", "x-envoy-max-retries"]);
    assert_eq!((first.answer.behaviour, first.answer.status), ("normal", Some(200)));
    assert_eq!(first.connection, records[1].connection);
    assert_ne!(first.connection, records[2].connection);
    assert_eq!(
        (records[1].json.as_ref(), records[1].fault.as_ref().map(|fault| fault.status)),
        (None, Some(400))
    );
    assert!(records[0].arrived_ms <= records[1].arrived_ms);

    let mut control = Client::connect(vendors.control_url()).await;
    let listed = control.send("GET", "/records", &[], "").await.unwrap().json();
    assert_eq!(
        (&listed["records"][0]["body"]["text"], &listed["records"][2]["vendor"]),
        (&json!(body), &json!("openai"))
    );
    control.send("POST", "/reset", &[], "").await.unwrap();
    assert!(vendors.records().is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_with_the_events_it_got() {
    let vendors = start();
    vendors.pace(None, Pace { gap_ms: 50, ..Pace::default() });
    let body = stream("anthropic", "one two three four five six seven eight nine ten");
    let mut client = Client::connect(vendors.url("anthropic")).await;
    let (path, headers) = target("anthropic", &body);
    let mut response = client.head("POST", &path, &headers, &body.to_string()).await.unwrap();
    for _ in 0..3 {
        response.frame().await.unwrap().unwrap();
    }
    drop((response, client));
    let left = vendors.wait(LIMIT, |records| records[0].disconnected.is_some()).await.expect("not noticed");
    let events = left[0].disconnected.as_ref().unwrap().after_events;
    assert!((3..=5).contains(&events), "{events}");
    assert!(left[0].answer.ended_ms.is_none());
}

#[tokio::test]
async fn chunked_bodies_are_read_and_short_ones_are_noticed() {
    let vendors = start();
    let body = hello("openai", "hi").to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-x\r\n\
                content-type: application/json\r\nconnection: close\r\n";
    let (first, second) = body.split_at(20);
    let chunks = format!("14\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", second.len());
    let address = vendors.url("openai").trim_start_matches("http://");
    for (framing, sent) in [
        ("transfer-encoding: chunked".to_owned(), &chunks),
        (format!("content-length: {}", body.len() + 1), &body),
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(format!("{head}{framing}\r\n\r\n{sent}").as_bytes()).await.unwrap();
        if framing.starts_with("content-length") {
            // The byte that is missing will never come.
            socket.shutdown().await.unwrap();
        }
        let mut answer = String::new();
        // The second answer may be a 400 or none, as the connection ends.
        let _ =
            tokio::time::timeout(LIMIT, socket.read_to_string(&mut answer)).await.expect("no end in time");
        assert!(!answer.contains("You said") || framing.starts_with("transfer"), "{answer}");
    }
    let ended = |records: &[Record]| records.len() == 2 && records[1].disconnected.is_some();
    let records = vendors.wait(LIMIT, ended).await.expect("the short body was not noticed");
    assert_eq!(records[0].body, Body::Text(body));
    assert_eq!(records[1].answer.status, None);
}

#[tokio::test]
async fn more_instances_have_their_own_queues_keys_and_names() {
    let options = Options {
        anthropic: vec![0, 0],
        keys: vec![(Vendor::Openai, "own-key".to_owned())],
        any_model: true,
        ..Options::default()
    };
    let vendors = Vendors::start(options).unwrap();
    assert_eq!(
        vendors.addresses().keys().collect::<Vec<_>>(),
        ["anthropic", "anthropic-2", "control", "gemini", "openai"]
    );
    vendors.script("anthropic-2", test_harness::vendors::Behaviour::Malformed {});
    assert!(!vendors.script("anthropic-3", test_harness::vendors::Behaviour::Normal {}));
    chat(&vendors, "anthropic", &hello("anthropic", "hi")).await.unwrap().json();
    chat(&vendors, "anthropic-2", &hello("anthropic-2", "hi")).await.unwrap();
    assert_eq!(vendors.records_of("anthropic-2")[0].answer.behaviour, "malformed");
    let mut client = Client::connect(vendors.url("openai")).await;
    let mut body = hello("openai", "hi");
    body["model"] = json!("llama");
    let headers = [("authorization", "Bearer own-key"), ("content-type", "application/json; charset=utf-8")];
    let reply = client.send("POST", "/v1/chat/completions", &headers, &body.to_string()).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test]
async fn tls_serves_both_protocols_and_records_the_names() {
    let folder = std::env::temp_dir().join(format!("mock-vendors-{}", std::process::id()));
    let vendors = Vendors::start(Options { tls_dir: Some(folder.clone()), ..Options::default() }).unwrap();
    let pem = std::fs::read(folder.join("ca.pem")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
    for alpn in ["h2", "http/1.1"] {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let address = vendors.url("openai_tls").replace("https://localhost", "127.0.0.1");
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = pki_types::ServerName::try_from("api.openai.com").unwrap();
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let request = hyper::Request::post(if alpn == "h2" {
            "https://api.openai.com/v1/chat/completions"
        } else {
            "/v1/chat/completions"
        })
        .header("authorization", "Bearer sk-x")
        .header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(hello("openai", "hi").to_string()))).unwrap();
        let response = if alpn == "h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
            tokio::spawn(connection);
            tokio::time::timeout(LIMIT, sender.send_request(request)).await.unwrap().unwrap()
        } else {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
            tokio::spawn(connection);
            tokio::time::timeout(LIMIT, sender.send_request(request)).await.unwrap().unwrap()
        };
        assert_eq!(response.status(), 200);
        response.collect().await.unwrap();
        let record = vendors.records().pop().unwrap();
        let tls = record.tls.unwrap();
        assert_eq!((tls.sni.as_deref(), tls.alpn.as_deref()), (Some("api.openai.com"), Some(alpn)));
        assert_eq!(record.version, if alpn == "h2" { "HTTP/2.0" } else { "HTTP/1.1" });
        if alpn == "h2" {
            assert_eq!(record.headers[0], ("host".to_owned(), "api.openai.com".to_owned()));
        }
        assert!(
            vendors
                .wait(Duration::from_secs(1), |records| records
                    .iter()
                    .all(|one| one.answer.ended_ms.is_some()))
                .await
                .is_some()
        );
    }
}
