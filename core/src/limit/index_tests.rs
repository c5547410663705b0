//! The limits that are looked up are those that a look at each finds, and the others are not looked at.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::access::Hours;
use crate::dialect::ClientDialect;
use crate::identity::Proof;
use crate::policy::WhenEntry;
use crate::shared::LocalMemory;

/// 2027-03-31T12:00:30Z, a Wednesday.
const NOW: Duration = Duration::from_secs(1_806_494_430);
const PLACES: [Place<'static>; 3] = [
    Place { provider: "east-1", region: Some("eu") },
    Place { provider: "west-1", region: Some("us-west") },
    Place { provider: "local", region: None },
];

fn entry(name: &str) -> LimitEntry {
    LimitEntry {
        name: name.to_owned(),
        unit: Unit::Requests,
        period: Some(Period::Day),
        limit: 10,
        burst: None,
        by: Vec::new(),
        models: vec!["*".to_owned()],
        when: WhenEntry::default(),
        action: Action::Refuse,
        alert_at: Vec::new(),
        mid_stream: false,
        zone: window::Zone::utc(),
    }
}

/// Either nothing, or one or two of these.
fn some(known: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    let names = subsequence(known.to_vec(), 1..=2);
    let owned = |names: Vec<&str>| Some(names.into_iter().map(str::to_owned).collect());
    prop_oneof![2 => Just(None), 1 => names.prop_map(owned)]
}

fn hours() -> impl Strategy<Value = Option<Hours>> {
    let known = [(11, 13, 0x7f), (13, 11, 0x7f), (12, 14, 0b000_0011), (0, 24, 0b000_0100)];
    let hours = |(from, to, days): (u16, u16, u8)| Hours { from: from * 60, to: to * 60, days, offset: 0 };
    prop_oneof![2 => Just(None), 1 => select(known.to_vec()).prop_map(move |known| Some(hours(known)))]
}

prop_compose! {
    fn limit()(
        models in some(&["*", "gpt-*", "*-mini", "*t-4*", "gpt-4o", "small"]),
        teams in some(&["team-a", "team-b", "team-*", "*-a", "*m-*", "t*a", "*"]),
        roles in some(&["dev", "ops", "d*", "*s"]),
        tenant in select(vec!["", "", "one", "on*", "*e", "*", "two"]),
        endpoints in some(&["/v1/chat/completions", "/v1/*", "*/responses"]),
        providers in some(&["east-1", "west-1", "west-*", "*-1", "*oca*", "none"]),
        regions in some(&["eu", "us-*", "*"]),
        time in hours(),
        by_provider in any::<bool>(),
    ) -> LimitEntry {
        let headers = if tenant.is_empty() { Vec::new() } else { vec![("x-tenant".to_owned(), tenant.to_owned())] };
        LimitEntry {
            models: models.unwrap_or_else(|| vec!["*".to_owned()]),
            when: WhenEntry { teams, roles, headers, endpoints, providers, regions, time, ..WhenEntry::default() },
            by: if by_provider { vec![By::Provider] } else { Vec::new() },
            ..entry("limit")
        }
    }
}

fn caller(team: Option<&str>, roles: &[&str]) -> Caller {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    Caller::of_tests(Proof::Key, "k", Some("u".to_owned()), team.map(str::to_owned), roles)
}

fn asking(tenants: &[&str]) -> Asking {
    let headers: Vec<_> =
        tenants.iter().map(|tenant| ("x-tenant".to_owned(), (*tenant).to_owned())).collect();
    Asking::new(ClientDialect::OpenAiChat, "/v1/chat/completions?x=1", &headers, |_| true, NOW)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_index_finds_what_a_look_at_each_finds(
        entries in proptest::collection::vec(limit(), 1..24),
        team in select(vec![None, Some("team-a"), Some("team-b"), Some("other"), Some("")]),
        roles in subsequence(vec!["dev", "ops", "boss"], 0..=3),
        tenants in subsequence(vec!["one", "two", "", "öne"], 0..=2),
        model in select(vec!["gpt-4o", "gpt-4o-mini", "small", "none", ""]),
        anonymous in any::<bool>(),
        places in subsequence(PLACES.to_vec(), 0..=3),
    ) {
        let limits = Limits::new(&entries, None);
        let (caller, asking) = (caller(team, &roles), asking(&tenants));
        let call = Call { caller: (!anonymous).then_some(&caller), asking: &asking, model };
        let found: Vec<usize> = limits.of(call, &places).map(|(position, _)| position).collect();
        let each = limits.limits.iter().enumerate().filter(|(_, limit)| {
            limit.models.matches(model)
                && limit.when.matches(call.caller, &asking)
                && (!limit.when.asks_of_target() || places.iter().any(|place| limit.when.matches_target(*place)))
        });
        prop_assert_eq!(found, each.map(|(position, _)| position).collect::<Vec<_>>());
    }
}

/// The price of a limit that does not match is none: it is not even looked at.
#[test]
fn limits_of_others_are_not_looked_at() {
    let kinds: [fn(&mut LimitEntry, usize); 10] = [
        |entry, number| entry.when.teams = Some(vec![format!("team-{number}")]),
        |entry, number| entry.when.teams = Some(vec![format!("team-{number}-*")]),
        |entry, number| entry.when.users = Some(vec![format!("*-{number}")]),
        |entry, number| entry.when.roles = Some(vec![format!("*role-{number}*")]),
        |entry, number| entry.when.headers = vec![("x-tenant".to_owned(), format!("tenant-{number}-*"))],
        |entry, number| entry.when.endpoints = Some(vec![format!("/v1/{number}/*")]),
        |entry, number| entry.models = vec![format!("model-{number}-*")],
        |entry, number| entry.when.providers = Some(vec![format!("p{number}")]),
        |entry, number| entry.when.regions = Some(vec![format!("region-{number}-*")]),
        |entry, _| entry.when.time = Some(Hours { from: 0, to: 60, days: 0x7f, offset: 0 }),
    ];
    let entries: Vec<_> = (0..2000)
        .map(|number| {
            // What most of them ask for tells them apart least.
            let mut entry = entry(&format!("limit-{number}"));
            entry.when.dialects = Some(vec!["openai".to_owned()]);
            kinds[number % kinds.len()](&mut entry, number);
            if entry.when.teams.is_none() && entry.when.time.is_none() {
                entry.when.teams = Some(vec!["team-0".to_owned()]);
            }
            entry
        })
        .collect();
    let limits = Limits::new(&entries, None);
    let (caller, asking) = (caller(Some("team-0"), &["role"]), asking(&["tenant"]));
    let candidates = |places| limits.index.candidates(Some(&caller), &asking, "gpt-4o", places);
    assert_eq!(candidates(&[]), [0]);
    assert_eq!(candidates(&[Place { provider: "p7", region: Some("region-8-b") }]), [0, 7, 8]);
    let memory = LocalMemory::default();
    let call = Call { caller: Some(&caller), asking: &asking, model: "gpt-4o" };
    limits.take(&memory, call, None, NOW).expect("has room");
    let counters = limits.counters(&memory, NOW);
    let is_touched = |position: usize| counters.iter().any(|(of, _, _)| *of == position);
    let touched = limits.iter().enumerate().filter(|(position, _)| is_touched(*position));
    let touched = touched.map(|(_, limit)| limit);
    assert_eq!(touched.map(|limit| limit.name.as_str()).collect::<Vec<_>>(), ["limit-0"]);
}

#[test]
fn a_long_name_is_not_looked_up_part_by_part() {
    let mut entries = vec![entry("within"), entry("other")];
    entries[0].when.headers = vec![("x-tenant".to_owned(), "*needle*".to_owned())];
    entries[1].when.headers = vec![("x-tenant".to_owned(), "*thread*".to_owned())];
    let limits = Limits::new(&entries, None);
    for length in [0, 200, 60_000] {
        let name = format!("{}needle", "x".repeat(length));
        let (caller, asking) = (caller(None, &[]), asking(&[&name]));
        let call = Call { caller: Some(&caller), asking: &asking, model: "m" };
        let found: Vec<_> = limits.of(call, &[]).map(|(_, limit)| limit.name.as_str()).collect();
        assert_eq!(found, ["within"], "{length}");
    }
}
