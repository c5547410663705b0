//! Callouts to outside judges: makes them, and tells the exchange what comes of each.

use proxy_wasm::types::{BufferType, MapType};
use sluice_core::exchange::Exchange;
use sluice_core::guard::judge::{Callout, MAX_ANSWER};

use crate::host;

/// The callouts under way of one exchange: the host's number of each, and which of the exchange's questions it is.
#[derive(Debug, Default)]
pub struct Calls(Vec<(u32, usize)>);

impl Calls {
    /// Makes them all at once. One that can't be made is answered by nobody.
    pub fn make(exchange: &mut Exchange, callouts: Vec<Callout>) -> Self {
        let mut calls = Vec::with_capacity(callouts.len());
        for callout in callouts {
            let Callout { number, cluster, headers, body, timeout } = callout;
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            match host::call(&cluster, &headers, Some(&body), timeout) {
                Ok(call) => calls.push((call, number)),
                Err(host::Refused(_)) => exchange.judged(number, None, host::now()),
            }
        }
        Self(calls)
    }

    /// Whether none is under way.
    pub fn are_done(&self) -> bool {
        self.0.is_empty()
    }

    /// A callout of the host's has been answered, by a body of this size, or by nobody.
    pub fn answered(&mut self, exchange: &mut Exchange, call: u32, size: usize) {
        let Some(at) = self.0.iter().position(|(own, _)| *own == call) else { return };
        let (_, number) = self.0.swap_remove(at);
        // Without an answer there are no headers.
        let status = host::header(MapType::HttpCallResponseHeaders, ":status").ok().flatten();
        let status = status.and_then(|status| status.parse().ok());
        // What is longer than any answer is cut there, and no verdict.
        let body = host::buffer(BufferType::HttpCallResponseBody, 0, size.min(MAX_ANSWER + 1));
        let body = body.unwrap_or_default();
        exchange.judged(number, status.map(|status| (status, body.as_slice())), host::now());
    }
}
