//! What a signal is, and how the ones that a text gives are found: words of concepts, near each other.

/// A sign that a text gives orders which its reader has not to take.
///
/// Its steps are names of [`Concept`]s, in the order in which they have to come; with a `~` before them, in any order.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// Unique; told to the operator.
    pub name: &'static str,
    pub steps: &'static str,
    /// So many words may stand between two steps.
    pub within: u8,
    /// How much it says, in thousandths of certainty; less than nothing for what speaks against it.
    pub points: i16,
}

/// Words that mean the same to signals, in whatever language.
#[derive(Clone, Copy, Debug)]
pub struct Concept {
    pub name: &'static str,
    /// Words and phrases, in lower case, with a `|` between them; a `*` at a word's end stands for any ending.
    pub words: &'static str,
}

/// Signals of one kind, with the words that only they need.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    pub name: &'static str,
    pub concepts: &'static [Concept],
    pub signals: &'static [Signal],
    /// Texts, each with the signal that it gives.
    #[cfg(test)]
    pub hits: &'static [(&'static str, &'static str)],
    /// Texts that give none of the family's signals.
    #[cfg(test)]
    pub misses: &'static [&'static str],
}

impl Signal {
    pub const fn new(name: &'static str, points: i16, within: u8, steps: &'static str) -> Self {
        Self { name, steps, within, points }
    }
}

impl Concept {
    pub const fn new(name: &'static str, words: &'static str) -> Self {
        Self { name, words }
    }

    /// The words as a pattern.
    pub fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.words.len() + 8);
        for character in self.words.chars() {
            match character {
                '*' => pattern.push_str("[^ \\n]*"),
                '|' | ' ' => pattern.push(character),
                _ if character.is_ascii_punctuation() => pattern.extend(['\\', character]),
                _ => pattern.push(character),
            }
        }
        pattern
    }
}

/// A place in a text where a concept stands. Places count units: two for each word, one for a character of a script that
/// is written without spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub concept: u16,
    pub start: u32,
    pub end: u32,
}

/// A signal with its steps by number.
#[derive(Debug)]
struct Compiled {
    steps: usize,
    ordered: bool,
    /// In units.
    within: u32,
}

/// Signals, made ready.
#[derive(Debug)]
pub struct Signals {
    compiled: Vec<Compiled>,
    /// By concept: the signals that it is a step of, and which.
    uses: Vec<Vec<(u16, u8)>>,
}

/// The most steps of a signal.
pub const MAX_STEPS: usize = 4;

impl Signals {
    /// `concepts`: names, by number.
    pub fn new<'a>(signals: impl Iterator<Item = &'a Signal>, concepts: &[&str]) -> Self {
        let mut uses = vec![Vec::new(); concepts.len()];
        let mut compiled = Vec::new();
        for (number, signal) in signals.enumerate() {
            let steps = signal.steps.strip_prefix('~');
            let ordered = steps.is_none();
            let steps: Vec<&str> = steps.unwrap_or(signal.steps).split(", ").take(MAX_STEPS).collect();
            // The later step comes first: what it stands behind was there before.
            for (place, step) in steps.iter().enumerate().rev() {
                // Several may have one name.
                let named = uses.iter_mut().zip(concepts).filter(|(_, concept)| *concept == step);
                for (uses, _) in named {
                    if let (Ok(number), Ok(place)) = (u16::try_from(number), u8::try_from(place)) {
                        uses.push((number, place));
                    }
                }
            }
            let steps = steps.len();
            compiled.push(Compiled { steps, ordered, within: u32::from(signal.within) * 2 });
        }
        Self { compiled, uses }
    }

    /// The signals that hits give, in the order of places, each with the place where it is first complete.
    pub fn fired(&self, hits: &[Hit]) -> Vec<(u16, u32)> {
        // By signal and step: where the latest run of steps up to it began and ended.
        let mut latest: Vec<[Option<u32>; MAX_STEPS]> = vec![[None; MAX_STEPS]; self.compiled.len()];
        let mut fired: Vec<(u16, u32)> = Vec::new();
        let mut known = vec![false; self.compiled.len()];
        for hit in hits {
            for (number, step) in self.uses.get(usize::from(hit.concept)).into_iter().flatten() {
                #[cfg(test)]
                super::steps::count();
                let at = usize::from(*number);
                let (Some(signal), Some(latest), Some(known)) =
                    (self.compiled.get(at), latest.get_mut(at), known.get_mut(at))
                else {
                    continue;
                };
                let step = usize::from(*step);
                let near = |end: Option<u32>| {
                    end.is_some_and(|end| hit.start >= end && hit.start - end <= signal.within)
                };
                let complete = match signal.ordered {
                    true => {
                        let before = step.checked_sub(1).map(|before| latest.get(before).copied().flatten());
                        let goes_on = before.is_none_or(near);
                        if let (true, Some(place)) = (goes_on, latest.get_mut(step)) {
                            *place = Some(hit.end);
                        }
                        goes_on && step + 1 == signal.steps
                    }
                    false => {
                        if let Some(place) = latest.get_mut(step) {
                            *place = Some(hit.end);
                        }
                        let near = |end: u32| hit.start.abs_diff(end) <= signal.within;
                        latest
                            .iter()
                            .take(signal.steps)
                            .all(|end| end.is_some_and(near) || *end == Some(hit.end))
                    }
                };
                if complete && !std::mem::replace(known, true) {
                    fired.push((*number, hit.end));
                }
            }
        }
        fired
    }
}
