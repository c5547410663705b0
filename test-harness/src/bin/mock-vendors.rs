//! `mock-vendors`: the mock vendors as a process of their own, for demonstrations and for tests in other languages.

use clap::Parser;
use std::path::PathBuf;
use test_harness::vendors::{Options, Vendor, Vendors};
use tokio::signal::unix::{SignalKind, signal};

/// Mock OpenAI, Anthropic and Gemini: strict, deterministic, scriptable.
///
/// Prints one line of JSON with all addresses once it listens, such as
/// {"anthropic":"http://127.0.0.1:1234","control":"http://127.0.0.1:1235",…}, and runs until SIGTERM or SIGINT.
#[derive(Parser)]
#[command(after_long_help = CONTROL)]
struct Arguments {
    /// OpenAI's port, 0 for a free one [default: 0]. Repeated, it starts more instances: openai, openai-2, …
    #[arg(long, value_name = "PORT")]
    openai: Vec<u16>,
    /// Anthropic's port, likewise.
    #[arg(long, value_name = "PORT")]
    anthropic: Vec<u16>,
    /// Gemini's port, likewise.
    #[arg(long, value_name = "PORT")]
    gemini: Vec<u16>,
    /// The control API's port, 0 for a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    control: u16,
    /// Also listens for TLS, each instance on a free port (printed as openai_tls, …), with a certificate for localhost
    /// and the vendors' host names; its authority is written to DIR/ca.pem.
    #[arg(long, value_name = "DIR")]
    tls_dir: Option<PathBuf>,
    /// Accepts this key too, as VENDOR=KEY; repeatable.
    #[arg(long, value_name = "VENDOR=KEY", value_parser = key)]
    key: Vec<(Vendor, String)>,
    /// Accepts models whose name isn't the vendor's.
    #[arg(long)]
    any_model: bool,
}

const CONTROL: &str = r#"Credentials accepted: `Authorization: Bearer sk-…` (OpenAI), `x-api-key: sk-ant-…` or the same as a
bearer (Anthropic), `x-goog-api-key: AIza…` (Gemini), and what --key names.

Control API (JSON over HTTP):
  GET  /addresses   the line printed at the start
  GET  /records     {"records":[…]}: each request with its arrival, connection, head, body and what became of it
  POST /hold        {"vendor":"openai","held":true}: holds back every answer until told false; of all without vendor
  POST /reset       forgets records, scripts and paces, and holds nothing back
  GET  /script      what is queued
  POST /script      {"vendor":"openai","behaviour":{"kind":…},"times":1}, or a list of such; times 0 = from now on
  POST /pace        {"vendor":"openai","pace":{"head_ms":0,"first_ms":0,"gap_ms":0,"pieces":null}}; all without vendor

Behaviours (fields but `kind` have the defaults shown, except `status` of "status", which must be given):
  {"kind":"normal"}
  {"kind":"content","text":"","reasoning":null,"calls":[{"name":"f","arguments":{}}],"finish":null}
      finish: stop, length, content_filter, refusal
  {"kind":"status","status":503,"headers":[["retry-after","1"]],"body":null}   body null: the vendor's own
  {"kind":"reset"}                                          RST once the request has arrived
  {"kind":"hang"}                                           never answers
  {"kind":"slow","head_ms":0,"first_ms":0,"gap_ms":0,"pieces":null}
  {"kind":"stream_error","after_events":0,"status":503,"as_data":false}
  {"kind":"cut","after_events":0,"how":"end"}               how: end, close (FIN), reset (RST)
  {"kind":"raw","status":200,"headers":[],"chunks":[{"text":"…"},{"base64":"…"}],"gap_ms":0,"how":"end"}
  {"kind":"malformed"}"#;

fn key(text: &str) -> Result<(Vendor, String), String> {
    let (vendor, key) = text.split_once('=').ok_or("expected VENDOR=KEY")?;
    let vendors = [Vendor::Openai, Vendor::Anthropic, Vendor::Gemini];
    let found = vendors.into_iter().find(|one| one.name() == vendor);
    found.map(|found| (found, key.to_owned())).ok_or_else(|| format!("no vendor is called {vendor}"))
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let ports = |ports: Vec<u16>| if ports.is_empty() { vec![0] } else { ports };
    let vendors = Vendors::start(Options {
        openai: ports(arguments.openai),
        anthropic: ports(arguments.anthropic),
        gemini: ports(arguments.gemini),
        control: arguments.control,
        tls_dir: arguments.tls_dir,
        keys: arguments.key,
        any_model: arguments.any_model,
        ..Options::default()
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Listen for the signals first: whoever reads the line may send one at once.
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        println!("{}", serde_json::to_string(vendors.addresses())?);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}
