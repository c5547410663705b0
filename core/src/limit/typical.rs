//! How many tokens a model's answers have, learnt from those it has given: what is reserved where a client sets no cap.

/// The output that about nine of ten answers stay under.
///
/// The first answer sets it, to four times its own output. Then it moves a step up with each answer above it and a ninth of one
/// down with each below, in powers of two, so that it rests where one of ten is above. Steps are large at first, and never so
/// small that it stops following.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typical {
    /// The output's binary logarithm, in parts of [`OCTAVE`].
    level: u32,
    /// How many answers there have been.
    answers: u32,
}

/// How many bytes the state has.
pub const BYTES: usize = 16;

/// A factor of two.
const OCTAVE: u32 = 1 << 16;
/// What is expected before there was any answer: 1,024 tokens.
const START: u32 = 10 * OCTAVE;
/// How far above the first answer it begins.
const ABOVE_FIRST: u32 = 2 * OCTAVE;
/// No vendor's model says more than 2^24 tokens.
const HIGHEST: u32 = 24 * OCTAVE;
/// The first step, and the smallest.
const FIRST_STEP: u32 = OCTAVE;
const LAST_STEP: u32 = OCTAVE / 8;
/// After so many answers steps have half of their first length.
const HALF: u32 = 6;
/// How many answers stay under, of ten.
const UNDER: u32 = 9;

/// Told apart from what another version or another kind of state has written.
const MARK: [u8; 4] = *b"typ1";

impl Default for Typical {
    fn default() -> Self {
        Self { level: START, answers: 0 }
    }
}

impl Typical {
    /// What an answer is likely to have at most, in tokens.
    pub fn tokens(self) -> u64 {
        let (octave, part) = (self.level / OCTAVE, u64::from(self.level % OCTAVE));
        let tokens = (u64::from(OCTAVE) + part) << octave;
        tokens / u64::from(OCTAVE)
    }

    /// How many answers it has learnt from.
    pub fn answers(self) -> u32 {
        self.answers
    }

    /// The state after an answer with this output; one without any says nothing.
    #[must_use]
    pub fn learn(self, output: u64) -> Self {
        let Some(octave) = output.checked_ilog2() else { return self };
        // Between two powers of two the logarithm is taken for a straight line.
        let part = ((u128::from(output) << 16) >> octave) as u32 % OCTAVE;
        let level = (octave * OCTAVE + part).min(HIGHEST);
        let step = (FIRST_STEP * HALF / (HALF + self.answers.min(1_000))).max(LAST_STEP);
        // Never past the answer that it is moved by.
        let moved = if self.answers == 0 {
            (level + ABOVE_FIRST).min(HIGHEST)
        } else if level > self.level {
            (self.level + step * UNDER / 10).min(level)
        } else {
            self.level.saturating_sub(step * (10 - UNDER) / 10).max(level)
        };
        Self { level: moved, answers: self.answers.saturating_add(1) }
    }

    /// The state as shared data keeps it.
    pub fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let parts = MARK.into_iter().chain(self.level.to_le_bytes()).chain(self.answers.to_le_bytes());
        for (place, byte) in bytes.iter_mut().zip(parts) {
            *place = byte;
        }
        bytes
    }

    /// The state that [`encode`](Self::encode) wrote; `None` where it is something else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let rest = bytes.strip_prefix(&MARK)?;
        let (level, rest) = rest.split_first_chunk()?;
        let (answers, rest) = rest.split_first_chunk()?;
        let state = Self { level: u32::from_le_bytes(*level), answers: u32::from_le_bytes(*answers) };
        (state.level <= HIGHEST && rest.iter().all(|byte| *byte == 0)).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Outputs as models have them: many short ones, few long ones, each power of two around `middle` as likely as a normal
    /// distribution with a width of 1.5 has it.
    fn outputs(middle: f64, seed: u64) -> impl Iterator<Item = u64> {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(move || {
            let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            (middle * (1.5 * normal).exp2()).max(1.0) as u64
        })
    }

    fn learn(state: Typical, outputs: impl Iterator<Item = u64>) -> Typical {
        outputs.fold(state, Typical::learn)
    }

    /// How many of the next outputs stay under what is expected, in percent.
    fn under(state: Typical, outputs: impl Iterator<Item = u64>) -> usize {
        outputs.take(2_000).filter(|output| *output <= state.tokens()).count() / 20
    }

    #[test]
    fn it_begins_at_a_thousand_tokens() {
        let state = Typical::default();
        assert_eq!((state.tokens(), state.answers()), (1_024, 0));
        assert_eq!(state.learn(0), state, "an answer without output");
    }

    #[test]
    fn after_fifty_answers_nine_of_ten_stay_under() {
        for middle in [30.0, 300.0, 3_000.0] {
            let shares: Vec<_> = (0..100)
                .map(|seed| {
                    under(
                        learn(Typical::default(), outputs(middle, seed).take(50)),
                        outputs(middle, seed + 1_000),
                    )
                })
                .collect();
            let mean = shares.iter().sum::<usize>() / shares.len();
            let far = shares.iter().filter(|share| **share < 70).count();
            assert!((82..=98).contains(&mean) && far <= 5, "{middle}: {mean} on average, {far} under 70");
        }
    }

    #[test]
    fn in_the_long_run_nine_of_ten_stay_under_with_little_unrest() {
        let mut state = learn(Typical::default(), outputs(400.0, 1).take(500));
        let (mut kept, mut levels) = (0, Vec::new());
        for output in outputs(400.0, 2).take(20_000) {
            kept += usize::from(output <= state.tokens());
            state = state.learn(output);
            levels.push(state.tokens());
        }
        assert!((17_600..=18_400).contains(&kept), "{kept}");
        levels.sort_unstable();
        let (low, middle, high) = (levels[2_000], levels[10_000], levels[18_000]);
        assert!(low * 3 > middle * 2 && high * 2 < middle * 3, "{low} {middle} {high}");
    }

    #[test]
    fn it_follows_answers_that_grow_and_shrink() {
        let short = learn(Typical::default(), outputs(100.0, 3).take(1_000));
        let long = learn(short, outputs(1_600.0, 4).take(100));
        assert!(under(long, outputs(1_600.0, 5)) >= 75, "{} after {}", long.tokens(), short.tokens());
        let again = learn(long, outputs(100.0, 6).take(600));
        assert!(again.tokens() < short.tokens() * 2, "{} after {}", again.tokens(), long.tokens());
    }

    #[test]
    fn one_answer_of_absurd_length_moves_it_by_a_step() {
        let state = learn(Typical::default(), outputs(400.0, 7).take(200));
        assert!(state.learn(u64::MAX).tokens() < state.tokens() * 11 / 10 + 1);
    }

    #[test]
    fn what_was_written_by_others_is_not_read() {
        let bytes = Typical::default().encode();
        assert_eq!(bytes.len(), BYTES);
        assert_eq!(Typical::decode(&bytes[..15]), None);
        assert_eq!(Typical::decode(&[0; BYTES]), None);
        for position in [0, 3, 7, 12, 15] {
            let mut other = bytes;
            other[position] = 0xff;
            assert_eq!(Typical::decode(&other), None, "{position}");
        }
    }

    proptest! {
        #[test]
        fn any_outputs_leave_a_state_that_is_read_as_it_was_written(outputs in prop::collection::vec(any::<u64>(), 0..200)) {
            let (mut state, mut highest) = (Typical::default(), 1_024);
            for output in outputs {
                state = state.learn(output);
                highest = highest.max(output.saturating_mul(4).min(1 << 24));
                prop_assert!(state.tokens() <= highest && state.tokens() >= 1);
                prop_assert_eq!(Typical::decode(&state.encode()), Some(state));
            }
        }
    }
}
