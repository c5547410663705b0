//! The names of the fields of a client's request.

use crate::conversation::{Field, Place};

/// Where a part of the instructions stands: in no list of contents.
pub(super) const SYSTEM: u32 = u32::MAX;

/// The name of a field, as a path from the body's root.
pub(crate) fn name(field: Field<'_>) -> String {
    let fixed = match field {
        Field::Model => "model",
        Field::Messages => "contents",
        Field::MaxTokens => "generationConfig.maxOutputTokens",
        Field::Temperature => "generationConfig.temperature",
        Field::TopP => "generationConfig.topP",
        Field::TopK => "generationConfig.topK",
        Field::PresencePenalty => "generationConfig.presencePenalty",
        Field::FrequencyPenalty => "generationConfig.frequencyPenalty",
        Field::Seed => "generationConfig.seed",
        Field::Stop => "generationConfig.stopSequences",
        Field::Choices => "generationConfig.candidateCount",
        Field::Logprobs => "generationConfig.responseLogprobs",
        Field::TopLogprobs => "generationConfig.logprobs",
        Field::Effort => "generationConfig.thinkingConfig.thinkingLevel",
        Field::Thinking => "generationConfig.thinkingConfig",
        Field::Format => "generationConfig.responseMimeType",
        Field::FormatSchema | Field::FormatDescription => "generationConfig.responseJsonSchema",
        Field::ServiceTier => "serviceTier",
        Field::Tools => "tools",
        Field::ToolChoice => "toolConfig.functionCallingConfig.mode",
        Field::AllowedTools => "toolConfig.functionCallingConfig.allowedFunctionNames",
        // Requests of this dialect don't have these.
        Field::Verbosity => "verbosity",
        Field::User => "user",
        Field::SafetyIdentifier => "safetyIdentifier",
        Field::ParallelToolCalls => "toolConfig",
        Field::Input => "input",
        Field::Dimensions => "dimensions",
        Field::EncodingFormat => "encodingFormat",
        Field::Query => "query",
        Field::Documents => "documents",
        Field::TopN => "topN",
        Field::Path(path) => path,
        Field::Tool(at) | Field::ToolStrict(at) | Field::ToolFormat(at) => return tool(at),
        Field::MessageName(at) | Field::MessageContent(at) => return content(at),
        Field::CacheMark(at) => return part(at),
        Field::Media(at, _) => return format!("{}.inlineData", part(at)),
        Field::MediaSource(at, _) => return format!("{}.fileData.fileUri", part(at)),
        Field::Arguments(at) => return format!("{}.functionCall.args", part(at)),
        Field::ResultCall(at) => return format!("{}.functionResponse.id", part(at)),
        Field::ResultFailed(at) => return format!("{}.functionResponse.response.error", part(at)),
    };
    fixed.to_owned()
}

/// The path of a function's declaration; `at` counts the tools, and the declarations in one.
pub(super) fn tool(at: Place) -> String {
    format!("tools[{}].functionDeclarations[{}]", at.item, at.part)
}

/// The path of a content's parts.
fn content(at: Place) -> String {
    match at.item {
        SYSTEM => "systemInstruction.parts".to_owned(),
        item => format!("contents[{item}].parts"),
    }
}

/// The path of a part.
pub(super) fn part(at: Place) -> String {
    format!("{}[{}]", content(at), at.part)
}
