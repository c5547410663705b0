//! The closed loop: as many requests as the connections carry, one after the other on each.

use std::io;
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
    /// How long it runs before anything is measured.
    #[arg(long, default_value_t = 0.5)]
    warmup: f64,
}

pub async fn run(options: Options) -> io::Result<Report> {
    let report = Shared::default();
    let message = options.target.message()?;
    let from = clock::now() + clock::nanoseconds(options.warmup);
    let to = from + clock::nanoseconds(options.seconds);
    let connections: Vec<_> = (0..options.connections)
        .map(|_| {
            let client = options.target.client(&message);
            tokio::task::spawn_local(repeat(client, report.clone(), from, to))
        })
        .collect();
    // What hangs is no reason to hang too.
    let patience = Duration::from_secs_f64(options.warmup + options.seconds + 10.0);
    let all = async {
        for connection in connections {
            let _ = connection.await;
        }
    };
    if tokio::time::timeout(patience, all).await.is_err() {
        report.borrow_mut().fail("no answer within ten seconds of the end");
    }
    report.borrow_mut().seconds = options.seconds;
    Ok(report.take())
}

async fn repeat(mut client: Client, report: Shared, from: u64, to: u64) {
    loop {
        let sent = clock::now();
        if sent >= to {
            return;
        }
        let mut bytes = 0;
        let status = client.exchange(|piece| bytes += piece.len() as u64).await;
        let ended = clock::now();
        let failed = {
            let mut report = report.borrow_mut();
            report.bytes += bytes;
            match status {
                Ok(200) => {
                    report.all += 1;
                    // Counted by its end, so that each second has what ended in it.
                    if ended >= from && ended < to {
                        report.requests += 1;
                        report.latency.add(ended - sent);
                    }
                }
                Ok(status) => report.fail(format_args!("status {status}")),
                Err(error) => report.fail(error),
            }
            !report.errors.is_empty()
        };
        if failed {
            // A gateway that refuses everything must not be asked as fast as can be.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
