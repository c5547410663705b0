use std::collections::HashSet;

use jiff::civil;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap_or_else(|error| panic!("{name} {error}"))
}

/// The seconds since the Unix epoch at a date and time of UTC, written as in RFC 3339 without its end.
fn at(text: &str) -> u64 {
    let civil: civil::DateTime = text.parse().unwrap();
    u64::try_from(civil.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second()).unwrap()
}

fn window(period: Period, zone: &Zone, now: u64) -> (u64, u64) {
    let window = period.window(zone, Duration::from_secs(now));
    (window.start, window.end.expect("only a lifetime has no end"))
}

/// Where a period begins that lasts from one of these instants of UTC to the next, in each of which its window has to be
/// the same from the first second to the last.
fn tiles(period: Period, name: &str, instants: &[&str]) {
    let zone = zone(name);
    for pair in instants.windows(2) {
        let expected = (at(pair[0]), at(pair[1]));
        for now in [expected.0, expected.0 + (expected.1 - expected.0) / 2, expected.1 - 1] {
            assert_eq!(window(period, &zone, now), expected, "{period:?} in {name} at {now}: {pair:?}");
        }
    }
}

#[test]
fn seconds_and_minutes_are_those_of_every_clock() {
    let now = at("2026-11-21T10:11:12");
    for name in ["UTC", "Asia/Kolkata", "Australia/Lord_Howe", "-03:30"] {
        assert_eq!(window(Period::Second, &zone(name), now), (now, now + 1));
        assert_eq!(
            window(Period::Minute, &zone(name), now),
            (at("2026-11-21T10:11:00"), at("2026-11-21T10:12:00"))
        );
    }
}

#[test]
fn a_lifetime_has_no_end() {
    assert_eq!(
        Period::Lifetime.window(&Zone::utc(), Duration::from_secs(u64::MAX)),
        Window { start: 0, end: None }
    );
}

#[test]
fn days_begin_at_the_zones_midnight() {
    tiles(Period::Day, "UTC", &["1970-01-01T00:00", "1970-01-02T00:00", "1970-01-03T00:00"]);
    tiles(Period::Day, "Asia/Kolkata", &["2026-11-20T18:30", "2026-11-21T18:30", "2026-11-22T18:30"]);
    tiles(Period::Day, "+05:30", &["2026-11-20T18:30", "2026-11-21T18:30"]);
    tiles(Period::Day, "America/Sao_Paulo", &["2026-11-20T03:00", "2026-11-21T03:00"]);
    tiles(Period::Day, "-03:00", &["2026-11-20T03:00", "2026-11-21T03:00"]);
}

#[test]
fn hours_begin_where_the_zones_clock_shows_a_full_one() {
    tiles(Period::Hour, "UTC", &["2026-11-20T03:00", "2026-11-20T04:00"]);
    tiles(Period::Hour, "Asia/Kolkata", &["2026-11-20T03:30", "2026-11-20T04:30"]);
    tiles(Period::Hour, "Asia/Kathmandu", &["2026-11-20T03:15", "2026-11-20T04:15"]);
    tiles(Period::Hour, "America/St_Johns", &["2026-11-20T03:30", "2026-11-20T04:30"]);
}

#[test]
fn a_day_has_23_or_25_hours_when_clocks_change() {
    tiles(
        Period::Day,
        "Europe/Berlin",
        &["2027-03-26T23:00", "2027-03-27T23:00", "2027-03-28T22:00", "2027-03-29T22:00"],
    );
    tiles(
        Period::Day,
        "Europe/Berlin",
        &["2027-10-29T22:00", "2027-10-30T22:00", "2027-10-31T23:00", "2027-11-01T23:00"],
    );
    tiles(Period::Day, "America/New_York", &["2027-03-13T05:00", "2027-03-14T05:00", "2027-03-15T04:00"]);
    tiles(Period::Day, "America/New_York", &["2027-11-06T04:00", "2027-11-07T04:00", "2027-11-08T05:00"]);
    // By half an hour, forward on the first Sunday of October and back on that of April.
    tiles(Period::Day, "Australia/Lord_Howe", &["2027-10-01T13:30", "2027-10-02T13:30", "2027-10-03T13:00"]);
    tiles(Period::Day, "Australia/Lord_Howe", &["2027-04-02T13:00", "2027-04-03T13:00", "2027-04-04T13:30"]);
}

#[test]
fn an_hour_that_clocks_repeat_is_counted_twice_and_a_skipped_one_not_at_all() {
    tiles(
        Period::Hour,
        "Europe/Berlin",
        &["2027-10-31T00:00", "2027-10-31T01:00", "2027-10-31T02:00", "2027-10-31T03:00"],
    );
    tiles(Period::Hour, "Europe/Berlin", &["2027-03-28T00:00", "2027-03-28T01:00", "2027-03-28T02:00"]);
    // On Lord Howe Island 02:00 becomes 01:30, and 02:00 becomes 02:30.
    tiles(
        Period::Hour,
        "Australia/Lord_Howe",
        &["2027-04-03T13:00", "2027-04-03T14:00", "2027-04-03T15:30", "2027-04-03T16:30"],
    );
    tiles(
        Period::Hour,
        "Australia/Lord_Howe",
        &["2027-10-02T13:30", "2027-10-02T14:30", "2027-10-02T16:00", "2027-10-02T17:00"],
    );
}

#[test]
fn a_day_without_a_midnight_begins_where_the_clock_lands_and_one_with_two_at_the_first() {
    // Chile's clocks go from midnight to 01:00 in September, Cuba's from 01:00 back to midnight in November.
    tiles(Period::Day, "America/Santiago", &["2027-09-04T04:00", "2027-09-05T04:00", "2027-09-06T03:00"]);
    tiles(Period::Day, "America/Santiago", &["2027-04-03T03:00", "2027-04-04T04:00", "2027-04-05T04:00"]);
    tiles(Period::Day, "America/Havana", &["2028-11-05T04:00", "2028-11-06T05:00"]);
    tiles(Period::Day, "America/Havana", &["2028-03-12T05:00", "2028-03-13T04:00"]);
    // Greenland's go from 23:00 to midnight, and back from midnight to 23:00.
    tiles(Period::Day, "America/Nuuk", &["2027-03-27T02:00", "2027-03-28T01:00", "2027-03-29T01:00"]);
    tiles(Period::Day, "America/Nuuk", &["2027-10-30T01:00", "2027-10-31T02:00", "2027-11-01T02:00"]);
}

#[test]
fn clocks_that_go_back_over_midnight_give_no_second_day() {
    // No zone does so today: at half past midnight the clock goes back to half past eleven.
    let zone = Zone(TimeZone::posix("AAA0BBB,M3.2.0/0:30,M11.1.0/0:30").unwrap());
    let (start, end) = window(Period::Day, &zone, at("2027-11-06T23:15"));
    assert_eq!((start, end), (at("2027-11-06T23:00"), at("2027-11-08T00:00")));
    for minutes in (0..25 * 60).step_by(10) {
        assert_eq!(window(Period::Day, &zone, start + minutes * 60), (start, end), "after {minutes} minutes");
    }
    assert_eq!(window(Period::Day, &zone, start - 1).1, start);
    // And forward from half past eleven to half past midnight.
    let zone = Zone(TimeZone::posix("AAA0BBB,M3.2.0/-0:30,M11.1.0/2").unwrap());
    assert_eq!(
        window(Period::Day, &zone, at("2027-03-14T12:00")),
        (at("2027-03-13T23:30"), at("2027-03-14T23:00"))
    );
}

#[test]
fn months_end_where_the_calendar_says() {
    let firsts =
        ["2028-01-01T00:00", "2028-02-01T00:00", "2028-03-01T00:00", "2028-04-01T00:00", "2028-05-01T00:00"];
    tiles(Period::Month, "UTC", &firsts);
    assert_eq!(window(Period::Month, &Zone::utc(), at("2028-02-29T12:00")).1, at("2028-03-01T00:00"));
    // 2100 has no 29 February.
    tiles(Period::Month, "UTC", &["2100-02-01T00:00", "2100-03-01T00:00"]);
    tiles(Period::Day, "UTC", &["2100-02-28T00:00", "2100-03-01T00:00", "2100-03-02T00:00"]);
    tiles(Period::Day, "UTC", &["2028-02-28T00:00", "2028-02-29T00:00", "2028-03-01T00:00"]);
    tiles(Period::Month, "UTC", &["2026-12-01T00:00", "2027-01-01T00:00"]);
    // Summer time begins and ends within the month.
    tiles(Period::Month, "Europe/Berlin", &["2027-02-28T23:00", "2027-03-31T22:00"]);
    tiles(Period::Month, "Europe/Berlin", &["2027-09-30T22:00", "2027-10-31T23:00"]);
    tiles(Period::Month, "Asia/Kolkata", &["2028-01-31T18:30", "2028-02-29T18:30"]);
}

#[test]
fn the_first_window_begins_with_the_epoch() {
    for period in [Period::Hour, Period::Day, Period::Month] {
        let window = period.window(&zone("America/Sao_Paulo"), Duration::ZERO);
        assert!(window.start == 0 && window.end.is_some_and(|end| end > 0), "{window:?}");
    }
}

#[test]
fn beyond_the_calendar_windows_go_on() {
    let berlin = zone("Europe/Berlin");
    for now in [253_402_300_799, 1 << 40, i64::MAX as u64, u64::MAX] {
        for (_, period) in Period::WORDS {
            let window = period.window(&berlin, Duration::from_secs(now));
            assert!(window.contains(Duration::from_secs(now)), "{period:?} {now}: {window:?}");
        }
    }
}

#[test]
fn offsets_and_names_are_read_or_refused() {
    for name in
        ["+00:00", "-00:30", "+14:00", "-12:00", "UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "GMT"]
    {
        assert!(Zone::parse(name).is_ok(), "{name}");
    }
    for name in [
        "",
        " ",
        "#",
        "+",
        "+5:30",
        "+05:3",
        "+05:60",
        "+15:00",
        "+14:01",
        "+05",
        "+0530",
        "+-5:30",
        "+05:30 ",
        "05:30",
        "+é5:30",
        "+0५:30",
        "Europe",
        "europe/berlin",
        "Europe/Berlin CET",
        "Berlin",
        "EST5EDT,M3.2.0,M11.1.0",
        "# Time zones by name,",
    ] {
        let error = Zone::parse(name).expect_err(name);
        assert!(error.contains("`Europe/Berlin`") && error.contains("`+05:30`"), "{error}");
    }
    assert_eq!(window(Period::Day, &zone("-00:30"), at("2027-01-01T00:00")).0, at("2026-12-31T00:30"));
}

#[test]
fn every_word_is_a_period() {
    let words: HashSet<_> =
        Period::WORDS.iter().map(|(word, period)| (period.word() == *word, *period)).collect();
    assert_eq!(words.len(), 6);
    assert!(words.iter().all(|(own, _)| *own));
}

fn names() -> Vec<&'static str> {
    TIME_ZONES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap().0)
        .collect()
}

/// Every rule there is, with one of the zones that follow it.
fn rules() -> Vec<&'static str> {
    let mut seen = HashSet::new();
    let lines = TIME_ZONES.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' ').filter(|(_, rule)| seen.insert(*rule)))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn every_zone_of_the_data_can_be_read_and_they_are_sorted() {
    let names = names();
    assert!(names.len() > 590 && names.is_sorted());
    for name in names {
        zone(name);
    }
}

/// Through all the years that weekdays take to come round, in every zone that there is: windows follow each other, none is
/// longer than said, and the longest there are is what is said.
#[test]
fn windows_follow_each_other_and_are_as_long_as_said() {
    let (first, last) = (at("2026-12-31T12:00"), at("2054-12-31T12:00"));
    let mut longest = [0, 0];
    for name in rules() {
        let zone = zone(name);
        let kinds = [(Period::Day, 22 * 3600), (Period::Month, (28 * 24 - 2) * 3600)];
        for ((period, shortest), longest) in kinds.into_iter().zip(&mut longest) {
            let mut now = window(period, &zone, first).1;
            while now < last {
                let (start, end) = window(period, &zone, now);
                assert!(start == now && end - start >= shortest, "{name}: {start} to {end} at {now}");
                *longest = (end - start).max(*longest);
                now = end;
            }
        }
    }
    let said = [Period::Day, Period::Month].map(|period| period.length().unwrap().as_secs());
    assert_eq!(longest, said);
}

#[test]
fn hours_follow_each_other_and_are_as_long_as_said() {
    let (first, last) = (at("2026-12-31T12:00"), at("2028-12-31T12:00"));
    let mut longest = 0;
    for name in rules() {
        let zone = zone(name);
        let mut now = window(Period::Hour, &zone, first).1;
        while now < last {
            let (start, end) = window(Period::Hour, &zone, now);
            assert!(start == now && end - start >= 3600, "{name}: {start} to {end} at {now}");
            longest = (end - start).max(longest);
            now = end;
        }
    }
    assert_eq!(longest, Period::Hour.length().unwrap().as_secs());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn now_lies_in_its_window_and_the_next_begins_where_it_ends(
        zone_index in any::<prop::sample::Index>(),
        period_index in any::<prop::sample::Index>(),
        now in 0_u64..8_000_000_000,
    ) {
        let names = names();
        let zone = zone(names[zone_index.index(names.len())]);
        let (_, period) = Period::WORDS[period_index.index(5)];
        let own = period.window(&zone, Duration::from_secs(now));
        prop_assert!(own.contains(Duration::from_secs(now)), "{own:?}");
        let (start, end) = (own.start, own.end.unwrap());
        for instant in [start, end - 1] {
            prop_assert_eq!(period.window(&zone, Duration::from_secs(instant)), own);
        }
        prop_assert_eq!(window(period, &zone, end).0, end);
        if start > 0 {
            prop_assert_eq!(window(period, &zone, start - 1).1, start);
        }
    }

    #[test]
    fn any_name_is_read_or_refused(name in "[-+A-Za-z0-9:/ é]{0,12}") {
        let _ = Zone::parse(&name);
    }
}
