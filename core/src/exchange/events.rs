//! A client's stream as it is cut into events, or into the elements of one JSON array.

use crate::stream::sse;

/// Cuts a stream that comes in any pieces.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Whether the stream is one JSON array.
    array: bool,
    /// The beginning of an event.
    pending: Vec<u8>,
}

impl Events {
    pub(super) fn new(array: bool) -> Self {
        Self { array, pending: Vec::new() }
    }

    /// How many bytes of an event are held that has not ended.
    pub(super) fn unfinished(&self) -> usize {
        self.pending.len()
    }

    /// Takes more of the stream. `take` gets each event that is whole, with its blank line, and of an array what stands between
    /// two elements too; where it returns that it takes no more, the rest is forgotten.
    pub(super) fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut from = 0;
        while let Some(length) = self.next(pending.get(from..).unwrap_or_default()) {
            if !take(pending.get(from..from + length).unwrap_or_default()) {
                return;
            }
            from += length;
        }
        self.pending = pending.get(from..).unwrap_or_default().to_vec();
    }

    /// The stream has ended: what is left of it, which may be an event without its blank line.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    /// How long the next whole event is, or what stands between two elements.
    fn next(&self, bytes: &[u8]) -> Option<usize> {
        match self.array {
            false => sse::end_of_event(bytes, 0),
            true => match bytes.first()? {
                b'{' => end_of_object(bytes),
                _ => Some(bytes.iter().position(|byte| *byte == b'{').unwrap_or(bytes.len())),
            },
        }
    }
}

/// Gives an event's name and data to `read`, if it has data. An error means that it is no text.
pub(super) fn read(array: bool, raw: &[u8], read: &mut dyn FnMut(&str, &str)) -> Result<(), sse::Error> {
    if array {
        let text = std::str::from_utf8(raw).map_err(|_| sse::Error::NotUtf8)?;
        if text.starts_with('{') {
            read("", text);
        }
        return Ok(());
    }
    let stripped = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw);
    sse::parse(stripped, 0, &mut |event| read(event.name, &event.data))
}

/// How long the JSON object is that a text begins with, once it is whole.
fn end_of_object(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' if !in_string => depth += 1,
            b'}' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a stream that is cut in two, each with its data.
    fn pieces(array: bool, stream: &str, cut: usize) -> Vec<(String, String)> {
        let mut events = Events::new(array);
        let mut raws = Vec::new();
        for part in [&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]] {
            events.push(part, &mut |raw| {
                raws.push(raw.to_vec());
                true
            });
        }
        let rest = events.rest();
        if !rest.is_empty() {
            raws.push(rest);
        }
        assert_eq!(raws.concat(), stream.as_bytes());
        let read = |raw: &Vec<u8>| {
            let mut all = String::new();
            read(array, raw, &mut |name, data| all = format!("{name}|{data}")).expect("is text");
            (String::from_utf8_lossy(raw).into_owned(), all)
        };
        raws.iter().map(read).collect()
    }

    #[test]
    fn a_stream_is_cut_into_the_same_events_wherever_it_is_cut() {
        let stream = "\u{feff}event: a\r\ndata: 1\r\n\r\n: ping\n\ndata: {\"x\":\n\nä: 2";
        for cut in 0..=stream.len() {
            let data: Vec<_> = pieces(false, stream, cut).into_iter().map(|(_, data)| data).collect();
            assert_eq!(data, ["a|1", "", "|{\"x\":", ""], "cut at {cut}");
        }
    }

    #[test]
    fn an_array_is_cut_into_its_elements() {
        let stream = r#"[{"a":"}\"{"},
 {"b":{}}]"#;
        for cut in 0..=stream.len() {
            let elements: Vec<_> = pieces(true, stream, cut)
                .into_iter()
                .map(|(_, data)| data)
                .filter(|data| !data.is_empty())
                .collect();
            assert_eq!(elements, [r#"|{"a":"}\"{"}"#, r#"|{"b":{}}"#], "cut at {cut}");
        }
    }

    #[test]
    fn who_takes_no_more_gets_no_more() {
        let mut events = Events::new(false);
        let mut count = 0;
        for _ in 0..2 {
            events.push(b"data: 1\n\ndata: 2\n\ndata", &mut |_| {
                count += 1;
                false
            });
            assert_eq!(events.unfinished(), 0);
        }
        assert_eq!(count, 2);
    }
}
