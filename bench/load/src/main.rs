//! `bench-load vendor` is a mock vendor as lean as can be; `bench-load closed|open|stream|hold` puts load on a gateway and prints
//! one line of JSON.

mod clock;
mod load;
mod report;
mod vendor;
mod wire;

use clap::Parser;

#[derive(Parser)]
enum Command {
    /// Answers as OpenAI, Anthropic, Gemini and Bedrock; prints its address.
    Vendor(vendor::Options),
    /// So many connections, each with one request after the other.
    Closed(load::closed::Options),
    /// So many requests a second, whatever becomes of them; latency counts from when a request was due.
    Open(load::open::Options),
    /// So many connections, each with one stream after the other.
    Stream(load::stream::Options),
    /// Opens so many streams, says so, and holds them.
    Hold(load::hold::Options),
}

fn main() -> std::process::ExitCode {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.and_then(|runtime| {
        let tasks = tokio::task::LocalSet::new();
        runtime.block_on(tasks.run_until(async {
            match command {
                Command::Vendor(options) => vendor::run(options).await,
                Command::Closed(options) => load::closed::run(options).await.map(|report| report.print()),
                Command::Open(options) => load::open::run(options).await.map(|report| report.print()),
                Command::Stream(options) => load::stream::run(options).await.map(|report| report.print()),
                Command::Hold(options) => load::hold::run(options).await.map(|report| report.print()),
            }
        }))
    });
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
