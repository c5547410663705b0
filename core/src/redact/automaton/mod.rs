//! Many patterns as one automaton over bytes, whose states are made when they are first needed.
//!
//! It runs from a given place and says where each pattern can end. A state from which nothing can match any more is dead; so
//! it is known at every byte whether more text could make a match, which is what streams need and search engines don't tell.

mod set;
mod syntax;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use set::Set;
pub use syntax::Fault;

use syntax::Node;

/// How much one pattern may take, in states of the nondeterministic automaton.
pub const MAX_PATTERN_STATES: usize = 2_000;
/// How much all patterns may take.
const MAX_STATES: usize = 60_000;
/// How much the transitions may take before they are forgotten and made anew, in bytes.
const MAX_CACHE: usize = 2 << 20;

/// How many states may be made for one text that is sifted.
const MAX_NEW_STATES: usize = 1_000;
/// Members of sifting states that are no states: what the last byte was.
const AFTER_WORD: u32 = u32::MAX;
const AFTER_OTHER: u32 = u32::MAX - 1;

/// A state of an [`Automaton`]'s [`Cache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(u16);

impl State {
    const UNKNOWN: Self = Self(0);
    const DEAD: Self = Self(1);
    /// The first one that is neither.
    const FIRST: u16 = 2;
    /// Set where a pattern matches, so that most states tell at once that none does.
    const ACCEPTS: u16 = 1 << 15;

    /// Whether no more text can make a match.
    pub fn is_dead(self) -> bool {
        self == Self::DEAD
    }

    /// Whether a pattern matches what was read up to this state.
    pub fn accepts(self) -> bool {
        self.0 & Self::ACCEPTS != 0
    }

    fn number(self) -> usize {
        usize::from(self.0 & !Self::ACCEPTS)
    }
}

/// How a search from one place begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// Nothing matches, whatever comes behind the text.
    Nothing,
    /// Something matches; maybe not the longest.
    Match,
    /// Nothing does up to the text's end, but something may behind it.
    Unfinished,
}

/// How far a text was [sifted](Automaton::sift).
#[derive(Debug)]
pub struct Sifting {
    state: State,
    /// How many states there may be; with more, it is quicker to search.
    most: usize,
}

/// The patterns, compiled.
#[derive(Debug)]
pub struct Automaton {
    states: Vec<Step>,
    sets: Vec<Set>,
    /// The state at which each pattern begins.
    starts: Vec<u32>,
    /// The same of what is only told from a text's places, and may begin within words; `None` where it was too much.
    signs: Option<Vec<u32>>,
    /// Bytes that no pattern tells apart are of one class.
    classes: [u8; 256],
    class_count: usize,
    /// A byte of each class.
    examples: Vec<u8>,
}

/// The nondeterministic states that a deterministic one stands for, and the patterns that match in it.
type Known = (Box<[u32]>, Box<[u16]>);

/// The deterministic states that were needed so far.
#[derive(Debug, Default)]
pub struct Cache {
    /// For each state, the next one by class of byte.
    next: Vec<u16>,
    /// By state.
    known: Vec<Known>,
    numbers: HashMap<Box<[u32]>, u16>,
    /// The closure that is being made: which states are in it, and by which round they were put there.
    marks: Vec<u32>,
    round: u32,
    start: Option<State>,
    /// By class of byte, and whether within a word: the states of what may begin with it, where sifting has asked for them.
    begun: Vec<Box<[u32]>>,
    /// How often the states were forgotten.
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Byte {
        set: u16,
        next: u32,
    },
    Split(u32, u32),
    Match(u16),
    /// A place whose step is still to be made.
    Open,
}

impl Automaton {
    /// Compiles patterns; a fault comes with the number of its pattern.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, (usize, Fault)> {
        let (builder, starts) = Builder::of(patterns)?;
        Ok(Self::of(builder, starts, None))
    }

    /// The same, with other patterns that [sifting](Self::sift) tells besides: their numbers follow those of the first.
    pub fn with_signs<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
        signs: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, (usize, Fault)> {
        let (mut builder, starts) = Builder::of(patterns)?;
        let count = builder.states.len();
        let numbered = signs.into_iter().zip(starts.len()..);
        let signs: Option<Vec<u32>> =
            numbered.map(|(sign, number)| builder.pattern(sign, number).ok()).collect();
        if signs.is_none() {
            builder.states.truncate(count);
        }
        Ok(Self::of(builder, starts, signs))
    }

    fn of(builder: Builder, starts: Vec<u32>, signs: Option<Vec<u32>>) -> Self {
        let Builder { states, sets, .. } = builder;
        // Where words begin matters to sifting.
        let (classes, examples) = classes(&sets, Set::words());
        let class_count = examples.len();
        Self { states, sets, starts, signs, classes, class_count, examples }
    }

    /// What one pattern takes, or what is wrong with it.
    pub fn weigh(pattern: &str) -> Result<usize, Fault> {
        let mut builder = Builder::default();
        let start = builder.pattern(pattern, 0)?;
        let automaton = Self {
            states: builder.states,
            sets: Vec::new(),
            starts: vec![start],
            signs: None,
            classes: [0; 256],
            class_count: 0,
            examples: Vec::new(),
        };
        let mut cache = Cache::default();
        let mut closure = Vec::new();
        cache.begin(&automaton);
        cache.close(&automaton, start, &mut closure);
        let empty = closure.iter().any(|state| matches!(automaton.step(*state), Step::Match(_)));
        match empty {
            true => Err(Fault { at: 0, message: "it matches nothing at all, so it would match everywhere" }),
            false => Ok(automaton.states.len()),
        }
    }

    /// The state before any text.
    pub fn start(&self, cache: &mut Cache) -> State {
        if let Some(start) = cache.start {
            return start;
        }
        cache.clear(self);
        cache.begin(self);
        let mut closure = Vec::new();
        for start in &self.starts {
            cache.close(self, *start, &mut closure);
        }
        let start = cache.number(self, closure);
        cache.start = Some(start);
        start
    }

    /// The state after one more byte. `state` has to be of this cache, and of no time before its last `start`.
    #[inline]
    pub fn next(&self, cache: &mut Cache, state: State, byte: u8) -> State {
        let class = self.classes.get(usize::from(byte)).copied().unwrap_or(0);
        let at = state.number() * self.class_count + usize::from(class);
        match cache.next.get(at) {
            Some(0) => self.make(cache, state, class, at),
            Some(next) => State(*next),
            None => State::DEAD,
        }
    }

    /// The patterns that match what was read up to this state.
    #[inline]
    pub fn matches<'c>(&self, cache: &'c Cache, state: State) -> &'c [u16] {
        cache.known.get(state.number()).map_or(&[], |(_, matches)| matches)
    }

    /// What is to be found at a text's beginning: most places of most texts are told from all patterns by a few bytes.
    /// Every [`State`] from before is void after it.
    pub fn prospect(&self, cache: &mut Cache, text: &[u8]) -> Prospect {
        self.relieve(cache);
        let mut state = self.start(cache);
        let mut rest = text;
        loop {
            rest = self.glide(cache, &mut state, rest);
            let Some((byte, behind)) = rest.split_first() else { return Prospect::Unfinished };
            state = self.next(cache, state, *byte);
            match state {
                State::DEAD => return Prospect::Nothing,
                state if state.accepts() => return Prospect::Match,
                _ => rest = behind,
            }
        }
    }

    /// Goes on to the first byte for which no state is known, or that leads to one in which a pattern matches, or none can. Returns
    /// the text from there on.
    fn glide<'t>(&self, cache: &Cache, state: &mut State, text: &'t [u8]) -> &'t [u8] {
        let known = cache.next.as_slice();
        let mut number = state.0 & !State::ACCEPTS;
        let mut count = 0;
        for byte in text {
            let class = self.classes.get(usize::from(*byte)).copied().unwrap_or(0);
            match known.get(usize::from(number) * self.class_count + usize::from(class)) {
                Some(next @ State::FIRST..State::ACCEPTS) => number = *next,
                _ => break,
            }
            count += 1;
        }
        if count > 0 {
            *state = State(number);
        }
        text.get(count..).unwrap_or_default()
    }

    /// Goes on through a text and stops behind the first byte at which something ends that began at or behind the first `state`: a
    /// pattern, if not within a word, or a sign. Returns how far it came.
    ///
    /// So a text is told from all patterns in one pass, wherever they might begin. `None`: it would take too many states.
    pub fn sift(&self, cache: &mut Cache, sifting: &mut Sifting, text: &[u8]) -> Option<usize> {
        let mut rest = text;
        loop {
            rest = self.glide(cache, &mut sifting.state, rest);
            let Some((byte, behind)) = rest.split_first() else { return Some(text.len()) };
            let (state, class) = (sifting.state, self.classes.get(usize::from(*byte)).copied().unwrap_or(0));
            let place = state.number() * self.class_count + usize::from(class);
            sifting.state = match cache.next.get(place) {
                Some(0) if cache.known.len() < sifting.most => self.make_sifting(cache, state, class, place),
                Some(0) | None => return None,
                Some(next) => State(*next),
            };
            rest = behind;
            if sifting.state.accepts() {
                return Some(text.len() - rest.len());
            }
        }
    }

    /// Begins to sift a text of some length; `None` where this automaton doesn't. Every [`State`] from before is void after it.
    pub fn begin_sifting(&self, cache: &mut Cache, length: usize) -> Option<Sifting> {
        self.signs.as_ref()?;
        self.relieve(cache);
        let state = match cache.start {
            Some(start) => start,
            None => {
                cache.clear(self);
                let start = cache.number(self, vec![AFTER_OTHER]);
                cache.start = Some(start);
                start
            }
        };
        let most = cache.known.len() + MAX_NEW_STATES.min(32 + length / 32);
        // No state without a number is made: it would be a dead one, and let everything pass.
        Some(Sifting { state, most: most.min(usize::from(State::ACCEPTS)) })
    }

    /// What ended where sifting stopped: patterns, and signs by the numbers behind theirs.
    pub fn sifted<'c>(&self, cache: &'c Cache, sifting: &Sifting) -> &'c [u16] {
        self.matches(cache, sifting.state)
    }

    #[cold]
    fn make_sifting(&self, cache: &mut Cache, state: State, class: u8, at: usize) -> State {
        let Some((members, _)) = cache.known.get(state.number()) else { return State::DEAD };
        let members = members.clone();
        let byte = self.examples.get(usize::from(class)).copied().unwrap_or(0);
        let is_word = Set::words().has(byte);
        let within = is_word && members.contains(&AFTER_WORD);
        let place = usize::from(class) * 2 + usize::from(within);
        if cache.begun.get(place).is_none_or(|begun| begun.is_empty()) {
            let begun = self.begun(cache, byte, within);
            cache.begun.resize(cache.begun.len().max(place + 1), Box::default());
            if let Some(place) = cache.begun.get_mut(place) {
                *place = begun;
            }
        }
        let begun = cache.begun.get(place).cloned().unwrap_or_default();
        let mut closure = vec![if is_word { AFTER_WORD } else { AFTER_OTHER }];
        cache.begin(self);
        for state in begun {
            if cache.mark(state) {
                closure.push(state);
            }
        }
        self.go_on(cache, &members, byte, &mut closure);
        let next = cache.number(self, closure);
        if let Some(entry) = cache.next.get_mut(at) {
            *entry = next.0;
        }
        next
    }

    /// What may begin with a byte, `within` a word or not.
    fn begun(&self, cache: &mut Cache, byte: u8, within: bool) -> Box<[u32]> {
        let mut starts = Vec::new();
        cache.begin(self);
        let patterns = self.starts.iter().filter(|_| !within);
        for start in patterns.chain(self.signs.iter().flatten()) {
            cache.close(self, *start, &mut starts);
        }
        let mut begun = Vec::new();
        cache.begin(self);
        self.go_on(cache, &starts, byte, &mut begun);
        begun.into()
    }

    /// Forgets states when they have become many. Every [`State`] is void after it.
    pub fn relieve(&self, cache: &mut Cache) {
        if cache.next.len() * size_of::<u16>() > MAX_CACHE
            || cache.known.len() > usize::from(State::ACCEPTS) - 300
        {
            *cache = Cache { generation: cache.generation + 1, ..Cache::default() };
        }
    }

    /// The bytes with which a match can begin.
    pub fn first_bytes(&self) -> Set {
        let mut cache = Cache::default();
        let start = self.start(&mut cache);
        (0..=u8::MAX).fold(Set::default(), |set, byte| match self.next(&mut cache, start, byte).is_dead() {
            true => set,
            false => set.with(byte),
        })
    }

    #[cold]
    fn make(&self, cache: &mut Cache, state: State, class: u8, at: usize) -> State {
        let Some((members, _)) = cache.known.get(state.number()) else { return State::DEAD };
        let members = members.clone();
        let byte = self.examples.get(usize::from(class)).copied().unwrap_or(0);
        let mut closure = Vec::new();
        cache.begin(self);
        self.go_on(cache, &members, byte, &mut closure);
        let next = cache.number(self, closure);
        if let Some(entry) = cache.next.get_mut(at) {
            *entry = next.0;
        }
        next
    }

    /// Adds what these states become by a byte.
    fn go_on(&self, cache: &mut Cache, members: &[u32], byte: u8, closure: &mut Vec<u32>) {
        for member in members {
            if let Step::Byte { set, next } = self.step(*member)
                && self.sets.get(usize::from(set)).is_some_and(|set| set.has(byte))
            {
                cache.close(self, next, closure);
            }
        }
    }

    fn step(&self, state: u32) -> Step {
        self.states.get(state as usize).copied().unwrap_or(Step::Open)
    }
}

impl Cache {
    /// Within a generation, a [`State`] stays what it is.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    fn clear(&mut self, automaton: &Automaton) {
        *self = Self { generation: self.generation, ..Self::default() };
        // The states UNKNOWN and DEAD lead nowhere.
        for number in [State::UNKNOWN, State::DEAD] {
            self.known.push((Box::default(), Box::default()));
            self.next.resize((number.number() + 1) * automaton.class_count, State::DEAD.0);
        }
    }

    fn begin(&mut self, automaton: &Automaton) {
        self.marks.resize(automaton.states.len(), 0);
        self.round += 1;
    }

    /// Marks a state; `false` where it is marked already.
    fn mark(&mut self, state: u32) -> bool {
        let round = self.round;
        self.marks.get_mut(state as usize).is_some_and(|mark| std::mem::replace(mark, round) != round)
    }

    /// Adds a state and what can be reached from it without a byte.
    fn close(&mut self, automaton: &Automaton, state: u32, closure: &mut Vec<u32>) {
        let mut open = vec![state];
        while let Some(state) = open.pop() {
            if !self.mark(state) {
                continue;
            }
            match automaton.step(state) {
                Step::Split(one, other) => open.extend([other, one]),
                Step::Byte { .. } | Step::Match(_) => closure.push(state),
                Step::Open => {}
            }
        }
    }

    fn number(&mut self, automaton: &Automaton, mut closure: Vec<u32>) -> State {
        if closure.is_empty() {
            return State::DEAD;
        }
        closure.sort_unstable();
        if let Some(number) = self.numbers.get(closure.as_slice()) {
            return State(*number);
        }
        // The cache is relieved between runs, and a run is bounded, so the numbers suffice.
        let Some(number) = u16::try_from(self.known.len()).ok().filter(|number| number & State::ACCEPTS == 0)
        else {
            return State::DEAD;
        };
        let matches = closure.iter().filter_map(|state| match automaton.step(*state) {
            Step::Match(pattern) => Some(pattern),
            _ => None,
        });
        let matches: Box<[u16]> = matches.collect();
        let number = if matches.is_empty() { number } else { number | State::ACCEPTS };
        let members: Box<[u32]> = closure.into_boxed_slice();
        self.numbers.insert(members.clone(), number);
        self.known.push((members, matches));
        self.next.resize(self.known.len() * automaton.class_count, State::UNKNOWN.0);
        State(number)
    }
}

#[derive(Default)]
struct Builder {
    states: Vec<Step>,
    sets: Vec<Set>,
    /// How many states the pattern at hand may reach up to.
    limit: usize,
}

const TOO_LARGE: Fault = Fault { at: 0, message: "the pattern is too large: repeat less, or less often" };

impl Builder {
    /// The patterns, and the state at which each begins.
    fn of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<(Self, Vec<u32>), (usize, Fault)> {
        let mut builder = Self::default();
        let mut starts = Vec::new();
        for (number, pattern) in patterns.into_iter().enumerate() {
            let start = builder.pattern(pattern, number).map_err(|fault| (number, fault))?;
            starts.push(start);
        }
        Ok((builder, starts))
    }

    fn pattern(&mut self, pattern: &str, number: usize) -> Result<u32, Fault> {
        let node = syntax::parse(pattern)?;
        self.limit = (self.states.len() + MAX_PATTERN_STATES).min(MAX_STATES);
        let number = u16::try_from(number).map_err(|_| TOO_LARGE)?;
        let end = self.push(Step::Match(number))?;
        self.node(&node, end)
    }

    fn push(&mut self, step: Step) -> Result<u32, Fault> {
        if self.states.len() >= self.limit {
            return Err(TOO_LARGE);
        }
        self.states.push(step);
        u32::try_from(self.states.len() - 1).map_err(|_| TOO_LARGE)
    }

    /// Builds a node in front of the state `next`; returns where it begins.
    fn node(&mut self, node: &Node, next: u32) -> Result<u32, Fault> {
        match node {
            Node::Set(set) => {
                let position = self.sets.iter().position(|known| known == set);
                let position = position.unwrap_or_else(|| {
                    self.sets.push(*set);
                    self.sets.len() - 1
                });
                let set = u16::try_from(position).map_err(|_| TOO_LARGE)?;
                self.push(Step::Byte { set, next })
            }
            Node::All(nodes) => nodes.iter().rev().try_fold(next, |next, node| self.node(node, next)),
            Node::Any(nodes) => {
                let mut start = None;
                for node in nodes.iter().rev() {
                    let choice = self.node(node, next)?;
                    start = Some(match start {
                        None => choice,
                        Some(others) => self.push(Step::Split(choice, others))?,
                    });
                }
                Ok(start.unwrap_or(next))
            }
            Node::Repeat(node, least, most) => {
                let mut start = next;
                match most {
                    None => {
                        let split = self.push(Step::Open)?;
                        let body = self.node(node, split)?;
                        if let Some(step) = self.states.get_mut(split as usize) {
                            *step = Step::Split(body, next);
                        }
                        start = split;
                    }
                    Some(most) => {
                        for _ in *least..*most {
                            let body = self.node(node, start)?;
                            start = self.push(Step::Split(body, next))?;
                        }
                    }
                }
                for _ in 0..*least {
                    let before = self.states.len();
                    start = self.node(node, start)?;
                    // Nothing, however often, is nothing.
                    if self.states.len() == before {
                        break;
                    }
                }
                Ok(start)
            }
        }
    }
}

/// The classes of bytes that the sets tell apart, and a byte of each.
fn classes(sets: &[Set], words: Set) -> ([u8; 256], Vec<u8>) {
    let mut classes = [0; 256];
    let mut examples: Vec<u8> = Vec::new();
    for byte in 0..=u8::MAX {
        let known = examples
            .iter()
            .position(|example| sets.iter().chain([&words]).all(|set| set.has(byte) == set.has(*example)));
        let class = known.unwrap_or_else(|| {
            examples.push(byte);
            examples.len() - 1
        });
        if let Some(entry) = classes.get_mut(usize::from(byte)) {
            // There are at most 256.
            *entry = u8::try_from(class).unwrap_or(u8::MAX);
        }
    }
    (classes, examples)
}
