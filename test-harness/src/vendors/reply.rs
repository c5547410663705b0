//! What goes back over HTTP: the plan of a response, and the body that follows the plan's pace and end.

use super::record::Tracked;
use super::script::{Cut, Pace};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// The pause before a cut, so that what was sent has arrived: a reset discards what is still in the socket's buffer.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// A response as it is meant to go.
pub struct Plan {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body, in the parts that are sent one by one.
    pub frames: Vec<Bytes>,
    /// The `content-length`; the body is chunked without.
    pub length: Option<u64>,
    /// Whether it is a stream of events.
    pub stream: bool,
    /// Its pace.
    pub pace: Pace,
    /// How it ends before its time, if it does.
    pub cut: Option<Cut>,
}

impl Plan {
    /// A response in one part.
    pub fn whole(status: u16, headers: Vec<(String, String)>, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let length = Some(body.len() as u64);
        let frames = if body.is_empty() { Vec::new() } else { vec![body] };
        Plan { status, headers, frames, length, stream: false, pace: Pace::default(), cut: None }
    }

    /// A stream of events.
    pub fn stream(headers: Vec<(String, String)>, events: Vec<String>) -> Self {
        let frames = events.into_iter().map(Bytes::from).collect();
        let pace = Pace::default();
        Plan { status: 200, headers, frames, length: None, stream: true, pace, cut: None }
    }

    /// Cut after some parts: events of a stream, halves of a body in one part.
    pub fn cut(mut self, after: usize, how: Cut) -> Self {
        if !self.stream {
            let body = self.frames.concat();
            let (first, second) = body.split_at(body.len() / 2);
            self.frames = vec![Bytes::copy_from_slice(first), Bytes::copy_from_slice(second)];
            if how == Cut::End {
                self.length = None;
            }
        }
        self.frames.truncate(after);
        self.cut = Some(how);
        self
    }
}

/// The body of a [`Plan`].
pub struct Paced {
    frames: VecDeque<Bytes>,
    left: Option<u64>,
    gap: Duration,
    sleep: Pin<Box<Sleep>>,
    cut: Option<Cut>,
    waited: bool,
    reset: Arc<AtomicBool>,
    record: Tracked,
}

impl Paced {
    /// The body of `plan`; `reset` is its connection's flag.
    pub fn new(plan: Plan, reset: Arc<AtomicBool>, record: Tracked) -> Self {
        // The delay of an answer in one part came before its head.
        let first = if plan.stream { Duration::from_millis(plan.pace.first_ms) } else { Duration::ZERO };
        let mut paced = Paced {
            frames: plan.frames.into(),
            left: plan.length,
            gap: Duration::from_millis(plan.pace.gap_ms),
            sleep: Box::pin(tokio::time::sleep(first)),
            cut: plan.cut,
            waited: false,
            reset,
            record,
        };
        if paced.frames.is_empty() && matches!(paced.cut, None | Some(Cut::End)) {
            // hyper never polls a body of length 0.
            paced.record.finished();
        }
        paced
    }

    fn end(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.cut {
            None | Some(Cut::End) => {
                self.record.finished();
                Poll::Ready(None)
            }
            Some(how) => {
                if !self.waited {
                    self.waited = true;
                    self.sleep.as_mut().reset(Instant::now() + BEFORE_CUT);
                }
                if self.sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.record.finished();
                if how == Cut::Reset {
                    self.reset.store(true, Ordering::Release);
                }
                Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
            }
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.frames.is_empty() {
            return self.end(context);
        }
        if self.sleep.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let Some(frame) = self.frames.pop_front() else { return self.end(context) };
        if !self.gap.is_zero() {
            let next = Instant::now() + self.gap;
            self.sleep.as_mut().reset(next);
        }
        self.record.sent(frame.len());
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(frame.len() as u64);
        }
        if self.frames.is_empty() && self.left == Some(0) && matches!(self.cut, None | Some(Cut::End)) {
            // hyper stops polling once `content-length` is reached.
            self.record.finished();
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
