//! Rounds of asking, and a service that has forgotten, knows too little, says nothing or is lost.

use super::*;

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
    let failure =
        gateway.limits.in_step(&gateway.memory, call, &[], NOW + SECOND * 6).expect_err("is refused");
    assert_eq!((failure.status, failure.retry_after), (503, Some(1)));
    assert_eq!(failure.code.as_deref(), Some("limits_unavailable"));
    let alone =
        Limits::of_document(&self::document("{name: once, unit: concurrent, limit: 1}", ", on_lost: refuse"));
    assert_eq!(
        alone.in_step(&gateway.memory, call, &[], NOW + SECOND * 6),
        Ok(()),
        "calls at a time are told to nobody"
    );
}
