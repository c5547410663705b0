//! Which counters there are, what the service knows them by, and which of them Envoy's own filter can keep.

use proptest::prelude::*;

use super::*;

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

proptest! {
    /// Different values are never one counter, whatever callers are named.
    #[test]
    fn values_stay_apart(one in "[-_% a-c]{0,4}", other in "[-_% a-c]{0,4}") {
        let (left, right) = (descriptor::escape(&one), descriptor::escape(&other));
        prop_assert_eq!(one == other, left == right);
        prop_assert!(!left.is_empty() && !left.contains(['_', ' ']));
    }
}
