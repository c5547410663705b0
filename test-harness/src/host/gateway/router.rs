//! Envoy's router as far as failover goes: what the `x-envoy-*` request headers ask for, and what they make of an
//! answer (`common/router/retry_state_impl.cc`).
use std::time::Duration;

use crate::host::headers::HeaderMap;

/// The retries of one request.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    retry_on: Vec<String>,
    retriable_statuses: Vec<u16>,
    retries_left: u32,
    pub per_try_timeout: Option<Duration>,
    /// What the request's body has brought so far: each attempt gets it from its start.
    pub body: Vec<u8>,
    /// A body has come, even one without bytes: every attempt then has one, so that its filter can fill it.
    pub has_body: bool,
    pub trailers: Option<HeaderMap>,
    pub request_complete: bool,
    /// A response is on its way to the client: no retry any more.
    pub response_started: bool,
}

/// Why an attempt ended without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetReason {
    ConnectFailure,
    Break(&'static str),
    PerTryTimeout,
}

impl ResetReason {
    /// Envoy's words for it.
    pub fn text(self) -> &'static str {
        match self {
            Self::ConnectFailure => {
                "remote connection failure, transport failure reason: delayed connect error: Connection refused"
            }
            Self::Break(reason) => reason,
            Self::PerTryTimeout => "local reset",
        }
    }
}

impl Router {
    /// Reads the request's retry headers and takes them away, as the router does before the first attempt. One of
    /// its own it adds: how long the upstream has.
    pub fn take_from(headers: &mut HeaderMap) -> Self {
        let list = |headers: &HeaderMap, name: &str| -> Vec<String> {
            let value = headers.get(name).unwrap_or_default();
            value.split(',').map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).collect()
        };
        let number = |name: &str| headers.get(name).and_then(|value| value.trim().parse::<u32>().ok());
        let retry_on = list(headers, "x-envoy-retry-on");
        let statuses = list(headers, "x-envoy-retriable-status-codes");
        let retries_left = if retry_on.is_empty() { 0 } else { number("x-envoy-max-retries").unwrap_or(1) };
        let per_try = number("x-envoy-upstream-rq-per-try-timeout-ms").filter(|millis| *millis > 0);
        for name in [
            "x-envoy-retry-on",
            "x-envoy-retry-grpc-on",
            "x-envoy-max-retries",
            "x-envoy-hedge-on-per-try-timeout",
            "x-envoy-retriable-header-names",
            "x-envoy-retriable-status-codes",
            "x-envoy-upstream-rq-per-try-timeout-ms",
            "x-envoy-upstream-rq-timeout-ms",
        ] {
            headers.remove(name);
        }
        if let Some(millis) = per_try {
            headers.set("x-envoy-expected-rq-timeout-ms", millis.to_string());
        }
        Self {
            retry_on,
            retriable_statuses: statuses.iter().filter_map(|status| status.parse().ok()).collect(),
            retries_left,
            per_try_timeout: per_try.map(|millis| Duration::from_millis(u64::from(millis))),
            body: Vec::new(),
            has_body: false,
            trailers: None,
            request_complete: false,
            response_started: false,
        }
    }

    /// A body over the buffer limit can't be sent twice.
    pub fn give_up_retries(&mut self) {
        self.retry_on.clear();
    }

    /// Whether response headers lead to another attempt; it is counted.
    pub fn retries_headers(&mut self, headers: &HeaderMap) -> bool {
        if headers.contains("x-envoy-overloaded") {
            return false;
        }
        if headers.contains("x-envoy-ratelimited") {
            return self.on("envoy-ratelimited") && self.count();
        }
        let status: u16 = headers.get(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        let would = (self.on("5xx") && (500..600).contains(&status))
            || (self.on("gateway-error") && (502..=504).contains(&status))
            || (self.on("retriable-4xx") && status == 409)
            || (self.on("retriable-status-codes") && self.retriable_statuses.contains(&status));
        would && self.count()
    }

    /// Whether an attempt without a response leads to another; it is counted.
    pub fn retries_reset(&mut self, reason: ResetReason) -> bool {
        let would = self.on("reset")
            || self.on("5xx")
            || self.on("gateway-error")
            || (self.on("connect-failure") && reason == ResetReason::ConnectFailure)
            || (self.on("reset-before-request") && reason == ResetReason::ConnectFailure);
        !self.response_started && would && self.count()
    }

    fn on(&self, token: &str) -> bool {
        self.retry_on.iter().any(|held| held == token)
    }

    fn count(&mut self) -> bool {
        let allowed = self.retries_left > 0;
        self.retries_left = self.retries_left.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str) -> HeaderMap {
        HeaderMap::of([(":status", status)])
    }

    #[test]
    fn the_retry_headers_decide_and_go_no_further() {
        let mut headers = HeaderMap::of([
            (":path", "/"),
            ("x-envoy-retry-on", "retriable-status-codes, connect-failure"),
            ("x-envoy-retriable-status-codes", "429,529"),
            ("x-envoy-max-retries", "3"),
            ("x-envoy-upstream-rq-per-try-timeout-ms", "250"),
        ]);
        let mut router = Router::take_from(&mut headers);
        assert_eq!(headers, HeaderMap::of([(":path", "/"), ("x-envoy-expected-rq-timeout-ms", "250")]));
        assert!(!router.retries_headers(&answer("503")));
        assert!(router.retries_headers(&answer("529")));
        assert!(!router.retries_reset(ResetReason::Break("connection termination")));
        assert!(router.retries_reset(ResetReason::ConnectFailure));
        assert!(router.retries_headers(&answer("429")));
        assert!(!router.retries_headers(&answer("429")));
    }

    #[test]
    fn without_retry_on_nothing_is_retried() {
        let mut router = Router::take_from(&mut HeaderMap::of([("x-envoy-max-retries", "3")]));
        assert!(!router.retries_headers(&answer("503")));
        assert!(!router.retries_reset(ResetReason::ConnectFailure));
    }

    #[test]
    fn a_rate_limited_or_overloaded_answer_is_final() {
        for name in ["x-envoy-ratelimited", "x-envoy-overloaded"] {
            let mut router = Router::take_from(&mut HeaderMap::of([("x-envoy-retry-on", "5xx")]));
            assert!(!router.retries_headers(&HeaderMap::of([(":status", "503"), (name, "true")])));
            assert!(router.retries_headers(&answer("503")));
        }
    }
}
