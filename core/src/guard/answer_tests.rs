//! What guards do with answers, whole and streamed, cut at every byte.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::tests::{header, plan, sent};
use crate::exchange::{Exchange, Held, Step};
use crate::policy::Plan;
use crate::shared::LocalMemory;

const NOW: Duration = Duration::from_secs(1_700_000_000);

/// A client: its path, its request, the provider that answers, the pieces of its stream around two texts, and how its stream says that the
/// answer is withheld.
pub(super) struct Case {
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

pub(super) fn cases() -> Vec<Case> {
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
pub(super) fn client_gets(
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

pub(super) fn field(exchange: &Exchange) -> String {
    exchange
        .log_fields()
        .into_iter()
        .find(|(name, _)| *name == "sluice_guards")
        .map_or_else(String::new, |(_, value)| value.into())
}

#[test]
fn a_stream_is_withheld_from_the_first_word_that_is_refused() {
    let guards = plan(
        &json!([{"name": "nightingale", "kind": "words", "words": ["project nightingale"], "on": ["response"]}]),
    );
    for case in cases() {
        let stream = (case.stream)(&["We call it Project ", "Night", "ingale, you see."]);
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            let (got, failed, exchange) = client_gets(&case, &guards, &[&bytes[..cut], &bytes[cut..]]);
            let at = format!("{} at {} cut at {cut}: {got}", case.path, case.provider);
            assert!(!got.contains("ight") && !got.contains("roject") && !got.contains("you see"), "{at}");
            assert_eq!(field(&exchange), "nightingale;refuse", "{at}");
            match failed {
                // Where nothing has gone yet, it is an error with a status of its own.
                Some(message) => assert!(message.contains("'nightingale'") && got.is_empty(), "{at}"),
                None => assert!(got.contains(case.withheld) && got.ends_with(case.last), "{at}"),
            }
        }
    }
}

#[test]
fn every_event_of_a_withheld_stream_is_json_and_blocks_are_closed() {
    let guards = plan(&json!([{"name": "a", "kind": "words", "words": ["secret"], "on": ["response"]}]));
    for case in cases() {
        let stream = (case.stream)(&["Well then, ", "a secret!"]);
        let (got, failed, _) = client_gets(&case, &guards, &[stream.as_bytes()]);
        assert_eq!(failed, None);
        if got.starts_with('[') {
            serde_json::from_str::<Value>(&got).expect("is JSON");
        }
        for data in
            got.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]")
        {
            serde_json::from_str::<Value>(data).unwrap_or_else(|error| panic!("{data}: {error}"));
        }
        assert_eq!(
            got.matches("content_block_start\"").count(),
            got.matches("content_block_stop\"").count(),
            "{got}"
        );
        assert!(got.contains("Well then,"), "{}: {got}", case.path);
    }
}

#[test]
fn what_is_replaced_in_a_stream_is_nowhere_in_it() {
    let guards = plan(&json!([
        {"name": "tickets", "kind": "pattern", "pattern": "TICKET-[0-9]+", "on": ["response"], "action": {"replace": "[ticket]"}},
        {"name": "quiet", "kind": "topics", "topics": {"fruit": ["apple", "pear"]}, "at_least": 2, "on": ["request", "response"], "action": "log"},
    ]));
    for case in cases() {
        let stream = (case.stream)(&["apple and TICK", "ET-12", "34 and pear", "."]);
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            let (got, failed, exchange) = client_gets(&case, &guards, &[&bytes[..cut], &bytes[cut..]]);
            assert!(
                failed.is_none() && !got.contains("TICK") && !got.contains("1234"),
                "{} {cut}: {got}",
                case.path
            );
            assert!(got.contains("[ticket]"), "{} {cut}: {got}", case.path);
            let mut fired: Vec<_> = field(&exchange).split(", ").map(str::to_owned).collect();
            fired.sort();
            assert_eq!(fired, ["quiet;log", "tickets;replace"], "{}", case.path);
        }
    }
}

#[test]
fn streams_that_hold_nothing_pass_as_they_are() {
    let guards = plan(&json!([{"name": "a", "kind": "words", "words": ["secret"], "on": ["response"]}]));
    for case in cases() {
        let stream = (case.stream)(&["Nothing ", "to see ", "here."]);
        let (plain, ..) = client_gets(&case, &plan(&json!([])), &[stream.as_bytes()]);
        let (got, failed, exchange) = client_gets(&case, &guards, &[stream.as_bytes()]);
        assert_eq!((got, failed, field(&exchange)), (plain, None, String::new()), "{}", case.path);
    }
}

#[test]
fn whole_answers_are_withheld_or_changed() {
    let guards = plan(&json!([
        {"name": "nightingale", "kind": "words", "words": ["project nightingale"], "on": ["response"]},
        {"name": "tickets", "kind": "pattern", "pattern": "TICKET-[0-9]+", "on": ["response"], "action": {"replace": "[ticket]"}},
        {"name": "warned", "kind": "words", "words": ["gossip"], "on": ["response"], "action": "warn"},
    ]));
    let answer = |provider: &str, text: &str| match provider {
        "openai" => {
            json!({"id": "c1", "object": "chat.completion", "created": 7, "model": "gpt", "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null}, "logprobs": null, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
        }
        "claude" => {
            json!({"id": "m1", "type": "message", "role": "assistant", "model": "sonnet", "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 4}})
        }
        _ => {
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}})
        }
    };
    for mut case in cases() {
        if case.provider == "openai" && case.path == "/v1/responses" {
            continue;
        }
        if case.path.starts_with("/v1beta") {
            case.path = if case.provider == "gemini" {
                "/v1beta/models/gemini:generateContent"
            } else {
                "/v1beta/models/claude:generateContent"
            };
        } else {
            case.body["stream"] = false.into();
        }
        let got = |text: &str| {
            let mut exchange = sent(&guards, case.path, &case.body).expect("is served");
            let (_, attempt) =
                exchange.attempt(case.provider, 1, &LocalMemory::default(), NOW).expect("can be sent");
            let body = answer(case.provider, text).to_string();
            let reply = attempt.whole(&mut exchange, 200, body.as_bytes(), 7);
            let body = reply.map_or(body, |reply| {
                assert_eq!(reply.status, 200);
                String::from_utf8(reply.body).expect("is text")
            });
            (body, header(&exchange, "x-sluice-guards"), exchange.usage().expect("is known").output)
        };
        let (withheld, guards, output) = got("Project Nightingale it is.");
        assert!(withheld.contains(case.withheld) && !withheld.contains("ight"), "{} {withheld}", case.path);
        assert!(
            !withheld.contains("\"model\":\"\"") && !withheld.contains("\"modelVersion\":\"\""),
            "{withheld}"
        );
        assert_eq!((guards.as_deref(), output), (Some("nightingale;refuse"), 4));
        let (changed, guards, _) = got("It is TICKET-12.");
        assert!(changed.contains("It is [ticket]."), "{} {changed}", case.path);
        assert_eq!(guards.as_deref(), Some("tickets;replace"));
        let (told, guards, _) = got("Some gossip.");
        assert!(told.contains("Some gossip."), "{told}");
        assert_eq!(guards.as_deref(), Some("warned;warn"));
    }
}
