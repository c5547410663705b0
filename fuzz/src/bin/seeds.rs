//! Writes the test cases as seeds for the fuzz targets: `fuzz/corpus/<target>/`.

use std::fs;
use std::path::Path;

use test_cases::matrix::{frame, scenarios};

fn main() {
    let mut count = 0;
    let mut seed = |target: &str, bytes: &[u8]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder).expect("the corpus can be written");
        fs::write(folder.join(format!("seed-{count}")), bytes).expect("the corpus can be written");
        count += 1;
    };
    // The first byte of an answer says where its stream is cut.
    let answer = |bytes: &[u8]| [&[40], bytes].concat();
    for case in test_cases::chat() {
        seed("request_openai_chat", &renamed(&case.request, "gpt-4o"));
        for exchange in &case.exchanges {
            if let Some(response) = &exchange.response {
                seed(&format!("answer_{}", exchange.provider), &answer(&response.bytes));
                seed("sse", &answer(&response.bytes));
            }
        }
    }
    for scenario in scenarios() {
        for (dialect, client) in &scenario.clients {
            seed(&format!("request_{dialect}"), client.request.to_string().as_bytes());
            seed("texts", client.request.to_string().as_bytes());
        }
        for (dialect, provider) in &scenario.providers {
            let target = match dialect.as_str() {
                "azure_openai" => "openai",
                "vertex" => "gemini",
                other => other,
            };
            let stream = frame(dialect, &provider.events);
            seed(&format!("answer_{target}"), &answer(provider.response.to_string().as_bytes()));
            seed(&format!("answer_{target}"), &answer(&stream));
            if dialect == "bedrock" {
                seed("aws_event_stream", &answer(&stream));
            }
        }
    }
    let form = "--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--xyz--\r\n";
    seed("request_form", form.as_bytes());
    seed("request_openai_embeddings", br#"{"model":"m","input":["a",[1,2]],"encoding_format":"base64"}"#);
    seed(
        "request_openai_completions",
        br#"{"model":"m","prompt":"a","stop":["b"],"logprobs":2,"stream":true}"#,
    );
    seed("request_rerank", br#"{"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":1}"#);
    seed(
        "answer_responses",
        b"\0event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n",
    );
    let personal = "call +1 415 555 2671, jane%40example.com, \"ssn\": \"536904399\", password=hunter2-x9 [EMAIL] sk-proj-abcdefghij1234567890AB";
    seed("redaction", &[b"\x03\x80", personal.as_bytes()].concat());
    seed("redaction", b"\x00\x40{\"card\":4111111111111111,\"key\":\"-----BEGIN PRIVATE KEY-----\\nMIIEvQ==\\n-----END PRIVATE KEY-----\"}");
    seed(
        "masked_stream",
        b"\x40event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"sequence_number\":1,\"delta\":\"jane@example.com\"}\n\n",
    );
    seed("judge_answer", br#"{"results":[{"flagged":true,"categories":{"a":true},"category_scores":{"a":0.9}}]}"#);
    seed("judge_answer", br#"{"id":"c","object":"chat.completion","created":1,"model":"j","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"{\"flagged\":false}"}}]}"#);
    seed("judge_answer", br#"{"action":"allow"}"#);
    seed("judge_answer", b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n");
    seed("policy", b"version: 1\nproviders: {a: {preset: groq, credential: {env: K}}}\nmodels: {m: {targets: [{provider: a, model: x}]}}\n");
    println!("{count} seeds");
}

/// The model under the name that the targets look for.
fn renamed(request: &[u8], model: &str) -> Vec<u8> {
    String::from_utf8_lossy(request).replacen(&format!("\"{model}\""), "\"m\"", 1).into_bytes()
}
