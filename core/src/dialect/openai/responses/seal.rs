//! What stands in the `encrypted_content` of reasoning items: OpenAI's own hidden thinking, and what others sign or hide.

use std::borrow::Cow;

use crate::conversation::{Maker, Signature};
use crate::json::Text;

/// What an `encrypted_content` holds.
///
/// OpenAI's is hidden thinking as it is. Other vendors' signatures have no place of their own in this dialect, so they
/// stand here too, each told by how it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seal<'a> {
    /// Thinking that only its maker can read.
    Hidden(Signature<'a>),
    /// Signs the thinking that the item shows.
    Thinking(Signature<'a>),
    /// Signs the tool call that comes next.
    Call(Signature<'a>),
}

const THINKING: &str = "sluice-thinking:";
const CALL: &str = "sluice-call:";

/// How everything begins that only the gateway's own answers have: seals, and the ids of items behind their type.
const OURS: &str = "sluice";

impl<'a> Seal<'a> {
    pub(super) fn read(text: Text<'a>) -> Self {
        if text.starts_with(THINKING) {
            return Self::Thinking(Signature::read(text.skip(THINKING.len()), Maker::OpenAi));
        }
        if text.starts_with(CALL) {
            return Self::Call(Signature::read(text.skip(CALL.len()), Maker::OpenAi));
        }
        Self::Hidden(Signature::read(text, Maker::OpenAi))
    }
}

/// The seal of hidden thinking.
pub(super) fn hidden<'a>(signature: &'a Signature<'_>) -> Cow<'a, str> {
    signature.write(Maker::OpenAi)
}

/// The seal of the signature of an item's thinking.
pub(super) fn thinking(signature: &Signature<'_>) -> String {
    format!("{THINKING}{}", signature.write(Maker::OpenAi))
}

/// The seal of the signature of the tool call that comes next.
pub(super) fn call(signature: &Signature<'_>) -> String {
    format!("{CALL}{}", signature.write(Maker::OpenAi))
}

/// Whether only the gateway can have written this `encrypted_content`.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(OURS)
}

/// Whether only the gateway can have given an item this id.
pub(super) fn is_our_id(id: &str) -> bool {
    id.split_once('_').is_some_and(|(_, rest)| rest.starts_with(OURS))
}

/// The id of an answer behind the prefix of its type: the vendor's, in the characters and the length that OpenAI allows
/// for ids that come back.
pub(super) fn answer_id(vendor: Option<&str>, now: u64) -> String {
    /// OpenAI takes 64 characters; the rest is for the prefix and an item's position.
    const MAX: usize = 44;
    let allowed = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let id: String = vendor.unwrap_or_default().chars().filter(allowed).take(MAX).collect();
    match id.is_empty() {
        true => format!("{OURS}_{now}"),
        false => format!("{OURS}_{id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_comes_back_as_what_it_was() {
        for maker in [Maker::OpenAi, Maker::Anthropic, Maker::Gemini, Maker::Bedrock] {
            let signature = Signature { maker, value: Text::from("gAAA.x:y") };
            let read = |text: String| Seal::read(Text::from(text));
            assert_eq!(read(hidden(&signature).into_owned()), Seal::Hidden(signature.clone()));
            assert_eq!(read(thinking(&signature)), Seal::Thinking(signature.clone()));
            assert_eq!(read(call(&signature)), Seal::Call(signature.clone()));
            assert_eq!(is_ours(&hidden(&signature)), maker != Maker::OpenAi);
            assert!(is_ours(&thinking(&signature)) && is_ours(&call(&signature)));
        }
    }

    #[test]
    fn ids_are_such_as_openai_takes_back() {
        let id = answer_id(Some("msg/ä 01_a-b"), 7);
        assert_eq!(id, "sluice_msg01_a-b");
        assert!(is_our_id(&format!("rs_{id}_3")) && !is_our_id("rs_0abc"));
        assert_eq!(answer_id(Some(&"x".repeat(99)), 7).len(), 51);
        assert_eq!(answer_id(Some(""), 7), answer_id(None, 7));
    }
}
