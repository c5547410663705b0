//! What a vendor does with an attempt, as the test has scripted it.
use std::collections::VecDeque;

use crate::host::headers::HeaderMap;

/// The script of one attempt.
#[derive(Clone, Debug)]
pub struct Vendor {
    pub(crate) steps: VecDeque<Step>,
    end_with_last_chunk: bool,
}

/// One thing that arrives from a vendor.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The connection is refused.
    Refuse,
    /// The stream or connection ends before its time.
    Break(&'static str),
    /// Nothing comes any more.
    Hang,
    Headers(HeaderMap),
    Data(Vec<u8>),
    Trailers(HeaderMap),
    End,
}

impl Vendor {
    /// A response with this status and no body.
    pub fn status(status: u16) -> Self {
        Self::of([Step::Headers(HeaderMap::of([(":status", status.to_string().as_str())])), Step::End])
    }

    /// A response with a body of this type, its length declared.
    pub fn body(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        Self::status(status)
            .header("content-type", content_type)
            .header("content-length", &length)
            .chunk(body)
    }

    /// A JSON response.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::body(status, "application/json", body)
    }

    /// A streamed response without a length, in these chunks.
    pub fn stream<C: Into<Vec<u8>>>(
        status: u16,
        content_type: &str,
        chunks: impl IntoIterator<Item = C>,
    ) -> Self {
        let start = Self::status(status).header("content-type", content_type);
        chunks.into_iter().fold(start, |vendor, chunk| vendor.chunk(chunk))
    }

    /// A stream of server-sent events, in these chunks: a chunk need not be an event.
    pub fn events<C: Into<Vec<u8>>>(chunks: impl IntoIterator<Item = C>) -> Self {
        Self::stream(200, "text/event-stream", chunks)
    }

    /// The connection is refused.
    pub fn refuses() -> Self {
        Self::of([Step::Refuse])
    }

    /// The connection is reset before any response.
    pub fn resets() -> Self {
        Self::of([Step::Break("connection termination")])
    }

    /// No response ever comes.
    pub fn hangs() -> Self {
        Self::of([Step::Hang])
    }

    /// A response header more; a repeated name stays repeated.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Some(Step::Headers(headers)) = self.steps.front_mut() {
            headers.add(name, value);
        }
        self
    }

    /// A part of the body more.
    pub fn chunk(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.before_end(Step::Data(bytes.into()))
    }

    /// Trailers, the end.
    pub fn trailers(mut self, trailers: HeaderMap) -> Self {
        self.steps.pop_back();
        self.steps.push_back(Step::Trailers(trailers));
        self
    }

    /// The connection breaks after what is scripted so far.
    pub fn cut(mut self) -> Self {
        self.steps.pop_back();
        self.steps.push_back(Step::Break("connection termination"));
        self
    }

    /// Nothing comes any more after what is scripted so far.
    pub fn then_hangs(mut self) -> Self {
        self.steps.pop_back();
        self.steps.push_back(Step::Hang);
        self
    }

    /// Cuts the whole body anew into chunks of this many bytes.
    pub fn in_chunks_of(self, size: usize) -> Self {
        let body = self.whole_body();
        self.with_chunks(body.chunks(size.max(1)))
    }

    /// Cuts the whole body anew in two, behind this many bytes.
    pub fn split_at(self, position: usize) -> Self {
        let body = self.whole_body();
        let (first, second) = body.split_at(position.min(body.len()));
        self.with_chunks([first, second].into_iter().filter(|part| !part.is_empty()))
    }

    /// The end comes with the last chunk, as HTTP/2 can send it. Otherwise it comes alone, as HTTP/1 sends it.
    pub fn end_with_last_chunk(mut self) -> Self {
        self.end_with_last_chunk = true;
        self
    }

    /// How many bytes its body has.
    pub fn body_size(&self) -> usize {
        self.whole_body().len()
    }

    /// The next step, and whether it is the last: an end that has nothing of its own is taken with it.
    pub(crate) fn next(&mut self) -> Option<(Step, bool)> {
        let step = self.steps.pop_front()?;
        let joins = match step {
            Step::Headers(_) => true,
            Step::Data(_) => self.end_with_last_chunk,
            _ => false,
        };
        let end = joins && matches!(self.steps.front(), Some(Step::End));
        if end {
            self.steps.pop_front();
        }
        Some((step, end))
    }

    fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), end_with_last_chunk: false }
    }

    fn before_end(mut self, step: Step) -> Self {
        let position = self.steps.len().saturating_sub(1);
        self.steps.insert(position, step);
        self
    }

    fn whole_body(&self) -> Vec<u8> {
        let parts = self.steps.iter().filter_map(|step| match step {
            Step::Data(data) => Some(data.as_slice()),
            _ => None,
        });
        parts.collect::<Vec<_>>().concat()
    }

    fn with_chunks<'a>(mut self, chunks: impl Iterator<Item = &'a [u8]>) -> Self {
        self.steps.retain(|step| !matches!(step, Step::Data(_)));
        chunks.fold(self, |vendor, chunk| vendor.before_end(Step::Data(chunk.to_vec())))
    }
}
