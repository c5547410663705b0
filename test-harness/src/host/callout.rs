//! Calls that the module makes to other services: HTTP, and gRPC calls and streams. The test answers them.
use super::headers::HeaderMap;

/// An HTTP call of the module that waits for an answer.
#[derive(Clone, Debug)]
pub struct Callout {
    /// The number that the module knows the call by.
    pub token: u32,
    /// The root that made it, by id.
    pub root: u32,
    /// The cluster that was called.
    pub cluster: String,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The request's body.
    pub body: Vec<u8>,
    /// The request's trailers.
    pub trailers: HeaderMap,
    /// Milliseconds until Envoy would give up; 0 is never.
    pub timeout: u32,
}

/// The answer to an HTTP call.
#[derive(Clone, Debug)]
pub enum CalloutReply {
    /// A response arrived whole.
    Response {
        /// With `:status`.
        headers: HeaderMap,
        /// The body.
        body: Vec<u8>,
        /// Empty for none.
        trailers: HeaderMap,
    },
    /// Reset, refused or timed out: the module sees no headers, and the status 11 (broken connection).
    Failure,
}

/// A gRPC call or stream of the module.
#[derive(Clone, Debug)]
pub struct Grpc {
    /// The number that the module knows it by.
    pub token: u32,
    /// The root that made it, by id.
    pub root: u32,
    /// The cluster, or the whole `GrpcService` message where the module sent one.
    pub service: Vec<u8>,
    /// For example `envoy.service.ratelimit.v3.RateLimitService`.
    pub service_name: String,
    /// For example `ShouldRateLimit`.
    pub method: String,
    /// Metadata that goes with the request.
    pub initial_metadata: HeaderMap,
    /// The messages that the module has sent, oldest first.
    pub messages: Vec<Vec<u8>>,
    /// Whether it is a stream.
    pub stream: bool,
    /// Whether the module has said that it will send no more.
    pub local_closed: bool,
    /// Whether the module has cancelled or reset it.
    pub cancelled: bool,
    pub(crate) remote_closed: bool,
}

/// What a gRPC peer does. A unary call ends with its first [`Self::Message`], or with [`Self::Close`].
#[derive(Clone, Debug)]
pub enum GrpcEvent {
    /// `proxy_on_grpc_receive_initial_metadata`
    InitialMetadata(HeaderMap),
    /// `proxy_on_grpc_receive`
    Message(Vec<u8>),
    /// `proxy_on_grpc_receive_trailing_metadata`
    TrailingMetadata(HeaderMap),
    /// `proxy_on_grpc_close` with a gRPC status and its message.
    Close(u32, String),
}

impl CalloutReply {
    /// A response with this status and body.
    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = HeaderMap::of([(":status", status.to_string().as_str())]);
        Self::Response { headers, body: body.into(), trailers: HeaderMap::new() }
    }
}
