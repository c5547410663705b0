//! The objects of a Responses request, as they stand on the wire.

use crate::json::{Raw, Text, TextOr, object};

object! {
    pub(super) struct ResponsesRequest<'a> {
        "model" => model: Text<'a>,
        "input" => input: TextOr<'a, Vec<InputItem<'a>>>,
        "instructions" => instructions: Text<'a>,
        "tools" => tools: Vec<WireTool<'a>>,
        "tool_choice" => tool_choice: TextOr<'a, WireToolChoice<'a>>,
        "parallel_tool_calls" => parallel_tool_calls: bool,
        "text" => text: TextConfig<'a>,
        "reasoning" => reasoning: ReasoningConfig<'a>,
        "max_output_tokens" => max_output_tokens: u64,
        "temperature" => temperature: f64,
        "top_p" => top_p: f64,
        "top_logprobs" => top_logprobs: u32,
        "include" => include: Vec<Text<'a>>,
        "user" => user: Text<'a>,
        "safety_identifier" => safety_identifier: Text<'a>,
        "service_tier" => service_tier: Text<'a>,
        "stream" => stream: bool,
        "stream_options" => stream_options: StreamOptions<'a>,
        ..others
    }
}

object! {
    pub(super) struct StreamOptions<'a> {
        ..others
    }
}

object! {
    /// An input item of any type. Fields whose form depends on the type are read once it is known.
    pub(super) struct InputItem<'a> {
        "type" => kind: Text<'a>,
        "role" => role: Text<'a>,
        "content" => content: Raw<'a>,
        "id" => id: Text<'a>,
        "call_id" => call_id: Text<'a>,
        "name" => name: Text<'a>,
        "arguments" => arguments: Raw<'a>,
        "input" => input: Raw<'a>,
        "output" => output: Raw<'a>,
        "summary" => summary: Raw<'a>,
        "encrypted_content" => encrypted_content: Text<'a>,
        "result" => result: Raw<'a>,
        "output_format" => output_format: Raw<'a>,
        ..others
    }
}

object! {
    /// A part of a message, or of a tool's output.
    pub(super) struct WirePart<'a> {
        "type" => kind: Text<'a>,
        "text" => text: Text<'a>,
        "refusal" => refusal: Text<'a>,
        "image_url" => image_url: Text<'a>,
        "detail" => detail: Text<'a>,
        "file_id" => file_id: Text<'a>,
        "file_data" => file_data: Text<'a>,
        "file_url" => file_url: Text<'a>,
        "filename" => file_name: Text<'a>,
        "input_audio" => input_audio: InputAudio<'a>,
        "prompt_cache_breakpoint" => breakpoint: Breakpoint<'a>,
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
    pub(super) struct Breakpoint<'a> {
        "mode" => mode: Text<'a>,
        "ttl" => ttl: Text<'a>,
        ..others
    }
}

object! {
    /// A text of a reasoning item: of its summary, or of the thinking itself.
    pub(super) struct ReasoningText<'a> {
        "type" => kind: Text<'a>,
        "text" => text: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct WireTool<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "parameters" => parameters: Raw<'a>,
        "strict" => strict: bool,
        "format" => format: Raw<'a>,
        ..others
    }
}

object! {
    pub(super) struct WireToolChoice<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "mode" => mode: Text<'a>,
        "tools" => tools: Vec<NamedTool<'a>>,
        ..others
    }
}

object! {
    pub(super) struct NamedTool<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct TextConfig<'a> {
        "format" => format: TextFormat<'a>,
        "verbosity" => verbosity: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct TextFormat<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "schema" => schema: Raw<'a>,
        "strict" => strict: bool,
        ..others
    }
}

object! {
    pub(super) struct ReasoningConfig<'a> {
        "effort" => effort: Text<'a>,
        "summary" => summary: Text<'a>,
        "generate_summary" => generate_summary: Text<'a>,
        ..others
    }
}
