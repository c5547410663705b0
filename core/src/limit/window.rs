//! Windows of time: which second, minute, hour, day or month an instant lies in, by the calendar of a time zone.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::packed::TIME_ZONES;

/// How long a limit counts before it begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    /// It never begins anew.
    Lifetime,
}

/// One turn of a period, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first second.
    pub start: u64,
    /// The first second behind it; `None` where it has no end.
    pub end: Option<u64>,
}

/// Where the calendar is kept: a zone of the IANA database, or a fixed distance from UTC.
#[derive(Clone)]
pub struct Zone(TimeZone);

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Period {
    /// Every period by the word that the policy has for it.
    pub const WORDS: [(&str, Self); 6] = [
        ("second", Self::Second),
        ("minute", Self::Minute),
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("month", Self::Month),
        ("lifetime", Self::Lifetime),
    ];

    /// The policy's word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, period)| *period == self).map_or("", |(word, _)| word)
    }

    /// The longest that a window can be; `None` for a lifetime.
    ///
    /// An hour has up to 90 minutes where clocks are set back by thirty (Lord Howe Island); a day has up to 26 hours where
    /// they are by two (Antarctica/Troll).
    pub fn length(self) -> Option<Duration> {
        let seconds = match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 90 * 60,
            Self::Day => 26 * 60 * 60,
            Self::Month => (31 * 24 + 2) * 60 * 60,
            Self::Lifetime => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// The window that `now` (since the Unix epoch) lies in.
    ///
    /// Windows follow each other without a gap, whatever clocks do: an hour begins when the clock shows a full hour, a day
    /// when its date is first seen, a month with its first day. A day on which clocks are set has 23 or 25 hours. The half hour
    /// that Lord Howe Island repeats belongs to the hour before it: as a window of its own it would be a free one.
    ///
    /// It takes a fraction of a microsecond, so there is no need to keep it.
    pub fn window(self, zone: &Zone, now: Duration) -> Window {
        let seconds = now.as_secs();
        let instant = i64::try_from(seconds).unwrap_or(i64::MAX);
        let (start, end) = match self {
            Self::Lifetime => return Window { start: 0, end: None },
            Self::Second => (instant, instant.saturating_add(1)),
            // No zone of today is off by a part of a minute.
            Self::Minute => aligned(instant, MINUTE),
            Self::Hour => zone.hour(instant).unwrap_or_else(|| aligned(instant, HOUR)),
            Self::Day => zone.days(instant, first_of_day).unwrap_or_else(|| aligned(instant, DAY)),
            Self::Month => zone.days(instant, first_of_month).unwrap_or_else(|| aligned(instant, 31 * DAY)),
        };
        // West of Greenwich the epoch's window has begun before it; the last one that can be counted has no end.
        let end = u64::try_from(end).ok().filter(|end| *end > seconds);
        Window { start: u64::try_from(start).unwrap_or(0), end }
    }
}

impl Window {
    /// Whether an instant (since the Unix epoch) lies in it.
    pub fn contains(self, instant: Duration) -> bool {
        self.start <= instant.as_secs() && self.end.is_none_or(|end| instant.as_secs() < end)
    }
}

impl Zone {
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// A zone by its name in the IANA database (`Europe/Berlin`), or by its fixed distance from UTC (`+05:30`).
    ///
    /// # Errors
    /// What is wrong with the name, to be read behind it.
    pub fn parse(name: &str) -> Result<Self, &'static str> {
        if let Some(offset) = fixed(name) {
            return Ok(Self(offset.to_time_zone()));
        }
        let rule = TIME_ZONES
            .lines()
            .filter(|line| !line.starts_with('#'))
            .find_map(|line| line.split_once(' ').filter(|(zone, _)| *zone == name))
            .map(|(_, rule)| rule)
            .ok_or(
                "is no zone of the IANA database such as `Europe/Berlin`, nor an offset such as `+05:30`",
            )?;
        // What is wrong with a rule of our own data is for our tests: the library's words for it take 30 kB of the module.
        TimeZone::posix(rule).map(Self).map_err(|_| "follows a rule that can't be read")
    }

    /// Seconds east of UTC; `None` behind the end of the calendar.
    fn offset(&self, instant: i64) -> Option<i64> {
        let instant = Timestamp::from_second(instant).ok()?;
        Some(i64::from(self.0.to_offset(instant).seconds()))
    }

    /// From the last instant at which the clock showed a full hour to the next.
    fn hour(&self, now: i64) -> Option<(i64, i64)> {
        let same = |one: i64, other: i64| (one - other) % HOUR == 0;
        let offset = self.offset(now)?;
        let mut start = full_hour(now, offset);
        let before = self.offset(start)?;
        if !same(before, offset) {
            // The clock was set on the way here, so the last full hour is one of the old time.
            start = full_hour(start, before);
            let next = start + HOUR;
            if next <= now && same(self.offset(next)?, before) {
                start = next;
            }
        }
        let offset = self.offset(start)?;
        let mut end = start + HOUR;
        let after = self.offset(end)?;
        if !same(after, offset) {
            let early = full_hour(end, after);
            end = match early > start && same(self.offset(early)?, after) {
                true => early,
                false => early + HOUR,
            };
        }
        Some((start, end))
    }

    /// From one of the dates that `first` leads to, to the next: `first` has the first day of the window that a date lies in,
    /// and of the window after it.
    fn days(&self, now: i64, first: fn(Date) -> Option<(Date, Date)>) -> Option<(i64, i64)> {
        let instant = Timestamp::from_second(now).ok()?;
        let (this, next) = first(self.0.to_datetime(instant).date())?;
        let end = self.begins(next)?;
        match now < end {
            true => Some((self.begins(this)?, end)),
            // The date has been seen before: clocks were set back from it over midnight.
            false => Some((end, self.begins(first(next)?.1)?)),
        }
    }

    /// When a date is first seen.
    fn begins(&self, date: Date) -> Option<i64> {
        let midnight = self.0.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        if let AmbiguousOffset::Gap { .. } = midnight.offset() {
            // Clocks jump over midnight, and the day begins where they land.
            let behind = midnight.later().ok()?.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
            return Some(self.0.preceding(behind).next()?.timestamp().as_second());
        }
        Some(midnight.earlier().ok()?.as_second())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({:?})", self.0)
    }
}

/// The last instant up to this one at which a clock at this distance from UTC shows a full hour.
fn full_hour(instant: i64, offset: i64) -> i64 {
    instant - (instant + offset).rem_euclid(HOUR)
}

/// The window among those of one length that follow each other from the epoch.
fn aligned(instant: i64, length: i64) -> (i64, i64) {
    let start = instant - instant % length;
    (start, start.saturating_add(length))
}

fn first_of_day(date: Date) -> Option<(Date, Date)> {
    Some((date, date.tomorrow().ok()?))
}

fn first_of_month(date: Date) -> Option<(Date, Date)> {
    Some((date.first_of_month(), date.last_of_month().tomorrow().ok()?))
}

/// An offset such as `+05:30`, `-03:00` or `+14:00`.
fn fixed(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (number(hours)?, number(minutes)?);
    let in_use = hours < 14 || (hours == 14 && minutes == 0);
    (in_use && minutes < 60).then(|| Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()).flatten()
}
