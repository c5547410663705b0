//! Which places of a text have to be searched: a whole text is told from all rules in one pass, but for what stands out.

use std::ops::Range;

use super::LONGEST_MATCH;
use super::automaton::{Automaton, Cache};
use super::context;
use super::redactor::{GATES, Gate};

/// The places at which each gate may stand.
#[derive(Debug)]
pub struct Sieve {
    /// By gate, in order and apart; `None` where all places have to be searched.
    places: Option<[Vec<Range<usize>>; GATES]>,
}

/// The signs of the automaton that sifts.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    /// The first one; what comes before are patterns.
    pub first: usize,
    /// The one of assignments; the others are words.
    pub assignment: usize,
}

impl Sieve {
    /// Lets everything pass to the search.
    pub const OPEN: Self = Self { places: None };

    /// Of a text that has come to its end, from a place on.
    pub fn of(automaton: &Automaton, signs: Signs, cache: &mut Cache, text: &[u8], from: usize) -> Self {
        let mut places = Default::default();
        let sifted = sift(automaton, signs, cache, text, from, &mut places);
        Self { places: sifted.map(|()| places) }
    }

    /// The next places, at or behind one, at which the same gates may stand, and these; `length`: of the text. `reach`: up to where a
    /// word is near that is not in the text.
    pub fn next(&self, at: usize, reach: usize, length: usize) -> (Range<usize>, u8) {
        let Some(places) = &self.places else { return (at..length, Gate::ALL_BITS) };
        let firsts = places.each_ref().map(|places| first(places, at));
        let starts = firsts.iter().flatten().map(|first| first.start);
        let start = if at <= reach { at } else { starts.min().unwrap_or(length).max(at) };
        let mut end = length;
        let mut gates = 0;
        let mut add = |gate: Gate, range: &Range<usize>| match range.start <= start {
            true => (gates, end) = (gates | gate.bit(), end.min(range.end)),
            false => end = end.min(range.start),
        };
        if start <= reach {
            add(Gate::Near, &(start..reach + 1));
        }
        for (gate, first) in Gate::ALL.into_iter().zip(firsts) {
            first.into_iter().for_each(|first| add(gate, first));
        }
        (start..end, gates)
    }
}

/// The first range that doesn't end before a place.
fn first(places: &[Range<usize>], at: usize) -> Option<&Range<usize>> {
    places.get(places.partition_point(|range| range.end <= at))
}

fn sift(
    automaton: &Automaton,
    signs: Signs,
    cache: &mut Cache,
    text: &[u8],
    from: usize,
    [open, near, assigned]: &mut [Vec<Range<usize>>; GATES],
) -> Option<()> {
    let mut rest = text.get(from..).unwrap_or_default();
    if rest.is_empty() {
        return Some(());
    }
    let mut sifting = automaton.begin_sifting(cache, rest.len())?;
    // What stands before isn't known.
    near.push(from..from + context::BEFORE + 1);
    assigned.push(from..from + context::ASSIGNED + 1);
    while !rest.is_empty() {
        let count = automaton.sift(cache, &mut sifting, rest)?;
        rest = rest.get(count..).unwrap_or_default();
        let end = text.len() - rest.len();
        for matched in automaton.sifted(cache, &sifting) {
            match usize::from(*matched) {
                pattern if pattern < signs.first => add(open, end.saturating_sub(LONGEST_MATCH)..end),
                sign if sign == signs.assignment => add(assigned, end..end + context::ASSIGNED + 1),
                _ => add(near, end..end + context::BEFORE + 1),
            }
        }
    }
    Some(())
}

/// Adds a range that neither begins nor ends before the last one.
fn add(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if range.start <= last.end => last.end = range.end,
        _ => ranges.push(range),
    }
}
