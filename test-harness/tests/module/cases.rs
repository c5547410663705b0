//! Every test case through the module: what the provider is sent, what the client gets, streams cut everywhere.

use std::collections::HashMap;

use serde_json::json;
use test_cases::{Body, ChatCase, Exchange, Sent};
use test_harness::host::{Answer, Gateway, HostError, RequestBuilder, Vendor};

use crate::support::{CHAT, NOW, module, vendor};

/// A VM for each provider, model and policy: it serves one case after the other.
#[derive(Default)]
struct Gateways(HashMap<(&'static str, String), Gateway>);

impl Gateways {
    fn of(&mut self, case: &ChatCase, exchange: &Exchange) -> Gateway {
        let (provider, model) = (exchange.provider, case.model(exchange));
        self.0.entry((provider, model.to_string())).or_insert_with(|| start(provider, &model)).clone()
    }
}

/// A gateway with this model `gpt-4o`, at this provider.
fn start(provider: &str, model: &serde_json::Value) -> Gateway {
    let endpoint = if provider == "openai" { "http://provider.test/v1" } else { "http://provider.test" };
    let policy = json!({
        "version": 1,
        "providers": {provider: {"dialect": provider, "endpoint": endpoint, "credential": {"env": "KEY"}}},
        "models": {"gpt-4o": model},
        "callers": {"anonymous": "allow"},
    });
    module().gateway().env("KEY", "provider-key").now(NOW).policy(policy.to_string()).start().unwrap()
}

/// One case at one provider, ready to be played in any chunks.
struct Player<'a> {
    gateway: Gateway,
    case: &'a ChatCase,
    exchange: &'a Exchange,
    response: Body,
}

impl<'a> Player<'a> {
    fn new(gateways: &mut Gateways, cases: &[ChatCase], case: &'a ChatCase, exchange: &'a Exchange) -> Self {
        let gateway = gateways.of(case, exchange);
        let request: serde_json::Value = serde_json::from_slice(&case.request).unwrap();
        let default = if request["stream"] == true { "stream-text" } else { "text" };
        let default = cases.iter().find(|case| case.name == default).unwrap();
        let response = match exchange.expected.refused {
            Some(_) => Body { bytes: Vec::new(), stream: false },
            None => exchange.response_or(default),
        };
        Self { gateway, case, exchange, response }
    }

    fn request(&self) -> RequestBuilder {
        self.gateway.post(CHAT).json(self.case.request.clone())
    }

    fn vendor(&self, chunks: &[&[u8]]) -> Vendor {
        let headers = &self.exchange.expected.headers;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        vendor(self.exchange.status(), &self.response, &headers, chunks)
    }

    fn send(&self, request: RequestBuilder, vendor: Vendor) -> Result<Answer, HostError> {
        request.target(self.exchange.provider, 1, vendor).send()
    }

    /// Plays it with the vendor's answer in these chunks.
    fn play(&self, chunks: &[&[u8]]) -> Answer {
        self.send(self.request(), self.vendor(chunks))
            .unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }

    fn name(&self) -> String {
        format!("{} at {}", self.case.name, self.exchange.provider)
    }
}

/// Every exchange of every case.
fn each(mut work: impl FnMut(&Player<'_>)) -> Gateways {
    let cases = test_cases::chat();
    let mut gateways = Gateways::default();
    for case in &cases {
        for exchange in &case.exchanges {
            work(&Player::new(&mut gateways, &cases, case, exchange));
        }
    }
    gateways
}

fn assert_none(faults: &[String], ran: usize) {
    assert!(ran > 0);
    assert!(faults.is_empty(), "{} faults in {ran} exchanges:\n{}", faults.len(), faults.join("\n"));
}

/// Status, headers and body as the client got them.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    (answer.status(), answer.headers().unwrap().to_text(), answer.body())
}

fn judge(player: &Player<'_>, answer: &Answer) -> Vec<String> {
    let exchange = player.exchange;
    if let Some(refused) = &exchange.expected.refused {
        assert!(answer.attempts().is_empty(), "{}: a provider was called", player.name());
        return exchange.faults_of_refusal(refused, answer.status(), &answer.body());
    }
    if answer.attempts().is_empty() {
        return vec![format!("refused: {}", answer.text())];
    }
    let upstream = answer.upstream(1);
    let sent = Sent { path: upstream.path(), body: upstream.body() };
    let mut faults = exchange.faults_of_request(player.case, sent, |name| upstream.header(name));
    let credential = match exchange.provider {
        "openai" => ("authorization", "Bearer provider-key"),
        "anthropic" => ("x-api-key", "provider-key"),
        _ => ("x-goog-api-key", "provider-key"),
    };
    if upstream.header(credential.0) != Some(credential.1) {
        faults.push(format!("the credential is {:?}", upstream.header(credential.0)));
    }
    if let Some((name, _)) =
        upstream.headers().unwrap().iter().find(|(name, _)| name.starts_with("x-sluice-"))
    {
        faults.push(format!("the provider was sent {name}"));
    }
    faults.extend(exchange.faults_of_changes(|name| answer.header(name)));
    if answer.header("x-sluice-provider") != Some(exchange.provider) {
        faults.push(format!("answered by {:?}", answer.header("x-sluice-provider")));
    }
    if exchange.response.is_some() {
        let header = |name: &str| answer.header(name);
        faults.extend(exchange.faults_of_answer(&player.response, answer.status(), &answer.body(), header));
    }
    if !answer.is_complete() || answer.was_reset() {
        faults.push("the answer does not come to its end".to_owned());
    }
    faults
}

#[test]
fn every_chat_case() {
    let mut faults = Vec::new();
    let mut ran = 0;
    let gateways = each(|player| {
        let answer = player.play(&[&player.response.bytes]);
        faults.extend(judge(player, &answer).iter().map(|fault| format!("{}: {fault}", player.name())));
        ran += 1;
    });
    assert!(ran >= 441, "only {ran} exchanges were found");
    assert_none(&faults, ran);
    for ((provider, model), gateway) in gateways.0 {
        assert_eq!(gateway.open_streams(), 0, "{provider} {model}");
        assert_eq!(gateway.log(), [], "{provider} {model}: nothing in a case is for the log");
    }
}

#[test]
fn every_invalid_case_and_the_next_request_is_served_as_ever() {
    let model = json!({"targets": [{"provider": "openai", "model": "gpt-4o-2024-11-20"}]});
    let gateway = start("openai", &model);
    let mut faults = Vec::new();
    let cases = test_cases::invalid();
    for case in &cases {
        let answer = gateway.post(CHAT).json(case.request.clone()).send().unwrap();
        assert!(answer.attempts().is_empty(), "{}: a provider was called", case.name);
        let found = case.faults(answer.status(), &answer.body());
        faults.extend(found.iter().map(|fault| format!("{}: {fault}", case.name)));
        let next =
            gateway.post(CHAT).json(r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}"#);
        let next = next.target("openai", 1, crate::support::answer("openai")).send().unwrap();
        assert_eq!((next.status(), next.body()), (200, crate::support::answer_body("openai").into_bytes()));
    }
    assert!(cases.len() >= 72, "only {} cases were found", cases.len());
    assert_none(&faults, cases.len());
}

/// Bodies arrive as the network cuts them, with and without a declared length, the end with the last bytes or alone.
#[test]
fn every_request_and_every_whole_answer_in_awkward_chunks() {
    let mut ran = 0;
    each(|player| {
        let whole = player.play(&[&player.response.bytes]);
        let sent = |answer: &Answer| answer.attempts().first().map(|request| request.body().to_vec());
        for size in [1, 2, 3, 7, 61] {
            let request = player.request().in_chunks_of(size);
            let vendor = player.vendor(&[&player.response.bytes]).in_chunks_of(size);
            let (request, vendor) = match size {
                1 => (request, vendor),
                2 => (request.end_with_last_chunk(), vendor.end_with_last_chunk()),
                3 => (request.without_content_length(), vendor.end_with_last_chunk()),
                7 => (request.without_content_length().end_with_last_chunk(), vendor),
                _ => (request.in_chunks_of(player.case.request.len() - 1), vendor),
            };
            let cut = player.send(request, vendor).unwrap();
            assert_eq!(seen(&cut), seen(&whole), "{} in chunks of {size}", player.name());
            assert_eq!(sent(&cut), sent(&whole), "{} in chunks of {size}", player.name());
            ran += 1;
        }
    });
    assert!(ran > 2000, "only {ran} exchanges were found");
}

/// In two chunks, cut behind each byte in turn; byte by byte they are in the test above.
#[test]
fn every_stream_cut_at_every_byte() {
    let (mut streams, mut cuts) = (0, 0);
    each(|player| {
        let bytes = &player.response.bytes;
        if !player.response.stream {
            return;
        }
        let whole = player.play(&[bytes]);
        for cut in 1..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let answer = player.play(&[first, second]);
            assert_eq!(seen(&answer), seen(&whole), "{} cut at {cut}", player.name());
            cuts += 1;
        }
        streams += 1;
    });
    assert!(streams >= 58 && cuts > 50_000, "only {cuts} cuts in {streams} streams");
}
