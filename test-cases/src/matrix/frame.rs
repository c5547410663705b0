//! Provider's events as the bytes of its stream.

use serde_json::Value;

/// The stream of a provider of this dialect whose events have this data.
///
/// An event of Amazon's is an object with one field, named by the event's type. Named server-sent events are named by
/// the `type` of their data.
pub fn frame(provider: &str, events: &[Value]) -> Vec<u8> {
    let mut stream = Vec::new();
    for event in events {
        match (provider, event) {
            ("bedrock", event) => {
                let (name, payload) =
                    event.as_object().and_then(|event| event.iter().next()).expect("a named event");
                stream.extend(aws_event(name, payload.to_string().as_bytes()));
            }
            (_, Value::String(text)) => stream.extend(format!("data: {text}\n\n").into_bytes()),
            ("anthropic" | "cohere", event) | ("vertex", event) if event["type"].is_string() => {
                let name = event["type"].as_str().unwrap_or_default();
                stream.extend(format!("event: {name}\ndata: {event}\n\n").into_bytes());
            }
            (_, event) => stream.extend(format!("data: {event}\n\n").into_bytes()),
        }
    }
    stream
}

/// One message of Amazon's event stream encoding: a prelude with its checksum, headers, payload, and a checksum of all.
pub fn aws_event(name: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (header, value) in
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(u8::try_from(header.len()).expect("is short"));
        headers.extend(header.as_bytes());
        // A string, with its length.
        headers.push(7);
        headers.extend(u16::try_from(value.len()).expect("is short").to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).expect("is short").to_be_bytes();
    let mut message = Vec::new();
    message.extend(length(16 + headers.len() + payload.len()));
    message.extend(length(headers.len()));
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.extend(headers);
    message.extend(payload);
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message
}
