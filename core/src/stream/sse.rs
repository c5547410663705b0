//! Server-sent events (WHATWG HTML, section 9.2), from bytes that are cut anywhere.
//!
//! One thing goes beyond the specification: a block that is bare JSON counts as an event with that data. Google's servers end
//! a stream that fails so, and its official SDKs read it.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Takes a stream apart into its events.
#[derive(Debug)]
pub struct Decoder {
    /// The bytes of an event that has not ended yet.
    pending: Vec<u8>,
    /// How many bytes of `pending` are known to hold no end of an event.
    scanned: usize,
    limit: usize,
    /// How many bytes of the stream come before those that are looked at.
    passed: u64,
}

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event:` field; empty when there is none.
    pub name: &'a str,
    /// The `data:` fields, joined by line feeds.
    pub data: Cow<'a, str>,
    /// How many bytes of the stream there are up to its end, its blank line included.
    pub end: u64,
}

/// Why a stream can't be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// An event is longer than the limit.
    TooLong,
    /// An event is not UTF-8.
    NotUtf8,
    /// A length or a checksum is wrong: what follows can't be told from garbage.
    Corrupt,
}

impl Decoder {
    /// A decoder that holds at most `limit` bytes of one event.
    pub fn new(limit: usize) -> Self {
        Self { pending: Vec::new(), scanned: 0, limit, passed: 0 }
    }

    /// Takes more of the stream and gives every event that is complete now to `emit`.
    ///
    /// Events without data are left out, as the specification has it. After an error the decoder is spent.
    pub fn push(&mut self, bytes: &[u8], emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        if self.pending.is_empty() {
            // The usual case: whole events in one chunk are read where they are.
            let used = self.consume(bytes, 0, emit)?;
            let rest = bytes.get(used..).unwrap_or_default();
            self.pending.extend_from_slice(rest);
        } else {
            self.pending.extend_from_slice(bytes);
            let mut pending = std::mem::take(&mut self.pending);
            let used = self.consume(&pending, self.scanned, emit)?;
            pending.drain(..used);
            self.pending = pending;
        }
        // An end can be cut in two: up to three bytes (`\n\r\n`, `\r\n\r`) may be the beginning of one.
        self.scanned = self.pending.len().saturating_sub(3);
        match self.pending.len() <= self.limit {
            true => Ok(()),
            false => Err(Error::TooLong),
        }
    }

    /// The stream has ended. An event without its blank line is given all the same when its lines are whole: some
    /// servers close the connection right behind the last one. A line that was cut is left out.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        let pending = std::mem::take(&mut self.pending);
        let end = self.passed + pending.len() as u64;
        match pending.last() {
            Some(b'\n' | b'\r') => parse(&pending, end, emit),
            _ if is_bare_json(&pending) => parse(&pending, end, emit),
            _ => Ok(()),
        }
    }

    /// How many bytes of an unfinished event are held.
    pub fn unfinished(&self) -> usize {
        self.pending.len()
    }

    /// Emits the events that end within `bytes`; returns how many bytes they take.
    fn consume(
        &mut self,
        bytes: &[u8],
        scanned: usize,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<usize, Error> {
        let mut start = 0;
        let mut from = scanned;
        while let Some(end) = end_of_event(bytes, from) {
            let mut event = bytes.get(start..end).unwrap_or_default();
            if self.passed == 0 && start == 0 {
                event = event.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(event);
            }
            parse(event, self.passed + end as u64, emit)?;
            start = end;
            from = end;
        }
        self.passed += start as u64;
        Ok(start)
    }
}

/// The position behind the first blank line at or after `from`.
///
/// A carriage return at the very end may have its line feed still to come, so it ends nothing yet.
pub(crate) fn end_of_event(bytes: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    loop {
        position += memchr2(b'\n', b'\r', bytes.get(position..)?)?;
        let after = behind_line_end(bytes, position)?;
        match bytes.get(after)? {
            b'\n' | b'\r' => return behind_line_end(bytes, after),
            _ => position = after,
        }
    }
}

/// The position behind the line end at `position`; `None` while it may go on.
fn behind_line_end(bytes: &[u8], position: usize) -> Option<usize> {
    match (bytes.get(position)?, bytes.get(position + 1)) {
        (b'\n', _) => Some(position + 1),
        (_, Some(b'\n')) => Some(position + 2),
        (_, Some(_)) => Some(position + 1),
        (_, None) => None,
    }
}

fn is_bare_json(event: &[u8]) -> bool {
    matches!(event.first(), Some(b'{' | b'['))
}

/// Reads the lines of one event.
pub(crate) fn parse(event: &[u8], end: u64, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
    let event = std::str::from_utf8(event).map_err(|_| Error::NotUtf8)?;
    if is_bare_json(event.as_bytes()) {
        emit(Event { name: "", data: Cow::Borrowed(event), end });
        return Ok(());
    }
    let mut name = "";
    let mut data: Option<Cow<'_, str>> = None;
    let mut rest = event;
    while !rest.is_empty() {
        let (line, after) = match memchr2(b'\n', b'\r', rest.as_bytes()) {
            Some(line_end) => {
                let after = behind_line_end(rest.as_bytes(), line_end).unwrap_or(rest.len());
                (rest.get(..line_end).unwrap_or_default(), rest.get(after..).unwrap_or_default())
            }
            None => (rest, ""),
        };
        rest = after;
        let (field, value) = match memchr(b':', line.as_bytes()) {
            // A comment.
            Some(0) => continue,
            Some(colon) => {
                let value = line.get(colon + 1..).unwrap_or_default();
                (line.get(..colon).unwrap_or_default(), value.strip_prefix(' ').unwrap_or(value))
            }
            None => (line, ""),
        };
        match field {
            "event" => name = value,
            "data" => match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(data) => {
                    let data = data.to_mut();
                    data.push('\n');
                    data.push_str(value);
                }
            },
            _ => {}
        }
    }
    if let Some(data) = data {
        emit(Event { name, data, end });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(chunks: &[&[u8]]) -> Result<Vec<(String, String)>, Error> {
        let mut decoder = Decoder::new(1 << 20);
        let mut events = Vec::new();
        let all = chunks.concat();
        let mut emit = |event: Event<'_>| {
            let until = usize::try_from(event.end).expect("is short");
            assert!(until == all.len() || all[..until].ends_with(b"\n") || all[..until].ends_with(b"\r"));
            events.push((event.name.to_owned(), event.data.into_owned()));
        };
        for chunk in chunks {
            decoder.push(chunk, &mut emit)?;
        }
        decoder.finish(&mut emit)?;
        Ok(events)
    }

    const STREAM: &str = "\u{feff}: hello\n\nevent: a\r\ndata: 1\r\n\r\ndata: käse\rdata:  two\r\rdata\n\n: ping\n\n\
                          id: 7\nretry: 3\nevent: nothing\n\nevent: b\ndata: {\"x\": \"😀\"}\n\n\n\ndata: last\r";

    fn expected() -> Vec<(String, String)> {
        [("a", "1"), ("", "käse\n two"), ("", ""), ("b", "{\"x\": \"😀\"}"), ("", "last")]
            .map(|(name, data)| (name.to_owned(), data.to_owned()))
            .to_vec()
    }

    #[test]
    fn every_kind_of_line_is_read() {
        assert_eq!(decode(&[STREAM.as_bytes()]), Ok(expected()));
    }

    #[test]
    fn a_stream_may_be_cut_at_every_byte() {
        let bytes = STREAM.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(decode(&chunks), Ok(expected()), "cut at {first} and {second}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&single), Ok(expected()));
    }

    #[test]
    fn bare_json_at_the_end_is_an_event() {
        let stream = b"data: 1\r\n\r\n{\n  \"error\": {\"code\": 503}\n}";
        for cut in 0..=stream.len() {
            let events = decode(&[&stream[..cut], &stream[cut..]]).expect("reads");
            assert_eq!(events[1].1, "{\n  \"error\": {\"code\": 503}\n}");
        }
    }

    #[test]
    fn an_event_is_bounded() {
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.push(b"data: 12345", &mut |_| ()), Err(Error::TooLong));
    }

    #[test]
    fn what_is_not_utf8_is_an_error() {
        assert_eq!(decode(&[b"data: \xff\n\n"]), Err(Error::NotUtf8));
    }

    proptest! {
        #[test]
        fn any_bytes_read_the_same_however_they_are_cut(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), Just(b'a'), Just(b't'), any::<u8>(),
            ], 0..80),
            cut in 0_usize..80,
        ) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]), decode(&[&bytes]));
        }
    }
}
