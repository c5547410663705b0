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

/// A state of an [`Automaton`]'s [`Cache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(u16);

impl State {
    const UNKNOWN: Self = Self(0);
    const DEAD: Self = Self(1);

    /// Whether no more text can make a match.
    pub fn is_dead(self) -> bool {
        self == Self::DEAD
    }
}

/// The patterns, compiled.
#[derive(Debug)]
pub struct Automaton {
    states: Vec<Step>,
    sets: Vec<Set>,
    /// The state at which each pattern begins.
    starts: Vec<u32>,
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
        let mut builder = Builder::default();
        let mut starts = Vec::new();
        for (number, pattern) in patterns.into_iter().enumerate() {
            let start = builder.pattern(pattern, number).map_err(|fault| (number, fault))?;
            starts.push(start);
        }
        let (classes, examples) = classes(&builder.sets);
        let class_count = examples.len();
        Ok(Self { states: builder.states, sets: builder.sets, starts, classes, class_count, examples })
    }

    /// What one pattern takes, or what is wrong with it.
    pub fn weigh(pattern: &str) -> Result<usize, Fault> {
        let mut builder = Builder::default();
        let start = builder.pattern(pattern, 0)?;
        let automaton = Self {
            states: builder.states,
            sets: Vec::new(),
            starts: vec![start],
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
        let at = usize::from(state.0) * self.class_count + usize::from(class);
        match cache.next.get(at) {
            Some(0) => self.make(cache, state, class, at),
            Some(next) => State(*next),
            None => State::DEAD,
        }
    }

    /// The patterns that match what was read up to this state.
    #[inline]
    pub fn matches<'c>(&self, cache: &'c Cache, state: State) -> &'c [u16] {
        cache.known.get(usize::from(state.0)).map_or(&[], |(_, matches)| matches)
    }

    /// Forgets states when they have become many. Every [`State`] is void after it.
    pub fn relieve(&self, cache: &mut Cache) {
        if cache.next.len() * size_of::<u16>() > MAX_CACHE || cache.known.len() > usize::from(u16::MAX) - 300
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
        let Some((members, _)) = cache.known.get(usize::from(state.0)) else { return State::DEAD };
        let members = members.clone();
        let byte = self.examples.get(usize::from(class)).copied().unwrap_or(0);
        cache.begin(self);
        let mut closure = Vec::new();
        for member in &members {
            if let Step::Byte { set, next } = self.step(*member)
                && self.sets.get(usize::from(set)).is_some_and(|set| set.has(byte))
            {
                cache.close(self, next, &mut closure);
            }
        }
        let next = cache.number(self, closure);
        if let Some(entry) = cache.next.get_mut(at) {
            *entry = next.0;
        }
        next
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
            self.next.resize((usize::from(number.0) + 1) * automaton.class_count, State::DEAD.0);
        }
    }

    fn begin(&mut self, automaton: &Automaton) {
        self.marks.resize(automaton.states.len(), 0);
        self.round += 1;
    }

    /// Adds a state and what can be reached from it without a byte.
    fn close(&mut self, automaton: &Automaton, state: u32, closure: &mut Vec<u32>) {
        let mut open = vec![state];
        while let Some(state) = open.pop() {
            match self.marks.get_mut(state as usize) {
                Some(mark) if *mark != self.round => *mark = self.round,
                _ => continue,
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
        let Ok(number) = u16::try_from(self.known.len()) else { return State::DEAD };
        let matches = closure.iter().filter_map(|state| match automaton.step(*state) {
            Step::Match(pattern) => Some(pattern),
            _ => None,
        });
        let matches: Box<[u16]> = matches.collect();
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
fn classes(sets: &[Set]) -> ([u8; 256], Vec<u8>) {
    let mut classes = [0; 256];
    let mut examples: Vec<u8> = Vec::new();
    for byte in 0..=u8::MAX {
        let known =
            examples.iter().position(|example| sets.iter().all(|set| set.has(byte) == set.has(*example)));
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
