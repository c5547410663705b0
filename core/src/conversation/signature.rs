//! What a vendor signs or hides in an answer, and must get back: it travels through clients of every dialect.

use std::borrow::Cow;

use crate::json::Text;

/// A text that only its maker can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    pub maker: Maker,
    pub value: Text<'a>,
}

/// Whose models sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Maker {
    OpenAi,
    /// On every platform that serves Claude: its signatures are the same on each.
    Anthropic,
    Gemini,
    /// Amazon Bedrock, for whatever other models hide there: nobody else can read it.
    Bedrock,
}

/// How the signature of another maker begins where a dialect has a place only for its own.
const FOREIGN: &str = "sluice.";

impl Maker {
    const ALL: [Self; 4] = [Self::OpenAi, Self::Anthropic, Self::Gemini, Self::Bedrock];

    fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
        }
    }
}

impl<'a> Signature<'a> {
    /// Reads what stands in the place where a dialect has the signatures of `own` models: [`write`](Self::write) undone.
    pub fn read(text: Text<'a>, own: Maker) -> Self {
        let foreign = text.strip_prefix(FOREIGN).and_then(|rest| rest.split_once('.'));
        let foreign = foreign.and_then(|(name, value)| {
            let maker = Maker::ALL.into_iter().find(|maker| maker.name() == name)?;
            Some((maker, text.len() - value.len()))
        });
        match foreign {
            Some((maker, start)) => Self { maker, value: text.skip(start) },
            None => Self { maker: own, value: text },
        }
    }

    /// The text for the place where a dialect has the signatures of `own` models.
    pub fn write(&self, own: Maker) -> Cow<'_, str> {
        match self.maker == own {
            true => Cow::Borrowed(&self.value),
            false => Cow::Owned(format!("{FOREIGN}{}.{}", self.maker.name(), self.value)),
        }
    }

    /// The text for its own maker; `None` for another.
    pub fn of(&self, maker: Maker) -> Option<&str> {
        (self.maker == maker).then_some(&*self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_comes_back_through_another_makers_dialect() {
        for (maker, own) in [
            (Maker::Gemini, Maker::Anthropic),
            (Maker::Bedrock, Maker::OpenAi),
            (Maker::OpenAi, Maker::OpenAi),
        ] {
            let signature = Signature { maker, value: Text::from("sluice.x.a.b") };
            let written = signature.write(own).into_owned();
            assert_eq!(Signature::read(Text::from(written), own), signature);
        }
        let odd = Signature::read(Text::from("sluice.unknown.x"), Maker::Gemini);
        assert_eq!(odd.of(Maker::Gemini), Some("sluice.unknown.x"));
        assert_eq!(odd.of(Maker::OpenAi), None);
    }
}
