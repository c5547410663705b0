//! The `sluice` command.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use sluice_cli::{check, envoy, files, render, run};
use sluice_core::policy::Document;

/// The AI gateway that runs inside Envoy.
#[derive(Parser)]
#[command(name = "sluice", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Says everything that is wrong with a policy document.
    ///
    /// Exits with 0 when nothing is, with 1 otherwise. Warnings don't count as faults.
    Check {
        /// The policy document, YAML or JSON.
        file: PathBuf,
    },
    /// Writes the configuration that puts a policy document to work.
    ///
    /// It names the credentials' environment variables and contains no credential.
    Render {
        /// The policy document, YAML or JSON.
        file: PathBuf,
        /// What to write.
        #[arg(long, value_enum, default_value_t = Format::Envoy)]
        format: Format,
        /// Where to write it; standard output if not given.
        #[arg(short, long)]
        output: Option<PathBuf>,
        #[command(flatten)]
        needed: Needed,
    },
    /// Runs Envoy with a policy document until it is told to stop.
    ///
    /// Prints `listening on http://…` and `admin on http://…` once requests are answered. The access log follows on
    /// standard output; Envoy's own log goes to standard error. Exits with Envoy's status.
    Run {
        /// The policy document, YAML or JSON.
        file: PathBuf,
        #[command(flatten)]
        needed: Needed,
        /// How many worker threads Envoy has; one per processor if not given.
        #[arg(long)]
        concurrency: Option<u32>,
        /// How much Envoy's own log says: trace, debug, info, warning, error, critical or off.
        #[arg(long, default_value = "error")]
        log_level: String,
        /// Further arguments for Envoy.
        #[arg(last = true)]
        envoy_arguments: Vec<std::ffi::OsString>,
    },
    /// Prints the path of the Envoy that `run` uses, after fetching one if there is none.
    Envoy,
}

/// The files on the machine where Envoy runs.
#[derive(clap::Args)]
struct Needed {
    /// The module; $SLUICE_WASM or dist/sluice.wasm if not given.
    #[arg(long)]
    wasm: Option<PathBuf>,
    /// The certificate authorities that providers are checked against; $SSL_CERT_FILE or the system's if not given.
    #[arg(long)]
    ca_bundle: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A complete bootstrap configuration of Envoy.
    Envoy,
    /// Istio's resources.
    Istio,
    /// Envoy Gateway's resources.
    EnvoyGateway,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Action::Check { file } => check_document(&file),
        Action::Render { file, format, output, needed } => {
            render_document(&file, format, output.as_deref(), needed)
        }
        Action::Run { file, needed, concurrency, log_level, envoy_arguments } => {
            let envoy = run::EnvoyOptions { concurrency, log_level, arguments: envoy_arguments };
            run_document(&file, needed, &envoy)
        }
        Action::Envoy => envoy::find_or_fetch(&note).and_then(|envoy| say(&envoy.program.display())),
    };
    result.unwrap_or_else(|message| {
        note(&message);
        ExitCode::FAILURE
    })
}

fn check_document(file: &Path) -> Result<ExitCode, String> {
    let (document, _) = read(file)?;
    for warning in check::warnings(&document, &environment) {
        note(&format!("warning: {}: {warning}", file.display()));
    }
    say(&format_args!("ok: {}: {}", file.display(), check::Summary(&document)))
}

fn render_document(
    file: &Path,
    format: Format,
    output: Option<&Path>,
    needed: Needed,
) -> Result<ExitCode, String> {
    let name = match format {
        Format::Envoy => None,
        Format::Istio => Some("istio"),
        Format::EnvoyGateway => Some("envoy-gateway"),
    };
    if let Some(name) = name {
        return Err(format!("--format {name} is not yet supported by this version"));
    }
    let (document, text) = read(file)?;
    let yaml = render::envoy(&document, &text, &needed.find()?).map_err(|error| error.to_string())?;
    match output {
        None => {
            io::stdout().write_all(yaml.as_bytes()).map_err(|error| format!("standard output: {error}"))?
        }
        Some(path) => fs::write(path, yaml).map_err(|error| format!("{}: {error}", path.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run_document(file: &Path, needed: Needed, options: &run::EnvoyOptions) -> Result<ExitCode, String> {
    let (document, text) = read(file)?;
    document.compile(&environment).map_err(|faults| named(file, &faults))?;
    for warning in check::warnings(&document, &environment) {
        note(&format!("warning: {}: {warning}", file.display()));
    }
    let yaml = render::envoy(&document, &text, &needed.find()?).map_err(|error| error.to_string())?;
    run::run(&envoy::find_or_fetch(&note)?, &yaml, options)
}

/// A document and its text, or all its faults.
fn read(file: &Path) -> Result<(Document, String), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let document = Document::parse(text.as_bytes()).map_err(|faults| named(file, &faults))?;
    Ok((document, text))
}

/// Faults, each behind its file's name.
fn named(file: &Path, faults: &sluice_core::policy::Faults) -> String {
    let lines: Vec<_> =
        faults.to_string().lines().map(|line| format!("{}: {line}", file.display())).collect();
    lines.join("\n")
}

impl Needed {
    fn find(self) -> Result<render::Files, String> {
        Ok(render::Files { wasm: files::module(self.wasm)?, ca_bundle: files::ca_bundle(self.ca_bundle)? })
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Says something to the operator.
fn note(message: &str) {
    // Nobody is left to be told that standard error is closed.
    _ = writeln!(io::stderr(), "{message}");
}

/// Prints an answer.
fn say(answer: &dyn std::fmt::Display) -> Result<ExitCode, String> {
    writeln!(io::stdout(), "{answer}").map_err(|error| format!("standard output: {error}"))?;
    Ok(ExitCode::SUCCESS)
}
