//! Streams, event by event, each in a chunk of its own; each event with text has the instant in it at which it is written.

use super::{Api, aws};
use crate::clock;

/// The head of a stream's answer.
pub fn head(api: Api) -> Vec<u8> {
    let content_type =
        if api == Api::Bedrock { "application/vnd.amazon.eventstream" } else { "text/event-stream" };
    format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n")
        .into_bytes()
}

/// What comes before the text.
pub fn begin(api: Api, out: &mut Vec<u8>) {
    match api {
        Api::OpenAi => {
            chunk(out, |out| openai(out, br#"{"role":"assistant","content":"","refusal":null}"#, b"null"))
        }
        Api::Anthropic => chunk(out, |out| {
            out.extend_from_slice(
                b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\
                  \"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":200,\
                  \"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n\
                  event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            );
        }),
        Api::Bedrock => {
            chunk(out, |out| aws::event("messageStart", br#"{"p":"abcd","role":"assistant"}"#, out))
        }
        Api::Gemini | Api::Embeddings => {}
    }
}

/// An event with text.
pub fn text(api: Api, now: u64, out: &mut Vec<u8>) {
    let mut word = Vec::with_capacity(16);
    clock::mark(now, &mut word);
    let join = |out: &mut Vec<u8>, before: &[u8], after: &[u8]| {
        for part in [before, &word, after] {
            out.extend_from_slice(part);
        }
    };
    chunk(out, |out| {
        match api {
        Api::OpenAi | Api::Embeddings => {
            let mut delta = Vec::with_capacity(64);
            join(&mut delta, b"{\"content\":\"", b"\"}");
            openai(out, &delta, b"null");
        }
        Api::Anthropic => join(
            out,
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"",
            b"\"}}\n\n",
        ),
        Api::Gemini => join(
            out,
            b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"",
            b"\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":200,\"candidatesTokenCount\":1,\"totalTokenCount\":201},\
              \"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"bench\"}\n\n",
        ),
        Api::Bedrock => {
            let mut payload = Vec::with_capacity(80);
            join(&mut payload, b"{\"contentBlockIndex\":0,\"delta\":{\"text\":\"", b"\"},\"p\":\"abcdefgh\"}");
            aws::event("contentBlockDelta", &payload, out);
        }
    }
    });
}

/// What comes after the text, and the end of the body.
pub fn end(api: Api, events: usize, usage: bool, out: &mut Vec<u8>) {
    let total = 200 + events;
    match api {
        Api::OpenAi | Api::Embeddings => {
            chunk(out, |out| openai(out, b"{}", b"\"stop\""));
            if usage {
                chunk(out, |out| {
                    let usage = format!(
                        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763683200,\"model\":\"gpt-4o-2024-11-20\",\
                         \"choices\":[],\"usage\":{{\"prompt_tokens\":200,\"completion_tokens\":{events},\"total_tokens\":{total}}}}}\n\n"
                    );
                    out.extend_from_slice(usage.as_bytes());
                });
            }
            chunk(out, |out| out.extend_from_slice(b"data: [DONE]\n\n"));
        }
        Api::Anthropic => chunk(out, |out| {
            let end = format!(
                "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":0}}\n\n\
                 event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\",\"stop_sequence\":null}},\
                 \"usage\":{{\"output_tokens\":{events}}}}}\n\n\
                 event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
            );
            out.extend_from_slice(end.as_bytes());
        }),
        Api::Gemini => chunk(out, |out| {
            let end = format!(
                "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"\"}}],\"role\":\"model\"}},\"finishReason\":\"STOP\",\"index\":0}}],\
                 \"usageMetadata\":{{\"promptTokenCount\":200,\"candidatesTokenCount\":{events},\"totalTokenCount\":{total}}},\
                 \"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"bench\"}}\n\n"
            );
            out.extend_from_slice(end.as_bytes());
        }),
        Api::Bedrock => chunk(out, |out| {
            aws::event("contentBlockStop", br#"{"contentBlockIndex":0,"p":"abc"}"#, out);
            aws::event("messageStop", br#"{"p":"abcdef","stopReason":"end_turn"}"#, out);
            let usage = format!(
                "{{\"metrics\":{{\"latencyMs\":1}},\"p\":\"ab\",\"usage\":{{\"inputTokens\":200,\"outputTokens\":{events},\"totalTokens\":{total}}}}}"
            );
            aws::event("metadata", usage.as_bytes(), out);
        }),
    }
    out.extend_from_slice(b"0\r\n\r\n");
}

fn openai(out: &mut Vec<u8>, delta: &[u8], finish: &[u8]) {
    for part in [
        b"data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763683200,\"model\":\"gpt-4o-2024-11-20\",\
          \"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\",\"choices\":[{\"index\":0,\"delta\":"
            .as_slice(),
        delta,
        b",\"logprobs\":null,\"finish_reason\":",
        finish,
        b"}]}\n\n",
    ] {
        out.extend_from_slice(part);
    }
}

/// Puts what `write` adds into a chunk of the body.
fn chunk(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut data = Vec::with_capacity(512);
    write(&mut data);
    out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\r\n");
}
