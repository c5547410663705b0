//! The built-in rate card: the vendors' prices as data, searched when a policy is compiled. Its own first lines say how it is
//! written.

use super::rates::{COMPONENTS, Component, Rates, Sheet};
use super::{Bands, Origin, Price, parse_decimal};
use crate::packed::RATE_CARD;
use crate::usage::ServiceTier;

const TIERS: [(&str, ServiceTier); 4] = [
    ("batch", ServiceTier::Batch),
    ("flex", ServiceTier::Flex),
    ("priority", ServiceTier::Priority),
    ("fast", ServiceTier::Fast),
];

/// What a vendor charges for a model, by the vendor's own name of it.
///
/// What the vendor sells but doesn't price itself has the price of its maker, without the maker's service tiers.
pub(super) fn find(vendor: &str, model: &str) -> Option<Price> {
    let model = model.to_ascii_lowercase();
    let (mut others, section) = section(vendor)?;
    if let Some(price) = find_in(section, &model) {
        return Some(price);
    }
    others.find_map(|other| {
        let price = find_in(self::section(other)?.1, &model)?;
        Some(Price { tiers: Vec::new(), ..price })
    })
}

/// Whose models a vendor sells besides, and the lines of its own.
fn section(vendor: &str) -> Option<(impl Iterator<Item = &'static str>, &'static str)> {
    RATE_CARD.split("\n@").find_map(|section| {
        let (head, lines) = section.split_once('\n')?;
        let mut names = head.split(' ');
        (names.next() == Some(vendor)).then_some((names, lines))
    })
}

fn find_in(section: &str, model: &str) -> Option<Price> {
    let lines = section.lines().filter_map(|line| line.split_once(" = "));
    let (_, prices) = lines.into_iter().find(|(names, _)| is_named(names, model))?;
    read(prices)
}

/// Whether one of the names is this one, and none that begins with `!`. A `+` stands for the first name.
fn is_named(names: &str, model: &str) -> bool {
    let first = names.split(' ').next().unwrap_or_default().trim_matches('*');
    let has_first = first.contains(['*', '#']) || model.contains(first);
    let mut found = false;
    for name in names.split(' ') {
        let (forbids, name) = match name.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, name),
        };
        let matched = match name.split_once('+') {
            // Nearly no name of the card is like the one that is looked for, so few have to be put together.
            Some((before, after)) => has_first && matches(&format!("{before}{first}{after}"), model),
            None => matches(name, model),
        };
        if matched && forbids {
            return false;
        }
        found |= matched;
    }
    found
}

/// `*` stands for anything, `#` for a digit.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let start = pieces.next().unwrap_or_default();
    let Some(end) = pieces.next_back() else { return begins(text, start) == Some("") };
    let Some(mut rest) = begins(text, start) else { return false };
    for piece in pieces {
        let found = rest.char_indices().find_map(|(position, _)| begins(rest.get(position..)?, piece));
        match found {
            Some(after) => rest = after,
            None => return false,
        }
    }
    let tail = rest.len().checked_sub(end.len()).and_then(|position| rest.get(position..));
    tail.is_some_and(|tail| begins(tail, end) == Some(""))
}

/// What follows in `text` after this beginning; `None` where it begins otherwise.
fn begins<'t>(text: &'t str, beginning: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(beginning.len())?;
    let same = |(have, want): (u8, u8)| if want == b'#' { have.is_ascii_digit() } else { have == want };
    start.bytes().zip(beginning.bytes()).all(same).then_some(rest)
}

/// Reads what stands behind the names; `None` where it is not written as it has to be.
pub(super) fn read(text: &str) -> Option<Price> {
    let mut price = Price { standard: Bands::default(), tiers: Vec::new(), origin: Origin::Card };
    if text == "free" {
        return Some(price);
    }
    let parts: Vec<Part> = text.split(" | ").map(Part::read).collect::<Option<_>>()?;
    price.standard = bands(&parts, None);
    for (_, tier) in TIERS {
        if parts.iter().any(|part| part.tier == Some(tier)) {
            price.tiers.push((tier, bands(&parts, Some(tier))));
        }
    }
    Some(price)
}

/// The rates of a tier: its own, over those of the standard one at the same length.
fn bands(parts: &[Part], tier: Option<ServiceTier>) -> Bands {
    let at = |input: u64| {
        let hold = |part: &&Part| input > part.above || part.above == 0;
        let standard = parts.iter().filter(|part| part.tier.is_none()).filter(hold);
        let own = parts.iter().filter(|part| tier.is_some() && part.tier == tier).filter(hold);
        Rates::of(&standard.chain(own).fold(Sheet::default(), |sheet, part| part.sheet.over(sheet)))
    };
    let next = |last: u64| parts.iter().map(|part| part.above).filter(|above| *above > last).min();
    let mut above = Vec::new();
    while let Some(threshold) = next(above.last().map_or(0, |(threshold, _)| *threshold)) {
        above.push((threshold, at(threshold.saturating_add(1))));
    }
    Bands { first: at(0), above }
}

/// Rates of one tier, from one length on.
struct Part {
    tier: Option<ServiceTier>,
    /// More tokens than this; 0 for any number.
    above: u64,
    sheet: Sheet,
}

impl Part {
    fn read(text: &str) -> Option<Self> {
        let (head, rates) = text.split_once(' ').unwrap_or((text, ""));
        let (tier, above) = match head.split_once('>') {
            Some((tier, above)) => (tier, above.parse().ok().filter(|above| *above > 0)?),
            None => (head, 0),
        };
        let named = TIERS.iter().find(|(name, _)| *name == tier).map(|(_, tier)| *tier);
        let rates = match (named, tier, above) {
            (Some(_), ..) | (None, "", _) => rates,
            // The standard prices begin without a word.
            (None, _, 0) => text,
            _ => return None,
        };
        let mut sheet = Sheet::default();
        let mut words = rates.split(' ');
        let mut plain = [Component::Input, Component::Output].into_iter();
        while let Some(word) = words.next() {
            match COMPONENTS.iter().find(|(_, name, _)| *name == word) {
                Some((component, ..)) => sheet.set(*component, parse_decimal(words.next()?)?),
                None => sheet.set(plain.next()?, parse_decimal(word)?),
            }
        }
        Some(Self { tier: named, above, sheet })
    }
}

/// Each model's line of the card: its names and its prices.
#[cfg(test)]
pub(super) fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let models = RATE_CARD.split("\n@").skip(1).flat_map(|section| section.lines().skip(1));
    models.filter(|line| !line.is_empty()).map(|line| line.split_once(" = ").expect(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_card_can_be_read() {
        for section in RATE_CARD.split("\n@").skip(1) {
            let (head, _) = section.split_once('\n').expect("has models");
            assert!(head.split(' ').all(|vendor| self::section(vendor).is_some()), "{head}");
        }
        for (names, prices) in lines() {
            assert!(read(prices).is_some(), "{names} = {prices}");
            assert!(!names.is_empty() && names == names.to_ascii_lowercase(), "{names}");
        }
        assert!(lines().count() > 1000);
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, good, bad) in [
            ("a", &["a"][..], &["", "ab", "ba"][..]),
            ("a*", &["a", "ab"], &["ba"]),
            ("*a", &["a", "ba"], &["ab"]),
            ("*a*", &["a", "bac"], &["b"]),
            ("a*b*c", &["abc", "axbxc", "abbc"], &["ac", "acb", "abcx"]),
            ("a-##", &["a-12"], &["a-1", "a-1x", "a-123"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("*", &["", "x"], &[]),
        ] {
            assert!(good.iter().all(|text| matches(pattern, text)), "{pattern}");
            assert!(!bad.iter().any(|text| matches(pattern, text)), "{pattern}");
        }
        assert!(!matches("a*", "ä") && !matches("#", "é") && matches("*é", "aé"));
    }

    #[test]
    fn names_can_be_short_and_forbidden() {
        let names = "x-1* !*-tts y-+z";
        assert!(is_named(names, "x-1") && is_named(names, "x-12") && is_named(names, "y-x-1z"));
        assert!(!is_named(names, "x-1-tts") && !is_named(names, "x") && !is_named(names, "y-x-1"));
    }

    #[test]
    fn what_is_badly_written_is_refused() {
        for text in [
            "",
            "1 2 3",
            "1 2 reed 3",
            "1 2 read",
            "1 2 | slow 1",
            "1 2 | >0 1",
            "1 2 | >x 1",
            "1 -2",
            "1 2 |",
            "slow>5 1",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
