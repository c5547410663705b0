//! Judges' answers: JSON objects of which a few fields count.

use crate::json::{self, Raw, object};

object! {
    /// All fields of an object.
    pub(super) struct Fields<'a> {
        ..entries
    }
}

impl<'a> Fields<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        json::read(bytes).ok()
    }

    /// The field of this name; `None` also where it stands twice, or is `null`.
    pub(super) fn get(&self, name: &str) -> Option<Raw<'a>> {
        let mut found = self.entries.iter().filter(|(field, _)| **field == *name).map(|(_, value)| *value);
        let value = found.next()?;
        (found.next().is_none() && value.get() != "null").then_some(value)
    }

    /// A field that is an object.
    pub(super) fn fields(&self, name: &str) -> Option<Self> {
        Self::read(self.get(name)?.get().as_bytes())
    }

    /// A field that is `true` or `false`.
    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)?.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}
