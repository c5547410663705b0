//! Streams that are open at the same time: it says `open <number>` once each has had an event, and holds them.

use std::io;
use std::time::Duration;

use super::{Shared, Target, stream};
use crate::report::Report;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 1000)]
    streams: usize,
    /// How long they are held once all are open.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

pub async fn run(options: Options) -> io::Result<Report> {
    let report = Shared::default();
    let message = options.target.message()?;
    for _ in 0..options.streams {
        let mut client = options.target.client(&message);
        let report = report.clone();
        tokio::task::spawn_local(async move {
            let mut begun = false;
            let ended = stream::read(&mut client, |age| {
                let mut report = report.borrow_mut();
                report.requests += u64::from(!begun);
                begun = true;
                report.events += 1;
                report.event.add(age);
            })
            .await;
            match ended {
                Ok((status, _)) => report.borrow_mut().fail(format_args!("ended early, status {status}")),
                Err(error) => report.borrow_mut().fail(error),
            }
        });
        // A gateway takes connections in, it isn't stormed.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..200 {
        let settled = {
            let report = report.borrow();
            report.requests as usize == options.streams || !report.errors.is_empty()
        };
        if settled {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("open {}", report.borrow().requests);
    tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
    let mut report = report.take();
    report.seconds = options.seconds;
    Ok(report)
}
