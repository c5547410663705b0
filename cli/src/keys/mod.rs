//! What operators do with keys: make one, check one, and sign bundles of them.

mod signing;
mod token;

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sluice_core::policy;

pub use signing::{Pair, bundle, private_key};
pub use token::{is_well_formed, token};

/// Whose a new key is, in the words of `callers.keys[]`.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct Owner {
    /// The key's name in the access log; made from its digest if not given.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its user.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its team, a label of the metrics.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// A role; may be given more than once.
    #[arg(long = "role")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// A model, or a pattern such as `gpt-*`, that the key is for; may be given more than once. Any if not given.
    #[arg(long = "model")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// When the key ends, such as 2027-01-01T00:00:00Z.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// A new key. What is shown of it by `Debug` is nothing.
pub struct NewKey {
    /// What its owner gets, and nobody else.
    pub key: String,
    /// The YAML of its entry in `callers.keys`.
    pub entry: String,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: String,
    sha256: String,
    #[serde(flatten)]
    owner: &'a Owner,
}

/// Makes a key of 256 random bits.
///
/// # Errors
/// The system has no random bits, or the entry would be refused in a policy.
pub fn new(owner: &Owner) -> Result<NewKey, String> {
    let key = token(&random()?);
    let sha256 = digest(&key);
    let id = owner.id.clone().unwrap_or_else(|| format!("key-{}", sha256.get(..12).unwrap_or_default()));
    let entry = Entry { id, sha256, owner: &Owner { id: None, ..owner.clone() } };
    let entry = serde_saphyr::to_string(&[entry]).map_err(|error| error.to_string())?;
    policy::parse_keys(entry.as_bytes()).map_err(|faults| faults.to_string().replace("[0].", ""))?;
    Ok(NewKey { key, entry })
}

/// The SHA-256 of a key, in hexadecimal.
pub fn digest(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 256 bits from the operating system.
fn random() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random bits: {error}"))?;
    Ok(bytes)
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewKey")
    }
}
