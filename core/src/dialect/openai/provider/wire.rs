//! What whole answers and streams of chat completions have in common, as it stands on the wire.
//!
//! Compatible vendors differ: reasoning is `reasoning_content` (DeepSeek, vLLM, xAI) or `reasoning` (Groq, OpenRouter,
//! Together), content may be a list of pieces (Mistral), arguments may be an object.

use crate::conversation::{Finish, Media, MediaKind, Place, TokenChance, TokenLogprob};
use crate::dialect::openai::chat::read_url;
use crate::json::{Raw, Text, TextOr, object};

object! {
    pub(super) struct WireCall<'a> {
        "index" => index: u32,
        "id" => id: Text<'a>,
        "type" => kind: Text<'a>,
        "function" => function: WireFunction<'a>,
        "custom" => custom: WireCustom<'a>,
        ..
    }
}

object! {
    pub(super) struct WireFunction<'a> {
        "name" => name: Text<'a>,
        "arguments" => arguments: Raw<'a>,
        ..
    }
}

object! {
    pub(super) struct WireCustom<'a> {
        "name" => name: Text<'a>,
        "input" => input: Text<'a>,
        ..
    }
}

object! {
    /// A piece of a content that is a list.
    pub(super) struct WirePiece<'a> {
        "type" => kind: Text<'a>,
        "text" => text: Text<'a>,
        "refusal" => refusal: Text<'a>,
        "thinking" => thinking: TextOr<'a, Vec<WirePiece<'a>>>,
        ..
    }
}

/// What a piece of a content says.
pub(super) enum Said<'a> {
    Text(Text<'a>),
    Refusal(Text<'a>),
    Reasoning(Text<'a>),
}

object! {
    struct WireLogprobs<'a> {
        "content" => content: Vec<WireLogprob<'a>>,
        ..
    }
}

object! {
    struct WireLogprob<'a> {
        "token" => token: Text<'a>,
        "logprob" => logprob: f64,
        "top_logprobs" => top: Vec<WireChance<'a>>,
        ..
    }
}

object! {
    struct WireChance<'a> {
        "token" => token: Text<'a>,
        "logprob" => logprob: f64,
        ..
    }
}

/// What a content says, in order.
pub(super) fn said<'a>(content: TextOr<'a, Vec<WirePiece<'a>>>) -> Vec<Said<'a>> {
    let mut all = Vec::new();
    match content {
        TextOr::Text(text) => all.push(Said::Text(text)),
        TextOr::Other(pieces) => {
            for piece in pieces {
                match piece.kind.as_deref() {
                    Some("refusal") => all.extend(piece.refusal.map(Said::Refusal)),
                    Some("thinking") => all.extend(piece.thinking.into_iter().flat_map(thought)),
                    // Others, as references to what was searched, are no text of the answer.
                    _ => all.extend(piece.text.map(Said::Text)),
                }
            }
        }
    }
    all.retain(|said| {
        let (Said::Text(text) | Said::Refusal(text) | Said::Reasoning(text)) = said;
        !text.is_empty()
    });
    all
}

fn thought<'a>(thinking: TextOr<'a, Vec<WirePiece<'a>>>) -> Vec<Said<'a>> {
    match thinking {
        TextOr::Text(text) => vec![Said::Reasoning(text)],
        TextOr::Other(pieces) => {
            pieces.into_iter().filter_map(|piece| piece.text).map(Said::Reasoning).collect()
        }
    }
}

object! {
    struct WireImage<'a> {
        "image_url" => image_url: WireUrl<'a>,
        ..
    }
}

object! {
    struct WireUrl<'a> {
        "url" => url: Text<'a>,
        ..
    }
}

/// The images of an answer, which OpenAI's own have not (OpenRouter).
pub(super) fn images(list: Option<Raw<'_>>) -> Vec<Media<'_>> {
    let list = list.and_then(|list| list.read::<Vec<WireImage<'_>>>().ok()).unwrap_or_default();
    let urls = list.into_iter().filter_map(|image| image.image_url?.url);
    urls.map(|url| Media { kind: MediaKind::Image, source: read_url(url), at: Place::default() }).collect()
}

/// Reasoning under whichever name it comes; some vendors write the same text under both.
pub(super) fn reasoning<'a>(content: Option<Text<'a>>, other: Option<Raw<'a>>) -> Option<Text<'a>> {
    let text = content.or_else(|| other?.read::<Text<'a>>().ok());
    text.filter(|text| !text.is_empty())
}

/// Arguments as JSON text, whether they come as that or as what it stands for.
pub(super) fn arguments(raw: Option<Raw<'_>>) -> Text<'_> {
    match raw {
        Some(raw) => raw.read::<Text<'_>>().unwrap_or_else(|_| Text::from(raw.get())),
        None => Text::default(),
    }
}

/// The chances of tokens; none where they are not as OpenAI's.
pub(super) fn logprobs(raw: Raw<'_>) -> Option<Vec<TokenLogprob<'_>>> {
    let content = raw.read::<WireLogprobs<'_>>().ok()?.content?;
    let mut tokens = Vec::with_capacity(content.len());
    for token in content {
        let chosen = TokenChance { token: token.token?, logprob: token.logprob? };
        let mut top = Vec::new();
        for chance in token.top.unwrap_or_default() {
            top.push(TokenChance { token: chance.token?, logprob: chance.logprob? });
        }
        tokens.push(TokenLogprob { chosen, top });
    }
    (!tokens.is_empty()).then_some(tokens)
}

/// Why an answer ended; `None` where the vendor says that it failed.
pub(super) fn finish(word: &str, calls: bool) -> Option<Finish> {
    Some(match word {
        "length" | "max_tokens" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        "error" | "insufficient_system_resource" => return None,
        // Some vendors stop, though they have called tools.
        _ if calls => Finish::ToolCalls,
        _ => Finish::Stop,
    })
}
