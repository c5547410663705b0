//! Gemini's answers: the GenerateContentResponse, whole and in parts.

use super::rules::SIGNATURE;
use crate::vendors::answer::{Answer, Ask, End, Turn, pieces, tokens};
use base64::Engine as _;
use serde_json::{Value, json};

/// One `GenerateContentResponse`.
pub fn whole(ask: &Ask, answer: &Answer, index: u64) -> Value {
    let candidates = answer.turns.iter().enumerate().map(|(n, turn)| {
        let mut parts: Vec<Value> = Vec::new();
        if let Some(reasoning) = turn.reasoning.as_ref().filter(|_| ask.show_reasoning) {
            parts.push(json!({"text": reasoning, "thought": true}));
        }
        if !turn.text.is_empty() {
            parts.push(text_part(&turn.text, turn.reasoning.is_some().then(|| signature(index))));
        }
        parts.extend(calls(ask, turn, index));
        let mut out = candidate(n, parts);
        finish(&mut out, turn);
        if let Some(logprobs) = logprobs(ask, &turn.text) {
            out["avgLogprobs"] = json!(-0.25);
            out["logprobsResult"] = logprobs;
        }
        out
    });
    let candidates: Vec<Value> = candidates.collect();
    let mut out = envelope(ask, index, candidates);
    out["usageMetadata"] = usage(answer, answer.visible_tokens(), answer.reasoning_tokens());
    out
}

/// The parts of a stream: server-sent events, or the elements of a JSON array when `alt=sse` wasn't asked for.
pub fn events(ask: &Ask, answer: &Answer, index: u64, count: Option<usize>) -> Vec<String> {
    let (mut visible, mut thoughts) = (0, 0);
    let mut responses = Vec::new();
    let push = |responses: &mut Vec<Value>, candidate: Value, visible: u64, thoughts: u64| {
        let mut out = envelope(ask, index, vec![candidate]);
        out["usageMetadata"] = usage(answer, visible, thoughts);
        responses.push(out);
    };
    let steps: Vec<Vec<Step>> = answer.turns.iter().map(|turn| steps(ask, turn, index, count)).collect();
    for at in 0..steps.iter().map(Vec::len).max().unwrap_or(0) {
        for ((n, turn), steps) in answer.turns.iter().enumerate().zip(&steps) {
            let Some(step) = steps.get(at) else { continue };
            visible += step.visible;
            thoughts += step.thoughts;
            let mut out = candidate(n, vec![step.part.clone()]);
            if let Some(logprobs) = step.part["text"].as_str().and_then(|text| logprobs(ask, text)) {
                out["logprobsResult"] = logprobs;
            }
            if at + 1 == steps.len() {
                finish(&mut out, turn);
            }
            push(&mut responses, out, visible, thoughts);
        }
    }
    if ask.body["sse"] == json!(true) {
        return responses.iter().map(|response| format!("data: {response}\r\n\r\n")).collect();
    }
    let last = responses.len().saturating_sub(1);
    let element = |(at, response): (usize, &Value)| {
        format!("{}{response}{}", if at == 0 { "[" } else { "" }, if at == last { "]\n" } else { ",\r\n" })
    };
    responses.iter().enumerate().map(element).collect()
}

/// One part of a stream, with the tokens that it brings.
struct Step {
    part: Value,
    visible: u64,
    thoughts: u64,
}

fn steps(ask: &Ask, turn: &Turn, index: u64, count: Option<usize>) -> Vec<Step> {
    let mut out = Vec::new();
    if let Some(reasoning) = turn.reasoning.as_ref().filter(|_| ask.show_reasoning) {
        for piece in pieces(reasoning, count) {
            let thoughts = tokens(&piece);
            out.push(Step { part: json!({"text": piece, "thought": true}), visible: 0, thoughts });
        }
    }
    for piece in pieces(&turn.text, count) {
        let visible = tokens(&piece);
        out.push(Step { part: text_part(&piece, None), visible, thoughts: 0 });
    }
    for (part, call) in calls(ask, turn, index).into_iter().zip(&turn.calls) {
        out.push(Step { part, visible: tokens(&call.arguments.to_string()), thoughts: 0 });
    }
    // A text's signature comes by itself at the end; an empty answer still ends with a part.
    if turn.calls.is_empty() && (turn.reasoning.is_some() || out.is_empty()) {
        let signature = turn.reasoning.is_some().then(|| signature(index));
        out.push(Step { part: text_part("", signature), visible: 0, thoughts: 0 });
    }
    // Thoughts that aren't shown count from the first part on.
    if let Some(first) = out.first_mut().filter(|_| !ask.show_reasoning) {
        first.thoughts = turn.reasoning_tokens();
    }
    out
}

fn signature(index: u64) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{SIGNATURE}{index}"))
}

fn text_part(text: &str, signature: Option<String>) -> Value {
    match signature {
        Some(signature) => json!({"text": text, "thoughtSignature": signature}),
        None => json!({"text": text}),
    }
}

/// The calls; the first carries the signature, as Gemini 3 and thinking models send it.
fn calls(ask: &Ask, turn: &Turn, index: u64) -> Vec<Value> {
    let signed =
        turn.reasoning.is_some() || !ask.model.starts_with("gemini-2") && !ask.model.starts_with("gemini-1");
    let call = |(at, call): (usize, &crate::vendors::answer::Call)| {
        let id = format!("fc-mock{index:06}{at}");
        let mut part = json!({"functionCall": {"id": id, "name": call.name, "args": call.arguments}});
        if at == 0 && signed {
            part["thoughtSignature"] = json!(signature(index));
        }
        part
    };
    turn.calls.iter().enumerate().map(call).collect()
}

fn candidate(n: usize, parts: Vec<Value>) -> Value {
    json!({"content": {"parts": parts, "role": "model"}, "index": n})
}

fn finish(candidate: &mut Value, turn: &Turn) {
    let reason = match turn.end {
        End::Done | End::Stop(_) | End::Calls => "STOP",
        End::Length => "MAX_TOKENS",
        End::Filtered | End::Refused => "SAFETY",
    };
    candidate["finishReason"] = json!(reason);
    let empty = candidate["content"]["parts"].as_array().is_none_or(Vec::is_empty);
    if empty && let Some(content) = candidate["content"].as_object_mut() {
        // Google leaves the list out when nothing was produced.
        content.remove("parts");
    }
}

fn envelope(ask: &Ask, index: u64, candidates: Vec<Value>) -> Value {
    json!({
        "candidates": candidates,
        "modelVersion": ask.model,
        "responseId": format!("mock{index:06}")
    })
}

/// `totalTokenCount` is the sum of the three; fields that would be 0 are left out, as Google does.
fn usage(answer: &Answer, visible: u64, thoughts: u64) -> Value {
    let mut out = json!({
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": visible,
        "totalTokenCount": answer.input_tokens + visible + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": answer.input_tokens}]
    });
    if thoughts > 0 {
        out["thoughtsTokenCount"] = json!(thoughts);
    }
    if answer.cached_tokens > 0 {
        out["cachedContentTokenCount"] = json!(answer.cached_tokens);
        out["cacheTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": answer.cached_tokens}]);
    }
    out
}

fn logprobs(ask: &Ask, text: &str) -> Option<Value> {
    let top = ask.logprobs?;
    let entry = |token: &str, rank: usize| json!({"token": token, "tokenId": rank, "logProbability": -0.25 * (rank + 1) as f64});
    let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    let chosen: Vec<Value> = words.iter().map(|word| entry(word, 0)).collect();
    let others = |word: &&str| -> Vec<Value> {
        (0..top)
            .map(|rank| if rank == 0 { entry(word, 0) } else { entry(&format!("other{rank}"), rank) })
            .collect()
    };
    let candidates: Vec<Value> = words.iter().map(|word| json!({"candidates": others(word)})).collect();
    Some(json!({
        "chosenCandidates": chosen,
        "topCandidates": candidates,
        "logProbabilitySum": -0.25 * words.len() as f64
    }))
}
