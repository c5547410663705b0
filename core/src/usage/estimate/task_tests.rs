use serde_json::{Value, json};

use super::*;
use crate::dialect::{Call, ClientDialect};

fn with<T>(path: &str, body: &Value, act: impl FnOnce(&Task<'_>) -> T) -> T {
    let (call, body) = (Call::of("POST", path).expect("is served"), body.to_string());
    act(&ClientDialect::decode(&call, body.as_bytes())
        .unwrap_or_else(|failure| panic!("{failure:?}: {body}")))
}

fn of(path: &str, body: &Value) -> Input {
    with(path, body, input)
}

fn chat(messages: &Value) -> Input {
    of("/v1/chat/completions", &json!({"model": "m", "messages": messages}))
}

fn said(text: &str) -> u64 {
    chat(&json!([{"role": "user", "content": text}])).text
}

#[test]
fn every_message_counts_with_what_is_around_it() {
    let prose = "What is the weather like in San Francisco?";
    let one = said(prose);
    assert_eq!(one, super::super::text(prose) + REQUEST + MESSAGE);
    let two = chat(&json!([{"role": "system", "content": prose}, {"role": "user", "content": prose}])).text;
    assert!((2 * one - REQUEST).abs_diff(two) <= 1, "{one} {two}");
}

#[test]
fn anthropics_own_examples_are_met() {
    // From the documents on counting tokens: 14 and 403 tokens.
    let system = json!({"model": "claude", "max_tokens": 9, "system": "You are a scientist",
        "messages": [{"role": "user", "content": "Hello, Claude"}]});
    let tokens = of("/v1/messages", &system).tokens(Family::Claude);
    assert!((10..=28).contains(&tokens), "{tokens}");
    let tool = json!({"model": "claude", "max_tokens": 9,
        "tools": [{"name": "get_weather", "description": "Get the current weather in a given location",
            "input_schema": {"type": "object", "properties": {"location": {"type": "string",
                "description": "The city and state, e.g. San Francisco, CA"}}, "required": ["location"]}}],
        "messages": [{"role": "user", "content": "What's the weather like in San Francisco?"}]});
    let tokens = of("/v1/messages", &tool).tokens(Family::Claude);
    assert!((380..=480).contains(&tokens), "{tokens}");
}

#[test]
fn tools_calls_results_and_schemas_count() {
    let plain = chat(&json!([{"role": "user", "content": "Hi"}]));
    let tool = |extra: &str| {
        json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "search", "description": extra,
                "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}}}]})
    };
    let (small, large) = (
        of("/v1/chat/completions", &tool("x")),
        of("/v1/chat/completions", &tool(&"look it up ".repeat(50))),
    );
    assert!(small.tools && !plain.tools && small.text > plain.text + 15, "{small:?}");
    assert!((130..=190).contains(&(large.text - small.text)), "{small:?} {large:?}");
    assert_eq!(small.tokens(Family::Claude), Family::Claude.scale(small.text) + CLAUDE_TOOLS);

    let called = |arguments: &str, result: &str| {
        chat(&json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "search", "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": "c", "content": result},
        ]))
        .text
    };
    let long = "a long text about many things ".repeat(20);
    let least = called("{}", "none");
    let query = json!({"q": long}).to_string();
    assert!(called(&query, "none") > least + 100 && called("{}", &long) > least + 100);

    let schema = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object", "properties":
            {"first_name": {"type": "string"}, "last_name": {"type": "string"}, "age": {"type": "integer"}}}}}});
    assert!(of("/v1/chat/completions", &schema).text > plain.text + 25);
}

#[test]
fn media_count_by_what_they_are_and_not_by_their_letters() {
    let url = format!("data:application/pdf;base64,{}", "QUJD".repeat(50_000));
    let file = chat(&json!([{"role": "user", "content": [
        {"type": "text", "text": "Read this"}, {"type": "file", "file": {"filename": "a.pdf", "file_data": url}}]}]));
    assert_eq!(file.media, 4 * 1_500);
    assert!(file.text < 20, "{file:?}");
    let image = chat(
        &json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]}]),
    );
    assert_eq!(image.media, 1_500);
    assert_eq!(image.tokens(Family::Claude), Family::Claude.scale(image.text) + 1_500);
}

#[test]
fn thinking_counts_by_its_text_or_by_what_hides_it() {
    let thought = |part: Value| {
        of("/v1/messages", &json!({"model": "claude", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Hi"}, {"role": "assistant", "content": [part, {"type": "text", "text": "Hello"}]},
            {"role": "user", "content": "Go on"}]})).text
    };
    let long = "I wonder what they mean by that. ".repeat(30);
    let none = thought(json!({"type": "text", "text": "Hm"}));
    let shown = thought(json!({"type": "thinking", "thinking": long, "signature": "c2ln".repeat(500)}));
    let hidden = thought(json!({"type": "redacted_thinking", "data": "c2ln".repeat(500)}));
    assert!((200..400).contains(&(shown - none)), "{shown} {none}");
    assert!((320..345).contains(&(hidden - none)), "{hidden} {none}");
}

#[test]
fn embeddings_and_rankings_count_all_their_texts() {
    let text = "a sentence of some length about the matter";
    let own = super::super::text(text);
    let texts = |input: Value| of("/v1/embeddings", &json!({"model": "m", "input": input})).text;
    assert_eq!(texts(json!(text)), own);
    assert!(texts(json!([text, text, text])).abs_diff(3 * own) <= 2);
    assert_eq!(texts(json!([1, 2, 3, 4, 5])), 5);
    assert_eq!(texts(json!([[1, 2], [3]])), 3);
    // The query is read with each document.
    let ranking = |documents: Value, more: Value| {
        let mut body = json!({"model": "m", "query": text, "documents": documents});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of("/v2/rerank", &body).text
    };
    assert_eq!(ranking(json!([text, text]), json!({})), 4 * own);
    assert_eq!(ranking(json!([text.repeat(20)]), json!({"max_tokens_per_doc": 30})), own + 30);
}

#[test]
fn counting_tokens_is_free() {
    let body = json!({"model": "claude", "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(of("/v1/messages/count_tokens", &body), Input::default());
    assert_eq!(with("/v1/messages/count_tokens", &body, output_cap), Some(0));
}

#[test]
fn the_cap_holds_for_each_choice() {
    let cap = |path: &str, body: Value| with(path, &body, output_cap);
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let chat = "/v1/chat/completions";
    assert_eq!(cap(chat, json!({"model": "m", "messages": messages})), None);
    assert_eq!(cap(chat, json!({"model": "m", "messages": messages, "n": 3})), None);
    assert_eq!(
        cap(chat, json!({"model": "m", "messages": messages, "max_completion_tokens": 100, "n": 3})),
        Some(300)
    );
    assert_eq!(
        cap(chat, json!({"model": "m", "messages": messages, "max_tokens": u64::MAX, "n": 2})),
        Some(u64::MAX)
    );
    assert_eq!(cap("/v1/messages", json!({"model": "m", "messages": messages, "max_tokens": 64})), Some(64));
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"maxOutputTokens": 50, "candidateCount": 2}});
    assert_eq!(cap("/v1beta/models/g:generateContent", gemini), Some(100));
    assert_eq!(cap("/v1/embeddings", json!({"model": "m", "input": "x"})), Some(0));
}

#[test]
fn a_request_is_kept_for_as_long_as_its_longest_mark_says() {
    let mark = |ttl: Value| json!({"type": "ephemeral", "ttl": ttl});
    let kept_of = |fields: Value| {
        let mut body =
            json!({"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        (with("/v1/messages", &body, kept), with("/v1/messages/count_tokens", &body, kept))
    };
    let content = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    let text = |ttl: Value| json!({"type": "text", "text": "Hi", "cache_control": mark(ttl)});
    let result = |inner: Value| json!({"type": "tool_result", "tool_use_id": "a", "content": [inner]});
    let tool = json!({"name": "f", "input_schema": {"type": "object"}});
    let marked = |mut value: Value, ttl: Value| {
        value["cache_control"] = mark(ttl);
        value
    };
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    for (fields, expected) in [
        (json!({}), Kept::Unasked),
        (json!({"cache_control": null}), Kept::Unasked),
        (json!({"tools": [tool, search]}), Kept::Unasked),
        (json!({"cache_control": mark(Value::Null)}), Kept::Briefly),
        (json!({"system": [text(json!("5m"))]}), Kept::Briefly),
        (json!({"system": [text(json!("5m")), text(json!("1h"))]}), Kept::AnHour),
        (json!({"tools": [marked(tool.clone(), json!("5m"))]}), Kept::Briefly),
        (content(text(json!("1h"))), Kept::AnHour),
        (content(result(text(json!("5m")))), Kept::Briefly),
        (content(marked(result(json!({"type": "text", "text": "x"})), json!("1h"))), Kept::AnHour),
        // In what only Anthropic understands, a mark is a mark.
        (json!({"tools": [marked(search, json!("5m"))]}), Kept::AnHour),
        (content(marked(json!({"type": "search_result", "content": []}), json!("5m"))), Kept::AnHour),
        (content(json!({"type": "search_result", "content": [text(json!("5m"))]})), Kept::AnHour),
        (content(result(json!({"type": "search_result", "content": [text(json!("5m"))]}))), Kept::AnHour),
        (
            content(
                json!({"type": "document", "source": {"type": "content", "content": [text(json!("5m"))]}}),
            ),
            Kept::AnHour,
        ),
        (
            content(marked(json!({"type": "document", "source": {"type": "novel"}}), json!("5m"))),
            Kept::AnHour,
        ),
    ] {
        assert_eq!(kept_of(fields.clone()), (expected, Kept::Unasked), "{fields}");
    }
    let chat = |part: Value| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
        with("/v1/chat/completions", &body, kept)
    };
    assert_eq!(chat(json!({"type": "text", "text": "Hi"})), Kept::Unasked);
    let breakpoint = json!({"mode": "explicit"});
    assert_eq!(
        chat(json!({"type": "text", "text": "Hi", "prompt_cache_breakpoint": breakpoint})),
        Kept::Briefly
    );
    // A field of OpenRouter's.
    assert_eq!(chat(json!({"type": "text", "text": "Hi", "cache_control": mark(json!("5m"))})), Kept::AnHour);
}
