//! One text, masked as it comes.

use std::cell::Cell;
use std::sync::Arc;

use super::automaton::Set;
use super::cluster::{Cluster, Segment};
use super::context::Openings;
use super::normal::{BARRIER, Escapes, Normal};
use super::redactor::{End, Gate, PSEUDONYM_PHONE, Redactor, Search};
use super::scan::{Found, History, Pause, Scan, Unfinished};
use super::session::{Place, Session};
use super::sieve::Sieve;

/// How many findings may overlap in a row, and how far, before they are settled.
const MAX_CLUSTER: usize = 64;
const MAX_CLUSTER_BYTES: usize = 1024;

/// Masks one text, in whatever pieces it comes: the result is the same.
///
/// It holds back what may still become a match or a part of one: [`super::LONGEST_MATCH`] bytes at most, as long as findings
/// don't overlap, and then five times as many. What is longer than any match, such as a private key, is replaced as soon as
/// its beginning shows what it is, and the rest is taken out as it comes.
#[derive(Debug)]
pub struct Masker {
    /// What was not given out yet.
    text: String,
    escapes: Escapes,
    normal: Normal,
    history: History,
    /// Up to where the normalised text is searched.
    position: usize,
    /// Up to where the text is given out or replaced.
    emitted: usize,
    cluster: Cluster,
    /// The search that waits for more text.
    pause: Option<Pause>,
    /// What goes on beyond its match, and has to be taken out.
    tail: Option<Tail>,
    /// Up to where each rule that only counts has found something.
    counted: Vec<(u16, usize)>,
    /// How many bytes were given out before `text`.
    passed: usize,
}

impl Default for Masker {
    fn default() -> Self {
        Self::new(Escapes::Text)
    }
}

impl Masker {
    pub fn new(escapes: Escapes) -> Self {
        Self {
            text: String::new(),
            escapes,
            normal: Normal::new(escapes),
            history: History::default(),
            position: 0,
            emitted: 0,
            cluster: Cluster::default(),
            pause: None,
            tail: None,
            counted: Vec::new(),
            passed: 0,
        }
    }

    /// Takes more of the text; adds to `out` what is settled by it.
    pub fn push(&mut self, session: &mut Session, text: &str, out: &mut String) {
        self.text.push_str(text);
        self.advance(session, out, false);
    }

    /// The text has come to its end; adds the rest to `out`. What is pushed then is another text, to which this one is the context.
    pub fn finish(&mut self, session: &mut Session, out: &mut String) {
        self.end(session, "", out);
    }

    /// Takes the rest of the text.
    pub fn end(&mut self, session: &mut Session, text: &str, out: &mut String) {
        self.text.push_str(text);
        self.advance(session, out, true);
        (self.pause, self.tail) = (None, None);
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.text.len()
    }

    /// Takes text between two texts, which goes out as it is and is context to the next one. Only after `finish`.
    pub(super) fn pass(&mut self, text: &str, out: &mut String) {
        self.history.pass(text.as_bytes());
        self.passed += text.len();
        out.push_str(text);
    }

    /// How much context there was so far. Only after `finish`.
    pub(super) fn context(&self) -> usize {
        self.history.passed()
    }

    /// What came after so much context was put into quotation marks. Only after `finish`.
    pub(super) fn quote(&mut self, context: usize) {
        self.history.quote(context);
    }

    fn advance(&mut self, session: &mut Session, out: &mut String, last: bool) {
        let redactor = Arc::clone(session.redactor());
        self.normal.extend(&self.text, redactor.as_ref(), last);
        redactor.with_caches(|caches| {
            let mut found = Vec::new();
            let sieve = match last {
                true => redactor.sieve(caches, self.normal.bytes(), self.position),
                // What is still to come may make a match of anything.
                false => Sieve::OPEN,
            };
            while self.swallow(last) {
                let text = self.normal.bytes();
                let (at, mut gates) = match (&self.pause, text.get(self.position)) {
                    (Some(pause), Some(byte)) if pause.start() == self.position => {
                        (self.position, redactor.gates(*byte))
                    }
                    _ => {
                        let (at, history) = (self.position, &self.history);
                        let (before, reach) = (history.last(text, at), history.reach());
                        let search = Search { text, at, before, reach, sieve: &sieve, last };
                        redactor.next_prospect(caches, &search)
                    }
                };
                let settled = at >= self.cluster.end()
                    || self.cluster.len() >= MAX_CLUSTER
                    || self.cluster.start().is_some_and(|start| at >= start + MAX_CLUSTER_BYTES);
                if !self.cluster.is_empty() && settled {
                    let end = self.cluster.end();
                    self.settle(&redactor, session, out);
                    self.position = end;
                    continue;
                }
                self.position = at;
                match text.get(at) {
                    None => break,
                    Some(&BARRIER) => {
                        self.pass_placeholder(at);
                        self.position = at + 1;
                        continue;
                    }
                    Some(_) => {}
                }
                if gates & Gate::Near.bit() != 0 && !self.history.may_be_near(&redactor.words, text, at) {
                    gates &= !Gate::Near.bit();
                }
                let scan = Scan {
                    redactor: &redactor,
                    actions: session.actions(),
                    text,
                    history: &self.history,
                    last,
                    before: Cell::new(None),
                };
                found.clear();
                match scan.find(caches, at, gates, &mut self.pause, &mut found) {
                    Err(Unfinished) => break,
                    Ok(()) => self.take(&redactor, session, out, &found),
                }
                self.position = self.position.max(at + 1);
            }
        });
        self.release(&redactor.words, out);
    }

    /// Adds what was found at one place.
    fn take(&mut self, redactor: &Redactor, session: &mut Session, out: &mut String, found: &[Found]) {
        let mut open = None;
        for Found { candidate, tail } in found {
            if session.only_counts(candidate.rule) {
                let known = self.counted.iter_mut().find(|(rule, _)| *rule == candidate.rule);
                match known {
                    Some((_, end)) if *end >= candidate.end => continue,
                    Some((_, end)) => *end = candidate.end,
                    None => self.counted.push((candidate.rule, candidate.end)),
                }
                let span = self.normal.start_of(candidate.start)..self.normal.end_of(candidate.end - 1);
                session.count(candidate.rule, self.passed + span.start..self.passed + span.end);
                continue;
            }
            if let Some(tail) = tail {
                let (start, end, tails) = open.unwrap_or((candidate.start, 0, *tail));
                open = Some((candidate.start.min(start), candidate.end.max(end), tails.or(*tail)));
            }
            self.cluster.add(*candidate);
        }
        if let Some((start, end, tail)) = open {
            let mut rest = Tail::new(tail);
            let length = self.normal.bytes().len();
            let behind = self.normal.bytes().get(end..).unwrap_or_default();
            let end = end + behind.iter().take_while(|byte| rest.takes(**byte)).count();
            self.cluster.prolong(start, end);
            self.position = end;
            // Where another finding goes farther than this one, something may begin within it.
            if end == length || self.cluster.end() <= end {
                self.settle(redactor, session, out);
                self.tail = Some(rest).filter(|_| end == length);
            }
        }
    }

    /// Takes out what belongs to a tail. Returns whether there is more to be searched.
    fn swallow(&mut self, last: bool) -> bool {
        let Some(tail) = &mut self.tail else { return true };
        let rest = self.normal.bytes().get(self.position..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| tail.takes(**byte)).count();
        if count > 0 {
            self.position += count;
            self.emitted = self.normal.end_of(self.position - 1);
            self.history.skip(self.position);
        }
        let more = self.position < self.normal.bytes().len();
        if more || last {
            self.tail = None;
        }
        more
    }

    /// Replaces what the cluster has.
    fn settle(&mut self, redactor: &Redactor, session: &mut Session, out: &mut String) {
        let text = self.normal.bytes();
        let open = self.cluster.open_rules();
        for Segment { rule, start, end, whole } in self.cluster.resolve(text) {
            let span = self.normal.start_of(start)..self.normal.end_of(end - 1);
            out.push_str(self.text.get(self.emitted..span.start).unwrap_or_default());
            let place = Place {
                original: self.text.get(span.clone()).unwrap_or_default(),
                normal: text.get(start..end).unwrap_or_default(),
                span: self.passed + span.start..self.passed + span.end,
                whole: whole && !open.contains(&rule),
                escapes: self.escapes,
            };
            session.replace(rule, &place, out);
            self.emitted = span.end;
            let label = redactor.rules.get(usize::from(rule)).map_or("", |rule| &rule.label);
            self.history.replace(text, start, end, &[b"[", label.as_bytes(), b"]"]);
        }
    }

    /// A placeholder is context as the mask of its rule is, whatever its form.
    fn pass_placeholder(&mut self, at: usize) {
        let text = self.text.get(self.normal.start_of(at)..).unwrap_or_default();
        let label = match text.strip_prefix('[') {
            None if text.starts_with(PSEUDONYM_PHONE) => "PHONE",
            None => "EMAIL",
            Some(text) => {
                let other = |character: char| {
                    !character.is_ascii_uppercase() && !character.is_ascii_digit() && character != '_'
                };
                let end = text.find(other).unwrap_or(text.len());
                text.get(..end).unwrap_or_default().trim_end_matches('_')
            }
        };
        let instead: &[&[u8]] = &[b"[", label.as_bytes(), b"]"];
        self.history.replace(self.normal.bytes(), at, at + 1, instead);
    }

    /// Gives out what is settled.
    fn release(&mut self, words: &Openings, out: &mut String) {
        let kept = self.cluster.start().map_or(self.position, |start| start.min(self.position));
        let passed = match kept < self.normal.bytes().len() {
            true => self.normal.start_of(kept),
            // What can't be seen belongs to the tail if more of it follows.
            false if self.tail.is_some() => self.emitted,
            false => self.normal.read(),
        };
        out.push_str(self.text.get(self.emitted..passed).unwrap_or_default());
        self.history.forget(self.normal.bytes(), kept, words);
        self.normal.forget(kept, passed);
        self.text.drain(..passed);
        self.passed += passed;
        self.emitted = 0;
        self.position -= kept;
        if let Some(pause) = &mut self.pause {
            pause.forget(kept);
        }
        self.cluster.shift(kept);
        self.counted.retain_mut(|(_, end)| {
            let still = *end > kept;
            *end = end.saturating_sub(kept);
            still
        });
    }
}

/// What belongs to a match beyond its end.
#[derive(Debug)]
enum Tail {
    Set(Set),
    Pem(Pem),
}

impl Tail {
    fn new(end: End) -> Self {
        match end {
            End::Set(set) => Self::Set(set),
            End::Pem => Self::Pem(Pem::default()),
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        match self {
            Self::Set(set) => set.has(byte),
            Self::Pem(pem) => pem.takes(byte),
        }
    }
}

/// The lines of a PEM block, and its end. Prose that follows a block that was cut short is left alone, but for a word.
#[derive(Debug, Default)]
struct Pem {
    taken: usize,
    /// How long the word at hand is.
    word: usize,
    /// Whether the line at hand is a header.
    header: bool,
    dashes: usize,
    /// How many runs of five dashes there were: two with the line of the end.
    lines: usize,
}

/// How long a block can be.
const MAX_PEM: usize = 1 << 16;

impl Pem {
    fn takes(&mut self, byte: u8) -> bool {
        let allowed = byte.is_ascii_alphanumeric() || b"+/= \n\r\t,.:()-_\"\\".contains(&byte);
        let prose = byte == b' ' && self.lines == 0 && !self.header && (1..16).contains(&self.word);
        if !allowed || prose || self.lines == 2 || self.taken >= MAX_PEM {
            return false;
        }
        self.taken += 1;
        self.dashes = if byte == b'-' { self.dashes + 1 } else { 0 };
        if self.dashes == 5 {
            self.lines += 1;
            self.dashes = 0;
        }
        match byte {
            b'\n' | b'\r' => (self.word, self.header) = (0, false),
            b' ' | b'\t' => self.word = 0,
            b':' => self.header = true,
            _ => self.word += 1,
        }
        true
    }
}
