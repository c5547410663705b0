//! Messages of `application/vnd.amazon.eventstream`.

/// Adds an event with this type and JSON.
pub fn event(kind: &str, payload: &[u8], out: &mut Vec<u8>) {
    let mut headers = Vec::with_capacity(96);
    for (name, value) in
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(length8(name));
        headers.extend_from_slice(name.as_bytes());
        // 7: a text.
        headers.extend_from_slice(&[7, 0, length8(value)]);
        headers.extend_from_slice(value.as_bytes());
    }
    let begin = out.len();
    // Lengths and their checksum, and the checksum of it all, are 16 bytes.
    out.extend_from_slice(&length32(headers.len() + payload.len() + 16));
    out.extend_from_slice(&length32(headers.len()));
    let sum = crc32fast::hash(out.get(begin..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload);
    let sum = crc32fast::hash(out.get(begin..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
}

/// Names and types are short, and ours.
fn length8(text: &str) -> u8 {
    u8::try_from(text.len()).unwrap_or(u8::MAX)
}

fn length32(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}
