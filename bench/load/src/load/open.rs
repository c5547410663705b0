//! The open loop: a request is due at each step of the clock, whatever became of those before it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Client, Shared, Target};
use crate::clock::{self, Timer};
use crate::report::Report;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    /// Requests a second.
    #[arg(long)]
    rate: f64,
    /// How many requests may be under way; what is due beyond waits, and its latency grows.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[arg(long, default_value_t = 0.5)]
    warmup: f64,
}

/// What is due and not yet answered.
#[derive(Default)]
struct Due {
    /// Not yet sent.
    waiting: RefCell<VecDeque<u64>>,
    more: Notify,
    /// Under way, by connection.
    sent: RefCell<Vec<Option<u64>>>,
}

pub async fn run(options: Options) -> io::Result<Report> {
    let report = Shared::default();
    let message = options.target.message()?;
    let due = Rc::new(Due::default());
    due.sent.borrow_mut().resize(options.connections, None);
    let mut clients = Vec::new();
    for _ in 0..options.connections {
        let mut client = options.target.client(&message);
        client.connect().await?;
        clients.push(client);
    }
    let timer = Timer::new()?;
    let start = clock::now() + clock::SECOND / 100;
    let from = start + clock::nanoseconds(options.warmup);
    let to = from + clock::nanoseconds(options.seconds);
    for (number, client) in clients.into_iter().enumerate() {
        tokio::task::spawn_local(serve(number, client, report.clone(), due.clone(), from));
    }
    let period = 1e9 / options.rate;
    for number in 0_u64.. {
        let instant = start + (number as f64 * period) as u64;
        if instant >= to {
            break;
        }
        timer.until(instant).await?;
        due.waiting.borrow_mut().push_back(instant);
        // The connection that became free last: as few as are needed do the work, as with a client's pool.
        due.more.notify_last();
        if number % 16 == 0 {
            // Late, nothing is waited for, and the answers have to be read all the same.
            tokio::task::yield_now().await;
        }
    }
    // The last ones may be on their way still.
    for _ in 0..400 {
        if due.waiting.borrow().is_empty() && due.sent.borrow().iter().all(Option::is_none) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut report = report.take();
    report.seconds = options.seconds;
    // What was never answered took at least until now.
    let now = clock::now();
    for instant in due.waiting.borrow().iter().chain(due.sent.borrow().iter().flatten()) {
        report.fail("not answered");
        if *instant >= from {
            report.latency.add(now - instant);
        }
    }
    Ok(report)
}

async fn serve(number: usize, mut client: Client, report: Shared, due: Rc<Due>, from: u64) {
    let mark = |instant| {
        if let Some(slot) = due.sent.borrow_mut().get_mut(number) {
            *slot = instant;
        }
    };
    loop {
        let next = due.waiting.borrow_mut().pop_front();
        let Some(instant) = next else {
            due.more.notified().await;
            continue;
        };
        mark(Some(instant));
        let sent = clock::now();
        let mut bytes = 0;
        let status = client.exchange(|piece| bytes += piece.len() as u64).await;
        let ended = clock::now();
        mark(None);
        let mut report = report.borrow_mut();
        report.bytes += bytes;
        match status {
            Ok(200) => {
                report.all += 1;
                if instant >= from {
                    report.requests += 1;
                    report.latency.add(ended - instant);
                    report.late.add(sent - instant);
                }
            }
            Ok(status) => report.fail(format_args!("status {status}")),
            Err(error) => report.fail(error),
        }
    }
}
