//! The names of the fields of a chat completion's request.

use crate::conversation::{Field, MediaKind};

/// The name of a field, as a path from the body's root.
pub(crate) fn name(field: Field<'_>) -> String {
    let fixed = match field {
        Field::Model => "model",
        Field::Messages => "messages",
        Field::MaxTokens => "max_completion_tokens",
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::TopK => "top_k",
        Field::PresencePenalty => "presence_penalty",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::Seed => "seed",
        Field::Stop => "stop",
        Field::Choices => "n",
        Field::Logprobs => "logprobs",
        Field::TopLogprobs => "top_logprobs",
        Field::Effort | Field::Thinking => "reasoning_effort",
        Field::Verbosity => "verbosity",
        Field::User => "user",
        Field::SafetyIdentifier => "safety_identifier",
        Field::ServiceTier => "service_tier",
        Field::Format => "response_format",
        Field::FormatSchema => "response_format.json_schema.schema",
        Field::FormatDescription => "response_format.json_schema.description",
        Field::Tools => "tools",
        Field::ToolChoice => "tool_choice",
        Field::AllowedTools => "tool_choice.allowed_tools.tools",
        Field::ParallelToolCalls => "parallel_tool_calls",
        // Only requests of other kinds have these.
        Field::Input => "input",
        Field::Dimensions => "dimensions",
        Field::EncodingFormat => "encoding_format",
        Field::Query => "query",
        Field::Documents => "documents",
        Field::TopN => "top_n",
        Field::Path(path) => path,
        Field::Tool(at) => return format!("tools[{}]", at.item),
        Field::ToolStrict(at) => return format!("tools[{}].function.strict", at.item),
        Field::ToolFormat(at) => return format!("tools[{}].custom.format", at.item),
        Field::MessageName(at) => return format!("messages[{}].name", at.item),
        Field::MessageContent(at) => return format!("messages[{}].content", at.item),
        Field::Media(at, kind) => {
            return format!("messages[{}].content[{}].{}", at.item, at.part, medium(kind));
        }
        Field::MediaSource(at, MediaKind::Image) => {
            return format!("messages[{}].content[{}].image_url.url", at.item, at.part);
        }
        Field::MediaSource(at, kind) => return name(Field::Media(at, kind)),
        Field::Arguments(at) => {
            return format!("messages[{}].tool_calls[{}].function.arguments", at.item, at.part);
        }
        // No client of this dialect can say it.
        Field::ResultFailed(at) => return format!("messages[{}]", at.item),
        Field::ResultCall(at) => return format!("messages[{}].tool_call_id", at.item),
        Field::CacheMark(at) => {
            return format!("messages[{}].content[{}].prompt_cache_breakpoint", at.item, at.part);
        }
    };
    fixed.to_owned()
}

fn medium(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image_url",
        MediaKind::Audio => "input_audio",
        MediaKind::Video | MediaKind::File => "file",
    }
}
