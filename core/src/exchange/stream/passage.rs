//! The provider's bytes on their way to a client of the same dialect.

/// What has come of them: whole events only are delivered, so that an answer that breaks off can still be given a proper end.
#[derive(Debug)]
pub struct Passage {
    /// Whether an event that holds nothing but the usage is kept from the client, who has not asked for it.
    pub hides_usage: bool,
    /// How many bytes of the stream have been delivered, or hidden.
    passed: u64,
    /// The bytes behind those: the beginning of an event.
    pub tail: Vec<u8>,
}

impl Passage {
    pub fn new(hides_usage: bool) -> Self {
        Self { hides_usage, passed: 0, tail: Vec::new() }
    }

    /// Delivers what has come but for its last `unfinished` bytes; `true` when that is just the chunk as it is.
    pub fn deliver_but(&mut self, unfinished: usize, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        if self.tail.is_empty() && unfinished == 0 {
            self.passed += chunk.len() as u64;
            return true;
        }
        self.tail.extend_from_slice(chunk);
        self.deliver(self.tail.len().saturating_sub(unfinished), out);
        false
    }

    /// Takes a chunk without its hidden events, each told by its place in the stream; delivers what comes before the
    /// last of these.
    pub fn take(&mut self, chunk: &[u8], hidden: Vec<std::ops::Range<u64>>, out: &mut Vec<u8>) {
        self.tail.extend_from_slice(chunk);
        for event in hidden {
            self.deliver(self.up_to(event.start), out);
            let count = self.up_to(event.end);
            self.tail.drain(..count);
            self.passed += count as u64;
        }
    }

    /// Delivers what has come up to this place in the stream; the rest is never delivered.
    pub fn deliver_until(&mut self, place: u64, out: &mut Vec<u8>) {
        self.deliver(self.up_to(place), out);
        self.tail.clear();
    }

    /// How many bytes of the tail come before this place in the stream.
    fn up_to(&self, place: u64) -> usize {
        let count = usize::try_from(place.saturating_sub(self.passed)).unwrap_or(usize::MAX);
        count.min(self.tail.len())
    }

    pub fn deliver(&mut self, count: usize, out: &mut Vec<u8>) {
        out.extend(self.tail.drain(..count));
        self.passed += count as u64;
    }
}
