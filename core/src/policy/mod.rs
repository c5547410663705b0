//! The policy document: as written, as compiled into a plan, and everything that is wrong with it at once.

mod document;
mod fields;
mod node;
mod plan;
#[cfg(test)]
mod tests;
mod yaml;

use std::fmt;

pub use document::{
    CallersEntry, CertificateEntry, CertificateName, Credential, Document, ExceptionEntry, GuardEntry,
    GuardKind, JudgeAsks, JudgeEntry, JwtEntry, KeyEntry, LimitEntry, Listen, ModelEntry, OnLost, OutOfRange,
    PriceEntry, ProviderEntry, RedactionEntry, RequireEntry, RuleChoice, RuleEntry, RuleUse, SourceEntry,
    SourcePlace, SyncCheck, SyncEntry, TargetEntry, TemplateEntry, UnknownPrice, Unsupported, WhenEntry,
    WindowEntry,
};
pub(crate) use document::{is_reserved_id, parse_digest};
pub(crate) use node::Node;
pub use plan::{Endpoint, Model, Plan, Provider, Target, Timeouts};

/// One thing that is wrong with a policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a path of field names and list positions (`models.gpt-4o.targets[1].provider`); empty for the whole document.
    pub path: String,
    /// What, in words for the operator.
    pub message: String,
}

/// Everything that is wrong with a policy document; never empty when it is returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault { path: path.into(), message: message.into() });
    }

    fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Faults {
    /// One line for each fault: `path: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            match fault.path.as_str() {
                "" => write!(f, "{}", fault.message)?,
                path => write!(f, "{path}: {}", fault.message)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Reads and compiles a policy document: what the module does with its plugin configuration.
///
/// `bytes` is YAML or JSON text, or an encoded `google.protobuf.Struct`. `environment` returns the value of an
/// environment variable. The error holds the faults of both steps.
pub fn load(bytes: &[u8], environment: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Faults> {
    let (document, mut faults) = Document::read(bytes);
    let plan = document.and_then(|document| plan::compile(&document, environment, &mut faults));
    faults.into_result(plan)
}

/// Reads a list of keys, as `callers.keys` has it, from YAML or JSON text: a list, or a map with such a list as `keys`.
pub fn parse_keys(bytes: &[u8]) -> Result<Vec<KeyEntry>, Faults> {
    let (keys, faults) = document::read_key_list(bytes);
    faults.into_result(Some(keys))
}

impl Document {
    /// Reads a policy document from YAML or JSON text, or from an encoded `google.protobuf.Struct`.
    ///
    /// Everything that can be judged without the environment is judged here: unknown fields, types, ranges,
    /// references, addresses.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let (document, faults) = Self::read(bytes);
        faults.into_result(document)
    }

    /// Whether nobody calls whom the document doesn't name: neither tokens nor keys from elsewhere are accepted.
    pub fn names_all_callers(&self) -> bool {
        self.callers.jwt.is_none() && self.callers.source.is_none()
    }

    /// Compiles the document into what requests are decided by; its credentials come from `environment`.
    pub fn compile(&self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Faults> {
        let mut faults = Faults::default();
        let plan = plan::compile(self, environment, &mut faults);
        faults.into_result(plan)
    }
}
