//! The objects of a Chat Completions request, as they stand on the wire.

use crate::json::{Integer, Raw, RawObject, Text, TextOr, object};

object! {
    pub(super) struct ChatRequest<'a> {
        "model" => model: Text<'a>,
        "messages" => messages: Vec<ChatMessage<'a>>,
        "tools" => tools: Vec<ChatTool<'a>>,
        "tool_choice" => tool_choice: TextOr<'a, ChatToolChoice<'a>>,
        "parallel_tool_calls" => parallel_tool_calls: bool,
        "response_format" => response_format: ResponseFormat<'a>,
        "max_completion_tokens" => max_completion_tokens: u64,
        "max_tokens" => max_tokens: u64,
        "temperature" => temperature: f64,
        "top_p" => top_p: f64,
        "presence_penalty" => presence_penalty: f64,
        "frequency_penalty" => frequency_penalty: f64,
        "seed" => seed: Integer,
        "stop" => stop: TextOr<'a, Vec<Text<'a>>>,
        "n" => n: u32,
        "logprobs" => logprobs: bool,
        "top_logprobs" => top_logprobs: u32,
        "reasoning_effort" => reasoning_effort: Text<'a>,
        "user" => user: Text<'a>,
        "verbosity" => verbosity: Text<'a>,
        "safety_identifier" => safety_identifier: Text<'a>,
        "service_tier" => service_tier: Text<'a>,
        "logit_bias" => logit_bias: RawObject<'a>,
        "metadata" => metadata: RawObject<'a>,
        "stream" => stream: bool,
        "stream_options" => stream_options: StreamOptions<'a>,
        ..others
    }
}

object! {
    pub(super) struct StreamOptions<'a> {
        "include_usage" => include_usage: bool,
        ..others
    }
}

object! {
    pub(super) struct ChatMessage<'a> {
        "role" => role: Text<'a>,
        "content" => content: TextOr<'a, Vec<ChatPart<'a>>>,
        "name" => name: Text<'a>,
        "tool_calls" => tool_calls: Vec<ChatToolCall<'a>>,
        "tool_call_id" => tool_call_id: Text<'a>,
        "refusal" => refusal: Text<'a>,
        "reasoning_content" => reasoning_content: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct ChatPart<'a> {
        "type" => kind: Text<'a>,
        "text" => text: Text<'a>,
        "refusal" => refusal: Text<'a>,
        // Mistral's clients may send the bare URL.
        "image_url" => image_url: TextOr<'a, ImageUrl<'a>>,
        "input_audio" => input_audio: InputAudio<'a>,
        "file" => file: File<'a>,
        "prompt_cache_breakpoint" => cache: CacheBreakpoint<'a>,
        ..others
    }
}

object! {
    pub(super) struct CacheBreakpoint<'a> {
        "mode" => mode: Text<'a>,
        "ttl" => ttl: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct ImageUrl<'a> {
        "url" => url: Text<'a>,
        "detail" => detail: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct InputAudio<'a> {
        "data" => data: Text<'a>,
        "format" => format: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct File<'a> {
        "file_data" => data: Text<'a>,
        "file_id" => id: Text<'a>,
        "filename" => name: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct ChatToolCall<'a> {
        "id" => id: Text<'a>,
        "type" => kind: Text<'a>,
        "function" => function: CalledFunction<'a>,
        "custom" => custom: CalledCustom<'a>,
        "extra_content" => extra_content: ExtraContent<'a>,
        ..others
    }
}

object! {
    pub(super) struct CalledFunction<'a> {
        "name" => name: Text<'a>,
        "arguments" => arguments: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct CalledCustom<'a> {
        "name" => name: Text<'a>,
        "input" => input: Text<'a>,
        ..others
    }
}

object! {
    /// What Google's own OpenAI-compatible endpoint adds to a tool call.
    pub(super) struct ExtraContent<'a> {
        "google" => google: GoogleContent<'a>,
        ..others
    }
}

object! {
    pub(super) struct GoogleContent<'a> {
        "thought_signature" => thought_signature: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct ChatTool<'a> {
        "type" => kind: Text<'a>,
        "function" => function: Function<'a>,
        "custom" => custom: Custom<'a>,
        ..others
    }
}

object! {
    pub(super) struct Custom<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "format" => format: RawObject<'a>,
        ..others
    }
}

object! {
    pub(super) struct Function<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "parameters" => parameters: RawObject<'a>,
        "strict" => strict: bool,
        ..others
    }
}

object! {
    pub(super) struct ChatToolChoice<'a> {
        "type" => kind: Text<'a>,
        "function" => function: NamedTool<'a>,
        "custom" => custom: NamedTool<'a>,
        "allowed_tools" => allowed_tools: AllowedTools<'a>,
        ..others
    }
}

object! {
    pub(super) struct NamedTool<'a> {
        "name" => name: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct AllowedTools<'a> {
        "mode" => mode: Text<'a>,
        "tools" => tools: Vec<ChatToolChoice<'a>>,
        ..others
    }
}

object! {
    pub(super) struct ResponseFormat<'a> {
        "type" => kind: Text<'a>,
        "json_schema" => json_schema: ChatJsonSchema<'a>,
        ..others
    }
}

object! {
    pub(super) struct ChatJsonSchema<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "schema" => schema: Raw<'a>,
        "strict" => strict: bool,
        ..others
    }
}
