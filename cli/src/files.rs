//! Where the files are that a gateway needs: the module, and the certificate authorities.

use std::env;
use std::path::{Path, PathBuf};

/// Where the usual distributions keep the certificates of the authorities that the system trusts.
const CA_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // newer Fedora and RHEL
    "/etc/ssl/ca-bundle.pem",             // openSUSE
    "/etc/ssl/cert.pem",                  // macOS, FreeBSD
    "/usr/local/etc/openssl/cert.pem",    // Homebrew
];

/// Where the module lies within a checkout.
const MODULE: &str = "dist/sluice.wasm";

/// The module: `named` if given, else `$SLUICE_WASM`, else `dist/sluice.wasm` in a folder above this executable or in
/// the current one.
///
/// # Errors
/// Says what was looked for, and what to do.
pub fn module(named: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some((path, source)) = named
        .map(|path| (path, "--wasm"))
        .or_else(|| env::var_os("SLUICE_WASM").map(|path| (path.into(), "SLUICE_WASM")))
    {
        return existing(&path).ok_or_else(|| format!("{source} names {}, which is no file", path.display()));
    }
    let executable = env::current_exe().unwrap_or_default();
    let above = executable.ancestors().skip(1).map(Path::to_owned);
    let mut candidates = above.chain(env::current_dir().ok()).map(|folder| folder.join(MODULE));
    candidates.find_map(|path| existing(&path)).ok_or_else(|| {
        format!("there is no {MODULE}: build it with `make build`, or name one with --wasm or SLUICE_WASM")
    })
}

/// The system's bundle of certificate authorities: `named` if given, else `$SSL_CERT_FILE`, else where the usual
/// distributions keep it.
///
/// # Errors
/// A bundle that was named but does not exist. None at all is no error: not every policy needs one.
pub fn ca_bundle(named: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
    let variable = env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    if let Some((path, source)) = named
        .map(|path| (path, "--ca-bundle"))
        .or_else(|| variable.map(|path| (path.into(), "SSL_CERT_FILE")))
    {
        let found =
            existing(&path).ok_or_else(|| format!("{source} names {}, which is no file", path.display()))?;
        return Ok(Some(found));
    }
    Ok(CA_BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file()))
}

/// The absolute path of a file that exists; symbolic links in it stay, because what they lead to may change.
fn existing(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok().filter(|path| path.is_file())
}
