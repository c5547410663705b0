//! The rules: each file has some, and the examples that hold for them.
//!
//! `docs/adding-a-rule.md` says how one is added; `docs/redaction.md` lists what there is.

use super::rule::{Pack, Rule};

/// What the files of rules need.
mod prelude {
    pub use crate::redact::check::{finance, national, network, phone, secret, text};
    #[cfg(test)]
    pub use crate::redact::rule::Examples;
    pub use crate::redact::rule::Pack::{Gdpr, Hipaa, Pci, Pii, Secrets};
    pub use crate::redact::rule::{NEAR, Pattern, Rule, SHAPED, SURE, Tail, VAGUE};
}

macro_rules! families {
    ($($family:ident),+ $(,)?) => {
        $(mod $family;)+

        static FAMILIES: &[&[Rule]] = &[$($family::RULES),+];

        #[cfg(test)]
        pub(super) static EXAMPLES: &[&[super::rule::Examples]] = &[$($family::EXAMPLES),+];
    };
}

// Where two rules of one rank find the same text, the one that stands here first wins.
families! {
    vendor_keys,
    cloud_keys,
    tokens,
    assigned_secrets,
    card,
    bank,
    email,
    united_states,
    united_kingdom,
    europe,
    asia,
    americas_oceania_africa,
    wallet,
    network,
    phone,
    person,
}

/// Every rule there is.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().copied().flatten()
}

/// The rules that a policy means by a name: a rule, or those that a pack brings. `secret` is another name of the pack `secrets`.
/// `None`: there is no such thing.
pub fn select(name: &str) -> Option<Vec<&'static Rule>> {
    if let Some(rule) = rules().find(|rule| rule.name == name) {
        return Some(vec![rule]);
    }
    let name = if name == "secret" { "secrets" } else { name };
    let pack = Pack::ALL.into_iter().find(|pack| pack.name() == name)?;
    Some(rules().filter(|rule| rule.on && rule.packs.contains(&pack)).collect())
}
