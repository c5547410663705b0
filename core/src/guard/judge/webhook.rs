//! A service of the operator's: who asks for what and the texts in, one word out.

use serde::Serialize;

use super::fields::Fields;
use super::{Question, Sent, Verdict};
use crate::guard::Passage;
use crate::json::Text;

#[derive(Serialize)]
struct Request<'a> {
    version: u32,
    guard: &'a str,
    direction: &'static str,
    model: &'a str,
    /// `null` for whoever has not proven who he is.
    caller: Option<Asker<'a>>,
    texts: Vec<JudgedText<'a>>,
}

#[derive(Serialize)]
struct Asker<'a> {
    id: &'a str,
    user: Option<&'a str>,
    team: Option<&'a str>,
    roles: &'a [String],
}

/// One text, and whose words it is.
#[derive(Serialize)]
pub(super) struct JudgedText<'a> {
    source: &'static str,
    text: &'a str,
}

impl<'a> JudgedText<'a> {
    pub(super) fn all(passages: &'a [Passage]) -> Vec<Self> {
        let text = |passage: &'a Passage| Self { source: passage.source.word(), text: &passage.text };
        passages.iter().map(text).collect()
    }
}

pub(super) fn question(path: &str, question: Question<'_>) -> Sent {
    let caller = question.caller.map(|caller| Asker {
        id: &caller.id,
        user: caller.user.as_deref(),
        team: caller.team.as_deref(),
        roles: &caller.roles,
    });
    let request = Request {
        version: 1,
        guard: question.guard,
        direction: question.direction.word(),
        model: question.model,
        caller,
        texts: JudgedText::all(question.texts),
    };
    // Texts always serialise.
    let body = serde_json::to_vec(&request).unwrap_or_default();
    Sent { path: path.to_owned(), body, headers: &[] }
}

/// `None`: it is no verdict.
pub(super) fn verdict(body: &[u8]) -> Option<Verdict> {
    let action: Text<'_> = Fields::read(body)?.get("action")?.read().ok()?;
    let flagged = match &*action {
        "allow" => false,
        "refuse" => true,
        _ => return None,
    };
    Some(Verdict { flagged, usage: None })
}
