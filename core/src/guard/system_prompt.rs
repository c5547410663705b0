//! System prompts: what the policy adds to them, or asks of them.

use super::Asked;
use crate::dialect::texts::{self, Found, Source};
use crate::failure::Failure;

/// Where the policy's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the client's own system prompt.
    Prepend,
    /// Behind it.
    Append,
    /// It has to be in the client's own.
    Require,
}

impl Place {
    pub(crate) const WORDS: [(&'static str, Self); 3] =
        [("prepend", Self::Prepend), ("append", Self::Append), ("require", Self::Require)];
}

/// Whether the client's own system prompt has a text, however its words are spaced.
pub(super) fn is_there(asked: Asked<'_>, text: &str) -> Result<bool, Failure> {
    let mut system = Vec::new();
    texts::walk(asked.client, texts::Side::Request, asked.whole, &mut |place, found| {
        if let (Source::System, Found::Text(text) | Found::Json(text)) = (place.source, found) {
            system.extend(text.split_whitespace().map(str::to_owned));
        }
        Ok(None)
    })?;
    let wanted: Vec<&str> = text.split_whitespace().collect();
    Ok(system.join(" ").contains(&wanted.join(" ")))
}

/// The body with texts added to its system prompt, in the policy's order.
pub(super) fn decorate<'t>(
    asked: Asked<'_>,
    added: impl Iterator<Item = (Place, &'t str)>,
) -> Result<Option<Vec<u8>>, Failure> {
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    for (place, text) in added {
        match place {
            Place::Prepend => before.push(text),
            Place::Append => behind.push(text),
            Place::Require => {}
        }
    }
    match before.is_empty() && behind.is_empty() {
        true => Ok(None),
        false => texts::add_system(asked.client, asked.whole, &before.join("\n\n"), &behind.join("\n\n")),
    }
}
