//! OpenAI's moderations: texts in, categories with their scores out.

use serde::Serialize;

use super::fields::Fields;
use super::{Categories, Question, Sent, Verdict};
use crate::json::Raw;
use crate::policy::Target;

#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    model: &'a str,
    input: Vec<&'a str>,
}

/// So many texts are asked about one by one; what follows is one text with the last of them.
pub(super) const MAX_TEXTS: usize = 32;

pub(super) fn question(target: &Target, question: Question<'_>) -> Sent {
    let all: Vec<&str> = question.texts.iter().map(|passage| passage.text.as_str()).collect();
    let (each, rest) = all.split_at(all.len().min(MAX_TEXTS - 1));
    let rest = rest.join("\n\n");
    let mut input = each.to_vec();
    if !rest.is_empty() {
        input.push(&rest);
    }
    let request = Request { model: &target.model, input };
    // Texts always serialise.
    let body = serde_json::to_vec(&request).unwrap_or_default();
    Sent { path: "/moderations".to_owned(), body, headers: &[] }
}

/// `texts`: how many were asked about. `None`: it is no verdict on them.
pub(super) fn verdict(
    body: &[u8],
    texts: usize,
    threshold: Option<u32>,
    categories: &Categories,
) -> Option<Verdict> {
    let results: Vec<Raw<'_>> = Fields::read(body)?.get("results")?.read().ok()?;
    if results.len() != texts.min(MAX_TEXTS) || results.is_empty() {
        return None;
    }
    let mut flagged = false;
    for result in results {
        // Each is read to its end: a verdict that is half a verdict is none.
        flagged |= judge(&Fields::read(result.get().as_bytes())?, threshold, categories)?;
    }
    Some(Verdict { flagged, usage: None })
}

fn judge(result: &Fields<'_>, threshold: Option<u32>, categories: &Categories) -> Option<bool> {
    // Mistral's answers have no word for the whole.
    if threshold.is_none() && categories.all && result.get("flagged").is_some() {
        return result.boolean("flagged");
    }
    let entries = match threshold {
        None => result.fields("categories")?.entries,
        Some(_) => result.fields("category_scores")?.entries,
    };
    let has = |name: &String| entries.iter().any(|(category, _)| **category == **name);
    if entries.is_empty() || !categories.named.iter().all(has) {
        return None;
    }
    let mut flagged = false;
    for (_, value) in
        entries.iter().filter(|(category, _)| categories.all || categories.patterns.matches(category))
    {
        flagged |= is_flagged(*value, threshold)?;
    }
    Some(flagged)
}

/// Whether a category is flagged by its word, or by its score. A model that doesn't know a category says `null`.
fn is_flagged(value: Raw<'_>, threshold: Option<u32>) -> Option<bool> {
    match (value.get(), threshold) {
        ("null" | "false", None) | ("null", Some(_)) => Some(false),
        ("true", None) => Some(true),
        (_, None) => None,
        (score, Some(threshold)) => {
            let score: f64 = serde_json::from_str(score).ok()?;
            Some(score * 1000.0 >= f64::from(threshold))
        }
    }
}
