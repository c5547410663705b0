//! What is done with what was found.

/// What is done with what a rule finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// The rule isn't looked at.
    #[default]
    Off,
    /// It is counted and stays.
    Warn,
    /// `[EMAIL]`
    Mask,
    /// `[CREDIT_CARD:*1111]`: the last four letters or digits stay, where there are at least twice as many.
    Partial,
    /// `[EMAIL:h5f2c81d0a94e]`: the same for the same value and key.
    Hash,
    /// `[US_SSN_kfqwzrtbnm]`: the same for the same value within a conversation, and given back in its answers.
    Pseudonym,
    /// As `Mask`; and the outcome says that the text must not go on.
    Block,
}

impl Action {
    pub const ALL: [Self; 7] =
        [Self::Off, Self::Warn, Self::Mask, Self::Partial, Self::Hash, Self::Pseudonym, Self::Block];

    /// By which a policy names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Mask => "mask",
            Self::Partial => "partial",
            Self::Hash => "hash",
            Self::Pseudonym => "pseudonym",
            Self::Block => "block",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}
