//! The messages of Envoy's rate-limit service, as far as they are used, and gRPC's form of a call's body.
//!
//! `envoy/service/ratelimit/v3/rls.proto` and `envoy/extensions/common/ratelimit/v3/ratelimit.proto` of Envoy's API 1.40;
//! frames by gRPC over HTTP/2 (PROTOCOL-HTTP2.md): a byte that says whether it is compressed, four of length, the message.

use prost::Message;

/// The path of the service's one method.
pub const PATH: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

/// `RateLimitRequest`, without its own number of hits: each descriptor has one.
#[derive(Clone, PartialEq, Message)]
pub struct Request {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(message, repeated, tag = "2")]
    pub descriptors: Vec<Descriptor>,
}

/// `RateLimitDescriptor`.
#[derive(Clone, PartialEq, Message)]
pub struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<Entry>,
    /// A `google.protobuf.UInt64Value`: 0 asks and adds nothing, none at all adds 1.
    #[prost(message, optional, tag = "3")]
    pub hits_addend: Option<u64>,
}

/// `RateLimitDescriptor.Entry`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Entry {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `RateLimitResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct Response {
    /// One for each descriptor, in order.
    #[prost(message, repeated, tag = "2")]
    pub statuses: Vec<Status>,
}

/// `RateLimitResponse.DescriptorStatus`.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// None where the service has no limit for the descriptor, and so no counter.
    #[prost(message, optional, tag = "2")]
    pub current_limit: Option<CurrentLimit>,
    #[prost(uint32, tag = "3")]
    pub limit_remaining: u32,
}

/// `RateLimitResponse.RateLimit`.
#[derive(Clone, PartialEq, Message)]
pub struct CurrentLimit {
    #[prost(uint32, tag = "1")]
    pub requests_per_unit: u32,
}

const HEADER_BYTES: usize = 5;

/// The body of a call.
pub fn frame(request: &Request) -> Vec<u8> {
    let length = request.encoded_len();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + length);
    bytes.push(0);
    bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    request.encode_raw(&mut bytes);
    bytes
}

/// What the body of an answer holds; `None` where it is not one message, uncompressed.
pub fn unframe(body: &[u8]) -> Option<Response> {
    let (header, message) = body.split_first_chunk::<HEADER_BYTES>()?;
    let [0, length @ ..] = *header else { return None };
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    if message.len() != length {
        return None;
    }
    Response::decode(message).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as the Go classes of Envoy's own protos write them (go-control-plane 1.40.0).
    #[test]
    fn a_request_is_what_envoys_protos_say() {
        let entry = |key: &str, value: &str| Entry { key: key.to_owned(), value: value.to_owned() };
        let request = Request {
            domain: "d".to_owned(),
            descriptors: vec![
                Descriptor { entries: vec![entry("k", "v"), entry("a", "b")], hits_addend: Some(300) },
                Descriptor { entries: vec![entry("k", "v")], hits_addend: Some(0) },
            ],
        };
        let expected: &[u8] = b"\x00\x00\x00\x00\x26\x0a\x01d\
            \x12\x15\x0a\x06\x0a\x01k\x12\x01v\x0a\x06\x0a\x01a\x12\x01b\x1a\x03\x08\xac\x02\
            \x12\x0a\x0a\x06\x0a\x01k\x12\x01v\x1a\x00";
        assert_eq!(frame(&request).escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn an_answer_is_read_and_nothing_else_is() {
        // By the same: overall_code OVER_LIMIT; a status OK of 10 a day (DAY), 4 remaining, 3600 s until the reset; one without a limit.
        let message =
            b"\x08\x02\x12\x0f\x08\x01\x12\x04\x08\x0a\x10\x04\x18\x04\x22\x03\x08\x90\x1c\x12\x02\x08\x01";
        let mut body = vec![0, 0, 0, 0, message.len() as u8];
        body.extend_from_slice(message);
        let found = unframe(&body).expect("is one");
        let limit = CurrentLimit { requests_per_unit: 10 };
        let expected = [
            Status { current_limit: Some(limit), limit_remaining: 4 },
            Status { current_limit: None, limit_remaining: 0 },
        ];
        assert_eq!(found.statuses, expected);
        for length in 0..body.len() {
            assert_eq!(unframe(&body[..length]), None, "{length}");
        }
        body[0] = 1;
        assert_eq!(unframe(&body), None, "compressed");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(body: Vec<u8>) {
            let _ = unframe(&body);
        }
    }
}
