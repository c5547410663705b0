//! A window of the week, at a fixed distance from UTC.

use std::time::Duration;

/// From one time of the day to another, on some days of the week.
///
/// A window that ends before it begins goes on past midnight, and belongs to the day on which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hours {
    /// Minutes since midnight.
    pub from: u16,
    /// Minutes since midnight, 1440 for its end; the window ends before it.
    pub to: u16,
    /// One bit for each day, Monday's the lowest.
    pub days: u8,
    /// Minutes east of UTC. It is fixed: daylight saving time is not followed.
    pub offset: i16,
}

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;
/// The days of the week in the order of their bits.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
pub const EVERY_DAY: u8 = 0x7f;

impl Hours {
    /// Whether an instant (since the Unix epoch) lies in the window.
    pub fn contains(self, instant: Duration) -> bool {
        let minutes = i64::try_from(instant.as_secs() / 60).unwrap_or(i64::MAX / 2) + i64::from(self.offset);
        let day = i64::from(DAY);
        let minute = u16::try_from(minutes.rem_euclid(day)).unwrap_or(0);
        // The Unix epoch began on a Thursday.
        let weekday = u8::try_from((minutes.div_euclid(day) + 3).rem_euclid(7)).unwrap_or(0);
        let on = |weekday: u8| self.days & (1 << weekday) != 0;
        match self.from <= self.to {
            true => on(weekday) && (self.from..self.to).contains(&minute),
            false => (on(weekday) && minute >= self.from) || (on((weekday + 6) % 7) && minute < self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instant of January 2024, whose first day was a Monday.
    fn january(day: u64, hour: u64, minute: u64) -> Duration {
        Duration::from_secs(1_704_067_200 + ((day - 1) * 24 * 60 + hour * 60 + minute) * 60)
    }

    const WORK: Hours = Hours { from: 8 * 60, to: 18 * 60, days: 0b001_1111, offset: 0 };

    #[test]
    fn a_window_begins_at_its_first_minute_and_ends_before_its_last() {
        assert!(!WORK.contains(january(1, 7, 59)) && WORK.contains(january(1, 8, 0)));
        assert!(WORK.contains(january(5, 17, 59)) && !WORK.contains(january(5, 18, 0)));
        assert!(!WORK.contains(january(6, 12, 0)), "a Saturday");
        let all = Hours { from: 0, to: DAY, days: EVERY_DAY, offset: 0 };
        assert!((1..=7).all(|day| all.contains(january(day, 0, 0)) && all.contains(january(day, 23, 59))));
    }

    #[test]
    fn an_offset_moves_the_day_too() {
        let tokyo = Hours { offset: 9 * 60, ..WORK };
        assert!(tokyo.contains(january(7, 23, 30)), "Monday morning there");
        assert!(!tokyo.contains(january(5, 9, 30)), "Friday evening there");
        let new_york = Hours { offset: -5 * 60, ..WORK };
        assert!(new_york.contains(january(5, 22, 0)) && !new_york.contains(january(1, 12, 0)));
    }

    #[test]
    fn a_window_past_midnight_belongs_to_the_day_of_its_beginning() {
        let night = Hours { from: 22 * 60, to: 6 * 60, days: 0b001_0000, offset: 0 };
        assert!(night.contains(january(5, 22, 0)) && night.contains(january(6, 5, 59)));
        assert!(
            !night.contains(january(5, 5, 0))
                && !night.contains(january(6, 6, 0))
                && !night.contains(january(6, 23, 0))
        );
    }
}
