//! Telephone numbers by the lengths that their countries have.

use super::digits::{is_day, is_uniform, number, values};

/// Country codes with the fewest and the most digits that follow them (ITU-T E.164 and the national plans).
const COUNTRIES: &[(u16, u8, u8)] = &[
    (1, 10, 10),
    (7, 10, 10),
    (20, 8, 10),
    (27, 9, 9),
    (30, 10, 10),
    (31, 9, 9),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (36, 8, 9),
    (39, 6, 11),
    (40, 9, 9),
    (41, 9, 9),
    (43, 7, 13),
    (44, 9, 10),
    (45, 8, 8),
    (46, 7, 10),
    (47, 8, 8),
    (48, 9, 9),
    (49, 7, 13),
    (51, 8, 9),
    (52, 10, 11),
    (53, 8, 8),
    (54, 10, 11),
    (55, 10, 11),
    (56, 9, 9),
    (57, 10, 10),
    (58, 10, 10),
    (60, 8, 10),
    (61, 9, 9),
    (62, 8, 12),
    (63, 8, 10),
    (64, 8, 10),
    (65, 8, 8),
    (66, 8, 9),
    (81, 9, 10),
    (82, 8, 10),
    (84, 8, 10),
    (86, 9, 11),
    (90, 10, 10),
    (91, 10, 10),
    (92, 9, 10),
    (93, 9, 9),
    (94, 9, 9),
    (95, 7, 10),
    (98, 10, 10),
    (211, 9, 9),
    (212, 9, 9),
    (213, 8, 9),
    (216, 8, 8),
    (218, 8, 9),
    (220, 7, 7),
    (221, 9, 9),
    (222, 8, 8),
    (223, 8, 8),
    (224, 8, 9),
    (225, 10, 10),
    (226, 8, 8),
    (227, 8, 8),
    (228, 8, 8),
    (229, 8, 10),
    (230, 7, 8),
    (231, 7, 9),
    (232, 8, 8),
    (233, 9, 9),
    (234, 8, 10),
    (235, 8, 8),
    (236, 8, 8),
    (237, 8, 9),
    (238, 7, 7),
    (239, 7, 7),
    (240, 9, 9),
    (241, 7, 8),
    (242, 9, 9),
    (243, 9, 9),
    (244, 9, 9),
    (245, 7, 9),
    (248, 7, 7),
    (249, 9, 9),
    (250, 9, 9),
    (251, 9, 9),
    (252, 7, 9),
    (253, 8, 8),
    (254, 9, 9),
    (255, 9, 9),
    (256, 9, 9),
    (257, 8, 8),
    (258, 8, 9),
    (260, 9, 9),
    (261, 9, 9),
    (262, 9, 9),
    (263, 9, 9),
    (264, 8, 9),
    (265, 7, 9),
    (266, 8, 8),
    (267, 7, 8),
    (268, 8, 8),
    (269, 7, 7),
    (290, 4, 5),
    (297, 7, 7),
    (298, 6, 6),
    (299, 6, 6),
    (350, 8, 8),
    (351, 9, 9),
    (352, 5, 11),
    (353, 7, 10),
    (354, 7, 9),
    (355, 8, 9),
    (356, 8, 8),
    (357, 8, 8),
    (358, 6, 11),
    (359, 7, 9),
    (370, 8, 8),
    (371, 8, 8),
    (372, 7, 8),
    (373, 8, 8),
    (374, 8, 8),
    (375, 9, 9),
    (376, 6, 9),
    (377, 8, 9),
    (378, 6, 10),
    (380, 9, 9),
    (381, 8, 10),
    (382, 8, 9),
    (383, 8, 9),
    (385, 8, 9),
    (386, 8, 8),
    (387, 8, 9),
    (389, 8, 8),
    (420, 9, 9),
    (421, 9, 9),
    (423, 7, 9),
    (500, 5, 5),
    (501, 7, 7),
    (502, 8, 8),
    (503, 8, 8),
    (504, 8, 8),
    (505, 8, 8),
    (506, 8, 8),
    (507, 7, 8),
    (509, 8, 8),
    (590, 9, 9),
    (591, 8, 8),
    (592, 7, 7),
    (593, 8, 9),
    (594, 9, 9),
    (595, 8, 9),
    (596, 9, 9),
    (597, 6, 7),
    (598, 7, 8),
    (599, 7, 8),
    (670, 7, 8),
    (673, 7, 7),
    (674, 7, 7),
    (675, 7, 8),
    (676, 5, 7),
    (677, 5, 7),
    (678, 5, 7),
    (679, 7, 7),
    (680, 7, 7),
    (682, 5, 5),
    (685, 5, 10),
    (687, 6, 6),
    (689, 6, 8),
    (691, 7, 7),
    (692, 7, 7),
    (850, 8, 13),
    (852, 8, 8),
    (853, 8, 8),
    (855, 8, 9),
    (856, 8, 10),
    (880, 8, 10),
    (886, 8, 9),
    (960, 7, 7),
    (961, 7, 8),
    (962, 8, 9),
    (963, 8, 9),
    (964, 8, 10),
    (965, 8, 8),
    (966, 8, 9),
    (967, 7, 9),
    (968, 8, 8),
    (970, 8, 9),
    (971, 8, 9),
    (972, 8, 9),
    (973, 8, 8),
    (974, 8, 8),
    (975, 7, 8),
    (976, 8, 8),
    (977, 8, 10),
    (992, 9, 9),
    (993, 8, 8),
    (994, 9, 9),
    (995, 9, 9),
    (996, 9, 9),
    (998, 9, 9),
];

/// A number with its country's code, behind `+` or `00`.
pub fn international(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| byte.is_ascii_alphabetic() || *byte == b'#').unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
    // The trunk's zero, as in +44 (0)20.
    let trunk = text.windows(3).position(|window| window == b"(0)");
    let joined: Vec<u8> = match trunk {
        Some(at) => text.iter().take(at).chain(text.iter().skip(at + 3)).copied().collect(),
        None => text.to_vec(),
    };
    let Some(digits) = values(&joined) else { return false };
    let digits = match text.first() {
        Some(b'+') => digits.as_slice(),
        _ => match digits.as_slice() {
            [0, 0, rest @ ..] | [0, 1, 1, rest @ ..] => rest,
            _ => return false,
        },
    };
    COUNTRIES.iter().any(|(code, fewest, most)| {
        let length = code.to_string().len();
        let Some((country, rest)) = digits.split_at_checked(length) else { return false };
        number(country) == u64::from(*code)
            && (usize::from(*fewest)..=usize::from(*most)).contains(&rest.len())
            && !is_uniform(rest)
    })
}

/// A number of North America's plan: neither area nor exchange begins with 0 or 1.
pub fn north_american(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| byte.is_ascii_alphabetic() || *byte == b'#').unwrap_or(text.len());
    let Some(digits) = values(text.get(..end).unwrap_or_default()) else { return false };
    let digits = match digits.as_slice() {
        [1, rest @ ..] if rest.len() == 10 => rest,
        digits => digits,
    };
    matches!(digits, [2..=9, _, _, 2..=9, rest @ ..] if rest.len() == 6) && !is_uniform(digits)
}

/// A number that begins with the trunk's zero, in groups, and isn't a date or a time.
pub fn with_trunk(text: &[u8]) -> bool {
    values(text).is_some_and(|digits| (9..=11).contains(&digits.len()))
        && !begins_with_date(text)
        && grouped_evenly(text)
}

/// A number where the words around it say so.
pub fn by_context(text: &[u8]) -> bool {
    // Without groups, seven digits are too often an amount.
    let grouped = text.iter().any(|byte| !byte.is_ascii_digit());
    let fewest = if grouped { 7 } else { 8 };
    let round = text.ends_with(b"0000");
    values(text).is_some_and(|digits| (fewest..=12).contains(&digits.len()) && !is_uniform(&digits))
        && !round
        && !begins_with_date(text)
        && text.iter().filter(|byte| **byte == b'(').count()
            == text.iter().filter(|byte| **byte == b')').count()
}

/// Whether groups are joined in one way, or in two where the first group is the area's.
fn grouped_evenly(text: &[u8]) -> bool {
    let mut joints = text.iter().filter(|byte| !byte.is_ascii_digit() && !matches!(byte, b'(' | b')'));
    let first = joints.next();
    let second = joints.next().or(first);
    joints.all(|joint| Some(joint) == second)
}

/// Whether a text begins with a date: year first or last, with two equal joints.
pub fn begins_with_date(text: &[u8]) -> bool {
    let mut groups = text.split(|byte| !byte.is_ascii_digit());
    let mut next = || groups.next().and_then(|group| std::str::from_utf8(group).ok()?.parse::<u32>().ok());
    let lengths: Vec<usize> = text.split(|byte| !byte.is_ascii_digit()).map(<[u8]>::len).take(3).collect();
    let (Some(first), Some(second), Some(third)) = (next(), next(), next()) else { return false };
    let joints: Vec<&u8> = text.iter().filter(|byte| !byte.is_ascii_digit()).take(2).collect();
    let same = matches!(joints.as_slice(), [one, other] if one == other && **one != b' ');
    match lengths.as_slice() {
        [4, 1 | 2, 1 | 2] => is_day(second, third) && (1900..2100).contains(&first),
        [1 | 2, 1 | 2, 4] => {
            (is_day(second, first) || is_day(first, second)) && (1900..2100).contains(&third)
        }
        [2, 2, 2] => same && joints.first() != Some(&&b'-') && is_day(second, first) && text.len() <= 8,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_their_lengths() {
        for text in [
            "+14155552671",
            "+44 (0)20 7946 0958",
            "+49 30 901820",
            "0033 1 42 68 53 00",
            "011 44 20 7946 0958",
            "+1-903-140-4508x769",
        ] {
            assert!(international(text.as_bytes()), "{text}");
        }
        for text in ["+1415555267", "+999123456789", "+33 1 42 68 53", "+1 111 111 1111", "0142685300"] {
            assert!(!international(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn dates_are_no_numbers() {
        for text in ["2024-01-15 10", "15.01.2024", "1/15/2024 1234"] {
            assert!(begins_with_date(text.as_bytes()), "{text}");
        }
        for text in ["01 42 68 53 00", "2024-99-15", "555-123-4567"] {
            assert!(!begins_with_date(text.as_bytes()), "{text}");
        }
    }
}
