//! A thousand changes to each of some requests and answers: whatever comes, the client gets JSON or a stream of it, and
//! the VM serves the next.

use fastrand::Rng;
use serde::de::IgnoredAny;
use serde_json::Value;
use test_cases::{Body, ChatCase};
use test_harness::host::{Answer, Gateway, RequestBuilder, Vendor};

use crate::support::{
    self, CHAT, answer_body, ask, assert_no_secret, error, events, gateway, hello, vendor, words,
};
use test_cases::mutate::{cut, mutate};

const MUTATIONS: u64 = 1000;

const REQUESTS: [&str; 15] = [
    "agent",
    "assistant-echo",
    "bytes-survive",
    "content-never-dropped",
    "image-base64",
    "input-audio",
    "n-two",
    "reasoning-effort",
    "response-format-json-schema",
    "several-dropped",
    "stop-list",
    "stream-text",
    "text",
    "tool-loop-reasoning",
    "tool-calls-parallel",
];

/// Cases whose answers are changed, with every vendor that they are about.
const ANSWERS: [&str; 10] = [
    "text",
    "tool-calls-parallel",
    "error-429",
    "agent",
    "usage-cached",
    "stream-text",
    "stream-reasoning",
    "stream-tool-calls-parallel",
    "stream-error-middle",
    "stream-utf8",
];

const NAMES: [(&str, &str); 3] = [("openai", "openai"), ("anthropic", "claude"), ("gemini", "gemini")];

fn case<'a>(cases: &'a [ChatCase], name: &str) -> &'a ChatCase {
    cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no case {name}"))
}

/// What went wrong, told together: the first of them may hide another sort.
#[derive(Default)]
struct Faults {
    shown: Vec<String>,
    count: usize,
}

impl Faults {
    fn add(&mut self, what: &str, label: &dyn Fn() -> String) {
        self.count += 1;
        if self.shown.len() < 8 {
            self.shown.push(format!("{what:.500}\n  in {:.4000}", label()));
        }
    }

    fn assert_none(&self) {
        assert!(self.count == 0, "{} faults, the first of them:\n{}", self.count, self.shown.join("\n"));
    }
}

/// What has to hold whatever was sent: the client has a whole HTTP answer in its dialect.
fn check(answer: &Answer) -> Result<(), String> {
    let stream = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    if stream && answer.status() == 200 {
        // What is cut off is a stream up to there.
        return match answer.was_reset() || answer.is_complete() {
            true => check_stream(&answer.body()),
            false => Err("it has no end".to_owned()),
        };
    }
    let body = answer.body();
    match () {
        () if !answer.is_complete() && !answer.was_reset() => Err("it has no end".to_owned()),
        () if !is_json(&body) => Err(format!("it is no JSON: {}", String::from_utf8_lossy(&body))),
        () if body.trim_ascii_start().first() != Some(&b'{') => Err("it is no object".to_owned()),
        () => {
            if answer.status() >= 400 {
                error(answer);
            }
            Ok(())
        }
    }
}

/// By its grammar: what is said in it passes unread where both sides speak one dialect.
fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn check_stream(body: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    // Nobody reads on behind the end, or behind an error.
    let last = |event: &str| event == "[DONE]" || event.starts_with(r#"{"error""#);
    let events = data(text);
    let read = events.iter().position(|event| last(event)).unwrap_or(events.len());
    match events[..read].iter().find(|event| !is_json(event.as_bytes())) {
        Some(event) => Err(format!("an event is no JSON: {event:?}")),
        None => Ok(()),
    }
}

/// The data of each event, by the rules of the HTML standard: lines end with CR, LF or both.
fn data(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let events = text.split("\n\n").map(|event| {
        let value = |line: &str| {
            let value = line.strip_prefix("data").filter(|rest| rest.is_empty() || rest.starts_with(':'))?;
            let value = value.strip_prefix(':').unwrap_or_default();
            Some(value.strip_prefix(' ').unwrap_or(value).to_owned())
        };
        event.lines().filter_map(value).collect::<Vec<_>>().join("\n")
    });
    events.filter(|data| !data.is_empty()).collect()
}

/// The VM is alive, holds nothing, and serves.
fn assert_serves(gateway: &Gateway) {
    assert_eq!((gateway.is_dead(), gateway.open_streams()), (false, 0));
    for (_, name) in NAMES {
        let next = ask(gateway, &hello(name, false)).target(name, 1, support::answer(name)).send().unwrap();
        assert_eq!(words(&next), "word-of-model");
    }
    assert_no_secret(&gateway.log());
}

#[test]
fn whatever_a_client_sends_it_gets_an_answer_in_its_dialect() {
    let cases = test_cases::chat();
    let gateway = gateway();
    let streams = NAMES.map(|(_, name)| events(name).concat());
    let mut faults = Faults::default();
    let (mut served, mut refused) = (0, 0);
    for name in REQUESTS {
        let original = &case(&cases, name).request;
        for seed in 0..MUTATIONS {
            let mut random = Rng::with_seed(seed);
            let chosen = random.usize(..3);
            let (_, provider) = NAMES[chosen];
            let addressed = String::from_utf8(original.clone())
                .unwrap()
                .replace("\"gpt-4o\"", &format!("\"{provider}\""));
            let body = mutate(addressed.as_bytes(), &mut random);
            let streamed = serde_json::from_slice::<Value>(&body).is_ok_and(|body| body["stream"] == true);
            let vendor = match streamed {
                true => Vendor::events([streams[chosen].clone()]),
                false => Vendor::json(200, answer_body(provider)),
            };
            let label = || format!("{name} at {provider}, seed {seed}: {}", String::from_utf8_lossy(&body));
            let request = gateway.post(CHAT).header("content-type", "application/json");
            let request = request.body_in_chunks(cut(&body, &mut random)).target(provider, 1, vendor.clone());
            // A change may make it a request for the model with three targets.
            let request = request.target("claude", 1, support::answer("claude"));
            let sent = request.target("gemini", 1, support::answer("gemini")).send();
            let answer = sent.unwrap_or_else(|error| panic!("{error}: {}", label()));
            check(&answer).unwrap_or_else(|fault| faults.add(&fault, &label));
            if answer.attempts().is_empty() {
                refused += 1;
                if !(400..500).contains(&answer.status()) {
                    faults.add(&format!("{}: {}", answer.status(), answer.text()), &label);
                }
                continue;
            }
            served += 1;
            if answer.status() != 200 {
                faults.add(&format!("{}: {}", answer.status(), answer.text()), &label);
            }
            for attempt in answer.attempts() {
                if !is_json(attempt.body()) {
                    faults.add("the vendor was sent no JSON", &label);
                }
            }
        }
    }
    faults.assert_none();
    assert!(
        served > 1500 && refused > 5000,
        "{served} served, {refused} refused: the changes are of one sort"
    );
    assert_serves(&gateway);
}

#[test]
fn whatever_a_vendor_answers_the_client_gets_its_dialect() {
    let cases = test_cases::chat();
    let gateway = gateway();
    let mut faults = Faults::default();
    let (mut fine, mut failed, mut broke) = (0, 0, 0);
    for name in ANSWERS {
        for exchange in &case(&cases, name).exchanges {
            let (_, provider) = NAMES.into_iter().find(|(dialect, _)| *dialect == exchange.provider).unwrap();
            let Some(Body { bytes, stream }) = exchange.response.clone() else { continue };
            let request = hello(provider, stream);
            for seed in 0..MUTATIONS {
                let mut random = Rng::with_seed(seed);
                let body = Body { bytes: mutate(&bytes, &mut random), stream };
                let status = match random.u8(..10) {
                    0 => random.choice([201, 204, 301, 400, 401, 404, 418, 429, 500, 503, 529]).unwrap(),
                    _ => exchange.status(),
                };
                let chunks = cut(&body.bytes, &mut random);
                let mut vendor = vendor(status, &body, &[], &chunks);
                match random.u8(..8) {
                    0 => vendor = vendor.cut(),
                    1 => vendor = vendor.end_with_last_chunk(),
                    _ => {}
                }
                let text = String::from_utf8_lossy(&body.bytes);
                let label = || format!("{name} at {provider}, seed {seed}, status {status}: {text:?}");
                let native = provider == "openai" && (400..600).contains(&status);
                let sent = ask(&gateway, &request).target(provider, 1, vendor).send();
                let answer = sent.unwrap_or_else(|error| panic!("{error}: {}", label()));
                // A failure in the client's own dialect passes as it is.
                if !native || matches!(status, 401..=403) {
                    check(&answer).unwrap_or_else(|fault| faults.add(&fault, &label));
                }
                match answer.status() {
                    _ if answer.was_reset() => broke += 1,
                    200 => fine += 1,
                    _ => failed += 1,
                }
            }
        }
    }
    faults.assert_none();
    assert!(fine > 2000 && failed > 2000 && broke > 200, "{fine} fine, {failed} failed, {broke} broke off");
    assert_serves(&gateway);
}

/// What no change of a case comes to: nesting without end, numbers without end, floods of events.
#[test]
fn extremes_are_refused_or_served_and_never_end_the_vm() {
    let gateway = gateway();
    let mut faults = Faults::default();
    let mut send = |request: RequestBuilder, label: &dyn Fn() -> String| {
        let answer = request.send().unwrap_or_else(|error| panic!("{error}: {}", label()));
        check(&answer).unwrap_or_else(|fault| faults.add(&fault, label));
    };
    let long = 200_000;
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(long), close.repeat(long));
    let values = [
        nested("[", "]"),
        nested("{\"a\":", "}"),
        "[".repeat(long),
        format!("\"{}\"", "\\ud83d".repeat(long)),
        format!("1{}", "0".repeat(long)),
        format!("-1e{}", "9".repeat(long)),
        format!("[{}1]", "1,".repeat(long)),
        format!("{{{}\"z\":1}}", "\"a\":1,".repeat(long)),
    ];
    for (_, name) in NAMES {
        for value in &values {
            let label = || format!("{name}: {}…", &value[..20]);
            let bodies = [
                value.clone(),
                format!(r#"{{"model":"{name}","messages":{value}}}"#),
                format!(r#"{{"model":"{name}","messages":[{{"role":"user","content":{value}}}]}}"#),
                format!(
                    r#"{{"model":"{name}","tools":[{{"type":"function","function":{{"name":"f","parameters":{value}}}}}],"messages":[{{"role":"user","content":"x"}}]}}"#
                ),
            ];
            for body in bodies {
                let request = gateway.post(CHAT).json(body).target(name, 1, support::answer(name));
                send(request, &label);
            }
            let plain = Vendor::json(200, answer_body(name).replace("\"word-of-model\"", value));
            send(ask(&gateway, &hello(name, false)).target(name, 1, plain), &label);
            for streamed in
                [format!("data: {value}\n\n"), value.clone(), "\n".repeat(long), "data:\n".repeat(long)]
            {
                let flood = Vendor::events([events(name)[0].clone(), streamed.clone()]).in_chunks_of(16_384);
                send(ask(&gateway, &hello(name, true)).target(name, 1, flood), &label);
                let first = Vendor::events([streamed]).in_chunks_of(16_384);
                send(ask(&gateway, &hello(name, true)).target(name, 1, first), &label);
            }
        }
    }
    faults.assert_none();
    assert_serves(&gateway);
}
