//! Dates, names and places.

use super::digits::is_day;

/// A numeric date in one of the usual orders.
pub fn date(text: &[u8]) -> bool {
    let mut numbers = text.split(|byte| !byte.is_ascii_digit()).map(|group| {
        let value = std::str::from_utf8(group).ok().and_then(|group| group.parse::<u32>().ok());
        (group.len(), value.unwrap_or(0))
    });
    let (Some((length, first)), Some((_, second)), Some((last, third))) =
        (numbers.next(), numbers.next(), numbers.next())
    else {
        return false;
    };
    match length {
        4 => (1850..=2100).contains(&first) && is_day(second, third),
        _ => {
            let year = if last == 4 { (1850..=2100).contains(&third) } else { last == 2 };
            year && (is_day(first, second) || is_day(second, first))
        }
    }
}
