//! Streams: the time to the first event, and of each event the time from when the vendor wrote it.

use std::io;
use std::ops::Range;
use std::time::Duration;

use super::{Client, Shared, Target};
use crate::clock;
use crate::report::Report;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 16)]
    connections: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[arg(long, default_value_t = 0.5)]
    warmup: f64,
    /// How many events a whole stream has; one with fewer is an error.
    #[arg(long)]
    events: u64,
    /// How long a connection rests between two streams, so that what is measured isn't a queue.
    #[arg(long, default_value_t = 0.0)]
    rest: f64,
}

pub async fn run(options: Options) -> io::Result<Report> {
    let report = Shared::default();
    let message = options.target.message()?;
    let from = clock::now() + clock::nanoseconds(options.warmup);
    let to = from + clock::nanoseconds(options.seconds);
    let patience = Duration::from_secs_f64(options.warmup + options.seconds + 30.0);
    let connections: Vec<_> = (0..options.connections)
        .map(|number| {
            let client = options.target.client(&message);
            // They don't all begin at once.
            let offset = options.rest * number as f64 / options.connections as f64;
            let span = Span { from, to, events: options.events, rest: options.rest };
            tokio::task::spawn_local(repeat(client, report.clone(), span, offset))
        })
        .collect();
    let all = async {
        for connection in connections {
            let _ = connection.await;
        }
    };
    if tokio::time::timeout(patience, all).await.is_err() {
        report.borrow_mut().fail("a stream had not ended after thirty seconds");
    }
    let mut report = report.take();
    report.seconds = options.seconds;
    Ok(report)
}

#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
    events: u64,
    rest: f64,
}

async fn repeat(mut client: Client, report: Shared, span: Span, offset: f64) {
    // What isn't connected now is when it sends.
    let _ = client.connect().await;
    tokio::time::sleep(Duration::from_secs_f64(offset)).await;
    loop {
        let sent = clock::now();
        if sent >= span.to {
            return;
        }
        let mut seen = 0;
        let status = read(&mut client, |age| {
            let now = clock::now();
            let mut report = report.borrow_mut();
            seen += 1;
            report.events += 1;
            if sent >= span.from {
                report.event.add(age);
                if seen == 1 {
                    report.first.add(now - sent);
                }
            }
        })
        .await;
        let ended = clock::now();
        let failed = note(&mut report.borrow_mut(), span, sent..ended, seen, status);
        let rest = if failed { span.rest.max(0.001) } else { span.rest };
        if rest > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(rest)).await;
        }
    }
}

/// Enters a stream that has ended; `true` where anything has gone wrong so far.
fn note(
    report: &mut Report,
    span: Span,
    time: Range<u64>,
    seen: u64,
    status: io::Result<(u16, u64)>,
) -> bool {
    match status {
        Ok((200, bytes)) if seen >= span.events => {
            report.all += 1;
            report.bytes += bytes;
            if time.end >= span.from && time.end < span.to {
                report.requests += 1;
                report.latency.add(time.end - time.start);
            }
        }
        Ok((200, _)) => report.fail(format_args!("a stream with {seen} of {} events", span.events)),
        Ok((status, _)) => report.fail(format_args!("status {status}")),
        Err(error) => report.fail(error),
    }
    !report.errors.is_empty()
}

/// Reads one stream and tells of each event how long ago it was written; returns the status and the body's length.
pub async fn read(client: &mut Client, mut event: impl FnMut(u64)) -> io::Result<(u16, u64)> {
    let mut text = Vec::new();
    let mut bytes = 0;
    let status = client
        .exchange(|piece| {
            bytes += piece.len() as u64;
            text.extend_from_slice(piece);
            let read = clock::marks(&text, clock::now(), &mut event);
            text.drain(..read);
        })
        .await?;
    Ok((status, bytes))
}
