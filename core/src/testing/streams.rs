//! Streams of every client's dialect, and what becomes of them on their way to the client.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{NOW, sent};
use crate::exchange::{Exchange, Held, Step};
use crate::policy::Plan;
use crate::shared::LocalMemory;

/// A client: its path, its request, the provider that answers, the pieces of its stream around two texts, and how its stream says that the
/// answer is withheld.
pub(crate) struct Case {
    pub path: &'static str,
    pub body: Value,
    pub provider: &'static str,
    pub stream: fn(&[&str]) -> String,
    pub withheld: &'static str,
    pub last: &'static str,
}

fn chat(texts: &[&str]) -> String {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "gpt", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let mut stream = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    texts.iter().for_each(|text| stream += &chunk(json!({"content": text}), Value::Null));
    stream + &chunk(json!({}), "stop".into()) + "data: [DONE]\n\n"
}

fn messages(texts: &[&str]) -> String {
    let event = |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().expect("is text"));
    let usage = json!({"input_tokens": 3, "output_tokens": 1});
    let start = json!({"id": "m1", "type": "message", "role": "assistant", "model": "sonnet", "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage});
    let mut stream = event(json!({"type": "message_start", "message": start}));
    stream += &event(
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    );
    for text in texts {
        stream += &event(
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        );
    }
    stream += &event(json!({"type": "content_block_stop", "index": 0}));
    stream += &event(
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 9}}),
    );
    stream + &event(json!({"type": "message_stop"}))
}

fn contents(texts: &[&str]) -> String {
    let part = |text: &str, finish: Option<&str>| {
        let mut candidate = json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0});
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        let usage = json!({"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7});
        format!(
            "data: {}\n\n",
            json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "flash", "responseId": "r1"})
        )
    };
    texts.iter().map(|text| part(text, None)).collect::<String>() + &part("", Some("STOP"))
}

fn responses(texts: &[&str]) -> String {
    let mut number = -1;
    let mut event = |mut data: Value| {
        number += 1;
        data["sequence_number"] = number.into();
        format!("event: {}\ndata: {data}\n\n", data["type"].as_str().expect("is text"))
    };
    let response = |status: &str, output: Value| json!({"id": "resp_1", "object": "response", "created_at": 7, "status": status, "incomplete_details": null, "error": null, "model": "gpt", "output": output, "usage": null});
    let item = |status: &str, content: Value| json!({"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content});
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let at = |mut data: Value| {
        data["item_id"] = "msg_1".into();
        data["output_index"] = 0.into();
        data["content_index"] = 0.into();
        data
    };
    let mut stream =
        event(json!({"type": "response.created", "response": response("in_progress", json!([]))}));
    stream += &event(
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", json!([]))}),
    );
    stream += &event(at(json!({"type": "response.content_part.added", "part": part("")})));
    for text in texts {
        stream += &event(at(json!({"type": "response.output_text.delta", "delta": text, "logprobs": []})));
    }
    let text = texts.concat();
    stream += &event(at(json!({"type": "response.output_text.done", "text": text, "logprobs": []})));
    stream += &event(at(json!({"type": "response.content_part.done", "part": part(&text)})));
    let whole = item("completed", json!([part(&text)]));
    stream += &event(json!({"type": "response.output_item.done", "output_index": 0, "item": whole}));
    stream + &event(json!({"type": "response.completed", "response": response("completed", json!([whole]))}))
}

pub(crate) fn cases() -> Vec<Case> {
    let user = json!([{"role": "user", "content": "hi"}]);
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let case =
        |path, body, provider, stream, withheld, last| Case { path, body, provider, stream, withheld, last };
    let chat_path = "/v1/chat/completions";
    let (filtered, refusal, unsafe_, incomplete) = (
        "\"finish_reason\":\"content_filter\"",
        "\"stop_reason\":\"refusal\"",
        "\"finishReason\":\"SAFETY\"",
        "\"reason\":\"content_filter\"",
    );
    let streamed = |model: &str| json!({"model": model, "stream": true, "max_tokens": 9, "messages": user});
    let input = json!({"model": "chat", "stream": true, "input": "hi"});
    let prompt = json!({"model": "claude", "stream": true, "prompt": "hi"});
    vec![
        case(
            chat_path,
            streamed("chat"),
            "openai",
            chat as fn(&[&str]) -> String,
            filtered,
            "data: [DONE]\n\n",
        ),
        case(chat_path, streamed("claude"), "claude", messages, filtered, "data: [DONE]\n\n"),
        case(chat_path, streamed("gemini"), "gemini", contents, filtered, "data: [DONE]\n\n"),
        case("/v1/completions", prompt, "claude", messages, filtered, "data: [DONE]\n\n"),
        case(
            "/v1/messages",
            streamed("claude"),
            "claude",
            messages,
            refusal,
            "data: {\"type\":\"message_stop\"}\n\n",
        ),
        case(
            "/v1/messages",
            streamed("chat"),
            "openai",
            chat,
            refusal,
            "data: {\"type\":\"message_stop\"}\n\n",
        ),
        case(
            "/v1beta/models/gemini:streamGenerateContent?alt=sse",
            gemini.clone(),
            "gemini",
            contents,
            unsafe_,
            "}\n\n",
        ),
        case(
            "/v1beta/models/claude:streamGenerateContent?alt=sse",
            gemini.clone(),
            "claude",
            messages,
            unsafe_,
            "}\n\n",
        ),
        case("/v1beta/models/claude:streamGenerateContent", gemini, "claude", messages, unsafe_, "}]"),
        case("/v1/responses", input.clone(), "openai", responses, incomplete, "}\n\n"),
        case(
            "/v1/responses",
            json!({"model": "claude", "stream": true, "input": "hi"}),
            "claude",
            messages,
            incomplete,
            "}\n\n",
        ),
    ]
}

/// What a client gets of a stream that comes in these chunks, and whether its headers could still be changed.
pub(crate) fn client_gets(
    case: &Case,
    plan: &Arc<Plan>,
    chunks: &[&[u8]],
) -> (String, Option<String>, Exchange) {
    let mut exchange = sent(plan, case.path, &case.body).expect("is served");
    let (_, attempt) = exchange.attempt(case.provider, 1, &LocalMemory::default(), NOW).expect("can be sent");
    let kind = |name: &str| (name == "content-type").then(|| "text/event-stream".to_owned());
    let Step::Stream(mut stream) = attempt.headers(&mut exchange, 200, &kind, 7) else {
        panic!("is a stream")
    };
    let mut got = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        if stream.is_cut() {
            break;
        }
        let mut out = Vec::new();
        if stream.push(chunk, &mut out) {
            out.extend_from_slice(chunk);
        }
        let is_end = number + 1 == chunks.len();
        if is_end {
            stream.end(&mut out);
        }
        exchange.watch(&mut stream, &LocalMemory::default(), NOW, is_end, &mut out);
        got.append(&mut out);
    }
    let failed = match stream.held() {
        Held::Failed(failure) => Some(failure.message.to_string()),
        _ => None,
    };
    (String::from_utf8(got).expect("is text"), failed, exchange)
}

pub(crate) fn field(exchange: &Exchange) -> String {
    exchange
        .log_fields()
        .into_iter()
        .find(|(name, _)| *name == "sluice_guards")
        .map_or_else(String::new, |(_, value)| value.into())
}
