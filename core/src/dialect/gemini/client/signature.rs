//! What other vendors sign or hide, in the place where Gemini has its own signatures.
//!
//! The official SDKs read that place as bytes in base64 (`types.Part.thought_signature` of `google-genai`, `[]byte` in Go),
//! and write it again in the standard or in the URL-safe alphabet.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::{Deserialize, Serialize};

use super::super::message::FOREIGN_CALL_SIGNATURE;
use crate::conversation::{Maker, Reasoning, Signature};
use crate::json::Text;

/// Google's own sign that a call was not made by Gemini, in base64.
pub const NONE: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

/// How the JSON text of [`Carried`] begins.
const START: &[u8] = b"{\"sluice\":";

/// The standard alphabet, its padding there or not.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What takes the place of a signature: JSON in base64. The signatures are as [`Signature::write`] has them.
#[derive(Serialize, Deserialize)]
struct Carried<'a> {
    /// The version of this form.
    sluice: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
}

/// What stands in the place of a signature.
#[derive(Debug, Default)]
pub struct Found<'a> {
    pub signature: Option<Signature<'a>>,
    pub hidden: Option<Signature<'a>>,
    pub id: Option<Text<'a>>,
}

/// Whether a signature is another vendor's.
pub fn is_foreign(signature: &Signature<'_>) -> bool {
    signature.of(Maker::Gemini).is_none()
}

/// Whether a text in the place of a signature is ours.
pub fn is_carried(text: &str) -> bool {
    carried(text).is_some()
}

/// What is written in the place of a signature. `id`: the vendor's own of a piece of thinking.
pub fn write<'s>(
    signature: Option<&'s Signature<'_>>,
    hidden: Option<&'s Signature<'_>>,
    id: Option<&'s str>,
) -> Option<Cow<'s, str>> {
    let text = |signature: &'s Signature<'_>| signature.write(Maker::Gemini);
    match (signature, hidden, id) {
        (None, None, None) => None,
        (Some(signature), None, None) if !is_foreign(signature) => Some(text(signature)),
        (signature, hidden, id) => {
            let carried = Carried {
                sluice: 1,
                signature: signature.map(text),
                hidden: hidden.map(text),
                id: id.map(Cow::Borrowed),
            };
            // A struct of texts always serialises.
            Some(Cow::Owned(STANDARD.encode(serde_json::to_vec(&carried).unwrap_or_default())))
        }
    }
}

/// What is written for a piece of thinking.
pub fn of_reasoning<'s>(reasoning: &'s Reasoning<'_>) -> Option<Cow<'s, str>> {
    write(reasoning.signature.as_ref(), reasoning.hidden.as_ref(), reasoning.id.as_deref())
}

/// [`write`] undone.
pub fn read(text: Text<'_>) -> Found<'_> {
    if text.is_empty() || &*text == NONE || &*text == FOREIGN_CALL_SIGNATURE || &*text == NONE_URL_SAFE {
        return Found::default();
    }
    match carried(&text) {
        None => {
            Found { signature: Some(Signature { maker: Maker::Gemini, value: text }), ..Found::default() }
        }
        Some(carried) => {
            let read = |text: Cow<'_, str>| Signature::read(text.into_owned().into(), Maker::Gemini);
            Found {
                signature: carried.signature.map(read),
                hidden: carried.hidden.map(read),
                id: carried.id.map(|id| id.into_owned().into()),
            }
        }
    }
}

/// [`NONE`] without its padding.
const NONE_URL_SAFE: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I";

fn carried(text: &str) -> Option<Carried<'static>> {
    // As long as the first bytes of what is ours are the same, so are the first characters.
    if !text.starts_with("eyJzbHVpY2Ui") {
        return None;
    }
    let text = text.replace('-', "+").replace('_', "/");
    let bytes = TOLERANT.decode(text).ok().filter(|bytes| bytes.starts_with(START))?;
    let carried: Carried<'_> = serde_json::from_slice(&bytes).ok()?;
    let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    Some(Carried {
        sluice: carried.sluice,
        signature: carried.signature.map(owned),
        hidden: carried.hidden.map(owned),
        id: carried.id.map(owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(maker: Maker, value: &'static str) -> Signature<'static> {
        Signature { maker, value: value.into() }
    }

    #[test]
    fn geminis_own_stands_as_it_is() {
        let own = signature(Maker::Gemini, "QUJD_-==");
        assert_eq!(write(Some(&own), None, None).as_deref(), Some("QUJD_-=="));
        assert_eq!(read("QUJD_-==".into()).signature, Some(own));
        assert_eq!(write(None, None, None), None);
    }

    #[test]
    fn others_are_carried_in_base64_of_either_alphabet() {
        let (signed, hidden) = (signature(Maker::Anthropic, "~~~???"), signature(Maker::OpenAi, "gAAA"));
        let text = write(Some(&signed), Some(&hidden), Some("rs_1")).expect("is carried");
        assert!(STANDARD.decode(&*text).is_ok() && is_carried(&text));
        for text in [text.to_string(), text.replace('+', "-").replace('/', "_").replace('=', "")] {
            let found = read(text.into());
            assert_eq!(found.signature.as_ref(), Some(&signed));
            assert_eq!(found.hidden.as_ref(), Some(&hidden));
            assert_eq!(found.id.as_deref(), Some("rs_1"));
        }
    }

    #[test]
    fn the_sign_of_no_signature_is_none() {
        assert_eq!(STANDARD.decode(NONE).as_deref(), Ok(FOREIGN_CALL_SIGNATURE.as_bytes()));
        for text in [NONE, NONE_URL_SAFE, FOREIGN_CALL_SIGNATURE, ""] {
            assert!(read(text.into()).signature.is_none(), "{text}");
        }
        assert!(!is_carried("eyJzbHVpY2Ui") && !is_carried("eyJzbHVpY2Ui*"));
    }
}
