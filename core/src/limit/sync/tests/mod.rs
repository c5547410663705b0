//! Several gateways and a service in memory: they come to one view, whatever gets lost on the way, and pass no more than
//! their bound.

mod bounds;
mod names;
mod service;
mod views;

use std::collections::{BTreeSet, HashMap};

use prost::Message as _;

use super::*;
use crate::access::Asking;
use crate::dialect::ClientDialect;
use crate::identity::{Caller, Proof};
use crate::limit::{Amounts, Limit, Meter};
use crate::policy::Document;
use crate::shared::LocalMemory;

/// 2027-03-31T12:00:30Z.
const NOW: Duration = Duration::from_secs(1_806_494_430);
const SECOND: Duration = Duration::from_secs(1);

/// Keeps count in memory, as envoyproxy/ratelimit does in Redis.
#[derive(Debug, Default)]
struct Service {
    counts: HashMap<String, u64>,
    /// Limits that it doesn't know.
    unknown: BTreeSet<String>,
    calls: usize,
    descriptors: usize,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Good,
    /// It doesn't arrive.
    Lost,
    /// It arrives, and its answer is lost.
    Unanswered,
}

impl Service {
    fn answer(&mut self, body: &[u8]) -> Vec<u8> {
        let request = wire::Request::decode(&body[5..]).expect("is a request");
        self.calls += 1;
        self.descriptors += request.descriptors.len();
        let statuses = request.descriptors.iter().map(|descriptor| self.status(&request.domain, descriptor));
        let response = wire::Response { statuses: statuses.collect() };
        let mut bytes = vec![0];
        bytes.extend(u32::try_from(response.encoded_len()).expect("is short").to_be_bytes());
        response.encode_raw(&mut bytes);
        bytes
    }

    fn status(&mut self, domain: &str, descriptor: &wire::Descriptor) -> wire::Status {
        if self.unknown.contains(&descriptor.entries[0].value) {
            return wire::Status { current_limit: None, limit_remaining: 0 };
        }
        let parts = descriptor.entries.iter().map(|entry| format!("{}_{}", entry.key, entry.value));
        let name = std::iter::once(domain.to_owned()).chain(parts).collect::<Vec<_>>().join("_");
        let count = self.counts.entry(name).or_default();
        *count += descriptor.hits_addend.expect("is always said");
        let remaining = MOST.saturating_sub(*count);
        wire::Status {
            current_limit: Some(wire::CurrentLimit { requests_per_unit: u32::MAX }),
            limit_remaining: u32::try_from(remaining).expect("fits"),
        }
    }

    /// What it has counted under names that begin so.
    fn total(&self, limit: &str) -> u64 {
        let begin = format!("sluice_limit_{limit}_");
        self.counts.iter().filter(|(name, _)| name.starts_with(&begin)).map(|(_, count)| count).sum()
    }
}

/// One gateway.
#[derive(Debug)]
struct Gateway {
    limits: Limits,
    memory: LocalMemory,
    syncer: Syncer,
}

fn document(limits: &str, sync: &str) -> Document {
    let text = format!(
        "version: 1
providers: {{p: {{dialect: openai, endpoint: 'http://p.test', credential: none}}}}
models: {{m: {{targets: [{{provider: p, model: x}}]}}, n: {{targets: [{{provider: p, model: x}}]}}}}
callers: {{keys: [{{id: k, sha256: '{}', user: u, team: blue, roles: [dev, ops]}}]}}
limits: [{limits}]
limits_sync: {{cluster: rls{sync}}}
",
        "ab".repeat(32)
    );
    Document::parse(text.as_bytes()).expect("is a document")
}

impl Gateway {
    fn new(document: &Document) -> Self {
        Self {
            limits: Limits::of_document(document),
            memory: LocalMemory::default(),
            syncer: Syncer::new(document).expect("has work"),
        }
    }

    /// Whether a call of somebody in this team is admitted that uses so many tokens, and as many nano-dollars.
    fn call(&self, team: &str, tokens: u64, now: Duration) -> bool {
        let caller = Caller::of_tests(Proof::Key, "k", Some("u".into()), Some(team.into()), vec![]);
        let asking = Asking::new(ClientDialect::OpenAiChat, "/v1/chat/completions", &[], |_| true, now);
        let call = Call { caller: Some(&caller), asking: &asking, model: "m" };
        let amounts = Some(Amounts { input: tokens, output: 0, nano_usd: tokens });
        if self.limits.in_step(&self.memory, call, &[], now).is_err() {
            return false;
        }
        let Ok(taken) = self.limits.take(&self.memory, call, amounts, now) else { return false };
        self.limits.settle(&self.memory, taken, amounts, now);
        true
    }

    /// A whole round, in which every call goes this way.
    fn sync(&mut self, service: &mut Service, way: Way, now: Duration) -> Outcome {
        // Due at any time, by what it takes for the time until the next one.
        let mut ask = self.syncer.begin(&self.memory, now, SECOND * 3600).expect("is due");
        loop {
            let body = if way == Way::Lost { Vec::new() } else { service.answer(&ask.body) };
            let answer = match way {
                Way::Good => Answer { status: Some(200), grpc_status: Some("0"), body: &body },
                Way::Lost | Way::Unanswered => Answer { status: None, grpc_status: None, body: &[] },
            };
            match self.syncer.answered(&self.memory, &answer, now) {
                Next::Ask(next) => ask = next,
                Next::Over(outcome) => return outcome,
            }
        }
    }

    fn limit(&self) -> &Limit {
        self.limits.get(0).expect("is there")
    }

    /// What the first limit has used of this team's.
    fn used(&self, team: &str, now: Duration) -> u64 {
        let subject = if self.limit().by.is_empty() { "" } else { team };
        let book = &self.limit().book;
        book.read(&self.memory, subject, now).used(&book.meter)
    }
}

const TEAM_DAY: &str = "{name: day, unit: tokens, per: day, limit: 100000, by: [team]}";
const MINUTE: &str = "{name: minute, unit: tokens, per: minute, limit: 600}";

fn fleet(size: usize, limits: &str, sync: &str) -> Vec<Gateway> {
    let document = document(limits, sync);
    (0..size).map(|_| Gateway::new(&document)).collect()
}
