//! Finds the patterns that could match a name, whatever others there are.

use std::collections::HashMap;

use super::pattern::Anchor;

/// Positions of patterns, by their [anchors](Anchor).
#[derive(Debug, Default)]
pub(super) struct Lookup {
    whole: Positions,
    /// By how long a beginning and an end are; both are in the key, one behind the other.
    ends: HashMap<(usize, usize), Positions>,
    /// By the length of what stands somewhere.
    within: HashMap<usize, Positions>,
}

type Positions = HashMap<Vec<u8>, Vec<usize>>;

/// In bytes. Of a longer name not every part is looked up: whoever made it so long could be a client that wants to keep the gateway busy.
const LONGEST: usize = 256;

impl Lookup {
    pub fn insert(&mut self, anchor: Anchor<'_>, position: usize) {
        let (positions, key) = match anchor {
            Anchor::Whole(name) => (&mut self.whole, name.as_bytes().to_vec()),
            Anchor::Ends(start, end) => {
                let lengths = (start.len(), end.len());
                (self.ends.entry(lengths).or_default(), [start.as_bytes(), end.as_bytes()].concat())
            }
            Anchor::Within(piece) => (self.within.entry(piece.len()).or_default(), piece.as_bytes().to_vec()),
        };
        positions.entry(key).or_default().push(position);
    }

    /// Adds the positions of all patterns that could match, in no order, some of them several times.
    pub fn find(&self, name: &str, found: &mut Vec<usize>) {
        let name = name.as_bytes();
        let mut add =
            |positions: &Positions, key: &[u8]| found.extend(positions.get(key).into_iter().flatten());
        add(&self.whole, name);
        let mut key = Vec::new();
        for ((start, end), positions) in &self.ends {
            let Some(rest) = name.len().checked_sub(start + end) else { continue };
            key.clear();
            key.extend(name.iter().take(*start));
            key.extend(name.iter().skip(start + rest));
            add(positions, &key);
        }
        for (length, positions) in &self.within {
            match name.len() <= LONGEST {
                true => name.windows(*length).for_each(|part| add(positions, part)),
                false => positions.keys().for_each(|part| add(positions, part)),
            }
        }
    }
}
