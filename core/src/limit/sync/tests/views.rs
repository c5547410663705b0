//! What one gateway has used, the others know soon: once, in whatever unit, around the ends of windows too.

use super::*;

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
