//! Streams that are judged in windows: what the client gets when, and what is asked meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::windows::{Due, Windows};
use crate::exchange::redaction::Screen;
use crate::exchange::{Exchange, Reply, answer_too_large, headers};
use crate::failure::Failure;
use crate::guard::judge::Callout;
use crate::policy::WindowEntry;
use crate::price::NanoUsd;
use crate::redact::Direction;

/// What becomes of a stream that is judged in windows.
#[derive(Debug)]
pub struct Portion {
    /// What the client gets now.
    pub out: Vec<u8>,
    pub next: Next,
}

/// What comes behind a portion.
#[derive(Debug)]
pub enum Next {
    /// Nothing is held.
    Go,
    /// Something is held, until more of the stream comes or a ruling.
    Hold,
    /// So are these calls to be made. Once all are answered, [`Exchange::rule_stream`]: at once where there are none.
    Ask(Vec<Callout>),
    /// That was the end: nothing else of the stream is for the client.
    Ended,
    /// Nothing has gone to the client; it gets this in the stream's place.
    Instead(Box<Reply>),
}

impl Exchange {
    /// Whether the answer is a stream that every judge judges in windows; one that wants it whole has it whole.
    pub fn is_judged_in_windows(&self) -> bool {
        let judging = self.guarded.judging.as_ref().filter(|_| self.stream);
        judging.is_some_and(|judging| {
            !judging.of_answer.is_empty()
                && judging.of_answer.iter().all(|judge| self.window(*judge).is_some())
        })
    }

    fn window(&self, judge: usize) -> Option<WindowEntry> {
        self.plan.guards.judge(judge)?.window
    }

    /// Takes more of the stream at `now` (since the Unix epoch), or its end. What may go by then is in the portion.
    pub fn judge_stream(&mut self, bytes: &[u8], is_end: bool, now: Duration) -> Portion {
        let known = self.guarded.judging.as_mut().and_then(|judging| judging.windows.take());
        let mut windows = known.unwrap_or_else(|| Box::new(self.windows()));
        windows.push(bytes);
        if is_end {
            windows.end();
        }
        let mut portion = match windows.is_closed() {
            true => Portion { out: Vec::new(), next: Next::Ended },
            false => self.go_on(&mut windows, now),
        };
        if let Next::Go | Next::Hold | Next::Ask(_) = portion.next {
            portion.out = windows.fetch();
        }
        self.keep(windows);
        portion
    }

    /// All judges of a window have answered. What may go by that is in the portion if it can be sent now, or else in the one of the
    /// next part of the stream.
    pub fn rule_stream(&mut self, can_be_sent: bool, now: Duration) -> Portion {
        let plan = Arc::clone(&self.plan);
        let judging = self.guarded.judging.as_mut();
        let Some((judging, mut windows)) = judging.and_then(|judging| {
            let windows = judging.windows.take_if(|windows| !windows.is_closed())?;
            Some((judging, windows))
        }) else {
            return Portion { out: Vec::new(), next: Next::Ended };
        };
        let ruling = judging.ruling(&plan, Direction::Response);
        self.guarded.add(ruling.fired);
        let mut portion = match ruling.refusal {
            Some((failure, flagged)) => self.stop(&mut windows, &failure, flagged),
            None => {
                windows.pass();
                self.go_on(&mut windows, now)
            }
        };
        if let (true, Next::Go | Next::Hold | Next::Ask(_)) = (can_be_sent, &portion.next) {
            portion.out = windows.fetch();
        }
        self.keep(windows);
        portion
    }

    fn keep(&mut self, windows: Box<Windows>) {
        if let Some(judging) = &mut self.guarded.judging {
            judging.windows = Some(windows);
        }
    }

    fn windows(&self) -> Windows {
        let judges =
            self.guarded.judging.as_ref().map(|judging| judging.of_answer.as_slice()).unwrap_or_default();
        let copies = judges.iter().filter_map(|judge| {
            let known = self.plan.guards.judge(*judge)?;
            let session = self.session_for(known);
            Some((known.window?, session.map(|session| Screen::new(session, Arc::default(), true))))
        });
        Windows::new(self.client(), copies, self.plan.listen.max_body_bytes as usize)
    }

    /// Asks about what is due.
    fn go_on(&mut self, windows: &mut Windows, now: Duration) -> Portion {
        let next = loop {
            match windows.due() {
                Due::Wait => break Next::Hold,
                Due::Go => break Next::Go,
                Due::TooMuch => return self.stop(windows, &answer_too_large(), false),
                Due::Ask => {}
            }
            windows.take();
            let judges = self.guarded.judging.as_ref().map(|judging| judging.of_answer.clone());
            let judges = judges.unwrap_or_default();
            let mut position = 0;
            let callouts = self.ask(&judges, Direction::Response, now, &mut |_, _| {
                position += 1;
                windows.question(position - 1)
            });
            windows.has_asked();
            match callouts {
                Some(callouts) => break Next::Ask(callouts),
                None => windows.pass(),
            }
        };
        Portion { out: Vec::new(), next }
    }

    /// Nothing else of the stream is for the client. `withheld`: as a judge says.
    fn stop(&mut self, windows: &mut Windows, failure: &Failure, withheld: bool) -> Portion {
        if !windows.has_begun() {
            windows.forget();
            let reply = Box::new(Reply::failure(self.client(), failure));
            return Portion { out: Vec::new(), next: Next::Instead(reply) };
        }
        let mut out = windows.close(failure, withheld);
        if let (true, true, Some(cost)) = (self.tells_cost, windows.is_of_events(), self.cost()) {
            self.client().remark(headers::COST_HEADER, &NanoUsd(cost).to_string(), &mut out);
        }
        Portion { out, next: Next::Ended }
    }
}
