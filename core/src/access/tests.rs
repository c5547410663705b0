//! What holds for all rules: the index finds what a search through all finds, and a rule that denies never widens access.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use std::time::Duration;

use super::*;
use crate::dialect::ClientDialect;
use crate::identity::Proof;
use crate::policy::{RequireEntry, WhenEntry};

const MODELS: [&str; 3] = ["gpt-4o", "gpt-4o-mini", "claude"];
const TEAMS: [&str; 3] = ["eu", "us", "platform"];
const PLACES: [Place<'static>; 3] = [
    Place { provider: "a", region: Some("eu") },
    Place { provider: "b", region: Some("us") },
    Place { provider: "c", region: None },
];

fn names(known: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    let some = subsequence(known.to_vec(), 1..=2);
    prop_oneof![
        2 => Just(None),
        2 => some.prop_map(|names| Some(names.into_iter().map(str::to_owned).collect())),
        2 => proptest::collection::vec(select(known.to_vec()).prop_flat_map(pattern), 1..=2).prop_map(Some),
        1 => Just(Some(vec!["*".to_owned()])),
    ]
}

/// A pattern that matches this name: a part of it before, between or behind a `*`, or all of these.
fn pattern(name: &'static str) -> impl Strategy<Value = String> {
    let length = name.len();
    (0..=length, 0..=length, 0..4).prop_map(move |(one, other, shape)| {
        let (from, to) = (one.min(other), one.max(other));
        match shape {
            0 => format!("{}*", &name[..to]),
            1 => format!("*{}", &name[from..]),
            2 => format!("*{}*", &name[from..to]),
            _ => format!("{}*{}", &name[..from], &name[to..]),
        }
    })
}

/// Conditions on up to two headers.
fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let one = (select(vec!["x-a", "x-b"]), select(vec!["1", "2", "*"]));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    prop_oneof![
        2 => Just(Vec::new()),
        1 => proptest::collection::vec(one, 1..=2).prop_map(move |all| all.into_iter().map(owned).collect()),
    ]
}

/// Hours that the epoch's first minute, a Thursday's, is among or not.
fn time() -> impl Strategy<Value = Option<Hours>> {
    let hours = |days| Hours { from: 0, to: 60, days, offset: 0 };
    prop_oneof![2 => Just(None), 1 => select(vec![0b000_1000, 0b000_0111, 0x7f]).prop_map(move |days| Some(hours(days)))]
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![3 => Just(Effect::Allow), 2 => Just(Effect::Deny), 1 => Just(Effect::Require)]
}

prop_compose! {
    fn rule()(
        effect in effect(),
        models in select(vec!["*", "gpt-*", "*-mini", "*la*", "gpt-4o", "claude", "other"]),
        users in names(&["u", "v"]), teams in names(&TEAMS), roles in names(&["dev", "ops"]), keys in names(&["k", "l"]),
        providers in names(&["a", "b", "c"]), regions in names(&["eu", "us"]),
        required in names(&["eu", "us"]),
        headers in headers(), endpoints in names(&["/v1/chat/completions", "/v1/responses"]),
        dialects in names(&["openai", "gemini"]),
        time in time(),
    ) -> RuleEntry {
        RuleEntry {
            name: "r".to_owned(),
            effect,
            models: vec![if effect == Effect::Require { "*" } else { models }.to_owned()],
            when: WhenEntry { users, teams, roles, keys, providers, regions, headers, endpoints, dialects, time },
            require: RequireEntry {
                regions: if effect == Effect::Deny { None } else { required },
                providers: None,
            },
        }
    }
}

prop_compose! {
    fn caller()(
        token in any::<bool>(),
        user in select(vec![None, Some("u"), Some("v")]),
        team in select(vec![None, Some("eu"), Some("us"), Some("platform")]),
        roles in subsequence(vec!["dev", "ops", "other"], 0..=3),
    ) -> Caller {
        let text = |name: Option<&str>| name.map(str::to_owned);
        let roles = roles.into_iter().map(str::to_owned).collect();
        Caller::of_tests(if token { Proof::Token } else { Proof::Key }, "k", text(user), text(team), roles)
    }
}

fn asking() -> Asking {
    let headers =
        [("x-a", "1"), ("x-b", "2"), ("x-b", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    Asking::new(ClientDialect::OpenAiChat, "/v1/chat/completions?x=1", &headers, |_| true, Duration::ZERO)
}

fn judge(entries: &[RuleEntry], caller: Option<&Caller>, model: &str) -> Vec<Result<(), Denial>> {
    let rules = Rules::new(entries);
    rules.judge(caller, &asking(), model, &PLACES)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_rule_that_denies_never_widens_access(
        rules in proptest::collection::vec(rule(), 0..6),
        mut more in rule(),
        effect in select(vec![Effect::Deny, Effect::Require]),
        at in 0_usize..6,
        caller in proptest::option::of(caller()),
        model in select(MODELS.to_vec()),
    ) {
        more.effect = effect;
        let before = judge(&rules, caller.as_ref(), model);
        let mut with = rules.clone();
        with.insert(at.min(rules.len()), more);
        let after = judge(&with, caller.as_ref(), model);
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(before.is_ok() || after.is_err());
        }
    }

    #[test]
    fn the_index_leaves_no_rule_out_that_matches(
        rules in proptest::collection::vec(rule(), 1..12),
        caller in proptest::option::of(caller()),
        model in select(vec!["gpt-4o", "gpt-4o-mini", "claude", "other", "gpt-none"]),
    ) {
        let compiled = Rules::new(&rules);
        let asking = asking();
        let expected: Vec<_> = PLACES.iter().map(|place| {
            let matching = compiled.rules.iter().filter(|rule| rule.matches(caller.as_ref(), &asking, model));
            matching.filter_map(|rule| rule.decide(*place)).next().unwrap_or(Err(Denial::NoRule))
        }).collect();
        prop_assert_eq!(compiled.judge(caller.as_ref(), &asking, model, &PLACES), expected);
    }
}

#[test]
fn rules_for_others_are_not_looked_at() {
    let entry = |team: String| RuleEntry {
        name: team.clone(),
        effect: Effect::Allow,
        models: vec!["*".to_owned()],
        when: WhenEntry { teams: Some(vec![team]), ..WhenEntry::default() },
        require: RequireEntry::default(),
    };
    let entries: Vec<_> = (0..10_000).map(|team| entry(format!("team-{team}"))).collect();
    let rules = Rules::new(&entries);
    let caller =
        Caller::of_tests(Proof::Key, "k", None, Some("team-7000".to_owned()), vec!["team-1".to_owned()]);
    let found: Vec<_> = rules
        .candidates(Some(&caller), &asking(), "gpt-4o", &PLACES)
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(found, ["team-7000"]);
}
