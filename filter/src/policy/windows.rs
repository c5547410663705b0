//! A stream that judges judge in windows, on its way to the client.
//!
//! What may go is sent by the next callback of the body, and by resuming the stream only where no other will send anything: Envoy would
//! keep what a callback behind a resumption lets go.

use proxy_wasm::types::{Action, BufferType};
use sluice_core::exchange::{Next, PROVIDER_HEADER, Portion, Reply};

use super::{Answer, PolicyFilter, State};
use crate::host::{self, Refused};
use crate::judges::Calls;
use crate::metrics;

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Windowed {
    /// The calls under way.
    calls: Calls,
    /// Whether Envoy waits, and its buffer can be written to without a callback of the body.
    paused: bool,
    /// Whether the response's headers have gone.
    begun: bool,
    /// Whether the body has come to its end.
    ended: bool,
    /// Nothing else is for the client but this.
    last: Option<Vec<u8>>,
}

const BODY: BufferType = BufferType::HttpResponseBody;

impl PolicyFilter {
    /// Takes more of the stream, the first `size` bytes of Envoy's buffer.
    pub(super) fn take_window(&mut self, size: usize, end_of_stream: bool) -> Result<Action, Refused> {
        let Answer::Windowed(windowed) = &mut self.answer else { return Ok(Action::Continue) };
        windowed.ended |= end_of_stream;
        if let Some(last) = &mut windowed.last {
            let last = std::mem::take(last);
            host::set_buffer(BODY, 0, size, &last)?;
            let has_gone = last.is_empty();
            if has_gone && !end_of_stream && !self.client().is_read_to_its_end() {
                // The client has got its end and reads no further; now the provider has to stop too.
                host::close_stream()?;
            }
            return Ok(Action::Continue);
        }
        let chunk = host::buffer(BODY, 0, size)?;
        let Some((out, next)) = self.judge_window(&chunk, end_of_stream) else { return Ok(Action::Continue) };
        if let Next::Instead(reply) = next {
            return self.put_instead(reply);
        }
        let waits = matches!(next, Next::Hold) && out.is_empty();
        host::set_buffer(BODY, 0, size, &out)?;
        if waits {
            self.pause();
            return Ok(Action::Pause);
        }
        self.begin();
        Ok(Action::Continue)
    }

    /// The stream ends with trailers, behind which nothing of the body can be sent unless Envoy has been waiting since the last of it.
    pub(super) fn end_windows(&mut self) -> Result<Action, Refused> {
        let Answer::Windowed(windowed) = &mut self.answer else { return Ok(Action::Continue) };
        windowed.ended = true;
        let paused = windowed.paused;
        let (out, next) = match &mut windowed.last {
            Some(last) => (std::mem::take(last), Next::Ended),
            None => match self.judge_window(&[], true) {
                Some(judged) => judged,
                None => return Ok(Action::Continue),
            },
        };
        match next {
            Next::Instead(reply) => return self.put_instead(reply),
            Next::Hold if paused => return Ok(Action::Pause),
            Next::Hold => return Err(Refused(0)),
            _ if out.is_empty() => {}
            _ if paused => host::set_buffer(BODY, 0, usize::MAX, &out)?,
            _ => return Err(Refused(0)),
        }
        self.begin();
        Ok(Action::Continue)
    }

    /// A judge has answered, or nobody has in its stead.
    pub(super) fn window_judged(&mut self, call: u32, size: usize) -> Result<(), Refused> {
        let (Answer::Windowed(windowed), State::Serving(parked)) = (&mut self.answer, &self.state) else {
            return Ok(());
        };
        if windowed.last.is_some() {
            return Ok(());
        }
        windowed.calls.answered(&mut parked.exchange.borrow_mut(), call, size);
        if !windowed.calls.are_done() {
            return Ok(());
        }
        let (paused, ended) = (windowed.paused, windowed.ended);
        let Some(portion) = self.rule_window(ended) else { return Ok(()) };
        let (out, next) = self.carry(portion, ended);
        match next {
            Next::Instead(reply) => {
                if self.put_instead(reply)? == Action::Continue {
                    host::resume_response()?;
                }
            }
            Next::Ended if !paused => self.set_last(out),
            Next::Go if !ended => {}
            Next::Hold => {}
            _ => {
                host::set_buffer(BODY, 0, usize::MAX, &out)?;
                self.begin();
                host::resume_response()?;
            }
        }
        Ok(())
    }

    fn judge_window(&mut self, chunk: &[u8], is_end: bool) -> Option<(Vec<u8>, Next)> {
        let State::Serving(parked) = &self.state else { return None };
        let portion = parked.exchange.borrow_mut().judge_stream(chunk, is_end, host::now());
        Some(self.carry(portion, true))
    }

    fn rule_window(&mut self, can_be_sent: bool) -> Option<Portion> {
        let State::Serving(parked) = &self.state else { return None };
        let mut exchange = parked.exchange.borrow_mut();
        metrics::add(&exchange.take_judge_measures());
        Some(exchange.rule_stream(can_be_sent, host::now()))
    }

    /// Makes the calls that a portion asks for. Returns what is to be sent, and what comes behind it.
    fn carry(&mut self, mut portion: Portion, can_be_sent: bool) -> (Vec<u8>, Next) {
        let mut out = Vec::new();
        loop {
            out.append(&mut portion.out);
            let callouts = match portion.next {
                Next::Ask(callouts) => callouts,
                Next::Ended => {
                    self.set_last(Vec::new());
                    return (out, Next::Ended);
                }
                next => return (out, next),
            };
            let (Answer::Windowed(windowed), State::Serving(parked)) = (&mut self.answer, &self.state) else {
                return (out, Next::Ended);
            };
            windowed.calls = Calls::make(&mut parked.exchange.borrow_mut(), callouts);
            if !windowed.calls.are_done() {
                return (out, Next::Hold);
            }
            match self.rule_window(can_be_sent) {
                Some(ruled) => portion = ruled,
                None => return (out, Next::Ended),
            }
        }
    }

    /// Puts a reply in the stream's place, of which nothing has gone.
    fn put_instead(&mut self, mut reply: Box<Reply>) -> Result<Action, Refused> {
        self.set_last(Vec::new());
        if matches!(&self.answer, Answer::Windowed(windowed) if windowed.ended) {
            self.remark();
            return self.put(&reply).map(|()| Action::Continue);
        }
        if let State::Serving(parked) = &self.state {
            // Its headers are all that the client gets.
            let exchange = parked.exchange.borrow();
            reply.headers.extend(exchange.remarks());
            reply.headers.extend(exchange.provider().map(|name| (PROVIDER_HEADER, name.to_owned())));
        }
        Ok(self.instead_of_windows(&reply))
    }

    /// Nothing of the stream can be sent: what has gone breaks off.
    pub(super) fn break_off(&mut self) -> Action {
        let reply = self.broken("The answer can't be sent.");
        self.instead_of_windows(&reply)
    }

    fn instead_of_windows(&mut self, reply: &Reply) -> Action {
        let action = self.instead(reply);
        // Whatever still comes is for nobody.
        self.answer = Answer::Windowed(Windowed { last: Some(Vec::new()), ..Windowed::default() });
        action
    }

    /// Envoy waits from here on.
    fn pause(&mut self) {
        if let Answer::Windowed(windowed) = &mut self.answer {
            windowed.paused = true;
        }
    }

    /// The response's headers go, if they have not, and what is in Envoy's buffer.
    fn begin(&mut self) {
        let Answer::Windowed(windowed) = &mut self.answer else { return };
        windowed.paused = false;
        if !std::mem::replace(&mut windowed.begun, true) {
            self.remark();
        }
    }

    fn set_last(&mut self, bytes: Vec<u8>) {
        if let Answer::Windowed(windowed) = &mut self.answer {
            windowed.last = Some(bytes);
        }
    }
}
