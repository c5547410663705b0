//! Scripted behaviours, each as its client meets it.

use crate::client::{Client, LIMIT, VENDORS, chat, hello, sent, start, stream, target, text_of};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use test_harness::vendors::{Behaviour, Pace, Script, Vendors};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Queues behaviours through the control API, as tests in other languages do.
async fn script(vendors: &Vendors, vendor: &str, behaviours: &[Value]) {
    let orders: Vec<Value> =
        behaviours.iter().map(|one| json!({"vendor": vendor, "behaviour": one})).collect();
    let mut control = Client::connect(vendors.control_url()).await;
    let reply = control.send("POST", "/script", &[], &json!(orders).to_string()).await.unwrap();
    assert_eq!((reply.status, reply.json()), (200, json!({"ok": true})));
}

#[tokio::test]
async fn every_status_has_the_vendors_own_body_and_is_used_once() {
    let vendors = start();
    for vendor in VENDORS {
        for status in [400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529] {
            script(
                &vendors,
                vendor,
                &[json!({"kind": "status", "status": status, "headers": [["retry-after", "7"]]})],
            )
            .await;
            let reply = chat(&vendors, vendor, &hello(vendor, "hi")).await.unwrap();
            assert_eq!((reply.status, reply.header("retry-after")), (status, "7"), "{vendor}");
            if reply.header("content-type").starts_with("text/html") {
                assert!(matches!(status, 502 | 504));
                continue;
            }
            let error = &reply.json()["error"];
            assert!(error["message"].is_string(), "{vendor} {status}");
            let kind = if vendor == "gemini" { &error["status"] } else { &error["type"] };
            assert!(kind.is_string(), "{vendor} {status}");
            assert_eq!(chat(&vendors, vendor, &hello(vendor, "hi")).await.unwrap().status, 200);
        }
    }
    let own = json!({"kind": "status", "status": 418, "body": "teapot"});
    script(&vendors, "openai", &[own]).await;
    let reply = chat(&vendors, "openai", &hello("openai", "hi")).await.unwrap();
    assert_eq!((reply.status, reply.text.as_str()), (418, "teapot"));
}

#[tokio::test]
async fn scripts_last_as_long_as_they_say() {
    let vendors = start();
    let fault = Behaviour::Status { status: 503, headers: Vec::new(), body: None };
    vendors.script("openai", Script { behaviour: fault.clone(), times: 2 });
    vendors.script("openai", Behaviour::Normal {});
    vendors.script("openai", Script { behaviour: fault, times: 0 });
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(chat(&vendors, "openai", &hello("openai", "hi")).await.unwrap().status);
    }
    assert_eq!(statuses, [503, 503, 200, 503, 503, 503]);
    vendors.reset();
    assert_eq!(chat(&vendors, "openai", &hello("openai", "hi")).await.unwrap().status, 200);
}

/// Sends a chat over a bare socket; gives what came and the error that ended it.
async fn bare(vendors: &Vendors, vendor: &str, body: &Value) -> (String, Option<std::io::ErrorKind>) {
    let (path, headers) = target(vendor, body);
    let body = sent(vendor, body);
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let address = vendors.url(vendor).trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match tokio::time::timeout(LIMIT, socket.read(&mut buffer)).await.expect("no end in time") {
            Ok(0) => return (String::from_utf8(all).unwrap(), None),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) => return (String::from_utf8(all).unwrap(), Some(error.kind())),
        }
    }
}

#[tokio::test]
async fn resets_and_cuts_are_told_apart_on_the_socket() {
    let vendors = start();
    let reset = Some(std::io::ErrorKind::ConnectionReset);
    for vendor in VENDORS {
        script(&vendors, vendor, &[json!({"kind": "reset"})]).await;
        assert_eq!(bare(&vendors, vendor, &hello(vendor, "hi")).await, (String::new(), reset));
        for (how, end) in [("close", None), ("reset", reset)] {
            let cut = json!({"kind": "cut", "after_events": 2, "how": how});
            script(&vendors, vendor, &[cut]).await;
            let (text, error) = bare(&vendors, vendor, &stream(vendor, "hi")).await;
            assert_eq!((text.matches("data: ").count(), error), (2, end), "{vendor} {how}");
            assert!(!text.ends_with("0\r\n\r\n"));
        }
        // Without a stream: half of the body that `content-length` promised.
        script(&vendors, vendor, &[json!({"kind": "cut", "after_events": 1, "how": "close"})]).await;
        let reply = chat(&vendors, vendor, &hello(vendor, "hi")).await.unwrap();
        let promised: usize = reply.header("content-length").parse().unwrap();
        assert_eq!((reply.status, reply.whole, reply.text.len()), (200, false, promised / 2));
        // A proper end of HTTP, without the vendor's last events.
        script(&vendors, vendor, &[json!({"kind": "cut", "after_events": 2})]).await;
        let reply = chat(&vendors, vendor, &stream(vendor, "hi")).await.unwrap();
        assert_eq!((reply.whole, reply.data().len()), (true, 2));
    }
}

#[tokio::test]
async fn a_hang_ends_when_the_client_leaves() {
    let vendors = start();
    vendors.script("anthropic", Behaviour::Hang {});
    let body = hello("anthropic", "hi");
    let call = chat(&vendors, "anthropic", &body);
    assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err());
    let left =
        vendors.wait(LIMIT, |records| records.iter().any(|record| record.disconnected.is_some())).await;
    let record = left.expect("the disconnect was not noticed").remove(0);
    assert_eq!((record.answer.status, record.answer.events), (None, 0));
    assert!(record.disconnected.unwrap().at_ms >= 150.0);
}

#[tokio::test]
async fn errors_come_first_or_later_in_a_stream() {
    let vendors = start();
    for vendor in VENDORS {
        for after in [0, 2] {
            let fault = json!({"kind": "stream_error", "after_events": after, "status": 529});
            script(&vendors, vendor, &[fault.clone(), fault]).await;
            let reply = chat(&vendors, vendor, &stream(vendor, "hi")).await.unwrap();
            assert_eq!((reply.status, reply.whole), (200, true));
            assert_eq!(reply.text.matches("data: ").count(), after + usize::from(vendor != "gemini"));
            let last = match vendor {
                // Google appends the bare error.
                "gemini" => reply.text.rsplit("\r\n\r\n").next().unwrap(),
                _ => reply.text.trim_end().rsplit("data: ").next().unwrap(),
            };
            let error: Value = serde_json::from_str(last).unwrap();
            assert!(error["error"]["message"].is_string(), "{error}");
            assert_eq!(reply.text.contains("event: error\n"), vendor == "anthropic");
            assert_eq!(chat(&vendors, vendor, &hello(vendor, "hi")).await.unwrap().status, 529);
        }
    }
}

#[tokio::test]
async fn raw_answers_are_exact() {
    let vendors = start();
    let raw = json!({
        "kind": "raw", "status": 207, "headers": [["x-one", "1"], ["x-one", "2"], ["content-type", "text/odd"]],
        "chunks": [{"text": "a\n"}, {"base64": "w6k="}], "gap_ms": 60
    });
    script(&vendors, "gemini", &[raw]).await;
    let reply = chat(&vendors, "gemini", &json!({"nonsense": 1})).await.unwrap();
    assert_eq!((reply.status, reply.text.as_str(), reply.header("content-type")), (207, "a\né", "text/odd"));
    assert_eq!(reply.response.headers.get_all("x-one").iter().count(), 2);
    assert!(reply.parts[1].0 - reply.parts[0].0 >= 50.0, "{:?}", reply.parts);
    // What was scripted hides nothing from the record.
    assert_eq!(vendors.records()[0].fault.as_ref().unwrap().status, 400);
    let bad = json!({"vendor": "gemini", "behaviour": {"kind": "raw", "chunks": [{"base64": "?"}]}});
    let mut control = Client::connect(vendors.control_url()).await;
    assert_eq!(control.send("POST", "/script", &[], &bad.to_string()).await.unwrap().status, 400);
    let bad = json!({"vendor": "nobody", "behaviour": {"kind": "reset"}}).to_string();
    assert_eq!(control.send("POST", "/script", &[], &bad).await.unwrap().status, 400);
}

#[tokio::test]
async fn malformed_json_and_scripted_content() {
    let vendors = start();
    for vendor in VENDORS {
        script(&vendors, vendor, &[json!({"kind": "malformed"}), json!({"kind": "malformed"})]).await;
        let reply = chat(&vendors, vendor, &hello(vendor, "hi")).await.unwrap();
        assert!(reply.status == 200 && serde_json::from_str::<Value>(&reply.text).is_err());
        let reply = chat(&vendors, vendor, &stream(vendor, "hi")).await.unwrap();
        assert!(reply.text.contains("data: {\"broken"));
        let content = json!({"kind": "content", "text": "just this", "finish": "content_filter"});
        script(&vendors, vendor, &[content]).await;
        let reply = chat(&vendors, vendor, &hello(vendor, "hi")).await.unwrap();
        assert_eq!(text_of(vendor, &reply.json()), "just this");
        let word =
            ["content_filter", "refusal", "SAFETY"][VENDORS.iter().position(|one| *one == vendor).unwrap()];
        assert!(reply.text.contains(&format!("\"{word}\"")), "{}", reply.text);
    }
}

#[tokio::test]
async fn events_keep_the_pace() {
    let vendors = start();
    vendors.pace(None, Pace { first_ms: 80, gap_ms: 40, pieces: Some(3), ..Pace::default() });
    for vendor in VENDORS {
        let reply = chat(&vendors, vendor, &stream(vendor, "one two three")).await.unwrap();
        assert!(reply.parts[0].0 >= 75.0, "{:?}", reply.parts);
        assert!(reply.parts.len() >= 3);
        for pair in reply.parts.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= 20.0, "{vendor}: {:?}", reply.parts);
        }
        let started = Instant::now();
        chat(&vendors, vendor, &hello(vendor, "hi")).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(75));
    }
}

#[tokio::test]
async fn three_hundred_slow_streams_at_once() {
    let vendors = start();
    vendors.pace(None, Pace { first_ms: 200, gap_ms: 100, pieces: Some(10), ..Pace::default() });
    let started = Instant::now();
    let body = stream("openai", "one two three four five six seven eight nine ten");
    let calls: Vec<_> = (0..300)
        .map(|_| {
            let (url, body) = (vendors.url("openai").to_owned(), body.clone());
            tokio::spawn(async move {
                let (path, headers) = target("openai", &body);
                let mut client = Client::connect(&url).await;
                client.send("POST", &path, &headers, &body.to_string()).await.unwrap()
            })
        })
        .collect();
    for call in calls {
        let reply = call.await.unwrap();
        assert!(reply.whole && reply.text.ends_with("[DONE]\n\n"));
    }
    // Each takes about 1.2 seconds; one after the other they would take minutes.
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    assert!(vendors.records().iter().all(|record| record.answer.ended_ms.is_some()));
}
