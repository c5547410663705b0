//! Amazon's event stream encoding (`application/vnd.amazon.eventstream`), from bytes that are cut anywhere.
//!
//! A message is: its whole length and the length of its headers (4 bytes each, big endian), a CRC-32 of these 8 bytes, the
//! headers, the payload, and a CRC-32 of all before. From the Smithy specification, `Amazon Event Stream`.

use std::borrow::Cow;

use super::sse::{Error, Event};

/// The lengths and their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end of a message.
const CHECKSUM: usize = 4;

/// Takes a stream apart into its events.
///
/// An event is named by its `:event-type`; an exception by `exception:` and its `:exception-type`, and so is an error
/// that the protocol has no type for, by its `:error-code`, its `:error-message` in the data as `{"message": …}`.
#[derive(Debug)]
pub struct Decoder {
    /// The bytes of a message that has not ended yet.
    pending: Vec<u8>,
    limit: usize,
    /// How many bytes of the stream come before those that are looked at.
    passed: u64,
}

/// The headers of a message that matter here.
#[derive(Debug, Default)]
struct Headers<'a> {
    message_type: Option<&'a str>,
    event_type: Option<&'a str>,
    exception_type: Option<&'a str>,
    error_code: Option<&'a str>,
    error_message: Option<&'a str>,
}

impl Decoder {
    /// A decoder that holds at most `limit` bytes of one event.
    pub fn new(limit: usize) -> Self {
        Self { pending: Vec::new(), limit, passed: 0 }
    }

    /// Takes more of the stream and gives every event that is complete now to `emit`.
    ///
    /// After an error the decoder is spent.
    pub fn push(&mut self, bytes: &[u8], emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        if self.pending.is_empty() {
            // The usual case: whole messages in one chunk are read where they are.
            let used = self.consume(bytes, emit)?;
            self.pending.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            self.pending.extend_from_slice(bytes);
            let mut pending = std::mem::take(&mut self.pending);
            let used = self.consume(&pending, emit)?;
            pending.drain(..used);
            self.pending = pending;
        }
        Ok(())
    }

    /// The stream has ended. A message that was cut is left out: whether the answer was complete without it, its
    /// reader knows.
    pub fn finish(&mut self, _emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        self.pending.clear();
        Ok(())
    }

    /// Emits the events of the whole messages at the beginning of `bytes`; returns how many bytes they take.
    fn consume(&mut self, bytes: &[u8], emit: &mut dyn FnMut(Event<'_>)) -> Result<usize, Error> {
        let mut start = 0;
        while let Some((length, headers)) = prelude(bytes.get(start..).unwrap_or_default())? {
            if length > self.limit {
                return Err(Error::TooLong);
            }
            let Some(message) = bytes.get(start..start + length) else { break };
            start += length;
            read_message(message, headers, self.passed + start as u64, emit)?;
        }
        self.passed += start as u64;
        Ok(start)
    }
}

/// The lengths of the message that begins here and of its headers; `None` while they are not there.
fn prelude(bytes: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let Some(&[a, b, c, d, e, f, g, h, i, j, k, l]) = bytes.first_chunk::<PRELUDE>() else { return Ok(None) };
    // Nothing may be believed of a length before its checksum is seen: a wrong one could ask for gigabytes.
    if crc32fast::hash(&[a, b, c, d, e, f, g, h]) != u32::from_be_bytes([i, j, k, l]) {
        return Err(Error::Corrupt);
    }
    let size = |bytes: [u8; 4]| usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX);
    let (length, headers) = (size([a, b, c, d]), size([e, f, g, h]));
    match length.checked_sub(PRELUDE + CHECKSUM).is_some_and(|rest| headers <= rest) {
        true => Ok(Some((length, headers))),
        false => Err(Error::Corrupt),
    }
}

/// Reads a whole message, `headers` bytes of which are its headers.
fn read_message(
    message: &[u8],
    headers: usize,
    end: u64,
    emit: &mut dyn FnMut(Event<'_>),
) -> Result<(), Error> {
    let (checked, checksum) = message.split_last_chunk::<CHECKSUM>().ok_or(Error::Corrupt)?;
    if crc32fast::hash(checked) != u32::from_be_bytes(*checksum) {
        return Err(Error::Corrupt);
    }
    let behind_prelude = checked.get(PRELUDE..).unwrap_or_default();
    let (headers, payload) = behind_prelude.split_at_checked(headers).ok_or(Error::Corrupt)?;
    let headers = read_headers(headers).ok_or(Error::Corrupt)?;
    let payload = std::str::from_utf8(payload).map_err(|_| Error::NotUtf8)?;
    let (name, data) = match headers.message_type {
        None | Some("event") => {
            (Cow::Borrowed(headers.event_type.unwrap_or_default()), Cow::Borrowed(payload))
        }
        Some("exception") => (exception(headers.exception_type.unwrap_or_default()), Cow::Borrowed(payload)),
        Some("error") => {
            let said = serde_json::json!({"message": headers.error_message});
            (exception(headers.error_code.unwrap_or_default()), Cow::Owned(said.to_string()))
        }
        // What comes with future versions.
        Some(_) => return Ok(()),
    };
    emit(Event { name: &name, data, end });
    Ok(())
}

fn exception(kind: &str) -> Cow<'static, str> {
    Cow::Owned(format!("exception:{kind}"))
}

/// Reads headers: the length of a name (1 byte), the name, the type of the value (1 byte), the value.
fn read_headers(mut bytes: &[u8]) -> Option<Headers<'_>> {
    let mut headers = Headers::default();
    while !bytes.is_empty() {
        let length = usize::from(*bytes.split_off_first()?);
        let name = bytes.split_off(..length)?;
        let length = match bytes.split_off_first()? {
            // True and false have no value.
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            6 | 7 => {
                let &[high, low] = bytes.split_off(..2)?.first_chunk()?;
                usize::from(u16::from_be_bytes([high, low]))
            }
            9 => 16,
            _ => return None,
        };
        let value = bytes.split_off(..length)?;
        let field = match name {
            b":message-type" => &mut headers.message_type,
            b":event-type" => &mut headers.event_type,
            b":exception-type" => &mut headers.exception_type,
            b":error-code" => &mut headers.error_code,
            b":error-message" => &mut headers.error_message,
            _ => continue,
        };
        *field = Some(std::str::from_utf8(value).ok()?);
    }
    Some(headers)
}

/// Writes a message with headers of text.
#[cfg(test)]
pub(crate) fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let short = |text: &str| u16::try_from(text.len()).expect("is short");
    let mut written = Vec::new();
    for (name, value) in headers {
        written.push(u8::try_from(name.len()).expect("is short"));
        written.extend_from_slice(name.as_bytes());
        written.push(7);
        written.extend_from_slice(&short(value).to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    let size = |size: usize| u32::try_from(size).expect("is short").to_be_bytes();
    let mut message = size(PRELUDE + written.len() + payload.len() + CHECKSUM).to_vec();
    message.extend_from_slice(&size(written.len()));
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&written);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    fn decode(chunks: &[&[u8]]) -> Result<Vec<(String, String, u64)>, Error> {
        let mut decoder = Decoder::new(1 << 16);
        let mut events = Vec::new();
        let mut emit =
            |event: Event<'_>| events.push((event.name.to_owned(), event.data.into_owned(), event.end));
        for chunk in chunks {
            decoder.push(chunk, &mut emit)?;
        }
        decoder.finish(&mut emit)?;
        Ok(events)
    }

    fn event(kind: &str, payload: &str) -> Vec<u8> {
        let headers =
            [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
        message(&headers, payload.as_bytes())
    }

    fn stream() -> Vec<u8> {
        [
            event("messageStart", "{\"role\":\"assistant\"}"),
            event("contentBlockDelta", "{\"text\":\"käse 😀\"}"),
            message(
                &[(":exception-type", "throttlingException"), (":message-type", "exception")],
                b"{\"message\":\"Slow\"}",
            ),
            message(
                &[(":message-type", "error"), (":error-code", "Busy"), (":error-message", "a \"b\"")],
                b"",
            ),
        ]
        .concat()
    }

    fn names_and_data(events: &[(String, String, u64)]) -> Vec<(&str, &str)> {
        events.iter().map(|(name, data, _)| (name.as_str(), data.as_str())).collect()
    }

    #[test]
    fn events_exceptions_and_errors_are_read() {
        let stream = stream();
        let events = decode(&[&stream]).expect("reads");
        assert_eq!(
            names_and_data(&events),
            [
                ("messageStart", "{\"role\":\"assistant\"}"),
                ("contentBlockDelta", "{\"text\":\"käse 😀\"}"),
                ("exception:throttlingException", "{\"message\":\"Slow\"}"),
                ("exception:Busy", "{\"message\":\"a \\\"b\\\"\"}"),
            ]
        );
        assert_eq!(events[3].2, stream.len() as u64);
    }

    #[test]
    fn a_stream_may_be_cut_at_every_byte() {
        let stream = stream();
        let whole = decode(&[&stream]);
        for first in 0..=stream.len() {
            for second in (first..=stream.len()).step_by(7) {
                let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(decode(&chunks), whole, "cut at {first} and {second}");
            }
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(&single), whole);
    }

    #[test]
    fn a_wrong_bit_anywhere_is_an_error_and_no_garbage() {
        let good = event("contentBlockDelta", "{\"text\":\"x\"}");
        let expected = decode(&[&good]).expect("reads").remove(0);
        for position in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[position / 8] ^= 1 << (position % 8);
            assert_eq!(decode(&[&bad]), Err(Error::Corrupt), "bit {position}");
            // What came before it counts all the same.
            let mut decoder = Decoder::new(1 << 16);
            let mut seen = 0;
            assert_eq!(decoder.push(&[good.clone(), bad].concat(), &mut |_| seen += 1), Err(Error::Corrupt));
            assert_eq!(seen, 1);
        }
        assert_eq!(expected.0, "contentBlockDelta");
    }

    #[test]
    fn lengths_that_contradict_each_other_are_an_error() {
        for (length, headers) in [(15_u32, 0_u32), (16, 1), (0, 0), (100, 85), (20, u32::MAX)] {
            let mut bytes = [length.to_be_bytes(), headers.to_be_bytes()].concat();
            bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
            bytes.resize(200, 0);
            assert_eq!(decode(&[&bytes]), Err(Error::Corrupt), "{length} {headers}");
        }
    }

    #[test]
    fn an_event_is_bounded_before_it_is_there() {
        let mut bytes = [u32::MAX.to_be_bytes(), 0_u32.to_be_bytes()].concat();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        assert_eq!(decode(&[&bytes]), Err(Error::TooLong));
    }

    #[test]
    fn headers_of_every_type_are_passed_over() {
        let mut headers = Vec::new();
        let lengths = [0_usize, 0, 1, 2, 4, 8];
        for (kind, length) in (0_u8..).zip(lengths) {
            headers.extend_from_slice(&[1, b'x', kind]);
            headers.resize(headers.len() + length, 0xff);
        }
        headers
            .extend_from_slice(&[1, b'x', 6, 0, 3, 1, 2, 3, 1, b'x', 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'x', 9]);
        headers.resize(headers.len() + 16, 0);
        headers.extend_from_slice(b"\x0b:event-type\x07\x00\x01e");
        assert_eq!(read_headers(&headers).expect("reads").event_type, Some("e"));
        for cut in 1..=3 {
            assert!(read_headers(&headers[..headers.len() - cut]).is_none());
        }
        assert!(read_headers(&[1, b'x', 10]).is_none());
    }

    #[test]
    fn what_is_not_utf8_is_an_error() {
        let bad = message(&[(":event-type", "x"), (":message-type", "event")], b"\xff");
        assert_eq!(decode(&[&bad]), Err(Error::NotUtf8));
    }

    #[test]
    fn a_message_that_was_cut_is_left_out() {
        let good = event("metadata", "{}");
        let events = decode(&[&good, &good[..good.len() - 1]]).expect("reads");
        assert_eq!(names_and_data(&events), [("metadata", "{}")]);
    }

    #[test]
    fn the_messages_of_other_writers_are_read() {
        // The empty message, as every SDK of Amazon's has it among its test cases; and one that botocore reads.
        let metadata = "AAAAeQAAAE4AhDFACzpldmVudC10eXBlBwAIbWV0YWRhdGENOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb24NOm1l\
                        c3NhZ2UtdHlwZQcABWV2ZW50eyJ1c2FnZSI6eyJpbnB1dFRva2VucyI6MX19CRbGsA==";
        for (encoded, expected) in [
            ("AAAAEAAAAAAFwkjrfZjI/w==", ("", "")),
            (metadata, ("metadata", "{\"usage\":{\"inputTokens\":1}}")),
        ] {
            let bytes = BASE64_STANDARD.decode(encoded).expect("is base64");
            assert_eq!(names_and_data(&decode(&[&bytes]).expect("reads")), [expected]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_read_the_same_however_they_are_cut(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            cut in 0_usize..80,
        ) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]), decode(&[&bytes]));
        }

        #[test]
        fn any_headers_and_payload_come_back(
            name in "[a-zA-Z]{0,20}",
            payload in "\\PC{0,40}",
            cut in 0_usize..120,
        ) {
            let bytes = event(&name, &payload);
            let cut = cut.min(bytes.len());
            let events = decode(&[&bytes[..cut], &bytes[cut..]]).expect("reads");
            prop_assert_eq!(names_and_data(&events), vec![(name.as_str(), payload.as_str())]);
        }

        #[test]
        fn any_headers_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = read_headers(&bytes);
        }
    }
}
