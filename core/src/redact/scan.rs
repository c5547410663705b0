//! What rules find at one place of a text.

use std::cell::Cell;

use super::LONGEST_MATCH;
use super::action::Action;
use super::automaton::{Cache, State};
use super::cluster::Candidate;
use super::context::{self, Beginnings, Openings};
use super::normal::BARRIER;
use super::redactor::{Caches, End, Gate, Redactor, Shape, WORD};
use super::rule::Check;

/// How many ends a pattern's match may have that are tried, from the longest on.
const MAX_ENDS: usize = 32;

/// The text before a place, as it is after masking: so masked text has the same one as the text that it was made from.
#[derive(Debug, Default)]
pub struct History {
    /// The end of what comes before `base`.
    before: Vec<u8>,
    /// How much there was up to `base`.
    passed: usize,
    /// From where on it is the normalised text itself.
    base: usize,
    /// Up to where words of context were looked for.
    looked: usize,
    /// How far one that was found, or may have been replaced, can reach.
    reach: usize,
}

/// A text to be searched.
pub struct Scan<'a> {
    pub redactor: &'a Redactor,
    pub actions: &'a [Action],
    pub text: &'a [u8],
    pub history: &'a History,
    /// Whether the text has come to its end.
    pub last: bool,
    /// Where words begin before the place that was asked about last: many patterns ask about the same one.
    pub before: Cell<Option<(usize, Beginnings)>>,
}

/// What was found at a place.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub candidate: Candidate,
    pub tail: Option<End>,
}

/// More text could make another match, or a longer one.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfinished;

/// How far an automaton has come.
#[derive(Debug)]
struct Run {
    state: State,
    at: usize,
    ends: Vec<(u16, usize)>,
}

/// A run that waits for more text.
#[derive(Debug)]
pub struct Pause {
    number: usize,
    start: usize,
    generation: u32,
    run: Run,
}

impl Pause {
    /// Where the search began.
    pub fn start(&self) -> usize {
        self.start
    }

    fn is(&self, number: usize, start: usize, cache: &Cache) -> bool {
        self.number == number && self.start == start && self.generation == cache.generation()
    }

    /// The text's first bytes are no longer in it.
    pub fn forget(&mut self, count: usize) {
        self.start = self.start.wrapping_sub(count);
        self.run.at = self.run.at.saturating_sub(count);
        for (_, end) in &mut self.run.ends {
            *end = end.saturating_sub(count);
        }
    }
}

impl History {
    /// The last bytes before a place of the text.
    pub fn window<'w>(&'w self, text: &'w [u8], at: usize, most: usize, buffer: &'w mut Vec<u8>) -> &'w [u8] {
        let own = text.get(self.base..at).unwrap_or_default();
        match own.len().checked_sub(most) {
            Some(start) => own.get(start..).unwrap_or_default(),
            None => {
                let start = self.before.len().saturating_sub(most - own.len());
                buffer.clear();
                buffer.extend_from_slice(self.before.get(start..).unwrap_or_default());
                buffer.extend_from_slice(own);
                buffer
            }
        }
    }

    /// The byte before a place.
    pub fn last(&self, text: &[u8], at: usize) -> Option<u8> {
        match at > self.base {
            true => text.get(at - 1).copied(),
            false => self.before.last().copied(),
        }
    }

    /// The text is to be taken as it is up to `start`, and up to `end` as `instead`.
    pub fn replace(&mut self, text: &[u8], start: usize, end: usize, instead: &[&[u8]]) {
        let own = text.get(self.base..start).unwrap_or_default();
        self.passed += own.len();
        let own = own.get(own.len().saturating_sub(context::LOOK)..).unwrap_or_default();
        self.before.extend_from_slice(own);
        for instead in instead {
            self.passed += instead.len();
            self.before.extend_from_slice(instead);
        }
        self.shorten();
        self.skip(end);
    }

    fn shorten(&mut self) {
        let excess = self.before.len().saturating_sub(context::LOOK);
        self.before.drain(..excess);
    }

    /// How much there was before the text that is at hand.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// Up to where a word may be near, of those that are known.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// What came after so much was put into quotation marks.
    pub fn quote(&mut self, passed: usize) {
        let place = self.before.len().saturating_sub(self.passed - passed);
        self.before.insert(place, b'"');
        self.before.push(b'"');
        self.passed += 2;
        self.shorten();
    }

    /// Text without words stands before all that is there.
    pub fn pass(&mut self, text: &[u8]) {
        let reach = self.reach.saturating_sub(text.len());
        self.replace(&[], 0, 0, &[text]);
        self.reach = reach;
    }

    /// The text up to `end` belongs to what was replaced.
    pub fn skip(&mut self, end: usize) {
        self.base = end;
        self.looked = self.looked.max(end);
        self.reach = self.reach.max(end + context::BEFORE);
    }

    /// Whether one of the words may stand near enough before a place. It can seem so where none does.
    pub fn may_be_near(&mut self, words: &Openings, text: &[u8], at: usize) -> bool {
        // A word that stands farther before reaches neither here nor beyond.
        let from = self.looked.max(at.saturating_sub(context::BEFORE));
        if let Some(place) = words.last(text, from..at) {
            self.reach = self.reach.max(place + context::BEFORE);
        }
        self.looked = self.looked.max(at);
        at <= self.reach
    }

    /// The text's first bytes are no longer in it.
    pub fn forget(&mut self, text: &[u8], count: usize, words: &Openings) {
        self.may_be_near(words, text, count);
        if count > self.base {
            let reach = self.reach;
            self.replace(text, count, count, &[]);
            self.reach = reach;
        }
        self.base -= count;
        self.looked = self.looked.saturating_sub(count);
        self.reach = self.reach.saturating_sub(count);
    }
}

impl Scan<'_> {
    /// Adds what is found at a place behind these gates, of each rule the longest.
    pub fn find(
        &self,
        caches: &mut Caches,
        start: usize,
        gates: u8,
        pause: &mut Option<Pause>,
        found: &mut Vec<Found>,
    ) -> Result<(), Unfinished> {
        for gate in Gate::ALL {
            let stands = gates & gate.bit() != 0 && (gate != Gate::Assigned || self.is_assigned(start));
            if stands {
                self.run(caches, gate as usize, start, pause, found)?;
            }
        }
        Ok(())
    }

    fn is_assigned(&self, start: usize) -> bool {
        let quick = self.history.last(self.text, start);
        if !quick.is_some_and(|byte| b" \t\"'`:=>".contains(&byte)) {
            return false;
        }
        context::assigned_to(self.history.window(self.text, start, context::ASSIGNED, &mut Vec::new()))
            .is_some()
    }

    fn run(
        &self,
        caches: &mut Caches,
        number: usize,
        start: usize,
        pause: &mut Option<Pause>,
        found: &mut Vec<Found>,
    ) -> Result<(), Unfinished> {
        let (Some(automaton), Some(cache), Some(numbers)) =
            (self.redactor.automata.get(number), caches.get_mut(number), self.redactor.numbers.get(number))
        else {
            return Ok(());
        };
        automaton.relieve(cache);
        let Run { mut state, mut at, mut ends } = match pause.take_if(|pause| pause.is(number, start, cache))
        {
            Some(pause) => pause.run,
            None => Run { state: automaton.start(cache), at: start, ends: Vec::new() },
        };
        let most = (start + LONGEST_MATCH).saturating_sub(at);
        for byte in self.text.get(at..).unwrap_or_default().iter().take(most) {
            state = automaton.next(cache, state, *byte);
            if state.is_dead() {
                break;
            }
            at += 1;
            for pattern in automaton.matches(cache, state) {
                ends.push((*pattern, at));
            }
        }
        // What comes next could prolong a match, or show that it doesn't end with a word.
        if at == self.text.len() && !self.last {
            let generation = cache.generation();
            *pause = Some(Pause { number, start, generation, run: Run { state, at, ends } });
            return Err(Unfinished);
        }
        if ends.is_empty() {
            return Ok(());
        }
        // The longest first; how often each pattern was tried.
        let mut tried: Vec<(u16, usize)> = Vec::new();
        for (pattern, end) in ends.iter().rev() {
            let shape = numbers.get(usize::from(*pattern));
            let Some(shape) = shape.and_then(|shape| self.redactor.shapes.get(usize::from(*shape))) else {
                continue;
            };
            // What goes on beyond its match ends where it will.
            if self.is_off(shape.rule) || shape.tail.is_none() && !self.ends_word(*end) {
                continue;
            }
            let place = tried.iter().position(|(known, _)| known == pattern).unwrap_or_else(|| {
                tried.push((*pattern, 0));
                tried.len() - 1
            });
            let Some((_, tries)) = tried.get_mut(place).filter(|(_, tries)| *tries < MAX_ENDS) else {
                continue;
            };
            *tries += 1;
            if let Some(candidate) = self.judge(shape, start, *end)? {
                *tries = MAX_ENDS;
                add(found, Found { candidate, tail: shape.tail });
            }
        }
        Ok(())
    }

    fn is_off(&self, rule: u16) -> bool {
        self.actions.get(usize::from(rule)).is_none_or(|action| *action == Action::Off)
    }

    /// Whether a word can end at a place, and a character does.
    fn ends_word(&self, end: usize) -> bool {
        let flags = |at: Option<&u8>| at.map_or(0, |byte| self.redactor.flags(*byte) & WORD);
        let next = self.text.get(end);
        let split = flags(end.checked_sub(1).and_then(|at| self.text.get(at))) & flags(next) != 0;
        !split && !next.is_some_and(|next| matches!(next, 0x80..=0xBF))
    }

    fn judge(&self, shape: &Shape, start: usize, end: usize) -> Result<Option<Candidate>, Unfinished> {
        let Some(matched) = self.text.get(start..end) else { return Ok(None) };
        let range = match shape.check {
            Check::None => 0..matched.len(),
            Check::Whole(check) if check(matched) => 0..matched.len(),
            Check::Whole(_) => return Ok(None),
            Check::Part(part) => match part(matched) {
                Some(range) if !range.is_empty() && range.end <= matched.len() => range,
                _ => return Ok(None),
            },
        };
        let (start, end) = (start + range.start, start + range.end);
        if !self.stands_apart(shape, start, end)? || !self.fits_context(shape, start, end)? {
            return Ok(None);
        }
        let rank = self.redactor.rules.get(usize::from(shape.rule)).map_or(0, |rule| rule.rank);
        Ok(Some(Candidate { rule: shape.rule, rank, start, end, open: shape.tail.is_some() }))
    }

    fn stands_apart(&self, shape: &Shape, start: usize, end: usize) -> Result<bool, Unfinished> {
        let joins = |characters: &str, byte: u8| characters.as_bytes().contains(&byte);
        if !shape.apart.before.is_empty() {
            let mut buffer = Vec::new();
            let before = self.history.window(self.text, start, 2, &mut buffer);
            if let [digit, joint] = before
                && digit.is_ascii_digit()
                && joins(shape.apart.before, *joint)
            {
                return Ok(false);
            }
        }
        if !shape.apart.behind.is_empty() {
            match self.text.get(end..end + 2) {
                // A placeholder may have been a number, or have begun with what joins it.
                Some([BARRIER, _]) => return Ok(false),
                Some([joint, digit]) => {
                    let joined = joins(shape.apart.behind, *joint);
                    return Ok(!(joined && (digit.is_ascii_digit() || *digit == BARRIER)));
                }
                _ if !self.last
                    && self.text.get(end).is_none_or(|joint| joins(shape.apart.behind, *joint)) =>
                {
                    return Err(Unfinished);
                }
                _ => return Ok(self.text.get(end) != Some(&BARRIER)),
            }
        }
        Ok(true)
    }

    fn fits_context(&self, shape: &Shape, start: usize, end: usize) -> Result<bool, Unfinished> {
        if shape.near.is_empty() && shape.after.is_empty() && shape.unless.is_empty() {
            return Ok(true);
        }
        let mut buffer = Vec::new();
        let before = self.history.window(self.text, start, context::LOOK, &mut buffer);
        let beginnings = match self.before.get() {
            Some((place, beginnings)) if place == start => beginnings,
            _ => Beginnings::of(before),
        };
        self.before.set(Some((start, beginnings)));
        if shape.unless.end(before, beginnings, context::AGAINST) {
            return Ok(false);
        }
        if shape.near.is_empty() && shape.after.is_empty() {
            return Ok(true);
        }
        if shape.gate == Gate::Assigned {
            return Ok(shape.near.are_assigned_to(before));
        }
        if shape.near.end(before, beginnings, context::BEFORE) {
            return Ok(true);
        }
        if shape.after.is_empty() {
            return Ok(false);
        }
        let behind = self.text.get(end..).unwrap_or_default();
        let behind = behind.get(..context::BEHIND.min(behind.len())).unwrap_or_default();
        let barrier = behind.iter().position(|byte| *byte == BARRIER);
        if barrier.is_none() && behind.len() < context::BEHIND && !self.last {
            return Err(Unfinished);
        }
        let behind = behind.get(..barrier.unwrap_or(behind.len())).unwrap_or_default();
        Ok(shape.after.stand_in(behind))
    }
}

/// Keeps the longest of each rule.
fn add(found: &mut Vec<Found>, new: Found) {
    let same = found.iter_mut().find(|known| {
        known.candidate.rule == new.candidate.rule && known.tail.is_some() == new.tail.is_some()
    });
    match same {
        Some(known) if known.candidate.end >= new.candidate.end => {}
        Some(known) => *known = new,
        None => found.push(new),
    }
}
