//! The `sluice` command.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand, ValueEnum};
use sluice_cli::{check, envoy, files, keys, limits, render, run};
use sluice_core::identity::bundle;
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
    /// Makes and checks keys, and signs bundles of them.
    Keys {
        #[command(subcommand)]
        command: KeysAction,
    },
    /// Prints the live counters of limits: what is used, what calls under way hold, and when it is free again.
    Limits {
        /// Envoy's admin interface.
        #[arg(long, default_value = "http://127.0.0.1:9901")]
        admin: String,
    },
    /// Prints the path of the Envoy that `run` uses, after fetching one if there is none.
    Envoy,
}

#[derive(Subcommand)]
enum KeysAction {
    /// Makes a key: prints it, this once, and then the entry to add to `callers.keys` or to a bundle's list.
    New {
        #[command(flatten)]
        owner: keys::Owner,
    },
    /// Reads a key on standard input, and prints its SHA-256 if it is whole.
    ///
    /// Exits with 1 if it is no key, or has a wrong character.
    Check,
    /// Makes the pair of keys that bundles are signed and checked with; prints the public one.
    Keypair {
        /// Where to write the private key. The file must not exist yet.
        #[arg(long)]
        private: PathBuf,
    },
    /// Signs a bundle for `callers.source`.
    Bundle {
        /// The keys: a list as in `callers.keys`, or a map with such a list as `keys`; YAML or JSON.
        file: PathBuf,
        /// The private key: Ed25519, PKCS#8 in PEM.
        #[arg(long)]
        key: PathBuf,
        /// Has to be larger than that of every bundle before; the seconds since 1970 if not given.
        #[arg(long)]
        serial: Option<u64>,
        /// From when on gateways refuse the bundle, such as 2027-01-01T00:00:00Z.
        #[arg(long)]
        expires: Option<String>,
        /// Where to write it; standard output if not given.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
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
    /// The configuration of envoyproxy/ratelimit for `limits_sync`.
    Ratelimit,
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
        Action::Keys { command } => work_on_keys(command),
        Action::Limits { admin } => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            limits::fetch(&admin, now).and_then(|table| {
                if table.is_empty() {
                    note("No counter is in use: nothing has been counted yet, or the policy has no limits.");
                }
                say(&table)
            })
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
        Format::Envoy | Format::Ratelimit => None,
        Format::Istio => Some("istio"),
        Format::EnvoyGateway => Some("envoy-gateway"),
    };
    if let Some(name) = name {
        return Err(format!("--format {name} is not yet supported by this version"));
    }
    let (document, text) = read(file)?;
    let yaml = match format {
        Format::Ratelimit => render::ratelimit(&document)?,
        _ => render::envoy(&document, &text, &needed.find()?).map_err(|error| error.to_string())?,
    };
    write(yaml.as_bytes(), output)
}

fn work_on_keys(command: KeysAction) -> Result<ExitCode, String> {
    match command {
        KeysAction::New { owner } => {
            let new = keys::new(&owner)?;
            say(&format_args!("{}\n\n# For callers.keys:\n{}", new.key, new.entry.trim_end()))
        }
        KeysAction::Check => {
            let mut key = String::new();
            io::stdin().read_to_string(&mut key).map_err(|error| format!("standard input: {error}"))?;
            match keys::is_well_formed(key.trim()) {
                true => say(&keys::digest(key.trim())),
                false => Err("this is no key of Sluice, or a character of it is wrong".to_owned()),
            }
        }
        KeysAction::Keypair { private } => {
            let pair = keys::Pair::new()?;
            let failed = |error: io::Error| format!("{}: {error}", private.display());
            // Only for its owner, and never in the place of another one.
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&private).map_err(failed)?;
            file.write_all(pair.private.as_bytes()).map_err(failed)?;
            say(&pair.public)
        }
        KeysAction::Bundle { file, key, serial, expires, output } => {
            let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
            let signer = String::from_utf8_lossy(&read(&key)?).into_owned();
            let signer = keys::private_key(&signer).map_err(|error| format!("{} {error}", key.display()))?;
            let expires = expires
                .map(|text| {
                    bundle::parse_instant(&text).ok_or_else(|| {
                        format!("--expires: `{text}` is not an instant such as 2027-01-01T00:00:00Z")
                    })
                })
                .transpose()?;
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let signed = keys::bundle(&read(&file)?, serial.unwrap_or(since.as_secs()), expires, &signer)
                .map_err(|faults| prefixed(&file, &faults))?;
            write(&signed, output.as_deref())
        }
    }
}

/// Writes to a file, or to standard output where none is given.
fn write(bytes: &[u8], output: Option<&Path>) -> Result<ExitCode, String> {
    match output {
        None => io::stdout().write_all(bytes).map_err(|error| format!("standard output: {error}"))?,
        Some(path) => fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))?,
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
    prefixed(file, &faults.to_string())
}

fn prefixed(file: &Path, faults: &str) -> String {
    let lines: Vec<_> = faults.lines().map(|line| format!("{}: {line}", file.display())).collect();
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
