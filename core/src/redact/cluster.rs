//! Findings that overlap, and which of them counts where.

use std::cmp::Reverse;

/// A text that a rule has found, by its place in the normalised text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub rule: u16,
    pub rank: u8,
    pub start: usize,
    pub end: usize,
    /// It goes on, who knows how far.
    pub open: bool,
}

/// A text to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub rule: u16,
    pub start: usize,
    pub end: usize,
    /// Whether it is all that the rule has found, so that it can be told from other values.
    pub whole: bool,
}

/// Candidates each of which overlaps another, as far as they are known.
#[derive(Debug, Default)]
pub struct Cluster {
    /// The weightier first.
    candidates: Vec<Candidate>,
}

impl Candidate {
    /// What goes on counts more than what is longer, and that more than what is of a greater rank. How far it goes on is no
    /// matter, as it may not be known yet.
    fn weight(&self) -> impl Ord + use<> {
        let length = if self.open { 0 } else { self.end - self.start };
        (!self.open, Reverse((length, self.rank)), self.rule, self.start)
    }
}

impl Cluster {
    pub fn start(&self) -> Option<usize> {
        self.candidates.iter().map(|candidate| candidate.start).min()
    }

    pub fn end(&self) -> usize {
        self.candidates.iter().map(|candidate| candidate.end).max().unwrap_or(0)
    }

    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Adds what was found, unless the same rule has found more around it.
    pub fn add(&mut self, candidate: Candidate) {
        let within = |known: &Candidate| {
            known.rule == candidate.rule && known.start <= candidate.start && candidate.end <= known.end
        };
        if candidate.open || !self.candidates.iter().any(within) {
            let place = self.candidates.partition_point(|known| known.weight() <= candidate.weight());
            self.candidates.insert(place, candidate);
        }
    }

    /// What goes on of that which began at or behind a place does so up to here.
    pub fn prolong(&mut self, start: usize, end: usize) {
        for candidate in self.candidates.iter_mut().filter(|each| each.open && each.start >= start) {
            candidate.end = end;
        }
    }

    /// The rules whose findings go on.
    pub fn open_rules(&self) -> Vec<u16> {
        self.candidates.iter().filter(|candidate| candidate.open).map(|candidate| candidate.rule).collect()
    }

    /// The text's first bytes are no longer in it.
    pub fn shift(&mut self, count: usize) {
        for candidate in &mut self.candidates {
            candidate.start -= count;
            candidate.end -= count;
        }
    }

    /// What is to be replaced, from left to right: the longest candidate as a whole, of equally long ones the one of the
    /// greatest rank, of the others what is left of them. So all that was found is covered.
    pub fn resolve(&mut self, text: &[u8]) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::with_capacity(self.candidates.len());
        for candidate in self.candidates.drain(..) {
            let mut start = candidate.start;
            while start < candidate.end {
                // Segments lie from left to right and do not touch each other's text.
                let after = segments.partition_point(|segment| segment.end <= start);
                let next = segments.get(after).copied();
                if let Some(taken) = next.filter(|taken| taken.start <= start) {
                    start = taken.end;
                    continue;
                }
                let end = next.map_or(candidate.end, |next| next.start.min(candidate.end));
                let whole = start == candidate.start && end == candidate.end;
                let rest = text.get(start..end).unwrap_or_default();
                if whole || rest.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
                    segments.insert(after, Segment { rule: candidate.rule, start, end, whole });
                }
                start = end;
            }
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(candidates: &[(u16, u8, usize, usize)]) -> Vec<(u16, usize, usize, bool)> {
        let mut cluster = Cluster::default();
        for (rule, rank, start, end) in candidates {
            cluster.add(Candidate { rule: *rule, rank: *rank, start: *start, end: *end, open: false });
        }
        let text = b"0123456789 abc-efghi ";
        let segments = cluster.resolve(text);
        segments.iter().map(|segment| (segment.rule, segment.start, segment.end, segment.whole)).collect()
    }

    #[test]
    fn the_longest_wins_then_the_greatest_rank_then_the_first_rule() {
        assert_eq!(resolve(&[(0, 3, 0, 5), (1, 0, 0, 6)]), [(1, 0, 6, true)]);
        assert_eq!(resolve(&[(0, 1, 0, 5), (1, 2, 0, 5)]), [(1, 0, 5, true)]);
        assert_eq!(resolve(&[(1, 1, 0, 5), (0, 1, 0, 5)]), [(0, 0, 5, true)]);
    }

    #[test]
    fn what_is_left_of_the_others_is_covered() {
        assert_eq!(resolve(&[(0, 0, 0, 4), (1, 0, 2, 9)]), [(0, 0, 2, false), (1, 2, 9, true)]);
        assert_eq!(resolve(&[(0, 0, 0, 9), (1, 0, 6, 14)]), [(0, 0, 9, true), (1, 9, 14, false)]);
        assert_eq!(
            resolve(&[(0, 0, 0, 3), (1, 0, 2, 8), (2, 0, 7, 9)]),
            [(0, 0, 2, false), (1, 2, 8, true), (2, 8, 9, false)]
        );
    }

    #[test]
    fn punctuation_that_is_left_stays() {
        assert_eq!(resolve(&[(0, 0, 0, 10), (1, 0, 9, 11)]), [(0, 0, 10, true)]);
    }
}
