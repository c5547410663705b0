//! Requests and whole answers as targets and clients get them.

use std::time::Duration;

use serde_json::{Value, json};

use super::stream_tests::plan;
use crate::exchange::{Exchange, Head, Held, Reply, Step, open};
use crate::identity::Origin;
use crate::policy::Plan;
use crate::shared::LocalMemory;
use std::sync::Arc;

const NOW: u64 = 1_700_000_000;

fn open_at(plan: &Arc<Plan>, path: &str, content_type: &str, body: &[u8]) -> Result<Exchange, Reply> {
    let headers = [(":method", "POST"), (":path", path), ("content-type", content_type)];
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    open(plan, Head { headers: &headers, origin: Origin::default() }, Duration::from_secs(NOW))?
        .read(Some(body.to_vec()), &LocalMemory::default())
}

fn chat(plan: &Arc<Plan>, text: &str) -> Result<Exchange, Reply> {
    let body = json!({"model": "chat", "messages": [{"role": "user", "content": text}]});
    open_at(plan, "/v1/chat/completions", "application/json", body.to_string().as_bytes())
}

fn attempt(exchange: &mut Exchange, provider: &str) -> (Value, crate::exchange::Attempt) {
    let (request, attempt) = exchange
        .attempt(provider, 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let body = request.body.expect("is there");
    (serde_json::from_slice(&body).expect("is JSON"), attempt)
}

fn answered(
    exchange: &mut Exchange,
    attempt: &crate::exchange::Attempt,
    status: u16,
    body: &str,
) -> Option<Reply> {
    let header = |name: &str| (name == "content-type").then(|| "application/json".to_owned());
    assert!(matches!(attempt.headers(exchange, status, &header, NOW), Step::Whole));
    attempt.whole(exchange, status, body.as_bytes(), NOW)
}

fn completion(text: &str) -> String {
    json!({"id": "c", "model": "gpt", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).to_string()
}

fn header(exchange: &Exchange, name: &str) -> Option<String> {
    exchange.remarks().into_iter().find(|(header, _)| *header == name).map(|(_, value)| value)
}

#[test]
fn each_target_gets_what_holds_for_it() {
    let plan = plan(&json!({
        "rules": ["email", "phone"], "request": "mask", "response": "mask",
        "exceptions": [{"when": {"providers": ["local"]}, "request": "off", "response": "off", "rules": {"phone": "warn"}}],
    }));
    let text = "I am bob@example.com, +1 415 555 2671.";
    let mut exchange = chat(&plan, text).expect("opens");
    let (sent, _) = attempt(&mut exchange, "cloud");
    assert_eq!(sent["messages"][0]["content"], "I am [EMAIL], [PHONE].");
    assert_eq!(header(&exchange, "x-sluice-redactions").as_deref(), Some("email=1, phone=1"));
    let (sent, _) = attempt(&mut exchange, "local");
    assert_eq!(sent["messages"][0]["content"], text);
    assert_eq!(header(&exchange, "x-sluice-redactions").as_deref(), Some("phone=1"));
    let (sent, claude) = attempt(&mut exchange, "claude");
    assert_eq!(sent["messages"][0]["content"][0]["text"], "I am [EMAIL], [PHONE].");
    let answer = json!({"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": [{"type": "text", "text": "Mail ann@example.com."}], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let reply = answered(&mut exchange, &claude, 200, &answer.to_string()).expect("is translated");
    let body: Value = serde_json::from_slice(&reply.body).expect("is JSON");
    assert_eq!(body["choices"][0]["message"]["content"], "Mail [EMAIL].");
    let redactions: Vec<_> =
        exchange.redactions().map(|(rule, way, count)| (rule, way.word(), count)).collect();
    assert_eq!(redactions, [("email", "request", 1), ("phone", "request", 1), ("email", "response", 1)]);

    let mut exchange = chat(&plan, text).expect("opens");
    let (_, local) = attempt(&mut exchange, "local");
    let reply = answered(&mut exchange, &local, 200, &completion("bob@example.com"));
    assert_eq!(reply.map(|reply| reply.body), None, "nothing is done with it");
}

#[test]
fn a_native_answer_is_masked_where_it_stands() {
    let plan = plan(&json!({"rules": ["pii"]}));
    let mut exchange = chat(&plan, "Hello").expect("opens");
    let (_, cloud) = attempt(&mut exchange, "cloud");
    let reply = answered(&mut exchange, &cloud, 200, &completion("bob@example.com")).expect("changes");
    assert_eq!(String::from_utf8(reply.body), Ok(completion("[EMAIL]")));
    assert_eq!(reply.headers, [], "they are the provider's");
    let (_, cloud) = attempt(&mut chat(&plan, "Hello").expect("opens"), "cloud");
    let mut exchange = chat(&plan, "Hello").expect("opens");
    assert!(answered(&mut exchange, &cloud, 200, &completion("Hello")).is_none());
}

#[test]
fn vendors_errors_tell_nothing() {
    let plan = plan(&json!({"rules": ["email"], "request": "off"}));
    for (provider, body) in [
        (
            "claude",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"What is bob@example.com?"}}"#,
        ),
        ("cloud", r#"{"error":{"message":"What is bob@example.com?","type":"invalid_request_error"}}"#),
        ("cloud", "What is bob@example.com?"),
    ] {
        let mut exchange = chat(&plan, "Hello").expect("opens");
        let (_, attempt) = attempt(&mut exchange, provider);
        let reply = answered(&mut exchange, &attempt, 400, body).expect("changes");
        let text = String::from_utf8(reply.body).expect("is text");
        assert!(reply.status == 400 && text.contains("What is [EMAIL]?") && !text.contains("bob"), "{text}");
    }
}

#[test]
fn what_is_blocked_goes_nowhere() {
    let plan = plan(&json!({
        "rules": ["email", {"rule": "iban", "action": "block"}], "response": "block",
        "exceptions": [{"when": {"providers": ["local"]}, "request": "off"}],
    }));
    // The one target that may get it does.
    let mut exchange = chat(&plan, "DE89 3704 0044 0532 0130 00").expect("opens");
    let (sent, _) = attempt(&mut exchange, "local");
    assert_eq!(sent["messages"][0]["content"], "DE89 3704 0044 0532 0130 00");
    assert!(exchange.attempt("cloud", 1, &LocalMemory::default(), Duration::from_secs(NOW)).is_err());

    let plan =
        self::plan(&json!({"rules": ["email", {"rule": "iban", "action": "block"}], "response": "block"}));
    let reply = chat(&plan, "DE89 3704 0044 0532 0130 00").expect_err("is refused");
    let text = String::from_utf8(reply.body).expect("is text");
    assert!(reply.status == 400 && text.contains("content_blocked") && text.contains("iban"), "{text}");
    assert!(!text.contains("DE89") && !text.contains("0532"), "{text}");

    let mut exchange = chat(&plan, "Hello").expect("opens");
    let (_, cloud) = attempt(&mut exchange, "cloud");
    let reply = answered(&mut exchange, &cloud, 200, &completion("bob@example.com")).expect("is replaced");
    let text = String::from_utf8(reply.body).expect("is text");
    assert!(reply.status == 400 && text.contains("content_blocked") && !text.contains("bob"), "{text}");
    assert_eq!(exchange.failures(), "", "the provider has not failed");
    assert!(exchange.usage().is_some());
}

#[test]
fn a_blocked_stream_ends_in_the_clients_form() {
    let plan = plan(&json!({"rules": ["email"], "request": "off", "response": "block"}));
    let body =
        json!({"model": "chat", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let event = |text: &str| {
        format!(
            "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        )
    };
    let begin = || {
        let mut exchange =
            open_at(&plan, "/v1/chat/completions", "application/json", body.as_bytes()).expect("opens");
        let (_, attempt) = attempt(&mut exchange, "cloud");
        let header = |name: &str| (name == "content-type").then(|| "text/event-stream".to_owned());
        let Step::Stream(stream) = attempt.headers(&mut exchange, 200, &header, NOW) else {
            panic!("streams")
        };
        (exchange, stream)
    };
    let (_, mut stream) = begin();
    let mut out = Vec::new();
    assert!(!stream.push(event("Hello!\\n").as_bytes(), &mut out));
    stream.push(event("Ask bob@example.com now").as_bytes(), &mut out);
    stream.push(event("or later").as_bytes(), &mut out);
    stream.end(&mut out);
    let text = String::from_utf8(out).expect("is text");
    assert!(stream.is_cut() && text.starts_with(&event("Hello!\\n")), "{text}");
    assert!(text.contains("content_blocked") && !text.contains("bob") && !text.contains("later"), "{text}");

    let (_, mut stream) = begin();
    let mut out = Vec::new();
    stream.push(event("bob@example.com now").as_bytes(), &mut out);
    assert!(matches!(stream.held(), Held::Failed(failure) if failure.status == 400) && out.is_empty());
}

#[test]
fn what_can_not_be_read_is_refused_where_the_policy_says_so() {
    let refusing = plan(&json!({"rules": ["email"], "unreadable": "refuse"}));
    let passing = plan(&json!({"rules": ["email"], "unreadable": "pass"}));
    let body = json!({"model": "chat", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]});
    let open = |plan| open_at(plan, "/v1/chat/completions", "application/json", body.to_string().as_bytes());
    let reply = open(&refusing).expect_err("is refused");
    let text = String::from_utf8(reply.body).expect("is text");
    assert!(
        reply.status == 400
            && text.contains("messages[0].content[1].image_url.url")
            && text.contains("content_unreadable"),
        "{text}"
    );
    assert!(open(&passing).is_ok());
}

#[test]
fn calls_that_pass_are_masked_too() {
    let plan = plan(&json!({"rules": ["email"], "unreadable": "refuse"}));
    let json = br#"{"prompt": "Paint bob@example.com", "n":1.0, "model" : "chat"}"#;
    let mut exchange = open_at(&plan, "/v1/images/generations", "application/json", json).expect("opens");
    let (request, images) = exchange
        .attempt("cloud", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let sent = String::from_utf8(request.body.expect("is there").to_vec()).expect("is text");
    assert_eq!(sent, r#"{"prompt": "Paint [EMAIL]", "n":1.0, "model" : "gpt"}"#);
    let reply = answered(
        &mut exchange,
        &images,
        200,
        r#"{"data":[{"b64_json":"AAAA","revised_prompt":"bob@example.com"}]}"#,
    )
    .expect("changes");
    assert_eq!(reply.body, br#"{"data":[{"b64_json":"AAAA","revised_prompt":"[EMAIL]"}]}"#);

    let form = |file: &str| {
        format!(
            "--xyz\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nAsk bob@example.com\r\n--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: {file}\r\n\r\nann@example.com\r\n--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nchat\r\n--xyz--\r\n"
        )
    };
    let kind = "multipart/form-data; boundary=xyz";
    let mut exchange =
        open_at(&plan, "/v1/audio/transcriptions", kind, form("text/plain").as_bytes()).expect("opens");
    let (request, _) = exchange
        .attempt("cloud", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    let sent = String::from_utf8(request.body.expect("is there").to_vec()).expect("is text");
    let expected = form("text/plain")
        .replace("bob@example.com", "[EMAIL]")
        .replace("ann@example.com", "[EMAIL]")
        .replace("\r\nchat\r\n", "\r\ngpt\r\n");
    assert_eq!(sent, expected);
    let reply = open_at(&plan, "/v1/audio/transcriptions", kind, form("audio/wav").as_bytes())
        .expect_err("is refused");
    assert_eq!(reply.status, 400);
}

#[test]
fn a_conversations_pseudonyms_are_its_own_and_stay() {
    let plan =
        plan(&json!({"rules": ["email"], "request": "pseudonym", "response": "mask", "key": {"env": "KEY"}}));
    let sent = |first: &str, later: &str| {
        let body = json!({"model": "chat", "messages": [{"role": "user", "content": first}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": later}]});
        let mut exchange =
            open_at(&plan, "/v1/chat/completions", "application/json", body.to_string().as_bytes())
                .expect("opens");
        let (request, attempt) = attempt(&mut exchange, "cloud");
        (request, exchange, attempt)
    };
    let (one, mut exchange, cloud) = sent("A", "bob@example.com");
    let (again, ..) = sent("A", "Once more: bob@example.com");
    let (other, mut others, others_cloud) = sent("B", "bob@example.com");
    let pseudonym = one["messages"][2]["content"].as_str().expect("is text").to_owned();
    assert!(pseudonym.ends_with("@pseudonym.invalid"), "{pseudonym}");
    assert_eq!(again["messages"][2]["content"], format!("Once more: {pseudonym}"));
    assert_ne!(other["messages"][2]["content"], pseudonym.as_str());
    let said = completion(&format!("To {pseudonym} and ann@example.com"));
    let reply = answered(&mut exchange, &cloud, 200, &said).expect("changes");
    assert_eq!(String::from_utf8(reply.body), Ok(completion("To bob@example.com and [EMAIL]")));
    let reply = answered(&mut others, &others_cloud, 200, &said).expect("changes");
    assert_eq!(String::from_utf8(reply.body), Ok(completion(&format!("To {pseudonym} and [EMAIL]"))));
}

#[test]
fn a_body_without_findings_goes_as_it_came() {
    let plan = plan(&json!({"rules": ["pii", "secrets"]}));
    let body = br#" {"model":"gpt" ,"messages":[{"role":"user","content":"Gr\u00fc\u00dfe, 1.0"}],"x":[1.0,1e3],"seed":12345678901}"#;
    let plan_of_one = plan;
    let named = String::from_utf8(body.to_vec()).expect("is text").replace("\"gpt\"", "\"chat\"");
    let mut exchange =
        open_at(&plan_of_one, "/v1/chat/completions", "application/json", named.as_bytes()).expect("opens");
    let (request, _) = exchange
        .attempt("cloud", 1, &LocalMemory::default(), Duration::from_secs(NOW))
        .expect("can be asked");
    assert_eq!(request.body.expect("is there").as_slice(), body);
    assert_eq!(header(&exchange, "x-sluice-redactions"), None);
}
