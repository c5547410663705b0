//! Amazon's event stream encoding (`application/vnd.amazon.eventstream`), from bytes that are cut anywhere.

use super::sse::{Error, Event};

/// Takes a stream apart into its events.
#[derive(Debug)]
pub struct Decoder {}

impl Decoder {
    /// A decoder that holds at most `limit` bytes of one event.
    pub fn new(_limit: usize) -> Self {
        Self {}
    }

    /// Takes more of the stream and gives every event that is complete now to `emit`.
    pub fn push(&mut self, _bytes: &[u8], _emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        Ok(())
    }

    /// The stream has ended.
    pub fn finish(&mut self, _emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        Ok(())
    }
}
