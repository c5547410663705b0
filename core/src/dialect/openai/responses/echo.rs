//! What of a request stands in its answer too.

use crate::json::{self, Raw, object};

object! {
    struct Echoed<'a> {
        "instructions" => instructions: Raw<'a>,
        "max_output_tokens" => max_output_tokens: Raw<'a>,
        "max_tool_calls" => max_tool_calls: Raw<'a>,
        "metadata" => metadata: Raw<'a>,
        "parallel_tool_calls" => parallel_tool_calls: Raw<'a>,
        "prompt_cache_key" => prompt_cache_key: Raw<'a>,
        "reasoning" => reasoning: Raw<'a>,
        "safety_identifier" => safety_identifier: Raw<'a>,
        "temperature" => temperature: Raw<'a>,
        "text" => text: Raw<'a>,
        "tool_choice" => tool_choice: Raw<'a>,
        "tools" => tools: Raw<'a>,
        "top_logprobs" => top_logprobs: Raw<'a>,
        "top_p" => top_p: Raw<'a>,
        "truncation" => truncation: Raw<'a>,
        "user" => user: Raw<'a>,
        ..
    }
}

/// The fields of the answer that repeat the request: JSON without the braces around it, and without line breaks, as it
/// stands in events too.
///
/// What the request doesn't say is what OpenAI makes of it, but for the defaults of sampling, which are the vendor's.
pub(crate) fn echo(body: &[u8]) -> Vec<u8> {
    let Ok(request) = json::read::<Echoed<'_>>(body) else { return Vec::new() };
    let fields = [
        ("instructions", request.instructions, "null"),
        ("max_output_tokens", request.max_output_tokens, "null"),
        ("max_tool_calls", request.max_tool_calls, "null"),
        ("metadata", request.metadata, "{}"),
        ("parallel_tool_calls", request.parallel_tool_calls, "true"),
        ("prompt_cache_key", request.prompt_cache_key, "null"),
        ("reasoning", request.reasoning, r#"{"effort":null,"summary":null}"#),
        ("safety_identifier", request.safety_identifier, "null"),
        ("temperature", request.temperature, "null"),
        ("text", request.text, r#"{"format":{"type":"text"}}"#),
        ("tool_choice", request.tool_choice, r#""auto""#),
        ("tools", request.tools, "[]"),
        ("top_logprobs", request.top_logprobs, "0"),
        ("top_p", request.top_p, "null"),
        ("truncation", request.truncation, r#""disabled""#),
        ("user", request.user, "null"),
        // Nothing is kept, and nothing is answered later.
        ("background", None, "false"),
        ("previous_response_id", None, "null"),
        ("store", None, "false"),
    ];
    let mut echo = Vec::new();
    for (name, value, default) in fields {
        let separator = if echo.is_empty() { "" } else { "," };
        echo.extend_from_slice(format!("{separator}\"{name}\":").as_bytes());
        let value = value.map_or(default, |value| value.get());
        // No text in JSON has these: they can only stand between its tokens.
        echo.extend(value.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
    }
    echo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_repeated_on_one_line() {
        let body = b"{\"model\":\"m\",\"input\":\"x\",\"tools\":[\n {\"type\": \"function\",\r\n \"name\":\"a\\nb\"}],\"user\":null}";
        let echo = String::from_utf8(echo(body)).expect("is text");
        assert!(echo.contains(r#""tools":[ {"type": "function", "name":"a\nb"}]"#), "{echo}");
        assert!(!echo.contains(['\n', '\r']) && echo.contains(r#""user":null,"background":false"#), "{echo}");
        let value: serde_json::Value = serde_json::from_str(&format!("{{{echo}}}")).expect("is JSON");
        assert_eq!(value["tool_choice"], "auto");
    }
}
