//! Several gateways and a service in memory: they come to one view, whatever gets lost on the way, and pass no more than
//! their bound.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;
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
        if self.limits.in_step(&self.memory, call, now).is_err() {
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

#[test]
fn gateways_have_one_view_after_two_intervals() {
    for limit in [TEAM_DAY, "{name: all, unit: tokens, per: lifetime, limit: 100000}", MINUTE] {
        let mut fleet = fleet(3, limit, "");
        let mut service = Service::default();
        // The first words, before anybody has used anything.
        for gateway in &mut fleet {
            assert_eq!(gateway.sync(&mut service, Way::Good, NOW).trouble, None);
        }
        let calls = NOW + SECOND;
        for (gateway, tokens) in fleet.iter().zip([70, 50, 30]) {
            assert!(gateway.call("blue", tokens, calls), "{limit}");
        }
        for _ in 0..2 {
            for gateway in &mut fleet {
                gateway.sync(&mut service, Way::Good, calls);
            }
        }
        let used: Vec<u64> = fleet.iter().map(|gateway| gateway.used("blue", calls)).collect();
        assert_eq!(used, [150, 150, 150], "{limit}");
    }
}

#[test]
fn what_was_told_once_is_told_once() {
    let mut fleet = fleet(2, TEAM_DAY, "");
    let mut service = Service::default();
    for second in 0..20 {
        let now = NOW + SECOND * second;
        assert!(fleet[0].call("blue", 10, now));
        for gateway in &mut fleet {
            gateway.sync(&mut service, Way::Good, now);
        }
    }
    assert_eq!(service.total("day"), 200);
    assert_eq!(fleet[1].used("blue", NOW + SECOND * 20), 200);
}

#[test]
fn money_is_told_in_hundredths_of_a_cent_and_nothing_of_it_lost() {
    let mut fleet = fleet(2, "{name: usd, unit: usd, per: day, limit: 25, by: [team]}", "");
    let mut service = Service::default();
    for second in 0..100 {
        let now = NOW + SECOND * second;
        // 0.00007777 dollars.
        assert!(fleet[0].call("blue", 77_770, now));
        for gateway in &mut fleet {
            gateway.sync(&mut service, Way::Good, now);
        }
    }
    let now = NOW + SECOND * 100;
    assert_eq!((service.total("usd"), fleet[0].used("blue", now)), (77, 7_777_000));
    assert_eq!(fleet[1].used("blue", now), 7_700_000);
}

#[test]
fn a_gateway_that_starts_again_learns_in_its_first_round() {
    let document = document(TEAM_DAY, ", on_lost: refuse");
    let (mut one, mut service) = (Gateway::new(&document), Service::default());
    assert!(!one.call("blue", 1, NOW), "nothing is known yet");
    assert_eq!(one.sync(&mut service, Way::Good, NOW).learned, Some(1));
    assert!(one.call("blue", 60_000, NOW) && one.call("green", 100, NOW));
    one.sync(&mut service, Way::Good, NOW + SECOND);

    let mut again = Gateway::new(&document);
    let outcome = again.sync(&mut service, Way::Lost, NOW + SECOND);
    assert_eq!((outcome.trouble, outcome.is_news), (Some(Trouble::Unreachable), true));
    assert!(!again.call("blue", 1, NOW + SECOND * 2), "it couldn't be learned");
    assert_eq!(again.sync(&mut service, Way::Good, NOW + SECOND * 2).learned, Some(1));
    assert_eq!(again.used("blue", NOW + SECOND * 2), 60_000);
    // A team that the policy doesn't name is asked for once it has called.
    assert!(again.call("green", 1, NOW + SECOND * 2));
    again.sync(&mut service, Way::Good, NOW + SECOND * 3);
    assert_eq!(again.used("green", NOW + SECOND * 3), 101);
}

#[test]
fn a_rate_is_taken_for_as_used_as_it_may_be_at_most() {
    let mut fleet = fleet(2, MINUTE, "");
    let mut service = Service::default();
    // Half a minute before and now: 300 of the first 500 have drained at most.
    assert!(fleet[0].call("", 500, NOW - SECOND * 40));
    fleet[0].sync(&mut service, Way::Good, NOW - SECOND * 40);
    assert!(fleet[0].call("", 50, NOW));
    fleet[0].sync(&mut service, Way::Good, NOW);
    fleet[1].sync(&mut service, Way::Good, NOW);
    assert_eq!(fleet[1].used("", NOW), 250);
    assert!(fleet[0].used("", NOW) <= 250);
}

#[test]
fn what_is_used_around_the_turn_of_a_minute_is_heard_of() {
    let mut fleet = fleet(2, MINUTE, "");
    let mut service = Service::default();
    let minute = Duration::from_secs(NOW.as_secs() / 60 * 60 + 60);
    for gateway in &mut fleet {
        gateway.sync(&mut service, Way::Good, minute - SECOND * 2);
    }
    // Told in the old minute, behind the other one's last question of it.
    fleet[1].sync(&mut service, Way::Good, minute - SECOND);
    assert!(fleet[0].call("", 300, minute - SECOND));
    fleet[0].sync(&mut service, Way::Good, minute - SECOND);
    assert_eq!(fleet[1].used("", minute), 0);
    fleet[1].sync(&mut service, Way::Good, minute);
    assert_eq!(fleet[1].used("", minute), 300);
    fleet[1].sync(&mut service, Way::Good, minute + SECOND);
    assert_eq!(fleet[1].used("", minute + SECOND), 290, "once");
}

#[test]
fn a_service_that_has_forgotten_takes_nothing_back() {
    for limit in [TEAM_DAY, MINUTE] {
        let mut fleet = fleet(2, limit, "");
        let mut service = Service::default();
        let round = |fleet: &mut Vec<Gateway>, service: &mut Service| {
            for _ in 0..2 {
                for gateway in fleet.iter_mut() {
                    gateway.sync(service, Way::Good, NOW);
                }
            }
        };
        round(&mut fleet, &mut service);
        assert!(fleet[0].call("blue", 200, NOW));
        round(&mut fleet, &mut service);
        service.counts.clear();
        round(&mut fleet, &mut service);
        assert!(fleet[1].call("blue", 30, NOW));
        round(&mut fleet, &mut service);
        let used: Vec<u64> = fleet.iter().map(|gateway| gateway.used("blue", NOW)).collect();
        assert_eq!(used, [230, 230], "{limit}");
    }
}

#[test]
fn a_service_that_has_lost_its_last_moments_does_not_count_them_twice() {
    let mut fleet = fleet(2, TEAM_DAY, "");
    let mut service = Service::default();
    for gateway in &mut fleet {
        assert!(gateway.call("blue", 500, NOW));
        gateway.sync(&mut service, Way::Good, NOW);
    }
    fleet[0].sync(&mut service, Way::Good, NOW + SECOND * 20);
    service.counts.values_mut().for_each(|count| *count -= 20);
    fleet[0].sync(&mut service, Way::Good, NOW + SECOND * 40);
    assert_eq!(fleet[0].used("blue", NOW + SECOND * 40), 1000);
}

#[test]
fn a_limit_that_the_service_does_not_know_is_told_to_nobody_and_lost_by_nobody() {
    let both = format!("{TEAM_DAY}, {{name: other, unit: tokens, per: hour, limit: 500}}");
    let document = document(&both, ", on_lost: refuse");
    let (mut gateway, mut service) = (Gateway::new(&document), Service::default());
    gateway.sync(&mut service, Way::Good, NOW);
    assert!(gateway.call("blue", 100, NOW));
    service.unknown.insert("day".to_owned());
    for second in 1..4 {
        let outcome = gateway.sync(&mut service, Way::Good, NOW + SECOND * second);
        assert_eq!(outcome.trouble, Some(Trouble::Unknown("day".to_owned())));
        assert_eq!(outcome.is_news, second == 1, "it is said once");
    }
    assert_eq!((service.total("day"), service.total("other")), (0, 100));
    assert!(!gateway.call("blue", 1, NOW + SECOND * 7), "that is no good word");
    service.unknown.clear();
    let outcome = gateway.sync(&mut service, Way::Good, NOW + SECOND * 7);
    assert_eq!((outcome.trouble, outcome.is_news), (None, true));
    assert_eq!(service.total("day"), 100);
    assert!(gateway.call("blue", 1, NOW + SECOND * 7));
}

#[test]
fn a_service_that_counts_less_far_than_the_limit_is_noticed() {
    let mut gateway = fleet(1, TEAM_DAY, "").remove(0);
    gateway.syncer.begin(&gateway.memory, NOW, SECOND).expect("is due");
    let statuses = vec![wire::Status {
        current_limit: Some(wire::CurrentLimit { requests_per_unit: 99_999 }),
        limit_remaining: 0,
    }];
    let response = wire::Response { statuses };
    let mut body = vec![0, 0, 0, 0, response.encoded_len() as u8];
    response.encode_raw(&mut body);
    let answer = Answer { status: Some(200), grpc_status: Some("0"), body: &body };
    let Next::Over(outcome) = gateway.syncer.answered(&gateway.memory, &answer, NOW) else {
        panic!("one call is enough")
    };
    assert_eq!(outcome.trouble, Some(Trouble::Unknown("day".to_owned())));
}

#[test]
fn answers_that_say_nothing_change_nothing() {
    let good = Service::default().answer(&wire::frame(&wire::Request::default()));
    let answer = |status, grpc_status, body| {
        Answer { status, grpc_status, body }.statuses(1).expect_err("says nothing")
    };
    assert_eq!(answer(None, None, &[]), Trouble::Unreachable);
    assert_eq!(answer(Some(503), None, &[]), Trouble::Unreachable);
    assert_eq!(answer(Some(200), Some("14"), &[]), Trouble::Unreachable);
    assert_eq!(answer(Some(200), Some("2"), &[]), Trouble::Refused(2));
    assert_eq!(answer(Some(404), None, &[]), Trouble::Status(404));
    assert_eq!(answer(Some(200), None, &good), Trouble::Malformed);
    assert_eq!(answer(Some(200), Some("0"), b"<html>"), Trouble::Malformed);
    assert_eq!(answer(Some(200), Some("0"), &good), Trouble::Malformed, "no statuses");
}

#[test]
fn lost_is_a_service_whose_last_good_word_is_old() {
    let document =
        document(&format!("{TEAM_DAY}, {{name: once, unit: concurrent, limit: 1}}"), ", on_lost: refuse");
    let (mut gateway, mut service) = (Gateway::new(&document), Service::default());
    let entry = document.limits_sync.clone().expect("is there");
    assert!(lost(&gateway.memory, &entry, NOW));
    gateway.sync(&mut service, Way::Good, NOW);
    assert!(!lost(&gateway.memory, &entry, NOW + SECOND * 5));
    assert!(lost(&gateway.memory, &entry, NOW + SECOND * 5 + Duration::from_millis(1)));
    gateway.sync(&mut service, Way::Unanswered, NOW + SECOND * 6);
    assert!(lost(&gateway.memory, &entry, NOW + SECOND * 6));
    assert!(!lost(&gateway.memory, &SyncEntry { on_lost: OnLost::Local, ..entry }, NOW + SECOND * 6));

    let caller = Caller::of_tests(Proof::Key, "k", None, None, vec![]);
    let asking = Asking::new(ClientDialect::OpenAiChat, "/", &[], |_| true, NOW);
    let call = Call { caller: Some(&caller), asking: &asking, model: "m" };
    let failure = gateway.limits.in_step(&gateway.memory, call, NOW + SECOND * 6).expect_err("is refused");
    assert_eq!((failure.status, failure.retry_after), (503, Some(1)));
    assert_eq!(failure.code.as_deref(), Some("limits_unavailable"));
    let alone =
        Limits::of_document(&self::document("{name: once, unit: concurrent, limit: 1}", ", on_lost: refuse"));
    assert_eq!(
        alone.in_step(&gateway.memory, call, NOW + SECOND * 6),
        Ok(()),
        "calls at a time are told to nobody"
    );
}

#[test]
fn a_round_has_several_calls_and_of_many_counters_those_rest_that_nobody_uses() {
    let mut gateway = fleet(1, TEAM_DAY, "").remove(0);
    let mut service = Service::default();
    let mut round = |gateway: &mut Gateway, second: u32| {
        (service.calls, service.descriptors) = (0, 0);
        gateway.sync(&mut service, Way::Good, NOW + SECOND * second);
        (service.calls, service.descriptors)
    };
    assert_eq!(round(&mut gateway, 0), (1, 1));
    let call = |gateway: &Gateway, team: u32| assert!(gateway.call(&format!("team-{team}"), 1, NOW));
    (0..450).for_each(|team| call(&gateway, team));
    assert_eq!(round(&mut gateway, 1), (3, 451), "with the one that the policy names");
    assert_eq!(round(&mut gateway, 2), (3, 451));
    (450..1200).for_each(|team| call(&gateway, team));
    assert_eq!(round(&mut gateway, 3), (4, 750));
    call(&gateway, 7);
    assert_eq!(round(&mut gateway, 4), (1, 1));
    assert_eq!(round(&mut gateway, 12), (3, 449));
    assert_eq!(gateway.syncer.counters(), 1201);
}

#[test]
fn rounds_follow_each_other_after_the_interval() {
    let mut gateway = fleet(1, TEAM_DAY, ", interval: 10s").remove(0);
    let tick = Duration::from_millis(500);
    assert!(gateway.syncer.begin(&gateway.memory, NOW, tick).is_some());
    assert_eq!(gateway.syncer.begin(&gateway.memory, NOW + SECOND * 60, tick), None, "under way");
    gateway.syncer.answered(&gateway.memory, &Answer { status: None, grpc_status: None, body: &[] }, NOW);
    assert_eq!(gateway.syncer.begin(&gateway.memory, NOW + SECOND * 9, tick), None);
    assert!(gateway.syncer.begin(&gateway.memory, NOW + SECOND * 10, tick).is_some());
}

#[test]
fn at_the_end_of_a_window_the_next_begins_at_nothing() {
    let mut fleet = fleet(2, TEAM_DAY, "");
    let mut service = Service::default();
    let midnight = Duration::from_secs((NOW.as_secs() / 86_400 + 1) * 86_400);
    assert!(fleet[0].call("blue", 700, midnight - SECOND));
    let Gateway { syncer, memory, .. } = &mut fleet[0];
    let ask = syncer.begin(memory, midnight - SECOND, SECOND).expect("is due");
    // The answer comes when the day is over, and somebody has called since.
    assert!(fleet[0].call("blue", 10, midnight));
    let body = service.answer(&ask.body);
    let answer = Answer { status: Some(200), grpc_status: Some("0"), body: &body };
    let Gateway { syncer, memory, .. } = &mut fleet[0];
    assert!(matches!(syncer.answered(memory, &answer, midnight), Next::Over(_)));
    for gateway in &mut fleet {
        gateway.sync(&mut service, Way::Good, midnight + SECOND);
    }
    let used: Vec<u64> = fleet.iter().map(|gateway| gateway.used("blue", midnight + SECOND)).collect();
    assert_eq!(used, [10, 10]);
}

#[test]
fn entries_say_which_counter_it_is() {
    let limits = "{name: berlin, unit: usd, per: day, limit: 25, by: [team, model], timezone: Europe/Berlin},
        {name: big, unit: tokens, per: month, limit: 4000000000}, {name: rate, unit: requests, per: second, limit: 5, by: [user]}";
    let gateway = fleet(1, limits, "").remove(0);
    let text = |limit: usize, subject: &[&str], window| {
        let limit = gateway.limits.get(limit).expect("is there");
        let entries = descriptor::entries(limit, &crate::limit::subject::join(subject), window).into_iter();
        entries.map(|entry| format!("{}={}", entry.key, entry.value)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(text(0, &["a b", ""], 7200), "limit=berlin unit=usd/10000 team=a%20b model=- window=day-7200");
    assert_eq!(text(1, &[], 0), "limit=big unit=tokens*1000 window=month-0");
    assert_eq!(text(2, &["x_y"], 60), "limit=rate unit=requests user=x%5Fy window=second-60");
    let units: Vec<_> = gateway.limits.iter().map(service_unit).collect();
    assert_eq!(units, ["month", "year", "hour"]);
}

#[test]
fn what_envoys_own_filter_can_not_keep_is_said() {
    let limits = "{name: a, unit: usd, per: day, limit: 25, by: [team, 'header:x-t']}, {name: b, unit: requests, per: minute, limit: 5, models: ['n']},
        {name: c, unit: concurrent, limit: 9}, {name: d, unit: tokens, per: day, limit: 9, by: [role]}, {name: e, unit: tokens, per: month, limit: 9},
        {name: f, unit: tokens, per: day, limit: 9, timezone: Europe/Berlin}, {name: g, unit: tokens, per: day, limit: 9, action: warn},
        {name: h, unit: tokens, per: day, limit: 9, by: [provider]}, {name: i, unit: tokens, per: day, limit: 5000000000},
        {name: j, unit: tokens, per: minute, limit: 9, burst: 18}, {name: k, unit: tokens, per: lifetime, limit: 9}";
    let document = document(limits, ", check: synchronous");
    assert!(Syncer::new(&document).is_none(), "the module doesn't ask");
    let limits = Limits::of_document(&document);
    let kept: Vec<_> = limits.iter().filter(|limit| synchronous::lacks(limit).is_none()).collect();
    let kept: Vec<_> = kept.iter().map(|limit| (limit.name.as_str(), synchronous::allowed(limit))).collect();
    assert_eq!(kept, [("a", 250_000), ("b", 5)]);

    let caller = Caller::of_tests(Proof::Key, "k", None, Some("a_b".into()), vec!["dev".into()]);
    let asking = Asking::new(ClientDialect::OpenAiChat, "/", &[], |_| true, NOW);
    let call = Call { caller: Some(&caller), asking: &asking, model: "m" };
    let told = limits.told_before(call);
    let told: Vec<_> = told.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(told, ["sluice_limit_a=a", "sluice_by_team=a%5Fb", "sluice_by_header:x-t=-"]);
    let usage = crate::usage::Usage { input: 7, output: 5, ..Default::default() };
    let told = synchronous::told_after(Some(usage), Some(100_001)).map(|(_, value)| value);
    assert_eq!(told, ["12", "7", "5", "2"], "a part of a hundredth of a cent is a whole one");
}

#[test]
fn a_policy_names_counters() {
    let limits = "{name: a, unit: tokens, per: day, limit: 9}, {name: b, unit: tokens, per: day, limit: 9, by: [team, model], models: [m]},
        {name: c, unit: tokens, per: day, limit: 9, by: [team], when: {teams: [green, 'x-*']}}, {name: d, unit: concurrent, limit: 9},
        {name: e, unit: tokens, per: day, limit: 9, by: [role]}, {name: f, unit: tokens, per: day, limit: 9, by: ['header:x', user]}";
    let document = document(limits, "");
    let (found, more) = known::counters(&document, &Limits::of_document(&document));
    let found: Vec<_> = found.iter().map(|(limit, subject)| (*limit, subject.as_str())).collect();
    assert_eq!(
        found,
        [(0, ""), (1, "blue\u{1f}m"), (1, "green\u{1f}m"), (2, "blue"), (2, "green"), (4, "dev"), (4, "ops")]
    );
    assert!(!more);
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![3 => Just(Way::Good), 1 => Just(Way::Lost), 1 => Just(Way::Unanswered)]
}

proptest! {
    /// Different values are never one counter, whatever callers are named.
    #[test]
    fn values_stay_apart(one in "[-_% a-c]{0,4}", other in "[-_% a-c]{0,4}") {
        let (left, right) = (descriptor::escape(&one), descriptor::escape(&other));
        prop_assert_eq!(one == other, left == right);
        prop_assert!(!left.is_empty() && !left.contains(['_', ' ']));
    }

    /// Whatever gets lost in whatever order, and whoever starts again with nothing: what was settled is counted by everybody
    /// in the end, and exactly so where no answer was lost.
    #[test]
    fn nothing_that_was_settled_is_lost(
        limit in prop_oneof![Just(TEAM_DAY), Just("{name: day, unit: tokens, per: hour, limit: 1000000}")],
        steps in proptest::collection::vec((0_usize..3, 0_u64..50, way(), 0_u8..12), 1..60),
    ) {
        let document = document(limit, "");
        let mut fleet: Vec<_> = (0..3).map(|_| Gateway::new(&document)).collect();
        let mut service = Service::default();
        let (mut settled, mut exact) = (0, true);
        let mut now = NOW;
        for (index, tokens, way, what) in steps {
            now += SECOND;
            prop_assert!(fleet[index].call("blue", tokens, now));
            settled += tokens;
            exact &= way != Way::Unanswered;
            fleet[index].sync(&mut service, way, now);
            if what == 0 && way == Way::Good {
                fleet[index] = Gateway::new(&document);
            }
        }
        for _ in 0..2 {
            now += SECOND * 10;
            for gateway in &mut fleet {
                prop_assert_eq!(gateway.sync(&mut service, Way::Good, now).trouble, None);
            }
        }
        let used: Vec<u64> = fleet.iter().map(|gateway| gateway.used("blue", now)).collect();
        prop_assert!(service.total("day") >= settled);
        prop_assert!(used.iter().all(|used| *used == service.total("day")), "{:?}", used);
        prop_assert!(!exact || service.total("day") == settled);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// All gateways together pass no more than the limit and what each of them can pass within an interval.
    #[test]
    fn the_overshoot_is_bounded(
        size in 1_usize..6,
        interval in 1_u64..5,
        rate in 1_u64..40,
        offsets in proptest::collection::vec(0_u64..5, 6),
        busy in proptest::collection::vec(any::<bool>(), 200),
    ) {
        let limit = 1000;
        let text = format!("{{name: day, unit: tokens, per: day, limit: {limit}}}");
        let mut fleet = fleet(size, &text, &format!(", interval: {interval}s"));
        let mut service = Service::default();
        let mut passed = 0;
        for (second, busy) in (0_u64..200).zip(busy) {
            let now = NOW + SECOND * u32::try_from(second).expect("is small");
            for (index, gateway) in fleet.iter_mut().enumerate() {
                if (second + offsets[index]) % interval == 0 {
                    gateway.sync(&mut service, Way::Good, now);
                }
                for _ in 0..rate {
                    passed += u64::from((busy || index == 0) && gateway.call("blue", 1, now));
                }
            }
        }
        let bound = limit + u64::try_from(size).expect("is small") * interval * rate;
        prop_assert!(passed <= bound, "{} of {}", passed, bound);
        prop_assert!(passed >= limit.min(200 * rate), "{}", passed);
    }

    /// A rate holds in the long run, however many gateways each use all that they can: what one has passed too much is a debt.
    #[test]
    fn a_rate_is_the_fleets_in_the_long_run(size in 1_usize..6, per in prop_oneof![Just(("minute", 60_u64)), Just(("second", 1))]) {
        let (per, length) = per;
        let limit = if length == 60 { 600 } else { 10 };
        let mut fleet = fleet(size, &format!("{{name: rate, unit: tokens, per: {per}, limit: {limit}}}"), "");
        let mut service = Service::default();
        let mut passed = 0;
        let seconds = 150;
        for second in 0..seconds {
            let now = NOW + SECOND * u32::try_from(second).expect("is small");
            for gateway in &mut fleet {
                gateway.sync(&mut service, Way::Good, now);
                for _ in 0..20 {
                    passed += u64::from(gateway.call("blue", 1, now));
                }
            }
        }
        // A full bucket, what drains meanwhile, and an interval of each gateway's.
        let bound = limit + limit * seconds / length + u64::try_from(size).expect("is small") * 20;
        prop_assert!(passed <= bound, "{} of {}", passed, bound);
        prop_assert!(passed >= bound * 9 / 10 - 120, "{} of {}", passed, bound);
    }
}

#[test]
fn what_was_used_during_a_long_silence_does_not_shut_the_fleet_for_as_long() {
    let mut fleet = fleet(2, MINUTE, "");
    let mut service = Service::default();
    for second in 0..900 {
        let now = NOW + SECOND * second;
        fleet[0].sync(&mut service, if second == 0 { Way::Good } else { Way::Lost }, now);
        fleet[1].sync(&mut service, Way::Good, now);
        while fleet[0].call("", 5, now) {}
    }
    let now = NOW + SECOND * 900;
    fleet[0].sync(&mut service, Way::Good, now);
    fleet[1].sync(&mut service, Way::Good, now);
    let Meter::Rate { burst, .. } = fleet[1].limit().book.meter else { panic!("is a rate") };
    let wait = {
        let book = &fleet[1].limit().book;
        book.read(&fleet[1].memory, "", now).wait(&book.meter, burst, now).expect("ends")
    };
    assert!(wait <= SECOND * 18 * 60, "{wait:?}");
}
